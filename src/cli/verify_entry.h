/* verify_entry.h - one entry of the audit log as changes of rows. */
#ifndef SP_CLI_VERIFY_ENTRY_H
#define SP_CLI_VERIFY_ENTRY_H

#include "cli/verify_rows.h"

/* struct entry_row - what a row is from this entry on. */
struct entry_row {
	struct row_key key;
	bool gone;
	bool many;	  /* gone: all tokens of the user key.a, or all there are (0) */
	struct span text; /* as the database gives it; borrowed until the function returns */
	int64_t above;	  /* file, folder: the folder that it is in */
	bool any_hash;
	struct span t; /* session: the entry's time */
};

/* session_row - a session's text, of an entry or of the database ("access=... refresh=... user=...
 * listener=...", and there "door=... end_us=..." too): its key, which is of the access token's
 * hash, and the rest up to the listener. ret_door, ret_end_us  0 in an entry errors  SP_ESYNTAX */
int session_row(struct span text, struct row_key *ret, struct span *ret_rest, uint64_t *ret_door,
    uint64_t *ret_end_us) MUST_USE;
typedef int (*entry_row_fn)(void *arg, const struct entry_row *row);

/* entry_rows - call fn for each row that entry n changes.
 *   errors  of fn; SP_ESYNTAX (an entry that is none of ours) */
int entry_rows(uint64_t n, struct span entry, entry_row_fn fn, void *arg) MUST_USE;
/* entry_undoes - does this entry say that another one was not carried out?  Which one. */
bool entry_undoes(struct span entry, uint64_t *ret);
#endif
