/* orgkeys.c - see orgkeys.h. */
#include "rooms/vault/orgkeys.h"

#include "base/wire.h"

#define HEAD_BYTES 24u
#define MAC_BYTES 32u

#define FLAG_EGRESS 1u
static const struct span magic = {(const uint8_t *)"SPVSTAT1", 8};

void
orgkeys_done(struct orgkeys *t)
{
	if (t->rows != NULL)
		mem_wipe(
		    t->rows, t->cap * sizeof(*t->rows)); /* wraps of epochs that may be destroyed */
	mem_free(t->rows);
	*t = (struct orgkeys){.rows = NULL};
}

int
orgkeys_copy(const struct orgkeys *t, struct orgkeys *ret)
{
	struct orgkeys c = {.n = t->n, .cap = t->n + 1, .has_egress = t->has_egress};

	c.rows = mem_array(c.cap, sizeof(*c.rows));
	if (c.rows == NULL)
		return SP_ENOMEM;
	if (t->n != 0)
		memcpy(c.rows, t->rows, t->n * sizeof(*c.rows));
	*ret = c;
	return SP_OK;
}

/* row_before - does row sort before (org, epoch)? */
static bool
row_before(const struct orgkey *row, uint64_t org, uint32_t epoch)
{
	return row->org != org ? row->org < org : row->epoch < epoch;
}

/* lower_bound - index of the first row that is not before (org, epoch). */
static size_t
lower_bound(const struct orgkeys *t, uint64_t org, uint32_t epoch)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (row_before(&t->rows[mid], org, epoch))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct orgkey *
orgkeys_find(const struct orgkeys *t, uint64_t org, uint32_t epoch)
{
	size_t i;

	if (epoch == 0) {
		i = lower_bound(t, org, UINT32_MAX);
		if (i < t->n && t->rows[i].org == org)
			return &t->rows[i];
		return i != 0 && t->rows[i - 1].org == org ? &t->rows[i - 1] : NULL;
	}
	i = lower_bound(t, org, epoch);
	return i < t->n && t->rows[i].org == org && t->rows[i].epoch == epoch ? &t->rows[i] : NULL;
}

int
orgkeys_add(struct orgkeys *t, const struct orgkey *row)
{
	size_t i = lower_bound(t, row->org, row->epoch);

	if (i < t->n && t->rows[i].org == row->org && t->rows[i].epoch == row->epoch)
		return SP_EEXISTS;
	if (t->n >= ORGKEYS_MAX)
		return SP_EFULL;
	if (t->n == t->cap) {
		size_t cap = t->cap < 8 ? 16 : t->cap * 2;
		struct orgkey *rows =
		    mem_grow(t->rows, t->cap * sizeof(*rows), cap * sizeof(*rows));

		if (rows == NULL)
			return SP_ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	memmove(&t->rows[i + 1], &t->rows[i], (t->n - i) * sizeof(*t->rows));
	t->rows[i] = *row;
	t->n++;
	return SP_OK;
}

size_t
orgkeys_drop_below(struct orgkeys *t, uint64_t org, uint32_t epoch)
{
	size_t from = lower_bound(t, org, 0), to = lower_bound(t, org, epoch);

	if (from == to)
		return 0;
	memmove(&t->rows[from], &t->rows[to], (t->n - to) * sizeof(*t->rows));
	mem_wipe(&t->rows[t->n - (to - from)], (to - from) * sizeof(*t->rows));
	t->n -= to - from;
	return to - from;
}

int
orgkeys_encode(const struct orgkeys *t, uint64_t generation, const uint8_t mac_key[KEY_BYTES],
    uint8_t **ret, size_t *ret_len)
{
	size_t len = HEAD_BYTES + t->n * ORGKEY_BYTES + MAC_BYTES;
	DEFER(mem_freep) uint8_t *buf = mem_alloc(len);
	uint8_t mac[MAC_BYTES];
	struct wr w;
	int err;

	if (buf == NULL)
		return SP_ENOMEM;
	w = wr_of(buf, len);
	wr_bytes(&w, magic);
	wr_uint(&w, generation, 8);
	wr_uint(&w, t->n, 4);
	wr_uint(&w, t->has_egress ? FLAG_EGRESS : 0, 4);
	for (size_t i = 0; i < t->n; i++) {
		wr_uint(&w, t->rows[i].org, 8);
		wr_uint(&w, t->rows[i].epoch, 4);
		wr_bytes(&w, span_of(t->rows[i].wrap, WRAP_BYTES));
	}
	err = hmac_sha256(span_of(mac_key, KEY_BYTES), wr_span(&w), mac);
	if (err != SP_OK)
		return err;
	wr_bytes(&w, span_of(mac, sizeof(mac)));
	VERIFY(!w.bad && w.len == len);
	*ret = TAKE_PTR(buf);
	*ret_len = len;
	return SP_OK;
}

static int
decode_rows(struct rd *r, size_t n, struct orgkeys *ret)
{
	struct orgkeys t = {.cap = n + 1};

	t.rows = mem_array(t.cap, sizeof(*t.rows));
	if (t.rows == NULL)
		return SP_ENOMEM;
	for (; t.n < n; t.n++) {
		struct orgkey *row = &t.rows[t.n];

		row->org = rd_uint(r, 8);
		row->epoch = (uint32_t)rd_uint(r, 4);
		rd_copy(r, row->wrap, WRAP_BYTES);
		if (row->epoch == 0 || (t.n != 0 && !row_before(row - 1, row->org, row->epoch))) {
			orgkeys_done(&t);
			return SP_EDAMAGED;
		}
	}
	*ret = t;
	return SP_OK;
}

int
orgkeys_decode(struct span slot, const uint8_t mac_key[KEY_BYTES], uint64_t *ret_generation,
    struct orgkeys *ret)
{
	struct rd r = rd_of(slot);
	uint8_t mac[MAC_BYTES];
	uint64_t generation;
	struct span stored;
	uint32_t flags;
	size_t n, len;
	int err;

	if (!span_eq(rd_take(&r, magic.len), magic))
		return SP_EDAMAGED;
	generation = rd_uint(&r, 8);
	n = (size_t)rd_uint(&r, 4);
	flags = (uint32_t)rd_uint(&r, 4);
	if (flags > FLAG_EGRESS || r.bad || n > ORGKEYS_MAX)
		return SP_EDAMAGED;
	len = HEAD_BYTES + n * ORGKEY_BYTES;
	if (slot.len < len + MAC_BYTES)
		return SP_EDAMAGED;
	err = hmac_sha256(span_of(mac_key, KEY_BYTES), span_cut(slot, len), mac);
	if (err != SP_OK)
		return err;
	stored = span_cut(span_skip(slot, len), MAC_BYTES);
	if (!secret_eq(span_of(mac, sizeof(mac)), stored))
		return SP_EDAMAGED;
	err = decode_rows(&r, n, ret);
	if (err == SP_OK) {
		ret->has_egress = flags == FLAG_EGRESS;
		*ret_generation = generation;
	}
	return err;
}
