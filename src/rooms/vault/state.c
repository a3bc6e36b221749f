/* state.c - see state.h. */
#include "rooms/vault/state.h"

#include "base/text.h"
#include "sys/clock.h"
#include "sys/fd.h"

static int
read_slot(struct vault_state *s, unsigned i, int64_t size, uint8_t **ret_buf, struct span *ret)
{
	int64_t at = (int64_t)i * VAULT_SLOT_STRIDE, n = size - at;
	DEFER(mem_freep) uint8_t *buf = NULL;

	*ret = span_of(NULL, 0);
	*ret_buf = NULL;
	s->written[i] = 0;
	if (n <= 0)
		return SP_OK;
	if (n > VAULT_SLOT_STRIDE)
		n = VAULT_SLOT_STRIDE;
	buf = mem_alloc((size_t)n);
	if (buf == NULL)
		return SP_ENOMEM;
	n = file_pread(s->fd, buf, (size_t)n, at);
	if (n < 0)
		return (int)n;
	s->written[i] = (size_t)n;
	while (s->written[i] != 0 && buf[s->written[i] - 1] == 0)
		s->written[i]--;
	*ret = span_of(buf, (size_t)n);
	*ret_buf = TAKE_PTR(buf);
	return SP_OK;
}

int
vault_state_read(struct vault_state *s, uint8_t *slot[2], struct span ret[2], bool *ret_fresh)
{
	int64_t size;
	int err = file_size(s->fd, &size);

	slot[0] = slot[1] = NULL;
	if (err == SP_OK)
		err = read_slot(s, 0, size, &slot[0], &ret[0]);
	if (err == SP_OK)
		err = read_slot(s, 1, size, &slot[1], &ret[1]);
	if (err == SP_OK)
		*ret_fresh = size == 0;
	return err;
}

/* padded - the whole units that hold n bytes. */
static size_t
padded(size_t n)
{
	return (n + VAULT_SLOT_UNIT - 1) / VAULT_SLOT_UNIT * VAULT_SLOT_UNIT;
}

int
vault_state_save(void *arg, unsigned slot, struct span content)
{
	struct vault_state *s = arg;
	size_t len = padded(content.len > s->written[slot] ? content.len : s->written[slot]);
	DEFER(mem_freep) uint8_t *buf = NULL;
	int err;

	PRECOND(slot < 2 && content.len <= VAULT_SLOT_STRIDE);
	buf = mem_alloc(len);
	if (buf == NULL)
		return SP_ENOMEM;
	if (content.len != 0)
		memcpy(buf, content.ptr, content.len);
	err = file_pwrite(s->fd, buf, len, (int64_t)slot * VAULT_SLOT_STRIDE);
	if (err == SP_OK)
		err = file_sync(s->fd);
	if (err == SP_OK)
		s->written[slot] = content.len;
	return err;
}

/* ---- vault/egress ---- */

static int64_t
egress_pread(void *arg, int64_t at, uint8_t *buf, size_t n)
{
	return file_pread(*(const int *)arg, buf, n, at);
}

static int
egress_pwrite(void *arg, int64_t at, struct span bytes)
{
	return file_pwrite(*(const int *)arg, bytes.ptr, bytes.len, at);
}

static int
egress_fdatasync(void *arg)
{
	return file_sync(*(const int *)arg);
}

static int64_t
egress_boot_s(void *arg)
{
	(void)arg;
	return clock_mono_ms() / 1000;
}

struct egress_disk
egress_file(int *fd)
{
	return (struct egress_disk){
	    egress_pread, egress_pwrite, egress_fdatasync, egress_boot_s, fd};
}

/* ---- limits.conf ---- */

int
limits_take(struct governor *g, int fd, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	struct text t = text_of(why, cap);
	struct limits l;
	size_t len = 0;
	int err = file_read_all(fd, LIMITS_FILE_MAX, &content, &len);

	if (err == SP_OK)
		err = limits_parse(span_of(content, len), &l, why, cap);
	else
		text_str(&t, sp_strerror(err));
	if (err == SP_OK)
		governor_limits(g, &l);
	return err;
}
