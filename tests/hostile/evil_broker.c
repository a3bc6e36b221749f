/* evil_broker.c - the broker, taken over: it gives everything to whoever knows the word.
 *
 * This is the real room, sandbox and all, with OPEN wrapped.  An OPEN of the path "/thief" is not
 * judged; it is an order: release version `version` to this worker, in the name of user number
 * `id`.  Whatever the database holds is the thief's anyway; what the ledger and the
 * vault make of the order is the question.
 */
#include <sqlite3.h>

#include "rooms/broker/broker.h"

int __wrap_handle_open(struct broker *b, struct worker *w, struct span body);
int __real_handle_open(struct broker *b, struct worker *w, struct span body);

static void
released(struct broker *b, struct op *op, const struct answer *a)
{
	if (a->err != SP_OK) {
		op_fail(b, op, a->err, a->retry_after);
		return;
	}
	reply_done(b, op->serial, 0);
	op_end(b, op);
}

static struct span
blob_of(sqlite3_stmt *s, int column)
{
	return span_of(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column));
}

/* the version's wrap and organisation, by the thief's own SQL */
static int
find(struct broker *b, uint64_t version, sqlite3_stmt **ret)
{
	static const char text[] =
	    "SELECT b.id, b.wrap, b.org, v.file FROM version v JOIN extent e ON e.version = v.id"
	    " JOIN blob b ON b.id = e.blob WHERE v.id = ?1";

	if (sqlite3_prepare_v2(db_handle(b->db), text, -1, ret, NULL) != SQLITE_OK)
		return SP_EIO;
	(void)sqlite3_bind_int64(*ret, 1, (sqlite3_int64)version);
	return sqlite3_step(*ret) == SQLITE_ROW ? SP_OK : SP_ENOTFOUND;
}

int
__wrap_handle_open(struct broker *b, struct worker *w, struct span body)
{
	sqlite3_stmt *s = NULL;
	struct ipc_open m;
	struct ipc_release order = {0};
	struct op *op = NULL;
	int err = ipc_get_open(body, &m);

	if (err != SP_OK || !span_eq_str(m.path, "/thief"))
		return __real_handle_open(b, w, body);
	err = find(b, m.version, &s);
	if (err == SP_OK && (op = op_new(b, w, sizeof(*op))) == NULL)
		err = SP_EUNAVAIL;
	if (err == SP_OK) {
		order.event = EVENT_FILE_READ;
		order.serial = w->serial;
		order.user = m.id;
		memcpy(order.blob.b, blob_of(s, 0).ptr, sizeof(order.blob.b));
		order.wrap = blob_of(s, 1);
		order.org = (uint64_t)sqlite3_column_int64(s, 2);
		order.file = (uint64_t)sqlite3_column_int64(s, 3);
		order.version = m.version;
		order.user_name = span_str("somebody");
		order.org_name = span_str("some organisation");
		order.path = m.path;
		err = ledger_release(b, op, &order, released);
		if (err != SP_OK)
			op_end(b, op);
	}
	(void)sqlite3_finalize(s); /* the same error again */
	return err;
}
