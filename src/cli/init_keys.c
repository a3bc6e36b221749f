/* init_keys.c - the keys of a new instance (docs/internals/ring.md, "Instance folder"). */
#include <fcntl.h>

#include "base/text.h"
#include "base/wire.h"
#include "cli/hostkey.h"
#include "cli/init.h"
#include "crypto/certificate.h"
#include "crypto/merkle.h"
#include "crypto/wrap.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define RECOVERY_MEMORY_BYTES (64u * 1024u * 1024u)
#define RECOVERY_PASSES 3u
#define RECOVERY_BYTES (6u + 8u + 4u + 16u + WRAP_BYTES)
#define PEM_MAX 65536u
#define CERTIFICATE_DAYS 825u
#define PASSPHRASE_GROUPS 5u /* of five letters out of 31: over 120 bits */

int
init_write(struct init *in, const char *name, struct span content, unsigned mode)
{
	int rc = file_write_new(in->dirfd, name, content, mode, /* replace= */ false);

	return rc == SP_OK ? SP_OK : cli_fail(rc, "%s/%s: %s", in->temp, name, sp_strerror(rc));
}

/* passphrase_make - letters and digits that are not mistaken for each other, in groups. */
static int
passphrase_make(struct init *in)
{
	static const char letters[] =
	    "abcdefghjkmnpqrstuvwxyz23456789y"; /* 32; the last is never used */
	struct text t = text_of(in->passphrase, PASSPHRASE_MAX);
	uint8_t byte;

	for (unsigned i = 0; i < PASSPHRASE_GROUPS * 5u;) {
		if (crypto_random(&byte, 1) != SP_OK)
			return cli_fail(SP_ECRYPTO, "%s", sp_strerror(SP_ECRYPTO));
		if ((byte & 31u) == 31u)
			continue;
		if (i != 0 && i % 5u == 0)
			text_chr(&t, '-');
		text_chr(&t, letters[byte & 31u]);
		i++;
	}
	in->passphrase_len = t.len;
	in->generated = true;
	return SP_OK;
}

int
init_passphrase(struct init *in)
{
	int rc;

	if (!cli_has(in->c, "--recovery-passphrase-stdin"))
		return passphrase_make(in);
	rc = op_secret_stdin(in->passphrase, PASSPHRASE_MAX, &in->passphrase_len);
	if (rc != SP_OK)
		return cli_fail(rc, "recovery passphrase on standard input: %s", sp_strerror(rc));
	if (in->passphrase_len < (size_t)in->conf.password_min)
		return cli_fail(SP_EWEAKPASS,
		    "recovery passphrase: %zu bytes are too short, %lld is the least",
		    in->passphrase_len, (long long)in->conf.password_min);
	return SP_OK;
}

/* recovery_file - the root key under the passphrase. */
static int
recovery_file(struct init *in, const uint8_t root[KEY_BYTES], uint8_t out[RECOVERY_BYTES])
{
	static const uint8_t no_blob[16];
	struct wr w = wr_of(out, RECOVERY_BYTES);
	struct wrap_info info = {.state = WRAP_ORG};
	uint8_t salt[16], kek[KEY_BYTES], wrap[WRAP_BYTES];
	int rc = crypto_random(salt, sizeof(salt));

	if (rc == SP_OK)
		rc = argon2id_key(span_of(in->passphrase, in->passphrase_len), salt,
		    RECOVERY_MEMORY_BYTES, RECOVERY_PASSES, kek);
	if (rc == SP_OK)
		rc = key_wrap(kek, /* org= */ 0, no_blob, &info, root, wrap);
	mem_wipe(kek, sizeof(kek));
	if (rc != SP_OK)
		return rc;
	wr_bytes(&w, span_of("SPRR1", 6));
	wr_uint(&w, RECOVERY_MEMORY_BYTES, 8);
	wr_uint(&w, RECOVERY_PASSES, 4);
	wr_bytes(&w, span_of(salt, sizeof(salt)));
	wr_bytes(&w, span_of(wrap, sizeof(wrap)));
	VERIFY(!w.bad && w.len == RECOVERY_BYTES);
	return SP_OK;
}

static int
root_key(struct init *in)
{
	uint8_t root[KEY_BYTES], recovery[RECOVERY_BYTES];
	int rc = crypto_random(root, sizeof(root));

	if (rc == SP_OK)
		rc = recovery_file(in, root, recovery);
	if (rc != SP_OK)
		rc = cli_fail(rc, "root key: %s", sp_strerror(rc));
	if (rc == SP_OK)
		rc =
		    init_write(in, "keys/root.recovery", span_of(recovery, sizeof(recovery)), 0400);
	if (rc == SP_OK && strcmp(in->conf.root_key, "passphrase") != 0)
		rc = init_write(in, "keys/root.key", span_of(root, sizeof(root)), 0400);
	mem_wipe(root, sizeof(root));
	return rc;
}

static int
ledger_key(struct init *in)
{
	uint8_t seed[32], public_key[33] = {1};
	struct text t = text_of(in->verifier, sizeof(in->verifier));
	uint32_t id = 0;
	int rc = crypto_random(seed, sizeof(seed));

	if (rc == SP_OK)
		rc = ed25519_public(seed, public_key + 1);
	if (rc == SP_OK)
		rc = note_key_id(in->conf.name, public_key + 1, &id);
	if (rc != SP_OK)
		rc = cli_fail(rc, "audit log key: %s", sp_strerror(rc));
	else
		rc = init_write(in, "keys/ledger.key", span_of(seed, sizeof(seed)), 0400);
	mem_wipe(seed, sizeof(seed));
	if (rc != SP_OK)
		return rc;
	text_fmt(&t, "%s+%08x+", in->conf.name, id);
	base64_put(&t, span_of(public_key, sizeof(public_key)));
	text_chr(&t, '\n');
	VERIFY(!t.bad);
	rc = init_write(in, "keys/ledger.pub", text_span(&t), 0444);
	in->verifier[t.len - 1] = '\0';
	return rc;
}

/* host_for_certificate - this machine's name where it can stand in a certificate. */
static void
host_for_certificate(char *buf, size_t cap)
{
	op_host_name(buf, cap);
	for (const char *p = buf; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || *p == '-' || *p == '.')) {
			struct text t = text_of(buf, cap);

			text_str(&t, "localhost");
			return;
		}
}

static int
certificate_new(struct init *in)
{
	DEFER(mem_freep) char *cert = mem_alloc(PEM_MAX);
	char host[256], *key = secret_new(PEM_MAX);
	struct text ct, kt;
	int rc;

	if (cert == NULL || key == NULL) {
		secret_free(key, PEM_MAX);
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	}
	ct = text_of(cert, PEM_MAX);
	kt = text_of(key, PEM_MAX);
	host_for_certificate(host, sizeof(host));
	rc = certificate_make(host, CERTIFICATE_DAYS, &ct, &kt);
	if (rc != SP_OK)
		rc = cli_fail(rc, "certificate: %s", sp_strerror(rc));
	if (rc == SP_OK)
		rc = init_write(in, "keys/https.crt", text_span(&ct), 0444);
	if (rc == SP_OK)
		rc = init_write(in, "keys/https.key", text_span(&kt), 0400);
	secret_free(key, PEM_MAX);
	return rc;
}

static int
read_pem(const char *path, uint8_t **ret, size_t *ret_len)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	int rc = fd < 0 ? fd : file_read_all(fd, PEM_MAX, ret, ret_len);

	return rc == SP_OK ? SP_OK : cli_fail(rc, "%s: %s", path, sp_strerror(rc));
}

static int
certificate_given(struct init *in, const char *cert_path, const char *key_path)
{
	DEFER(mem_freep) uint8_t *cert = NULL;
	uint8_t *key = NULL;
	size_t cert_len = 0, key_len = 0;
	int rc = read_pem(cert_path, &cert, &cert_len);

	if (rc == SP_OK)
		rc = read_pem(key_path, &key, &key_len);
	if (rc == SP_OK) {
		rc = certificate_check(span_of(cert, cert_len), span_of(key, key_len));
		if (rc == SP_EVERIFY)
			rc = cli_fail(SP_ECONFIG, "%s does not belong to %s", key_path, cert_path);
		else if (rc != SP_OK)
			rc = cli_fail(SP_ECONFIG,
			    "%s and %s are not a PEM certificate and its key without a passphrase",
			    cert_path, key_path);
	}
	if (rc == SP_OK)
		rc = init_write(in, "keys/https.crt", span_of(cert, cert_len), 0444);
	if (rc == SP_OK)
		rc = init_write(in, "keys/https.key", span_of(key, key_len), 0400);
	if (key != NULL)
		mem_wipe(key, key_len);
	mem_free(key);
	return rc;
}

int
init_keys(struct init *in)
{
	const char *cert = cli_opt(in->c, "--certificate"), *key = cli_opt(in->c, "--key");
	unsigned made;
	int rc = root_key(in);

	if (rc == SP_OK)
		rc = ledger_key(in);
	if (rc == SP_OK)
		rc = cert != NULL ? certificate_given(in, cert, key) : certificate_new(in);
	/* no door, no keys: `hostkey make` makes them when it is opened later */
	if (rc == SP_OK && strcmp(in->conf.sftp_listen, "none") != 0)
		rc = hostkeys_make(in->dirfd, in->temp, &made);
	return rc;
}

/* recovery_key - parse root.recovery and unwrap: SP_EAUTH when the passphrase is wrong. */
static int
recovery_key(struct span file, struct span passphrase, uint8_t ret_root[KEY_BYTES])
{
	static const uint8_t no_blob[16];
	struct rd r = rd_of(file);
	struct span magic = rd_take(&r, 6);
	uint64_t memory_bytes = rd_uint(&r, 8);
	unsigned passes = (unsigned)rd_uint(&r, 4);
	struct wrap_info info;
	uint8_t salt[16], kek[KEY_BYTES];
	struct span wrap;
	int rc;

	rd_copy(&r, salt, sizeof(salt));
	wrap = rd_take(&r, WRAP_BYTES);
	if (!rd_done(&r) || !span_eq(magic, span_of("SPRR1", 6)))
		return SP_ESYNTAX;
	if (memory_bytes > (1u << 30) || passes == 0 || passes > 16)
		return SP_ERANGE;
	rc = argon2id_key(passphrase, salt, memory_bytes, passes, kek);
	if (rc == SP_OK)
		rc = key_unwrap(kek, /* org= */ 0, no_blob, wrap, &info, ret_root);
	mem_wipe(kek, sizeof(kek));
	return rc == SP_EBADTAG ? SP_EAUTH : rc;
}

int
recovery_open(int dirfd, const char *key, struct span passphrase)
{
	DEFER(close_fd) int fd = file_open_at(dirfd, "keys/root.recovery", O_RDONLY, 0);
	DEFER(mem_freep) uint8_t *file = NULL;
	uint8_t root[KEY_BYTES];
	size_t len = 0;
	int rc = fd < 0 ? fd : file_read_all(fd, RECOVERY_BYTES, &file, &len);

	if (rc == SP_OK)
		rc = recovery_key(span_of(file, len), passphrase, root);
	if (rc == SP_EAUTH)
		return cli_fail(rc, "the recovery passphrase is wrong");
	if (rc == SP_OK)
		rc = file_write_new(dirfd, key, span_of(root, sizeof(root)), 0400,
		    /* replace= */ false);
	mem_wipe(root, sizeof(root));
	return rc == SP_OK
		   ? SP_OK
		   : cli_fail(rc, "the root key from keys/root.recovery: %s", sp_strerror(rc));
}
