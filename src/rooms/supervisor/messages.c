/* messages.c - what rooms and workers say to the supervisor. */
#include <stdio.h>

#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/log.h"
#include "sys/spawn.h"

static void
violation_text(char *buf, size_t cap, enum room by, uint16_t message, int err)
{
	const struct ipc_rule *rule = ipc_rule(message);

	(void)snprintf(buf, cap, "seen by %s: message %u (%s): %s", room_table[by].name, message,
	    rule != NULL ? rule->name : "unknown", sp_strerror(err));
}

/* A room lied to another room.  The table says who may send such a message to the one that
 * complains; where it leaves a choice, all of them start again. */
static void
end_liars(struct seat *by, uint16_t message, const char *text)
{
	const struct ipc_rule *rule = ipc_rule(message);
	unsigned from = rule != NULL ? rule->from : R_EVERY;

	for (int again = 0; again < 2; again++, from = R_EVERY) {
		bool found = false;

		for (size_t i = 0; i < ROOM_COUNT; i++) {
			struct seat *seat = &by->sup->seats[i];

			if (!seat_is_one((enum room)i) || seat == by || (from & (1u << i)) == 0 ||
			    !ipc_linked(by->room, seat->room))
				continue;
			found = true;
			seat_kill(seat, text);
		}
		if (found)
			return;
	}
}

/* a gate knows the workers of its own door, the courier messengers, and no other process */
static bool
may_name(const struct seat *by, const struct worker *w)
{
	if (by->room == ROOM_COURIER)
		return w->pool->room == ROOM_MESSENGER;
	return !ipc_is_gate(by->room) || (ipc_door(w->pool->room) & (1u << by->room)) != 0;
}

static int
on_violation(struct seat *by, const struct chan_msg *m)
{
	struct ipc_violation v;
	struct worker *w;
	char text[256];
	int err = ipc_get_violation(m->body, &v);

	if (err != SP_OK)
		return err;
	violation_text(text, sizeof(text), by->room, v.message, v.err);
	if (!ipc_is_gate(by->room)) /* whose address it is, is known first */
		gates_drain(by->sup);
	w = v.serial != 0 ? worker_by_serial(by->sup, v.serial) : NULL;
	/* nor does it judge rooms: what the broker says to it, it may leave alone */
	if ((w != NULL && !may_name(by, w)) || (v.serial == 0 && ipc_is_gate(by->room)))
		return SP_EDENIEDMSG;
	log_error("violation by %llu, %s", (unsigned long long)v.serial, text);
	if (w != NULL) {
		template_suspect(w);
		worker_kill(w);
	} else if (v.serial == 0) {
		end_liars(by, v.message, text);
	}
	/* after that: when the ledger is the liar, its successor writes it down */
	if (w != NULL)
		worker_broke(w, EVENT_WORKER_VIOLATION, CONTACT_VIOLATION, text);
	else
		notice(by->sup, EVENT_WORKER_VIOLATION, v.serial, by->room, text);
	return SP_OK;
}

static int
on_taken(struct seat *by, const struct chan_msg *m)
{
	struct ipc_worker_taken t;
	struct worker *w;
	int err = ipc_get_worker_taken(m->body, &t);

	if (err != SP_OK)
		return err;
	w = worker_by_serial(by->sup, t.serial);
	if (w == NULL) /* it has ended in the meantime */
		return SP_OK;
	if (!may_name(by, w))
		return SP_EDENIEDMSG;
	worker_taken(w, t.address);
	return SP_OK;
}

static int
on_kill(struct seat *by, const struct chan_msg *m)
{
	struct ipc_worker_kill k;
	struct worker *w;
	int err = ipc_get_worker_kill(m->body, &k);

	if (err != SP_OK)
		return err;
	w = worker_by_serial(by->sup, k.serial);
	if (w == NULL)
		return SP_OK;
	if (!may_name(by, w))
		return SP_EDENIEDMSG;
	worker_kill(w);
	return SP_OK;
}

static void
vault_note(struct seat *vault, const char *text)
{
	struct text t = text_of(vault->note, sizeof(vault->note));

	text_str(&t, text);
	seat_report(vault);
}

static void
on_unlocked(struct seat *vault, uint16_t err)
{
	vault_note(vault,
	    err == 0 || err == (uint16_t)-SP_EEXISTS ? "open" : "locked: waits for the passphrase");
}

static int
on_seat(struct seat *seat, const struct chan_msg *m)
{
	struct ipc_ready ready;
	struct ipc_unlock_result result;
	struct ipc_noted noted;
	struct ipc_decoy_touched touched;
	struct ipc_vault_locked locked;
	struct ipc_alarm_rule rule;
	int err;

	switch (m->id) {
	case IPC_READY:
		err = ipc_get_ready(m->body, &ready);
		if (err == SP_OK && (seat->state != ROOM_STARTING || !seat->gone_to))
			err = SP_EDENIEDMSG;
		if (err == SP_OK)
			seat_ready(seat, &ready);
		return err;
	case IPC_VIOLATION:
		return on_violation(seat, m);
	case IPC_WORKER_TAKEN:
		return on_taken(seat, m);
	case IPC_WORKER_KILL:
		return on_kill(seat, m);
	case IPC_UNLOCK_RESULT:
		err = ipc_get_unlock_result(m->body, &result);
		if (err == SP_OK)
			err = operator_passed(seat, m);
		if (err == SP_OK)
			on_unlocked(seat, result.err);
		return err;
	case IPC_VAULT_LOCKED:
		err = ipc_get_vault_locked(m->body, &locked);
		if (err == SP_OK) {
			lockdown_vault(seat->sup);
			vault_note(seat, "locked: waits for the passphrase");
		}
		return err;
	case IPC_ALARM_RULE:
		err = ipc_get_alarm_rule(m->body, &rule);
		if (err == SP_OK)
			lockdown_rule(seat->sup, rule.event, rule.entry);
		return err;
	case IPC_DECOY_TOUCHED:
		err = ipc_get_decoy_touched(m->body, &touched);
		if (err == SP_OK)
			decoys_touched(seat->sup, &touched);
		return err;
	case IPC_NOTED:
		err = ipc_get_noted(m->body, &noted);
		if (err == SP_OK)
			operator_noted(seat->sup, noted.ref, -(int)noted.err);
		return err;
	default:
		return operator_passed(seat, m);
	}
}

/* One message.  returns false when there was none, or there will be none any more */
static bool
seat_next(struct seat *seat)
{
	struct sup *s = seat->sup;
	struct chan_msg m;
	int err = chan_recv(&seat->chan, PH_ANY, false, s->buf, IPC_MAX, &m);

	if (err == 0)
		return false;
	if (err == SP_ECLOSED) {
		/* it has ended, or will not be heard again: the same to us */
		loop_unwatch(s->loop, seat->watch);
		seat->watch = NULL;
		if (!s->stopping)
			spawn_kill(seat->pid);
		return false;
	}
	if (err == 1) {
		err = on_seat(seat, &m);
		chan_msg_done(&m);
	}
	if (err < 0)
		seat_kill(seat, sp_strerror(err));
	return err == SP_OK;
}

void
seat_message(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	(void)seat_next(arg);
}

void
seat_drain(struct seat *seat)
{
	while (seat->watch != NULL && seat_next(seat))
		;
}

void
gates_drain(struct sup *s)
{
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (ipc_is_gate((enum room)i))
			seat_drain(&s->seats[i]);
}

/* A worker says one thing to us in its life: READY. */
void
worker_message(void *arg, int fd, unsigned events)
{
	struct worker *w = arg;
	struct sup *s = w->pool->sup;
	struct chan_msg m;
	struct ipc_ready ready = {0};
	char text[256];
	int err = chan_recv(&w->chan, PH_ANY, false, s->buf, IPC_MAX, &m);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == SP_ECLOSED) {
		loop_unwatch(s->loop, w->watch);
		w->watch = NULL;
		return;
	}
	if (err == 1) {
		err = m.id == IPC_READY ? ipc_get_ready(m.body, &ready) : SP_EDENIEDMSG;
		if (err == SP_OK && w->state != WORKER_STARTING)
			err = SP_EDENIEDMSG;
		chan_msg_done(&m);
		if (err == SP_OK)
			worker_ready(w, ready.landlock_abi);
	}
	if (err >= 0)
		return;
	violation_text(text, sizeof(text), ROOM_SUPERVISOR, m.id, err);
	gates_drain(s);
	log_error("violation by %llu, %s", (unsigned long long)w->serial, text);
	worker_broke(w, EVENT_WORKER_VIOLATION, CONTACT_VIOLATION, text);
	loop_unwatch(s->loop, w->watch);
	w->watch = NULL;
	template_suspect(w);
	worker_kill(w);
}
