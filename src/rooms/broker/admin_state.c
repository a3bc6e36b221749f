/* admin_state.c - status of the running server. */
#include "base/text.h"
#include "ipc/alarm.h"
#include "rooms/broker/addresses.h"
#include "rooms/broker/admin.h"

static const char *const states[] = {"down", "starting", "up", "stopping"};

static json_t *
room_json(const struct broker *b, enum room room)
{
	const struct room_now *r = &b->rooms[room];
	json_t *o = json_object();
	int bad = json_object_set_new(o, "room", json_string(room_table[room].name));

	bad |= json_object_set_new(
	    o, "state", json_string(states[r->state < ARRAY_LEN(states) ? r->state : 0]));
	bad |= json_object_set_new(o, "pid", admin_limit(r->pid));
	bad |= json_object_set_new(o, "processes", json_integer(r->count));
	bad |= json_object_set_new(o, "restarts", json_integer(r->restarts));
	bad |= json_object_set_new(o, "since", admin_time((int64_t)r->since_us));
	bad |= json_object_set_new(o, "landlock_abi", json_integer(r->landlock_abi));
	bad |= json_object_set_new(o, "note", json_string(r->note));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *
rooms_json(const struct broker *b)
{
	json_t *list = json_array();

	for (int room = 0; room < ROOM_COUNT; room++) {
		if (room_table[room].kind == ROOM_KIND_OUT ||
		    (b->rooms[room].since_us == 0 && b->rooms[room].pid == 0))
			continue;
		if (json_array_append_new(list, room_json(b, (enum room)room)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* ledger_json - into the status; a is the answer to HEAD_GET. */
static int
ledger_json(json_t *o, const struct answer *a)
{
	char root[65] = "";
	struct text t = text_of(root, sizeof(root));

	if (a->err != SP_OK || a->head == NULL)
		return json_object_set_new(o, "audit_log", json_string("unavailable")) |
		       json_object_set_new(o, "vault", json_string("unknown"));
	text_hex(&t, span_of(a->head->root.b, sizeof(a->head->root.b)));
	return json_object_set_new(o, "audit_log", json_string("up")) |
	       json_object_set_new(o, "audit_entries", json_integer((json_int_t)a->head->size)) |
	       json_object_set_new(
		   o, "audit_checkpoint", json_integer((json_int_t)a->head->checkpoint)) |
	       json_object_set_new(o, "audit_root", json_string(root)) |
	       json_object_set_new(
		   o, "vault", json_string(a->head->vault_open != 0 ? "open" : "locked"));
}

/* alarms_json - the ways by which alarms leave; fewer than two that are independent of each other are said to be too few. */
static json_t *
alarms_json(const struct conf *c)
{
	char buf[256];
	struct text t = text_of(buf, sizeof(buf));

	for (size_t i = 0; i < WAY_COUNT; i++) {
		if (!way_is_on((enum way)i, c))
			continue;
		if (t.len != 0)
			text_str(&t, ", ");
		text_str(&t, way_rows[i].name);
	}
	if (t.len == 0)
		text_str(&t, c->alarm_journal != 0 ? "in the log only" : "none");
	if (ways_on(c) < 2)
		text_str(&t, ": configure two independent ways of mail, webhook and syslog");
	return json_string(buf);
}

/* lockdown_json - null when nothing is locked. */
static json_t *
lockdown_json(const struct broker *b)
{
	char words[64] = "";
	struct text t = text_of(words, sizeof(words));

	if (b->lockdown.doors == 0 && b->lockdown.keys == 0)
		return json_null();
	text_str(&t, "LOCKED:");
	for (size_t i = 0; i < IPC_LOCKS; i++)
		if ((b->lockdown.doors & ipc_locks[i].bit) != 0)
			text_fmt(&t, " %s", ipc_locks[i].word);
	if (b->lockdown.keys != 0)
		text_str(&t, " keys");
	return json_string(words);
}

static int
addresses_json(json_t *o, const struct broker *b)
{
	size_t known, slowed, refused;

	rep_counts(b->addresses->book, &known, &slowed, &refused);
	return json_object_set_new(o, "addresses_slowed", json_integer((json_int_t)slowed)) |
	       json_object_set_new(o, "addresses_refused", json_integer((json_int_t)refused)) |
	       json_object_set_new(
		   o, "scanner_contacts", json_integer((json_int_t)b->addresses->contacts));
}

static void
status_head(struct broker *b, struct op *base, const struct answer *a)
{
	struct admin_op *op = (struct admin_op *)base;
	DEFER(sql_end) struct sql q = sql_query(b->db, SQL_SESSIONS_COUNT, SI(b->wall_us()));
	json_t *o = json_object();
	int bad = 0;

	bad |= json_object_set_new(o, "version", json_string(SALLYPORT_VERSION));
	bad |= json_object_set_new(o, "name", json_string(b->start.conf.name));
	bad |= json_object_set_new(o, "https", json_string(b->start.conf.https_listen));
	bad |= json_object_set_new(o, "admin", json_string(b->start.conf.admin_listen));
	bad |= json_object_set_new(o, "sftp", json_string(b->start.conf.sftp_listen));
	bad |= json_object_set_new(o, "alarms", alarms_json(&b->start.conf));
	bad |= json_object_set_new(o, "lockdown", lockdown_json(b));
	bad |= json_object_set_new(o, "serving", json_boolean(b->is_serving));
	bad |= ledger_json(o, a);
	bad |= json_object_set_new(o, "uids",
	    json_string(b->start.as_root ? "one for each room and worker"
					 : "all rooms share one: started by an ordinary user"));
	bad |=
	    json_object_set_new(o, "sessions", json_integer(sql_step(&q) == 1 ? sql_i64(&q) : 0));
	bad |=
	    json_object_set_new(o, "uploads", json_integer((json_int_t)(b->n_uploads - b->n_kept)));
	bad |= json_object_set_new(o, "requests", json_integer((json_int_t)b->count.requests));
	bad |= addresses_json(o, b);
	bad |= json_object_set_new(o, "database_bytes", json_integer(db_size(b->db)));
	bad |= json_object_set_new(o, "rooms", rooms_json(b));
	if (bad == 0)
		admin_answer(b, op, o);
	else
		admin_refuse(b, op, SP_ENOMEM);
	json_decref(o);
}

int
admin_status(struct broker *b, struct admin_op *op)
{
	const struct answer none = {.err = SP_EUNAVAIL};

	if (ledger_head(b, &op->op, status_head) != SP_OK)
		status_head(b, &op->op, &none);
	return SP_OK;
}
