/* signer_ssh_play.c - see signer_ssh_play.h. */
#include "signer_ssh_play.h"

#include <stdlib.h>

#include "base/mem.h"
#include "crypto/sign.h"
#include "sys/fd.h"

struct host hosts[HOSTS] = {
#define HOST_KEY(WHAT, TYPE, path, sshfp) {.type = TYPE, .what = WHAT},
#include "ipc/hostkeys.def"
#undef HOST_KEY
};

int
make_hosts(void **state)
{
	(void)state;
	assert_int_equal(sign_prepare(), SP_OK);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct host *h = &hosts[i];

		assert_int_equal(ssh_host_key_make(h->type, h->pem, PEM_MAX, &h->len), SP_OK);
		assert_int_equal(ssh_host_key_load(span_of(h->pem, h->len), &h->key), SP_OK);
	}
	return 0;
}

int
free_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		ssh_host_key_free(hosts[i].key);
	return 0;
}

static const struct ssh_host_key_pair *
host_of(unsigned type)
{
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if ((ssh_host_key_types(hosts[i].key) & type) != 0)
			return hosts[i].key;
	return NULL;
}

static void
begin(struct play *p, struct span conf, struct span tls)
{
	p->serial = 100;
	stage_start(&p->s, ROOM_SIGNER, getenv("SIGNER"));
	stage_bytes(&p->s, FILE_CONF, conf);
	stage_bytes(&p->s, FILE_TLS_KEY, tls);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		stage_bytes(&p->s, hosts[i].what, span_of(hosts[i].pem, hosts[i].len));
	p->broker = stage_link(&p->s, ROOM_BROKER);
}

struct span
tls_key(void)
{
	return span_of(hosts[1].pem, hosts[1].len);
}

int
setup(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	begin(p, SPAN_LIT("Name test\n"), tls_key());
	stage_go(&p->s);
	*state = p;
	return 0;
}

int
setup_fips(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));

	assert_non_null(p);
	begin(p, SPAN_LIT("Name test\nFips yes\n"), tls_key());
	stage_go(&p->s);
	*state = p;
	return 0;
}

int
teardown(void **state)
{
	struct play *p = *state;

	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->broker);
	mem_free(p);
	return 0;
}

/* ---- asking ---- */

static uint8_t cookie[16]; /* of the worker that came last */

void
input_make(struct input *in, unsigned method, unsigned host_key)
{
	const struct ssh_kex_row *row = ssh_kex_row((enum ssh_kex_id)method);

	memset(in, 0x5a, sizeof(*in));
	in->i_c[0] = in->i_s[0] = 20;
	in->i_c[1] = 1;
	memcpy(in->i_s + 1, cookie, sizeof(cookie));
	in->m = (struct ipc_ssh_kex){.method = (uint8_t)method,
	    .host_key = (uint8_t)host_key,
	    .v_c = SPAN_LIT(CLIENT),
	    .v_s = SPAN_LIT(SSH_VERSION_STRING),
	    .i_c = span_of(in->i_c, KEXINIT),
	    .i_s = span_of(in->i_s, KEXINIT),
	    .q_c = span_of(in->q_c, row->q_len),
	    .q_s = span_of(in->q_s, row->q_len),
	    .k = span_of(in->k, row->k_len)};
}

struct chan
worker(struct play *p)
{
	struct chan c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_SFTP);

	(void)types_of(p, &c);
	return c;
}

void
ask(struct chan *c, const struct input *in)
{
	assert_int_equal(chan_send_ssh_kex(c, &in->m, -1), SP_OK);
}

/* The hash that this input has with that key. */
static size_t
expected(const struct input *in, const struct ssh_host_key_pair *key, uint8_t hash[SSH_HASH_MAX])
{
	struct ssh_exchange e = {.id = (enum ssh_kex_id)in->m.method,
	    .v_c = in->m.v_c,
	    .v_s = in->m.v_s,
	    .i_c = in->m.i_c,
	    .i_s = in->m.i_s,
	    .k_s = ssh_host_key_blob(key),
	    .q_c = in->m.q_c,
	    .q_s = in->m.q_s,
	    .k = in->m.k};

	assert_int_equal(ssh_exchange_hash(&e, hash), SP_OK);
	return ssh_kex_row(e.id)->hash_len;
}

void
answered_by(
    struct play *p, struct chan *c, const struct input *in, const struct ssh_host_key_pair *key)
{
	struct ipc_ssh_signature r;
	uint8_t hash[SSH_HASH_MAX];
	size_t len = expected(in, key, hash);
	const char *name = ssh_host_key_name(in->m.host_key);

	assert_int_equal(ipc_get_ssh_signature(stage_take(&p->s, c, IPC_SSH_SIGNATURE), &r), SP_OK);
	assert_int_equal(r.err, 0);
	assert_true(span_eq(r.hash, span_of(hash, len)));
	assert_true(span_eq(r.key, ssh_host_key_blob(key)));
	assert_int_equal(ssh_key_verify(r.key, span_str(name), r.hash, r.signature, false), SP_OK);
	hash[0] ^= 1;
	assert_int_equal(
	    ssh_key_verify(r.key, span_str(name), span_of(hash, len), r.signature, false),
	    SP_EAUTH);
}

void
answered(struct play *p, struct chan *c, const struct input *in)
{
	answered_by(p, c, in, host_of(in->m.host_key));
}

void
vouched(struct play *p, const struct input *in, uint64_t serial)
{
	struct chan_msg m;
	struct ipc_ssh_vouch v;
	uint8_t hash[SSH_HASH_MAX];
	size_t len = expected(in, host_of(in->m.host_key), hash);

	assert_int_equal(stage_poll(&p->s, &p->broker, 0, &m), 1);
	assert_int_equal(m.id, IPC_SSH_VOUCH);
	assert_int_equal(ipc_get_ssh_vouch(m.body, &v), SP_OK);
	assert_true(v.serial == serial);
	assert_true(span_eq(v.session, span_of(hash, len)));
}

struct chan
first(struct play *p, struct input *in, unsigned method, unsigned host_key)
{
	struct chan c = worker(p);

	input_make(in, method, host_key);
	ask(&c, in);
	assert_int_equal(sock_wait(c.fd, false, STAGE_WAIT_MS), SP_OK);
	vouched(p, in, p->serial);
	answered(p, &c, in);
	return c;
}

void
logged_in(struct play *p, uint64_t serial)
{
	struct ipc_ssh_logged_in m = {.serial = serial};

	assert_int_equal(chan_send_ssh_logged_in(&p->broker, &m, -1), SP_OK);
}

void
cut(struct play *p, struct chan *c, uint64_t serial)
{
	struct chan_msg m;

	stage_violation(&p->s, serial);
	stage_closed(&p->s, c);
	chan_close(c);
	assert_int_equal(stage_poll(&p->s, &p->broker, 0, &m), 0);
}

void
works(struct play *p)
{
	struct input in;
	struct chan c = first(p, &in, SSH_KEX_NISTP256, SSH_HOST_ECDSA_P256);

	chan_close(&c);
}

unsigned
types_of(struct play *p, struct chan *c)
{
	struct ipc_ssh_keys_get get = {0};
	struct ipc_ssh_keys keys;

	assert_int_equal(chan_send_ssh_keys_get(c, &get, -1), SP_OK);
	assert_int_equal(ipc_get_ssh_keys(stage_take(&p->s, c, IPC_SSH_KEYS), &keys), SP_OK);
	memcpy(cookie, keys.cookie.b, sizeof(cookie));
	return keys.types;
}
