/* list.h - the parts of LIST: list.c pages by the database, list_sorted.c in memory, list_page.c by
 * name from where the last page ended. */
#ifndef SP_BROKER_LIST_H
#define SP_BROKER_LIST_H

#include "rooms/broker/tree.h"

#define FOLDERS_MAX 100000u /* in one answer's reckoning */
#define NAME_PAGE 200u

struct item {
	int64_t id;
	uint16_t rights;
};
struct items {
	struct item *list; /* owned */
	size_t n, cap;
};

struct listing {
	struct broker *b;
	const struct access *access;
	const struct ipc_list *m;
	char like[2 * 255 + 8];
	struct span pattern;
	bool has_mask;
	uint64_t skip, left; /* rows still to skip, and to give */
	uint64_t total;
	struct wr out;
	uint32_t count;
	bool is_full;
	struct node node; /* of the row being written */
	struct entry entry;
};

/* items_add - errors SP_ENOMEM, SP_ETOOBIG.  items_done - for DEFER. */
int items_add(struct items *l, int64_t id, uint16_t rights) MUST_USE;
void items_done(struct items *l);
/* list_put_folder, list_put_file - one more row, or l->is_full.  For a file node.folder and
 * node.rights are set. */
int list_put_folder(struct listing *l, const struct item *item) MUST_USE;
int list_put_file(struct listing *l, const char *base, int64_t id) MUST_USE;
/* list_page - a keyset page of a folder: sub-folders by name, then files by name, those behind
 * m->after.  Costs the same wherever it begins.  errors SP_EPERM (may not list) */
int list_page(struct listing *l, const struct node *at) MUST_USE;
/* list_sorted - the page of a whole tree in another order than that of its folders.
 *   folders  to be listed themselves; all  whose files are
 *   errors   SP_ETOOBIG: too many to be sorted here; nothing was written then */
int list_sorted(struct listing *l, const struct items *folders, const struct items *all) MUST_USE;
#endif
