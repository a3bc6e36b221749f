#include "rooms/courier/state.h"

#include <fcntl.h>

#include "base/text.h"
#include "base/wire.h"
#include "crypto/crypto.h"
#include "sys/fd.h"
#include "sys/log.h"

#define FILE_NAME "state"
#define MAGIC "sallyport courier 1\n"

/* ---- writing ---- */

static void
put_text(struct wr *w, const char *s)
{
	struct span v = span_str(s);

	wr_uint(w, v.len, 2);
	wr_bytes(w, v);
}

static void
put_line(struct wr *w, const struct line *l)
{
	wr_uint(w, l->entry, 8);
	wr_uint(w, (uint64_t)l->t_us, 8);
	put_text(w, l->event);
	put_text(w, l->user);
	put_text(w, l->org);
	put_text(w, l->addr);
	put_text(w, l->path);
	put_text(w, l->detail);
}

static void
put_batch(struct wr *w, const struct batch *b)
{
	wr_uint(w, b->count, 8);
	if (b->count == 0)
		return;
	wr_uint(w, b->first, 8);
	wr_uint(w, b->last, 8);
	wr_uint(w, (uint64_t)b->first_us, 8);
	wr_uint(w, (uint64_t)b->last_us, 8);
	wr_uint(w, b->n_lines, 1);
	for (size_t i = 0; i < b->n_lines; i++)
		put_line(w, &b->lines[i]);
}

static void
put_way(struct wr *w, const struct way_state *s)
{
	uint64_t lanes = 0;

	put_batch(w, &s->flying);
	put_text(w, alarm_rows[s->flying_kind].name);
	wr_uint(w, (uint64_t)s->flying_us, 8);
	wr_uint(w, s->attempts, 4);
	wr_uint(w, (uint64_t)s->retry_us, 8);
	wr_uint(w, (uint64_t)s->failing_us, 8);
	wr_uint(w, s->said_failing, 1);
	wr_uint(w, s->delivered, 8);
	wr_uint(w, s->last_entry, 8);
	wr_uint(w, (uint64_t)s->delivered_us, 8);
	put_text(w, s->error);
	wr_uint(w, s->test_entry, 8);
	wr_uint(w, s->test_result, 1);
	put_text(w, s->test_text);
	for (size_t i = 0; i < ALARM_COUNT; i++)
		lanes += s->lane[i].waiting.count != 0 || s->lane[i].next_us != 0;
	wr_uint(w, lanes, 2);
	for (size_t i = 0; i < ALARM_COUNT; i++) {
		if (s->lane[i].waiting.count == 0 && s->lane[i].next_us == 0)
			continue;
		put_text(w, alarm_rows[i].name);
		wr_uint(w, (uint64_t)s->lane[i].next_us, 8);
		put_batch(w, &s->lane[i].waiting);
	}
}

int
state_put(const struct state *s, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct wr w = wr_of(buf, cap);
	uint8_t hash[SHA256_BYTES];
	int err;

	wr_bytes(&w, SPAN_LIT(MAGIC));
	wr_uint(&w, s->next, 8);
	wr_uint(&w, (uint64_t)s->floor_us, 8);
	wr_uint(&w, s->journal_test, 8);
	wr_uint(&w, WAY_COUNT, 1);
	for (size_t i = 0; i < WAY_COUNT; i++) {
		put_text(&w, way_rows[i].name);
		put_way(&w, &s->way[i]);
	}
	wr_uint(&w, s->n_lost, 1);
	for (size_t i = 0; i < s->n_lost; i++) {
		put_text(&w, way_rows[s->lost[i].way].name);
		put_text(&w, alarm_rows[s->lost[i].kind].name);
		wr_uint(&w, s->lost[i].count, 8);
		wr_uint(&w, s->lost[i].first, 8);
		wr_uint(&w, s->lost[i].last, 8);
		wr_uint(&w, (uint64_t)s->lost[i].at_us, 8);
	}
	if (w.bad)
		return SP_ESPACE;
	err = sha256(wr_span(&w), hash);
	if (err != SP_OK)
		return err;
	wr_bytes(&w, span_of(hash, sizeof(hash)));
	*ret_len = w.len;
	return w.bad ? SP_ESPACE : SP_OK;
}

/* ---- reading ---- */

static struct span
take_span(struct rd *r)
{
	return rd_take(r, (size_t)rd_uint(r, 2));
}

static void
take_text(struct rd *r, char *buf, size_t cap)
{
	struct span s = take_span(r);

	if (s.len >= cap || memchr(s.ptr != NULL ? s.ptr : (const uint8_t *)"", 0, s.len) != NULL) {
		r->bad = true;
		return;
	}
	if (s.len != 0)
		memcpy(buf, s.ptr, s.len);
	buf[s.len] = '\0';
}

static int64_t
take_time(struct rd *r)
{
	uint64_t v = rd_uint(r, 8);

	if (v > INT64_MAX)
		r->bad = true;
	return r->bad ? 0 : (int64_t)v;
}

static void
take_line(struct rd *r, struct line *l)
{
	l->entry = rd_uint(r, 8);
	l->t_us = take_time(r);
	take_text(r, l->event, sizeof(l->event));
	take_text(r, l->user, sizeof(l->user));
	take_text(r, l->org, sizeof(l->org));
	take_text(r, l->addr, sizeof(l->addr));
	take_text(r, l->path, sizeof(l->path));
	take_text(r, l->detail, sizeof(l->detail));
}

static void
take_batch(struct rd *r, struct batch *b)
{
	*b = (struct batch){.count = rd_uint(r, 8)};
	if (b->count == 0)
		return;
	b->first = rd_uint(r, 8);
	b->last = rd_uint(r, 8);
	b->first_us = take_time(r);
	b->last_us = take_time(r);
	b->n_lines = (uint32_t)rd_uint(r, 1);
	if (b->n_lines > LINES_MAX || b->n_lines > b->count || b->first > b->last) {
		r->bad = true;
		b->n_lines = 0;
	}
	for (size_t i = 0; i < b->n_lines && !r->bad; i++)
		take_line(r, &b->lines[i]);
}

/* A lane of a kind that this version does not know is read and left out. */
static void
take_lanes(struct rd *r, struct way_state *s)
{
	uint64_t n = rd_uint(r, 2);

	for (uint64_t i = 0; i < n && !r->bad; i++) {
		enum alarm kind = alarm_by_name(take_span(r));
		struct lane lane = {.next_us = take_time(r)};

		take_batch(r, &lane.waiting);
		if (kind < ALARM_COUNT)
			s->lane[kind] = lane;
	}
}

static void
take_way(struct rd *r, struct way_state *s)
{
	*s = (struct way_state){0};
	take_batch(r, &s->flying);
	s->flying_kind = alarm_by_name(take_span(r));
	s->flying_us = take_time(r);
	s->attempts = (uint32_t)rd_uint(r, 4);
	s->retry_us = take_time(r);
	s->failing_us = take_time(r);
	s->said_failing = rd_uint(r, 1) != 0;
	s->delivered = rd_uint(r, 8);
	s->last_entry = rd_uint(r, 8);
	s->delivered_us = take_time(r);
	take_text(r, s->error, sizeof(s->error));
	s->test_entry = rd_uint(r, 8);
	s->test_result = (uint8_t)rd_uint(r, 1);
	if (s->test_result > TEST_FAILED)
		r->bad = true;
	take_text(r, s->test_text, sizeof(s->test_text));
	take_lanes(r, s);
	if (s->flying_kind >= ALARM_COUNT) {
		s->flying = (struct batch){0};
		s->flying_kind = ALARM_TEST;
	}
}

static void
take_lost(struct rd *r, struct state *s)
{
	uint64_t n = rd_uint(r, 1);

	for (uint64_t i = 0; i < n && !r->bad; i++) {
		struct lost l = {0};

		l.way = way_by_name(take_span(r));
		l.kind = alarm_by_name(take_span(r));
		l.count = rd_uint(r, 8);
		l.first = rd_uint(r, 8);
		l.last = rd_uint(r, 8);
		l.at_us = take_time(r);
		if (l.way < WAY_COUNT && l.kind < ALARM_COUNT && s->n_lost < LOST_MAX)
			s->lost[s->n_lost++] = l;
	}
}

int
state_get(struct span file, struct state *ret)
{
	size_t magic = strlen(MAGIC);
	uint8_t hash[SHA256_BYTES];
	struct way_state *unknown = mem_alloc(sizeof(*unknown));
	uint64_t n;
	struct rd r;
	int err;

	if (unknown == NULL)
		return SP_ENOMEM;
	if (file.len < magic + sizeof(hash) || !span_starts(file, SPAN_LIT(MAGIC))) {
		mem_free(unknown);
		return SP_EDAMAGED;
	}
	err = sha256(span_cut(file, file.len - sizeof(hash)), hash);
	if (err == SP_OK && memcmp(file.ptr + file.len - sizeof(hash), hash, sizeof(hash)) != 0)
		err = SP_EDAMAGED;
	r = rd_of(span_skip(span_cut(file, file.len - sizeof(hash)), magic));
	if (err == SP_OK) {
		ret->next = rd_uint(&r, 8);
		ret->floor_us = take_time(&r);
		ret->journal_test = rd_uint(&r, 8);
		n = rd_uint(&r, 1);
		for (uint64_t i = 0; i < n && !r.bad; i++) {
			enum way way = way_by_name(take_span(&r));

			take_way(&r, way < WAY_COUNT ? &ret->way[way] : unknown);
		}
		take_lost(&r, ret);
		err = rd_done(&r) ? SP_OK : SP_EDAMAGED;
	}
	mem_free(unknown);
	return err;
}

/* ---- the file ---- */

int
state_load(int dirfd, struct state *ret)
{
	DEFER(close_fd) int fd = file_open_at(dirfd, FILE_NAME, O_RDONLY, 0);
	DEFER(mem_freep) uint8_t *content = NULL;
	size_t len = 0;
	int err;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0)
		return fd == SP_ENOTFOUND ? 0 : fd;
	err = file_read_all(fd, STATE_MAX, &content, &len);
	if (err == SP_OK)
		err = state_get(span_of(content, len), ret);
	if (err == SP_OK)
		return 1;
	if (err != SP_EDAMAGED && err != SP_ETOOBIG)
		return err;
	log_error(
	    "courier/state is damaged and was put aside: alarms of the last days go out again");
	memset(ret, 0, sizeof(*ret));
	err = file_rename_at(dirfd, FILE_NAME, FILE_NAME ".damaged");
	return err == SP_OK ? 0 : err;
}

int
state_save(int dirfd, const struct state *s)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(STATE_MAX);
	size_t len = 0;
	int err = buf != NULL ? state_put(s, buf, STATE_MAX, &len) : SP_ENOMEM;

	return err != SP_OK ? err
			    : file_write_new(dirfd, FILE_NAME, span_of(buf, len), 0600,
				  /* replace= */ true);
}
