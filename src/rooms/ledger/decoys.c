/* decoys.c - what nobody has business with is recognised here: every release and every record
 * passes. */
#include "rooms/ledger/ledger.h"

#include "sys/fd.h"
#include "sys/log.h"

#define LIST_MAX (DECOYS_MAX * DECOY_LINE_MAX)

int
decoys_take(struct ledger *l, int fd)
{
	DEFER(close_fd) int own = fd;
	DEFER(mem_freep) struct decoy *list = mem_array(DECOYS_MAX, sizeof(*list));
	DEFER(mem_freep) uint8_t *content = NULL;
	struct span rest;
	size_t len = 0, n = 0;
	int err = list != NULL ? file_read_all(own, LIST_MAX, &content, &len) : SP_ENOMEM, more = 1;

	if (err != SP_OK)
		return err;
	rest = span_of(content, len);
	while (n < DECOYS_MAX && (more = decoy_next(&rest, &list[n])) == 1)
		n++;
	if (more < 0 || rest.len != 0)
		return SP_ESYNTAX;
	decoys_done(l);
	l->decoys.content = TAKE_PTR(content);
	l->decoys.list = TAKE_PTR(list);
	l->decoys.n = n;
	return SP_OK;
}

void
decoys_done(struct ledger *l)
{
	mem_free(l->decoys.content);
	mem_free(l->decoys.list);
	l->decoys = (struct decoys){0};
}

/* ---- recognising ---- */

static bool
is_login(uint16_t event)
{
	return event == EVENT_LOGIN || event == EVENT_LOGIN_FAILED || event == EVENT_LOGIN_LOCKOUT;
}

static bool
is_change(uint16_t event)
{
	return event == EVENT_FILE_DELETED || event == EVENT_FILE_REPLACED ||
	       event == EVENT_FILE_RENAMED || event == EVENT_FILE_TOUCHED ||
	       event == EVENT_FOLDER_DELETED || event == EVENT_FOLDER_RENAMED;
}

/* Is the path that of the decoy, or of a folder that it lies in? */
static bool
covers(struct span path, struct span decoy)
{
	return path.len != 0 && span_starts(decoy, path) &&
	       (decoy.len == path.len || decoy.ptr[path.len] == '/' ||
		   path.ptr[path.len - 1] == '/');
}

/* where_to - the destination of a rename, which may be a decoy that is replaced. */
static struct span
where_to(const struct entry *e)
{
	struct rd r = rd_of(e->detail);
	struct span key, value;

	while (e->event->number == EVENT_FILE_RENAMED && ipc_pair_take(&r, &key, &value))
		if (span_eq_str(key, "to"))
			return value;
	return span_of(NULL, 0);
}

static bool
is_touched(const struct decoy *d, const struct entry *e, bool released, struct span to)
{
	if (d->kind != DECOY_FILE)
		return is_login(e->event->number) && span_eq(e->user, d->name);
	if (released)
		return memcmp(e->blob, d->blob, sizeof(d->blob)) == 0;
	return is_change(e->event->number) && span_eq(e->org, d->org) &&
	       (covers(e->path, d->name) || (to.len != 0 && span_eq(to, d->name)));
}

/* ---- acting ---- */

/* The vault gives this user and this address nothing any more, whatever the broker says. */
static void
freeze(struct ledger *l, const struct touch *t, uint64_t entry)
{
	struct order *o = l->waiting.n + l->sent.n < ORDERS_MAX ? mem_alloc(sizeof(*o)) : NULL;

	if (o != NULL)
		o->path = mem_dup(span_str(t->address));
	if (o == NULL || o->path == NULL) {
		log_error("the vault cannot be told of a decoy that was touched");
		order_free(o);
		return;
	}
	o->kind = IPC_V_FREEZE;
	o->entry = entry;
	o->user = t->number;
	order_pass(l, o);
}

void
decoys_tell(struct ledger *l, const struct touch *t, uint64_t entry)
{
	struct ipc_decoy_touched m = {.serial = t->serial,
	    .user = span_str(t->user),
	    .address = span_str(t->address),
	    .entry = entry};
	uint8_t buf[IPC_SIZE_DECOY_TOUCHED];
	struct wr w = wr_of(buf, sizeof(buf));
	int err = chan_send_decoy_touched(&l->room.supervisor, &m, -1);

	if (err != SP_OK)
		l->stopping = true;
	err = ipc_put_decoy_touched(&w, &m);
	if (err == SP_OK)
		err = link_send(&l->broker, IPC_DECOY_TOUCHED, &w);
	if (err != SP_OK)
		ledger_lies(l, &l->broker, IPC_DECOY_TOUCHED, err);
	freeze(l, t, entry);
}

static struct touch
touch_of(const struct entry *deed, uint64_t number)
{
	struct touch touch = {.serial = deed->serial, .number = number};
	struct text user = text_of(touch.user, sizeof(touch.user));
	struct text address = text_of(touch.address, sizeof(touch.address));

	text_add(&user, span_cut(deed->user, sizeof(touch.user) - 1));
	text_add(&address, span_cut(deed->addr, sizeof(touch.address) - 1));
	return touch;
}

/* The entry of the touch follows that of the deed, in the same group. */
static void
touched(struct ledger *l, const struct decoy *d, const struct entry *deed, uint64_t user)
{
	uint8_t buf[256];
	char number[32];
	struct text t = text_of(number, sizeof(number));
	struct wr w = wr_of(buf, sizeof(buf));
	struct entry e = *deed;
	struct touch touch = touch_of(deed, user);
	struct pending then = {.then = THEN_TOUCHED};
	int err;

	e.event = event_row(EVENT_DECOY_TOUCHED);
	text_u64(&t, deed->n);
	ipc_pair_put(&w, "decoy", span_str(decoy_word(d->kind)));
	ipc_pair_put(&w, "by", span_str(deed->event->name));
	ipc_pair_put(&w, "entry", text_span(&t));
	e.detail = wr_span(&w);
	log_error("a decoy was touched: %s, entry %s", decoy_word(d->kind), number);
	then.touch = mem_alloc(sizeof(touch));
	if (then.touch != NULL)
		*then.touch = touch;
	err = then.touch != NULL ? ledger_stage(l, &e, then) : SP_ENOMEM;
	if (err == SP_OK)
		return;
	log_error("%s could not be recorded: %s", e.event->name, sp_strerror(err));
	decoys_tell(l, &touch, deed->n);
}

void
decoys_look(struct ledger *l, const struct entry *e, bool released, uint64_t user)
{
	struct span to;

	if (l->decoys.n == 0 || e->serial == 0) /* the command line is the operator's own */
		return;
	to = where_to(e);
	for (size_t i = 0; i < l->decoys.n; i++) {
		if (!is_touched(&l->decoys.list[i], e, released, to))
			continue;
		touched(l, &l->decoys.list[i], e, user);
		return; /* one alarm for one deed */
	}
}
