/* ring_ssh_stage.h - for tests of SSH logins: clients' keys and certificates, a signer that
 * vouches, and one call for each message. */
#ifndef SP_BROKER_RING_SSH_STAGE_H
#define SP_BROKER_RING_SSH_STAGE_H

#include "crypto/ssh_key.h"
#include "rooms/broker/ring_stage.h"

#define FAR "10.9.9.9:4444"
#define AGENT "SSH-2.0-OpenSSH_9.2"
/* SAYS - the last entry that was recorded holds this text. */
#define SAYS(s, text) assert_non_null(strstr((s)->said, text))

struct cert {
	uint8_t b[2048];
	size_t len;
};

struct reply {
	enum ssh_auth_state state;
	bool code;
	char methods[256];
};

struct sign {
	const char *user;
	const struct ssh_host_key_pair *key;
	struct span offered;	 /* empty: the key's own blob */
	const char *algorithm;	 /* NULL: ssh-ed25519 */
	const uint8_t *session;	 /* NULL: the worker's */
	const char *signed_user; /* NULL: the user */
};

struct ssh_host_key_pair *key_new(void);
void key_register(struct stage *s, int64_t user, const struct ssh_host_key_pair *k);
void cert_make(struct cert *c, const struct ssh_host_key_pair *k,
    const struct ssh_host_key_pair *ca, uint32_t type, const char *principal, int64_t before_s,
    const char *from);
void ca_register(struct stage *s, const struct ssh_host_key_pair *ca);
void session_of(uint64_t serial, uint8_t session[32]);
void vouch(struct stage *s, const struct worker_end *w);
struct worker_end *connect_from(struct stage *s, uint8_t listener, const char *address);
struct worker_end *connect_ssh(struct stage *s);
int state_of(struct worker_end *w, uint16_t id, struct reply *ret);
size_t signature(struct worker_end *w, const struct sign *g, uint8_t *sig, size_t cap);
int by_key(struct worker_end *w, const struct sign *g, bool query, struct reply *ret);
int by_secret(struct worker_end *w, const char *user, enum ssh_secret kind, const char *secret,
    struct reply *ret);
void methods_set(struct stage *s, const char *methods);
unsigned sessions(struct stage *s);
unsigned logged_in(struct stage *s);
void enrol(struct stage *s);
#endif
