/* fsck.c - sallyport fsck: the database against the blobs, the audit log, and (--content) every
 * stored byte.
 *
 * The running server says what should be there; this program, which may read the folders, looks.
 * Content is read by the scrubber only, each reading on record.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/audit.h"
#include "cli/call.h"
#include "cli/print.h"
#include "crypto/floe.h"
#include "store/tlog_json.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define IDS_MAX 512u   /* blob names asked for in one call */
#define SETTLE_MS 2000 /* a blob file may be there a moment before its row */

struct fsck {
	struct cli *c;
	struct call call;
	struct print print;
	int blobs; /* descriptor of the blob folder */
	struct audit audit;
	unsigned long long versions, files, faults, read;
	json_t *suspects; /* names of blob files that nothing belongs to, at first sight */
	char ids[IDS_MAX * 33 + 1];
	size_t n_ids;
	char folder[3]; /* of the blob files being looked at */
};

static int
fault(struct fsck *f, const char *kind, const char *what, const char *detail)
{
	json_t *page = json_pack(
	    "{s:[{s:s, s:s, s:s}]}", "rows", "fault", kind, "what", what, "detail", detail);

	if (page == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	f->faults++;
	print_page(&f->print, page);
	json_decref(page);
	return SP_OK;
}

static int
verb(struct fsck *f, const char *name, const char *key, const char *value, json_t **ret)
{
	DEFER(json_done) json_t *args = json_object();

	if (args == NULL ||
	    (key != NULL && json_object_set_new(args, key, json_string(value)) != 0))
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	return call_verb(&f->call, name, args, span_of(NULL, 0), ret);
}

/* ---- versions and their blobs ---- */

/* blob_there - 1: as long as it should be; 0: not. */
static int
blob_there(struct fsck *f, json_t *blob)
{
	const char *id = json_string_value(json_object_get(blob, "id"));
	uint64_t length = (uint64_t)json_integer_value(json_object_get(blob, "length"));
	uint32_t segment = (uint32_t)json_integer_value(json_object_get(blob, "segment"));
	int64_t stored = json_integer_value(json_object_get(blob, "stored"));
	struct op_stat st;
	char path[40];
	int rc;

	if (id == NULL || strlen(id) != 32)
		return 0;
	if (segment == 0)
		return stored == (int64_t)(length + FLOE_HEADER_BYTES + FLOE_OVERHEAD);
	(void)snprintf(path, sizeof(path), "%.2s/%s", id, id + 2);
	rc = op_stat_at(f->blobs, path, &st);
	if (rc == SP_ENOTFOUND)
		return 0;
	if (rc != SP_OK)
		return cli_fail(rc, "blobs/%s: %s", path, sp_strerror(rc));
	return st.kind == OP_FILE && (uint64_t)st.size == floe_ciphertext_len(length, segment);
}

/* still_known - a blob that is not there may just have been shredded. */
static int
still_known(struct fsck *f, const char *id, bool *ret)
{
	DEFER(json_done) json_t *answer = NULL;
	int rc = verb(f, "fsck known", "ids", id, &answer);

	*ret = rc == SP_OK && json_array_size(json_object_get(answer, "unknown")) == 0;
	return rc;
}

static int
check_blobs(struct fsck *f, json_t *version, const char *path)
{
	json_t *blob;
	size_t i;

	json_array_foreach(json_object_get(version, "blobs"), i, blob)
	{
		const char *id = json_string_value(json_object_get(blob, "id"));
		char detail[96];
		bool known;
		int rc = blob_there(f, blob);

		if (rc == 0) {
			rc = still_known(f, id != NULL ? id : "", &known);
			if (rc != SP_OK)
				return rc;
			(void)snprintf(detail, sizeof(detail),
			    "blob %.32s is missing or has a wrong length", id != NULL ? id : "");
			rc = known ? fault(f, "missing", path, detail) : SP_OK;
		}
		if (rc < 0)
			return rc;
	}
	return SP_OK;
}

/* check_entry - does the audit log have this version's entry, and is it one that stores a file? */
static int
check_entry(struct fsck *f, uint64_t entry, const char *path)
{
	char event[64] = "", detail[128];
	struct span text;
	int rc;

	if (f->audit.log == NULL || entry >= tlog_end(f->audit.log)) { /* it has grown since */
		audit_close(&f->audit);
		rc = audit_open_say(f->c, &f->audit);
		if (rc != SP_OK)
			return rc;
	}
	rc = tlog_entry(f->audit.log, entry, &text);
	if (rc == SP_OK)
		tlog_json_text(text, "event", event, sizeof(event));
	if (rc == SP_OK &&
	    (strcmp(event, "file.created") == 0 || strcmp(event, "file.replaced") == 0))
		return SP_OK;
	(void)snprintf(detail, sizeof(detail),
	    "audit log entry %llu does not say that it was stored", (unsigned long long)entry);
	return fault(f, "unrecorded", path, detail);
}

static int
check_content(struct fsck *f, int64_t version, const char *path)
{
	DEFER(json_done) json_t *answer = NULL;
	char number[24], detail[96];
	struct text t = text_of(number, sizeof(number));
	int rc;

	text_u64(&t, (uint64_t)version);
	rc = verb(f, "fsck content", "version", number, &answer);
	if (rc != SP_OK)
		return rc;
	f->read++;
	if (json_is_true(json_object_get(answer, "sound")))
		return SP_OK;
	(void)snprintf(detail, sizeof(detail), "content is damaged at offset %lld",
	    (long long)json_integer_value(json_object_get(answer, "offset")));
	return fault(f, "damaged", path, detail);
}

static int
check_version(struct fsck *f, json_t *v, bool content)
{
	const char *path = json_string_value(json_object_get(v, "path"));
	int64_t damaged = json_integer_value(json_object_get(v, "damaged"));
	unsigned long long before = f->faults;
	char detail[96];
	int rc = SP_OK;

	path = path != NULL ? path : "";
	f->versions++;
	if (json_integer_value(json_object_get(v, "size")) !=
	    json_integer_value(json_object_get(v, "sum")))
		rc = fault(f, "inconsistent", path, "its extents do not add up to its size");
	if (rc == SP_OK)
		rc = check_blobs(f, v, path);
	if (rc == SP_OK)
		rc =
		    check_entry(f, (uint64_t)json_integer_value(json_object_get(v, "entry")), path);
	if (rc == SP_OK && content && f->faults == before)
		return check_content(f, json_integer_value(json_object_get(v, "id")), path);
	if (rc == SP_OK && damaged != 0) {
		(void)snprintf(detail, sizeof(detail), "a reader found damage at offset %lld",
		    (long long)damaged - 1);
		rc = fault(f, "damaged", path, detail);
	}
	return rc;
}

static int
check_versions(struct fsck *f)
{
	char after[24] = "0";
	int rc;

	for (;;) {
		DEFER(json_done) json_t *page = NULL;
		const char *next;
		json_t *v;
		size_t i;

		rc = verb(f, "fsck versions", "after", after, &page);
		if (rc != SP_OK)
			return rc;
		json_array_foreach(json_object_get(page, "rows"), i, v)
		{
			rc = check_version(f, v, cli_has(f->c, "--content"));
			if (rc != SP_OK)
				return rc;
		}
		next = json_string_value(json_object_get(page, "next"));
		if (next == NULL)
			return SP_OK;
		(void)snprintf(after, sizeof(after), "%s", next);
	}
}

/* ---- blob files that nothing belongs to ---- */

/* ask_ids - which of f->ids are unknown?  They become suspects, or (second time) faults. */
static int
ask_ids(struct fsck *f, bool second)
{
	DEFER(json_done) json_t *answer = NULL;
	json_t *id;
	size_t i;
	int rc = f->n_ids == 0 ? SP_OK : verb(f, "fsck known", "ids", f->ids, &answer);

	f->n_ids = 0;
	f->ids[0] = '\0';
	json_array_foreach(json_object_get(answer, "unknown"), i, id)
	{
		char path[64];
		struct op_stat st;
		const char *hex = json_string_value(id);

		if (!second && json_array_append(f->suspects, id) != 0)
			return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
		(void)snprintf(path, sizeof(path), "%.2s/%s", hex, strlen(hex) > 2 ? hex + 2 : "");
		if (second && rc == SP_OK && op_stat_at(f->blobs, path, &st) == SP_OK)
			rc = fault(f, "orphaned", path, "no version has this blob file");
	}
	return rc;
}

static int
add_id(struct fsck *f, const char *hex, bool second)
{
	size_t len = strlen(f->ids);
	struct text t = text_of(f->ids + len, sizeof(f->ids) - len);

	if (f->n_ids++ != 0)
		text_chr(&t, ',');
	text_str(&t, hex);
	return f->n_ids == IDS_MAX ? ask_ids(f, second) : SP_OK;
}

static int
blob_name(void *arg, int dirfd, const char *name)
{
	struct fsck *f = arg;
	uint8_t id[15];
	char hex[64];

	(void)dirfd;
	f->files++;
	(void)snprintf(hex, sizeof(hex), "%s%.32s", f->folder, name);
	if (parse_hex(span_str(name), id, sizeof(id)) != SP_OK) {
		(void)snprintf(hex, sizeof(hex), "%s/%.32s", f->folder, name);
		return fault(f, "orphaned", hex, "this is no blob's name");
	}
	return add_id(f, hex, /* second= */ false);
}

static int
blob_folder(void *arg, int dirfd, const char *name)
{
	struct fsck *f = arg;
	DEFER(close_fd) int fd = file_open_at(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	uint8_t byte;

	if (fd < 0 || parse_hex(span_str(name), &byte, 1) != SP_OK)
		return fault(f, "orphaned", name, "this does not belong into the blob folder");
	memcpy(f->folder, name, sizeof(f->folder));
	return op_dir_each(fd, blob_name, f);
}

static int
check_orphans(struct fsck *f)
{
	json_t *id;
	size_t i;
	int rc = op_dir_each(f->blobs, blob_folder, f);

	if (rc == SP_OK)
		rc = ask_ids(f, /* second= */ false);
	if (rc != SP_OK || json_array_size(f->suspects) == 0)
		return rc;
	clock_sleep_ms(SETTLE_MS);
	json_array_foreach(f->suspects, i, id)
	{
		rc = add_id(f, json_string_value(id), /* second= */ true);
		if (rc != SP_OK)
			return rc;
	}
	return ask_ids(f, /* second= */ true);
}

/* ---- the whole ---- */

static int
open_all(struct fsck *f)
{
	char path[4096];
	int rc = call_open(f->c, &f->call);

	if (rc == SP_OK)
		rc = cli_path(f->c, "blobs", path, sizeof(path));
	if (rc != SP_OK)
		return rc;
	f->blobs = file_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (f->blobs < 0)
		return cli_fail(f->blobs, "%s: %s", path, sp_strerror(f->blobs));
	f->suspects = json_array();
	return f->suspects != NULL ? SP_OK : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
}

static int
check_all(struct fsck *f)
{
	DEFER(json_done) json_t *answer = NULL;
	int rc = verb(f, "fsck database", NULL, NULL, &answer);

	if (rc == SP_OK && !json_is_true(json_object_get(answer, "sound")))
		rc = fault(f, "database", "sallyport.db",
		    json_string_value(json_object_get(answer, "detail")));
	if (rc == SP_OK)
		rc = check_versions(f);
	return rc == SP_OK ? check_orphans(f) : rc;
}

int
cmd_fsck(struct cli *c)
{
	DEFER(mem_freep) struct fsck *f = mem_alloc(sizeof(*f));
	int rc;

	if (f == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	f->c = c;
	f->blobs = f->audit.dirfd = -1;
	print_begin(&f->print, c->json);
	f->print.rows = true; /* --json: an empty list when all is well */
	rc = open_all(f);
	if (rc == SP_OK)
		rc = check_all(f);
	if (rc == SP_OK) {
		print_end(&f->print);
		if (!c->json)
			(void)printf(
			    "%llu versions, %llu blob files, %llu read in full: %llu faults\n",
			    f->versions, f->files, f->read, f->faults);
		rc = cli_out_done();
	}
	if (rc == SP_OK && f->faults != 0)
		rc = cli_fail(SP_EVERIFY, "%llu faults were found", f->faults);
	json_decref(f->suspects);
	audit_close(&f->audit);
	close_fd(&f->blobs);
	call_close(&f->call);
	return rc;
}
