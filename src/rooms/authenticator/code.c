/* code.c - see code.h. */
#include "rooms/authenticator/code.h"

#include <liboath/oath.h>

int
code_ready(void)
{
	static const uint8_t seed[CODE_SEED_BYTES];
	char first[CODE_DIGITS + 1];

	if (oath_init() != OATH_OK)
		return SP_ECRYPTO;
	return oath_totp_generate((const char *)seed, sizeof(seed), 0, CODE_STEP_S, 0, CODE_DIGITS,
		   first) == OATH_OK
		   ? SP_OK
		   : SP_ECRYPTO;
}

/* the digits of what was typed; people write "123 456" */
static int
digits(struct span code, char ret[CODE_DIGITS])
{
	size_t n = 0;

	for (size_t i = 0; i < code.len; i++) {
		if (code.ptr[i] == ' ')
			continue;
		if (code.ptr[i] < '0' || code.ptr[i] > '9' || n == CODE_DIGITS)
			return SP_EAUTH;
		ret[n++] = (char)code.ptr[i];
	}
	return n == CODE_DIGITS ? SP_OK : SP_EAUTH;
}

int
code_check(const uint8_t seed[CODE_SEED_BYTES], struct span code, uint64_t now_s,
    uint64_t last_step, uint64_t *ret_step)
{
	char typed[CODE_DIGITS], right[CODE_DIGITS + 1];
	uint64_t now = now_s / CODE_STEP_S, found = 0;

	if (now < CODE_WINDOW || now_s > INT64_MAX / 2)
		return SP_ERANGE;
	if (digits(code, typed) != SP_OK)
		return SP_EAUTH;
	for (uint64_t step = now - CODE_WINDOW; step <= now + CODE_WINDOW; step++) {
		if (oath_totp_generate((const char *)seed, CODE_SEED_BYTES,
			(time_t)(step * CODE_STEP_S), CODE_STEP_S, 0, CODE_DIGITS,
			right) != OATH_OK)
			return SP_ECRYPTO;
		if (secret_eq(span_of(typed, CODE_DIGITS), span_of(right, CODE_DIGITS)) &&
		    step > last_step)
			found = step;
	}
	mem_wipe(typed, sizeof(typed));
	mem_wipe(right, sizeof(right));
	if (found == 0)
		return SP_EAUTH;
	*ret_step = found;
	return SP_OK;
}

int
code_check_sealed(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES],
    struct span content, struct span code, uint64_t now_s, uint64_t last_step, uint64_t *ret_step)
{
	uint8_t *seed = secret_new(CODE_SEALED_MAX);
	size_t len = 0;
	int err;

	if (seed == NULL)
		return SP_ENOMEM;
	err = content.len <= CODE_SEALED_MAX
		  ? blob_inline_open(key, blob, content, seed, CODE_SEALED_MAX, &len)
		  : SP_EDAMAGED;
	if (err == SP_OK && len != CODE_SEED_BYTES)
		err = SP_EDAMAGED;
	if (err == SP_OK)
		err = code_check(seed, code, now_s, last_step, ret_step);
	secret_free(seed, CODE_SEALED_MAX);
	return err;
}

int
code_seed_text(const uint8_t seed[CODE_SEED_BYTES], char ret[CODE_SEED_TEXT])
{
	char *text = NULL;
	size_t len = 0;
	int err = SP_OK;

	if (oath_base32_encode((const char *)seed, CODE_SEED_BYTES, &text, &len) != OATH_OK)
		return SP_ENOMEM;
	if (len == CODE_SEED_TEXT - 1) {
		memcpy(ret, text, len);
		ret[len] = '\0';
	} else
		err = SP_ESPACE;
	mem_wipe(text, len);
	mem_free(text); /* the library's own allocator is malloc */
	return err;
}

int
code_make(const uint8_t key[KEY_BYTES], const uint8_t blob[BLOB_ID_BYTES], uint8_t *out, size_t cap,
    size_t *ret_len, char ret_text[CODE_SEED_TEXT])
{
	uint8_t *seed = secret_new(CODE_SEED_BYTES);
	int err;

	if (seed == NULL)
		return SP_ENOMEM;
	err = crypto_random(seed, CODE_SEED_BYTES);
	if (err == SP_OK)
		err =
		    blob_inline_seal(key, blob, span_of(seed, CODE_SEED_BYTES), out, cap, ret_len);
	if (err == SP_OK)
		err = code_seed_text(seed, ret_text);
	secret_free(seed, CODE_SEED_BYTES);
	return err;
}
