/* admin.h - the verbs of the command line on the database: arguments in, a JSON object and a record
 * out.
 *
 * Handlers know nothing of sockets, ledger or authenticator: control.c asks those before and after.
 */
#ifndef SP_BROKER_ADMIN_H
#define SP_BROKER_ADMIN_H

#include <jansson.h>

#include "base/conf.h"
#include "base/wire.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/rows.h"

#define ADMIN_PAGE_ROWS 200u
#define ADMIN_SCAN_ROWS 5000u /* rows looked at for one page of a filtered list */
#define ADMIN_PAGE_BYTES                                                                           \
	57344u /* of an answer's 61440: the rest is for the frame around the rows */

enum admin_kind { ADMIN_READ, ADMIN_WRITE, ADMIN_PASSWORD, ADMIN_LONG };

struct admin_call {
	/* in */
	struct db *db;
	const struct conf *conf;
	int64_t now_us;	 /* the same in both runs of a handler */
	json_t *args;	 /* borrowed */
	const char *phc; /* Argon2id string of the password; "" while none is needed yet */
	uint8_t random[32]; /* the same in both runs of a handler */
	/* out */
	json_t *result;	      /* owned by the call */
	uint16_t event;	      /* 0: nothing to record, nothing was written */
	char org[65];	      /* of the record */
	char path[4097];      /* of the record */
	struct wr detail;     /* pairs of the record */
	int64_t ends_user;    /* sessions of this user are ended with the change; 0: none */
	int64_t ends_session; /* this session is; 0: none */
	bool ends_all;	      /* every login is ended with the change */
	bool shreds;	      /* a wrapped key was overwritten: no old page is to keep it */
	char why[512];	      /* a sentence beyond the error's own, or "" */
	size_t page_bytes;    /* taken by rows so far */
	char rows[ROWS_DETAIL_MAX]; /* what is put on record of the rows that were changed */
	uint8_t detail_buf[8192];
};

typedef int (*admin_fn)(struct admin_call *a);

struct admin_conn;
/* struct admin_op - a verb at work.  conn is NULL when the caller has gone. */
struct admin_op {
	struct op op;
	const struct admin_row *row;
	struct admin_conn *conn;
	json_t *args;	/* owned */
	json_t *result; /* owned; what is answered after the commit */
	char phc[256];
	int64_t now_us;
	uint8_t random[32];
	uint64_t entry; /* of the record */
	int64_t number; /* of the row that the record names */
	char why[512]; /* of the answer, when it fails */
	char rows[ROWS_DETAIL_MAX]; /* as they are on record */
};
/* A LONG verb: goes on by itself and ends with admin_answer or admin_refuse.  An error that is
 * returned is answered by the caller. */
typedef int (*admin_long_fn)(struct broker *b, struct admin_op *op);

struct admin_row {
	const char *verb;
	admin_fn fn;	       /* NULL for LONG */
	admin_long_fn long_fn; /* NULL for all others */
	enum admin_kind kind;
	const char *args;
};

/* admin_find - the row of a verb; NULL when there is none. */
const struct admin_row *admin_find(struct span verb);

/* admin_check_args - an object with only the row's members, all strings, the required ones present.
 *   errors  SP_EUSAGE with `why` */
int admin_check_args(const struct admin_row *row, json_t *args, char *why, size_t cap) MUST_USE;

/* admin_begin, admin_end - around one run of a handler: empty result and record; free them. */
int admin_begin(struct admin_call *a) MUST_USE;
void admin_end(struct admin_call *a);

/* ---- for handlers ---- */

/* admin_arg - an argument; NULL when it was not given. */
const char *admin_arg(const struct admin_call *a, const char *name);
/* admin_no - an error with a sentence of its own. */
int admin_no(struct admin_call *a, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* admin_org - the organisation of --org, or the first one, which init made.  errors SP_ENOORG */
int admin_org(struct admin_call *a, int64_t *ret_org) MUST_USE;
/* admin_user - user number and organisation of a name (within --org when that is given). errors
 * SP_ENOUSER */
int admin_user(
    struct admin_call *a, const char *name, int64_t *ret_user, int64_t *ret_org) MUST_USE;
/* admin_size - "10G", "512M", "1000" as bytes, "0" or "none" as 0. errors SP_EUSAGE */
int admin_size(struct admin_call *a, const char *text, int64_t *ret) MUST_USE;
/* admin_rights - "read,write" or "all" as bits. errors SP_EUSAGE.   admin_rights_text - the other
 * way. */
int admin_rights(struct admin_call *a, const char *text, int64_t *ret) MUST_USE;
void admin_rights_text(int64_t rights, char *buf, size_t cap);
/* admin_after - the "after" argument as a number; 0 when it was not given. errors SP_EUSAGE */
int admin_after(struct admin_call *a, int64_t *ret) MUST_USE;

/* admin_folder_find - the folder of a path; its normalised path into a->path.  errors SP_ENAME,
 * SP_ENOTFOUND, as why says */
int admin_folder_find(
    struct admin_call *a, const char *path, int64_t *ret_org, int64_t *ret_folder) MUST_USE;
/* admin_row_add - append row (taken over) to the page: 1 when it fits and 0 when the page is full,
 * then `next` is what the caller gives as "after"; SP_ENOMEM. */
int admin_row_add(struct admin_call *a, json_t *row) MUST_USE;
int admin_next(struct admin_call *a, json_t *next) MUST_USE;
/* admin_set - a member of the result (v is taken over). errors SP_ENOMEM */
int admin_set(struct admin_call *a, const char *key, json_t *v) MUST_USE;

/* json makers: text from a column, a time as RFC 3339 or null when 0, a limit as number or null
 * when 0. */
json_t *admin_text(struct span s);
json_t *admin_time(int64_t us);
json_t *admin_limit(int64_t v);

/* admin_record - what the ledger is to hold.  admin_detail - one pair more. */
int admin_record(struct admin_call *a, uint16_t event, int64_t org) MUST_USE;
void admin_detail(struct admin_call *a, const char *key, struct span value);

/* ---- of the verbs about users, in admin_ssh.c ---- */

/* admin_user_factors - into the result: how the user logs in over SSH, and the second factor.
 * admin_user_methods - take up --auth-methods, when it is given.  errors SP_EUSAGE */
int admin_user_factors(struct admin_call *a, int64_t user) MUST_USE;
int admin_user_methods(struct admin_call *a, int64_t user) MUST_USE;

/* ---- for LONG verbs (control.c) ---- */

/* admin_call_of - a call on op's arguments, for the helpers above; admin_begin it. */
void admin_call_of(struct broker *b, struct admin_op *op, struct admin_call *a);
/* admin_answer - the result (borrowed; NULL: {}) to the caller; ends op. */
void admin_answer(struct broker *b, struct admin_op *op, json_t *result);
/* admin_refuse - an error, with a->why or op->why when there is one; ends op. */
void admin_refuse(struct broker *b, struct admin_op *op, int err);

#define ADMIN_HANDLER_READ(fn) int fn(struct admin_call *a);
#define ADMIN_HANDLER_WRITE(fn) int fn(struct admin_call *a);
#define ADMIN_HANDLER_PASSWORD(fn) int fn(struct admin_call *a);
#define ADMIN_HANDLER_LONG(fn) int fn(struct broker *b, struct admin_op *op);
#define ADMIN(verb, fn, kind, args) ADMIN_HANDLER_##kind(fn)
#include "rooms/broker/admin.def"
#undef ADMIN
#endif
