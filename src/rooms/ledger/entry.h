/* entry.h - one entry of the audit log as JSON: pure, given its time and salt.
 *
 *   {"n":48113,"t":"2026-11-23T21:09:41.123456Z","event":"file.read","sev":"info","salt":"...",
 *    "serial":7,"door":"https","listener":"public","addr":"203.0.113.7:4711",
 *    "user":"alice","org":"acme","path":"/in/q3","blob":"...","file":3,"version":4,"size":5,"detail":{...}}
 *
 * Fields that are absent are left out.  Door, listener and address are the ledger's own knowledge
 * (the supervisor told it); user, org, path, file, version and detail are the broker's word.  `t`
 * is the wall clock; where that was stepped, an entry clock.step stands in between (watch.h).
 */
#ifndef SP_LEDGER_ENTRY_H
#define SP_LEDGER_ENTRY_H

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#define ENTRY_MAX 65535u
#define ENTRY_SALT_BYTES 16u

enum event {
#define EVENT(NAME, number, name, severity, text) EVENT_##NAME = (number),
#include "ipc/events.def"
#undef EVENT
};
#define EVENT_NUMBERS 1024u /* all numbers are below */
enum severity { SEVERITY_INFO, SEVERITY_NOTICE, SEVERITY_WARNING, SEVERITY_ALARM };
struct event_row {
	uint16_t number;
	enum severity severity;
	const char *name;
};
/* event_row - NULL when there is no such event. */
const struct event_row *event_row(uint16_t number);
/* event_by_name - NULL when there is no such event. */
const struct event_row *event_by_name(struct span name);
/* event_by_broker - may the broker ask for this event by RECORD?  Not for those that the ledger or
 * the supervisor vouch for. */
bool event_by_broker(uint16_t number);
/* event_is_kept - may it use the space that is kept back: releases, and whatever is an alarm. */
bool event_is_kept(uint16_t number);

struct entry {
	uint64_t n;
	int64_t t_us; /* since 1970 */
	const struct event_row *event;
	uint8_t salt[ENTRY_SALT_BYTES];
	uint64_t serial;		   /* 0: none */
	const char *door, *listener;	   /* NULL: none */
	struct span addr, user, org, path; /* empty: none */
	const uint8_t *blob;		   /* 16 bytes; NULL: none */
	uint64_t file, version;		   /* 0: none */
	uint64_t size;
	bool has_size;
	struct span detail; /* pairs of ipc_pair_put; empty: none */
};

/* entry_put - the JSON text of an entry, at most 65535 bytes, always valid UTF-8.  A detail that
 * does not fit, or is malformed, is replaced by {"ledger":"..."} saying so: an entry is never lost
 * to its details. t  empty, of at least ENTRY_MAX + 1 bytes */
void entry_put(struct text *t, const struct entry *e);
#endif
