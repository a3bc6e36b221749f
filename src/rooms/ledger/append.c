/* append.c - the group that is being staged, its commit, and checkpoints. */
#include "rooms/ledger/ledger.h"

#include "store/tlog_json.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdio.h>

#define RETRY_MS 1000
#define FLUSH_TURN_MS 5 /* then whatever waits is committed first */

/* ---- opening ---- */

void
ledger_key(const struct ledger *l, struct tlog_key *ret)
{
	*ret = (struct tlog_key){0};
	(void)snprintf(ret->name, sizeof(ret->name), "%s", l->room.conf.name);
	memcpy(ret->public_key, l->public_key, sizeof(ret->public_key));
}

/* The time of the newest entry, in microseconds; 0: there is none, or it cannot be read. */
static int64_t
newest_time(struct ledger *l)
{
	struct tlog_key key;
	struct tlog *log = NULL;
	struct span entry;
	char text[64], why[256];
	int64_t us = 0;

	ledger_key(l, &key);
	if (tlog_durable(l->log) != 0 && tlog_open(&l->fs, &key, &log, why, sizeof(why)) == SP_OK &&
	    tlog_entry(log, tlog_end(log) - 1, &entry) == SP_OK) {
		tlog_json_text(entry, "t", text, sizeof(text));
		if (time_parse(span_str(text), 0, &us) != SP_OK)
			us = 0;
	}
	tlog_free(log);
	return us;
}

static struct span
number(char buf[32], uint64_t v)
{
	struct text t = text_of(buf, 32);

	text_u64(&t, v);
	return text_span(&t);
}

static void
note_recovery(struct ledger *l, const struct tlog_report *r)
{
	char entries[32], bytes[32];

	if (r->created)
		ledger_note(l, EVENT_LOG_CREATED, NULL, 0, "origin", span_str(l->room.conf.name),
		    NULL, span_of(NULL, 0));
	if (r->recovered != 0)
		log_info(
		    "audit log: %llu entries after the last checkpoint were taken from ledger/wal",
		    (unsigned long long)r->recovered);
	if (r->torn) {
		log_warning("audit log: its end was incomplete: %llu bytes (%llu entries that were "
			    "never acted upon) were dropped",
		    (unsigned long long)r->dropped_bytes, (unsigned long long)r->dropped_entries);
		ledger_note(l, EVENT_LOG_RECOVERED, NULL, 0, "dropped-entries",
		    number(entries, r->dropped_entries), "dropped-bytes",
		    number(bytes, r->dropped_bytes));
	} else if (r->wal_missing && !r->created) {
		log_warning(
		    "audit log: there was no ledger/wal: it is complete up to its checkpoint only");
		ledger_note(l, EVENT_LOG_RECOVERED, NULL, 0, "wal", SPAN_LIT("missing"), "entries",
		    number(entries, tlog_durable(l->log)));
	}
}

void
ledger_open_log(struct ledger *l)
{
	struct tlog_report report = {0};
	char why[256] = "";
	int err = tlog_writer_open(
	    &l->fs, l->room.conf.name, l->seed, &l->log, &report, why, sizeof(why));

	if (err != SP_OK)
		sp_die(sp_err_row(err)->exit, "%s", why);
	watch_start(&l->watch, newest_time(l), clock_wall_us(), clock_mono_ms() * 1000);
	note_recovery(l, &report);
	ledger_commit(l);
	err = tlog_flush_all(l->log);
	if (err != SP_OK)
		sp_die(sp_err_row(err)->exit, "ledger: the log cannot be written: %s",
		    sp_strerror(err));
}

/* ---- staging ---- */

static int
pending_add(struct ledger *l, const struct pending *p)
{
	if (l->n_pending == l->pending_cap) {
		size_t cap = l->pending_cap * 2 + 256;
		struct pending *v =
		    mem_grow(l->pending, l->pending_cap * sizeof(*v), cap * sizeof(*v));

		if (v == NULL)
			return SP_ENOMEM;
		l->pending = v;
		l->pending_cap = cap;
	}
	l->pending[l->n_pending++] = *p;
	return SP_OK;
}

static int
add_text(struct ledger *l, struct entry *e, int64_t t_us)
{
	int err = crypto_random(e->salt, sizeof(e->salt));

	for (int i = 0; i < 2 && err == SP_OK; i++) {
		struct text t = text_of(l->json, ENTRY_MAX + 1);

		e->n = tlog_next(l->log);
		e->t_us = t_us;
		entry_put(&t, e);
		err = tlog_add(l->log, text_span(&t), event_is_kept(e->event->number));
		if (err != SP_EFULL)
			return err;
		ledger_commit(l); /* the group is full */
		err = SP_OK;
	}
	return err != SP_OK ? err : SP_EFULL;
}

static struct span
date(char buf[40], int64_t us)
{
	struct text t = text_of(buf, 40);

	time_rfc3339(&t, us);
	return text_span(&t);
}

/* The clock was stepped: that is an entry of its own, before the one that noticed. */
static void
note_step(struct ledger *l, int64_t t_us, int64_t expected)
{
	char now[40], then[40];
	uint8_t buf[128];
	struct wr w = wr_of(buf, sizeof(buf));
	struct entry e = {.event = event_row(EVENT_CLOCK_STEP)};
	struct pending none = {0};

	ipc_pair_put(&w, "expected", date(then, expected));
	ipc_pair_put(&w, "was", date(now, t_us));
	e.detail = wr_span(&w);
	log_warning("the wall clock was stepped from %s to %s", then, now);
	if (add_text(l, &e, t_us) != SP_OK || pending_add(l, &none) != SP_OK)
		log_error("the step of the clock could not be recorded");
	alarms_staged(l, EVENT_CLOCK_STEP);
}

int
ledger_stage(struct ledger *l, struct entry *e, struct pending then)
{
	int64_t t_us = 0, expected = 0;
	int err;

	if (watch_take(&l->watch, clock_wall_us(), clock_mono_ms() * 1000, &t_us, &expected))
		note_step(l, t_us, expected);
	err = add_text(l, e, t_us);
	if (err == SP_OK) {
		then.entry = e->n;
		if (conf_has_word(l->room.conf.lockdown_on, e->event->name))
			then.rule = e->event->number;
		if (then.order != NULL)
			then.order->entry = e->n;
		alarms_staged(l, e->event->number);
		err = pending_add(l, &then);
	}
	if (err != SP_OK) {
		order_free(then.order);
		mem_free(then.touch);
	}
	return err;
}

/* note - stage an entry of our own; w: its details. */
static int
note(struct ledger *l, struct entry *e, const struct seat *seat, struct wr *w, struct pending then)
{
	int err;

	VERIFY(!w->bad);
	e->detail = wr_span(w);
	if (seat != NULL) {
		e->door = seat_door(seat);
		e->listener = seat_listener(seat);
		e->addr = span_str(seat->addr);
	}
	err = ledger_stage(l, e, then);
	if (err != SP_OK)
		log_error("%s could not be recorded: %s", e->event->name, sp_strerror(err));
	return err;
}

void
ledger_note(struct ledger *l, enum event event, const struct seat *seat, uint64_t serial,
    const char *key1, struct span value1, const char *key2, struct span value2)
{
	uint8_t buf[1600];
	struct wr w = wr_of(buf, sizeof(buf));
	struct entry e = {.event = event_row((uint16_t)event), .serial = serial};

	if (key1 != NULL)
		ipc_pair_put(&w, key1, value1);
	if (key2 != NULL)
		ipc_pair_put(&w, key2, value2);
	(void)note(l, &e, seat, &w, (struct pending){0}); /* said already */
}

void
ledger_notice(struct ledger *l, const struct seat *seat, const struct ipc_notice *m)
{
	uint8_t buf[1600];
	struct wr w = wr_of(buf, sizeof(buf));
	struct entry e = {.event = event_row(m->event), .serial = m->serial};
	struct pending then = {.then = m->ref != 0 ? THEN_NOTED : THEN_NOTHING, .ref = m->ref};
	int err;

	if (m->room.len != 0)
		ipc_pair_put(&w, "room", m->room);
	if (m->text.len != 0)
		ipc_pair_put(&w, "text", m->text);
	err = note(l, &e, seat, &w, then);
	if (err != SP_OK && m->ref != 0)
		answer_noted(l, m->ref, err, 0);
}

/* ---- committing ---- */

static void
follow(struct ledger *l, struct pending *p)
{
	switch (p->then) {
	case THEN_NOTHING:
		break;
	case THEN_RECORDED:
		answer_recorded(l, p->broker, p->ref, p->entry);
		break;
	case THEN_REFUSED:
		answer_no(l, p);
		break;
	case THEN_TOUCHED:
		decoys_tell(l, p->touch, p->entry);
		mem_free(TAKE_PTR(p->touch));
		break;
	case THEN_NOTED:
		answer_noted(l, p->ref, SP_OK, p->entry);
		break;
	case THEN_ORDER:
		order_pass(l, TAKE_PTR(p->order));
		break;
	}
}

/* Events that LockdownOn names are the supervisor's to act upon. */
static void
tell_rule(struct ledger *l, const struct pending *p)
{
	struct ipc_alarm_rule m = {.event = p->rule, .entry = p->entry};

	if (p->rule != 0 && chan_send_alarm_rule(&l->room.supervisor, &m, -1) != SP_OK)
		l->stopping = true;
}

static void
fail_pending(struct ledger *l, int err)
{
	for (size_t i = 0; i < l->n_pending; i++) {
		struct pending *p = &l->pending[i];

		if (p->then == THEN_TOUCHED) /* not on record, and acted upon all the same */
			decoys_tell(l, p->touch, p->entry);
		else if (p->then == THEN_NOTED)
			answer_noted(l, p->ref, err, 0);
		else if (p->then != THEN_NOTHING)
			answer_refused(
			    l, p->broker, p->order != NULL ? p->order->ref : p->ref, err, 0);
		order_free(TAKE_PTR(p->order));
		mem_free(TAKE_PTR(p->touch));
	}
	l->n_pending = 0;
}

void
ledger_commit(struct ledger *l)
{
	size_t n = l->n_pending;
	int err = tlog_commit(l->log);

	if (err == SP_EDISKFULL) {
		fail_pending(l, err);
		return;
	}
	if (err != SP_OK)
		sp_die(EXIT_IO,
		    "ledger/wal could not be synced: %s; it is read anew at the next start",
		    sp_strerror(err));
	l->n_pending = 0;
	for (size_t i = 0; i < n; i++)
		tell_rule(l, &l->pending[i]);
	for (size_t i = 0; i < n; i++)
		follow(l, &l->pending[i]);
	orders_push(l);
	alarms_committed(l);
}

/* ---- checkpoints ---- */

static void
flush_tick(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;
	int64_t start = clock_mono_ms();
	int more;

	(void)fd;
	(void)events;
	l->step_timer = 0;
	do
		more = tlog_flush_step(l->log);
	while (more == 1 && clock_mono_ms() - start < FLUSH_TURN_MS);
	if (more < 0 && !l->flush_failed)
		log_error("the audit log's checkpoint cannot be written: %s", sp_strerror(more));
	if (more >= 0 && l->flush_failed)
		log_info("the audit log's checkpoint can be written again");
	l->flush_failed = more < 0;
	if (more != 0)
		l->step_timer = loop_timer(l->loop, more < 0 ? RETRY_MS : 0, flush_tick, l);
}

static void
checkpoint_due(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;
	int err = tlog_flush_begin(l->log);

	(void)fd;
	(void)events;
	if (l->checkpoint_timer != 0)
		loop_timer_cancel(l->loop, l->checkpoint_timer);
	l->checkpoint_timer = 0;
	if (err != SP_OK)
		log_error("the audit log's checkpoint cannot be begun: %s", sp_strerror(err));
	else if (l->step_timer == 0)
		l->step_timer = loop_timer(l->loop, 0, flush_tick, l);
}

void
ledger_idle(void *arg)
{
	struct ledger *l = arg;

	ledger_commit(l);
	if (tlog_is_crowded(l->log) && l->step_timer == 0) {
		checkpoint_due(l, -1, 0);
		return;
	}
	if (tlog_flushed(l->log) != tlog_durable(l->log) && l->checkpoint_timer == 0 &&
	    l->step_timer == 0)
		l->checkpoint_timer =
		    loop_timer(l->loop, l->room.conf.checkpoint_ms, checkpoint_due, l);
	if (l->stopping && !link_is_up(&l->broker) && l->sent.n + l->waiting.n == 0)
		loop_stop(l->loop);
}

void
ledger_finish(struct ledger *l)
{
	int err;

	ledger_commit(l);
	err = tlog_flush_all(l->log);
	if (err != SP_OK)
		log_error(
		    "the last checkpoint could not be written: %s; its entries are in ledger/wal",
		    sp_strerror(err));
}
