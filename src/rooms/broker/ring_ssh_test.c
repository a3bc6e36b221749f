/* ring_ssh_test.c - logins by key and certificate against the whole broker; the test plays signer,
 * workers and authenticators, and has the clients' keys. */
#include "rooms/broker/ring_ssh_stage.h"

#include "rooms/broker/login.h"
#include "rooms/broker/ssh_keys.h"

/* ---- keys ---- */

static void
test_key(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new(), *other = key_new();
	struct worker_end *w = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};
	char fingerprint[SSH_FINGERPRINT_TEXT];
	struct reply r;

	/* the method none: what there is, and the name is fixed; nothing to record */
	assert_int_equal(
	    state_of(w, ASK(w, login_key, .user = TEXT("alice"), .algorithm = TEXT("none")), &r),
	    SSH_AUTH_REFUSED);
	assert_string_equal(r.methods, "publickey,password,keyboard-interactive");
	assert_int_equal(count_events(s, EVENT_LOGIN_FAILED), 0);
	assert_int_equal(by_key(w, &g, true, &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=unknown key SHA256:");
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=unknown key");
	key_register(s, 1, k);
	g.key = other;
	assert_int_equal(by_key(w, &g, true, &r), SSH_AUTH_REFUSED);
	g.key = k;
	assert_int_equal(by_key(w, &g, true, &r), SSH_AUTH_KEY_OK);
	/* a yes to the question is no login */
	assert_int_equal(sessions(s), 0);
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_DONE);
	assert_int_equal(ssh_key_fingerprint(ssh_host_key_blob(k), fingerprint), SP_OK);
	SAYS(s, "alice\n");
	SAYS(s, "proof=publickey\n");
	SAYS(s, fingerprint);
	SAYS(s, "agent=" AGENT "\n");
	SAYS(s, "algorithms=curve25519-sha256,aes256-gcm\n");
	assert_int_equal(logged_in(s), 1);
	assert_int_equal(count_events(s, EVENT_LOGIN), 1);
	assert_int_equal(ASK(w, self, 0), IPC_USER);
	/* the session lasts as long as its connection: neither idleness nor age ends it */
	now_us += 30 * 86400 * 1000000ll;
	run_ms(s, 60);
	assert_int_equal(ASK(w, self, 0), IPC_USER);
	assert_int_equal(sessions(s), 1);
	worker_free(w);
	run_ms(s, 30);
	assert_int_equal(sessions(s), 0);
	assert_int_equal(count_events(s, EVENT_LOGOUT), 1);
	ssh_host_key_free(k), ssh_host_key_free(other);
}

/* What a signature is over is what the broker knows, and not what a worker says. */
static void
test_not_this_login(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s), *bob = connect_ssh(s), *victim = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};
	uint8_t other[32], sig[SSH_SIG_BLOB_MAX];
	struct reply r;
	size_t n;

	key_register(s, 1, k);
	/* of another session: replayed, or relayed by a server that somebody else runs */
	session_of(victim->serial, other);
	g.session = other;
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=signature\n");
	g.session = NULL;
	/* for another user, whose key it is not */
	g.user = "bob";
	assert_int_equal(by_key(bob, &g, false, &r), SSH_AUTH_REFUSED);
	SAYS(s, "reason=unknown key");
	/* over another name */
	g.user = "alice";
	g.signed_user = "bob";
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	g.signed_user = NULL;
	/* every bit of it counts */
	n = signature(w, &g, sig, sizeof(sig));
	for (size_t i = 0; i < n; i += 7) {
		now_us += 3600 * 1000000ll; /* nobody is locked out meanwhile */
		sig[i] ^= 4;
		assert_int_equal(
		    state_of(w,
			ASK(w, login_key, .user = TEXT("alice"), .algorithm = TEXT("ssh-ed25519"),
			    .key = ssh_host_key_blob(k), .signature = span_of(sig, n)),
			&r),
		    SSH_AUTH_REFUSED);
		sig[i] ^= 4;
	}
	/* an algorithm that is not the key's, or none that is accepted */
	g.algorithm = "ssh-rsa";
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	g.algorithm = "rsa-sha2-512";
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
	g.algorithm = "ssh-ed25519,ssh-rsa";
	assert_int_equal(by_key(w, &g, true, &r), SSH_AUTH_REFUSED);
	assert_int_equal(count_events(s, EVENT_LOGIN), 0);
	now_us += 3600 * 1000000ll;
	g.algorithm = NULL;
	assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_DONE);
	worker_free(w), worker_free(bob), worker_free(victim);
	ssh_host_key_free(k);
}

static void
test_names(void **state)
{
	static const char *const none[] = {"", "nobody", "../alice", "/etc/passwd", "al\tice",
	    "root" /* an administrator at the public door */,
	    "a123456789012345678901234567890123456789012345678901234567890123456789"};
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	unsigned before = 0;

	key_register(s, 1, k);
	key_register(s, 3, k);
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct worker_end *w = connect_ssh(s);
		struct sign g = {.user = none[i], .key = k};
		struct reply r;

		add_authenticator(s);
		assert_int_equal(by_key(w, &g, true, &r), SSH_AUTH_REFUSED);
		assert_int_equal(by_key(w, &g, false, &r), SSH_AUTH_REFUSED);
		assert_string_equal(r.methods, "publickey,password,keyboard-interactive");
		assert_int_equal(
		    by_secret(w, none[i], SSH_SECRET_PASSWORD, "pw", &r), SSH_AUTH_REFUSED);
		assert_int_equal(
		    by_secret(w, none[i], SSH_SECRET_PROMPTED, "pw", &r), SSH_AUTH_REFUSED);
		assert_string_equal(r.methods, "publickey,password,keyboard-interactive");
		assert_int_equal(count_events(s, EVENT_LOGIN_FAILED), before + 4);
		before += 4;
		worker_free(w);
		now_us += 3600 * 1000000ll;
	}
	struct worker_end *w = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};

	/* the first name stays, whatever was asked with it */
	assert_int_equal(
	    state_of(w, ASK(w, login_key, .user = TEXT("bob"), .algorithm = TEXT("none")), NULL),
	    SSH_AUTH_REFUSED);
	assert_int_equal(by_key(w, &g, false, NULL), -1);
	assert_err(failure(w), SP_EMISDIRECT);
	SAYS(s, "alice\n");
	SAYS(s, "reason=changed user name\n");
	REFUSES(w, SP_EMISDIRECT, login_secret, .user = TEXT("Bob"), .secret = TEXT("pw"));
	worker_free(w);
	/* at the administration listener the same key lets the administrator in */
	w = connect_from(s, 1, FAR);
	g.user = "root";
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	worker_free(w);
	ssh_host_key_free(k);
}

static void
test_questions(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};

	key_register(s, 1, k);
	for (int i = 0; i < 20; i++)
		assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_KEY_OK);
	assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_REFUSED);
	SAYS(s, "reason=too many keys");
	/* questions are no failures: the proof is still heard */
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	worker_free(w);
	ssh_host_key_free(k);
}

/* A key that is taken away, or an account, while its login is on its way. */
static void
test_taken_away(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};
	struct ipc_login_key m = {
	    .user = TEXT("alice"), .algorithm = TEXT("ssh-ed25519"), .key = ssh_host_key_blob(k)};
	uint8_t sig[SSH_SIG_BLOB_MAX];

	key_register(s, 1, k);
	m.signature = span_of(sig, signature(w, &g, sig, sizeof(sig)));
	s->is_mute = true;
	w->has = false;
	assert_int_equal(chan_send_login_key(&w->chan, &m, -1), SP_OK);
	run_ms(s, 30);
	assert_false(w->has);
	assert_int_equal(sql_run(s->b->db, SQL_SSH_KEY_REMOVE, SI(1)), SP_OK);
	s->is_mute = false;
	/* the ledger answers now */
	{
		struct ipc_recorded out = {.ref = s->b->next_ref, .entry = s->entry};

		assert_int_equal(chan_send_recorded(&s->ledger, &out, -1), SP_OK);
	}
	assert_int_equal(state_of(w, wait_reply(w), NULL), SSH_AUTH_REFUSED);
	assert_int_equal(sessions(s), 0);
	assert_int_equal(logged_in(s), 0);
	worker_free(w);
	/* suspended */
	key_register(s, 1, k);
	w = connect_ssh(s);
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_STATUS, SI(1), SI(1)), SP_OK);
	assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_REFUSED);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_REFUSED);
	SAYS(s, "reason=suspended\n");
	worker_free(w);
	ssh_host_key_free(k);
}

static void
test_certificates(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new(), *ca = key_new(), *rogue = key_new();
	int64_t until_s = now_us / 1000000 + 600;
	struct worker_end *w = connect_ssh(s);
	struct cert c;
	struct sign g = {
	    .user = "alice", .key = k, .algorithm = "ssh-ed25519-cert-v01@openssh.com"};
	static const struct {
		const char *principal, *from, *why;
		uint32_t type;
		int64_t after_s;
	} bad[] = {
	    {"bob", NULL, NULL, 1, 0},
	    {"alice", NULL, "certificate", 2, 0},
	    {"alice", NULL, NULL, 1, 601},
	    {"alice", "10.9.0.0/16", NULL, 1, 0},
	};

	cert_make(&c, k, ca, 1, "alice", until_s, NULL);
	g.offered = span_of(c.b, c.len);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_REFUSED);
	SAYS(s, "reason=certificate of an unknown authority\n");
	ca_register(s, ca);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cert_make(&c, k, ca, bad[i].type, bad[i].principal, until_s - bad[i].after_s,
		    bad[i].from);
		g.offered = span_of(c.b, c.len);
		assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_REFUSED);
		now_us += 1;
		if (bad[i].why != NULL)
			SAYS(s, bad[i].why);
	}
	/* signed by somebody else who says to be the authority: the blob's own end differs */
	cert_make(&c, k, ca, 1, "alice", until_s, NULL);
	c.b[c.len - 1] ^= 1;
	g.offered = span_of(c.b, c.len);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_REFUSED);
	SAYS(s, "reason=certificate's signature\n");
	/* the certificate is good, and the one who shows it has not its key */
	cert_make(&c, k, ca, 1, "alice", until_s, "10.1.2.0/24,192.0.2.1");
	g.offered = span_of(c.b, c.len);
	g.key = rogue;
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_REFUSED);
	SAYS(s, "reason=signature\n");
	g.key = k;
	assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_KEY_OK);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	SAYS(s, "certificate=alice's laptop\n");
	SAYS(s, "certificate_serial=77\n");
	SAYS(s, "ca=SHA256:");
	worker_free(w);
	/* an authority of another organisation is none of alice's */
	w = connect_ssh(s);
	int64_t other = 0;
	assert_int_equal(db_org_add(s->b->db, TEXT("Rival"), now_us, &other), SP_OK);
	assert_int_equal(sql_run(s->b->db, SQL_SSH_CA_REMOVE, SI(1)), SP_OK);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_REFUSED);
	worker_free(w);
	ssh_host_key_free(k), ssh_host_key_free(ca), ssh_host_key_free(rogue);
}

static void
test_revoked(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = connect_ssh(s);
	struct sign g = {.user = "alice", .key = k};

	key_register(s, 1, k);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	/* as `session revoke` does it */
	assert_int_equal(sql_run(s->b->db, SQL_SESSION_REMOVE, SI(1)), SP_OK);
	worker_kill(s->b, 0, 1);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_kills, 1);
	assert_true(w->is_closed);
	worker_free(w);
	assert_int_equal(count_events(s, EVENT_LOGOUT), 0);
	/* sessions of connections do not outlive the broker */
	w = connect_ssh(s);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	struct session_tokens t = {.is_made = false};
	struct actor a = {.user = 2, .listener = 0};
	assert_int_equal(session_add(s->b, &a, DOOR_SFTP, &t), SP_OK);
	assert_int_equal(session_add(s->b, &a, DOOR_HTTPS, &t), SP_OK);
	assert_int_equal(sessions(s), 3);
	worker_free(w);
	broker_down(s);
	broker_up(s);
	assert_int_equal(sessions(s), 1);
	ssh_host_key_free(k);
}

/* ---- who vouches ---- */

static void
test_vouched(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = add_worker(s, ROOM_WORKER_SFTP, 0, FAR, on_reply);
	struct sign g = {.user = "alice", .key = k};
	struct ipc_login_key m = {.user = TEXT("alice"), .algorithm = TEXT("none")};

	key_register(s, 1, k);
	/* before anybody vouched there is no login */
	assert_int_equal(chan_send_login_key(&w->chan, &m, -1), SP_OK);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
	assert_true(w->is_closed);
	worker_free(w);
	/* what the signer said before the worker spoke is known, whichever is read first */
	for (int i = 0; i < 8; i++) {
		w = add_worker(s, ROOM_WORKER_SFTP, 0, FAR, on_reply);
		vouch(s, w);
		assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_KEY_OK);
		worker_free(w);
	}
	/* of a worker that is gone: nothing */
	w = connect_ssh(s);
	worker_free(w);
	run_ms(s, 30);
	/* a signer that vouches twice lies, and is started again */
	w = connect_ssh(s);
	vouch(s, w);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 2);
	assert_int_equal(s->b->signer.fd, -1);
	link_signer(s);
	/* the login of before goes on */
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	assert_int_equal(logged_in(s), 1);
	worker_free(w);
	/* nor for a worker of another door */
	w = connect_worker(s, 0);
	vouch(s, w);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 3);
	worker_free(w);
	/* a signer that just ends is no violation, and logins in hand can be finished */
	link_signer(s);
	w = connect_ssh(s);
	run_ms(s, 30);
	chan_close(&s->signer);
	run_ms(s, 30);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 3);
	worker_free(w);
	ssh_host_key_free(k);
}

/* ---- small things ---- */

static void
test_texts(void **state)
{
	char buf[SSH_ALGORITHM_TEXT];

	(void)state;
	assert_span(ssh_address("192.0.2.1:4444"), "192.0.2.1");
	assert_span(ssh_address("192.0.2.1"), "192.0.2.1");
	assert_span(ssh_address("[2001:db8::1]:4444"), "2001:db8::1");
	assert_span(ssh_address("[::ffff:192.0.2.1]:4444"), "192.0.2.1");
	assert_span(ssh_address("[::ffff:1]:4444"), "::ffff:1");
	assert_span(ssh_address("2001:db8::1"), "2001:db8::1");
	assert_span(ssh_plain_algorithm(SPAN_LIT("rsa-sha2-512-cert-v01@openssh.com"), buf),
	    "rsa-sha2-512");
	assert_span(ssh_plain_algorithm(SPAN_LIT("sk-ssh-ed25519-cert-v01@openssh.com"), buf),
	    "sk-ssh-ed25519@openssh.com");
	assert_span(ssh_plain_algorithm(SPAN_LIT("ssh-ed25519"), buf), "ssh-ed25519");
	assert_span(ssh_plain_algorithm(SPAN_LIT("sk-ssh-ed25519@openssh.com"), buf),
	    "sk-ssh-ed25519@openssh.com");
}

/* Limits that end connections are on record: with the account, or the name that was tried; a stranger
 * is counted after a while; a worker says it once. */
static void
test_limits(void **state)
{
	struct stage *s = *state;
	struct ssh_host_key_pair *k = key_new();
	struct worker_end *w = add_worker(s, ROOM_WORKER_SFTP, 0, FAR, on_reply);
	struct sign g = {.user = "alice", .key = k};
	struct ipc_limit_hit again = {.limit = TEXT("window")};

	/* nobody has vouched, nothing was tried */
	assert_int_equal(ASK(w, limit_hit, .limit = TEXT("LoginGraceTime"), .detail = TEXT("late")),
	    IPC_DONE);
	run_ms(s, 30);
	SAYS(s, "limit=LoginGraceTime\n");
	SAYS(s, "reason=late\n");
	worker_free(w);
	/* a name was tried */
	w = connect_ssh(s);
	assert_int_equal(by_key(w, &g, true, NULL), SSH_AUTH_REFUSED);
	assert_int_equal(ASK(w, limit_hit, .limit = TEXT("MaxAuthTries")), IPC_DONE);
	run_ms(s, 30);
	SAYS(s, "alice\n");
	SAYS(s, "limit=MaxAuthTries\n");
	worker_free(w);
	/* logged in */
	key_register(s, 1, k);
	w = connect_ssh(s);
	assert_int_equal(by_key(w, &g, false, NULL), SSH_AUTH_DONE);
	assert_int_equal(ASK(w, limit_hit, .limit = TEXT("SftpIdleTimeout")), IPC_DONE);
	run_ms(s, 30);
	SAYS(s, "alice\n");
	SAYS(s, "limit=SftpIdleTimeout\n");
	assert_int_equal(count_events(s, EVENT_LIMIT), 3);
	/* twice: a violation */
	assert_int_equal(chan_send_limit_hit(&w->chan, &again, -1), SP_OK);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
	worker_free(w);
	/* many from one place */
	for (int i = 0; i < 40; i++) {
		w = add_worker(s, ROOM_WORKER_SFTP, 0, FAR, on_reply);
		assert_int_equal(ASK(w, limit_hit, .limit = TEXT("LoginGraceTime")), IPC_DONE);
		worker_free(w);
	}
	run_ms(s, 50);
	assert_in_range(count_events(s, EVENT_LIMIT), 4, 24);
	ssh_host_key_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_key),
	    RING(test_not_this_login),
	    RING(test_names),
	    RING(test_questions),
	    RING(test_taken_away),
	    RING(test_certificates),
	    RING(test_revoked),
	    RING(test_vouched),
	    RING(test_limits),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
