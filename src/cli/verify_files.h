/* verify_files.h - the manifest of what a build installed (tools/manifest.py), read and walked. */
#ifndef SP_CLI_VERIFY_FILES_H
#define SP_CLI_VERIFY_FILES_H

#include "cli/verify.h"

struct manifest_line {
	struct span hash; /* 64 hex digits */
	uint32_t mode;
	struct span path; /* below the prefix */
};

/* manifest_next - walk the lines.
 *   rest  in: v->manifest at first; out: what is left
 *   returns 1, 0 at the end, SP_ESYNTAX */
int manifest_next(struct span *rest, struct manifest_line *ret) MUST_USE;
/* manifest_has - is there a file of this hash? */
bool manifest_has(struct span manifest, struct span hash);

/* verify_hash - SHA-256 of an open file, from its begin, as 64 hex digits. */
int verify_hash(int fd, char ret[72]) MUST_USE;
#endif
