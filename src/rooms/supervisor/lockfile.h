/* lockfile.h - DIR/lockdown: what is locked down, as it survives a restart.
 *
 *   sallyport lockdown 1
 *   locked https sftp keys
 *   since 2026-11-26T05:21:57.000Z
 *   by 0
 *
 * No file: nothing is locked.  A file that is not exactly of this form: every door is locked, and
 * the automatic copy of the root key is neither used nor destroyed.
 */
#ifndef SP_SUPERVISOR_LOCKFILE_H
#define SP_SUPERVISOR_LOCKFILE_H

#include "base/text.h"
#include "ipc/ipc.h"

#define LOCKFILE_MAX 512u	  /* bytes */
#define LOCKDOWN_ALARM UINT32_MAX /* by: an alarm rule, no user */

struct lockdown {
	uint8_t doors; /* set of enum ipc_lock */
	bool keys;     /* the root key comes from the passphrase alone */
	bool damaged;  /* the file could not be understood */
	int64_t since_us;
	uint32_t by; /* user id, or LOCKDOWN_ALARM */
};

/* lockdown_any - is anything locked? */
static inline bool
lockdown_any(const struct lockdown *l)
{
	return l->doors != 0 || l->keys;
}

/* lockfile_parse - always gives a state: that of the file, or everything locked.
 *   returns  SP_OK, or SP_ESYNTAX with ret->damaged set */
int lockfile_parse(struct span file, struct lockdown *ret) MUST_USE;
/* lockfile_put - the text of the file, appended. */
void lockfile_put(struct text *t, const struct lockdown *l);
/* lockdown_words - "https sftp keys", appended. */
void lockdown_words(struct text *t, uint8_t doors, bool keys);
#endif
