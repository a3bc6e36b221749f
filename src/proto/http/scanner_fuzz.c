/* Whatever the bytes: no crash; a file that was found good is read to its end, and what its rows
 * name is found. */
#include "base/wire.h"
#include "proto/http/scanner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct probe_request r;
	size_t cut = size != 0 ? data[0] % (size + 1) : 0, line = 0;
	struct span file = span_of(data + cut, size - cut), rest = file, text = span_of(data, cut);
	struct http_head h = {.n_fields = 1};
	struct probe p;
	const char *why;
	char said[160];
	bool good = probe_file_check(file, said, sizeof(said)) == SP_OK;
	int rc;

	h.fields[0].name = span_cut(text, cut / 2);
	h.fields[0].value = span_skip(text, cut / 2);
	h.target = span_skip(text, cut / 3);
	probe_request_of(&r, &h, text);
	VERIFY(r.path.plain_len <= r.path.raw_len);
	while ((rc = probe_file_next(&rest, &line, &p, &why)) == 1) {
		(void)probe_matches(&p, &r);
		VERIFY(p.id.ptr >= data && p.id.ptr + p.id.len <= data + size);
	}
	VERIFY(good == (rc == 0) || !good);
	(void)probe_scan(&r, good ? file : span_of(NULL, 0), &p);
	return 0;
}
