/* Whatever the bytes: no crash, spans inside the input, and one reading only. */
#include "base/wire.h"
#include "proto/http/field.h"
#include "proto/http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fields_try(const struct http_head *h)
{
	struct http_now now = {true, SPAN_LIT("t"), 784111777, 1800000000, true};
	struct http_range r[HTTP_RANGES_MAX];
	enum http_cond c;
	uint8_t hash[32];
	struct span v;
	size_t n = 0;

	(void)http_conditions(h, &now, &c);
	(void)http_if_range(h, &now);
	(void)http_sha256_field(h, "Repr-Digest", hash);
	(void)http_wants_sha256(h, "Want-Repr-Digest");
	(void)http_has_token(h, "Accept", "*/*");
	(void)http_keep_alive(h);
	if (http_single(h, "Range", &v) == 1 && http_ranges(v, 1000, r, &n) == SP_OK)
		for (size_t i = 0; i < n; i++)
			VERIFY(r[i].first <= r[i].last && r[i].last < 1000);
	if (http_single(h, "Content-Type", &v) == 1 && http_param(v, "boundary", &v) == 1)
		(void)http_unquote(v, hash, sizeof(hash));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_scan one = {0}, two = {0};
	struct span in = span_of(data, size), path, query;
	struct http_head h;
	enum http_framing f;
	uint64_t len;
	uint8_t out[HTTP_TARGET_MAX];
	int n = http_head_scan(&one, in);
	int k = http_head_scan(&two, span_cut(in, size / 2));

	if (k == 0)
		k = http_head_scan(&two, in);
	VERIFY(k == n || (k < 0 && n < 0));
	if (n <= 0)
		return 0;
	VERIFY((size_t)n <= size);
	if (http_head_parse(span_cut(in, (size_t)n), &h) < 0)
		return 0;
	(void)http_framing(&h, &f, &len);
	if (http_target(&h, &path, &query) == SP_OK) {
		(void)http_path_decode(path, out, sizeof(out));
		(void)http_form_get(query, "x", out, sizeof(out));
	}
	fields_try(&h);
	return 0;
}
