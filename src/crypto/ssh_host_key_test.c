/* ssh_host_key_test.c - host keys as OpenSSH and OpenSSL write them; made, loaded, signed with. */
#include "crypto/sign.h"
#include "crypto/test.h"

#include <openssl/crypto.h>

/* PEM as a file has it. */
static void
pem_of(const char *name, struct bytes *ret)
{
	vector_read(name, ret);
	ret->b[ret->len++] = '\n';
}

static struct ssh_host_key_pair *
load(const char *name)
{
	struct bytes pem;
	struct ssh_host_key_pair *k = NULL;

	pem_of(name, &pem);
	assert_int_equal(ssh_host_key_load(bytes_span(&pem), &k), SP_OK);
	assert_non_null(k);
	return k;
}

/* Each type of signature: the key's own verify, with their names and no other; no other type is
 * made. */
static void
sign_all(const struct ssh_host_key_pair *k, unsigned can)
{
	static const char *const names[] = {
	    "ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"};
	struct span data = SPAN_LIT("an exchange hash"), blob = ssh_host_key_blob(k);
	uint8_t sig[SSH_SIG_BLOB_MAX];

	assert_int_equal(ssh_host_key_types(k), can);
	assert_int_equal(ssh_key_check(blob, NULL), SP_OK);
	for (unsigned i = 0; i < 4; i++) {
		unsigned type = 1u << i;
		size_t n = 0;

		assert_string_equal(ssh_host_key_name(type), names[i]);
		if ((can & type) == 0) {
			assert_err(
			    ssh_host_key_sign(k, type, data, sig, sizeof(sig), &n), SP_ERANGE);
			continue;
		}
		assert_int_equal(ssh_host_key_sign(k, type, data, sig, sizeof(sig), &n), SP_OK);
		for (unsigned j = 0; j < 4; j++)
			assert_err(
			    ssh_key_verify(blob, span_str(names[j]), data, span_of(sig, n), false),
			    j == i ? SP_OK : SP_ERANGE);
		assert_err(ssh_key_verify(blob, span_str(names[i]), SPAN_LIT("another"),
			       span_of(sig, n), false),
		    SP_EAUTH);
		assert_err(ssh_host_key_sign(k, type, data, sig, n / 2, &n), SP_ESPACE);
	}
	assert_err(ssh_host_key_sign(k, 0, data, sig, sizeof(sig), &(size_t){0}), SP_ERANGE);
	assert_err(ssh_host_key_sign(k, 3, data, sig, sizeof(sig), &(size_t){0}), SP_ERANGE);
	assert_err(ssh_host_key_sign(k, can | 16, data, sig, sizeof(sig), &(size_t){0}), SP_ERANGE);
}

static void
test_load(void **state)
{
	static const struct {
		const char *pem, *pub;
		unsigned can;
	} rows[] = {
	    {"host_ed25519.pem", "host_ed25519.pub", 1},
	    {"host_ecdsa.pem", "host_ecdsa.pub", 2},
	    {"host_ecdsa_compressed.pem", "host_ecdsa.pub", 2},
	    {"host_rsa.pem", "host_rsa.pub", 4 | 8},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ssh_host_key_pair *k = load(rows[i].pem);
		struct bytes pub;

		vector_blob(rows[i].pub, &pub);
		assert_true(span_eq(ssh_host_key_blob(k), bytes_span(&pub)));
		sign_all(k, rows[i].can);
		ssh_host_key_free(k);
	}
	ssh_host_key_free(NULL);
}

/* r and s are numbers of any length up to 32 bytes: many signatures, so that short ones and ones
 * with the high bit set come up. */
static void
test_ecdsa_numbers(void **state)
{
	struct ssh_host_key_pair *k = load("host_ecdsa.pem");
	size_t least = SIZE_MAX, most = 0;

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		uint8_t sig[128];
		struct span data = span_of(&i, sizeof(i));
		size_t n = 0;

		assert_int_equal(ssh_host_key_sign(k, 2, data, sig, sizeof(sig), &n), SP_OK);
		assert_int_equal(ssh_key_verify(ssh_host_key_blob(k),
				     SPAN_LIT("ecdsa-sha2-nistp256"), data, span_of(sig, n), true),
		    SP_OK);
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	assert_true(least < most);
	ssh_host_key_free(k);
}

static void
test_make(void **state)
{
	static const struct {
		unsigned type, can;
	} rows[] = {{1, 1}, {2, 2}, {4, 12}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ssh_host_key_pair *k = NULL, *again = NULL;
		uint8_t pem[8192];
		size_t n = 0;

		assert_int_equal(ssh_host_key_make(rows[i].type, pem, sizeof(pem), &n), SP_OK);
		assert_true(
		    span_starts(span_of(pem, n), SPAN_LIT("-----BEGIN PRIVATE KEY-----\n")));
		assert_int_equal(ssh_host_key_load(span_of(pem, n), &k), SP_OK);
		sign_all(k, rows[i].can);
		assert_int_equal(ssh_host_key_make(rows[i].type, pem, sizeof(pem), &n), SP_OK);
		assert_int_equal(ssh_host_key_load(span_of(pem, n), &again), SP_OK);
		assert_false(span_eq(ssh_host_key_blob(k), ssh_host_key_blob(again)));
		assert_err(ssh_host_key_make(rows[i].type, pem, 60, &n), SP_ESPACE);
		ssh_host_key_free(k);
		ssh_host_key_free(again);
	}
	for (unsigned type = 0; type < 20; type++)
		if (type != 1 && type != 2 && type != 4)
			assert_err(
			    ssh_host_key_make(type, (uint8_t[1]){0}, 1, &(size_t){0}), SP_ERANGE);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *file;
		int err;
	} rows[] = {{"host_encrypted.pem", SP_ESYNTAX}, {"host_rsa2048.pem", SP_ERANGE},
	    {"host_ecdsa384.pem", SP_ERANGE}, {"host_ed25519.pub", SP_ESYNTAX},
	    {"README.md", SP_ESYNTAX}};
	struct ssh_host_key_pair *k = NULL;
	struct bytes pem;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pem_of(rows[i].file, &pem);
		assert_err(ssh_host_key_load(bytes_span(&pem), &k), rows[i].err);
		assert_null(k);
	}
	assert_err(ssh_host_key_load(span_of(NULL, 0), &k), SP_ESYNTAX);
	pem_of("host_ed25519.pem", &pem);
	mem_fail_at(1);
	assert_err(ssh_host_key_load(bytes_span(&pem), &k), SP_ENOMEM);
	mem_fail_at(0);
	assert_null(ssh_host_key_name(0));
	assert_null(ssh_host_key_name(3));
	assert_null(ssh_host_key_name(16));
}

/* A file in which one bit flipped is not loaded, or gives the same key (its base64 had bits to
 * spare): never one that signs what its own public key does not verify. */
static void
test_damaged(void **state)
{
	static const char *const files[] = {"host_ed25519.pem", "host_ecdsa.pem"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct bytes pem;

		pem_of(files[i], &pem);
		for (size_t bit = 0; bit < 8 * pem.len; bit += 5) {
			struct ssh_host_key_pair *k = NULL;

			pem.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (ssh_host_key_load(bytes_span(&pem), &k) == SP_OK) {
				sign_all(k, ssh_host_key_types(k));
				ssh_host_key_free(k);
			}
			pem.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* After sign_prepare the private numbers are in the locked memory, and leave it. */
static void
test_locked(void **state)
{
	struct ssh_host_key_pair *k;
	size_t before;

	(void)state;
	assert_int_equal(sign_prepare(), SP_OK);
	before = CRYPTO_secure_used();
	k = load("host_rsa.pem");
	assert_true(CRYPTO_secure_used() > before);
	sign_all(k, 12);
	ssh_host_key_free(k);
	assert_int_equal(CRYPTO_secure_used(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_load), cmocka_unit_test(test_ecdsa_numbers),
	    cmocka_unit_test(test_make), cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_locked), /* last: it changes where all keys are */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
