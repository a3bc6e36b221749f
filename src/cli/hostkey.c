/* hostkey.c - sallyport hostkey: make the host keys of the SFTP door, and show what clients
 * compare.
 *
 * What is shown is taken from the private keys, which the signer uses, so that it is never stale.
 */
#include "cli/hostkey.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/conf.h"
#include "base/text.h"
#include "base/wire.h"
#include "crypto/sign.h"
#include "crypto/ssh_key.h"
#include "ipc/ipc.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define PEM_MAX 65536u
#define PEM_MADE_MAX 8192u
#define SSH_PORT "22"
#define SSHFP_SHA256 2 /* RFC 6594 section 4 */

static const struct host_row {
	unsigned type;
	const char *path;
	int sshfp;
} rows[] = {
#define HOST_KEY(WHAT, TYPE, path, sshfp) {TYPE, path, sshfp},
#include "ipc/hostkeys.def"
#undef HOST_KEY
};

/* ---- making ---- */

static int
make_one(int dirfd, const struct host_row *row)
{
	uint8_t *pem = secret_new(PEM_MADE_MAX);
	size_t len = 0;
	int rc = pem != NULL ? ssh_host_key_make(row->type, pem, PEM_MADE_MAX, &len) : SP_ENOMEM;

	if (rc == SP_OK)
		rc =
		    file_write_new(dirfd, row->path, span_of(pem, len), 0400, /* replace= */ false);
	secret_free(pem, PEM_MADE_MAX);
	return rc;
}

int
hostkeys_make(int dirfd, const char *dir, unsigned *ret_made)
{
	*ret_made = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct op_stat st;
		int rc = op_stat_at(dirfd, rows[i].path, &st);

		if (rc == SP_OK)
			continue;
		if (rc == SP_ENOTFOUND)
			rc = make_one(dirfd, &rows[i]);
		if (rc != SP_OK)
			return cli_fail(rc, "%s/%s: %s", dir, rows[i].path, sp_strerror(rc));
		(*ret_made)++;
	}
	return SP_OK;
}

/* instance_dir - the instance's folder, when there is an instance. */
static int
instance_dir(struct cli *c, struct conf *ret_conf, int *ret_dirfd)
{
	int rc = cli_conf(c, ret_conf);

	if (rc != SP_OK)
		return rc;
	*ret_dirfd = file_open_at(AT_FDCWD, c->dir, O_RDONLY | O_DIRECTORY, 0);
	return *ret_dirfd >= 0 ? SP_OK
			       : cli_fail(*ret_dirfd, "%s: %s", c->dir, sp_strerror(*ret_dirfd));
}

int
cmd_hostkey_make(struct cli *c)
{
	DEFER(close_fd) int dirfd = -1;
	struct conf conf;
	unsigned made = 0;
	int rc = instance_dir(c, &conf, &dirfd);

	if (rc == SP_OK)
		rc = hostkeys_make(dirfd, c->dir, &made);
	if (rc != SP_OK)
		return rc;
	if (c->json)
		(void)printf("{\"made\":%u}\n", made);
	else if (made == 0)
		(void)printf("All host keys are there already.\n");
	else
		(void)printf(
		    "Made %u host key%s; a running server takes %s up at the next SIGHUP.\n", made,
		    made == 1 ? "" : "s", made == 1 ? "it" : "them");
	return cli_out_done();
}

/* ---- showing ---- */

/* Where the clients come to: what SftpListen says, or this machine's name when it listens
 * everywhere (or nowhere yet). */
struct place {
	char host[256], port[8];
	char name[256]; /* of this machine: what a DNS record is about */
};

static void
place_of(const struct conf *conf, struct place *ret)
{
	struct span addr = span_str(conf->sftp_listen), host;
	struct text h = text_of(ret->host, sizeof(ret->host)),
		    p = text_of(ret->port, sizeof(ret->port));
	size_t colon = addr.len;

	op_host_name(ret->name, sizeof(ret->name));
	while (colon > 0 && addr.ptr[colon - 1] != ':')
		colon--;
	if (colon == 0) { /* none */
		op_host_name(ret->host, sizeof(ret->host));
		text_str(&p, SSH_PORT);
		return;
	}
	text_add(&p, span_skip(addr, colon));
	host = span_cut(addr, colon - 1);
	if (span_starts(host, SPAN_LIT("[")))
		host = span_cut(span_skip(host, 1), host.len - 2);
	if (span_eq_str(host, "0.0.0.0") || span_eq_str(host, "::"))
		op_host_name(ret->host, sizeof(ret->host));
	else
		text_add(&h, host);
}

struct shown {
	struct span type; /* of the key: "ssh-rsa" */
	char fingerprint[SSH_FINGERPRINT_TEXT];
	char sshfp[512], known_host[8192];
};

static int
describe(const struct host_row *row, struct span blob, const struct place *at, struct shown *ret)
{
	struct text sshfp = text_of(ret->sshfp, sizeof(ret->sshfp)),
		    known = text_of(ret->known_host, sizeof(ret->known_host));
	struct rd r = rd_of(blob);
	uint8_t hash[SHA256_BYTES];
	int rc = ssh_key_fingerprint(blob, ret->fingerprint);

	if (rc == SP_OK)
		rc = sha256(blob, hash);
	ret->type = rd_take(&r, (size_t)rd_uint(&r, 4));
	if (rc != SP_OK || r.bad)
		return rc != SP_OK ? rc : SP_ESYNTAX;
	text_fmt(&sshfp, "%s IN SSHFP %d %d ", at->name, row->sshfp, SSHFP_SHA256);
	text_hex(&sshfp, span_of(hash, sizeof(hash)));
	/* sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: the port only where it is not the usual one */
	if (strcmp(at->port, SSH_PORT) == 0)
		text_str(&known, at->host);
	else
		text_fmt(&known, "[%s]:%s", at->host, at->port);
	text_chr(&known, ' ');
	text_add(&known, ret->type);
	text_chr(&known, ' ');
	base64_put(&known, blob);
	return sshfp.bad || known.bad ? SP_ESPACE : SP_OK;
}

static int
load(int dirfd, const struct host_row *row, struct ssh_host_key_pair **ret)
{
	DEFER(close_fd) int fd = file_open_at(dirfd, row->path, O_RDONLY, 0);
	uint8_t *pem = NULL;
	size_t len = 0;
	int rc = fd < 0 ? fd : file_read_all(fd, PEM_MAX, &pem, &len);

	if (rc != SP_OK)
		return rc;
	rc = ssh_host_key_load(span_of(pem, len), ret);
	mem_wipe(pem, len);
	mem_free(pem);
	return rc;
}

static void
print_shown(const struct cli *c, const struct shown *s, struct json *j)
{
	if (c->json) {
		json_open(j, '{');
		json_kstr(j, "type", s->type);
		json_kstr(j, "fingerprint", span_str(s->fingerprint));
		json_kstr(j, "sshfp", span_str(s->sshfp));
		json_kstr(j, "known_hosts", span_str(s->known_host));
		json_close(j, '}');
	} else if (cli_has(c, "--known-hosts")) {
		(void)printf("%s\n", s->known_host);
	} else if (cli_has(c, "--sshfp")) {
		(void)printf("%s\n", s->sshfp);
	} else {
		(void)printf("%.*s\n  fingerprint  %s\n  sshfp        %s\n  known_hosts  %s\n",
		    (int)s->type.len, (const char *)s->type.ptr, s->fingerprint, s->sshfp,
		    s->known_host);
	}
}

/* show_one - 1 when there is such a key; errors are said. */
static int
show_one(const struct cli *c, int dirfd, const struct host_row *row, const struct place *at,
    struct json *j)
{
	struct ssh_host_key_pair *key = NULL;
	struct shown shown;
	int rc = load(dirfd, row, &key);

	if (rc == SP_ENOTFOUND)
		return 0;
	if (rc == SP_OK)
		rc = describe(row, ssh_host_key_blob(key), at, &shown);
	if (rc == SP_OK)
		print_shown(c, &shown, j);
	ssh_host_key_free(key);
	return rc == SP_OK ? 1 : cli_fail(rc, "%s/%s: %s", c->dir, row->path, sp_strerror(rc));
}

int
cmd_hostkey_show(struct cli *c)
{
	DEFER(close_fd) int dirfd = -1;
	struct conf conf;
	struct place at;
	char buf[32768];
	struct text t = text_of(buf, sizeof(buf));
	struct json j = json_of(&t);
	int n = 0, rc = instance_dir(c, &conf, &dirfd);

	if (rc == SP_OK && sign_prepare() != SP_OK)
		rc = cli_fail(SP_ESYS, "no memory that can be locked: raise the limit of locked "
				       "memory (ulimit -l)");
	if (rc != SP_OK)
		return rc;
	place_of(&conf, &at);
	json_open(&j, '{');
	json_key(&j, "rows");
	json_open(&j, '[');
	for (size_t i = 0; rc >= 0 && i < ARRAY_LEN(rows); i++) {
		rc = show_one(c, dirfd, &rows[i], &at, &j);
		n += rc > 0;
	}
	json_close(&j, ']');
	json_close(&j, '}');
	if (rc < 0)
		return rc;
	VERIFY(!t.bad);
	if (n == 0)
		return cli_fail(SP_ENOTFOUND,
		    "%s/keys: there is no host key; make them with: sallyport -C %s hostkey make",
		    c->dir, c->dir);
	if (c->json)
		(void)printf("%s\n", buf);
	return cli_out_done();
}
