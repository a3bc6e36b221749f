/* address_link.c - see address_link.h. */
#include "rooms/gate/address_link.h"

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#define AT_ONCE 256 /* messages; then connections have their turn */

int
address_link_init(struct address_link *a, struct loop *loop, enum room self, uint8_t *buf)
{
	*a = (struct address_link){.loop = loop, .buf = buf, .rules = rules_new()};
	chan_init(&a->broker, -1, self, ROOM_BROKER);
	return a->rules != NULL ? SP_OK : SP_ENOMEM;
}

static void
link_close(struct address_link *a)
{
	if (a->watch != NULL)
		loop_unwatch(a->loop, a->watch);
	a->watch = NULL;
	chan_close(&a->broker);
}

void
address_link_done(struct address_link *a)
{
	link_close(a);
	rules_free(a->rules);
	a->rules = NULL;
}

void
address_link_conf(struct address_link *a, const struct conf *c)
{
	if (prefix_list_parse(span_str(c->allow_addresses), &a->allowed) != SP_OK)
		log_error("AllowAddresses cannot be read; the old ones stay");
}

int
address_link_take(struct address_link *a, const struct chan_msg *m, int64_t now_ms)
{
	struct ipc_address in;
	struct prefix p, cut;
	int err = SP_OK;

	if (m->id == IPC_ADDRESS_RESET)
		rules_reset(a->rules);
	if (m->id != IPC_ADDRESS)
		return m->id == IPC_ADDRESS_RESET ? SP_OK : SP_EDENIEDMSG;
	if ((err = ipc_get_address(m->body, &in)) != SP_OK)
		return err;
	memcpy(p.b, in.prefix.b, sizeof(p.b));
	p.bits = 128;
	cut = prefix_cut(&p, in.bits);
	if (memcmp(cut.b, p.b, sizeof(p.b)) != 0) /* no prefix */
		return SP_ERANGE;
	err = rules_set(a->rules, &cut, (enum address_state)in.state,
	    now_ms + (int64_t)in.left_s * 1000, now_ms);
	if (err == SP_EFULL)
		log_warning("more addresses are refused than this gate can keep");
	return SP_OK;
}

static void
ready(void *arg, int fd, unsigned events)
{
	struct address_link *a = arg;
	struct chan_msg m;
	int err = 0;

	(void)fd;
	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		err = chan_recv(&a->broker, PH_ANY, false, a->buf, IPC_MAX, &m);
		if (err != 1)
			break;
		err = address_link_take(a, &m, clock_mono_ms());
		chan_msg_done(&m);
		if (err != SP_OK)
			break;
	}
	if (err >= 0)
		return;
	if (err != SP_ECLOSED)
		log_error("from the broker: %s; it is not heard any more", sp_strerror(err));
	link_close(a);
}

void
address_link_set(struct address_link *a, int fd)
{
	link_close(a);
	chan_init(&a->broker, fd, a->broker.self, ROOM_BROKER);
	a->watch = loop_watch(a->loop, fd, LOOP_IN, ready, a);
	if (a->watch != NULL)
		return;
	log_error("the broker cannot be heard: %s", sp_strerror(SP_ENOMEM));
	chan_close(&a->broker);
}

enum address_state
address_link_state(const struct address_link *a, const char *peer, int64_t now_ms)
{
	struct prefix p;
	enum address_state s;

	if (rules_count(a->rules) == 0 || prefix_of_peer(peer, &p) != SP_OK)
		return ADDRESS_OK;
	s = rules_state(a->rules, &p, now_ms);
	return s != ADDRESS_OK && prefix_list_has(&a->allowed, &p) ? ADDRESS_OK : s;
}
