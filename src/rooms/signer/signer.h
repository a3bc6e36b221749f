/* signer.h - the state of the room that holds the host keys of all doors.
 *
 * Each worker has a seat, which knows its door and what it may still ask: a worker of HTTPS one TLS
 * signature in its life; one of SFTP one exchange hash, and after its login more at a bounded rate.
 */
#ifndef SP_SIGNER_H
#define SP_SIGNER_H

#include "base/mem.h"
#include "crypto/sign.h"
#include "crypto/ssh_kex.h"
#include "crypto/ssh_key.h"
#include "ipc/room.h"
#include "sys/loop.h"

#define SEATS_MAX 49152u

struct signer;

/* A TLS key and who still signs with it: a worker that has the old certificate signs with the old
 * key. */
struct held_key {
	struct sign_key *key;
	size_t users; /* the signer itself, for new workers, and each that has not signed yet */
};

#define HOST_KEY(WHAT, TYPE, path, sshfp) +1
enum {
	HOST_KEYS_MAX = 0
#include "ipc/hostkeys.def"
};
#undef HOST_KEY
/* Host keys of the SFTP door, and who still signs with them: a connection keeps its host key when
 * it exchanges keys anew. */
struct held_hosts {
	struct ssh_host_key_pair *key[HOST_KEYS_MAX]; /* owned; NULL: there is none */
	unsigned types; /* set of enum ssh_host_key: what all of them can do and may be used */
	size_t users;	/* the signer itself, for new workers, and each worker of SFTP */
};

/* What a worker of SFTP has asked. */
struct ssh_seat {
	bool begun; /* its first exchange hash was asked for: there is no second first */
	bool has_cookie;
	uint8_t cookie[16]; /* that its first KEXINIT has: what makes its session identifier its own
			     */
	bool logged_in;	    /* the broker said so */
	int64_t tokens_ms,
	    seen_ms; /* of the bucket for later hashes: time saved up, when last looked at */
	uint8_t v_c_len;
	char v_c[255]; /* the client's version line, the same for good */
};

/* One worker. */
struct seat {
	struct signer *signer; /* back to the room */
	enum room room;
	uint64_t serial;
	struct chan chan;
	struct loop_watch *watch;
	struct held_key
	    *held; /* HTTPS: the key of its certificate; NULL: its one signature was made */
	struct held_hosts *hosts; /* SFTP */
	struct ssh_seat ssh;	  /* SFTP */
	struct seat *next;
};

struct signer {
	struct room_start room;
	struct loop *loop;
	struct held_key *held;	  /* for workers from now on */
	struct held_hosts *hosts; /* for workers from now on */
	int next_key; /* descriptor of a TLS key that the next RELOAD takes up; -1: none */
	int next_host[HOST_KEYS_MAX]; /* the same of host keys, which are taken up with it */
	struct chan broker;	      /* fd -1: gone */
	struct loop_watch *broker_watch;
	struct seat *bucket[1024];
	size_t n_seats;
	uint8_t *buf, *requests; /* IPC_MAX bytes each: of rooms, of workers */
	bool started, stopping;
};

/* ---- keys.c ---- */

struct held_key *held_take(struct held_key *h);
void held_drop(struct held_key **held);
struct held_hosts *hosts_take(struct held_hosts *h);
void hosts_drop(struct held_hosts **hosts);
/* keys_start - the keys that came before GO: dies with one sentence. */
void keys_start(struct signer *s);
/* keys_next - FILE: a key for the next RELOAD.  keys_reload - take up all that came since the last
 * one; the old ones stay for those that have them, and for everybody when the new ones are no good.
 */
int keys_next(struct signer *s, struct chan_msg *m) MUST_USE;
void keys_reload(struct signer *s);
void keys_done(struct signer *s);
/* hosts_key - the key for one type; NULL: there is none. */
const struct ssh_host_key_pair *hosts_key(const struct held_hosts *h, unsigned type);
/* hosts_names - "ssh-ed25519, rsa-sha2-512"; for people. */
void hosts_names(const struct held_hosts *h, char *buf, size_t cap);

/* ---- seats.c ---- */

struct seat *seat_find(struct signer *s, uint64_t serial);
/* seat_add - fd is the table's from success on.  errors SP_EEXISTS, SP_EFULL, SP_ENOMEM */
int seat_add(struct signer *s, uint64_t serial, enum room room, int fd) MUST_USE;
void seat_remove(struct signer *s, uint64_t serial);
void seat_close(struct seat *t);
/* seats_watch - listen to those that came before GO, which get the keys of now. */
int seats_watch(struct signer *s) MUST_USE;
void seats_done(struct signer *s);
/* seat_answered - look at the result of an answer: what cannot be delivered ends the worker. */
void seat_answered(struct seat *t, uint16_t id, int err);

/* ---- what workers ask; an error is a violation.  tls.c, ssh.c ---- */

int tls_request(struct seat *t, const struct chan_msg *in) MUST_USE;
int ssh_request(struct seat *t, const struct chan_msg *in) MUST_USE;

/* ---- broker.c ---- */

/* broker_link - a (new) socket to the broker; fd is owned from now on. */
int broker_link(struct signer *s, int fd) MUST_USE;
/* broker_hear - take all that the broker has said. */
void broker_hear(struct signer *s);
/* broker_vouch - this is the session identifier of that worker.  errors SP_EUNAVAIL: it was not
 * told */
int broker_vouch(struct signer *s, uint64_t serial, struct span session) MUST_USE;
void broker_lost(struct signer *s);
#endif
