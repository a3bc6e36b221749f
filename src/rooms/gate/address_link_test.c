#include "base/test.h"

#include "base/mem.h"
#include "rooms/gate/address_link.h"

struct ear {
	struct loop *loop;
	struct address_link link;
	uint8_t buf[IPC_MAX], body[IPC_SIZE_ADDRESS];
};

static struct ear *
ear(const char *allowed)
{
	struct ear *e = mem_alloc(sizeof(*e));
	struct conf c;
	struct text t;

	conf_defaults(&c);
	t = text_of(c.allow_addresses, sizeof(c.allow_addresses));
	text_str(&t, allowed);
	e->loop = loop_new();
	assert_int_equal(address_link_init(&e->link, e->loop, ROOM_GATE_SFTP, e->buf), SP_OK);
	address_link_conf(&e->link, &c);
	return e;
}

static void
done(struct ear *e)
{
	address_link_done(&e->link);
	loop_free(e->loop);
	mem_free(e);
}

static int
say(struct ear *e, const char *prefix, enum address_state state, uint32_t left_s, uint8_t bits)
{
	struct wr w = wr_of(e->body, sizeof(e->body));
	struct ipc_address m = {.state = (uint8_t)state, .left_s = left_s};
	struct chan_msg msg = {.id = IPC_ADDRESS, .fd = -1};
	struct prefix p;

	assert_int_equal(prefix_parse(span_str(prefix), &p), SP_OK);
	memcpy(m.prefix.b, p.b, sizeof(p.b));
	m.bits = bits != 0 ? bits : p.bits;
	assert_int_equal(ipc_put_address(&w, &m), SP_OK);
	msg.body = wr_span(&w);
	return address_link_take(&e->link, &msg, 0);
}

static void
test_told_and_forgotten(void **unused)
{
	struct ear *e = ear("none");
	struct chan_msg reset = {.id = IPC_ADDRESS_RESET, .fd = -1};

	(void)unused;
	assert_int_equal(address_link_state(&e->link, "10.0.0.1:5", 0), ADDRESS_OK);
	assert_int_equal(say(e, "10.0.0.1", ADDRESS_REFUSE, 10, 0), SP_OK);
	assert_int_equal(address_link_state(&e->link, "10.0.0.1:5", 0), ADDRESS_REFUSE);
	assert_int_equal(address_link_state(&e->link, "10.0.0.2:5", 0), ADDRESS_OK);
	assert_int_equal(address_link_state(&e->link, "nonsense", 0), ADDRESS_OK);
	/* without a further word it ends */
	assert_int_equal(address_link_state(&e->link, "10.0.0.1:5", 10000), ADDRESS_OK);
	assert_int_equal(address_link_take(&e->link, &reset, 0), SP_OK);
	assert_int_equal(address_link_state(&e->link, "10.0.0.1:5", 0), ADDRESS_OK);
	done(e);
}

/* Even a broker that was taken over cannot turn these away. */
static void
test_allowed_are_let_in(void **unused)
{
	struct ear *e = ear("10.0.0.0/24, 2001:db8::/32");

	(void)unused;
	assert_int_equal(say(e, "0.0.0.0/0", ADDRESS_REFUSE, 100, 0), SP_OK);
	assert_int_equal(say(e, "10.0.0.9", ADDRESS_REFUSE, 100, 0), SP_OK);
	assert_int_equal(say(e, "::/0", ADDRESS_REFUSE, 100, 0), SP_OK);
	assert_int_equal(address_link_state(&e->link, "10.0.0.9:5", 0), ADDRESS_OK);
	assert_int_equal(address_link_state(&e->link, "[2001:db8::1]:5", 0), ADDRESS_OK);
	assert_int_equal(address_link_state(&e->link, "10.0.1.9:5", 0), ADDRESS_REFUSE);
	assert_int_equal(address_link_state(&e->link, "[2001:db9::1]:5", 0), ADDRESS_REFUSE);
	done(e);
}

static void
test_lies(void **unused)
{
	struct ear *e = ear("none");
	struct chan_msg other = {.id = IPC_LISTENER, .fd = -1}, cut = {.id = IPC_ADDRESS, .fd = -1};

	(void)unused;
	assert_err(say(e, "10.0.0.1", ADDRESS_REFUSE, 10, 100), SP_ERANGE); /* bits beyond it */
	assert_err(address_link_take(&e->link, &other, 0), SP_EDENIEDMSG);
	assert_err(address_link_take(&e->link, &cut, 0), SP_ESHORT);
	assert_int_equal(address_link_state(&e->link, "10.0.0.1:5", 0), ADDRESS_OK);
	done(e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told_and_forgotten),
	    cmocka_unit_test(test_allowed_are_let_in),
	    cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
