/* reply.c - status line, fields and bodies of replies; problems. */
#include "rooms/gate/https/router.h"

#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {{200, "OK"}, {201, "Created"}, {204, "No Content"}, {206, "Partial Content"},
	    {302, "Found"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"},
	    {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
	    {408, "Request Timeout"}, {409, "Conflict"}, {411, "Length Required"},
	    {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
	    {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
	    {417, "Expectation Failed"}, {421, "Misdirected Request"},
	    {422, "Unprocessable Content"}, {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"}, {460, "Checksum Mismatch"},
	    {500, "Internal Server Error"}, {501, "Not Implemented"}, {503, "Service Unavailable"},
	    {505, "HTTP Version Not Supported"}, {507, "Insufficient Storage"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Status";
}

void
reply_begin_as(struct conn *c, int status, const char *keep, const char *policy)
{
	struct reply *r = &c->reply;

	*r = (struct reply){.status = status};
	r->no_body = c->head_method || status == 204 || status == 304;
	r->head = text_of((char *)c->out, REPLY_HEAD_BYTES);
	r->body = text_of((char *)c->out + REPLY_HEAD_BYTES, REPLY_BODY_BYTES);
	text_fmt(&r->head, "HTTP/1.1 %d %s\r\nDate: ", status, reason(status));
	time_http(&r->head, clock_wall_us());
	text_str(&r->head, "\r\n");
	reply_field(c, "Cache-Control", "%s", keep);
	reply_field(c, "Content-Security-Policy", "%s", policy);
	text_str(&r->head, "X-Content-Type-Options: nosniff\r\n"
			   "Referrer-Policy: no-referrer\r\n"
			   "Cross-Origin-Resource-Policy: same-origin\r\n"
			   "Strict-Transport-Security: max-age=31536000\r\n");
	if (c->nonce_shown)
		reply_field(c, "DPoP-Nonce", "%s", c->nonce);
	if (router_is_tus(c->route))
		reply_field(c, "Tus-Resumable", "1.0.0");
}

/* What a user stored may be anything: a browser that shows it gives it no script and no origin. */
void
reply_begin(struct conn *c, int status)
{
	reply_begin_as(c, status, "no-store", "default-src 'none'; sandbox");
}

struct text *
reply_text(struct conn *c)
{
	return &c->reply.head;
}

void
reply_field(struct conn *c, const char *name, const char *fmt, ...)
{
	char value[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap); /* callers give short values */
	va_end(ap);
	text_str(&c->reply.head, name);
	text_str(&c->reply.head, ": ");
	text_str(&c->reply.head, value);
	text_str(&c->reply.head, "\r\n");
}

struct json *
reply_json(struct conn *c)
{
	reply_field(c, "Content-Type", "%s",
	    c->reply.status >= 400 ? "application/problem+json"
				   : "application/json; charset=utf-8");
	c->reply.json = json_of(&c->reply.body);
	return &c->reply.json;
}

/* The last fields of a head: how the connection goes on, and how the body ends. */
static void
head_end(struct conn *c)
{
	c->keep = c->keep && !c->broken && body_small(c);
	if (!c->keep)
		reply_field(c, "Connection", "close");
	else if (c->head.minor == 0)
		reply_field(c, "Connection", "keep-alive");
	text_str(&c->reply.head, "\r\n");
}

/* Head and body leave together: the head is moved to stand right before the body. */
static int
send_joined(struct conn *c, size_t body_len)
{
	struct reply *r = &c->reply;
	uint8_t *from = c->out + REPLY_HEAD_BYTES - r->head.len;

	VERIFY(!r->head.bad);
	memmove(from, r->head.buf, r->head.len);
	c->sent = true;
	return conn_write(c, span_of(from, r->head.len + body_len));
}

/* One piece of a body that is sent as it is made. */
static int
send_piece(struct conn *c, bool last)
{
	struct reply *r = &c->reply;
	char size[24];
	struct text t = text_of(size, sizeof(size));
	uint8_t *from = c->out + REPLY_HEAD_BYTES;
	size_t n = r->body.len;
	int rc;

	if (r->no_body || (n == 0 && !last)) {
		r->body.len = 0;
		return SP_OK;
	}
	if (r->chunked) {
		static const char crlf[] = "\r\n", end[] = "0\r\n\r\n";

		if (n != 0) {
			text_fmt(&t, "%zx\r\n", n);
			from -= t.len;
			memcpy(from, size, t.len);
			memcpy(c->out + REPLY_HEAD_BYTES + n, crlf, 2);
			n += t.len + 2;
		}
		if (last) {
			memcpy(from + n, end, 5);
			n += 5;
		}
	}
	rc = n != 0 ? conn_write(c, span_of(from, n)) : SP_OK;
	r->body = text_of((char *)c->out + REPLY_HEAD_BYTES, REPLY_BODY_BYTES - 16);
	return rc;
}

int
reply_flush(struct conn *c)
{
	struct reply *r = &c->reply;
	int rc;

	VERIFY(!r->body.bad);
	if (r->body.len < REPLY_FLUSH_BYTES)
		return SP_OK;
	if (!r->streaming) {
		r->streaming = true;
		r->chunked = c->head.minor == 1;
		if (r->chunked)
			reply_field(c, "Transfer-Encoding", "chunked");
		else
			c->keep = false;
		head_end(c);
		VERIFY(!r->head.bad);
		c->sent = true;
		rc = conn_write(c, text_span(&r->head));
		if (rc < 0)
			return rc;
	}
	return send_piece(c, false);
}

int
reply_send(struct conn *c)
{
	struct reply *r = &c->reply;

	VERIFY(!r->body.bad);
	if (r->streaming)
		return send_piece(c, true);
	if (r->status != 204 && r->status != 304)
		reply_field(c, "Content-Length", "%zu", r->body.len);
	head_end(c);
	return send_joined(c, r->no_body ? 0 : r->body.len);
}

int
reply_send_head(struct conn *c, uint64_t length)
{
	reply_field(c, "Content-Length", "%llu", (unsigned long long)length);
	head_end(c);
	return send_joined(c, 0);
}

struct json *
problem_body(struct conn *c, int err, const char *detail)
{
	const struct sp_err_row *row = sp_err_row(err);
	struct json *j = reply_json(c);
	char type[64];

	if (detail == NULL || detail[0] == '\0')
		detail = c->ring->fault.detail[0] != '\0' ? c->ring->fault.detail : row->text;
	(void)snprintf(type, sizeof(type), "/problems/%s", row->name);
	json_open(j, '{');
	json_kstr(j, "type", span_str(type));
	json_kstr(j, "title", span_str(row->text));
	json_ku64(j, "status", (uint64_t)c->reply.status);
	json_kstr(j, "detail", span_str(detail));
	if (c->path.len != 0)
		json_kstr(j, "instance", c->path);
	json_ku64(j, "errorCode", (uint64_t)row->moveit);
	return j;
}

int
reply_problem_with(
    struct conn *c, int err, const char *detail, const char *field, const char *value)
{
	const struct sp_err_row *row = sp_err_row(err);
	int status = row->http != 0 ? row->http : 500;

	reply_begin(c, status);
	if (err == SP_EPROOF || err == SP_ENONCE)
		reply_field(c, "WWW-Authenticate", "DPoP algs=\"ES256\", error=\"%s\"",
		    err == SP_ENONCE ? "use_dpop_nonce" : "invalid_dpop_proof");
	else if (status == 401)
		reply_field(c, "WWW-Authenticate", "Bearer realm=\"api\"%s",
		    c->token_shown ? ", error=\"invalid_token\"" : "");
	if (c->ring->fault.retry_after != 0)
		reply_field(c, "Retry-After", "%u", c->ring->fault.retry_after);
	if (field != NULL)
		reply_field(c, field, "%s", value);
	json_close(problem_body(c, err, detail), '}');
	return reply_send(c);
}

int
reply_problem(struct conn *c, int err, const char *detail)
{
	return reply_problem_with(c, err, detail, NULL, NULL);
}
