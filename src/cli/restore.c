/* restore.c - sallyport restore: an instance of a backup, verified before it is there. */
#include <fcntl.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/text.h"
#include "cli/init.h"
#include "cli/program.h"
#include "cli/store_copy.h"
#include "sys/fd.h"
#include "sys/operator.h"

struct restore {
	struct cli *c;
	struct copy copy;
	struct conf conf;
	char src[4096], dir[4096], temp[4200];
	uint64_t entries;
};

static int
open_all(struct restore *r)
{
	struct cli of_src = {.dir = r->src};
	int rc;

	if (op_absolute(cli_opt(r->c, "SRC"), r->src, sizeof(r->src)) != SP_OK ||
	    op_absolute(cli_has(r->c, "DIR") ? cli_opt(r->c, "DIR") : r->c->dir, r->dir,
		sizeof(r->dir)) != SP_OK)
		return cli_fail(SP_EUSAGE, "a path is too long");
	rc = init_place(r->dir);
	if (rc == SP_OK && cli_no_instance(&of_src))
		rc = cli_fail(SP_ENOTFOUND, "%s: there is no backup here", r->src);
	if (rc == SP_OK)
		rc = cli_conf(&of_src, &r->conf);
	if (rc != SP_OK)
		return rc;
	r->copy.from = file_open_at(AT_FDCWD, r->src, O_RDONLY | O_DIRECTORY, 0);
	if (r->copy.from < 0)
		return cli_fail(r->copy.from, "%s: %s", r->src, sp_strerror(r->copy.from));
	rc = op_signals_hold(&r->copy.stop);
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	r->copy.to = temp_folder(r->dir, r->temp, sizeof(r->temp));
	r->copy.from_name = r->src;
	r->copy.to_name = r->temp;
	return r->copy.to < 0 ? r->copy.to : SP_OK;
}

static int
copy_all(struct restore *r)
{
	static const char *const folders[] = {"keys", "vault", "db", "blobs", "ledger"};
	int rc = copy_file(&r->copy, "sallyport.conf", 0644, /* need= */ true);

	if (rc == SP_OK)
		rc = copy_file(&r->copy, "limits.conf", 0644, /* need= */ false);
	for (size_t i = 0; rc == SP_OK && i < ARRAY_LEN(folders); i++)
		rc = copy_tree(&r->copy, folders[i]);
	if (rc == SP_OK && (rc = dir_make_at(r->copy.to, "run", 0700)) != SP_OK)
		rc = cli_fail(rc, "%s/run: %s", r->temp, sp_strerror(rc));
	/* empty: the courier takes the alarms of the last days from the audit log again */
	if (rc == SP_OK && (rc = dir_make_at(r->copy.to, "courier", 0700)) != SP_OK)
		rc = cli_fail(rc, "%s/courier: %s", r->temp, sp_strerror(rc));
	return rc;
}

/* root_key - a backup has it only when that was asked for; else the recovery passphrase makes it
 * anew. */
static int
root_key(struct restore *r)
{
	struct op_stat st;
	char *passphrase;
	size_t len = 0;
	int rc;

	if (strcmp(r->conf.root_key, "file:keys/root.key") != 0 ||
	    op_stat_at(r->copy.to, "keys/root.key", &st) == SP_OK)
		return SP_OK;
	passphrase = secret_new(PASSPHRASE_MAX);
	if (passphrase == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	rc = cli_secret(r->c, "--passphrase-stdin", "Recovery passphrase: ", /* twice= */ false,
	    passphrase, &len);
	if (rc == SP_OK)
		rc = recovery_open(r->copy.to, "keys/root.key", span_of(passphrase, len));
	secret_free(passphrase, PASSPHRASE_MAX);
	return rc;
}

static int
check(struct restore *r)
{
	char broker[4096], db[4210], blobs[4210], flag[] = "--check";
	char *argv[] = {broker, flag, db, blobs, NULL};
	int rc = verify_ledger(r->temp, &r->entries);

	if (rc == SP_OK)
		rc = program_find("sallyport-broker", broker, sizeof(broker));
	if (rc != SP_OK)
		return rc;
	(void)snprintf(db, sizeof(db), "%s/db", r->temp);
	(void)snprintf(blobs, sizeof(blobs), "%s/blobs", r->temp);
	rc = op_run(broker, argv);
	if (rc != 0)
		return cli_fail(
		    SP_EVERIFY, "the database or the blobs of %s are not sound", r->src);
	return SP_OK;
}

int
cmd_restore(struct cli *c)
{
	DEFER(mem_freep) struct restore *r = mem_alloc(sizeof(*r));
	int rc;

	if (r == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	r->c = c;
	r->copy.from = r->copy.to = -1;
	rc = open_all(r);
	if (rc == SP_OK)
		rc = copy_all(r);
	if (rc == SP_OK)
		rc = root_key(r);
	if (rc == SP_OK)
		rc = check(r);
	if (rc == SP_OK)
		rc = init_give_away(r->temp, &r->conf);
	if (rc == SP_OK)
		rc = temp_keep(r->temp, r->dir, r->copy.to);
	if (rc != SP_OK)
		temp_drop(r->temp);
	close_fd(&r->copy.from);
	close_fd(&r->copy.to);
	op_signals_release(r->copy.stop);
	if (rc != SP_OK)
		return rc;
	if (c->json)
		(void)printf("{\"files\":%llu,\"bytes\":%llu,\"audit_entries\":%llu}\n",
		    r->copy.files, r->copy.bytes, (unsigned long long)r->entries);
	else
		(void)printf("Restored %llu files, %llu bytes; database, blobs and the %llu "
			     "entries of the audit log are sound.\n"
			     "Start it with: sallyport -C %s serve\n",
		    r->copy.files, r->copy.bytes, (unsigned long long)r->entries, r->dir);
	return cli_out_done();
}
