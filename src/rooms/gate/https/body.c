/* body.c - content of the request in hand, and parameters of its query. */
#include "rooms/gate/https/conn.h"

#include "sys/clock.h"

#define DROP_MAX 65536u /* bytes of an unread body that are worth reading away */

int64_t
conn_read(struct conn *c, void *buf, size_t n, int timeout_ms)
{
	int64_t got;

	if (c->broken)
		return SP_ECLOSED;
	got = tls_read(c->tls, buf, n, timeout_ms);
	if (got == 0)
		got = SP_ECLOSED;
	if (got < 0 && got != SP_ETIMEOUT)
		c->broken = true;
	return got;
}

static int
stall_ms(const struct conn *c)
{
	return (int)(c->conf->stall_timeout * 1000);
}

/* How long to wait for more of the body. */
static int
wait_ms(const struct conn *c)
{
	int64_t left;

	if (c->body.end_ms == 0)
		return stall_ms(c);
	left = c->body.end_ms - clock_mono_ms();
	return left <= 0 ? 0 : left < stall_ms(c) ? (int)left : stall_ms(c);
}

/* From here on what is left of the body has as long as a head: a byte now and then is not enough.
 */
static void
hurry(struct conn *c)
{
	c->body.end_ms = clock_mono_ms() + c->conf->request_timeout * 1000;
}

int
conn_write(struct conn *c, struct span s)
{
	int rc;

	if (c->broken)
		return SP_ECLOSED;
	rc = tls_write_all(c->tls, s.ptr, s.len, stall_ms(c));
	if (rc < 0)
		c->broken = true;
	return rc;
}

int
body_begin(struct conn *c)
{
	struct span v;
	int rc;

	c->body = (struct body){.pending = span_of(NULL, 0)};
	rc = http_framing(&c->head, &c->body.framing, &c->body.length);
	if (rc < 0)
		return rc;
	c->body.left = c->body.length;
	c->body.ended = c->body.framing == HTTP_NO_BODY;
	rc = http_single(&c->head, "Expect", &v);
	if (rc < 0)
		return rc;
	if (rc == 1 && !span_ieq_str(v, "100-continue"))
		return SP_EEXPECT;
	/* RFC 9110 section 10.1.1: ignored in HTTP/1.0, and without a body */
	c->body.expects = rc == 1 && c->head.minor == 1 && !c->body.ended;
	return SP_OK;
}

bool
body_known(const struct conn *c, uint64_t *ret)
{
	*ret = c->body.length;
	return c->body.framing != HTTP_CHUNKED;
}

int
body_wanted(struct conn *c)
{
	if (!c->body.expects)
		return SP_OK;
	c->body.expects = false;
	if (c->at < c->have)
		return SP_OK; /* it did not wait */
	return conn_write(c, SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* More bytes behind what is buffered; what was looked at gives way. */
static int
fill(struct conn *c)
{
	int64_t got;

	if (c->at != c->head_len) {
		memmove(c->in + c->head_len, c->in + c->at, c->have - c->at);
		c->have -= c->at - c->head_len;
		c->at = c->head_len;
	}
	if (c->have == CONN_IN_BYTES)
		return SP_EHDRLONG;
	got = conn_read(c, c->in + c->have, CONN_IN_BYTES - c->have, wait_ms(c));
	if (got < 0)
		return (int)got;
	c->have += (size_t)got;
	return SP_OK;
}

static int64_t
read_sized(struct conn *c, uint8_t *dst, size_t n)
{
	size_t buffered = c->have - c->at;
	int64_t got;

	if (n > c->body.left)
		n = (size_t)c->body.left;
	if (buffered != 0) {
		if (n > buffered)
			n = buffered;
		memcpy(dst, c->in + c->at, n);
		c->at += n;
		got = (int64_t)n;
	} else {
		got = conn_read(c, dst, n, wait_ms(c));
		if (got < 0)
			return got;
	}
	c->body.left -= (uint64_t)got;
	c->body.ended = c->body.left == 0;
	return got;
}

/* The next piece of content in the read buffer becomes pending. */
static int
next_chunk(struct conn *c)
{
	for (;;) {
		struct span in = span_of(c->in + c->at, c->have - c->at);
		int rc = http_chunked_next(&c->body.chunked, &in, &c->body.pending);

		c->at = c->have - in.len;
		if (rc == HTTP_END)
			c->body.ended = true;
		if (rc != HTTP_MORE)
			return rc < 0 ? rc : SP_OK;
		rc = fill(c);
		if (rc < 0)
			return rc;
	}
}

static int64_t
read_chunked(struct conn *c, uint8_t *dst, size_t n)
{
	struct body *b = &c->body;
	uint64_t direct = http_chunked_direct(&b->chunked);
	int64_t got;

	if (b->pending.len == 0 && direct != 0 && c->at == c->have) {
		got = conn_read(c, dst, n < direct ? n : (size_t)direct, wait_ms(c));
		if (got > 0)
			http_chunked_took(&b->chunked, (uint64_t)got);
		return got;
	}
	if (b->pending.len == 0) {
		int rc = next_chunk(c);

		if (rc < 0 || b->ended)
			return rc;
	}
	if (n > b->pending.len)
		n = b->pending.len;
	memcpy(dst, b->pending.ptr, n);
	b->pending = span_skip(b->pending, n);
	return (int64_t)n;
}

int64_t
body_read(struct conn *c, uint8_t *dst, size_t n)
{
	if (c->body.ended || n == 0)
		return 0;
	return c->body.framing == HTTP_CHUNKED ? read_chunked(c, dst, n) : read_sized(c, dst, n);
}

int64_t
body_all(struct conn *c, uint8_t *dst, size_t cap)
{
	uint64_t declared;
	size_t n = 0;
	int rc;

	if (body_known(c, &declared) && declared > cap)
		return SP_ETOOBIG;
	rc = body_wanted(c);
	if (rc < 0)
		return rc;
	hurry(c);
	while (n < cap && !c->body.ended) {
		int64_t got = body_read(c, dst + n, cap - n);

		if (got < 0)
			return got;
		n += (size_t)got;
	}
	if (!c->body.ended) {
		uint8_t extra;
		int64_t got = body_read(c, &extra, 1);

		if (got != 0)
			return got < 0 ? got : SP_ETOOBIG;
	}
	return (int64_t)n;
}

bool
body_small(const struct conn *c)
{
	if (c->body.ended)
		return true;
	/* a client that was not told to go on may send or not: nobody can know where the next
	 * request begins */
	return !c->body.expects && c->body.framing == HTTP_LENGTH && c->body.left <= DROP_MAX;
}

bool
body_drop(struct conn *c)
{
	uint8_t buf[4096];

	if (c->broken || !body_small(c))
		return false;
	hurry(c);
	while (!c->body.ended)
		if (body_read(c, buf, sizeof(buf)) < 0)
			return false;
	return true;
}

/* ---- the query ---- */

int
query_u64(const struct conn *c, const char *name, uint64_t dflt, uint64_t max, uint64_t *ret)
{
	uint8_t text[32];
	int n = http_form_get(c->query, name, text, sizeof(text));

	*ret = dflt;
	if (n == HTTP_FORM_NONE || n == 0)
		return SP_OK;
	return n < 0 ? SP_ESYNTAX : parse_u64(span_of(text, (size_t)n), max, ret);
}

int
query_bool(const struct conn *c, const char *name, bool *ret)
{
	static const char *const yes[] = {"true", "1", "yes"}, *const no[] = {"false", "0", "no"};
	uint8_t text[8];
	int n = http_form_get(c->query, name, text, sizeof(text));

	*ret = false;
	if (n == HTTP_FORM_NONE || n == 0)
		return SP_OK;
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(yes); i++) {
		if (span_ieq_str(span_of(text, (size_t)n), yes[i])) {
			*ret = true;
			return SP_OK;
		}
		if (span_ieq_str(span_of(text, (size_t)n), no[i]))
			return SP_OK;
	}
	return SP_ESYNTAX;
}

int
query_str(const struct conn *c, const char *name, uint8_t *out, size_t cap)
{
	int n = http_form_get(c->query, name, out, cap);

	return n == HTTP_FORM_NONE ? 0 : n < 0 ? SP_ESYNTAX : n;
}

int
param_id(const struct conn *c, size_t i, uint64_t *ret)
{
	PRECOND(i < ROUTE_PARAMS_MAX);
	return parse_u64(c->param[i], INT64_MAX, ret) == SP_OK && *ret != 0 ? SP_OK : SP_ENOTFOUND;
}
