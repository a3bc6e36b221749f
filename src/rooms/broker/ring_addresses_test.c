/* Addresses on the stage: who is scored by whose word, who is ended, what the gates hear, what is
 * kept. */
#include "rooms/broker/ring_stage.h"

#include "base/mem.h"
#include "rooms/broker/addresses.h"
#include "sys/fd.h"

#define SCANNER_PEER "198.51.100.7:4711"
#define OTHER_PEER "203.0.113.9:4712"
#define PROBE60                                                                                    \
	.kind = CONTACT_PROBE, .probe = TEXT("moveit-human2"), .request = TEXT("/human2.aspx")

static struct worker_end *
from(struct stage *s, const char *peer)
{
	return add_worker(s, ROOM_WORKER_HTTPS, 0, peer, on_reply);
}

static enum address_state
state_of(struct stage *s, const char *peer)
{
	struct prefix p;

	assert_int_equal(prefix_of_peer(peer, &p), SP_OK);
	return rep_state(s->b->addresses->book, &p, addresses_now(s->b));
}

static int64_t
points_of(struct stage *s, const char *peer)
{
	struct rep_limits l = addresses_limits(s->b);
	struct rep_entry *e;
	struct prefix p;

	assert_int_equal(prefix_of_peer(peer, &p), SP_OK);
	p = prefix_host(&p);
	e = rep_find(s->b->addresses->book, &p);
	return e != NULL ? rep_points(e, &l, addresses_now(s->b)) / REP_POINT : 0;
}

/* A worker accuses the address that it serves, and no other. */
static void
test_own_address(void **state)
{
	struct stage *s = *state;
	struct worker_end *bad = from(s, SCANNER_PEER), *same = from(s, "198.51.100.7:99");
	struct worker_end *other = from(s, OTHER_PEER), *late;

	assert_int_equal(ASK(bad, contact, PROBE60), IPC_DONE);
	run_ms(s, 20);
	assert_int_equal(count_events(s, EVENT_SCANNER), 1);
	assert_int_equal(count_events(s, EVENT_ADDRESS_SLOWED), 1);
	assert_int_equal(points_of(s, SCANNER_PEER), 60);
	assert_int_equal(points_of(s, OTHER_PEER), 0);
	read_supervisor(s);
	assert_int_equal(s->n_kills, 0);
	/* over the threshold: all its connections end, nobody else's */
	SEND(bad, contact, PROBE60);
	run_ms(s, 20);
	read_supervisor(s);
	assert_int_equal(count_events(s, EVENT_ADDRESS_BANNED), 1);
	assert_int_equal(s->n_kills, 2);
	assert_int_equal(s->n_violations, 0);
	assert_int_equal(ASK(other, org_get, .org = 0), IPC_ORG);
	/* one that the gate let in before it heard of it */
	late = from(s, SCANNER_PEER);
	run_ms(s, 20);
	read_supervisor(s);
	assert_int_equal(s->n_kills, 3);
	worker_free(bad), worker_free(same), worker_free(other), worker_free(late);
}

/* What a worker may not say, and how often it may say the rest. */
static void
test_lies(void **state)
{
	struct stage *s = *state;
	static const unsigned kinds[] = {0, 8, 9, CONTACT_LOGIN_FAILED, CONTACT_LOGIN_UNKNOWN,
	    CONTACT_CRASH, CONTACT_VIOLATION, 31};
	struct worker_end *w;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		w = from(s, SCANNER_PEER);
		SEND(w, contact, .kind = (uint8_t)kinds[i]);
		run_ms(s, 20);
		assert_true(w->is_closed);
		worker_free(w);
	}
	w = from(s, SCANNER_PEER); /* a probe without a name, a name without a probe, a bad name */
	SEND(w, contact, .kind = CONTACT_PROBE);
	assert_true(w->is_closed);
	worker_free(w);
	w = from(s, SCANNER_PEER);
	SEND(w, contact, .kind = CONTACT_NO_TLS, .probe = TEXT("php"));
	assert_true(w->is_closed);
	worker_free(w);
	w = from(s, SCANNER_PEER);
	SEND(w, contact, .kind = CONTACT_PROBE, .probe = TEXT("a\nb"));
	assert_true(w->is_closed);
	worker_free(w);
	read_supervisor(s);
	assert_int_equal(s->n_violations, ARRAY_LEN(kinds) + 3);
	assert_int_equal(points_of(s, SCANNER_PEER), 0);
	assert_int_equal(count_events(s, EVENT_SCANNER), 0);
}

static void
test_flood(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = from(s, SCANNER_PEER);

	for (int i = 0; i < CONTACTS_MAX; i++)
		assert_int_equal(ASK(w, contact, .kind = CONTACT_UNKNOWN_PATH), IPC_DONE);
	SEND(w, contact, .kind = CONTACT_UNKNOWN_PATH);
	assert_true(w->is_closed);
	worker_free(w);
	/* of many connections: counted in the log, not written one by one */
	for (int i = 0; i < 5; i++) {
		w = from(s, "192.0.2.1:1");
		s->b->start.conf.score_ban = s->b->start.conf.score_slow = 0;
		for (int k = 0; k < CONTACTS_MAX; k++)
			assert_int_equal(ASK(w, contact, .kind = CONTACT_BAD_REQUEST), IPC_DONE);
		worker_free(w);
	}
	assert_true(count_events(s, EVENT_SCANNER) <= CONTACTS_MAX + 20);
	assert_int_equal(points_of(s, "192.0.2.1:1"), 5 * CONTACTS_MAX * 2);
	assert_int_equal(state_of(s, "192.0.2.1:1"), ADDRESS_OK); /* it is switched off */
}

/* Whoever is logged in has an account that answers for him: nothing is held against the address. */
static void
test_after_login(void **state)
{
	struct stage *s = *state;
	struct worker_end *w;

	add_authenticator(s);
	w = login(s, "alice", NULL);
	assert_int_equal(ASK(w, contact, PROBE60), IPC_DONE);
	assert_int_equal(count_events(s, EVENT_SCANNER), 0);
	worker_free(w);
}

/* A web page can make the browsers of a whole company ask for an exploit: where somebody logged in,
 * that is not enough to shut it out; a probe of its own is. */
static void
test_driven_by_a_page(void **state)
{
	struct stage *s = *state;
	struct worker_end *w, *user;

	add_authenticator(s);
	user = login(s, "alice", NULL);
	for (int i = 0; i < 20; i++) {
		w = connect_worker(s, 0); /* of the same address */
		for (int k = 0; k < CONTACTS_MAX; k++)
			assert_int_equal(ASK(w, contact, .kind = CONTACT_CROSS_SITE), IPC_DONE);
		worker_free(w);
	}
	assert_int_equal(state_of(s, "10.1.2.3:4567"), ADDRESS_SLOW);
	assert_int_equal(ASK(user, org_get, .org = 0), IPC_ORG);
	w = connect_worker(s, 0);
	SEND(w, contact, PROBE60);
	run_ms(s, 20);
	assert_int_equal(state_of(s, "10.1.2.3:4567"), ADDRESS_REFUSE);
	worker_free(w), worker_free(user);
}

static void
test_allowed(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = from(s, SCANNER_PEER);
	struct text t =
	    text_of(s->b->start.conf.allow_addresses, sizeof(s->b->start.conf.allow_addresses));

	assert_int_equal(ASK(w, contact, PROBE60), IPC_DONE);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_SLOW);
	/* one that is allowed from now on is forgiven, is still on record, and is not scored */
	text_str(&t, "198.51.100.0/28, 2001:db8::/32");
	addresses_reload(s->b);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_OK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ASK(w, contact, PROBE60), IPC_DONE);
	assert_int_equal(count_events(s, EVENT_SCANNER), 5);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_OK);
	worker_free(w);
}

/* Guessing at accounts that there are not is refused in the end; a token that has ended is no
 * guess. */
static void
test_logins(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = from(s, SCANNER_PEER), *t = from(s, OTHER_PEER);
	char name[16];

	add_authenticator(s);
	for (int i = 0; i < 24; i++) {
		(void)snprintf(name, sizeof(name), "nobody%d", i);
		REFUSES(w, SP_EAUTH, login_password, .user = TEXT(name), .org = 0,
		    .password = TEXT("x"), .code = NOTHING, .agent = NOTHING);
	}
	assert_int_equal(points_of(s, SCANNER_PEER), 96);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_SLOW);
	SEND(w, login_password, .user = TEXT("nobody"), .org = 0, .password = TEXT("x"),
	    .code = NOTHING, .agent = NOTHING);
	run_ms(s, 50);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_REFUSE);
	for (int i = 0; i < 60; i++)
		REFUSES(t, SP_EAUTH, login_token, .token = TEXT("spa_x"), .agent = NOTHING);
	assert_int_equal(points_of(s, OTHER_PEER), 0);
	worker_free(w), worker_free(t);
}

/* One account: the lockout comes first, and trying on is not held against the address. */
static void
test_lockout_first(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = from(s, SCANNER_PEER);

	add_authenticator(s);
	s->auth_says = false;
	for (int i = 0; i < 5; i++)
		REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .org = 0,
		    .password = TEXT("x"), .code = NOTHING, .agent = NOTHING);
	for (int i = 0; i < 50; i++)
		REFUSES(w, SP_ELOCKOUT, login_password, .user = TEXT("alice"), .org = 0,
		    .password = TEXT("x"), .code = NOTHING, .agent = NOTHING);
	assert_int_equal(points_of(s, SCANNER_PEER), 10);
	worker_free(w);
}

/* The supervisor's word: one crash slows, two refuse. */
static void
test_crashes(void **state)
{
	struct stage *s = *state;
	struct ipc_worker_broke m = {
	    .serial = 7, .kind = CONTACT_CRASH, .address = TEXT("[2001:db8::1]:5")};

	assert_int_equal(chan_send_worker_broke(&s->supervisor, &m, -1), SP_OK);
	run_ms(s, 20);
	assert_int_equal(state_of(s, "[2001:db8::2]:6"), ADDRESS_SLOW);
	m.kind = CONTACT_VIOLATION;
	assert_int_equal(chan_send_worker_broke(&s->supervisor, &m, -1), SP_OK);
	run_ms(s, 20);
	assert_int_equal(state_of(s, "[2001:db8::2]:6"), ADDRESS_REFUSE);
}

/* ---- gates ---- */

struct gate_end {
	struct chan chan;
	unsigned resets, told;
	struct ipc_address last;
};

static void
link_gate(struct stage *s, struct gate_end *g, enum room room)
{
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	*g = (struct gate_end){0};
	chan_init(&g->chan, pair[0], room, ROOM_BROKER);
	assert_int_equal(addresses_gate(s->b, room, pair[1]), SP_OK);
	run_ms(s, 20);
}

static void
hear(struct stage *s, struct gate_end *g)
{
	struct chan_msg m;

	run_ms(s, 20);
	addresses_idle(s->b); /* the loop's stop comes before it */
	while (chan_recv(&g->chan, PH_ANY, false, s->buf, sizeof(s->buf), &m) == 1) {
		g->resets += m.id == IPC_ADDRESS_RESET;
		if (m.id != IPC_ADDRESS)
			continue;
		g->told++;
		assert_int_equal(ipc_get_address(m.body, &g->last), SP_OK);
	}
}

static void
test_gates_hear(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = from(s, SCANNER_PEER);
	struct gate_end https, sftp;

	link_gate(s, &https, ROOM_GATE_HTTPS);
	hear(s, &https);
	assert_int_equal(https.resets, 1);
	assert_int_equal(https.told, 0);
	assert_int_equal(ASK(w, contact, PROBE60), IPC_DONE);
	hear(s, &https);
	assert_int_equal(https.told, 1);
	assert_int_equal(https.last.state, ADDRESS_SLOW);
	assert_int_equal(https.last.bits, 128);
	assert_int_equal(https.last.left_s, 4 * 1800);
	SEND(w, contact, PROBE60);
	hear(s, &https);
	assert_int_equal(https.told, 2);
	assert_int_equal(https.last.state, ADDRESS_REFUSE);
	assert_int_equal(https.last.left_s, 3600);
	/* a gate that comes later, or again, hears all; the other nothing twice */
	link_gate(s, &sftp, ROOM_GATE_SFTP);
	hear(s, &sftp);
	hear(s, &https);
	assert_int_equal(sftp.resets, 1);
	assert_int_equal(sftp.told, 1);
	assert_int_equal(https.told, 2);
	chan_close(&sftp.chan);
	run_ms(s, 20);
	link_gate(s, &sftp, ROOM_GATE_SFTP);
	now_us += 1800 * 1000000ll;
	hear(s, &sftp);
	assert_int_equal(sftp.told, 1);
	/* the end of the ban, by the clock */
	now_us += 1801 * 1000000ll;
	addresses_tick(s->b), addresses_idle(s->b);
	hear(s, &sftp);
	assert_int_equal(sftp.last.state, ADDRESS_SLOW);
	assert_int_equal(count_events(s, EVENT_ADDRESS_UNBANNED), 1);
	now_us += 2 * 1800 * 1000000ll;
	addresses_tick(s->b), addresses_idle(s->b);
	hear(s, &sftp);
	assert_int_equal(sftp.last.state, ADDRESS_OK);
	chan_close(&sftp.chan), chan_close(&https.chan);
	worker_free(w);
}

/* A gate that says something is heard no more, and nobody else pays for it. */
static void
test_a_gate_that_talks(void **state)
{
	struct stage *s = *state;
	struct gate_end g;
	struct ipc_worker_gone lie = {.serial = 1};
	struct worker_end *w = from(s, OTHER_PEER);

	link_gate(s, &g, ROOM_GATE_HTTPS);
	g.chan.self = ROOM_SUPERVISOR; /* its own checks would stop it */
	assert_int_equal(chan_send_worker_gone(&g.chan, &lie, -1), SP_OK);
	run_ms(s, 20);
	assert_int_equal(s->b->addresses->gate[ROOM_GATE_HTTPS].fd, -1);
	assert_int_equal(ASK(w, org_get, .org = 0), IPC_ORG);
	chan_close(&g.chan);
	worker_free(w);
}

/* One that does not read holds nobody up, and hears the rest later. */
static void
test_a_gate_that_sleeps(void **state)
{
	struct stage *s = *state;
	struct rep_limits l = addresses_limits(s->b);
	struct gate_end g;
	struct prefix p;
	char host[32];

	link_gate(s, &g, ROOM_GATE_SFTP);
	s->b->addresses->is_quiet = true;
	for (unsigned i = 0; i < 12000; i++) {
		(void)snprintf(host, sizeof(host), "10.1.%u.%u", i >> 8, i & 255);
		assert_int_equal(prefix_parse(span_str(host), &p), SP_OK);
		rep_score(s->b->addresses->book, &p, 40, REP_WEAK, "x", &l, addresses_now(s->b));
	}
	s->b->addresses->is_quiet = false;
	run_ms(s, 20);
	for (int i = 0; i < 200 && g.told < 12000; i++) {
		hear(s, &g);
		addresses_idle(s->b);
	}
	assert_int_equal(g.told, 12000);
	assert_false(rep_is_pending(s->b->addresses->book));
	chan_close(&g.chan);
}

/* ---- restarts ---- */

static void
ban(struct stage *s, const char *peer)
{
	addresses_score(s->b, peer, CONTACT_PROBE, 100);
	run_ms(s, 50);
}

static void
test_kept(void **state)
{
	struct stage *s = *state;
	unsigned before;

	ban(s, SCANNER_PEER);
	ban(s, "[2001:db8::1]:5");
	before = count_events(s, EVENT_ADDRESS_BANNED);
	broker_killed(s);
	broker_up(s);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_REFUSE);
	assert_int_equal(state_of(s, "[2001:db8::77]:5"), ADDRESS_REFUSE);
	assert_int_equal(state_of(s, OTHER_PEER), ADDRESS_OK);
	assert_int_equal(count_events(s, EVENT_ADDRESS_BANNED), before); /* no news */
	/* over, and remembered: the next is longer */
	now_us += 3601 * 1000000ll;
	broker_down(s);
	broker_up(s);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_OK);
	ban(s, SCANNER_PEER);
	now_us += 2 * 3600 * 1000000ll - 5000000;
	broker_down(s);
	broker_up(s);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_REFUSE);
}

/* A wall clock that was set back by years does not make a ban last for years. */
static void
test_clock_set_back(void **state)
{
	struct stage *s = *state;
	int64_t was_us = now_us;

	ban(s, SCANNER_PEER);
	broker_down(s);
	now_us -= 10ll * 365 * 86400 * 1000000;
	broker_up(s);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_REFUSE);
	now_us += s->b->start.conf.ban_time_max * 1000000 + 1000000;
	addresses_tick(s->b), addresses_idle(s->b);
	assert_int_equal(state_of(s, SCANNER_PEER), ADDRESS_SLOW);
	now_us = was_us;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_own_address),
	    RING(test_lies),
	    RING(test_flood),
	    RING(test_after_login),
	    RING(test_driven_by_a_page),
	    RING(test_allowed),
	    RING(test_logins),
	    RING(test_lockout_first),
	    RING(test_crashes),
	    RING(test_gates_hear),
	    RING(test_a_gate_that_talks),
	    RING(test_a_gate_that_sleeps),
	    RING(test_kept),
	    RING(test_clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
