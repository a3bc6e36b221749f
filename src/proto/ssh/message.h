/* message.h - how every SSH message begins and ends; for the files of this folder. */
#ifndef SP_PROTO_SSH_MESSAGE_H
#define SP_PROTO_SSH_MESSAGE_H

#include "proto/ssh/ssh.h"

/* ssh_msg_begin - a reader behind the message number.
 *   errors  SP_ESHORT (nothing there), SP_ESYNTAX (another message) */
static inline int
ssh_msg_begin(struct span payload, enum ssh_msg number, struct rd *ret_r)
{
	if (payload.len == 0)
		return SP_ESHORT;
	if (payload.ptr[0] != (uint8_t)number)
		return SP_ESYNTAX;
	*ret_r = rd_of(span_skip(payload, 1));
	return SP_OK;
}

/* ssh_msg_end - was the message all there, and nothing more?
 *   errors  SP_ESHORT, SP_ETRAIL */
static inline int
ssh_msg_end(const struct rd *r)
{
	if (r->bad)
		return SP_ESHORT;
	return r->left == 0 ? SP_OK : SP_ETRAIL;
}

/* ssh_take_bool - source RFC 4251 section 5: "All non-zero values MUST be interpreted as TRUE" */
static inline bool
ssh_take_bool(struct rd *r)
{
	return rd_uint(r, 1) != 0;
}

static inline uint32_t
ssh_take_u32(struct rd *r)
{
	return (uint32_t)rd_uint(r, 4);
}

/* ssh_take_rest - all that is left; empty when the reader is bad. */
static inline struct span
ssh_take_rest(struct rd *r)
{
	return rd_take(r, r->left);
}
#endif
