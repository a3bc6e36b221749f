/* ring_test.c - logins, crashes and rule-breakers against the whole broker. */
#include <stdio.h>

#include "rooms/broker/ring_stage.h"

#include "rooms/broker/login.h"
#include "sys/fd.h"

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

/* A login from another network than ever before is recorded; the same network, whatever the port,
 * is not. */
static void
test_networks(void **state)
{
	static const struct {
		const char *peer;
		unsigned events; /* after a login from there */
	} rows[] = {
	    {"192.0.2.1:1000", 0}, /* the account's first login ever */
	    {"192.0.2.77:2000", 0},
	    {"192.0.3.1:1000", 1},
	    {"[2001:db8:1:2:3:4:5:6]:443", 2},
	    {"[2001:db8:1:2:ffff::1]:443", 2},
	    {"[2001:db8:1:3::1]:443", 3},
	    {"[::ffff:192.0.2.9]:443", 3}, /* IPv4 in other clothes */
	    {"192.0.2.1:1000", 3},
	    {"[2001:db8:1:2:3:4:5:6]:443", 3},
	};
	struct stage *s = *state;
	int64_t n = 0;

	add_authenticator(s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct worker_end *w = add_worker(s, ROOM_WORKER_HTTPS, 0, rows[i].peer, on_reply);

		assert_int_equal(
		    ASK(w, login_password, .user = TEXT("bob"), .password = TEXT("pw")),
		    IPC_SESSION);
		if (count_events(s, EVENT_LOGIN_NEWNET) != rows[i].events)
			fail_msg("%s: %u", rows[i].peer, count_events(s, EVENT_LOGIN_NEWNET));
		worker_free(w);
	}
	/* bounded: who comes from everywhere is forgotten somewhere */
	for (unsigned i = 0; i < 300; i++) {
		struct actor actor = {.user = 2};

		now_us += 1000000;
		(void)snprintf(
		    actor.address, sizeof(actor.address), "10.%u.%u.1:1", i / 256, i % 256);
		assert_int_equal(network_seen(s->b, &actor, 0), SP_OK);
	}
	assert_int_equal(sql_get(s->b->db, SQL_NETWORK_COUNT, &n, SI(2)), 1);
	assert_int_equal(n, 256);
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

/* What nobody judged, or what was right, is no failure: a server that is busy or has lost its log
 * locks nobody out. */
static void
test_not_a_failure(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0);

	s->b->n_auth_queue = AUTH_QUEUE_MAX;
	for (int i = 0; i < 6; i++)
		REFUSES(
		    w, SP_EUNAVAIL, login_password, .user = TEXT("alice"), .password = TEXT("pw"));
	s->b->n_auth_queue = 0;
	add_authenticator(s);
	chan_close(&s->ledger);
	loop_unwatch(s->b->loop, s->ledger_watch);
	s->ledger_watch = NULL;
	for (int i = 0; i < 6; i++)
		REFUSES(
		    w, SP_EUNAVAIL, login_password, .user = TEXT("alice"), .password = TEXT("pw"));
	link_ledger(s, false);
	run_ms(s, 30);
	assert_int_equal(
	    ASK(w, login_password, .user = TEXT("alice"), .password = TEXT("pw")), IPC_SESSION);
	worker_free(w);
}

/* The password is changed while an authenticator looks at the old one. */
static void
test_password_changed(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0);
	struct ipc_login_password m = {.user = TEXT("alice"), .password = TEXT("pw")};

	assert_int_equal(chan_send_login_password(&w->chan, &m, -1), SP_OK);
	run_ms(s, 30);
	assert_false(w->has);
	assert_int_equal(
	    sql_run(s->b->db, SQL_USER_SET_PHC, SI(1), ST(TEXT("$argon2id$v=19$y")), SI(now_us)),
	    SP_OK);
	add_authenticator(s);
	assert_int_equal(wait_reply(w), IPC_FAILED);
	assert_err(failure(w), SP_EAUTH);
	assert_int_equal(
	    ASK(w, login_password, .user = TEXT("alice"), .password = TEXT("pw")), IPC_SESSION);
	worker_free(w);
}

/* Other organisations are nobody's business, with a login or without. */
static void
test_org_names(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0);
	int64_t other = 0;

	assert_int_equal(db_org_add(s->b->db, TEXT("Rival"), now_us, &other), SP_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ASK(w, org_get, .org = 0), IPC_ORG);
		assert_int_equal(ASK(w, org_get, .org = 1), IPC_ORG);
		REFUSES(w, SP_ENOORG, org_get, .org = (uint64_t)other);
		REFUSES(w, SP_ENOORG, org_get, .org = 99);
		worker_free(w);
		w = login(s, "alice", NULL);
	}
	worker_free(w);
}

/* A name that cannot be says nothing about the hidden folder before it. */
static void
test_hidden_folder(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);
	static const char *const folders[] = {"bob", "nobody"};
	char path[300];

	for (size_t f = 0; f < ARRAY_LEN(folders); f++) {
		size_t n = (size_t)snprintf(path, sizeof(path), "/Home/%s/", folders[f]);

		/* QA with a dot below it: 3 bytes that become 6 */
		for (int i = 0; i < 85; i++, n += 3)
			memcpy(path + n, "\xe0\xa5\x98", 3);
		path[n] = '\0';
		REFUSES(w, SP_ENAME, stat, .path = TEXT(path));
	}
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/bob/x"));
	REFUSES(w, SP_ENOTFOUND, stat, .path = TEXT("/Home/nobody/x"));
	worker_free(w);
}

/* Two uploads of unknown length that each fit, and do not fit together, end at once. */
static void
test_quota_together(void **state)
{
	struct stage *s = *state;
	struct worker_end *w[2] = {login(s, "alice", NULL), login(s, "alice", NULL)};
	struct ipc_commit m[2] = {{.size = 100000}, {.size = 100000}};
	unsigned stored = 0, tries = 0;

	assert_int_equal(sql_run(s->b->db, SQL_USER_SET_QUOTA, SI(1), SI(150000)), SP_OK);
	for (int i = 0; i < 2; i++) {
		m[i].upload =
		    begin_big(w[i], i == 0 ? "/Home/alice/a" : "/Home/alice/b", UINT64_MAX);
		fill(w[i], 100000);
		w[i]->has = false;
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(chan_send_commit(&w[i]->chan, &m[i], -1), SP_OK);
	for (int i = 0; i < 2; i++) {
		while (!w[i]->has && !w[i]->is_closed && tries++ < 100)
			run_ms(s, 20);
		if (w[i]->id == IPC_ENTRY)
			stored++;
		else
			assert_err(failure(w[i]), SP_EQUOTA);
		worker_free(w[i]);
	}
	assert_int_equal(stored, 1);
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

/* a clock that jumps a year ahead shreds nothing at once */
static void
test_clock_step(void **state)
{
	struct stage *s = *state;
	struct worker_end *w = login(s, "alice", NULL);

	assert_int_equal(put_small(w, "/Home/alice/small", 100), IPC_ENTRY);
	assert_int_equal(ASK(w, remove, .path = TEXT("/Home/alice/small"), .kind = 1), IPC_DONE);
	run_ms(s, 1200);
	now_us += 365 * 86400 * 1000000ll;
	clock_step_us += 365 * 86400 * 1000000ll;
	run_ms(s, 1200);
	assert_int_equal(count_events(s, EVENT_FILE_SHREDDED), 0);
	now_us -= 365 * 86400 * 1000000ll;
	clock_step_us -= 365 * 86400 * 1000000ll;
	run_ms(s, 1200);
	now_us += 2 * 3600 * 1000000ll;
	run_ms(s, 1200);
	assert_int_equal(count_events(s, EVENT_FILE_SHREDDED), 0);
	now_us += 8 * 86400 * 1000000ll;
	run_ms(s, 1500);
	assert_int_equal(count_events(s, EVENT_FILE_SHREDDED), 1);
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
	end_free(w);
	broker_killed(s);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_login),
	    RING(test_networks),
	    RING(test_refused_logins),
	    RING(test_not_a_failure),
	    RING(test_password_changed),
	    RING(test_org_names),
	    RING(test_hidden_folder),
	    RING(test_quota_together),
	    RING(test_admin_door),
	    RING(test_sessions),
	    RING(test_api_token),
	    RING(test_shred),
	    RING(test_clock_step),
	    RING(test_reconcile),
	    RING(test_ledger_lost),
	    RING(test_violations),
	    RING(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
