/* server_fix.c - three threads. */
#include "rooms/gate/sftp/server_fix.h"

#include "sys/fd.h"

static uint8_t pattern[PATTERN_MAX];

uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

struct span
bytes(size_t at, size_t n)
{
	if (pattern[1] == 0)
		for (size_t i = 0; i < PATTERN_MAX; i++)
			pattern[i] = byte_at(i);
	assert_true(at + n <= PATTERN_MAX);
	return span_of(pattern + at, n);
}

void
check_file(struct fix *f, const char *path, size_t n)
{
	struct node *node = store_find(&f->store, path);

	if (node == NULL)
		fail_msg("%s is not there", path);
	assert_int_equal(node->size, n);
	assert_true(span_eq(span_of(node->plain, n), bytes(0, n)));
}

/* ---- threads ---- */

static void *
run_server(void *arg)
{
	struct fix *f = arg;

	f->rc = f->command.len != 0 ? scp_serve(&f->session, f->command, &f->status)
				    : sftp_serve(&f->session);
	played_over(f->stream);
	return NULL;
}

struct fix *
fix_new(void)
{
	struct fix *f = mem_alloc(sizeof(*f));

	assert_non_null(f);
	conf_defaults(&f->conf);
	f->store.quota = 1u << 30;
	f->command = span_of(NULL, 0);
	store_add_folder(&f->store, "/");
	store_add_folder(&f->store, "/Home");
	store_add_folder(&f->store, "/Home/alice");
	return f;
}

void
fix_start(struct fix *f)
{
	int b[2], v[2];

	assert_int_equal(sock_pair(b), SP_OK);
	assert_int_equal(sock_pair(v), SP_OK);
	assert_int_equal(ring_init(&f->ring, ROOM_WORKER_SFTP, b[0], v[0]), SP_OK);
	chan_init(&f->store.broker, b[1], ROOM_BROKER, ROOM_WORKER_SFTP);
	chan_init(&f->store.vault, v[1], ROOM_VAULT, ROOM_WORKER_SFTP);
	f->stream = played_new();
	f->session = (struct sftp_session){.stream = f->stream,
	    .ring = &f->ring,
	    .conf = &f->conf,
	    .address = "192.0.2.1:4711",
	    .agent = "SSH-2.0-Test",
	    .user = SPAN_LIT("alice"),
	    .in_hand = &f->in_hand};
	assert_int_equal(pthread_create(&f->broker, NULL, store_run, &f->store), 0);
	assert_int_equal(pthread_create(&f->server, NULL, run_server, f), 0);
}

void
fix_begin(struct fix *f)
{
	fix_start(f);
	played_put(f->stream, SPAN_LIT("\0\0\0\5\1\0\0\0\3"));
	f->id = 3;
	(void)got(f, SFTP_VERSION_REPLY);
}

static void
join(struct fix *f)
{
	pthread_join(f->server, NULL);
	assert_int_equal(f->in_hand, 0);
	ring_done(&f->ring);
	pthread_join(f->broker, NULL);
	chan_close(&f->store.broker);
	chan_close(&f->store.vault);
	for (size_t i = 0; i < PLAYED_UPLOADS;
	     i++) /* what the broker does with uploads of a worker that is gone */
		if (f->store.uploads[i].is_used && f->store.uploads[i].acked == 0)
			f->store.uploads[i].is_used = false;
}

void
fix_end(struct fix *f)
{
	played_close(f->stream);
	join(f);
}

void
fix_break(struct fix *f)
{
	played_break(f->stream);
	join(f);
}

void
fix_again(struct fix *f)
{
	played_free(f->stream);
	fix_begin(f);
}

void
fix_free(struct fix *f)
{
	played_free(f->stream);
	store_done(&f->store);
	mem_free(f);
}

/* ---- the client ---- */

void
sent(struct fix *f, const struct wr *w)
{
	assert_false(w->bad);
	played_put(f->stream, wr_span(w));
}

struct rd
got(struct fix *f, enum sftp_type type)
{
	struct rd r;
	size_t n;

	if (!played_get(f->stream, f->buf, 4))
		fail_msg("the server has ended: %s", sp_strerror(f->rc));
	r = rd_of(span_of(f->buf, 4));
	n = (size_t)rd_uint(&r, 4);
	assert_true(n >= 5 && n <= SFTP_PACKET_MAX);
	assert_true(played_get(f->stream, f->buf, n));
	f->buf[n] = 0;
	assert_int_equal(sftp_get_packet(span_of(f->buf, n), &f->reply), SP_OK);
	if (f->reply.type != type && f->reply.type == SFTP_STATUS)
		fail_msg("STATUS: %.*s", (int)n - 17, (const char *)f->buf + 13);
	assert_int_equal(f->reply.type, type);
	assert_int_equal(f->reply.id, f->id);
	return rd_of(f->reply.body);
}

const char *
got_status(struct fix *f, enum sftp_status status)
{
	struct rd r = got(f, SFTP_STATUS);
	uint64_t code = rd_uint(&r, 4);
	size_t n = (size_t)rd_uint(&r, 4);
	struct span text = rd_take(&r, n);

	assert_false(r.bad);
	assert_true(utf8_valid(text));
	assert_int_equal(rd_uint(&r, 4), 0);
	assert_true(rd_done(&r));
	f->buf[13 + n] = 0;
	if (code != status)
		fail_msg("status %u instead of %u: %s", (unsigned)code, (unsigned)status,
		    (const char *)f->buf + 13);
	return (const char *)f->buf + 13;
}

static struct name
got_handle(struct fix *f)
{
	struct rd r = got(f, SFTP_HANDLE);
	struct name h;

	assert_int_equal(rd_uint(&r, 4), SFTP_HANDLE_BYTES);
	rd_copy(&r, h.b, 4);
	assert_true(rd_done(&r));
	return h;
}

struct name
open_file(struct fix *f, const char *path, uint32_t flags)
{
	ASK(f, open, .path = span_str(path), .flags = flags);
	return got_handle(f);
}

struct name
open_folder(struct fix *f, const char *path)
{
	ASK(f, opendir, .path = span_str(path));
	return got_handle(f);
}

void
write_at(struct fix *f, struct name h, uint64_t offset, struct span data)
{
	static uint8_t buf[REPLY_MAX];
	struct wr w = wr_of(buf, sizeof(buf));
	struct sftp_write m = {
	    .id = ++f->id, .handle = name_span(&h), .offset = offset, .length = (uint32_t)data.len};

	sftp_put_write(&w, &m);
	wr_bytes(&w, data);
	sftp_end(&w, 0);
	sent(f, &w);
}

void
write_ok(struct fix *f, struct name h, uint64_t offset, struct span data)
{
	write_at(f, h, offset, data);
	(void)got_status(f, SFTP_FX_OK);
}

void
close_ok(struct fix *f, struct name h)
{
	ASK(f, close, .handle = name_span(&h));
	(void)got_status(f, SFTP_FX_OK);
}

struct span
read_at(struct fix *f, struct name h, uint64_t offset, uint32_t n)
{
	struct rd r;
	struct span s;

	ASK(f, read, .handle = name_span(&h), .offset = offset, .length = n);
	assert_true(played_get(f->stream, f->buf, 9));
	if (f->buf[4] == SFTP_STATUS) {
		size_t len = (size_t)f->buf[2] << 8 | f->buf[3];

		assert_true(played_get(f->stream, f->buf + 9, len - 5));
		assert_int_equal(f->buf[12], SFTP_FX_EOF);
		return span_of(NULL, 0);
	}
	assert_int_equal(f->buf[4], SFTP_DATA);
	assert_true(played_get(f->stream, f->buf + 9, 4));
	r = rd_of(span_of(f->buf + 9, 4));
	n = (uint32_t)rd_uint(&r, 4);
	r = rd_of(span_of(f->buf, 4));
	assert_int_equal(rd_uint(&r, 4), n + 9);
	assert_true(played_get(f->stream, f->buf, n));
	s = span_of(f->buf, n);
	return s;
}

uint64_t
stat_size(struct fix *f, const char *path)
{
	struct sftp_attrs a;
	struct rd r;

	ASK(f, stat, .path = span_str(path));
	r = got(f, SFTP_ATTRS);
	assert_int_equal(sftp_attrs_take(&r, &a), SP_OK);
	assert_true(rd_done(&r));
	return a.size;
}
