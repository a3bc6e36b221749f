/* alarm.h - kinds of alarms and the ways they leave, from base/alarms.def and base/ways.def: for
 * the ledger (which entries may be alarms?), the supervisor, the courier and the command line.
 */
#ifndef SP_IPC_ALARM_H
#define SP_IPC_ALARM_H

#include "base/conf.h"
#include "base/defer.h"
#include "base/span.h"

enum alarm {
#define ALARM(NAME, Keyword, field, name, dflt, severity, events, text) ALARM_##NAME,
#include "base/alarms.def"
#undef ALARM
	ALARM_COUNT
};
enum way {
#define WAY(NAME, name, digests) WAY_##NAME,
#include "base/ways.def"
#undef WAY
	WAY_COUNT
};
enum alarm_severity { ALARM_IS_INFO, ALARM_IS_NOTICE, ALARM_IS_WARNING, ALARM_IS_ALARM };
/* AlarmMailTls */
enum alarm_tls { ALARM_STARTTLS, ALARM_TLS, ALARM_NO_TLS };

struct alarm_row {
	const char *name, *keyword, *events, *text;
	enum alarm_severity severity;
	size_t offset; /* of its switch in struct conf */
};
extern const struct alarm_row alarm_rows[ALARM_COUNT];
struct way_row {
	const char *name;
	bool digests;
};
extern const struct way_row way_rows[WAY_COUNT];

/* alarm_is_on - its switch. */
bool alarm_is_on(enum alarm kind, const struct conf *c);
/* alarm_by_name - ALARM_COUNT when there is none.  way_by_name - WAY_COUNT. */
enum alarm alarm_by_name(struct span name);
enum way way_by_name(struct span name);
/* alarm_event_next - walk the events of a row: "user.added:admin" is event and condition (empty:
 * none). rest     alarm_rows[].events at first returns  false at the end */
bool alarm_event_next(struct span *rest, struct span *ret_event, struct span *ret_when);
/* alarm_may_raise - is there a kind that an entry of this event may be? */
bool alarm_may_raise(struct span event);

/* way_is_on - is this way configured?  ways_on - how many are. */
bool way_is_on(enum way way, const struct conf *c);
unsigned ways_on(const struct conf *c);
/* alarm_host_port - "HOST:PORT" or "[V6]:PORT" in its parts.  ret_host without brackets; errors
 * SP_ESYNTAX, SP_ERANGE (port) */
int alarm_host_port(struct span s, struct span *ret_host, uint16_t *ret_port) MUST_USE;
/* alarm_is_loopback - localhost, 127.x.x.x or ::1. */
bool alarm_is_loopback(struct span host);
/* alarm_conf_check - do the settings fit together?
 *   why, cap  one sentence on failure
 *   errors    SP_ECONFIG */
int alarm_conf_check(const struct conf *c, char *why, size_t cap) MUST_USE;
#endif
