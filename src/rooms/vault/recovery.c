/* recovery.c - keys/root.recovery: the root key under the operator's passphrase
 * (docs/internals/ring.md). */
#include "rooms/vault/vault_core.h"

#include "base/wire.h"

struct recovery {
	uint64_t memory_bytes;
	uint32_t passes;
	uint8_t salt[16];
	struct span wrap; /* borrowed from the file */
};

static int
parse_recovery(struct span file, struct recovery *ret)
{
	static const struct span magic = {(const uint8_t *)"SPRR1", 6}; /* with its NUL */
	struct rd r = rd_of(file);
	struct recovery v;

	if (!span_eq(rd_take(&r, magic.len), magic))
		return SP_ESYNTAX;
	v.memory_bytes = rd_uint(&r, 8);
	v.passes = (uint32_t)rd_uint(&r, 4);
	rd_copy(&r, v.salt, sizeof(v.salt));
	v.wrap = rd_take(&r, WRAP_BYTES);
	if (!rd_done(&r) || v.memory_bytes < 8192 || v.memory_bytes > UINT64_C(1) << 30 ||
	    v.passes == 0 || v.passes > 16)
		return SP_ESYNTAX;
	*ret = v;
	return SP_OK;
}

int
vault_recovery_memory(struct span file, uint64_t *ret)
{
	struct recovery v;
	int err = parse_recovery(file, &v);

	if (err == SP_OK)
		*ret = v.memory_bytes;
	return err;
}

int
vault_root_from_recovery(struct span file, struct span passphrase, uint8_t ret[KEY_BYTES])
{
	static const uint8_t no_blob[16];
	uint8_t kek[KEY_BYTES];
	struct recovery v;
	struct wrap_info info;
	int err;

	err = parse_recovery(file, &v);
	if (err != SP_OK)
		return err;
	err = argon2id_key(passphrase, v.salt, v.memory_bytes, v.passes, kek);
	if (err == SP_OK)
		err = key_unwrap(kek, 0, no_blob, v.wrap, &info, ret);
	if (err == SP_EBADTAG)
		err = SP_EAUTH;
	else if (err == SP_OK && info.state != WRAP_ORG)
		err = SP_ESYNTAX;
	if (err != SP_OK)
		mem_wipe(ret, KEY_BYTES);
	mem_wipe(kek, sizeof(kek));
	return err;
}
