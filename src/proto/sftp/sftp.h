/* sftp.h - SFTP version 3: requests in, replies out.  Pure.
 *
 * A packet is length (4), type (1), and what follows; length counts from the type on.  A request
 * has its identifier (4) next, and then the fields of its row in requests.def.
 *
 * source draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL file for the extensions.
 */
#ifndef SP_PROTO_SFTP_H
#define SP_PROTO_SFTP_H

#include "base/err.h"
#include "base/text.h"
#include "base/wire.h"
#include "base/defer.h"

#define SFTP_VERSION 3u
/* bytes of a packet without its length field: 320 KiB; WRITE's data included */
#define SFTP_PACKET_MAX 327680u
#define SFTP_REQUEST_MAX                                                                           \
	65536u /* the same of every request but WRITE: two paths and attributes                    \
		*/
#define SFTP_READ_MAX                                                                              \
	261120u /* bytes of data in one READ or WRITE: as OpenSSH's limits@openssh.com */
#define SFTP_HANDLE_BYTES 4u
#define SFTP_HANDLE_MAX 256u	 /* bytes of a handle that a client may send: section 6.2 */
#define SFTP_WRITE_HEAD_MAX 281u /* of WRITE, from the length field to the data's first byte */
#define SFTP_LONGNAME_MAX 512u	 /* bytes of a line of `ls -l`, its NUL included */

enum sftp_type {
	SFTP_INIT = 1,
	SFTP_VERSION_REPLY = 2,
#define SFTP_REQ(number, NAME, name) SFTP_##NAME = (number),
#define SFTP_EXT(wire, data, NAME, name, told)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
	SFTP_STATUS = 101,
	SFTP_HANDLE = 102,
	SFTP_DATA = 103,
	SFTP_NAME = 104,
	SFTP_ATTRS = 105,
	SFTP_EXTENDED = 200,
	SFTP_EXTENDED_REPLY = 201,
};
/* section 7 */
enum sftp_status {
	SFTP_FX_OK = 0,
	SFTP_FX_EOF = 1,
	SFTP_FX_NO_SUCH_FILE = 2,
	SFTP_FX_PERMISSION_DENIED = 3,
	SFTP_FX_FAILURE = 4,
	SFTP_FX_BAD_MESSAGE = 5,
	SFTP_FX_NO_CONNECTION = 6,
	SFTP_FX_CONNECTION_LOST = 7,
	SFTP_FX_OP_UNSUPPORTED = 8,
};
/* flags of OPEN, section 6.3 */
enum sftp_open_flag {
	SFTP_OPEN_READ = 1,
	SFTP_OPEN_WRITE = 2,
	SFTP_OPEN_APPEND = 4,
	SFTP_OPEN_CREAT = 8,
	SFTP_OPEN_TRUNC = 16,
	SFTP_OPEN_EXCL = 32,
	SFTP_OPEN_ALL = 63,
};
/* flags of ATTRS, section 5: what is there */
enum sftp_attr {
	SFTP_ATTR_SIZE = 1,
	SFTP_ATTR_UIDGID = 2,
	SFTP_ATTR_PERMISSIONS = 4,
	SFTP_ATTR_TIMES = 8,
};
#define SFTP_ATTR_EXTENDED 0x80000000u
#define SFTP_MODE_FOLDER 0040000u
#define SFTP_MODE_FILE 0100000u

/* Attributes of a file; size in bytes, times in seconds since 1970 (unsigned). */
struct sftp_attrs {
	uint32_t flags;
	uint64_t size;
	uint32_t uid, gid, permissions, atime, mtime;
};
/* sftp_attrs_take - off a reader.  Extended pairs are read and dropped; fields whose flag is not
 * set are 0. errors  SP_ESHORT; SP_ERANGE: a flag that version 3 does not have sftp_attrs_put -
 * flags may be any of the four above. source  section 5 */
int sftp_attrs_take(struct rd *r, struct sftp_attrs *ret) MUST_USE;
void sftp_attrs_put(struct wr *w, const struct sftp_attrs *a);

/* A packet without its length field. */
struct sftp_packet {
	uint8_t type;
	uint32_t id;	  /* of the request; of INIT and VERSION: the version */
	struct span name; /* of an extended request; else empty */
	struct span body; /* what follows */
};
/* sftp_get_packet - type, identifier and name; spans point into s.
 *   errors  SP_ESHORT: then ret is set as far as its type and identifier were there, else to 0
 *   source  section 3; section 8: "byte SSH_FXP_EXTENDED, uint32 id, string extended-request" */
int sftp_get_packet(struct span s, struct sftp_packet *ret) MUST_USE;
/* sftp_write_head_bytes - bytes of a WRITE packet before its data, the length field among them.
 *   s        the beginning of the packet, from its length field: at least 13 bytes
 *   errors   SP_ERANGE: a handle over 256 bytes */
int sftp_write_head_bytes(struct span s, size_t *ret) MUST_USE;

/* struct sftp_<name>, a request and its fields; spans point into what was parsed.
 * sftp_get_<name> - of a packet of that type (and name).
 *   ret     set on success only
 *   errors  SP_ESHORT, SP_ERANGE (attributes' flags; a list of ids that is no multiple of 4),
 * SP_ETRAIL sftp_put_<name> - the whole packet, as a client sends it; of WRITE its head: the data
 * goes behind it, and then sftp_end. */
typedef uint32_t sftp_u32;
typedef uint64_t sftp_u64;
typedef struct span sftp_str;
typedef struct span sftp_handle;
typedef struct span sftp_ids;
typedef struct sftp_attrs sftp_attrs;
#define F(type, name) sftp_##type name;
#define SFTP_REQ(number, NAME, name)                                                               \
	struct sftp_##name {                                                                       \
		uint32_t id;                                                                       \
		SFTP_FIELDS_##name(F)                                                              \
	};                                                                                         \
	int sftp_get_##name(const struct sftp_packet *p, struct sftp_##name *ret) MUST_USE;        \
	void sftp_put_##name(struct wr *w, const struct sftp_##name *m);
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_REQ(0, NAME, name)
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
#undef F

/* Extended requests, by name. */
enum sftp_extension {
	SFTP_EXT_NONE, /* not one that is understood */
#define SFTP_REQ(number, NAME, name)
#define SFTP_EXT(wire, data, NAME, name, told) SFTP_EXT_##NAME,
#include "proto/sftp/requests.def"
#undef SFTP_REQ
#undef SFTP_EXT
};
enum sftp_extension sftp_extension(struct span name);

/* sftp_ids_next - the next of a list of ids; false at its end. */
bool sftp_ids_next(struct span *ids, uint32_t *ret);

/* ---- replies: whole packets into w, which is sticky-bad when they do not fit ---- */

/* sftp_put_status - source section 7; the text is UTF-8, its language is not said. */
void sftp_put_status(struct wr *w, uint32_t id, enum sftp_status status, struct span text);
void sftp_put_handle(struct wr *w, uint32_t id, struct span handle);
/* sftp_put_data_head - what is in front of n bytes of data. */
void sftp_put_data_head(struct wr *w, uint32_t id, uint32_t n);
void sftp_put_attrs(struct wr *w, uint32_t id, const struct sftp_attrs *a);
/* sftp_put_version - with the extensions of requests.def that are told. */
void sftp_put_version(struct wr *w);
/* sftp_begin - a packet whose length is not known yet: type, identifier; more is written behind it.
 *   returns  what sftp_end needs
 * sftp_end - put the length in. */
size_t sftp_begin(struct wr *w, enum sftp_type type, uint32_t id);
void sftp_end(struct wr *w, size_t begun);
/* struct sftp_names - a NAME reply: begin, add each, end.
 * sftp_names_add - false: it does not fit, and nothing of it was written. */
struct sftp_names {
	struct wr *w;
	size_t begun, count_at;
	uint32_t n;
};
struct sftp_names sftp_names_begin(struct wr *w, uint32_t id);
bool sftp_names_add(
    struct sftp_names *n, struct span name, struct span longname, const struct sftp_attrs *a);
void sftp_names_end(struct sftp_names *n);
/* sftp_put_str - a string: its length (4), its bytes. */
void sftp_put_str(struct wr *w, struct span s);

/* sftp_longname - a line as `ls -l` of OpenSSH's server prints it, appended to t.
 *   owner, group  names or numbers
 *   now_s         what is older than half a year or in the future has its year in place of the time
 *   source        section 7: "a longname ... its format is unspecified"; OpenSSH sftp-common.c
 * prints mode, links, owner, group, size, time, name */
void sftp_longname(struct text *t, struct span name, const struct sftp_attrs *a, struct span owner,
    struct span group, int64_t now_s);
#endif
