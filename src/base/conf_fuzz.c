/* conf_fuzz.c - whatever parses must print and parse back to the same settings. */
#include "base/conf.h"
#include "base/mem.h"
#include "base/text.h"

#define PRINTED_MAX 32768u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf c, d;
	char why[160], line[2200], *file;
	struct text t;
	size_t n;

	memset(&c, 0, sizeof c);
	if (conf_parse(span_of(data, len), &c, why, sizeof why) < 0)
		return 0;
	file = mem_alloc(PRINTED_MAX);
	VERIFY(file != NULL);
	t = text_of(file, PRINTED_MAX);
	(void)conf_rows(&n);
	for (size_t i = 0; i < n; i++) {
		conf_print(&c, i, line, sizeof line);
		text_fmt(&t, "%s\n", line);
	}
	VERIFY(!t.bad);
	VERIFY(conf_parse(text_span(&t), &d, why, sizeof why) == 0);
	VERIFY(memcmp(&c, &d, sizeof c) == 0);
	mem_free(file);
	return 0;
}
