/* entry_fuzz.c - one entry of the audit log: whatever is taken points into what was given, and the
 * detectors survive it. */
#include "cli/hunt/hunt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
inside(struct span s, const uint8_t *buf, size_t len)
{
	VERIFY(s.len == 0 || (s.ptr >= buf && s.ptr + s.len <= buf + len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct hunt_entry e;
	static struct hunt *h;
	uint8_t *buf = mem_alloc(len + 1);

	VERIFY(buf != NULL);
	if (h == NULL)
		VERIFY(hunt_new(NULL, &h) == SP_OK);
	memcpy(buf, data, len);
	if (hunt_entry_read(buf, len, &e) == SP_OK) {
		VERIFY(e.event.len != 0 && e.t_us >= 0 && e.n_pairs <= HUNT_PAIRS_MAX);
		inside(e.event, buf, len);
		inside(e.path, buf, len);
		inside(e.user, buf, len);
		inside(hunt_address(&e), buf, len);
		for (unsigned i = 0; i < e.n_pairs; i++) {
			inside(e.pair[i].key, buf, len);
			inside(e.pair[i].value, buf, len);
		}
		VERIFY(hunt_take(h, &e) == SP_OK);
		for (size_t i = 0; i < h->n_findings; i++)
			VERIFY(memchr(h->finding[i].what, 0, sizeof(h->finding[i].what)) != NULL);
		if (h->n_findings > 100)
			hunt_cut(h, 10);
	}
	mem_free(buf);
	return 0;
}
