/* witness_serve.c - sallyport witness serve: one connection at a time, one request each.
 *
 * Everything that counts is signed by the log and by the witness, so plain HTTP will do; who wants
 * TLS puts it in front.  Once it listens, the process reaches its own folder only and can run no
 * program.
 */
#include <fcntl.h>
#include <stdio.h>

#include "cli/witness.h"
#include "proto/http/head.h"
#include "proto/witness/request.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/sandbox.h"
#include "sys/server.h"

#define REQUEST_MS 10000 /* from the connection to the last byte of the request */
#define IN_MAX (HTTP_HEAD_MAX + WITNESS_BODY_MAX)

struct server {
	struct witness w;
	uint8_t *in; /* IN_MAX bytes */
};

static const struct {
	unsigned status;
	const char *words;
} reasons[] = {{200, "OK"}, {400, "Bad Request"}, {403, "Forbidden"}, {404, "Not Found"},
    {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
    {411, "Length Required"}, {413, "Content Too Large"}, {422, "Unprocessable Content"},
    {500, "Internal Server Error"}};

static void
answer(int fd, unsigned status, struct span body)
{
	const char *words = "",
		   *type = status == 409 ? "text/x.tlog.size" : "text/plain; charset=utf-8";
	char head[256];
	int n;

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			words = reasons[i].words;
	n = snprintf(head, sizeof(head),
	    "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: "
	    "close\r\n\r\n",
	    status, words, type, body.len);
	if (sock_write_all(fd, head, (size_t)n) != SP_OK ||
	    sock_write_all(fd, body.ptr, body.len) != SP_OK)
		(void)fputs("a client went before it was answered\n", stderr);
}

/* more - read on; SP_ETIMEOUT when the time of the request is up. */
static int
more(int fd, struct server *s, size_t *len, int64_t until_ms)
{
	int64_t left = until_ms - clock_mono_ms(), n;
	int rc = left > 0 ? sock_wait(fd, /* for_write= */ false, (int)left) : SP_ETIMEOUT;

	if (rc != SP_OK)
		return rc;
	if (*len == IN_MAX)
		return SP_ETOOBIG;
	n = sock_read(fd, s->in + *len, IN_MAX - *len);
	if (n <= 0)
		return n < 0 ? (int)n : SP_ECLOSED;
	*len += (size_t)n;
	return SP_OK;
}

/* read_head - 0: *ret_head is there; else the status */
static unsigned
read_head(
    int fd, struct server *s, size_t *len, int64_t until_ms, struct http_head *ret, size_t *ret_n)
{
	struct http_scan scan = {0};
	int n = 0, rc = SP_OK;

	while (rc == SP_OK && n == 0) {
		n = http_head_scan(&scan, span_of(s->in, *len));
		if (n == 0)
			rc = more(fd, s, len, until_ms);
	}
	if (rc == SP_ETIMEOUT)
		return 408;
	if (rc != SP_OK || n < 0 || http_head_parse(span_of(s->in, (size_t)n), ret) != SP_OK)
		return 400;
	*ret_n = (size_t)n;
	return 0;
}

static bool
ends_with(struct span s, const char *tail)
{
	struct span t = span_str(tail);

	return s.len >= t.len && span_eq(span_skip(s, s.len - t.len), t);
}

/* check_head - is it a POST of .../add-checkpoint with a length?  0: yes, else the status */
static unsigned
check_head(const struct http_head *h, uint64_t *ret_len)
{
	enum http_framing framing;
	struct span path, query;

	if (http_target(h, &path, &query) != SP_OK || http_framing(h, &framing, ret_len) != SP_OK)
		return 400;
	if (!ends_with(path, "/add-checkpoint") || query.len != 0)
		return 404;
	if (!span_eq_str(h->method, "POST"))
		return 405;
	if (framing != HTTP_LENGTH)
		return 411;
	return *ret_len <= WITNESS_BODY_MAX ? 0 : 413;
}

static void
serve_one(struct server *s, int fd)
{
	DEFER(mem_freep) struct http_head *h = mem_alloc(sizeof(*h));
	int64_t until_ms = clock_mono_ms() + REQUEST_MS;
	char out[512];
	struct text body = text_of(out, sizeof(out));
	size_t len = 0, head = 0;
	uint64_t need = 0;
	unsigned status = h != NULL ? read_head(fd, s, &len, until_ms, h, &head) : 500;
	int rc = SP_OK;

	if (status == 0)
		status = check_head(h, &need);
	while (status == 0 && rc == SP_OK && len - head < need)
		rc = more(fd, s, &len, until_ms);
	if (rc != SP_OK)
		status = rc == SP_ETIMEOUT ? 408 : 400;
	if (status == 0)
		status = witness_add_checkpoint(&s->w, span_of(s->in + head, (size_t)need),
		    (uint64_t)clock_wall_us() / 1000000, &body);
	answer(fd, status, text_span(&body));
	if (status != 408)
		(void)fprintf(stderr, "add-checkpoint: %u\n", status);
}

static int
enter(const char *dir)
{
	char logs[4200];
	const struct sandbox_path paths[] = {{logs, SANDBOX_READ | SANDBOX_WRITE}};
	int abi = 0, rc;

	if ((size_t)snprintf(logs, sizeof(logs), "%s/logs", dir) >= sizeof(logs))
		return cli_fail(SP_EUSAGE, "%s: the path is too long", dir);
	rc = sandbox_paths(paths, ARRAY_LEN(paths), &abi);
	if (rc == SP_OK && abi == 0)
		(void)fputs(
		    "sallyport: this kernel has no Landlock: the witness is not jailed\n", stderr);
	return rc == SP_OK ? SP_OK : cli_fail(rc, "the sandbox: %s", sp_strerror(rc));
}

static int
lock(const char *dir)
{
	char path[4200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/lock", dir);
	fd = server_lock(path);
	return fd >= 0 ? fd
		       : cli_fail(fd, "%s: %s", path,
			     fd == SP_ERUNNING ? "a witness serves this folder already"
					       : sp_strerror(fd));
}

int
cmd_witness_serve(struct cli *c)
{
	const char *dir = cli_opt(c, "DIR"), *addr = cli_opt(c, "--listen");
	struct server s = {.in = NULL};
	DEFER(close_fd) int locked = -1;
	DEFER(close_fd) int listener = -1;
	char why[256] = "", peer[64];
	int rc = witness_open(dir, &s.w);

	if (rc != SP_OK)
		return rc;
	locked = lock(dir);
	if (locked < 0)
		return locked;
	listener = sock_listen_tcp(addr, "", why, sizeof(why));
	if (listener < 0)
		return cli_fail(SP_EUNAVAIL, "cannot listen on %s", why);
	s.in = mem_alloc(IN_MAX);
	rc = s.in != NULL ? crypto_ready() : SP_ENOMEM;
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	rc = enter(dir);
	if (rc != SP_OK)
		return rc;
	(void)fprintf(stderr, "witness %s listens on %s\n", s.w.self.name, addr);
	for (;;) {
		DEFER(close_fd) int fd = sock_accept(listener, peer, sizeof(peer));

		if (fd >= 0)
			serve_one(&s, fd);
		else if (fd != SP_EFULL)
			clock_sleep_ms(100); /* out of descriptors, say: not in a circle */
	}
}
