/* ioc_fuzz.c - files of indicators: a list, a bundle, one pattern. */
#include "cli/hunt/hunt.h"
#include "cli/hunt/ioc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
told(void *arg, uint32_t group, struct span what)
{
	(void)arg, (void)group;
	VERIFY(what.len != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char json[] =
	    "{\"n\":1,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"file.created\",\"addr\":"
	    "\"203.0.113.7:1\",\"user\":\"a\","
	    "\"path\":\"/a\",\"detail\":{\"agent\":\"a\",\"version\":\"1\",\"sha256\":"
	    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}";
	static struct hunt_entry e;
	uint8_t copy[sizeof(json)];
	struct ioc *c = NULL;
	char why[128];
	size_t shown;

	memcpy(copy, json, sizeof(json));
	VERIFY(hunt_entry_read(copy, sizeof(json) - 1, &e) == SP_OK);
	VERIFY(ioc_new(&c) == SP_OK);
	if (ioc_load(c, "f", span_of(data, len), why, sizeof(why)) == SP_OK) {
		VERIFY(stix_pattern(c, span_of(data, len), SPAN_LIT("x")) != SP_ESYNTAX);
		VERIFY(ioc_match(c, &e, told, NULL) == SP_OK);
		for (size_t i = 0, n = ioc_not_understood(c, &shown); i < shown; i++) {
			const char *file;
			struct span what, reason;

			VERIFY(shown <= n);
			ioc_refused(c, i, &file, &what, &reason);
			VERIFY(reason.len != 0);
		}
	}
	ioc_free(c);
	return 0;
}
