/* intents.c - at the broker's start: which changes of the database does the log know? */
#include "rooms/ledger/ledger.h"

#include "store/tlog_json.h"
#include "sys/log.h"

#define TURN_ENTRIES 2000u /* entries looked at in one go */
#define WAITING_MAX 64u	   /* answers that wait for the broker: then pause */
#define PAUSE_MS 2

/* changes that say themselves what they do, without "rows" */
static const enum event changes[] = {EVENT_FILE_CREATED, EVENT_FILE_REPLACED, EVENT_FILE_DELETED,
    EVENT_FILE_RENAMED, EVENT_FILE_SHREDDED, EVENT_FOLDER_DELETED, EVENT_REVOKED};

/* The number of the change that this entry is about to make; 0: of none. */
static uint16_t
change_of(struct span entry, struct span detail)
{
	char name[32];
	struct span rows;

	tlog_json_text(entry, "event", name, sizeof(name));
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (span_eq_str(span_str(name), event_row((uint16_t)changes[i])->name))
			return (uint16_t)changes[i];
	/* what "reconciled" says of rows is so already */
	if (span_eq_str(span_str(name), event_row(EVENT_RECONCILED)->name) ||
	    tlog_json_get(detail, "rows", &rows) != SP_OK)
		return 0;
	return EVENT_ADMIN_CALL;
}

/* Is this entry a change of the database?  Fills event, upload and path. */
static bool
is_intent(struct span entry, struct ipc_intent *m, char upload[40], char *path, size_t cap)
{
	struct span detail = span_of(NULL, 0);

	if (tlog_json_get(entry, "detail", &detail) != SP_OK)
		detail = span_of(NULL, 0);
	m->event = change_of(entry, detail);
	if (m->event == 0)
		return false;
	upload[0] = '\0';
	if (detail.len != 0)
		tlog_json_text(detail, "upload", upload, 33);
	tlog_json_text(entry, "path", path, cap);
	m->upload = span_str(upload);
	m->path = span_str(path);
	return true;
}

static int
send_intent(struct ledger *l, uint64_t n, struct span entry)
{
	char upload[40], path[4097];
	uint8_t buf[IPC_SIZE_INTENT];
	struct wr w = wr_of(buf, sizeof(buf));
	struct ipc_intent m = {.ref = l->intents_ref, .entry = n};
	int err;

	if (!is_intent(entry, &m, upload, path, sizeof(path)))
		return SP_OK;
	err = ipc_put_intent(&w, &m);
	return err != SP_OK ? err : link_send(&l->broker, IPC_INTENT, &w);
}

static int
send_end(struct ledger *l)
{
	struct ipc_intents_end m = {.ref = l->intents_ref, .size = tlog_end(l->intents)};
	uint8_t buf[IPC_SIZE_INTENTS_END];
	struct wr w = wr_of(buf, sizeof(buf));
	int err = ipc_put_intents_end(&w, &m);

	intents_end(l);
	return err != SP_OK ? err : link_send(&l->broker, IPC_INTENTS_END, &w);
}

static int
send_some(struct ledger *l)
{
	uint64_t end = tlog_end(l->intents);
	int err = SP_OK;

	for (unsigned i = 0; i < TURN_ENTRIES && err == SP_OK; i++) {
		struct span entry;

		if (l->intents_next >= end)
			return send_end(l);
		if (l->broker.waiting > WAITING_MAX)
			return SP_OK;
		err = tlog_entry(l->intents, l->intents_next, &entry);
		if (err == SP_OK)
			err = send_intent(l, l->intents_next, entry);
		l->intents_next++;
	}
	return err;
}

static void
intents_tick(void *arg, int fd, unsigned events)
{
	struct ledger *l = arg;
	int err;

	(void)fd;
	(void)events;
	l->intents_timer = 0;
	if (l->intents == NULL || l->intents_broker != l->broker.generation)
		return;
	err = send_some(l);
	if (err != SP_OK) {
		log_error("entry %llu of the audit log: %s", (unsigned long long)l->intents_next,
		    sp_strerror(err));
		answer_refused(l, l->intents_broker, l->intents_ref, err, 0);
		intents_end(l);
	}
	if (l->intents != NULL)
		l->intents_timer = loop_timer(l->loop, PAUSE_MS, intents_tick, l);
}

void
intents_begin(struct ledger *l, const struct ipc_intents_get *m)
{
	struct tlog_key key;
	char why[256] = "";
	int err;

	intents_end(l);
	ledger_commit(l); /* what was staged before the question is part of the answer */
	ledger_key(l, &key);
	err = tlog_open(&l->fs, &key, &l->intents, why, sizeof(why));
	if (err != SP_OK) {
		log_error("%s", why);
		answer_refused(l, l->asking, m->ref, err, 0);
		return;
	}
	l->intents_ref = m->ref;
	l->intents_next = m->entry;
	l->intents_broker = l->asking;
	intents_tick(l, -1, 0);
}

void
intents_end(struct ledger *l)
{
	tlog_free(TAKE_PTR(l->intents));
	if (l->intents_timer != 0)
		loop_timer_cancel(l->loop, l->intents_timer);
	l->intents_timer = 0;
}
