/* tls.c - the HTTPS door: one TLS server signature for each worker, and nothing else. */
#include "proto/tls/tls_input.h"
#include "rooms/signer/signer.h"
#include "sys/log.h"

/* may_sign - is it one of the two structures, and the scheme one for it? */
static int
may_sign(const struct seat *t, const struct ipc_tls_sign *m)
{
	enum tls_input kind;
	int err = tls_input_check(m->input, &kind);

	if (err == SP_OK && !sign_fits(t->held->key, m->scheme, kind == TLS_INPUT_13))
		err = SP_ERANGE;
	return err;
}

static void
answer(struct seat *t, const struct ipc_tls_sign *m)
{
	uint8_t sig[SIGN_MAX];
	size_t len = 0;
	struct ipc_tls_signature r = {0};
	int err = sign_make(t->held->key, m->scheme, m->input, sig, sizeof(sig), &len);

	if (err != SP_OK)
		log_error("signing failed: %s", sp_strerror(err));
	r.err = (uint16_t)-err;
	r.signature = span_of(sig, err == SP_OK ? len : 0);
	seat_answered(t, IPC_TLS_SIGNATURE, chan_send_tls_signature(&t->chan, &r, -1));
}

int
tls_request(struct seat *t, const struct chan_msg *in)
{
	struct ipc_tls_sign m;
	int err = in->id == IPC_TLS_SIGN ? ipc_get_tls_sign(in->body, &m) : SP_EDENIEDMSG;

	if (err == SP_OK && t->held == NULL)
		err = SP_EDENIEDMSG;
	if (err == SP_OK)
		err = may_sign(t, &m);
	if (err != SP_OK)
		return err;
	answer(t, &m);
	held_drop(&t->held);
	return SP_OK;
}
