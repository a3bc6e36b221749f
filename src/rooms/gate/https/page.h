/* page.h - the portal: what web/ was built to. */
#ifndef SP_GATE_HTTPS_PAGE_H
#define SP_GATE_HTTPS_PAGE_H

#include "base/span.h"

struct page_file {
	const char *name; /* index.html is the page, the others stand below /assets/ */
	const char *type; /* Content-Type */
	const char *tag;  /* entity tag of the plain form, without quotes: 16 hexadecimal digits */
	struct span plain, gzip;
};

/* Made by web/build.mjs. */
extern const struct page_file page_files[];
extern const size_t page_files_n;
#endif
