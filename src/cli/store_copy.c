/* store_copy.c - see store_copy.h. */
#include "cli/store_copy.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/audit.h"
#include "crypto/crypto.h"
#include "store/tlog.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define CHECKPOINT_WAIT_MS 90000 /* CheckpointInterval is at most a minute */
#define CHECKPOINT_STEP_MS 50

/* ---- temporary folders ---- */

int
temp_folder(const char *path, char *temp, size_t cap)
{
	struct text t = text_of(temp, cap);
	uint8_t random[6];
	int fd, rc = op_dir_empty(path);

	temp[0] = '\0';
	if (rc == 0)
		return cli_fail(SP_EEXISTS, "%s exists and is not empty", path);
	if (rc < 0 && rc != SP_ENOTFOUND)
		return cli_fail(
		    rc == SP_ENOTFOLDER ? SP_EEXISTS : rc, "%s: %s", path, sp_strerror(rc));
	if (crypto_random(random, sizeof(random)) != SP_OK)
		return cli_fail(SP_ECRYPTO, "%s", sp_strerror(SP_ECRYPTO));
	text_str(&t, path);
	text_str(&t, ".tmp-");
	text_hex(&t, span_of(random, sizeof(random)));
	rc = t.bad ? SP_ESPACE : dir_make_at(AT_FDCWD, temp, 0700);
	if (rc != SP_OK) {
		temp[0] = '\0';
		return cli_fail(rc, "%s cannot be made: %s", path, sp_strerror(rc));
	}
	fd = file_open_at(AT_FDCWD, temp, O_RDONLY | O_DIRECTORY, 0);
	return fd >= 0 ? fd : cli_fail(fd, "%s: %s", temp, sp_strerror(fd));
}

int
temp_keep(const char *temp, const char *path, int fd)
{
	DEFER(close_fd) int parent = -1;
	char up[4200];
	int rc = file_sync_all(fd);

	if (rc == SP_OK)
		rc = op_rename(temp, path);
	if (rc == SP_OK) {
		(void)snprintf(up, sizeof(up), "%s/..", path);
		parent = file_open_at(AT_FDCWD, up, O_RDONLY | O_DIRECTORY, 0);
		rc = parent < 0 ? parent : file_sync_all(parent);
	}
	return rc == SP_OK ? SP_OK : cli_fail(rc, "%s: %s", path, sp_strerror(rc));
}

void
temp_drop(const char *temp)
{
	if (temp[0] != '\0' && op_remove_tree(temp) != SP_OK)
		(void)cli_fail(
		    SP_EIO, "%s is left over; remove it", temp); /* the first error counts */
}

/* ---- files ---- */

int
copy_stopped(const struct copy *k)
{
	return op_signals_came(k->stop) ? cli_fail(SP_ECLOSED, "interrupted") : SP_OK;
}

int
copy_file(struct copy *k, const char *name, unsigned mode, bool need)
{
	struct op_stat st;
	int rc = op_copy_file(k->from, name, k->to, name, mode, k->stop);

	if (rc == SP_ENOTFOUND && !need)
		return SP_OK;
	if (rc == SP_OK && op_stat_at(k->to, name, &st) == SP_OK) {
		k->files++;
		k->bytes += (unsigned long long)st.size;
	}
	return rc == SP_OK ? SP_OK
			   : cli_fail(rc, "%s/%s to %s: %s", k->from_name, name, k->to_name,
				 sp_strerror(rc));
}

static int
copy_name(void *arg, int dirfd, const char *name)
{
	struct copy *up = arg;
	struct copy k = {
	    .from = dirfd, .to = up->to, .from_name = up->from_name, .to_name = up->to_name};
	struct op_stat st;
	int rc = copy_stopped(up);

	if (rc != SP_OK)
		return rc;
	rc = op_stat_at(dirfd, name, &st);
	if (rc == SP_ENOTFOUND)
		return SP_OK;
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s: %s", k.from_name, name, sp_strerror(rc));
	if (st.kind == OP_DIR)
		rc = copy_tree(&k, name);
	else if (st.kind == OP_FILE)
		rc = copy_file(&k, name, st.mode & 0700u, /* need= */ false);
	up->files += k.files;
	up->bytes += k.bytes;
	return rc;
}

int
copy_tree(struct copy *k, const char *name)
{
	DEFER(close_fd) int from = file_open_at(k->from, name, O_RDONLY | O_DIRECTORY, 0);
	DEFER(close_fd) int to = -1;
	int rc = from < 0 ? from : dir_make_at(k->to, name, 0700);
	struct copy below = {.stop = k->stop, .from_name = k->from_name, .to_name = k->to_name};

	if (rc == SP_OK) {
		to = file_open_at(k->to, name, O_RDONLY | O_DIRECTORY, 0);
		rc = to < 0 ? to : SP_OK;
	}
	if (rc != SP_OK)
		return cli_fail(
		    rc, "%s/%s to %s: %s", k->from_name, name, k->to_name, sp_strerror(rc));
	below.from = from;
	below.to = to;
	rc = op_dir_each(from, copy_name, &below);
	k->files += below.files;
	k->bytes += below.bytes;
	if (rc == SP_OK && (rc = file_sync_all(to)) != SP_OK)
		rc = cli_fail(rc, "%s/%s: %s", k->to_name, name, sp_strerror(rc));
	return rc;
}

/* ---- the audit log ---- */

/* note_size - the number of entries that a checkpoint's text claims: its second line. */
static int
note_size(struct span note, uint64_t *ret)
{
	note = span_skip(note, span_find(note, '\n') + 1);
	return parse_u64(span_cut(note, span_find(note, '\n')), UINT64_MAX, ret);
}

/* wait_note - the newest checkpoint once it covers `size` entries. */
static int
wait_note(const struct tlog_fs *fs, const struct op_signals *stop, uint64_t size, uint8_t **ret,
    size_t *ret_len, uint64_t *ret_size)
{
	int64_t end_ms = clock_mono_ms() + CHECKPOINT_WAIT_MS;

	for (;;) {
		int rc = tlog_fs_read(fs, "checkpoint", TLOG_NOTE_MAX, ret, ret_len);

		if (rc == SP_OK)
			rc = note_size(span_of(*ret, *ret_len), ret_size);
		if (rc == SP_OK && *ret_size >= size)
			return SP_OK;
		if (rc == SP_OK && op_signals_came(stop))
			return SP_ECLOSED;
		if (rc == SP_OK)
			mem_free(TAKE_PTR(*ret));
		else if (rc != SP_ENOTFOUND)
			return rc;
		if (clock_mono_ms() >= end_ms)
			return SP_ETIMEOUT;
		clock_sleep_ms(CHECKPOINT_STEP_MS);
	}
}

static int
copy_tile(struct copy *k, const struct tlog_fs *from, const struct tlog_fs *to, int level,
    uint64_t index, unsigned width)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	char path[TLOG_PATH_MAX];
	struct text t = text_of(path, sizeof(path));
	size_t len = 0;
	bool made;
	int rc;

	tile_path(&t, level, index, width);
	VERIFY(!t.bad);
	rc = tlog_fs_read(from, path, TLOG_BUNDLE_MAX, &content, &len);
	if (rc == SP_OK)
		rc = tlog_fs_write(to, path, span_of(content, len), &made);
	k->files += rc == SP_OK;
	k->bytes += rc == SP_OK ? len : 0;
	return rc;
}

/* copy_level - the tiles of one level (and, for level 0, the entries) of a log of `size` entries.
 */
static int
copy_level(struct copy *k, const struct tlog_fs *from, const struct tlog_fs *to, unsigned level,
    uint64_t size)
{
	uint64_t full = tiles_index(size, level);
	unsigned width = tiles_width(size, level);

	for (uint64_t i = 0; i < full + (width != 0); i++) {
		unsigned w = i < full ? TLOG_TILE : width;
		int rc = op_signals_came(k->stop) ? SP_ECLOSED
						  : copy_tile(k, from, to, (int)level, i, w);

		if (rc == SP_OK && level == 0)
			rc = copy_tile(k, from, to, -1, i, w);
		if (rc != SP_OK)
			return rc;
	}
	return SP_OK;
}

static int
copy_state(struct copy *k, const struct tlog_fs *from, const struct tlog_fs *to, uint64_t at_least)
{
	DEFER(mem_freep) uint8_t *note = NULL;
	uint64_t size = 0;
	size_t len = 0;
	bool made;
	int rc = wait_note(from, k->stop, at_least, &note, &len, &size);

	for (unsigned level = 0;
	     rc == SP_OK && level < TLOG_LEVELS && (level == 0 || size >> (8 * level) != 0);
	     level++)
		rc = copy_level(k, from, to, level, size);
	if (rc == SP_OK)
		rc = tlog_fs_write(to, "checkpoint", span_of(note, len), &made);
	return rc == SP_OK ? to->sync_dir(to->arg, "") : rc;
}

int
copy_ledger(struct copy *k, uint64_t size)
{
	DEFER(close_fd) int from = file_open_at(k->from, "ledger", O_RDONLY | O_DIRECTORY, 0);
	DEFER(close_fd) int to = -1;
	struct tlog_fs from_fs = tlog_fs_of(&from), to_fs = tlog_fs_of(&to);
	int rc = from < 0 ? from : SP_OK;

	/* a partial tile may make room for a fuller one while it is read: then with the next
	 * checkpoint, from the start */
	for (int tries = 0; tries < 3 && rc == SP_OK; tries++) {
		rc = dir_make_at(k->to, "ledger", 0700);
		if (rc == SP_OK)
			to = file_open_at(k->to, "ledger", O_RDONLY | O_DIRECTORY, 0);
		if (rc == SP_OK && to < 0)
			rc = to;
		if (rc == SP_OK && (rc = copy_state(k, &from_fs, &to_fs, size)) == SP_OK)
			return SP_OK;
		if (rc == SP_ENOTFOUND) {
			char path[4200];

			close_fd(&to);
			(void)snprintf(path, sizeof(path), "%s/ledger", k->to_name);
			rc = op_remove_tree(path);
		}
	}
	if (rc == SP_ETIMEOUT)
		return cli_fail(rc, "the audit log made no checkpoint in time");
	return cli_fail(rc == SP_OK ? SP_ENOTFOUND : rc, "%s/ledger: %s", k->from_name,
	    sp_strerror(rc == SP_OK ? SP_ENOTFOUND : rc));
}

int
verify_ledger(const char *dir, uint64_t *ret_entries)
{
	struct cli of_dir = {.dir = dir};
	DEFER(audit_close) struct audit a = {.dirfd = -1};
	int rc = audit_open_say(&of_dir, &a);

	if (rc != SP_OK)
		return rc;
	rc = tlog_verify(a.log, 0, NULL, a.why, sizeof(a.why));
	*ret_entries = rc == SP_OK ? tlog_size(a.log) : 0;
	return rc == SP_OK ? SP_OK : cli_fail(SP_EVERIFY, "audit log of %s: %s", dir, a.why);
}
