/* ring_stage_test.c - see ring_stage.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rooms/broker/ring_stage.h"

#include "base/text.h"
#include "crypto/wrap.h"
#include "sys/fd.h"

#define RUN_MS 2000

/* the test's clock */
int64_t now_us = 1800000000ll * 1000000;
static int64_t
test_clock(void)
{
	return now_us;
}

int64_t clock_step_us; /* of the wall clock only */
static int64_t
test_mono(void)
{
	return (now_us - clock_step_us) / 1000;
}

static void
stop(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	loop_stop(((struct stage *)arg)->b->loop);
}

void
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

uint64_t
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
note_rename(struct stage *s, const struct ipc_record *m, struct span key, struct span value)
{
	char *to = span_eq_str(key, "from") ? s->from : span_eq_str(key, "to") ? s->to : NULL;

	(void)snprintf(
	    s->path, sizeof(s->path), "%.*s", (int)m->path.len, (const char *)m->path.ptr);
	if (to != NULL)
		(void)snprintf(to, sizeof(s->to), "%.*s", (int)value.len, (const char *)value.ptr);
}

static void
on_record(struct stage *s, struct span body)
{
	struct ipc_record m;
	struct ipc_recorded out;
	struct span key, value;
	struct text said;
	struct rd rd;

	assert_int_equal(ipc_get_record(body, &m), SP_OK);
	out = (struct ipc_recorded){.ref = m.ref, .entry = append(s, m.event)};
	s->taken_files = m.taken_files;
	s->taken_bytes = m.taken_bytes;
	rd = rd_of(m.detail);
	said = text_of(s->said, sizeof(s->said));
	text_add(&said, m.user);
	text_chr(&said, '\n');
	while (ipc_pair_take(&rd, &key, &value)) {
		text_add(&said, key);
		text_chr(&said, '=');
		text_add(&said, value);
		text_chr(&said, '\n');
		if (span_eq_str(key, "upload"))
			memcpy(s->uploads[s->entry], value.ptr, value.len);
		if (m.event == EVENT_FILE_RENAMED || m.event == EVENT_FOLDER_RENAMED)
			note_rename(s, &m, key, value);
	}
	if (s->is_holding) {
		assert_true(s->n_held < ARRAY_LEN(s->held));
		s->held[s->n_held++] = m.ref;
	} else if (s->refuses && m.taken_files != 0) {
		struct ipc_refused no = REFUSED_BUDGET(s, m.ref);

		ANSWER(s, REFUSED, refused, &no);
	} else if (!s->is_mute)
		ANSWER(s, RECORDED, recorded, &out);
}

void
let_go(struct stage *s)
{
	s->is_holding = false;
	for (uint64_t i = 0; i < s->n_held; i++) {
		struct ipc_recorded out = {
		    .ref = s->held[i], .entry = s->entry - s->n_held + i + 1};

		ANSWER(s, RECORDED, recorded, &out);
	}
	s->n_held = 0;
	for (int i = 0; i < 6; i++) /* each reply stops the loop once */
		run_ms(s, 10);
}

static void
on_order(struct stage *s, uint16_t id, struct span body)
{
	struct ipc_key_new key_new;
	struct ipc_seal seal;
	struct ipc_release release;
	struct ipc_org_key org_key;
	struct ipc_rewrap rewrap;
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
		struct ipc_refused no = REFUSED_BUDGET(s, release.ref);

		s->n_releases++;
		if (s->is_mute)
			return;
		if (s->refuses)
			ANSWER(s, REFUSED, refused, &no);
		else
			ANSWER(s, RELEASED, released, &out);
	} else if (id == IPC_REWRAP && ipc_get_rewrap(body, &rewrap) == SP_OK) {
		struct ipc_wrapped out = {.ref = rewrap.ref, .wrap = span_of(wrap, 96)};
		struct wrap_info info;

		assert_int_equal(wrap_peek(rewrap.wrap, &info), SP_OK);
		out.entry = append(s, EVENT_KEY_REWRAPPED);
		make_wrap(wrap, info.length, info.state, info.epoch + 1);
		ANSWER(s, WRAPPED, wrapped, &out);
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
void
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

/* a new socket between signer and broker */
void
link_signer(struct stage *s)
{
	int pair[2];

	assert_int_equal(sock_pair(pair), SP_OK);
	chan_close(&s->signer);
	chan_init(&s->signer, pair[0], ROOM_SIGNER, ROOM_BROKER);
	assert_int_equal(signer_link(s->b, pair[1]), SP_OK);
}

/* what the broker told the supervisor */
void
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

void
broker_up(struct stage *s)
{
	int pair[2];
	struct broker *b = s->b = broker_new();

	b->wall_us = test_clock;
	b->mono_ms = test_mono;
	for (size_t i = 0; i < ARRAY_LEN(b->start.file); i++)
		b->start.file[i] = -1;
	for (size_t i = 0; i < ARRAY_LEN(b->start.link); i++)
		b->start.link[i] = -1;
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
	s->signer.fd = -1;
	link_signer(s);
	run_ms(s, 60);
	assert_true(b->is_serving);
}

void
broker_down(struct stage *s)
{
	helpers_free(s);
	if (s->ledger_watch != NULL)
		loop_unwatch(s->b->loop, s->ledger_watch);
	chan_close(&s->b->start.supervisor);
	chan_close(&s->supervisor);
	broker_end(s->b);
	chan_close(&s->ledger);
	chan_close(&s->signer);
	s->b = NULL;
}

/* its memory stays as it was: a crash frees nothing; not optimised away, so that it is no leak */
static struct broker *volatile crashed[8];
static unsigned n_crashed;

void
broker_killed(struct stage *s)
{
	struct broker *b = s->b;

	helpers_free(s);
	db_rollback(b->db);
	db_close(b->db);
	loop_unwatch(b->loop, s->ledger_watch);
	chan_close(&s->ledger);
	chan_close(&s->supervisor);
	chan_close(&b->start.supervisor);
	crashed[n_crashed++ % ARRAY_LEN(crashed)] = b;
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

int
stage_begin(void **state)
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

int
stage_end(void **state)
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

void
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

/* "123456" is the code of the time step that is now, in the test's arithmetic */
static void
on_code(struct worker_end *w, const struct chan_msg *m)
{
	static const uint8_t content[126];
	struct ipc_code_check check;
	struct ipc_code_result out = {.err = -SP_EAUTH};
	struct ipc_code_made made = {
	    .content = span_of(content, sizeof(content)), .seed = SPAN_LIT("GEZDGNBVGY3TQOJQ")};

	if (m->id == IPC_CODE_MAKE) {
		assert_int_equal(chan_send_code_made(&w->chan, &made, -1), SP_OK);
		return;
	}
	assert_int_equal(ipc_get_code_check(m->body, &check), SP_OK);
	if (span_eq_str(check.code, "123456") && check.now_s / 30 > check.last_step)
		out = (struct ipc_code_result){.step = check.now_s / 30};
	assert_int_equal(chan_send_code_result(&w->chan, &out, -1), SP_OK);
}

/* password checks are answered at once; each authenticator serves one */

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
	} else if (rc == 1) {
		on_code(w, &m);
		add_authenticator(w->s);
	}
	if (rc != 0 && rc != 1) {
		loop_unwatch(w->s->b->loop, w->watch);
		w->watch = NULL;
	}
}

void
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

struct worker_end *
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

void
add_authenticator(struct stage *s)
{
	struct worker_end *w = add_worker(s, ROOM_AUTHENTICATOR, 2, NULL, on_password);

	w->next = s->helpers;
	s->helpers = w;
}

void
end_free(struct worker_end *w)
{
	if (w->watch != NULL)
		loop_unwatch(w->s->b->loop, w->watch);
	close_fd(&w->fd);
	chan_close(&w->chan);
	mem_free(w);
}

void
worker_free(struct worker_end *w)
{
	struct broker *b = w->s->b;
	uint64_t serial = w->serial;

	end_free(w);
	worker_gone(b, serial);
}

/* wait for the reply; 0 when none came */
uint16_t
wait_reply(struct worker_end *w)
{
	if (!w->has && !w->is_closed)
		run_ms(w->s, RUN_MS);
	return w->has ? w->id : 0;
}

int
failure(struct worker_end *w)
{
	struct ipc_failed m;

	if (w->id != IPC_FAILED || ipc_get_failed(span_of(w->body, w->len), &m) != SP_OK)
		return SP_OK;
	return -(int)m.err;
}

struct worker_end *
connect_worker(struct stage *s, uint8_t listener)
{
	return add_worker(s, ROOM_WORKER_HTTPS, listener, "10.1.2.3:4567", on_reply);
}

void
take_tokens(struct worker_end *w, struct tokens *t)
{
	struct ipc_session m;

	assert_int_equal(ipc_get_session(span_of(w->body, w->len), &m), SP_OK);
	(void)snprintf(
	    t->access, sizeof(t->access), "%.*s", (int)m.access.len, (const char *)m.access.ptr);
	(void)snprintf(t->refresh, sizeof(t->refresh), "%.*s", (int)m.refresh.len,
	    (const char *)m.refresh.ptr);
}

struct worker_end *
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

struct worker_end *
login_sftp(struct stage *s, const char *user)
{
	struct worker_end *door = login(s, user, NULL),
			  *w = add_worker(s, ROOM_WORKER_SFTP, 0, "10.1.2.3:4567", on_reply);
	struct worker *from = worker_find(s->b, door->serial), *to = worker_find(s->b, w->serial);

	to->is_authed = true;
	to->actor = from->actor;
	to->token_end_us = INT64_MAX;
	worker_free(door);
	return w;
}
