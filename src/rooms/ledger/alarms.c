/* alarms.c - the courier is told every entry that may be an alarm.
 *
 * The log itself is the queue: the courier says from which entry on it wants them, and they are
 * read from the log, as at most ALARM_WINDOW on their way.  So none is lost, whoever dies, and a
 * courier that is dead or slow costs nothing and holds nobody up.
 */
#include "ipc/alarm.h"
#include "rooms/ledger/ledger.h"

#include "store/tlog_json.h"
#include "sys/clock.h"
#include "sys/log.h"

#define TURN_ENTRIES 1000u /* entries looked at in one go */
#define PAUSE_MS 3	   /* between two goes */
#define SHARE 10 /* a new look at the log waits this many times as long as the last one took */
#define FIRST_MS 5
#define QUIET_ENTRIES 4096u /* without an alarm: the courier is told where the log has got to */
#define NOTES_BURST 64 /* the courier's own events: so many at once, then one in NOTES_EVERY_MS */
#define NOTES_EVERY_MS 10000

struct alarms {
	bool wanted[EVENT_NUMBERS]; /* by event number */
	uint64_t next;		    /* entry to be looked at */
	uint64_t told;		    /* the courier knows that it has heard all below */
	uint64_t flying[ALARM_WINDOW];
	size_t n_flying;
	bool due; /* an entry was staged that the courier may want */
	bool asked;	       /* the courier that is linked has asked */
	struct tlog *log;      /* a state of the log that is being read; NULL: none */
	uint64_t timer;	       /* 0: none */
	int64_t cost_ms;       /* of the last opening */
	int64_t notes_full_ms; /* when all notes of the burst may be made again */
	char why[256];
};

int
alarms_init(struct ledger *l)
{
	l->alarms = mem_alloc(sizeof(*l->alarms));
	if (l->alarms == NULL)
		return SP_ENOMEM;
	for (size_t i = 0; i < EVENT_NUMBERS; i++) {
		const struct event_row *row = event_row((uint16_t)i);

		l->alarms->wanted[i] = row != NULL && alarm_may_raise(span_str(row->name));
	}
	return SP_OK;
}

void
alarms_end(struct ledger *l)
{
	struct alarms *a = l->alarms;

	tlog_free(TAKE_PTR(a->log));
	if (a->timer != 0)
		loop_timer_cancel(l->loop, a->timer);
	a->timer = 0;
	a->asked = false;
	a->n_flying = 0;
}

/* ---- reading the log ---- */

static void turn(void *arg, int fd, unsigned events);

static void
again_in(struct ledger *l, int64_t ms)
{
	struct alarms *a = l->alarms;

	if (a->timer == 0 && a->asked)
		a->timer = loop_timer(l->loop, ms, turn, l);
}

void
alarms_staged(struct ledger *l, uint16_t event)
{
	VERIFY(event < EVENT_NUMBERS);
	l->alarms->due |= l->alarms->wanted[event] ||
			  (l->alarms->log == NULL && l->alarms->n_flying == 0 &&
			      tlog_next(l->log) - l->alarms->next > QUIET_ENTRIES);
}

void
alarms_committed(struct ledger *l)
{
	if (!l->alarms->due)
		return;
	l->alarms->due = false;
	again_in(l, FIRST_MS + l->alarms->cost_ms * SHARE);
}

static bool
is_wanted(const struct ledger *l, struct span entry)
{
	char name[64];
	const struct event_row *row;

	tlog_json_text(entry, "event", name, sizeof(name));
	row = event_by_name(span_str(name));
	return row != NULL && l->alarms->wanted[row->number];
}

static int
send_alarm(struct ledger *l, uint64_t n, struct span json)
{
	struct alarms *a = l->alarms;
	struct ipc_alarm m = {.entry = n, .json = json};
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_SIZE_ALARM);
	struct wr w = wr_of(buf, IPC_SIZE_ALARM);
	int err = buf != NULL ? ipc_put_alarm(&w, &m) : SP_ENOMEM;

	if (err != SP_OK)
		return err;
	VERIFY(a->n_flying < ALARM_WINDOW);
	a->flying[a->n_flying++] = n;
	return link_send(&l->courier, IPC_ALARM, &w);
}

static int
send_none(struct ledger *l)
{
	struct alarms *a = l->alarms;
	struct ipc_alarm_none m = {.entry = a->next};
	uint8_t buf[IPC_SIZE_ALARM_NONE];
	struct wr w = wr_of(buf, sizeof(buf));
	int err = ipc_put_alarm_none(&w, &m);

	if (a->n_flying != 0 || a->next < a->told || a->next - a->told < QUIET_ENTRIES)
		return SP_OK;
	a->told = a->next;
	return err != SP_OK ? err : link_send(&l->courier, IPC_ALARM_NONE, &w);
}

static int
open_log(struct ledger *l)
{
	struct alarms *a = l->alarms;
	struct tlog_key key;
	int64_t start = clock_mono_ms();
	int err;

	ledger_key(l, &key);
	err = tlog_open(&l->fs, &key, &a->log, a->why, sizeof(a->why));
	a->cost_ms = clock_mono_ms() - start;
	if (err != SP_OK)
		log_error("alarms wait: %s", a->why);
	return err;
}

/* Look at some entries.  returns 1: there are more, 0: at the end, or the window is full */
static int
look(struct ledger *l)
{
	struct alarms *a = l->alarms;

	for (unsigned i = 0; i < TURN_ENTRIES; i++) {
		struct span entry;
		int err;

		if (a->next >= tlog_end(a->log)) {
			tlog_free(TAKE_PTR(a->log));
			return a->next < tlog_durable(l->log) ? 1 : 0;
		}
		if (a->n_flying == ALARM_WINDOW)
			return 0; /* ALARM_TAKEN wakes us */
		err = tlog_entry(a->log, a->next, &entry);
		if (err != SP_OK) /* fsck and verify say more; the alarms behind it still go out */
			log_error("entry %llu of the audit log raises no alarm: %s",
			    (unsigned long long)a->next, sp_strerror(err));
		else if (is_wanted(l, entry) && (err = send_alarm(l, a->next, entry)) != SP_OK)
			return err;
		a->next++;
	}
	return 1;
}

static void
turn(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;
	struct alarms *a = l->alarms;
	int err = SP_OK;

	(void)fd;
	(void)events;
	a->timer = 0;
	if (!a->asked || !link_is_up(&l->courier))
		return;
	if (a->log == NULL && a->next >= tlog_durable(l->log))
		return;
	if (a->log == NULL && (err = open_log(l)) != SP_OK) {
		again_in(l, 1000);
		return;
	}
	err = look(l);
	if (err == 0 && a->log == NULL)
		err = send_none(l);
	if (err < 0)
		ledger_lies(l, &l->courier, IPC_ALARM, err);
	else if (err == 1)
		again_in(l, a->log != NULL ? PAUSE_MS : PAUSE_MS + a->cost_ms * SHARE);
}

/* ---- from the courier ---- */

static int
on_from(struct ledger *l, struct span body)
{
	struct alarms *a = l->alarms;
	struct ipc_alarms_from m;
	int err = ipc_get_alarms_from(body, &m);

	if (err != SP_OK)
		return err;
	alarms_end(l);
	/* one that wants what is yet to come has the queue of another log */
	a->next = m.entry <= tlog_durable(l->log) ? m.entry : 0;
	a->told = a->next;
	a->asked = true;
	again_in(l, 0);
	return SP_OK;
}

static int
on_taken(struct ledger *l, struct span body)
{
	struct alarms *a = l->alarms;
	struct ipc_alarm_taken m;
	size_t n = 0;
	int err = ipc_get_alarm_taken(body, &m);

	if (err != SP_OK)
		return err;
	while (n < a->n_flying && a->flying[n] <= m.entry)
		n++;
	if (n == 0)
		return SP_EDENIEDMSG; /* it cannot have taken what it was not sent */
	a->n_flying -= n;
	memmove(a->flying, a->flying + n, a->n_flying * sizeof(a->flying[0]));
	a->told = a->next;
	if (a->log != NULL || a->next < tlog_durable(l->log))
		again_in(l, 0);
	return SP_OK;
}

static int
on_note(struct ledger *l, struct span body)
{
	struct alarms *a = l->alarms;
	struct ipc_alarm_note m;
	int64_t now_ms = clock_mono_ms();
	int err = ipc_get_alarm_note(body, &m);

	if (err == SP_OK && m.event != EVENT_ALARM_FAILING && m.event != EVENT_ALARM_UNDELIVERED)
		err = SP_EDENIEDMSG;
	if (err != SP_OK)
		return err;
	if (a->notes_full_ms < now_ms)
		a->notes_full_ms = now_ms;
	if (a->notes_full_ms - now_ms >= (int64_t)NOTES_BURST * NOTES_EVERY_MS)
		return SP_EFULL;
	a->notes_full_ms += NOTES_EVERY_MS;
	ledger_note(l, (enum event)m.event, NULL, 0, "way", m.way, "text", m.text);
	return SP_OK;
}

static int
on_message(struct ledger *l, const struct chan_msg *m)
{
	switch (m->id) {
	case IPC_ALARMS_FROM:
		return on_from(l, m->body);
	case IPC_ALARM_TAKEN:
		return on_taken(l, m->body);
	case IPC_ALARM_NOTE:
		return on_note(l, m->body);
	default:
		return SP_EDENIEDMSG;
	}
}

void
courier_ready(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;

	(void)fd;
	if ((events & LOOP_OUT) != 0) {
		int err = link_push(&l->courier);

		if (err != SP_OK)
			ledger_lies(l, &l->courier, 0, err);
	}
	for (unsigned i = 0; i < ALARM_WINDOW && link_is_up(&l->courier); i++) {
		struct chan_msg m = {.fd = -1};
		int err = chan_recv(&l->courier.chan, PH_ANY, false, l->buf, IPC_MAX, &m);

		if (err == 0)
			break;
		if (err == SP_ECLOSED) {
			link_drop(&l->courier);
			alarms_end(l);
			break;
		}
		if (err == 1) {
			err = on_message(l, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			ledger_lies(l, &l->courier, m.id, err);
	}
}
