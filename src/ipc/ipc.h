/* ipc.h - what rooms say to each other: types, codecs and permissions, expanded from protocol.def.
 *
 * Identity is the socket a message came from, phase is the receiver's memory, size is the row's
 * maximum: none of the three is ever a field.
 */
#ifndef SP_IPC_IPC_H
#define SP_IPC_IPC_H

#include "base/err.h"
#include "base/wire.h"
#include "base/defer.h"

/* ROOM_X is the index of a room, R_X its bit in a set of rooms. */
enum room {
#define ROOM(NAME, name, index, kind, text) ROOM_##NAME = (index),
#include "ipc/rooms.def"
#undef ROOM
	ROOM_COUNT
};
enum room_set {
#define ROOM(NAME, name, index, kind, text) R_##NAME = 1 << (index),
#include "ipc/rooms.def"
#undef ROOM
	R_EVERY = (1 << ROOM_COUNT) - 1,
	R_GATES = R_GATE_HTTPS | R_GATE_SFTP,
	R_WORKERS = R_WORKER_HTTPS | R_WORKER_SFTP,
};
/* ipc_door - the rooms that serve the same door as this one; 0: a room that is no door's.  Rooms of
 * two doors never share a socket, whatever the rows say.  ipc_gate - the gate of a door's room.
 * ipc_is_gate, ipc_is_worker - is it one that accepts, serves a connection? */
unsigned ipc_door(enum room room);
enum room ipc_gate(enum room room);
bool ipc_is_gate(enum room room);
bool ipc_is_worker(enum room room);
enum room_kind { ROOM_KIND_ROOT, ROOM_KIND_ONE, ROOM_KIND_POOL, ROOM_KIND_JOB, ROOM_KIND_OUT };
struct room_row {
	const char *name, *text;
	enum room_kind kind;
};
extern const struct room_row room_table[ROOM_COUNT];

/* What lockdown can close: LOCK_<DOOR> bits, and their table. */
enum ipc_lock {
#define LOCK(NAME, word, bit, GATE) LOCK_##NAME = (bit),
#include "ipc/doors.def"
#undef LOCK
#define LOCK(NAME, word, bit, GATE) +(bit)
	LOCK_ALL = 0
#include "ipc/doors.def"
#undef LOCK
};
enum ipc_lock_index {
#define LOCK(NAME, word, bit, GATE) LOCK_INDEX_##NAME,
#include "ipc/doors.def"
#undef LOCK
	IPC_LOCKS
};
struct ipc_lock_row {
	const char *word;
	uint8_t bit;
	enum room gate;
};
extern const struct ipc_lock_row ipc_locks[IPC_LOCKS];
/* LOCKDOWN.op */
enum lockdown_op { LOCKDOWN_LOCK, LOCKDOWN_LIFT, LOCKDOWN_SHOW };

enum phase { PH_FRESH = 1, PH_AUTHED = 2, PH_ANY = 3 };

/* what: of FILE. Folders are O_PATH or O_DIRECTORY descriptors; `name` is the absolute path where a
 * room needs it for its Landlock grant (database folder, blob folder, ledger folder). */
enum ipc_file_what {
	FILE_CONF = 1,	     /* sallyport.conf, sealed copy: every room */
	FILE_CERTIFICATE,    /* PEM chain: worker-https */
	FILE_TLS_KEY,	     /* PEM key: signer */
	FILE_ROOT_KEY,	     /* 32 bytes: vault; absent when locked */
	FILE_ROOT_RECOVERY,  /* the passphrase-wrapped copy: vault */
	FILE_VAULT_STATE,    /* organisation keys, read-write: vault */
	FILE_LEDGER_KEY,     /* Ed25519 seed: ledger */
	FILE_LEDGER_DIR,     /* ledger folder: ledger */
	FILE_DATABASE_DIR,   /* database folder: broker */
	FILE_BLOB_DIR,	     /* blob folder: broker */
	FILE_CONTROL_SOCKET, /* listening local socket for the command line: broker */
	FILE_SSH_ED25519,    /* PEM host keys of the SFTP door, those that there are: signer */
	FILE_SSH_ECDSA,
	FILE_SSH_RSA,
	FILE_LIMITS,	     /* limits.conf, sealed copy: vault; sent anew before RELOAD */
	FILE_VAULT_EGRESS,   /* what each principal was given, read-write: vault */
	FILE_DECOYS, /* the list of decoys (base/decoy.h), sealed copy: ledger; anew with every change
		      */
	FILE_SCANNER, /* ScannerFile, sealed copy; absent when there is none: worker-https, broker
		       */
	FILE_COURIER_DIR,	  /* courier folder: courier */
	FILE_ALARM_MAIL_PASSWORD, /* of AlarmMailPassword: courier */
	FILE_ALARM_WEBHOOK_KEY,	  /* of AlarmWebhookKey: courier */
	FILE_ALARM_CA,		  /* of AlarmCaFile, else empty: courier */
};
/* ALARMs of which the courier has not said that it took them, at most. */
#define ALARM_WINDOW 32u
enum ipc_by {
	BY_PATH = 0,
	BY_FOLDER = 1,
	BY_FILE = 2,
	BY_NAME = 3 /* name `path` in folder `id` */
};
/* Exchange methods and host keys of SSH_KEX. */
enum ssh_kex_method { SSH_KEX_CURVE25519 = 1, SSH_KEX_NISTP256 = 2, SSH_KEX_NISTP384 = 3 };
enum ssh_host_key {
	SSH_HOST_ED25519 = 1,
	SSH_HOST_ECDSA_P256 = 2,
	SSH_HOST_RSA_SHA256 = 4,
	SSH_HOST_RSA_SHA512 = 8
};
/* The server's version line, RFC 4253 section 4.2: it tells nobody what to attack. */
#define SSH_VERSION_STRING "SSH-2.0-Server"
/* How many exchange hashes after the first a worker may ask for: so many at once, then one in this
 * time.  More is a violation. */
#define SSH_REKEY_BURST 16
#define SSH_REKEY_EVERY_MS 250
/* SSH_AUTH.state */
enum ssh_auth_state {
	SSH_AUTH_KEY_OK,
	SSH_AUTH_PARTIAL,
	SSH_AUTH_DONE,
	SSH_AUTH_CODE,
	SSH_AUTH_REFUSED
};
/* LOGIN_SECRET.kind */
enum ssh_secret { SSH_SECRET_PASSWORD, SSH_SECRET_PROMPTED, SSH_SECRET_CODE };
/* CONTACT.kind, WORKER_BROKE.kind, and what the broker sees by itself. */
enum contact {
#define CONTACT(NAME, number, name, by, score, proof, text) CONTACT_##NAME = (number),
#include "ipc/contacts.def"
#undef CONTACT
};
/* How often a worker may accuse the address that it serves.  More is a violation. */
#define CONTACTS_MAX 16
/* ADDRESS.state */
enum address_state { ADDRESS_OK, ADDRESS_SLOW, ADDRESS_REFUSE };
/* REMOVE.kind */
enum ipc_remove_kind {
	REMOVE_FOLDER,
	REMOVE_FILE,
	REMOVE_ANY,
	REMOVE_EMPTY /* a folder that holds nothing */
};
enum ipc_sort { SORT_NAME, SORT_SIZE, SORT_TIME, SORT_TYPE, SORT_PATH };
/* The nine rights of a folder, in MOVEit's order. */
enum right {
	RIGHT_READ = 1,
	RIGHT_WRITE = 2,
	RIGHT_DELETE = 4,
	RIGHT_LIST = 8,
	RIGHT_NOTIFY = 16,
	RIGHT_SUBFOLDERS = 32,
	RIGHT_LIST_USERS = 64,
	RIGHT_SHARE = 128,
	RIGHT_ADMIN = 256,
	RIGHT_ALL = 511,
};

/* The C type of each field type. */
typedef uint8_t ipc_u8;
typedef uint16_t ipc_u16;
typedef uint32_t ipc_u32;
typedef uint64_t ipc_u64;
typedef struct span ipc_str;
typedef struct span ipc_blob;
typedef struct span ipc_secret;
typedef struct {
	uint8_t b[16];
} ipc_b16;
typedef struct {
	uint8_t b[32];
} ipc_b32;

/* IPC_SIZE_<type>(max) - most bytes of a field on the wire. */
#define IPC_SIZE_u8(max) 1u
#define IPC_SIZE_u16(max) 2u
#define IPC_SIZE_u32(max) 4u
#define IPC_SIZE_u64(max) 8u
#define IPC_SIZE_str(max) (4u + (max))
#define IPC_SIZE_blob(max) (4u + (max))
#define IPC_SIZE_secret(max) (4u + (max))
#define IPC_SIZE_b16(max) 16u
#define IPC_SIZE_b32(max) 32u

#define IPC_MSG(id, NAME, name, from, to, phase, fds) IPC_##NAME = (id),
enum ipc_id {
#include "ipc/protocol.def"
};
#undef IPC_MSG

/* struct ipc_<name>, its greatest encoding IPC_SIZE_<NAME>, and its codec.
 * ipc_get_<name> - decode a body (without the id).  Spans point into body; untouched on failure.
 *   errors  SP_ESHORT, SP_ERANGE (over the row's maximum; NUL in a str), SP_ETRAIL
 * ipc_put_<name> - encode; SP_ERANGE over a maximum, SP_ESPACE */
#define F(type, name, max) ipc_##type name;
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	struct ipc_##name {                                                                        \
		IPC_FIELDS_##name(F)                                                               \
	};                                                                                         \
	int ipc_get_##name(struct span body, struct ipc_##name *ret) MUST_USE;                     \
	int ipc_put_##name(struct wr *w, const struct ipc_##name *m) MUST_USE;
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F

#define F(type, name, max) +IPC_SIZE_##type(max)
#define IPC_MSG(id, NAME, name, from, to, phase, fds) IPC_SIZE_##NAME = 0 IPC_FIELDS_##name(F),
enum ipc_size {
#include "ipc/protocol.def"
};
#undef IPC_MSG
#undef F
/* Greatest whole message; ipc_test checks it against every row. */
#define IPC_MAX 81920u
#define IPC_MAX_FDS 1u

/* ipc_rec_get_entry_rec - take one record off a reader (rows inside ENTRIES). */
int ipc_take_entry_rec(struct rd *r, struct ipc_entry_rec *ret) MUST_USE;

struct ipc_rule {
	uint16_t id;
	uint16_t from, to; /* sets of rooms */
	uint8_t phase, fds;
	const char *name;
};
/* ipc_rule - the row of a message id; NULL when there is none. */
const struct ipc_rule *ipc_rule(uint16_t id);

/* ipc_check - may `from` send message id to `to` in this phase with that many descriptors?
 *   from    the identity of the socket it arrived on
 *   errors  SP_EUNKNOWNMSG, SP_EDENIEDMSG, SP_EFDS */
int ipc_check(uint16_t id, enum room from, enum room to, enum phase phase, unsigned fds) MUST_USE;

/* ipc_linked - is there any row between the two rooms (either way)?  No row, no socket. */
bool ipc_linked(enum room a, enum room b);

/* pairs of RECORD's detail: add one (wr), take one (rd; false at the end, r->bad when malformed).
 */
void ipc_pair_put(struct wr *w, const char *key, struct span value);
bool ipc_pair_take(struct rd *r, struct span *ret_key, struct span *ret_value);
#endif
