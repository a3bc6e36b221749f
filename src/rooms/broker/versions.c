/* versions.c - VERSIONS: what a file was, newest first; replaced versions are there until they are
 * shredded.  Only what is known of them is told: their content is held for an administrator. */
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"

#define ROWS_BYTES 61440u /* of ENTRIES */

/* One row: the file as it was with that version. */
static int
put_version(struct broker *b, struct node *n, int64_t id, struct wr *out)
{
	DEFER(mem_freep) struct entry *e = mem_alloc(sizeof(*e));
	struct ipc_entry_rec rec;
	int err;

	if (e == NULL)
		return SP_ENOMEM;
	n->file.version = id;
	if ((err = entry_of(b->db, n, e)) != SP_OK)
		return err;
	e->m.size = (uint64_t)e->version.size;
	e->m.modified_us = (uint64_t)e->version.created_us;
	ENTRY_COPY(&rec, &e->m);
	err = ipc_put_entry_rec(out, &rec);
	return out->bad ? SP_ESPACE : err;
}

static int
put_versions(struct broker *b, struct node *n, const struct ipc_versions *m, struct wr *out,
    uint32_t *ret_count)
{
	DEFER(sql_end)
	struct sql q = sql_query(b->db, SQL_VERSIONS, SI(n->file.id), SI(m->limit), SI(m->offset));
	uint32_t count = 0;
	int err;

	while ((err = sql_step(&q)) == 1) {
		size_t before = out->len;

		err = put_version(b, n, sql_i64(&q), out);
		if (err == SP_ESPACE) { /* the worker asks for the rest */
			out->len = before;
			out->bad = false;
			err = SP_OK;
			break;
		}
		if (err != SP_OK)
			return err;
		count++;
	}
	*ret_count = count;
	return err < 0 ? err : SP_OK;
}

int
handle_versions(struct broker *b, struct worker *w, struct span body)
{
	DEFER(mem_freep) uint8_t *rows = mem_alloc(ROWS_BYTES);
	struct ipc_entries reply_m = {0};
	struct ipc_versions m;
	const struct access *a;
	int64_t total = 0;
	struct node n;
	struct wr out;
	int err = ipc_get_versions(body, &m);

	if (err != SP_OK)
		return err;
	if (rows == NULL)
		return SP_ENOMEM;
	out = wr_of(rows, ROWS_BYTES);
	if ((err = worker_access(b, w, &a)) != SP_OK ||
	    (err = node_find(b->db, a, m.by, (int64_t)m.id, m.path, &n)) != SP_OK)
		return err;
	if (!n.is_file)
		return SP_EISFOLDER;
	if ((err = sql_get(b->db, SQL_VERSIONS_COUNT, &total, SI(n.file.id))) < 0 ||
	    (err = put_versions(b, &n, &m, &out, &reply_m.count)) != SP_OK)
		return err;
	reply_m.total = (uint64_t)total;
	reply_m.rows = wr_span(&out);
	REPLY(b, w->serial, ENTRIES, entries, &reply_m, -1);
	return SP_OK;
}
