/* stream.c - the bytes of the channel: windows, what lies where, and packets of the right size. */
#include "rooms/gate/sftp/engine.h"

#include "base/conf.h"
#include "sys/clock.h"
#include "sys/log.h"

#define BACK_FIRST 131072u /* bytes that `back` begins with */
#define GROW_MS 500	   /* a round trip that the window is to be enough for */
#define BACK_KEEP 1048576u /* bytes that it may keep for the next time */

/* ---- input ---- */

/* Room for n more bytes in `back`, which never exceeds the window.  It is moved to its beginning
 * only where that pays: when it moves less than was taken, or when the window is that large (grants
 * come in large steps, and no more than the window can lie here). */
static int
back_room(struct channel *ch, size_t n)
{
	size_t need = ch->back_at + ch->back_len + n, cap = ch->back_cap;
	uint8_t *p;

	if (need <= cap)
		return SP_OK;
	if (ch->back_len + n <= cap && (ch->back_at >= ch->back_len || cap >= ch->target)) {
		memmove(ch->back, ch->back + ch->back_at, ch->back_len);
		ch->back_at = 0;
		return SP_OK;
	}
	if (cap == 0)
		cap = BACK_FIRST;
	while (cap < need && cap < ch->target)
		cap *= 2;
	if (cap > ch->target)
		cap = ch->target;
	VERIFY(ch->back_len + n <= cap); /* the window was not overstepped */
	p = mem_grow(ch->back, ch->back_cap, cap);
	if (p == NULL)
		return SP_ENOMEM;
	ch->back = p;
	ch->back_cap = cap;
	if (need > cap) {
		memmove(ch->back, ch->back + ch->back_at, ch->back_len);
		ch->back_at = 0;
	}
	return SP_OK;
}

/* A buffer that grew and is empty is given back. */
static void
back_shrink(struct channel *ch)
{
	if (ch->back_len != 0 || ch->back_cap <= BACK_KEEP)
		return;
	mem_wipe(ch->back, ch->back_cap);
	mem_freep(&ch->back);
	ch->back_at = ch->back_cap = 0;
}

static int
back_add(struct channel *ch, struct span s)
{
	int rc = back_room(ch, s.len);

	if (rc < 0)
		return rc;
	if (s.len != 0)
		memcpy(ch->back + ch->back_at + ch->back_len, s.ptr, s.len);
	ch->back_len += s.len;
	return SP_OK;
}

int
stream_keep(struct stream *s)
{
	int rc = back_add(&s->ch, s->ch.cur);

	if (rc == SP_OK)
		s->ch.cur = span_of(NULL, 0);
	return rc;
}

int
stream_spend(struct stream *s, size_t n)
{
	if (n > s->ch.window || n > CHANNEL_PACKET_MAX)
		return conn_limited(s, "window", SSH_DISCONNECT_PROTOCOL_ERROR,
		    "more data than the window allows", SP_ERANGE);
	s->ch.window -= (uint32_t)n;
	return SP_OK;
}

int
stream_input(struct stream *s, struct span data)
{
	struct channel *ch = &s->ch;
	int rc = stream_spend(s, data.len);

	if (rc < 0)
		return rc;
	if (ch->cur.len != 0)
		return back_add(ch, data);
	ch->cur = data;
	return SP_OK;
}

void
stream_reset(struct stream *s)
{
	struct channel *ch = &s->ch;

	ch->cur = span_of(NULL, 0);
	ch->back_at = ch->back_len = ch->pend_len = 0;
}

/* What was taken is granted anew, in large steps.  Where half a window does not last GROW_MS the
 * window is what limits a client that far away: it grows, up to SftpWindow.  (How much of it is
 * left here says nothing: we read as fast as it comes.) */
static int
grant(struct stream *s)
{
	struct channel *ch = &s->ch;
	uint32_t most = (uint32_t)s->start->conf->sftp_window;
	int64_t now;
	struct wr w;

	if (ch->consumed < ch->target / 2 || ch->eof_in || ch->eof_out || s->broken != 0)
		return SP_OK;
	now = clock_mono_ms();
	if (now - ch->granted_ms < GROW_MS && ch->target < most) {
		uint32_t more = ch->target <= most / 2 ? ch->target : most - ch->target;

		ch->target += more;
		ch->consumed += more;
	}
	ch->granted_ms = now;
	w = conn_writer(s);
	ssh_put_window_adjust(&w, ch->peer, ch->consumed);
	ch->window += ch->consumed;
	ch->consumed = 0;
	return conn_send(s, &w);
}

/* The next packet, for whatever it is good.  What lies in the link's buffer is kept first. */
static int
pull(struct stream *s)
{
	struct span p;
	int rc = stream_keep(s);

	if (rc < 0)
		return rc;
	back_shrink(&s->ch);
	if (kex_due(s)) /* what is awaited may come before the client's KEXINIT, and nothing behind
			   it */
		return kex_begin(s);
	rc = conn_one(s, &p); /* no more: nothing may follow before we have sent something */
	return rc == SP_OK && p.len != 0 ? channel_take(s, p) : rc;
}

static bool
at_end(const struct stream *s)
{
	return s->ch.eof_in || s->ch.close_in;
}

static size_t
lies_here(const struct stream *s)
{
	return s->ch.back_len + s->ch.cur.len;
}

/* Input before anything else: replies that were gathered leave when we have to wait (conn.c
 * flushes).  What comes while they leave may be what is awaited. */
static int
pull_input(struct stream *s)
{
	size_t had = lies_here(s);
	int rc = stream_emit(s);

	if (rc < 0 || lies_here(s) != had || at_end(s))
		return rc;
	rc = grant(s);
	return rc == SP_OK ? pull(s) : rc;
}

int
stream_need(struct stream *s, size_t n, struct span *ret)
{
	struct channel *ch = &s->ch;
	int rc = SP_OK;

	PRECOND(n >= 1 && n <= STREAM_WANT_MAX);
	for (;;) {
		if (ch->back_len == 0 && ch->cur.len >= n) {
			*ret = span_cut(ch->cur, n);
			return 1;
		}
		if (ch->back_len >= n) {
			*ret = span_of(ch->back + ch->back_at, n);
			return 1;
		}
		if (lies_here(s) >= n) { /* just what is missing goes behind the rest */
			struct span part = span_cut(ch->cur, n - ch->back_len);

			rc = back_add(ch, part);
			if (rc < 0)
				return rc;
			ch->cur = span_skip(ch->cur, part.len);
			continue;
		}
		if (at_end(s))
			return lies_here(s) == 0 ? 0 : SP_ECLOSED;
		rc = pull_input(s);
		if (rc < 0)
			return rc;
	}
}

int
stream_some(struct stream *s, size_t n, struct span *ret)
{
	struct channel *ch = &s->ch;

	PRECOND(n >= 1);
	for (;;) {
		if (ch->back_len != 0 || ch->cur.len != 0) {
			struct span here = ch->back_len != 0
					       ? span_of(ch->back + ch->back_at, ch->back_len)
					       : ch->cur;

			*ret = span_cut(here, n);
			return 1;
		}
		if (at_end(s))
			return 0;
		int rc = pull_input(s);

		if (rc < 0)
			return rc;
	}
}

void
stream_take(struct stream *s, size_t n)
{
	struct channel *ch = &s->ch;

	ch->consumed += (uint32_t)n;
	s->used = s->used || n != 0;
	if (ch->back_len != 0) {
		VERIFY(n <= ch->back_len);
		ch->back_at += n;
		ch->back_len -= n;
		if (ch->back_len == 0)
			ch->back_at = 0;
		return;
	}
	VERIFY(n <= ch->cur.len);
	ch->cur = span_skip(ch->cur, n);
}

bool
stream_waiting(struct stream *s)
{
	return lies_here(s) != 0;
}

/* ---- output ---- */

/* Until the client takes something.  It may have to be asked for new keys first, or ask for them
 * itself. */
static int
await_window(struct stream *s)
{
	int rc = SP_OK;

	while (rc == SP_OK && s->ch.out_window == 0) {
		if (s->ch.close_in || s->ch.eof_out)
			return SP_ECLOSED;
		rc = link_flush(&s->link);
		if (rc == SP_OK)
			rc = pull(s);
	}
	/* who closed the channel wants nothing more of it, however large its window is */
	return rc == SP_OK && s->ch.close_in ? SP_ECLOSED : rc;
}

/* What has come, without waiting, until `most` bytes of input lie here. */
static int
hear(struct stream *s, size_t most)
{
	int rc = SP_OK;

	while (rc == SP_OK && s->ch.back_len < most) {
		rc = stream_keep(s); /* link_ready ends the loan of what lies in its buffer */
		if (rc < 0 || !link_ready(&s->link))
			break;
		rc = pull(s);
	}
	return rc;
}

/* What was gathered leaves.  A client with a large window may have much to take before we wait for
 * it: that it rekeys, asks whether we are there, or has closed the channel, is heard meanwhile. */
static int
leave(struct stream *s)
{
	int rc = link_flush(&s->link);

	return rc == SP_OK ? hear(s, LINK_GATHER) : rc;
}

/* One packet of what is pending and as much of body as goes with it; *ret_sent bytes of body went.
 */
static int
emit(struct stream *s, struct span body, size_t *ret_sent)
{
	struct channel *ch = &s->ch;
	size_t n = ch->pend_len, more;
	struct wr w = wr_of(ch->pend + LINK_HEAD, SSH_DATA_HEAD);
	int rc = SP_OK;

	*ret_sent = 0;
	if (kex_due(s))
		rc = stream_keep(s) == SP_OK ? kex_begin(s) : SP_ENOMEM;
	if (rc == SP_OK)
		rc = await_window(s);
	if (rc < 0)
		return rc;
	if (n > ch->out_window || n > ch->out_max)
		n = ch->out_window < ch->out_max ? (size_t)ch->out_window : ch->out_max;
	more = n < ch->pend_len ? 0 : body.len;
	if (more > ch->out_window - n)
		more = (size_t)(ch->out_window - n);
	if (more > ch->out_max - n)
		more = ch->out_max - n;
	ssh_put_data_head(&w, ch->peer, (uint32_t)(n + more));
	rc = link_send(&s->link, ch->pend, SSH_DATA_HEAD + n, span_cut(body, more));
	if (rc < 0)
		return rc;
	ch->out_window -= n + more;
	s->used = true;
	ch->pend_len -= n;
	if (ch->pend_len != 0)
		memmove(ch->pend + LINK_HEAD + SSH_DATA_HEAD,
		    ch->pend + LINK_HEAD + SSH_DATA_HEAD + n, ch->pend_len);
	*ret_sent = more;
	return s->link.out_len >= LINK_GATHER ? leave(s) : SP_OK;
}

int
stream_emit(struct stream *s)
{
	size_t none;
	int rc = SP_OK;

	while (rc == SP_OK && s->ch.pend_len != 0)
		rc = emit(s, span_of(NULL, 0), &none);
	return rc;
}

/* Copy into what is pending; it is sent when it is full. */
static int
pend(struct stream *s, struct span part)
{
	struct channel *ch = &s->ch;

	while (part.len != 0) {
		size_t n = PEND_BYTES - ch->pend_len;

		if (n == 0) {
			int rc = stream_emit(s);

			if (rc < 0)
				return rc;
			continue;
		}
		if (n > part.len)
			n = part.len;
		memcpy(ch->pend + LINK_HEAD + SSH_DATA_HEAD + ch->pend_len, part.ptr, n);
		ch->pend_len += n;
		part = span_skip(part, n);
	}
	return SP_OK;
}

int
stream_send(struct stream *s, struct span head, struct span body)
{
	int rc = s->broken != 0 ? s->broken : pend(s, head);

	if (rc == SP_OK && body.len <= SMALL_SEND)
		return pend(s, body);
	while (rc == SP_OK && body.len != 0) {
		size_t n = 0;

		rc = emit(s, body, &n);
		body = span_skip(body, n);
	}
	return rc;
}

int
stream_send_error(struct stream *s, struct span text)
{
	struct channel *ch = &s->ch;
	struct wr w;
	int rc = stream_emit(s);

	if (rc == SP_OK)
		rc = await_window(s);
	if (rc < 0)
		return rc;
	text = span_cut(text, ch->out_window < ch->out_max ? (size_t)ch->out_window : ch->out_max);
	text = span_cut(text, SCRATCH_BYTES / 2);
	w = conn_writer(s);
	ssh_put_extended_data(&w, ch->peer, 1, text);
	ch->out_window -= text.len;
	return conn_send(s, &w);
}

int
stream_flush(struct stream *s)
{
	int rc = stream_emit(s);

	return rc == SP_OK ? link_flush(&s->link) : rc;
}

int
stream_hear(struct stream *s)
{
	int rc;

	if (s->broken != 0)
		return s->broken;
	s->used = true; /* the client waits for us, not we for it */
	/* all that the window allows: the end of the connection may lie behind it */
	rc = hear(s, SIZE_MAX);
	return rc == SP_OK && s->ch.close_in ? SP_ECLOSED : rc;
}
