/* courier_link.c - the broker's side of the courier: a question of the command line, and its
 * answer. */
#include "rooms/broker/admin.h"
#include "sys/fd.h"
#include "sys/log.h"

void
courier_lost(struct broker *b)
{
	if (b->courier.fd < 0)
		return;
	loop_unwatch(b->loop, b->courier_watch);
	b->courier_watch = NULL;
	chan_close(&b->courier);
	for (size_t i = 0; i < ARRAY_LEN(b->courier_ask); i++)
		if (b->courier_ask[i].op != NULL)
			admin_refuse(b, TAKE_PTR(b->courier_ask[i].op), SP_EUNAVAIL);
}

static void
answer(struct broker *b, const struct ipc_courier_state *m)
{
	for (size_t i = 0; i < ARRAY_LEN(b->courier_ask); i++) {
		struct admin_op *op;
		json_t *state;

		if (b->courier_ask[i].op == NULL || b->courier_ask[i].ref != m->ref)
			continue;
		op = TAKE_PTR(b->courier_ask[i].op);
		state = json_loadb((const char *)m->json.ptr, m->json.len, 0, NULL);
		if (state != NULL)
			admin_answer(b, op, state);
		else
			admin_refuse(b, op, SP_ESYNTAX);
		json_decref(state);
		return;
	}
}

static void
on_courier(void *arg, int fd, unsigned events)
{
	struct broker *b = arg;
	struct ipc_courier_state state;
	struct chan_msg m;
	int rc = chan_recv(&b->courier, PH_ANY, false, b->out, sizeof(b->out), &m);

	(void)fd;
	(void)events;
	if (rc == 0)
		return;
	if (rc == SP_ECLOSED) {
		courier_lost(b);
		return;
	}
	if (rc == 1) {
		rc = m.id == IPC_COURIER_STATE ? ipc_get_courier_state(m.body, &state)
					       : SP_EUNKNOWNMSG;
		if (rc == SP_OK)
			answer(b, &state);
		chan_msg_done(&m);
	}
	if (rc < 0) {
		struct ipc_violation v = {.message = m.id, .err = (uint16_t)-rc};

		b->count.violations++;
		courier_lost(b);
		if (chan_send_violation(&b->start.supervisor, &v, -1) != SP_OK)
			log_error("the supervisor does not take a violation");
	}
}

int
courier_link(struct broker *b, int fd)
{
	courier_lost(b);
	chan_init(&b->courier, fd, ROOM_BROKER, ROOM_COURIER);
	if ((b->courier_watch = loop_watch(b->loop, fd, LOOP_IN, on_courier, b)) != NULL)
		return SP_OK;
	chan_close(&b->courier);
	return SP_ENOMEM;
}

int
courier_ask(struct broker *b, struct admin_op *op)
{
	struct ipc_courier_get m = {.ref = ++b->courier_ref};
	struct courier_asked *a = &b->courier_ask[m.ref % ARRAY_LEN(b->courier_ask)];
	int err = b->courier.fd >= 0 ? chan_send_courier_get(&b->courier, &m, -1) : SP_EUNAVAIL;

	if (err != SP_OK)
		return SP_EUNAVAIL;
	if (a->op != NULL) /* of long ago: a courier that answers nothing */
		admin_refuse(b, TAKE_PTR(a->op), SP_ETIMEOUT);
	*a = (struct courier_asked){op, m.ref};
	return SP_OK;
}
