/* move.h - a file or folder gets another name or place: what stands against it, and the change. */
#ifndef SP_BROKER_MOVE_H
#define SP_BROKER_MOVE_H

#include "rooms/broker/tree.h"

/* struct move - found and judged. */
struct move {
	struct node node;   /* what is moved */
	struct place place; /* where to */
	struct file victim; /* replaced by it; id 0: none */
	bool is_noop;	    /* it is there already */
};

/* move_judge - may the caller do it, now?
 *   by, id, path  the target, as in node_find
 *   to            the whole new path
 *   replace       a file may take the place of another file
 *   ret           set as far as it was judged, also on an error: ret->node.path is empty when the
 *                 target is not there
 *   errors        of node_find and place_find; SP_EPERM, SP_EPROTECTED, SP_EEXISTS, SP_EQUOTA,
 *                 SP_EDEPTH (also: something below would be too deep), SP_ENAME (into itself) */
int move_judge(struct broker *b, const struct access *a, const struct ipc_rename *m,
    struct move *ret) MUST_USE;
/* move_apply - do it, inside the caller's transaction; a replaced file is held.
 *   errors  those of the database; nothing is changed then */
int move_apply(struct broker *b, const struct move *m) MUST_USE;
#endif
