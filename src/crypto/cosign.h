/* cosign.h - cosignatures: a witness says that it saw this checkpoint extend all that it saw
 * before.
 *
 * source  C2SP tlog-cosignature (the Ed25519 kind, "cosignature/v1")
 */
#ifndef SP_CRYPTO_COSIGN_H
#define SP_CRYPTO_COSIGN_H

#include "crypto/merkle.h"

#define COSIGNER_NAME_MAX 64u

struct cosigner {
	char name[COSIGNER_NAME_MAX + 1];
	uint8_t public_key[32];
	uint32_t id; /* SHA-256(name || "\n" || 0x04 || public key), its first 4 bytes */
};

/* cosigner_of - name and public key with the id that follows.  errors SP_ESYNTAX */
int cosigner_of(struct span name, const uint8_t public_key[32], struct cosigner *ret) MUST_USE;
/* cosigner_parse - a verifier key "<name>+<8 hex>+<base64 of 0x04 || public key>", with or without
 * the end of its line.  cosigner_put - the other way. errors  SP_ESYNTAX; SP_EVERIFY when the id is
 * that of another key */
int cosigner_parse(struct span line, struct cosigner *ret) MUST_USE;
void cosigner_put(struct text *t, const struct cosigner *c);

/* cosign_put - the signature line for a checkpoint.
 *   body    of the checkpoint: its text with the final newline (note_split)
 *   time_s  since 1970 */
int cosign_put(struct text *t, struct span body, const struct cosigner *c, const uint8_t seed[32],
    uint64_t time_s) MUST_USE;
/* cosign_check - does this note have a good cosignature of c?
 *   ret_time_s  when it was made, by the witness's clock
 *   errors      SP_EVERIFY (none, or a wrong one), SP_ESYNTAX */
int cosign_check(struct span note, const struct cosigner *c, uint64_t *ret_time_s) MUST_USE;
#endif
