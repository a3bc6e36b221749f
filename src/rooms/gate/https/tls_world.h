/* tls_world.h - for the tests of tls.h: a signer thread, a client thread by OpenSSL, and what they
 * saw. */
#ifndef SP_GATE_HTTPS_TLS_WORLD_H
#define SP_GATE_HTTPS_TLS_WORLD_H

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "base/test.h"
#include "crypto/sign.h"
#include "ipc/chan.h"
#include "proto/tls/tls_input.h"
#include "rooms/gate/https/tls.h"

#define TIMEOUT 5000

enum signer_mood { HONEST, SILENT, REFUSES, GARBAGE, GONE };

/* The other side of everything: a signer thread, a client thread, and what they saw. */
struct world {
	EVP_PKEY *pkey;
	struct sign_key *key;
	uint8_t cert[4096];
	size_t cert_len;
	struct chan worker_end, signer_end;
	enum signer_mood mood;
	unsigned signatures;
	enum tls_input input;
	uint16_t scheme;
	pthread_t signer_thread, client_thread;
	int server_fd, client_fd;
	/* the client */
	SSL_CTX *client_ctx;
	SSL *client;
	void (*script)(struct world *);
	int handshake; /* result of SSL_connect */
	int reason;    /* of its failure */
};

/* world_prepare - once, first of all: OpenSSL as in the worker. */
int world_prepare(void);
/* world_new - a certificate of that key (owned by the world from now on), a signer of that mood,
 * two sockets. */
struct world *world_new(EVP_PKEY *pkey, enum signer_mood mood);
/* world_begin - the client goes; returns what tls_accept says. */
int world_begin(struct world *w, struct tls_server **ret_server, struct tls **ret);
/* client_main - the client's thread, for a test that joined it and needs another. */
void *client_main(void *arg);
void world_end(struct world *w, struct tls_server *server, struct tls *tls);
#endif
