/* governor_world_test.c - see governor_world.h. */
#include "rooms/vault/governor_world.h"

#include "base/mem.h"

static const uint8_t mac_key[KEY_BYTES] = {7};

void
set(struct world *w, enum principal_kind kind, int64_t files_hour, int64_t files_day,
    int64_t bytes_hour, int64_t bytes_day)
{
	w->limits.of[kind] = (struct limit_set){.files_hour = files_hour,
	    .files_day = files_day,
	    .bytes_hour = bytes_hour,
	    .bytes_day = bytes_day,
	    .files_floor = files_hour,
	    .bytes_floor = bytes_hour};
	w->limits.day_hours = 24;
	governor_limits(w->g, &w->limits);
}

enum governor_start
open_again(struct world *w, bool is_known)
{
	enum governor_start start = GOVERNOR_LOST;

	governor_free(w->g);
	w->g = governor_new();
	assert_non_null(w->g);
	governor_limits(w->g, &w->limits);
	assert_int_equal(governor_open(w->g, &w->s->disk, mac_key, is_known, &start), SP_OK);
	return start;
}

int
setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	assert_non_null(w);
	w->s = egress_stage_new();
	limits_defaults(&w->limits);
	assert_int_equal(open_again(w, false), GOVERNOR_BEGINS);
	*state = w;
	return 0;
}

int
teardown(void **state)
{
	struct world *w = *state;

	governor_free(w->g);
	egress_stage_free(w->s);
	mem_free(w);
	return 0;
}

/* ask - a release to a user at 192.0.2.`host`. */
struct governor_ask
ask(struct world *w, uint64_t user, uint8_t host, uint64_t bytes)
{
	struct governor_ask a = {.user = user, .org = 1, .has_address = true, .bytes = bytes};
	char text[32] = "192.0.2.";

	text[8] = (char)('0' + host);
	assert_int_equal(address_parse(span_str(text), a.address), SP_OK);
	memcpy(a.key, &(uint64_t){++w->key * UINT64_C(0x9E3779B97F4A7C15)}, 8);
	return a;
}

int
give(struct world *w, uint64_t user, uint8_t host, uint64_t bytes)
{
	struct governor_ask a = ask(w, user, host, bytes);

	return governor_admit(w->g, &a, &w->no);
}

struct governor_row
row(struct world *w, enum principal_kind kind, uint64_t number)
{
	struct governor_row r = {.frozen = false};
	uint8_t id[PRINCIPAL_ID_BYTES];

	principal_number(number, id);
	if (governor_find(w->g, kind, id, &r) != SP_OK)
		memset(&r, 0, sizeof(r));
	return r;
}

uint32_t
files(struct world *w, enum principal_kind kind, uint64_t number)
{
	return row(w, kind, number).used[WINDOW_HOUR].files;
}
