/* main.c - the courier: alarms from the ledger, messages to messengers. */
#include "crypto/crypto.h"
#include "rooms/courier/courier.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#define EXIT_SOFTWARE 70
#define EXIT_CONFIG 78

/* ---- secrets ---- */

static const struct {
	enum way way;
	enum ipc_file_what what;
} secret_files[] = {
    {WAY_MAIL, FILE_ALARM_MAIL_PASSWORD},
    {WAY_WEBHOOK, FILE_ALARM_WEBHOOK_KEY},
};

/* The first line of a file is the secret. */
void
secrets_read(struct courier *c)
{
	for (size_t i = 0; i < ARRAY_LEN(secret_files); i++) {
		enum way way = secret_files[i].way;
		int *fd = &c->room.file[secret_files[i].what];
		int64_t n;

		if (*fd < 0)
			continue;
		mem_wipe(c->secret[way], SECRET_MAX + 1);
		n = file_pread(*fd, c->secret[way], SECRET_MAX + 1, 0);
		close_fd(fd);
		c->secret_len[way] =
		    span_find(span_of(c->secret[way], n > 0 ? (size_t)n : 0), '\n');
		if (c->secret_len[way] != 0 && c->secret[way][c->secret_len[way] - 1] == '\r')
			c->secret_len[way]--;
		if (c->secret_len[way] != 0 && c->secret_len[way] <= SECRET_MAX)
			continue;
		log_error("the secret for alarms by %s is empty, too long or cannot be read",
		    way_rows[way].name);
		c->secret_len[way] = 0;
	}
}

/* ---- start ---- */

static void
courier_begin(struct courier *c)
{
	c->loop = loop_new();
	c->buf = secret_new(IPC_MAX);
	c->state = mem_alloc(sizeof(*c->state));
	c->wall_us = clock_wall_us;
	c->mono_ms = clock_mono_ms;
	c->ledger.fd = c->broker.fd = c->dirfd = -1;
	for (size_t i = 0; i < MESSENGERS_MAX; i++)
		c->messengers[i].chan.fd = -1;
	c->none = memfd_of("none", span_of(NULL, 0));
	if (c->loop == NULL || c->buf == NULL || c->state == NULL || c->none < 0)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	for (size_t i = 0; i < WAY_COUNT; i++)
		if ((c->secret[i] = secret_new(SECRET_MAX + 1)) == NULL)
			sp_die(EXIT_SOFTWARE, "no memory that can be locked: raise the limit of "
					      "locked memory (ulimit -l)");
}

static void
load(struct courier *c)
{
	int err = state_load(c->dirfd, c->state);

	if (err < 0) /* no reason not to serve: the log tells again what was in it */
		log_error("courier/state cannot be read: %s; alarms of the last days go out again",
		    sp_strerror(err));
	if (err == 1)
		return;
	c->state->floor_us = c->wall_us() - GIVE_UP_US;
	c->dirty = true;
}

static void
enter(struct courier *c)
{
	struct room_start *r = &c->room;
	struct sandbox_limits limits = {.memory_bytes = 128u << 20,
	    .cpu_seconds = 365 * 24 * 3600,
	    .files = 64,
	    .file_bytes = STATE_MAX};
	struct sandbox_path path = {r->file_name[FILE_COURIER_DIR], SANDBOX_READ | SANDBOX_WRITE};

	if (r->file[FILE_COURIER_DIR] < 0 || path.path == NULL)
		sp_die(EXIT_CONFIG, "the folder courier is missing");
	c->dirfd = TAKE_FD(r->file[FILE_COURIER_DIR]);
	if (crypto_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "OpenSSL does not work");
	load(c);
	secrets_read(c);
	if (fd_nonblock(r->supervisor.fd, true) != SP_OK ||
	    loop_watch(c->loop, r->supervisor.fd, LOOP_IN, supervisor_ready, c) == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	for (size_t i = 0; i < ROOM_COUNT; i++)
		if ((i == ROOM_LEDGER || i == ROOM_BROKER) && r->link[i] >= 0 &&
		    courier_link(c, (enum room)i, TAKE_FD(r->link[i])) != SP_OK)
			sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	loop_idle(c->loop, courier_idle, c);
	room_sandbox(r, &path, 1, &limits, "");
	if (ways_on(&r->conf) < 2)
		log_warning("alarms leave by %u of two or more independent ways: configure mail, "
			    "webhook or syslog in sallyport.conf",
		    ways_on(&r->conf));
}

int
main(int argc, char **argv)
{
	struct courier *c = mem_alloc(sizeof(*c));
	int status = 0;

	if (c == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	courier_begin(c);
	room_enter(ROOM_COURIER, argc, argv, &c->room, supervisor_take, c);
	enter(c);
	courier_idle(c);
	if (loop_run(c->loop) != SP_OK)
		status = EXIT_SOFTWARE;
	if (c->dirty && state_save(c->dirfd, c->state) != SP_OK)
		log_error("courier/state cannot be written");
	courier_unlink(c, ROOM_LEDGER);
	courier_unlink(c, ROOM_BROKER);
	for (size_t i = 0; i < WAY_COUNT; i++)
		secret_free(c->secret[i], SECRET_MAX + 1);
	secret_free(c->buf, IPC_MAX);
	mem_free(c->state);
	loop_free(c->loop);
	mem_free(c);
	return status;
}
