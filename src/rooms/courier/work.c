/* work.c - alarms in, jobs out. */
#include "rooms/courier/courier.h"

#include "ipc/alarm.h"
#include "rooms/courier/compose.h"
#include "rooms/courier/kinds.h"
#include "sys/log.h"

enum event {
#define EVENT(NAME, number, ...) EVENT_##NAME = (number),
#include "ipc/events.def"
#undef EVENT
};

/* ---- alarms in ---- */

static void
log_alarm(struct courier *c, enum alarm kind, const struct line *line)
{
	char buf[2048];
	struct text t = text_of(buf, sizeof(buf));

	if (c->room.conf.alarm_journal == 0)
		return;
	compose_log(&t, kind, line);
	if (alarm_rows[kind].severity == ALARM_IS_ALARM)
		log_error("%s", buf);
	else
		log_warning("%s", buf);
	if (kind == ALARM_TEST)
		c->state->journal_test = line->entry;
}

int
courier_take(struct courier *c, const struct ipc_alarm *m)
{
	struct line line;
	uint64_t kinds;
	int err = line_of(m->json, &line);

	if (err == SP_OK && (m->entry < c->state->next || line.entry != m->entry))
		err = SP_EDENIEDMSG;
	if (err != SP_OK)
		return err;
	kinds = line.t_us < c->state->floor_us ? 0 : kinds_of(m->json);
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		if ((kinds & (uint64_t)1 << i) == 0 || !alarm_is_on((enum alarm)i, &c->room.conf))
			continue;
		log_alarm(c, (enum alarm)i, &line);
		queue_take(c->state, &c->room.conf, (enum alarm)i, &line);
	}
	c->state->next = m->entry + 1;
	c->taken = m->entry;
	c->owes_taken = c->dirty = true;
	return SP_OK;
}

/* ---- messengers ---- */

static struct messenger *
messenger_by_serial(struct courier *c, uint64_t serial)
{
	for (size_t i = 0; i < MESSENGERS_MAX; i++)
		if (c->messengers[i].courier != NULL && c->messengers[i].serial == serial)
			return &c->messengers[i];
	return NULL;
}

static void
messenger_free(struct messenger *m)
{
	if (m->watch != NULL)
		loop_unwatch(m->courier->loop, m->watch);
	chan_close(&m->chan);
	*m = (struct messenger){.chan = {.fd = -1}};
}

void
courier_job_ends(struct courier *c, enum way way, bool good, const char *why)
{
	int64_t now_us = c->wall_us();
	enum queue_say say = QUEUE_SAY_NOTHING;

	c->busy[way] = false;
	c->dirty = true;
	if (good) {
		queue_done(c->state, &c->room.conf, way, now_us);
		return;
	}
	log_warning("alarms by %s: %s", way_rows[way].name, why);
	say = queue_failed(c->state, way, why, now_us);
	if (say == QUEUE_SAY_FAILING)
		courier_note(c, EVENT_ALARM_FAILING, way, why);
	if (say == QUEUE_SAY_LOST)
		courier_note(c, EVENT_ALARM_UNDELIVERED, way, why);
}

static void
messenger_ends(struct messenger *m, bool good, const char *why)
{
	struct courier *c = m->courier;
	bool has_job = m->has_job;
	enum way way = m->way;

	messenger_free(m);
	if (has_job)
		courier_job_ends(c, way, good, why);
}

/* It said what it may not: the supervisor ends it and has that recorded. */
static void
messenger_lies(struct messenger *m, uint16_t message, int err)
{
	struct ipc_violation v = {.serial = m->serial, .message = message, .err = (uint16_t)-err};

	if (chan_send_violation(&m->courier->room.supervisor, &v, -1) != SP_OK)
		log_error("the supervisor does not take a violation");
	messenger_ends(m, false, "the messenger broke the rules between rooms");
}

static void
messenger_ready(void *arg, int fd, unsigned events)
{
	struct messenger *m = arg;
	struct courier *c = m->courier;
	struct ipc_delivered d;
	struct chan_msg in = {.fd = -1};
	char text[513] = "";
	struct text t = text_of(text, sizeof(text));
	int err = chan_recv(&m->chan, PH_ANY, false, c->buf, IPC_MAX, &in);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == SP_ECLOSED) {
		messenger_ends(m, false, "the messenger ended without an answer");
		return;
	}
	if (err == 1) {
		err = in.id != IPC_DELIVERED || !m->has_job ? SP_EDENIEDMSG
							    : ipc_get_delivered(in.body, &d);
		if (err == SP_OK)
			clean_put(&t, d.text);
		chan_msg_done(&in);
	}
	if (err < 0)
		messenger_lies(m, in.id, err);
	else
		messenger_ends(m, d.good == 1, text);
}

int
messenger_add(struct courier *c, uint64_t serial, int fd)
{
	struct messenger *m = NULL;

	for (size_t i = 0; i < MESSENGERS_MAX && m == NULL; i++)
		if (c->messengers[i].courier == NULL)
			m = &c->messengers[i];
	if (m == NULL || messenger_by_serial(c, serial) != NULL)
		return SP_EFULL;
	m->watch = loop_watch(c->loop, fd, LOOP_IN, messenger_ready, m);
	if (m->watch == NULL)
		return SP_ENOMEM;
	m->courier = c;
	m->serial = serial;
	chan_init(&m->chan, fd, ROOM_COURIER, ROOM_MESSENGER);
	return SP_OK;
}

void
messenger_gone(struct courier *c, uint64_t serial)
{
	struct messenger *m = messenger_by_serial(c, serial);

	if (m != NULL) /* its answer may still be in its socket */
		messenger_ready(m, m->chan.fd, LOOP_IN);
	m = messenger_by_serial(c, serial);
	if (m != NULL)
		messenger_ends(m, false, "the messenger ended without an answer");
}

static void
end_late(struct courier *c)
{
	for (size_t i = 0; i < MESSENGERS_MAX; i++) {
		struct messenger *m = &c->messengers[i];
		struct ipc_worker_kill kill = {.serial = m->serial};

		if (m->courier == NULL || !m->has_job || c->mono_ms() - m->since_ms < JOB_MS)
			continue;
		if (chan_send_worker_kill(&c->room.supervisor, &kill, -1) != SP_OK)
			log_error("the supervisor does not end a messenger");
		messenger_ends(m, false, "no answer in time");
	}
}

/* ---- jobs out ---- */

static struct messenger *
messenger_free_one(struct courier *c)
{
	for (size_t i = 0; i < MESSENGERS_MAX; i++)
		if (c->messengers[i].courier != NULL && !c->messengers[i].has_job)
			return &c->messengers[i];
	return NULL;
}

static void
give_out(struct courier *c)
{
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct messenger *m;
		int err;

		if (c->busy[i] || !way_is_on((enum way)i, &c->room.conf) ||
		    !queue_due(&c->state->way[i], c->wall_us()))
			continue;
		m = messenger_free_one(c);
		if (m == NULL)
			return; /* the next one wakes us */
		err = job_send(c, m, (enum way)i);
		if (err == SP_ECLOSED) /* it has just ended, and does not count as a try */
			continue;
		if (err != SP_OK) {
			courier_job_ends(c, (enum way)i, false, sp_strerror(err));
			continue;
		}
		m->has_job = c->busy[i] = true;
		m->way = (enum way)i;
		m->since_ms = c->mono_ms();
	}
}

static void
save(struct courier *c)
{
	int err;

	if (!c->dirty || (c->save_failed && c->mono_ms() < c->save_ms))
		return;
	err = state_save(c->dirfd, c->state);
	if (err != SP_OK && !c->save_failed)
		log_error(
		    "courier/state cannot be written: %s; alarms are sent, and may be sent again",
		    sp_strerror(err));
	c->save_failed = err != SP_OK;
	c->save_ms = c->mono_ms() + SAVE_AGAIN_MS;
	if (err == SP_OK)
		c->dirty = false;
}

static void
acknowledge(struct courier *c)
{
	struct ipc_alarm_taken m = {.entry = c->taken};

	if (!c->owes_taken || c->dirty || c->ledger.fd < 0)
		return;
	c->owes_taken = false;
	if (chan_send_alarm_taken(&c->ledger, &m, -1) != SP_OK)
		log_debug("the ledger has gone");
}

static void
tick(void *arg, int fd, unsigned events)
{
	struct courier *c = arg;

	(void)fd;
	(void)events;
	c->timer = 0; /* what is due is seen to when the loop is idle */
	end_late(c);
}

void
courier_idle(void *arg)
{
	struct courier *c = arg;
	bool waits = c->dirty;

	for (size_t i = 0; i < WAY_COUNT; i++)
		c->dirty |= queue_pick(c->state, &c->room.conf, (enum way)i, c->wall_us());
	save(c);
	acknowledge(c);
	give_out(c);
	for (size_t i = 0; i < WAY_COUNT; i++)
		waits |= queue_waits(&c->state->way[i]);
	if ((waits || c->dirty) && c->timer == 0)
		c->timer = loop_timer(c->loop, TICK_MS, tick, c);
}
