/* operators.c - see operators.h. */
#include "rooms/vault/operators.h"

static void
row_message(const struct governor *g, const struct governor_row *r, struct ipc_limits_row *ret)
{
	const struct limit_set *s = &governor_limits_now(g)->of[r->kind];

	*ret = (struct ipc_limits_row){
	    .place = ret->place,
	    .kind = (uint8_t)r->kind,
	    .frozen = r->frozen,
	    .overruns = r->overruns,
	    .files_hour = r->used[WINDOW_HOUR].files,
	    .bytes_hour = r->used[WINDOW_HOUR].bytes,
	    .files_day = r->used[WINDOW_DAY].files,
	    .bytes_day = r->used[WINDOW_DAY].bytes,
	    .most_files_hour = r->allowed.files[WINDOW_HOUR],
	    .most_bytes_hour = r->allowed.bytes[WINDOW_HOUR],
	    .most_files_day = r->allowed.files[WINDOW_DAY],
	    .most_bytes_day = r->allowed.bytes[WINDOW_DAY],
	    .norm_files = r->norm_files,
	    .norm_bytes = r->norm_bytes,
	    .floor_files = (uint64_t)s->files_floor,
	    .floor_bytes = (uint64_t)s->bytes_floor,
	    .ceiling_files = (uint64_t)s->files_hour,
	    .ceiling_bytes = (uint64_t)s->bytes_hour,
	    .raise_files = r->raise_files,
	    .raise_bytes = r->raise_bytes,
	    .raise_left_s = r->raise_left_s,
	};
	memcpy(ret->id.b, r->id, sizeof(ret->id.b));
}

int
operators_get(struct governor *g, struct span body, struct chan *supervisor)
{
	struct ipc_limits_get m;
	struct ipc_limits_row answer = {.err = 0};
	struct governor_row row = {.kind = PRINCIPAL_USER};
	int err = ipc_get_limits_get(body, &m), found;

	if (err != SP_OK)
		return err;
	if (m.all != 0)
		found = governor_next(g, &m.place, &row) ? SP_OK : SP_ENOTFOUND;
	else if (m.kind < PRINCIPAL_KINDS)
		found = governor_find(g, (enum principal_kind)m.kind, m.id.b, &row);
	else
		found = SP_ERANGE;
	answer.place = m.place;
	if (found == SP_OK)
		row_message(g, &row, &answer);
	else
		answer.err = (uint16_t)-found;
	return chan_send_limits_row(supervisor, &answer, -1);
}

int
operators_change(struct governor *g, struct span body, struct chan *supervisor)
{
	struct ipc_limits_change m;
	struct ipc_limits_changed answer = {.confirm = 0};
	int err = ipc_get_limits_change(body, &m), done;

	if (err != SP_OK)
		return err;
	if (m.kind >= PRINCIPAL_KINDS)
		done = SP_ERANGE;
	else if (m.op == 0)
		done = governor_raise(
		    g, (enum principal_kind)m.kind, m.id.b, m.files, m.bytes, m.for_s);
	else
		done = governor_thaw(g, (enum principal_kind)m.kind, m.id.b);
	answer.err = (uint16_t)-done;
	return chan_send_limits_changed(supervisor, &answer, -1);
}
