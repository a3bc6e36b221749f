/* ssh_key_test.c - keys and signatures that OpenSSH made; and nothing else is taken for one. */
#include "crypto/digest.h"
#include "crypto/pkey.h"
#include "crypto/test.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

static const struct known {
	const char *file, *type, *algorithm;
	bool fips, has_sshsig;
} known[] = {
    {"ed25519", "ssh-ed25519", "ssh-ed25519", false, true},
    {"ecdsa256", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", true, true},
    {"ecdsa384", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", true, true},
    {"ecdsa521", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", true, true},
    {"rsa2048", "ssh-rsa", "rsa-sha2-512", true, true},
    {"rsa3072", "ssh-rsa", "rsa-sha2-512", true, true},
    {"sk_ed25519", "sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", false, false},
    {"sk_ecdsa", "sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", true,
	false},
};

static void
file_of(char *out, size_t cap, const char *name, const char *end)
{
	struct text t = text_of(out, cap);

	text_str(&t, name);
	text_str(&t, end);
	assert_false(t.bad);
}

static void
pub_of(const char *name, struct bytes *ret)
{
	char file[64];

	file_of(file, sizeof(file), name, ".pub");
	vector_blob(file, ret);
}

/* A signature that OpenSSH made over "the message", and what it is over (PROTOCOL.sshsig). */
static void
sshsig_of(const char *name, struct bytes *ret_signature, struct bytes *ret_data)
{
	struct bytes file, raw, joined = {0};
	struct span s, hash_name, message = SPAN_LIT("the message");
	char path[64];
	uint8_t hash[DIGEST_BYTES_MAX];
	size_t hash_len = 0;
	struct digest *d = NULL;
	struct wr w = wr_of(ret_data->b, sizeof(ret_data->b));
	struct rd r;

	file_of(path, sizeof(path), name, ".sshsig");
	vector_read(path, &file);
	for (s = bytes_span(&file); s.len != 0; s = span_skip(s, span_find(s, '\n') + 1))
		if (s.ptr[0] != '-') {
			struct span line = span_cut(s, span_find(s, '\n'));

			memcpy(joined.b + joined.len, line.ptr, line.len);
			joined.len += line.len;
		}
	assert_int_equal(base64_get(bytes_span(&joined), raw.b, sizeof(raw.b), &raw.len), SP_OK);
	r = rd_of(bytes_span(&raw));
	assert_span(rd_take(&r, 6), "SSHSIG");
	assert_int_equal(rd_uint(&r, 4), 1);
	(void)ssh_rd_string(&r); /* the key */
	assert_span(ssh_rd_string(&r), "test");
	assert_span(ssh_rd_string(&r), "");
	hash_name = ssh_rd_string(&r);
	s = ssh_rd_string(&r);
	assert_true(rd_done(&r));
	ret_signature->len = s.len;
	memcpy(ret_signature->b, s.ptr, s.len);
	assert_int_equal(digest_new(hash_name, &d), SP_OK);
	assert_int_equal(digest_add(d, message), SP_OK);
	assert_int_equal(digest_get(d, hash, &hash_len), SP_OK);
	digest_free(d);
	wr_bytes(&w, SPAN_LIT("SSHSIG"));
	ssh_wr_string(&w, SPAN_LIT("test"));
	ssh_wr_string(&w, SPAN_LIT(""));
	ssh_wr_string(&w, hash_name);
	ssh_wr_string(&w, span_of(hash, hash_len));
	assert_false(w.bad);
	ret_data->len = w.len;
}

static int
verify(const struct bytes *key, const char *algorithm, const struct bytes *data,
    const struct bytes *sig)
{
	return ssh_key_verify(
	    bytes_span(key), span_str(algorithm), bytes_span(data), bytes_span(sig), false);
}

static void
test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct bytes key, line, fp;
		uint8_t out[SSH_KEY_BLOB_MAX];
		char file[64], text[SSH_FINGERPRINT_TEXT];
		struct span comment;
		const char *type = NULL;
		size_t n = 0;

		pub_of(known[i].file, &key);
		assert_int_equal(ssh_key_check(bytes_span(&key), &type), SP_OK);
		assert_string_equal(type, known[i].type);
		assert_int_equal(ssh_key_check(bytes_span(&key), NULL), SP_OK);
		file_of(file, sizeof(file), known[i].file, ".fp");
		vector_read(file, &fp);
		assert_int_equal(ssh_key_fingerprint(bytes_span(&key), text), SP_OK);
		assert_true(span_eq_str(bytes_span(&fp), text));
		file_of(file, sizeof(file), known[i].file, ".pub");
		vector_read(file, &line);
		assert_int_equal(
		    ssh_key_line(bytes_span(&line), out, sizeof(out), &n, &comment), SP_OK);
		assert_true(span_eq(span_of(out, n), bytes_span(&key)));
		file_of(file, sizeof(file), known[i].file, "@test");
		assert_span(comment, file);
		assert_err(
		    ssh_key_line(bytes_span(&line), out, key.len - 1, &n, &comment), SP_ESPACE);
	}
}

static void
test_line(void **state)
{
	static const char key[] =
	    "AAAAC3NzaC1lZDI1NTE5AAAAIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm";
	static const struct {
		const char *before, *after, *comment;
		int err;
	} rows[] = {
	    {"ssh-ed25519 ", "", "", SP_OK},
	    {"ssh-ed25519 ", "\n", "", SP_OK},
	    {"  ssh-ed25519 \t ", "  a comment of words \r\n", "a comment of words", SP_OK},
	    {"ssh-ed25519 ", " \xc3\xa9", "\xc3\xa9", SP_OK},
	    {"", "", NULL, SP_ESYNTAX},
	    {"ssh-rsa ", "", NULL, SP_ESYNTAX},
	    {"ssh-ed2551 ", "", NULL, SP_ESYNTAX},
	    {"SSH-ED25519 ", "", NULL, SP_ESYNTAX},
	    {"no-pty ssh-ed25519 ", "", NULL, SP_ESYNTAX},
	    {"command=\"x\" ssh-ed25519 ", "", NULL, SP_ESYNTAX},
	    {"# ssh-ed25519 ", "", NULL, SP_ESYNTAX},
	    {"ssh-ed25519 ", "A", NULL, SP_ESYNTAX},
	    {"ssh-ed25519 ", "AAAA", NULL, SP_ESYNTAX},
	    {"ssh-ed25519 ", "=", NULL, SP_ESYNTAX},
	    {"ssh-ed25519 ", " a\nssh-ed25519 x", NULL, SP_ESYNTAX},
	    {"ssh-ed25519 ", " \x1b[2J", NULL, SP_ESYNTAX},
	    {"ssh-ed25519 ", " \x7f", NULL, SP_ESYNTAX},
	};
	uint8_t out[SSH_KEY_BLOB_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[256];
		struct text t = text_of(line, sizeof(line));
		struct span comment = span_of(NULL, 0);
		size_t n = 0;

		text_str(&t, rows[i].before);
		text_str(&t, key);
		text_str(&t, rows[i].after);
		assert_err(
		    ssh_key_line(text_span(&t), out, sizeof(out), &n, &comment), rows[i].err);
		if (rows[i].err == SP_OK)
			assert_span(comment, rows[i].comment);
		assert_int_equal(n, rows[i].err == SP_OK ? 51 : 0);
	}
	assert_err(ssh_key_line(span_str(NULL), out, sizeof(out), &(size_t){0}, &(struct span){0}),
	    SP_ESYNTAX);
	assert_err(ssh_key_line(
		       SPAN_LIT("ssh-ed25519"), out, sizeof(out), &(size_t){0}, &(struct span){0}),
	    SP_ESYNTAX);
}

static void
test_sshsig(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct bytes key, sig, data;

		if (!known[i].has_sshsig)
			continue;
		pub_of(known[i].file, &key);
		sshsig_of(known[i].file, &sig, &data);
		assert_int_equal(verify(&key, known[i].algorithm, &data, &sig), SP_OK);
		assert_err(ssh_key_verify(bytes_span(&key), span_str(known[i].algorithm),
			       bytes_span(&data), bytes_span(&sig), true),
		    known[i].fips ? SP_OK : SP_ERANGE);
		for (size_t j = 0; j < ARRAY_LEN(known); j++) {
			struct bytes other;

			pub_of(known[j].file, &other);
			if (j != i) {
				assert_true(
				    verify(&other, known[i].algorithm, &data, &sig) < SP_OK);
				assert_true(verify(&key, known[j].algorithm, &data, &sig) < SP_OK ||
					    strcmp(known[i].algorithm, known[j].algorithm) == 0);
			}
		}
	}
}

static void
append_zero(struct bytes *b)
{
	assert_true(b->len < sizeof(b->b));
	b->b[b->len++] = 0;
}

/* One bit of the signature, the data or the key is wrong; bytes are missing; bytes are too many. */
static void
test_one_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct bytes key, sig, data;
		struct bytes *const part[] = {&key, &sig, &data};

		if (!known[i].has_sshsig)
			continue;
		pub_of(known[i].file, &key);
		sshsig_of(known[i].file, &sig, &data);
		for (size_t p = 0; p < ARRAY_LEN(part); p++) {
			for (size_t bit = 0; bit < 8 * part[p]->len; bit += 3) {
				part[p]->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
				assert_true(verify(&key, known[i].algorithm, &data, &sig) < SP_OK);
				part[p]->b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
			for (size_t whole = part[p]->len; part[p]->len-- != 0;) {
				assert_true(verify(&key, known[i].algorithm, &data, &sig) < SP_OK);
				if (part[p]->len == 0) {
					part[p]->len = whole;
					break;
				}
			}
			append_zero(part[p]);
			assert_true(verify(&key, known[i].algorithm, &data, &sig) < SP_OK);
			part[p]->len--;
		}
		assert_int_equal(verify(&key, known[i].algorithm, &data, &sig), SP_OK);
	}
}

/* Signatures of RSA as asyncssh makes them: each says by which hash; SHA-1 is none. */
static void
test_rsa_names(void **state)
{
	static const char *const names[] = {"rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"};
	struct bytes key, data = {11, "the message"};

	(void)state;
	pub_of("rsa2048", &key);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct bytes file, sig;
		char path[64];
		struct text t = text_of(path, sizeof(path));

		text_fmt(&t, "rsa2048.%s.sig", names[i]);
		vector_read(path, &file);
		assert_int_equal(
		    base64_get(bytes_span(&file), sig.b, sizeof(sig.b), &sig.len), SP_OK);
		for (size_t j = 0; j < ARRAY_LEN(names); j++)
			assert_err(verify(&key, names[j], &data, &sig),
			    i == j && i < 2 ? SP_OK : SP_ERANGE);
		assert_err(verify(&key, "rsa-sha2-256-cert-v01@openssh.com", &data, &sig),
		    i == 0 ? SP_OK : SP_ERANGE);
		assert_err(verify(&key, "rsa-sha2-512-cert-v01@openssh.com", &data, &sig),
		    i == 1 ? SP_OK : SP_ERANGE);
		assert_err(verify(&key, "ssh-rsa-cert-v01@openssh.com", &data, &sig), SP_ERANGE);
		assert_err(verify(&key, "", &data, &sig), SP_ERANGE);
		assert_err(verify(&key, "none", &data, &sig), SP_ERANGE);
		assert_err(verify(&key, "ssh-dss", &data, &sig), SP_ERANGE);
	}
	/* a SHA-1 signature that says it is SHA-256's */
	{
		struct bytes file, sig, forged = {0};
		struct wr w = wr_of(forged.b, sizeof(forged.b));
		struct rd r;

		vector_read("rsa2048.ssh-rsa.sig", &file);
		assert_int_equal(
		    base64_get(bytes_span(&file), sig.b, sizeof(sig.b), &sig.len), SP_OK);
		r = rd_of(bytes_span(&sig));
		assert_span(ssh_rd_string(&r), "ssh-rsa");
		ssh_wr_string(&w, SPAN_LIT("rsa-sha2-256"));
		ssh_wr_string(&w, ssh_rd_string(&r));
		forged.len = w.len;
		assert_err(verify(&key, "rsa-sha2-256", &data, &forged), SP_EAUTH);
	}
}

/* A signature blob of OpenSSL's signature. */
static size_t
evp_sign(EVP_PKEY *key, const char *digest, struct span data, uint8_t *out, size_t cap)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = cap;

	assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL), 1);
	assert_int_equal(EVP_DigestSign(ctx, out, &n, data.ptr, data.len), 1);
	EVP_MD_CTX_free(ctx);
	return n;
}

/* PuTTY leaves zeros at the front of an RSA signature away. */
static void
test_rsa_short(void **state)
{
	struct bytes pem, key, data = {4, {0}};
	struct wr w = wr_of(key.b, sizeof(key.b));
	uint8_t native[256] = {1}, n[257], e[4];
	EVP_PKEY *pkey;
	BIGNUM *bn = NULL;

	(void)state;
	vector_read("host_rsa2048.pem", &pem);
	pem.b[pem.len++] = '\n';
	pkey = pkey_from_pem(bytes_span(&pem));
	assert_non_null(pkey);
	ssh_wr_string(&w, SPAN_LIT("ssh-rsa"));
	assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &bn), 1);
	ssh_wr_mpint(&w, span_of(e, (size_t)BN_bn2bin(bn, e)));
	assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &bn), 1);
	ssh_wr_mpint(&w, span_of(n, (size_t)BN_bn2bin(bn, n)));
	BN_free(bn);
	key.len = w.len;
	for (unsigned i = 0; native[0] != 0; i++) { /* one of 256 begins with a zero */
		assert_true(i < 65536);
		data.b[0] = (uint8_t)i;
		data.b[1] = (uint8_t)(i >> 8);
		assert_int_equal(
		    evp_sign(pkey, "SHA2-256", bytes_span(&data), native, sizeof(native)), 256);
	}
	for (unsigned cut = 0; cut < 3; cut++) {
		uint8_t longer[257] = {0};
		struct bytes sig;
		struct span s = span_skip(span_of(native, sizeof(native)), cut);

		memcpy(longer + 1, native, sizeof(native));
		if (cut == 2)
			s = span_of(longer, sizeof(longer));
		w = wr_of(sig.b, sizeof(sig.b));
		ssh_wr_string(&w, SPAN_LIT("rsa-sha2-256"));
		ssh_wr_string(&w, s);
		sig.len = w.len;
		assert_err(
		    verify(&key, "rsa-sha2-256", &data, &sig), cut == 2 ? SP_ESYNTAX : SP_OK);
	}
	EVP_PKEY_free(pkey);
}

/* ---- security keys ---- */

static EVP_PKEY *
sk_private(bool ecdsa)
{
	uint8_t number[32];
	char group[] = "P-256";
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx;
	OSSL_PARAM params[3];

	memset(number, 7, sizeof(number));
	if (!ecdsa)
		return EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, number, 32);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number, sizeof(number));
	params[2] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* r and s out of DER, as a string of two mpints. */
static void
put_ecdsa(struct wr *w, const uint8_t *der, size_t len)
{
	const unsigned char *p = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	uint8_t r[32], s[32], body[80];
	struct wr b = wr_of(body, sizeof(body));

	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), r, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), s, 32), 32);
	ECDSA_SIG_free(sig);
	ssh_wr_mpint(&b, span_of(r, 32));
	ssh_wr_mpint(&b, span_of(s, 32));
	ssh_wr_string(w, wr_span(&b));
}

/* What a security key does: PROTOCOL.u2f, "SSH U2F Signatures". */
static void
sk_sign(bool ecdsa, const char *application, uint8_t flags, uint32_t counter, struct span data,
    struct bytes *ret)
{
	EVP_PKEY *key = sk_private(ecdsa);
	uint8_t input[69], native[128];
	struct wr i = wr_of(input, sizeof(input)), w = wr_of(ret->b, sizeof(ret->b));
	size_t n;

	assert_int_equal(sha256(span_str(application), input), SP_OK);
	i.len = 32;
	wr_uint(&i, flags, 1);
	wr_uint(&i, counter, 4);
	assert_int_equal(sha256(data, input + 37), SP_OK);
	n = evp_sign(
	    key, ecdsa ? "SHA2-256" : NULL, span_of(input, sizeof(input)), native, sizeof(native));
	EVP_PKEY_free(key);
	ssh_wr_string(&w,
	    span_str(ecdsa ? "sk-ecdsa-sha2-nistp256@openssh.com" : "sk-ssh-ed25519@openssh.com"));
	if (ecdsa)
		put_ecdsa(&w, native, n);
	else
		ssh_wr_string(&w, span_of(native, n));
	wr_uint(&w, flags, 1);
	wr_uint(&w, counter, 4);
	assert_false(w.bad);
	ret->len = w.len;
}

static void
test_sk(void **state)
{
	struct bytes data = {11, "the message"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *name = known[6 + i].algorithm;
		bool ecdsa = i == 1;
		struct bytes key, sig;

		pub_of(known[6 + i].file, &key);
		sk_sign(ecdsa, "ssh:", 1, 77, bytes_span(&data), &sig);
		assert_int_equal(verify(&key, name, &data, &sig), SP_OK);
		assert_err(ssh_key_verify(bytes_span(&key), span_str(name), bytes_span(&data),
			       bytes_span(&sig), true),
		    ecdsa ? SP_OK : SP_ERANGE);
		for (size_t bit = 0; bit < 8 * sig.len; bit++) {
			sig.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(verify(&key, name, &data, &sig) < SP_OK);
			sig.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t bit = 0; bit < 8 * key.len; bit++) {
			key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(verify(&key, name, &data, &sig) < SP_OK);
			key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t n = sig.len; sig.len != 0; sig.len--)
			if (sig.len != n)
				assert_err(verify(&key, name, &data, &sig), SP_ESYNTAX);
		/* with the user verified too; without the user; for another application */
		sk_sign(ecdsa, "ssh:", 5, 0xffffffff, bytes_span(&data), &sig);
		assert_int_equal(verify(&key, name, &data, &sig), SP_OK);
		sk_sign(ecdsa, "ssh:", 0, 77, bytes_span(&data), &sig);
		assert_err(verify(&key, name, &data, &sig), SP_EAUTH);
		sk_sign(ecdsa, "ssh:", 4, 77, bytes_span(&data), &sig);
		assert_err(verify(&key, name, &data, &sig), SP_EAUTH);
		sk_sign(ecdsa, "https://example.com", 1, 77, bytes_span(&data), &sig);
		assert_err(verify(&key, name, &data, &sig), SP_EAUTH);
		sk_sign(ecdsa, "ssh:", 1, 77, SPAN_LIT("another"), &sig);
		assert_err(verify(&key, name, &data, &sig), SP_EAUTH);
		/* a byte too many */
		sk_sign(ecdsa, "ssh:", 1, 77, bytes_span(&data), &sig);
		sig.b[sig.len++] = 0;
		assert_err(verify(&key, name, &data, &sig), SP_ESYNTAX);
	}
}

/* A good signature of the key's owner under the name of another kind: a P-256 key with SHA-384, a
 * security key that signs plainly, without anybody's presence. */
static void
test_other_kind(void **state)
{
	static const struct {
		const char *key, *algorithm, *digest;
		bool ecdsa;
	} rows[] = {{"sk_ecdsa", "ecdsa-sha2-nistp256", "SHA2-256", true},
	    {"sk_ed25519", "ssh-ed25519", NULL, false},
	    {NULL, "ecdsa-sha2-nistp384", "SHA2-384", true},
	    {NULL, "ecdsa-sha2-nistp521", "SHA2-512", true},
	    {NULL, "ecdsa-sha2-nistp256", "SHA2-256", true}}; /* this one is right */
	struct bytes data = {11, "the message"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		EVP_PKEY *pkey = sk_private(rows[i].ecdsa);
		struct bytes key, sig;
		struct wr w = wr_of(sig.b, sizeof(sig.b)), k = wr_of(key.b, sizeof(key.b));
		uint8_t native[128], q[65];
		size_t n =
		    evp_sign(pkey, rows[i].digest, bytes_span(&data), native, sizeof(native));

		ssh_wr_string(&w, span_str(rows[i].algorithm));
		if (rows[i].ecdsa)
			put_ecdsa(&w, native, n);
		else
			ssh_wr_string(&w, span_of(native, n));
		sig.len = w.len;
		if (rows[i].key != NULL) {
			pub_of(rows[i].key, &key);
		} else { /* the plain key of the same private one */
			struct bytes sk;
			struct rd r;

			pub_of("sk_ecdsa", &sk);
			r = rd_of(bytes_span(&sk));
			(void)ssh_rd_string(&r);
			(void)ssh_rd_string(&r);
			assert_int_equal(rd_uint(&r, 4), sizeof(q));
			rd_copy(&r, q, sizeof(q));
			ssh_wr_string(&k, SPAN_LIT("ecdsa-sha2-nistp256"));
			ssh_wr_string(&k, SPAN_LIT("nistp256"));
			ssh_wr_string(&k, span_of(q, sizeof(q)));
			key.len = k.len;
		}
		assert_err(verify(&key, rows[i].algorithm, &data, &sig),
		    i + 1 == ARRAY_LEN(rows) ? SP_OK : SP_ERANGE);
		EVP_PKEY_free(pkey);
	}
}

static void
test_algorithms(void **state)
{
	(void)state;
	assert_string_equal(ssh_key_algorithms(false),
	    "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,"
	    "sk-ssh-ed25519@openssh.com,sk-ssh-ed25519-cert-v01@openssh.com,"
	    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp256-cert-v01@openssh.com,"
	    "ecdsa-sha2-nistp384,ecdsa-sha2-nistp384-cert-v01@openssh.com,"
	    "ecdsa-sha2-nistp521,ecdsa-sha2-nistp521-cert-v01@openssh.com,"
	    "sk-ecdsa-sha2-nistp256@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,"
	    "rsa-sha2-512,rsa-sha2-512-cert-v01@openssh.com,"
	    "rsa-sha2-256,rsa-sha2-256-cert-v01@openssh.com");
	assert_null(strstr(ssh_key_algorithms(true), "ed25519"));
	assert_int_equal(strncmp(ssh_key_algorithms(true), "ecdsa-sha2-nistp256,", 20), 0);
	assert_non_null(strstr(ssh_key_algorithms(true), ",rsa-sha2-256,"));
	assert_int_equal(ssh_key_ready(), SP_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_algorithms),
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_sshsig),
	    cmocka_unit_test(test_one_bit),
	    cmocka_unit_test(test_rsa_names),
	    cmocka_unit_test(test_rsa_short),
	    cmocka_unit_test(test_sk),
	    cmocka_unit_test(test_other_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
