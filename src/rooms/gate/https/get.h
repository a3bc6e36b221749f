/* get.h - sending a file: whole, by range, conditionally; and what is known of it without its
 * content. */
#ifndef SP_GATE_HTTPS_GET_H
#define SP_GATE_HTTPS_GET_H

#include "rooms/gate/https/conn.h"

/* What a reply needs to know of a file; copied, so that it outlives the ring's buffer. */
struct facts {
	uint64_t id, version, size;
	int64_t modified_us;
	bool is_folder, has_sha256;
	uint8_t sha256[32];
	char name[256];
	size_t name_len;
	char tag[48]; /* entity tag without quotes */
};
void facts_of(const struct ipc_entry_rec *e, struct facts *ret);

/* The version of a file that a strong entity tag stands for is its own: no two contents share one.
 */

/* facts_stat - ask the broker. errors what it answers; a folder is no error here. */
int facts_stat(struct conn *c, const struct ipc_stat *m, struct facts *ret) MUST_USE;

/* facts_conditions - If-Match and its kin against the facts; NULL: there is no such file.
 *   errors SP_EPRECOND, SP_ESYNTAX; 1: not modified (reading only) */
int facts_conditions(struct conn *c, const struct facts *f, bool reading) MUST_USE;

/* file_send - reply to GET or HEAD of a file.
 *   target   of the file; its spans live in the caller
 *   errors   SP_EISFOLDER and what the broker answers; SP_EDAMAGED before anything was sent */
int file_send(struct conn *c, const struct ipc_stat *target) MUST_USE;
#endif
