/* tls.c - see tls.h. */
#include "rooms/gate/https/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/mem.h"
#include "crypto/crypto.h"
#include "rooms/gate/https/tls_provider.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define SIGNER_TIMEOUT_MS 10000

struct tls_server {
	SSL_CTX *ctx; /* owned */
	struct tls_signer signer;
};

struct tls {
	SSL *ssl;  /* owned */
	int fd;	   /* borrowed */
	bool dead; /* a fatal error was met: nothing more can be sent */
};

/* ---- settings: Mozilla's intermediate configuration, ECDHE only ---- */

static const char suites_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char suites_12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";
/* what the signer signs */
static const char sigalgs[] =
    "ECDSA+SHA256:ECDSA+SHA384:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
    "rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512";

/* select_alpn - http/1.1, or no connection with a client that insists on something else.
 *   source  RFC 7301 section 3.2: "no_application_protocol" */
static int
select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool
configure(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_NO_COMPRESSION | SSL_OP_NO_ENCRYPT_THEN_MAC);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, suites_13) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, suites_12) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	       SSL_CTX_set1_sigalgs_list(ctx, sigalgs) == 1;
}

/* ---- certificate and key ---- */

static int
use_chain(SSL_CTX *ctx, BIO *bio)
{
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	int good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	if (!good)
		return SP_ECONFIG;
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			return SP_ECONFIG;
		}
	ERR_clear_error(); /* the end of the file is reported as "no start line" */
	return SP_OK;
}

static int
use_key(SSL_CTX *ctx, struct tls_signer *signer)
{
	EVP_PKEY *public_key = X509_get0_pubkey(SSL_CTX_get0_certificate(ctx)), *key = NULL;
	int err = public_key != NULL ? tls_provider_key(public_key, signer, &key) : SP_ECONFIG;

	if (err != SP_OK)
		return err == SP_ERANGE ? SP_ECONFIG : err;
	if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		err = SP_ECRYPTO;
	EVP_PKEY_free(key);
	return err;
}

static int
fill(struct tls_server *s, struct span pem)
{
	BIO *bio;
	int err;

	s->ctx = SSL_CTX_new(TLS_server_method());
	if (s->ctx == NULL || !configure(s->ctx))
		return SP_ECRYPTO;
	bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	err = bio != NULL ? use_chain(s->ctx, bio) : SP_ENOMEM;
	BIO_free(bio);
	return err == SP_OK ? use_key(s->ctx, &s->signer) : err;
}

int
tls_server_new(struct span cert_pem_chain, struct chan *signer, struct tls_server **ret)
{
	struct tls_server *s;
	int err;

	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return SP_ECRYPTO;
	err = tls_provider_load();
	if (err != SP_OK)
		return err;
	s = mem_alloc(sizeof(*s));
	if (s == NULL)
		return SP_ENOMEM;
	s->signer = (struct tls_signer){signer, SIGNER_TIMEOUT_MS, SP_OK};
	err = fill(s, cert_pem_chain);
	ERR_clear_error();
	if (err != SP_OK) {
		tls_server_free(s);
		return err;
	}
	*ret = s;
	return SP_OK;
}

int
tls_server_fresh(struct tls_server *s)
{
	uint8_t keys[80]; /* a name and two keys, which OpenSSL makes with the context */
	int err = crypto_random(keys, sizeof(keys));

	if (err == SP_OK && SSL_CTX_set_tlsext_ticket_keys(s->ctx, keys, sizeof(keys)) != 1)
		err = SP_ECRYPTO;
	mem_wipe(keys, sizeof(keys));
	return err;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	SSL_CTX_free(s->ctx);
	mem_free(s);
}

/* ---- waiting ---- */

static int64_t
deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : clock_mono_ms() + timeout_ms;
}

static int
left_until(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - clock_mono_ms();
	return left > 0 ? (int)left : 0;
}

/* is_no_tls - did the peer speak something else?  A client that does not like our certificate, or
 * has no algorithm in common with us, is no such peer. */
static bool
is_no_tls(unsigned long e)
{
	switch (ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0) {
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_UNKNOWN_PROTOCOL:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_WRONG_SSL_VERSION:
		return true;
	default:
		return false;
	}
}

/* failure - what a fatal return of OpenSSL means here. */
static int
failure(struct tls *t, int ssl_error)
{
	unsigned long e = ERR_peek_error();
	bool cut = ERR_GET_LIB(e) == ERR_LIB_SSL &&
		   ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING;

	t->dead = true;
	ERR_clear_error();
	if (ssl_error == SSL_ERROR_SYSCALL || cut)
		return SP_ECLOSED;
	return is_no_tls(e) ? SP_EPROTOCOL : SP_ESYNTAX;
}

/* retry - after an operation that did not succeed: wait until it is worth trying again.
 *   returns  1: try again; 0: the peer ended in order; else an error */
static int
retry(struct tls *t, int rc, int64_t deadline)
{
	int e = SSL_get_error(t->ssl, rc), err;

	if (e == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		return failure(t, e);
	err = sock_wait(t->fd, e == SSL_ERROR_WANT_WRITE, left_until(deadline));
	return err == SP_OK ? 1 : err;
}

/* ---- one connection ---- */

static int
handshake(struct tls_server *s, struct tls *t, int64_t deadline)
{
	int rc, err;

	s->signer.err = SP_OK;
	for (;;) {
		ERR_clear_error();
		rc = SSL_accept(t->ssl);
		if (rc == 1)
			return SP_OK;
		err = retry(t, rc, deadline);
		if (err != 1)
			break;
	}
	if (s->signer.err != SP_OK)
		return SP_EUNAVAIL;
	return err == 0 ? SP_ECLOSED : err;
}

int
tls_accept(struct tls_server *s, int fd, int timeout_ms, struct tls **ret)
{
	int64_t deadline = deadline_of(timeout_ms);
	struct tls *t = mem_alloc(sizeof(*t));
	int err;

	if (t == NULL)
		return SP_ENOMEM;
	t->fd = fd;
	t->ssl = SSL_new(s->ctx);
	err = t->ssl != NULL && SSL_set_fd(t->ssl, fd) == 1 ? fd_nonblock(fd, true) : SP_ENOMEM;
	if (err == SP_OK)
		err = handshake(s, t, deadline);
	if (err != SP_OK) {
		tls_free(t);
		return err;
	}
	*ret = t;
	return SP_OK;
}

int64_t
tls_read(struct tls *t, void *buf, size_t n, int timeout_ms)
{
	int64_t deadline = INT64_MIN; /* not asked for yet: most reads find something */
	size_t got = 0;

	if (t->dead)
		return SP_ECLOSED;
	for (;;) {
		int rc, err;

		ERR_clear_error();
		rc = SSL_read_ex(t->ssl, buf, n, &got);
		if (rc == 1)
			return (int64_t)got;
		if (deadline == INT64_MIN)
			deadline = deadline_of(timeout_ms);
		err = retry(t, rc, deadline);
		if (err != 1)
			return err;
	}
}

bool
tls_pending(const struct tls *t)
{
	return SSL_pending(t->ssl) > 0;
}

int
tls_write_all(struct tls *t, const void *buf, size_t n, int timeout_ms)
{
	size_t put;

	if (t->dead)
		return SP_ECLOSED;
	while (n != 0) {
		int rc, err;

		ERR_clear_error();
		rc = SSL_write_ex(t->ssl, buf, n, &put);
		if (rc == 1)
			return SP_OK;
		err = retry(t, rc, deadline_of(timeout_ms));
		if (err != 1)
			return err == 0 ? SP_ECLOSED : err;
	}
	return SP_OK;
}

void
tls_rest(struct tls *t)
{
	(void)SSL_free_buffers(t->ssl); /* refused while something is in them */
}

int
tls_wait(struct tls *t, int timeout_ms)
{
	int64_t deadline = deadline_of(timeout_ms);
	uint8_t first;
	size_t got;

	if (t->dead)
		return SP_ECLOSED;
	for (;;) {
		int rc, err;

		tls_rest(t);
		err = tls_pending(t) ? SP_OK : sock_wait(t->fd, false, left_until(deadline));
		if (err != SP_OK)
			return err;
		ERR_clear_error();
		rc = SSL_peek_ex(t->ssl, &first, 1, &got);
		if (rc == 1)
			return SP_OK;
		err = retry(t, rc, deadline);
		if (err != 1)
			return err == 0 ? SP_ECLOSED : err;
	}
}

int
tls_shutdown(struct tls *t, int timeout_ms)
{
	int64_t deadline = deadline_of(timeout_ms);

	if (t->dead)
		return SP_ECLOSED;
	for (;;) {
		int rc, err;

		ERR_clear_error();
		rc = SSL_shutdown(t->ssl);
		if (rc >= 0) /* 0: sent, the peer's has not come */
			return SP_OK;
		err = retry(t, rc, deadline);
		if (err != 1)
			return err == 0 ? SP_OK : err;
	}
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	mem_free(t);
}

const char *
tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *
tls_alpn(const struct tls *t)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(t->ssl, &name, &len);
	return len != 0 ? "http/1.1" : ""; /* the only one that is ever selected */
}

int
tls_descriptor(const struct tls *t)
{
	return t->fd;
}
