#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "proto/archive/archive.h"

/* Whole archives are read by others' programs in tests/e2e/test_archive.py. */

static uint8_t buf[ARCHIVE_PART_MAX];

static uint64_t
le_at(size_t at, size_t width)
{
	uint64_t v = 0;

	for (size_t i = width; i-- > 0;)
		v = v << 8 | buf[at + i];
	return v;
}

static void
test_zip_head(void **state)
{
	const struct archive_entry e = {.name = SPAN_LIT("a\\b.txt"),
	    .size = 5,
	    .crc32 = 0x12345678,
	    .has_crc32 = true,
	    .modified_us = 1764028181ull * 1000000}; /* 2025-11-24T23:49:41Z */
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	assert_int_equal(archive_head(ARCHIVE_ZIP, &e, &w), SP_OK);
	assert_int_equal(w.len, 30 + 7 + 9);
	assert_int_equal(le_at(0, 4), 0x04034b50);
	assert_int_equal(le_at(4, 2), 20);
	assert_int_equal(le_at(6, 2), 0x0800);
	assert_int_equal(le_at(10, 2), 23 << 11 | 49 << 5 | 41 / 2);
	assert_int_equal(le_at(12, 2), 45 << 9 | 11 << 5 | 24);
	assert_int_equal(le_at(14, 4), 0x12345678);
	assert_int_equal(le_at(18, 4), 5);
	assert_int_equal(le_at(22, 4), 5);
	assert_memory_equal(buf + 30, "a_b.txt", 7);
	assert_int_equal(le_at(37 + 5, 4), 1764028181);
	w = wr_of(buf, sizeof(buf));
	assert_int_equal(archive_foot(ARCHIVE_ZIP, &e, &w), SP_OK);
	assert_int_equal(w.len, 0);
}

static void
test_zip_without_crc(void **state)
{
	struct archive_entry e = {.name = SPAN_LIT("a"), .size = 5};
	struct wr w = wr_of(buf, sizeof(buf));

	(void)state;
	assert_int_equal(archive_head(ARCHIVE_ZIP, &e, &w), SP_OK);
	assert_int_equal(le_at(6, 2), 0x0808);
	assert_int_equal(le_at(18, 4), UINT32_MAX);
	e.crc32 = 7;
	w = wr_of(buf, sizeof(buf));
	assert_int_equal(archive_foot(ARCHIVE_ZIP, &e, &w), SP_OK);
	assert_int_equal(w.len, 24);
	assert_int_equal(le_at(4, 4), 7);
	assert_int_equal(le_at(16, 8), 5);
}

/* The numbers where the short form ends. */
static void
test_zip64(void **state)
{
	static const struct {
		uint64_t size, offset;
		size_t extra; /* of the central record, without the time's 9 bytes */
	} rows[] = {{UINT32_MAX - 1, 0, 0}, {UINT32_MAX, 0, 20}, {0, UINT32_MAX - 1, 0},
	    {0, UINT32_MAX, 12}, {1ull << 40, 1ull << 41, 28}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct archive_entry e = {
		    .name = SPAN_LIT("x"), .size = rows[i].size, .has_crc32 = true};
		struct wr w = wr_of(buf, sizeof(buf));

		assert_int_equal(archive_index(ARCHIVE_ZIP, &e, rows[i].offset, &w), SP_OK);
		assert_int_equal(w.len, 46 + 1 + rows[i].extra + 9);
		assert_int_equal(le_at(30, 2), rows[i].extra + 9);
		if (rows[i].extra == 28) {
			assert_int_equal(le_at(47 + 4, 8), 1ull << 40);
			assert_int_equal(le_at(47 + 20, 8), 1ull << 41);
		}
		w = wr_of(buf, sizeof(buf));
		assert_int_equal(archive_head(ARCHIVE_ZIP, &e, &w), SP_OK);
		assert_int_equal(w.len, 30 + 1 + 9 + (rows[i].size >= UINT32_MAX ? 20 : 0));
	}
}

static void
test_zip_end(void **state)
{
	static const struct {
		uint64_t n, offset, len;
		bool is_long;
	} rows[] = {{1, 10, 10, false}, {65534, 10, 10, false}, {65535, 10, 10, true},
	    {1, UINT32_MAX, 1, true}, {1, 1, UINT32_MAX, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wr w = wr_of(buf, sizeof(buf));

		assert_int_equal(
		    archive_end(ARCHIVE_ZIP, rows[i].n, rows[i].offset, rows[i].len, &w), SP_OK);
		assert_int_equal(w.len, 22 + (rows[i].is_long ? 76 : 0));
		if (rows[i].is_long)
			assert_int_equal(le_at(56 + 8, 8), rows[i].offset + rows[i].len);
	}
}

static void
test_tar(void **state)
{
	struct archive_entry e = {
	    .name = SPAN_LIT("folder/file"), .size = 513, .modified_us = 8000000};
	struct wr w = wr_of(buf, sizeof(buf));
	char name[ARCHIVE_NAME_MAX + 1], begin[32];

	(void)state;
	assert_int_equal(archive_head(ARCHIVE_TAR, &e, &w), SP_OK);
	assert_int_equal(w.len, 512);
	assert_string_equal((char *)buf + 124, "00000001001");
	assert_string_equal((char *)buf + 136, "00000000010");
	assert_memory_equal(buf + 257, "ustar\00000", 8);
	w = wr_of(buf, sizeof(buf));
	assert_int_equal(archive_foot(ARCHIVE_TAR, &e, &w), SP_OK);
	assert_int_equal(w.len, 511);
	/* longer than ustar can say */
	e.size = 1ull << 33;
	w = wr_of(buf, sizeof(buf));
	assert_int_equal(archive_head(ARCHIVE_TAR, &e, &w), SP_OK);
	assert_int_equal(w.len, 3 * 512);
	assert_memory_equal(buf + 512, "19 size=8589934592\n", 19);
	memset(name, 'n', sizeof(name));
	for (size_t n = 95; n < 110; n++) {
		e = (struct archive_entry){.name = span_of((uint8_t *)name, n)};
		w = wr_of(buf, sizeof(buf));
		assert_int_equal(archive_head(ARCHIVE_TAR, &e, &w), SP_OK);
		assert_int_equal(w.len, n > 100 ? 3 * 512 : 512);
		if (n > 100)
			assert_memory_equal(buf + 512, begin,
			    (size_t)snprintf(begin, sizeof(begin), "%zu path=n", n + 10));
	}
	e.name = span_of((uint8_t *)name, ARCHIVE_NAME_MAX);
	w = wr_of(buf, sizeof(buf));
	assert_int_equal(archive_head(ARCHIVE_TAR, &e, &w), SP_OK);
	e.name = span_of((uint8_t *)name, ARCHIVE_NAME_MAX + 1);
	assert_int_equal(archive_head(ARCHIVE_TAR, &e, &w), SP_ETOOBIG);
	assert_int_equal(archive_head(ARCHIVE_ZIP, &e, &w), SP_ETOOBIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zip_head),
	    cmocka_unit_test(test_zip_without_crc),
	    cmocka_unit_test(test_zip64),
	    cmocka_unit_test(test_zip_end),
	    cmocka_unit_test(test_tar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
