/* audit.h - what the audit commands share: the log of an instance, open for reading. */
#ifndef SP_CLI_AUDIT_H
#define SP_CLI_AUDIT_H

#include "cli/cli.h"
#include "store/tlog.h"

struct audit {
	int dirfd; /* of the folder ledger */
	struct tlog_fs fs;
	struct tlog_key key;
	struct tlog *log;
	char why[512]; /* the sentence of the last failure */
};

/* audit_key - the ledger's verifier key: of the file --key, else DIR/keys/ledger.pub.  Errors are
 * said already. */
int audit_key(const struct cli *c, struct tlog_key *ret) MUST_USE;
/* audit_open - key, folder and log.  Needs no server, and does no harm to a running one.
 *   errors  said already, but those of the log itself (SP_EVERIFY and the like), whose sentence is
 * in a->why: *ret_said is false then */
int audit_open(const struct cli *c, struct audit *a, bool *ret_said) MUST_USE;
/* audit_open_say - the same, every error said. */
int audit_open_say(const struct cli *c, struct audit *a) MUST_USE;
/* audit_kept - size and root of a checkpoint that the operator kept in a file.  Errors are said
 * already: SP_EVERIFY (this log's key did not sign it). */
int audit_kept(const char *path, const struct tlog_key *key, uint64_t *ret_size,
    struct hash *ret_root) MUST_USE;
/* audit_close - for DEFER. */
void audit_close(struct audit *a);
/* audit_read_file - a small file of the operator's, owned by the caller.  Errors are said already.
 */
int audit_read_file(const char *path, size_t max, uint8_t **ret, size_t *ret_len) MUST_USE;
#endif
