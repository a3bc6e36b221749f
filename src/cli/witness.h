/* witness.h - `sallyport witness`: a machine that remembers which state of an audit log it has
 * seen.
 *
 * A witness's folder: witness.key (Ed25519 seed, 0400), witness.pub (its verifier key), lock, and
 * of each log logs/<id>.pub (the log's verifier key) and logs/<id>.checkpoint (the newest
 * checkpoint that was cosigned, with the cosignature).  <id>: the first 8 bytes of SHA-256(origin)
 * in hex.
 */
#ifndef SP_CLI_WITNESS_H
#define SP_CLI_WITNESS_H

#include "cli/cli.h"
#include "crypto/cosign.h"
#include "store/tlog.h"

#define WITNESS_NAME_MAX 64u
#define COSIGNED_MAX 20480u /* a log's checkpoint and one cosignature, as we keep them */

struct witness {
	int dirfd, logs;
	struct cosigner self;
	uint8_t seed[32];
};

/* witness_open - the folder, its key and name.  Errors are said already.   witness_close - for
 * DEFER. */
int witness_open(const char *dir, struct witness *w) MUST_USE;
void witness_close(struct witness *w);
/* witness_file - "<id of origin>.<suffix>", a name in logs/. */
int witness_file(struct span origin, const char *suffix, char *buf, size_t cap) MUST_USE;
/* witness_log - the key of a log that was added; SP_ENOTFOUND. */
int witness_log(const struct witness *w, struct span origin, struct tlog_key *ret) MUST_USE;
/* witness_last - the newest checkpoint that was cosigned; size 0 when there is none.
 *   note  of COSIGNED_MAX bytes; receives the whole of it, for show; NULL: not wanted */
int witness_last(const struct witness *w, const struct tlog_key *key, uint64_t *ret_size,
    struct hash *ret_root, struct text *note) MUST_USE;

/* witness_add_checkpoint - the whole judgement of one request.
 *   now_s     the witness's clock, since 1970
 *   ret_body  receives the answer's body
 *   returns   the HTTP status: 200 (cosigned, and remembered durably), 400, 403, 404, 409, 413,
 * 422, 500 source    C2SP tlog-witness */
unsigned witness_add_checkpoint(
    const struct witness *w, struct span body, uint64_t now_s, struct text *ret_body);
#endif
