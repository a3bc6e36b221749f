/* ssh_key.c - users' public keys and their signatures; see ssh_key.h. */
#include "crypto/ssh_key.h"
#include "base/text.h"
#include "crypto/ssh_inner.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#define ED25519_SIG 64u
#define EC_NUMBER_MAX 66u /* bytes of r or s: P-521 */
#define RSA_MAX 2048u	  /* bytes of a modulus of 16384 bits */
#define DER_MAX 160u	  /* bytes of an ECDSA signature of P-521 in DER */
#define SK_PRESENT 1u	  /* PROTOCOL.u2f: flag of user presence */
#define SK_SIGNED (SHA256_BYTES + 1 + 4 + SHA256_BYTES)

/* A signature blob, taken apart. */
struct signature {
	struct span name, bytes;
	uint8_t flags; /* sk- keys: what the authenticator said */
	uint32_t counter;
};

static bool
is_sk(enum ssh_kind kind)
{
	return kind == SSH_KIND_SK_ED25519 || kind == SSH_KIND_SK_P256;
}

const char *
ssh_key_algorithms(bool fips)
{
	static const char all[] =
#define KEY(kind, blob, certificate, fields, group, curve)
#define SIG(kind, is_fips, name, certificate, digest) "," name "," certificate
#include "crypto/ssh_alg.def"
#undef SIG
	    ;
	static const char approved[] =
#define IF_YES(text) text
#define IF_NO(text)
#define SIG(kind, is_fips, name, certificate, digest) IF_##is_fips("," name "," certificate)
#include "crypto/ssh_alg.def"
#undef SIG
#undef KEY
	    ;

	return (fips ? approved : all) + 1; /* without the first comma */
}

int
ssh_key_check(struct span blob, const char **ret_type)
{
	struct ssh_public p;
	int err = ssh_public_parse(blob, &p);

	if (err != SP_OK)
		return err;
	if (p.row->group != NULL) {
		DEFER(ssh_free_pkey) EVP_PKEY *key = ssh_public_pkey(&p);

		if (key == NULL)
			return SP_ESYNTAX;
	}
	if (ret_type != NULL)
		*ret_type = p.row->blob;
	return SP_OK;
}

int
ssh_key_fingerprint(struct span blob, char ret[SSH_FINGERPRINT_TEXT])
{
	uint8_t hash[SHA256_BYTES];
	char text[SSH_FINGERPRINT_TEXT] = {0}; /* one more than the result: the padding */
	struct text t = text_of(text, sizeof(text));
	int err = sha256(blob, hash);

	if (err != SP_OK)
		return err;
	text_str(&t, "SHA256:");
	base64_put(&t, span_of(hash, sizeof(hash)));
	VERIFY(!t.bad && t.len == SSH_FINGERPRINT_TEXT - 1 && text[t.len - 1] == '=');
	text[t.len - 1] = 0; /* written without padding */
	memcpy(ret, text, SSH_FINGERPRINT_TEXT);
	return SP_OK;
}

/* The next field of a line, up to white space. */
static struct span
field(struct span *line)
{
	struct span s = span_trim(*line);
	size_t n = 0;

	while (n < s.len && s.ptr[n] != ' ' && s.ptr[n] != '\t')
		n++;
	*line = span_skip(s, n);
	return span_cut(s, n);
}

int
ssh_key_line(struct span line, uint8_t *out, size_t cap, size_t *ret_len, struct span *ret_comment)
{
	struct span type, base64, name;
	struct rd r;
	size_t len = 0;
	int err;

	while (line.len != 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
		line.len--;
	for (size_t i = 0; i < line.len; i++) /* it will be shown: one line, no escape sequences */
		if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
			return SP_ESYNTAX;
	type = field(&line);
	base64 = field(&line);
	if (type.len == 0 || base64.len == 0)
		return SP_ESYNTAX;
	err = base64_get(base64, out, cap, &len);
	if (err != SP_OK)
		return err;
	r = rd_of(span_of(out, len));
	name = ssh_rd_string(&r);
	if (r.bad || !span_eq(name, type))
		return SP_ESYNTAX;
	err = ssh_key_check(span_of(out, len), NULL);
	if (err != SP_OK)
		return err;
	*ret_len = len;
	*ret_comment = span_trim(line);
	return SP_OK;
}

/* ---- signatures ---- */

static int
signature_parse(struct span blob, bool sk, struct signature *ret)
{
	struct rd r = rd_of(blob);
	struct signature s = {.name = ssh_rd_string(&r), .bytes = ssh_rd_string(&r)};

	if (sk) {
		s.flags = (uint8_t)rd_uint(&r, 1);
		s.counter = (uint32_t)rd_uint(&r, 4);
	}
	if (!rd_done(&r))
		return SP_ESYNTAX;
	*ret = s;
	return SP_OK;
}

/* An INTEGER of DER, which is an mpint with other lengths. */
static void
wr_der_number(struct wr *w, struct span n)
{
	bool sign = n.ptr[0] >= 0x80;

	wr_uint(w, 0x02, 1);
	wr_uint(w, n.len + (sign ? 1 : 0), 1);
	if (sign)
		wr_uint(w, 0, 1);
	wr_bytes(w, n);
}

/* RFC 5656 section 3.1.2: mpint r, mpint s; OpenSSL takes them in DER. */
static int
ecdsa_der(struct span sig, uint8_t out[DER_MAX], struct span *ret)
{
	uint8_t body[DER_MAX];
	struct wr b = wr_of(body, sizeof(body)), w = wr_of(out, DER_MAX);
	struct rd rd = rd_of(sig);
	struct span r = ssh_rd_mpint(&rd), s = ssh_rd_mpint(&rd);

	if (!rd_done(&rd) || r.len > EC_NUMBER_MAX || s.len > EC_NUMBER_MAX)
		return SP_ESYNTAX;
	wr_der_number(&b, r);
	wr_der_number(&b, s);
	wr_uint(&w, 0x30, 1);
	if (b.len >= 0x80)
		wr_uint(&w, 0x81, 1);
	wr_uint(&w, b.len, 1);
	wr_bytes(&w, wr_span(&b));
	VERIFY(!b.bad && !w.bad);
	*ret = wr_span(&w);
	return SP_OK;
}

/* RFC 8332 section 3: as long as the modulus; PuTTY and others leave zeros at the front away. */
static int
rsa_padded(struct span sig, size_t modulus, uint8_t out[RSA_MAX], struct span *ret)
{
	if (sig.len == 0 || sig.len > modulus || modulus > RSA_MAX)
		return SP_ESYNTAX;
	memset(out, 0, modulus - sig.len);
	memcpy(out + modulus - sig.len, sig.ptr, sig.len);
	*ret = span_of(out, modulus);
	return SP_OK;
}

/* One call of OpenSSL; out of memory is "does not verify" too: it does not say. */
static int
evp_verify(EVP_PKEY *key, const char *digest, struct span data, struct span sig)
{
	DEFER(ssh_free_md) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL &&
		    EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
		    EVP_DigestVerify(ctx, sig.ptr, sig.len, data.ptr, data.len) == 1;

	ERR_clear_error();
	return good ? SP_OK : SP_EAUTH;
}

/* PROTOCOL.u2f: what an authenticator signs, for a message. */
static int
sk_signed(
    const struct ssh_public *p, const struct signature *s, struct span data, uint8_t out[SK_SIGNED])
{
	uint8_t hash[SHA256_BYTES];
	struct wr w = wr_of(out, SK_SIGNED);
	int r = sha256(p->application, hash);

	if (r != SP_OK)
		return r;
	wr_bytes(&w, span_of(hash, sizeof(hash)));
	wr_uint(&w, s->flags, 1);
	wr_uint(&w, s->counter, 4);
	r = sha256(data, hash);
	if (r != SP_OK)
		return r;
	wr_bytes(&w, span_of(hash, sizeof(hash)));
	VERIFY(!w.bad && w.len == SK_SIGNED);
	return SP_OK;
}

/* The signature in OpenSSL's form, in buf or as it came. */
static int
native_form(const struct ssh_public *p, struct span sig, uint8_t buf[RSA_MAX], struct span *ret)
{
	switch (p->row->kind) {
	case SSH_KIND_RSA:
		return rsa_padded(sig, p->n.len, buf, ret);
	case SSH_KIND_P256:
	case SSH_KIND_P384:
	case SSH_KIND_P521:
	case SSH_KIND_SK_P256:
		return ecdsa_der(sig, buf, ret);
	case SSH_KIND_ED25519:
	case SSH_KIND_SK_ED25519:
		break;
	}
	if (sig.len != ED25519_SIG)
		return SP_ESYNTAX;
	*ret = sig;
	return SP_OK;
}

int
ssh_key_verify(
    struct span key, struct span algorithm, struct span data, struct span signature, bool fips)
{
	const struct ssh_sig_row *row = ssh_sig_by_name(algorithm);
	DEFER(ssh_free_pkey) EVP_PKEY *pkey = NULL;
	uint8_t buf[RSA_MAX], by_sk[SK_SIGNED];
	struct signature s;
	struct ssh_public p;
	struct span sig;
	int r;

	if (row == NULL || (fips && !row->fips))
		return SP_ERANGE;
	r = ssh_public_parse(key, &p);
	if (r == SP_OK && p.row->kind != row->kind)
		r = SP_ERANGE;
	if (r == SP_OK)
		r = signature_parse(signature, is_sk(row->kind), &s);
	if (r == SP_OK && !span_eq_str(s.name, row->name))
		r = SP_ERANGE;
	if (r == SP_OK)
		r = native_form(&p, s.bytes, buf, &sig);
	if (r == SP_OK && is_sk(row->kind)) {
		if ((s.flags & SK_PRESENT) == 0)
			return SP_EAUTH;
		r = sk_signed(&p, &s, data, by_sk);
		data = span_of(by_sk, sizeof(by_sk));
	}
	if (r != SP_OK)
		return r;
	pkey = ssh_public_pkey(&p);
	if (pkey == NULL)
		return SP_ESYNTAX;
	return evp_verify(pkey, row->digest, data, sig);
}

/* ---- before the sandbox ---- */

/* A public key blob with a valid key; what it is the key of, nobody knows. */
static int
sample_key(const struct ssh_kind_row *row, struct wr *w)
{
	uint8_t base[32], number[RSA_MAX / 8], point[SSH_EC_POINT_MAX];
	size_t n = 0;

	memset(number, 0xff, sizeof(number));
	memset(base, 0x66, sizeof(base)); /* RFC 8032 section 5.1: the base point */
	base[0] = 0x58;
	ssh_wr_string(w, span_str(row->blob));
	if (row->kind == SSH_KIND_RSA) {
		ssh_wr_mpint(w, span_of("\1\0\1", 3));
		ssh_wr_mpint(w, span_of(number, sizeof(number)));
	} else if (row->group != NULL) {
		DEFER(ssh_free_pkey) EVP_PKEY *key = EVP_EC_gen(row->group);

		if (key == NULL ||
		    EVP_PKEY_get_octet_string_param(
			key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof(point), &n) != 1)
			return SP_ECRYPTO;
		ssh_wr_string(w, span_str(row->curve));
		ssh_wr_string(w, span_of(point, n));
	} else {
		ssh_wr_string(w, span_of(base, sizeof(base)));
	}
	if (is_sk(row->kind))
		ssh_wr_string(w, SPAN_LIT("ssh:"));
	return w->bad ? SP_ECRYPTO : SP_OK;
}

/* A signature of the right form, which verifies nothing. */
static void
sample_signature(const struct ssh_sig_row *row, struct wr *w)
{
	static const uint8_t ec[10] = {0, 0, 0, 1, 1, 0, 0, 0, 1, 1}, ed[ED25519_SIG] = {1};
	bool is_ed = row->kind == SSH_KIND_ED25519 || row->kind == SSH_KIND_SK_ED25519;

	ssh_wr_string(w, span_str(row->name));
	ssh_wr_string(w, is_ed ? span_of(ed, sizeof(ed)) : span_of(ec, sizeof(ec)));
	if (is_sk(row->kind)) {
		wr_uint(w, SK_PRESENT, 1);
		wr_uint(w, 0, 4);
	}
	VERIFY(!w->bad);
}

int
ssh_key_ready(void)
{
	struct span names = span_str(ssh_key_algorithms(false));
	int r = SP_OK;

	while (r == SP_OK && names.len != 0) {
		size_t n = span_find(names, ',');
		const struct ssh_sig_row *row = ssh_sig_by_name(span_cut(names, n));
		uint8_t key[SSH_KEY_BLOB_MAX], sig[SSH_SIG_BLOB_MAX];
		struct wr k = wr_of(key, sizeof(key)), s = wr_of(sig, sizeof(sig));

		r = sample_key(ssh_kind_of(row->kind), &k);
		if (r != SP_OK)
			break;
		sample_signature(row, &s);
		/* all was used when the answer is that it does not verify */
		r = ssh_key_verify(wr_span(&k), span_str(row->name), SPAN_LIT("x"), wr_span(&s),
			false) == SP_EAUTH
			? SP_OK
			: SP_ECRYPTO;
		names = span_skip(names, n + 1);
	}
	return r;
}
