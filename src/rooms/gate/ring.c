/* ring.c - one request to the broker, one reply; keys from the vault. */
#include "rooms/gate/ring.h"

#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/ready.h"

int
ring_init(struct ring *r, enum room self, int broker_fd, int vault_fd)
{
	*r = (struct ring){0};
	chan_init(&r->broker, broker_fd, self, ROOM_BROKER);
	chan_init(&r->vault, vault_fd, self, ROOM_VAULT);
	r->buf = mem_alloc(IPC_MAX);
	return r->buf != NULL ? SP_OK : SP_ENOMEM;
}

void
ring_done(struct ring *r)
{
	chan_close(&r->broker);
	chan_close(&r->vault);
	if (r->buf != NULL)
		mem_wipe(r->buf, IPC_MAX);
	mem_freep(&r->buf);
}

void
ring_wipe(struct ring *r)
{
	mem_wipe(r->buf, IPC_MAX);
}

/* A room is gone, late or lying: nothing more can be asked. */
static int
ring_fail(struct ring *r, const char *what, int rc)
{
	if (!r->dead)
		log_warning("%s: %s", what, sp_strerror(rc));
	r->dead = true;
	return SP_EUNAVAIL;
}

static void
fault_set(struct ring *r, const struct ipc_failed *f)
{
	size_t n =
	    f->detail.len < sizeof(r->fault.detail) ? f->detail.len : sizeof(r->fault.detail) - 1;

	r->fault.retry_after = f->retry_after;
	memcpy(r->fault.detail, f->detail.ptr, n);
	r->fault.detail[n] = '\0';
}

/* What FAILED says, as the error to return. */
static int
failed(struct ring *r, struct span body)
{
	struct ipc_failed f;

	if (ipc_get_failed(body, &f) < 0 || f.err == 0)
		return ring_fail(r, "FAILED from the broker", SP_ESYNTAX);
	fault_set(r, &f);
	return -(int)f.err;
}

void
ring_settle(struct ring *r)
{
	void (*owed)(void *) = r->owed;

	r->owed = NULL;
	if (owed != NULL)
		owed(r->owed_arg);
}

/* The last request is over, and another can be sent. */
static bool
may_ask(struct ring *r)
{
	ring_settle(r);
	return !r->dead;
}

static int
sent(struct ring *r, int rc)
{
	r->fault.retry_after = 0;
	r->fault.detail[0] = '\0';
	if (r->dead)
		return SP_EUNAVAIL;
	if (rc == SP_ERANGE) /* what the client gave is over the row's maximum */
		return rc;
	return rc < 0 ? ring_fail(r, "to the broker", rc) : SP_OK;
}

/* The reply: `want` or `also`; the caller ends it with chan_msg_done. */
static int
receive(struct ring *r, uint16_t want, uint16_t also, struct chan_msg *ret)
{
	int fd = r->broker.fd, rc;
	unsigned ready;

	rc = fd_wait_any(&fd, 1, RING_TIMEOUT_MS, &ready);
	if (rc < 0)
		return ring_fail(r, "waiting for the broker", rc);
	rc = chan_recv(&r->broker, PH_ANY, true, r->buf, IPC_MAX, ret);
	if (rc < 0)
		return ring_fail(r, "from the broker", rc);
	if (ret->id == want || ret->id == also)
		return SP_OK;
	rc = ret->id == IPC_FAILED ? failed(r, ret->body)
				   : ring_fail(r, "from the broker", SP_EDENIEDMSG);
	chan_msg_done(ret);
	return rc;
}

#define X(call, reply, REPLY)                                                                      \
	int ring_##call(struct ring *r, const struct ipc_##call *m, struct ipc_##reply *ret)       \
	{                                                                                          \
		struct chan_msg msg;                                                               \
		int rc = sent(r, !may_ask(r) ? SP_OK : chan_send_##call(&r->broker, m, -1));       \
                                                                                                   \
		if (rc == SP_OK)                                                                   \
			rc = receive(r, IPC_##REPLY, IPC_##REPLY, &msg);                           \
		if (rc < 0)                                                                        \
			return rc;                                                                 \
		rc = ipc_get_##reply(msg.body, ret);                                               \
		chan_msg_done(&msg);                                                               \
		return rc < 0 ? ring_fail(r, "from the broker", rc) : SP_OK;                       \
	}
RING_CALLS(X)
#undef X

/* ---- keys ---- */

/* One message from the vault: 1 when it is the key of this blob, 0 when it is a left-over of an
 * earlier request. */
static int
take_key(struct ring *r, const uint8_t blob[16], bool fresh, uint8_t ret_key[KEY_BYTES],
    uint64_t *ret_length)
{
	uint8_t buf[IPC_MAX];
	struct chan_msg msg;
	struct ipc_key k;
	int rc = chan_recv(&r->vault, PH_ANY, true, buf, sizeof(buf), &msg);

	if (rc < 0)
		return ring_fail(r, "from the vault", rc);
	rc = msg.id == IPC_KEY ? ipc_get_key(msg.body, &k) : SP_EDENIEDMSG;
	if (rc == SP_OK && (k.key.len != KEY_BYTES || (k.fresh != 0) != fresh))
		rc = SP_ERANGE;
	if (rc == SP_OK && memcmp(k.blob.b, blob, sizeof(k.blob.b)) == 0) {
		memcpy(ret_key, k.key.ptr, KEY_BYTES);
		*ret_length = k.length;
		rc = 1;
	}
	mem_wipe(buf, msg.body.len + 64 < sizeof(buf) ? msg.body.len + 64 : sizeof(buf));
	chan_msg_done(&msg);
	return rc < 0 ? ring_fail(r, "from the vault", rc) : rc;
}

/* FAILED may still come from the broker while the key is awaited: ledger or vault refused. */
static int
refused(struct ring *r)
{
	uint8_t buf[IPC_MAX];
	struct chan_msg msg;
	int rc = chan_recv(&r->broker, PH_ANY, true, buf, sizeof(buf), &msg);

	if (rc < 0)
		return ring_fail(r, "from the broker", rc);
	rc = msg.id == IPC_FAILED ? failed(r, msg.body)
				  : ring_fail(r, "from the broker", SP_EDENIEDMSG);
	chan_msg_done(&msg);
	return rc;
}

static int
await_key(struct ring *r, const uint8_t blob[16], bool fresh, uint8_t ret_key[KEY_BYTES],
    uint64_t *ret_length)
{
	int64_t end = clock_mono_ms() + RING_TIMEOUT_MS;
	const int fds[2] = {r->vault.fd, r->broker.fd};

	for (;;) {
		int64_t left = end - clock_mono_ms();
		unsigned ready;
		int rc = fd_wait_any(fds, 2, left > 0 ? (int)left : 0, &ready);

		if (rc < 0)
			return ring_fail(r, "waiting for a key", rc);
		if ((ready & 1) == 0)
			return refused(r);
		rc = take_key(r, blob, fresh, ret_key, ret_length);
		if (rc != 0)
			return rc < 0 ? rc : SP_OK;
	}
}

/* ---- reading ---- */

#define F(type, name, max) ret->name = e->name;
void
ring_rec_of_entry(const struct ipc_entry *e, struct ipc_entry_rec *ret)
{
	IPC_ENTRY(F)
}

static void
rec_of_open(const struct ipc_file_open *e, struct ipc_entry_rec *ret)
{
	IPC_ENTRY(F)
}

static void
rec_of_inline(const struct ipc_file_inline *e, struct ipc_entry_rec *ret)
{
	IPC_ENTRY(F)
}
#undef F

static int
opened_blob(struct chan_msg *msg, struct opened *ret)
{
	struct ipc_file_open m;

	if (ipc_get_file_open(msg->body, &m) < 0)
		return SP_ESYNTAX;
	ret->fd = TAKE_FD(msg->fd);
	ret->start = m.start;
	ret->length = m.length;
	ret->blob_offset = m.blob_offset;
	ret->blob_length = m.blob_length;
	ret->segment = m.segment;
	memcpy(ret->blob, m.blob.b, sizeof(ret->blob));
	rec_of_open(&m, &ret->entry);
	return SP_OK;
}

static int
opened_inline(struct chan_msg *msg, struct opened *ret)
{
	struct ipc_file_inline m;

	if (ipc_get_file_inline(msg->body, &m) < 0)
		return SP_ESYNTAX;
	ret->content = m.content;
	memcpy(ret->blob, m.blob.b, sizeof(ret->blob));
	rec_of_inline(&m, &ret->entry);
	ret->length = ret->blob_length = ret->entry.size;
	return SP_OK;
}

/* The lengths of extent, blob, file and wrap must agree: the wrap's is the one that was
 * authenticated. */
static bool
opened_sane(const struct opened *o, uint64_t wrapped)
{
	uint64_t end;

	return o->blob_length == wrapped && add_ok(o->blob_offset, o->length, &end) &&
	       end <= wrapped && add_ok(o->start, o->length, &end) && end <= o->entry.size;
}

int
ring_open_begin(struct ring *r, const struct ipc_open *m, struct opened *ret,
    void (*owed)(void *arg), void *arg)
{
	struct chan_msg msg;
	int rc;

	*ret = (struct opened){.fd = -1};
	rc = sent(r, !may_ask(r) ? SP_OK : chan_send_open(&r->broker, m, -1));
	if (rc == SP_OK)
		rc = receive(r, IPC_FILE_OPEN, IPC_FILE_INLINE, &msg);
	if (rc < 0)
		return rc;
	rc = msg.id == IPC_FILE_OPEN ? opened_blob(&msg, ret) : opened_inline(&msg, ret);
	chan_msg_done(&msg);
	if (rc < 0)
		return ring_fail(r, "from the broker", rc);
	r->owed = owed;
	r->owed_arg = arg;
	return SP_OK;
}

int
ring_open_end(struct ring *r, struct opened *o)
{
	uint64_t length = 0;
	int rc = r->dead ? SP_EUNAVAIL : await_key(r, o->blob, false, o->key, &length);

	if (rc < 0)
		return rc;
	return opened_sane(o, length) ? SP_OK : SP_EDAMAGED;
}

int
ring_open(struct ring *r, const struct ipc_open *m, struct opened *ret)
{
	int rc = ring_open_begin(r, m, ret, NULL, NULL);

	return rc == SP_OK ? ring_open_end(r, ret) : rc;
}

void
opened_done(struct opened *o)
{
	close_fd(&o->fd);
	mem_wipe(o->key, sizeof(o->key));
}

/* ---- storing ---- */

int
ring_put(struct ring *r, const struct ipc_put *m, struct placed *ret)
{
	struct chan_msg msg;
	struct ipc_upload up = {0};
	struct ipc_upload_small small;
	uint64_t length = 0;
	int rc;

	*ret = (struct placed){.fd = -1};
	rc = sent(r, !may_ask(r) ? SP_OK : chan_send_put(&r->broker, m, -1));
	if (rc == SP_OK)
		rc = receive(r, IPC_UPLOAD, IPC_UPLOAD_SMALL, &msg);
	if (rc < 0)
		return rc;
	if (msg.id == IPC_UPLOAD) {
		rc = ipc_get_upload(msg.body, &up);
		ret->fd = TAKE_FD(msg.fd);
	} else {
		rc = ipc_get_upload_small(msg.body, &small);
		if (rc == SP_OK)
			up = (struct ipc_upload){small.upload, small.blob, small.limit, 0};
	}
	chan_msg_done(&msg);
	if (rc < 0 || (ret->fd < 0) != (m->small != 0))
		return ring_fail(r, "from the broker", SP_ESYNTAX);
	ret->upload = up.upload;
	ret->segment = up.segment;
	memcpy(ret->blob, up.blob.b, sizeof(ret->blob));
	rc = await_key(r, ret->blob, true, ret->key, &length);
	if (rc < 0)
		return rc;
	ret->limit = length < up.limit ? length : up.limit;
	return SP_OK;
}

int
ring_resume(struct ring *r, const struct ipc_resume *m, struct placed *ret, uint64_t *ret_acked)
{
	struct chan_msg msg;
	struct ipc_upload_resumed up;
	uint64_t length = 0;
	int rc;

	*ret = (struct placed){.fd = -1};
	rc = sent(r, !may_ask(r) ? SP_OK : chan_send_resume(&r->broker, m, -1));
	if (rc == SP_OK)
		rc = receive(r, IPC_UPLOAD_RESUMED, IPC_UPLOAD_RESUMED, &msg);
	if (rc < 0)
		return rc;
	rc = ipc_get_upload_resumed(msg.body, &up);
	ret->fd = TAKE_FD(msg.fd);
	chan_msg_done(&msg);
	if (rc < 0)
		return ring_fail(r, "from the broker", rc);
	ret->upload = up.upload;
	ret->segment = up.segment;
	memcpy(ret->blob, up.blob.b, sizeof(ret->blob));
	rc = await_key(r, ret->blob, false, ret->key, &length);
	if (rc < 0)
		return rc;
	ret->limit = length < up.limit ? length : up.limit;
	*ret_acked = up.acked;
	return up.acked <= ret->limit ? SP_OK : SP_EDAMAGED;
}

void
placed_done(struct placed *p)
{
	close_fd(&p->fd);
	mem_wipe(p->key, sizeof(p->key));
}
