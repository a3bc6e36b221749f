/* audit.h - what the audit commands share: the log of an instance, open for reading. */
#ifndef SP_CLI_AUDIT_H
#define SP_CLI_AUDIT_H

#include "base/text.h"
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
/* audit_time - the time of an option in microseconds; *ret_us stays as it is when it was not given.
 * SP_EUSAGE, said already. */
int audit_time(const struct cli *c, const char *option, int64_t *ret_us) MUST_USE;
/* audit_print - an entry on standard output, as a line for people or as it is stored. */
void audit_print(uint64_t n, struct span entry, bool json);
/* audit_proof - an entry of the log with its inclusion proof, as C2SP tlog-proof text.
 *   t       of AUDIT_PROOF_MAX bytes
 *   errors  SP_EUNAVAIL (not under the checkpoint yet), and those of a log that contradicts itself
 */
#define AUDIT_PROOF_MAX (256u * 1024)
int audit_proof(struct audit *a, uint64_t index, struct text *t) MUST_USE;
#endif
