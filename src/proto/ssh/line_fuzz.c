/* line_fuzz.c - version lines, and two name-lists with a line feed between: names put together
 * again are the list, what is chosen is in both, and a number has one encoding. */
#include "base/mem.h"
#include "proto/ssh/ssh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
version_try(struct span line)
{
	if (ssh_get_version(line) != SP_OK)
		return;
	VERIFY(line.len <= SSH_VERSION_MAX - 2);
	VERIFY(span_starts(line, SPAN_LIT("SSH-2.0-")) || span_starts(line, SPAN_LIT("SSH-1.99-")));
	for (size_t i = 0; i < line.len; i++)
		VERIFY(line.ptr[i] >= 0x20 && line.ptr[i] <= 0x7e);
}

static void
list_try(struct span list)
{
	struct span rest = list, name;
	size_t at = 0, commas = 0, names = 0;

	for (size_t i = 0; i < list.len; i++)
		commas += list.ptr[i] == ',';
	while (ssh_list_next(&rest, &name)) {
		VERIFY(name.ptr == list.ptr + at && name.len <= list.len - at);
		VERIFY(span_find(name, ',') == name.len);
		at += name.len;
		VERIFY(at == list.len || list.ptr[at] == ',');
		at += at != list.len;
		names++;
		if (ssh_list_ok(list))
			VERIFY(name.len != 0 && name.len <= SSH_NAME_MAX);
	}
	VERIFY(at == list.len);
	if (ssh_list_ok(list))
		VERIFY(names == (list.len != 0 ? commas + 1 : 0));
}

/* Is `name` before `stop` in the list, or, with no stop, anywhere? */
static bool
is_in(struct span list, struct span name, const struct span *stop)
{
	struct span s;

	while (ssh_list_next(&list, &s) && (stop == NULL || s.ptr != stop->ptr))
		if (span_eq(s, name))
			return true;
	return false;
}

static void
choose_try(struct span client, struct span ours)
{
	struct span chosen, name, rest = client;
	bool is_any = ssh_choose(client, ours, &chosen);

	if (is_any)
		VERIFY(is_in(client, chosen, NULL) && is_in(ours, chosen, NULL));
	while (ssh_list_next(&rest, &name) && (!is_any || name.ptr != chosen.ptr))
		VERIFY(!is_in(ours, name, NULL)); /* an earlier one would have been chosen */
}

static void
mpint_try(struct span number)
{
	size_t cap = number.len + 5, zeros = 0;
	DEFER(mem_freep) uint8_t *buf = mem_alloc(cap);
	struct wr w = wr_of(buf, cap);
	struct rd r;
	struct span s;

	VERIFY(buf != NULL);
	ssh_put_mpint(&w, number);
	VERIFY(!w.bad);
	r = rd_of(wr_span(&w));
	s = ssh_take_string(&r);
	VERIFY(rd_done(&r));
	VERIFY(s.len == 0 || s.ptr[0] < 0x80); /* not negative */
	VERIFY(
	    s.len == 0 || s.ptr[0] != 0 || (s.len > 1 && s.ptr[1] >= 0x80)); /* no byte too many */
	while (zeros < number.len && number.ptr[zeros] == 0)
		zeros++;
	if (s.len != 0 && s.ptr[0] == 0)
		s = span_skip(s, 1);
	VERIFY(span_eq(s, span_skip(number, zeros)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct span first = span_cut(in, span_find(in, '\n'));
	struct span second = span_skip(in, first.len + 1);

	version_try(first);
	list_try(first);
	list_try(second);
	if (size <= 1024) /* every name with every other */
		choose_try(first, second);
	mpint_try(in);
	return 0;
}
