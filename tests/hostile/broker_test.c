/* broker_test.c - the real ledger and the real vault; the broker is the attacker's, and some
 * workers too.
 *
 * It may ask for whatever it likes, and it gets what the design gives it: a key arrives at a
 * registered worker after an entry that says so is in the log.  Never before, never elsewhere,
 * never at the broker, never with another length.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "crypto/wrap.h"
#include "stage.h"
#include "store/tlog.h"
#include "sys/fd.h"

enum event {
#define EVENT(NAME, number, name, severity, text) EVENT_##NAME = (number),
#include "ipc/events.def"
#undef EVENT
};

#define ORG 3u
#define USER 9u
#define KEYS_MAX 4096u

static const uint8_t root[KEY_BYTES] = {0xaa, 1, 2, 3};
static const uint8_t seed[32] = {0x5e, 0xed};

struct play {
	struct stage ledger, vault;
	struct chan broker, a, b; /* workers 100 and 200 */
	int state, egress;
	char dir[64];
	uint64_t ref;
	uint8_t wrap[WRAP_BYTES], key[KEY_BYTES];
	ipc_b16 blob;
	uint64_t entries[KEYS_MAX]; /* that released keys named */
	size_t n_keys;
};

/* ---- the log, as an outsider reads it ---- */

static struct tlog *
log_open_dir(struct play *p, int *dirfd)
{
	struct tlog_key key = {.name = "test"};
	struct tlog_fs fs;
	struct tlog *t = NULL;
	char why[256] = "";

	*dirfd = open(p->dir, O_RDONLY | O_DIRECTORY);
	assert_true(*dirfd >= 0);
	assert_int_equal(ed25519_public(seed, key.public_key), SP_OK);
	fs = tlog_fs_of(dirfd);
	if (tlog_open(&fs, &key, &t, why, sizeof(why)) != SP_OK)
		fprintf(stderr, "the log: %s\n", why);
	assert_non_null(t);
	return t;
}

static bool
has(struct span text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

/* recorded - is entry n on the disk, and does it tell of a release to that serial? */
static bool
recorded(struct play *p, uint64_t n, uint64_t serial)
{
	char who[48];
	int dirfd;
	struct tlog *t = log_open_dir(p, &dirfd);
	struct span e;
	bool good;

	(void)snprintf(who, sizeof(who), "\"serial\":%llu,", (unsigned long long)serial);
	good = n < tlog_end(t) && tlog_entry(t, n, &e) == SP_OK &&
	       (has(e, "\"event\":\"file.read\"") || has(e, "\"event\":\"file.check\"")) &&
	       has(e, who);
	tlog_free(t);
	close_fd(&dirfd);
	return good;
}

/* ---- keys ---- */

/* took_key - a KEY has come to a worker: an old blob's has its entry in the log at this very
 * moment, and no other key has the same. */
static struct ipc_key
took_key(struct play *p, struct span body, uint64_t serial)
{
	struct ipc_key k;

	assert_int_equal(ipc_get_key(body, &k), SP_OK);
	if (k.fresh)
		return k;
	assert_true(recorded(p, k.entry, serial));
	for (size_t i = 0; i < p->n_keys; i++)
		assert_true(p->entries[i] != k.entry);
	assert_true(p->n_keys < KEYS_MAX);
	p->entries[p->n_keys++] = k.entry;
	return k;
}

static struct ipc_key
take_key(struct play *p, struct chan *c, uint64_t serial)
{
	return took_key(p, stage_take(&p->vault, c, IPC_KEY), serial);
}

/* drain - whatever keys have come to a worker. */
static void
drain(struct play *p, struct chan *c, uint64_t serial)
{
	struct chan_msg m;

	while (stage_poll(&p->vault, c, 0, &m) == 1) {
		assert_int_equal(m.id, IPC_KEY);
		(void)took_key(p, m.body, serial);
	}
}

/* hear - the broker's next message: no key is ever in it. */
static int
hear(struct play *p, int timeout_ms, struct chan_msg *m)
{
	int err = stage_poll(&p->ledger, &p->broker, timeout_ms, m);

	if (err == 1)
		assert_null(memmem(m->body.ptr, m->body.len, p->key, KEY_BYTES));
	return err;
}

static struct span
answer(struct play *p, uint16_t id)
{
	struct chan_msg m;

	assert_int_equal(hear(p, STAGE_WAIT_MS, &m), 1);
	assert_int_equal(m.id, id);
	return m.body;
}

/* ---- what a broker says ---- */

static void
org_key(struct play *p, uint64_t org)
{
	struct ipc_org_key m = {
	    .ref = ++p->ref, .org = org, .org_name = SPAN_LIT("main"), .user = SPAN_LIT("root")};
	struct ipc_org_key_done r;

	assert_int_equal(chan_send_org_key(&p->broker, &m, -1), SP_OK);
	assert_int_equal(ipc_get_org_key_done(answer(p, IPC_ORG_KEY_DONE), &r), SP_OK);
	assert_true(r.ref == p->ref && (r.err == 0 || r.err == -SP_EEXISTS));
	assert_int_equal(r.epoch, 1);
}

static void
new_blob(struct play *p, uint64_t limit)
{
	struct ipc_key_new m = {
	    .ref = ++p->ref, .serial = 100, .org = ORG, .blob = p->blob, .limit = limit};
	struct ipc_wrapped r;
	struct ipc_key k;

	assert_int_equal(chan_send_key_new(&p->broker, &m, -1), SP_OK);
	assert_int_equal(ipc_get_wrapped(answer(p, IPC_WRAPPED), &r), SP_OK);
	assert_int_equal(r.wrap.len, WRAP_BYTES);
	memcpy(p->wrap, r.wrap.ptr, WRAP_BYTES);
	k = take_key(p, &p->a, 100);
	assert_int_equal(k.fresh, 1);
	memcpy(p->key, k.key.ptr, KEY_BYTES);
}

static struct ipc_release
release_of(struct play *p, uint64_t serial)
{
	return (struct ipc_release){
	    .ref = ++p->ref,
	    .event = EVENT_FILE_READ,
	    .serial = serial,
	    .org = ORG,
	    .user = USER,
	    .blob = p->blob,
	    .wrap = span_of(p->wrap, WRAP_BYTES),
	    .user_name = SPAN_LIT("alice"),
	    .org_name = SPAN_LIT("main"),
	    .path = SPAN_LIT("/Home/alice/x"),
	    .file = 1,
	    .version = 1,
	};
}

static void
obeyed(struct play *p, struct chan *c, uint64_t serial)
{
	struct ipc_release m = release_of(p, serial);
	struct ipc_released r;
	struct ipc_key k;

	assert_int_equal(chan_send_release(&p->broker, &m, -1), SP_OK);
	assert_int_equal(ipc_get_released(answer(p, IPC_RELEASED), &r), SP_OK);
	k = take_key(p, c, serial);
	assert_true(k.entry == r.entry);
	assert_memory_equal(k.key.ptr, p->key, KEY_BYTES);
}

/* refused - said so to the broker (perhaps after the entry was made), and no key anywhere. */
static void
refused(struct play *p, const struct ipc_release *m)
{
	struct chan_msg in;
	struct ipc_refused r;

	assert_int_equal(chan_send_release(&p->broker, m, -1), SP_OK);
	assert_int_equal(hear(p, STAGE_WAIT_MS, &in), 1);
	if (in.id == IPC_RELEASED) /* the entry stands; the vault did not obey */
		assert_int_equal(hear(p, STAGE_WAIT_MS, &in), 1);
	assert_int_equal(in.id, IPC_REFUSED);
	assert_int_equal(ipc_get_refused(in.body, &r), SP_OK);
	assert_int_not_equal(r.err, 0);
	stage_silent(&p->vault, &p->a);
	stage_silent(&p->vault, &p->b);
}

/* ---- the stage ---- */

static void
start_ledger(struct play *p)
{
	stage_start(&p->ledger, ROOM_LEDGER, getenv("LEDGER"));
	stage_bytes(&p->ledger, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_bytes(&p->ledger, FILE_LEDGER_KEY, span_of(seed, sizeof(seed)));
	stage_folder(&p->ledger, FILE_LEDGER_DIR, p->dir);
	p->broker = stage_link(&p->ledger, ROOM_BROKER);
}

static void
start_vault(struct play *p)
{
	int fd = dup(p->state);

	stage_start(&p->vault, ROOM_VAULT, getenv("VAULT"));
	stage_bytes(&p->vault, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_file(&p->vault, FILE_VAULT_STATE, fd);
	stage_file(&p->vault, FILE_VAULT_EGRESS, dup(p->egress));
	stage_bytes(&p->vault, FILE_ROOT_KEY, span_of(root, sizeof(root)));
}

static void
register_worker(struct play *p, uint64_t serial, enum room room)
{
	struct ipc_worker_register m = {.serial = serial, .room = (uint8_t)room};

	assert_int_equal(chan_send_worker_register(&p->ledger.supervisor, &m, -1), SP_OK);
}

/* wait_open - until the ledger knows that the vault is open. */
static void
wait_open(struct play *p)
{
	struct ipc_head r = {0};

	for (int i = 0; i < 500 && !r.vault_open; i++) {
		struct ipc_head_get m = {.ref = ++p->ref};

		assert_int_equal(chan_send_head_get(&p->broker, &m, -1), SP_OK);
		assert_int_equal(ipc_get_head(answer(p, IPC_HEAD), &r), SP_OK);
		if (!r.vault_open)
			(void)usleep(10000);
	}
	assert_int_equal(r.vault_open, 1);
}

static int
setup(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/sallyport-hostile.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->state = memfd_create("state", 0);
	p->egress = memfd_create("egress", 0);
	memset(p->blob.b, 0xb0, 16);
	memset(p->key, 0x99, KEY_BYTES);
	start_ledger(p);
	start_vault(p);
	stage_pair(&p->ledger, &p->vault);
	stage_go(&p->ledger);
	stage_go(&p->vault);
	register_worker(p, 100, ROOM_WORKER_HTTPS);
	register_worker(p, 200, ROOM_WORKER_HTTPS);
	p->a = stage_worker(&p->vault, 100, ROOM_WORKER_HTTPS);
	p->b = stage_worker(&p->vault, 200, ROOM_WORKER_HTTPS);
	wait_open(p);
	org_key(p, ORG);
	org_key(p, ORG + 1);
	new_blob(p, 1000);
	obeyed(p, &p->a, 100);
	*state = p;
	return 0;
}

static void
remove_dir(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execl("/bin/rm", "rm", "-rf", "--", path, (char *)NULL);
		_exit(99);
	}
	(void)waitpid(pid, &status, 0);
}

static int
teardown(void **state)
{
	struct play *p = *state;

	assert_int_equal(stage_end(&p->ledger), 0);
	assert_int_equal(stage_end(&p->vault), 0);
	chan_close(&p->broker);
	chan_close(&p->a);
	chan_close(&p->b);
	close_fd(&p->state);
	close_fd(&p->egress);
	remove_dir(p->dir);
	mem_free(p);
	return 0;
}

/* ---- attacks ---- */

static void
test_forged_releases(void **state)
{
	struct play *p = *state;
	struct ipc_release m;
	uint8_t bad[WRAP_BYTES];

	m = release_of(p, 300); /* nobody */
	refused(p, &m);
	m = release_of(p, 0);
	refused(p, &m);
	m = release_of(p, 100);
	m.org = ORG + 1;
	refused(p, &m);
	m = release_of(p, 100);
	m.org = 77;
	refused(p, &m);
	m = release_of(p, 100);
	m.blob.b[3] ^= 4;
	refused(p, &m);
	m = release_of(p, 100);
	m.user = USER + 1; /* the worker is USER's */
	refused(p, &m);
	m = release_of(p, 100);
	m.event = EVENT_FILE_CHECKED; /* a check is a scrubber's */
	refused(p, &m);
	for (size_t i = 1; i < WRAP_BYTES; i += 9) { /* byte 40 to 47: an understated length */
		memcpy(bad, p->wrap, WRAP_BYTES);
		bad[i] ^= 0x02;
		m = release_of(p, 100);
		m.wrap = span_of(bad, WRAP_BYTES);
		refused(p, &m);
	}
	obeyed(p, &p->a, 100);
	/* to its own worker it can have the key: on record, under that worker's serial */
	obeyed(p, &p->b, 200);
}

/* The same words twice are two readings: two entries, two charges. */
static void
test_replayed_release(void **state)
{
	struct play *p = *state;
	struct ipc_release m = release_of(p, 100);
	size_t before = p->n_keys;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(chan_send_release(&p->broker, &m, -1), SP_OK);
		(void)answer(p, IPC_RELEASED);
		(void)take_key(p, &p->a, 100);
	}
	assert_int_equal(p->n_keys, before + 5);
}

static void
other_event(struct play *p, unsigned event)
{
	struct ipc_release m = release_of(p, 100);
	struct chan_msg in;
	struct ipc_violation v;

	m.event = (uint16_t)event;
	assert_int_equal(chan_send_release(&p->broker, &m, -1), SP_OK);
	assert_int_equal(hear(p, STAGE_WAIT_MS, &in), SP_ECLOSED);
	assert_int_equal(
	    ipc_get_violation(stage_take(&p->ledger, &p->ledger.supervisor, IPC_VIOLATION), &v),
	    SP_OK);
	stage_silent(&p->vault, &p->a);
	chan_close(&p->broker);
	p->broker = stage_link(&p->ledger, ROOM_BROKER);
}

/* No other name in the log for a reading. */
static void
test_other_events(void **state)
{
	struct play *p = *state;

	other_event(p, EVENT_LOGIN);
	other_event(p, EVENT_FILE_CREATED);
	other_event(p, EVENT_FILE_DELETED);
	other_event(p, 0);
	other_event(p, UINT16_MAX);
	obeyed(p, &p->a, 100);
}

static void
seal(struct play *p, uint64_t length, const uint8_t key[KEY_BYTES], uint64_t proven, uint16_t want)
{
	struct ipc_seal m = {.ref = ++p->ref,
	    .serial = 100,
	    .org = ORG,
	    .blob = p->blob,
	    .wrap = span_of(p->wrap, WRAP_BYTES),
	    .length = length};
	struct ipc_wrapped r;
	struct span body;

	assert_int_equal(seal_proof(key, p->blob.b, proven, m.proof.b), SP_OK);
	assert_int_equal(chan_send_seal(&p->broker, &m, -1), SP_OK);
	body = answer(p, want);
	if (want != IPC_WRAPPED)
		return;
	assert_int_equal(ipc_get_wrapped(body, &r), SP_OK);
	memcpy(p->wrap, r.wrap.ptr, WRAP_BYTES);
}

static void
test_understated_length(void **state)
{
	struct play *p = *state;
	uint8_t guess[KEY_BYTES] = {0};
	struct ipc_release m;

	new_blob(p, UINT64_C(1) << 40);
	seal(p, 1, p->key, 1u << 30, IPC_REFUSED);
	seal(p, 1, guess, 1, IPC_REFUSED);
	seal(p, UINT64_C(1) << 41, p->key, UINT64_C(1) << 41, IPC_REFUSED);
	seal(p, 1u << 30, p->key, 1u << 30, IPC_WRAPPED);
	seal(p, 1, p->key, 1, IPC_REFUSED);
	m = release_of(p, 100);
	assert_int_equal(chan_send_release(&p->broker, &m, -1), SP_OK);
	(void)answer(p, IPC_RELEASED);
	assert_true(take_key(p, &p->a, 100).length == 1u << 30);
}

static void
sweep(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct play *p = arg;
	struct chan_msg m;

	(void)name;
	(void)malformed;
	if (id == IPC_INTENTS_GET && !malformed)
		return; /* answered with much, and reads only */
	stage_raw(&p->broker, id, body, 0);
	while (hear(p, 100, &m) == 1)
		assert_true(m.id != IPC_KEY);
	drain(p, &p->a, 100);
	drain(p, &p->b, 200);
	while (stage_poll(&p->ledger, &p->ledger.supervisor, 0, &m) == 1)
		assert_int_equal(m.id, IPC_VIOLATION);
	chan_close(&p->broker);
	p->broker = stage_link(&p->ledger, ROOM_BROKER);
}

static void
test_every_message(void **state)
{
	struct play *p = *state;
	size_t before = p->n_keys;

	every_message(sweep, p);
	assert_int_equal(p->n_keys, before); /* not one of them was a good order */
	stage_silent(&p->vault, &p->vault.supervisor);
	obeyed(p, &p->a, 100);
}

/* Whenever the ledger dies, a key that came has its entry in the log: read from the disk after the
 * death. */
static void
test_ledger_killed(void **state)
{
	struct play *p = *state;

	for (unsigned round = 0; round < 12; round++) {
		struct ipc_release m = release_of(p, 100);
		struct chan_msg in;
		int status;

		for (int i = 0; i < 8; i++)
			assert_int_equal(chan_send_release(&p->broker, &m, -1), SP_OK);
		(void)usleep(round * 300);
		assert_int_equal(kill(p->ledger.pid, SIGKILL), 0);
		assert_int_equal(waitpid(p->ledger.pid, &status, 0), p->ledger.pid);
		mem_free(p->ledger.buf);
		close_fd(&p->ledger.log);
		chan_close(&p->ledger.supervisor);
		chan_close(&p->broker);
		(void)usleep(20000); /* the vault may still have orders in its socket */
		drain(p, &p->a, 100);
		start_ledger(p);
		stage_pair(&p->ledger, &p->vault);
		stage_go(&p->ledger);
		register_worker(p, 100, ROOM_WORKER_HTTPS);
		wait_open(p);
		while (stage_poll(&p->vault, &p->vault.supervisor, 0, &in) == 1)
			assert_int_equal(in.id, IPC_VIOLATION);
		obeyed(p, &p->a, 100);
	}
	assert_true(p->n_keys >= 13);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_forged_releases, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_replayed_release, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_other_events, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_understated_length, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_message, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ledger_killed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
