/* ring_proof_test.c - browsers' sessions against the whole broker: what runs out, and what a pass
 * is for. */
#include <stdio.h>

#include "rooms/broker/ring_stage.h"

#include "base/text.h"
#include "rooms/broker/login.h"
#include "rooms/broker/proof.h"

/* A proof with this nonce whose signature is that of something else: RFC 9449 figure 2's key. */
static struct span
forged_proof(char *out, size_t cap, const char *nonce)
{
	static const char head[] =
	    "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\","
	    "\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}}";
	const uint8_t signature[64] = {1};
	char claims[256];
	struct text t = text_of(out, cap);

	(void)snprintf(claims, sizeof(claims),
	    "{\"jti\":\"j\",\"htm\":\"POST\",\"htu\":\"https://h/t\",\"iat\":1,\"nonce\":\"%s\"}",
	    nonce);
	base64url_put(&t, span_str(head));
	text_str(&t, ".");
	base64url_put(&t, span_str(claims));
	text_str(&t, ".");
	base64url_put(&t, span_of(signature, sizeof(signature)));
	assert_false(t.bad);
	return text_span(&t);
}

/* Nonces are everybody's, change each minute, and are good for four to five. */
static void
test_nonces_run_out(void **state)
{
	static const struct {
		int64_t after_s;
		int err;
	} rows[] = {{0, SP_EPROOF}, {NONCE_MS / 1000 * (NONCES_GOOD - 1), SP_EPROOF},
	    {NONCE_MS / 1000 * NONCES_GOOD, SP_ENONCE}};
	struct stage *s = *state;
	struct worker_end *w = connect_worker(s, 0), *other = connect_worker(s, 0);
	int64_t begin_us = now_us;
	struct ipc_nonce first, later;
	char nonce[NONCE_TEXT], jwt[1024];

	assert_int_equal(ASK(w, nonce_get, 0), IPC_NONCE);
	assert_int_equal(ipc_get_nonce(span_of(w->body, w->len), &first), SP_OK);
	(void)snprintf(
	    nonce, sizeof(nonce), "%.*s", (int)first.nonce.len, (const char *)first.nonce.ptr);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		now_us = begin_us + rows[i].after_s * 1000000;
		/* who makes no session for a wrong proof does not look at the password either */
		REFUSES(other, rows[i].err, login_password, .user = TEXT("alice"),
		    .password = TEXT("pw"), .method = TEXT("POST"), .url = TEXT("https://h/t"),
		    .proof = forged_proof(jwt, sizeof(jwt), nonce));
	}
	assert_int_equal(count_events(s, EVENT_LOGIN), 0);
	assert_int_equal(ASK(w, nonce_get, 0), IPC_NONCE);
	assert_int_equal(ipc_get_nonce(span_of(w->body, w->len), &later), SP_OK);
	assert_false(span_eq_str(later.nonce, nonce));
	worker_free(w), worker_free(other);
}

/* A pass is for one session and file, for an hour; who came with one sees nothing else, whatever
 * the worker asks. */
static void
test_passes(void **state)
{
	struct stage *s = *state;
	struct tokens t;
	struct worker_end *w = login(s, "alice", &t), *two = connect_worker(s, 0);
	struct ipc_pass p;
	struct worker *inside;
	struct only only, other;
	char pass[PASS_TEXT];
	uint64_t file;
	int64_t session;

	assert_int_equal(put_small(w, "/Home/alice/a", 5), IPC_ENTRY);
	file = entry(w).id;
	REFUSES(w, SP_EPROOF, pass_get, .id = file); /* a bearer's session */
	inside = worker_find(s->b, w->serial);
	inside->is_bound = true;
	session = inside->actor.session;
	assert_int_equal(ASK(w, pass_get, .id = file), IPC_PASS);
	assert_int_equal(ipc_get_pass(span_of(w->body, w->len), &p), SP_OK);
	(void)snprintf(pass, sizeof(pass), "%.*s", (int)p.pass.len, (const char *)p.pass.ptr);
	/* a bearer's token and a pass */
	REFUSES(
	    two, SP_EPROOF, login_pass, .token = TEXT(t.access), .pass = TEXT(pass), .id = file);
	/* who came with a pass has its file, and nothing else */
	inside->only.id = (int64_t)file;
	assert_int_equal(ASK(w, stat, .by = BY_FILE, .id = file), IPC_ENTRY);
	assert_int_equal(ASK(w, open, .by = BY_FILE, .id = file), IPC_FILE_INLINE);
	inside->only.id = (int64_t)file + 1;
	REFUSES(w, SP_EPERM, open, .by = BY_FILE, .id = file);
	REFUSES(w, SP_EPERM, stat, .by = BY_FILE, .id = file);
	REFUSES(w, SP_EPERM, stat, .by = BY_PATH, .path = TEXT("/Home/alice"));
	REFUSES(w, SP_EPERM, list, .by = BY_PATH, .path = TEXT("/"));
	REFUSES(w, SP_EPERM, self, 0);
	REFUSES(w, SP_EPERM, remove, .by = BY_FILE, .id = file, .kind = 1);
	REFUSES(w, SP_EPERM, pass_get, .id = file);

	only = (struct only){.id = (int64_t)file};
	other = (struct only){.id = (int64_t)file + 1};
	assert_int_equal(pass_check(s->b, session, only, span_str(pass)), SP_OK);
	other = (struct only){.id = (int64_t)file, .folder = true};
	assert_int_equal(pass_check(s->b, session, other, span_str(pass)), SP_EPROOF);
	assert_int_equal(pass_check(s->b, session + 1, only, span_str(pass)), SP_EPROOF);
	assert_int_equal(pass_check(s->b, session, other, span_str(pass)), SP_EPROOF);
	now_us += (int64_t)PASS_S * 1000000 - 1000000;
	assert_int_equal(pass_check(s->b, session, only, span_str(pass)), SP_OK);
	now_us += 1000000;
	assert_int_equal(pass_check(s->b, session, only, span_str(pass)), SP_EPROOF);
	worker_free(w), worker_free(two);
}

/* A pass for a folder: what is in it and below, and nothing beside or above it. */
static void
test_passes_for_folders(void **state)
{
	struct stage *s = *state;
	struct tokens t;
	struct worker_end *w = login(s, "alice", &t);
	struct worker *inside = worker_find(s->b, w->serial);
	uint64_t home, top, in, beside, file;

	assert_int_equal(ASK(w, stat, .by = BY_PATH, .path = TEXT("/Home/alice")), IPC_ENTRY);
	home = entry(w).id;
	assert_int_equal(
	    ASK(w, folder_make, .by = BY_PATH, .path = TEXT("/Home/alice/top")), IPC_ENTRY);
	top = entry(w).id;
	assert_int_equal(
	    ASK(w, folder_make, .by = BY_PATH, .path = TEXT("/Home/alice/top/in")), IPC_ENTRY);
	in = entry(w).id;
	assert_int_equal(
	    ASK(w, folder_make, .by = BY_PATH, .path = TEXT("/Home/alice/topmost")), IPC_ENTRY);
	beside = entry(w).id;
	assert_int_equal(put_small(w, "/Home/alice/top/in/a", 5), IPC_ENTRY);
	file = entry(w).id;
	REFUSES(w, SP_ENOTFOUND, pass_get, .id = 987654321, .folder = 1);
	REFUSES(w, SP_EPROOF, pass_get, .id = top, .folder = 1);
	inside->only = (struct only){.id = (int64_t)top, .folder = true};
	assert_int_equal(ASK(w, stat, .by = BY_FOLDER, .id = top), IPC_ENTRY);
	assert_int_equal(
	    ASK(w, list, .by = BY_FOLDER, .id = top, .what = 7, .limit = 9), IPC_ENTRIES);
	assert_int_equal(
	    ASK(w, list, .by = BY_FOLDER, .id = in, .what = 3, .limit = 9), IPC_ENTRIES);
	assert_int_equal(ASK(w, open, .by = BY_FILE, .id = file), IPC_FILE_INLINE);
	REFUSES(w, SP_EPERM, list, .by = BY_FOLDER, .id = home, .what = 7, .limit = 9);
	REFUSES(w, SP_EPERM, list, .by = BY_FOLDER, .id = beside, .what = 7, .limit = 9);
	REFUSES(w, SP_EPERM, stat, .by = BY_FOLDER, .id = beside);
	REFUSES(w, SP_EPERM, stat, .by = BY_PATH, .path = TEXT("/Home"));
	REFUSES(w, SP_EPERM, self, 0);
	REFUSES(w, SP_EPERM, remove, .by = BY_FILE, .id = file, .kind = 1);
	inside->only.id = (int64_t)beside;
	REFUSES(w, SP_EPERM, open, .by = BY_FILE, .id = file);
	REFUSES(w, SP_EPERM, stat, .by = BY_FILE, .id = file);
	worker_free(w);
}

/* Where somebody is logged in, whatever the door; what is over is not there, nor what is another's.
 */
static void
test_own_sessions(void **state)
{
	struct stage *s = *state;
	struct tokens t, u;
	struct worker_end *w = login(s, "alice", &t), *two = login(s, "alice", &u);
	struct worker_end *sftp = login_sftp(s, "alice"), *bob = login(s, "bob", &u);
	struct ipc_session_row rows[4];
	struct session_tokens none = {.session = 0};
	uint64_t after = 0;

	/* the row that a login by SSH makes; login_sftp has one of the HTTPS door */
	assert_int_equal(
	    session_add(s->b, &worker_find(s->b, sftp->serial)->actor, DOOR_SFTP, &none), SP_OK);

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ASK(w, session_next, .after = after), IPC_SESSION_ROW);
		assert_int_equal(ipc_get_session_row(span_of(w->body, w->len), &rows[i]), SP_OK);
		after = rows[i].id;
		assert_int_equal(rows[i].current, i == 0);
		assert_int_equal(rows[i].sftp, i == 3);
		assert_int_equal(rows[i].bound, 0);
		assert_int_equal(rows[i].end_us == 0, i == 3);
	}
	REFUSES(w, SP_ENOTFOUND, session_next, .after = after);
	REFUSES(bob, SP_ENOTFOUND, session_end, .session = rows[1].id);
	/* the connection that the other session has ends; so does that of the SFTP door; one's own
	 * is told that it is done */
	(void)ASK(w, session_end, .session = rows[1].id); /* the other's end is seen first */
	assert_int_equal(wait_reply(w), IPC_DONE);
	(void)ASK(w, session_end, .session = rows[3].id);
	assert_int_equal(wait_reply(w), IPC_DONE);
	assert_int_equal(count_events(s, EVENT_SESSION_REVOKED), 2);
	assert_true(worker_find(s->b, two->serial)->is_dead);
	assert_true(worker_find(s->b, sftp->serial)->is_dead);
	REFUSES(w, SP_ENOTFOUND, session_end, .session = rows[1].id);
	assert_int_equal(ASK(w, session_end, 0), IPC_DONE);
	assert_int_equal(count_events(s, EVENT_LOGOUT), 1);
	REFUSES(w, SP_ESESSION, session_next, 0);
	/* one that was idle for too long is not listed, even before it is swept away */
	now_us += s->b->start.conf.session_idle * 1000000 - 1;
	struct worker_end *late = login(s, "bob", &u);
	now_us += 1;
	assert_int_equal(ASK(late, session_next, 0), IPC_SESSION_ROW);
	assert_int_equal(ipc_get_session_row(span_of(late->body, late->len), &rows[0]), SP_OK);
	assert_int_equal(rows[0].current, 1);
	worker_free(w), worker_free(two), worker_free(sftp), worker_free(bob), worker_free(late);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RING(test_nonces_run_out),
	    RING(test_passes),
	    RING(test_passes_for_folders),
	    RING(test_passes_for_folders),
	    RING(test_own_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
