/* courier_fuzz.c - the courier's file, and entries of the log. */
#include "crypto/crypto.h"
#include "rooms/courier/compose.h"
#include "rooms/courier/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The hash is made right, so that what is behind it is reached. */
static void
try_state(struct span in)
{
	static struct state s, again;
	static uint8_t file[STATE_MAX], out[STATE_MAX];
	uint8_t hash[SHA256_BYTES];
	size_t len = 0;

	if (in.len + sizeof(hash) > sizeof(file))
		return;
	memcpy(file, in.ptr, in.len);
	VERIFY(sha256(in, hash) == SP_OK);
	memcpy(file + in.len, hash, sizeof(hash));
	memset(&s, 0, sizeof(s));
	if (state_get(span_of(file, in.len + sizeof(hash)), &s) != SP_OK)
		return;
	/* what was read can be written and is the same again */
	VERIFY(state_put(&s, out, sizeof(out), &len) == SP_OK);
	memset(&again, 0, sizeof(again));
	VERIFY(state_get(span_of(out, len), &again) == SP_OK);
	VERIFY(s.next == again.next && s.n_lost == again.n_lost);
}

static void
try_entry(struct span in)
{
	static char buf[MESSAGE_JSON_MAX + 1];
	struct text t = text_of(buf, sizeof(buf));
	struct batch b = {.count = 1, .n_lines = 1};

	(void)kinds_of(in); /* any set is good */
	if (line_of(in, &b.lines[0]) != SP_OK)
		return;
	compose_json(&t, "n", ALARM_TEST, &b);
	VERIFY(!t.bad);
	t = text_of(buf, MESSAGE_TEXT_MAX);
	compose_text(&t, "n", ALARM_TEST, &b);
	VERIFY(!t.bad && utf8_valid(text_span(&t)));
	for (size_t i = 0; i < t.len; i++)
		VERIFY((uint8_t)buf[i] >= 0x20 || buf[i] == '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		try_state(span_of(data + 1, size - 1));
	else
		try_entry(span_of(data + 1, size - 1));
	return 0;
}
