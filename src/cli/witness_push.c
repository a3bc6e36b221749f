/* witness_push.c - sallyport witness push: the newest checkpoint to a witness, its cosignature
 * kept. */
#include <fcntl.h>
#include <stdio.h>

#include "cli/witness.h"
#include "cli/witness_check.h"
#include "proto/witness/request.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define CONNECT_MS 10000
#define ANSWER_MS 30000
#define ANSWER_MAX 65536u
#define REQUEST_MAX (WITNESS_BODY_MAX + 2048u)

struct push {
	struct cli *c;
	struct audit audit;
	struct cosigner witness;
	char host[128], path[512]; /* of the address: "192.0.2.1:80", "/prefix" */
	char *out;		   /* REQUEST_MAX bytes */
	uint8_t *in;		   /* ANSWER_MAX bytes */
};

/* http://ADDRESS:PORT[/PREFIX]; a name would have to be asked for, and an answer can be forged */
static int
parse_url(struct push *p, const char *url)
{
	struct span rest = span_str(url), head = SPAN_LIT("http://");
	struct text host = text_of(p->host, sizeof(p->host)),
		    path = text_of(p->path, sizeof(p->path));
	size_t n;

	if (!span_starts(rest, head))
		return cli_fail(SP_EUSAGE, "--to %s: it is not http://ADDRESS:PORT[/PREFIX]", url);
	rest = span_skip(rest, head.len);
	n = span_find(rest, '/');
	text_add(&host, span_cut(rest, n));
	text_add(&path, span_skip(rest, n));
	while (path.len != 0 && p->path[path.len - 1] == '/')
		p->path[--path.len] = '\0';
	for (size_t i = 0; i < path.len; i++)
		if (p->path[i] <= ' ' || p->path[i] >= 0x7f)
			path.bad = true;
	return host.bad || path.bad
		   ? cli_fail(SP_EUSAGE, "--to %s: it is not http://ADDRESS:PORT[/PREFIX]", url)
		   : SP_OK;
}

/* put_request - head and body, for the proof from old_size on. */
static int
put_request(struct push *p, uint64_t old_size, struct text *t)
{
	DEFER(mem_freep) char *buf = mem_alloc(WITNESS_BODY_MAX);
	struct span note = tlog_note(p->audit.log);
	struct text body;
	struct hash proof[64];
	size_t n = 0;
	int rc = SP_OK;

	if (buf == NULL)
		return SP_ENOMEM;
	body = text_of(buf, WITNESS_BODY_MAX);
	if (old_size != 0)
		rc = consistency_proof(
		    old_size, tlog_size(p->audit.log), tlog_hash, p->audit.log, proof, &n);
	if (rc != SP_OK)
		return rc;
	text_fmt(&body, "old %llu\n", (unsigned long long)old_size);
	for (size_t i = 0; i < n; i++) {
		base64_put(&body, span_of(proof[i].b, 32));
		text_chr(&body, '\n');
	}
	text_chr(&body, '\n');
	text_add(&body, note);
	text_fmt(t,
	    "POST %s/add-checkpoint HTTP/1.1\r\nHost: %s\r\nContent-Type: "
	    "text/plain\r\nContent-Length: "
	    "%zu\r\nConnection: close\r\n\r\n",
	    p->path, p->host, body.len);
	text_add(t, text_span(&body));
	return t->bad || body.bad ? SP_ETOOBIG : SP_OK;
}

static int
read_answer(struct push *p, int fd, size_t *ret_len)
{
	int64_t until_ms = clock_mono_ms() + ANSWER_MS, n = 1;
	size_t len = 0;

	while (n > 0) {
		int64_t left = until_ms - clock_mono_ms();
		int rc = left > 0 ? sock_wait(fd, /* for_write= */ false, (int)left) : SP_ETIMEOUT;

		if (rc != SP_OK && rc != SP_ECLOSED)
			return rc;
		if (len == ANSWER_MAX)
			return SP_ETOOBIG;
		n = sock_read(fd, p->in + len, ANSWER_MAX - len);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
	}
	*ret_len = len;
	return SP_OK;
}

static int
ask(struct push *p, uint64_t old_size, unsigned *ret_status, struct span *ret_body)
{
	DEFER(close_fd) int fd = -1;
	struct text t = text_of(p->out, REQUEST_MAX);
	size_t len = 0;
	int rc = put_request(p, old_size, &t);

	if (rc != SP_OK)
		return cli_fail(rc, "the request: %s", sp_strerror(rc));
	fd = sock_connect_tcp(p->host, CONNECT_MS);
	rc = fd < 0 ? fd : sock_write_all(fd, t.buf, t.len);
	if (rc == SP_OK)
		rc = read_answer(p, fd, &len);
	if (rc == SP_OK)
		rc = witness_answer_get(span_of(p->in, len), ret_status, ret_body);
	return rc == SP_OK
		   ? SP_OK
		   : cli_fail(SP_EUNAVAIL, "the witness at %s: %s", p->host, sp_strerror(rc));
}

/* keep - the checkpoint with the cosignature, when that is good. */
static int
keep(struct push *p, struct span cosignatures)
{
	char note[COSIGNED_MAX + 1], path[4096], folder[4096];
	struct text t = text_of(note, sizeof(note));
	uint64_t time_s = 0;
	int rc = cosigned_path(p->c, &p->witness, path, sizeof(path));

	text_add(&t, tlog_note(p->audit.log));
	text_add(&t, cosignatures);
	if (rc == SP_OK && (t.bad || cosign_check(text_span(&t), &p->witness, &time_s) != SP_OK))
		return cli_fail(SP_EVERIFY, "the witness at %s gave no good cosignature of %s",
		    p->host, p->witness.name);
	if (rc == SP_OK)
		rc = cli_path(p->c, "cosigned", folder, sizeof(folder));
	if (rc != SP_OK)
		return rc;
	rc = dir_make_at(AT_FDCWD, folder, 0755);
	if (rc == SP_OK || rc == SP_EEXISTS)
		rc = file_write_new(AT_FDCWD, path, text_span(&t), 0644, /* replace= */ true);
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s", path, sp_strerror(rc));
	if (p->c->json)
		(void)printf("{\"witness\":\"%s\",\"entries\":%llu,\"time\":%llu}\n",
		    p->witness.name, (unsigned long long)tlog_size(p->audit.log),
		    (unsigned long long)time_s);
	else
		(void)printf("%s cosigned %llu entries\n", p->witness.name,
		    (unsigned long long)tlog_size(p->audit.log));
	return cli_out_done();
}

/* conflict - the witness has seen this many; 1: ask again from there. */
static int
conflict(struct push *p, struct span body, uint64_t asked, uint64_t *ret_size)
{
	uint64_t size = tlog_size(p->audit.log);

	if (parse_u64(span_cut(body, span_find(body, '\n')), INT64_MAX, ret_size) != SP_OK)
		return cli_fail(
		    SP_EUNAVAIL, "the witness at %s: it did not say what it has seen", p->host);
	if (*ret_size > size)
		return cli_fail(SP_EVERIFY,
		    "the witness has seen %llu entries of this log, which has %llu: it was cut",
		    (unsigned long long)*ret_size, (unsigned long long)size);
	if (*ret_size == asked)
		return cli_fail(SP_EVERIFY,
		    "the witness has seen another log of %llu entries: this one was written anew",
		    (unsigned long long)size);
	return 1;
}

static int
push(struct push *p)
{
	uint64_t from = 0, seen = 0;
	unsigned status = 0;
	struct span body;
	int rc = ask(p, 0, &status, &body);

	if (rc == SP_OK && status == 409) {
		rc = conflict(p, body, from, &seen);
		if (rc == 1)
			rc = ask(p, from = seen, &status, &body);
		if (rc == SP_OK && status == 409)
			rc = conflict(p, body, from, &seen);
	}
	if (rc != SP_OK)
		return rc == 1 ? cli_fail(SP_EUNAVAIL, "the witness at %s is at work; try again",
				     p->host)
			       : rc;
	if (status == 422)
		return cli_fail(SP_EVERIFY,
		    "the witness refuses: its %llu entries are not the first of this log, which "
		    "was "
		    "written anew",
		    (unsigned long long)from);
	if (status != 200)
		return cli_fail(SP_EUNAVAIL, "the witness at %s answers %u%s", p->host, status,
		    status == 404   ? ": it does not know this log (sallyport witness add-log)"
		    : status == 403 ? ": it knows this log by another key"
				    : "");
	return keep(p, body);
}

int
cmd_witness_push(struct cli *c)
{
	struct push p = {.c = c, .audit = {.dirfd = -1}};
	int rc = parse_url(&p, cli_opt(c, "--to"));

	if (rc == SP_OK) {
		rc = witness_keys(cli_opt(c, "--witness"), &p.witness, 1);
		rc = rc < 0 ? rc : SP_OK;
	}
	if (rc == SP_OK)
		rc = audit_open_say(c, &p.audit);
	if (rc == SP_OK) {
		p.out = mem_alloc(REQUEST_MAX);
		p.in = mem_alloc(ANSWER_MAX);
		rc = p.out != NULL && p.in != NULL
			 ? push(&p)
			 : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	mem_free(p.out);
	mem_free(p.in);
	audit_close(&p.audit);
	return rc;
}
