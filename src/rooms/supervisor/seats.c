/* seats.c - the rooms of which there is one process: start, wiring, restart. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/spawn.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MOST_MS 30000
#define BACKOFF_FORGET_MS 60000 /* a room that lived this long starts again at once */

/* The files of each room's row (DESIGN.md part 2: "holds"). */
static const struct file_row {
	enum room_set rooms;
	enum ipc_file_what what;
} file_rows[] = {
    {R_LEDGER, FILE_LEDGER_KEY},
    {R_LEDGER, FILE_LEDGER_DIR},
    {R_VAULT, FILE_ROOT_KEY},
    {R_VAULT, FILE_ROOT_RECOVERY},
    {R_VAULT, FILE_VAULT_STATE},
    {R_VAULT, FILE_VAULT_EGRESS},
    {R_SIGNER, FILE_TLS_KEY},
    {R_SIGNER, FILE_SSH_ED25519},
    {R_SIGNER, FILE_SSH_ECDSA},
    {R_SIGNER, FILE_SSH_RSA},
    {R_BROKER, FILE_DATABASE_DIR},
    {R_BROKER, FILE_BLOB_DIR},
    {R_COURIER, FILE_COURIER_DIR},
    {R_COURIER, FILE_ALARM_MAIL_PASSWORD},
    {R_COURIER, FILE_ALARM_WEBHOOK_KEY},
    {R_COURIER, FILE_ALARM_CA},
};

bool
seat_is_one(enum room room)
{
	return room_table[room].kind == ROOM_KIND_ONE;
}

bool
seat_is_locked(const struct seat *seat)
{
	for (size_t i = 0; i < IPC_LOCKS; i++)
		if (ipc_locks[i].gate == seat->room)
			return (seat->sup->inst.lockdown.doors & ipc_locks[i].bit) != 0;
	return false;
}

/* ---- files ---- */

int
send_file(struct chan *to, enum ipc_file_what what, const char *name, int fd)
{
	struct ipc_file m = {.what = (uint8_t)what, .name = span_str(name)};

	return chan_send_file(to, &m, fd);
}

int
send_limits(struct sup *s, struct chan *to)
{
	return send_file(to, FILE_LIMITS, "", s->inst.limits_fd);
}

int
send_row_files(struct sup *s, enum room room, struct chan *to)
{
	int err = SP_OK;

	for (size_t i = 0; err == SP_OK && i < ARRAY_LEN(file_rows); i++) {
		char name[2100];
		DEFER(close_fd) int fd = -1;

		if ((file_rows[i].rooms & (1u << room)) == 0)
			continue;
		fd = instance_file(&s->inst, file_rows[i].what, name, sizeof(name));
		if (fd >= 0)
			err = send_file(to, file_rows[i].what, name, fd);
		else if (fd != SP_ENOTFOUND)
			log_error("%s: %s", name, sp_strerror(fd));
	}
	return err;
}

int
send_files(struct sup *s, enum room room, struct chan *to)
{
	int err = send_file(to, FILE_CONF, "", s->inst.conf_fd);

	if (err == SP_OK)
		err = send_row_files(s, room, to);
	if (err == SP_OK && room == ROOM_WORKER_HTTPS)
		err = send_file(to, FILE_CERTIFICATE, "", s->inst.certificate_fd);
	if (err == SP_OK && room == ROOM_VAULT)
		err = send_limits(s, to);
	if (err == SP_OK && room == ROOM_LEDGER)
		err = decoys_send(s, to);
	if (err == SP_OK && (room == ROOM_WORKER_HTTPS || room == ROOM_BROKER))
		err = send_file(to, FILE_SCANNER, "", s->inst.scanner_fd);
	if (err == SP_OK && room == ROOM_BROKER)
		err = send_file(to, FILE_CONTROL_SOCKET, "", s->inst.control);
	return err;
}

/* ---- telling ---- */

void
seat_sent(struct seat *seat, int err)
{
	/* gone: its end is reaped soon */
	if (err == SP_OK || err == SP_ECLOSED)
		return;
	seat_kill(seat, err == SP_EFULL ? "it does not read its messages" : sp_strerror(err));
}

static void
report(struct sup *s, const struct ipc_room_state *m)
{
	struct seat *broker = &s->seats[ROOM_BROKER];

	if (broker->state == ROOM_UP)
		seat_sent(broker, chan_send_room_state(&broker->chan, m, -1));
}

void
seat_report(struct seat *seat)
{
	struct ipc_room_state m = {
	    .room = (uint8_t)seat->room,
	    .state = (uint8_t)seat->state,
	    .pid = (uint32_t)seat->pid,
	    .restarts = seat->restarts,
	    .since_us = (uint64_t)seat->since_us,
	    .landlock_abi = seat->landlock_abi,
	    .count = seat->pid != 0,
	    .note = span_str(seat->note),
	};

	report(seat->sup, &m);
}

/* One row for all pools of a room, as `status` shows them. */
static void
pool_report(struct sup *s, enum room room, bool always)
{
	struct ipc_room_state m = {.room = (uint8_t)room, .since_us = (uint64_t)clock_wall_us()};
	struct pool_seen now = {0};
	char text[64];

	for (size_t i = 0; i < POOL_COUNT; i++) {
		if (s->pools[i].room != room)
			continue;
		now.total += s->pools[i].total;
		now.idle += s->pools[i].idle;
		m.landlock_abi = s->pools[i].landlock_abi;
	}
	if (!always && now.total == s->seen[room].total && now.idle == s->seen[room].idle)
		return;
	s->seen[room] = now;
	(void)snprintf(text, sizeof(text), "%zu idle", now.idle);
	m.count = (uint32_t)now.total;
	m.state = now.total != 0 ? ROOM_UP : ROOM_DOWN;
	m.note = span_str(text);
	report(s, &m);
}

void
pools_report(struct sup *s, bool all)
{
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (room_table[i].kind == ROOM_KIND_POOL || room_table[i].kind == ROOM_KIND_JOB)
			pool_report(s, (enum room)i, all);
}

void
seats_report(struct sup *s)
{
	struct ipc_room_state self = {.room = ROOM_SUPERVISOR,
	    .state = ROOM_UP,
	    .pid = (uint32_t)spawn_own_pid(),
	    .count = 1,
	    .note = span_str(
		s->as_root ? "" : "not started by root: rooms have no users of their own")};

	self.since_us = (uint64_t)s->seats[ROOM_SUPERVISOR].since_us;
	report(s, &self);
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i))
			seat_report(&s->seats[i]);
	pools_report(s, true);
}

static int
notice_send(struct sup *s, const struct notice *n)
{
	struct seat *ledger = &s->seats[ROOM_LEDGER];
	struct ipc_notice m = {.ref = n->ref,
	    .event = n->event,
	    .serial = n->serial,
	    .room = span_str(n->room),
	    .text = span_str(n->text)};

	int err = chan_send_notice(&ledger->chan, &m, -1);

	seat_sent(ledger, err);
	return err;
}

void
notice(struct sup *s, uint16_t event, uint64_t serial, enum room room, const char *text)
{
	struct notice n = {.event = event, .serial = serial};
	struct text r = text_of(n.room, sizeof(n.room)), t = text_of(n.text, sizeof(n.text));

	text_str(&r, room_table[room].name);
	text_str(&t, text);
	if (s->seats[ROOM_LEDGER].state == ROOM_UP)
		(void)notice_send(s, &n); /* the ledger is ended then */
	else if (s->n_notices < NOTICES_MAX)
		s->notices[s->n_notices++] = n;
	else
		log_error("no room to keep a notice for the audit log: %s %s", n.room, n.text);
}

int
notice_first(struct sup *s, uint64_t ref, uint16_t event, const char *text)
{
	struct notice n = {.ref = ref, .event = event};
	struct text r = text_of(n.room, sizeof(n.room)), t = text_of(n.text, sizeof(n.text));

	text_str(&r, room_table[ROOM_SUPERVISOR].name);
	text_str(&t, text);
	return s->seats[ROOM_LEDGER].state == ROOM_UP ? notice_send(s, &n) : SP_EUNAVAIL;
}

/* ---- starting ---- */

/* A socket between two running rooms. */
static int
link_pair(struct seat *a, struct seat *b)
{
	struct ipc_link to_a = {.room = (uint8_t)b->room}, to_b = {.room = (uint8_t)a->room};
	int v[2], err = sock_pair(v);

	if (err != SP_OK)
		return err;
	err = chan_send_link(&a->chan, &to_a, v[0]);
	if (err == SP_OK)
		seat_sent(b, chan_send_link(&b->chan, &to_b, v[1]));
	close_fd(&v[0]);
	close_fd(&v[1]);
	return err;
}

static int
link_all(struct seat *seat)
{
	int err = SP_OK;

	for (size_t i = 0; err == SP_OK && i < ROOM_COUNT; i++) {
		struct seat *other = &seat->sup->seats[i];

		if (seat_is_one((enum room)i) && other != seat && other->chan.fd >= 0 &&
		    ipc_linked(seat->room, other->room))
			err = link_pair(seat, other);
	}
	return err;
}

/* The sockets of each gate; none of those where a door stays closed. */
static int
send_listeners(struct seat *gate)
{
	int err = SP_OK;

	for (size_t i = 0; err == SP_OK && i < SOCKET_COUNT; i++) {
		struct ipc_listener m = {.listener = socket_rows[i].listener};

		if (socket_rows[i].gate == gate->room && gate->sup->inst.listener[i] >= 0)
			err = chan_send_listener(&gate->chan, &m, gate->sup->inst.listener[i]);
	}
	return err;
}

static int
seat_process(struct seat *seat)
{
	struct sup *s = seat->sup;
	struct spawn sp = {.binary = s->binaries[seat->room],
	    .room = room_table[seat->room].name,
	    .uid = s->as_root ? (uint32_t)s->inst.conf.uid_base + (uint32_t)seat->room : 0,
	    .log = s->log[1]};
	int v[2], err = sock_pair(v);

	if (err != SP_OK)
		return err;
	sp.fd3 = v[1];
	err = spawn_room(&sp);
	close_fd(&v[1]);
	if (err < 0) {
		close_fd(&v[0]);
		return err;
	}
	seat->pid = err;
	chan_init(&seat->chan, v[0], ROOM_SUPERVISOR, seat->room);
	seat->watch = loop_watch(s->loop, v[0], LOOP_IN, seat_message, seat);
	return seat->watch != NULL ? SP_OK : SP_ENOMEM;
}

static int
seat_start(struct seat *seat)
{
	int err = seat_process(seat);

	seat->state = ROOM_STARTING;
	seat->gone_to = false;
	seat->since_us = clock_wall_us();
	seat->started_ms = clock_mono_ms();
	if (err == SP_OK)
		err = link_all(seat);
	if (err == SP_OK)
		err = send_files(seat->sup, seat->room, &seat->chan);
	if (err == SP_OK)
		err = send_listeners(seat);
	if (err != SP_OK)
		log_error(
		    "%s cannot be started: %s", room_table[seat->room].name, sp_strerror(err));
	return err;
}

void
seats_start(struct sup *s)
{
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i) && !seat_is_locked(&s->seats[i]) &&
		    seat_start(&s->seats[i]) != SP_OK)
			sp_die(EXIT_SYSTEM, "%s cannot be started", room_table[i].name);
	seats_go(s);
}

/* May the room take up work?  At first the rows of rooms.def are the order; later, those it talks
 * to must be up. */
static bool
its_turn(const struct seat *seat)
{
	for (size_t i = 0; i < (size_t)seat->room; i++) {
		const struct seat *before = &seat->sup->seats[i];

		if (seat_is_one((enum room)i) && before->state != ROOM_UP &&
		    !seat_is_locked(before) &&
		    (!seat->sup->started || ipc_linked(seat->room, before->room)))
			return false;
	}
	return true;
}

void
seats_go(struct sup *s)
{
	struct ipc_go m = {.generation = s->generation, .as_root = s->as_root};

	for (size_t i = 0; i < ROOM_COUNT; i++) {
		struct seat *seat = &s->seats[i];

		if (!seat_is_one((enum room)i) || seat->state != ROOM_STARTING || seat->gone_to ||
		    !its_turn(seat))
			continue;
		seat->gone_to = true;
		seat_sent(seat, chan_send_go(&seat->chan, &m, -1));
	}
}

static void
ledger_ready(struct sup *s)
{
	workers_register_all(s);
	for (size_t i = 0; i < s->n_notices; i++)
		(void)notice_send(s, &s->notices[i]); /* the ledger is ended then */
	s->n_notices = 0;
}

static void
seats_settle(struct sup *s)
{
	seats_go(s);
	for (size_t i = 0; !s->started && i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i) && s->seats[i].state != ROOM_UP &&
		    !seat_is_locked(&s->seats[i]))
			return;
	if (!s->started)
		life_started(s);
	pools_fill(s);
}

void
seat_ready(struct seat *seat, const struct ipc_ready *m)
{
	struct sup *s = seat->sup;
	struct text t = text_of(seat->note, sizeof(seat->note));

	text_add(&t, m->note);
	seat->landlock_abi = m->landlock_abi;
	seat->state = ROOM_UP;
	seat->since_us = clock_wall_us();
	log_info(
	    "%s is ready%s%s", room_table[seat->room].name, t.len != 0 ? ": " : "", seat->note);
	if (seat->room == ROOM_LEDGER)
		ledger_ready(s);
	if (s->started)
		notice(s, EVENT_ROOM_START, 0, seat->room, seat->note);
	if (seat->room == ROOM_BROKER)
		seats_report(s);
	else
		seat_report(seat);
	if (seat->room == ROOM_BROKER)
		lockdown_report(s);
	seats_settle(s);
}

/* ---- ending ---- */

static void
seat_note(struct seat *seat, const char *text)
{
	struct text t = text_of(seat->note, sizeof(seat->note));

	text_str(&t, text);
	seat_report(seat);
}

static void
seat_clear(struct seat *seat)
{
	loop_unwatch(seat->sup->loop, seat->watch);
	seat->watch = NULL;
	chan_close(&seat->chan);
	seat->pid = 0;
	seat->state = ROOM_DOWN;
	seat->since_us = clock_wall_us();
}

static void
seat_again(void *arg, int fd, unsigned events)
{
	struct seat *seat = arg;

	(void)fd;
	(void)events;
	seat->timer = 0;
	if (seat->sup->stopping || seat_is_locked(seat))
		return;
	seat->restarts++;
	log_info("%s is started again", room_table[seat->room].name);
	if (seat_start(seat) != SP_OK) {
		if (seat->pid != 0)
			seat_kill(seat, "it could not be wired");
		else
			seat_ended(seat, "could not be started", EXIT_SYSTEM);
		return;
	}
	seats_go(seat->sup);
	seat_report(seat);
}

void
seat_open(struct seat *seat)
{
	/* its end that is not reaped yet, or a timer, starts it as well */
	if (seat->pid == 0 && seat->timer == 0)
		seat_again(seat, -1, 0);
}

static void
schedule_restart(struct seat *seat)
{
	int64_t lived = clock_mono_ms() - seat->started_ms;

	if (lived > BACKOFF_FORGET_MS || seat->backoff_ms == 0)
		seat->backoff_ms = BACKOFF_FIRST_MS;
	else if (seat->backoff_ms < BACKOFF_MOST_MS)
		seat->backoff_ms *= 2;
	seat->timer = loop_timer(seat->sup->loop, seat->backoff_ms, seat_again, seat);
	if (seat->timer == 0)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
}

void
seat_ended(struct seat *seat, const char *how, int status)
{
	struct sup *s = seat->sup;
	char text[128];

	seat_clear(seat);
	workers_forget_seat(s, seat->room);
	operators_forget(s, seat->room);
	if (seat->room == ROOM_VAULT)
		lockdown_vault(s);
	if (s->stopping)
		return;
	if (seat_is_locked(seat)) {
		seat_note(seat, "locked down");
		seats_settle(s); /* nobody waits for it */
		return;
	}
	log_error("%s %s", room_table[seat->room].name, how);
	if (!s->started) {
		/* The room has said why.  What it said is an answer to a wrong configuration: no
		 * second try. */
		s->exit_status = status > 0 ? status : EXIT_SOFTWARE;
		s->stopping = true;
		workers_kill_all(s);
		loop_stop(s->loop);
		return;
	}
	(void)snprintf(
	    text, sizeof(text), "%s; started again, restarts so far: %u", how, seat->restarts);
	notice(s, EVENT_ROOM_DIED, 0, seat->room, text);
	seat_report(seat);
	schedule_restart(seat);
}

void
seat_kill(struct seat *seat, const char *why)
{
	if (seat->pid == 0)
		return;
	log_error("%s is ended: %s", room_table[seat->room].name, why);
	/* the rest happens when it is reaped */
	spawn_kill(seat->pid);
	loop_unwatch(seat->sup->loop, seat->watch);
	seat->watch = NULL;
	chan_close(&seat->chan);
	seat->state = ROOM_DOWN;
}
