/* lockdown.c - one switch: doors end within a second, and with --keys the vault forgets its keys.
 *
 * First what stops the attacker (nothing of it waits for a disk or another room), then the file
 * that keeps it so, then the answer.  What was acknowledged is locked after any crash.
 */
#include <stdio.h>

#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"

#define VAULT_MS 400 /* then it is killed: a second is promised */

/* ---- telling ---- */

void
lockdown_report(struct sup *s)
{
	struct seat *broker = &s->seats[ROOM_BROKER];
	const struct lockdown *l = &s->inst.lockdown;
	struct ipc_lockdown_state m = {
	    .doors = l->doors, .keys = l->keys, .since_us = (uint64_t)l->since_us};
	char words[64], status[128];
	struct text t = text_of(words, sizeof(words));

	if (broker->state == ROOM_UP)
		seat_sent(broker, chan_send_lockdown_state(&broker->chan, &m, -1));
	lockdown_words(&t, l->doors, l->keys);
	(void)snprintf(status, sizeof(status), "STATUS=%s%s",
	    lockdown_any(l) ? "locked down: " : "serving", words);
	server_notify(status);
}

/* The answer to everybody who waits for the lockdown. */
static void
answer(struct sup *s)
{
	const struct lockdown *l = &s->inst.lockdown;
	struct ipc_lockdown_done m = {.doors = l->doors,
	    .keys = l->keys,
	    .since_us = (uint64_t)l->since_us,
	    .by = l->by,
	    .note = span_str(s->lock_note)};
	uint8_t body[IPC_SIZE_LOCKDOWN_DONE];
	struct wr w = wr_of(body, sizeof(body));
	int err = s->lock_err;

	if (err == SP_OK)
		err = ipc_put_lockdown_done(&w, &m);
	if (err != SP_OK)
		operators_fail(s, IPC_LOCKDOWN, err, s->lock_note);
	else
		operators_answer(s, IPC_LOCKDOWN, IPC_LOCKDOWN_DONE, wr_span(&w));
	s->lock_err = SP_OK;
	s->lock_note[0] = '\0';
}

/* A sentence for the operator; err not 0: it is a failure. */
static void
remark(struct sup *s, int err, const char *text, const char *detail)
{
	size_t n = strlen(s->lock_note);
	struct text t = text_of(s->lock_note + n, sizeof(s->lock_note) - n);

	text_fmt(&t, "%s%s%s", n != 0 ? "; " : "", text, detail);
	log_error("lockdown: %s%s", text, detail);
	if (s->lock_err == SP_OK)
		s->lock_err = err;
}

/* ---- doors ---- */

static void
close_listeners(struct sup *s, enum room gate)
{
	for (size_t i = 0; i < SOCKET_COUNT; i++) {
		if (socket_rows[i].gate != gate || s->inst.listener[i] < 0)
			continue;
		server_shutdown(s->inst.listener[i]);
		close_fd(&s->inst.listener[i]);
	}
}

/* The state says already that it is locked: what ends now is not started again. */
static void
close_door(struct sup *s, enum room gate)
{
	close_listeners(s, gate);
	seat_kill(&s->seats[gate], "its door is locked down");
	workers_lock(s, gate);
}

static int
open_listeners(struct sup *s, enum room gate)
{
	int err = SP_OK;

	for (size_t i = 0; err == SP_OK && i < SOCKET_COUNT; i++)
		if (socket_rows[i].gate == gate)
			err = instance_bind(&s->inst, i, s->lock_note, sizeof(s->lock_note));
	return err;
}

/* ---- keys ---- */

static void
vault_late(void *arg, int fd, unsigned events)
{
	struct sup *s = arg;

	(void)fd;
	(void)events;
	s->vault_timer = 0;
	seat_kill(&s->seats[ROOM_VAULT], "it did not forget its keys in time");
}

/* while vault_timer is not 0, answers wait for lockdown_vault */
static void
vault_forget(struct sup *s)
{
	struct seat *vault = &s->seats[ROOM_VAULT];
	struct ipc_vault_lock m = {0};

	if (vault->pid == 0)
		return;
	if (s->vault_timer == 0)
		s->vault_timer = loop_timer(s->loop, VAULT_MS, vault_late, s);
	/* one that starts may be about to read the key: its successor gets none */
	if (s->vault_timer == 0 || vault->state != ROOM_UP ||
	    chan_send_vault_lock(&vault->chan, &m, -1) != SP_OK)
		seat_kill(vault, "it has to forget its keys");
}

void
lockdown_vault(struct sup *s)
{
	loop_timer_cancel(s->loop, s->vault_timer);
	s->vault_timer = 0;
	answer(s);
}

static void
destroy_root(struct sup *s)
{
	char path[2100];
	int err = instance_root_destroy(&s->inst, path, sizeof(path));

	if (err == SP_EPERM && strncmp(path, "credential:", 11) == 0)
		remark(s, SP_OK,
		    "the automatic copy of the root key is a credential of the host and has to be "
		    "destroyed there; it is not used any more: ",
		    path);
	else if (err == SP_ENOTFOUND)
		remark(s, SP_EPRECOND,
		    "the automatic copy of the root key was left: keys/root.recovery is missing",
		    "");
	else if (err != SP_OK)
		remark(s, err,
		    "the automatic copy of the root key could not be destroyed, destroy it by "
		    "hand; "
		    "it is not used any more: ",
		    path);
}

/* ---- locking ---- */

static void
record(struct sup *s, uint8_t doors, bool keys, const char *who)
{
	char text[256], words[64];
	struct text t = text_of(words, sizeof(words));

	lockdown_words(&t, doors, keys);
	(void)snprintf(text, sizeof(text), "%s; by %s", words, who);
	log_warning("locked down: %s", text);
	notice(s, EVENT_LOCKDOWN, 0, ROOM_SUPERVISOR, text);
}

static void
lock_down(struct sup *s, uint8_t doors, bool keys, uint32_t by, const char *who)
{
	struct lockdown *l = &s->inst.lockdown;
	int err;

	if (keys && !instance_has_recovery(&s->inst)) {
		remark(s, SP_EPRECOND,
		    "doors are closed, but the keys stay: without keys/root.recovery the automatic "
		    "copy of the root key is the only one, and all files would be lost",
		    "");
		keys = false;
	}
	l->doors |= doors;
	l->keys = l->keys || keys;
	l->since_us = clock_wall_us();
	l->by = by;
	for (size_t i = 0; i < IPC_LOCKS; i++)
		if ((doors & ipc_locks[i].bit) != 0)
			close_door(s, ipc_locks[i].gate);
	if (keys) {
		vault_forget(s);
		workers_kill_all(s); /* keys of files that they were given go with them */
	}
	err = instance_lock_keep(&s->inst, l);
	if (err != SP_OK)
		remark(s, err,
		    "it is locked now, but a restart would forget it: DIR/lockdown cannot be "
		    "written: ",
		    sp_strerror(err));
	if (keys)
		destroy_root(s);
	record(s, doors, keys, who);
	lockdown_report(s);
}

void
lockdown_rule(struct sup *s, uint16_t event, uint64_t entry)
{
	const struct lockdown *l = &s->inst.lockdown;
	bool keys = s->inst.conf.lockdown_keys != 0;
	const char *name = lockdown_event(event);
	char who[96];

	if (s->stopping || name == NULL || !conf_has_word(s->inst.conf.lockdown_on, name) ||
	    (l->doors == LOCK_ALL && (l->keys || !keys)))
		return;
	(void)snprintf(who, sizeof(who), "the rule LockdownOn: %s, entry %llu", name,
	    (unsigned long long)entry);
	lock_down(s, LOCK_ALL, keys, LOCKDOWN_ALARM, who);
	if (s->vault_timer == 0)
		answer(s); /* drops what it had to remark: it is in the log */
}

/* ---- lifting ---- */

static void
lift_undo(struct sup *s, uint8_t doors)
{
	for (size_t i = 0; i < IPC_LOCKS; i++)
		if ((doors & ipc_locks[i].bit) != 0)
			close_listeners(s, ipc_locks[i].gate);
}

static int
lift(struct sup *s, uint8_t doors, bool keys)
{
	struct lockdown next = s->inst.lockdown;
	int err = SP_OK;

	doors &= next.doors;
	next.doors &= (uint8_t)~doors;
	next.keys = next.keys && !keys;
	next.damaged = false;
	if (keys)
		err = instance_root_check(&s->inst, s->lock_note, sizeof(s->lock_note));
	for (size_t i = 0; err == SP_OK && i < IPC_LOCKS; i++)
		if ((doors & ipc_locks[i].bit) != 0)
			err = open_listeners(s, ipc_locks[i].gate);
	if (err == SP_OK && (err = instance_lock_keep(&s->inst, &next)) != SP_OK)
		remark(s, err, "DIR/lockdown cannot be written: ", sp_strerror(err));
	if (err != SP_OK) {
		lift_undo(s, doors);
		return err;
	}
	s->inst.lockdown = next;
	for (size_t i = 0; i < IPC_LOCKS; i++)
		if ((doors & ipc_locks[i].bit) != 0)
			seat_open(&s->seats[ipc_locks[i].gate]);
	log_warning("a lockdown was lifted");
	lockdown_report(s);
	return SP_OK;
}

/* ---- the operator ---- */

int
lockdown_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	const struct lockdown *l = &operator_sup(o)->inst.lockdown;
	struct text t = text_of(ret->text, sizeof(ret->text));
	struct ipc_lockdown m;
	int err = ipc_get_lockdown(body, &m);

	if (err != SP_OK)
		return err;
	if ((m.doors & ~(unsigned)LOCK_ALL) != 0)
		return SP_ERANGE;
	if (m.op != LOCKDOWN_LIFT)
		return SP_OK;
	if ((m.doors & l->doors) == 0 && !(m.keys != 0 && l->keys)) {
		text_str(&t, "nothing of that is locked down");
		return SP_EPRECOND;
	}
	lockdown_words(&t, m.doors & l->doors, m.keys != 0 && l->keys);
	text_fmt(&t, "; by user id %u", operator_uid(o));
	ret->event = EVENT_LOCKDOWN_LIFTED;
	return SP_OK;
}

int
lockdown_act(struct operator* o, struct span body)
{
	struct sup *s = operator_sup(o);
	struct ipc_lockdown m;
	char who[32];
	int err = ipc_get_lockdown(body, &m);

	if (err != SP_OK)
		return err;
	if (m.op == LOCKDOWN_LIFT && s->vault_timer != 0)
		return SP_EFULL; /* a lockdown is being done */
	(void)snprintf(who, sizeof(who), "user id %u", operator_uid(o));
	if (m.op == LOCKDOWN_LOCK)
		lock_down(s, m.doors, m.keys != 0, operator_uid(o), who);
	else if (m.op == LOCKDOWN_LIFT)
		s->lock_err = lift(s, m.doors, m.keys != 0);
	if (s->vault_timer == 0)
		answer(s);
	return SP_OK;
}

/* ---- start ---- */

void
lockdown_begin(struct sup *s)
{
	const struct lockdown *l = &s->inst.lockdown;
	char words[64];
	struct text t = text_of(words, sizeof(words));

	if (!lockdown_any(l))
		return;
	lockdown_words(&t, l->doors, l->keys);
	log_warning("LOCKED DOWN: %s; `sallyport lockdown --lift` ends it", words);
	notice(s, EVENT_LOCKDOWN_STILL, 0, ROOM_SUPERVISOR, words);
	/* a crash may have come between the file and this */
	if (l->keys && !l->damaged)
		destroy_root(s);
	s->lock_err = SP_OK;
	s->lock_note[0] = '\0';
}

/* ---- rules ---- */

static const struct {
	uint16_t number;
	const char *name;
} events[] = {
#define EVENT(NAME, number, name, severity, text) {(number), name},
#include "ipc/events.def"
#undef EVENT
};

const char *
lockdown_event(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i].number == number)
			return events[i].name;
	return NULL;
}

int
lockdown_rules_check(const struct conf *c, char *ret, size_t cap)
{
	struct span s = span_trim(span_str(c->lockdown_on));
	struct text t = text_of(ret, cap);

	while (s.len != 0 && !span_eq_str(s, "none")) {
		struct span word = span_cut(s, span_find(s, ' '));
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(events); i++)
			known = known || span_eq_str(word, events[i].name);
		if (!known) {
			text_add(&t, word);
			return SP_ECONFIG;
		}
		s = span_trim(span_skip(s, word.len));
	}
	return SP_OK;
}
