/* merkle_test.c - trees and proofs against the definitions of RFC 9162, for every size up to 70. */
#include "crypto/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SIZES 70u

static struct hash leaves[SIZES];

/* MTH(D[start : start + n]) word for word as RFC 9162 section 2.1.1 defines it. */
static struct hash
mth(uint64_t start, uint64_t n)
{
	struct hash l, r, h;
	uint64_t k = 1;

	if (n == 1)
		return leaves[start];
	while (k * 2 < n)
		k *= 2;
	l = mth(start, k);
	r = mth(start + k, n - k);
	assert_int_equal(merkle_node(&l, &r, &h), SP_OK);
	return h;
}

static int
subtree(void *arg, unsigned level, uint64_t index, struct hash *ret)
{
	uint64_t size = *(uint64_t *)arg;

	assert_true(level < 7);
	assert_true(((index + 1) << level) <= size); /* only full subtrees are asked for */
	*ret = mth(index << level, (uint64_t)1 << level);
	return SP_OK;
}

static int
no_hash(void *arg, unsigned level, uint64_t index, struct hash *ret)
{
	(void)arg, (void)level, (void)index, (void)ret;
	return SP_EIO;
}

static int
setup(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < SIZES; i++) {
		if (merkle_leaf(span_of(&i, 1), &leaves[i]) != SP_OK)
			return -1;
	}
	return 0;
}

/* The trees of the Certificate Transparency test data (RFC 6962 reference): eight entries. */
static void
test_known(void **state)
{
	static const char *const entries[] = {"", "00", "10", "2021", "3031", "40414243",
	    "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
	static const char *const roots[] = {
	    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
	struct merkle m;
	struct hash root, leaf;
	uint8_t entry[16], want[32];

	(void)state;
	merkle_init(&m);
	assert_int_equal(merkle_root(&m, &root), SP_OK);
	assert_int_equal(
	    parse_hex(span_str("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
		want, 32),
	    SP_OK);
	assert_memory_equal(root.b, want, 32);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		size_t n = strlen(entries[i]) / 2;

		assert_int_equal(parse_hex(span_str(entries[i]), entry, n), SP_OK);
		assert_int_equal(merkle_leaf(span_of(entry, n), &leaf), SP_OK);
		assert_int_equal(merkle_append(&m, &leaf), SP_OK);
		assert_int_equal(merkle_root(&m, &root), SP_OK);
		assert_int_equal(parse_hex(span_str(roots[i]), want, 32), SP_OK);
		assert_memory_equal(root.b, want, 32);
	}
}

static void
test_roots(void **state)
{
	struct merkle m;

	(void)state;
	merkle_init(&m);
	for (uint64_t n = 1; n <= SIZES; n++) {
		struct hash want = mth(0, n), root;

		assert_int_equal(merkle_append(&m, &leaves[n - 1]), SP_OK);
		assert_int_equal(m.size, n);
		assert_int_equal(merkle_root(&m, &root), SP_OK);
		assert_memory_equal(root.b, want.b, 32);
	}
}

/* PATH(m, D[n]) as RFC 9162 section 2.1.3.1 defines it. */
static size_t
path(uint64_t m, uint64_t start, uint64_t n, struct hash *out)
{
	uint64_t k = 1;
	size_t len;

	if (n == 1)
		return 0;
	while (k * 2 < n)
		k *= 2;
	if (m < k) {
		len = path(m, start, k, out);
		out[len] = mth(start + k, n - k);
	} else {
		len = path(m - k, start + k, n - k, out);
		out[len] = mth(start, k);
	}
	return len + 1;
}

/* SUBPROOF(m, D[n], b) as RFC 9162 section 2.1.4.1 defines it. */
static size_t
subproof(uint64_t m, uint64_t start, uint64_t n, bool b, struct hash *out)
{
	uint64_t k = 1;
	size_t len;

	if (m == n) {
		if (b)
			return 0;
		out[0] = mth(start, n);
		return 1;
	}
	while (k * 2 < n)
		k *= 2;
	if (m <= k) {
		len = subproof(m, start, k, b, out);
		out[len] = mth(start + k, n - k);
	} else {
		len = subproof(m - k, start + k, n - k, false, out);
		out[len] = mth(start, k);
	}
	return len + 1;
}

static void
test_inclusion(void **state)
{
	struct hash proof[64], want[64];
	size_t n = 0;

	(void)state;
	for (uint64_t size = 1; size <= SIZES; size++) {
		struct hash root = mth(0, size);

		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(
			    inclusion_proof(i, size, subtree, &size, proof, &n), SP_OK);
			assert_int_equal(n, path(i, 0, size, want));
			assert_memory_equal(proof, want, n * sizeof(proof[0]));
			assert_int_equal(
			    inclusion_check(i, size, &leaves[i], proof, n, &root), SP_OK);
			for (uint64_t j = 0; j < size; j++) { /* no other leaf, no other place */
				if (j == i)
					continue;
				assert_int_equal(
				    inclusion_check(i, size, &leaves[j], proof, n, &root),
				    SP_EVERIFY);
				assert_int_equal(
				    inclusion_check(j, size, &leaves[i], proof, n, &root),
				    SP_EVERIFY);
			}
			for (size_t h = 0; h < n; h++) {
				proof[h].b[h % 32] ^= 1;
				assert_int_equal(
				    inclusion_check(i, size, &leaves[i], proof, n, &root),
				    SP_EVERIFY);
				proof[h].b[h % 32] ^= 1;
			}
			proof[n] = root;
			assert_int_equal(
			    inclusion_check(i, size, &leaves[i], proof, n + 1, &root), SP_EVERIFY);
			if (n > 0)
				assert_int_equal(
				    inclusion_check(i, size, &leaves[i], proof, n - 1, &root),
				    SP_EVERIFY);
		}
		assert_int_equal(inclusion_proof(size, size, subtree, &size, proof, &n), SP_ERANGE);
		assert_int_equal(
		    inclusion_check(size, size, &leaves[0], proof, n, &root), SP_EVERIFY);
		assert_int_equal(
		    inclusion_proof(0, size, no_hash, NULL, proof, &n), size == 1 ? SP_OK : SP_EIO);
	}
	assert_int_equal(inclusion_check(0, 0, &leaves[0], proof, 0, &leaves[0]), SP_EVERIFY);
}

static void
test_consistency(void **state)
{
	struct hash proof[64], want[64];
	size_t n = 0;

	(void)state;
	for (uint64_t size = 1; size <= SIZES; size++) {
		struct hash root = mth(0, size);

		for (uint64_t old = 1; old <= size; old++) {
			struct hash old_root = mth(0, old), other = root;

			assert_int_equal(
			    consistency_proof(old, size, subtree, &size, proof, &n), SP_OK);
			assert_int_equal(n, old == size ? 0 : subproof(old, 0, size, true, want));
			assert_memory_equal(proof, want, n * sizeof(proof[0]));
			assert_int_equal(
			    consistency_check(old, size, &old_root, &root, proof, n), SP_OK);
			other.b[0] ^= 1;
			assert_int_equal(
			    consistency_check(old, size, &old_root, &other, proof, n), SP_EVERIFY);
			assert_int_equal(
			    consistency_check(old, size, &other, &root, proof, n), SP_EVERIFY);
			for (size_t h = 0; h < n; h++) {
				proof[h].b[h % 32] ^= 1;
				assert_int_equal(
				    consistency_check(old, size, &old_root, &root, proof, n),
				    SP_EVERIFY);
				proof[h].b[h % 32] ^= 1;
			}
			proof[n] = root;
			assert_int_equal(
			    consistency_check(old, size, &old_root, &root, proof, n + 1),
			    SP_EVERIFY);
			if (n > 0)
				assert_int_equal(
				    consistency_check(old, size, &old_root, &root, proof, n - 1),
				    SP_EVERIFY);
			assert_int_equal(
			    consistency_check(size + 1, size, &old_root, &root, proof, n),
			    SP_EVERIFY);
		}
		assert_int_equal(
		    consistency_proof(size + 1, size, subtree, &size, proof, &n), SP_ERANGE);
	}
}

static void
test_consistency_empty(void **state)
{
	struct hash empty, proof[1] = {leaves[0]};
	size_t n = 9;

	(void)state;
	assert_int_equal(sha256(span_of(NULL, 0), empty.b), SP_OK);
	assert_int_equal(consistency_proof(0, 5, no_hash, NULL, proof, &n), SP_OK);
	assert_int_equal(n, 0);
	assert_int_equal(consistency_check(0, 5, &empty, &leaves[1], proof, 0), SP_OK);
	assert_int_equal(consistency_check(0, 5, &empty, &leaves[1], proof, 1), SP_EVERIFY);
	assert_int_equal(consistency_check(0, 5, &leaves[0], &leaves[1], proof, 0), SP_EVERIFY);
	assert_int_equal(consistency_check(0, 0, &empty, &empty, proof, 0), SP_OK);
	assert_int_equal(consistency_check(0, 0, &empty, &leaves[1], proof, 0), SP_EVERIFY);
}

/* The examples of C2SP tlog-tiles, and the corners. */
static void
test_tile_path(void **state)
{
	static const struct {
		int level;
		uint64_t index;
		unsigned width;
		const char *want;
	} cases[] = {
	    {0, 1234067, 256, "tile/0/x001/x234/067"},
	    {-1, 1234067, 256, "tile/entries/x001/x234/067"},
	    {0, 273, 112, "tile/0/273.p/112"},
	    {1, 1, 17, "tile/1/001.p/17"},
	    {2, 0, 1, "tile/2/000.p/1"},
	    {63, 999, 255, "tile/63/999.p/255"},
	    {-1, 1000, 1, "tile/entries/x001/000.p/1"},
	    {0, 1000000, 256, "tile/0/x001/x000/000"},
	    {0, UINT64_MAX, 256, "tile/0/x018/x446/x744/x073/x709/x551/615"},
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text t = text_of(buf, sizeof(buf));

		tile_path(&t, cases[i].level, cases[i].index, cases[i].width);
		assert_false(t.bad);
		assert_string_equal(buf, cases[i].want);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_roots),
	    cmocka_unit_test(test_inclusion),
	    cmocka_unit_test(test_consistency),
	    cmocka_unit_test(test_consistency_empty),
	    cmocka_unit_test(test_tile_path),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
