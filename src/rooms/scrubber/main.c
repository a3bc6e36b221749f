/* main.c - the scrubber: one blob from the broker, its key from the vault, one answer, then the
 * process ends. */
#include "crypto/gcm.h"
#include "ipc/room.h"
#include "rooms/scrubber/scrub.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/loop.h"

#define EXIT_SOFTWARE 70

struct scrubber {
	struct room_start start;
	struct loop *loop;
	struct chan broker, vault;
	uint8_t *buf;	  /* IPC_MAX bytes, locked: the message that is read now */
	uint8_t *content; /* ciphertext of a small file, INLINE_CT_MAX bytes */
	uint8_t *key;	  /* KEY_BYTES, locked */
	bool has_job, has_key;
	/* the job */
	uint64_t job;
	ipc_b16 blob;
	uint64_t length; /* as the broker says */
	uint32_t segment;
	int fd; /* -1: a small file */
	size_t content_len;
	/* the key */
	ipc_b16 key_blob;
	uint64_t key_length; /* as the vault says, from the wrap */
	int status;
};

static void
end(struct scrubber *s, int status)
{
	s->status = status;
	loop_stop(s->loop);
}

/* During a long job: does the supervisor want it to end? */
static bool
must_stop(void *arg)
{
	struct scrubber *s = arg;
	struct chan_msg m;
	int r = chan_recv(&s->start.supervisor, PH_ANY, false, s->buf, IPC_MAX, &m);
	bool stop = r < 0 || (r == 1 && m.id == IPC_STOP);

	if (r == 1)
		chan_msg_done(&m);
	return stop;
}

static struct scrub_result
work(struct scrubber *s)
{
	struct scrub_result damaged = {.err = SP_EDAMAGED, .length = s->key_length};

	if (s->fd < 0)
		return scrub_inline(
		    span_of(s->content, s->content_len), s->key, s->blob.b, s->key_length);
	if (s->length != s->key_length) /* the wrap is right: the database is not */
		return damaged;
	return scrub_file(s->fd, s->key, s->blob.b, s->segment, s->key_length, must_stop, s);
}

/* Both are there: do it, answer, end. */
static void
run(struct scrubber *s)
{
	struct ipc_scrubbed m = {.job = s->job};
	struct scrub_result r;
	int err;

	if (!s->has_job || !s->has_key)
		return;
	if (memcmp(s->blob.b, s->key_blob.b, BLOB_ID_BYTES) != 0) {
		log_error("the key is not that of the job's blob");
		end(s, EXIT_SOFTWARE);
		return;
	}
	r = work(s);
	mem_wipe(s->key, KEY_BYTES);
	if (r.err == SP_ECLOSED) {
		end(s, 0);
		return;
	}
	m.err = (uint16_t)-r.err;
	m.offset = r.offset;
	m.length = r.length;
	memcpy(m.sha256.b, r.sha256, sizeof(m.sha256.b));
	m.crc32 = r.crc32;
	err = chan_send_scrubbed(&s->broker, &m, -1);
	end(s, err == SP_OK || err == SP_ECLOSED ? 0 : EXIT_SOFTWARE);
}

static int
take_job(struct scrubber *s, struct chan_msg *in)
{
	struct ipc_scrub file;
	struct ipc_scrub_inline small;
	int r;

	if (s->has_job)
		return SP_EDENIEDMSG;
	if (in->id == IPC_SCRUB) {
		r = ipc_get_scrub(in->body, &file);
		if (r != SP_OK)
			return r;
		s->job = file.job;
		s->blob = file.blob;
		s->length = file.length;
		s->segment = file.segment;
		s->fd = TAKE_FD(in->fd);
	} else {
		r = ipc_get_scrub_inline(in->body, &small);
		if (r != SP_OK)
			return r;
		if (small.content.len > INLINE_CT_MAX)
			return SP_ERANGE;
		s->job = small.job;
		s->blob = small.blob;
		memcpy(s->content, small.content.ptr, small.content.len);
		s->content_len = small.content.len;
	}
	s->has_job = true;
	return SP_OK;
}

static int
take_key(struct scrubber *s, struct chan_msg *in)
{
	struct ipc_key m;
	int r = ipc_get_key(in->body, &m);

	if (r != SP_OK)
		return r;
	if (s->has_key || m.fresh != 0 || m.key.len != KEY_BYTES)
		return SP_EDENIEDMSG;
	memcpy(s->key, m.key.ptr, KEY_BYTES);
	s->key_blob = m.blob;
	s->key_length = m.length;
	s->has_key = true;
	return SP_OK;
}

/* One message of the broker or the vault; a socket that ends, ends the scrubber. */
static void
on_message(struct scrubber *s, struct chan *c, int (*take)(struct scrubber *, struct chan_msg *))
{
	struct chan_msg m;
	int r = chan_recv(c, PH_ANY, false, s->buf, IPC_MAX, &m);

	if (r == 0)
		return;
	if (r == 1) {
		r = take(s, &m);
		chan_msg_done(&m);
		mem_wipe(s->buf, IPC_MAX); /* a key was in it */
	}
	if (r == SP_OK) {
		run(s);
		return;
	}
	if (r != SP_ECLOSED)
		log_error("message %u of %s: %s", m.id, room_table[c->peer].name, sp_strerror(r));
	end(s, r == SP_ECLOSED ? 0 : EXIT_SOFTWARE);
}

static void
on_broker(void *arg, int fd, unsigned events)
{
	struct scrubber *s = arg;

	(void)fd, (void)events;
	on_message(s, &s->broker, take_job);
}

static void
on_vault(void *arg, int fd, unsigned events)
{
	struct scrubber *s = arg;

	(void)fd, (void)events;
	on_message(s, &s->vault, take_key);
}

static void
on_supervisor(void *arg, int fd, unsigned events)
{
	struct scrubber *s = arg;

	(void)fd, (void)events;
	if (must_stop(s))
		end(s, 0);
}

/* All that it needs is taken before the sandbox: afterwards there is no file and no socket to be
 * had. */
static void
enter(struct scrubber *s, int argc, char **argv)
{
	struct sandbox_limits limits = {
	    .memory_bytes = 64u << 20, .cpu_seconds = 24 * 3600, .files = 16};

	room_enter(ROOM_SCRUBBER, argc, argv, &s->start, NULL, NULL);
	s->loop = loop_new();
	s->buf = secret_new(IPC_MAX);
	s->key = secret_new(KEY_BYTES);
	s->content = mem_alloc(INLINE_CT_MAX);
	if (s->loop == NULL || s->buf == NULL || s->key == NULL || s->content == NULL)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	if (s->start.link[ROOM_BROKER] < 0 || s->start.link[ROOM_VAULT] < 0)
		sp_die(EXIT_SOFTWARE, "no socket to the broker or the vault");
	chan_init(&s->broker, TAKE_FD(s->start.link[ROOM_BROKER]), ROOM_SCRUBBER, ROOM_BROKER);
	chan_init(&s->vault, TAKE_FD(s->start.link[ROOM_VAULT]), ROOM_SCRUBBER, ROOM_VAULT);
	if (loop_watch(s->loop, s->broker.fd, LOOP_IN, on_broker, s) == NULL ||
	    loop_watch(s->loop, s->vault.fd, LOOP_IN, on_vault, s) == NULL ||
	    loop_watch(s->loop, s->start.supervisor.fd, LOOP_IN, on_supervisor, s) == NULL)
		sp_die(EXIT_SOFTWARE, "out of memory");
	if (crypto_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "OpenSSL does not work");
	gcm_ready();
	room_sandbox(&s->start, NULL, 0, &limits, "");
}

static int
leave(struct scrubber *s)
{
	close_fd(&s->fd);
	chan_close(&s->broker);
	chan_close(&s->vault);
	loop_free(s->loop);
	secret_free(s->key, KEY_BYTES);
	secret_free(s->buf, IPC_MAX);
	mem_free(s->content);
	return s->status;
}

int
main(int argc, char **argv)
{
	struct scrubber s = {.fd = -1};

	enter(&s, argc, argv);
	if (loop_run(s.loop) < 0)
		s.status = EXIT_SOFTWARE;
	return leave(&s);
}
