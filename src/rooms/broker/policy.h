/* policy.h - who may do what with a folder.  Pure over the database: no clock, no messages.
 *
 * Rights are a union over subjects (the user, and each group) of the entries on the folder and on
 * its ancestors, as far up as folders inherit.  An entry with `override` hides what its subject
 * would inherit from above; on a user it hides all that the user would inherit, also through
 * groups.  The owner of a home folder has all rights there but RIGHT_ADMIN, at every depth that
 * inherits.  An administrator of the organisation (only behind the administration listener) has all
 * rights in it; a system administrator none that was not granted.
 *
 * A folder is seen when the caller has any right in it, or when it lies on the way to such a
 * folder.
 */
#ifndef SP_BROKER_POLICY_H
#define SP_BROKER_POLICY_H

#include "ipc/ipc.h"
#include "rooms/broker/db.h"

enum level {
	LEVEL_ANONYMOUS,
	LEVEL_TEMPORARY,
	LEVEL_USER,
	LEVEL_AUDIT,
	LEVEL_FILE_ADMIN,
	LEVEL_ADMIN,
	LEVEL_SYSADMIN
};
enum status { STATUS_ACTIVE, STATUS_SUSPENDED, STATUS_FROZEN /* by the vault */ };
enum folder_type { FOLDER_NORMAL = 1, FOLDER_ROOT = 6 };
enum subject_kind { SUBJECT_USER, SUBJECT_GROUP };

/* struct actor - who asks. */
struct actor {
	int64_t user, org;
	int64_t session; /* 0: none (API token, command line) */
	int64_t token;	 /* API token, 0: none */
	uint16_t scopes; /* rights that may be used at all */
	uint8_t level;
	uint8_t listener; /* 0 public, 1 administration */
	char name[65], org_name[65], address[65], agent[256];
};

/* struct access - an actor's subjects and the folders that lead to its rights, loaded once. */
struct access {
	uint64_t gen; /* of the broker's policy when loaded */
	int64_t user, org;
	uint16_t scopes;
	uint16_t everywhere; /* rights in all folders of the organisation */
	int64_t *groups;     /* owned */
	size_t n_groups;
	int64_t *leads; /* owned, sorted: folders on the way to a right */
	size_t n_leads;
};

/* access_load - for an actor; frees what ret held. errors SP_ENOMEM and those of the database.
 * access_done - frees; safe twice. */
int access_load(struct db *db, const struct actor *actor, struct access *ret) MUST_USE;
void access_done(struct access *a);
/* access_rights - effective rights in a folder (0 also when there is no such folder in the actor's
 * organisation). */
int access_rights(struct db *db, const struct access *a, int64_t folder, uint16_t *ret) MUST_USE;
/* access_sees - 1 when the folder can be seen, 0 when not, or an error; rights as access_rights
 * gave them. */
int access_sees(const struct access *a, int64_t folder, uint16_t rights);

/* name_normal - NFC of a name into buf (at least NAME_MAX_BYTES + 1), checked.
 *   errors  SP_ENAME (not allowed, or over 255 bytes after normalisation) */
int name_normal(struct span name, char *buf, size_t cap, struct span *ret) MUST_USE;
/* mask_like - a mask with '*' and '?' as a LIKE pattern with '\' as escape; empty: all.  errors
 * SP_ETOOBIG */
int mask_like(struct span mask, char *buf, size_t cap, struct span *ret) MUST_USE;
#endif
