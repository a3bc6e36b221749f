/* decoys.c - DIR/decoys: the list is kept here and known to the ledger, which recognises; the
 * broker, whose database an attacker may have, never hears of it. */
#include <fcntl.h>
#include <stdio.h>

#include "base/decoy.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"

#define LIST_MAX (DECOYS_MAX * DECOY_LINE_MAX)

/* count - lines of a list; SP_ESYNTAX: it is none. */
static int
count(struct span list)
{
	struct decoy d;
	int n = 0, more;

	while ((more = decoy_next(&list, &d)) == 1)
		n++;
	if (more < 0)
		return more;
	return n <= (int)DECOYS_MAX ? n : SP_ERANGE;
}

void
decoys_open(struct sup *s)
{
	uint8_t *content = NULL;
	char path[1100];
	size_t len = 0;
	int err = instance_path(&s->inst, "decoys", path, sizeof(path));

	if (err == SP_OK)
		err = instance_read(path, LIST_MAX, &content, &len);
	if (err == SP_ENOTFOUND)
		return;
	if (err == SP_OK && (err = count(span_of(content, len))) >= 0)
		err = SP_OK;
	if (err != SP_OK)
		sp_die(EXIT_CONFIG, "%s: %s", path, sp_strerror(err));
	s->decoys = (char *)content;
	s->decoys_len = len;
}

int
decoys_send(struct sup *s, struct chan *ledger)
{
	struct ipc_file m = {.what = FILE_DECOYS};
	DEFER(close_fd) int fd = memfd_of("decoys", span_of(s->decoys, s->decoys_len));

	return fd < 0 ? fd : chan_send_file(ledger, &m, fd);
}

/* ---- changing ---- */

/* one_line - the line of a change, which has to be one. */
static int
one_line(struct span line, struct decoy *ret)
{
	return decoy_next(&line, ret) == 1 && line.len == 0 ? SP_OK : SP_ESYNTAX;
}

/* same_as - are they marks of the same thing? */
static bool
same_as(const struct decoy *a, const struct decoy *b)
{
	return a->kind == b->kind && span_eq(a->org, b->org) && span_eq(a->name, b->name) &&
	       a->token == b->token && memcmp(a->blob, b->blob, sizeof(a->blob)) == 0;
}

/* place_of - where in the list the line of a decoy is; its length, 0: it is not there. */
static size_t
place_of(const struct sup *s, const struct decoy *want, size_t *ret_at)
{
	struct span rest = span_of(s->decoys, s->decoys_len);
	struct decoy d;

	for (size_t before = rest.len; decoy_next(&rest, &d) == 1; before = rest.len) {
		if (!same_as(&d, want))
			continue;
		*ret_at = s->decoys_len - before;
		return before - rest.len;
	}
	*ret_at = s->decoys_len;
	return 0;
}

int
decoys_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	struct sup *s = operator_sup(o);
	struct text t = text_of(ret->text, sizeof(ret->text));
	struct ipc_decoy_change m;
	struct decoy d;
	size_t at;
	int err = ipc_get_decoy_change(body, &m);

	if (err == SP_OK)
		err = one_line(m.line, &d);
	if (err != SP_OK)
		return err;
	if (m.op == 1 && place_of(s, &d, &at) == 0) {
		text_str(&t, "there is no such decoy");
		return SP_ENOTFOUND;
	}
	if (m.op == 0 && place_of(s, &d, &at) != 0) {
		text_str(&t, "this is a decoy already");
		return SP_EEXISTS;
	}
	if (m.op == 0 && count(span_of(s->decoys, s->decoys_len)) >= (int)DECOYS_MAX) {
		text_fmt(&t, "there are %u decoys already, the most that there may be", DECOYS_MAX);
		return SP_EFULL;
	}
	/* which one is not said: whoever reads the audit log must not learn it */
	text_fmt(&t, "a %s; by user id %u", decoy_word(d.kind), operator_uid(o));
	ret->event = m.op == 0 ? EVENT_DECOY_PLANTED : EVENT_DECOY_REMOVED;
	return SP_OK;
}

/* keep - the new list: durable, then in force. */
static int
keep(struct sup *s, char *list, size_t len)
{
	struct seat *ledger = &s->seats[ROOM_LEDGER];
	char path[1100];
	int err = instance_path(&s->inst, "decoys", path, sizeof(path));

	if (err == SP_OK)
		err = file_write_new(AT_FDCWD, path, span_of(list, len), 0600, /* replace= */ true);
	if (err != SP_OK) {
		mem_free(list);
		return err;
	}
	mem_free(s->decoys);
	s->decoys = list;
	s->decoys_len = len;
	if (ledger->state == ROOM_UP) /* else it gets the list when it starts */
		seat_sent(ledger, decoys_send(s, &ledger->chan));
	return SP_OK;
}

int
decoys_act(struct operator* o, struct span body)
{
	struct sup *s = operator_sup(o);
	struct ipc_decoy_change m;
	struct ipc_decoy_done done;
	uint8_t buf[IPC_SIZE_DECOY_DONE];
	struct wr w = wr_of(buf, sizeof(buf));
	struct decoy d;
	size_t at, cut;
	char *list;
	int err = ipc_get_decoy_change(body, &m);

	if (err == SP_OK)
		err = one_line(m.line, &d);
	if (err != SP_OK)
		return err;
	/* others may have changed the list since decoys_prepare */
	cut = place_of(s, &d, &at);
	if ((cut != 0) != (m.op == 1))
		return m.op == 1 ? SP_ENOTFOUND : SP_EEXISTS;
	list = mem_alloc(s->decoys_len + m.line.len + 1);
	if (list == NULL)
		return SP_ENOMEM;
	if (s->decoys_len != 0)
		memcpy(list, s->decoys, at);
	if (m.op == 0)
		memcpy(list + at, m.line.ptr, m.line.len);
	else
		memcpy(list + at, s->decoys + at + cut, s->decoys_len - at - cut);
	err = keep(s, list, m.op == 0 ? s->decoys_len + m.line.len : s->decoys_len - cut);
	if (err != SP_OK)
		return err;
	done.count = (uint32_t)count(span_of(s->decoys, s->decoys_len));
	err = ipc_put_decoy_done(&w, &done);
	if (err == SP_OK)
		operator_answer(o, IPC_DECOY_DONE, wr_span(&w));
	return err;
}

/* ---- showing ---- */

int
decoys_list_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	struct ipc_decoy_list m;

	(void)o;
	(void)ret;
	return ipc_get_decoy_list(body, &m);
}

int
decoys_list(struct operator* o, struct span body)
{
	struct sup *s = operator_sup(o);
	struct span rest = span_of(s->decoys, s->decoys_len), from;
	struct ipc_decoy_list m;
	struct ipc_decoy_rows rows = {0};
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_SIZE_DECOY_ROWS);
	struct decoy d;
	struct wr w;
	int err = buf != NULL ? ipc_get_decoy_list(body, &m) : SP_ENOMEM;

	if (err != SP_OK)
		return err;
	for (uint32_t i = 0; i < m.from && decoy_next(&rest, &d) == 1; i++)
		;
	from = rest;
	while (from.len - rest.len + DECOY_LINE_MAX <= 61440 && decoy_next(&rest, &d) == 1)
		rows.count++;
	rows.lines = span_cut(from, from.len - rest.len);
	w = wr_of(buf, IPC_SIZE_DECOY_ROWS);
	err = ipc_put_decoy_rows(&w, &rows);
	if (err == SP_OK)
		operator_answer(o, IPC_DECOY_ROWS, wr_span(&w));
	return err;
}

/* ---- touched ---- */

void
decoys_touched(struct sup *s, const struct ipc_decoy_touched *m)
{
	log_error("a decoy was touched from %.*s: its connections are ended", (int)m->address.len,
	    (const char *)m->address.ptr);
	workers_end_address(s, m->serial, m->address);
}
