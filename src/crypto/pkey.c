/* pkey.c - see pkey.h. */
#include "crypto/pkey.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* no_password - an encrypted key is refused instead of asking a terminal that a room does not have.
 */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

EVP_PKEY *
pkey_from_pem(struct span pem)
{
	BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
	EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

int
pkey_to_pem(EVP_PKEY *pkey, uint8_t *pem, size_t cap, size_t *ret_len)
{
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped as it is freed */
	char *text = NULL;
	long n = 0;
	int r = SP_ECRYPTO;

	if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1)
		n = BIO_get_mem_data(bio, &text);
	if (n > 0 && (size_t)n > cap) {
		r = SP_ESPACE;
	} else if (n > 0) {
		memcpy(pem, text, (size_t)n);
		*ret_len = (size_t)n;
		r = SP_OK;
	}
	BIO_free(bio);
	ERR_clear_error();
	return r;
}
