/* otp.c - see otp.h. */
#include "rooms/broker/otp.h"

#include "crypto/wrap.h"

int
otp_get(struct db *db, int64_t user, struct otp *ret)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_OTP_GET, SI(user));
	struct span blob, wrap, content;
	int64_t org;
	int err = sql_step(&q);

	if (err != 1)
		return err;
	blob = sql_blob(&q);
	org = sql_i64(&q);
	wrap = sql_blob(&q);
	content = sql_blob(&q);
	if (blob.len != sizeof(ret->blob) || wrap.len != sizeof(ret->wrap) ||
	    content.len > sizeof(ret->content))
		return SP_EDAMAGED;
	ret->user = user;
	ret->org = org;
	ret->last_step = sql_i64(&q);
	memcpy(ret->blob, blob.ptr, blob.len);
	memcpy(ret->wrap, wrap.ptr, wrap.len);
	memcpy(ret->content, content.ptr, content.len);
	ret->content_len = content.len;
	return 1;
}

int
otp_has(struct db *db, int64_t user)
{
	DEFER(sql_end) struct sql q = sql_query(db, SQL_OTP_BLOB, SI(user));

	return sql_step(&q);
}

int
otp_burn(struct db *db, int64_t user, int64_t step)
{
	int err = sql_run(db, SQL_OTP_STEP, SI(user), SI(step));

	return err != SP_OK ? err : db_changes(db) == 1 ? SP_OK : SP_EAUTH;
}

int
otp_add(struct db *db, const struct otp *o, int64_t now_us)
{
	struct span blob = span_of(o->blob, sizeof(o->blob));
	struct span wrap = span_of(o->wrap, sizeof(o->wrap));
	struct wrap_info info;
	int err = otp_has(db, o->user);

	if (err != 0)
		return err == 1 ? SP_EEXISTS : err;
	if (wrap_peek(wrap, &info) != SP_OK || info.length != OTP_SEED_BYTES)
		return SP_EDAMAGED;
	if ((err = sql_run(db, SQL_BLOB_ADD, SB(blob), SI(o->org), SI(info.epoch), SB(wrap),
		 SI(OTP_SEED_BYTES), SI(/* segment= */ 0))) != SP_OK ||
	    (err = sql_run(
		 db, SQL_CONTENT_ADD, SB(blob), SB(span_of(o->content, o->content_len)))) != SP_OK)
		return err;
	return sql_run(db, SQL_OTP_ADD, SI(o->user), SB(blob), SI(now_us));
}

int
otp_remove(struct db *db, int64_t user)
{
	uint8_t id[16];
	struct span blob = span_of(id, sizeof(id));
	int err;
	{
		DEFER(sql_end) struct sql q = sql_query(db, SQL_OTP_BLOB, SI(user));
		struct span b;

		if ((err = sql_step(&q)) != 1)
			return err;
		b = sql_blob(&q);
		if (b.len != sizeof(id))
			return SP_EDAMAGED;
		memcpy(id, b.ptr, sizeof(id));
	}
	if ((err = sql_run(db, SQL_OTP_REMOVE, SI(user))) != SP_OK ||
	    (err = sql_run(db, SQL_BLOB_WIPE, SB(blob))) != SP_OK ||
	    (err = sql_run(db, SQL_CONTENT_REMOVE, SB(blob))) != SP_OK ||
	    (err = sql_run(db, SQL_BLOB_REMOVE, SB(blob))) != SP_OK)
		return err;
	return 1;
}
