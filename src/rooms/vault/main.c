/* main.c - the vault: root key, organisation keys, and file keys on the ledger's orders.
 *
 * Reads two sockets, the supervisor's and the ledger's; writes to workers and never reads from
 * them.
 */
#include "base/mem.h"
#include "base/text.h"
#include "ipc/room.h"
#include "rooms/vault/operators.h"
#include "rooms/vault/orders.h"
#include "rooms/vault/state.h"
#include "rooms/vault/workers.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/loop.h"

#include <stdlib.h>

#define EXIT_CONFIG 78
#define EXIT_SOFTWARE 70
#define COUNTS_AS_SPENT "vault/egress: what was reserved counts as spent"
#define RECOVERY_BYTES 256u /* more than the file has */

struct vault {
	struct room_start room;
	struct loop *loop;
	struct chan ledger;
	struct loop_watch *ledger_watch;
	struct vault_workers workers;
	struct vault_core *core;
	struct vault_state state;
	int egress_fd; /* vault/egress */
	struct egress_disk egress;
	bool counters_told;    /* what was found of the budgets' counters is with the ledger */
	struct span recovery;  /* of keys/root.recovery; empty: none */
	uint8_t *buf, *orders; /* IPC_MAX bytes each: messages of the supervisor, of the ledger */
	uint64_t ledgers;      /* sockets to the ledger so far */
	bool started, stopping;
};

/* ---- what goes wrong between rooms ---- */

static void
report(struct vault *v, uint64_t serial, uint16_t message, int err)
{
	struct ipc_violation m = {serial, message, (uint16_t)-err};

	log_error("violation: serial=%llu message=%u: %s", (unsigned long long)serial, message,
	    sp_strerror(err));
	if (chan_send_violation(&v->room.supervisor, &m, -1) != SP_OK)
		v->stopping = true; /* without a supervisor there is nothing to serve */
}

static void
ledger_drop(struct vault *v)
{
	loop_unwatch(v->loop, v->ledger_watch);
	v->ledger_watch = NULL;
	chan_close(&v->ledger);
}

static void
ledger_lies(struct vault *v, uint16_t message, int err)
{
	ledger_drop(v);
	report(v, 0, message, err);
}

static void
tell_state(struct vault *v)
{
	struct ipc_v_state m = {.open = vault_core_is_open(v->core)};
	int err;

	if (v->ledger.fd < 0)
		return;
	if (m.open != 0 && !v->counters_told)
		m.counters = (uint8_t)vault_core_counters(v->core);
	err = chan_send_v_state(&v->ledger, &m, -1);
	if (err == SP_OK && m.open != 0)
		v->counters_told = true;
	if (err == SP_ECLOSED)
		ledger_drop(v);
	else if (err != SP_OK)
		ledger_lies(v, IPC_V_STATE, err);
}

/* ---- opening ---- */

/* open_core - with a root key, on whatever the state file holds. */
static int
open_core(struct vault *v, const uint8_t root[KEY_BYTES])
{
	uint8_t *buf[2] = {NULL, NULL};
	struct span slot[2];
	bool fresh = false;
	int err = vault_state_read(&v->state, buf, slot, &fresh);

	if (err == SP_OK)
		err = vault_core_open(v->core, root, slot, fresh);
	mem_free(buf[0]);
	mem_free(buf[1]);
	if (err == SP_OK && vault_core_repaired(v->core))
		log_warning(
		    "vault/state: one of its two copies was unreadable and was written anew "
		    "from the other");
	if (err == SP_OK && vault_core_counters(v->core) == GOVERNOR_LOST)
		log_error(
		    "vault/egress is damaged or was taken away: the server's egress budget "
		    "counts as used up for a day; `sallyport limits raise --server` gives more");
	return err;
}

static void
open_at_start(struct vault *v, int fd)
{
	uint8_t *root = secret_new(KEY_BYTES + 1);
	int64_t n = root != NULL ? file_pread(fd, root, KEY_BYTES + 1, 0) : SP_ENOMEM;
	int err = SP_OK;

	if (n == KEY_BYTES)
		err = open_core(v, root);
	if (root != NULL)
		secret_free(root, KEY_BYTES + 1);
	if (n < 0)
		sp_die(EXIT_SOFTWARE, "the root key cannot be read: %s", sp_strerror((int)n));
	if (n != KEY_BYTES)
		sp_die(EXIT_CONFIG, "the root key has not exactly %u bytes", KEY_BYTES);
	if (err == SP_EDAMAGED)
		sp_die(EXIT_CONFIG,
		    "vault/state was not written under this root key, or is damaged: "
		    "restore it from a backup");
	if (err != SP_OK)
		sp_die(EXIT_SOFTWARE, "vault/state: %s", sp_strerror(err));
}

static int
try_unlock(struct vault *v, struct span passphrase)
{
	uint8_t *root;
	int err;

	if (vault_core_is_open(v->core))
		return SP_EEXISTS; /* the passphrase was not tried: no yes to it */
	if (v->recovery.len == 0)
		return SP_EUNAVAIL;
	root = secret_new(KEY_BYTES);
	if (root == NULL)
		return SP_ENOMEM;
	err = vault_root_from_recovery(v->recovery, passphrase, root);
	if (err == SP_OK)
		err = open_core(v, root);
	secret_free(root, KEY_BYTES);
	return err;
}

static void
on_unlock(struct vault *v, const struct chan_msg *m)
{
	struct ipc_unlock u;
	struct ipc_unlock_result r = {0};
	int err = ipc_get_unlock(m->body, &u);

	if (err == SP_OK)
		err = try_unlock(v, u.passphrase);
	mem_wipe(v->buf, IPC_MAX);
	if (err == SP_OK)
		log_info("the vault is open");
	else
		log_warning("unlock: %s", sp_strerror(err));
	r.err = (uint16_t)-err;
	if (chan_send_unlock_result(&v->room.supervisor, &r, -1) != SP_OK)
		v->stopping = true;
	tell_state(v);
}

/* A lockdown with --keys: nothing that opens anything is left here. */
static int
on_lock(struct vault *v, const struct chan_msg *m)
{
	struct ipc_vault_lock ask;
	struct ipc_vault_locked done = {0};
	int err = ipc_get_vault_lock(m->body, &ask);

	if (err != SP_OK)
		return err;
	vault_core_clear(v->core);
	if (vault_core_lock(v->core) != SP_OK)
		log_warning(COUNTS_AS_SPENT);
	log_warning("the vault has forgotten its keys: the operator's passphrase opens it");
	if (chan_send_vault_locked(&v->room.supervisor, &done, -1) != SP_OK)
		v->stopping = true;
	tell_state(v);
	return SP_OK;
}

/* ---- from the supervisor ---- */

static void ledger_ready(void *arg, int fd, unsigned events);

static void
ledger_take(struct vault *v, int fd)
{
	ledger_drop(v);
	chan_init(&v->ledger, fd, ROOM_VAULT, ROOM_LEDGER);
	v->ledgers++;
	vault_ledger_new(v->core);
	if (!v->started)
		return;
	v->ledger_watch = loop_watch(v->loop, fd, LOOP_IN, ledger_ready, v);
	if (v->ledger_watch == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	tell_state(v);
}

static int
on_link(struct vault *v, struct chan_msg *m)
{
	struct ipc_link link;
	int err = ipc_get_link(m->body, &link);

	if (err != SP_OK)
		return err;
	if (link.room != ROOM_LEDGER)
		return SP_EDENIEDMSG;
	ledger_take(v, TAKE_FD(m->fd));
	return SP_OK;
}

/* A worker has nothing to say here; not a byte of what it said is read. */
static void
worker_spoke(void *arg, uint64_t serial)
{
	report(arg, serial, 0, SP_EDENIEDMSG);
}

static int
on_worker_new(struct vault *v, struct chan_msg *m)
{
	struct ipc_worker_new w;
	int err = ipc_get_worker_new(m->body, &w);

	if (err == SP_OK && ((R_WORKERS | R_SCRUBBER | R_AUTHENTICATOR) & (1u << w.room)) == 0)
		err = SP_EDENIEDMSG;
	if (err == SP_OK)
		err = vault_workers_add(&v->workers, w.serial, (enum room)w.room, m->fd);
	if (err == SP_OK)
		m->fd = -1;
	return err;
}

static int
on_worker_gone(struct vault *v, const struct chan_msg *m)
{
	struct ipc_worker_gone w;
	int err = ipc_get_worker_gone(m->body, &w);

	if (err == SP_OK)
		vault_workers_remove(&v->workers, w.serial);
	return err;
}

static int
on_worker_peer(struct vault *v, const struct chan_msg *m)
{
	struct ipc_worker_peer w;
	struct vault_seat *seat;
	int err = ipc_get_worker_peer(m->body, &w);

	if (err != SP_OK)
		return err;
	seat = vault_workers_find(&v->workers, w.serial);
	if (seat != NULL)
		seat->worker.has_address = address_parse(w.address, seat->worker.address) == SP_OK;
	return SP_OK;
}

static int
on_file(struct vault *v, struct chan_msg *m)
{
	struct ipc_file f;
	char why[256];
	int err = ipc_get_file(m->body, &f);

	/* all others are taken at start only */
	if (err == SP_OK && f.what == FILE_LIMITS &&
	    limits_take(vault_core_governor(v->core), m->fd, why, sizeof(why)) != SP_OK)
		log_warning("limits.conf: the old limits stay: %s", why);
	return err;
}

/* on_supervisor - one message.  An error means that we no longer understand our own supervisor. */
static int
on_supervisor(struct vault *v, struct chan_msg *m)
{
	switch (m->id) {
	case IPC_LINK:
		return on_link(v, m);
	case IPC_WORKER_NEW:
		return on_worker_new(v, m);
	case IPC_WORKER_GONE:
		return on_worker_gone(v, m);
	case IPC_WORKER_PEER:
		return on_worker_peer(v, m);
	case IPC_UNLOCK:
		on_unlock(v, m);
		return SP_OK;
	case IPC_VAULT_LOCK:
		return on_lock(v, m);
	case IPC_RELOAD:
		if (room_reload(&v->room, TAKE_FD(m->fd)) != SP_OK)
			log_warning("the old settings stay");
		return SP_OK;
	case IPC_FILE:
		return on_file(v, m);
	case IPC_LIMITS_GET:
		return operators_get(vault_core_governor(v->core), m->body, &v->room.supervisor);
	case IPC_LIMITS_CHANGE:
		return operators_change(vault_core_governor(v->core), m->body, &v->room.supervisor);
	case IPC_STOP:
		v->stopping = true;
		return SP_OK;
	default:
		return SP_EDENIEDMSG;
	}
}

/* supervisor_drain - all that has arrived, so that no worker is unknown that could be known. */
static void
supervisor_drain(struct vault *v)
{
	while (!v->stopping) {
		struct chan_msg m;
		int err = chan_recv(&v->room.supervisor, PH_ANY, false, v->buf, IPC_MAX, &m);

		if (err == 0)
			break;
		if (err == SP_ECLOSED) {
			v->stopping = true;
			break;
		}
		if (err == 1) {
			err = on_supervisor(v, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
	}
	if (v->stopping)
		loop_stop(v->loop);
}

static void
supervisor_ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	supervisor_drain(arg);
}

static void
before_go(void *arg, struct chan_msg *m)
{
	int err = on_supervisor(arg, m);

	if (err < 0)
		sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
}

/* ---- orders of the ledger ---- */

/* send_key - to the worker of the order and nobody else.  One that does not read is reported. */
static int
send_key(struct vault *v, struct vault_seat *seat, const struct vault_answer *a)
{
	int err = chan_send_key(&seat->chan, &a->key, -1);

	if (err == SP_OK || err == SP_ECLOSED)
		return err;
	vault_seat_close(seat);
	report(v, seat->worker.serial, IPC_KEY, err);
	return SP_EREFUSED;
}

static void
send_result(struct vault *v, const struct order *o, const struct vault_answer *a)
{
	struct ipc_v_result m = {
	    .order = o->number,
	    .err = a->err,
	    .retry_after = a->retry_after,
	    .epoch = a->epoch,
	    .kind = a->kind,
	    .budget = a->budget,
	    .froze = a->froze,
	    .wrap = span_of(a->wrap, a->wrap_len),
	};
	int err = chan_send_v_result(&v->ledger, &m, -1);

	if (err == SP_ECLOSED)
		ledger_drop(v);
	else if (err != SP_OK)
		ledger_lies(v, IPC_V_RESULT, err);
}

/* find_seat - the worker that an order names.  Unknown, or its address is: the supervisor's word
 * may still be in its socket, so its messages are served first, in a buffer of their own: the
 * order's spans stay. */
static struct vault_seat *
find_seat(struct vault *v, uint64_t serial)
{
	struct vault_seat *seat = vault_workers_find(&v->workers, serial);

	if (seat == NULL || (!seat->worker.has_address && ipc_is_worker(seat->worker.room))) {
		supervisor_drain(v);
		seat = vault_workers_find(&v->workers, serial);
	}
	return seat;
}

static void
on_order(struct vault *v, const struct order *o)
{
	struct vault_answer a;
	uint64_t ledgers = v->ledgers;
	struct vault_seat *seat = o->serial != 0 ? find_seat(v, o->serial) : NULL;

	if (v->ledgers != ledgers || v->stopping) /* the order's sender is gone: nobody to answer */
		return;
	order_decide(v->core, o, seat != NULL ? &seat->worker : NULL, &a);
	if (a.has_key) {
		int err = send_key(v, seat, &a);

		if (err != SP_OK)
			a = (struct vault_answer){.err = (uint16_t)-err};
	}
	vault_core_clear(v->core);
	if (a.err != 0)
		log_warning("order %llu (message %u, serial %llu): %s",
		    (unsigned long long)o->number, o->id, (unsigned long long)o->serial,
		    sp_strerror(-(int)a.err));
	send_result(v, o, &a);
}

static void
ledger_ready(void *arg, int fd, unsigned events)
{
	struct vault *v = arg;
	struct chan_msg m;
	struct order o;
	int err;

	(void)fd;
	(void)events;
	err = chan_recv(&v->ledger, PH_ANY, false, v->orders, IPC_MAX, &m);
	if (err == 0)
		return;
	if (err == SP_ECLOSED) {
		log_warning("the ledger is gone: waiting for the next one");
		ledger_drop(v);
		return;
	}
	if (err == 1) {
		err = order_decode(&m, &o);
		if (err == SP_OK)
			err = vault_order(v->core, o.number);
		chan_msg_done(&m);
	}
	if (err < 0)
		ledger_lies(v, m.id, err);
	else
		on_order(v, &o);
}

/* ---- start ---- */

static void
vault_begin(struct vault *v)
{
	v->loop = loop_new();
	vault_workers_init(&v->workers, v->loop, worker_spoke, v);
	v->egress = egress_file(&v->egress_fd);
	v->core = vault_core_new(vault_state_save, &v->state, &v->egress);
	v->buf = mem_alloc(IPC_MAX);
	v->orders = mem_alloc(IPC_MAX);
	chan_init(&v->ledger, -1, ROOM_VAULT, ROOM_LEDGER);
	if (v->loop == NULL || v->buf == NULL || v->orders == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	if (v->core == NULL)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
}

/* read_recovery - keep the file's bytes: the descriptor is not needed later. */
static uint64_t
read_recovery(struct vault *v, int fd)
{
	uint8_t *bytes;
	uint64_t memory = 0;
	size_t n;
	int err = file_read_all(fd, RECOVERY_BYTES, &bytes, &n);

	if (err == SP_OK) {
		v->recovery = span_of(bytes, n);
		err = vault_recovery_memory(v->recovery, &memory);
	}
	if (err != SP_OK)
		sp_die(EXIT_CONFIG, "keys/root.recovery: %s", sp_strerror(err));
	return memory;
}

static void
vault_start(struct vault *v)
{
	struct sandbox_limits limits = {
	    .memory_bytes = 128u << 20,
	    .files = VAULT_WORKERS_MAX,
	    .file_bytes = EGRESS_BYTES,
	};
	struct room_start *r = &v->room;
	char why[256];

	if (crypto_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	if (r->file[FILE_VAULT_STATE] < 0)
		sp_die(EXIT_CONFIG, "vault/state is missing: restore it from a backup");
	v->state.fd = r->file[FILE_VAULT_STATE];
	if (r->file[FILE_VAULT_EGRESS] < 0)
		sp_die(EXIT_CONFIG, "vault/egress is missing: restore it from a backup");
	v->egress_fd = r->file[FILE_VAULT_EGRESS];
	if (r->file[FILE_LIMITS] >= 0 && limits_take(vault_core_governor(v->core),
					     r->file[FILE_LIMITS], why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "limits.conf: %s", why);
	close_fd(&r->file[FILE_LIMITS]);
	if (r->file[FILE_ROOT_RECOVERY] >= 0)
		limits.memory_bytes += read_recovery(v, r->file[FILE_ROOT_RECOVERY]);
	if (r->file[FILE_ROOT_KEY] >= 0)
		open_at_start(v, r->file[FILE_ROOT_KEY]);
	else if (v->recovery.len == 0)
		sp_die(EXIT_CONFIG, "there is neither a root key nor keys/root.recovery");
	close_fd(&r->file[FILE_ROOT_KEY]);
	close_fd(&r->file[FILE_ROOT_RECOVERY]);
	if (r->link[ROOM_LEDGER] >= 0)
		ledger_take(v, TAKE_FD(r->link[ROOM_LEDGER]));
	room_sandbox(r, NULL, 0, &limits,
	    vault_core_is_open(v->core) ? "open" : "locked: waits for the passphrase");
	if (!vault_core_is_open(v->core))
		log_warning("the vault is locked: the operator's passphrase opens it");
}

static void
vault_run(struct vault *v)
{
	struct loop_watch *w =
	    loop_watch(v->loop, v->room.supervisor.fd, LOOP_IN, supervisor_ready, v);

	if (w == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	loop_priority(w);
	v->started = true;
	if (v->ledger.fd >= 0)
		ledger_take(v, TAKE_FD(v->ledger.fd));
	if (loop_run(v->loop) != SP_OK)
		sp_die(EXIT_SOFTWARE, "waiting for messages failed");
}

int
main(int argc, char **argv)
{
	struct vault *v = mem_alloc(sizeof(*v));

	if (v == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	vault_begin(v);
	room_enter(ROOM_VAULT, argc, argv, &v->room, before_go, v);
	vault_start(v);
	vault_run(v);
	ledger_drop(v);
	vault_workers_done(&v->workers);
	if (vault_core_lock(v->core) != SP_OK)
		log_warning(COUNTS_AS_SPENT);
	vault_core_free(v->core);
	mem_free((void *)(uintptr_t)v->recovery.ptr);
	mem_wipe(v->buf, IPC_MAX);
	mem_free(v->buf);
	mem_free(v->orders);
	loop_free(v->loop);
	mem_free(v);
	return 0;
}
