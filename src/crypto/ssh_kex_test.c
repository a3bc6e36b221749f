/* ssh_kex_test.c - published agreements, hashes computed elsewhere, and points that are none. */
#include "base/test.h"
#include "base/text.h"
#include "crypto/ssh_inner.h"
#include "crypto/ssh_kex.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

static size_t
hex(const char *s, uint8_t *out, size_t cap)
{
	size_t n = strlen(s) / 2;

	assert_true(n <= cap);
	assert_int_equal(parse_hex(span_str(s), out, n), SP_OK);
	return n;
}

/* RFC 7748 section 6.1 (Alice, Bob); RFC 5903 sections 8.1 and 8.2 (initiator, responder) */
static const struct vector {
	enum ssh_kex_id id;
	const char *private, *q, *k;
} vectors[] = {
    {SSH_KEX_ID_CURVE25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
    {SSH_KEX_ID_NISTP256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
	"04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
	"56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
	"d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
    {SSH_KEX_ID_NISTP384,
	"099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
	"e35b538041e649ee3faef896783ab194",
	"04e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d"
	"0d1ac43a0336def96fda41d0774a3571dcfbec7aacf3196472169e838430367f"
	"66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
	"11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4"
	"d603135569b9e9d09cf5d4a270f59746"},
};

/* A private key from its number. */
static EVP_PKEY *
private_key(const struct vector *v)
{
	uint8_t number[48];
	size_t n = hex(v->private, number, sizeof(number));
	char group[8] = "P-256";
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[3];
	uint8_t native[48];

	if (v->id == SSH_KEX_ID_CURVE25519)
		return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, number, n);
	if (v->id == SSH_KEX_ID_NISTP384)
		memcpy(group, "P-384", 6);
	for (size_t i = 0; i < n; i++) /* a little-endian machine: what OpenSSL takes */
		native[i] = number[n - 1 - i];
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, n);
	params[2] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void
test_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct ssh_kex_row *row = ssh_kex_row(vectors[i].id);
		EVP_PKEY *own = private_key(&vectors[i]);
		uint8_t q[SSH_Q_MAX], k[SSH_K_MAX], want[SSH_K_MAX];
		size_t q_len = hex(vectors[i].q, q, sizeof(q));

		assert_non_null(own);
		assert_int_equal(q_len, row->q_len);
		assert_int_equal(hex(vectors[i].k, want, sizeof(want)), row->k_len);
		assert_int_equal(ssh_kex_secret(row, own, span_of(q, q_len), k), SP_OK);
		assert_memory_equal(k, want, row->k_len);
		EVP_PKEY_free(own);
	}
}

/* The peer with its own key comes to the same secret; each call makes another key. */
static void
test_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct ssh_kex_row *row = ssh_kex_row(vectors[i].id);
		EVP_PKEY *peer =
		    row->id == SSH_KEX_ID_CURVE25519
			? EVP_PKEY_Q_keygen(NULL, NULL, "X25519")
			: EVP_EC_gen(row->id == SSH_KEX_ID_NISTP256 ? "P-256" : "P-384");
		uint8_t q_c[SSH_Q_MAX], q_s[2][SSH_Q_MAX], k[2][SSH_K_MAX], same[SSH_K_MAX];
		size_t n = 0;

		assert_int_equal(EVP_PKEY_get_octet_string_param(peer,
				     OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, q_c, sizeof(q_c), &n),
		    1);
		assert_int_equal(n, row->q_len);
		for (unsigned j = 0; j < 2; j++) {
			assert_int_equal(
			    ssh_kex_agree(row->id, span_of(q_c, n), q_s[j], k[j]), SP_OK);
			assert_int_equal(
			    ssh_kex_secret(row, peer, span_of(q_s[j], n), same), SP_OK);
			assert_memory_equal(same, k[j], row->k_len);
		}
		assert_memory_not_equal(q_s[0], q_s[1], n);
		assert_memory_not_equal(k[0], k[1], row->k_len);
		EVP_PKEY_free(peer);
	}
}

static void
bad_point(enum ssh_kex_id id, struct span q, int err)
{
	uint8_t q_s[SSH_Q_MAX], k[SSH_K_MAX];

	memset(q_s, 0x5a, sizeof(q_s));
	memset(k, 0x5a, sizeof(k));
	assert_err(ssh_kex_agree(id, q, q_s, k), err);
	for (size_t i = 0; i < sizeof(k); i++)
		assert_int_equal(k[i] | q_s[i] << 8, 0x5a5a);
}

/* RFC 8731 section 3: points of low order make the secret zero. */
static void
test_low_order(void **state)
{
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
	uint8_t q[33] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		size_t n = hex(points[i], q, sizeof(q));

		bad_point(SSH_KEX_ID_CURVE25519, span_of(q, n), SP_ECRYPTO);
	}
	q[0] = 9;
	bad_point(SSH_KEX_ID_CURVE25519, span_of(q, 31), SP_ERANGE);
	bad_point(SSH_KEX_ID_CURVE25519, span_of(q, 33), SP_ERANGE);
	bad_point(SSH_KEX_ID_CURVE25519, span_of(q, 0), SP_ERANGE);
	bad_point((enum ssh_kex_id)0, span_of(q, 32), SP_ERANGE);
	bad_point((enum ssh_kex_id)4, span_of(q, 32), SP_ERANGE);
}

/* RFC 5656 section 4: the server MUST check the point. */
static void
test_not_on_curve(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(vectors); i++) {
		enum ssh_kex_id id = vectors[i].id;
		uint8_t q[SSH_Q_MAX + 1] = {0};
		size_t n = hex(vectors[i].q, q, sizeof(q));

		for (size_t bit = 0; bit < 8 * n; bit++) {
			q[bit / 8] ^= (uint8_t)(1 << bit % 8);
			bad_point(id, span_of(q, n), SP_ECRYPTO);
			q[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		q[0] = (uint8_t)(6 | (q[n - 1] & 1)); /* the hybrid form of the same point */
		bad_point(id, span_of(q, n), SP_ECRYPTO);
		q[0] = (uint8_t)(2 | (q[n - 1] & 1)); /* the compressed form */
		bad_point(id, span_of(q, n / 2 + 1), SP_ERANGE);
		q[0] = 4;
		bad_point(id, span_of(q, n - 1), SP_ERANGE);
		bad_point(id, span_of(q, n + 1), SP_ERANGE);
		memset(q + 1, 0, n - 1); /* (0, 0) */
		bad_point(id, span_of(q, n), SP_ECRYPTO);
		memset(q + 1, 0xff, n - 1); /* over the prime */
		bad_point(id, span_of(q, n), SP_ECRYPTO);
		memset(q, 0, n); /* infinity, filled up */
		bad_point(id, span_of(q, n), SP_ECRYPTO);
	}
}

/* Computed with Python's hashlib from the inputs that `exchange` makes; k begins with 80 01 02 or
 * with 00 00 7f.  The last is the SHA-256 of 200 bytes of key 'F'. */
static const struct hashed {
	enum ssh_kex_id id;
	bool is_short;
	const char *h, *a12, *c64, *f200;
} hashed[] = {
    /* clang-format off */
    {SSH_KEX_ID_CURVE25519, false,
	"4c54677977cfed262d9a5cada08558c13b4510cd4751cadc72a437d5bdc6f786",
	"99edc8278c2a95a5d4f49a05",
	"7d68de32ba185a97dd88eea039da655f862d53e6fe70db9542a5de2d4bd1332d"
	"6f99207709c49a2c4eaddfec644a55b3ac4d909cddd2e028c820c752f550ed80",
	"4baab3280ff38f429eadfbfedaa60de36ab18e21819ae850b97c82320ead8fca"},
    {SSH_KEX_ID_CURVE25519, true,
	"a169abd94184098c42835b759b14e264934ad96a4755819996cbdff5e7d275eb",
	"8d6e81853e51b2683555e5e1",
	"2318cc6dbf6a2ec656623b311a3b94159474da8c965fbffde5fcf86329d7e528"
	"c24ad1d1dc2184bc148eb4afd6bd18eddd36fa2277b74cf34fba21529d3b9c4a",
	"f4dc789b49571b0ee4c5e070f8cb09be5672dd80fcd40623f9bbaa82090152f8"},
    {SSH_KEX_ID_NISTP256, false,
	"84a64ae6cb40fad00acf84af961f49498af8f68fa7261ac27200dc1338dae08b",
	"6ca582e722df61ee5a81bfb9",
	"185125bca325faae86b5632161b6ec0736bdc3cc4ea3e585b7337f52e3409004"
	"6dfd5ce22e4ca6eaae481773235ab612318186d5b138e0c590f1561735c94e5e",
	"b4fcf2ee3001ccd6d2b1f261195847b8223071a31a643a05b7a0ac30d3e1e0cd"},
    {SSH_KEX_ID_NISTP256, true,
	"9a3898da7a26ec4df76f43727b623502acbac963e9d3bcc39a1e9afbdecf389e",
	"55450a56d66ef1054e5db082",
	"1ac1d25169567c8b9b05fb78efde443dbe4233225fb9e5218032b0f6839f948d"
	"3892b8d7d755dfe2f238ff56402b06a4d240169cd39da5f849dbd1d6368a20c2",
	"f875fe03d0f0e32f7067d963a85c6449ffd498fc2b62f52e9999c153eec05aeb"},
    {SSH_KEX_ID_NISTP384, false,
	"fee1c751937244efd6c7c4dcd9bbd965e730d38c6052e28340bd52fbaab6906a"
	"77c7faabaffd0d789569ac26248c8da7",
	"17820c670a02d02ed0c7b0dc",
	"bb089ae61c857c3efb7ff48d341e73560e03fbbaca09f7b13f7be7ac22ac188c"
	"0ddfd21eb6c2ef85e9f6ffb104fd69167e757482c330421e1bb218ecd647cb50",
	"93a1772ec2287e986ac3ada078de3800a7718ddddf29faa4853e8cf640bfaac8"},
    {SSH_KEX_ID_NISTP384, true,
	"73d57169e24b94a4207f3957e8456a2632992ef8785769384c1dff66f59c0664"
	"54817241cabca6d73d0a58ffc917c0a9",
	"fe60498ed354e4636bb0184d",
	"42d44a9feeb49d8a4ba88085bcfdeaaa8a4dd8ed85c6bbafc9da765210103669"
	"eb10bd6b831c5bf02498ea7b5d0440fff7f90e2c87bfb2cd4ba1dd6b3bbca1c2",
	"8308f640ea78d34a3693cc1c7624513620d4a5b76fa0040d7378836f116ffdb4"},
    /* clang-format on */
};

struct inputs {
	uint8_t i_c[41], i_s[61], q_c[SSH_Q_MAX], q_s[SSH_Q_MAX], k[SSH_K_MAX], session[32];
	struct ssh_exchange e;
};

static void
exchange(struct inputs *in, enum ssh_kex_id id, bool is_short)
{
	const struct ssh_kex_row *row = ssh_kex_row(id);

	for (unsigned i = 0; i < 100; i++) {
		if (i < 40)
			in->i_c[i + 1] = (uint8_t)i;
		else
			in->i_s[i - 39] = (uint8_t)i;
		if (i < SSH_Q_MAX) {
			in->q_c[i] = (uint8_t)(3 * i);
			in->q_s[i] = (uint8_t)(5 * i + 1);
		}
		if (i < SSH_K_MAX)
			in->k[i] = (uint8_t)i;
		if (i < 32)
			in->session[i] = (uint8_t)(0x20 + i);
	}
	in->i_c[0] = in->i_s[0] = 0x14;
	in->k[0] = is_short ? 0 : 0x80;
	in->k[1] = is_short ? 0 : 1;
	in->k[2] = is_short ? 0x7f : 2;
	in->e = (struct ssh_exchange){id, SPAN_LIT("SSH-2.0-Client_1 x"),
	    SPAN_LIT("SSH-2.0-Sallyport"), span_of(in->i_c, 41), span_of(in->i_s, 61),
	    SPAN_LIT("host key"), span_of(in->q_c, row->q_len), span_of(in->q_s, row->q_len),
	    span_of(in->k, row->k_len)};
}

static void
test_hash(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hashed); i++) {
		const struct ssh_kex_row *row = ssh_kex_row(hashed[i].id);
		uint8_t want[64], h[SSH_HASH_MAX], out[200], digest[32];
		struct span k, hs, session;
		struct inputs in;

		exchange(&in, hashed[i].id, hashed[i].is_short);
		k = in.e.k;
		session = span_of(in.session, 32);
		assert_int_equal(hex(hashed[i].h, want, 64), row->hash_len);
		assert_int_equal(ssh_exchange_hash(&in.e, h), SP_OK);
		assert_memory_equal(h, want, row->hash_len);
		hs = span_of(h, row->hash_len);
		assert_int_equal(hex(hashed[i].a12, want, 64), 12);
		assert_int_equal(ssh_derive_key(row->id, k, hs, 'A', session, out, 12), SP_OK);
		assert_memory_equal(out, want, 12);
		assert_int_equal(hex(hashed[i].c64, want, 64), 64);
		assert_int_equal(ssh_derive_key(row->id, k, hs, 'C', session, out, 64), SP_OK);
		assert_memory_equal(out, want, 64);
		assert_int_equal(ssh_derive_key(row->id, k, hs, 'F', session, out, 200), SP_OK);
		assert_int_equal(sha256(span_of(out, 200), digest), SP_OK);
		assert_int_equal(hex(hashed[i].f200, want, 64), 32);
		assert_memory_equal(digest, want, 32);
	}
}

static void
test_hash_refused(void **state)
{
	uint8_t h[SSH_HASH_MAX], out[300];
	struct span none = span_of(NULL, 0);
	struct inputs in;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		exchange(&in, SSH_KEX_ID_NISTP256, false);
		if (i == 0)
			in.e.q_c.len--;
		else if (i == 1)
			in.e.q_s.len++;
		else if (i == 2)
			in.e.k.len--;
		else if (i == 3)
			in.e.k = none;
		else
			in.e.id = (enum ssh_kex_id)7;
		assert_err(ssh_exchange_hash(&in.e, h), SP_ERANGE);
	}
	exchange(&in, SSH_KEX_ID_NISTP256, false);
	for (unsigned i = 0; i < 8; i++) {
		struct span k = span_cut(in.e.k, i == 0 ? 31 : 32);
		struct span hs = span_of(in.q_c, i == 1 ? 48 : 32);
		struct span session = span_of(in.q_s, i == 2 ? 0 : i == 3 ? 65 : 32);
		char letter = i == 4 ? '@' : i == 5 ? 'G' : 'A';
		enum ssh_kex_id id = i == 6 ? (enum ssh_kex_id)0 : SSH_KEX_ID_NISTP256;

		assert_err(
		    ssh_derive_key(id, k, hs, letter, session, out, i == 7 ? 257 : 64), SP_ERANGE);
	}
}

static void
test_rows(void **state)
{
	static const char *const names[] = {
	    "curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384"};
	size_t n;
	const struct ssh_kex_row *rows = ssh_kex_rows(&n);

	(void)state;
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(rows[i].name, names[i]);
		assert_int_equal(rows[i].fips, i != 0);
		assert_ptr_equal(ssh_kex_row(rows[i].id), &rows[i]);
		assert_true(rows[i].q_len <= SSH_Q_MAX && rows[i].k_len <= SSH_K_MAX);
		assert_true(rows[i].hash_len <= SSH_HASH_MAX);
	}
	assert_null(ssh_kex_row((enum ssh_kex_id)0));
	assert_int_equal(ssh_kex_ready(), SP_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_published),
	    cmocka_unit_test(test_agree),
	    cmocka_unit_test(test_low_order),
	    cmocka_unit_test(test_not_on_curve),
	    cmocka_unit_test(test_hash),
	    cmocka_unit_test(test_hash_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
