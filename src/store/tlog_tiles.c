#include "base/text.h"
#include "store/tlog.h"

unsigned
tiles_width(uint64_t size, unsigned level)
{
	return (unsigned)(size >> (8 * level)) & 255u;
}

uint64_t
tiles_index(uint64_t size, unsigned level)
{
	return level < TLOG_LEVELS - 1 ? size >> (8 * (level + 1)) : 0;
}

int
tiles_fold_by(struct sha256 *sha, const struct hash *h, size_t n, struct hash *ret)
{
	struct hash row[TLOG_TILE];

	PRECOND(n != 0 && n <= TLOG_TILE && (n & (n - 1)) == 0);
	memcpy(row, h, n * sizeof(*h));
	for (; n > 1; n /= 2) {
		for (size_t i = 0; i < n / 2; i++) {
			int err = merkle_node_by(sha, &row[2 * i], &row[2 * i + 1], &row[i]);

			if (err != SP_OK)
				return err;
		}
	}
	*ret = row[0];
	return SP_OK;
}

int
tiles_fold(const struct hash *h, size_t n, struct hash *ret)
{
	struct sha256 *sha = sha256_new();
	int err = sha != NULL ? tiles_fold_by(sha, h, n, ret) : SP_ENOMEM;

	sha256_free(sha);
	return err;
}

int
tiles_add(struct tiles *t, const struct hash *leaf, tiles_fn fn, void *arg)
{
	struct hash h = *leaf;

	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		unsigned width = tiles_width(t->size, level);
		int err;

		t->level[level][width] = h;
		if (width != TLOG_TILE - 1)
			break;
		err = fn != NULL ? fn(arg, level, tiles_index(t->size, level), t->level[level])
				 : SP_OK;
		if (err == SP_OK)
			err = tiles_fold(t->level[level], TLOG_TILE, &h);
		if (err != SP_OK)
			return err;
	}
	t->size++;
	return SP_OK;
}

/* The root hangs the full subtrees together from the smallest, at the right, to the largest
 * (RFC 9162 section 2.1.1); each bit of the size is one. */
int
tiles_root(const struct tiles *t, struct hash *ret)
{
	struct hash root;
	bool any = false;

	if (t->size == 0)
		return sha256(span_of(NULL, 0), ret->b);
	for (unsigned bit = 0; bit < 8 * TLOG_LEVELS; bit++) {
		unsigned level = bit / 8, width = tiles_width(t->size, level), n = 1u << (bit % 8);
		struct hash part;
		int err;

		if ((width & n) == 0)
			continue;
		err = tiles_fold(&t->level[level][width & ~(2 * n - 1)], n, &part);
		if (err == SP_OK && any)
			err = merkle_node(&part, &root, &part);
		if (err != SP_OK)
			return err;
		root = part;
		any = true;
	}
	*ret = root;
	return SP_OK;
}

int
tlog_key_parse(struct span line, struct tlog_key *ret)
{
	struct tlog_key key = {0};
	uint8_t id[4], raw[33];
	struct span name, rest;
	size_t n = 0;
	uint32_t expected = 0;
	int err;

	while (line.len != 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
		line.len--;
	name = span_cut(line, span_find(line, '+'));
	rest = span_skip(line, name.len + 1);
	if (name.len == 0 || name.len > TLOG_ORIGIN_MAX || rest.len < 10 || rest.ptr[8] != '+' ||
	    parse_hex(span_cut(rest, 8), id, sizeof(id)) != SP_OK ||
	    base64_get(span_skip(rest, 9), raw, sizeof(raw), &n) != SP_OK || n != sizeof(raw) ||
	    raw[0] != 0x01)
		return SP_ESYNTAX;
	memcpy(key.name, name.ptr, name.len);
	memcpy(key.public_key, raw + 1, 32);
	err = note_key_id(key.name, key.public_key, &expected);
	if (err != SP_OK)
		return err;
	if (expected !=
	    ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]))
		return SP_EVERIFY;
	*ret = key;
	return SP_OK;
}

int
bundle_next(struct span *rest, struct span *ret_entry)
{
	size_t n;

	if (rest->len == 0)
		return 0;
	if (rest->len < 2)
		return SP_EDAMAGED;
	n = (size_t)rest->ptr[0] << 8 | rest->ptr[1];
	if (rest->len - 2 < n)
		return SP_EDAMAGED;
	*ret_entry = span_of(rest->ptr + 2, n);
	*rest = span_skip(*rest, 2 + n);
	return 1;
}
