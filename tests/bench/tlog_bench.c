/* tlog_bench.c - how many entries a second does the audit log take, each group durable before the
 * next?
 *
 *   tlog_bench FOLDER [SECONDS]
 *
 * Makes a log in FOLDER (which must be empty) for each group size and appends entries of about 400
 * bytes; a checkpoint a second, as the ledger makes them.  Prints entries and commits a second, the
 * slowest commit and the processor time.
 */
#include "base/text.h"
#include "store/tlog_append.h"
#include "sys/clock.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#define FLUSH_TURN_MS 5

static const uint8_t seed[32] = {1};

struct bench {
	struct tlog_writer *log;
	int64_t flushed_ms, slowest_ms;
	unsigned checkpoints;
	bool flushing;
};

static double
cpu_seconds(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
must(int err, const char *what)
{
	if (err < 0)
		sp_die(1, "%s: %s", what, sp_strerror(err));
}

static void
add(struct bench *b)
{
	char buf[600];
	int n = snprintf(buf, sizeof(buf),
	    "{\"n\":%llu,\"t\":\"2026-11-23T21:09:41.123456Z\",\"event\":\"file.read\",\"sev\":"
	    "\"info\","
	    "\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"serial\":7,\"door\":\"https\",\"listener\":"
	    "\"public\","
	    "\"addr\":\"203.0.113.7:4711\",\"user\":\"alice\",\"org\":\"acme\",\"path\":\"/in/"
	    "%0100d\","
	    "\"blob\":\"ab010000000000000000000000000000\",\"file\":3,\"version\":4,\"size\":0}",
	    (unsigned long long)tlog_next(b->log), 1);
	struct span entry = span_of(buf, (size_t)n);
	int err = tlog_add(b->log, entry, false);

	if (err == SP_EFULL) { /* the group is as large as one may be */
		must(tlog_commit(b->log), "commit");
		err = tlog_add(b->log, entry, false);
	}
	must(err, "add");
}

static void
checkpoints(struct bench *b)
{
	int64_t now = clock_mono_ms(), start = now;
	int more = b->flushing ? 1 : 0;

	if (!b->flushing && (now - b->flushed_ms >= 1000 || tlog_is_crowded(b->log))) {
		b->flushed_ms = now;
		must(tlog_flush_begin(b->log), "checkpoint");
		b->flushing = true;
		more = 1;
	}
	while (more == 1 && clock_mono_ms() - start < FLUSH_TURN_MS) {
		more = tlog_flush_step(b->log);
		must(more, "checkpoint");
	}
	if (b->flushing && more == 0) {
		b->flushing = false;
		b->checkpoints++;
	}
}

static void
measure(const struct tlog_fs *fs, unsigned group, int64_t ms)
{
	struct bench b = {0};
	struct tlog_report report;
	char why[256];
	int64_t start;
	uint64_t first;
	double cpu, s;

	if (tlog_writer_open(fs, "bench", seed, &b.log, &report, why, sizeof(why)) != SP_OK)
		sp_die(1, "%s", why);
	first = tlog_durable(b.log);
	cpu = cpu_seconds();
	start = b.flushed_ms = clock_mono_ms();
	while (clock_mono_ms() - start < ms) {
		int64_t before, took;

		for (unsigned i = 0; i < group; i++)
			add(&b);
		before = clock_mono_ms();
		must(tlog_commit(b.log), "commit");
		took = clock_mono_ms() - before;
		b.slowest_ms = took > b.slowest_ms ? took : b.slowest_ms;
		checkpoints(&b);
	}
	s = (double)(clock_mono_ms() - start) / 1000;
	first = tlog_durable(b.log) - first;
	printf("groups of %3u: %7.0f entries/s, %5.0f commits/s, slowest commit %3lld ms, %3u "
	       "checkpoints, %4.1f us CPU an entry\n",
	    group, (double)first / s, (double)first / group / s, (long long)b.slowest_ms,
	    b.checkpoints, (cpu_seconds() - cpu) * 1e6 / (double)first);
	must(tlog_flush_all(b.log), "checkpoint");
	tlog_writer_free(b.log);
}

int
main(int argc, char **argv)
{
	static const unsigned groups[] = {1, 8, 64, 512};
	uint64_t seconds = 5;
	int dirfd = argc > 1 ? file_open_at(AT_FDCWD, argv[1], O_PATH | O_DIRECTORY, 0) : -1;
	struct tlog_fs fs = tlog_fs_of(&dirfd);

	if (dirfd < 0 || (argc > 2 && parse_u64(span_str(argv[2]), 3600, &seconds) != SP_OK))
		sp_die(64, "usage: tlog_bench FOLDER [SECONDS]");
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		measure(&fs, groups[i], (int64_t)seconds * 1000);
	close_fd(&dirfd);
	return 0;
}
