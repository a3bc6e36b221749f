/* ring_ssh_stage_test.c - see ring_ssh_stage.h. */
#include "rooms/broker/ring_ssh_stage.h"

#include "proto/ssh/ssh.h"
#include "crypto/wrap.h"
#include "rooms/broker/otp.h"

/* ---- keys and certificates ---- */

struct ssh_host_key_pair *
key_new(void)
{
	struct ssh_host_key_pair *k = NULL;
	uint8_t pem[8192];
	size_t n = 0;

	assert_int_equal(ssh_host_key_make(SSH_HOST_ED25519, pem, sizeof(pem), &n), SP_OK);
	assert_int_equal(ssh_host_key_load(span_of(pem, n), &k), SP_OK);
	return k;
}

void
key_register(struct stage *s, int64_t user, const struct ssh_host_key_pair *k)
{
	char fingerprint[SSH_FINGERPRINT_TEXT];

	assert_int_equal(ssh_key_fingerprint(ssh_host_key_blob(k), fingerprint), SP_OK);
	assert_int_equal(sql_run(s->b->db, SQL_SSH_KEY_ADD, SI(user), ST(TEXT(fingerprint)),
			     SB(ssh_host_key_blob(k)), ST(TEXT("laptop")), SI(now_us)),
	    SP_OK);
}

/* a certificate for key k, signed by ca, as PROTOCOL.certkeys says */
void
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

void
ca_register(struct stage *s, const struct ssh_host_key_pair *ca)
{
	char fingerprint[SSH_FINGERPRINT_TEXT];

	assert_int_equal(ssh_key_fingerprint(ssh_host_key_blob(ca), fingerprint), SP_OK);
	assert_int_equal(sql_run(s->b->db, SQL_SSH_CA_ADD, SI(1), ST(TEXT("partners")),
			     ST(TEXT(fingerprint)), SB(ssh_host_key_blob(ca)), SI(now_us)),
	    SP_OK);
}

/* ---- workers ---- */

void
session_of(uint64_t serial, uint8_t session[32])
{
	memset(session, 0x5a, 32);
	session[0] = (uint8_t)serial;
}

void
vouch(struct stage *s, const struct worker_end *w)
{
	uint8_t session[32];
	struct ipc_ssh_vouch m = {.serial = w->serial, .session = span_of(session, 32)};

	session_of(w->serial, session);
	assert_int_equal(chan_send_ssh_vouch(&s->signer, &m, -1), SP_OK);
}

struct worker_end *
connect_from(struct stage *s, uint8_t listener, const char *address)
{
	struct worker_end *w = add_worker(s, ROOM_WORKER_SFTP, listener, address, on_reply);

	vouch(s, w);
	return w;
}

struct worker_end *
connect_ssh(struct stage *s)
{
	return connect_from(s, 0, "10.1.2.3:4567");
}

/* the answer to a login message; -1: it was another one */
int
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

size_t
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

int
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

int
by_secret(struct worker_end *w, const char *user, enum ssh_secret kind, const char *secret,
    struct reply *ret)
{
	uint16_t id = ASK(w, login_secret, .user = TEXT(user), .kind = (uint8_t)kind,
	    .secret = TEXT(secret), .algorithms = TEXT("x"), .agent = TEXT(AGENT));

	return state_of(w, id, ret);
}

void
methods_set(struct stage *s, const char *methods)
{
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_METHODS, SI(1), ST(TEXT(methods))), SP_OK);
}

unsigned
sessions(struct stage *s)
{
	int64_t n = 0;

	assert_int_equal(sql_get(s->b->db, SQL_SESSIONS_COUNT, &n, SI(now_us)), 1);
	return (unsigned)n;
}

unsigned
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
void
enrol(struct stage *s)
{
	struct otp o = {.user = 1, .org = 1, .blob = {9}, .content_len = 126};
	struct wrap_info info = {.state = WRAP_STAGED, .epoch = 1, .length = OTP_SEED_BYTES};
	uint8_t kek[32] = {1}, key[32] = {2};

	assert_int_equal(key_wrap(kek, 1, o.blob, &info, key, o.wrap), SP_OK);
	assert_int_equal(otp_add(s->b->db, &o, now_us), SP_OK);
}
