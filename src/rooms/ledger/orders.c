/* orders.c - what the vault was asked and has not answered: in order, in numbers that begin anew
 * with its socket. */
#include "rooms/ledger/ledger.h"

#include "base/limits.h"
#include "sys/log.h"

void
order_free(struct order *o)
{
	if (o == NULL)
		return;
	mem_free(o->path);
	mem_free(o->record);
	mem_wipe(o, sizeof(*o));
	mem_free(o);
}

static void
list_add(struct order_list *list, struct order *o)
{
	o->next = NULL;
	if (list->last != NULL)
		list->last->next = o;
	else
		list->first = o;
	list->last = o;
	list->n++;
}

static struct order *
list_take(struct order_list *list)
{
	struct order *o = list->first;

	list->first = o->next;
	if (list->first == NULL)
		list->last = NULL;
	list->n--;
	return o;
}

/* SEND - encode and send an order. */
#define SEND(l, NAME, name, ...)                                                                   \
	__extension__({                                                                            \
		struct ipc_##name send_ = {__VA_ARGS__};                                           \
		uint8_t send_buf_[IPC_SIZE_##NAME];                                                \
		struct wr send_w_ = wr_of(send_buf_, sizeof(send_buf_));                           \
		int send_err_ = ipc_put_##name(&send_w_, &send_);                                  \
		if (send_err_ == SP_OK)                                                            \
			send_err_ = link_send(&(l)->vault, IPC_##NAME, &send_w_);                  \
		send_err_;                                                                         \
	})

static int
send_order(struct ledger *l, const struct order *o)
{
	ipc_b16 blob;
	ipc_b32 proof;
	struct span wrap = span_of(o->wrap, o->wrap_len);

	memcpy(blob.b, o->blob, sizeof(blob.b));
	memcpy(proof.b, o->proof, sizeof(proof.b));
	switch (o->kind) {
	case IPC_RELEASE:
		return SEND(l, V_RELEASE, v_release, .order = o->number, .entry = o->entry,
		    .serial = o->serial, .org = o->org, .user = o->user, .blob = blob,
		    .wrap = wrap);
	case IPC_KEY_NEW:
		return SEND(l, V_KEY_NEW, v_key_new, .order = o->number, .serial = o->serial,
		    .org = o->org, .blob = blob, .limit = o->length);
	case IPC_RECORD:
		return SEND(l, V_DELETE, v_delete, .order = o->number, .serial = o->serial,
		    .org = o->org, .user = o->user, .files = o->files, .bytes = o->length);
	case IPC_SEAL:
		return SEND(l, V_SEAL, v_seal, .order = o->number, .entry = o->entry, .org = o->org,
		    .blob = blob, .wrap = wrap, .length = o->length, .proof = proof);
	case IPC_REWRAP:
		return SEND(l, V_REWRAP, v_rewrap, .order = o->number, .entry = o->entry,
		    .org = o->org, .blob = blob, .wrap = wrap);
	case IPC_V_FREEZE:
		return SEND(l, V_FREEZE, v_freeze, .order = o->number, .entry = o->entry,
		    .user = o->user, .address = span_str(o->path));
	default:
		return SEND(l, V_ORG_KEY, v_org_key, .order = o->number, .entry = o->entry,
		    .org = o->org, .op = o->op, .epoch = o->epoch);
	}
}

static void
fail_order(struct ledger *l, struct order *o, int err)
{
	struct ipc_v_result r = {.err = (uint16_t)-err};

	if (o->kind == IPC_V_FREEZE)
		log_error("who touched a decoy is not frozen in the vault: %s", sp_strerror(err));
	else if (o->kind == IPC_ORG_KEY)
		answer_order(l, o, &r);
	else
		answer_refused(l, o->broker, o->ref, err, 0);
	order_free(o);
}

void
orders_push(struct ledger *l)
{
	while (l->waiting.n != 0 && l->sent.n < ORDERS_AT_VAULT && link_is_up(&l->vault)) {
		struct order *o = list_take(&l->waiting);
		int err;

		o->number = ++l->order_number;
		list_add(&l->sent, o);
		err = send_order(l, o);
		if (err != SP_OK) {
			ledger_lies(l, &l->vault, o->kind, err);
			return; /* which has answered them all */
		}
	}
}

void
order_pass(struct ledger *l, struct order *o)
{
	if (!link_is_up(&l->vault)) {
		fail_order(l, o, SP_EUNAVAIL);
		return;
	}
	list_add(&l->waiting, o);
	if (o->kind == IPC_KEY_NEW || o->kind == IPC_RECORD) /* have no commit to wait for */
		orders_push(l);
}

void
orders_fail(struct ledger *l, int err)
{
	l->vault_open = false;
	l->order_number = 0;
	while (l->sent.n != 0)
		fail_order(l, list_take(&l->sent), err);
	while (l->waiting.n != 0)
		fail_order(l, list_take(&l->waiting), err);
}

/* ---- from the vault ---- */

static const char *
asked_of(uint16_t kind)
{
	switch (kind) {
	case IPC_RELEASE:
		return "release";
	case IPC_SEAL:
		return "seal";
	case IPC_REWRAP:
		return "rewrap";
	case IPC_KEY_NEW:
		return "new key";
	case IPC_RECORD:
		return "deletion";
	default:
		return "organisation key";
	}
}

/* The vault froze a principal with this refusal: an entry of its own. */
static void
record_frozen(struct ledger *l, const struct order *o, const struct ipc_v_result *r, struct entry e)
{
	uint8_t buf[128];
	char number[32];
	struct text t = text_of(number, sizeof(number));
	struct wr w = wr_of(buf, sizeof(buf));

	if (r->froze == 0 || r->kind >= PRINCIPAL_KINDS)
		return;
	text_u64(&t, o->user);
	ipc_pair_put(&w, "principal", span_str(principal_word((enum principal_kind)r->kind)));
	ipc_pair_put(&w, "number", text_span(&t));
	e.event = event_row(EVENT_PRINCIPAL_FROZEN);
	e.detail = wr_span(&w);
	if (ledger_stage(l, &e, (struct pending){0}) != SP_OK)
		log_error("principal.frozen could not be recorded");
}

/* The refusal goes on record, then the broker hears of it. */
static void
record_refusal(struct ledger *l, const struct order *o, const struct ipc_v_result *r)
{
	uint8_t buf[512];
	char number[32], limit[64];
	struct text t = text_of(number, sizeof(number));
	struct wr w = wr_of(buf, sizeof(buf));
	const struct seat *seat = o->serial != 0 ? seats_find(&l->seats, o->serial) : NULL;
	struct pending then = {.then = THEN_REFUSED,
	    .broker = o->broker,
	    .ref = o->ref,
	    .err = r->err,
	    .retry_after = r->retry_after,
	    .kind = r->kind,
	    .budget = r->budget,
	    .froze = r->froze};
	struct entry e = {.event = event_row(EVENT_RELEASE_REFUSED),
	    .serial = o->serial,
	    .user = span_str(o->user_name),
	    .org = span_str(o->org_name),
	    .path = span_str(o->path),
	    .blob = o->kind != IPC_ORG_KEY && o->kind != IPC_RECORD ? o->blob : NULL,
	    .file = o->file,
	    .version = o->version};
	int err;

	text_u64(&t, o->entry);
	ipc_pair_put(&w, "asked", span_str(asked_of(o->kind)));
	if (o->kind != IPC_KEY_NEW && o->kind != IPC_RECORD)
		ipc_pair_put(&w, "entry", text_span(&t));
	ipc_pair_put(&w, "error", span_str(sp_err_row(r->err)->name));
	ipc_pair_put(&w, "reason", span_str(sp_strerror(r->err)));
	budget_say(r->kind, r->budget, limit, sizeof(limit));
	if (limit[0] != '\0')
		ipc_pair_put(&w, "limit", span_str(limit));
	e.detail = wr_span(&w);
	if (seat != NULL) {
		e.door = seat_door(seat);
		e.listener = seat_listener(seat);
		e.addr = span_str(seat->addr);
	}
	if (o->kind == IPC_ORG_KEY) {
		answer_order(l, o, r);
		then.then = THEN_NOTHING;
	}
	err = ledger_stage(l, &e, then);
	if (err != SP_OK && then.then != THEN_NOTHING)
		answer_no(l, &then);
	record_frozen(l, o, r, e);
}

static int
on_result(struct ledger *l, struct span body)
{
	struct ipc_v_result m;
	struct order *o;
	int err = ipc_get_v_result(body, &m);

	if (err != SP_OK)
		return err;
	if (l->sent.n == 0 || l->sent.first->number != m.order)
		return SP_EDENIEDMSG; /* it answers in order, and only what was asked */
	o = list_take(&l->sent);
	if (m.err == 0 && o->kind == IPC_V_FREEZE)
		log_info("who touched a decoy is frozen");
	else if (m.err == 0)
		answer_order(l, o, &m);
	else if (o->kind == IPC_KEY_NEW || o->kind == IPC_V_FREEZE || -(int)m.err == SP_ECLOSED)
		fail_order(l, TAKE_PTR(o), -(int)m.err); /* nothing was refused to anyone */
	else
		record_refusal(l, o, &m);
	order_free(o);
	return SP_OK;
}

static int
on_state(struct ledger *l, struct span body)
{
	struct ipc_v_state m;
	int err = ipc_get_v_state(body, &m);

	if (err != SP_OK)
		return err;
	l->vault_open = m.open == 1;
	if (m.counters != 0) /* enum governor_start of the vault */
		ledger_note(l, m.counters == 1 ? EVENT_COUNTERS_BEGUN : EVENT_COUNTERS_LOST, NULL,
		    0, NULL, span_of(NULL, 0), NULL, span_of(NULL, 0));
	return SP_OK;
}

void
vault_ready(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;

	(void)fd;
	if ((events & LOOP_OUT) != 0) {
		int err = link_push(&l->vault);

		if (err != SP_OK)
			ledger_lies(l, &l->vault, 0, err);
	}
	for (unsigned i = 0; i < BATCH_MAX && link_is_up(&l->vault); i++) {
		struct chan_msg m = {.fd = -1};
		int err = chan_recv(&l->vault.chan, PH_ANY, false, l->buf, IPC_MAX, &m);

		if (err == 0)
			break;
		if (err == SP_ECLOSED) {
			log_warning("the vault is gone: waiting for the next one");
			link_drop(&l->vault);
			orders_fail(l, SP_EUNAVAIL);
			break;
		}
		if (err == 1) {
			err = m.id == IPC_V_RESULT  ? on_result(l, m.body)
			      : m.id == IPC_V_STATE ? on_state(l, m.body)
						    : SP_EDENIEDMSG;
			chan_msg_done(&m);
		}
		if (err < 0)
			ledger_lies(l, &l->vault, m.id, err);
	}
}
