/* ssh_ec.c - points of curves and long numbers, as SSH writes them. */
#include "crypto/ssh_inner.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

struct span
ssh_rd_mpint(struct rd *r)
{
	struct span s = ssh_rd_string(r);

	if (s.len == 0 || s.ptr[0] >= 0x80)
		r->bad = true;
	else if (s.ptr[0] == 0 && (s.len < 2 || s.ptr[1] < 0x80))
		r->bad = true;
	else if (s.ptr[0] == 0)
		s = span_skip(s, 1);
	return r->bad ? span_of(NULL, 0) : s;
}

/* RFC 5656 section 3.1: only the uncompressed form; section 3.2.2 of SEC 1 says what is checked.
 * The order of these curves is prime, so the quick check (range, on the curve, not infinity) is the
 * whole one. */
EVP_PKEY *
ssh_ec_public(const char *group, struct span point)
{
	uint8_t copy[SSH_EC_POINT_MAX];
	char name[16] = {0};
	OSSL_PARAM params[3];
	EVP_PKEY_CTX *make = NULL, *check = NULL;
	EVP_PKEY *key = NULL;
	bool good = point.len != 0 && point.len <= sizeof(copy) && point.ptr[0] == 4;

	VERIFY(strlen(group) < sizeof(name));
	memcpy(name, group, strlen(group));
	if (good) {
		memcpy(copy, point.ptr, point.len);
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0);
		params[1] =
		    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, point.len);
		params[2] = OSSL_PARAM_construct_end();
		make = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
		good = make != NULL && EVP_PKEY_fromdata_init(make) == 1 &&
		       EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
	}
	if (good) {
		check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		good = check != NULL && EVP_PKEY_public_check_quick(check) == 1;
	}
	EVP_PKEY_CTX_free(make);
	EVP_PKEY_CTX_free(check);
	ERR_clear_error();
	if (good)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}
