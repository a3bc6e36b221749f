/* ipc_fuzz.c - one fuzz target for every message there is or will be: whatever decodes must encode
 * to the identical bytes (one value, one encoding).  Input: id (2 bytes), body. */
#include "base/mem.h"
#include "ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	DEFER(mem_freep) uint8_t *out = mem_alloc(len);
	struct wr w = wr_of(out, len);
	struct rd r = rd_of(span_of(data, len));
	uint16_t id = (uint16_t)rd_uint(&r, 2);
	struct span body = span_of(r.ptr, r.left), key, value;

	if (r.bad || out == NULL)
		return 0;
	switch (id) {
#define IPC_MSG(id_, NAME, name, from, to, phase, fds)                                             \
	case IPC_##NAME: {                                                                         \
		struct ipc_##name m;                                                               \
                                                                                                   \
		if (ipc_get_##name(body, &m) < 0)                                                  \
			break;                                                                     \
		VERIFY(ipc_put_##name(&w, &m) == SP_OK);                                           \
		VERIFY(span_eq(wr_span(&w), body));                                                \
		break;                                                                             \
	}
#include "ipc/protocol.def"
#undef IPC_MSG
	default:
		while (ipc_pair_take(&r, &key, &value))
			VERIFY(key.len != 0);
	}
	return 0;
}
