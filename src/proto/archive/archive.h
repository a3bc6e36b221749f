/* archive.h - the parts of a ZIP or tar archive around the files in it.
 *
 * Nothing is compressed, so that every part's length is known before its content is: an archive has
 * a length, and any byte of it can be made without those before.
 * source  PKWARE APPNOTE.TXT 6.3.10 (ZIP, ZIP64); POSIX.1-2017 pax, "ustar" and "pax" interchange
 * formats */
#ifndef SP_PROTO_ARCHIVE_H
#define SP_PROTO_ARCHIVE_H

#include "base/defer.h"
#include "base/err.h"
#include "base/wire.h"

enum archive_format { ARCHIVE_ZIP, ARCHIVE_TAR };

#define ARCHIVE_NAME_MAX 4096u /* bytes of a name; the server's paths are no longer */
#define ARCHIVE_PART_MAX 8192u /* bytes that archive_head and its kin write at most */

struct archive_entry {
	struct span name;     /* UTF-8, parts with '/' between them; a folder's ends with one */
	uint64_t size;	      /* bytes of content; 0 for a folder */
	uint64_t modified_us; /* since 1970 */
	uint32_t crc32;	      /* of the content; ZIP only */
	bool has_crc32;	      /* before the head is written; else it follows the content */
};

/* archive_head - what stands before an entry's content.
 *   w       room for ARCHIVE_PART_MAX bytes
 *   errors  SP_ETOOBIG: the name is too long, the size beyond what a reader can take */
int archive_head(enum archive_format f, const struct archive_entry *e, struct wr *w) MUST_USE;

/* archive_foot - what stands behind it.  Of a ZIP whose entry had no CRC-32: e->crc32 is it now. */
int archive_foot(enum archive_format f, const struct archive_entry *e, struct wr *w) MUST_USE;

/* archive_index - an entry's part of the list at the end; nothing in a tar.
 *   offset  where its head begins */
int archive_index(
    enum archive_format f, const struct archive_entry *e, uint64_t offset, struct wr *w) MUST_USE;

/* archive_end - the archive's last bytes.
 *   n             entries
 *   offset, len   of all that archive_index wrote */
int archive_end(
    enum archive_format f, uint64_t n, uint64_t offset, uint64_t len, struct wr *w) MUST_USE;
#endif
