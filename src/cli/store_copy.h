/* store_copy.h - copying the parts of an instance, for backup and restore. */
#ifndef SP_CLI_STORE_COPY_H
#define SP_CLI_STORE_COPY_H

#include "cli/cli.h"

/* struct copy - from one folder to another; both open. */
struct copy {
	int from, to;
	const char *from_name, *to_name; /* for sentences */
	struct op_signals *stop;	 /* a signal ends the copying; NULL: none is looked for */
	unsigned long long files, bytes;
};

/* copy_file - one file under the same name, synced.  need: it is an error when it is not there.
 * copy_tree - a folder with all below it, which may change meanwhile: what vanishes is left out.
 *   errors are said already */
int copy_file(struct copy *k, const char *name, unsigned mode, bool need) MUST_USE;
int copy_tree(struct copy *k, const char *name) MUST_USE;

/* copy_ledger - the audit log up to its newest checkpoint that covers at least `size` entries, and
 * nothing behind it: a log by itself that verifies.  Waits for the checkpoint some seconds. errors
 * are said already: SP_ETIMEOUT */
int copy_ledger(struct copy *k, uint64_t size) MUST_USE;

/* verify_ledger - verify the whole log in dir/ledger with dir/keys/ledger.pub; errors are said
 * already. */
int verify_ledger(const char *dir, uint64_t *ret_entries) MUST_USE;

/* temp_folder - make "<path>.tmp-xxxx" (mode 0700) and open it.  path must not exist or be an empty
 * folder. temp      receives its name, owned by the caller's buffer returns   a descriptor, or an
 * error that is said already */
int temp_folder(const char *path, char *temp, size_t cap) MUST_USE;
/* temp_keep - put the folder in its place, durably. */
int temp_keep(const char *temp, const char *path, int fd) MUST_USE;
/* copy_stopped - SP_ECLOSED, said already, when a signal has come. */
int copy_stopped(const struct copy *k) MUST_USE;

/* temp_drop - remove it; for failures. */
void temp_drop(const char *temp);
#endif
