/* conn.c - the life of a connection, and what every phase has to do with messages that it did not
 * ask for. */
#include "rooms/gate/sftp/engine.h"

#include "base/conf.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"

#define LAST_WORDS_MS 3000 /* for a client to take our DISCONNECT */
#define STALL_MS(c) ((int)((c)->stall_timeout * 1000))

/* ---- sending ---- */

struct wr
conn_writer(struct stream *s)
{
	return wr_of(s->scratch + LINK_HEAD, SCRATCH_BYTES - LINK_HEAD);
}

int
conn_send(struct stream *s, const struct wr *w)
{
	VERIFY(!w->bad);
	return link_send(&s->link, s->scratch, w->len, span_of(NULL, 0));
}

int
conn_disconnect(struct stream *s, enum ssh_disconnect reason, const char *text, int err)
{
	struct wr w = conn_writer(s);
	int64_t end;

	if (s->broken != 0)
		return err;
	s->broken = err;
	log_info("%s: disconnected: %s", s->start->address, text);
	end = clock_mono_ms() + LAST_WORDS_MS;
	if (s->link.deadline_ms > end)
		s->link.deadline_ms = end;
	ssh_put_disconnect(&w, reason, span_str(text));
	if (conn_send(s, &w) == SP_OK && link_flush(&s->link) < 0)
		log_debug("%s: it did not hear it", s->start->address);
	return err;
}

/* ---- limits ---- */

void
conn_limit(struct stream *s, const char *limit, const char *detail)
{
	struct ipc_limit_hit m = {.limit = span_str(limit), .detail = span_str(detail)};
	struct ipc_done done;

	if (s->is_limited || s->broken != 0)
		return;
	s->is_limited = true;
	if (ring_limit_hit(s->start->ring, &m, &done) < 0)
		log_warning("%s: %s was hit, and is not on record", s->start->address, limit);
}

int
conn_limited(
    struct stream *s, const char *limit, enum ssh_disconnect reason, const char *text, int err)
{
	conn_limit(s, limit, text);
	return conn_disconnect(s, reason, text, err);
}

/* The kernel could not get rid of what we sent, for StallTimeout or until the login was due. */
static void
late(struct stream *s)
{
	conn_limit(
	    s, s->name[0] != '\0' ? "StallTimeout" : "LoginGraceTime", "the client takes nothing");
}

/* ---- waiting ---- */

/* While keys are exchanged nothing can be asked: silence alone counts. */
static int
ask_alive(struct stream *s)
{
	const struct conf *c = s->start->conf;
	struct wr w = conn_writer(s);

	if (s->alive_asked >= c->alive_count)
		return conn_limited(s, "ClientAliveCountMax", SSH_DISCONNECT_CONNECTION_LOST,
		    "no answer to a keepalive", SP_ETIMEOUT);
	s->alive_asked++;
	s->heard_ms = clock_mono_ms();
	if (s->exchanging)
		return SP_OK;
	ssh_put_global_request(&w, SPAN_LIT("keepalive@openssh.com"), /* want_reply= */ true);
	return conn_send(s, &w);
}

/* How long may we wait, and what is due? */
struct due {
	int64_t login_ms, idle_ms, alive_ms; /* points in time; INT64_MAX: never */
};

static struct due
due_of(const struct stream *s)
{
	const struct conf *c = s->start->conf;
	struct due d = {INT64_MAX, INT64_MAX, INT64_MAX};

	if (s->name[0] == '\0') {
		d.login_ms = s->began_ms + c->login_grace * 1000;
		return d;
	}
	d.idle_ms = s->used_ms + c->sftp_idle_timeout * 1000;
	if (c->alive_interval != 0)
		d.alive_ms = s->heard_ms + c->alive_interval * 1000;
	return d;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What is due now?  Asked whenever we wait and at every packet: a client that never pauses has no
 * more time than others. */
static int
on_time(struct stream *s, int64_t now)
{
	struct due d;

	if (s->heard)
		s->heard_ms = now;
	if (s->used)
		s->used_ms = now;
	s->heard = s->used = false;
	d = due_of(s);
	if (now >= d.login_ms)
		return conn_limited(s, "LoginGraceTime", SSH_DISCONNECT_BY_APPLICATION,
		    "no login within the time that is given for it", SP_ETIMEOUT);
	if (now >= d.idle_ms)
		return conn_limited(s, "SftpIdleTimeout", SSH_DISCONNECT_BY_APPLICATION,
		    "idle for too long", SP_ETIMEOUT);
	return now >= d.alive_ms ? ask_alive(s) : SP_OK;
}

/* Nothing can be read now.  What we have for the client leaves, then we wait; what was read while
 * it left ends the wait, since nothing more may come. */
static int
starved(void *arg)
{
	struct stream *s = arg;

	for (;;) {
		int64_t now = clock_mono_ms(), left;
		size_t had = s->link.have;
		struct due d;
		int rc = on_time(s, now);

		if (rc == SP_OK)
			rc = link_flush(&s->link);
		if (rc < 0 || s->link.have != had)
			return rc;
		d = due_of(s);
		left = least(d.login_ms, least(d.idle_ms, d.alive_ms));
		left = left == INT64_MAX ? -1 : left - now;
		rc = s->start->idle(
		    s->start->arg, s->start->fd, left > INT32_MAX ? INT32_MAX : (int)left);
		if (rc == SP_ECLOSED)
			return conn_disconnect(
			    s, SSH_DISCONNECT_BY_APPLICATION, "the server stops", rc);
		if (rc != SP_ETIMEOUT)
			return rc;
	}
}

/* ---- receiving ---- */

/* What the client did, for the error that the link found. */
static int
link_broke(struct stream *s, int err)
{
	switch (err) {
	case SP_EBADTAG:
		return conn_disconnect(
		    s, SSH_DISCONNECT_MAC_ERROR, "a packet does not authenticate", err);
	case SP_ERANGE:
		return conn_limited(
		    s, "packet length", SSH_DISCONNECT_PROTOCOL_ERROR, "bad packet length", err);
	case SP_ESYNTAX:
		return conn_disconnect(s, SSH_DISCONNECT_PROTOCOL_ERROR, "bad padding", err);
	default:
		if (s->link.is_late)
			late(s);
		s->broken = err;
		return err;
	}
}

int
conn_packet(struct stream *s, struct span *ret, uint32_t *ret_seq)
{
	int rc = s->broken != 0 ? s->broken : link_recv(&s->link, ret, ret_seq);

	if (rc < 0)
		return link_broke(s, rc);
	s->alive_asked = 0;
	s->heard = true;
	return on_time(s, clock_mono_ms());
}

int
conn_judge(struct stream *s, uint8_t number, enum ssh_phase phase, uint32_t seq)
{
	struct wr w = conn_writer(s);
	char text[64];
	struct text t = text_of(text, sizeof(text));
	int rc;

	switch (ssh_judge(number, phase, s->strict && !s->keyed)) {
	case SSH_TAKE:
		return SSH_TAKE;
	case SSH_DROP:
		return SSH_DROP;
	case SSH_UNKNOWN:
		ssh_put_unimplemented(&w, seq);
		rc = s->exchanging ? SP_OK : conn_send(s, &w);
		return rc < 0 ? rc : SSH_DROP;
	default:
		text_fmt(&t, "message %u is not allowed here", number);
		return conn_disconnect(s, SSH_DISCONNECT_PROTOCOL_ERROR, text, SP_EDENIEDMSG);
	}
}

/* RFC 4253 section 7.1 forbids it, and asyncssh (2.10) does it at every rekey: messages of the
 * channel behind the client's own KEXINIT.  They come under the old keys, which are good, so a
 * later exchange takes them, as OpenSSH's does. */
static bool
is_late(const struct stream *s, uint8_t number)
{
	return s->exchanging && (s->phase == SSH_PHASE_KEX || s->phase == SSH_PHASE_NEWKEYS) &&
	       number >= SSH_MSG_CHANNEL_OPEN && number <= SSH_MSG_CHANNEL_FAILURE;
}

static int
take_late(struct stream *s, struct span p, uint32_t seq)
{
	int rc = conn_judge(s, p.ptr[0], SSH_PHASE_OPEN, seq);

	if (rc == SSH_TAKE)
		rc = channel_take(s, p);
	else if (rc == SSH_DROP)
		return SP_OK;
	return rc == SP_OK ? stream_keep(s) : rc; /* the exchange's next packet is on its way */
}

int
conn_one(struct stream *s, struct span *ret)
{
	struct span p;
	uint32_t seq;
	int rc = conn_packet(s, &p, &seq);

	*ret = span_of(NULL, 0);
	if (rc == SP_OK && is_late(s, p.ptr[0]))
		return take_late(s, p, seq);
	if (rc == SP_OK)
		rc = conn_judge(s, p.ptr[0], s->phase, seq);
	if (rc < 0)
		return rc;
	if (rc == SSH_DROP)
		return SP_OK;
	if (p.ptr[0] == SSH_MSG_DISCONNECT) {
		s->broken = SP_ECLOSED;
		return SP_ECLOSED;
	}
	if (p.ptr[0] == SSH_MSG_KEXINIT && s->keyed && s->phase >= SSH_PHASE_SERVICE)
		return kex_answer(s, p);
	if (p.ptr[0] != SSH_MSG_EXT_INFO) /* nothing in it is of use to us */
		*ret = p;
	return SP_OK;
}

int
conn_next(struct stream *s, struct span *ret)
{
	int rc;

	do
		rc = conn_one(s, ret);
	while (rc == SP_OK && ret->len == 0);
	return rc;
}

/* ---- the beginning ---- */

static int
versions(struct stream *s)
{
	struct span line;
	int rc = link_raw(&s->link, SPAN_LIT(SSH_VERSION_STRING "\r\n"));

	if (rc == SP_OK)
		rc = link_flush(&s->link);
	if (rc == SP_OK)
		rc = link_line(&s->link, SSH_VERSION_MAX, &line);
	if (rc == SP_OK)
		rc = ssh_get_version(line);
	if (rc < 0)
		return rc;
	memcpy(s->v_c, line.ptr, line.len);
	s->v_c[line.len] = '\0';
	return SP_OK;
}

/* After a version line that is none, there is no packet that could say so. */
static int
open_connection(struct stream *s)
{
	int rc = versions(s);

	if (rc == SP_ESYNTAX || rc == SP_EVERSION || rc == SP_ETOOBIG) {
		log_info("%s: this is no SSH 2.0 client", s->start->address);
		if (link_raw(&s->link, SPAN_LIT("Invalid SSH identification string.\r\n")) < 0 ||
		    link_flush(&s->link) < 0)
			log_debug("%s: it did not hear it", s->start->address);
	}
	return rc;
}

/* A peer that is no client: what it said when it had to say something is of no protocol of ours.
 * One that goes away, or has no algorithm in common with us, is none. */
static void
report(struct stream *s, enum contact kind, int err)
{
	const struct ipc_contact m = {.kind = (uint8_t)kind, .agent = span_str(s->v_c)};
	struct ipc_done done;

	if (err != SP_ESYNTAX && err != SP_EVERSION && err != SP_ETOOBIG && err != SP_ERANGE &&
	    err != SP_EDENIEDMSG && err != SP_EBADTAG)
		return;
	if (ring_contact(s->start->ring, &m, &done) < 0)
		log_debug("%s: a stranger is not on record", s->start->address);
}

static int
init(struct stream *s, struct ssh_conn_start *start)
{
	int rc;

	s->start = start;
	s->phase = SSH_PHASE_KEXINIT;
	s->began_ms = s->heard_ms = s->used_ms = s->keyed_ms = clock_mono_ms();
	rc = fd_nonblock(start->fd, true);
	if (rc < 0)
		return rc;
	s->scratch = mem_alloc(SCRATCH_BYTES);
	s->i_s = mem_alloc(KEXINIT_MAX);
	s->i_c = mem_alloc(KEXINIT_MAX);
	if (s->scratch == NULL || s->i_s == NULL || s->i_c == NULL)
		return SP_ENOMEM;
	rc = link_init(&s->link, start->fd, STALL_MS(start->conf), starved, s);
	s->link.deadline_ms = s->began_ms + start->conf->login_grace * 1000;
	return rc;
}

static void
done(struct stream *s)
{
	channel_done(s);
	link_done(&s->link);
	if (s->scratch != NULL)
		mem_wipe(s->scratch, SCRATCH_BYTES);
	mem_free(s->scratch);
	mem_free(s->i_s);
	mem_free(s->i_c);
	mem_free(s->deferred);
	mem_wipe(s, sizeof(*s));
	mem_free(s);
}

void
ssh_conn_serve(struct ssh_conn_start *start)
{
	struct stream *s = mem_alloc(sizeof(*s));
	int rc = s != NULL ? init(s, start) : SP_ENOMEM;

	if (rc == SP_OK && (rc = open_connection(s)) < 0)
		report(s, CONTACT_NO_SSH, rc);
	if (rc == SP_OK && (rc = kex_first(s)) < 0)
		report(s, CONTACT_SSH_KEX, rc);
	if (rc == SP_OK)
		rc = auth_run(s);
	if (rc == SP_OK)
		rc = channel_run(s);
	if (rc < 0 && s != NULL && s->link.is_late)
		late(s);
	if (rc < 0 && rc != SP_ECLOSED)
		log_info("%s: the connection ends: %s", start->address, sp_strerror(rc));
	if (s != NULL)
		done(s);
}
