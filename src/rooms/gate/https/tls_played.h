/* tls_played.h - TLS of the tests: a script of bytes in, all bytes out. */
#ifndef SP_GATE_HTTPS_TLS_PLAYED_H
#define SP_GATE_HTTPS_TLS_PLAYED_H

#include "rooms/gate/https/tls.h"

#define PLAYED_OUT_BYTES (1u << 20)

struct tls {
	struct span in;
	size_t step;  /* bytes a read gives at most */
	uint8_t *out; /* PLAYED_OUT_BYTES + 1 */
	size_t out_len;
	bool ended; /* close_notify was sent */
};
#endif
