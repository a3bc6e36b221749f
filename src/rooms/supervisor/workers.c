/* workers.c - pools of idle processes that do one job each: workers, authenticators, the scrubber.
 */
#include <stdio.h>

#include "base/text.h"
#include "ipc/alarm.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/spawn.h"

#define HTTPS_SLOTS                                                                                \
	14000u /* of each listener: UidBase + 1000 and UidBase + 15000, below the authenticators'  \
		*/
#define SFTP_SLOTS 14000u
#define AUTHENTICATOR_SLOTS 1000u
#define MESSENGER_SLOTS 16u
#define FAIL_DELAY_MS 200
#define FAIL_DELAY_DOUBLINGS 7u

static void
pool_init(
    struct sup *s, size_t i, enum room room, uint8_t listener, uint32_t uid_offset, uint32_t slots)
{
	s->pools[i] = (struct pool){.sup = s,
	    .room = room,
	    .listener = listener,
	    .uid_offset = uid_offset,
	    .slots = slots,
	    .slot_used = mem_alloc(slots)};
	if (s->pools[i].slot_used == NULL)
		sp_die(EXIT_SYSTEM, "%s", sp_strerror(SP_ENOMEM));
}

void
pools_init(struct sup *s)
{
	pool_init(s, POOL_PUBLIC, ROOM_WORKER_HTTPS, LISTENER_PUBLIC, 1000, HTTPS_SLOTS);
	pool_init(s, POOL_ADMIN, ROOM_WORKER_HTTPS, LISTENER_ADMIN, 15000, HTTPS_SLOTS);
	pool_init(s, POOL_SFTP, ROOM_WORKER_SFTP, LISTENER_PUBLIC, 40000, SFTP_SLOTS);
	pool_init(
	    s, POOL_AUTHENTICATOR, ROOM_AUTHENTICATOR, LISTENER_NONE, 30000, AUTHENTICATOR_SLOTS);
	pool_init(s, POOL_SCRUBBER, ROOM_SCRUBBER, LISTENER_NONE, ROOM_SCRUBBER, 1);
	pool_init(s, POOL_MESSENGER, ROOM_MESSENGER, LISTENER_NONE, 31000, MESSENGER_SLOTS);
}

/* How many idle ones a pool wants, and how many there may be in all. */
static size_t
pool_idle_wanted(const struct pool *p)
{
	const struct conf *c = &p->sup->inst.conf;

	if (p->room == ROOM_WORKER_SFTP && p->sup->inst.listener[SOCKET_SFTP] < 0)
		return 0;
	if (ipc_is_worker(p->room))
		return (size_t)c->workers_idle;
	if (p->room == ROOM_MESSENGER) /* one for each way, so that none waits for another */
		return ways_on(c);
	return p->room == ROOM_AUTHENTICATOR ? (size_t)c->auth_workers : 1;
}

static size_t
pool_most(const struct pool *p)
{
	size_t most = p->slots;

	if (ipc_is_worker(p->room) && (size_t)p->sup->inst.conf.workers_max < most)
		most = (size_t)p->sup->inst.conf.workers_max;
	return most;
}

/* ---- finding ---- */

struct worker *
worker_by_serial(struct sup *s, uint64_t serial)
{
	for (size_t i = 0; i < POOL_COUNT; i++)
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next)
			if (w->serial == serial)
				return w;
	return NULL;
}

struct worker *
worker_by_pid(struct sup *s, int32_t pid)
{
	for (size_t i = 0; i < POOL_COUNT; i++)
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next)
			if (w->pid == pid)
				return w;
	return NULL;
}

size_t
workers_count(const struct sup *s, bool helpers)
{
	size_t n = 0;

	for (size_t i = 0; i < POOL_COUNT; i++)
		if (helpers || ipc_is_worker(s->pools[i].room))
			n += s->pools[i].total;
	return n;
}

/* ---- starting ---- */

static bool
slot_take(struct pool *p, uint32_t *ret)
{
	/* round and round: a uid rests before it is used again */
	for (uint32_t i = 0; i < p->slots; i++) {
		uint32_t slot = (p->next_slot + i) % p->slots;

		if (p->slot_used[slot] != 0)
			continue;
		p->slot_used[slot] = 1;
		p->next_slot = (slot + 1) % p->slots;
		*ret = slot;
		return true;
	}
	return false;
}

static void
worker_free(struct worker *w)
{
	struct pool *p = w->pool;

	if (w->watch != NULL)
		loop_unwatch(p->sup->loop, w->watch);
	chan_close(&w->chan);
	close_fd(&w->gate_fd);
	if (w->prev != NULL)
		w->prev->next = w->next;
	else if (p->workers == w)
		p->workers = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	p->slot_used[w->slot] = 0;
	p->total--;
	if (w->state == WORKER_STARTING || w->state == WORKER_IDLE)
		p->idle--;
	mem_free(w);
}

static struct worker *
worker_new(struct pool *p)
{
	struct worker *w = mem_alloc(sizeof(*w));
	uint32_t slot;

	if (w == NULL || !slot_take(p, &slot)) {
		mem_free(w);
		return NULL;
	}
	w->pool = p;
	w->slot = slot;
	w->chan.fd = -1;
	w->gate_fd = -1;
	w->next = p->workers;
	if (w->next != NULL)
		w->next->prev = w;
	p->workers = w;
	p->total++;
	p->idle++;
	return w;
}

/* fd: the worker's end of its socket to us, with all that it is told waiting in it */
static int
worker_process(struct worker *w, int fd)
{
	struct pool *p = w->pool;
	struct sup *s = p->sup;
	struct spawn sp = {.binary = s->binaries[p->room],
	    .room = room_table[p->room].name,
	    .uid = s->as_root ? (uint32_t)s->inst.conf.uid_base + p->uid_offset + w->slot : 0,
	    .fd3 = fd,
	    .log = s->log[1]};
	int pid = template_can(p) == TEMPLATE_READY ? template_fork(p, fd, sp.uid, &w->template)
						    : spawn_room(&sp);

	if (pid > 0)
		w->pid = pid;
	return pid < 0 ? pid : SP_OK;
}

/* The other end of one of the worker's sockets, with what the room must know of it. */
static int
introduce(struct worker *w, enum room room, int fd)
{
	struct seat *seat = &w->pool->sup->seats[room];
	struct ipc_worker_new m = {
	    .serial = w->serial, .room = (uint8_t)w->pool->room, .listener = w->pool->listener};
	int err = chan_send_worker_new(&seat->chan, &m, fd);

	seat_sent(seat, err);
	if (err == SP_OK)
		w->told |= 1u << room;
	return err;
}

static void
register_with_ledger(struct worker *w)
{
	struct seat *ledger = &w->pool->sup->seats[ROOM_LEDGER];
	struct ipc_worker_register m = {
	    .serial = w->serial, .room = (uint8_t)w->pool->room, .listener = w->pool->listener};
	int err = chan_send_worker_register(&ledger->chan, &m, -1);

	seat_sent(ledger, err);
	if (err == SP_OK)
		w->told |= R_LEDGER;
}

/* One socket pair for each room that shares a row with this kind of worker: its ends to both.  The
 * gate's end stays with us until the worker is ready. */
static int
worker_link(struct worker *w, enum room room)
{
	struct ipc_link m = {.room = (uint8_t)room};
	int v[2], err = sock_pair(v);

	if (err != SP_OK)
		return err;
	err = chan_send_link(&w->chan, &m, v[0]);
	if (ipc_is_gate(room))
		w->gate_fd = TAKE_FD(v[1]);
	else if (err == SP_OK)
		err = introduce(w, room, v[1]);
	close_fd(&v[0]);
	close_fd(&v[1]);
	return err;
}

static int
worker_wire(struct worker *w)
{
	struct sup *s = w->pool->sup;
	struct ipc_go go = {.generation = s->generation, .as_root = s->as_root};
	int err = SP_OK;

	register_with_ledger(w);
	for (size_t i = 0; err == SP_OK && i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i) && ipc_linked(w->pool->room, (enum room)i))
			err = worker_link(w, (enum room)i);
	if (err == SP_OK)
		err = send_files(s, w->pool->room, &w->chan);
	if (err == SP_OK)
		err = chan_send_go(&w->chan, &go, -1);
	return err;
}

static void
tell_gone(struct worker *w)
{
	struct ipc_worker_gone m = {.serial = w->serial};

	for (size_t i = 0; i < ROOM_COUNT; i++) {
		struct seat *seat = &w->pool->sup->seats[i];

		if ((w->told & (1u << i)) != 0 && seat->chan.fd >= 0)
			seat_sent(seat, chan_send_worker_gone(&seat->chan, &m, -1));
	}
	w->told = 0;
}

static int
worker_begin(struct worker *w)
{
	struct sup *s = w->pool->sup;
	int v[2], err = sock_pair(v);

	if (err != SP_OK)
		return err;
	chan_init(&w->chan, v[0], ROOM_SUPERVISOR, w->pool->room);
	w->watch = loop_watch(s->loop, v[0], LOOP_IN, worker_message, w);
	err = w->watch != NULL ? worker_wire(w) : SP_ENOMEM;
	if (err == SP_OK)
		err = worker_process(w, v[1]);
	close_fd(&v[1]);
	return err;
}

static int
worker_start(struct pool *p)
{
	struct worker *w = worker_new(p);
	int err;

	if (w == NULL)
		return SP_ENOMEM;
	err = instance_serial(&p->sup->inst, &w->serial);
	if (err == SP_OK)
		err = worker_begin(w);
	if (err == SP_OK)
		return SP_OK;
	log_error("a %s cannot be started: %s", room_table[p->room].name, sp_strerror(err));
	tell_gone(w);
	worker_free(w);
	return err;
}

/* Are all rooms up that such a worker talks to? */
static bool
pool_served(const struct pool *p)
{
	const struct seat *seats = p->sup->seats;

	for (size_t i = 0; i < ROOM_COUNT; i++)
		if (seat_is_one((enum room)i) &&
		    (i == ROOM_LEDGER || ipc_linked(p->room, (enum room)i)) &&
		    seats[i].state != ROOM_UP)
			return false;
	return true;
}

static void
pool_retry(void *arg, int fd, unsigned events)
{
	struct pool *p = arg;

	(void)fd;
	(void)events;
	p->timer = 0;
	pools_fill(p->sup);
}

static void
pool_fill(struct pool *p)
{
	while (p->timer == 0 && p->idle < pool_idle_wanted(p) && p->total < pool_most(p) &&
	       pool_served(p) && template_can(p) != TEMPLATE_WAIT) {
		if (worker_start(p) == SP_OK)
			continue;
		if (p->timer == 0)
			p->timer = loop_timer(p->sup->loop, FAIL_DELAY_MS, pool_retry, p);
		return;
	}
}

void
pools_fill(struct sup *s)
{
	for (size_t i = 0; s->started && !s->stopping && i < POOL_COUNT; i++)
		pool_fill(&s->pools[i]);
}

/* ---- its life ---- */

void
worker_ready(struct worker *w, uint8_t landlock_abi)
{
	/* doomed: what it said before its end is no reason to give it a connection */
	if (w->state != WORKER_STARTING || w->doomed)
		return;
	w->state = WORKER_IDLE;
	w->pool->failures = 0;
	w->pool->landlock_abi = landlock_abi;
	if (w->gate_fd < 0)
		return;
	/* refused: the gate is down, and the pool is filled again when it is back */
	if (introduce(w, ipc_gate(w->pool->room), w->gate_fd) != SP_OK)
		worker_kill(w);
	close_fd(&w->gate_fd);
}

void
worker_kill(struct worker *w)
{
	w->doomed = true;
	spawn_kill(w->pid);
}

void
worker_taken(struct worker *w, struct span address)
{
	struct ipc_worker_peer m = {.serial = w->serial, .address = address};
	static const enum room hear[] = {ROOM_LEDGER, ROOM_VAULT, ROOM_BROKER};
	struct text t = text_of(w->address, sizeof(w->address));

	if (w->state == WORKER_STARTING || w->state == WORKER_IDLE)
		w->pool->idle--;
	w->state = WORKER_TAKEN;
	text_add(&t, address);
	for (size_t i = 0; i < ARRAY_LEN(hear); i++) {
		struct seat *seat = &w->pool->sup->seats[hear[i]];

		if ((w->told & (1u << hear[i])) != 0)
			seat_sent(seat, chan_send_worker_peer(&seat->chan, &m, -1));
	}
	pool_fill(w->pool);
}

void
pool_failed(struct pool *p)
{
	uint32_t n = p->failures < FAIL_DELAY_DOUBLINGS ? p->failures : FAIL_DELAY_DOUBLINGS;

	p->failures++;
	if (p->timer == 0)
		p->timer = loop_timer(p->sup->loop, FAIL_DELAY_MS << n, pool_retry, p);
}

void
worker_ended(struct worker *w, const char *how, int signal, bool sandboxed)
{
	struct pool *p = w->pool;
	struct sup *s = p->sup;
	bool early = w->state == WORKER_STARTING;
	char text[256];

	(void)snprintf(text, sizeof(text), "%s%s%s%s", how,
	    sandboxed ? " (a system call that its sandbox does not allow)" : "",
	    w->address[0] != '\0' ? "; peer " : "", w->address);
	if (signal != 0 && !w->doomed) {
		log_error(
		    "%s %llu %s", room_table[p->room].name, (unsigned long long)w->serial, text);
		worker_broke(
		    w, EVENT_WORKER_KILLED, spawn_is_crash(signal) ? CONTACT_CRASH : 0, text);
	} else {
		log_debug(
		    "%s %llu %s", room_table[p->room].name, (unsigned long long)w->serial, text);
	}
	tell_gone(w);
	if (early && !w->doomed)
		pool_failed(p);
	worker_free(w);
	pools_fill(s);
}

/* ---- when rooms die, are replaced, or all ends ---- */

/* Can a worker in this state go on without the room? */
static bool
needs(const struct worker *w, enum room room)
{
	if (!ipc_linked(w->pool->room, room))
		return false;
	/* after its handshake a worker has no more use for the gate, nor for the signer: one of
	 * SFTP ends when it has to exchange keys anew, which may be in an hour */
	if (room == ROOM_SIGNER || ipc_is_gate(room))
		return w->state != WORKER_TAKEN;
	return true;
}

void
workers_forget_seat(struct sup *s, enum room room)
{
	for (size_t i = 0; i < POOL_COUNT; i++) {
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next) {
			w->told &= ~(1u << room);
			if (needs(w, room) && !w->doomed)
				worker_kill(w);
		}
	}
}

void
workers_register_all(struct sup *s)
{
	for (size_t i = 0; i < POOL_COUNT; i++) {
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next) {
			struct seat *ledger = &s->seats[ROOM_LEDGER];
			struct ipc_worker_peer m = {
			    .serial = w->serial, .address = span_str(w->address)};

			if (w->doomed || (w->told & R_LEDGER) != 0)
				continue;
			register_with_ledger(w);
			if (w->state == WORKER_TAKEN)
				seat_sent(ledger, chan_send_worker_peer(&ledger->chan, &m, -1));
		}
	}
}

void
workers_stop(struct sup *s, uint32_t deadline_ms)
{
	struct ipc_stop m = {.deadline_ms = deadline_ms};

	templates_drop(s);
	for (size_t i = 0; i < POOL_COUNT; i++) {
		/* authenticators and the scrubber serve those that are at work to the end */
		if (!ipc_is_worker(s->pools[i].room))
			continue;
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next) {
			if (w->state != WORKER_TAKEN || chan_send_stop(&w->chan, &m, -1) != SP_OK)
				worker_kill(w);
		}
	}
}

void
workers_kill_all(struct sup *s)
{
	for (size_t i = 0; i < POOL_COUNT; i++)
		for (struct worker *w = s->pools[i].workers; w != NULL; w = w->next)
			worker_kill(w);
}

void
pools_done(struct sup *s)
{
	templates_drop(s);
	for (size_t i = 0; i < POOL_COUNT; i++) {
		while (s->pools[i].workers != NULL)
			worker_free(s->pools[i].workers);
		mem_free(s->pools[i].slot_used);
	}
}
