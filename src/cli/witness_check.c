/* witness_check.c - see witness_check.h. */
#include "cli/witness_check.h"

#include <stdio.h>

#include "cli/witness.h"
#include "sys/fd.h"

#include <fcntl.h>

int
cosigned_path(const struct cli *c, const struct cosigner *w, char *buf, size_t cap)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "cosigned/%08x", w->id);
	return cli_path(c, name, buf, cap);
}

int
witness_keys(const char *given, struct cosigner *ret, size_t max)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	struct span rest = span_str(given);
	size_t len = 0;
	int n = 0, rc;

	if (strchr(given, '+') == NULL) {
		rc = audit_read_file(given, 65536, &text, &len);
		if (rc != SP_OK)
			return rc;
		rest = span_of(text, len);
	}
	while (rest.len != 0) {
		struct span line = span_cut(rest, span_find(rest, '\n'));

		rest = span_skip(rest, line.len + 1);
		if (line.len == 0)
			continue;
		if ((size_t)n == max || cosigner_parse(line, &ret[n]) != SP_OK)
			return cli_fail(SP_ESYNTAX,
			    "--witness: not at most %zu verifier keys of witnesses (name+id+key)",
			    max);
		n++;
	}
	return n != 0 ? n : cli_fail(SP_ESYNTAX, "--witness: there is no key in it");
}

int
log_extends(struct audit *a, uint64_t size, const struct hash *root, char *why, size_t cap)
{
	struct hash proof[64], now;
	size_t n = 0;
	int rc;

	if (size > tlog_size(a->log)) {
		(void)snprintf(why, cap, "it has %llu entries, and %llu were witnessed: it was cut",
		    (unsigned long long)tlog_size(a->log), (unsigned long long)size);
		return SP_EVERIFY;
	}
	tlog_root(a->log, &now);
	rc = size == 0 ? SP_OK
		       : consistency_proof(size, tlog_size(a->log), tlog_hash, a->log, proof, &n);
	if (rc == SP_OK && size != 0)
		rc = consistency_check(size, tlog_size(a->log), root, &now, proof, n);
	if (rc == SP_OK)
		return SP_OK;
	(void)snprintf(why, cap,
	    "its first %llu entries are not those that were witnessed: it was written anew",
	    (unsigned long long)size);
	return SP_EVERIFY;
}

static int
check_one(const struct cli *c, struct audit *a, const struct cosigner *w, struct text *ret_said,
    char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *note = NULL;
	DEFER(close_fd) int fd = -1;
	char path[4096], reason[256];
	uint64_t size = 0, time_s = 0;
	struct hash root;
	size_t len = 0;
	int rc = cosigned_path(c, w, path, sizeof(path));

	if (rc != SP_OK)
		return rc;
	fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	rc = fd < 0 ? fd : file_read_all(fd, COSIGNED_MAX, &note, &len);
	if (rc == SP_OK)
		rc = cosign_check(span_of(note, len), w, &time_s);
	if (rc == SP_OK)
		rc = checkpoint_open(
		    span_of(note, len), a->key.name, a->key.public_key, &size, &root);
	if (rc != SP_OK) {
		(void)snprintf(why, cap,
		    "%s: there is no checkpoint of this log that %s cosigned (%s)", path, w->name,
		    sp_strerror(rc));
		return SP_EVERIFY;
	}
	rc = log_extends(a, size, &root, reason, sizeof(reason));
	if (rc != SP_OK) {
		(void)snprintf(why, cap, "against the witness %s: %s", w->name, reason);
		return rc;
	}
	text_fmt(ret_said, "%s%s cosigned %llu entries at ", ret_said->len != 0 ? "; " : "",
	    w->name, (unsigned long long)size);
	time_rfc3339(ret_said, (int64_t)time_s * 1000000);
	return SP_OK;
}

int
witnesses_check(const struct cli *c, struct audit *a, const char *given, struct text *ret_said,
    char *why, size_t cap)
{
	struct cosigner w[WITNESSES_MAX];
	int n = witness_keys(given, w, ARRAY_LEN(w)), rc = n < 0 ? n : SP_OK;

	for (int i = 0; i < n && rc == SP_OK; i++)
		rc = check_one(c, a, &w[i], ret_said, why, cap);
	return rc;
}
