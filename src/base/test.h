/* test.h - what every unit test includes: cmocka and its needs. */
#ifndef SP_BASE_TEST_H
#define SP_BASE_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/span.h"

/* assert_err - the result is exactly this error, shown by name when it is not. */
#define assert_err(expr, err) assert_string_equal(sp_err_row(expr)->name, sp_err_row(err)->name)
/* assert_span - the span is exactly this text. */
#define assert_span(actual, text)                                                                  \
	do {                                                                                       \
		struct span assert_s_ = (actual);                                                  \
		assert_int_equal(assert_s_.len, strlen(text));                                     \
		assert_memory_equal(assert_s_.ptr, text, assert_s_.len);                           \
	} while (0)

/* The address sanitizer replaces some calls (mlock does nothing): what cannot be seen then is not
 * asserted. */
#ifdef SP_SANITIZE
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif
#endif
