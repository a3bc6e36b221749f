/* ring.h - shared by the workers of all doors: what a worker asks of the broker, as plain blocking
 * calls, and the keys that the vault sends.
 *
 * One request is outstanding at a time.  A call returns SP_OK or the error that the broker
 * answered; what it said is in ring.fault.  SP_EUNAVAIL with ring.dead set: a room is gone or broke
 * the protocol: the connection cannot go on.
 *
 * Spans in a reply point into ring.buf and live until the next call.
 *
 * A key that ring_open_begin has left under way is part of its request: the next call takes it up
 * first.
 */
#ifndef SP_GATE_RING_H
#define SP_GATE_RING_H

#include "base/text.h"
#include "crypto/crypto.h"
#include "ipc/chan.h"

#define RING_TIMEOUT_MS 120000 /* a room that does not answer for this long is gone */

struct fault {
	uint32_t retry_after; /* seconds, 0: not said */
	char detail[1025];    /* empty: nothing to say beyond the error's own sentence */
};

struct ring {
	struct chan broker, vault;
	uint8_t *buf; /* IPC_MAX bytes, owned */
	struct fault fault;
	bool dead;
	/* a key that is under way: taken up, and its file opened, before anything else is asked;
	 * NULL: none */
	void (*owed)(void *arg);
	void *owed_arg;
};

/* ring_init - take over the two sockets of worker `self`.  errors SP_ENOMEM.  ring_done - close and
 * free. */
int ring_init(struct ring *r, enum room self, int broker_fd, int vault_fd) MUST_USE;
void ring_done(struct ring *r);

/* A whole entry by the name that all messages share. */
void ring_rec_of_entry(const struct ipc_entry *e, struct ipc_entry_rec *ret);

/* ring_<message> - send it, wait for its one reply.  Secrets in the reply live in ring.buf:
 * ring_wipe. */
#define RING_CALLS(X)                                                                              \
	X(login_password, session, SESSION)                                                        \
	X(login_token, principal, PRINCIPAL)                                                       \
	X(login_pass, principal, PRINCIPAL)                                                        \
	X(nonce_get, nonce, NONCE)                                                                 \
	X(session_next, session_row, SESSION_ROW)                                                  \
	X(session_end, done, DONE)                                                                 \
	X(password_set, done, DONE)                                                                \
	X(pass_get, pass, PASS)                                                                    \
	X(ticket_get, ticket, TICKET)                                                              \
	X(login_ticket, session, SESSION)                                                          \
	X(token_refresh, session, SESSION)                                                         \
	X(token_revoke, done, DONE)                                                                \
	X(self, user, USER)                                                                        \
	X(org_get, org, ORG)                                                                       \
	X(stat, entry, ENTRY)                                                                      \
	X(list, entries, ENTRIES)                                                                  \
	X(versions, entries, ENTRIES)                                                              \
	X(folder_make, entry, ENTRY)                                                               \
	X(remove, done, DONE)                                                                      \
	X(damaged, done, DONE)                                                                     \
	X(commit, entry, ENTRY)                                                                    \
	X(abort, done, DONE)                                                                       \
	X(report, report_text, REPORT_TEXT)                                                        \
	X(login_key, ssh_auth, SSH_AUTH)                                                           \
	X(login_secret, ssh_auth, SSH_AUTH)                                                        \
	X(rename, entry, ENTRY)                                                                    \
	X(touch, done, DONE)                                                                       \
	X(space, space_left, SPACE_LEFT)                                                           \
	X(upload_drop, done, DONE)                                                                 \
	X(progress, done, DONE)                                                                    \
	X(limit_hit, done, DONE)                                                                   \
	X(contact, done, DONE)
#define X(call, reply, REPLY)                                                                      \
	int ring_##call(struct ring *r, const struct ipc_##call *m, struct ipc_##reply *ret)       \
	    MUST_USE;
RING_CALLS(X)
#undef X

/* ring_wipe - forget the last reply. */
void ring_wipe(struct ring *r);

/* A file opened for reading: an extent of it, and the key of the extent's blob. */
struct opened {
	int fd;		     /* of the sealed blob; -1: `content` is all of it */
	struct span content; /* ciphertext of a small file, in ring.buf */
	uint64_t start, length;
	uint64_t blob_offset, blob_length;
	uint32_t segment;
	uint8_t blob[16];
	uint8_t key[KEY_BYTES];
	struct ipc_entry_rec entry; /* spans in ring.buf */
};
/* ring_open - ask for a file and wait for descriptor and key.
 *   ret      opened_done closes and wipes; also after an error
 *   errors   what broker, ledger or vault refused; SP_EDAMAGED (lengths that contradict each other)
 */
int ring_open(struct ring *r, const struct ipc_open *m, struct opened *ret) MUST_USE;
void opened_done(struct opened *o);
/* ring_open_begin - the first half of ring_open: what the broker refuses, and what it knows of the
 * file.  The key comes later.
 *   owed, arg  called before the next request, or by ring_settle: must call ring_open_end, then the
 *              content is still in ring.buf; not called after an error
 * ring_open_end - the other half: wait for the key; the rest of ring_open's errors.
 * ring_settle - have owed called now, if there is a key under way. */
int ring_open_begin(struct ring *r, const struct ipc_open *m, struct opened *ret,
    void (*owed)(void *arg), void *arg) MUST_USE;
int ring_open_end(struct ring *r, struct opened *o) MUST_USE;
void ring_settle(struct ring *r);

/* A place to store a file, and a fresh key for it. */
struct placed {
	int fd; /* of the new blob, writable; -1: a small file, its ciphertext goes with COMMIT */
	uint64_t upload, limit;
	uint32_t segment;
	uint8_t blob[16];
	uint8_t key[KEY_BYTES];
};
/* ring_put - as ring_open, for storing; limit is the least of what broker and vault allow. */
int ring_put(struct ring *r, const struct ipc_put *m, struct placed *ret) MUST_USE;
void placed_done(struct placed *p);
/* ring_resume - as ring_put, for going on with an unfinished upload of the caller's own.
 *   ret        its fd is open for reading and writing
 *   ret_acked  bytes that are on record as durable (blob_writer_resume) */
int ring_resume(
    struct ring *r, const struct ipc_resume *m, struct placed *ret, uint64_t *ret_acked) MUST_USE;
#endif
