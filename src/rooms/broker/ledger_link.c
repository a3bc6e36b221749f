/* ledger_link.c - the broker's side of the audit log: orders out, answers to their operations. */
#include "base/limits.h"
#include "base/text.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/outbox.h"
#include "sys/fd.h"
#include "sys/log.h"

#define LINK_EVENTS LOOP_IN

/* ---- records ---- */

void
record_init(struct record *r, enum event event, const struct actor *actor, uint64_t serial)
{
	r->event = (uint16_t)event;
	r->serial = serial;
	r->user = span_str(actor->name);
	r->org = span_str(actor->org_name);
	r->path = span_of(NULL, 0);
	r->size = 0;
	record_takes(r, /* user= */ 0, /* org= */ 0, /* files= */ 0, /* bytes= */ 0);
	r->detail = wr_of(r->buf, sizeof(r->buf));
	if (actor->address[0] != '\0')
		record_text(r, "address", span_str(actor->address));
	if (actor->agent[0] != '\0')
		record_text(r, "agent", span_str(actor->agent));
}

void
record_text(struct record *r, const char *key, struct span value)
{
	ipc_pair_put(&r->detail, key, span_cut(value, 1024));
}

void
record_takes(struct record *r, int64_t user, int64_t org, int64_t files, int64_t bytes)
{
	r->taken_files = files < UINT32_MAX ? files : UINT32_MAX;
	r->taken_bytes = bytes;
	r->user_number = user;
	r->org_number = org;
}

void
record_num(struct record *r, const char *key, int64_t value)
{
	char digits[32];
	struct text t = text_of(digits, sizeof(digits));

	text_fmt(&t, "%lld", (long long)value);
	record_text(r, key, text_span(&t));
}

void
record_hex(struct record *r, const char *key, struct span value)
{
	char hex[130];
	struct text t = text_of(hex, sizeof(hex));

	text_hex(&t, span_cut(value, 64));
	record_text(r, key, text_span(&t));
}

/* ---- orders ---- */

static void on_ledger(void *arg, int fd, unsigned events);

static void
queue_order(struct broker *b, struct outbox *o)
{
	if (b->ledger_out == NULL) {
		b->ledger_out = o;
		if (loop_change(b->loop, b->ledger_watch, LINK_EVENTS | LOOP_OUT) != SP_OK)
			log_error("the ledger's socket cannot be watched");
	} else
		b->ledger_out_last->next = o;
	b->ledger_out_last = o;
}

/* the number of waiting orders is bounded by OPS_MAX and the sender's rate of notes */
static int
send_order(struct broker *b, uint16_t id, struct span body)
{
	int err = SP_EFULL;
	struct outbox *o;

	if (b->ledger.fd < 0)
		return SP_EUNAVAIL;
	if (b->ledger_out == NULL)
		err = chan_send(&b->ledger, id, body, -1);
	if (err == SP_OK)
		return SP_OK;
	if (err != SP_EFULL || (o = outbox_new(0, id, body, -1)) == NULL) {
		log_error("to the ledger: %s", sp_strerror(err));
		return SP_EUNAVAIL;
	}
	queue_order(b, o);
	return SP_OK;
}

static void
send_queued(struct broker *b)
{
	while (b->ledger_out != NULL) {
		struct outbox *o = b->ledger_out;
		int err = chan_send(&b->ledger, o->id, span_of(o->body, o->len), -1);

		if (err == SP_EFULL)
			return;
		b->ledger_out = o->next;
		outbox_free(o);
		if (err != SP_OK) {
			ledger_lost(b);
			return;
		}
	}
	if (loop_change(b->loop, b->ledger_watch, LINK_EVENTS) != SP_OK)
		log_error("the ledger's socket cannot be watched");
}

/* ORDER - encode a message that carries op's new ref and send it; op is the caller's again on an
 * error. */
#define ORDER(b, op, NAME, name, m, next)                                                          \
	__extension__({                                                                            \
		struct wr order_w_ = wr_of((b)->out, sizeof((b)->out));                            \
		int order_err_;                                                                    \
		op_wait((b), (op), (next));                                                        \
		(m)->ref = (op)->ref;                                                              \
		order_err_ = ipc_put_##name(&order_w_, (m));                                       \
		if (order_err_ == SP_OK)                                                           \
			order_err_ = send_order((b), IPC_##NAME, wr_span(&order_w_));              \
		if (order_err_ != SP_OK)                                                           \
			(void)op_take((b), (m)->ref);                                              \
		order_err_;                                                                        \
	})

static struct ipc_record
record_message(const struct record *r)
{
	VERIFY(!r->detail.bad);
	return (struct ipc_record){
	    .event = r->event,
	    .serial = r->serial,
	    .user = r->user,
	    .org = r->org,
	    .path = r->path,
	    .size = (uint64_t)r->size,
	    .detail = wr_span(&r->detail),
	    .taken_files = (uint64_t)r->taken_files,
	    .taken_bytes = (uint64_t)r->taken_bytes,
	    .user_number = (uint64_t)r->user_number,
	    .org_number = (uint64_t)r->org_number,
	};
}

int
ledger_record(struct broker *b, struct op *op, const struct record *r, op_fn next)
{
	struct ipc_record m = record_message(r);

	return ORDER(b, op, RECORD, record, &m, next);
}

static void
note_done(struct broker *b, struct op *op, const struct answer *a)
{
	if (a->err != SP_OK)
		log_warning("an event was not recorded: %s", sp_strerror(a->err));
	op_end(b, op);
}

void
ledger_note(struct broker *b, const struct record *r)
{
	struct op *op = op_new(b, NULL, sizeof(*op));
	int err = op != NULL ? ledger_record(b, op, r, note_done) : SP_EFULL;

	if (err == SP_OK)
		return;
	log_warning("an event (%u) was not recorded: %s", (unsigned)r->event, sp_strerror(err));
	if (op != NULL)
		op_end(b, op);
}

int
ledger_release(struct broker *b, struct op *op, struct ipc_release *m, op_fn next)
{
	return ORDER(b, op, RELEASE, release, m, next);
}

int
ledger_key_new(struct broker *b, struct op *op, struct ipc_key_new *m, op_fn next)
{
	return ORDER(b, op, KEY_NEW, key_new, m, next);
}

int
ledger_seal(struct broker *b, struct op *op, struct ipc_seal *m, op_fn next)
{
	return ORDER(b, op, SEAL, seal, m, next);
}

int
ledger_rewrap(struct broker *b, struct op *op, struct ipc_rewrap *m, op_fn next)
{
	return ORDER(b, op, REWRAP, rewrap, m, next);
}

int
ledger_org_key(struct broker *b, struct op *op, struct ipc_org_key *m, op_fn next)
{
	return ORDER(b, op, ORG_KEY, org_key, m, next);
}

int
ledger_head(struct broker *b, struct op *op, op_fn next)
{
	struct ipc_head_get m = {0};

	return ORDER(b, op, HEAD_GET, head_get, &m, next);
}

int
ledger_intents(struct broker *b, struct op *op, uint64_t entry, op_fn next)
{
	struct ipc_intents_get m = {.entry = entry};

	return ORDER(b, op, INTENTS_GET, intents_get, &m, next);
}

/* ---- answers ---- */

static void
answer_op(struct broker *b, uint64_t ref, const struct answer *a)
{
	struct op *op = op_take(b, ref);
	int64_t frozen = 0;

	if (a->entry > b->max_entry)
		b->max_entry = a->entry;
	/* an answer to what was given up, or to what somebody else works on, changes nothing */
	if (op == NULL || op->helper != 0) {
		log_warning("the ledger answered a question that was not asked");
		return;
	}
	op->kind = a->kind;
	op->retry_after = a->retry_after;
	op->budget = a->budget;
	if (a->kind == PRINCIPAL_USER && (a->froze || a->err == SP_EFROZEN))
		frozen = op->actor.user;
	op->next(b, op, a);
	if (frozen != 0) /* now that it is answered */
		user_frozen(b, frozen);
}

/* The message types that answer an operation; false: malformed. */
static bool
take_answer(struct broker *b, const struct chan_msg *m)
{
	union {
		struct ipc_recorded recorded;
		struct ipc_released released;
		struct ipc_refused refused;
		struct ipc_wrapped wrapped;
		struct ipc_org_key_done org_key;
		struct ipc_head head;
	} u;
	struct answer a = {0};

	switch (m->id) {
	case IPC_RECORDED:
		if (ipc_get_recorded(m->body, &u.recorded) != SP_OK)
			return false;
		a.entry = u.recorded.entry;
		answer_op(b, u.recorded.ref, &a);
		return true;
	case IPC_RELEASED:
		if (ipc_get_released(m->body, &u.released) != SP_OK)
			return false;
		a.entry = u.released.entry;
		answer_op(b, u.released.ref, &a);
		return true;
	case IPC_REFUSED:
		if (ipc_get_refused(m->body, &u.refused) != SP_OK)
			return false;
		a.err = u.refused.err != 0 ? -(int)u.refused.err : SP_EREFUSED;
		a.retry_after = u.refused.retry_after;
		a.kind = u.refused.kind;
		a.budget = u.refused.budget;
		a.froze = u.refused.froze != 0;
		answer_op(b, u.refused.ref, &a);
		return true;
	case IPC_WRAPPED:
		if (ipc_get_wrapped(m->body, &u.wrapped) != SP_OK)
			return false;
		a.entry = u.wrapped.entry;
		a.wrap = u.wrapped.wrap;
		answer_op(b, u.wrapped.ref, &a);
		return true;
	case IPC_ORG_KEY_DONE:
		if (ipc_get_org_key_done(m->body, &u.org_key) != SP_OK)
			return false;
		a.err = -(int)u.org_key.err;
		a.epoch = u.org_key.epoch;
		answer_op(b, u.org_key.ref, &a);
		return true;
	case IPC_HEAD:
		if (ipc_get_head(m->body, &u.head) != SP_OK)
			return false;
		a.head = &u.head;
		b->last_ledger_size = u.head.size;
		answer_op(b, u.head.ref, &a);
		return true;
	default:
		return false;
	}
}

static bool
take_ledger(struct broker *b, const struct chan_msg *m)
{
	struct ipc_intent intent;
	struct ipc_intents_end end;
	struct ipc_decoy_touched touched;

	switch (m->id) {
	case IPC_INTENT:
		if (ipc_get_intent(m->body, &intent) != SP_OK)
			return false;
		reconcile_intent(b, &intent);
		return true;
	case IPC_INTENTS_END:
		if (ipc_get_intents_end(m->body, &end) != SP_OK)
			return false;
		reconcile_end(b, &end);
		return true;
	case IPC_DECOY_TOUCHED:
		if (ipc_get_decoy_touched(m->body, &touched) != SP_OK)
			return false;
		decoy_touched(b, &touched);
		return true;
	default:
		return take_answer(b, m);
	}
}

static void
on_ledger(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;
	struct chan_msg m;

	(void)fd;
	if ((events & LOOP_OUT) != 0)
		send_queued(b);
	for (unsigned i = 0; i < 256 && b->ledger.fd >= 0; i++) {
		int rc = chan_recv(&b->ledger, PH_ANY, false, b->buf, sizeof(b->buf), &m);

		if (rc == 0)
			return;
		if (rc == 1 && !take_ledger(b, &m))
			rc = SP_ESYNTAX;
		if (rc != 1 && rc != SP_ECLOSED)
			log_error("from the ledger: %s", sp_strerror(rc));
		if (rc != 1) {
			ledger_lost(b);
			return;
		}
		chan_msg_done(&m);
	}
}

/* every operation that waits for the ledger; those at an authenticator go on */
static void
fail_waiting(struct broker *b)
{
	const struct answer a = {.err = SP_EUNAVAIL};

	for (size_t i = 0; i < HASH_SLOTS; i++)
		for (struct op **p = &b->ops[i], *op; (op = *p) != NULL;) {
			if (op->helper != 0) {
				p = &op->hash_next;
				continue;
			}
			*p = op->hash_next;
			op->hash_next = NULL;
			op->ref = 0;
			op->next(b, op, &a);
			p = &b->ops[i]; /* the continuation may have changed the chain */
		}
}

void
ledger_lost(struct broker *b)
{
	if (b->ledger.fd < 0)
		return;
	if (!b->is_stopping)
		log_warning("the ledger is gone; what needs it waits for its return");
	loop_unwatch(b->loop, b->ledger_watch);
	b->ledger_watch = NULL;
	chan_close(&b->ledger);
	while (b->ledger_out != NULL) {
		struct outbox *o = b->ledger_out;

		b->ledger_out = o->next;
		outbox_free(o);
	}
	b->is_reconciling = false;
	fail_waiting(b);
}

int
ledger_link(struct broker *b, int fd)
{
	ledger_lost(b);
	chan_init(&b->ledger, fd, ROOM_BROKER, ROOM_LEDGER);
	if ((b->ledger_watch = loop_watch(b->loop, fd, LINK_EVENTS, on_ledger, b)) == NULL) {
		chan_close(&b->ledger);
		return SP_ENOMEM;
	}
	reconcile_start(b);
	return SP_OK;
}
