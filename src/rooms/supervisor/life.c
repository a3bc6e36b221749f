/* life.c - signals: the end of processes, reloading, stopping in order. */
#include <signal.h>
#include <stdio.h>

#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"
#include "sys/spawn.h"

#define DRAIN_MS 20000 /* for transfers that are under way */
#define TICK_MS 1000
#define ROOM_STOP_MS 10000

/* ---- stopping: gates, workers, courier, broker, signer, vault, ledger ---- */

static const enum room stop_order[] = {ROOM_GATE_HTTPS, ROOM_GATE_SFTP,
    ROOM_SUPERVISOR /* here: the workers */, ROOM_COURIER, ROOM_BROKER, ROOM_SIGNER, ROOM_VAULT,
    ROOM_LEDGER};

static void
stop_late(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;

	(void)fd;
	(void)events;
	if (clock_mono_ms() < s->stop_deadline_ms)
		return;
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (ipc_is_gate((enum room)i))
			seat_kill(&s->seats[i], "it did not stop in time");
	if (workers_count(s, false) != 0) {
		log_warning(
		    "%zu connections are cut: they did not end in time", workers_count(s, false));
		workers_kill_all(s);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(stop_order); i++) {
		struct seat *seat = &s->seats[stop_order[i]];

		if (seat->pid != 0 && seat->state == ROOM_STOPPING)
			seat_kill(seat, "it did not stop in time");
	}
}

static void
deadline(struct sup *s, int64_t ms)
{
	s->stop_deadline_ms = clock_mono_ms() + ms;
	if (loop_timer(s->loop, ms, stop_late, s) == 0)
		workers_kill_all(s);
}

static void
stop_seat(struct seat *seat)
{
	struct ipc_stop m = {.deadline_ms = ROOM_STOP_MS};

	if (seat->state == ROOM_STOPPING)
		return;
	if (seat->room == ROOM_LEDGER)
		notice(seat->sup, EVENT_SERVER_STOP, 0, ROOM_SUPERVISOR, "");
	if (chan_send_stop(&seat->chan, &m, -1) != SP_OK)
		spawn_kill(seat->pid);
	seat->state = ROOM_STOPPING;
	deadline(seat->sup, ROOM_STOP_MS);
}

void
life_stop_step(struct sup *s)
{
	for (size_t i = 0; i < ARRAY_LEN(stop_order); i++) {
		struct seat *seat = &s->seats[stop_order[i]];

		if (stop_order[i] == ROOM_SUPERVISOR) {
			if (workers_count(s, false) == 0)
				workers_kill_all(s);
			if (workers_count(s, true) != 0)
				return;
		} else if (seat->pid != 0) {
			stop_seat(seat);
			return;
		}
	}
	loop_stop(s->loop);
}

static void
begin_stop(struct sup *s)
{
	if (s->stopping) {
		log_warning("asked to stop again: connections are cut");
		workers_kill_all(s);
		return;
	}
	log_info("stopping");
	server_notify("STOPPING=1");
	s->stopping = true;
	if (!s->started) { /* nothing has been done yet: the rooms end with us */
		loop_stop(s->loop);
		return;
	}
	operators_done(s);
	/* no new connections from now on: these and the gates' are all descriptors of the listeners
	 */
	for (size_t i = 0; i < SOCKET_COUNT; i++)
		close_fd(&s->inst.listener[i]);
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (ipc_is_gate((enum room)i) && s->seats[i].pid != 0)
			stop_seat(&s->seats[i]);
	workers_stop(s, DRAIN_MS);
	deadline(s, DRAIN_MS);
	life_stop_step(s);
}

/* ---- reloading ---- */

static int
send_reload(struct seat *seat)
{
	struct sup *s = seat->sup;
	struct ipc_reload m = {.generation = s->generation};
	int err = SP_OK;

	if (seat->room == ROOM_SIGNER || seat->room == ROOM_COURIER)
		err = send_row_files(s, seat->room, &seat->chan);
	if (seat->room == ROOM_VAULT)
		err = send_limits(s, &seat->chan);
	if (seat->room == ROOM_BROKER)
		err = send_file(&seat->chan, FILE_SCANNER, "", s->inst.scanner_fd);
	return err == SP_OK ? chan_send_reload(&seat->chan, &m, s->inst.conf_fd) : err;
}

static void
reload(struct sup *s)
{
	char why[2600] = "";

	if (!s->started || s->stopping)
		return;
	if (instance_reload(&s->inst, why, sizeof(why)) != SP_OK) {
		log_error("not reloaded, the old settings stay: %s", why);
		return;
	}
	s->generation++;
	log_level_set((enum log_level)s->inst.conf.log_level);
	/* the old workers go before the signer changes its key: their certificate belongs to the
	 * old one */
	workers_retire(s);
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i) && s->seats[i].state == ROOM_UP)
			seat_sent(&s->seats[i], send_reload(&s->seats[i]));
	pools_fill(s);
	notice(s, EVENT_SERVER_RELOAD, 0, ROOM_SUPERVISOR, "");
	settings_note(s);
	log_info("settings and certificates were loaded anew");
}

/* ---- the end of processes ---- */

static struct seat *
seat_by_pid(struct sup *s, int32_t pid)
{
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i) && s->seats[i].pid == pid)
			return &s->seats[i];
	return NULL;
}

static void
reap(struct sup *s)
{
	struct spawn_end end;

	while (spawn_reap(&end) == 1) {
		struct seat *seat = seat_by_pid(s, end.pid);
		struct worker *w = seat == NULL ? worker_by_pid(s, end.pid) : NULL;
		char how[64];

		/* the gate named it before it could do anything: its address belongs into what is
		 * said of its end */
		if (w != NULL)
			gates_drain(s);
		if (end.signal != 0)
			(void)snprintf(how, sizeof(how), "was killed by signal %d%s", end.signal,
			    end.sandboxed ? " (its sandbox)" : "");
		else
			(void)snprintf(how, sizeof(how), "ended with status %d", end.status);
		if (seat != NULL)
			seat_ended(seat, how, end.status);
		if (seat == NULL && w == NULL)
			(void)template_ended(s, end.pid); /* or one that was dropped before */
		if (w != NULL && !w->doomed && end.status != 0)
			template_suspect(w);
		if (w != NULL)
			worker_ended(w, how, end.signal, end.sandboxed);
		if (s->stopping && s->started)
			life_stop_step(s);
	}
}

static void
on_signal(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;
	int sig;

	(void)events;
	while ((sig = spawn_signal_next(fd)) != 0) {
		if (sig == SIGCHLD)
			reap(s);
		else if (sig == SIGHUP)
			reload(s);
		else
			begin_stop(s);
	}
}

/* ---- beginning ---- */

static void
watchdog(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;
	int64_t ms = server_watchdog_ms();

	(void)fd;
	(void)events;
	server_notify("WATCHDOG=1");
	if (ms > 0 && loop_timer(s->loop, ms, watchdog, s) == 0)
		log_error("%s", sp_strerror(SP_ENOMEM));
}

static void
log_refill(struct sup *s)
{
	s->log_budget += LOG_BYTES_A_SECOND;
	if (s->log_budget > LOG_BYTES_MOST)
		s->log_budget = LOG_BYTES_MOST;
	if (s->log_thrown != 0)
		log_warning("%llu bytes that rooms logged were thrown away: too much at once",
		    (unsigned long long)s->log_thrown);
	s->log_thrown = 0;
}

static void
tick(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;

	(void)fd;
	(void)events;
	pools_report(s, false);
	log_refill(s);
	crashes_flush(s);
	if (loop_timer(s->loop, TICK_MS, tick, s) == 0)
		log_error("%s", sp_strerror(SP_ENOMEM));
}

void
life_started(struct sup *s)
{
	s->started = true;
	notice(s, EVENT_SERVER_START, 0, ROOM_SUPERVISOR, SALLYPORT_VERSION);
	settings_note(s);
	log_info("serving HTTPS on %s, administration on %s, SFTP on %s", s->inst.conf.https_listen,
	    s->inst.conf.admin_listen, s->inst.conf.sftp_listen);
	tick(s, -1, 0);
	server_notify("READY=1\nSTATUS=serving");
}

void
life_begin(struct sup *s)
{
	struct loop_watch *w;

	s->signals = spawn_signals();
	if (s->signals < 0)
		sp_die(EXIT_SYSTEM, "signals: %s", sp_strerror(s->signals));
	w = loop_watch(s->loop, s->signals, LOOP_IN, on_signal, s);
	if (w == NULL)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
	loop_priority(w);
	watchdog(s, -1, 0);
}
