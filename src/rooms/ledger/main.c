/* main.c - the ledger: the append-only audit log, its tree and its signing key. */
#include "rooms/ledger/ledger.h"
#include "sys/fd.h"
#include "sys/log.h"

static void
ledger_begin(struct ledger *l)
{
	l->loop = loop_new();
	l->sup_buf = mem_alloc(IPC_MAX);
	l->buf = mem_alloc(IPC_MAX);
	l->json = mem_alloc(ENTRY_MAX + 1);
	l->seed = secret_new(32 + 1);
	if (l->loop == NULL || l->sup_buf == NULL || l->buf == NULL || l->json == NULL ||
	    seats_init(&l->seats) != SP_OK || alarms_init(l) != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	if (l->seed == NULL)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	link_init(&l->broker, l->loop, ROOM_BROKER, broker_ready, l);
	link_init(&l->vault, l->loop, ROOM_VAULT, vault_ready, l);
	link_init(&l->courier, l->loop, ROOM_COURIER, courier_ready, l);
}

/* Workers, notices and links may come before GO: links stay in room_start. */
static void
before_go(void *arg, struct chan_msg *m)
{
	struct ledger *l = arg;
	int err = l->log == NULL && m->id == IPC_NOTICE ? SP_EDENIEDMSG : supervisor_take(l, m);

	if (err < 0)
		sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
}

static void
read_seed(struct ledger *l)
{
	struct room_start *r = &l->room;
	int64_t n;

	if (r->file[FILE_LEDGER_KEY] < 0)
		sp_die(EXIT_CONFIG, "keys/ledger.key is missing: restore it from a backup");
	n = file_pread(r->file[FILE_LEDGER_KEY], l->seed, 33, 0);
	close_fd(&r->file[FILE_LEDGER_KEY]);
	if (n < 0)
		sp_die(EXIT_IO, "keys/ledger.key cannot be read: %s", sp_strerror((int)n));
	if (n != 32)
		sp_die(EXIT_CONFIG, "keys/ledger.key has not exactly 32 bytes");
	if (ed25519_public(l->seed, l->public_key) != SP_OK)
		sp_die(EXIT_SOFTWARE, "keys/ledger.key: %s", sp_strerror(SP_ECRYPTO));
}

static void
take_links(struct ledger *l)
{
	struct room_start *r = &l->room;
	int err = SP_OK;

	if (r->link[ROOM_BROKER] >= 0)
		err = link_take(&l->broker, TAKE_FD(r->link[ROOM_BROKER]));
	if (err == SP_OK && r->link[ROOM_VAULT] >= 0)
		err = link_take(&l->vault, TAKE_FD(r->link[ROOM_VAULT]));
	if (err == SP_OK && r->link[ROOM_COURIER] >= 0)
		err = link_take(&l->courier, TAKE_FD(r->link[ROOM_COURIER]));
	if (err != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(err));
}

static void
ledger_start(struct ledger *l)
{
	struct room_start *r = &l->room;
	struct sandbox_limits limits = {
	    .memory_bytes = 512u << 20,
	    .files = 64,
	    .file_bytes = 64u << 20,
	};
	struct sandbox_path path = {r->file_name[FILE_LEDGER_DIR], SANDBOX_READ | SANDBOX_WRITE};

	if (r->file[FILE_LEDGER_DIR] < 0 || path.path == NULL)
		sp_die(EXIT_CONFIG, "the folder ledger is missing");
	l->dirfd = TAKE_FD(r->file[FILE_LEDGER_DIR]);
	l->fs = tlog_fs_of(&l->dirfd);
	read_seed(l);
	ledger_open_log(l);
	if (r->file[FILE_DECOYS] >= 0 && decoys_take(l, TAKE_FD(r->file[FILE_DECOYS])) != SP_OK)
		sp_die(EXIT_CONFIG, "the list of decoys cannot be read");
	take_links(l);
	room_sandbox(r, &path, 1, &limits, "");
	log_info(
	    "audit log %s: %llu entries", r->conf.name, (unsigned long long)tlog_durable(l->log));
}

static void
ledger_run(struct ledger *l)
{
	struct loop_watch *w =
	    loop_watch(l->loop, l->room.supervisor.fd, LOOP_IN, supervisor_ready, l);

	if (w == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	loop_priority(w);
	loop_idle(l->loop, ledger_idle, l);
	if (loop_run(l->loop) != SP_OK)
		sp_die(EXIT_SOFTWARE, "waiting for messages failed");
}

int
main(int argc, char **argv)
{
	struct ledger *l = mem_alloc(sizeof(*l));

	if (l == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	ledger_begin(l);
	room_enter(ROOM_LEDGER, argc, argv, &l->room, before_go, l);
	ledger_start(l);
	ledger_run(l);
	ledger_finish(l);
	orders_fail(l, SP_EUNAVAIL);
	link_drop(&l->broker);
	link_drop(&l->vault);
	link_drop(&l->courier);
	intents_end(l);
	alarms_end(l);
	mem_free(l->alarms);
	tlog_writer_free(l->log);
	secret_free(l->seed, 32 + 1);
	seats_done(&l->seats);
	decoys_done(l);
	mem_free(l->pending);
	mem_free(l->json);
	mem_free(l->buf);
	mem_free(l->sup_buf);
	close_fd(&l->dirfd);
	loop_free(l->loop);
	mem_free(l);
	return 0;
}
