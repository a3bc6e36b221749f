/* server_fix.h - a server of a test on its thread, a store on another, and the test as the client.
 */
#ifndef SP_GATE_SFTP_SERVER_FIX_H
#define SP_GATE_SFTP_SERVER_FIX_H

#include "base/conf.h"
#include "base/test.h"
#include "proto/sftp/sftp.h"
#include "rooms/gate/sftp/scp.h"
#include "rooms/gate/sftp/store_played.h"
#include "rooms/gate/sftp/stream_played.h"

#include <pthread.h>

#define REPLY_MAX (SFTP_PACKET_MAX + 4u)

struct fix {
	struct stream *stream;
	struct store store;
	struct ring ring;
	struct conf conf;
	struct sftp_session session;
	unsigned in_hand;
	struct span command; /* of scp; empty: SFTP */
	pthread_t server, broker;
	int rc, status; /* what the server returned */
	uint32_t id;
	/* the last reply */
	uint8_t buf[REPLY_MAX];
	struct sftp_packet reply;
};

/* fix_new - a tree with / and /Home/alice, no server yet.  fix_begin - start it, and for SFTP
 * exchange versions. fix_end - the client closes its side (or the connection breaks); what the
 * server returned is in f->rc.  The store stays. fix_again - another connection to the same store.
 * fix_free - all of it. */
struct fix *fix_new(void);
void fix_begin(struct fix *f);
void fix_start(struct fix *f); /* without versions */
void fix_end(struct fix *f);
void fix_break(struct fix *f);
void fix_again(struct fix *f);
void fix_free(struct fix *f);

/* sent - a packet made with sftp_put_* is sent.  got - wait for a reply of this type, to the last
 * request; its body. */
void sent(struct fix *f, const struct wr *w);
struct rd got(struct fix *f, enum sftp_type type);
/* got_status - wait for STATUS with this code; its text is then in f->buf as a string, borrowed
 * until the next reply. */
const char *got_status(struct fix *f, enum sftp_status status);

/* ASK(f, open, .path = ..., .flags = ...) - a request of requests.def. */
#define ASK(f, name_, ...)                                                                         \
	do {                                                                                       \
		static uint8_t ask_buf_[REPLY_MAX];                                                \
		struct wr ask_w_ = wr_of(ask_buf_, sizeof(ask_buf_));                              \
		struct sftp_##name_ ask_m_ = {__VA_ARGS__};                                        \
                                                                                                   \
		ask_m_.id = ++(f)->id;                                                             \
		sftp_put_##name_(&ask_w_, &ask_m_);                                                \
		sent(f, &ask_w_);                                                                  \
	} while (0)
/* Handles of tests. */
struct name {
	uint8_t b[4];
};
static inline struct span
name_span(const struct name *n)
{
	return span_of(n->b, 4);
}
struct name open_file(struct fix *f, const char *path, uint32_t flags);
struct name open_folder(struct fix *f, const char *path);
/* write_at - a WRITE, not waited for.  write_ok, close_ok - wait for OK. */
void write_at(struct fix *f, struct name h, uint64_t offset, struct span data);
void write_ok(struct fix *f, struct name h, uint64_t offset, struct span data);
void close_ok(struct fix *f, struct name h);
/* read_at - READ; the data, borrowed; empty: EOF. */
struct span read_at(struct fix *f, struct name h, uint64_t offset, uint32_t n);
/* stat_size - of STAT. */
uint64_t stat_size(struct fix *f, const char *path);
/* bytes - a pattern of n bytes from `at` on; borrowed until the next call with another at. */
struct span bytes(size_t at, size_t n);
uint8_t byte_at(size_t i);
#define PATTERN_MAX (2u << 20)
/* check_file - the store has this file with the pattern's first n bytes. */
void check_file(struct fix *f, const char *path, size_t n);
#define W SFTP_OPEN_WRITE
#define R SFTP_OPEN_READ
#define CREAT SFTP_OPEN_CREAT
#define TRUNC SFTP_OPEN_TRUNC
#define APPEND SFTP_OPEN_APPEND
#define EXCL SFTP_OPEN_EXCL
#endif
