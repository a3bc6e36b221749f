/* admin_otp.c - user otp add: an authenticator makes a seed under a fresh key of the vault's, it is
 * stored like any small blob, and its user gets it once. */
#include "base/name.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/otp.h"
#include "rooms/broker/trial.h"

struct making {
	struct op op;
	struct admin_op *admin; /* answered at the end, by us alone */
	struct otp otp;
	char seed[65];		    /* base32 */
	uint64_t entry;		    /* of the record */
	char rows[ROWS_DETAIL_MAX]; /* as they are on record */
};

static void
give_up(struct broker *b, struct making *m, int err)
{
	struct admin_op *admin = m->admin;

	ledger_undone(b, &admin->op, m->entry, sp_strerror(err));
	op_end(b, &m->op);
	admin_refuse(b, admin, err);
}

/* a part of an otpauth address, percent-encoded */
static void
put_part(struct text *t, const char *s)
{
	for (; *s != '\0'; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			     (*s >= '0' && *s <= '9') || strchr("-._~", *s) != NULL;

		if (plain)
			text_chr(t, *s);
		else
			text_fmt(t, "%%%02X", (unsigned)(uint8_t)*s);
	}
}

/* what authenticator apps read from a picture:
 * https://github.com/google/google-authenticator/wiki/Key-Uri-Format */
static json_t *
result(const struct broker *b, const struct making *m)
{
	char uri[1024];
	struct text t = text_of(uri, sizeof(uri));
	json_t *o;

	text_str(&t, "otpauth://totp/");
	put_part(&t, b->start.conf.name);
	text_chr(&t, ':');
	put_part(&t, m->otp.user_name);
	text_str(&t, "?secret=");
	text_str(&t, m->seed);
	text_str(&t, "&issuer=");
	put_part(&t, b->start.conf.name);
	text_str(&t, "&algorithm=SHA1&digits=6&period=30");
	o = json_pack("{s:s, s:s, s:s}", "name", m->otp.user_name, "secret", m->seed, "uri", uri);
	mem_wipe(uri, sizeof(uri));
	return o;
}

static void
stored(struct broker *b, struct op *op, const struct answer *a)
{
	struct making *m = (struct making *)op;
	struct admin_op *admin = m->admin;
	json_t *o = a->err == SP_OK ? result(b, m) : NULL;

	if (o == NULL) {
		give_up(b, m, a->err != SP_OK ? a->err : SP_ENOMEM);
		return;
	}
	op_end(b, op);
	admin_answer(b, admin, o);
	json_decref(o);
}

static int
add(struct broker *b, void *arg)
{
	struct making *m = arg;
	int64_t home;
	/* removed while the seed was made? */
	int rc = sql_get(b->db, SQL_USER_QUOTA, &home, SI(m->otp.user));

	return rc == 0 ? SP_ENOUSER : rc < 0 ? rc : otp_add(b->db, &m->otp, b->wall_us());
}

static void
recorded(struct broker *b, struct op *op, const struct answer *a)
{
	struct making *m = (struct making *)op;
	int err = a->err;

	m->entry = a->entry;
	if (err == SP_OK && (err = db_mark(b->db)) == SP_OK) {
		if ((err = add(b, m)) == SP_OK)
			err = trial_done(b, &m->admin->op, m->entry, m->rows);
		if (err == SP_OK)
			err = db_keep(b->db);
		else
			db_undo(b->db);
	}
	if (err == SP_OK)
		op_commit(b, op, stored);
	else
		give_up(b, m, err);
}

static void
made(struct broker *b, struct op *op, const struct answer *a)
{
	struct making *m = (struct making *)op;
	struct actor who = m->admin->op.actor;
	struct record r;
	int err = a->err;

	if (err == SP_OK &&
	    (a->made == NULL || a->made->content.len > sizeof(m->otp.content) ||
		a->made->seed.len >= sizeof(m->seed) || a->wrap.len != sizeof(m->otp.wrap)))
		err = SP_EDAMAGED;
	if (err != SP_OK) {
		give_up(b, m, err);
		return;
	}
	memcpy(m->otp.content, a->made->content.ptr, a->made->content.len);
	m->otp.content_len = a->made->content.len;
	memcpy(m->otp.wrap, a->wrap.ptr, a->wrap.len);
	memcpy(m->seed, a->made->seed.ptr, a->made->seed.len);
	memcpy(who.org_name, m->otp.org_name, sizeof(who.org_name));
	record_init(&r, EVENT_OTP_ADDED, &who, 0);
	record_text(&r, "name", span_str(m->otp.user_name));
	err = trial_run(b, add, m, m->rows, &r);
	if (err == SP_OK)
		err = ledger_record(b, op, &r, recorded);
	if (err != SP_OK)
		give_up(b, m, err);
}

static int
find_user(struct broker *b, struct admin_op *op, struct otp *o)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	int rc;

	if (a == NULL)
		return SP_ENOMEM;
	admin_call_of(b, op, a);
	rc = admin_begin(a);
	if (rc == SP_OK)
		rc = admin_user(a, admin_arg(a, "name"), &o->user, &o->org);
	if (rc == SP_OK && (rc = otp_has(b->db, o->user)) == 1)
		rc = admin_no(a, SP_EEXISTS,
		    "the user has one-time codes; to give new ones: sallyport user otp remove, "
		    "then add");
	memcpy(op->why, a->why, sizeof(op->why));
	admin_end(a);
	if (rc != SP_OK)
		return rc;
	DEFER(sql_end) struct sql q = sql_query(b->db, SQL_USER_ACTOR, SI(o->user));
	if ((rc = sql_step(&q)) != 1)
		return rc < 0 ? rc : SP_ENOUSER;
	(void)sql_i64(&q), (void)sql_i64(&q); /* the numbers, known */
	sql_text_of(&q, o->user_name, sizeof(o->user_name));
	(void)sql_i64(&q), (void)sql_i64(&q); /* level, status */
	sql_text_of(&q, o->org_name, sizeof(o->org_name));
	return SP_OK;
}

int
admin_otp_add(struct broker *b, struct admin_op *op)
{
	struct making *m = op_new(b, NULL, sizeof(*m));
	int rc = m != NULL ? find_user(b, op, &m->otp) : SP_ENOMEM;

	if (rc == SP_OK)
		rc = crypto_random(m->otp.blob, sizeof(m->otp.blob));
	if (rc == SP_OK) {
		m->admin = op;
		rc = auth_seed(b, &m->op, &m->otp, made);
	}
	if (rc != SP_OK && m != NULL)
		op_end(b, &m->op);
	return rc;
}
