/* server.h - inside of the SFTP server: what its files share.
 *
 * A request of requests.def is served by sftp_do_<name>, which returns
 *   SP_OK         the loop answers STATUS with OK
 *   SFTP_REPLIED  the reply is sent, or could not be (x->over)
 *   an error      the loop answers with that error's status, and with x->why if it is set, else its
 * sentence and the broker's detail
 */
#ifndef SP_GATE_SFTP_SERVER_H
#define SP_GATE_SFTP_SERVER_H

#include "base/conf.h"
#include "proto/sftp/sftp.h"
#include "rooms/gate/sftp/path.h"
#include "rooms/gate/sftp/sftp.h"
#include "rooms/gate/sftp/upload.h"

#define SFTP_REPLIED 1
#define SFTP_OUT_BYTES 81920u /* a reply; the longest is a page of names */
#define SFTP_PAGE 100u	      /* names of a reply to READDIR */
#define SFTP_WHY_BYTES 1400u

/* A folder that is being read: keyset pages of it. */
struct listing {
	uint64_t folder;
	bool is_begun, is_ended; /* "." and ".." were sent; nothing more will come */
	uint8_t from;		 /* as in LIST: the last row was a folder (1) or a file (2) */
	char after[NAME_MAX_BYTES + 1];
	size_t after_len;
};
enum handle_kind { HANDLE_FREE, HANDLE_FILE, HANDLE_FOLDER };
struct handle {
	enum handle_kind kind;
	uint32_t
	    generation; /* a handle of an earlier file at this place is not taken for this one's */
	char *path;	/* owned; of an upload in hand, too */
	size_t path_len;
	bool reads;
	uint64_t base_file,
	    base_version;      /* what a handle that also writes reads; 0: there is nothing */
	struct source *source; /* owned; NULL: not opened (yet) */
	struct upload *upload; /* owned; NULL: not for writing */
	struct listing listing;
};

struct sftp {
	const struct sftp_session *session;
	struct stream *stream;
	struct ring *ring;
	struct path home;
	struct handle *handles; /* owned: n_handles */
	size_t n_handles;
	struct source_pool pool;
	size_t held;   /* bytes of blocks that came too early */
	uint32_t id;   /* of the request in hand */
	int over;      /* the stream's error: nothing can be sent any more */
	bool is_begun; /* INIT came */
	char why[SFTP_WHY_BYTES];
	uint8_t out[SFTP_OUT_BYTES];
};

/* ---- server.c: one server, apart from its loop ---- */
int server_init(struct sftp *x, const struct sftp_session *s) MUST_USE;
/* server_done - uploads that are open are kept as far as they can be. */
void server_done(struct sftp *x);
/* server_home - the account's home folder as a path; "/" when it has none.  errors SP_EUNAVAIL,
 * SP_ESESSION */
int server_home(const struct sftp_session *s, struct path *ret) MUST_USE;

/* ---- sftp.c: around a request ---- */
/* request_conclude - reply as rc of its sftp_do_ says.  request_malformed - a packet whose
 * identifier is known and whose rest is none: the client is told, and nothing more of this stream
 * is believed. returns  SP_OK, or why the connection is over */
int request_conclude(struct sftp *x, int rc) MUST_USE;
int request_malformed(struct sftp *x, int err) MUST_USE;

/* ---- answer.c: replies ---- */
/* answer_begin - a writer for one reply.  answer_send - it goes to the client: SFTP_REPLIED. */
struct wr answer_begin(struct sftp *x);
int answer_send(struct sftp *x, const struct wr *w) MUST_USE;
/* answer_status - STATUS with a text.  answer_error - with that of an error.  answer_name - NAME
 * with one path. */
int answer_status(struct sftp *x, enum sftp_status status, const char *text) MUST_USE;
int answer_error(struct sftp *x, int err) MUST_USE;
int answer_name(struct sftp *x, const struct path *p) MUST_USE;
int answer_attrs(struct sftp *x, const struct sftp_attrs *a) MUST_USE;
/* answer_why - err, with a sentence of its own instead of the general one. */
int answer_why(struct sftp *x, int err, const char *fmt, ...) PRINTF_LIKE(3, 4) MUST_USE;
/* attrs_of - what clients see of an entry. */
void attrs_of(const struct ipc_entry_rec *e, struct sftp_attrs *ret);
uint32_t seconds_of(uint64_t us);

/* ---- handle.c ---- */
/* handle_new - a free one.  errors SP_EFULL with why, SP_ENOMEM.  handle_close - free all it holds;
 * what is being written is kept for its owner when keep is set and it can be. */
int handle_new(
    struct sftp *x, enum handle_kind kind, const struct path *p, struct handle **ret) MUST_USE;
void handle_close(struct sftp *x, struct handle *h, bool keep);
int handle_send(struct sftp *x, const struct handle *h) MUST_USE;
/* handle_find - by what the client says.  errors SP_ERANGE with why */
int handle_find(struct sftp *x, struct span wire, struct handle **ret) MUST_USE;
/* handle_file - one of a file.  handle_reading - with its source open; *ret_source NULL: there is
 * nothing to read. handle_writing - with an upload.  errors SP_EPERM with why: not opened for that
 */
int handle_file(struct sftp *x, struct span wire, struct handle **ret) MUST_USE;
int handle_reading(struct sftp *x, struct span wire, struct source **ret_source) MUST_USE;
int handle_writing(struct sftp *x, struct span wire, struct handle **ret) MUST_USE;
/* handle_of_path - a handle of this connection through which this file is being written; NULL:
 * none. */
struct handle *handle_of_path(struct sftp *x, const struct path *p);
static inline struct span
handle_path(const struct handle *h)
{
	return span_of(h->path, h->path_len);
}

/* ---- files.c ---- */
/* upload_failed - the upload's own sentence about rc, for the reply. */
int upload_failed(struct sftp *x, const struct upload *u, int rc) MUST_USE;
/* file_empty - a new, empty version of a file. */
int file_empty(struct sftp *x, const struct path *p, uint64_t modified_us) MUST_USE;
/* write_stream - serve a WRITE whose packet begins at the stream's first byte; length is its length
 * field. returns  SP_OK, or why the connection is over */
int write_stream(struct sftp *x, uint32_t length) MUST_USE;

/* ---- stat.c ---- */
/* path_from - a client's path as seen from its home folder.  stat_path - what the broker says of
 * it. */
int path_from(struct sftp *x, struct span in, struct path *ret) MUST_USE;
int stat_path(struct sftp *x, const struct path *p, bool counts, bool partial,
    struct ipc_entry *ret) MUST_USE;

/* ---- one for each request ---- */
#define SFTP_REQ(number, NAME, name)                                                               \
	int sftp_do_##name(struct sftp *x, const struct sftp_##name *m) MUST_USE;
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_REQ(0, NAME, name)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
#endif
