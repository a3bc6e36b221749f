/* verify.c - sallyport verify: the parts in turn, and what they found. */
#include "cli/verify.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/call.h"
#include "cli/print.h"
#include "cli/witness_check.h"

void
verify_part(struct verify *v, const char *part, bool checked, const char *fmt, ...)
{
	char text[1024];
	json_t *o;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o = json_pack("{s:s, s:b, s:s}", "part", part, "checked", checked, "detail", text);
	v->unchecked += !checked;
	if (o == NULL || json_array_append_new(v->parts, o) != 0)
		v->no_memory = true;
	if (v->c->json)
		return;
	(void)printf("%-14s %s%s\n", part, checked ? "" : "NOT CHECKED: ", text);
}

/* safe_json - text for JSON, whatever it holds. */
static json_t *
safe_json(struct span s)
{
	json_t *j = s.len == 0 ? json_null() : json_stringn((const char *)s.ptr, s.len);

	return j != NULL ? j : json_string("(text that is not UTF-8)");
}

void
verify_differs(
    struct verify *v, const char *part, const char *what, struct span expected, struct span found)
{
	json_t *o;

	if (v->found++ >= VERIFY_DIFFERENCES_MAX)
		return;
	o = json_pack("{s:s, s:s, s:o, s:o}", "part", part, "what", what, "expected",
	    safe_json(expected), "found", safe_json(found));
	if (o == NULL || json_array_append_new(v->differences, o) != 0)
		v->no_memory = true;
}

/* ---- the ledger, and a checkpoint from elsewhere ---- */

int
verify_ledger_part(struct verify *v)
{
	const char *kept = cli_opt(v->c, "--checkpoint"), *witness = cli_opt(v->c, "--witness");
	char witnesses[4096];
	struct text said_by = text_of(witnesses, sizeof(witnesses));
	uint64_t size = 0;
	struct hash root;
	bool said = false;
	int rc = audit_open(v->c, &v->audit, &said);

	if (rc != SP_OK && (said || rc != SP_EVERIFY)) {
		verify_part(v, "audit log", false, "%s", said ? sp_strerror(rc) : v->audit.why);
		return SP_OK;
	}
	if (rc == SP_OK && kept != NULL &&
	    (rc = audit_kept(kept, &v->audit.key, &size, &root)) != SP_OK)
		return rc;
	if (rc == SP_OK)
		rc = tlog_verify(v->audit.log, size, kept != NULL ? &root : NULL, v->audit.why,
		    sizeof(v->audit.why));
	if (rc == SP_OK && witness != NULL)
		rc = witnesses_check(
		    v->c, &v->audit, witness, &said_by, v->audit.why, sizeof(v->audit.why));
	v->has_log = rc == SP_OK;
	verify_part(v, "audit log", true, "%llu entries%s%s%s",
	    v->audit.log != NULL ? (unsigned long long)tlog_end(v->audit.log) : 0ull,
	    kept != NULL ? ", and a checkpoint that was kept" : "", said_by.len != 0 ? "; " : "",
	    witnesses);
	if (rc != SP_OK)
		verify_differs(v, "audit log", "the log and its signed checkpoint",
		    SPAN_LIT("to agree"), span_str(v->audit.why));
	if (kept == NULL && witness == NULL)
		verify_part(v, "checkpoint", false,
		    "neither --checkpoint nor --witness is given: a log that was cut and written "
		    "anew agrees with "
		    "itself");
	return SP_OK;
}

/* ---- the whole ---- */

static int
run_parts(struct verify *v)
{
	static int (*const parts[])(struct verify * v) = {
	    verify_programs_part,
	    verify_processes_part,
	    verify_ledger_part,
	    verify_settings_part,
	    verify_database_part,
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		int rc = parts[i](v);

		if (rc != SP_OK)
			return rc;
		if (v->no_memory)
			return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	return SP_OK;
}

static void
print_json(const struct verify *v)
{
	json_t *o = json_pack("{s:b, s:i, s:i, s:O, s:O}", "verified", v->found == 0, "found",
	    (int)v->found, "unchecked", (int)v->unchecked, "parts", v->parts, "differences",
	    v->differences);

	(void)json_dumpf(o, stdout, JSON_COMPACT); /* a failure shows at the flush */
	(void)putchar('\n');
	json_decref(o);
}

static void
print_differences(const struct verify *v)
{
	json_t *page = json_pack("{s:O}", "rows", v->differences);
	struct print p;

	if (v->found != 0)
		(void)putchar('\n');
	print_begin(&p, false);
	print_page(&p, page);
	print_end(&p);
	json_decref(page);
}

int
cmd_verify(struct cli *c)
{
	struct verify v = {.c = c, .audit = {.dirfd = -1}};
	int rc = SP_ENOMEM;

	v.parts = json_array();
	v.differences = json_array();
	if (v.parts != NULL && v.differences != NULL)
		rc = run_parts(&v);
	if (rc == SP_OK) {
		if (c->json)
			print_json(&v);
		else
			print_differences(&v);
		rc = cli_out_done();
	}
	if (rc == SP_OK && cli_has(c, "--record"))
		rc = verify_record(&v);
	if (v.found != 0 && (rc == SP_OK || cli_has(c, "--record")))
		rc = cli_fail(SP_EVERIFY, "%llu differences were found", v.found);
	else if (rc == SP_OK && !c->json)
		(void)printf(v.unchecked == 0 ? "no difference was found\n"
					      : "no difference was found in what was checked; %llu "
						"parts were not\n",
		    v.unchecked);
	json_decref(v.parts);
	json_decref(v.differences);
	mem_free(v.manifest_text);
	audit_close(&v.audit);
	return rc == SP_OK ? cli_out_done() : rc;
}
