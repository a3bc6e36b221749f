/* decoy.h - the list of decoys: DIR/decoys, one a line, as the supervisor keeps it and the ledger
 * knows it.  Nobody else does: to every other room a decoy is a file or a user as any other.
 *
 *   file	2026-11-26T05:41:00.000Z	acme	/in/2026 salaries.xlsx
 * 00112233445566778899aabbccddeeff user	2026-11-26T05:41:00.000Z	acme	svc-archive
 * - token	2026-11-26T05:41:00.000Z	acme	svc-archive	17
 *
 * Fields are separated by one tab: kind, when it was planted, organisation, path or user, and the
 * blob (file) or the number of the API token.
 */
#ifndef SP_BASE_DECOY_H
#define SP_BASE_DECOY_H

#include "base/text.h"

#define DECOYS_MAX 512u	     /* in all */
#define DECOY_NAME_MAX 1024u /* bytes of a path or a user's name */
#define DECOY_LINE_MAX 1280u /* bytes of a line, its end included */

enum decoy_kind { DECOY_FILE, DECOY_USER, DECOY_TOKEN, DECOY_KINDS };

struct decoy {
	enum decoy_kind kind;
	int64_t planted_us;
	struct span org, name; /* name: the file's path, or the user's name */
	uint8_t blob[16];      /* DECOY_FILE */
	uint64_t token;	       /* DECOY_TOKEN */
};

/* decoy_word - "file", "user", "token". */
const char *decoy_word(enum decoy_kind kind);
/* decoy_next - take one line off the list.
 *   ret      its spans point into the list
 *   returns  1, or 0 at the end; SP_ESYNTAX: not such a line */
int decoy_next(struct span *list, struct decoy *ret) MUST_USE;
/* decoy_put - the line, appended.  SP_ERANGE: a field is too long, empty, or has a control
 * character */
int decoy_put(struct text *t, const struct decoy *d) MUST_USE;
#endif
