/* door_fix.h - one connection of a test: TLS played, replies of broker and vault waiting in their
 * sockets. */
#ifndef SP_GATE_HTTPS_DOOR_FIX_H
#define SP_GATE_HTTPS_DOOR_FIX_H

#include "rooms/gate/https/conn.h"
#include "rooms/gate/https/tls_played.h"

#define AUTH "Host: x\r\nAuthorization: Bearer abc\r\n"
#define BYPATH "/api/v1/files/by-path/Home/alice/x.bin"

struct fix {
	struct tls tls;
	struct ring ring;
	struct conf conf;
	struct conn conn;
	struct chan broker, vault; /* the other ends */
	bool waited;		   /* the loop went idle: the connection persisted */
};

/* fix_init - a connection on which `in` arrives, at most step bytes a read.  fix_done - frees. */
void fix_init(struct fix *f, struct span in, size_t step);
void fix_done(struct fix *f);
/* run - serve it; what was sent is then out(f), NUL-terminated. */
void run(struct fix *f);
const char *out(const struct fix *f);
/* asked - the next request that the broker got. */
struct chan_msg asked(struct fix *f, uint8_t buf[IPC_MAX]);
/* say_* - a reply that waits.  blob: every byte of the identifier. */
void say_principal(struct fix *f);
void say_failed(struct fix *f, int err, uint32_t retry_after);
void say_key(struct fix *f, uint8_t blob, uint64_t length, bool fresh);
/* file_entry - /Home/alice/x.bin, file 5, version 9. */
struct ipc_entry file_entry(uint64_t size);
#endif
