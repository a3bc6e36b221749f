/* verify_files.c - what is installed against the signed manifest of the build. */
#include "cli/verify_files.h"

#include <fcntl.h>
#include <stdio.h>

#include "sys/fd.h"
#include "sys/operator.h"

#define PART "programs"
#define MANIFEST_BYTES_MAX (1u << 20)
#define HEAD SPAN_LIT("sallyport manifest\n")
#define PIECE (256u << 10)

int
manifest_next(struct span *rest, struct manifest_line *ret)
{
	struct span line = span_cut(*rest, span_find(*rest, '\n'));
	uint8_t hash[SHA256_BYTES];

	if (rest->len == 0)
		return 0;
	*rest = span_skip(*rest, line.len + 1);
	if (line.len < 64 + 1 + 4 + 1 + 1 || line.ptr[64] != ' ' || line.ptr[69] != ' ')
		return SP_ESYNTAX;
	ret->hash = span_cut(line, 64);
	ret->path = span_skip(line, 70);
	ret->mode = 0;
	for (size_t i = 65; i < 69; i++) {
		if (line.ptr[i] < '0' || line.ptr[i] > '7')
			return SP_ESYNTAX;
		ret->mode = ret->mode * 8 + line.ptr[i] - '0';
	}
	return parse_hex(ret->hash, hash, sizeof(hash)) == SP_OK && ret->path.ptr[0] != '/'
		   ? 1
		   : SP_ESYNTAX;
}

bool
manifest_has(struct span manifest, struct span hash)
{
	struct manifest_line line;

	while (manifest_next(&manifest, &line) == 1)
		if (span_eq(line.hash, hash))
			return true;
	return false;
}

int
verify_hash(int fd, char ret[72])
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(PIECE);
	struct sha256 *h = sha256_new();
	uint8_t hash[SHA256_BYTES];
	struct text t = text_of(ret, 72);
	int64_t at = 0, n = 1;
	int rc = buf != NULL && h != NULL ? SP_OK : SP_ENOMEM;

	while (rc == SP_OK && (n = file_pread(fd, buf, PIECE, at)) > 0) {
		rc = sha256_add(h, span_of(buf, (size_t)n));
		at += n;
	}
	if (rc == SP_OK)
		rc = n < 0 ? (int)n : sha256_get(h, hash);
	sha256_free(h);
	if (rc == SP_OK)
		text_hex(&t, span_of(hash, sizeof(hash)));
	return rc;
}

/* ---- the manifest itself ---- */

/* release_key - of --release-key (a file, or the key itself), else the one compiled in.
 *   returns 1 there is one, 0 there is none, or an error that is said */
static int
release_key(const struct cli *c, struct tlog_key *ret)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	const char *given = cli_opt(c, "--release-key");
	struct span line = span_str(given != NULL ? given : SALLYPORT_RELEASE_KEY);
	size_t len = 0;
	int rc;

	if (line.len == 0)
		return 0;
	if (given != NULL && strchr(given, '+') == NULL) {
		rc = audit_read_file(given, 4096, &text, &len);
		if (rc != SP_OK)
			return rc;
		line = span_of(text, len);
	}
	if (tlog_key_parse(line, ret) != SP_OK)
		return cli_fail(
		    SP_ESYNTAX, "--release-key: it is not a verifier key (name+id+key)");
	return 1;
}

/* open_note - v->manifest is set when it can be believed, or when nobody says whose it should be.
 */
static int
open_note(struct verify *v, struct span note)
{
	struct tlog_key key;
	struct span text, sigs;
	int rc = release_key(v->c, &key);

	if (rc < 0)
		return rc;
	if (rc == 1) {
		if (note_open(note, key.name, key.public_key, &text) != SP_OK) {
			verify_differs(v, PART, "the manifest's signature", span_str(key.name),
			    SPAN_LIT("none that is good"));
			return SP_OK;
		}
	} else if (note_split(note, &text, &sigs) == SP_OK) {
		verify_part(v, "release", false,
		    "the manifest is signed, and no --release-key is given to check it with");
	} else {
		verify_part(v, "release", false,
		    "unsigned build: programs are compared with an unsigned manifest only");
		text = span_cut(note, note.len - (note.len != 0)); /* the empty line at its end */
	}
	if (!span_starts(text, HEAD)) {
		verify_differs(
		    v, PART, "the manifest", SPAN_LIT("a manifest"), SPAN_LIT("another text"));
		return SP_OK;
	}
	text = span_skip(text, HEAD.len);
	v->manifest = span_skip(text, span_find(text, '\n') + 1); /* the version is for people */
	return SP_OK;
}

static int
read_manifest(struct verify *v, const char *root, bool *ret_there)
{
	const char *given = cli_opt(v->c, "--manifest");
	DEFER(close_fd) int fd = -1;
	char path[4200];
	size_t len = 0;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s", root, SALLYPORT_MANIFEST);
	fd = file_open_at(AT_FDCWD, given != NULL ? given : path, O_RDONLY, 0);
	rc = fd < 0 ? fd : file_read_all(fd, MANIFEST_BYTES_MAX, &v->manifest_text, &len);
	*ret_there = rc == SP_OK;
	if (rc != SP_OK) {
		verify_part(
		    v, PART, false, "%s: %s", given != NULL ? given : path, sp_strerror(rc));
		return SP_OK;
	}
	return open_note(v, span_of(v->manifest_text, len));
}

/* ---- the files ---- */

static void
check_file(struct verify *v, int root, const struct manifest_line *line)
{
	DEFER(close_fd) int fd = -1;
	struct op_stat st;
	char path[4200], hash[72], expected[16], found[16];
	struct text t = text_of(path, sizeof(path));
	int rc;

	text_add(&t, line->path);
	fd = t.bad ? SP_ERANGE : file_open_at(root, path, O_RDONLY, 0);
	rc = fd < 0 ? fd : verify_hash(fd, hash);
	if (rc == SP_OK)
		rc = op_stat_at(root, path, &st);
	if (rc != SP_OK) {
		verify_differs(v, PART, path, line->hash,
		    rc == SP_ENOTFOUND ? span_of(NULL, 0) : span_str(sp_strerror(rc)));
		return;
	}
	if (!span_eq_str(line->hash, hash))
		verify_differs(v, PART, path, line->hash, span_str(hash));
	if ((st.mode & 07777) == line->mode)
		return;
	(void)snprintf(expected, sizeof(expected), "mode %04o", line->mode);
	(void)snprintf(found, sizeof(found), "mode %04o", st.mode & 07777);
	verify_differs(v, PART, path, span_str(expected), span_str(found));
}

/* The rooms' folder is ours alone: a program there that the manifest does not know was planted. */
static int
check_extra(void *arg, int dirfd, const char *name)
{
	struct verify *v = arg;
	struct span rest = v->manifest;
	struct manifest_line line;

	(void)dirfd;
	while (manifest_next(&rest, &line) == 1) {
		struct span tail = span_str(name);

		if (line.path.len > tail.len &&
		    line.path.ptr[line.path.len - tail.len - 1] == '/' &&
		    span_eq(span_skip(line.path, line.path.len - tail.len), tail))
			return SP_OK;
	}
	verify_differs(v, PART, name, span_of(NULL, 0), SPAN_LIT("a file among the programs"));
	return SP_OK;
}

static int
check_folder(struct verify *v, int root)
{
	struct span whole = span_str(SALLYPORT_LIBEXEC), prefix = span_str(SALLYPORT_PREFIX);
	char path[4200];
	struct text t = text_of(path, sizeof(path));
	DEFER(close_fd) int dir = -1;

	if (!span_starts(whole, prefix))
		return SP_OK;
	text_add(&t, span_skip(whole, prefix.len + 1));
	dir = file_open_at(root, path, O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? SP_OK : op_dir_each(dir, check_extra, v); /* absent: every file is */
}

int
verify_programs_part(struct verify *v)
{
	const char *given = cli_opt(v->c, "--root"),
		   *root = given != NULL ? given : SALLYPORT_PREFIX;
	DEFER(close_fd) int dir = file_open_at(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0);
	struct manifest_line line;
	unsigned long long n = 0;
	struct span rest;
	bool there;
	int rc = read_manifest(v, root, &there);

	if (rc != SP_OK || !there)
		return rc;
	rest = v->manifest;
	while (dir >= 0 && (rc = manifest_next(&rest, &line)) == 1) {
		check_file(v, dir, &line);
		n++;
	}
	if (rc == SP_ESYNTAX)
		verify_differs(v, PART, "the manifest", SPAN_LIT("a line for each file"),
		    SPAN_LIT("another line"));
	verify_part(v, PART, dir >= 0 && v->manifest.len != 0, "%llu files below %s", n, root);
	return dir >= 0 && v->manifest.len != 0 ? check_folder(v, dir) : SP_OK;
}
