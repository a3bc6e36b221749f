/* ssh_key_fuzz.c - keys, signatures, lines of key files and certificates: bytes from outside.
 *
 * Input: a number and what it says: 0 a key blob, 1 a certificate, 2 a line of a file, 3 strings
 * key, algorithm, data and signature, 4 a list of source addresses and what a client's address is
 * (strings).
 */
#include "crypto/ssh_inner.h"
#include "crypto/ssh_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Is s inside of whole, or empty? */
static bool
within(struct span s, struct span whole)
{
	return s.len == 0 || (s.ptr >= whole.ptr && s.ptr + s.len <= whole.ptr + whole.len);
}

/* What passes has a fingerprint, and OpenSSL takes it. */
static void
a_key(struct span blob)
{
	char text[SSH_FINGERPRINT_TEXT];
	const char *type = NULL;
	struct ssh_public p;
	EVP_PKEY *key;

	if (ssh_key_check(blob, &type) != SP_OK)
		return;
	VERIFY(blob.len <= SSH_KEY_BLOB_MAX && !ssh_cert_is(span_str(type)));
	VERIFY(ssh_key_fingerprint(blob, text) == SP_OK);
	VERIFY(strlen(text) == SSH_FINGERPRINT_TEXT - 2);
	VERIFY(ssh_public_parse(blob, &p) == SP_OK && strcmp(p.row->blob, type) == 0);
	key = ssh_public_pkey(&p);
	VERIFY(key != NULL);
	EVP_PKEY_free(key);
}

static void
a_certificate(struct span blob)
{
	static uint8_t key[SSH_KEY_BLOB_MAX];
	struct span user = SPAN_LIT("alice"), address = SPAN_LIT("192.0.2.7");
	const char *why = NULL;
	struct ssh_cert c;
	int err;

	if (ssh_cert_parse(blob, key, sizeof(key), &c) != SP_OK)
		return;
	VERIFY(c.key.ptr == key && c.key.len <= sizeof(key));
	VERIFY(ssh_key_check(c.key, NULL) == SP_OK && ssh_key_check(c.ca, NULL) == SP_OK);
	VERIFY(within(c.ca, blob) && within(c.key_id, blob) && within(c.principals, blob));
	VERIFY(within(c.critical, blob) && within(c.extensions, blob));
	VERIFY(c.signed_part.ptr == blob.ptr && within(c.signature, blob));
	VERIFY(c.signed_part.len + 4 + c.signature.len == blob.len);
	/* every byte counts: with one changed behind it, a good signature is none any more */
	if (ssh_cert_verify(&c, false) == SP_OK) {
		c.signed_part.len--;
		VERIFY(ssh_cert_verify(&c, false) == SP_EAUTH);
	}
	err = ssh_cert_allows(&c, user, 1800000000u, address, &why);
	VERIFY((err == SP_OK) == (why == NULL) && (err == SP_OK || err == SP_EAUTH));
	VERIFY(err != SP_OK || (c.type == 1 && c.principals.len >= 4 + user.len));
}

static void
a_line(struct span line)
{
	static uint8_t blob[SSH_KEY_BLOB_MAX];
	struct span comment;
	size_t n = 0;

	if (ssh_key_line(line, blob, sizeof(blob), &n, &comment) != SP_OK)
		return;
	VERIFY(within(comment, line) && comment.len < line.len);
	VERIFY(ssh_key_check(span_of(blob, n), NULL) == SP_OK);
}

static void
a_signature(struct span in)
{
	struct rd r = rd_of(in);
	struct span key = ssh_rd_string(&r), algorithm = ssh_rd_string(&r);
	struct span data = ssh_rd_string(&r), signature = ssh_rd_string(&r);

	if (!rd_done(&r) || ssh_key_verify(key, algorithm, data, signature, false) != SP_OK)
		return;
	VERIFY(ssh_key_check(key, NULL) == SP_OK && ssh_sig_by_name(algorithm) != NULL);
	VERIFY(data.len != 0);
	VERIFY(ssh_key_verify(key, algorithm, span_skip(data, 1), signature, false) == SP_EAUTH);
}

static void
addresses(struct span in)
{
	static uint8_t critical[9000];
	struct wr w = wr_of(critical, sizeof(critical));
	struct rd r = rd_of(in);
	struct span list = ssh_rd_string(&r), client = ssh_rd_string(&r);
	const char *why = NULL;
	struct ssh_cert c = {.type = 1, .before = 2, .principals = SPAN_LIT("\0\0\0\1a")};
	int err;

	ssh_wr_string(&w, SPAN_LIT("source-address"));
	wr_uint(&w, list.len + 4, 4);
	ssh_wr_string(&w, list);
	if (!rd_done(&r) || w.bad)
		return;
	c.critical = wr_span(&w);
	err = ssh_cert_allows(&c, SPAN_LIT("a"), 1, client, &why);
	VERIFY((err == SP_OK) == (why == NULL));
	VERIFY(err != SP_OK || (list.len != 0 && client.len != 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span in = span_skip(span_of(data, len), 1);

	if (len == 0)
		return 0;
	if (data[0] == 0)
		a_key(in);
	else if (data[0] == 1)
		a_certificate(in);
	else if (data[0] == 2)
		a_line(in);
	else if (data[0] == 3)
		a_signature(in);
	else if (data[0] == 4)
		addresses(in);
	return 0;
}
