/* egress_stage_test.c - see egress_stage.h. */
#include "rooms/vault/egress_stage.h"

#include "base/mem.h"

static int64_t
stage_read(void *arg, int64_t at, uint8_t *buf, size_t n)
{
	const struct egress_stage *s = arg;

	assert_true(at >= 0 && (size_t)at + n <= EGRESS_BYTES);
	memcpy(buf, s->bytes + at, n);
	return (int64_t)n;
}

static int
stage_write(void *arg, int64_t at, struct span bytes)
{
	struct egress_stage *s = arg;
	uint8_t *to = s->bytes + at;

	assert_true(at >= 0 && (size_t)at + bytes.len <= EGRESS_BYTES);
	s->writes++;
	if (s->fail_in != 0 && --s->fail_in == 0) {
		memcpy(to, bytes.ptr, s->tear < bytes.len ? s->tear : bytes.len);
		return SP_EIO;
	}
	memcpy(to, bytes.ptr, bytes.len);
	return SP_OK;
}

static int
stage_sync(void *arg)
{
	struct egress_stage *s = arg;

	s->syncs++;
	return s->fail_sync ? SP_EIO : SP_OK;
}

static int64_t
stage_boot(void *arg)
{
	return ((const struct egress_stage *)arg)->boot;
}

struct egress_stage *
egress_stage_new(void)
{
	struct egress_stage *s = mem_alloc(sizeof(*s));

	assert_non_null(s);
	s->bytes = mem_alloc(EGRESS_BYTES);
	assert_non_null(s->bytes);
	s->boot = 1000;
	s->disk = (struct egress_disk){stage_read, stage_write, stage_sync, stage_boot, s};
	return s;
}

void
egress_stage_free(struct egress_stage *s)
{
	mem_free(s->bytes);
	mem_free(s);
}

void
egress_stage_wipe(struct egress_stage *s)
{
	memset(s->bytes, 0, EGRESS_BYTES);
}

uint8_t *
egress_stage_head(struct egress_stage *s, unsigned copy)
{
	return s->bytes + (size_t)copy * EGRESS_HEAD;
}

uint8_t *
egress_stage_place(struct egress_stage *s, unsigned copy, uint32_t place)
{
	size_t group = (size_t)EGRESS_GROW * EGRESS_PLACE;

	return s->bytes + EGRESS_FIRST + (place / EGRESS_GROW * 2 + copy) * group +
	       (size_t)(place % EGRESS_GROW) * EGRESS_PLACE;
}
