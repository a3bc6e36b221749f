#include "cli/hunt/scan.h"

#include <pthread.h>
#include <unistd.h>

struct slot {
	struct tlog_page page;
	struct hunt_entry *entry; /* TLOG_TILE of them */
	bool readable[TLOG_TILE];
	uint64_t filled; /* one more than the turn that it holds */
	int err;
};

struct pool {
	const struct scan *scan;
	uint64_t first, n; /* pages */
	pthread_mutex_t lock;
	pthread_cond_t can_fill, can_take;
	uint64_t next, taken; /* turns */
	bool stop;
	struct slot slot[SCAN_SLOTS];
};

static uint64_t
page_of_turn(const struct pool *p, uint64_t turn)
{
	return p->scan->backwards ? p->first + p->n - 1 - turn : p->first + turn;
}

static void
fill(const struct pool *p, struct slot *s, uint64_t turn)
{
	const struct scan *scan = p->scan;

	s->err = tlog_page_read(scan->log, page_of_turn(p, turn), &s->page);
	if (s->err == SP_OK)
		s->err = tlog_page_check(scan->log, &s->page);
	if (s->err != SP_OK)
		return;
	for (unsigned i = 0; i < s->page.n; i++) {
		struct span e = s->page.entry[i];

		/* it lies in the page's own buffer, and its hash was looked at: it may be written
		 * over
		 */
		s->readable[i] = hunt_entry_read(s->page.buf + (e.ptr - s->page.buf), e.len,
				     &s->entry[i]) == SP_OK &&
				 s->entry[i].n == s->page.first + i;
	}
}

static void *
helper(void *arg)
{
	struct pool *p = arg;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		struct slot *s;
		uint64_t turn;

		while (!p->stop && p->next < p->n && p->next - p->taken >= SCAN_SLOTS)
			(void)pthread_cond_wait(&p->can_fill, &p->lock);
		if (p->stop || p->next >= p->n)
			break;
		turn = p->next++;
		s = &p->slot[turn % SCAN_SLOTS];
		(void)pthread_mutex_unlock(&p->lock);
		fill(p, s, turn);
		(void)pthread_mutex_lock(&p->lock);
		s->filled = turn + 1;
		(void)pthread_cond_signal(&p->can_take);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int
page_fail(const struct slot *s, uint64_t page, char *why, size_t cap)
{
	struct text t = text_of(why, cap);
	bool wrong = s->err == SP_EVERIFY || s->err == SP_EDAMAGED || s->err == SP_ENOTFOUND;

	text_fmt(&t, "entries %llu to %llu: %s; see: sallyport audit verify",
	    (unsigned long long)page * TLOG_TILE, (unsigned long long)page * TLOG_TILE + 255,
	    s->err == SP_EVERIFY     ? "they do not hash to the signed checkpoint"
	    : s->err == SP_ENOTFOUND ? "a file of the log is missing"
				     : sp_strerror(s->err));
	return wrong ? SP_EVERIFY : s->err;
}

/* One entry to the caller, when it is in the range. */
static int
give(struct scan *scan, const struct slot *s, unsigned i)
{
	uint64_t n = s->page.first + i;

	if (n < scan->from || n >= scan->end)
		return SP_OK;
	if (s->page.signed_for)
		scan->n_checked++;
	else
		scan->n_unsigned++;
	return s->readable[i] ? scan->entry(scan->arg, &s->entry[i])
			      : scan->unreadable(scan->arg, n);
}

static int
give_page(struct scan *scan, const struct slot *s)
{
	int err = SP_OK;

	for (unsigned i = 0; i < s->page.n && err == SP_OK; i++)
		err = give(scan, s, scan->backwards ? s->page.n - 1 - i : i);
	return err;
}

static int
take_all(struct pool *p, struct scan *scan, char *why, size_t cap)
{
	int err = SP_OK;

	for (uint64_t turn = 0; turn < p->n && err == SP_OK; turn++) {
		struct slot *s = &p->slot[turn % SCAN_SLOTS];

		(void)pthread_mutex_lock(&p->lock);
		while (s->filled != turn + 1)
			(void)pthread_cond_wait(&p->can_take, &p->lock);
		(void)pthread_mutex_unlock(&p->lock);
		if (s->err != SP_OK)
			err = page_fail(s, page_of_turn(p, turn), why, cap);
		else
			err = give_page(scan, s);
		(void)pthread_mutex_lock(&p->lock);
		p->taken = turn + 1;
		(void)pthread_cond_broadcast(&p->can_fill);
		(void)pthread_mutex_unlock(&p->lock);
	}
	return err == 1 ? SP_OK : err;
}

static int
pool_init(struct pool *p, struct scan *scan)
{
	p->scan = scan;
	p->first = tlog_page_of(scan->log, scan->from);
	p->n = tlog_page_of(scan->log, scan->end - 1) - p->first + 1;
	for (unsigned i = 0; i < SCAN_SLOTS; i++) {
		p->slot[i].entry = mem_array(TLOG_TILE, sizeof(*p->slot[i].entry));
		if (p->slot[i].entry == NULL)
			return SP_ENOMEM;
	}
	(void)pthread_mutex_init(&p->lock, NULL); /* cannot fail with these attributes */
	(void)pthread_cond_init(&p->can_fill, NULL);
	(void)pthread_cond_init(&p->can_take, NULL);
	return SP_OK;
}

static void
pool_free(struct pool *p)
{
	for (unsigned i = 0; i < SCAN_SLOTS; i++) {
		tlog_page_done(&p->slot[i].page);
		mem_free(p->slot[i].entry);
	}
	mem_free(p);
}

static unsigned
threads_wanted(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > (long)SCAN_THREADS_MAX ? SCAN_THREADS_MAX : (unsigned)n;
}

int
scan_run(struct scan *s, char *why, size_t cap)
{
	struct text t = text_of(why, cap);
	pthread_t thread[SCAN_THREADS_MAX];
	unsigned n = 0, wanted = threads_wanted();
	struct pool *p;
	int err;

	if (s->from >= s->end)
		return SP_OK;
	p = mem_alloc(sizeof(*p));
	err = p != NULL ? pool_init(p, s) : SP_ENOMEM;
	while (err == SP_OK && n < wanted && pthread_create(&thread[n], NULL, helper, p) == 0)
		n++;
	if (err == SP_OK && n == 0)
		err = SP_ENOMEM;
	if (err != SP_OK)
		text_str(&t, sp_strerror(err));
	else
		err = take_all(p, s, why, cap);
	if (n != 0) {
		(void)pthread_mutex_lock(&p->lock);
		p->stop = true;
		(void)pthread_cond_broadcast(&p->can_fill);
		(void)pthread_mutex_unlock(&p->lock);
	}
	while (n > 0)
		(void)pthread_join(thread[--n], NULL);
	if (p != NULL)
		pool_free(p);
	return err;
}

/* ---- by time ---- */

/* The first entry of a page that is not before t_us: *ret_i, or page->n. */
static int
look(const struct tlog *log, uint64_t index, int64_t t_us, struct tlog_page *page,
    struct hunt_entry *e, unsigned *ret_i)
{
	unsigned i;
	int err = tlog_page_read(log, index, page);

	if (err == SP_OK)
		err = tlog_page_check(log, page);
	if (err != SP_OK)
		return err;
	for (i = 0; i < page->n; i++) {
		struct span s = page->entry[i];

		if (hunt_entry_read(page->buf + (s.ptr - page->buf), s.len, e) == SP_OK &&
		    e->t_us >= t_us)
			break;
	}
	*ret_i = i;
	return SP_OK;
}

int
scan_find(const struct tlog *log, int64_t t_us, uint64_t *ret, char *why, size_t cap)
{
	DEFER(tlog_page_done) struct tlog_page page = {0};
	DEFER(mem_freep) struct hunt_entry *e = mem_alloc(sizeof(*e));
	struct text t = text_of(why, cap);
	uint64_t low = 0, high = tlog_pages(log), found = tlog_end(log);
	int err = e != NULL ? SP_OK : SP_ENOMEM;

	while (err == SP_OK && low < high) {
		uint64_t middle = low + (high - low) / 2;
		unsigned i = 0;

		err = look(log, middle, t_us, &page, e, &i);
		if (err != SP_OK)
			break;
		if (i == page.n) {
			low = middle + 1;
		} else {
			found = page.first + i;
			high = middle;
		}
	}
	if (err == SP_OK)
		*ret = found;
	else
		text_fmt(&t,
		    "the audit log cannot be read by time: %s; see: sallyport audit verify",
		    sp_strerror(err));
	return err == SP_ENOTFOUND || err == SP_EDAMAGED ? SP_EVERIFY : err;
}
