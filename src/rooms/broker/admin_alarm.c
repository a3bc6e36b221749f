/* admin_alarm.c - the verbs about alarms: a test is an entry of the audit log like any alarm; the
 * rest is the courier's to say. */
#include "rooms/broker/admin.h"

static void
test_recorded(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	json_t *o;

	if (a->err != SP_OK) {
		admin_refuse(b, op, a->err);
		return;
	}
	o = json_pack("{s:I}", "entry", (json_int_t)a->entry);
	if (o != NULL)
		admin_answer(b, op, o);
	else
		admin_refuse(b, op, SP_ENOMEM);
	json_decref(o);
}

int
admin_alarm_test(struct broker *b, struct admin_op *op)
{
	struct record rec;

	record_init(&rec, EVENT_ALARM_TEST, &op->op.actor, 0);
	return ledger_record(b, &op->op, &rec, test_recorded);
}

int
admin_alarm_list(struct broker *b, struct admin_op *op)
{
	return courier_ask(b, op);
}
