/* delay_relay.c - a long road on the loopback: connections to one port go on to another, later and
 * not faster than a rate.
 *
 *   delay_relay LISTEN_PORT TARGET_PORT ONE_WAY_MS MEGABITS
 *
 * Bytes of each direction are taken in at the rate, kept for the one-way delay, then handed on:
 * what a link of that bandwidth and delay holds in flight, and no more.  Prints "ready" when it
 * listens; ends at SIGTERM.  What is between the two ends besides (TCP's own windows and losses) is
 * not played.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum { CHUNK = 16384, SLOTS = 4096, CONNECTIONS = 16, BURST_NS = 1000000 };

struct chunk {
	uint64_t due_ns;
	uint32_t len, sent;
	uint8_t data[CHUNK];
};
struct direction {
	int from, to;
	bool ended;	     /* `from` has no more */
	uint64_t free_ns;    /* when the link has room for the next bytes */
	unsigned head, tail; /* slots in use: tail up to head */
	struct chunk *slots;
};
struct pair {
	bool used;
	struct direction dir[2];
};
struct road {
	uint64_t delay_ns, ns_per_kib;
	uint16_t target;
	struct pair pairs[CONNECTIONS];
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
smooth(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void
pair_done(struct pair *p)
{
	(void)close(p->dir[0].from);
	(void)close(p->dir[1].from);
	free(p->dir[0].slots);
	free(p->dir[1].slots);
	*p = (struct pair){0};
}

static void
take_connection(struct road *r, int listener)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(r->target),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int a = accept(listener, NULL, NULL), b = socket(AF_INET, SOCK_STREAM, 0);
	struct pair *p = NULL;

	for (int i = 0; i < CONNECTIONS && p == NULL; i++)
		if (!r->pairs[i].used)
			p = &r->pairs[i];
	if (p == NULL || a < 0 || b < 0 || connect(b, (struct sockaddr *)&to, sizeof(to)) != 0) {
		(void)close(a);
		(void)close(b);
		return;
	}
	smooth(a);
	smooth(b);
	*p = (struct pair){.used = true, .dir = {{.from = a, .to = b}, {.from = b, .to = a}}};
	for (int i = 0; i < 2; i++)
		if ((p->dir[i].slots = malloc(SLOTS * sizeof(struct chunk))) == NULL)
			exit(71);
}

static bool
can_take(const struct direction *d, uint64_t now)
{
	return !d->ended && d->head - d->tail < SLOTS && d->free_ns <= now + BURST_NS;
}

/* Bytes come onto the link: each takes its time, then the delay.  false: the connection broke. */
static bool
take(const struct road *r, struct direction *d, uint64_t now)
{
	while (can_take(d, now)) {
		struct chunk *c = &d->slots[d->head % SLOTS];
		ssize_t n = read(d->from, c->data, CHUNK);

		if (n < 0)
			return errno == EAGAIN;
		if (n == 0) {
			d->ended = true;
			return true;
		}
		if (d->free_ns < now)
			d->free_ns = now;
		d->free_ns += (uint64_t)n * r->ns_per_kib / 1024;
		*c = (struct chunk){.due_ns = d->free_ns + r->delay_ns, .len = (uint32_t)n};
		d->head++;
	}
	return true;
}

static bool
hand_on(struct direction *d, uint64_t now)
{
	while (d->tail != d->head && d->slots[d->tail % SLOTS].due_ns <= now) {
		struct chunk *c = &d->slots[d->tail % SLOTS];
		ssize_t n = write(d->to, c->data + c->sent, c->len - c->sent);

		if (n < 0)
			return errno == EAGAIN;
		c->sent += (uint32_t)n;
		if (c->sent == c->len)
			d->tail++;
	}
	if (d->ended && d->tail == d->head)
		(void)shutdown(d->to, SHUT_WR);
	return true;
}

/* What to wait for, and until when. */
static uint64_t
wish(const struct direction *d, struct pollfd *from, struct pollfd *to, uint64_t now)
{
	uint64_t until = UINT64_MAX;

	if (can_take(d, now))
		from->events |= POLLIN;
	else if (!d->ended && d->head - d->tail < SLOTS)
		until = d->free_ns - BURST_NS;
	if (d->tail != d->head) {
		uint64_t due = d->slots[d->tail % SLOTS].due_ns;

		if (due <= now)
			to->events |= POLLOUT;
		else if (due < until)
			until = due;
	}
	return until;
}

static void
turn(struct road *r, struct pollfd *fds)
{
	uint64_t now = now_ns(), until = UINT64_MAX;
	struct timespec wait, *limit = NULL;

	for (int i = 0; i < CONNECTIONS; i++) {
		struct pair *p = &r->pairs[i];
		struct pollfd *f = &fds[1 + 2 * i];

		for (int k = 0; k < 2; k++)
			f[k] = (struct pollfd){.fd = p->used ? p->dir[k].from : -1};
		for (int k = 0; k < 2 && p->used; k++) {
			uint64_t u = wish(&p->dir[k], &f[k], &f[1 - k], now);

			until = u < until ? u : until;
		}
	}
	if (until != UINT64_MAX) {
		uint64_t left = until > now ? until - now : 0;

		wait = (struct timespec){(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
		limit = &wait;
	}
	if (ppoll(fds, 1 + 2 * CONNECTIONS, limit, NULL) < 0 && errno != EINTR)
		exit(71);
	now = now_ns();
	for (int i = 0; i < CONNECTIONS; i++) {
		struct pair *p = &r->pairs[i];
		bool good = true;

		for (int k = 0; k < 2 && p->used && good; k++)
			good = take(r, &p->dir[k], now) && hand_on(&p->dir[k], now);
		if (p->used && (!good || (p->dir[0].ended && p->dir[1].ended &&
					     p->dir[0].tail == p->dir[0].head &&
					     p->dir[1].tail == p->dir[1].head)))
			pair_done(p);
	}
	if ((fds[0].revents & POLLIN) != 0)
		take_connection(r, fds[0].fd);
}

static uint64_t
number(const char *text, uint64_t most)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || n == 0 || n > most) {
		fprintf(stderr, "delay_relay: %s: a number from 1 to %llu\n", text,
		    (unsigned long long)most);
		exit(64);
	}
	return n;
}

int
main(int argc, char **argv)
{
	static struct pollfd fds[1 + 2 * CONNECTIONS];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static struct road r;
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 5) {
		fprintf(stderr, "usage: delay_relay LISTEN_PORT TARGET_PORT ONE_WAY_MS MEGABITS\n");
		return 64;
	}
	at.sin_port = htons((uint16_t)number(argv[1], UINT16_MAX));
	r.target = (uint16_t)number(argv[2], UINT16_MAX);
	r.delay_ns = number(argv[3], 10000) * 1000000u;
	r.ns_per_kib = 1024u * 8u * 1000u / number(argv[4], 100000);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, CONNECTIONS) != 0) {
		perror("delay_relay");
		return 71;
	}
	fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	printf("ready\n");
	(void)fflush(stdout);
	for (;;)
		turn(&r, fds);
}
