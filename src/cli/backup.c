/* backup.c - sallyport backup: database, blobs, wrapped keys and audit log of one moment, while the
 * server runs.
 *
 * Order matters: the database first (it names blobs and audit entries), then what it names.  Blobs
 * never change, and until we say that we are done nothing that the snapshot needs is shredded.  The
 * automatic copy of the root key stays behind unless it is asked for: without it a stolen backup is
 * noise, and the recovery passphrase opens it.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/call.h"
#include "cli/store_copy.h"
#include "sys/fd.h"
#include "sys/operator.h"

struct backup {
	struct cli *c;
	struct call call;
	struct copy copy;
	char dest[4096], temp[4200];
	uint64_t audit_size;
	char snapshot[64];
};

static int
step(struct backup *k, const char *verb, json_t **ret)
{
	return call_verb(&k->call, verb, NULL, span_of(NULL, 0), ret);
}

static int
begin(struct backup *k)
{
	DEFER(json_done) json_t *answer = NULL;
	const char *name;
	int rc = step(k, "backup begin", &answer);

	if (rc != SP_OK)
		return rc;
	name = json_string_value(json_object_get(answer, "snapshot"));
	k->audit_size = (uint64_t)json_integer_value(json_object_get(answer, "audit_size"));
	if (name == NULL || strchr(name, '/') != NULL || strlen(name) >= sizeof(k->snapshot))
		return cli_fail(SP_ESYNTAX, "the server's answer: %s", sp_strerror(SP_ESYNTAX));
	memcpy(k->snapshot, name, strlen(name) + 1);
	return SP_OK;
}

static int
copy_database(struct backup *k)
{
	char from[96];
	int rc = dir_make_at(k->copy.to, "db", 0700);

	(void)snprintf(from, sizeof(from), "db/%s", k->snapshot);
	if (rc == SP_OK)
		rc = op_copy_file(
		    k->copy.from, from, k->copy.to, "db/sallyport.db", 0600, k->copy.stop);
	return rc == SP_OK ? SP_OK : cli_fail(rc, "%s/%s: %s", k->c->dir, from, sp_strerror(rc));
}

static int
copy_keys(struct backup *k)
{
	static const struct {
		const char *name;
		unsigned mode;
		bool need;
	} files[] = {
	    {"keys/root.recovery", 0400, true},
	    {"keys/ledger.key", 0400, true},
	    {"keys/ledger.pub", 0444, true},
	    {"keys/https.crt", 0444, false},
	    {"keys/https.key", 0400, false},
	    {"vault/state", 0600, true},
	    {"vault/egress", 0600, false},
	    {"limits.conf", 0644, false},
	    {"sallyport.conf", 0644, true},
#define HOST_KEY(WHAT, TYPE, path, sshfp) {path, 0400, false},
#include "ipc/hostkeys.def"
#undef HOST_KEY
	};
	int rc = dir_make_at(k->copy.to, "keys", 0700);

	if (rc == SP_OK)
		rc = dir_make_at(k->copy.to, "vault", 0700);
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s", k->temp, sp_strerror(rc));
	for (size_t i = 0; rc == SP_OK && i < ARRAY_LEN(files); i++)
		rc = copy_file(&k->copy, files[i].name, files[i].mode, files[i].need);
	if (rc == SP_OK && cli_has(k->c, "--with-root-key"))
		rc = copy_file(&k->copy, "keys/root.key", 0400, /* need= */ true);
	return rc;
}

static int
copy_all(struct backup *k)
{
	uint64_t entries;
	int rc = begin(k);

	if (rc == SP_OK)
		rc = copy_database(k);
	if (rc == SP_OK)
		rc = copy_tree(&k->copy, "blobs");
	if (rc == SP_OK)
		rc = copy_keys(k);
	if (rc == SP_OK)
		rc = copy_ledger(&k->copy, k->audit_size);
	return rc == SP_OK ? verify_ledger(k->temp, &entries) : rc;
}

static int
open_all(struct backup *k)
{
	int rc;

	if (op_absolute(cli_opt(k->c, "DEST"), k->dest, sizeof(k->dest)) != SP_OK)
		return cli_fail(SP_EUSAGE, "%s: the path is too long", cli_opt(k->c, "DEST"));
	rc = call_open(k->c, &k->call);
	if (rc != SP_OK)
		return rc;
	k->copy.from = file_open_at(AT_FDCWD, k->c->dir, O_RDONLY | O_DIRECTORY, 0);
	if (k->copy.from < 0)
		return cli_fail(k->copy.from, "%s: %s", k->c->dir, sp_strerror(k->copy.from));
	rc = op_signals_hold(&k->copy.stop);
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	k->copy.to = temp_folder(k->dest, k->temp, sizeof(k->temp));
	k->copy.from_name = k->c->dir;
	k->copy.to_name = k->temp;
	return k->copy.to < 0 ? k->copy.to : SP_OK;
}

int
cmd_backup(struct cli *c)
{
	DEFER(mem_freep) struct backup *k = mem_alloc(sizeof(*k));
	DEFER(json_done) json_t *answer = NULL;
	int rc;

	if (k == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	k->c = c;
	k->copy.from = k->copy.to = -1;
	rc = open_all(k);
	if (rc == SP_OK)
		rc = copy_all(k);
	if (rc == SP_OK)
		rc = step(k, "backup end", &answer);
	if (rc == SP_OK)
		rc = temp_keep(k->temp, k->dest, k->copy.to);
	if (rc != SP_OK)
		temp_drop(k->temp);
	call_close(&k->call);
	close_fd(&k->copy.from);
	close_fd(&k->copy.to);
	op_signals_release(k->copy.stop);
	if (rc != SP_OK)
		return rc;
	if (c->json)
		(void)printf("{\"files\":%llu,\"bytes\":%llu}\n", k->copy.files, k->copy.bytes);
	else
		(void)printf("Backed up %llu files, %llu bytes, to %s; its audit log verifies.\n",
		    k->copy.files, k->copy.bytes, k->dest);
	return cli_out_done();
}
