/* main.c - the broker: policy and metadata; the only SQL; opens sealed blobs and passes their
 * descriptors. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "crypto/ssh_key.h"
#include "rooms/broker/offline.h"
#include "rooms/broker/start.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define FILES_MAX 65536u

/* ---- sallyport-broker --init DIR_DB SEGMENT_BYTES ORG: a new instance's database; no supervisor
 * ---- */

static int
init_main(char **argv)
{
	struct db *db = NULL;
	uint64_t segment = 0;
	char path[4200];
	int err;

	if (parse_u64(span_str(argv[3]), 262144, &segment) != SP_OK || segment < 65536)
		sp_die(64, "the segment length is 65536 to 262144 bytes");
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", argv[2], DB_FILE) >= sizeof(path))
		sp_die(64, "%s: the path is too long", argv[2]);
	if ((err = db_open(argv[2], false, &db)) != SP_ENOTFOUND) {
		db_close(db);
		sp_die(73, "%s: there is a database already", argv[2]);
	}
	if ((err = db_open(argv[2], true, &db)) == SP_OK)
		err = db_init(db, (int64_t)segment, span_str(argv[4]), clock_wall_us());
	db_close(db);
	if (err != SP_OK)
		sp_die(sp_err_row(err)->exit, "%s: %s", path, sp_strerror(err));
	return 0;
}

static void
enter(struct broker *b)
{
	const struct sandbox_path paths[] = {
	    {b->start.file_name[FILE_DATABASE_DIR], SANDBOX_READ | SANDBOX_WRITE},
	    {b->start.file_name[FILE_BLOB_DIR], SANDBOX_READ | SANDBOX_WRITE},
	};
	const struct sandbox_limits limits = {.files = FILES_MAX, .no_file_limit = true};

	json_object_seed(0); /* reads /dev/urandom, once */
	if (crypto_ready() != SP_OK || ssh_key_ready() != SP_OK)
		sp_die(70, "OpenSSL does not start");
	room_sandbox(&b->start, paths, ARRAY_LEN(paths), &limits, "");
	close_fd(&b->start.file[FILE_DATABASE_DIR]);
	close_fd(&b->start.file[FILE_BLOB_DIR]);
}

int
main(int argc, char **argv)
{
	struct broker *b;
	int err;

	(void)umask(077); /* the database that --init makes; room_enter does the same */
	if (argc == 5 && strcmp(argv[1], "--init") == 0)
		return init_main(argv);
	if (argc == 4 && strcmp(argv[1], "--check") == 0)
		return offline_check(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "--rows") == 0)
		return offline_rows(argv[2]);
	b = broker_new();
	room_enter(ROOM_BROKER, argc, argv, &b->start, broker_take, b);
	broker_open(b);
	auth_dummy(b);
	b->start_us = b->wall_us();
	enter(b);
	if ((err = broker_begin(b)) != SP_OK)
		sp_die(71, "%s", sp_strerror(err));
	if (loop_run(b->loop) != SP_OK)
		sp_die(71, "the event loop failed");
	broker_end(b);
	return 0;
}
