/* sftp.c - packets of SFTP version 3, expanded from requests.def. */
#include "proto/sftp/sftp.h"

/* ---- fields ---- */

static struct span
take_str(struct rd *r)
{
	return rd_take(r, (size_t)rd_uint(r, 4));
}

void
sftp_put_str(struct wr *w, struct span s)
{
	wr_uint(w, s.len, 4);
	wr_bytes(w, s);
}

static int
get_u32(struct rd *r, uint32_t *ret)
{
	*ret = (uint32_t)rd_uint(r, 4);
	return SP_OK;
}

static int
get_u64(struct rd *r, uint64_t *ret)
{
	*ret = rd_uint(r, 8);
	return SP_OK;
}

static int
get_str(struct rd *r, struct span *ret)
{
	*ret = take_str(r);
	return SP_OK;
}
#define get_handle get_str
#define get_attrs sftp_attrs_take

static int
get_ids(struct rd *r, struct span *ret)
{
	*ret = take_str(r);
	return ret->len % 4 == 0 ? SP_OK : SP_ERANGE;
}

static void
put_u32(struct wr *w, const uint32_t *v)
{
	wr_uint(w, *v, 4);
}

static void
put_u64(struct wr *w, const uint64_t *v)
{
	wr_uint(w, *v, 8);
}

static void
put_str(struct wr *w, const struct span *s)
{
	sftp_put_str(w, *s);
}
#define put_handle put_str
#define put_ids put_str
#define put_attrs sftp_attrs_put

/* Extended pairs mean nothing to us; their number is as large as the packet allows. */
static void
drop_pairs(struct rd *r)
{
	uint64_t n = rd_uint(r, 4);

	for (; n != 0 && !r->bad; n--) {
		(void)take_str(r);
		(void)take_str(r);
	}
}

int
sftp_attrs_take(struct rd *r, struct sftp_attrs *ret)
{
	struct sftp_attrs a = {.flags = (uint32_t)rd_uint(r, 4)};
	uint32_t known =
	    SFTP_ATTR_SIZE | SFTP_ATTR_UIDGID | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_TIMES;

	if ((a.flags & ~(known | SFTP_ATTR_EXTENDED)) != 0)
		return SP_ERANGE;
	if (a.flags & SFTP_ATTR_SIZE)
		a.size = rd_uint(r, 8);
	if (a.flags & SFTP_ATTR_UIDGID) {
		a.uid = (uint32_t)rd_uint(r, 4);
		a.gid = (uint32_t)rd_uint(r, 4);
	}
	if (a.flags & SFTP_ATTR_PERMISSIONS)
		a.permissions = (uint32_t)rd_uint(r, 4);
	if (a.flags & SFTP_ATTR_TIMES) {
		a.atime = (uint32_t)rd_uint(r, 4);
		a.mtime = (uint32_t)rd_uint(r, 4);
	}
	if (a.flags & SFTP_ATTR_EXTENDED)
		drop_pairs(r);
	a.flags &= known;
	if (r->bad)
		return SP_ESHORT;
	*ret = a;
	return SP_OK;
}

void
sftp_attrs_put(struct wr *w, const struct sftp_attrs *a)
{
	wr_uint(w, a->flags, 4);
	if (a->flags & SFTP_ATTR_SIZE)
		wr_uint(w, a->size, 8);
	if (a->flags & SFTP_ATTR_UIDGID) {
		wr_uint(w, a->uid, 4);
		wr_uint(w, a->gid, 4);
	}
	if (a->flags & SFTP_ATTR_PERMISSIONS)
		wr_uint(w, a->permissions, 4);
	if (a->flags & SFTP_ATTR_TIMES) {
		wr_uint(w, a->atime, 4);
		wr_uint(w, a->mtime, 4);
	}
}

/* ---- packets ---- */

int
sftp_get_packet(struct span s, struct sftp_packet *ret)
{
	struct rd r = rd_of(s);

	*ret = (struct sftp_packet){.name = span_of(NULL, 0), .body = span_of(NULL, 0)};
	ret->type = (uint8_t)rd_uint(&r, 1);
	ret->id = (uint32_t)rd_uint(&r, 4);
	if (ret->type == SFTP_EXTENDED)
		ret->name = take_str(&r);
	if (r.bad)
		return SP_ESHORT;
	ret->body = rd_take(&r, r.left);
	return SP_OK;
}

int
sftp_write_head_bytes(struct span s, size_t *ret)
{
	struct rd r = rd_of(span_skip(s, 9));
	uint64_t n = rd_uint(&r, 4);

	if (r.bad || n > SFTP_HANDLE_MAX)
		return SP_ERANGE;
	*ret = 13 + (size_t)n + 12;
	return SP_OK;
}

static int
ended(const struct rd *r, int err)
{
	if (err < 0)
		return err;
	if (r->bad)
		return SP_ESHORT;
	return r->left != 0 ? SP_ETRAIL : SP_OK;
}

/* The data of WRITE is not looked at: whoever parses may not have it yet. */
#define GET(type, field)                                                                           \
	if (err == SP_OK)                                                                          \
		err = get_##type(&r, &m.field);
#define SFTP_REQ(number, NAME, name)                                                               \
	int sftp_get_##name(const struct sftp_packet *p, struct sftp_##name *ret)                  \
	{                                                                                          \
		struct rd r = rd_of(p->body);                                                      \
		struct sftp_##name m = {.id = p->id};                                              \
		int err = SP_OK;                                                                   \
                                                                                                   \
		SFTP_FIELDS_##name(GET) err = ended(&r, err);                                      \
		if (err == SP_OK || ((number) == SFTP_WRITE && err == SP_ETRAIL)) {                \
			*ret = m;                                                                  \
			return SP_OK;                                                              \
		}                                                                                  \
		return err;                                                                        \
	}
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_REQ(0, NAME, name)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT

size_t
sftp_begin(struct wr *w, enum sftp_type type, uint32_t id)
{
	size_t at = w->len;

	wr_uint(w, 0, 4);
	wr_uint(w, type, 1);
	wr_uint(w, id, 4);
	return at;
}

static void
patch(struct wr *w, size_t at, uint64_t v)
{
	struct wr p;

	if (w->bad)
		return;
	p = wr_of(w->buf + at, 4);
	wr_uint(&p, v, 4);
}

void
sftp_end(struct wr *w, size_t begun)
{
	patch(w, begun, w->len - begun - 4);
}

#define PUT(type, field) put_##type(w, &m->field);
#define SFTP_REQ(number, NAME, name)                                                               \
	void sftp_put_##name(struct wr *w, const struct sftp_##name *m)                            \
	{                                                                                          \
		size_t at = sftp_begin(w, (enum sftp_type)(number), m->id);                        \
                                                                                                   \
		SFTP_FIELDS_##name(PUT) sftp_end(w, at);                                           \
	}
#define SFTP_EXT(wire, data, NAME, name, told)                                                     \
	void sftp_put_##name(struct wr *w, const struct sftp_##name *m)                            \
	{                                                                                          \
		size_t at = sftp_begin(w, SFTP_EXTENDED, m->id);                                   \
                                                                                                   \
		sftp_put_str(w, SPAN_LIT(wire));                                                   \
		SFTP_FIELDS_##name(PUT) sftp_end(w, at);                                           \
	}
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT

enum sftp_extension
sftp_extension(struct span name)
{
	static const struct {
		const char *wire;
		enum sftp_extension which;
	} rows[] = {
#define SFTP_REQ(number, NAME, name)
#define SFTP_EXT(wire, data, NAME, name, told) {wire, SFTP_EXT_##NAME},
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (span_eq_str(name, rows[i].wire))
			return rows[i].which;
	return SFTP_EXT_NONE;
}

bool
sftp_ids_next(struct span *ids, uint32_t *ret)
{
	struct rd r = rd_of(*ids);
	uint64_t v = rd_uint(&r, 4);

	if (r.bad)
		return false;
	*ret = (uint32_t)v;
	*ids = span_skip(*ids, 4);
	return true;
}
