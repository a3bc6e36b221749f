/* audit.c - the audit log: opening it, verify, checkpoint. */
#include "cli/audit.h"

#include <fcntl.h>
#include <stdio.h>

#include "cli/witness_check.h"
#include "sys/fd.h"

int
audit_read_file(const char *path, size_t max, uint8_t **ret, size_t *ret_len)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	int err = fd < 0 ? fd : file_read_all(fd, max, ret, ret_len);

	return err != SP_OK ? cli_fail(err, "%s: %s", path, sp_strerror(err)) : SP_OK;
}

int
audit_key(const struct cli *c, struct tlog_key *ret)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	const char *given = cli_opt(c, "--key");
	char path[4096];
	size_t len = 0;
	int err = SP_OK;

	if (given == NULL)
		err = cli_path(c, "keys/ledger.pub", path, sizeof(path));
	if (err == SP_OK)
		err = audit_read_file(given != NULL ? given : path, 4096, &text, &len);
	if (err != SP_OK)
		return err;
	err = tlog_key_parse(span_of(text, len), ret);
	if (err != SP_OK)
		return cli_fail(SP_ESYNTAX, "%s: it is not a verifier key (name+id+key)",
		    given != NULL ? given : path);
	return SP_OK;
}

int
audit_open(const struct cli *c, struct audit *a, bool *ret_said)
{
	char path[4096];
	int err;

	*a = (struct audit){.dirfd = -1};
	*ret_said = true;
	err = audit_key(c, &a->key);
	if (err == SP_OK)
		err = cli_path(c, "ledger", path, sizeof(path));
	if (err != SP_OK)
		return err;
	a->dirfd = file_open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	if (a->dirfd < 0)
		return cli_fail(a->dirfd, "%s: %s", path, sp_strerror(a->dirfd));
	a->fs = tlog_fs_of(&a->dirfd);
	err = tlog_open(&a->fs, &a->key, &a->log, a->why, sizeof(a->why));
	*ret_said = false;
	return err == SP_EDAMAGED || err == SP_ENOTFOUND ? SP_EVERIFY : err;
}

int
audit_open_say(const struct cli *c, struct audit *a)
{
	bool said = false;
	int err = audit_open(c, a, &said);

	return err != SP_OK && !said ? cli_fail(err, "%s", a->why) : err;
}

void
audit_close(struct audit *a)
{
	tlog_free(a->log);
	a->log = NULL;
	close_fd(&a->dirfd);
}

/* ---- verify ---- */

/* A checkpoint that the operator kept: signed by the same key, of the same log. */
int
audit_kept(const char *path, const struct tlog_key *key, uint64_t *ret_size, struct hash *ret_root)
{
	DEFER(mem_freep) uint8_t *note = NULL;
	size_t len = 0;
	int err = audit_read_file(path, TLOG_NOTE_MAX, &note, &len);

	if (err != SP_OK)
		return err;
	err = checkpoint_open(span_of(note, len), key->name, key->public_key, ret_size, ret_root);
	return err == SP_OK
		   ? SP_OK
		   : cli_fail(SP_EVERIFY, "%s: it is not a checkpoint that the key of %s signed",
			 path, key->name);
}

static void
print_result(const struct cli *c, const struct audit *a, int err, const uint64_t *kept)
{
	char buf[2048];
	struct text t = text_of(buf, sizeof(buf));
	struct json j = json_of(&t);
	struct hash root;
	char b64[64];
	struct text bt = text_of(b64, sizeof(b64));

	if (a->log != NULL) {
		tlog_root(a->log, &root);
		base64_put(&bt, span_of(root.b, sizeof(root.b)));
	}
	if (!c->json && err == SP_OK) {
		(void)printf("audit log %s: %llu entries verified under the checkpoint, root %s\n",
		    a->key.name, (unsigned long long)tlog_size(a->log), b64);
		if (kept != NULL)
			(void)printf("it extends the checkpoint of %llu entries that was kept\n",
			    (unsigned long long)*kept);
		if (tlog_end(a->log) != tlog_size(a->log))
			(void)printf(
			    "%llu more entries are stored and wait for the next checkpoint\n",
			    (unsigned long long)(tlog_end(a->log) - tlog_size(a->log)));
	}
	if (!c->json)
		return;
	json_open(&j, '{');
	json_kbool(&j, "verified", err == SP_OK);
	json_kstr(&j, "origin", span_str(a->key.name));
	if (a->log != NULL) {
		json_ku64(&j, "entries", tlog_size(a->log));
		json_ku64(&j, "after_checkpoint", tlog_end(a->log) - tlog_size(a->log));
		json_kstr(&j, "root", text_span(&bt));
	}
	if (kept != NULL)
		json_ku64(&j, "kept_entries", *kept);
	if (err != SP_OK)
		json_kstr(&j, "error", span_str(a->why));
	json_close(&j, '}');
	(void)printf("%s\n", buf);
}

int
cmd_audit_verify(struct cli *c)
{
	DEFER(audit_close) struct audit a = {.dirfd = -1};
	const char *kept = cli_opt(c, "--checkpoint"), *witness = cli_opt(c, "--witness");
	char witnesses[4096];
	struct text said_by = text_of(witnesses, sizeof(witnesses));
	uint64_t kept_size = 0;
	struct hash kept_root;
	bool said = false;
	int err = audit_open(c, &a, &said);

	if (err != SP_OK && said)
		return err;
	if (kept != NULL) {
		int rc = audit_kept(kept, &a.key, &kept_size, &kept_root);

		if (rc != SP_OK)
			return rc;
	}
	if (err == SP_OK)
		err = tlog_verify(
		    a.log, kept_size, kept != NULL ? &kept_root : NULL, a.why, sizeof(a.why));
	if (err == SP_OK && witness != NULL)
		err = witnesses_check(c, &a, witness, &said_by, a.why, sizeof(a.why));
	if (err == SP_OK && said_by.len != 0 && !c->json)
		(void)printf("%s\n", witnesses);
	print_result(c, &a, err, kept != NULL ? &kept_size : NULL);
	if (err != SP_OK)
		(void)cli_fail(err, "%s", a.why);
	return cli_out_done() != SP_OK ? SP_EIO : err;
}

int
cmd_audit_checkpoint(struct cli *c)
{
	DEFER(audit_close) struct audit a = {.dirfd = -1};
	int err = audit_open_say(c, &a);
	struct span note;

	if (err != SP_OK)
		return err;
	note = tlog_note(a.log);
	(void)fwrite(note.ptr, 1, note.len, stdout);
	return cli_out_done();
}
