/* merkle.c - Merkle trees of RFC 9162 section 2.1 and their proofs. */
#include "crypto/merkle.h"
#include "base/wire.h"

#define PROOF_MAX 64u

int
merkle_leaf_by(struct sha256 *h, struct span entry, struct hash *ret)
{
	int r = sha256_reset(h);

	if (r == SP_OK)
		r = sha256_add(h, SPAN_LIT("\x00"));
	if (r == SP_OK)
		r = sha256_add(h, entry);
	return r == SP_OK ? sha256_get(h, ret->b) : r;
}

int
merkle_leaf(struct span entry, struct hash *ret)
{
	struct sha256 *h = sha256_new();
	int r = h != NULL ? merkle_leaf_by(h, entry, ret) : SP_ENOMEM;

	sha256_free(h);
	return r;
}

int
merkle_node_by(
    struct sha256 *h, const struct hash *left, const struct hash *right, struct hash *ret)
{
	uint8_t buf[1 + 32 + 32];
	struct wr w = wr_of(buf, sizeof(buf));
	int r = sha256_reset(h);

	wr_uint(&w, 1, 1);
	wr_bytes(&w, span_of(left->b, 32));
	wr_bytes(&w, span_of(right->b, 32));
	VERIFY(!w.bad);
	if (r == SP_OK)
		r = sha256_add(h, wr_span(&w));
	return r == SP_OK ? sha256_get(h, ret->b) : r;
}

int
merkle_node(const struct hash *left, const struct hash *right, struct hash *ret)
{
	struct sha256 *h = sha256_new();
	int r = h != NULL ? merkle_node_by(h, left, right, ret) : SP_ENOMEM;

	sha256_free(h);
	return r;
}

void
merkle_init(struct merkle *m)
{
	*m = (struct merkle){0};
}

int
merkle_append(struct merkle *m, const struct hash *leaf)
{
	struct hash h = *leaf;
	unsigned level = 0;

	if (m->size == UINT64_MAX)
		return SP_ERANGE;
	for (; (m->size >> level & 1) != 0; level++) {
		int r = merkle_node(&m->edge[level], &h, &h);

		if (r != SP_OK)
			return r;
	}
	m->edge[level] = h;
	m->size++;
	return SP_OK;
}

int
merkle_root(const struct merkle *m, struct hash *ret)
{
	struct hash h = {{0}};
	bool have = false;

	if (m->size == 0)
		return sha256(span_of(NULL, 0), ret->b);
	for (unsigned level = 0; level < 64; level++) {
		int r = SP_OK;

		if ((m->size >> level & 1) == 0)
			continue;
		if (have)
			r = merkle_node(&m->edge[level], &h, &h);
		else
			h = m->edge[level];
		if (r != SP_OK)
			return r;
		have = true;
	}
	*ret = h;
	return SP_OK;
}

/* Exponent of the largest power of two that is smaller than n (n at least 2). */
static unsigned
split_level(uint64_t n)
{
	return 63u - (unsigned)__builtin_clzll(n - 1);
}

/* The hash of leaves [start, start + n): start is a multiple of a power of two that is at least n,
 * so the full subtrees that n's bits name follow one another from start on. */
static int
range_hash(uint64_t start, uint64_t n, merkle_hash_fn fn, void *arg, struct hash *ret)
{
	struct merkle m = {.size = n};
	uint64_t at = start;

	for (unsigned level = 64; level-- > 0;) {
		int r;

		if ((n >> level & 1) == 0)
			continue;
		r = fn(arg, level, at >> level, &m.edge[level]);
		if (r != SP_OK)
			return r;
		at += (uint64_t)1 << level;
	}
	return merkle_root(&m, ret);
}

/* Proofs are found from the root down and are listed from the leaf up. */
static void
reverse(struct hash *h, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct hash t = h[i];

		h[i] = h[n - 1 - i];
		h[n - 1 - i] = t;
	}
}

/* PATH and SUBPROOF walk alike: at each fork take the side of `index`, and add the hash of the
 * other.  Stops at the range [*start, *start + *n) for which stop says so. */
struct walk {
	uint64_t start, n; /* the range that is left */
	struct hash *proof;
	size_t len;
};

static int
walk_step(struct walk *w, uint64_t index, merkle_hash_fn fn, void *arg)
{
	uint64_t k = (uint64_t)1 << split_level(w->n);
	int r;

	VERIFY(w->len < PROOF_MAX);
	if (index - w->start < k) {
		r = range_hash(w->start + k, w->n - k, fn, arg, &w->proof[w->len++]);
		w->n = k;
	} else {
		r = range_hash(w->start, k, fn, arg, &w->proof[w->len++]);
		w->start += k;
		w->n -= k;
	}
	return r;
}

int
inclusion_proof(
    uint64_t index, uint64_t size, merkle_hash_fn fn, void *arg, struct hash *ret, size_t *ret_n)
{
	struct walk w = {0, size, ret, 0};

	if (index >= size)
		return SP_ERANGE;
	while (w.n > 1) {
		int r = walk_step(&w, index, fn, arg);

		if (r != SP_OK)
			return r;
	}
	reverse(ret, w.len);
	*ret_n = w.len;
	return SP_OK;
}

int
consistency_proof(
    uint64_t old_size, uint64_t size, merkle_hash_fn fn, void *arg, struct hash *ret, size_t *ret_n)
{
	struct walk w = {0, size, ret, 0};
	int r;

	if (old_size > size)
		return SP_ERANGE;
	if (old_size == 0 || old_size == size) {
		*ret_n = 0;
		return SP_OK;
	}
	/* SUBPROOF: follow the last leaf of the old tree until the range ends with it. */
	while (w.start + w.n != old_size) {
		r = walk_step(&w, old_size - 1, fn, arg);
		if (r != SP_OK)
			return r;
	}
	if (w.start != 0) { /* the verifier does not know this subtree: b is false */
		VERIFY(w.len < PROOF_MAX);
		r = range_hash(w.start, w.n, fn, arg, &ret[w.len++]);
		if (r != SP_OK)
			return r;
	}
	reverse(ret, w.len);
	*ret_n = w.len;
	return SP_OK;
}

static int
same(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, 32) == 0 ? SP_OK : SP_EVERIFY;
}

int
inclusion_check(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *proof,
    size_t n, const struct hash *root)
{
	uint64_t fn = index, sn = size - 1; /* names of RFC 9162 section 2.1.3.2 */
	struct hash h = *leaf;

	if (index >= size)
		return SP_EVERIFY;
	for (size_t i = 0; i < n; i++) {
		int r;

		if (sn == 0)
			return SP_EVERIFY;
		if ((fn & 1) != 0 || fn == sn) {
			r = merkle_node(&proof[i], &h, &h);
			for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
				sn >>= 1;
		} else {
			r = merkle_node(&h, &proof[i], &h);
		}
		if (r != SP_OK)
			return r;
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 ? same(&h, root) : SP_EVERIFY;
}

/* RFC 9162 section 2.1.4.2 for 0 < old_size < size; first is the proof's first hash, or the old
 * root. */
static int
consistency_fold(uint64_t old_size, uint64_t size, const struct hash *first,
    const struct hash *proof, size_t n, struct hash *ret_old, struct hash *ret_new)
{
	uint64_t fn = old_size - 1, sn = size - 1;
	int r = SP_OK;

	for (; (fn & 1) != 0; fn >>= 1)
		sn >>= 1;
	*ret_old = *ret_new = *first;
	for (size_t i = 0; i < n && r == SP_OK; i++) {
		if (sn == 0)
			return SP_EVERIFY;
		if ((fn & 1) != 0 || fn == sn) {
			r = merkle_node(&proof[i], ret_old, ret_old);
			if (r == SP_OK)
				r = merkle_node(&proof[i], ret_new, ret_new);
			for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
				sn >>= 1;
		} else {
			r = merkle_node(ret_new, &proof[i], ret_new);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (r != SP_OK)
		return r;
	return sn == 0 ? SP_OK : SP_EVERIFY;
}

int
consistency_check(uint64_t old_size, uint64_t size, const struct hash *old_root,
    const struct hash *root, const struct hash *proof, size_t n)
{
	struct hash from_old, from_new, empty;
	bool whole = old_size != 0 && (old_size & (old_size - 1)) == 0;
	int r;

	if (old_size > size)
		return SP_EVERIFY;
	if (old_size == 0) {
		r = sha256(span_of(NULL, 0), empty.b);
		if (r == SP_OK)
			r = n == 0 ? same(old_root, &empty) : SP_EVERIFY;
		if (r == SP_OK && size == 0)
			r = same(old_root, root);
		return r;
	}
	if (old_size == size)
		return n == 0 ? same(old_root, root) : SP_EVERIFY;
	if (n == 0)
		return SP_EVERIFY;
	if (whole) /* the old root is a node of the new tree and is left out of the proof */
		r = consistency_fold(old_size, size, old_root, proof, n, &from_old, &from_new);
	else
		r = consistency_fold(
		    old_size, size, &proof[0], proof + 1, n - 1, &from_old, &from_new);
	if (r == SP_OK)
		r = same(&from_old, old_root);
	return r == SP_OK ? same(&from_new, root) : r;
}

/* "x001/x234/067" of 1234067: groups of three digits, the most significant first. */
static void
tile_number(struct text *t, uint64_t index)
{
	uint64_t unit = 1;

	while (index / unit >= 1000)
		unit *= 1000;
	for (; unit > 1; unit /= 1000)
		text_fmt(t, "x%03u/", (unsigned)(index / unit % 1000));
	text_fmt(t, "%03u", (unsigned)(index % 1000));
}

void
tile_path(struct text *t, int level, uint64_t index, unsigned width)
{
	PRECOND(level >= -1 && level <= 63 && width >= 1 && width <= 256);
	text_str(t, "tile/");
	if (level < 0)
		text_str(t, "entries");
	else
		text_u64(t, (uint64_t)level);
	text_chr(t, '/');
	tile_number(t, index);
	if (width < 256)
		text_fmt(t, ".p/%u", width);
}
