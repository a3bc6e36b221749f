/* ssh_test.h - the client's half of a key exchange, for tests: curve25519-sha256 of RFC 8731. */
#ifndef SP_CRYPTO_SSH_TEST_H
#define SP_CRYPTO_SSH_TEST_H

#include <openssl/evp.h>

#include "base/span.h"
#include "base/test.h"

#define X25519_BYTES 32u

/* x25519_new - a private key, and its public value.  Owned: EVP_PKEY_free. */
static inline EVP_PKEY *
x25519_new(uint8_t ret_q[X25519_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t n = X25519_BYTES;

	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(key, ret_q, &n), 1);
	return key;
}

/* x25519_agree - the shared secret; the key is freed. */
static inline void
x25519_agree(EVP_PKEY *key, struct span q_s, uint8_t ret_k[X25519_BYTES])
{
	EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, q_s.ptr, q_s.len);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	size_t n = X25519_BYTES;

	assert_non_null(other);
	assert_non_null(c);
	assert_int_equal(EVP_PKEY_derive_init(c), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(c, other), 1);
	assert_int_equal(EVP_PKEY_derive(c, ret_k, &n), 1);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
}
#endif
