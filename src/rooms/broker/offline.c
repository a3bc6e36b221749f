/* offline.c - see offline.h. */
#include "rooms/broker/offline.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "crypto/floe.h"
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
