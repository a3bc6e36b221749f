/* stream_played.c - two queues.  What is lent is a copy of its own, freed at the next call: whoever
 * keeps it is found out. */
#include "rooms/gate/sftp/stream_played.h"

#include "base/mem.h"

#include <pthread.h>

struct queue {
	uint8_t *buf;
	size_t at, len, cap;
};
struct stream {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct queue in, out;
	size_t step, lent_len;
	uint8_t *lent;
	unsigned heard;
	bool closed, broken, over;
};

struct stream *
played_new(void)
{
	struct stream *s = mem_alloc(sizeof(*s));

	VERIFY(s != NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	s->step = SIZE_MAX;
	return s;
}

void
played_free(struct stream *s)
{
	mem_free(s->in.buf);
	mem_free(s->out.buf);
	mem_free(s->lent);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

static void
add(struct queue *q, struct span s)
{
	if (q->len + s.len > q->cap) {
		size_t cap = 2 * (q->len + s.len);

		q->buf = mem_grow(q->buf, q->cap, cap);
		q->cap = cap;
		VERIFY(q->buf != NULL);
	}
	if (s.len != 0)
		memcpy(q->buf + q->len, s.ptr, s.len);
	q->len += s.len;
}

static void
drop(struct queue *q, size_t n)
{
	q->at += n;
	if (q->at == q->len)
		q->at = q->len = 0;
}

static void
flag(struct stream *s, bool *what)
{
	pthread_mutex_lock(&s->lock);
	*what = true;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

void
played_step(struct stream *s, size_t step)
{
	s->step = step;
}

void
played_put(struct stream *s, struct span in)
{
	pthread_mutex_lock(&s->lock);
	add(&s->in, in);
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

bool
played_get(struct stream *s, void *out, size_t n)
{
	bool there;

	pthread_mutex_lock(&s->lock);
	while (s->out.len - s->out.at < n && !s->over)
		pthread_cond_wait(&s->moved, &s->lock);
	there = s->out.len - s->out.at >= n;
	if (there && n != 0) {
		memcpy(out, s->out.buf + s->out.at, n);
		drop(&s->out, n);
	}
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return there;
}

void
played_close(struct stream *s)
{
	flag(s, &s->closed);
}

void
played_break(struct stream *s)
{
	flag(s, &s->broken);
}

void
played_over(struct stream *s)
{
	flag(s, &s->over);
}

size_t
played_left(struct stream *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->out.len - s->out.at;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* ---- the server's side ---- */

static int
lend(struct stream *s, size_t n, struct span *ret)
{
	mem_free(s->lent);
	s->lent = mem_alloc(n);
	VERIFY(s->lent != NULL);
	memcpy(s->lent, s->in.buf + s->in.at, n);
	s->lent_len = n;
	*ret = span_of(s->lent, n);
	return 1;
}

/* At least n bytes, at most `most`. */
static int
give(struct stream *s, size_t n, size_t most, struct span *ret)
{
	size_t have;
	int rc;

	pthread_mutex_lock(&s->lock);
	while ((have = s->in.len - s->in.at) < n && !s->closed && !s->broken)
		pthread_cond_wait(&s->moved, &s->lock);
	if (have >= n)
		rc = lend(s, have < most ? have : most, ret);
	else
		rc = s->broken || have != 0 ? SP_ECLOSED : 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int
stream_need(struct stream *s, size_t n, struct span *ret)
{
	PRECOND(n >= 1 && n <= STREAM_WANT_MAX);
	return give(s, n, n, ret);
}

int
stream_some(struct stream *s, size_t n, struct span *ret)
{
	PRECOND(n >= 1);
	return give(s, 1, n < s->step ? n : s->step, ret);
}

void
stream_take(struct stream *s, size_t n)
{
	pthread_mutex_lock(&s->lock);
	PRECOND(n <= s->lent_len);
	s->lent_len = 0;
	drop(&s->in, n);
	pthread_mutex_unlock(&s->lock);
}

bool
stream_waiting(struct stream *s)
{
	bool waiting;

	pthread_mutex_lock(&s->lock);
	waiting = s->in.len != s->in.at;
	pthread_mutex_unlock(&s->lock);
	return waiting;
}

int
stream_send(struct stream *s, struct span head, struct span body)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	while (s->out.len - s->out.at > PLAYED_OUT_MAX && !s->broken)
		pthread_cond_wait(&s->moved, &s->lock);
	add(&s->out, head);
	add(&s->out, body);
	mem_free(s->lent); /* sending ends the loan, though not the right to take it */
	s->lent = NULL;
	rc = s->broken ? SP_ECLOSED : SP_OK;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int
stream_hear(struct stream *s)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	mem_free(s->lent); /* as stream_send */
	s->lent = NULL;
	s->heard++;
	rc = s->broken ? SP_ECLOSED : SP_OK;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

unsigned
played_heard(struct stream *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->heard;
	pthread_mutex_unlock(&s->lock);
	return n;
}

int
stream_send_error(struct stream *s, struct span text)
{
	(void)text;
	return s->broken ? SP_ECLOSED : SP_OK;
}

int
stream_flush(struct stream *s)
{
	return s->broken ? SP_ECLOSED : SP_OK;
}
