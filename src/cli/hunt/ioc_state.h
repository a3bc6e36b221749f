/* ioc_state.h - inside of the indicators; private to ioc*.c. */
#ifndef SP_CLI_HUNT_IOC_STATE_H
#define SP_CLI_HUNT_IOC_STATE_H

#include "cli/hunt/hunt.h"
#include "cli/hunt/ioc.h"

#define IOC_VALUE_MAX 2048u /* bytes of one value */
#define IOC_SHOWN_MAX 200u  /* bytes of one that is told */

struct atom {
	uint32_t next; /* of its place in the table: index + 1 */
	uint32_t group, bit;
	uint8_t type;
	uint16_t len;
	const uint8_t *value; /* normalised; in the arena */
};

struct group {
	uint32_t all, seen; /* bits of its values */
	uint16_t file;
	struct span where, text; /* of the first value, as it was written; in the arena */
	uint8_t type;
};

struct refused {
	uint16_t file;
	struct span what, why;
};

struct ioc {
	struct arena arena;
	const char *file[HUNT_IOC_FILES_MAX];
	size_t n_files;
	struct atom *atom;
	size_t n_atoms, atoms_cap;
	struct group *group;
	size_t n_groups, groups_cap;
	uint32_t *slot;
	size_t slots;
	size_t count[IOC_TYPES];
	bool prefix[129]; /* lengths of networks that occur, in bits of 128 */
	struct refused refused[HUNT_IOC_NOT_SHOWN];
	size_t n_refused;
	/* versions with an indicator's hash: version -> group + 1 */
	uint64_t *version;
	uint32_t *version_group;
	size_t n_versions, versions_cap;
};

/* ioc_mask - the first bits of an address.  ioc_normal - a value as it is compared.  ioc_slot - its
 * place in the table. */
void ioc_mask(uint8_t ip[16], unsigned bits);
int ioc_normal(
    enum ioc_type type, struct span v, uint8_t buf[IOC_VALUE_MAX], size_t *ret_len) MUST_USE;
size_t ioc_slot(const struct ioc *c, enum ioc_type type, struct span value);
/* ioc_base_name - what is behind the last slash. */
struct span ioc_base_name(struct span path);
#endif
