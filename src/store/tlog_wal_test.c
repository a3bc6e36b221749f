/* tlog_wal_test.c - the write-ahead file after every truncation and every bit flip of its end. */
#include "base/test.h"
#include "base/mem.h"
#include "store/tlog_wal.h"

#define RUN 0x1122334455667788u

static uint8_t *wal; /* WAL_BYTES */

struct got {
	uint64_t next;
	unsigned n;
};

static int
take(void *arg, uint64_t index, struct span entry)
{
	struct got *g = arg;

	assert_int_equal(index, g->next);
	assert_true(entry.len >= 8);
	assert_int_equal(entry.ptr[0], (uint8_t)index);
	g->next++;
	g->n++;
	return SP_OK;
}

static int
setup(void **state)
{
	(void)state;
	wal = mem_alloc(WAL_BYTES);
	return wal != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	mem_free(wal);
	return 0;
}

static void
put_head(uint64_t generation, uint64_t run)
{
	struct wal_head h = {generation, run};

	assert_err(wal_head_put(wal + generation % WAL_HEADS * WAL_BLOCK_BYTES, &h), SP_OK);
}

/* n entries of `len` bytes from index `first` as one group at pos of a zone; returns where the next
 * group goes. */
static size_t
put_group(unsigned zone, size_t pos, uint64_t first, unsigned n, size_t len, uint64_t run)
{
	uint8_t *at = wal + wal_zone_at(zone) + pos, *start = at;
	static uint8_t entry[WAL_ENTRY_MAX];

	for (unsigned i = 0; i < n; i++) {
		struct wal_record r = {first + i, first, span_of(entry, len)};

		memset(entry, (int)(first + i), len);
		assert_err(wal_record_put(at, WAL_GROUP_MAX, run, &r), SP_OK);
		at += wal_record_bytes(len);
	}
	n = (unsigned)((size_t)(at - start) + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES *
	    WAL_BLOCK_BYTES;
	memset(at, 0, n - (size_t)(at - start));
	return pos + n;
}

static int
recover(size_t len, uint64_t size, struct wal_found *f)
{
	char why[256] = "";
	struct got g = {size, 0};
	int err = wal_recover(span_of(wal, len), size, take, &g, f, why, sizeof(why));

	if (err == SP_OK)
		assert_int_equal(f->size, size + g.n);
	else
		assert_non_null(strstr(why, "ledger/wal"));
	return err;
}

static void
test_empty(void **state)
{
	struct wal_found f;

	(void)state;
	memset(wal, 0, WAL_BYTES);
	for (size_t len = 0; len <= WAL_BYTES; len += len < 9000 ? 100 : 4000000) {
		assert_err(recover(len, 5, &f), SP_OK);
		assert_int_equal(f.size, 5);
		assert_int_equal(f.head.generation, 0);
		assert_false(f.torn);
	}
	put_head(1, RUN);
	assert_err(recover(WAL_BYTES, 5, &f), SP_OK);
	assert_int_equal(f.head.generation, 1);
	wal[wal_zone_at(0)] = 1; /* something, but no head */
	memset(wal, 7, WAL_HEADS * WAL_BLOCK_BYTES);
	assert_err(recover(WAL_BYTES, 5, &f), SP_EDAMAGED);
}

static void
test_zones(void **state)
{
	struct wal_found f;
	size_t a, b;

	(void)state;
	memset(wal, 0, WAL_BYTES);
	put_head(1, 99);
	put_head(2, RUN);
	a = put_group(0, 0, 10, 3, 100, RUN);
	a = put_group(0, a, 13, 1, 9000, RUN);
	a = put_group(0, a, 14, 50, 77, RUN); /* over several blocks */
	b = put_group(1, 0, 64, 2, 500, RUN);
	(void)put_group(1, b, 66, 1, 8, RUN);
	assert_err(recover(WAL_BYTES, 10, &f), SP_OK);
	assert_int_equal(f.size, 67);
	assert_false(f.torn);
	/* later checkpoints: what is below them is stale */
	for (uint64_t size = 10; size <= 67; size++) {
		assert_err(recover(WAL_BYTES, size, &f), SP_OK);
		assert_int_equal(f.size, 67);
		assert_false(f.torn);
	}
	/* the first zone is used again, while the second still counts */
	(void)put_group(0, 0, 67, 4, 30, RUN);
	assert_err(recover(WAL_BYTES, 64, &f), SP_OK);
	assert_int_equal(f.size, 71);
	assert_false(f.torn);
	/* records of another run do not count, nor do they look torn */
	put_head(3, RUN + 1);
	assert_err(recover(WAL_BYTES, 71, &f), SP_OK);
	assert_int_equal(f.size, 71);
	assert_false(f.torn);
	/* a gap that a later group proves */
	put_head(4, RUN);
	assert_err(recover(WAL_BYTES, 60, &f), SP_EDAMAGED);
}

static size_t
three_groups(void)
{
	size_t at;

	memset(wal, 0, WAL_BYTES);
	put_head(1, RUN);
	at = put_group(0, 0, 0, 3, 200, RUN);
	at = put_group(0, at, 3, 2, 300, RUN);
	(void)put_group(0, at, 5, 3, 120, RUN);
	return at;
}

/* The last group ends at any byte: what is whole is taken, the rest is dropped and said. */
static void
test_truncations(void **state)
{
	size_t last = three_groups(), rec = wal_record_bytes(120);
	uint8_t *copy = mem_alloc(3 * rec);
	struct wal_found f;

	(void)state;
	assert_non_null(copy);
	memcpy(copy, wal + wal_zone_at(0) + last, 3 * rec);
	for (size_t n = 0; n < 3 * rec; n++) {
		/* zeros where the write did not arrive, and the file cut there */
		memset(wal + wal_zone_at(0) + last, 0, 3 * rec);
		memcpy(wal + wal_zone_at(0) + last, copy, n);
		for (int cut = 0; cut < 2; cut++) {
			size_t len = cut != 0 ? (size_t)wal_zone_at(0) + last + n : WAL_BYTES;
			size_t whole = n / rec;

			/* the padding of a record may be missing: it is zero anyway */
			if (cut == 0 && n % rec >= WAL_RECORD_HEAD_BYTES + 120)
				whole++;
			assert_err(recover(len, 0, &f), SP_OK);
			assert_int_equal(f.size, 5 + whole);
			if (n % rec >= WAL_RECORD_HEAD_BYTES &&
			    n % rec < WAL_RECORD_HEAD_BYTES + 120)
				assert_true(f.torn);
			if (n == 0)
				assert_false(f.torn);
		}
	}
	mem_free(copy);
}

/* Every bit of the last group: dropped from there on, and said.  Every bit of an earlier one:
 * refused, because the later group proves that it was complete. */
static void
test_flips(void **state)
{
	size_t last = three_groups(), rec = wal_record_bytes(120),
	       used = WAL_RECORD_HEAD_BYTES + 120;
	struct wal_found f;

	(void)state;
	for (size_t at = 0; at < 3 * rec; at++) {
		uint8_t *b = wal + wal_zone_at(0) + last + at;

		if (at % rec >= used)
			continue; /* padding */
		for (unsigned bit = 0; bit < 8; bit++) {
			*b ^= (uint8_t)(1 << bit);
			assert_err(recover(WAL_BYTES, 0, &f), SP_OK);
			assert_int_equal(f.size, 5 + at / rec);
			assert_true(f.torn);
			assert_true(f.dropped_bytes > 0);
			*b ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t at = 0; at < WAL_RECORD_HEAD_BYTES + 200; at++) {
		uint8_t *b = wal + wal_zone_at(0) + at;

		*b ^= 16;
		assert_err(recover(WAL_BYTES, 0, &f), SP_EDAMAGED);
		/* but when a checkpoint covers it, it does not matter */
		assert_err(recover(WAL_BYTES, 8, &f), SP_OK);
		*b ^= 16;
	}
}

/* Blocks of the last group arrive in any combination (it is one write of four blocks). */
static void
test_blocks(void **state)
{
	uint8_t *copy = mem_alloc(4 * WAL_BLOCK_BYTES);
	struct wal_found f;
	size_t at;

	(void)state;
	assert_non_null(copy);
	memset(wal, 0, WAL_BYTES);
	put_head(1, RUN);
	at = put_group(0, 0, 0, 2, 100, RUN);
	assert_int_equal(put_group(0, at, 2, 40, 300, RUN) - at, 4 * WAL_BLOCK_BYTES);
	memcpy(copy, wal + wal_zone_at(0) + at, 4 * WAL_BLOCK_BYTES);
	for (unsigned mask = 0; mask < 16; mask++) {
		memset(wal + wal_zone_at(0) + at, 0, 4 * WAL_BLOCK_BYTES);
		for (unsigned b = 0; b < 4; b++)
			if ((mask >> b & 1) != 0)
				memcpy(wal + wal_zone_at(0) + at + (size_t)b * WAL_BLOCK_BYTES,
				    copy + (size_t)b * WAL_BLOCK_BYTES, WAL_BLOCK_BYTES);
		assert_err(recover(WAL_BYTES, 0, &f), SP_OK);
		assert_true(f.size >= 2 && f.size <= 42);
		assert_int_equal(f.size == 42, mask == 15);
		assert_int_equal(f.torn, mask != 0 && mask != 15);
	}
	mem_free(copy);
}

static void
test_heads(void **state)
{
	struct wal_found f;

	(void)state;
	(void)three_groups();
	/* a torn second head: the first counts */
	put_head(2, RUN + 1);
	wal[20] ^= 1;
	assert_err(recover(WAL_BYTES, 0, &f), SP_OK);
	assert_int_equal(f.size, 8);
	/* but not when there are entries of a run that it began */
	(void)put_group(1, 0, 8, 1, 50, RUN + 1);
	assert_err(recover(WAL_BYTES, 8, &f), SP_EDAMAGED);
	for (size_t i = 0; i < 48; i++) {
		struct wal_head h;
		uint8_t block[WAL_BLOCK_BYTES];

		assert_err(wal_head_put(block, &(struct wal_head){5, 6}), SP_OK);
		assert_err(wal_head_get(span_of(block, sizeof(block)), &h), SP_OK);
		block[i] ^= 1;
		assert_err(wal_head_get(span_of(block, sizeof(block)), &h), SP_EVERIFY);
		assert_err(wal_head_get(span_of(block, i), &h), SP_EVERIFY);
	}
}

static void
test_records(void **state)
{
	static uint8_t out[70000], entry[WAL_ENTRY_MAX + 1];
	struct wal_record r = {7, 9, span_of(entry, 10)}, back;

	(void)state;
	r.entry.len = 0;
	assert_err(wal_record_put(out, sizeof(out), RUN, &r), SP_ERANGE);
	r.entry = span_of(entry, WAL_ENTRY_MAX + 1);
	assert_err(wal_record_put(out, sizeof(out), RUN, &r), SP_ERANGE);
	r.entry.len--;
	assert_err(wal_record_put(out, WAL_ENTRY_MAX, RUN, &r), SP_ESPACE);
	assert_err(wal_record_put(out, 40, RUN, &r), SP_ESPACE);
	assert_err(wal_record_put(out, sizeof(out), RUN, &r), SP_OK);
	/* its group cannot begin after it */
	assert_err(wal_record_get(span_of(out, sizeof(out)), RUN, &back), SP_EVERIFY);
	r.first = 7;
	assert_err(wal_record_put(out, sizeof(out), RUN, &r), SP_OK);
	assert_err(wal_record_get(span_of(out, sizeof(out)), RUN, &back), SP_OK);
	assert_int_equal(back.entry.len, WAL_ENTRY_MAX);
	assert_err(wal_record_get(span_of(out, sizeof(out)), RUN + 1, &back), SP_EVERIFY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_zones),
	    cmocka_unit_test(test_truncations),
	    cmocka_unit_test(test_flips),
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_heads),
	    cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
