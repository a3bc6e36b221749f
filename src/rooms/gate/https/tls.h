/* tls.h - TLS of one worker: OpenSSL, with a private key that is elsewhere.
 *
 * The worker holds the certificate only.  The signature of the handshake comes from the signer room
 * over a channel (tls_provider.h); one handshake, one signature, one connection.  TLS 1.2 and 1.3,
 * Mozilla intermediate suites, no tickets, no session cache, no renegotiation, no early data.
 */
#ifndef SP_GATE_HTTPS_TLS_H
#define SP_GATE_HTTPS_TLS_H

#include "base/err.h"
#include "base/defer.h"
#include "base/span.h"

struct chan;
struct tls_server; /* settings and certificate: one per worker */
struct tls;	   /* one connection */

/* tls_server_new - load everything that a handshake needs.  Call before the sandbox: OpenSSL loads
 * its strings, providers and random source here; no configuration file is read. cert_pem_chain  PEM
 * certificates, the server's own first; not kept signer          the worker's socket to the signer;
 * borrowed for the server's life errors          SP_ECONFIG (no usable certificate), SP_ENOMEM,
 * SP_ECRYPTO */
int tls_server_new(
    struct span cert_pem_chain, struct chan *signer, struct tls_server **ret) MUST_USE;
/* tls_server_fresh - in a copy of the process that made it: what was random in it is made anew.
 * errors SP_ECRYPTO */
int tls_server_fresh(struct tls_server *s) MUST_USE;
void tls_server_free(struct tls_server *s); /* accepts NULL */

/* tls_accept - do the server's handshake.
 *   fd          a connected stream socket; borrowed (the caller closes it after tls_free); it is
 * set non-blocking here and stays so timeout_ms  for the whole handshake ret         owned by the
 * caller errors      SP_ETIMEOUT, SP_ECLOSED (the peer went away), SP_EPROTOCOL (not TLS at
 * all: plain HTTP, noise), SP_ESYNTAX (broken, or nothing in common), SP_EUNAVAIL (the signer did
 * not answer), SP_ENOMEM; the alert has been sent */
int tls_accept(struct tls_server *s, int fd, int timeout_ms, struct tls **ret) MUST_USE;

/* tls_read - plaintext straight into the caller's buffer; as much as has arrived, at least one
 * byte. timeout_ms  without any progress; -1: none returns     bytes; 0: the peer ended in order
 * (close_notify); SP_ETIMEOUT, SP_ECLOSED (cut off without close_notify), SP_ESYNTAX (broken TLS)
 */
int64_t tls_read(struct tls *t, void *buf, size_t n, int timeout_ms) MUST_USE;

/* tls_pending - is there decrypted or buffered input, so that tls_read would not wait for the
 * socket? */
bool tls_pending(const struct tls *t);

/* tls_write_all - all n bytes, in records of up to 16 KiB.
 *   timeout_ms  for which the peer may take nothing at all; it starts anew with every byte taken
 *   errors      SP_ETIMEOUT (nothing taken for that long), SP_ECLOSED */
int tls_write_all(struct tls *t, const void *buf, size_t n, int timeout_ms) MUST_USE;

/* tls_rest - give back the buffers of records before a long wait, where nothing is in them.  The
 * next read or write takes new ones. */
void tls_rest(struct tls *t);

/* tls_wait - wait for the first bytes of the next request; calls tls_rest.
 *   errors  SP_ETIMEOUT, SP_ECLOSED (the peer ended, in order or not) */
int tls_wait(struct tls *t, int timeout_ms) MUST_USE;

/* tls_shutdown - send close_notify; does not wait for the peer's. errors SP_ETIMEOUT, SP_ECLOSED */
int tls_shutdown(struct tls *t, int timeout_ms) MUST_USE;
void tls_free(struct tls *t); /* accepts NULL; wipes session keys; fd stays open */

/* tls_version - "TLSv1.3" or "TLSv1.2", static.  tls_alpn - "http/1.1" or "" when none was agreed.
 */
const char *tls_version(const struct tls *t);
const char *tls_alpn(const struct tls *t);

/* tls_descriptor - the socket, for a wait that also watches other descriptors. */
int tls_descriptor(const struct tls *t);
#endif
