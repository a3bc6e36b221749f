/* ring_test.c - the whole broker against a ledger, a supervisor, workers and authenticators played
 * by the test. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/test.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "crypto/floe.h"
#include "crypto/wrap.h"
#include "rooms/broker/login.h"
#include "rooms/broker/start.h"
#include "rooms/broker/store.h"
#include "store/blob.h"
#include "sys/fd.h"

#define RUN_MS 2000

/* ---- the stage ---- */

struct stage {
	struct broker *b;
	char dir[64], db_dir[80], blob_dir[80];
	struct chan ledger; /* the ledger's end */
	struct loop_watch *ledger_watch;
	struct chan supervisor;
	uint64_t entry;	      /* entries so far */
	uint16_t events[512]; /* of entry i */
	char uploads[512][33];
	bool is_mute;	/* takes orders, answers nothing */
	bool refuses;	/* releases */
	bool auth_says; /* the password is right */
	unsigned n_releases, n_violations, n_kills;
	struct worker_end *helpers; /* authenticators, freed at the end */
	uint8_t buf[IPC_MAX];
	uint64_t serials;
};

struct worker_end {
	struct stage *s;
	struct chan chan;
	struct loop_watch *watch;
	uint64_t serial;
	bool has, is_closed;
	struct worker_end *next;
	uint16_t id;
	int fd;
	size_t len;
	uint8_t body[IPC_MAX];
};

static struct broker *volatile crashed; /* not optimised away */

/* the test's clock */
static int64_t now_us = 1800000000ll * 1000000;
static int64_t
test_clock(void)
{
	return now_us;
}

static void
stop(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	loop_stop(((struct stage *)arg)->b->loop);
}

static void
run_ms(struct stage *s, int64_t ms)
{
	uint64_t timer = loop_timer(s->b->loop, ms, stop, s);

	assert_int_not_equal(timer, 0);
	assert_int_equal(loop_run(s->b->loop), SP_OK);
	loop_timer_cancel(s->b->loop, timer);
}

/* ---- the ledger ---- */

#define ANSWER(s, NAME, name, m)                                                                   \
	do {                                                                                       \
		assert_int_equal(chan_send_##name(&(s)->ledger, (m), -1), SP_OK);                  \
	} while (0)

static uint64_t
append(struct stage *s, uint16_t event)
{
	assert_true(++s->entry < ARRAY_LEN(s->events));
	s->events[s->entry] = event;
	return s->entry;
}

static void
make_wrap(uint8_t wrap[96], uint64_t length, enum wrap_state state, uint32_t epoch)
{
	uint8_t kek[32] = {1}, key[32] = {2}, blob[16] = {3};
	struct wrap_info info = {.state = state, .epoch = epoch, .length = length};

	assert_int_equal(key_wrap(kek, 1, blob, &info, key, wrap), SP_OK);
}

static void
on_record(struct stage *s, struct span body)
{
	struct ipc_record m;
	struct ipc_recorded out;
	struct span key, value;
	struct rd rd;

	assert_int_equal(ipc_get_record(body, &m), SP_OK);
	out.ref = m.ref;
	out.entry = append(s, m.event);
	rd = rd_of(m.detail);
	while (ipc_pair_take(&rd, &key, &value))
		if (span_eq_str(key, "upload"))
			memcpy(s->uploads[s->entry], value.ptr, value.len);
	if (!s->is_mute)
		ANSWER(s, RECORDED, recorded, &out);
}

static void
on_order(struct stage *s, uint16_t id, struct span body)
{
	struct ipc_key_new key_new;
	struct ipc_seal seal;
	struct ipc_release release;
	struct ipc_org_key org_key;
	uint8_t wrap[96];

	if (id == IPC_KEY_NEW && ipc_get_key_new(body, &key_new) == SP_OK) {
		struct ipc_wrapped out = {.ref = key_new.ref, .wrap = span_of(wrap, 96)};

		make_wrap(wrap, key_new.limit, WRAP_STAGED, 1);
		ANSWER(s, WRAPPED, wrapped, &out);
	} else if (id == IPC_SEAL && ipc_get_seal(body, &seal) == SP_OK) {
		struct ipc_wrapped out = {.ref = seal.ref, .wrap = span_of(wrap, 96)};

		out.entry = append(s, EVENT_KEY_SEALED);
		make_wrap(wrap, seal.length, WRAP_SEALED, 1);
		ANSWER(s, WRAPPED, wrapped, &out);
	} else if (id == IPC_RELEASE && ipc_get_release(body, &release) == SP_OK) {
		struct ipc_released out = {.ref = release.ref, .entry = append(s, release.event)};
		struct ipc_refused no = {.ref = release.ref, .err = -SP_EBUDGET, .retry_after = 7};

		s->n_releases++;
		if (s->refuses)
			ANSWER(s, REFUSED, refused, &no);
		else
			ANSWER(s, RELEASED, released, &out);
	} else if (id == IPC_ORG_KEY && ipc_get_org_key(body, &org_key) == SP_OK) {
		struct ipc_org_key_done out = {.ref = org_key.ref, .epoch = 1};

		append(s, EVENT_KEY_ROTATED);
		ANSWER(s, ORG_KEY_DONE, org_key_done, &out);
	} else
		fail_msg("the ledger got message %u", id);
}

static void
on_intents(struct stage *s, struct span body)
{
	struct ipc_intents_get m;
	struct ipc_intents_end end;

	assert_int_equal(ipc_get_intents_get(body, &m), SP_OK);
	for (uint64_t i = m.entry; i <= s->entry; i++) {
		struct ipc_intent out = {.ref = m.ref,
		    .entry = i,
		    .event = s->events[i],
		    .upload = span_str(s->uploads[i]),
		    .path = SPAN_LIT("/x")};

		if (s->events[i] == EVENT_FILE_CREATED || s->events[i] == EVENT_FILE_REPLACED)
			ANSWER(s, INTENT, intent, &out);
	}
	end = (struct ipc_intents_end){.ref = m.ref, .size = s->entry + 1};
	ANSWER(s, INTENTS_END, intents_end, &end);
}

static void
on_ledger(void *arg, int fd, unsigned events)
{
	struct stage *s = arg;
	struct chan_msg m;
	int rc = chan_recv(&s->ledger, PH_ANY, false, s->buf, sizeof(s->buf), &m);

	(void)fd;
	(void)events;
	if (rc == SP_ECLOSED)
		loop_unwatch(s->b->loop, s->ledger_watch);
	if (rc != 1)
		return;
	if (m.id == IPC_RECORD)
		on_record(s, m.body);
	else if (m.id == IPC_INTENTS_GET)
		on_intents(s, m.body);
	else
		on_order(s, m.id, m.body);
}

/* a new socket between the two */
static void
link_ledger(struct stage *s, bool at_start)
{
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	if (s->ledger_watch != NULL) {
		loop_unwatch(s->b->loop, s->ledger_watch);
		chan_close(&s->ledger);
	}
	chan_init(&s->ledger, pair[0], ROOM_LEDGER, ROOM_BROKER);
	s->ledger_watch = loop_watch(s->b->loop, pair[0], LOOP_IN, on_ledger, s);
	assert_non_null(s->ledger_watch);
	if (at_start)
		s->b->start.link[ROOM_LEDGER] = pair[1];
	else
		assert_int_equal(ledger_link(s->b, pair[1]), SP_OK);
}

/* what the broker told the supervisor */
static void
read_supervisor(struct stage *s)
{
	struct chan_msg m;

	while (chan_recv(&s->supervisor, PH_ANY, false, s->buf, sizeof(s->buf), &m) == 1) {
		s->n_violations += m.id == IPC_VIOLATION;
		s->n_kills += m.id == IPC_WORKER_KILL;
		chan_msg_done(&m);
	}
}

/* ---- begin and end ---- */

static void
broker_up(struct stage *s)
{
	int pair[2];
	struct broker *b = s->b = broker_new();

	b->wall_us = test_clock;
	for (size_t i = 0; i < ARRAY_LEN(b->start.file); i++)
		b->start.file[i] = -1;
	conf_defaults(&b->start.conf);
	b->start.file_name[FILE_DATABASE_DIR] = s->db_dir;
	b->start.file_name[FILE_BLOB_DIR] = s->blob_dir;
	assert_int_equal(sock_pair(pair), SP_OK);
	chan_init(&b->start.supervisor, pair[0], ROOM_BROKER, ROOM_SUPERVISOR);
	chan_init(&s->supervisor, pair[1], ROOM_SUPERVISOR, ROOM_BROKER);
	broker_open(b);
	auth_dummy(b);
	s->ledger_watch = NULL;
	link_ledger(s, true);
	assert_int_equal(broker_begin(b), SP_OK);
	run_ms(s, 60);
	assert_true(b->is_serving);
}

static void helpers_free(struct stage *s);

static void
broker_down(struct stage *s)
{
	helpers_free(s);
	if (s->ledger_watch != NULL)
		loop_unwatch(s->b->loop, s->ledger_watch);
	chan_close(&s->b->start.supervisor);
	chan_close(&s->supervisor);
	broker_end(s->b);
	chan_close(&s->ledger);
	s->b = NULL;
}

static int64_t
add_user(struct db *db, const char *name, int level)
{
	int64_t id, home, base = 0, root = 0;

	assert_int_equal(
	    sql_run(db, SQL_USER_ADD, SI(1), ST(span_str(name)), ST(SPAN_LIT("")), ST(SPAN_LIT("")),
		SI(level), SI(0), ST(SPAN_LIT("$argon2id$v=19$x")), SI(now_us)),
	    SP_OK);
	id = db_last_id(db);
	assert_int_equal(sql_get(db, SQL_FOLDER_ROOT, &root, SI(1)), 1);
	assert_int_equal(sql_get(db, SQL_FOLDER_CHILD, &base, SI(root), ST(SPAN_LIT("Home"))), 1);
	assert_int_equal(sql_run(db, SQL_FOLDER_ADD, SI(1), SI(base), ST(span_str(name)), SI(1),
			     SI(1), SI(0), SI(id), SI(now_us)),
	    SP_OK);
	home = db_last_id(db);
	assert_int_equal(sql_run(db, SQL_USER_SET_HOME, SI(id), SI(home)), SP_OK);
	return id;
}

static int
begin(void **state)
{
	struct stage *s = mem_alloc(sizeof(*s));
	struct db *db = NULL;

	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/sp-ring-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(s->db_dir, sizeof(s->db_dir), "%s/db", s->dir);
	(void)snprintf(s->blob_dir, sizeof(s->blob_dir), "%s/blobs", s->dir);
	assert_int_equal(dir_make_at(AT_FDCWD, s->db_dir, 0700), SP_OK);
	assert_int_equal(dir_make_at(AT_FDCWD, s->blob_dir, 0700), SP_OK);
	assert_int_equal(db_open(s->db_dir, true, &db), SP_OK);
	assert_int_equal(db_init(db, 65536, SPAN_LIT("Acme"), now_us), SP_OK);
	add_user(db, "alice", LEVEL_USER);
	add_user(db, "bob", LEVEL_USER);
	add_user(db, "root", LEVEL_ADMIN);
	assert_int_equal(db_commit(db), SP_OK);
	db_close(db);
	s->auth_says = true;
	broker_up(s);
	*state = s;
	return 0;
}

static int
end(void **state)
{
	struct stage *s = *state;
	char command[128];

	if (s->b != NULL)
		broker_down(s);
	(void)snprintf(command, sizeof(command), "%s", s->dir);
	if (fork() == 0)
		(void)execlp("rm", "rm", "-rf", command, (char *)NULL);
	mem_free(s);
	return 0;
}

/* ---- workers ---- */

static void
on_reply(void *arg, int fd, unsigned events)
{
	struct worker_end *w = arg;
	struct chan_msg m;
	int rc = chan_recv(&w->chan, PH_ANY, false, w->s->buf, sizeof(w->s->buf), &m);

	(void)fd;
	(void)events;
	if (rc == 0)
		return;
	if (rc == 1) {
		w->has = true;
		w->id = m.id;
		w->len = m.body.len;
		memcpy(w->body, m.body.ptr, m.body.len);
		if (m.fd >= 0) {
			close_fd(&w->fd);
			w->fd = TAKE_FD(m.fd);
		}
	} else {
		w->is_closed = true;
		loop_unwatch(w->s->b->loop, w->watch);
		w->watch = NULL;
	}
	loop_stop(w->s->b->loop);
}

/* password checks are answered at once; each authenticator serves one */
static void add_authenticator(struct stage *s);

static void
on_password(void *arg, int fd, unsigned events)
{
	struct worker_end *w = arg;
	struct chan_msg m;
	int rc = chan_recv(&w->chan, PH_ANY, false, w->s->buf, sizeof(w->s->buf), &m);

	(void)fd;
	(void)events;
	if (rc == 1 && m.id == IPC_PASSWORD_CHECK) {
		struct ipc_password_result out = {
		    .err = w->s->auth_says ? 0 : -SP_EAUTH, .phc = span_of(NULL, 0)};

		assert_int_equal(chan_send_password_result(&w->chan, &out, -1), SP_OK);
		add_authenticator(w->s);
	}
	if (rc != 0 && rc != 1) {
		loop_unwatch(w->s->b->loop, w->watch);
		w->watch = NULL;
	}
}

static void
helpers_free(struct stage *s)
{
	while (s->helpers != NULL) {
		struct worker_end *w = s->helpers;

		s->helpers = w->next;
		if (w->watch != NULL)
			loop_unwatch(s->b->loop, w->watch);
		chan_close(&w->chan);
		mem_free(w);
	}
}

static struct worker_end *
add_worker(struct stage *s, enum room room, uint8_t listener, const char *address, loop_fn fn)
{
	struct worker_end *w = mem_alloc(sizeof(*w));
	struct ipc_worker_new m = {
	    .serial = ++s->serials, .room = (uint8_t)room, .listener = listener};
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	assert_int_equal(worker_add(s->b, &m, pair[0]), SP_OK);
	w->s = s;
	w->serial = m.serial;
	w->fd = -1;
	chan_init(&w->chan, pair[1], room, ROOM_BROKER);
	w->watch = loop_watch(s->b->loop, pair[1], LOOP_IN, fn, w);
	if (address != NULL)
		worker_peer(s->b, w->serial, span_str(address));
	return w;
}

static void
add_authenticator(struct stage *s)
{
	struct worker_end *w = add_worker(s, ROOM_AUTHENTICATOR, 2, NULL, on_password);

	w->next = s->helpers;
	s->helpers = w;
}

static void
worker_free(struct worker_end *w)
{
	if (w->watch != NULL)
		loop_unwatch(w->s->b->loop, w->watch);
	close_fd(&w->fd);
	chan_close(&w->chan);
	worker_gone(w->s->b, w->serial);
	mem_free(w);
}

/* wait for the reply; 0 when none came */
static uint16_t
wait_reply(struct worker_end *w)
{
	if (!w->has && !w->is_closed)
		run_ms(w->s, RUN_MS);
	return w->has ? w->id : 0;
}

#define ASK(w, name, ...)                                                                          \
	__extension__({                                                                            \
		struct ipc_##name ask_ = {__VA_ARGS__};                                            \
		(w)->has = false;                                                                  \
		assert_int_equal(chan_send_##name(&(w)->chan, &ask_, -1), SP_OK);                  \
		wait_reply(w);                                                                     \
	})

static int
failure(struct worker_end *w)
{
	struct ipc_failed m;

	if (w->id != IPC_FAILED || ipc_get_failed(span_of(w->body, w->len), &m) != SP_OK)
		return SP_OK;
	return -(int)m.err;
}

#define REFUSES(w, err, ...)                                                                       \
	do {                                                                                       \
		assert_int_equal(ASK(w, __VA_ARGS__), IPC_FAILED);                                 \
		assert_err(failure(w), err);                                                       \
	} while (0)

#define TEXT(s) span_str(s)
#define NOTHING span_of(NULL, 0)

static struct worker_end *
connect_worker(struct stage *s, uint8_t listener)
{
	return add_worker(s, ROOM_WORKER_HTTPS, listener, "10.1.2.3:4567", on_reply);
}

struct tokens {
	char access[64], refresh[64];
};

static void
take_tokens(struct worker_end *w, struct tokens *t)
{
	struct ipc_session m;

	assert_int_equal(ipc_get_session(span_of(w->body, w->len), &m), SP_OK);
	(void)snprintf(
	    t->access, sizeof(t->access), "%.*s", (int)m.access.len, (const char *)m.access.ptr);
	(void)snprintf(t->refresh, sizeof(t->refresh), "%.*s", (int)m.refresh.len,
	    (const char *)m.refresh.ptr);
}

static struct worker_end *
login(struct stage *s, const char *user, struct tokens *t)
{
	struct worker_end *w = connect_worker(s, 0);

	add_authenticator(s);
	assert_int_equal(ASK(w, login_password, .user = TEXT(user), .password = TEXT("pw"),
			     .agent = TEXT("test")),
	    IPC_SESSION);
	if (t != NULL)
		take_tokens(w, t);
	return w;
}

/* ---- files ---- */

static int64_t
entry_version(struct worker_end *w)
{
	struct ipc_entry m;

	assert_int_equal(w->id, IPC_ENTRY);
	assert_int_equal(ipc_get_entry(span_of(w->body, w->len), &m), SP_OK);
	return (int64_t)m.version;
}

/* a small file: the content is never looked at by the broker */
static uint16_t
put_small(struct worker_end *w, const char *path, uint64_t size)
{
	static const uint8_t content[INLINE_CT_MAX];
	struct ipc_upload_small up;

	if (ASK(w, put, .path = TEXT(path), .size = size, .small = 1) != IPC_UPLOAD_SMALL)
		return w->id;
	assert_int_equal(ipc_get_upload_small(span_of(w->body, w->len), &up), SP_OK);
	assert_int_equal(up.limit, size);
	return ASK(
	    w, commit, .upload = up.upload, .size = size, .content = span_of(content, size + 106));
}

static uint64_t
begin_big(struct worker_end *w, const char *path, uint64_t size)
{
	struct ipc_upload up;

	assert_int_equal(ASK(w, put, .path = TEXT(path), .size = size), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(w->body, w->len), &up), SP_OK);
	assert_true(w->fd >= 0);
	return up.upload;
}

static void
fill(struct worker_end *w, uint64_t size)
{
	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(size, 65536)), SP_OK);
	close_fd(&w->fd);
}

static unsigned
count_events(const struct stage *s, uint16_t event)
{
	unsigned n = 0;

	for (uint64_t i = 0; i <= s->entry; i++)
		n += s->events[i] == event;
	return n;
}

static unsigned
count_blobs(const struct stage *s)
{
	char command[160];
	unsigned n = 0;
	int pipes[2];
	char buf[4096];
	ssize_t len;

	assert_int_equal(pipe(pipes), 0);
	(void)snprintf(command, sizeof(command), "%s", s->blob_dir);
	if (fork() == 0) {
		(void)dup2(pipes[1], 1);
		(void)execlp("find", "find", command, "-type", "f", (char *)NULL);
		_exit(1);
	}
	(void)close(pipes[1]);
	while ((len = read(pipes[0], buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < len; i++)
			n += buf[i] == '\n';
	(void)close(pipes[0]);
	return n;
}

/* ---- logins ---- */

static void
test_login(void **state)
{
	struct stage *s = *state;
	struct tokens t;
	struct worker_end *w = login(s, "alice", &t);

	assert_true(span_starts(TEXT(t.access), SPAN_LIT("spa_")));
	assert_true(span_starts(TEXT(t.refresh), SPAN_LIT("spr_")));
	assert_int_equal(count_events(s, EVENT_LOGIN), 1);
	assert_int_equal(ASK(w, self, 0), IPC_USER);
	/* the first login fixes the principal of a worker */
	REFUSES(w, SP_EMISDIRECT, login_password, .user = TEXT("bob"), .password = TEXT("pw"));
	assert_int_equal(ASK(w, login_token, .token = TEXT(t.access)), IPC_PRINCIPAL);
	/* the token on another worker of the same door; not at the other door */
	struct worker_end *two = connect_worker(s, 0), *admin = connect_worker(s, 1);
	assert_int_equal(ASK(two, login_token, .token = TEXT(t.access)), IPC_PRINCIPAL);
	REFUSES(admin, SP_EAUTH, login_token, .token = TEXT(t.access));
	t.access[10] ^= 1;
	REFUSES(two, SP_EAUTH, login_token, .token = TEXT(t.access));
	REFUSES(two, SP_EAUTH, login_token, .token = TEXT(""));
	REFUSES(two, SP_EAUTH, login_token, .token = TEXT(t.refresh));
	worker_free(w), worker_free(two), worker_free(admin);
}

static void
test_refused_logins(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0),
			  *far = add_worker(s, ROOM_WORKER_HTTPS, 0, "10.9.9.9:1", on_reply);

	add_authenticator(s);
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("nobody"), .password = TEXT("pw"));
	/* an administrator at the public door hears what everybody hears; the record says more */
	REFUSES(w, SP_EAUTH, login_password, .user = TEXT("root"), .password = TEXT("pw"));
	REFUSES(
	    w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("pw"), .org = 2);
	s->auth_says = false;
	for (int i = 0; i < 4; i++)
		REFUSES(w, SP_EAUTH, login_password, .user = TEXT("alice"), .password = TEXT("pw"));
	assert_int_equal(count_events(s, EVENT_LOGIN_FAILED), 7);
	s->auth_says = true;
	REFUSES(w, SP_ELOCKOUT, login_password, .user = TEXT("Alice"), .password = TEXT("pw"));
	/* from elsewhere the partner still gets in */
	assert_int_equal(
	    ASK(far, login_password, .user = TEXT("alice"), .password = TEXT("pw")), IPC_SESSION);
	now_us += 16 * 60 * 1000000ll;
	assert_int_equal(
	    ASK(w, login_password, .user = TEXT("alice"), .password = TEXT("pw")), IPC_SESSION);
	worker_free(w), worker_free(far);
}

static void
test_admin_door(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 1);

	add_authenticator(s);
	assert_int_equal(
	    ASK(w, login_password, .user = TEXT("root"), .password = TEXT("pw")), IPC_SESSION);
	assert_int_equal(put_small(w, "/by-admin", 3), IPC_ENTRY);
	worker_free(w);
}

static void
test_sessions(void **state)
{
	struct stage *s = *state;
	struct tokens t, fresh;
	struct worker_end *w = login(s, "alice", &t), *thief = connect_worker(s, 0);

	/* an access token ends; the refresh token brings two new ones, once */
	now_us += 19 * 60 * 1000000ll;
	assert_int_equal(ASK(w, self, 0), IPC_USER);
	now_us += 2 * 60 * 1000000ll;
	REFUSES(w, SP_ESESSION, self, 0);
	REFUSES(w, SP_ESESSION, login_token, .token = TEXT(t.access));
	assert_int_equal(ASK(w, token_refresh, .token = TEXT(t.refresh)), IPC_SESSION);
	take_tokens(w, &fresh);
	assert_int_equal(ASK(w, self, 0), IPC_USER);
	/* shown again: somebody has a copy, the session ends for both */
	REFUSES(thief, SP_EAUTH, token_refresh, .token = TEXT(t.refresh));
	assert_int_equal(count_events(s, EVENT_SESSION_REVOKED), 1);
	REFUSES(w, SP_ESESSION, self, 0);
	REFUSES(thief, SP_EAUTH, login_token, .token = TEXT(fresh.access));
	worker_free(w), worker_free(thief);

	w = login(s, "alice", &t);
	assert_int_equal(ASK(w, token_revoke, .token = TEXT(t.refresh)), IPC_DONE);
	REFUSES(w, SP_ESESSION, self, 0);
	REFUSES(w, SP_EAUTH, token_revoke, .token = TEXT(t.refresh));
	worker_free(w);

	/* idle */
	w = login(s, "alice", &t);
	now_us += 21 * 60 * 1000000ll;
	REFUSES(w, SP_ESESSION, token_refresh, .token = TEXT(t.refresh));
	worker_free(w);
}

static void
test_api_token(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0);
	char text[TOKEN_TEXT];
	uint8_t hash[32];
	unsigned before;

	assert_int_equal(token_make("spt_", text, hash), SP_OK);
	assert_int_equal(
	    sql_run(s->b->db, SQL_TOKEN_ADD, SI(1), ST(TEXT("ci")), SB(span_of(hash, 32)),
		SI(RIGHT_READ | RIGHT_LIST), SI(now_us), SI(now_us + 1000000)),
	    SP_OK);
	assert_int_equal(ASK(w, login_token, .token = TEXT(text)), IPC_PRINCIPAL);
	before = count_events(s, EVENT_LOGIN);
	assert_int_equal(ASK(w, login_token, .token = TEXT(text)), IPC_PRINCIPAL);
	assert_int_equal(count_events(s, EVENT_LOGIN), before);
	/* its scopes hold even in the own home */
	REFUSES(w, SP_EPERM, put, .path = TEXT("/Home/alice/x"), .size = 1, .small = 1);
	assert_int_equal(
	    ASK(w, list, .path = TEXT("/Home/alice"), .what = 3, .limit = 10), IPC_ENTRIES);
	now_us += 2000000;
	REFUSES(w, SP_ESESSION, self, 0);
	REFUSES(w, SP_EAUTH, login_token, .token = TEXT(text));
	worker_free(w);
}

/* ---- storing and reading ---- */

static void
test_store(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *bob = login(s, "bob", NULL);
	uint64_t up;
	int64_t version;

	assert_int_equal(put_small(w, "/Home/alice/a", 5), IPC_ENTRY);
	version = entry_version(w);
	assert_int_equal(count_events(s, EVENT_FILE_CREATED), 1);
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/a")), IPC_FILE_INLINE);
	/* what bob may not see is not there */
	REFUSES(bob, SP_ENOTFOUND, open, .path = TEXT("/Home/alice/a"));
	REFUSES(bob, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice"));
	REFUSES(bob, SP_ENOTFOUND, stat, .path = TEXT("/Home/nobody"));
	REFUSES(bob, SP_ENOTFOUND, put, .path = TEXT("/Home/alice/b"), .size = 1, .small = 1);

	up = begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(count_blobs(s), 1);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/big"));
	fill(w, 100000);
	assert_int_equal(ASK(w, commit, .upload = up, .size = 100000), IPC_ENTRY);
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/big")), IPC_FILE_OPEN);
	assert_true(w->fd >= 0);
	assert_int_equal(s->n_releases, 2);
	/* conditions */
	REFUSES(
	    w, SP_EPRECOND, put, .path = TEXT("/Home/alice/a"), .size = 1, .small = 1, .mode = 1);
	REFUSES(w, SP_EPRECOND, put, .path = TEXT("/Home/alice/a"), .size = 1, .small = 1,
	    .mode = 2, .match = (uint64_t)version + 1);
	assert_int_equal(ASK(w, put, .path = TEXT("/Home/alice/a"), .size = 1, .small = 1,
			     .mode = 2, .match = (uint64_t)version),
	    IPC_UPLOAD_SMALL);
	assert_int_equal(put_small(w, "/Home/alice/a", 6), IPC_ENTRY);
	assert_int_equal(count_events(s, EVENT_FILE_REPLACED), 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	REFUSES(w, SP_EPERM, put, .path = TEXT("/Home/alice"), .size = 1, .small = 1);
	worker_free(w), worker_free(bob);
}

static void
test_lies(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	uint64_t up;
	int writer;

	/* more than was asked for */
	up = begin_big(w, "/Home/alice/big", 100000);
	fill(w, 100001);
	REFUSES(w, SP_ETOOBIG, commit, .upload = up, .size = 100001);
	assert_int_equal(count_blobs(s), 0);
	/* another size than the file has */
	up = begin_big(w, "/Home/alice/big", 100000);
	fill(w, 70000);
	REFUSES(w, SP_EDAMAGED, commit, .upload = up, .size = 100000);
	/* a writer is left */
	up = begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(file_truncate(w->fd, (int64_t)floe_ciphertext_len(100000, 65536)), SP_OK);
	writer = TAKE_FD(w->fd);
	REFUSES(w, SP_ECONFLICT, commit, .upload = up, .size = 100000);
	(void)close(writer);
	REFUSES(w, SP_ENOTFOUND, commit, .upload = up, .size = 100000);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/big"));
	assert_int_equal(count_blobs(s), 0);
	assert_int_equal(count_events(s, EVENT_FILE_CREATED), 0);
	worker_free(w);
}

static void
test_vanished(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	(void)begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(s->b->n_uploads, 1);
	worker_free(w);
	run_ms(s, 20);
	assert_int_equal(s->b->n_uploads, 0);
	assert_int_equal(count_blobs(s), 0);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	w = login(s, "alice", NULL);
	uint64_t up = begin_big(w, "/Home/alice/big", 100000);
	assert_int_equal(ASK(w, abort, .upload = up), IPC_DONE);
	REFUSES(w, SP_ENOTFOUND, abort, .upload = up);
	worker_free(w);
}

static void
test_quota(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL), *two = login(s, "alice", NULL);
	struct ipc_upload up;

	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(1000000)), SP_OK);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/a"), .size = 1000001);
	(void)begin_big(w, "/Home/alice/a", 600000);
	/* what is being uploaded counts already */
	REFUSES(two, SP_EQUOTA, put, .path = TEXT("/Home/alice/b"), .size = 600000);
	assert_int_equal(
	    ASK(two, put, .path = TEXT("/Home/alice/b"), .size = UINT64_MAX), IPC_UPLOAD);
	assert_int_equal(ipc_get_upload(span_of(two->body, two->len), &up), SP_OK);
	assert_int_equal(up.limit, 400000);
	worker_free(w);
	worker_free(two);
	/* of a folder, for all below it */
	w = login(s, "alice", NULL);
	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(0)), SP_OK);
	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/sub"), .inherit = 1), IPC_ENTRY);
	int64_t home = 0;
	assert_int_equal(sql_get(s->b->db, SQL_FOLDER_OF_OWNER, &home, SI(1)), 1);
	assert_int_equal(sql_run(s->b->db, SQL_FOLDER_SET_QUOTA, SI(home), SI(10)), SP_OK);
	assert_int_equal(put_small(w, "/Home/alice/sub/a", 6), IPC_ENTRY);
	REFUSES(w, SP_EQUOTA, put, .path = TEXT("/Home/alice/sub/b"), .size = 5, .small = 1);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/sub"), .kind = 0), IPC_DONE);
	assert_int_equal(put_small(w, "/Home/alice/b", 10), IPC_ENTRY);
	worker_free(w);
}

static void
test_refused_release(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	assert_int_equal(put_small(w, "/Home/alice/a", 5), IPC_ENTRY);
	s->refuses = true;
	assert_int_equal(ASK(w, open, .path = TEXT("/Home/alice/a")), IPC_FILE_INLINE);
	w->has = false;
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EBUDGET);
	worker_free(w);
}

/* ---- folders ---- */

static void
test_folders(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	struct ipc_entries page;
	struct ipc_entry_rec row;
	struct rd rd;

	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/s"), .inherit = 1), IPC_ENTRY);
	REFUSES(w, SP_EEXISTS, folder_make, .path = TEXT("/Home/alice/s"), .inherit = 1);
	REFUSES(w, SP_EPERM, folder_make, .path = TEXT("/new"), .inherit = 1);
	REFUSES(w, SP_ENAME, folder_make, .path = TEXT("/Home/alice/.."), .inherit = 1);
	/* one name, composed or not */
	assert_int_equal(put_small(w, "/Home/alice/s/caf\xc3\xa9", 1), IPC_ENTRY);
	assert_int_equal(ASK(w, stat, .path = TEXT("/Home/alice/s/cafe\xcc\x81")), IPC_ENTRY);
	for (int i = 0; i < 5; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/Home/alice/f%d_x", i);
		assert_int_equal(put_small(w, path, (uint64_t)(10 - i)), IPC_ENTRY);
	}
	assert_int_equal(
	    ASK(w, list, .path = TEXT("/Home/alice"), .what = 3, .limit = 3, .sort = SORT_NAME),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 6);
	assert_int_equal(page.count, 3);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_int_equal(row.kind, 0);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_span(row.path, "/Home/alice/f0_x");
	assert_int_equal(ASK(w, list, .path = TEXT("/Home/alice"), .what = 2, .offset = 1,
			     .limit = 9, .sort = SORT_SIZE, .mask = TEXT("F?_*")),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 5);
	assert_int_equal(page.count, 4);
	rd = rd_of(page.rows);
	assert_int_equal(ipc_take_entry_rec(&rd, &row), SP_OK);
	assert_span(row.name, "f3_x");
	assert_int_equal(
	    ASK(w, list, .path = TEXT("/"), .what = 7, .limit = 100, .sort = SORT_PATH),
	    IPC_ENTRIES);
	assert_int_equal(ipc_get_entries(span_of(w->body, w->len), &page), SP_OK);
	assert_int_equal(page.total, 4 + 6);
	REFUSES(w, SP_ENOTFOLDER, list, .path = TEXT("/Home/alice/f0_x"), .what = 3, .limit = 1);
	/* deleting */
	REFUSES(w, SP_EPROTECTED, remove, .path = TEXT("/Home/alice"), .kind = 0);
	REFUSES(w, SP_EISFOLDER, remove, .path = TEXT("/Home/alice/s"), .kind = 1);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/s"), .kind = 0), IPC_DONE);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/s/caf\xc3\xa9"));
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/f0_x"), .kind = 1), IPC_DONE);
	int64_t held = 0;
	assert_int_equal(sql_get(s->b->db, SQL_HELD_COUNT, &held, SI(0)), 1);
	assert_int_equal(held, 2);
	worker_free(w);
}

/* ---- time, crashes ---- */

static void
test_shred(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	uint64_t up = begin_big(w, "/Home/alice/big", 100000);
	int64_t n = 0, used = 0;

	fill(w, 100000);
	assert_int_equal(ASK(w, commit, .upload = up, .size = 100000), IPC_ENTRY);
	assert_int_equal(put_small(w, "/Home/alice/small", 100), IPC_ENTRY);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/big"), .kind = 1), IPC_DONE);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/small"), .kind = 1), IPC_DONE);
	assert_int_equal(count_blobs(s), 1);
	run_ms(s, 1200);
	assert_int_equal(count_events(s, EVENT_FILE_SHREDDED), 0);
	now_us += 8 * 86400 * 1000000ll;
	s->b->hold_shredding = true; /* while a backup is taken */
	run_ms(s, 1200);
	assert_int_equal(count_events(s, EVENT_FILE_SHREDDED), 0);
	s->b->hold_shredding = false;
	run_ms(s, 1500);
	assert_int_equal(count_events(s, EVENT_FILE_SHREDDED), 2);
	assert_int_equal(count_blobs(s), 0);
	assert_int_equal(sql_get(s->b->db, SQL_HELD_COUNT, &n, SI(0)), 1);
	assert_int_equal(n, 0);
	assert_int_equal(sql_get(s->b->db, SQL_VERSION_NEXT, &n, SI(0)), 0);
	{
		DEFER(sql_end) struct sql q = sql_query(s->b->db, SQL_ORG_BY_ID, SI(1));

		assert_int_equal(sql_step(&q), 1);
		(void)sql_i64(&q), (void)sql_text(&q), (void)sql_i64(&q), (void)sql_i64(&q),
		    (void)sql_i64(&q);
		used = sql_i64(&q);
	}
	assert_int_equal(used, 0);
	worker_free(w);
}

/* The ledger has the intent, the broker dies before it hears: never visible, and recorded as
 * aborted. */
static void
test_reconcile(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	uint64_t up;

	assert_int_equal(put_small(w, "/Home/alice/kept", 4), IPC_ENTRY);
	up = begin_big(w, "/Home/alice/lost", 100000);
	fill(w, 100000);
	s->is_mute = true;
	w->has = false;
	struct ipc_commit m = {.upload = up, .size = 100000};
	assert_int_equal(chan_send_commit(&w->chan, &m, -1), SP_OK);
	run_ms(s, 50);
	assert_false(w->has);
	assert_int_equal(s->events[s->entry], EVENT_FILE_CREATED);
	/* as kill -9 leaves it: rows as committed, the blob file there */
	loop_unwatch(s->b->loop, w->watch);
	chan_close(&w->chan);
	mem_free(w);
	helpers_free(s);
	db_rollback(s->b->db);
	db_close(s->b->db);
	loop_unwatch(s->b->loop, s->ledger_watch);
	chan_close(&s->ledger);
	chan_close(&s->supervisor);
	chan_close(&s->b->start.supervisor);
	crashed = s->b; /* its memory stays as it was: a crash frees nothing */
	s->is_mute = false;
	assert_int_equal(count_blobs(s), 1);
	broker_up(s);
	run_ms(s, 50);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 1);
	assert_int_equal(count_events(s, EVENT_UPLOAD_ABORTED), 1);
	assert_int_equal(count_blobs(s), 0);
	w = login(s, "alice", NULL);
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/alice/lost"));
	assert_int_equal(ASK(w, stat, .path = TEXT("/Home/alice/kept")), IPC_ENTRY);
	worker_free(w);
	/* once is enough */
	broker_down(s);
	broker_up(s);
	assert_int_equal(count_events(s, EVENT_RECONCILED), 1);
}

static void
test_ledger_lost(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	s->is_mute = true;
	struct ipc_folder_make m = {.path = TEXT("/Home/alice/x"), .inherit = 1, .name = NOTHING};
	w->has = false;
	assert_int_equal(chan_send_folder_make(&w->chan, &m, -1), SP_OK);
	run_ms(s, 30);
	assert_false(w->has);
	chan_close(&s->ledger);
	loop_unwatch(s->b->loop, s->ledger_watch);
	s->ledger_watch = NULL;
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EUNAVAIL);
	REFUSES(w, SP_EUNAVAIL, folder_make, .path = TEXT("/Home/alice/x"), .inherit = 1);
	s->is_mute = false;
	link_ledger(s, false);
	run_ms(s, 30);
	assert_int_equal(
	    ASK(w, folder_make, .path = TEXT("/Home/alice/x"), .inherit = 1), IPC_ENTRY);
	worker_free(w);
}

/* ---- who breaks the rules ---- */

static void
test_violations(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0);
	static const uint8_t junk[3] = {1, 2, 3};

	/* before a login */
	struct ipc_self self = {0};
	assert_int_equal(chan_send_self(&w->chan, &self, -1), SP_OK);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 1);
	assert_true(w->is_closed);
	worker_free(w);
	/* cut short */
	w = login(s, "alice", NULL);
	assert_int_equal(chan_send(&w->chan, IPC_STAT, span_of(junk, sizeof(junk)), -1), SP_OK);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 2);
	worker_free(w);
	/* a second request while one is outstanding */
	w = login(s, "alice", NULL);
	struct ipc_folder_make m = {.path = TEXT("/Home/alice/x"), .inherit = 1, .name = NOTHING};
	s->is_mute = true;
	assert_int_equal(chan_send_folder_make(&w->chan, &m, -1), SP_OK);
	assert_int_equal(chan_send_folder_make(&w->chan, &m, -1), SP_OK);
	run_ms(s, 30);
	read_supervisor(s);
	assert_int_equal(s->n_violations, 3);
	worker_free(w);
	s->is_mute = false;
}

static void
test_report(void **state)
{
	struct stage *s = *state;
	struct worker_end *public = connect_worker(s, 0);

	REFUSES(public, SP_EADMINONLY, report, .what = 0);
	worker_free(public);
}

#define RING(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_login),
	    RING(test_refused_logins),
	    RING(test_admin_door),
	    RING(test_sessions),
	    RING(test_api_token),
	    RING(test_store),
	    RING(test_lies),
	    RING(test_vanished),
	    RING(test_quota),
	    RING(test_refused_release),
	    RING(test_folders),
	    RING(test_shred),
	    RING(test_reconcile),
	    RING(test_ledger_lost),
	    RING(test_violations),
	    RING(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
