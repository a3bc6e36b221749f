/* gcm_vaes_none.c - a build without libipsec-mb: OpenSSL does it all. */
#include "crypto/gcm_vaes.h"

bool
vaes_ready(void)
{
	return false;
}

struct vaes *
vaes_new(void)
{
	return NULL;
}

void
vaes_free(struct vaes *v)
{
	(void)v; /* always NULL */
}

void
vaes_key(struct vaes *v, struct span key)
{
	(void)v, (void)key;
	VERIFY(false);
}

void
vaes_seal(struct vaes *v, const uint8_t iv[GCM_IV_BYTES], struct span aad, const struct span *parts,
    size_t n, uint8_t *out, uint8_t ret_tag[GCM_TAG_BYTES])
{
	(void)v, (void)iv, (void)aad, (void)parts, (void)n, (void)out, (void)ret_tag;
	VERIFY(false);
}

void
vaes_open(struct vaes *v, const uint8_t iv[GCM_IV_BYTES], struct span aad, struct span ct,
    uint8_t *out, uint8_t ret_tag[GCM_TAG_BYTES])
{
	(void)v, (void)iv, (void)aad, (void)ct, (void)out, (void)ret_tag;
	VERIFY(false);
}
