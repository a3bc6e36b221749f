/* name.h - names and paths of the virtual tree: what is allowed, before normalisation.
 *
 * Folders and files are rows, never directories of the host, so a path cannot leave its tree; these
 * checks keep names displayable, portable and unambiguous.
 */
#ifndef SP_BASE_NAME_H
#define SP_BASE_NAME_H

#include "base/span.h"
#include "base/defer.h"

#define NAME_MAX_BYTES 255u  /* one name */
#define PATH_MAX_BYTES 4096u /* a whole path */
#define PATH_MAX_DEPTH 64u   /* names in a path */

/* name_check - is s allowed as one name: 1 to 255 bytes of valid UTF-8; not "." or ".."; no '/', no
 * NUL, no C0/C1 control character (U+0000..1F, U+7F..9F), no U+2028/2029, no bidirectional control
 * (U+202A..202E, U+2066..2069), no noncharacter.
 *   returns SP_OK or SP_ENAME */
int name_check(struct span s) MUST_USE;

/* path_next - walk an absolute path: takes the next name off *path.
 *   path     in: what is left, beginning with '/'; out: the rest
 *   ret_name the name; borrowed
 *   returns  1 with a name, 0 at the end, SP_ENAME or SP_EDEPTH (length) for a bad path.
 * Double slashes and a trailing slash count as one; "." and ".." are refused, not resolved. */
int path_next(struct span *path, struct span *ret_name) MUST_USE;

/* path_check - whole path: begins with '/', at most 4096 bytes and 64 names, each name_check'ed. */
int path_check(struct span path) MUST_USE;

/* account_check - a user, group or organisation name: 1 to 64 bytes of [A-Za-z0-9._@+-], beginning
 * with a letter or digit. */
int account_check(struct span s) MUST_USE;
#endif
