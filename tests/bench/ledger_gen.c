/* ledger_gen.c - an audit log of any length, as a busy server would have written it.
 *
 *   ledger_gen FOLDER ENTRIES
 *
 * Makes FOLDER/ledger and FOLDER/keys/ledger.pub: as much of an instance as `sallyport -C FOLDER
 * audit` and `hunt` need.  2,000 users in 50 organisations over 90 days until 2026-11-26: logins,
 * uploads, reads, deletions, failures; and one theft on the last day.  Entries are made by the
 * ledger's own code; what is left out are the syncs.  The same arguments give the same log.
 */
#include "base/text.h"
#include "ipc/ipc.h"
#include "rooms/ledger/entry.h"
#include "store/tlog_append.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>

#define USERS 2000u
#define END_US INT64_C(1795651200000000) /* 2026-11-26T00:00:00Z */
#define SPAN_US (INT64_C(90) * 86400 * 1000000)
#define GROUP 512u
#define FLUSH_EVERY 16384u
#define THEFT_FILES 3000u

static const uint8_t seed[32] = {1};

struct gen {
	struct tlog_writer *log;
	uint64_t state, n, total, version, serial;
	char *json;
	char path[256], addr[64], user[32], org[16];
	uint8_t blob[16], buf[1024];
};

static void
must(int err, const char *what)
{
	if (err < 0)
		sp_die(1, "%s: %s", what, sp_strerror(err));
}

static uint64_t
next(struct gen *g)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return g->state;
}

static int
no_sync(void *arg, int handle)
{
	(void)arg, (void)handle;
	return SP_OK;
}

static int
no_sync_dir(void *arg, const char *path)
{
	(void)arg, (void)path;
	return SP_OK;
}

static void
put(struct gen *g, struct entry *e)
{
	struct text t = text_of(g->json, ENTRY_MAX + 1);
	int err;

	e->n = g->n;
	e->t_us = END_US - SPAN_US + (int64_t)((double)g->n / (double)g->total * (double)SPAN_US);
	for (size_t i = 0; i < sizeof(e->salt); i++)
		e->salt[i] = (uint8_t)(next(g) >> 11);
	entry_put(&t, e);
	err = tlog_add(g->log, text_span(&t), true);
	if (err == SP_EFULL) {
		must(tlog_commit(g->log), "commit");
		err = tlog_add(g->log, text_span(&t), true);
	}
	must(err, "add");
	g->n++;
	if (g->n % GROUP == 0)
		must(tlog_commit(g->log), "commit");
	if (g->n % FLUSH_EVERY == 0)
		must(tlog_flush_all(g->log), "flush");
}

/* A connection of one user. */
static struct entry
who(struct gen *g, enum event event, unsigned user, bool is_thief)
{
	struct entry e = {.event = event_row((uint16_t)event)};
	struct text u = text_of(g->user, sizeof(g->user)), o = text_of(g->org, sizeof(g->org)),
		    a = text_of(g->addr, sizeof(g->addr));

	text_fmt(&u, "user%04u", user);
	text_fmt(&o, "org%02u", user % 50);
	if (is_thief)
		text_fmt(&a, "203.0.113.66:%llu", (unsigned long long)(1024 + next(g) % 60000));
	else
		text_fmt(&a, "10.%u.%u.%u:%llu", user % 50, user / 256, user % 256,
		    (unsigned long long)(1024 + next(g) % 60000));
	e.serial = g->serial;
	e.door = user % 3 == 0 ? "sftp" : "https";
	e.listener = "public";
	e.addr = span_str(g->addr);
	e.user = span_str(g->user);
	e.org = span_str(g->org);
	return e;
}

static void
number(struct wr *w, const char *key, uint64_t v)
{
	char digits[24];
	struct text t = text_of(digits, sizeof(digits));

	text_u64(&t, v);
	ipc_pair_put(w, key, text_span(&t));
}

static void
file(struct gen *g, struct entry *e, uint64_t version)
{
	struct text p = text_of(g->path, sizeof(g->path));
	uint64_t h = (version + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < 16; i++)
		g->blob[i] = (uint8_t)(i < 8 ? version >> 8 * i : h >> 8 * (i - 8));
	text_fmt(&p, "/Home/user%04u/incoming/2026/report-%08llu.csv", (unsigned)(version % USERS),
	    (unsigned long long)version);
	e->path = span_str(g->path);
	e->size = h % 200000;
	e->has_size = true;
}

static void
put_created(struct gen *g)
{
	uint64_t version = ++g->version;
	struct entry e = who(g, EVENT_FILE_CREATED, (unsigned)(version % USERS), false), seal = e;
	struct wr w = wr_of(g->buf, sizeof(g->buf));
	char hex[72];
	struct text t = text_of(hex, sizeof(hex));

	file(g, &e, version);
	seal.event = event_row(EVENT_KEY_SEALED);
	seal.user = seal.org = span_of(NULL, 0);
	seal.blob = g->blob;
	seal.size = e.size;
	seal.has_size = true;
	put(g, &seal);
	ipc_pair_put(&w, "address", span_cut(e.addr, span_find(e.addr, ':')));
	ipc_pair_put(&w, "agent", SPAN_LIT("curl/7.88.1"));
	number(&w, "upload", version);
	number(&w, "file", version);
	number(&w, "version", version);
	text_hex(&t, span_of(seed, 32));
	ipc_pair_put(&w, "sha256", text_span(&t));
	t = text_of(hex, sizeof(hex));
	text_hex(&t, span_of(g->blob, 16));
	ipc_pair_put(&w, "blob", text_span(&t));
	e.detail = wr_span(&w);
	put(g, &e);
}

static void
put_read(struct gen *g, unsigned user, uint64_t version, bool is_thief)
{
	struct entry e = who(g, EVENT_FILE_READ, user, is_thief);

	file(g, &e, version);
	e.blob = g->blob;
	e.file = e.version = version;
	put(g, &e);
}

static void
put_login(struct gen *g, enum event event, unsigned user, bool is_thief)
{
	struct entry e;
	struct wr w = wr_of(g->buf, sizeof(g->buf));

	g->serial++;
	e = who(g, event, user, is_thief);
	ipc_pair_put(&w, "address", span_cut(e.addr, span_find(e.addr, ':')));
	ipc_pair_put(
	    &w, "agent", is_thief ? SPAN_LIT("python-requests/2.28") : SPAN_LIT("curl/7.88.1"));
	if (event == EVENT_LOGIN)
		ipc_pair_put(&w, "proof", SPAN_LIT("password"));
	else
		ipc_pair_put(&w, "reason", SPAN_LIT("wrong password"));
	e.detail = wr_span(&w);
	put(g, &e);
}

static void
put_any(struct gen *g)
{
	unsigned kind = (unsigned)(next(g) % 100);
	/* those who are logged in at a time are few: who reads is mostly who read before */
	unsigned user = (unsigned)((g->n / 256 + next(g) % 16 * 31) % USERS);

	if (kind < 14)
		put_login(g, EVENT_LOGIN, user, false);
	else if (kind < 16)
		put_login(g, EVENT_LOGIN_FAILED, user, false);
	else if (kind < 40 || g->version < 1000)
		put_created(g);
	else
		put_read(g, user,
		    1 + g->version - 1 - next(g) % (g->version < 500000 ? g->version : 500000),
		    false);
}

static void
theft(struct gen *g)
{
	put_login(g, EVENT_LOGIN, 7, true);
	for (uint64_t i = 0; i < THEFT_FILES && i < g->version; i++)
		put_read(g, 7, g->version - i, true);
}

static void
write_key(int dirfd)
{
	uint8_t key[33] = {1};
	char line[256];
	struct text t = text_of(line, sizeof(line));
	uint32_t id = 0;

	must(ed25519_public(seed, key + 1), "key");
	must(note_key_id("bench", key + 1, &id), "key");
	text_fmt(&t, "bench+%08x+", id);
	base64_put(&t, span_of(key, sizeof(key)));
	text_chr(&t, '\n');
	must(
	    file_write_new(dirfd, "keys/ledger.pub", text_span(&t), 0644, true), "keys/ledger.pub");
}

int
main(int argc, char **argv)
{
	struct gen g = {.state = 88172645463325252ull};
	DEFER(close_fd) int dirfd = -1, log = -1;
	struct tlog_report report;
	struct tlog_fs fs;
	char why[256];

	if (argc != 3 || parse_u64(span_str(argv[2]), UINT32_MAX, &g.total) != SP_OK ||
	    g.total < 10)
		sp_die(64, "usage: ledger_gen FOLDER ENTRIES");
	if (dir_make_at(AT_FDCWD, argv[1], 0755) == SP_EPERM)
		sp_die(1, "%s cannot be made", argv[1]);
	dirfd = file_open_at(AT_FDCWD, argv[1], O_RDONLY | O_DIRECTORY, 0);
	must(dirfd, argv[1]);
	must(dir_make_at(dirfd, "ledger", 0755), "ledger");
	must(dir_make_at(dirfd, "keys", 0755), "keys");
	write_key(dirfd);
	log = file_open_at(dirfd, "ledger", O_PATH | O_DIRECTORY, 0);
	must(log, "ledger");
	fs = tlog_fs_of(&log);
	fs.sync = no_sync;
	fs.sync_dir = no_sync_dir;
	g.json = mem_alloc(ENTRY_MAX + 1);
	if (g.json == NULL ||
	    tlog_writer_open(&fs, "bench", seed, &g.log, &report, why, sizeof(why)) != SP_OK)
		sp_die(1, "the log cannot be made");
	put(&g, &(struct entry){.event = event_row(EVENT_LOG_CREATED)});
	put(&g, &(struct entry){.event = event_row(EVENT_SERVER_START)});
	while (g.n + 2 + THEFT_FILES < g.total)
		put_any(&g);
	if (g.total > THEFT_FILES)
		theft(&g);
	must(tlog_commit(g.log), "commit");
	must(tlog_flush_all(g.log), "flush");
	printf(
	    "%llu entries, %llu files\n", (unsigned long long)g.n, (unsigned long long)g.version);
	tlog_writer_free(g.log);
	mem_free(g.json);
	return 0;
}
