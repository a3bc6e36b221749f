/* template.c - processes that workers are copied from.
 *
 * Exec costs a worker more than all that it does for a login.  What exec gives for it is a memory
 * layout that no other process has: a template's copies share theirs.  So a template makes
 * TemplateForks workers and no more, and the first of them that dies otherwise than in order ends
 * its use at once: what somebody learns from one is not worth much with the next. */
#include <stdio.h>

#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/ready.h"
#include "sys/spawn.h"

#define WORKER_START_TEMPLATE 1 /* WorkerStart, by its row in conf.def */
#define ANSWER_MS 2000		/* of a copy: a template that takes longer is broken */
#define FAILURES_MOST 3u	/* in a row: then workers are programs of their own for a while */
#define NAME_BYTES 64

static bool
is_wanted(const struct pool *p)
{
	return ipc_is_worker(p->room) && p->sup->inst.conf.worker_start == WORKER_START_TEMPLATE &&
	       p->failures < FAILURES_MOST;
}

static void
drop(struct template **tp)
{
	struct template *t = *tp;

	if (t == NULL)
		return;
	loop_unwatch(t->pool->sup->loop, t->watch);
	chan_close(&t->chan);
	spawn_kill(t->pid); /* nobody waits for its end */
	mem_freep(tp);
}

/* The next one takes its place; when there is none, pools_fill starts one. */
static void
replace(struct pool *p)
{
	drop(&p->template[0]);
	p->template[0] = p->template[1];
	p->template[1] = NULL;
}

static void
broken(struct template *t, const char *why)
{
	struct pool *p = t->pool;

	log_error("a template of %s is ended: %s", room_table[p->room].name, why);
	if (t == p->template[0])
		replace(p);
	else
		drop(&p->template[1]);
	pool_failed(p);
}

/* It says READY once, and answers FORK where that is sent. */
static void
on_message(void *arg, int fd, unsigned events)
{
	struct template *t = arg;
	struct sup *s = t->pool->sup;
	struct ipc_ready ready;
	struct chan_msg m;
	int err = chan_recv(&t->chan, PH_ANY, false, s->buf, IPC_MAX, &m);

	(void)fd;
	(void)events;
	if (err == 0)
		return;
	if (err == 1) {
		err = m.id == IPC_READY ? ipc_get_ready(m.body, &ready) : SP_EDENIEDMSG;
		if (t->is_ready)
			err = SP_EDENIEDMSG;
		chan_msg_done(&m);
	}
	if (err < 0) {
		broken(t, sp_strerror(err));
		return;
	}
	t->is_ready = true;
	pools_fill(s);
}

static int
start_process(struct template *t, int fd)
{
	struct pool *p = t->pool;
	char name[NAME_BYTES];
	struct spawn sp = {
	    .binary = p->sup->binaries[p->room], .room = name, .fd3 = fd, .log = p->sup->log[1]};

	/* worker-https, template-https */
	(void)snprintf(
	    name, sizeof(name), "template%s", room_table[p->room].name + sizeof("worker") - 1);
	return spawn_room(&sp);
}

/* All that it is told lies in its socket when it begins. */
static int
wire(struct template *t)
{
	struct sup *s = t->pool->sup;
	struct ipc_go go = {.generation = s->generation, .as_root = s->as_root};
	int v[2], err = sock_pair(v);

	if (err != SP_OK)
		return err;
	chan_init(&t->chan, v[0], ROOM_SUPERVISOR, t->pool->room);
	t->watch = loop_watch(s->loop, v[0], LOOP_IN, on_message, t);
	err = t->watch != NULL ? send_files(s, t->pool->room, &t->chan) : SP_ENOMEM;
	if (err == SP_OK)
		err = chan_send_go(&t->chan, &go, -1);
	if (err == SP_OK)
		err = start_process(t, v[1]);
	close_fd(&v[1]);
	return err;
}

static int
start(struct pool *p, struct template **ret)
{
	struct template *t = mem_alloc(sizeof(*t));
	int pid = SP_ENOMEM;

	if (t != NULL) {
		*t =
		    (struct template){.pool = p, .number = ++p->sup->templates, .chan = {.fd = -1}};
		pid = wire(t);
	}
	if (pid < 0) {
		log_error("a template of %s cannot be started: %s", room_table[p->room].name,
		    sp_strerror(pid));
		drop(&t);
		pool_failed(p);
		return pid;
	}
	t->pid = pid;
	*ret = t;
	return SP_OK;
}

enum template_can
template_can(struct pool *p)
{
	if (!is_wanted(p))
		return TEMPLATE_UNUSED;
	if (p->template[0] == NULL && start(p, &p->template[0]) < 0)
		return TEMPLATE_WAIT;
	return p->template[0] -> is_ready ? TEMPLATE_READY : TEMPLATE_WAIT;
}

/* returns the number of the process that the template has made */
static int
answer(struct template *t)
{
	uint8_t buf[IPC_MAX];
	struct ipc_forked forked = {0};
	struct chan_msg m;
	unsigned ready;
	int err = fd_wait_any(&t->chan.fd, 1, ANSWER_MS, &ready);

	if (err < 0)
		return err;
	err = chan_recv(&t->chan, PH_ANY, false, buf, sizeof(buf), &m);
	if (err < 1)
		return err == 0 ? SP_ETIMEOUT : err;
	err = m.id == IPC_FORKED ? ipc_get_forked(m.body, &forked) : SP_EDENIEDMSG;
	chan_msg_done(&m);
	if (err == SP_OK && forked.pid < 2)
		err = SP_EUNAVAIL;
	return err == SP_OK ? (int)forked.pid : err;
}

/* The next one is started when this one has a quarter of its copies left, so that nobody waits. */
static void
count(struct pool *p)
{
	int64_t most = p->sup->inst.conf.template_forks;
	struct template *t = p->template[0];

	t->forks++;
	if (t->forks * 4 >= most * 3 && p->template[1] == NULL)
		(void)start(p, &p->template[1]); /* it has said why not; later, then */
	if (t->forks >= most)
		replace(p);
}

int
template_fork(struct pool *p, int fd, uint32_t uid, uint64_t *ret_number)
{
	struct template *t = p->template[0];
	struct ipc_fork m = {.uid = uid};
	int pid;

	PRECOND(t != NULL && t->is_ready);
	pid = chan_send_fork(&t->chan, &m, fd);
	if (pid == SP_OK)
		pid = answer(t);
	if (pid < 0) {
		broken(t, sp_strerror(pid));
		return pid;
	}
	*ret_number = t->number;
	count(p);
	return pid;
}

void
template_suspect(struct worker *w)
{
	struct pool *p = w->pool;
	uint64_t number = w->template;

	if (number == 0)
		return;
	w->template = 0; /* it has perhaps ended: not one of the siblings */
	if (p->template[0] != NULL && p->template[0] -> number == number)
		replace(p);
	workers_retire_copies(p, number);
}

bool
template_ended(struct sup *s, int32_t pid)
{
	for (size_t i = 0; i < POOL_COUNT; i++)
		for (size_t k = 0; k < ARRAY_LEN(s->pools[i].template); k++) {
			struct template *t = s->pools[i].template[k];

			if (t == NULL || t->pid != pid)
				continue;
			broken(t, "it has died");
			return true;
		}
	return false;
}

void
templates_drop(struct sup *s)
{
	for (size_t i = 0; i < POOL_COUNT; i++)
		for (size_t k = 0; k < ARRAY_LEN(s->pools[i].template); k++)
			drop(&s->pools[i].template[k]);
}
