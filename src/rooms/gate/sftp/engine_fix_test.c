/* engine_fix_test.c - see engine_fix.h. */
#include "rooms/gate/sftp/engine_fix.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/ready.h"

#include <signal.h>
#include <sys/socket.h>

_Atomic size_t echo_step = SIZE_MAX, source_bytes, sink_bytes;
static _Atomic served_fn served;

uint8_t
engine_byte(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

/* ---- what runs on the channel ---- */

void
engine_serves(served_fn fn)
{
	served = fn;
}

int
sftp_serve(const struct sftp_session *s)
{
	int status = 0;

	return ((served_fn)served)(s, &status);
}

bool
scp_wanted(struct span command)
{
	return span_starts(command, SPAN_LIT("scp "));
}

int
scp_serve(const struct sftp_session *s, struct span command, int *ret_status)
{
	(void)command;
	*ret_status = 0;
	return ((served_fn)served)(s, ret_status);
}

int
serve_echo(const struct sftp_session *s, int *ret_status)
{
	static uint8_t copy[STREAM_WANT_MAX];
	struct span got;
	int rc;

	(void)ret_status;
	for (;;) {
		size_t n = echo_step, len;

		rc = n <= STREAM_WANT_MAX ? stream_need(s->stream, n, &got)
					  : stream_some(s->stream, sizeof(copy), &got);
		if (rc <= 0)
			return rc < 0 ? rc : stream_flush(s->stream);
		len = got.len;
		memcpy(copy, got.ptr, len); /* what is lent does not outlast a stream_send */
		rc = stream_send(
		    s->stream, span_of(copy, len / 2), span_of(copy + len / 2, len - len / 2));
		if (rc < 0)
			return rc;
		stream_take(s->stream, len);
	}
}

int
serve_sink(const struct sftp_session *s, int *ret_status)
{
	struct span got;
	size_t at = 0;
	int rc;

	for (;;) {
		rc = stream_some(s->stream, 10000, &got);
		if (rc < 0)
			return rc;
		if (rc == 0)
			break;
		for (size_t i = 0; i < got.len; i++)
			*ret_status |= got.ptr[i] != engine_byte(at + i);
		at += got.len;
		stream_take(s->stream, got.len);
		sink_bytes = at;
	}
	rc = stream_send(s->stream, SPAN_LIT("ok"), span_of(NULL, 0));
	return rc < 0 ? rc : stream_flush(s->stream);
}

int
serve_source(const struct sftp_session *s, int *ret_status)
{
	static uint8_t part[70000];
	size_t at = 0, total = source_bytes;

	(void)ret_status;
	while (at != total) {
		size_t n = total - at < sizeof(part) ? total - at : sizeof(part);
		int rc;

		for (size_t i = 0; i < n; i++)
			part[i] = engine_byte(at + i);
		rc = stream_send(s->stream, span_of(part, n < 5 ? n : 5),
		    span_of(part + (n < 5 ? n : 5), n < 5 ? 0 : n - 5));
		if (rc < 0)
			return rc;
		at += n;
	}
	return stream_flush(s->stream);
}

/* ---- rooms ---- */

static void
sign(struct engine *e, const struct ipc_ssh_kex *m)
{
	uint8_t hash[SSH_HASH_MAX], signature[SSH_SIG_BLOB_MAX];
	size_t hash_len = m->method == SSH_KEX_ID_NISTP384 ? 48 : 32, n = 0;
	struct ssh_exchange x = {(enum ssh_kex_id)m->method, m->v_c, m->v_s, m->i_c, m->i_s,
	    ssh_host_key_blob(e->key), m->q_c, m->q_s, m->k};
	struct ipc_ssh_signature r = {.key = ssh_host_key_blob(e->key)};

	e->signs++;
	VERIFY(ssh_exchange_hash(&x, hash) == SP_OK);
	VERIFY(ssh_host_key_sign(e->key, m->host_key, span_of(hash, hash_len), signature,
		   sizeof(signature), &n) == SP_OK);
	r.hash = span_of(hash, hash_len);
	r.signature = span_of(signature, n);
	if (e->signer_refuses)
		r = (struct ipc_ssh_signature){.err = -SP_EPERM};
	VERIFY(chan_send_ssh_signature(&e->signers, &r, -1) == SP_OK);
}

static void *
run_signer(void *arg)
{
	struct engine *e = arg;
	uint8_t *buf = mem_alloc(IPC_MAX);
	struct ipc_ssh_kex m;
	struct chan_msg msg;

	VERIFY(buf != NULL);
	while (chan_recv(&e->signers, PH_ANY, true, buf, IPC_MAX, &msg) == 1) {
		VERIFY(msg.id == IPC_SSH_KEX && ipc_get_ssh_kex(msg.body, &m) == SP_OK);
		sign(e, &m);
	}
	mem_free(buf);
	return NULL;
}

static void
auth(struct engine *e, enum ssh_auth_state state, const char *methods, bool code)
{
	struct ipc_ssh_auth m = {.state = (uint8_t)state,
	    .code = code,
	    .methods = span_str(methods),
	    .user = 1,
	    .org = 1,
	    .name = SPAN_LIT("alice")};

	VERIFY(chan_send_ssh_auth(&e->broker, &m, -1) == SP_OK);
}

static void
fails(struct engine *e, int err)
{
	struct ipc_failed m = {.err = (uint16_t)-err};

	VERIFY(chan_send_failed(&e->broker, &m, -1) == SP_OK);
}

/* The first name is the connection's. */
static bool
is_other(struct engine *e, struct span user)
{
	size_t n = user.len < sizeof(e->user) - 1 ? user.len : sizeof(e->user) - 1;

	if (n != 0 && !e->has_user)
		memcpy(e->user, user.ptr, n);
	if (e->has_user)
		return !span_eq_str(user, e->user);
	e->user[n] = '\0';
	e->has_user = true;
	return false;
}

/* The key "good" does; "half" needs more. */
static void
by_key(struct engine *e, struct span body)
{
	struct ipc_login_key m;

	VERIFY(ipc_get_login_key(body, &m) == SP_OK);
	if (is_other(e, m.user))
		fails(e, SP_EMISDIRECT);
	else if (span_eq_str(m.user, "locked"))
		fails(e, SP_ELOCKOUT);
	else if (span_eq_str(m.key, "half") && m.signature.len != 0)
		auth(e, SSH_AUTH_PARTIAL, "password", false);
	else if (span_eq_str(m.key, "good") || span_eq_str(m.key, "half"))
		auth(e, m.signature.len != 0 ? SSH_AUTH_DONE : SSH_AUTH_KEY_OK, "", false);
	else
		auth(e, SSH_AUTH_REFUSED, "publickey,password", false);
}

/* The password "secret" does; "code" needs a code, which is 123456. */
static void
by_secret(struct engine *e, struct span body)
{
	struct ipc_login_secret m;

	VERIFY(ipc_get_login_secret(body, &m) == SP_OK);
	if (is_other(e, m.user))
		fails(e, SP_EMISDIRECT);
	else if (m.kind == SSH_SECRET_CODE)
		auth(e, span_eq_str(m.secret, "123456") ? SSH_AUTH_DONE : SSH_AUTH_REFUSED,
		    "keyboard-interactive", true);
	else if (span_eq_str(m.secret, "secret"))
		auth(e, SSH_AUTH_DONE, "", false);
	else if (span_eq_str(m.secret, "code") && m.kind == SSH_SECRET_PROMPTED)
		auth(e, SSH_AUTH_CODE, "", false);
	else if (span_eq_str(m.secret, "later"))
		fails(e, SP_EUNAVAIL);
	else
		auth(e, SSH_AUTH_REFUSED, "password,keyboard-interactive", false);
}

static void
limited(struct engine *e, struct span body)
{
	const struct ipc_done done = {0};
	struct ipc_limit_hit m;

	VERIFY(ipc_get_limit_hit(body, &m) == SP_OK);
	memcpy(e->limit, m.limit.ptr, m.limit.len);
	e->limit[m.limit.len] = '\0';
	e->limits++;
	VERIFY(chan_send_done(&e->broker, &done, -1) == SP_OK);
}

static void
contacted(struct engine *e, struct span body)
{
	const struct ipc_done done = {0};
	struct ipc_contact m;

	VERIFY(ipc_get_contact(body, &m) == SP_OK);
	e->contact = m.kind;
	e->contacts++;
	VERIFY(chan_send_done(&e->broker, &done, -1) == SP_OK);
}

static void *
run_broker(void *arg)
{
	struct engine *e = arg;
	uint8_t *buf = mem_alloc(IPC_MAX);
	struct chan_msg msg;

	VERIFY(buf != NULL);
	while (chan_recv(&e->broker, PH_ANY, true, buf, IPC_MAX, &msg) == 1) {
		e->asked++;
		if (msg.id == IPC_LOGIN_KEY)
			by_key(e, msg.body);
		else if (msg.id == IPC_LOGIN_SECRET)
			by_secret(e, msg.body);
		else if (msg.id == IPC_LIMIT_HIT)
			limited(e, msg.body);
		else if (msg.id == IPC_CONTACT)
			contacted(e, msg.body);
		else
			sp_bug(__FILE__, __LINE__, "the broker was asked something else");
	}
	mem_free(buf);
	return NULL;
}

/* ---- the engine ---- */

static int
idle(void *arg, int fd, int timeout_ms)
{
	struct engine *e = arg;
	int64_t end = clock_mono_ms() + timeout_ms;
	unsigned ready;

	for (;;) {
		int64_t left = timeout_ms < 0 ? 20 : end - clock_mono_ms();
		int rc;

		if (e->stops)
			return SP_ECLOSED;
		rc = fd_wait_any(&fd, 1, left < 0 ? 0 : left < 20 ? (int)left : 20, &ready);
		if (rc != SP_ETIMEOUT || (timeout_ms >= 0 && left <= 20))
			return rc;
	}
}

static void *
run_server(void *arg)
{
	struct engine *e = arg;

	ssh_conn_serve(&e->start);
	close_fd(&e->start.fd);
	ring_done(&e->ring);
	chan_close(&e->signer);
	return NULL;
}

struct engine *
engine_new(void)
{
	struct engine *e = mem_alloc(sizeof(*e));
	uint8_t pem[8192];
	size_t n;

	assert_non_null(e);
	log_open("engine", LOG_LV_INFO);
	assert_int_equal(sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), 0);
	conf_defaults(&e->conf);
	assert_int_equal(ssh_host_key_make(1, pem, sizeof(pem), &n), SP_OK);
	assert_int_equal(ssh_host_key_load(span_of(pem, n), &e->key), SP_OK);
	engine_serves(serve_echo);
	echo_step = SIZE_MAX;
	sink_bytes = 0;
	return e;
}

void
engine_start(struct engine *e)
{
	int b[2], v[2], s[2], c[2];

	assert_int_equal(sock_pair(b), SP_OK);
	assert_int_equal(sock_pair(v), SP_OK);
	assert_int_equal(sock_pair(s), SP_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c), 0);
	assert_int_equal(ring_init(&e->ring, ROOM_WORKER_SFTP, b[0], v[0]), SP_OK);
	close_fd(&v[1]);
	chan_init(&e->broker, b[1], ROOM_BROKER, ROOM_WORKER_SFTP);
	chan_init(&e->signer, s[0], ROOM_WORKER_SFTP, ROOM_SIGNER);
	chan_init(&e->signers, s[1], ROOM_SIGNER, ROOM_WORKER_SFTP);
	e->peer = peer_new(c[1]);
	e->start = (struct ssh_conn_start){.fd = c[0],
	    .address = "192.0.2.1:4711",
	    .ring = &e->ring,
	    .signer = &e->signer,
	    .host_keys = 1,
	    .conf = &e->conf,
	    .idle = idle,
	    .arg = e};
	assert_int_equal(pthread_create(&e->broker_thread, NULL, run_broker, e), 0);
	assert_int_equal(pthread_create(&e->signer_thread, NULL, run_signer, e), 0);
	assert_int_equal(pthread_create(&e->server, NULL, run_server, e), 0);
}

struct peer *
engine_begin(struct engine *e, uint32_t window, uint32_t packet_max)
{
	engine_start(e);
	peer_session(e->peer, window, packet_max);
	return e->peer;
}

void
engine_over(struct engine *e)
{
	pthread_join(e->server, NULL);
	pthread_join(e->broker_thread, NULL);
	pthread_join(e->signer_thread, NULL);
	chan_close(&e->broker);
	chan_close(&e->signers);
	peer_free(e->peer);
	ssh_host_key_free(e->key);
}

void
engine_end(struct engine *e)
{
	close_fd(&e->peer->fd);
	engine_over(e);
	mem_free(e);
}
