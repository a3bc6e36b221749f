/* report.c - REPORT: metrics and health, for workers of the administration listener. */
#include <stdio.h>

#include "base/text.h"
#include "rooms/broker/put.h"

#define ROOM_UP 2 /* of ROOM_STATE */

struct reporting {
	struct op op;
	uint8_t what;
};

static void
metric(struct text *t, const char *name, const char *type, const char *help, uint64_t v)
{
	text_fmt(t, "# HELP sallyport_%s %s\n# TYPE sallyport_%s %s\nsallyport_%s ", name, help,
	    name, type, name);
	text_u64(t, v);
	text_chr(t, '\n');
}

/* one process that is there all the time; pools have none of their own */
static bool
is_lasting(const struct broker *b, int room)
{
	enum room_kind kind = room_table[room].kind;

	return (kind == ROOM_KIND_ROOT || kind == ROOM_KIND_ONE) && b->rooms[room].since_us != 0;
}

static void
room_metrics(const struct broker *b, struct text *t)
{
	text_str(
	    t, "# HELP sallyport_room_up Whether a room works.\n# TYPE sallyport_room_up gauge\n");
	for (int i = 0; i < ROOM_COUNT; i++)
		if (is_lasting(b, i))
			text_fmt(t, "sallyport_room_up{room=\"%s\"} %d\n", room_table[i].name,
			    b->rooms[i].state == ROOM_UP);
	text_str(t, "# HELP sallyport_room_restarts_total Starts after the first.\n"
		    "# TYPE sallyport_room_restarts_total counter\n");
	for (int i = 0; i < ROOM_COUNT; i++)
		if (is_lasting(b, i))
			text_fmt(t, "sallyport_room_restarts_total{room=\"%s\"} %u\n",
			    room_table[i].name, b->rooms[i].restarts);
}

static uint64_t
workers_of(const struct broker *b, enum door door, bool authed)
{
	uint64_t n = 0;

	for (const struct worker *w = b->all; w != NULL; w = w->next)
		n += ipc_is_worker(w->room) && door_of(w->room) == door && !w->is_dead &&
		     w->actor.address[0] != '\0' && (!authed || w->is_authed);
	return n;
}

static uint64_t
count_of(struct broker *b, enum sql_id id, int64_t from)
{
	int64_t n = 0;

	return sql_get(b->db, id, &n, SI(from)) == 1 ? (uint64_t)n : 0;
}

static uint64_t
sessions_of(struct broker *b, enum door door)
{
	int64_t n = 0;

	return sql_get(b->db, SQL_SESSIONS_OF_DOOR, &n, SI(door), SI(b->wall_us())) == 1
		   ? (uint64_t)n
		   : 0;
}

/* One figure of each door, under one name. */
static void
door_metric(struct text *t, const char *name, const char *type, const char *help,
    const uint64_t v[DOOR_COUNT])
{
	text_fmt(t, "# HELP sallyport_%s %s\n# TYPE sallyport_%s %s\n", name, help, name, type);
	for (int i = 0; i < DOOR_COUNT; i++) {
		text_fmt(t, "sallyport_%s{door=\"%s\"} ", name, door_name((enum door)i));
		text_u64(t, v[i]);
		text_chr(t, '\n');
	}
}

static void
door_metrics(struct broker *b, struct text *t)
{
	const struct door_counters *c = b->count.door;
	uint64_t connections[DOOR_COUNT], authed[DOOR_COUNT], sessions[DOOR_COUNT];
	uint64_t files_in[DOOR_COUNT], bytes_in[DOOR_COUNT];
	uint64_t files_out[DOOR_COUNT], bytes_out[DOOR_COUNT];

	for (int i = 0; i < DOOR_COUNT; i++) {
		connections[i] = workers_of(b, (enum door)i, false);
		authed[i] = workers_of(b, (enum door)i, true);
		sessions[i] = sessions_of(b, (enum door)i);
		files_in[i] = c[i].files_in;
		bytes_in[i] = c[i].bytes_in;
		files_out[i] = c[i].files_out;
		bytes_out[i] = c[i].bytes_out;
	}
	door_metric(t, "connections", "gauge", "Workers with a connection.", connections);
	door_metric(t, "connections_authenticated", "gauge", "Workers with a login.", authed);
	door_metric(t, "sessions", "gauge", "Sessions that live.", sessions);
	door_metric(t, "files_in_total", "counter", "Files stored.", files_in);
	door_metric(t, "bytes_in_total", "counter", "Bytes of files stored.", bytes_in);
	door_metric(
	    t, "files_out_total", "counter", "Releases of a file's key for reading.", files_out);
	door_metric(t, "bytes_out_total", "counter",
	    "Bytes of files whose key was released for reading.", bytes_out);
}

static void
metrics(struct broker *b, const struct ipc_head *head, struct text *t)
{
	const struct counters *c = &b->count;

	room_metrics(b, t);
	door_metrics(b, t);
	metric(t, "requests_total", "counter", "Requests of workers.", c->requests);
	metric(t, "requests_failed_total", "counter", "Requests that were answered with an error.",
	    c->failed);
	metric(t, "logins_total", "counter", "Logins that succeeded.", c->logins_ok);
	metric(t, "logins_failed_total", "counter", "Logins that failed.", c->logins_failed);
	metric(t, "uploads_open", "gauge", "Uploads that are being written.",
	    b->n_uploads - b->n_kept);
	metric(t, "uploads_kept", "gauge", "Unfinished uploads that wait for their owners.",
	    b->n_kept);
	metric(t, "uploads_aborted_total", "counter", "Uploads that were dropped.", c->aborted);
	metric(t, "held_versions", "gauge",
	    "Deleted files and old versions that wait to be shredded.",
	    count_of(b, SQL_HELD_COUNT, 0));
	metric(t, "shredded_total", "counter", "Versions that were shredded.", c->shredded);
	metric(t, "violations_total", "counter", "Processes that broke the rules between rooms.",
	    c->violations);
	metric(t, "commits_total", "counter", "Commits of the database.", c->commits);
	metric(t, "database_bytes", "gauge", "Size of the database.", (uint64_t)db_size(b->db));
	metric(t, "locked_doors", "gauge", "Doors that a lockdown keeps closed.",
	    (uint64_t)__builtin_popcount(b->lockdown.doors));
	metric(t, "ledger_up", "gauge", "Whether the audit log takes entries.", head != NULL);
	metric(t, "vault_open", "gauge", "Whether the vault has its root key.",
	    head != NULL && head->vault_open);
	metric(t, "ledger_entries", "gauge", "Entries of the audit log.",
	    head != NULL ? head->size : b->last_ledger_size);
	metric(t, "start_time_seconds", "gauge", "When the broker started.",
	    (uint64_t)(b->start_us / 1000000));
}

static void
head_known(struct broker *b, struct op *op, const struct answer *a)
{
	struct reporting *r = (struct reporting *)op;
	const struct ipc_head *head = a->err == SP_OK ? a->head : NULL;
	bool healthy = head != NULL && head->vault_open && b->is_serving && !b->is_stopping;
	DEFER(mem_freep) char *buf = mem_alloc(61440);
	struct ipc_report_text m = {.healthy = healthy};
	struct text t;

	if (buf == NULL) {
		op_fail(b, op, SP_ENOMEM, 0);
		return;
	}
	t = text_of(buf, 61440);
	if (r->what == 0)
		metrics(b, head, &t);
	else
		text_fmt(&t, "{\"status\":\"%s\",\"ledger\":%s,\"vault\":\"%s\"}\n",
		    healthy ? "ok" : "degraded", head != NULL ? "true" : "false",
		    head == NULL       ? "unknown"
		    : head->vault_open ? "open"
				       : "locked");
	m.text = text_span(&t);
	REPLY(b, op->serial, REPORT_TEXT, report_text, &m, -1);
	op_end(b, op);
}

int
handle_report(struct broker *b, struct worker *w, struct span body)
{
	const struct answer none = {.err = SP_EUNAVAIL};
	struct ipc_report m;
	struct reporting *r;
	int err = ipc_get_report(body, &m);

	if (err != SP_OK)
		return err;
	if (w->listener != 1)
		return SP_EADMINONLY;
	if ((r = op_new(b, w, sizeof(*r))) == NULL)
		return SP_EUNAVAIL;
	r->what = m.what;
	if (ledger_head(b, &r->op, head_known) != SP_OK)
		head_known(b, &r->op, &none);
	return SP_OK;
}
