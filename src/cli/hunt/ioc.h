/* ioc.h - indicators of compromise: what is known of an attack elsewhere, looked for in the log.
 *
 * From plain lists (one a line, # begins a comment) and STIX 2.1 bundles.  An indicator is one or
 * several values; of an AND list all must occur within the range.  What cannot be compared with a
 * log of file transfers (a domain, an MD5, a pattern with LIKE) is counted and told, never dropped.
 */
#ifndef SP_CLI_HUNT_IOC_H
#define SP_CLI_HUNT_IOC_H

#include "base/err.h"
#include "base/mem.h"
#include "cli/hunt/entry.h"

enum ioc_type {
	IOC_ADDRESS,
	IOC_AGENT,
	IOC_NAME,
	IOC_PATH,
	IOC_SHA256,
	IOC_KEY,
	IOC_USER,
	IOC_TYPES
};

struct ioc; /* opaque */

int ioc_new(struct ioc **ret) MUST_USE; /* SP_ENOMEM */
void ioc_free(struct ioc *c);		/* accepts NULL */
/* ioc_load - the content of a file; a STIX bundle when it begins with '{'.
 *   name  for reports; borrowed for c's life
 *   why   a sentence on failure
 *   errors  SP_ESYNTAX (not a STIX bundle; nested deeper than 16), SP_ETOOBIG (over IOC_MAX
 * indicators or IOC_FILES_MAX files), SP_ENOMEM */
int ioc_load(struct ioc *c, const char *name, struct span content, char *why, size_t cap) MUST_USE;
size_t ioc_count(const struct ioc *c, enum ioc_type type);
const char *ioc_type_name(enum ioc_type type);
/* ioc_not_understood - patterns and lines that are not used; *ret_shown of them can be told. */
size_t ioc_not_understood(const struct ioc *c, size_t *ret_shown);
/* ioc_refused - one of those: its file, line or indicator, and why. */
void ioc_refused(const struct ioc *c, size_t i, const char **ret_file, struct span *ret_what,
    struct span *ret_why);

/* ioc_match - the indicators that an entry completes or belongs to: fn for each.  Remembers the
 * versions that have an indicator's hash, so that their reads are matched too: SP_ETOOBIG when
 * there are more than IOC_FILES_HIT_MAX of them; SP_ENOMEM. what  a sentence part: "address
 * 203.0.113.7 (iocs.txt, line 3)" */
typedef void (*ioc_fn)(void *arg, uint32_t group, struct span what);
int ioc_match(struct ioc *c, const struct hunt_entry *e, ioc_fn fn, void *arg) MUST_USE;

/* ---- for the parsers ---- */

#define IOC_GROUP_MAX 32u /* values of one AND list */
struct ioc_value {
	enum ioc_type type;
	struct span value;
};
/* ioc_add - one indicator: n values that must all occur.
 *   errors  SP_ESYNTAX (a value that is none of its type; nothing was added), SP_ETOOBIG, SP_ENOMEM
 */
int ioc_add(struct ioc *c, const struct ioc_value *v, size_t n, struct span where) MUST_USE;
/* ioc_refuse - a line or pattern that is not used. */
int ioc_refuse(struct ioc *c, struct span what, const char *why) MUST_USE;
/* stix_load - all indicators of a bundle.  stix_pattern - one pattern; `where` names it. */
int stix_load(struct ioc *c, struct span content, char *why, size_t cap) MUST_USE;
int stix_pattern(struct ioc *c, struct span pattern, struct span where) MUST_USE;
#endif
