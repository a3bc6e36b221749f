/* signer_test.c - the real signer, and workers that were taken over. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "crypto/sign.h"
#include "stage.h"
#include "sys/fd.h"

#define EXIT_CONFIG 78
#define P256 0x0403
#define PSS256 0x0804

struct play {
	struct stage s;
	EVP_PKEY *pkey;
	struct chan good; /* a worker that is never used but at the end */
	uint64_t serial;
};

static struct span
pem_of(EVP_PKEY *pkey, uint8_t *buf, size_t cap)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_read(bio, buf, (int)cap);
	BIO_free(bio);
	assert_true(n > 0);
	return span_of(buf, (size_t)n);
}

static int
setup(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));
	uint8_t pem[4096];

	assert_non_null(p);
	p->pkey = EVP_EC_gen("P-256");
	p->serial = 10;
	stage_start(&p->s, ROOM_SIGNER, getenv("SIGNER"));
	stage_bytes(&p->s, FILE_CONF, SPAN_LIT("Name test\n"));
	stage_bytes(&p->s, FILE_TLS_KEY, pem_of(p->pkey, pem, sizeof(pem)));
	stage_go(&p->s);
	p->good = stage_worker(&p->s, 1, ROOM_WORKER_HTTPS);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct play *p = *state;

	assert_int_equal(stage_end(&p->s), 0);
	chan_close(&p->good);
	EVP_PKEY_free(p->pkey);
	mem_free(p);
	return 0;
}

static struct span
input_13(uint8_t buf[256], size_t hash)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";

	memset(buf, 0x20, 64);
	memcpy(buf + 64, context, sizeof(context));
	memset(buf + 64 + sizeof(context), 0x77, hash);
	return span_of(buf, 64 + sizeof(context) + hash);
}

static struct span
input_12(uint8_t buf[256])
{
	memset(buf, 0x31, 133);
	buf[64] = 3;
	buf[65] = 0;
	buf[66] = 23;
	buf[67] = 65;
	buf[68] = 4;
	return span_of(buf, 133);
}

static void
ask(struct chan *c, unsigned scheme, struct span input)
{
	struct ipc_tls_sign m = {.scheme = (uint16_t)scheme, .input = input};

	assert_int_equal(chan_send_tls_sign(c, &m, -1), SP_OK);
}

static bool
verifies(EVP_PKEY *pkey, struct span in, struct span sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL) == 1 &&
		    EVP_DigestVerify(ctx, sig.ptr, sig.len, in.ptr, in.len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

static void
signs(struct play *p, struct chan *c, unsigned scheme, struct span input)
{
	struct ipc_tls_signature r;

	ask(c, scheme, input);
	assert_int_equal(ipc_get_tls_signature(stage_take(&p->s, c, IPC_TLS_SIGNATURE), &r), SP_OK);
	assert_int_equal(r.err, 0);
	assert_true(verifies(p->pkey, input, r.signature));
}

/* refuses - a new worker asks this: recorded, cut off, not answered. */
static void
refuses(struct play *p, unsigned scheme, struct span input)
{
	struct chan c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_HTTPS);

	ask(&c, scheme, input);
	stage_violation(&p->s, p->serial);
	stage_closed(&p->s, &c);
	chan_close(&c);
}

static void
test_one_signature(void **state)
{
	struct play *p = *state;
	struct chan c = stage_worker(&p->s, 2, ROOM_WORKER_HTTPS);
	uint8_t buf[256];
	struct span in = input_13(buf, 32);

	signs(p, &c, P256, in);
	ask(&c, P256, in); /* one handshake, one signature */
	stage_violation(&p->s, 2);
	stage_closed(&p->s, &c);
	chan_close(&c);
	c = stage_worker(&p->s, 3, ROOM_WORKER_HTTPS);
	signs(p, &c, P256, input_12(buf));
	chan_close(&c);
	signs(p, &p->good, P256, input_13(buf, 48));
}

static void
test_nothing_else(void **state)
{
	struct play *p = *state;
	uint8_t buf[1024], in[256];
	struct span s = input_13(buf, 32);

	for (size_t i = 0; i < 98; i += 7) { /* one byte of the frame is different */
		memcpy(in, s.ptr, s.len);
		in[i] ^= 0x01;
		refuses(p, P256, span_of(in, s.len));
	}
	memset(buf, 0, sizeof(buf));
	refuses(p, P256, span_of(buf, 0));
	refuses(p, P256, span_of(buf, 32));
	refuses(p, P256, span_of(buf, 130));
	refuses(p, P256, span_of(buf, 1024));
	refuses(p, P256, SPAN_LIT("-----BEGIN CERTIFICATE REQUEST-----"));
	memset(buf, 0x20, 64); /* as if we were a client */
	memcpy(buf + 64, "TLS 1.3, client CertificateVerify", 34);
	refuses(p, P256, span_of(buf, 130));
	s = input_12(buf);
	buf[64] = 1;
	refuses(p, P256, s);
	s = input_12(buf);
	buf[68] = 2;
	refuses(p, P256, s);
	s = input_13(buf, 32);
	refuses(p, 0x0503, s); /* the curve of TLS 1.3's scheme is not this key's */
	refuses(p, PSS256, s);
	refuses(p, 0x0807, s);
	refuses(p, 0x0203, s);
	refuses(p, 0, s);
	refuses(p, 0xffff, s);
	signs(p, &p->good, P256, s);
}

static void
from_worker(void *arg, uint16_t id, const char *name, struct span body, bool malformed)
{
	struct play *p = arg;
	struct chan c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_HTTPS);

	(void)name;
	(void)malformed;
	stage_raw(&c, id, body, 0);
	stage_violation(&p->s, p->serial);
	stage_closed(&p->s, &c);
	chan_close(&c);
	stage_gone(&p->s, p->serial);
}

static void
test_every_message(void **state)
{
	struct play *p = *state;
	uint8_t buf[256];

	every_message(from_worker, p);
	signs(p, &p->good, P256, input_13(buf, 32));
}

static void
test_descriptors(void **state)
{
	struct play *p = *state;
	struct ipc_tls_sign m = {.scheme = P256};
	uint8_t in[256], body[512];

	m.input = input_13(in, 32);
	for (int n = 1; n <= 4; n++) {
		struct chan c = stage_worker(&p->s, ++p->serial, ROOM_WORKER_HTTPS);
		struct wr w = wr_of(body, sizeof(body));

		assert_int_equal(ipc_put_tls_sign(&w, &m), SP_OK);
		stage_raw(&c, IPC_TLS_SIGN, wr_span(&w), n);
		stage_violation(&p->s, p->serial);
		stage_closed(&p->s, &c);
		chan_close(&c);
	}
	signs(p, &p->good, P256, m.input);
}

static void
send_reload(struct play *p)
{
	struct ipc_reload m = {.generation = 2};
	int fd = memfd_of("conf", SPAN_LIT("Name test\n"));

	assert_int_equal(chan_send_reload(&p->s.supervisor, &m, fd), SP_OK);
	close_fd(&fd);
}

static void
test_reload(void **state)
{
	struct play *p = *state;
	EVP_PKEY *next = EVP_EC_gen("P-256"), *old = p->pkey;
	uint8_t pem[4096], buf[256];
	struct span in = input_13(buf, 32);
	struct chan c, d;

	stage_bytes(&p->s, FILE_TLS_KEY, SPAN_LIT("no key at all"));
	send_reload(p);
	c = stage_worker(&p->s, 20, ROOM_WORKER_HTTPS);
	signs(p, &c, P256, in);
	chan_close(&c);
	stage_bytes(&p->s, FILE_TLS_KEY, pem_of(next, pem, sizeof(pem)));
	c = stage_worker(&p->s, 21, ROOM_WORKER_HTTPS);
	send_reload(p);
	p->pkey = next;
	d = stage_worker(&p->s, 22, ROOM_WORKER_HTTPS);
	signs(p, &d, P256, in);
	chan_close(&d);
	/* workers of before have the old certificate: their one signature is the old key's */
	p->pkey = old;
	signs(p, &c, P256, in);
	chan_close(&c);
	signs(p, &p->good, P256, in);
	p->pkey = next;
	EVP_PKEY_free(old);
}

static void
dies(struct span key, const char *sentence)
{
	struct stage s;

	stage_start(&s, ROOM_SIGNER, getenv("SIGNER"));
	stage_bytes(&s, FILE_CONF, SPAN_LIT("Name test\n"));
	if (key.len != 0)
		stage_bytes(&s, FILE_TLS_KEY, key);
	assert_int_equal(chan_send_go(&s.supervisor, &(struct ipc_go){.generation = 1}, -1), SP_OK);
	stage_closed(&s, &s.supervisor);
	stage_died(&s, EXIT_CONFIG, sentence);
}

static void
test_bad_starts(void **state)
{
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	uint8_t pem[4096];

	(void)state;
	dies(span_of(NULL, 0), "the TLS key is missing");
	dies(SPAN_LIT("hello"), "no unencrypted PEM private key");
	dies(pem_of(weak, pem, sizeof(pem)), "RSA of 2048");
	EVP_PKEY_free(weak);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_one_signature, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nothing_else, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_message, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
	    cmocka_unit_test(test_bad_starts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
