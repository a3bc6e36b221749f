#include "store/tlog_wal.h"

#include "base/text.h"
#include "base/wire.h"

static const char head_magic[] = "sallyport wal 1\n";
static const char record_magic[] = "SLR1";

int
wal_head_put(uint8_t block[WAL_BLOCK_BYTES], const struct wal_head *h)
{
	struct wr w = wr_of(block, WAL_BLOCK_BYTES);
	uint8_t sum[SHA256_BYTES];
	int err;

	memset(block, 0, WAL_BLOCK_BYTES);
	wr_bytes(&w, span_str(head_magic));
	wr_uint(&w, h->generation, 8);
	wr_uint(&w, h->run, 8);
	err = sha256(wr_span(&w), sum);
	if (err != SP_OK)
		return err;
	wr_bytes(&w, span_of(sum, 16));
	VERIFY(!w.bad);
	return SP_OK;
}

int
wal_head_get(struct span block, struct wal_head *ret)
{
	struct rd r = rd_of(block);
	struct span magic = rd_take(&r, sizeof(head_magic) - 1), got;
	struct wal_head h = {0};
	uint8_t sum[SHA256_BYTES];
	int err;

	h.generation = rd_uint(&r, 8);
	h.run = rd_uint(&r, 8);
	got = rd_take(&r, 16);
	if (r.bad || !span_eq_str(magic, head_magic) || h.generation == 0 || h.run == 0)
		return SP_EVERIFY;
	err = sha256(span_cut(block, sizeof(head_magic) - 1 + 16), sum);
	if (err != SP_OK)
		return err;
	if (!span_eq(got, span_of(sum, 16)))
		return SP_EVERIFY;
	*ret = h;
	return SP_OK;
}

/* The sum covers the head and the entry, which do not lie side by side. */
static int
record_sum(struct span head, struct span entry, uint8_t ret[SHA256_BYTES])
{
	uint8_t both[32 + SHA256_BYTES];
	int err;

	PRECOND(head.len == 32);
	memcpy(both, head.ptr, 32);
	err = sha256(entry, both + 32);
	return err != SP_OK ? err : sha256(span_of(both, sizeof(both)), ret);
}

int
wal_record_put(uint8_t *out, size_t cap, uint64_t run, const struct wal_record *r)
{
	struct wr w = wr_of(out, cap);
	uint8_t sum[SHA256_BYTES];
	static const uint8_t zeros[8];
	int err;

	if (r->entry.len == 0 || r->entry.len > WAL_ENTRY_MAX)
		return SP_ERANGE;
	wr_bytes(&w, span_str(record_magic));
	wr_uint(&w, r->entry.len, 4);
	wr_uint(&w, r->index, 8);
	wr_uint(&w, r->first, 8);
	wr_uint(&w, run, 8);
	if (w.bad)
		return SP_ESPACE;
	err = record_sum(wr_span(&w), r->entry, sum);
	if (err != SP_OK)
		return err;
	wr_bytes(&w, span_of(sum, 16));
	wr_bytes(&w, r->entry);
	wr_bytes(&w,
	    span_of(zeros, wal_record_bytes(r->entry.len) - WAL_RECORD_HEAD_BYTES - r->entry.len));
	return w.bad ? SP_ESPACE : SP_OK;
}

/* The fields of a record's head, believed or not. */
struct raw {
	bool magic;
	uint64_t len, index, first, run;
	struct span sum;
};

static bool
raw_get(struct span s, struct raw *ret)
{
	struct rd r = rd_of(s);

	ret->magic = span_eq_str(rd_take(&r, 4), record_magic);
	ret->len = rd_uint(&r, 4);
	ret->index = rd_uint(&r, 8);
	ret->first = rd_uint(&r, 8);
	ret->run = rd_uint(&r, 8);
	ret->sum = rd_take(&r, 16);
	return !r.bad;
}

int
wal_record_get(struct span s, uint64_t run, struct wal_record *ret)
{
	struct raw raw;
	uint8_t sum[SHA256_BYTES];
	struct span entry;
	int err;

	if (!raw_get(s, &raw) || !raw.magic || raw.run != run || raw.len == 0 ||
	    raw.len > WAL_ENTRY_MAX || wal_record_bytes((size_t)raw.len) > s.len ||
	    raw.first > raw.index)
		return SP_EVERIFY;
	entry = span_cut(span_skip(s, WAL_RECORD_HEAD_BYTES), (size_t)raw.len);
	err = record_sum(span_cut(s, 32), entry, sum);
	if (err != SP_OK)
		return err;
	if (!span_eq(raw.sum, span_of(sum, 16)))
		return SP_EVERIFY;
	*ret = (struct wal_record){raw.index, raw.first, entry};
	return SP_OK;
}

/* ---- recovery ---- */

struct recover {
	uint64_t run, size; /* size: index of the next entry that is wanted */
	wal_entry_fn fn;
	void *arg;
};

static size_t
to_block(size_t at)
{
	return (at + WAL_BLOCK_BYTES - 1) & ~(size_t)(WAL_BLOCK_BYTES - 1);
}

static bool
all_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != 0)
			return false;
	return true;
}

/* Take the records of one zone, from its start, that continue the log; smaller indices are stale.
 * *ret_stop: offset behind the last good record. */
static int
walk_zone(struct recover *rc, struct span zone, size_t *ret_stop)
{
	size_t at = 0, stop = 0;
	uint64_t first = 0, previous = 0;
	bool any = false;

	for (;;) {
		bool aligned = at % WAL_BLOCK_BYTES == 0;
		struct wal_record rec = {0};
		int err = wal_record_get(span_skip(zone, at), rc->run, &rec);
		bool good = err == SP_OK && (!any || rec.index == previous + 1) &&
			    ((any && rec.first == first) || (aligned && rec.first == rec.index));

		if (!good && aligned)
			break;
		if (!good) {
			at = to_block(at);
			continue;
		}
		if (rec.index > rc->size)
			break; /* a gap: is_proven decides */
		if (rec.index == rc->size) {
			err = rc->fn != NULL ? rc->fn(rc->arg, rec.index, rec.entry) : SP_OK;
			if (err != SP_OK)
				return err;
			rc->size++;
		}
		any = true;
		first = rec.first;
		previous = rec.index;
		at += wal_record_bytes(rec.entry.len);
		stop = at;
	}
	*ret_stop = stop;
	return SP_OK;
}

/* Is there a group that was begun after entry `size`?  It was written only when all before it was
 * durable.  any_run: also records of another run count. */
static bool
is_proven(struct span zone, uint64_t run, bool any_run, uint64_t size)
{
	for (size_t at = 0; at < zone.len; at += WAL_BLOCK_BYTES) {
		struct raw raw;
		struct wal_record rec;

		if (!raw_get(span_skip(zone, at), &raw) || !raw.magic ||
		    (any_run ? raw.run == run || raw.index < size
			     : raw.run != run || raw.first <= size))
			continue;
		if (wal_record_get(span_skip(zone, at), raw.run, &rec) == SP_OK)
			return true;
	}
	return false;
}

/* Count what is left of a group that was being written behind `stop`. */
static void
count_torn(struct span zone, size_t stop, uint64_t run, struct wal_found *f)
{
	size_t block = to_block(stop), end = stop, limit = block + WAL_GROUP_MAX;
	struct raw raw;

	if (stop > zone.len)
		return;
	if (block > zone.len)
		block = zone.len;
	if (!all_zero(span_cut(span_skip(zone, stop), block - stop)))
		end = block;
	/* a damaged head still shows two of its three marks */
	if (raw_get(span_skip(zone, block), &raw) &&
	    (raw.magic + (raw.run == run) + (raw.index == f->size)) >= 2 && raw.index >= f->size)
		end = block + WAL_RECORD_HEAD_BYTES;
	for (size_t at = stop; at < limit && at < zone.len; at += 8) {
		struct span rest = span_skip(zone, at);

		if (!span_starts(rest, SPAN_LIT("SLR1")) || !raw_get(rest, &raw) ||
		    raw.run != run || raw.index < f->size || raw.first > f->size)
			continue;
		f->dropped_entries++;
		if (raw.len <= WAL_ENTRY_MAX)
			end = at + wal_record_bytes((size_t)raw.len);
	}
	if (end > stop) {
		f->torn = true;
		f->dropped_bytes += end - stop;
	}
}

/* The head that counts.  *ret_broken: the other one is neither a head nor empty. */
static int
find_head(struct span wal, struct wal_head *ret, bool *ret_broken)
{
	struct wal_head best = {0};

	*ret_broken = false;
	for (size_t i = 0; i < WAL_HEADS; i++) {
		struct span block = span_cut(span_skip(wal, i * WAL_BLOCK_BYTES), WAL_BLOCK_BYTES);
		struct wal_head h;

		if (wal_head_get(block, &h) != SP_OK)
			*ret_broken |= !all_zero(block);
		else if (h.generation > best.generation)
			best = h;
	}
	*ret = best;
	/* a file whose first head was torn has no entries yet */
	return best.generation != 0 || all_zero(span_skip(wal, (size_t)wal_zone_at(0)))
		   ? SP_OK
		   : SP_EDAMAGED;
}

static int
sentence(char *why, size_t cap, const char *fmt, uint64_t n)
{
	struct text t = text_of(why, cap);

	text_str(&t, fmt);
	if (n != UINT64_MAX)
		text_u64(&t, n);
	return SP_EDAMAGED;
}

/* Which zone holds the earlier entries: the one whose first record is good and smaller. */
static unsigned
first_zone(const struct span zone[WAL_ZONES], uint64_t run)
{
	struct wal_record a, b;

	if (wal_record_get(zone[1], run, &b) != SP_OK)
		return 0;
	return wal_record_get(zone[0], run, &a) != SP_OK || b.index < a.index ? 1 : 0;
}

int
wal_recover(struct span wal, uint64_t size, wal_entry_fn fn, void *arg, struct wal_found *ret,
    char *why, size_t cap)
{
	struct wal_found f = {.size = size};
	struct span zone[WAL_ZONES];
	size_t stop[WAL_ZONES] = {0};
	bool broken = false;
	struct recover rc = {.size = size, .fn = fn, .arg = arg};
	int err = find_head(wal, &f.head, &broken);

	if (err != SP_OK)
		return sentence(why, cap, "ledger/wal: its head cannot be read", UINT64_MAX);
	for (unsigned z = 0; z < WAL_ZONES; z++)
		zone[z] = span_cut(span_skip(wal, (size_t)wal_zone_at(z)), WAL_ZONE_BYTES);
	rc.run = f.head.run;
	for (unsigned i = 0, z = first_zone(zone, rc.run); i < WAL_ZONES && f.head.run != 0;
	     i++, z ^= 1) {
		err = walk_zone(&rc, zone[z], &stop[z]);
		if (err != SP_OK)
			return err;
	}
	f.size = rc.size;
	for (unsigned z = 0; z < WAL_ZONES; z++) {
		if (is_proven(zone[z], rc.run, false, f.size) ||
		    (broken && is_proven(zone[z], rc.run, true, f.size)))
			return sentence(why, cap,
			    "ledger/wal: a later group proves that this entry was stored, but it "
			    "cannot be read: ",
			    f.size);
		if (f.head.run != 0)
			count_torn(zone[z], stop[z], rc.run, &f);
	}
	*ret = f;
	return SP_OK;
}
