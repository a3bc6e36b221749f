/* channel.c - RFC 4254: one session at a time, for the sftp subsystem or scp; everything else is
 * refused. */
#include "rooms/gate/sftp/engine.h"

#include "base/conf.h"
#include "base/text.h"
#include "rooms/gate/sftp/scp.h"
#include "rooms/gate/sftp/sftp.h"
#include "sys/clock.h"
#include "sys/log.h"

#define OWN_NUMBER 0u /* of the one channel */
#define OUT_PACKET_MIN                                                                             \
	64u /* a client that takes less in a packet would be served for ever (libssh's             \
	       CVE-2026-59843) */
#define REFUSAL "This server is for file transfer: SFTP and scp.\r\n"

/* ---- answers ---- */

static int
send_channel(struct stream *s, enum ssh_msg number)
{
	struct wr w = conn_writer(s);

	ssh_put_channel(&w, number, s->ch.peer);
	return conn_send(s, &w);
}

static int
refuse_open(struct stream *s, uint32_t peer, enum ssh_open_failure reason, const char *text)
{
	struct wr w = conn_writer(s);

	ssh_put_open_failure(&w, peer, reason, span_str(text));
	return conn_send(s, &w);
}

static int
malformed(struct stream *s)
{
	return conn_disconnect(
	    s, SSH_DISCONNECT_PROTOCOL_ERROR, "malformed channel message", SP_ESYNTAX);
}

/* ---- opening ---- */

static int
opened(struct stream *s, const struct ssh_channel_open *m)
{
	struct channel *ch = &s->ch;
	struct wr w = conn_writer(s);

	if (ch->pend == NULL)
		ch->pend = mem_alloc(LINK_HEAD + SSH_DATA_HEAD + PEND_BYTES);
	if (ch->pend == NULL)
		return refuse_open(s, m->peer, SSH_OPEN_RESOURCE_SHORTAGE, sp_strerror(SP_ENOMEM));
	stream_reset(s);
	ch->is_open = true;
	ch->is_running = ch->eof_in = ch->close_in = ch->eof_out = ch->close_out = false;
	ch->peer = m->peer;
	ch->out_max = m->packet_max < CHANNEL_PACKET_MAX ? m->packet_max : CHANNEL_PACKET_MAX;
	ch->out_window = m->window;
	ch->window = ch->target = WINDOW_FIRST;
	if (ch->target > (uint32_t)s->start->conf->sftp_window)
		ch->window = ch->target = (uint32_t)s->start->conf->sftp_window;
	ch->consumed = 0;
	ch->granted_ms = clock_mono_ms();
	ssh_put_open_confirmation(&w, m->peer, OWN_NUMBER, ch->window, CHANNEL_PACKET_MAX);
	return conn_send(s, &w);
}

static int
take_open(struct stream *s, struct span payload)
{
	struct ssh_channel_open m;

	if (ssh_get_channel_open(payload, &m) < 0)
		return malformed(s);
	if (!span_eq_str(m.type, "session"))
		return refuse_open(s, m.peer, SSH_OPEN_PROHIBITED,
		    "forwarding, agent and X11 are not offered here");
	if (s->ch.is_open)
		return refuse_open(
		    s, m.peer, SSH_OPEN_RESOURCE_SHORTAGE, "one session at a time on a connection");
	if (m.packet_max < OUT_PACKET_MIN)
		return refuse_open(s, m.peer, SSH_OPEN_PROHIBITED, "the packet size is too small");
	return opened(s, &m);
}

/* ---- what runs ---- */

static void
session_of(struct stream *s, struct sftp_session *ret)
{
	*ret = (struct sftp_session){
	    .stream = s,
	    .ring = s->start->ring,
	    .conf = s->start->conf,
	    .address = s->start->address,
	    .agent = s->v_c,
	    .user = span_str(s->name),
	    .in_hand = &s->start->in_hand,
	};
}

/* The session's last words: exit status, end, close; then the client's own close is awaited. */
static int
end(struct stream *s, uint32_t status)
{
	struct channel *ch = &s->ch;
	struct wr w;
	int rc = ch->close_in ? SP_OK : stream_emit(s);

	if (rc == SP_ECLOSED && s->broken == 0) /* it was closed meanwhile */
		rc = SP_OK;
	s->start
	    ->in_hand++; /* a client that is cut off before its close takes that for a failure */
	if (rc == SP_OK && !ch->close_in) {
		w = conn_writer(s);
		ssh_put_exit_status(&w, ch->peer, status);
		rc = conn_send(s, &w);
		if (rc == SP_OK)
			rc = send_channel(s, SSH_MSG_CHANNEL_EOF);
	}
	if (rc == SP_OK)
		rc = send_channel(s, SSH_MSG_CHANNEL_CLOSE);
	ch->eof_out = ch->close_out = true;
	stream_reset(s);
	while (rc == SP_OK && !ch->close_in) {
		struct span p;

		rc = conn_next(s, &p);
		if (rc == SP_OK)
			rc = channel_take(s, p);
	}
	s->start->in_hand--;
	ch->is_open = ch->is_running = false;
	stream_reset(s);
	return rc;
}

/* Whoever closes a session in the middle, or breaks its protocol, loses the session and not the
 * connection; whoever was logged out, or cannot be served any more, loses both. */
static int
failed(struct stream *s, int err)
{
	if (s->broken != 0 || s->link.dead != 0)
		return err;
	if (err == SP_ESESSION || s->start->ring->dead)
		return conn_disconnect(s,
		    err == SP_ESESSION ? SSH_DISCONNECT_BY_APPLICATION
				       : SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    sp_strerror(err), err);
	return end(s, 1);
}

static int
run_sftp(struct stream *s)
{
	struct sftp_session session;
	int rc;

	session_of(s, &session);
	rc = sftp_serve(&session);
	return rc < 0 ? failed(s, rc) : end(s, 0);
}

static int
run_scp(struct stream *s, struct span command)
{
	struct sftp_session session;
	int status = 1, rc;

	session_of(s, &session);
	s->start->in_hand++;
	rc = scp_serve(&session, command, &status);
	s->start->in_hand--;
	return rc < 0 ? failed(s, rc) : end(s, (uint32_t)status);
}

static int
run_refusal(struct stream *s)
{
	int rc = stream_send_error(s, SPAN_LIT(REFUSAL));

	return rc < 0 ? failed(s, rc) : end(s, 1);
}

/* ---- requests ---- */

enum wish { WISH_NOTHING, WISH_SFTP, WISH_SCP, WISH_REFUSED };

static enum wish
wish_of(const struct stream *s, const struct ssh_channel_request *m, struct span *ret_command)
{
	if (span_eq_str(m->type, "subsystem")) {
		if (ssh_get_request_string(m, ret_command) < 0)
			return WISH_NOTHING;
		return span_eq_str(*ret_command, "sftp") ? WISH_SFTP : WISH_NOTHING;
	}
	if (span_eq_str(m->type, "exec")) {
		if (ssh_get_request_string(m, ret_command) < 0)
			return WISH_NOTHING;
		return s->start->conf->scp && scp_wanted(*ret_command) ? WISH_SCP : WISH_REFUSED;
	}
	return span_eq_str(m->type, "shell") ? WISH_REFUSED : WISH_NOTHING;
}

static int
start(struct stream *s, enum wish wish, struct span command, bool want_reply)
{
	uint8_t copy[4608]; /* a path and its options */
	int rc = SP_OK;

	if (command.len > sizeof(copy))
		wish = WISH_REFUSED;
	else if (command.len != 0)
		memcpy(copy, command.ptr, command.len);
	command = span_of(copy, command.len <= sizeof(copy) ? command.len : 0);
	s->ch.is_running = true;
	if (want_reply)
		rc = send_channel(s, SSH_MSG_CHANNEL_SUCCESS);
	if (rc < 0)
		return rc;
	switch (wish) {
	case WISH_SFTP:
		return run_sftp(s);
	case WISH_SCP:
		return run_scp(s, command);
	default:
		log_info("%s: %s: a shell or command was refused", s->start->address, s->name);
		return run_refusal(s);
	}
}

static int
take_request(struct stream *s, struct span payload)
{
	struct ssh_channel_request m;
	struct span command = span_of(NULL, 0);
	enum wish wish;

	if (ssh_get_channel_request(payload, &m) < 0 || m.channel != OWN_NUMBER || !s->ch.is_open)
		return malformed(s);
	wish = s->ch.is_running ? WISH_NOTHING : wish_of(s, &m, &command);
	if (wish != WISH_NOTHING)
		return start(s, wish, command, m.want_reply);
	/* environment, terminal, agent, X11, signals: none of it here */
	return m.want_reply && !s->ch.close_out ? send_channel(s, SSH_MSG_CHANNEL_FAILURE) : SP_OK;
}

static int
take_global(struct stream *s, struct span payload)
{
	struct ssh_global_request m;
	struct wr w = conn_writer(s);

	if (ssh_get_global_request(payload, &m) < 0)
		return malformed(s);
	if (!m.want_reply)
		return SP_OK;
	ssh_put_number(&w, SSH_MSG_REQUEST_FAILURE);
	return conn_send(s, &w);
}

/* ---- messages of a channel ---- */

static int
take_adjust(struct stream *s, uint32_t n)
{
	if (s->ch.out_window + n > UINT32_MAX) /* RFC 4254 section 5.2 */
		return conn_limited(
		    s, "window", SSH_DISCONNECT_PROTOCOL_ERROR, "the window overflows", SP_ERANGE);
	s->ch.out_window += n;
	return SP_OK;
}

/* Data that nobody wants still counts. */
static int
drop_data(struct stream *s, struct span data)
{
	int rc = stream_spend(s, data.len);

	if (rc == SP_OK)
		s->ch.consumed += (uint32_t)data.len;
	return rc;
}

/* Before a request it is the input of what will run: the request may be deferred, its data is not.
 */
static int
take_data(struct stream *s, struct span data)
{
	int rc;

	if (s->ch.close_out)
		return drop_data(s, data);
	rc = stream_input(s, data);
	return rc == SP_OK && !s->ch.is_running ? stream_keep(s) : rc;
}

static int
take_message(struct stream *s, struct span payload)
{
	struct ssh_channel_msg m;
	struct channel *ch = &s->ch;

	if (ssh_get_channel_msg(payload, &m) < 0 || m.channel != OWN_NUMBER || !ch->is_open ||
	    ch->close_in)
		return malformed(s);
	switch (payload.ptr[0]) {
	case SSH_MSG_CHANNEL_WINDOW_ADJUST:
		return take_adjust(s, m.adjust);
	case SSH_MSG_CHANNEL_DATA:
		if (ch->eof_in)
			return malformed(s);
		return take_data(s, m.data);
	case SSH_MSG_CHANNEL_EXTENDED_DATA:
		return ch->eof_in ? malformed(s) : drop_data(s, m.data);
	case SSH_MSG_CHANNEL_EOF:
		ch->eof_in = true;
		return SP_OK;
	default: /* CLOSE; SUCCESS and FAILURE were not let through */
		ch->close_in = true;
		return SP_OK;
	}
}

/* ---- what has to wait for the end of a key exchange ---- */

static int
defer(struct stream *s, struct span payload)
{
	struct wr w;

	if (s->deferred == NULL && (s->deferred = mem_alloc(DEFERRED_MAX)) == NULL)
		return SP_ENOMEM;
	w = wr_of(s->deferred + s->deferred_len, DEFERRED_MAX - s->deferred_len);
	ssh_put_string(&w, payload);
	if (w.bad)
		return conn_limited(s, "deferred requests", SSH_DISCONNECT_PROTOCOL_ERROR,
		    "too many requests during a key exchange", SP_EFULL);
	s->deferred_len += w.len;
	return SP_OK;
}

int
channel_deferred(struct stream *s)
{
	DEFER(mem_freep) uint8_t *all = TAKE_PTR(s->deferred);
	struct rd r = rd_of(span_of(all, s->deferred_len));
	int rc = SP_OK;

	s->deferred_len = 0;
	while (rc == SP_OK && r.left != 0)
		rc = channel_take(s, ssh_take_string(&r));
	return rc;
}

int
channel_take(struct stream *s, struct span payload)
{
	switch (payload.ptr[0]) {
	case SSH_MSG_GLOBAL_REQUEST:
	case SSH_MSG_CHANNEL_OPEN:
	case SSH_MSG_CHANNEL_REQUEST:
		if (s->exchanging)
			return defer(s, payload);
		if (payload.ptr[0] == SSH_MSG_GLOBAL_REQUEST)
			return take_global(s, payload);
		return payload.ptr[0] == SSH_MSG_CHANNEL_OPEN ? take_open(s, payload)
							      : take_request(s, payload);
	case SSH_MSG_REQUEST_SUCCESS:
	case SSH_MSG_REQUEST_FAILURE:
		return SP_OK; /* the answer to a keepalive: that it came is all */
	case SSH_MSG_DISCONNECT:
		return SP_ECLOSED;
	default:
		return take_message(s, payload);
	}
}

int
channel_run(struct stream *s)
{
	int rc = SP_OK;

	while (rc == SP_OK) {
		struct span p;

		if (kex_due(s)) { /* what is awaited may have come meanwhile */
			rc = kex_begin(s);
		} else {
			rc = conn_next(s, &p);
			if (rc == SP_OK)
				rc = channel_take(s, p);
		}
		/* a session that was opened and closed without a request */
		if (rc == SP_OK && s->ch.is_open && s->ch.close_in && !s->ch.close_out)
			rc = end(s, 0);
	}
	return rc;
}

void
channel_done(struct stream *s)
{
	struct channel *ch = &s->ch;

	if (ch->back != NULL)
		mem_wipe(ch->back, ch->back_cap);
	mem_free(ch->back);
	mem_free(ch->pend);
	*ch = (struct channel){0};
}
