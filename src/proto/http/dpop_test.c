/* dpop_test.c - RFC 9449's own proof, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/text.h"
#include "proto/http/dpop.h"

#define JWK "\"jwk\":{\"kty\":\"EC\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\"," \
	    "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\",\"crv\":\"P-256\"}"
#define HEAD "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"," JWK "}"
#define CLAIMS "{\"jti\":\"-BwC3ESc6acc2lTc\",\"htm\":\"POST\",\"htu\":\"https://server.example.com/token\",\"iat\":1562262616}"
#define SIGNATURE "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"

static int
parse(const char *head, const char *claims, const char *signature, uint8_t buf[DPOP_MAX], struct dpop *d)
{
	static char jwt[2 * DPOP_MAX];
	struct text t = text_of(jwt, sizeof(jwt));

	base64url_put(&t, span_str(head));
	text_str(&t, ".");
	base64url_put(&t, span_str(claims));
	text_str(&t, ".");
	text_str(&t, signature);
	assert_false(t.bad);
	return dpop_parse(text_span(&t), buf, d);
}

/* RFC 9449 figures 2 and 3; the thumbprint is that of section 6.1, whose key is the same. */
static void
test_rfc(void **state)
{
	uint8_t buf[DPOP_MAX];
	char text[DPOP_THUMB_TEXT];
	struct dpop d;

	(void)state;
	assert_int_equal(parse(HEAD, CLAIMS, SIGNATURE, buf, &d), SP_OK);
	assert_true(span_eq_str(d.jti, "-BwC3ESc6acc2lTc"));
	assert_true(span_eq_str(d.htm, "POST"));
	assert_true(span_eq_str(d.htu, "https://server.example.com/token"));
	assert_int_equal(d.nonce.len, 0);
	assert_false(d.has_ath);
	assert_int_equal(d.signature[0], 0xdb);
	assert_true(span_eq_str(dpop_thumbprint_text(&d, text),
	    "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\","
	    "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}"));
}

static void
test_rows(void **state)
{
	static const struct {
		const char *head, *claims, *signature;
		int want;
	} rows[] = {
	    /* order, white space and unknown members are free */
	    {" {\"alg\" : \"ES256\", \"kid\": null, " JWK ",\n\"typ\":\"dpop+jwt\" } ",
		"{\"iat\":1,\"x\":{\"jti\":\"b\",\"n\":-1.5e3},\"htm\":\"G\",\"htu\":\"u\",\"jti\":\"a\",\"more\":true}", SIGNATURE, SP_OK},
	    {HEAD, "{\"jti\":\"a\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1,\"nonce\":\"n\",\"ath\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\"}", SIGNATURE, SP_OK},
	    /* a member twice: two readers may see two proofs */
	    {HEAD, "{\"jti\":\"a\",\"jti\":\"b\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {"{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"alg\":\"none\"," JWK "}", CLAIMS, SIGNATURE, SP_ESYNTAX},
	    /* other algorithms, types, curves */
	    {"{\"typ\":\"dpop+jwt\",\"alg\":\"none\"," JWK "}", CLAIMS, SIGNATURE, SP_ENOTIMPL},
	    {"{\"typ\":\"dpop+jwt\",\"alg\":\"HS256\"," JWK "}", CLAIMS, SIGNATURE, SP_ENOTIMPL},
	    {"{\"typ\":\"JWT\",\"alg\":\"ES256\"," JWK "}", CLAIMS, SIGNATURE, SP_ENOTIMPL},
	    /* a private key, or something that must be understood */
	    {"{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"crit\":\"b64\"," JWK "}", CLAIMS, SIGNATURE, SP_ESYNTAX},
	    {"{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AA\"}}", CLAIMS, SIGNATURE, SP_ESYNTAX},
	    /* members are missing, empty, of another kind, or elsewhere */
	    {"{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"}", CLAIMS, SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":7,\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"a\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":\"1\"}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"a\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":-1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"a\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1,\"ath\":\"AA\"}", SIGNATURE, SP_ESYNTAX},
	    {"{\"typ\":\"dpop+jwt\",\"jwk\":{\"alg\":\"ES256\"}," JWK "}", CLAIMS, SIGNATURE, SP_ESYNTAX},
	    /* not JSON, or more than is read here */
	    {HEAD "x", CLAIMS, SIGNATURE, SP_ESYNTAX},
	    {HEAD, "[]", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"a\":{\"b\":{}},\"jti\":\"a\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"\\u0061\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"\xff\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1}", SIGNATURE, SP_ESYNTAX},
	    {HEAD, "{\"jti\":\"a\",\"htm\":\"G\",\"htu\":\"u\",\"iat\":1", SIGNATURE, SP_ESYNTAX},
	    {HEAD, CLAIMS, "AAAA", SP_ESYNTAX},
	    {HEAD, CLAIMS, SIGNATURE "=", SP_ESYNTAX},
	    {HEAD, CLAIMS, "", SP_ESYNTAX},
	};
	uint8_t buf[DPOP_MAX];
	struct dpop d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got = parse(rows[i].head, rows[i].claims, rows[i].signature, buf, &d);

		if (got != rows[i].want)
			fail_msg("row %zu: %d, not %d", i, got, rows[i].want);
	}
	assert_int_equal(dpop_parse(SPAN_LIT(""), buf, &d), SP_ESYNTAX);
	assert_int_equal(dpop_parse(SPAN_LIT("a.b"), buf, &d), SP_ESYNTAX);
	assert_int_equal(dpop_parse(SPAN_LIT(".."), buf, &d), SP_ESYNTAX);
	{
		static uint8_t big[DPOP_MAX + 1];

		memset(big, 'A', sizeof(big));
		assert_int_equal(dpop_parse(span_of(big, sizeof(big)), buf, &d), SP_ETOOBIG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc),
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
