/* ssh.c - the SFTP door: exchange hashes, which are made here of their inputs and the host key, and
 * signed.
 *
 * A hash that was made elsewhere is never signed: what the signature is good for is known, and the
 * worker can have it for one connection, whose identifier the broker is told before the worker is.
 */
#include "crypto/crypto.h"
#include "crypto/ssh_kex.h"
#include "rooms/signer/signer.h"
#include "sys/clock.h"
#include "sys/log.h"

#define KEXINIT_NUMBER 20u /* SSH_MSG_KEXINIT */
/* bytes of the shortest: number, cookie, ten empty lists, a boolean, a reserved uint32 (RFC 4253
 * section 7.1) */
#define KEXINIT_LEAST (1u + 16u + 10u * 4u + 1u + 4u)

/* ---- what is asked ---- */

static bool
is_version(struct span line)
{
	if (!span_starts(line, SPAN_LIT("SSH-2.0-")) && !span_starts(line, SPAN_LIT("SSH-1.99-")))
		return false;
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] == '\r' || line.ptr[i] == '\n')
			return false;
	return true;
}

static bool
is_kexinit(struct span payload)
{
	return payload.len >= KEXINIT_LEAST && payload.ptr[0] == KEXINIT_NUMBER;
}

/* All other inputs are the worker's choice: without this, one could have the identifier of an
 * earlier connection vouched for again, and show the signature that a client made for that one. */
static int
check_cookie(const struct ssh_seat *b, struct span i_s)
{
	struct span cookie = span_cut(span_skip(i_s, 1), sizeof(b->cookie));

	return b->has_cookie && span_eq(cookie, span_of(b->cookie, sizeof(b->cookie)))
		   ? SP_OK
		   : SP_EDENIEDMSG;
}

/* Every input has its form and length; the host key is one that there is. */
static int
check(const struct seat *t, const struct ipc_ssh_kex *m)
{
	const struct ssh_kex_row *row = ssh_kex_row((enum ssh_kex_id)m->method);

	if (row == NULL || (t->signer->room.conf.fips && !row->fips))
		return SP_ERANGE;
	if (m->q_c.len != row->q_len || m->q_s.len != row->q_len || m->k.len != row->k_len)
		return SP_ERANGE;
	if ((t->hosts->types & m->host_key) == 0 || hosts_key(t->hosts, m->host_key) == NULL)
		return SP_ERANGE;
	if (!is_version(m->v_c) || !span_eq_str(m->v_s, SSH_VERSION_STRING))
		return SP_ESYNTAX;
	return is_kexinit(m->i_c) && is_kexinit(m->i_s) ? SP_OK : SP_ESYNTAX;
}

/* ---- how often ---- */

/* A bucket of time: each hash costs SSH_REKEY_EVERY_MS, and SSH_REKEY_BURST of them can be saved
 * up. */
static bool
bucket_take(struct ssh_seat *b, int64_t now_ms)
{
	const int64_t most = SSH_REKEY_BURST * SSH_REKEY_EVERY_MS;
	int64_t saved = b->tokens_ms + (now_ms - b->seen_ms);

	b->tokens_ms = saved < most ? saved : most;
	b->seen_ms = now_ms;
	if (b->tokens_ms < SSH_REKEY_EVERY_MS)
		return false;
	b->tokens_ms -= SSH_REKEY_EVERY_MS;
	return true;
}

static void
begin(struct ssh_seat *b, const struct ipc_ssh_kex *m)
{
	b->begun = true;
	b->tokens_ms = SSH_REKEY_BURST * SSH_REKEY_EVERY_MS;
	b->seen_ms = clock_mono_ms();
	b->v_c_len = (uint8_t)m->v_c.len;
	memcpy(b->v_c, m->v_c.ptr, m->v_c.len);
}

/* May this connection, which has its identifier, have one more? */
static int
may_rekey(struct seat *t, const struct ipc_ssh_kex *m)
{
	struct ssh_seat *b = &t->ssh;

	if (!b->logged_in) /* the broker says so before it tells the worker, on another socket */
		broker_hear(t->signer);
	if (!b->logged_in)
		return SP_EDENIEDMSG;
	if (!span_eq(m->v_c, span_of(b->v_c, b->v_c_len)))
		return SP_ESYNTAX;
	return bucket_take(b, clock_mono_ms()) ? SP_OK : SP_EFULL;
}

/* ---- answers ---- */

struct made {
	uint8_t hash[SSH_HASH_MAX], signature[SSH_SIG_BLOB_MAX];
	size_t hash_len, signature_len;
};

static int
hash_and_sign(struct seat *t, const struct ipc_ssh_kex *m, bool first, struct made *ret)
{
	const struct ssh_host_key_pair *key = hosts_key(t->hosts, m->host_key);
	const struct ssh_exchange e = {.id = (enum ssh_kex_id)m->method,
	    .v_c = m->v_c,
	    .v_s = m->v_s,
	    .i_c = m->i_c,
	    .i_s = m->i_s,
	    .k_s = ssh_host_key_blob(key),
	    .q_c = m->q_c,
	    .q_s = m->q_s,
	    .k = m->k};
	int err = ssh_exchange_hash(&e, ret->hash);

	ret->hash_len = ssh_kex_row(e.id)->hash_len;
	/* a login that is proved for this connection needs the broker to know which one it is */
	if (err == SP_OK && first)
		err = broker_vouch(t->signer, t->serial, span_of(ret->hash, ret->hash_len));
	if (err == SP_OK)
		err = ssh_host_key_sign(key, m->host_key, span_of(ret->hash, ret->hash_len),
		    ret->signature, sizeof(ret->signature), &ret->signature_len);
	return err;
}

static void
answer(struct seat *t, const struct ipc_ssh_kex *m, bool first)
{
	struct made made = {0};
	struct ipc_ssh_signature r = {0};
	int err = hash_and_sign(t, m, first, &made);

	if (err != SP_OK && err != SP_EUNAVAIL)
		log_error("signing failed: %s", sp_strerror(err));
	r.err = (uint16_t)-err;
	if (err == SP_OK) {
		r.hash = span_of(made.hash, made.hash_len);
		r.key = ssh_host_key_blob(hosts_key(t->hosts, m->host_key));
		r.signature = span_of(made.signature, made.signature_len);
	}
	seat_answered(t, IPC_SSH_SIGNATURE, chan_send_ssh_signature(&t->chan, &r, -1));
}

static int
kex(struct seat *t, struct span body)
{
	struct ipc_ssh_kex m;
	bool first = !t->ssh.begun;
	int err = ipc_get_ssh_kex(body, &m);

	if (err == SP_OK)
		err = check(t, &m);
	if (err == SP_OK)
		err = first ? check_cookie(&t->ssh, m.i_s) : may_rekey(t, &m);
	if (err != SP_OK)
		return err;
	if (first)
		begin(&t->ssh, &m);
	answer(t, &m, first);
	return SP_OK;
}

static int
keys_get(struct seat *t, struct span body)
{
	struct ipc_ssh_keys r = {.types = (uint8_t)t->hosts->types};
	struct ssh_seat *b = &t->ssh;
	struct ipc_ssh_keys_get m;
	int err = ipc_get_ssh_keys_get(body, &m);

	if (err == SP_OK && !b->has_cookie) /* asked twice, it is the same */
		err = crypto_random(b->cookie, sizeof(b->cookie));
	if (err != SP_OK)
		return err;
	b->has_cookie = true;
	memcpy(r.cookie.b, b->cookie, sizeof(b->cookie));
	seat_answered(t, IPC_SSH_KEYS, chan_send_ssh_keys(&t->chan, &r, -1));
	return SP_OK;
}

int
ssh_request(struct seat *t, const struct chan_msg *in)
{
	switch (in->id) {
	case IPC_SSH_KEYS_GET:
		return keys_get(t, in->body);
	case IPC_SSH_KEX:
		return kex(t, in->body);
	default:
		return SP_EDENIEDMSG;
	}
}
