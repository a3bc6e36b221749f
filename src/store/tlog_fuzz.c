/* tlog_fuzz.c - what the audit log's readers read: members of entries, bundles, verifier keys, and
 * a write-ahead file with changes anywhere in it, of which only what was written may come back. */
#include "store/tlog_json.h"
#include "store/tlog_state.h"

#include "base/wire.h"

#define RUN 77u
#define ENTRIES 12u
#define ENTRY_LEN 700u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
fuzz_json(struct span s)
{
	char buf[512], text[64];
	struct span rest = s, key, value, inner;
	size_t n = 0;
	uint64_t u = 0;

	while (tlog_json_next(&rest, &key, &value) == 1) {
		VERIFY(value.len != 0);
		if (tlog_json_str(value, buf, sizeof(buf), &n) == SP_OK)
			VERIFY(n < sizeof(buf) && buf[n] == '\0');
		VERIFY(tlog_json_u64(value, &u) != SP_OK || value.len <= 20);
		if (tlog_json_get(value, "upload", &inner) == SP_OK)
			VERIFY(inner.ptr >= value.ptr && inner.len <= value.len);
	}
	tlog_json_text(s, "event", text, sizeof(text));
	VERIFY(strlen(text) < sizeof(text));
}

static void
fuzz_bundle(struct span s)
{
	struct span rest = s, entry;
	size_t total = 0;
	struct tlog_key key;

	while (bundle_next(&rest, &entry) == 1)
		total += 2 + entry.len;
	VERIFY(total + rest.len == s.len);
	if (tlog_key_parse(s, &key) == SP_OK)
		VERIFY(strlen(key.name) <= TLOG_ORIGIN_MAX);
}

static int
take(void *arg, uint64_t index, struct span entry)
{
	uint64_t *next = arg;

	VERIFY(index == *next && index < ENTRIES && entry.len == ENTRY_LEN);
	for (size_t i = 0; i < entry.len; i++)
		VERIFY(entry.ptr[i] == (uint8_t)(index + 1));
	(*next)++;
	return SP_OK;
}

/* Three groups of four entries, the last one in the other zone. */
static void
make_wal(uint8_t *wal)
{
	struct wal_head head = {3, RUN};
	uint8_t entry[ENTRY_LEN];

	VERIFY(wal_head_put(wal + WAL_BLOCK_BYTES, &head) == SP_OK);
	for (uint64_t n = 0; n < ENTRIES; n++) {
		struct wal_record r = {n, n / 4 * 4, span_of(entry, sizeof(entry))};
		size_t at =
		    n % 4 * wal_record_bytes(ENTRY_LEN) + (n / 4 == 1 ? WAL_BLOCK_BYTES : 0);

		memset(entry, (int)n + 1, sizeof(entry));
		VERIFY(wal_record_put(
			   wal + wal_zone_at(n / 4 == 2) + at, WAL_BLOCK_BYTES, RUN, &r) == SP_OK);
	}
}

static void
fuzz_wal(struct span s)
{
	uint8_t *wal = mem_alloc(WAL_BYTES);
	struct rd r = rd_of(s);
	struct wal_found found;
	char why[256];
	uint64_t size, next;

	VERIFY(wal != NULL);
	make_wal(wal);
	size = rd_uint(&r, 1) % (ENTRIES + 2);
	next = size;
	while (r.left >= 4) { /* an offset and what is there instead */
		size_t at = (size_t)rd_uint(&r, 3) % WAL_BYTES;

		wal[at] = (uint8_t)rd_uint(&r, 1);
	}
	if (wal_recover(span_of(wal, WAL_BYTES), size, take, &next, &found, why, sizeof(why)) ==
	    SP_OK)
		VERIFY(found.size == next);
	mem_free(wal);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span s = span_of(data, len);

	if (len == 0)
		return 0;
	s = span_skip(s, 1);
	switch (data[0] % 3) {
	case 0:
		fuzz_json(s);
		break;
	case 1:
		fuzz_bundle(s);
		break;
	default:
		fuzz_wal(s);
		break;
	}
	return 0;
}
