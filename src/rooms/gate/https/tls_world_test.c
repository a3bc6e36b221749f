/* tls_world_test.c - what tls_test.c and tls_data_test.c share; see tls_world.h. */
#include "rooms/gate/https/tls_world.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "rooms/gate/https/tls_provider.h"
#include "sys/fd.h"

int
world_prepare(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)sigaction(SIGPIPE, &ignore, NULL); /* as sandbox_prepare does */
	return tls_provider_load();
}

/* ---- signer ---- */

static void
sign_one(struct world *w, const struct ipc_tls_sign *m)
{
	uint8_t sig[SIGN_MAX] = {0};
	size_t len = 64;
	struct ipc_tls_signature r = {0};

	assert_int_equal(tls_input_check(m->input, &w->input), SP_OK);
	assert_true(sign_fits(w->key, m->scheme, w->input == TLS_INPUT_13));
	w->scheme = m->scheme;
	w->signatures++;
	if (w->mood == HONEST)
		assert_int_equal(
		    sign_make(w->key, m->scheme, m->input, sig, sizeof(sig), &len), SP_OK);
	if (w->mood == REFUSES)
		r.err = 24;
	else
		r.signature = span_of(sig, len);
	if (w->mood != SILENT)
		assert_int_equal(chan_send_tls_signature(&w->signer_end, &r, -1), SP_OK);
}

static void *
signer_main(void *arg)
{
	struct world *w = arg;
	uint8_t *buf = mem_alloc(IPC_MAX);
	struct ipc_tls_sign m;
	struct chan_msg in;

	while (chan_recv(&w->signer_end, PH_ANY, true, buf, IPC_MAX, &in) == 1) {
		assert_int_equal(in.id, IPC_TLS_SIGN);
		assert_int_equal(ipc_get_tls_sign(in.body, &m), SP_OK);
		sign_one(w, &m);
		chan_msg_done(&in);
	}
	mem_free(buf);
	return NULL;
}

/* ---- client ---- */

void *
client_main(void *arg)
{
	struct world *w = arg;

	w->client = SSL_new(w->client_ctx);
	SSL_set_fd(w->client, w->client_fd);
	w->handshake = SSL_connect(w->client);
	w->reason = ERR_GET_REASON(ERR_peek_error());
	ERR_clear_error();
	if (w->handshake == 1 && w->script != NULL)
		w->script(w);
	SSL_free(w->client);
	(void)shutdown(w->client_fd, SHUT_RDWR);
	return NULL;
}

/* ---- the world ---- */

static void
make_cert(struct world *w)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	const EVP_MD *md = EVP_PKEY_is_a(w->pkey, "ED25519") ? NULL : EVP_sha256();
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t pem[8192];
	int n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, w->pkey);
	assert_true(X509_sign(x, w->pkey, md) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	w->cert_len = (size_t)BIO_read(bio, w->cert, sizeof(w->cert));
	assert_int_equal(PEM_write_bio_PrivateKey(bio, w->pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_read(bio, pem, sizeof(pem));
	assert_int_equal(sign_key_load(span_of(pem, (size_t)n), &w->key), SP_OK);
	BIO_free(bio);
	X509_free(x);
}

struct world *
world_new(EVP_PKEY *pkey, enum signer_mood mood)
{
	struct world *w = mem_alloc(sizeof(*w));
	int pair[2];

	assert_non_null(pkey);
	w->pkey = pkey;
	w->mood = mood;
	make_cert(w);
	assert_int_equal(sock_pair(pair), SP_OK);
	chan_init(&w->worker_end, pair[0], ROOM_WORKER_HTTPS, ROOM_SIGNER);
	chan_init(&w->signer_end, pair[1], ROOM_SIGNER, ROOM_WORKER_HTTPS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	w->server_fd = pair[0];
	w->client_fd = pair[1];
	if (mood == GONE)
		chan_close(&w->signer_end);
	else
		assert_int_equal(pthread_create(&w->signer_thread, NULL, signer_main, w), 0);
	w->client_ctx = SSL_CTX_new(TLS_client_method());
	return w;
}

/* begin - the client goes; the server's side of the handshake is done here. */
int
world_begin(struct world *w, struct tls_server **ret_server, struct tls **ret)
{
	assert_int_equal(
	    tls_server_new(span_of(w->cert, w->cert_len), &w->worker_end, ret_server), SP_OK);
	assert_int_equal(pthread_create(&w->client_thread, NULL, client_main, w), 0);
	return tls_accept(*ret_server, w->server_fd, TIMEOUT, ret);
}

void
world_end(struct world *w, struct tls_server *server, struct tls *tls)
{
	tls_free(tls);
	tls_server_free(server);
	(void)shutdown(w->server_fd, SHUT_RDWR);
	pthread_join(w->client_thread, NULL);
	(void)shutdown(w->worker_end.fd, SHUT_RDWR);
	if (w->mood != GONE)
		pthread_join(w->signer_thread, NULL);
	chan_close(&w->worker_end);
	chan_close(&w->signer_end);
	(void)close(w->server_fd);
	(void)close(w->client_fd);
	SSL_CTX_free(w->client_ctx);
	sign_key_free(w->key);
	EVP_PKEY_free(w->pkey);
	mem_free(w);
}
