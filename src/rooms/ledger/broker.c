/* broker.c - what the broker asks: records, releases, new keys, seals. */
#include "rooms/ledger/ledger.h"

#include "crypto/wrap.h"
#include "sys/log.h"

/* ---- answers ---- */

/* ANSWER - encode and send to the broker, if it is still the one that asked. */
#define ANSWER(l, asker, NAME, name, ...)                                                          \
	do {                                                                                       \
		struct ipc_##name answer_ = {__VA_ARGS__};                                         \
		uint8_t answer_buf_[IPC_SIZE_##NAME];                                              \
		struct wr answer_w_ = wr_of(answer_buf_, sizeof(answer_buf_));                     \
		int answer_err_ = ipc_put_##name(&answer_w_, &answer_);                            \
		VERIFY(answer_err_ == SP_OK);                                                      \
		if ((asker) == (l)->broker.generation)                                             \
			answer_err_ = link_send(&(l)->broker, IPC_##NAME, &answer_w_);             \
		if (answer_err_ != SP_OK)                                                          \
			ledger_lies((l), &(l)->broker, IPC_##NAME, answer_err_);                   \
	} while (0)

void
answer_recorded(struct ledger *l, uint64_t broker, uint64_t ref, uint64_t entry)
{
	ANSWER(l, broker, RECORDED, recorded, .ref = ref, .entry = entry);
}

void
answer_refused(struct ledger *l, uint64_t broker, uint64_t ref, int err, uint32_t retry_after)
{
	ANSWER(l, broker, REFUSED, refused, .ref = ref, .err = (uint16_t)-err,
	    .retry_after = retry_after);
}

void
answer_no(struct ledger *l, const struct pending *p)
{
	ANSWER(l, p->broker, REFUSED, refused, .ref = p->ref, .err = p->err,
	    .retry_after = p->retry_after, .kind = p->kind, .budget = p->budget, .froze = p->froze);
}

static void record_allowed(struct ledger *l, const struct order *o);

void
answer_order(struct ledger *l, const struct order *o, const struct ipc_v_result *r)
{
	if (o->kind == IPC_RECORD) {
		record_allowed(l, o);
		return;
	}
	if (o->kind == IPC_RELEASE) {
		ANSWER(l, o->broker, RELEASED, released, .ref = o->ref, .entry = o->entry);
		return;
	}
	if (o->kind == IPC_ORG_KEY)
		ANSWER(l, o->broker, ORG_KEY_DONE, org_key_done, .ref = o->ref, .err = r->err,
		    .epoch = r->epoch);
	else
		ANSWER(l, o->broker, WRAPPED, wrapped, .ref = o->ref, .wrap = r->wrap,
		    .entry = o->entry);
}

/* ---- who ---- */

struct seat *
seat_of(struct ledger *l, uint64_t serial)
{
	struct seat *seat = serial != 0 ? seats_find(&l->seats, serial) : NULL;

	if (seat == NULL && serial != 0) {
		supervisor_drain(l);
		seat = seats_find(&l->seats, serial);
	}
	return seat;
}

static void
entry_seat(struct entry *e, uint64_t serial, const struct seat *seat)
{
	e->serial = serial;
	if (seat == NULL)
		return;
	e->door = seat_door(seat);
	e->listener = seat_listener(seat);
	e->addr = span_str(seat->addr);
}

/* The vault cannot do anything now: SP_OK, SP_EUNAVAIL or SP_ELOCKED, or too much waits for it. */
static int
vault_now(const struct ledger *l)
{
	if (!link_is_up(&l->vault))
		return SP_EUNAVAIL;
	if (!l->vault_open)
		return SP_ELOCKED;
	return l->waiting.n + l->sent.n + l->n_pending < ORDERS_MAX ? SP_OK : SP_EFULL;
}

static void
copy_name(char out[65], struct span s)
{
	s = span_cut(s, 64);
	memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
}

/* A new order of the broker that is linked now; NULL: no memory. */
static struct order *
order_new(struct ledger *l, uint16_t kind, uint64_t ref, struct span wrap)
{
	struct order *o = mem_alloc(sizeof(*o));

	if (o == NULL)
		return NULL;
	o->kind = kind;
	o->broker = l->asking;
	o->ref = ref;
	o->wrap_len = wrap.len <= sizeof(o->wrap) ? wrap.len : 0;
	memcpy(o->wrap, wrap.ptr, o->wrap_len);
	return o;
}

static void
refuse(struct ledger *l, uint64_t ref, int err)
{
	answer_refused(l, l->asking, ref, err, 0);
}

/* Stage the entry of an order; the order is given to the vault when it is durable.  false: it was
 * refused */
static bool
stage_order(struct ledger *l, struct entry *e, struct order *o)
{
	uint64_t ref = o->ref;
	struct pending then = {.then = THEN_ORDER, .broker = o->broker, .order = o};
	int err = ledger_stage(l, e, then);

	if (err != SP_OK)
		refuse(l, ref, err);
	return err == SP_OK;
}

/* ---- messages ---- */

static int
stage_record(struct ledger *l, const struct ipc_record *m, uint64_t broker)
{
	struct entry e = {0};
	struct pending then = {.then = THEN_RECORDED, .broker = broker, .ref = m->ref};
	int err;

	e.event = event_row(m->event);
	entry_seat(&e, m->serial, seat_of(l, m->serial));
	e.user = m->user;
	e.org = m->org;
	e.path = m->path;
	e.size = m->size;
	e.has_size =
	    m->size != 0 || m->event == EVENT_FILE_CREATED || m->event == EVENT_FILE_REPLACED;
	e.detail = m->detail;
	err = ledger_stage(l, &e, then);
	if (err == SP_OK)
		decoys_look(l, &e, /* released= */ false, /* user= */ 0);
	return err;
}

/* The vault allows a deletion: now it is recorded, for the broker that asked. */
static void
record_allowed(struct ledger *l, const struct order *o)
{
	struct ipc_record m;
	int err = ipc_get_record(span_of(o->record, o->record_len), &m);

	VERIFY(err == SP_OK); /* it was decoded when it came */
	if (o->broker != l->broker.generation)
		return;
	err = stage_record(l, &m, o->broker);
	if (err != SP_OK)
		answer_refused(l, o->broker, o->ref, err, 0);
}

/* ask_first - the vault, whether so much may be deleted; the record waits in the order. */
static int
ask_first(struct ledger *l, const struct ipc_record *m, struct span body)
{
	const struct seat *seat = seat_of(l, m->serial);
	struct order *o;
	int err = vault_now(l);

	if (err != SP_OK)
		return err;
	if (seat == NULL || seat->gone)
		return SP_ECLOSED;
	o = order_new(l, IPC_RECORD, m->ref, span_of(NULL, 0));
	if (o == NULL)
		return SP_ENOMEM;
	o->record = mem_alloc(body.len);
	o->path = mem_dup(m->path);
	if (o->record == NULL || o->path == NULL) {
		order_free(o);
		return SP_ENOMEM;
	}
	memcpy(o->record, body.ptr, body.len);
	o->record_len = body.len;
	o->serial = m->serial;
	o->user = m->user_number;
	o->org = m->org_number;
	o->files = m->taken_files;
	o->length = m->taken_bytes;
	copy_name(o->user_name, m->user);
	copy_name(o->org_name, m->org);
	order_pass(l, o);
	return SP_OK;
}

static int
on_record(struct ledger *l, struct span body)
{
	struct ipc_record m;
	int err = ipc_get_record(body, &m);

	if (err != SP_OK)
		return err;
	if (!event_by_broker(m.event))
		return SP_EDENIEDMSG;
	if (m.taken_files != 0)
		err = ask_first(l, &m, body);
	else
		err = stage_record(l, &m, l->asking);
	if (err != SP_OK)
		refuse(l, m.ref, err);
	return SP_OK;
}

/* A release that the ledger itself refuses, before the vault hears of it. */
static void
refuse_release(struct ledger *l, const struct ipc_release *m, struct entry *e, const char *why)
{
	uint8_t buf[256];
	struct wr w = wr_of(buf, sizeof(buf));
	struct pending then = {.then = THEN_REFUSED,
	    .broker = l->asking,
	    .ref = m->ref,
	    .err = (uint16_t)-SP_EREFUSED};
	int err;

	ipc_pair_put(&w, "asked", span_str(e->event->name));
	ipc_pair_put(&w, "reason", span_str(why));
	e->event = event_row(EVENT_RELEASE_REFUSED);
	e->detail = wr_span(&w);
	log_warning("release to serial %llu refused: %s", (unsigned long long)m->serial, why);
	err = ledger_stage(l, e, then);
	if (err != SP_OK)
		refuse(l, m->ref, err);
}

static struct order *
release_order(struct ledger *l, const struct ipc_release *m)
{
	struct order *o = order_new(l, IPC_RELEASE, m->ref, m->wrap);

	if (o == NULL)
		return NULL;
	o->serial = m->serial;
	o->org = m->org;
	o->user = m->user;
	o->file = m->file;
	o->version = m->version;
	memcpy(o->blob, m->blob.b, sizeof(o->blob));
	copy_name(o->user_name, m->user_name);
	copy_name(o->org_name, m->org_name);
	o->path = mem_dup(m->path);
	if (o->path != NULL)
		return o;
	order_free(o);
	return NULL;
}

/* Who may be given a key, by what the reading is on record as; 0: no release is recorded as that.
 */
static unsigned
receivers(uint16_t event)
{
	switch (event) {
	case EVENT_FILE_READ:
		return R_WORKERS;
	case EVENT_FILE_CHECKED:
		return R_SCRUBBER;
	case EVENT_UPLOAD_RESUMED:
		return R_WORKERS;
	case EVENT_OTP_CHECKED:
		return R_AUTHENTICATOR;
	default:
		return 0;
	}
}

static int
on_release(struct ledger *l, struct span body)
{
	struct ipc_release m;
	struct entry e = {0};
	struct wrap_info info;
	struct order *o;
	struct seat *seat;
	int err = ipc_get_release(body, &m);

	if (err != SP_OK)
		return err;
	if (receivers(m.event) == 0)
		return SP_EDENIEDMSG;
	err = vault_now(l);
	if (err != SP_OK) {
		refuse(l, m.ref, err);
		return SP_OK;
	}
	seat = seat_of(l, m.serial);
	e.event = event_row(m.event);
	entry_seat(&e, m.serial, seat);
	e.user = m.user_name;
	e.org = m.org_name;
	e.path = m.path;
	e.blob = m.blob.b;
	e.file = m.file;
	e.version = m.version;
	if (wrap_peek(m.wrap, &info) == SP_OK) { /* the vault checks that it is true */
		e.size = info.length;
		e.has_size = true;
	}
	if (seat == NULL) {
		refuse_release(l, &m, &e, "no such worker");
	} else if (seat->gone) {
		refuse(l, m.ref, SP_ECLOSED); /* the client went away meanwhile */
	} else if ((receivers(m.event) & (1u << seat->room)) == 0) {
		refuse_release(l, &m, &e, "a worker of another kind");
	} else {
		o = release_order(l, &m);
		if (o == NULL)
			refuse(l, m.ref, SP_ENOMEM);
		else if (stage_order(l, &e, o) && (receivers(m.event) & R_WORKERS) != 0)
			decoys_look(l, &e, /* released= */ true, m.user);
	}
	return SP_OK;
}

static int
on_key_new(struct ledger *l, struct span body)
{
	struct ipc_key_new m;
	struct order *o;
	struct seat *seat;
	int err = ipc_get_key_new(body, &m);

	if (err != SP_OK)
		return err;
	err = vault_now(l);
	seat = err == SP_OK ? seat_of(l, m.serial) : NULL;
	if (err == SP_OK && (seat == NULL || seat->gone))
		err = SP_ECLOSED;
	o = err == SP_OK ? order_new(l, IPC_KEY_NEW, m.ref, span_of(NULL, 0)) : NULL;
	if (o == NULL) {
		refuse(l, m.ref, err != SP_OK ? err : SP_ENOMEM);
		return SP_OK;
	}
	o->serial = m.serial;
	o->org = m.org;
	o->length = m.limit;
	memcpy(o->blob, m.blob.b, sizeof(o->blob));
	order_pass(l, o);
	return SP_OK;
}

static int
on_seal(struct ledger *l, struct span body)
{
	struct ipc_seal m;
	struct entry e = {.event = event_row(EVENT_KEY_SEALED)};
	struct order *o;
	int err = ipc_get_seal(body, &m);

	if (err != SP_OK)
		return err;
	err = vault_now(l);
	o = err == SP_OK ? order_new(l, IPC_SEAL, m.ref, m.wrap) : NULL;
	if (o == NULL) {
		refuse(l, m.ref, err != SP_OK ? err : SP_ENOMEM);
		return SP_OK;
	}
	o->serial = m.serial;
	o->org = m.org;
	o->length = m.length;
	memcpy(o->blob, m.blob.b, sizeof(o->blob));
	memcpy(o->proof, m.proof.b, sizeof(o->proof));
	entry_seat(&e, m.serial, seat_of(l, m.serial));
	e.blob = m.blob.b;
	e.size = m.length;
	e.has_size = true;
	(void)stage_order(l, &e, o); /* refused already */
	return SP_OK;
}

static int
on_rewrap(struct ledger *l, struct span body)
{
	struct ipc_rewrap m;
	struct entry e = {.event = event_row(EVENT_KEY_REWRAPPED)};
	struct order *o;
	int err = ipc_get_rewrap(body, &m);

	if (err != SP_OK)
		return err;
	err = vault_now(l);
	o = err == SP_OK ? order_new(l, IPC_REWRAP, m.ref, m.wrap) : NULL;
	if (o == NULL) {
		refuse(l, m.ref, err != SP_OK ? err : SP_ENOMEM);
		return SP_OK;
	}
	o->org = m.org;
	memcpy(o->blob, m.blob.b, sizeof(o->blob));
	e.blob = m.blob.b;
	(void)stage_order(l, &e, o); /* refused already */
	return SP_OK;
}

static void
put_number(struct wr *w, const char *key, uint64_t v)
{
	char buf[32];
	struct text t = text_of(buf, sizeof(buf));

	text_u64(&t, v);
	ipc_pair_put(w, key, text_span(&t));
}

static int
on_org_key(struct ledger *l, struct span body)
{
	struct ipc_org_key m;
	uint8_t buf[128];
	struct wr w = wr_of(buf, sizeof(buf));
	struct entry e = {0};
	struct order *o;
	int err = ipc_get_org_key(body, &m);

	if (err != SP_OK)
		return err;
	err = vault_now(l);
	o = err == SP_OK ? order_new(l, IPC_ORG_KEY, m.ref, span_of(NULL, 0)) : NULL;
	if (o == NULL) {
		refuse(l, m.ref, err != SP_OK ? err : SP_ENOMEM);
		return SP_OK;
	}
	o->org = m.org;
	o->op = m.op;
	o->epoch = m.epoch;
	copy_name(o->user_name, m.user);
	copy_name(o->org_name, m.org_name);
	put_number(&w, "organisation", m.org);
	if (m.op == 2)
		put_number(&w, "below-epoch", m.epoch);
	else
		ipc_pair_put(&w, "epoch", m.op == 0 ? SPAN_LIT("first") : SPAN_LIT("next"));
	e.event = event_row(m.op == 2 ? EVENT_KEY_DESTROYED : EVENT_KEY_ROTATED);
	e.user = m.user;
	e.org = m.org_name;
	e.detail = wr_span(&w);
	(void)stage_order(l, &e, o); /* refused already */
	return SP_OK;
}

static int
on_head_get(struct ledger *l, struct span body)
{
	struct ipc_head_get m;
	struct hash root;
	ipc_b32 copy;
	int err = ipc_get_head_get(body, &m);

	if (err != SP_OK)
		return err;
	err = tlog_writer_root(l->log, &root);
	if (err != SP_OK) {
		refuse(l, m.ref, err);
		return SP_OK;
	}
	memcpy(copy.b, root.b, sizeof(copy.b));
	ANSWER(l, l->asking, HEAD, head, .ref = m.ref, .size = tlog_durable(l->log), .root = copy,
	    .checkpoint = tlog_flushed(l->log), .vault_open = l->vault_open);
	return SP_OK;
}

static int
on_intents_get(struct ledger *l, struct span body)
{
	struct ipc_intents_get m;
	int err = ipc_get_intents_get(body, &m);

	if (err == SP_OK)
		intents_begin(l, &m);
	return err;
}

static int
on_message(struct ledger *l, const struct chan_msg *m)
{
	switch (m->id) {
	case IPC_RECORD:
		return on_record(l, m->body);
	case IPC_RELEASE:
		return on_release(l, m->body);
	case IPC_KEY_NEW:
		return on_key_new(l, m->body);
	case IPC_SEAL:
		return on_seal(l, m->body);
	case IPC_REWRAP:
		return on_rewrap(l, m->body);
	case IPC_ORG_KEY:
		return on_org_key(l, m->body);
	case IPC_HEAD_GET:
		return on_head_get(l, m->body);
	case IPC_INTENTS_GET:
		return on_intents_get(l, m->body);
	default:
		return SP_EDENIEDMSG;
	}
}

void
broker_ready(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;

	(void)fd;
	if ((events & LOOP_OUT) != 0) {
		int err = link_push(&l->broker);

		if (err != SP_OK)
			ledger_lies(l, &l->broker, 0, err);
	}
	for (unsigned i = 0; i < BATCH_MAX && link_is_up(&l->broker); i++) {
		struct chan_msg m = {.fd = -1};
		int err = chan_recv(&l->broker.chan, PH_ANY, false, l->buf, IPC_MAX, &m);

		if (err == 0)
			break;
		if (err == SP_ECLOSED) {
			log_info("the broker is gone: waiting for the next one");
			link_drop(&l->broker);
			intents_end(l);
			break;
		}
		l->asking = l->broker.generation;
		if (err == 1) {
			err = on_message(l, &m);
			chan_msg_done(&m);
		}
		if (err < 0 && l->asking == l->broker.generation)
			ledger_lies(l, &l->broker, m.id, err);
	}
}
