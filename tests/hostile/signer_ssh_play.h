/* signer_ssh_play.h - the real signer on a stage, and what an honest worker of the SFTP door asks
 * of it. */
#ifndef SP_TESTS_HOSTILE_SIGNER_SSH_PLAY_H
#define SP_TESTS_HOSTILE_SIGNER_SSH_PLAY_H

#include "crypto/ssh_kex.h"
#include "crypto/ssh_key.h"
#include "stage.h"

#define PEM_MAX 8192u
#define CLIENT "SSH-2.0-OpenSSH_9.2p1 Debian-2"
#define KEXINIT 100 /* bytes of ours: more than the least */

#define HOST_KEY(WHAT, TYPE, path, sshfp) +1
enum {
	HOSTS = 0
#include "ipc/hostkeys.def"
};
#undef HOST_KEY

/* Made once: RSA takes its time. */
struct host {
	unsigned type;
	enum ipc_file_what what;
	uint8_t pem[PEM_MAX];
	size_t len;
	struct ssh_host_key_pair *key;
};
extern struct host hosts[HOSTS];

struct play {
	struct stage s;
	struct chan broker;
	uint64_t serial;
};

struct input {
	struct ipc_ssh_kex m;
	uint8_t i_c[KEXINIT], i_s[KEXINIT], q_c[SSH_Q_MAX + 1], q_s[SSH_Q_MAX + 1],
	    k[SSH_K_MAX + 1];
};

/* make_hosts, free_hosts - of the group; setup, setup_fips, teardown - of a test: a signer with all
 * keys. */
int make_hosts(void **state);
int free_hosts(void **state);
int setup(void **state);
int setup_fips(void **state);
int teardown(void **state);
/* tls_key - an ECDSA key is one for TLS, too. */
struct span tls_key(void);

/* input_make - what an honest worker asks: the one that came last.  worker - a new one, whose
 * number is p->serial, and which has asked for the host keys.  ask - send it. */
void input_make(struct input *in, unsigned method, unsigned host_key);
struct chan worker(struct play *p);
void ask(struct chan *c, const struct input *in);
/* answered, answered_by - the hash is that of the input with the host key, and the signature
 * verifies. */
void answered(struct play *p, struct chan *c, const struct input *in);
void answered_by(
    struct play *p, struct chan *c, const struct input *in, const struct ssh_host_key_pair *key);
/* vouched - the broker has been told already: nothing is waited for. */
void vouched(struct play *p, const struct input *in, uint64_t serial);
/* first - the first exchange of a new worker, as it should be. */
struct chan first(struct play *p, struct input *in, unsigned method, unsigned host_key);
void logged_in(struct play *p, uint64_t serial);
/* cut - recorded, cut off, not answered, and the broker was told nothing. */
void cut(struct play *p, struct chan *c, uint64_t serial);
/* works - everything still works for a worker that keeps to the rules. */
void works(struct play *p);
unsigned types_of(struct play *p, struct chan *c);
#endif
