/* archive.c - see archive.h: the formats' own parts are in zip.c and tar.c. */
#include "proto/archive/formats.h"

int
archive_head(enum archive_format f, const struct archive_entry *e, struct wr *w)
{
	if (e->name.len == 0 || e->name.len > ARCHIVE_NAME_MAX || e->size > INT64_MAX)
		return SP_ETOOBIG;
	if (f == ARCHIVE_ZIP)
		zip_head(e, w);
	else
		tar_head(e, w);
	return w->bad ? SP_ETOOBIG : SP_OK;
}

int
archive_foot(enum archive_format f, const struct archive_entry *e, struct wr *w)
{
	if (f == ARCHIVE_ZIP)
		zip_foot(e, w);
	else
		tar_foot(e, w);
	return w->bad ? SP_ETOOBIG : SP_OK;
}

int
archive_index(enum archive_format f, const struct archive_entry *e, uint64_t offset, struct wr *w)
{
	if (f == ARCHIVE_ZIP)
		zip_index(e, offset, w);
	return w->bad ? SP_ETOOBIG : SP_OK;
}

int
archive_end(enum archive_format f, uint64_t n, uint64_t offset, uint64_t len, struct wr *w)
{
	if (f == ARCHIVE_ZIP)
		zip_end(n, offset, len, w);
	else
		tar_end(w);
	return w->bad ? SP_ETOOBIG : SP_OK;
}
