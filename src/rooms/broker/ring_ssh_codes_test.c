/* ring_ssh_codes_test.c - passwords, methods that are needed together, one-time codes, and what
 * failures cost, against the whole broker. */
#include "rooms/broker/ring_ssh_stage.h"

/* ---- passwords, methods together, codes ---- */

static void
test_secrets(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_ssh(s);
	struct reply r;

	add_authenticator(s);
	s->auth_says = false;
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "no", &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=password\n");
	s->auth_says = true;
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=method out of turn\n");
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", &r), SSH_AUTH_DONE);
	SAYS(s, "proof=keyboard-interactive\n");
	worker_free(w);
	w = connect_ssh(s);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_DONE);
	SAYS(s, "proof=password\n");
	/* after the login there is no other */
	struct ipc_login_secret m = {.user = TEXT("alice"), .secret = TEXT("pw")};
	assert_int_equal(chan_send_login_secret(&w->chan, &m, -1), SP_OK);
	run_ms(s, 30);
	assert_true(w->is_closed);
	worker_free(w);
}

static void
test_together(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};
	struct reply r;

	key_register(s, 1, k);
	methods_set(s, "publickey,keyboard-interactive publickey,password");
	add_authenticator(s);
	/* a right password before its turn is worth nothing, and nobody is told so */
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_REFUSED);
	assert_string_equal(r.methods, "publickey,password,keyboard-interactive");
	SAYS(s, "reason=method out of turn\n");
	assert_int_equal(by_key(w, &g, true, &r), SSH_AUTH_KEY_OK);
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_PARTIAL);
	assert_string_equal(r.methods, "password,keyboard-interactive");
	assert_false(r.code);
	assert_int_equal(sessions(s), 0);
	/* the same proof again is no second one */
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	s->auth_says = false;
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "no", &r), SSH_AUTH_REFUSED);
	assert_string_equal(r.methods, "password,keyboard-interactive");
	s->auth_says = true;
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", &r), SSH_AUTH_DONE);
	SAYS(s, "proof=publickey,keyboard-interactive\n");
	worker_free(w);
	/* what was proved on one connection counts on no other */
	w = connect_ssh(s);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", &r), SSH_AUTH_REFUSED);
	worker_free(w);
	/* a password that is changed between the two steps was not proved */
	methods_set(s, "password,publickey");
	w = connect_ssh(s);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_PARTIAL);
	assert_string_equal(r.methods, "publickey");
	assert_int_equal(
	    sql_run(s->b->db, SQL_USER_SET_PHC, SI(1), ST(TEXT("$argon2id$v=19$y")), SI(now_us)),
	    SP_OK);
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=the account has changed\n");
	worker_free(w);
	ssh_host_key_free(k);
}

/* A certificate has to be good when the login is complete, not only when it was shown. */
static void
test_certificate_runs_out(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new(), *ca = key_new();
	struct worker_end *w = connect_ssh(s);
	struct cert c;
	struct sign g = {
	    .user = "alice", .key = k, .algorithm = "ssh-ed25519-cert-v01@openssh.com"};
	struct reply r;

	ca_register(s, ca);
	cert_make(&c, k, ca, 1, "alice", now_us / 1000000 + 60, NULL);
	g.offered = span_of(c.b, c.len);
	methods_set(s, "publickey,password");
	add_authenticator(s);
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_PARTIAL);
	now_us += 61 * 1000000ll;
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_REFUSED);
	assert_int_equal(sessions(s), 0);
	worker_free(w);
	ssh_host_key_free(k), ssh_host_key_free(ca);
}

static void
test_codes(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s), *two = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};
	struct reply r;
	unsigned releases;

	key_register(s, 1, k);
	enrol(s);
	add_authenticator(s);
	/* in the exchange of the password */
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_REFUSED);
	assert_int_equal(s->n_releases, 0);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", &r), SSH_AUTH_CODE);
	assert_true(r.code);
	assert_int_equal(s->n_releases, 0);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "654321", &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=one-time code\n");
	assert_false(r.code);
	assert_int_equal(count_events(s, EVENT_OTP_CHECKED), 1);
	/* a wrong one ends the exchange: the right one alone is not enough now */
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_REFUSED);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", &r), SSH_AUTH_CODE);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_DONE);
	SAYS(s, "proof=keyboard-interactive,code\n");
	/* the very code again, from a second connection: used up; behind a key as well */
	releases = s->n_releases;
	assert_int_equal(by_key(two, &g, false, &r), SSH_AUTH_PARTIAL);
	assert_string_equal(r.methods, "keyboard-interactive");
	assert_true(r.code);
	assert_int_equal(by_secret(two, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_REFUSED);
	assert_true(r.code);
	assert_int_equal(by_secret(two, "alice", SSH_SECRET_CODE, "", &r), SSH_AUTH_REFUSED);
	assert_int_equal(s->n_releases, releases + 1);
	/* no other method does for it */
	assert_int_equal(by_secret(two, "alice", SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_REFUSED);
	now_us += 30 * 1000000ll;
	assert_int_equal(by_secret(two, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_DONE);
	SAYS(s, "proof=publickey,code\n");
	worker_free(w), worker_free(two);
	/* the method password cannot ask in its own exchange */
	now_us += 30 * 1000000ll;
	w = connect_ssh(s);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_PARTIAL);
	assert_true(r.code);
	assert_string_equal(r.methods, "keyboard-interactive");
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "123456", &r), SSH_AUTH_DONE);
	worker_free(w);
	ssh_host_key_free(k);
}

/* Two connections show one code at once: one of them is let in. */
static void
test_code_race(void **state)
{
	struct stage *s = *state;
	struct worker_end *w[2] = {connect_ssh(s), connect_ssh(s)};
	struct ipc_login_secret m = {
	    .user = TEXT("alice"), .kind = SSH_SECRET_CODE, .secret = TEXT("123456")};
	unsigned in = 0;

	enrol(s);
	for (int i = 0; i < 2; i++) {
		add_authenticator(s);
		assert_int_equal(
		    by_secret(w[i], "alice", SSH_SECRET_PROMPTED, "pw", NULL), SSH_AUTH_CODE);
		w[i]->has = false;
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(chan_send_login_secret(&w[i]->chan, &m, -1), SP_OK);
	for (int tries = 0; tries < 100 && !(w[0]->has && w[1]->has); tries++)
		run_ms(s, 20);
	for (int i = 0; i < 2; i++)
		in += state_of(w[i], w[i]->id, NULL) == SSH_AUTH_DONE;
	assert_int_equal(in, 1);
	assert_int_equal(sessions(s), 1);
	worker_free(w[0]), worker_free(w[1]);
}

/* The vault or the ledger does not play: nobody is let in, and nobody is charged. */
static void
test_code_refused(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_ssh(s);

	enrol(s);
	add_authenticator(s);
	s->refuses = true;
	for (int i = 0; i < 7; i++) {
		add_authenticator(s);
		assert_int_equal(
		    by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", NULL), SSH_AUTH_CODE);
		REFUSES(w, SP_EUNAVAIL, login_secret, .user = TEXT("alice"),
		    .kind = SSH_SECRET_CODE, .secret = TEXT("123456"));
	}
	s->refuses = false;
	add_authenticator(s);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", NULL), SSH_AUTH_CODE);
	assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "123456", NULL), SSH_AUTH_DONE);
	worker_free(w);
}

/* The second factor holds at the HTTPS door too. */
static void
test_code_https(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0);

	enrol(s);
	add_authenticator(s);
	s->auth_says = false;
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("no"));
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("no"),
	    .code = TEXT("123456"));
	assert_int_equal(s->n_releases, 0);
	s->auth_says = true;
	for (int i = 0; i < 6; i++)
		REFUSES(
		    w, SP_ENEEDCODE, login_password, .user = TEXT("alice"), .password = TEXT("pw"));
	assert_int_equal(sessions(s), 0);
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("pw"),
	    .code = TEXT("000000"));
	assert_int_equal(ASK(w, login_password, .user = TEXT("alice"), .password = TEXT("pw"),
			     .code = TEXT("123456")),
	    IPC_SESSION);
	SAYS(s, "proof=password,code\n");
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("pw"),
	    .code = TEXT("123456"));
	SAYS(s, "reason=one-time code");
	worker_free(w);
}

static void
take_ticket(struct worker_end *w, char ticket[64])
{
	struct ipc_ticket m;

	assert_int_equal(ASK(w, ticket_get, 0), IPC_TICKET);
	assert_int_equal(ipc_get_ticket(span_of(w->body, w->len), &m), SP_OK);
	(void)snprintf(ticket, 64, "%.*s", (int)m.ticket.len, (const char *)m.ticket.ptr);
}

/* A ticket stands for a right password: once, for its account, from its address, for a while. */
static void
test_tickets(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0), *two = connect_worker(s, 0),
			  *far = add_worker(s, ROOM_WORKER_HTTPS, 0, FAR, on_reply);
	char ticket[64], other[64];

	enrol(s);
	add_authenticator(s);
	REFUSES(w, SP_EAUTH, ticket_get, 0);
	s->auth_says = false;
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("no"));
	REFUSES(w, SP_EAUTH, ticket_get, 0);
	s->auth_says = true;
	REFUSES(w, SP_ENEEDCODE, login_password, .user = TEXT("alice"), .password = TEXT("pw"));
	REFUSES(two, SP_EAUTH, ticket_get, 0); /* another worker's */
	take_ticket(w, ticket);
	REFUSES(w, SP_EAUTH, ticket_get, 0);
	REFUSES(far, SP_EAUTH, login_ticket, .ticket = TEXT(ticket), .code = TEXT("123456"));
	SAYS(s, "reason=ticket of a password\n");
	REFUSES(two, SP_EAUTH, login_ticket, .ticket = TEXT("spm_x"), .code = TEXT("123456"));
	REFUSES(two, SP_EAUTH, login_ticket, .ticket = TEXT(ticket), .code = TEXT("000000"));
	SAYS(s, "reason=one-time code\n");
	assert_int_equal(
	    ASK(two, login_ticket, .ticket = TEXT(ticket), .code = TEXT("123456")), IPC_SESSION);
	SAYS(s, "proof=password,code\n");
	now_us += 60 * 1000000ll;
	REFUSES(two, SP_EAUTH, login_ticket, .ticket = TEXT(ticket), .code = TEXT("123456"));
	SAYS(s, "reason=ticket of a password\n");
	/* it ends with its time, and with its password */
	for (int i = 0; i < 2; i++) {
		REFUSES(
		    w, SP_ENEEDCODE, login_password, .user = TEXT("alice"), .password = TEXT("pw"));
		take_ticket(w, other);
		assert_string_not_equal(ticket, other);
		if (i == 0)
			now_us += 301 * 1000000ll;
		else
			assert_int_equal(sql_run(s->b->db, SQL_USER_SET_PHC, SI(1),
					     ST(TEXT("$argon2id$v=19$y")), SI(now_us)),
			    SP_OK);
		REFUSES(w, SP_EAUTH, login_ticket, .ticket = TEXT(other), .code = TEXT("123456"));
	}
	SAYS(s, "reason=the account has changed\n");
	worker_free(w), worker_free(two), worker_free(far);
}

/* What no authenticator takes is a wrong code: it costs, and nobody is asked. */
static void
test_code_long(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_ssh(s);
	unsigned kills;

	enrol(s);
	read_supervisor(s);
	kills = s->n_kills;
	for (int i = 0; i < 5; i++) {
		add_authenticator(s);
		assert_int_equal(
		    by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", NULL), SSH_AUTH_CODE);
		assert_int_equal(by_secret(w, "alice", SSH_SECRET_CODE, "12345678901234567", NULL),
		    SSH_AUTH_REFUSED);
		SAYS(s, "reason=one-time code\n");
	}
	REFUSES(w, SP_ELOCKOUT, login_secret, .user = TEXT("alice"), .secret = TEXT("pw"));
	read_supervisor(s);
	assert_int_equal(s->n_releases, 0);
	assert_int_equal(s->n_kills, kills);
	worker_free(w);
}

/* ---- limits ---- */

static void
test_lockout(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s), *far = connect_from(s, 0, FAR);
	struct sign g = {.user = "alice", .key = k};
	uint8_t other[32] = {0};

	key_register(s, 1, k);
	enrol(s);
	/* wrong codes cost as wrong passwords do, also when passwords are right in between */
	for (int i = 0; i < 5; i++) {
		add_authenticator(s);
		assert_int_equal(
		    by_secret(w, "alice", SSH_SECRET_PROMPTED, "pw", NULL), SSH_AUTH_CODE);
		assert_int_equal(
		    by_secret(w, "alice", SSH_SECRET_CODE, "000000", NULL), SSH_AUTH_REFUSED);
	}
	REFUSES(w, SP_ELOCKOUT, login_secret, .user = TEXT("alice"), .secret = TEXT("pw"));
	assert_int_equal(by_key(w, &g, false, NULL), -1);
	assert_err(failure(w), SP_ELOCKOUT);
	assert_true(count_events(s, EVENT_LOGIN_LOCKOUT) >= 2);
	/* and so do signatures */
	g.session = other;
	for (int i = 0; i < 5; i++)
		assert_int_equal(by_key(far, &g, false, NULL), SSH_AUTH_REFUSED);
	assert_int_equal(by_key(far, &g, false, NULL), -1);
	assert_err(failure(far), SP_ELOCKOUT);
	worker_free(w), worker_free(far);
	ssh_host_key_free(k);
}

static void
test_connections(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w[3];
	struct sign g = {.user = "alice", .key = k};
	struct ipc_failed m;

	s->b->start.conf.connections_per_user = 2;
	key_register(s, 1, k);
	for (int i = 0; i < 3; i++)
		w[i] = connect_ssh(s);
	assert_int_equal(by_key(w[0], &g, false, NULL), SSH_AUTH_DONE);
	assert_int_equal(by_key(w[1], &g, false, NULL), SSH_AUTH_DONE);
	assert_int_equal(by_key(w[2], &g, false, NULL), -1);
	assert_err(failure(w[2]), SP_EUNAVAIL);
	assert_int_equal(ipc_get_failed(span_of(w[2]->body, w[2]->len), &m), SP_OK);
	assert_span(m.detail, "this user has too many connections");
	SAYS(s, "reason=this user has too many connections\n");
	worker_free(w[0]);
	worker_free(w[2]);
	w[2] = connect_ssh(s);
	assert_int_equal(by_key(w[2], &g, false, NULL), SSH_AUTH_DONE);
	worker_free(w[1]), worker_free(w[2]);
	ssh_host_key_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_secrets),
	    RING(test_together),
	    RING(test_certificate_runs_out),
	    RING(test_codes),
	    RING(test_code_race),
	    RING(test_code_refused),
	    RING(test_code_long),
	    RING(test_code_https),
	    RING(test_tickets),
	    RING(test_lockout),
	    RING(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
