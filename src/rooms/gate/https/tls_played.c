/* tls_played.c - what conn.c calls of tls.h, without TLS. */
#include "rooms/gate/https/tls_played.h"

int64_t
tls_read(struct tls *t, void *buf, size_t n, int timeout_ms)
{
	(void)timeout_ms;
	if (t->in.len == 0)
		return SP_ETIMEOUT;
	n = n < t->step ? n : t->step;
	n = n < t->in.len ? n : t->in.len;
	memcpy(buf, t->in.ptr, n);
	t->in = span_skip(t->in, n);
	return (int64_t)n;
}

int
tls_write_all(struct tls *t, const void *buf, size_t n, int timeout_ms)
{
	(void)timeout_ms;
	PRECOND(n <= PLAYED_OUT_BYTES - t->out_len && !t->ended);
	memcpy(t->out + t->out_len, buf, n);
	t->out_len += n;
	return SP_OK;
}

bool
tls_pending(const struct tls *t)
{
	return t->in.len != 0;
}

void
tls_rest(struct tls *t)
{
	(void)t;
}

int
tls_shutdown(struct tls *t, int timeout_ms)
{
	(void)timeout_ms;
	t->ended = true;
	return SP_OK;
}

int
tls_descriptor(const struct tls *t)
{
	(void)t;
	return -1;
}
