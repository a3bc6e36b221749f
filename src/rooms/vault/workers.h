/* workers.h - the processes that the supervisor registered, by serial number, each with its socket.
 */
#ifndef SP_VAULT_WORKERS_H
#define SP_VAULT_WORKERS_H

#include "ipc/chan.h"
#include "rooms/vault/vault_core.h"
#include "sys/loop.h"

#define VAULT_WORKERS_MAX 49152u

struct vault_workers;

struct vault_seat {
	struct vault_worker worker;
	struct chan chan;
	struct vault_workers *table;
	struct loop_watch *watch;
	struct vault_seat *next; /* of the same bucket */
};

struct vault_workers {
	struct vault_seat *bucket[1024];
	size_t n;
	struct loop *loop;
	void (*spoke)(void *arg, uint64_t serial);
	void *arg;
};

/* vault_workers_init - spoke(arg, serial) is called when a worker says anything: its socket is
 * closed already, and nothing was read.  loop NULL: nobody listens. */
void vault_workers_init(struct vault_workers *t, struct loop *loop,
    void (*spoke)(void *arg, uint64_t serial), void *arg);
/* vault_seat_close - its socket only; the seat stays until it is removed.  Safe twice. */
void vault_seat_close(struct vault_seat *s);

/* vault_workers_add - take up a new worker.
 *   fd      its socket; owned by the table from success on
 *   errors  SP_EEXISTS (a serial number is never used twice), SP_EFULL, SP_ENOMEM */
int vault_workers_add(struct vault_workers *t, uint64_t serial, enum room room, int fd) MUST_USE;
/* vault_workers_find - borrowed until it is removed; NULL: not there. */
struct vault_seat *vault_workers_find(struct vault_workers *t, uint64_t serial);
/* vault_workers_remove - closes its socket; nothing happens for an unknown serial. */
void vault_workers_remove(struct vault_workers *t, uint64_t serial);
void vault_workers_done(struct vault_workers *t);
#endif
