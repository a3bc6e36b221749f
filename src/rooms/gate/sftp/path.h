/* path.h - paths as clients of SFTP and scp write them, made absolute and plain.  Pure.
 *
 * What a name may be is the broker's to judge; here only the way is worked out.
 */
#ifndef SP_GATE_SFTP_PATH_H
#define SP_GATE_SFTP_PATH_H

#include "base/err.h"
#include "base/name.h"

struct path {
	size_t len;
	char text[PATH_MAX_BYTES + 1]; /* NUL-terminated */
};
static inline struct span
path_span(const struct path *p)
{
	return span_of(p->text, p->len);
}

/* path_resolve - `in` as seen from the folder `base`: "." and ".." are worked out in the text
 * (never above "/"), slashes collapse, none stays at the end. base    absolute and plain; what a
 * path that does not begin with '/' is relative to ret     may be what base points into; set on
 * success errors  SP_ENAME (a NUL), SP_EDEPTH (over 4096 bytes when plain) */
int path_resolve(struct span base, struct span in, struct path *ret) MUST_USE;
/* path_join - name below p, in place.  errors SP_EDEPTH: p is as before. */
int path_join(struct path *p, struct span name) MUST_USE;
/* path_name - the last name; "/" has the empty one. */
struct span path_name(const struct path *p);
/* path_matches - does a name match a pattern of '*' and '?' (one code point's bytes are not told
 * apart)? */
bool path_matches(struct span pattern, struct span name);
#endif
