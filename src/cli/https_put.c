/* https_put.c - see https_put.h.  The server must show the very certificate that the instance has.
 */
#include "cli/https_put.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/text.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define PEM_MAX (1024u * 1024u)
#define HEAD_MAX 8192u
#define ANSWER_MAX 4096u

static void
bio_done(BIO **b)
{
	BIO_free_all(*b);
}

static void
ctx_done(SSL_CTX **c)
{
	SSL_CTX_free(*c);
}

static void
x509_done(X509 **x)
{
	X509_free(*x);
}

/* own_certificate - the first of the instance's file. */
static X509 *
own_certificate(const struct cli *c, const struct conf *conf)
{
	DEFER(mem_freep) uint8_t *pem = NULL;
	DEFER(close_fd) int fd = -1;
	DEFER(bio_done) BIO *b = NULL;
	const char *name = conf->https_certificate;
	char path[4096];
	size_t len = 0;

	if (name[0] != '/' && cli_path(c, name, path, sizeof(path)) != SP_OK)
		return NULL;
	fd = file_open_at(AT_FDCWD, name[0] == '/' ? name : path, O_RDONLY, 0);
	if (fd < 0 || file_read_all(fd, PEM_MAX, &pem, &len) != SP_OK)
		return NULL;
	b = BIO_new_mem_buf(pem, (int)len);
	return b != NULL ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

/* where - the door's address; one that means every address is reached over the loopback. */
static void
where(const char *listen, char *buf, size_t cap)
{
	struct span s = span_str(listen);
	struct text t = text_of(buf, cap);

	if (span_starts(s, SPAN_LIT("0.0.0.0:")))
		text_fmt(&t, "127.0.0.1%s", listen + 7);
	else if (span_starts(s, SPAN_LIT("[::]:")))
		text_fmt(&t, "[::1]%s", listen + 4);
	else
		text_add(&t, s);
}

/* shake - connect, and see that it is this instance that answers. */
static int
shake(const struct cli *c, const struct conf *conf, const char *address, SSL_CTX *ctx, BIO **ret)
{
	DEFER(x509_done) X509 *own = own_certificate(c, conf);
	DEFER(x509_done) X509 *seen = NULL;
	DEFER(bio_done) BIO *b = BIO_new_ssl_connect(ctx);
	SSL *ssl = NULL;

	if (own == NULL)
		return cli_fail(SP_ECONFIG, "%s: %s", conf->https_certificate,
		    "the certificate of the HTTPS door cannot be read");
	if (b == NULL || BIO_set_conn_hostname(b, address) != 1 || BIO_get_ssl(b, &ssl) != 1)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	if (BIO_do_connect(b) != 1)
		return cli_fail(SP_EUNAVAIL, "%s: the HTTPS door does not answer", address);
	seen = SSL_get1_peer_certificate(ssl);
	if (seen == NULL || X509_cmp(own, seen) != 0)
		return cli_fail(SP_EVERIFY, "%s: this is not the door of this instance", address);
	*ret = TAKE_PTR(b);
	return SP_OK;
}

/* head - of the request; the path percent-encoded but for what needs it not. */
static int
head(struct text *t, const char *address, const char *token, const char *path, size_t length)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.~";

	text_str(t, "PUT /api/v1/files/by-path");
	for (const char *p = path; *p != '\0'; p++) {
		if (strchr(plain, *p) != NULL)
			text_chr(t, *p);
		else
			text_fmt(t, "%%%02X", (unsigned)(uint8_t)*p);
	}
	text_fmt(t,
	    " HTTP/1.1\r\nHost: %s\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
	    "Authorization: Bearer %s\r\nIf-None-Match: *\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n",
	    address, token, length);
	return t->bad ? SP_ETOOBIG : SP_OK;
}

static int
write_all(BIO *b, struct span s)
{
	while (s.len != 0) {
		int n = BIO_write(b, s.ptr, s.len < 65536 ? (int)s.len : 65536);

		if (n <= 0)
			return SP_ECLOSED;
		s = span_skip(s, (size_t)n);
	}
	return SP_OK;
}

/* status - of the answer, whose first line is all that is wanted. */
static int
status(BIO *b, char *line, size_t cap)
{
	size_t n = 0;
	int got;

	while (n + 1 < cap && (got = BIO_read(b, line + n, (int)(cap - 1 - n))) > 0) {
		n += (size_t)got;
		if (memchr(line, '\n', n) != NULL)
			break;
	}
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (!span_starts(span_str(line), SPAN_LIT("HTTP/1.1 ")) || strlen(line) < 12)
		return SP_ECLOSED;
	if (strncmp(line + 9, "201", 3) == 0)
		return SP_OK;
	return strncmp(line + 9, "412", 3) == 0 || strncmp(line + 9, "409", 3) == 0 ? SP_EEXISTS
										    : SP_EREFUSED;
}

int
https_put(const struct cli *c, const struct conf *conf, const char *token, const char *path,
    struct span content)
{
	DEFER(ctx_done) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	DEFER(bio_done) BIO *b = NULL;
	DEFER(mem_freep) char *buf = mem_alloc(HEAD_MAX);
	char address[80], line[ANSWER_MAX];
	struct text t;
	int rc;

	if (ctx == NULL || buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	if ((rc = op_pipe_ignore()) != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	/* no chain is asked for: it has to be one certificate, which is compared */
	where(conf->https_listen, address, sizeof(address));
	rc = shake(c, conf, address, ctx, &b);
	if (rc != SP_OK)
		return rc;
	t = text_of(buf, HEAD_MAX);
	rc = head(&t, address, token, path, content.len);
	if (rc == SP_OK)
		rc = write_all(b, text_span(&t));
	mem_wipe(buf, HEAD_MAX);
	if (rc == SP_OK)
		(void)write_all(b, content); /* refused early: the answer says why */
	if (rc == SP_OK)
		rc = status(b, line, sizeof(line));
	if (rc == SP_OK || rc == SP_EEXISTS)
		return rc;
	return rc == SP_EREFUSED ? cli_fail(rc, "%s: the server says: %s", path, line + 9)
				 : cli_fail(rc, "%s: the connection was ended", path);
}
