/* gate_main.c - sallyport-gate-https, sallyport-gate-sftp: accepts connections, reads no byte of
 * them, hands each to an idle worker.  The build says which door: GATE_ROOM is the room of this
 * gate, GATE_WORKER that of its workers. */
#include <stdlib.h>

#include "ipc/room.h"
#include "rooms/gate/address_link.h"
#include "rooms/gate/gate.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/loop.h"

#define EXIT_SOFTWARE 70
#define ACCEPTS_AT_ONCE 64 /* then the supervisor is heard again */
#define REST_MS 100	   /* after an accept that failed for lack of something */
#define TELL_MS 10000	   /* between lines in the log about refused addresses */

struct gate {
	struct room_start room;
	struct loop *loop;
	struct gate_table table;
	struct listener {
		struct gate *gate;
		int fd;
		uint8_t index;
		struct loop_watch *watch;
		bool listening; /* the loop waits for connections */
		struct held held;
		uint64_t held_timer; /* for the first of them; 0: none */
	} listeners[GATE_LISTENERS];
	struct address_link addresses;
	uint64_t rest; /* timer; 0: none */
	uint64_t
	    turned_away;  /* connections over WorkersPerAddress since the last line in the log */
	uint64_t refused; /* connections of refused addresses, likewise */
	int64_t told_ms;
	bool stopping;
	uint8_t *buf;
};

/* ---- listening: only while somebody is idle ---- */

static void accept_ready(void *arg, int fd, unsigned events);

static void
listen_again(struct gate *g)
{
	for (size_t i = 0; i < GATE_LISTENERS; i++) {
		struct listener *l = &g->listeners[i];
		bool want = gate_idle(&g->table, l->index) != NULL && g->rest == 0 && !g->stopping;

		if (l->watch == NULL || want == l->listening)
			continue;
		if (loop_change(g->loop, l->watch, want ? LOOP_IN : 0) != SP_OK)
			sp_die(EXIT_SOFTWARE, "waiting for connections failed");
		l->listening = want;
	}
}

static void
rested(void *arg, int fd, unsigned events)
{
	struct gate *g = arg;

	(void)fd;
	(void)events;
	g->rest = 0;
	if (g->turned_away != 0)
		log_warning("%llu connections were turned away: more than WorkersPerAddress from "
			    "one address",
		    (unsigned long long)g->turned_away);
	g->turned_away = 0;
	listen_again(g);
}

/* Out of descriptors or memory: wait, instead of spinning on a listener that stays ready. */
static void
rest(struct gate *g)
{
	if (g->rest == 0)
		g->rest = loop_timer(g->loop, REST_MS, rested, g);
	listen_again(g);
}

/* ---- handing over ---- */

/* Offer the connection to idle workers until one takes it.  SP_EUNAVAIL: nobody is left. */
static int
hand_over(struct listener *l, int fd, const char *peer, struct gate_address *address)
{
	struct gate *g = l->gate;
	struct ipc_connection c = {.listener = l->index, .address = span_str(peer)};
	struct gate_worker *w;

	while ((w = gate_idle(&g->table, l->index)) != NULL) {
		struct ipc_worker_taken t = {.serial = w->serial, .address = span_str(peer)};
		int err = chan_send_worker_taken(&g->room.supervisor, &t, -1);

		/* the supervisor hears of it before the worker does: what the worker makes happen
		 * has an address */
		if (err != SP_OK)
			return err;
		if (chan_send_connection(&w->chan, &c, fd) == SP_OK) {
			gate_take(&g->table, w, address);
			return SP_OK;
		}
		/* it has died while idle; the supervisor knows that by itself */
		gate_remove(&g->table, w->serial);
	}
	return SP_EUNAVAIL;
}

/* ---- slowed and refused addresses ---- */

static void held_due(void *arg, int fd, unsigned events);

static void
hold_timer(struct listener *l, int64_t delay_ms)
{
	if (l->held_timer == 0)
		l->held_timer = loop_timer(l->gate->loop, delay_ms > 0 ? delay_ms : 1, held_due, l);
}

/* A connection of a slowed address waits; when there are too many of them it is turned away. */
static void
hold(struct listener *l, int *fd, const char *peer, struct gate_address *address)
{
	struct gate *g = l->gate;
	int64_t delay_ms = g->room.conf.slow_delay * 1000;

	if (held_push(&l->held, *fd, peer, address, clock_mono_ms() + delay_ms) != SP_OK) {
		gate_release(&g->table, address);
		g->refused++;
		return;
	}
	*fd = -1;
	hold_timer(l, delay_ms);
}

static void
held_drop(struct listener *l)
{
	struct held_one *o = held_head(&l->held);

	close_fd(&o->fd);
	gate_release(&l->gate->table, o->address);
	held_pop(&l->held);
}

static void
held_due(void *arg, int fd, unsigned events)
{
	struct listener *l = arg;
	struct gate *g = l->gate;
	int64_t now_ms = clock_mono_ms();
	struct held_one *o;
	int err = SP_OK;

	(void)fd;
	(void)events;
	l->held_timer = 0;
	while ((o = held_head(&l->held)) != NULL && now_ms >= o->due_ms && !g->stopping) {
		if (address_link_state(&g->addresses, o->peer, now_ms) == ADDRESS_REFUSE) {
			held_drop(l);
			continue;
		}
		err = hand_over(l, o->fd, o->peer, o->address);
		if (err != SP_OK)
			break;
		close_fd(&o->fd);
		held_pop(&l->held);
	}
	if (err != SP_OK && err != SP_EUNAVAIL)
		g->stopping = true; /* no supervisor any more */
	if (o != NULL)
		hold_timer(l, err == SP_EUNAVAIL ? REST_MS : o->due_ms - now_ms);
	listen_again(g);
	if (g->stopping)
		loop_stop(g->loop);
}

static void
tell_refused(struct gate *g)
{
	int64_t now_ms = clock_mono_ms();

	if (g->refused == 0 || now_ms - g->told_ms < TELL_MS)
		return;
	log_warning(
	    "%llu connections of refused addresses were closed", (unsigned long long)g->refused);
	g->told_ms = now_ms;
	g->refused = 0;
}

static uint32_t
most_of(const struct gate *g, enum address_state state)
{
	const struct conf *c = &g->room.conf;

	return (uint32_t)(state == ADDRESS_SLOW && c->slow_connections < c->workers_per_address
			      ? c->slow_connections
			      : c->workers_per_address);
}

/* returns false when there is nothing more to accept now */
static bool
accept_one(struct listener *l)
{
	struct gate *g = l->gate;
	char peer[GATE_ADDRESS_MAX + 1];
	DEFER(close_fd) int fd = sock_accept(l->fd, peer, sizeof(peer));
	struct gate_address *address;
	enum address_state state;
	int err;

	if (fd == SP_EFULL)
		return false;
	if (fd == SP_ECLOSED) { /* the supervisor shut it: a lockdown, and this room ends next */
		loop_unwatch(g->loop, l->watch);
		l->watch = NULL;
		return false;
	}
	if (fd < 0) {
		log_error("accept: %s", sp_strerror(fd));
		rest(g);
		return false;
	}
	state = address_link_state(&g->addresses, peer, clock_mono_ms());
	if (state == ADDRESS_REFUSE) {
		g->refused++;
		return true;
	}
	address = gate_admit(&g->table, peer, most_of(g, state));
	if (address == NULL) {
		g->turned_away++;
		return true;
	}
	if (state == ADDRESS_SLOW) {
		hold(l, &fd, peer, address);
		return true;
	}
	err = hand_over(l, fd, peer, address);
	if (err == SP_EUNAVAIL)
		gate_release(&g->table, address);
	else if (err != SP_OK)
		g->stopping = true; /* no supervisor any more */
	return err == SP_OK;
}

static void
accept_ready(void *arg, int fd, unsigned events)
{
	struct listener *l = arg;
	struct gate *g = l->gate;

	(void)fd;
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE && gate_idle(&g->table, l->index) != NULL; i++)
		if (!accept_one(l))
			break;
	tell_refused(g);
	if (g->turned_away != 0 && g->rest == 0)
		g->rest = loop_timer(g->loop, REST_MS, rested, g);
	listen_again(g);
	if (g->stopping)
		loop_stop(g->loop);
}

/* ---- from the supervisor ---- */

static int
on_listener(struct gate *g, struct chan_msg *m)
{
	struct ipc_listener in;
	struct listener *l;
	int err = ipc_get_listener(m->body, &in);

	if (err != SP_OK)
		return err;
	l = &g->listeners[in.listener];
	if (l->fd >= 0)
		return SP_EEXISTS;
	l->fd = TAKE_FD(m->fd);
	return SP_OK;
}

static int
on_worker_new(struct gate *g, struct chan_msg *m)
{
	struct ipc_worker_new in;
	int err = ipc_get_worker_new(m->body, &in);

	if (err == SP_OK && in.room != GATE_WORKER)
		err = SP_EDENIEDMSG;
	if (err == SP_OK)
		err = gate_add(&g->table, in.serial, in.listener, m->fd);
	if (err == SP_OK)
		m->fd = -1;
	return err;
}

static int
on_supervisor(struct gate *g, struct chan_msg *m)
{
	struct ipc_worker_gone gone;
	struct ipc_link link;
	int err;

	switch (m->id) {
	case IPC_LISTENER:
		return on_listener(g, m);
	case IPC_WORKER_NEW:
		return on_worker_new(g, m);
	case IPC_WORKER_GONE:
		err = ipc_get_worker_gone(m->body, &gone);
		if (err == SP_OK)
			gate_remove(&g->table, gone.serial);
		return err;
	case IPC_LINK: /* the broker was started again */
		err = ipc_get_link(m->body, &link);
		if (err == SP_OK && link.room == ROOM_BROKER)
			address_link_set(&g->addresses, TAKE_FD(m->fd));
		return err;
	case IPC_RELOAD:
		if (room_reload(&g->room, TAKE_FD(m->fd)) != SP_OK)
			log_warning("the old settings stay");
		address_link_conf(&g->addresses, &g->room.conf);
		return SP_OK;
	case IPC_STOP:
		g->stopping = true;
		return SP_OK;
	default:
		return SP_EDENIEDMSG;
	}
}

static void
supervisor_ready(void *arg, int fd, unsigned events)
{
	struct gate *g = arg;
	struct chan_msg m;
	int err = 0;

	(void)fd;
	(void)events;
	while (!g->stopping &&
	       (err = chan_recv(&g->room.supervisor, PH_ANY, false, g->buf, IPC_MAX, &m)) != 0) {
		if (err == SP_ECLOSED)
			break;
		if (err == 1) {
			err = on_supervisor(g, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
	}
	if (err == SP_ECLOSED || g->stopping)
		loop_stop(g->loop);
	listen_again(g);
}

static void
before_go(void *arg, struct chan_msg *m)
{
	int err = on_supervisor(arg, m);

	if (err < 0)
		sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
}

/* ---- start ---- */

static void
gate_begin(struct gate *g)
{
	g->table.self = GATE_ROOM;
	g->table.worker = GATE_WORKER;
	g->loop = loop_new();
	g->buf = mem_alloc(IPC_MAX);
	if (g->loop == NULL || g->buf == NULL ||
	    address_link_init(&g->addresses, g->loop, GATE_ROOM, g->buf) != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	for (uint8_t i = 0; i < GATE_LISTENERS; i++) {
		g->listeners[i].gate = g;
		g->listeners[i].fd = -1;
		g->listeners[i].index = i;
	}
}

static void
gate_watch(struct gate *g)
{
	struct loop_watch *w =
	    loop_watch(g->loop, g->room.supervisor.fd, LOOP_IN, supervisor_ready, g);
	bool good = w != NULL;

	for (size_t i = 0; good && i < GATE_LISTENERS; i++) {
		struct listener *l = &g->listeners[i];

		if (l->fd < 0)
			continue;
		l->watch = loop_watch(g->loop, l->fd, 0, accept_ready, l);
		good = l->watch != NULL;
	}
	if (!good)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	loop_priority(w);
	address_link_conf(&g->addresses, &g->room.conf);
	if (g->room.link[ROOM_BROKER] >= 0)
		address_link_set(&g->addresses, TAKE_FD(g->room.link[ROOM_BROKER]));
}

int
main(int argc, char **argv)
{
	struct sandbox_limits limits = {.memory_bytes = 256u << 20, .files = 65536};
	struct gate *g = mem_alloc(sizeof(*g));

	if (g == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	gate_begin(g);
	room_enter(GATE_ROOM, argc, argv, &g->room, before_go, g);
	room_sandbox(&g->room, NULL, 0, &limits, "");
	gate_watch(g);
	listen_again(g);
	if (loop_run(g->loop) != SP_OK)
		sp_die(EXIT_SOFTWARE, "waiting for connections failed");
	for (size_t i = 0; i < GATE_LISTENERS; i++)
		while (held_head(&g->listeners[i].held) != NULL)
			held_drop(&g->listeners[i]);
	gate_done(&g->table);
	address_link_done(&g->addresses);
	loop_free(g->loop);
	mem_free(g->buf);
	mem_free(g);
	return 0;
}
