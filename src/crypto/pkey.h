/* pkey.h - private keys as OpenSSL has them: for sign.c and ssh_host_key.c, which decide what kinds they take. */
#ifndef SP_CRYPTO_PKEY_H
#define SP_CRYPTO_PKEY_H

#include <openssl/evp.h>

#include "crypto/crypto.h"

/* pkey_from_pem - a private key from PEM (PKCS#8 or the key's own form, not encrypted).  After sign_prepare its private
 * numbers are in locked memory.
 *   returns NULL: there is no such key in it; owned by the caller */
EVP_PKEY *pkey_from_pem(struct span pem) MUST_USE;
/* pkey_to_pem - PKCS#8, not encrypted.
 *   errors  SP_ESPACE, SP_ECRYPTO */
int pkey_to_pem(EVP_PKEY *pkey, uint8_t *pem, size_t cap, size_t *ret_len) MUST_USE;
#endif
