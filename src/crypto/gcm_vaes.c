/* gcm_vaes.c - AES-GCM through libipsec-mb (Intel Multi-Buffer Crypto for IPsec). */
#include "crypto/gcm_vaes.h"

#include <intel-ipsec-mb.h>

#define ALIGNMENT 64u /* of a key schedule */
#define FEATURES (IMB_CPUFLAGS_AVX512_T2 | IMB_FEATURE_SELF_TEST_PASS)

/* The functions for this processor.  Written once by vaes_ready, constant from then on; all zero:
 * there are none. */
static struct {
	struct {
		aes_gcm_pre_t pre;
		aes_gcm_init_t init;
		aes_gcm_enc_dec_update_t encrypt, decrypt;
		aes_gcm_enc_dec_finalize_t encrypt_end, decrypt_end;
	} by_key[2]; /* AES-128, AES-256 */
} functions;

struct vaes {
	void *block; /* where keys lies in, owned */
	struct gcm_key_data *keys;
	struct gcm_context_data context;
	size_t is_256;
};

static void
take_functions(const IMB_MGR *m)
{
	functions.by_key[0].pre = m->gcm128_pre;
	functions.by_key[0].init = m->gcm128_init;
	functions.by_key[0].encrypt = m->gcm128_enc_update;
	functions.by_key[0].decrypt = m->gcm128_dec_update;
	functions.by_key[0].encrypt_end = m->gcm128_enc_finalize;
	functions.by_key[0].decrypt_end = m->gcm128_dec_finalize;
	functions.by_key[1].pre = m->gcm256_pre;
	functions.by_key[1].init = m->gcm256_init;
	functions.by_key[1].encrypt = m->gcm256_enc_update;
	functions.by_key[1].decrypt = m->gcm256_dec_update;
	functions.by_key[1].encrypt_end = m->gcm256_enc_finalize;
	functions.by_key[1].decrypt_end = m->gcm256_dec_finalize;
}

bool
vaes_ready(void)
{
	IMB_MGR *m = alloc_mb_mgr(0);

	if (m == NULL)
		return false;
	if ((m->features & IMB_CPUFLAGS_AVX512_T2) == IMB_CPUFLAGS_AVX512_T2) {
		init_mb_mgr_avx512(m);
		if (imb_get_errno(m) == 0 && (m->features & FEATURES) == FEATURES)
			take_functions(m);
	}
	free_mb_mgr(m);
	return functions.by_key[1].pre != NULL;
}

struct vaes *
vaes_new(void)
{
	struct vaes *v = mem_alloc(sizeof(*v));

	if (v == NULL)
		return NULL;
	v->block = mem_alloc(sizeof(*v->keys) + ALIGNMENT);
	if (v->block == NULL) {
		mem_free(v);
		return NULL;
	}
	v->keys = (struct gcm_key_data *)(((uintptr_t)v->block + ALIGNMENT - 1) &
					  ~(uintptr_t)(ALIGNMENT - 1));
	return v;
}

void
vaes_free(struct vaes *v)
{
	if (v == NULL)
		return;
	mem_wipe(v->block, sizeof(*v->keys) + ALIGNMENT);
	mem_free(v->block);
	mem_wipe(v, sizeof(*v));
	mem_free(v);
}

void
vaes_key(struct vaes *v, struct span key)
{
	v->is_256 = key.len == 32;
	functions.by_key[v->is_256].pre(key.ptr, v->keys);
}

void
vaes_seal(struct vaes *v, const uint8_t iv[GCM_IV_BYTES], struct span aad, const struct span *parts,
    size_t n, uint8_t *out, uint8_t ret_tag[GCM_TAG_BYTES])
{
	functions.by_key[v->is_256].init(v->keys, &v->context, iv, aad.ptr, aad.len);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len != 0)
			functions.by_key[v->is_256].encrypt(
			    v->keys, &v->context, out, parts[i].ptr, parts[i].len);
		out += parts[i].len;
	}
	functions.by_key[v->is_256].encrypt_end(v->keys, &v->context, ret_tag, GCM_TAG_BYTES);
}

void
vaes_open(struct vaes *v, const uint8_t iv[GCM_IV_BYTES], struct span aad, struct span ct,
    uint8_t *out, uint8_t ret_tag[GCM_TAG_BYTES])
{
	functions.by_key[v->is_256].init(v->keys, &v->context, iv, aad.ptr, aad.len);
	if (ct.len != 0)
		functions.by_key[v->is_256].decrypt(v->keys, &v->context, out, ct.ptr, ct.len);
	functions.by_key[v->is_256].decrypt_end(v->keys, &v->context, ret_tag, GCM_TAG_BYTES);
}
