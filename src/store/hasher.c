/* hasher.c - a helper thread that hashes one segment at a time.
 *
 * The thread allocates nothing and makes no system call but futex: it runs under the seccomp
 * profile of the room that started it.
 */
#include "store/hasher.h"

#include <pthread.h>
#include <semaphore.h>

#define STACK_BYTES (256u * 1024u)
#define CHUNK 16384u /* hashed and checksummed in turn, while it is in the nearest cache */

struct hasher {
	struct sha256 *sha;
	uint32_t crc;
	int err;       /* sticky; written by whoever hashes */
	bool threaded; /* the thread runs */
	bool alone;    /* no thread can be had */
	bool posted;   /* a segment is with the helper; only the owner looks at this */
	pthread_t thread;
	sem_t work,
	    done; /* posted to the helper, by the helper: what is below changes hands with them */
	bool ending;
	struct span job;
};

static void
wait_for(sem_t *s)
{
	while (sem_wait(s) != 0)
		continue; /* interrupted by a signal */
}

static void
hash_span(struct hasher *h, struct span s)
{
	while (s.len > 0 && h->err == SP_OK) {
		struct span part = span_cut(s, CHUNK);

		h->err = sha256_add(h->sha, part);
		h->crc = crc32_add(h->crc, part);
		s = span_skip(s, part.len);
	}
}

static void *
helper(void *arg)
{
	struct hasher *h = arg;

	for (wait_for(&h->work); !h->ending; wait_for(&h->work)) {
		hash_span(h, h->job);
		(void)sem_post(&h->done); /* cannot fail: at most one */
	}
	return NULL;
}

struct hasher *
hasher_new(void)
{
	struct hasher *h = mem_alloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->sha = sha256_new();
	if (h->sha == NULL || sem_init(&h->work, 0, 0) != 0 || sem_init(&h->done, 0, 0) != 0) {
		sha256_free(h->sha);
		mem_free(h);
		return NULL;
	}
	return h;
}

/* Is there a helper?  Starts it the first time. */
static bool
has_thread(struct hasher *h)
{
	pthread_attr_t attr;

	if (h->threaded || h->alone)
		return h->threaded;
	if (pthread_attr_init(&attr) == 0) {
		h->threaded = pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
			      pthread_create(&h->thread, &attr, helper, h) == 0;
		(void)pthread_attr_destroy(&attr);
	}
	h->alone = !h->threaded;
	return h->threaded;
}

/* Until the helper has nothing. */
static void
idle(struct hasher *h)
{
	if (h->posted)
		wait_for(&h->done);
	h->posted = false;
}

void
hasher_post(struct hasher *h, struct span s)
{
	if (!has_thread(h)) {
		hash_span(h, s);
		return;
	}
	idle(h);
	h->job = s;
	h->posted = true;
	(void)sem_post(&h->work);
}

int
hasher_wait(struct hasher *h)
{
	idle(h);
	return h->err;
}

int
hasher_add(struct hasher *h, struct span s)
{
	int r = hasher_wait(h);

	if (r == SP_OK)
		hash_span(h, s);
	return h->err;
}

int
hasher_get(struct hasher *h, uint8_t ret_sha256[SHA256_BYTES], uint32_t *ret_crc)
{
	uint8_t sha[SHA256_BYTES];
	int r = hasher_wait(h);

	if (r == SP_OK)
		r = sha256_get(h->sha, sha);
	if (r != SP_OK)
		return r;
	memcpy(ret_sha256, sha, SHA256_BYTES);
	*ret_crc = h->crc;
	return SP_OK;
}

void
hasher_free(struct hasher *h)
{
	if (h == NULL)
		return;
	if (h->threaded) {
		idle(h);
		h->ending = true;
		(void)sem_post(&h->work);
		(void)pthread_join(h->thread, NULL);
	}
	(void)sem_destroy(&h->work);
	(void)sem_destroy(&h->done);
	sha256_free(h->sha);
	mem_wipe(h, sizeof(*h));
	mem_free(h);
}
