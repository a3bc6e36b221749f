/* story_report.c - a story told: three passes over the log, then what was taken, then the entries.
 */
#include <fcntl.h>
#include <stdio.h>

#include "cli/hunt/scan.h"
#include "cli/hunt/story_state.h"
#include "cli/safe.h"
#include "sys/fd.h"

#define PART 65536u /* of text that is printed in one go */

/* ---- passes ---- */

static int
learn(void *arg, const struct hunt_entry *e)
{
	return story_learn(arg, e);
}

static int
take(void *arg, const struct hunt_entry *e)
{
	return story_take(arg, e);
}

static int
refusals(void *arg, const struct hunt_entry *e)
{
	return story_refusals(arg, e);
}

static int
join(void *arg, const struct hunt_entry *e)
{
	return story_join(arg, e);
}

static int
unreadable(void *arg, uint64_t n)
{
	struct story *s = arg;

	(void)n;
	s->unreadable++;
	return SP_OK;
}

static int
pass(struct report *r, struct story *s, uint64_t from, uint64_t end,
    int (*fn)(void *arg, const struct hunt_entry *e))
{
	struct audit *a = r->audit;
	struct scan scan = {.log = a->log,
	    .from = from,
	    .end = end < tlog_end(a->log) ? end : tlog_end(a->log),
	    .entry = fn,
	    .unreadable = unreadable,
	    .arg = s};
	int err = scan_run(&scan, a->why, sizeof(a->why));

	if (err == SP_ETOOBIG)
		return cli_fail(err,
		    "more than %d versions in one story: ask for less with --since, "
		    "--until, --user, --file or --address",
		    HUNT_TAKEN_MAX);
	if (err != SP_OK)
		return cli_fail(err, "%s", err == SP_ENOMEM ? sp_strerror(err) : a->why);
	r->n_checked = scan.n_checked;
	r->n_unsigned = scan.n_unsigned;
	return SP_OK;
}

static int
collect(struct report *r, struct story *s)
{
	uint64_t checked, not_signed, strange;
	int err = SP_OK;

	if (s->file.len != 0)
		err = pass(r, s, 0, r->end, learn);
	s->unreadable = 0;
	if (err == SP_OK)
		err = pass(r, s, r->from, r->end, take);
	checked = r->n_checked;
	not_signed = r->n_unsigned;
	strange = s->unreadable;
	if (err == SP_OK && s->n_taken != 0)
		err = pass(r, s, r->end, r->end + HUNT_REFUSALS_BEHIND, refusals);
	if (err == SP_OK && s->n_taken != 0)
		err = pass(r, s, 0, r->end, join);
	r->n_checked = checked;
	r->n_unsigned = not_signed;
	s->unreadable = strange;
	return err;
}

/* ---- text ---- */

static void
put_size(struct text *t, uint64_t bytes)
{
	text_u64(t, bytes);
	text_str(t, " bytes");
	if (bytes >= 1024) {
		text_str(t, " (");
		hunt_bytes(t, bytes);
		text_chr(t, ')');
	}
}

static void
put_taken(struct text *t, const struct taken *k)
{
	text_str(t, "\n  ");
	safe_text(t, span_str(k->path));
	text_fmt(t, "\n      %s %llu of file %llu, ",
	    k->is_upload ? "unfinished upload, version" : "version", (unsigned long long)k->version,
	    (unsigned long long)k->file);
	text_str(t, k->is_upload ? "of at most " : "");
	put_size(t, k->size);
	text_str(t, "\n      sha256 ");
	if (k->has_sha256)
		text_hex(t, span_of(k->sha256, sizeof(k->sha256)));
	else
		text_str(t, k->is_known ? "none on record for it (an upload in pieces)"
					: "unknown: no entry records that it was stored");
	text_str(t, "\n      read ");
	report_time(t, k->first_us);
	text_fmt(t, " (entry %llu)", (unsigned long long)k->first_entry);
	if (k->times - k->refused > 1) {
		text_str(t, " to ");
		report_time(t, k->last_us);
		text_fmt(t, " (entry %llu), %u times", (unsigned long long)k->last_entry,
		    k->times - k->refused);
	}
	text_chr(t, '\n');
	if (k->records > 1)
		text_fmt(t,
		    "      NOTE: %u entries claim to have stored this content; the first counts\n",
		    k->records);
	if (k->is_known && (k->stored_version != k->version || k->stored_file != k->file)) {
		text_fmt(t, "      NOTE: this content was stored as version %llu of file %llu, ",
		    (unsigned long long)k->stored_version, (unsigned long long)k->stored_file);
		safe_text(t, span_str(k->stored_path));
		text_fmt(t, " (entry %llu)\n", (unsigned long long)k->stored_entry);
	} else if (k->is_known && strcmp(k->stored_path, k->path) != 0) {
		text_str(t, "      stored as ");
		safe_text(t, span_str(k->stored_path));
		text_fmt(t, " (entry %llu)\n", (unsigned long long)k->stored_entry);
	}
}

static void
put_totals(struct text *t, const struct story *s, const struct totals *sum)
{
	text_fmt(t, "taken     %llu files, %llu versions, ", (unsigned long long)sum->files,
	    (unsigned long long)sum->versions);
	put_size(t, sum->bytes);
	text_fmt(t, "\n          in %llu readings (", (unsigned long long)sum->releases);
	hunt_bytes(t, sum->bytes_released);
	text_fmt(t, " released); %llu refused by the vault", (unsigned long long)sum->refused);
	if (sum->uploads != 0)
		text_fmt(
		    t, "; %llu unfinished uploads gone on with", (unsigned long long)sum->uploads);
	if (sum->releases != 0) {
		text_str(t, "\n          first ");
		report_time(t, sum->first_us);
		text_fmt(t, " UTC (entry %llu), last ", (unsigned long long)sum->first_entry);
		report_time(t, sum->last_us);
		text_fmt(t, " UTC (entry %llu)", (unsigned long long)sum->last_entry);
	}
	text_chr(t, '\n');
	if (s->unreadable != 0 || s->without_blob != 0)
		text_fmt(t,
		    "WARNING   %llu entries are not of the form that the server writes: look "
		    "at them with audit list\n",
		    (unsigned long long)(s->unreadable + s->without_blob));
}

static void
put_whose(struct text *t, const struct story *s, const struct cli *c)
{
	static const char *const options[] = {"--user", "--file", "--address"};
	const char *sep = "story of  ";

	(void)s;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!cli_has(c, options[i]))
			continue;
		text_str(t, sep);
		text_str(t, options[i] + 2);
		text_chr(t, ' ');
		safe_text(t, span_str(cli_opt(c, options[i])));
		sep = ", ";
	}
	text_fmt(t, ": %zu entries\n", s->n_chosen);
}

static int
each_entry(struct report *r, const struct story *s, bool json)
{
	struct audit *a = r->audit;

	for (size_t i = 0; i < s->n_chosen; i++) {
		struct span entry;
		int err = tlog_entry(a->log, s->chosen[i], &entry);

		if (err != SP_OK)
			return cli_fail(SP_EVERIFY, "entry %llu: %s; see: sallyport audit verify",
			    (unsigned long long)s->chosen[i], sp_strerror(err));
		if (!json) {
			audit_print(s->chosen[i], entry, false);
			continue;
		}
		if (i != 0)
			(void)putchar(',');
		(void)fwrite(entry.ptr, 1, entry.len, stdout);
	}
	return SP_OK;
}

static int
tell_text(const struct cli *c, struct report *r, struct story *s, const struct totals *sum)
{
	DEFER(mem_freep) char *buf = mem_alloc(PART);
	const struct taken *k;
	struct text t;

	if (buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	t = text_of(buf, PART);
	put_whose(&t, s, c);
	report_verified_text(r, &t);
	put_totals(&t, s, sum);
	report_flush(&t);
	if (sum->releases != 0)
		(void)printf("\nWHAT WAS TAKEN (times in UTC)\n");
	for (size_t i = 0; i < s->n_taken; i++) {
		k = &s->taken[i];
		if (k->times == k->refused)
			continue;
		put_taken(&t, k);
		report_flush(&t);
	}
	(void)printf("\nWHAT HAPPENED\n\n");
	return each_entry(r, s, false);
}

/* ---- JSON ---- */

static void
json_time(struct json *j, const char *key, int64_t us)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	time_rfc3339(&t, us);
	json_kstr(j, key, text_span(&t));
}

static void
json_hex(struct json *j, const char *key, struct span s)
{
	char buf[80];
	struct text t = text_of(buf, sizeof(buf));

	text_hex(&t, s);
	json_kstr(j, key, text_span(&t));
}

static void
json_taken(struct json *j, const struct taken *k)
{
	json_open(j, '{');
	json_kstr(j, "path", span_str(k->path));
	json_ku64(j, "file", k->file);
	json_ku64(j, "version", k->version);
	json_hex(j, "blob", span_of(k->blob, sizeof(k->blob)));
	json_ku64(j, "size", k->size);
	json_kbool(j, "unfinished_upload", k->is_upload);
	if (k->has_sha256)
		json_hex(j, "sha256", span_of(k->sha256, sizeof(k->sha256)));
	json_ku64(j, "times", k->times - k->refused);
	json_ku64(j, "refused", k->refused);
	json_time(j, "first", k->first_us);
	json_ku64(j, "first_entry", k->first_entry);
	json_time(j, "last", k->last_us);
	json_ku64(j, "last_entry", k->last_entry);
	if (k->is_known) {
		json_key(j, "stored");
		json_open(j, '{');
		json_kstr(j, "path", span_str(k->stored_path));
		json_ku64(j, "file", k->stored_file);
		json_ku64(j, "version", k->stored_version);
		json_ku64(j, "size", k->stored_size);
		json_ku64(j, "entry", k->stored_entry);
		json_ku64(j, "records", k->records);
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void
json_totals(struct json *j, const struct story *s, const struct totals *sum)
{
	json_key(j, "totals");
	json_open(j, '{');
	json_ku64(j, "files", sum->files);
	json_ku64(j, "versions", sum->versions);
	json_ku64(j, "bytes", sum->bytes);
	json_ku64(j, "readings", sum->releases);
	json_ku64(j, "bytes_released", sum->bytes_released);
	json_ku64(j, "refused", sum->refused);
	json_ku64(j, "unfinished_uploads", sum->uploads);
	json_ku64(j, "unreadable", s->unreadable + s->without_blob);
	if (sum->releases != 0) {
		json_time(j, "first", sum->first_us);
		json_time(j, "last", sum->last_us);
	}
	json_close(j, '}');
}

static int
tell_json(const struct cli *c, struct report *r, struct story *s, const struct totals *sum)
{
	static const char *const options[] = {"--user", "--file", "--address"};
	DEFER(mem_freep) char *buf = mem_alloc(PART);
	struct text t;
	struct json j;
	int err;

	if (buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	t = text_of(buf, PART);
	j = json_of(&t);
	json_open(&j, '{');
	json_ku64(&j, "story", 1);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (cli_has(c, options[i]))
			json_kstr(&j, options[i] + 2, span_str(cli_opt(c, options[i])));
	report_verified_json(r, &j);
	json_totals(&j, s, sum);
	json_key(&j, "taken");
	json_open(&j, '[');
	for (size_t i = 0; i < s->n_taken; i++) {
		if (s->taken[i].times > s->taken[i].refused)
			json_taken(&j, &s->taken[i]);
		report_flush(&t);
	}
	json_close(&j, ']');
	json_key(&j, "entries");
	json_open(&j, '[');
	report_flush(&t);
	err = each_entry(r, s, true);
	(void)printf("]}\n");
	return err;
}

/* ---- proofs ---- */

static int
write_proof(struct audit *a, int dirfd, const char *dir, uint64_t entry, char *buf)
{
	struct text t = text_of(buf, AUDIT_PROOF_MAX);
	char name[40];
	struct text nt = text_of(name, sizeof(name));
	int err = audit_proof(a, entry, &t);

	if (err != SP_OK)
		return cli_fail(err == SP_EUNAVAIL ? err : SP_EVERIFY,
		    err == SP_EUNAVAIL
			? "entry %llu is not under a checkpoint yet: try again in a second"
			: "entry %llu cannot be proved",
		    (unsigned long long)entry);
	text_fmt(&nt, "%llu.proof", (unsigned long long)entry);
	err = file_write_new(dirfd, name, text_span(&t), 0600, /* replace= */ true);
	return err != SP_OK ? cli_fail(err, "%s/%s: %s", dir, name, sp_strerror(err)) : SP_OK;
}

/* One file for each reading, and for the record of what was read: a C2SP tlog-proof that `audit
 * check` and any other implementation verifies. */
static int
write_proofs(struct report *r, const struct story *s, const char *dir)
{
	DEFER(mem_freep) char *buf = mem_alloc(AUDIT_PROOF_MAX);
	DEFER(close_fd) int dirfd = -1;
	int err = dir_make_at(AT_FDCWD, dir, 0700);

	if (s->n_readings + s->n_taken > HUNT_PROOFS_MAX)
		return cli_fail(SP_ETOOBIG, "%zu proofs are more than %d: ask for less",
		    s->n_readings + s->n_taken, HUNT_PROOFS_MAX);
	if (err == SP_OK || err == SP_EEXISTS)
		err = dirfd = file_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	if (err < 0)
		return cli_fail(err, "%s: %s", dir, sp_strerror(err));
	err = buf != NULL ? SP_OK : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	for (size_t i = 0; i < s->n_readings && err == SP_OK; i++)
		if (!s->reading[i].refused)
			err = write_proof(r->audit, dirfd, dir, s->reading[i].entry, buf);
	for (size_t i = 0; i < s->n_taken && err == SP_OK; i++)
		if (s->taken[i].is_known)
			err = write_proof(r->audit, dirfd, dir, s->taken[i].stored_entry, buf);
	return err;
}

/* ---- the command ---- */

static int
tell(const struct cli *c, struct report *r, struct story *s)
{
	struct totals sum;
	int err = collect(r, s);

	if (err != SP_OK)
		return err;
	story_totals(s, &sum);
	if (cli_opt(c, "--proofs") != NULL)
		err = write_proofs(r, s, cli_opt(c, "--proofs"));
	if (err == SP_OK && cli_opt(c, "--html") != NULL)
		err = story_page(c, r, s, &sum, cli_opt(c, "--html"));
	if (err != SP_OK)
		return err;
	return c->json ? tell_json(c, r, s, &sum) : tell_text(c, r, s, &sum);
}

int
story_tell(const struct cli *c, struct report *r)
{
	struct story *s = NULL;
	int err =
	    story_new(cli_opt(c, "--user"), cli_opt(c, "--file"), cli_opt(c, "--address"), &s);

	if (err == SP_EUSAGE)
		return cli_fail(
		    err, "--address %s: not an address or network", cli_opt(c, "--address"));
	if (err != SP_OK)
		return cli_fail(err, "%s", sp_strerror(err));
	err = tell(c, r, s);
	story_free(s);
	return err;
}
