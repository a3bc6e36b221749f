/* witness_check.h - what witnesses said of this log, kept beside it, against the log as it is. */
#ifndef SP_CLI_WITNESS_CHECK_H
#define SP_CLI_WITNESS_CHECK_H

#include "cli/audit.h"
#include "crypto/cosign.h"

#define WITNESSES_MAX 16u

/* cosigned_path - where DIR keeps the newest cosigned checkpoint of a witness: cosigned/<id>. */
int cosigned_path(const struct cli *c, const struct cosigner *w, char *buf, size_t cap) MUST_USE;
/* witness_keys - of --witness: one verifier key, or a file with one a line.
 *   returns  how many, or an error that is said already */
int witness_keys(const char *given, struct cosigner *ret, size_t max) MUST_USE;
/* log_extends - does the log have this root at this size?  SP_EVERIFY with a sentence in why */
int log_extends(
    struct audit *a, uint64_t size, const struct hash *root, char *why, size_t cap) MUST_USE;
/* witnesses_check - each of the witnesses has cosigned a checkpoint of this log, which the log
 * extends. ret_said  receives a line about each: which size, when errors    SP_EVERIFY with a
 * sentence in why */
int witnesses_check(const struct cli *c, struct audit *a, const char *given, struct text *ret_said,
    char *why, size_t cap) MUST_USE;
#endif
