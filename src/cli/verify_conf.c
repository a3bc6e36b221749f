/* verify_conf.c - the files of the settings against what they were when the server took them up
 * (rooms/supervisor/settings.c). */
#include <fcntl.h>
#include <stdio.h>

#include "base/conf.h"
#include "cli/verify.h"
#include "store/tlog_json.h"
#include "sys/fd.h"

#define PART "settings"
#define FILE_MAX (1024u * 1024)

static const struct {
	const char *name, *path;
} files[] = {
#define SETTINGS_FILE(NAME, name, path) {name, path},
#include "ipc/settings.def"
#undef SETTINGS_FILE
};

/* hash_file - as the record has it: hex, "none" or "unreadable". */
static void
hash_file(const struct cli *c, const char *name, char ret[72])
{
	DEFER(mem_freep) uint8_t *content = NULL;
	DEFER(close_fd) int fd = -1;
	uint8_t hash[SHA256_BYTES];
	struct text t = text_of(ret, 72);
	char path[4200];
	size_t len = 0;
	int rc;

	(void)snprintf(path, sizeof(path), name[0] == '/' ? "%.0s%s" : "%s/%s", c->dir, name);
	fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	rc = fd < 0 ? fd : file_read_all(fd, FILE_MAX, &content, &len);
	if (rc == SP_OK)
		rc = sha256(span_of(content, len), hash);
	if (rc == SP_OK)
		text_hex(&t, span_of(hash, sizeof(hash)));
	else
		text_str(&t, rc == SP_ENOTFOUND ? "none" : "unreadable");
}

/* newest - the last record, and how many there are in all. */
static int
newest(struct verify *v, char *line, size_t cap, char t[64], unsigned long long *ret_n)
{
	struct tlog *log = v->audit.log;
	struct span entry, detail;
	char event[64];

	*ret_n = 0;
	for (uint64_t n = tlog_end(log); n-- > 0;) {
		int rc = tlog_entry(log, n, &entry);

		if (rc != SP_OK)
			return rc;
		tlog_json_text(entry, "event", event, sizeof(event));
		if (strcmp(event, "settings") != 0 || ++*ret_n != 1)
			continue;
		tlog_json_text(entry, "t", t, 64);
		if (tlog_json_get(entry, "detail", &detail) == SP_OK)
			tlog_json_text(detail, "text", line, cap);
	}
	return SP_OK;
}

static bool
recorded(const char *line, const char *name, struct span *ret)
{
	struct span rest = span_str(line);

	while (rest.len != 0) {
		struct span word = span_cut(rest, span_find(rest, ' '));
		struct span key = span_cut(word, span_find(word, '='));

		if (span_eq_str(key, name)) {
			*ret = span_skip(word, key.len + 1);
			return true;
		}
		rest = span_skip(rest, word.len + 1);
	}
	return false;
}

int
verify_settings_part(struct verify *v)
{
	char line[600] = "", t[64] = "", is[72];
	unsigned long long n = 0;
	struct conf conf;
	int rc;

	if (!v->has_log) {
		verify_part(
		    v, PART, false, "there is no audit log that they could be compared with");
		return SP_OK;
	}
	rc = newest(v, line, sizeof(line), t, &n);
	if (rc != SP_OK || n == 0) {
		verify_part(v, PART, false, "%s",
		    rc != SP_OK ? sp_strerror(rc) : "the audit log has no record of them");
		return SP_OK;
	}
	if (cli_conf(v->c, &conf) !=
	    SP_OK) /* said; then the certificate is where it is by default */
		conf_defaults(&conf);
	verify_part(v, PART, true,
	    "%zu files compared with what was taken up at %s, the last of %llu times",
	    ARRAY_LEN(files), t, n);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct span was;

		hash_file(
		    v->c, files[i].path[0] != '\0' ? files[i].path : conf.https_certificate, is);
		if (recorded(line, files[i].name, &was) && !span_eq_str(was, is))
			verify_differs(v, PART, files[i].name, was, span_str(is));
	}
	return SP_OK;
}
