/* certificate_test.c - what is made belongs together; what does not, or is cut off, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/certificate.h"

struct pair {
	char cert[4096], key[4096];
	struct text c, k;
};

static void
make(struct pair *p, const char *host)
{
	p->c = text_of(p->cert, sizeof(p->cert));
	p->k = text_of(p->key, sizeof(p->key));
	assert_int_equal(certificate_make(host, 30, &p->c, &p->k), SP_OK);
}

static void
pairs_belong_together(void **state)
{
	struct pair a, b;

	(void)state;
	make(&a, "exchange.example");
	make(&b, "a-name-that-is-longer-than-the-sixty-four-bytes-of-a-common-name.example");
	assert_int_equal(certificate_check(text_span(&a.c), text_span(&a.k)), SP_OK);
	assert_int_equal(certificate_check(text_span(&b.c), text_span(&b.k)), SP_OK);
	assert_int_equal(certificate_check(text_span(&a.c), text_span(&b.k)), SP_EVERIFY);
	assert_int_equal(certificate_check(text_span(&b.c), text_span(&a.k)), SP_EVERIFY);
	assert_int_equal(certificate_check(text_span(&a.k), text_span(&a.c)), SP_ESYNTAX);
}

static void
a_small_buffer_is_said(void **state)
{
	char little[64], key[4096];
	struct text c = text_of(little, sizeof(little)), k = text_of(key, sizeof(key));

	(void)state;
	assert_int_equal(certificate_make("x", 30, &c, &k), SP_ESPACE);
}

static void
what_is_cut_off_is_refused(void **state)
{
	struct pair a;
	struct span c, k;

	(void)state;
	make(&a, "localhost");
	c = text_span(&a.c);
	k = text_span(&a.k);
	for (size_t n = 0; n + 2 < c.len; n++) /* the last two: dash and end of line */
		assert_int_not_equal(certificate_check(span_cut(c, n), k), SP_OK);
	for (size_t n = 0; n + 2 < k.len; n++)
		assert_int_not_equal(certificate_check(c, span_cut(k, n)), SP_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pairs_belong_together),
	    cmocka_unit_test(a_small_buffer_is_said),
	    cmocka_unit_test(what_is_cut_off_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
