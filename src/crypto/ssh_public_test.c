/* ssh_public_test.c - what is no public key, or none that is taken. */
#include "crypto/test.h"

static const struct {
	const char *file;
	int err;
} known[] = {
    {"ed25519.pub", SP_OK},
    {"ecdsa256.pub", SP_OK},
    {"ecdsa384.pub", SP_OK},
    {"ecdsa521.pub", SP_OK},
    {"rsa2048.pub", SP_OK},
    {"rsa3072.pub", SP_OK},
    {"sk_ed25519.pub", SP_OK},
    {"sk_ecdsa.pub", SP_OK},
    {"rsa1024.pub", SP_ERANGE},
    {"dsa.pub", SP_ERANGE},
    {"c_ed25519.cert", SP_ERANGE},
    {"c_rsa.cert", SP_ERANGE},
};

static void
test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct bytes key, line;
		uint8_t out[SSH_KEY_BLOB_MAX];
		const char *type = "untouched";
		struct span comment;
		size_t n;

		vector_blob(known[i].file, &key);
		vector_read(known[i].file, &line);
		assert_err(ssh_key_check(bytes_span(&key), &type), known[i].err);
		assert_err(
		    ssh_key_line(bytes_span(&line), out, sizeof(out), &n, &comment), known[i].err);
		if (known[i].err != SP_OK) {
			assert_string_equal(type, "untouched");
			continue;
		}
		for (size_t cut = 0; cut < key.len; cut++)
			assert_err(ssh_key_check(span_of(key.b, cut), NULL), SP_ESYNTAX);
		key.b[key.len++] = 0;
		assert_err(ssh_key_check(bytes_span(&key), NULL), SP_ESYNTAX);
	}
}

/* A blob of a name and two or three strings. */
static int
check(const char *name, struct span a, struct span b, struct span c, unsigned n)
{
	static uint8_t buf[16384];
	struct wr w = wr_of(buf, sizeof(buf));

	ssh_wr_string(&w, span_str(name));
	if (n > 0)
		ssh_wr_string(&w, a);
	if (n > 1)
		ssh_wr_string(&w, b);
	if (n > 2)
		ssh_wr_string(&w, c);
	assert_false(w.bad);
	return ssh_key_check(wr_span(&w), NULL);
}

/* Modulus and exponent as they are, sign byte and all. */
static int
rsa(struct span e, struct span n)
{
	return check("ssh-rsa", e, n, n, 2);
}

static void
test_rsa(void **state)
{
	static uint8_t n[2100];
	struct span e = span_of("\1\0\1", 3);

	(void)state;
	memset(n, 0xff, sizeof(n));
	n[0] = 0;
	assert_err(rsa(e, span_of(n, 257)), SP_OK);  /* 2048 bits */
	assert_err(rsa(e, span_of(n, 2049)), SP_OK); /* 16384 */
	assert_err(rsa(e, span_of(n, 256)), SP_ERANGE);
	assert_err(rsa(e, span_of(n, 2050)), SP_ERANGE);
	assert_err(rsa(e, span_of(n, 0)), SP_ESYNTAX);
	assert_err(rsa(e, span_of(n, 1)), SP_ESYNTAX);	     /* zero, in a byte */
	assert_err(rsa(e, span_of(n + 1, 256)), SP_ESYNTAX); /* negative */
	n[1] = 0x7f;
	assert_err(rsa(e, span_of(n, 257)), SP_ESYNTAX);    /* a sign byte too many */
	assert_err(rsa(e, span_of(n + 1, 256)), SP_ERANGE); /* 2047 bits */
	assert_err(rsa(e, span_of(n + 1, 257)), SP_OK);	    /* 2055 */
	n[1] = 0xff;
	n[256] = 0xfe;
	assert_err(rsa(e, span_of(n, 257)), SP_ESYNTAX); /* even */
	n[256] = 0xff;
	assert_err(rsa(span_of("\1", 1), span_of(n, 257)), SP_ESYNTAX);
	assert_err(rsa(span_of("\2", 1), span_of(n, 257)), SP_ESYNTAX);
	assert_err(rsa(span_of("\3", 1), span_of(n, 257)), SP_OK);
	assert_err(rsa(span_of("\0\3", 2), span_of(n, 257)), SP_ESYNTAX);
	assert_err(rsa(span_of("\x83", 1), span_of(n, 257)), SP_ESYNTAX);
	assert_err(rsa(span_of("", 0), span_of(n, 257)), SP_ESYNTAX);
	assert_err(rsa(span_of("\0", 1), span_of(n, 257)), SP_ESYNTAX);
	assert_err(rsa(span_of("\0\xff\1\1\1\1\1\1\1", 9), span_of(n, 257)), SP_OK);
	assert_err(rsa(span_of("\1\1\1\1\1\1\1\1\1", 9), span_of(n, 257)), SP_ERANGE);
	assert_err(check("ssh-rsa", e, e, e, 1), SP_ESYNTAX);
	assert_err(check("ssh-rsa", e, span_of(n, 257), e, 3), SP_ESYNTAX);
}

/* Points of small order, in each encoding; a signature of zeros would verify with them. */
static void
test_ed25519(void **state)
{
	static const char *const bad[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	    /* over the prime: p, p + 1, 2^255 - 1 */
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
	static const char *const good[] = {
	    "5866666666666666666666666666666666666666666666666666666666666666",
	    "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7e",
	    "edfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f"};
	uint8_t p[33] = {0};
	struct span app = SPAN_LIT("ssh:");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (unsigned sign = 0; sign < 2; sign++) {
			assert_int_equal(parse_hex(span_str(bad[i]), p, 32), SP_OK);
			p[31] |= (uint8_t)(sign << 7);
			assert_err(check("ssh-ed25519", span_of(p, 32), app, app, 1), SP_ESYNTAX);
			assert_err(check("sk-ssh-ed25519@openssh.com", span_of(p, 32), app, app, 2),
			    SP_ESYNTAX);
		}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(parse_hex(span_str(good[i]), p, 32), SP_OK);
		assert_err(check("ssh-ed25519", span_of(p, 32), app, app, 1), SP_OK);
	}
	assert_int_equal(parse_hex(span_str(good[0]), p, 32), SP_OK);
	assert_err(check("ssh-ed25519", span_of(p, 31), app, app, 1), SP_ESYNTAX);
	assert_err(check("ssh-ed25519", span_of(p, 33), app, app, 1), SP_ESYNTAX);
	assert_err(check("ssh-ed25519", span_of(p, 32), app, app, 2), SP_ESYNTAX);
}

/* RFC 8032 section 5.1.7: S is less than the order of the group; adding it gives no second
 * signature. */
static void
test_malleable(void **state)
{
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6,
	    0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	uint8_t seed[32] = {1}, public[32], sig[64], buf[128], key[64];
	struct wr k = wr_of(key, sizeof(key));
	struct span data = SPAN_LIT("data");

	(void)state;
	assert_int_equal(ed25519_public(seed, public), SP_OK);
	assert_int_equal(ed25519_sign(seed, data, sig), SP_OK);
	ssh_wr_string(&k, SPAN_LIT("ssh-ed25519"));
	ssh_wr_string(&k, span_of(public, 32));
	for (unsigned i = 0; i < 2; i++) {
		struct wr w = wr_of(buf, sizeof(buf));
		unsigned carry = 0;

		ssh_wr_string(&w, SPAN_LIT("ssh-ed25519"));
		ssh_wr_string(&w, span_of(sig, 64));
		assert_err(
		    ssh_key_verify(wr_span(&k), SPAN_LIT("ssh-ed25519"), data, wr_span(&w), false),
		    i == 0 ? SP_OK : SP_EAUTH);
		for (unsigned j = 0; j < 32; j++) {
			carry += sig[32 + j] + (unsigned)order[j];
			sig[32 + j] = (uint8_t)carry;
			carry >>= 8;
		}
	}
}

static void
test_ecdsa(void **state)
{
	static const char p256[] = "ecdsa-sha2-nistp256";
	struct bytes key;
	struct rd r;
	struct span curve, point;
	uint8_t q[66] = {0};

	(void)state;
	vector_blob("ecdsa256.pub", &key);
	r = rd_of(bytes_span(&key));
	assert_span(ssh_rd_string(&r), p256);
	curve = ssh_rd_string(&r);
	point = ssh_rd_string(&r);
	memcpy(q, point.ptr, point.len);
	assert_err(check(p256, curve, point, curve, 2), SP_OK);
	assert_err(check(p256, SPAN_LIT("nistp384"), point, curve, 2), SP_ESYNTAX);
	assert_err(check(p256, SPAN_LIT("nistp25"), point, curve, 2), SP_ESYNTAX);
	assert_err(check("ecdsa-sha2-nistp384", curve, point, curve, 2), SP_ESYNTAX);
	assert_err(check("ecdsa-sha2-nistp384", SPAN_LIT("nistp384"), point, curve, 2), SP_ESYNTAX);
	assert_err(check(p256, curve, point, curve, 3), SP_ESYNTAX);
	assert_err(check(p256, curve, span_of(q, 66), curve, 2), SP_ESYNTAX);
	assert_err(check(p256, curve, span_of(q, 64), curve, 2), SP_ESYNTAX);
	assert_err(check(p256, curve, span_of(q, 0), curve, 2), SP_ESYNTAX);
	q[64] ^= 1;
	assert_err(check(p256, curve, span_of(q, 65), curve, 2), SP_ESYNTAX);
	q[64] ^= 1;
	q[0] =
	    (uint8_t)(2 |
		      (q[64] &
			  1)); /* the compressed form: RFC 5656 leaves it open, OpenSSH refuses */
	assert_err(check(p256, curve, span_of(q, 33), curve, 2), SP_ESYNTAX);
	q[0] |= 4; /* the hybrid one */
	assert_err(check(p256, curve, span_of(q, 65), curve, 2), SP_ESYNTAX);
	memset(q, 0, sizeof(q)); /* infinity */
	assert_err(check(p256, curve, span_of(q, 1), curve, 2), SP_ESYNTAX);
	assert_err(check(p256, curve, span_of(q, 65), curve, 2), SP_ESYNTAX);
}

static void
test_sk_application(void **state)
{
	static const char name[] = "sk-ssh-ed25519@openssh.com";
	uint8_t p[32] = {0x58}, app[256];

	(void)state;
	memset(p + 1, 0x66, 31);
	memset(app, 'a', sizeof(app));
	assert_err(check(name, span_of(p, 32), span_of(app, 255), span_of(p, 0), 2), SP_OK);
	assert_err(check(name, span_of(p, 32), span_of(app, 256), span_of(p, 0), 2), SP_ERANGE);
	assert_err(check(name, span_of(p, 32), span_of(app, 4), span_of(p, 0), 3), SP_ESYNTAX);
	assert_err(check(name, span_of(p, 32), span_of(app, 4), span_of(p, 0), 1), SP_ESYNTAX);
}

static void
test_names(void **state)
{
	struct span e = span_of("\1\0\1", 3);

	(void)state;
	assert_err(check("", e, e, e, 1), SP_ESYNTAX);
	assert_err(check("ssh-foo", e, e, e, 1), SP_ERANGE);
	assert_err(check("SSH-RSA", e, e, e, 2), SP_ERANGE);
	assert_err(check("rsa-sha2-256", e, e, e, 2), SP_ERANGE);
	assert_err(check("ssh-dss", e, e, e, 2), SP_ERANGE);
	assert_err(check("ssh-ed448", e, e, e, 1), SP_ERANGE);
	assert_err(ssh_key_check(span_of(NULL, 0), NULL), SP_ESYNTAX);
	assert_err(ssh_key_check(span_of("\xff\xff\xff\xff", 4), NULL), SP_ESYNTAX);
}

static void
mpint(const char *in, size_t n, const char *out, size_t m, bool good)
{
	uint8_t buf[32], back[32];
	struct wr w = wr_of(buf, sizeof(buf)), v = wr_of(back, sizeof(back));
	struct rd r;
	struct span s;

	ssh_wr_string(&w, span_of(in, n));
	r = rd_of(wr_span(&w));
	s = ssh_rd_mpint(&r);
	assert_int_equal(rd_done(&r), good);
	assert_true(span_eq(s, span_of(out, m)));
	if (!good)
		return;
	ssh_wr_mpint(&v, s);
	assert_true(span_eq(wr_span(&v), wr_span(&w)));
}

/* RFC 4251 section 5 */
static void
test_mpint(void **state)
{
	uint8_t buf[8];
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	mpint("\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8, "\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8, true);
	mpint("\0\x80", 2, "\x80", 1, true);
	mpint("\x7f", 1, "\x7f", 1, true);
	mpint("", 0, "", 0, false);
	mpint("\0", 1, "", 0, false);
	mpint("\0\x7f", 2, "", 0, false);
	mpint("\0\0\x80", 3, "", 0, false);
	mpint("\xed\xcc", 2, "", 0, false);
	ssh_wr_mpint(&w, span_of("\0\0", 2));
	assert_int_equal(w.len, 4);
	assert_memory_equal(buf, "\0\0\0\0", 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_rsa),
	    cmocka_unit_test(test_ed25519),
	    cmocka_unit_test(test_malleable),
	    cmocka_unit_test(test_ecdsa),
	    cmocka_unit_test(test_sk_application),
	    cmocka_unit_test(test_mpint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
