/* peer_played.h - an SSH client for tests, that does what it is told and nothing by itself.
 *
 * Whatever is missing for PEER_PATIENCE_MS fails the test: a server that waits while it should not
 * is found out.  It never blocks for the server's sake: what comes while it sends is kept.
 */
#ifndef SP_GATE_SFTP_PEER_PLAYED_H
#define SP_GATE_SFTP_PEER_PLAYED_H

#include "crypto/ssh_kex.h"
#include "crypto/ssh_test.h"
#include "base/wire.h"
#include "crypto/ssh_cipher.h"
#include "proto/ssh/ssh.h"

#define PEER_PATIENCE_MS 8000
#define PEER_IN_BYTES (8u << 20)
#define PEER_OUT_BYTES (1u << 19)
#define PEER_VERSION "SSH-2.0-Peer"

/* What its KEXINIT offers; NULL: what is in the comment. */
struct peer_offer {
	const char *kex;    /* curve25519-sha256,kex-strict-c-v00@openssh.com,ext-info-c */
	const char *host;   /* ssh-ed25519 */
	const char *cipher; /* aes256-gcm@openssh.com */
	const char *mac;    /* hmac-sha2-256-etm@openssh.com */
	const char *zip;    /* none */
	bool first_follows;
};

struct peer {
	int fd;		   /* owned */
	uint8_t *in, *out; /* owned */
	size_t at, have;
	struct ssh_cipher *rx, *tx; /* owned */
	uint32_t rx_seq, tx_seq;
	bool strict, closed, is_keyed;
	struct peer_offer offer;
	uint8_t session[SSH_HASH_MAX];
	uint8_t i_c[4096], i_s[4096];
	size_t i_c_len, i_s_len;
	char v_s[256];
	uint8_t buf[1 << 18]; /* a payload that is being written */
	uint64_t granted;     /* by the server: window that is left */
	uint32_t packet_max;
	unsigned adjusts, keepalives; /* that came */
	uint64_t adjusted;
};

struct peer *peer_new(int fd);
void peer_free(struct peer *p);

/* peer_writer - a payload in the making.  peer_send - it as a packet.  peer_bytes - bytes as they
 * are. */
struct wr peer_writer(struct peer *p);
void peer_send(struct peer *p, const struct wr *w);
void peer_bytes(struct peer *p, struct span s);
/* peer_number - a message that is only its number. */
void peer_number(struct peer *p, uint8_t number);
/* peer_recv - the next packet's payload, until the next call; false: the server closed. */
bool peer_recv(struct peer *p, struct span *ret);
/* peer_pending - is there anything to receive within ms? */
bool peer_pending(struct peer *p, int ms);
/* peer_expect - the next packet, which has this number; windows, IGNORE and our own keepalives are
 * noted and skipped. */
struct span peer_expect(struct peer *p, uint8_t number);
/* peer_dies - the server ends the connection with this reason and nothing before it; 0: without a
 * word. */
void peer_dies(struct peer *p, unsigned reason);

/* peer_versions - both version lines.  peer_kexinit - ours leaves.  peer_exchange - from the
 * server's KEXINIT (which is taken unless it was, into i_s) to the new keys. */
void peer_versions(struct peer *p);
void peer_kexinit(struct peer *p);
void peer_take_kexinit(struct peer *p, struct span payload);
void peer_exchange(struct peer *p);
/* peer_first - all of that.  peer_login - and password "secret" of alice.  peer_session - and a
 * channel with the sftp subsystem. */
void peer_first(struct peer *p);
void peer_service(struct peer *p);
void peer_login(struct peer *p);
void peer_open(struct peer *p, uint32_t window, uint32_t packet_max);
void peer_subsystem(struct peer *p, const char *name);
void peer_session(struct peer *p, uint32_t window, uint32_t packet_max);

/* peer_request - a channel request with one string (NULL: none). */
void peer_request(struct peer *p, const char *type, const char *text, bool want_reply);
void peer_password(struct peer *p, const char *user, const char *password);
void peer_data(struct peer *p, struct span s);
void peer_adjust(struct peer *p, uint32_t n);
void peer_channel(struct peer *p, enum ssh_msg number);
/* peer_take - n bytes of channel data into out. */
void peer_take(struct peer *p, uint8_t *out, size_t n);
/* peer_ended - exit status, end and close of the channel come; its data is dropped; we close too.
 */
unsigned peer_ended(struct peer *p);
#endif
