/* password.c - Argon2id (RFC 9106) through libargon2.  The only file that uses it. */
#include "crypto/crypto.h"
#include "base/text.h"

#include <argon2.h>

#define SALT_BYTES 16u
#define HASH_BYTES 32u
#define MEMORY_MAX_KIB (1024u * 1024u) /* 1 GiB */
#define PASSES_MAX 16u
#define PASSWORD_MAX 1024u

static int
from_argon2(int r)
{
	if (r == ARGON2_OK)
		return SP_OK;
	return r == ARGON2_MEMORY_ALLOCATION_ERROR ? SP_ENOMEM : SP_ECRYPTO;
}

/* Are these costs in the limits that we make and accept?  A lane needs 8 KiB at least. */
static bool
cost_ok(uint64_t memory_kib, uint64_t passes)
{
	return memory_kib >= 8 && memory_kib <= MEMORY_MAX_KIB && passes >= 1 &&
	       passes <= PASSES_MAX;
}

int
password_hash(struct span password, uint64_t memory_bytes, unsigned passes, char *phc, size_t cap)
{
	uint8_t salt[SALT_BYTES];
	int r;

	if (!cost_ok(memory_bytes / 1024, passes) || password.len > PASSWORD_MAX)
		return SP_ERANGE;
	if (cap < argon2_encodedlen(passes, (uint32_t)(memory_bytes / 1024), 1, SALT_BYTES,
		      HASH_BYTES, Argon2_id))
		return SP_ESPACE;
	r = crypto_random(salt, sizeof(salt));
	if (r != SP_OK)
		return r;
	return from_argon2(argon2id_hash_encoded(passes, (uint32_t)(memory_bytes / 1024), 1,
	    password.ptr, password.len, salt, sizeof(salt), HASH_BYTES, phc, cap));
}

/* The number between key and end ("m=", ","), taken off *s. */
static int
take_cost(struct span *s, const char *key, uint8_t end, uint64_t max, uint64_t *ret)
{
	size_t n;

	if (!span_starts(*s, span_str(key)))
		return SP_ESYNTAX;
	*s = span_skip(*s, strlen(key));
	n = span_find(*s, end);
	if (n == s->len)
		return SP_ESYNTAX;
	int r = parse_u64(span_cut(*s, n), max, ret);

	*s = span_skip(*s, n + 1);
	return r;
}

/* Read the costs of a PHC string before any work is spent on it.  One lane only: a string with more
 * would start threads, which the room that checks passwords may not. */
static int
check_cost(struct span s)
{
	uint64_t memory_kib = 0, passes = 0, lanes = 0;
	int r;

	if (!span_starts(s, SPAN_LIT("$argon2id$v=19$")))
		return SP_ESYNTAX;
	s = span_skip(s, sizeof("$argon2id$v=19$") - 1);
	r = take_cost(&s, "m=", ',', UINT32_MAX, &memory_kib);
	if (r == SP_OK)
		r = take_cost(&s, "t=", ',', UINT32_MAX, &passes);
	if (r == SP_OK)
		r = take_cost(&s, "p=", '$', UINT32_MAX, &lanes);
	if (r != SP_OK)
		return r;
	return cost_ok(memory_kib, passes) && lanes == 1 ? SP_OK : SP_ERANGE;
}

int
password_verify(struct span password, const char *phc)
{
	int r = check_cost(span_str(phc));

	if (r != SP_OK)
		return r;
	if (password.len > PASSWORD_MAX)
		return SP_ERANGE;
	r = argon2id_verify(phc, password.ptr, password.len);
	if (r == ARGON2_VERIFY_MISMATCH)
		return SP_EAUTH;
	if (r == ARGON2_OK || r == ARGON2_MEMORY_ALLOCATION_ERROR)
		return from_argon2(r);
	return SP_ESYNTAX; /* salt or hash: not base64, or too short */
}

int
argon2id_key(struct span passphrase, const uint8_t salt[16], uint64_t memory_bytes, unsigned passes,
    uint8_t ret_key[KEY_BYTES])
{
	if (!cost_ok(memory_bytes / 1024, passes) || passphrase.len > PASSWORD_MAX)
		return SP_ERANGE;
	return from_argon2(argon2id_hash_raw(passes, (uint32_t)(memory_bytes / 1024), 1,
	    passphrase.ptr, passphrase.len, salt, 16, ret_key, KEY_BYTES));
}
