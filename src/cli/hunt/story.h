/* story.h - one principal's, file's or address's story, in order: who took what, exactly.
 *
 * A reading is an entry file.read (or upload.resumed) whose release was not refused: the key opens
 * the whole file, so the whole file was taken.  What was taken is found by its blob, which the
 * vault authenticates, in the entry that recorded that blob when it was stored: path, version and
 * hash as they were then, whatever a taken-over broker may have called it later.
 */
#ifndef SP_CLI_HUNT_STORY_H
#define SP_CLI_HUNT_STORY_H

#include "cli/hunt/report.h"

/* A blob whose key was released. */
struct taken {
	uint8_t blob[16];
	uint64_t file, version, size; /* as the reading said; size is the wrap's */
	bool is_upload;		      /* an unfinished upload was gone on with */
	char *path;		      /* as the first reading said; in the arena */
	uint32_t times, refused;      /* releases on record; of them refused by the vault */
	int64_t first_us, last_us;
	uint64_t first_entry, last_entry; /* of those that were not refused */
	/* by the record of when it was stored */
	bool is_known, has_sha256;
	uint32_t records; /* of this blob; more than one: somebody lies, and the first counts */
	uint64_t stored_entry, stored_file, stored_version, stored_size;
	char *stored_path;
	uint8_t sha256[32];
};

struct totals {
	uint64_t files, versions, bytes; /* different ones; bytes of the versions, each once */
	uint64_t releases, bytes_released, refused, uploads;
	int64_t first_us, last_us;
	uint64_t first_entry, last_entry;
};

struct story; /* opaque */

/* story_tell - the command's --user, --file and --address.  Errors are said. */
int story_tell(const struct cli *c, struct report *r) MUST_USE;

/* For tests: the parts of it. */
int story_new(const char *user, const char *file, const char *address, struct story **ret) MUST_USE;
void story_free(struct story *s); /* accepts NULL */
/* story_learn - first pass, over everything before the end: which files and blobs the path of
 * --file names.  story_take - second pass, over the range.  story_refusals - a little more behind
 * it: the vault's answers come after what they answer.  story_join - last, over everything before
 * the end. */
int story_learn(struct story *s, const struct hunt_entry *e) MUST_USE;
int story_take(struct story *s, const struct hunt_entry *e) MUST_USE;
int story_refusals(struct story *s, const struct hunt_entry *e) MUST_USE;
int story_join(struct story *s, const struct hunt_entry *e) MUST_USE;
/* story_totals - after that.  story_taken - nth of them in the order of their first reading,
 * refused ones left out; NULL at the end. */
void story_totals(struct story *s, struct totals *ret);
const struct taken *story_taken(const struct story *s, size_t n);
#endif
