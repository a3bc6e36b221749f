/* ring_ssh_test.c - logins over SSH against the whole broker; the test plays signer, workers and
 * authenticators, and has the clients' keys. */
#include "rooms/broker/ring_stage.h"

#include "base/text.h"
#include "crypto/ssh_key.h"
#include "crypto/wrap.h"
#include "proto/ssh/ssh.h"
#include "rooms/broker/login.h"
#include "rooms/broker/otp.h"
#include "rooms/broker/ssh_keys.h"

#define FAR "10.9.9.9:4444"
#define AGENT "SSH-2.0-OpenSSH_9.2"

/* ---- keys and certificates ---- */

static struct ssh_host_key_pair *
key_new(void)
{
	struct ssh_host_key_pair *k = NULL;
	uint8_t pem[8192];
	size_t n = 0;

	assert_int_equal(ssh_host_key_make(SSH_HOST_ED25519, pem, sizeof(pem), &n), SP_OK);
	assert_int_equal(ssh_host_key_load(span_of(pem, n), &k), SP_OK);
	return k;
}

static void
key_register(struct stage *s, int64_t user, const struct ssh_host_key_pair *k)
{
	char fingerprint[SSH_FINGERPRINT_TEXT];

	assert_int_equal(ssh_key_fingerprint(ssh_host_key_blob(k), fingerprint), SP_OK);
	assert_int_equal(sql_run(s->b->db, SQL_SSH_KEY_ADD, SI(user), ST(TEXT(fingerprint)),
			     SB(ssh_host_key_blob(k)), ST(TEXT("laptop")), SI(now_us)),
	    SP_OK);
}

struct cert {
	uint8_t b[2048];
	size_t len;
};

/* a certificate for key k, signed by ca, as PROTOCOL.certkeys says */
static void
cert_make(struct cert *c, const struct ssh_host_key_pair *k, const struct ssh_host_key_pair *ca,
    uint32_t type, const char *principal, int64_t before_s, const char *from)
{
	struct span plain = span_skip(ssh_host_key_blob(k), 4 + strlen("ssh-ed25519") + 4);
	uint8_t inner[256], sig[SSH_SIG_BLOB_MAX];
	struct wr w = wr_of(c->b, sizeof(c->b)), list = wr_of(inner, sizeof(inner));
	size_t n = 0;

	ssh_put_string(&w, SPAN_LIT("ssh-ed25519-cert-v01@openssh.com"));
	ssh_put_string(&w, SPAN_LIT("nonce nonce nonce nonce nonce 32"));
	ssh_put_string(&w, plain);
	wr_uint(&w, 77, 8);
	wr_uint(&w, type, 4);
	ssh_put_string(&w, SPAN_LIT("alice's laptop"));
	ssh_put_string(&list, TEXT(principal));
	ssh_put_string(&w, wr_span(&list));
	wr_uint(&w, 0, 8);
	wr_uint(&w, (uint64_t)before_s, 8);
	list = wr_of(inner, sizeof(inner));
	if (from != NULL) {
		uint8_t address[64];
		struct wr a = wr_of(address, sizeof(address));

		ssh_put_string(&a, TEXT(from));
		ssh_put_string(&list, SPAN_LIT("source-address"));
		ssh_put_string(&list, wr_span(&a));
	}
	ssh_put_string(&w, wr_span(&list));
	ssh_put_string(&w, NOTHING); /* extensions */
	ssh_put_string(&w, NOTHING); /* reserved */
	ssh_put_string(&w, ssh_host_key_blob(ca));
	assert_int_equal(
	    ssh_host_key_sign(ca, SSH_HOST_ED25519, wr_span(&w), sig, sizeof(sig), &n), SP_OK);
	ssh_put_string(&w, span_of(sig, n));
	assert_false(w.bad);
	c->len = w.len;
}

static void
ca_register(struct stage *s, const struct ssh_host_key_pair *ca)
{
	char fingerprint[SSH_FINGERPRINT_TEXT];

	assert_int_equal(ssh_key_fingerprint(ssh_host_key_blob(ca), fingerprint), SP_OK);
	assert_int_equal(sql_run(s->b->db, SQL_SSH_CA_ADD, SI(1), ST(TEXT("partners")),
			     ST(TEXT(fingerprint)), SB(ssh_host_key_blob(ca)), SI(now_us)),
	    SP_OK);
}

/* ---- workers ---- */

static void
session_of(uint64_t serial, uint8_t session[32])
{
	memset(session, 0x5a, 32);
	session[0] = (uint8_t)serial;
}

static void
vouch(struct stage *s, const struct worker_end *w)
{
	uint8_t session[32];
	struct ipc_ssh_vouch m = {.serial = w->serial, .session = span_of(session, 32)};

	session_of(w->serial, session);
	assert_int_equal(chan_send_ssh_vouch(&s->signer, &m, -1), SP_OK);
}

static struct worker_end *
connect_from(struct stage *s, uint8_t listener, const char *address)
{
	struct worker_end *w = add_worker(s, ROOM_WORKER_SFTP, listener, address, on_reply);

	vouch(s, w);
	return w;
}

static struct worker_end *
connect_ssh(struct stage *s)
{
	return connect_from(s, 0, "10.1.2.3:4567");
}

struct reply {
	enum ssh_auth_state state;
	bool code;
	char methods[256];
};

/* the answer to a login message; -1: it was another one */
static int
state_of(struct worker_end *w, uint16_t id, struct reply *ret)
{
	struct ipc_ssh_auth m;

	if (id != IPC_SSH_AUTH)
		return -1;
	assert_int_equal(ipc_get_ssh_auth(span_of(w->body, w->len), &m), SP_OK);
	if (ret != NULL) {
		ret->state = (enum ssh_auth_state)m.state;
		ret->code = m.code != 0;
		(void)snprintf(ret->methods, sizeof(ret->methods), "%.*s", (int)m.methods.len,
		    (const char *)m.methods.ptr);
	}
	return m.state;
}

struct sign {
	const char *user;
	const struct ssh_host_key_pair *key;
	struct span offered;	 /* empty: the key's own blob */
	const char *algorithm;	 /* NULL: ssh-ed25519 */
	const uint8_t *session;	 /* NULL: the worker's */
	const char *signed_user; /* NULL: the user */
};

static size_t
signature(struct worker_end *w, const struct sign *g, uint8_t *sig, size_t cap)
{
	uint8_t buf[8192], session[32];
	struct wr data = wr_of(buf, sizeof(buf));
	size_t n = 0;

	session_of(w->serial, session);
	ssh_userauth_signed(&data, span_of(g->session != NULL ? g->session : session, 32),
	    TEXT(g->signed_user != NULL ? g->signed_user : g->user), SPAN_LIT("ssh-connection"),
	    TEXT(g->algorithm != NULL ? g->algorithm : "ssh-ed25519"),
	    g->offered.len != 0 ? g->offered : ssh_host_key_blob(g->key));
	assert_int_equal(
	    ssh_host_key_sign(g->key, SSH_HOST_ED25519, wr_span(&data), sig, cap, &n), SP_OK);
	return n;
}

static int
by_key(struct worker_end *w, const struct sign *g, bool query, struct reply *ret)
{
	uint8_t sig[SSH_SIG_BLOB_MAX];
	size_t n = query ? 0 : signature(w, g, sig, sizeof(sig));
	uint16_t id = ASK(w, login_key, .user = TEXT(g->user),
	    .algorithm = TEXT(g->algorithm != NULL ? g->algorithm : "ssh-ed25519"),
	    .key = g->offered.len != 0 ? g->offered : ssh_host_key_blob(g->key),
	    .signature = span_of(sig, n), .algorithms = TEXT("curve25519-sha256,aes256-gcm"),
	    .agent = TEXT(AGENT));

	return state_of(w, id, ret);
}

static int
by_secret(struct worker_end *w, const char *user, enum ssh_secret kind, const char *secret,
    struct reply *ret)
{
	uint16_t id = ASK(w, login_secret, .user = TEXT(user), .kind = (uint8_t)kind,
	    .secret = TEXT(secret), .algorithms = TEXT("x"), .agent = TEXT(AGENT));

	return state_of(w, id, ret);
}

#define SAYS(s, text) assert_non_null(strstr((s)->said, text))

static void
methods_set(struct stage *s, const char *methods)
{
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_METHODS, SI(1), ST(TEXT(methods))), SP_OK);
}

static unsigned
sessions(struct stage *s)
{
	int64_t n = 0;

	assert_int_equal(sql_get(s->b->db, SQL_SESSIONS_COUNT, &n, SI(now_us)), 1);
	return (unsigned)n;
}

static unsigned
logged_in(struct stage *s)
{
	uint8_t buf[IPC_MAX];
	struct chan_msg m;
	unsigned n = 0;

	while (chan_recv(&s->signer, PH_ANY, false, buf, sizeof(buf), &m) == 1)
		n += m.id == IPC_SSH_LOGGED_IN;
	return n;
}

/* alice has one-time codes */
static void
enrol(struct stage *s)
{
	struct otp o = {.user = 1, .org = 1, .blob = {9}, .content_len = 126};
	struct wrap_info info = {.state = WRAP_STAGED, .epoch = 1, .length = OTP_SEED_BYTES};
	uint8_t kek[32] = {1}, key[32] = {2};

	assert_int_equal(key_wrap(kek, 1, o.blob, &info, key, o.wrap), SP_OK);
	assert_int_equal(otp_add(s->b->db, &o, now_us), SP_OK);
}

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
	struct session_tokens t;
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
	    RING(test_secrets),
	    RING(test_together),
	    RING(test_codes),
	    RING(test_code_race),
	    RING(test_code_refused),
	    RING(test_code_https),
	    RING(test_lockout),
	    RING(test_connections),
	    RING(test_revoked),
	    RING(test_vouched),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
