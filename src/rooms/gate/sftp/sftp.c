/* sftp.c - the loop: a packet, the request in it, its reply. */
#include "rooms/gate/sftp/sftp.h"

#include "rooms/gate/sftp/server.h"
#include "sys/log.h"

#define HEAD 5u /* length and type */
#define ENDED 1 /* the client closed its side */

int
request_malformed(struct sftp *x, int err)
{
	int rc = SFTP_REPLIED;

	if (x->is_begun && x->over == SP_OK)
		rc = answer_status(x, SFTP_FX_BAD_MESSAGE, sp_strerror(err));
	return rc < 0 ? rc : SP_ESYNTAX;
}

int
request_conclude(struct sftp *x, int rc)
{
	int err = rc;

	if (rc == SP_OK)
		rc = answer_status(x, SFTP_FX_OK, "done");
	else if (rc < 0)
		rc = answer_error(x, rc);
	if (rc < 0)
		return rc;
	if (x->over != SP_OK)
		return x->over;
	if (x->ring->dead)
		return SP_EUNAVAIL;
	return err == SP_ESESSION ? err : SP_OK;
}

/* run_<name> - parse and serve one kind of request.  A body that does not parse: *ret_bad. */
#define SFTP_REQ(number, NAME, name)                                                               \
	static int run_##name(struct sftp *x, const struct sftp_packet *p, int *ret_bad)           \
	{                                                                                          \
		struct sftp_##name m;                                                              \
                                                                                                   \
		*ret_bad = sftp_get_##name(p, &m);                                                 \
		return *ret_bad == SP_OK ? sftp_do_##name(x, &m) : *ret_bad;                       \
	}
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_REQ(0, NAME, name)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT

typedef int (*run_fn)(struct sftp *x, const struct sftp_packet *p, int *ret_bad);

static run_fn
find_extended(struct span name)
{
	static const run_fn table[] = {
	    [SFTP_EXT_NONE] = NULL,
#define SFTP_REQ(number, NAME, name)
#define SFTP_EXT(wire, data, NAME, name, told) [SFTP_EXT_##NAME] = run_##name,
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	};

	return table[sftp_extension(name)];
}

static run_fn
find(const struct sftp_packet *p)
{
	static const run_fn table[] = {
#define SFTP_REQ(number, NAME, name) [number] = run_##name,
#define SFTP_EXT(wire, data, NAME, name, told)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	};

	if (p->type == SFTP_EXTENDED)
		return find_extended(p->name);
	return p->type < ARRAY_LEN(table) ? table[p->type] : NULL;
}

static int
serve(struct sftp *x, const struct sftp_packet *p)
{
	run_fn run = find(p);
	int bad = SP_OK, rc;

	x->id = p->id;
	x->why[0] = '\0';
	x->ring->fault.detail[0] = '\0';
	if (run == NULL)
		rc = answer_why(
		    x, SP_ENOTIMPL, "there is no such request in this version of the protocol");
	else
		rc = run(x, p, &bad);
	return bad != SP_OK ? request_malformed(x, bad) : request_conclude(x, rc);
}

/* INIT: once, and before all else.  Whatever version the client has, ours is 3 (section 4). */
static int
init(struct sftp *x, const struct sftp_packet *p)
{
	struct wr w = answer_begin(x);

	if (p->type != SFTP_INIT || p->id < SFTP_VERSION)
		return SP_ESYNTAX;
	x->is_begun = true;
	sftp_put_version(&w);
	return answer_send(x, &w) == SFTP_REPLIED ? x->over : SP_ESPACE;
}

/* A packet but WRITE's: all of it lies in a row. */
static int
whole(struct sftp *x, uint32_t length)
{
	struct sftp_packet p;
	struct span s;
	int rc = stream_need(x->stream, 4 + (size_t)length, &s);

	if (rc <= 0)
		return rc < 0 ? rc : SP_ECLOSED;
	rc = sftp_get_packet(span_skip(s, 4), &p);
	x->id = p.id;
	if (rc < 0)
		return request_malformed(x, rc);
	rc = x->is_begun ? serve(x, &p) : init(x, &p);
	stream_take(x->stream, s.len);
	return rc;
}

static int
one(struct sftp *x)
{
	struct span s;
	struct rd r;
	uint32_t length;
	uint8_t type;
	bool is_write;
	int rc = stream_need(x->stream, HEAD, &s);

	if (rc <= 0)
		return rc < 0 ? rc : ENDED;
	r = rd_of(s);
	length = (uint32_t)rd_uint(&r, 4);
	type = (uint8_t)rd_uint(&r, 1);
	is_write = type == SFTP_WRITE && x->is_begun;
	if (length < 5)
		return SP_ESYNTAX;
	if (length > (is_write ? SFTP_PACKET_MAX : SFTP_REQUEST_MAX))
		return SP_ETOOBIG;
	return is_write ? write_stream(x, length) : whole(x, length);
}

int
sftp_serve(const struct sftp_session *s)
{
	DEFER(mem_freep) struct sftp *x = mem_alloc(sizeof(*x));
	int rc = x != NULL ? server_init(x, s) : SP_ENOMEM;

	if (x == NULL)
		return rc;
	while (rc == SP_OK)
		rc = one(x);
	if (rc < 0 && rc != SP_ECLOSED)
		log_info("sftp of %s: %s", s->address, sp_strerror(rc));
	if (stream_flush(s->stream) < 0 && rc == ENDED)
		rc = SP_ECLOSED;
	server_done(x);
	return rc == ENDED ? SP_OK : rc;
}
