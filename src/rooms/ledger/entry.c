#include "rooms/ledger/entry.h"

#include "ipc/ipc.h"

static const struct event_row events[] = {
#define EVENT(NAME, number, name, severity, text) {(number), SEVERITY_##severity, name},
#include "ipc/events.def"
#undef EVENT
};

const struct event_row *
event_row(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (events[i].number == number)
			return &events[i];
	return NULL;
}

const struct event_row *
event_by_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (span_eq_str(name, events[i].name))
			return &events[i];
	return NULL;
}

bool
event_by_broker(uint16_t number)
{
	static const uint16_t ours[] = {EVENT_LOG_CREATED, EVENT_SERVER_START, EVENT_SERVER_STOP,
	    EVENT_ROOM_DIED, EVENT_ROOM_START, EVENT_LOG_RECOVERED, EVENT_WORKER_VIOLATION,
	    EVENT_WORKER_KILLED, EVENT_SERVER_RELOAD, EVENT_CLOCK_STEP, EVENT_FILE_READ,
	    EVENT_FILE_CHECKED, EVENT_UPLOAD_RESUMED, EVENT_OTP_CHECKED, EVENT_RELEASE_REFUSED,
	    EVENT_LOCKDOWN, EVENT_LOCKDOWN_LIFTED, EVENT_LOCKDOWN_STILL, EVENT_DECOY_TOUCHED,
	    EVENT_DECOY_PLANTED, EVENT_DECOY_REMOVED, EVENT_KEY_SEALED, EVENT_KEY_ROTATED,
	    EVENT_KEY_REWRAPPED, EVENT_KEY_DESTROYED, EVENT_PRINCIPAL_FROZEN, EVENT_COUNTERS_BEGUN,
	    EVENT_COUNTERS_LOST, EVENT_LIMITS_RAISED, EVENT_LIMITS_UNFROZEN,
	    EVENT_ALARM_FAILING, EVENT_ALARM_UNDELIVERED, EVENT_VERIFY_FAILED, EVENT_VERIFY_OK,
	    EVENT_SETTINGS};

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (ours[i] == number)
			return false;
	return event_row(number) != NULL;
}

bool
event_is_kept(uint16_t number)
{
	const struct event_row *row = event_row(number);

	return number == EVENT_FILE_READ || number == EVENT_FILE_CHECKED ||
	       number == EVENT_UPLOAD_RESUMED || number == EVENT_OTP_CHECKED ||
	       (row != NULL && row->severity == SEVERITY_ALARM);
}

/* "2026-11-23T21:09:41.123456Z" */
static void
put_time(struct json *j, const char *key, int64_t us)
{
	char buf[48];
	struct text t = text_of(buf, sizeof(buf));
	int64_t part = us % 1000000;

	if (part < 0)
		part += 1000000;
	time_plain(&t, us);
	text_fmt(&t, ".%06lldZ", (long long)part);
	json_kstr(j, key, text_span(&t));
}

static void
put_some(struct json *j, const char *key, struct span s)
{
	if (s.len != 0)
		json_kstr(j, key, s);
}

static void
put_num(struct json *j, const char *key, uint64_t v)
{
	if (v != 0)
		json_ku64(j, key, v);
}

/* Keys of the broker's details are names; anything else in them becomes '_'. */
static bool
put_pairs(struct json *j, struct span pairs)
{
	struct rd r = rd_of(pairs);
	struct span key, value;

	while (ipc_pair_take(&r, &key, &value)) {
		char name[256];

		for (size_t i = 0; i < key.len; i++) {
			uint8_t c = key.ptr[i];
			bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				    (c >= '0' && c <= '9') || c == '.' || c == '-';

			name[i] = good ? (char)c : '_';
		}
		name[key.len] = '\0';
		json_kstr(j, name, value);
	}
	return !r.bad;
}

/* note: replaces the details. */
static bool
put_all(struct text *t, const struct entry *e, const char *note)
{
	char salt[32];
	struct text st = text_of(salt, sizeof(salt));
	struct json j = json_of(t);
	static const char *const severities[] = {"info", "notice", "warning", "alarm"};
	bool good = true;

	base64url_put(&st, span_of(e->salt, sizeof(e->salt)));
	json_open(&j, '{');
	json_ku64(&j, "n", e->n);
	put_time(&j, "t", e->t_us);
	json_kstr(&j, "event", span_str(e->event->name));
	json_kstr(&j, "sev", span_str(severities[e->event->severity]));
	json_kstr(&j, "salt", text_span(&st));
	put_num(&j, "serial", e->serial);
	put_some(&j, "door", span_str(e->door));
	put_some(&j, "listener", span_str(e->listener));
	put_some(&j, "addr", e->addr);
	put_some(&j, "user", e->user);
	put_some(&j, "org", e->org);
	put_some(&j, "path", e->path);
	if (e->blob != NULL) {
		char hex[40];
		struct text ht = text_of(hex, sizeof(hex));

		text_hex(&ht, span_of(e->blob, 16));
		json_kstr(&j, "blob", text_span(&ht));
	}
	put_num(&j, "file", e->file);
	put_num(&j, "version", e->version);
	if (e->has_size)
		json_ku64(&j, "size", e->size);
	if (e->detail.len != 0 || note != NULL) {
		json_key(&j, "detail");
		json_open(&j, '{');
		if (note != NULL)
			json_kstr(&j, "ledger", span_str(note));
		else
			good = put_pairs(&j, e->detail);
		json_close(&j, '}');
	}
	json_close(&j, '}');
	return good && !t->bad && t->len <= ENTRY_MAX;
}

void
entry_put(struct text *t, const struct entry *e)
{
	struct entry less = *e;
	struct text start = *t;

	if (put_all(t, e, NULL))
		return;
	*t = start;
	if (put_all(t, e, "the details were malformed or too long"))
		return;
	/* a path full of control characters: 4,096 bytes become 24,576; the rest is bounded by its
	 * rows */
	less.path = less.user = less.org = less.addr = span_of(NULL, 0);
	*t = start;
	VERIFY(put_all(t, &less, "the details and names were too long"));
}
