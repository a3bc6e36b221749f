/* signer_ssh_test.c - the real signer, and workers of the SFTP door that were taken over: what they
 * cannot have signed. */
#include <stdlib.h>

#include "base/mem.h"
#include "signer_ssh_play.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define EXIT_CONFIG 78

/* ---- what is allowed ---- */

static void
test_every_method_and_key(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = worker(p);

	assert_int_equal(types_of(p, &c), 15);
	chan_close(&c);
	for (unsigned method = SSH_KEX_CURVE25519; method <= SSH_KEX_NISTP384; method++)
		for (unsigned type = 1; type <= SSH_HOST_RSA_SHA512; type <<= 1) {
			c = first(p, &in, method, type);
			chan_close(&c);
		}
}

static void
test_old_version_line(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = worker(p);

	input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	in.m.v_c = SPAN_LIT("SSH-1.99-PuTTY");
	ask(&c, &in);
	answered(p, &c, &in);
	vouched(p, &in, p->serial);
	chan_close(&c);
}

static void
test_rekeys_after_the_login(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = first(p, &in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	struct chan_msg m;

	logged_in(p, p->serial);
	input_make(&in, SSH_KEX_NISTP384, SSH_HOST_ED25519);
	in.i_c[2] = 0x77;
	ask(&c, &in); /* on another socket, right behind it */
	answered(p, &c, &in);
	/* the session identifier stays the first hash */
	assert_int_equal(stage_poll(&p->s, &p->broker, STAGE_QUIET_MS, &m), 0);
	chan_close(&c);
}

static void
test_the_rate_of_rekeys(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = first(p, &in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	int64_t began = clock_mono_ms(), most;
	int n = 0;

	logged_in(p, p->serial);
	for (; n < SSH_REKEY_BURST; n++) {
		ask(&c, &in);
		answered(p, &c, &in);
	}
	clock_sleep_ms(SSH_REKEY_EVERY_MS + 50); /* time is saved up again */
	ask(&c, &in);
	answered(p, &c, &in);
	for (n++;; n++) { /* as fast as it can */
		struct chan_msg m;

		ask(&c, &in);
		if (stage_poll(&p->s, &c, STAGE_WAIT_MS, &m) != 1)
			break;
		most = SSH_REKEY_BURST + (clock_mono_ms() - began) / SSH_REKEY_EVERY_MS + 1;
		assert_true(n < most);
	}
	cut(p, &c, p->serial);
	works(p);
}

/* ---- what is refused ---- */

static void
test_a_second_first_hash(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = first(p, &in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);

	ask(&c, &in); /* the very same */
	cut(p, &c, p->serial);
	c = first(p, &in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	in.i_c[5] = 1; /* another connection's: nobody has logged in on this one */
	ask(&c, &in);
	cut(p, &c, p->serial);
	works(p);
}

/* Whoever has all inputs of an earlier connection does not get its session identifier for another:
 * the signature that a client made for that one would be good there. */
static void
test_the_same_session_again(void **state)
{
	struct play *p = *state;
	struct input in, fresh;
	struct chan c = first(p, &in, SSH_KEX_CURVE25519, SSH_HOST_ED25519), d = worker(p);

	ask(&d, &in);
	cut(p, &d, p->serial);
	chan_close(&c);
	d = first(p, &fresh, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	assert_memory_not_equal(in.i_s + 1, fresh.i_s + 1, 16);
	chan_close(&d);
	/* one that never asked for a cookie */
	c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_SFTP);
	ask(&c, &in);
	cut(p, &c, p->serial);
	works(p);
}

static void
test_the_version_line_stays(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = first(p, &in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);

	logged_in(p, p->serial);
	in.m.v_c = SPAN_LIT("SSH-2.0-another");
	ask(&c, &in);
	cut(p, &c, p->serial);
}

typedef void (*spoil)(struct input *in);

#define SPOIL(name, statement)                                                                     \
	static void spoil_##name(struct input *in)                                                 \
	{                                                                                          \
		statement;                                                                         \
	}
SPOIL(v_s, in->m.v_s = SPAN_LIT("SSH-2.0-Sallyport"))
SPOIL(v_s_longer, in->m.v_s = SPAN_LIT(SSH_VERSION_STRING " "))
SPOIL(v_s_none, in->m.v_s = SPAN_LIT(""))
SPOIL(v_c_none, in->m.v_c = SPAN_LIT(""))
SPOIL(v_c_old, in->m.v_c = SPAN_LIT("SSH-1.5-old"))
SPOIL(v_c_other, in->m.v_c = SPAN_LIT("HTTP/1.1 200 OK"))
SPOIL(v_c_lines, in->m.v_c = SPAN_LIT("SSH-2.0-a\r\nSSH-2.0-b"))
SPOIL(i_c_number, in->i_c[0] = 21)
SPOIL(i_s_number, in->i_s[0] = 0)
SPOIL(cookie_begin, in->i_s[1] ^= 1)
SPOIL(cookie_end, in->i_s[16] ^= 1)
SPOIL(i_c_short, in->m.i_c.len = 61)
SPOIL(i_s_short, in->m.i_s.len = 16)
SPOIL(i_c_none, in->m.i_c.len = 0)
SPOIL(i_s_none, in->m.i_s.len = 0)
SPOIL(q_c_short, in->m.q_c.len--)
SPOIL(q_c_long, in->m.q_c.len++)
SPOIL(q_c_none, in->m.q_c.len = 0)
SPOIL(q_s_short, in->m.q_s.len--)
SPOIL(q_s_long, in->m.q_s.len++)
SPOIL(q_s_none, in->m.q_s.len = 0)
SPOIL(k_short, in->m.k.len--)
SPOIL(k_long, in->m.k.len++)
SPOIL(k_none, in->m.k.len = 0)
SPOIL(method_none, in->m.method = 0)
SPOIL(method_other, in->m.method = SSH_KEX_NISTP384) /* whose lengths are others */
SPOIL(key_none, in->m.host_key = 0)
SPOIL(key_two, in->m.host_key = SSH_HOST_ED25519 | SSH_HOST_ECDSA_P256)
SPOIL(key_both_rsa, in->m.host_key = SSH_HOST_RSA_SHA256 | SSH_HOST_ED25519)

static void
test_wrong_inputs(void **state)
{
	static const spoil all[] = {spoil_v_s, spoil_v_s_longer, spoil_v_s_none, spoil_v_c_none,
	    spoil_v_c_old, spoil_v_c_other, spoil_v_c_lines, spoil_i_c_number, spoil_i_s_number,
	    spoil_cookie_begin, spoil_cookie_end, spoil_i_c_short, spoil_i_s_short, spoil_i_c_none,
	    spoil_i_s_none, spoil_q_c_short, spoil_q_c_long, spoil_q_c_none, spoil_q_s_short,
	    spoil_q_s_long, spoil_q_s_none, spoil_k_short, spoil_k_long, spoil_k_none,
	    spoil_method_none, spoil_method_other, spoil_key_none, spoil_key_two,
	    spoil_key_both_rsa};
	struct play *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct input in;
		struct chan c = worker(p);
		uint8_t body[IPC_SIZE_SSH_KEX];
		struct wr w = wr_of(body, sizeof(body));

		input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
		all[i](&in);
		if (ipc_put_ssh_kex(&w, &in.m) == SP_OK) {
			stage_raw(&c, IPC_SSH_KEX, wr_span(&w), 0);
			cut(p, &c, p->serial);
		} else { /* beyond what the row lets pass: test_every_message */
			chan_close(&c);
		}
	}
	works(p);
}

/* A worker of each door asks what only the other's may. */
static void
test_the_other_door(void **state)
{
	struct play *p = *state;
	struct ipc_tls_sign tls = {.scheme = 0x0403};
	uint8_t body[1024], input[64 + 34 + 32];
	struct wr w = wr_of(body, sizeof(body));
	struct input in;
	struct chan c = worker(p);

	memset(input, 0x20, 64);
	memcpy(input + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(input + 98, 0x77, 32);
	tls.input = span_of(input, sizeof(input));
	assert_int_equal(ipc_put_tls_sign(&w, &tls), SP_OK);
	stage_raw(&c, IPC_TLS_SIGN, wr_span(&w), 0);
	cut(p, &c, p->serial);
	c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_HTTPS);
	input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	w = wr_of(body, sizeof(body));
	assert_int_equal(ipc_put_ssh_kex(&w, &in.m), SP_OK);
	stage_raw(&c, IPC_SSH_KEX, wr_span(&w), 0);
	cut(p, &c, p->serial);
	c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_HTTPS);
	stage_raw(&c, IPC_SSH_KEYS_GET, SPAN_LIT("\0"), 0);
	cut(p, &c, p->serial);
	works(p);
}

static void
from_worker(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct play *p = arg;
	struct chan c = worker(p);

	(void)name;
	stage_raw(&c, id, body, 0);
	if (id == IPC_SSH_KEYS_GET && !malformed) {
		(void)stage_take(&p->s, &c, IPC_SSH_KEYS);
		chan_close(&c);
	} else {
		cut(p, &c, p->serial);
	}
	stage_gone(&p->s, p->serial);
}

static void
test_every_message(void **state)
{
	every_message(from_worker, *state);
	works(*state);
}

static void
test_descriptors(void **state)
{
	struct play *p = *state;
	uint8_t body[1024];
	struct wr w = wr_of(body, sizeof(body));
	struct input in;
	struct chan c = worker(p);

	input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	assert_int_equal(ipc_put_ssh_kex(&w, &in.m), SP_OK);
	stage_raw(&c, IPC_SSH_KEX, wr_span(&w), 1);
	cut(p, &c, p->serial);
	works(p);
}

/* ---- the broker ---- */

static void
unavailable(struct play *p, struct chan *c)
{
	struct ipc_ssh_signature r;

	assert_int_equal(ipc_get_ssh_signature(stage_take(&p->s, c, IPC_SSH_SIGNATURE), &r), SP_OK);
	assert_int_equal(r.err, -SP_EUNAVAIL);
	assert_int_equal(r.hash.len, 0);
	assert_int_equal(r.signature.len, 0);
}

/* Nobody could be told: nothing is signed, and it was this worker's one time. */
static void
test_no_broker(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = worker(p);

	chan_close(&p->broker);
	input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
	ask(&c, &in);
	unavailable(p, &c);
	p->broker = stage_link(&p->s, ROOM_BROKER);
	ask(&c, &in);
	cut(p, &c, p->serial);
	works(p);
}

static void
test_a_broker_that_does_not_read(void **state)
{
	struct play *p = *state;
	struct chan_msg m;
	struct input in;
	bool refused = false;

	for (int i = 0; i < 5000 && !refused; i++) {
		struct ipc_ssh_signature r;
		struct chan c = worker(p);

		input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ED25519);
		ask(&c, &in);
		assert_int_equal(
		    ipc_get_ssh_signature(stage_take(&p->s, &c, IPC_SSH_SIGNATURE), &r), SP_OK);
		refused = r.err == -SP_EUNAVAIL;
		assert_true(refused || r.err == 0);
		chan_close(&c);
		stage_gone(&p->s, p->serial);
	}
	assert_true(refused);
	while (stage_poll(&p->s, &p->broker, 0, &m) == 1)
		;
	works(p); /* it has caught up */
}

/* A room proper that lies: serial 0, and its socket is closed. */
static void
broker_cut(struct play *p)
{
	stage_violation(&p->s, 0);
	stage_closed(&p->s, &p->broker);
	chan_close(&p->broker);
	p->broker = stage_link(&p->s, ROOM_BROKER);
	works(p);
}

static void
test_a_broker_that_lies(void **state)
{
	struct play *p = *state;
	struct chan c = worker(p), d = stage_worker(&p->s, ++p->serial, ROOM_WORKER_HTTPS);
	struct input in;

	logged_in(p, 7); /* it has ended */
	works(p);
	logged_in(p, p->serial - 2); /* has no session yet */
	broker_cut(p);
	logged_in(p, p->serial - 2);
	broker_cut(p);
	stage_raw(&p->broker, IPC_SSH_LOGGED_IN, SPAN_LIT("x"), 0);
	broker_cut(p);
	stage_raw(&p->broker, IPC_SSH_KEX, SPAN_LIT("x"), 0);
	broker_cut(p);
	stage_raw(&p->broker, 0xffff, SPAN_LIT(""), 0);
	broker_cut(p);
	chan_close(&c);
	chan_close(&d);
	c = first(p, &in, SSH_KEX_NISTP256, SSH_HOST_RSA_SHA512);
	chan_close(&c);
}

/* ---- keys ---- */

static void
test_fips(void **state)
{
	struct play *p = *state;
	struct input in;
	struct chan c = worker(p);

	assert_int_equal(types_of(p, &c), 14);
	input_make(&in, SSH_KEX_CURVE25519, SSH_HOST_ECDSA_P256);
	ask(&c, &in);
	cut(p, &c, p->serial);
	c = worker(p);
	input_make(&in, SSH_KEX_NISTP256, SSH_HOST_ED25519);
	ask(&c, &in);
	cut(p, &c, p->serial);
	works(p);
}

static void
send_reload(struct play *p)
{
	struct ipc_reload m = {.generation = 2};
	int fd = memfd_of("conf", SPAN_LIT("Name test\n"));

	assert_int_equal(chan_send_reload(&p->s.supervisor, &m, fd), SP_OK);
	close_fd(&fd);
}

static void
test_reload(void **state)
{
	struct play *p = *state;
	struct ssh_host_key_pair *next = NULL;
	uint8_t pem[PEM_MAX];
	size_t len;
	struct input in, fresh;
	struct chan old = first(p, &in, SSH_KEX_NISTP256, SSH_HOST_ED25519), c;

	logged_in(p, p->serial);
	stage_bytes(&p->s, FILE_SSH_ED25519, SPAN_LIT("no key"));
	send_reload(p);
	works(p); /* with the old ones */
	assert_int_equal(ssh_host_key_make(SSH_HOST_ED25519, pem, sizeof(pem), &len), SP_OK);
	assert_int_equal(ssh_host_key_load(span_of(pem, len), &next), SP_OK);
	stage_bytes(&p->s, FILE_SSH_ED25519, span_of(pem, len));
	send_reload(p);
	c = worker(p);
	assert_int_equal(types_of(p, &c), SSH_HOST_ED25519);
	input_make(&fresh, SSH_KEX_NISTP256, SSH_HOST_ED25519);
	ask(&c, &fresh);
	answered_by(p, &c, &fresh, next);
	chan_close(&c);
	(void)stage_take(&p->s, &p->broker, IPC_SSH_VOUCH);
	/* a connection of before keeps its host key */
	ask(&old, &in);
	answered(p, &old, &in);
	chan_close(&old);
	ssh_host_key_free(next);
}

static void
dies(struct span conf, struct span host, const char *sentence)
{
	struct stage s;

	stage_start(&s, ROOM_SIGNER, getenv("SIGNER"));
	stage_bytes(&s, FILE_CONF, conf);
	stage_bytes(&s, FILE_TLS_KEY, tls_key());
	stage_bytes(&s, FILE_SSH_ED25519, host);
	assert_int_equal(chan_send_go(&s.supervisor, &(struct ipc_go){.generation = 1}, -1), SP_OK);
	stage_closed(&s, &s.supervisor);
	stage_died(&s, EXIT_CONFIG, sentence);
}

static void
test_bad_starts(void **state)
{
	(void)state;
	dies(SPAN_LIT("Name test\n"), SPAN_LIT("hello"),
	    "keys/ssh_host_ed25519.key: it holds no unencrypted PEM");
	dies(SPAN_LIT("Name test\nFips yes\n"), span_of(hosts[0].pem, hosts[0].len),
	    "is not approved");
}

/* The SFTP door is closed: there are no host keys, and nothing is signed with the TLS key instead.
 */
static void
test_no_host_keys(void **state)
{
	struct play p = {.serial = 100};
	struct input in;
	struct chan c;

	(void)state;
	stage_start(&p.s, ROOM_SIGNER, getenv("SIGNER"));
	stage_bytes(&p.s, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_bytes(&p.s, FILE_TLS_KEY, tls_key());
	p.broker = stage_link(&p.s, ROOM_BROKER);
	stage_go(&p.s);
	c = worker(&p);
	assert_int_equal(types_of(&p, &c), 0);
	for (unsigned type = 0; type <= SSH_HOST_RSA_SHA512; type++) {
		input_make(&in, SSH_KEX_NISTP256, type);
		ask(&c, &in);
		cut(&p, &c, p.serial);
		c = worker(&p);
	}
	chan_close(&c);
	assert_int_equal(stage_end(&p.s), 0);
	chan_close(&p.broker);
}

#define PLAY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLAY(test_every_method_and_key),
	    PLAY(test_old_version_line),
	    PLAY(test_rekeys_after_the_login),
	    PLAY(test_the_rate_of_rekeys),
	    PLAY(test_a_second_first_hash),
	    PLAY(test_the_same_session_again),
	    PLAY(test_the_version_line_stays),
	    PLAY(test_wrong_inputs),
	    PLAY(test_the_other_door),
	    PLAY(test_every_message),
	    PLAY(test_descriptors),
	    PLAY(test_no_broker),
	    PLAY(test_a_broker_that_does_not_read),
	    PLAY(test_a_broker_that_lies),
	    cmocka_unit_test_setup_teardown(test_fips, setup_fips, teardown),
	    PLAY(test_reload),
	    cmocka_unit_test(test_bad_starts),
	    cmocka_unit_test(test_no_host_keys),
	};

	return cmocka_run_group_tests(tests, make_hosts, free_hosts);
}
