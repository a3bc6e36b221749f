/* admin_remove.c - sallyport folder remove: a folder with all it holds, which is held back before
 * it is shredded. */
#include "rooms/broker/admin.h"
#include "rooms/broker/put.h"
#include "rooms/broker/store.h"
#include "rooms/broker/trial.h"

struct target {
	int64_t org, folder;
};

static int
find(struct broker *b, struct admin_op *op, struct admin_call *a, struct target *ret)
{
	struct folder f;
	int rc;

	admin_call_of(b, op, a);
	rc = admin_begin(a);
	if (rc == SP_OK)
		rc = admin_folder_find(a, admin_arg(a, "path"), &ret->org, &ret->folder);
	if (rc == SP_OK && (rc = folder_get(b->db, ret->folder, &f)) == 1)
		rc = f.type == FOLDER_ROOT || f.system ? SP_EPROTECTED : SP_OK;
	if (rc == SP_OK)
		rc = admin_record(a, EVENT_FOLDER_DELETED, ret->org);
	memcpy(op->why, a->why, sizeof(op->why));
	admin_end(a);
	return rc;
}

static void
removed(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;

	broker_policy_changed(b);
	if (answer->err == SP_OK)
		kept_folder_gone(b, &base->actor);
	if (answer->err == SP_OK) {
		admin_answer(b, op, op->result);
		return;
	}
	ledger_undone(b, base, op->entry, sp_strerror(answer->err));
	admin_refuse(b, op, answer->err);
}

static void
recorded(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	int64_t files = 0, bytes = 0;
	struct target t;
	int rc = answer->err;

	op->entry = answer->entry;
	if (rc == SP_OK)
		rc = a != NULL ? find(b, op, a, &t) : SP_ENOMEM;
	if (rc == SP_OK && t.folder != op->number)
		rc = SP_ECONFLICT; /* another one has this path by now */
	if (rc == SP_OK)
		rc = folder_remove(b, t.folder, &files, &bytes);
	if (rc != SP_OK)
		ledger_undone(b, base, op->entry, sp_strerror(rc));
	if (rc == SP_OK) {
		op->result =
		    json_pack("{s:I, s:I}", "files", (json_int_t)files, "bytes", (json_int_t)bytes);
		rc = op->result != NULL ? SP_OK : SP_ENOMEM;
	}
	if (rc == SP_OK)
		op_commit(b, base, removed);
	else
		admin_refuse(b, op, rc);
}

int
admin_folder_remove(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));
	struct actor who = op->op.actor;
	struct target t;
	int rc = a != NULL && r != NULL ? find(b, op, a, &t) : SP_ENOMEM;

	if (rc != SP_OK)
		return rc;
	memcpy(who.org_name, a->org, sizeof(who.org_name));
	record_init(r, EVENT_FOLDER_DELETED, &who, 0);
	r->path = span_str(a->path);
	op->number = t.folder;
	record_num(r, "folder", t.folder);
	return ledger_record(b, &op->op, r, recorded);
}
