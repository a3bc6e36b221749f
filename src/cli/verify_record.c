/* verify_record.c - verify --record: what was found goes into the audit log, where an alarm is made
 * of it. */
#include "cli/call.h"
#include "cli/verify.h"

#define TEXT_BYTES 480u

/* Names of anybody's making: plain characters only. */
static void
put_plain(struct text *t, const char *s)
{
	for (; s != NULL && *s != '\0' && t->len + 2 < t->cap; s++)
		text_chr(t, *s >= 0x20 && *s < 0x7f ? *s : '?');
}

static void
summary(const struct verify *v, struct text *t)
{
	json_t *d;
	size_t i;

	text_fmt(t, v->found != 0 ? "%llu differences" : "no difference", v->found);
	if (v->unchecked != 0)
		text_fmt(t, ", %llu parts not checked", v->unchecked);
	json_array_foreach(v->differences, i, d)
	{
		const char *what = json_string_value(json_object_get(d, "what"));

		if (t->len + strlen(what) + 24 > t->cap) {
			text_str(t, "; ...");
			break;
		}
		text_str(t, i == 0 ? ": " : "; ");
		put_plain(t, json_string_value(json_object_get(d, "part")));
		text_chr(t, ' ');
		put_plain(t, what);
	}
}

int
verify_record(const struct verify *v)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	char line[TEXT_BYTES + 1];
	uint8_t body[IPC_SIZE_VERIFY_RESULT];
	struct text t = text_of(line, sizeof(line));
	struct wr w = wr_of(body, sizeof(body));
	struct ipc_verify_result m = {.differences = v->found};
	struct span answer;
	int rc;

	summary(v, &t);
	m.text = text_span(&t);
	rc = buf != NULL ? ipc_put_verify_result(&w, &m) : SP_ENOMEM;
	if (rc != SP_OK)
		return cli_fail(rc, "not recorded: %s", sp_strerror(rc));
	return call_supervisor(
	    v->c, IPC_VERIFY_RESULT, wr_span(&w), IPC_VERIFY_RECORDED, buf, &answer);
}
