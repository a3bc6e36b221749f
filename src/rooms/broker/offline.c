/* offline.c - see offline.h. */
#include "rooms/broker/offline.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "crypto/floe.h"
#include "rooms/broker/admin.h"
#include "rooms/broker/db.h"
#include "sys/fd.h"

struct blob_row {
	uint8_t id[16];
	int64_t length;
	uint32_t segment; /* 0: in the database */
};

static int
next_blob(struct db *db, struct blob_row *row)
{
	DEFER(sql_end)
	struct sql q = sql_query(db, SQL_BLOB_NEXT, SB(span_of(row->id, sizeof(row->id))));
	struct span id;
	int rc = sql_step(&q);

	if (rc != 1)
		return rc;
	id = sql_blob(&q);
	if (id.len != sizeof(row->id))
		return SP_EDAMAGED;
	memcpy(row->id, id.ptr, id.len);
	(void)sql_i64(&q); /* organisation */
	row->length = sql_i64(&q);
	row->segment = (uint32_t)sql_i64(&q);
	return 1;
}

/* blob_sound - 1: its bytes are there. */
static int
blob_sound(struct db *db, int blob_dir, const struct blob_row *row, const char *hex)
{
	DEFER(close_fd) int fd = -1;
	char path[40];
	int64_t size = 0;
	int rc;

	if (row->segment == 0)
		return sql_get(
		    db, SQL_CONTENT_LENGTH, &size, SB(span_of(row->id, sizeof(row->id))));
	(void)snprintf(path, sizeof(path), "%.2s/%s", hex, hex + 2);
	fd = file_open_at(blob_dir, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == SP_ENOTFOUND ? 0 : fd;
	rc = file_size(fd, &size);
	if (rc != SP_OK)
		return rc;
	return (uint64_t)size == floe_ciphertext_len((uint64_t)row->length, row->segment);
}

static int
check_blobs(struct db *db, int blob_dir, unsigned *faults)
{
	struct blob_row row = {.length = 0};
	int rc;

	while ((rc = next_blob(db, &row)) == 1) {
		char hex[33];
		struct text t = text_of(hex, sizeof(hex));

		text_hex(&t, span_of(row.id, sizeof(row.id)));
		rc = blob_sound(db, blob_dir, &row, hex);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			(void)fprintf(stderr, "blob %s is missing or has a wrong length\n", hex);
			++*faults;
		}
	}
	return rc;
}

int
offline_check(const char *db_dir, const char *blob_dir)
{
	DEFER(close_fd) int blobs = file_open_at(AT_FDCWD, blob_dir, O_RDONLY | O_DIRECTORY, 0);
	struct db *db = NULL;
	unsigned faults = 0;
	char why[512];
	int rc = blobs < 0 ? blobs : db_open(db_dir, /* create= */ false, &db);

	if (rc == SP_OK && db_check(db, why, sizeof(why)) != SP_OK) {
		(void)fprintf(stderr, "database: %s\n", why);
		faults++;
	}
	if (rc == SP_OK)
		rc = check_blobs(db, blobs, &faults);
	db_close(db);
	if (rc != SP_OK)
		(void)fprintf(stderr, "%s: %s\n", db_dir, sp_strerror(rc));
	return rc != SP_OK ? sp_err_row(rc)->exit : faults != 0 ? 2 : 0;
}

/* ---- --rows ---- */

/* print_page - one answer; *ret_more: the table goes on behind a, b, c of its last row. */
static int
print_page(struct admin_call *a, bool *ret_more)
{
	static const char *const keys[] = {"a", "b", "c"};
	const json_t *rows, *last;
	int rc = admin_begin(a);

	if (rc == SP_OK)
		rc = admin_verify_rows(a);
	if (rc == SP_OK)
		rc = admin_set(a, "table", json_incref(json_object_get(a->args, "table")));
	if (rc == SP_OK &&
	    (json_dumpf(a->result, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF))
		rc = SP_EIO;
	*ret_more = rc == SP_OK && json_is_true(json_object_get(a->result, "more"));
	rows = json_object_get(a->result, "rows");
	last = json_array_get(rows, json_array_size(rows) - 1);
	for (size_t i = 0; i < ARRAY_LEN(keys) && *ret_more; i++)
		if (json_object_set_new(a->args, keys[i],
			json_sprintf(
			    "%lld", (long long)json_integer_value(json_array_get(last, i)))) != 0)
			rc = SP_ENOMEM;
	admin_end(a);
	return rc;
}

static int
print_table(struct db *db, enum rows_kind kind)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	json_t *args = json_pack("{s:s}", "table", rows_name(kind));
	bool more = true;
	int rc = a != NULL && args != NULL ? SP_OK : SP_ENOMEM;

	if (rc == SP_OK) {
		a->db = db;
		a->args = args;
	}
	while (rc == SP_OK && more)
		rc = print_page(a, &more);
	json_decref(args);
	return rc;
}

int
offline_rows(const char *db_dir)
{
	struct db *db = NULL;
	int rc = db_open_look(db_dir, &db);

	for (int kind = 0; kind < ROWS_COUNT && rc == SP_OK; kind++)
		rc = print_table(db, (enum rows_kind)kind);
	if (rc == SP_OK && fflush(stdout) != 0)
		rc = SP_EIO;
	db_close(db);
	if (rc != SP_OK)
		(void)fprintf(stderr, "%s: %s\n", db_dir, sp_strerror(rc));
	return rc != SP_OK ? sp_err_row(rc)->exit : 0;
}
