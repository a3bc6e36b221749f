/* list.h - paged lists of folders and files. */
#ifndef SP_GATE_HTTPS_LIST_H
#define SP_GATE_HTTPS_LIST_H

#include "rooms/gate/https/conn.h"
#include "rooms/gate/https/model.h"

struct listing {
	struct ipc_list
	    request; /* target, what, counts, newer_than_us; paging and order come from the query */
	const char *sort; /* default sortField */
	model_fn row;
	bool versions; /* of the file that request names by number; newest first, whatever is asked
			*/
	bool stamp;    /* add currentTimestamp */
	bool only_new; /* rows that nobody has read */
	struct span path_mask;	 /* rows whose path matches; empty: all */
	struct span folder_mask; /* rows in a folder whose path matches; empty: all */
	bool below;		 /* and those in folders below such a one */
	bool bare;		 /* an array of all rows, without pages */
};

/* list_reply - reply with one page, as the query asks: page, perPage, sortField, sortDirection,
 * name; a bare list: sortField and sortDirection alone. Any size: the body is sent as it is made.
 */
int list_reply(struct conn *c, struct listing *l) MUST_USE;

/* mask_matches - '*' any run, '?' any one character; ASCII letters without case. */
bool mask_matches(struct span mask, struct span s);
#endif
