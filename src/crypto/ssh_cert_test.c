/* ssh_cert_test.c - certificates that OpenSSH made, and what they allow. */
#include "crypto/test.h"

#define AFTER 1735689600u  /* 2025-01-01 */
#define BEFORE 2051222400u /* 2035-01-01 */
#define NOW 1800000000u

static const struct {
	const char *cert, *key, *ca;
	uint64_t serial;
} known[] = {
    {"c_ed25519", "ed25519", "ca_ed25519", 7},
    {"c_ecdsa256", "ecdsa256", "ca_ed25519", 0},
    {"c_ecdsa384", "ecdsa384", "ca_ecdsa", 0},
    {"c_ecdsa521", "ecdsa521", "ca_rsa", 0},
    {"c_rsa", "rsa2048", "ca_rsa", 0},
    {"c_rsa256", "rsa3072", "ca_rsa", 0},
    {"c_sk_ed25519", "sk_ed25519", "ca_ed25519", 0},
    {"c_sk_ecdsa", "sk_ecdsa", "ca_ed25519", 0},
};

/* A certificate from its file; blob and key are what it points into. */
struct made {
	struct bytes blob, key;
	struct ssh_cert cert;
};

static void
read_blob(const char *name, const char *end, struct bytes *ret)
{
	char file[64];
	struct text t = text_of(file, sizeof(file));

	text_str(&t, name);
	text_str(&t, end);
	vector_blob(file, ret);
}

static void
cert_of(const char *name, struct made *ret)
{
	read_blob(name, ".cert", &ret->blob);
	assert_int_equal(
	    ssh_cert_parse(bytes_span(&ret->blob), ret->key.b, SSH_KEY_BLOB_MAX, &ret->cert),
	    SP_OK);
}

static void
test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct bytes key, ca;
		struct span list, one;
		char id[64];
		struct text t = text_of(id, sizeof(id));
		struct made m;

		cert_of(known[i].cert, &m);
		read_blob(known[i].key, ".pub", &key);
		read_blob(known[i].ca, ".pub", &ca);
		assert_true(span_eq(m.cert.key, bytes_span(&key)));
		assert_true(span_eq(m.cert.ca, bytes_span(&ca)));
		text_fmt(&t, "id of %s", known[i].cert);
		assert_span(m.cert.key_id, id);
		assert_int_equal(m.cert.type, 1);
		assert_int_equal(m.cert.serial, known[i].serial);
		assert_int_equal(m.cert.after, AFTER);
		assert_int_equal(m.cert.before, BEFORE);
		assert_int_equal(m.cert.critical.len, 0);
		list = m.cert.principals;
		assert_true(ssh_cert_principal(&list, &one));
		assert_span(one, "alice");
		assert_true(ssh_cert_principal(&list, &one));
		assert_span(one, "bob");
		assert_false(ssh_cert_principal(&list, &one));
		assert_int_equal(ssh_cert_verify(&m.cert, false), SP_OK);
		assert_err(ssh_cert_verify(&m.cert, true),
		    strcmp(known[i].ca, "ca_ed25519") == 0 ? SP_ERANGE : SP_OK);
		/* no room for the key */
		assert_err(
		    ssh_cert_parse(bytes_span(&m.blob), m.key.b, key.len - 1, &m.cert), SP_ESPACE);
	}
}

static int
parse_verify(struct span blob)
{
	uint8_t key[SSH_KEY_BLOB_MAX];
	struct ssh_cert c;
	int err = ssh_cert_parse(blob, key, sizeof(key), &c);

	return err == SP_OK ? ssh_cert_verify(&c, false) : err;
}

/* One bit wrong, bytes missing, a byte too many: it does not parse or does not verify. */
static void
test_one_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct made m;

		cert_of(known[i].cert, &m);
		for (size_t bit = 0; bit < 8 * m.blob.len; bit += 9) {
			m.blob.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(parse_verify(bytes_span(&m.blob)) < SP_OK);
			m.blob.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t n = 0; n < m.blob.len; n++)
			assert_err(parse_verify(span_of(m.blob.b, n)), SP_ESYNTAX);
		m.blob.b[m.blob.len++] = 0;
		assert_err(parse_verify(bytes_span(&m.blob)), SP_ESYNTAX);
	}
}

/* The authority is what the certificate says; another one's key does not verify it. */
static void
test_authority(void **state)
{
	struct made m;
	struct bytes other;

	(void)state;
	cert_of("c_ed25519", &m);
	read_blob("ed25519", ".pub", &other);
	m.cert.ca = bytes_span(&other);
	assert_err(ssh_cert_verify(&m.cert, false), SP_EAUTH);
	read_blob("rsa2048", ".pub", &other);
	m.cert.ca = bytes_span(&other);
	assert_err(ssh_cert_verify(&m.cert, false), SP_ERANGE);
	cert_of("c_sha1", &m); /* signed with ssh-rsa: SHA-1 */
	assert_err(ssh_cert_verify(&m.cert, false), SP_ERANGE);
	m.cert.signature = span_of(NULL, 0);
	assert_err(ssh_cert_verify(&m.cert, false), SP_ESYNTAX);
}

/* What a certificate's key signs verifies under the certificate's algorithm name. */
static void
test_key(void **state)
{
	struct made m;
	struct bytes file, sig;
	struct span data = SPAN_LIT("the message");

	(void)state;
	cert_of("c_rsa", &m);
	vector_read("rsa2048.rsa-sha2-512.sig", &file);
	assert_int_equal(base64_get(bytes_span(&file), sig.b, sizeof(sig.b), &sig.len), SP_OK);
	assert_int_equal(ssh_key_verify(m.cert.key, SPAN_LIT("rsa-sha2-512-cert-v01@openssh.com"),
			     data, bytes_span(&sig), true),
	    SP_OK);
	assert_err(ssh_key_verify(m.cert.key, SPAN_LIT("rsa-sha2-256-cert-v01@openssh.com"), data,
		       bytes_span(&sig), true),
	    SP_ERANGE);
	/* the certificate itself is no key */
	assert_err(ssh_key_verify(bytes_span(&m.blob),
		       SPAN_LIT("rsa-sha2-512-cert-v01@openssh.com"), data, bytes_span(&sig), true),
	    SP_ERANGE);
}

static void
test_is(void **state)
{
	static const struct {
		const char *name;
		bool is;
	} rows[] = {{"ssh-ed25519-cert-v01@openssh.com", true},
	    {"rsa-sha2-512-cert-v01@openssh.com", true}, {"-cert-v01@openssh.com", false},
	    {"ssh-ed25519", false}, {"ssh-ed25519-cert-v00@openssh.com", false},
	    {"ssh-ed25519-cert-v01@openssh.comx", false}, {"", false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ssh_cert_is(span_str(rows[i].name)), rows[i].is);
}

/* ---- what they allow ---- */

static const struct {
	const char *cert, *user, *address;
	uint64_t now;
	const char *why; /* NULL: allowed */
} allows[] = {
    {"c_ed25519", "alice", "192.0.2.1", NOW, NULL},
    {"c_ed25519", "bob", "192.0.2.1", NOW, NULL},
    {"c_ed25519", "bob", "not an address", NOW, NULL}, /* nobody asks for it */
    {"c_ed25519", "carol", "192.0.2.1", NOW, "the user is not among the certificate's principals"},
    {"c_ed25519", "alic", "192.0.2.1", NOW, "the user is not among the certificate's principals"},
    {"c_ed25519", "Alice", "192.0.2.1", NOW, "the user is not among the certificate's principals"},
    {"c_ed25519", "*", "192.0.2.1", NOW, "the user is not among the certificate's principals"},
    {"c_ed25519", "", "192.0.2.1", NOW, "the user is not among the certificate's principals"},
    {"c_ed25519", "alice", "192.0.2.1", AFTER, NULL},
    {"c_ed25519", "alice", "192.0.2.1", AFTER - 1, "the certificate is not valid yet"},
    {"c_ed25519", "alice", "192.0.2.1", BEFORE - 1, NULL},
    {"c_ed25519", "alice", "192.0.2.1", BEFORE, "the certificate has expired"},
    {"c_forever", "alice", "192.0.2.1", 0, NULL},
    {"c_forever", "alice", "192.0.2.1", UINT64_MAX - 1, NULL},
    {"c_expired", "alice", "192.0.2.1", NOW, "the certificate has expired"},
    {"c_noprincipals", "alice", "192.0.2.1", NOW, "the certificate names no principals"},
    {"c_host", "alice", "192.0.2.1", NOW, "the certificate is not for a user"},
    {"c_extension", "alice", "192.0.2.1", NOW, NULL},
    {"c_sftp", "alice", "192.0.2.1", NOW, NULL},
    {"c_both", "alice", "192.0.2.1", NOW, NULL},
    {"c_both", "alice", "192.0.3.1", NOW, "the certificate is not for the client's address"},
    {"c_command", "alice", "192.0.2.1", NOW,
	"the certificate forces a command other than internal-sftp"},
    {"c_verify", "alice", "192.0.2.1", NOW,
	"the certificate requires user verification, which is not supported"},
    {"c_unknown", "alice", "192.0.2.1", NOW, "the certificate has an unknown critical option"},
    {"c_source", "alice", "192.0.2.255", NOW, NULL},
    {"c_source", "alice", "::ffff:192.0.2.255", NOW, NULL},
    {"c_source", "alice", "198.51.100.7", NOW, NULL},
    {"c_source", "alice", "2001:db8::1", NOW, NULL},
    {"c_source", "alice", "2001:db8:ffff::1%eth0", NOW, NULL},
    {"c_source", "alice", "198.51.100.8", NOW, "the certificate is not for the client's address"},
    {"c_source", "alice", "192.0.1.255", NOW, "the certificate is not for the client's address"},
    {"c_source", "alice", "2001:db9::1", NOW, "the certificate is not for the client's address"},
    {"c_source", "alice", "::1", NOW, "the certificate is not for the client's address"},
    {"c_source", "alice", "", NOW, "the client's address is not known"},
    {"c_source", "alice", "client.example.com", NOW, "the client's address is not known"},
};

static void
test_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(allows); i++) {
		const char *why = NULL;
		struct made m;
		int err;

		cert_of(allows[i].cert, &m);
		assert_int_equal(ssh_cert_verify(&m.cert, false), SP_OK);
		err = ssh_cert_allows(&m.cert, span_str(allows[i].user), allows[i].now,
		    span_str(allows[i].address), &why);
		assert_err(err, allows[i].why != NULL ? SP_EAUTH : SP_OK);
		if (allows[i].why != NULL)
			assert_string_equal(why, allows[i].why);
		else
			assert_null(why);
	}
}

/* Lists of addresses that ssh-keygen does not write. */
static void
test_source(void **state)
{
	static const char bad[] = "the certificate's source-address is malformed";
	static const char not_in[] = "the certificate is not for the client's address";
	static const struct {
		const char *list, *why;
	} rows[] = {{"192.0.2.7", NULL}, {"192.0.2.7/32", NULL}, {"0.0.0.0/0", NULL},
	    {"::/0", not_in}, {"128.0.0.0/1", NULL}, {"0.0.0.0/1", not_in}, {"192.0.2.6/31", NULL},
	    {"192.0.2.4/31", not_in}, {"192.0.2.7/31", bad}, {"::ffff:192.0.2.7", not_in},
	    {"::ffff:0:0/96", not_in}, {"", bad}, {",", bad}, {"192.0.2.7,", bad},
	    {",192.0.2.7", bad}, {"192.0.2.7,,10.0.0.0/8", bad}, {"192.0.2.7 ", bad},
	    {" 192.0.2.7", bad}, {"192.0.2.7, 10.0.0.0/8", bad}, {"192.0.2.7/33", bad},
	    {"192.0.2.7/", bad}, {"192.0.2.7/-1", bad}, {"192.0.2.7/32x", bad},
	    {"192.0.2.7/0032", bad}, {"192.0.2.0/24/24", bad}, {"192.0.2.*", bad},
	    {"!192.0.2.7", bad}, {"192.0.2", bad}, {"192.0.2.7/99999", bad},
	    {"2001:db8::/129", bad}, {"2001:db8::1/32", bad}, {"localhost", bad},
	    {"10.0.0.0/8,192.0.2.7", NULL}, {"192.0.2.7,bad", bad}, {"10.0.0.0/8,::/0", not_in}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t critical[256], data[128];
		struct wr w = wr_of(critical, sizeof(critical)), d = wr_of(data, sizeof(data));
		const char *why = NULL;
		struct made m;
		int err;

		cert_of("c_ed25519", &m);
		ssh_wr_string(&d, span_str(rows[i].list));
		ssh_wr_string(&w, SPAN_LIT("source-address"));
		ssh_wr_string(&w, wr_span(&d));
		m.cert.critical = wr_span(&w);
		err = ssh_cert_allows(&m.cert, SPAN_LIT("alice"), NOW, SPAN_LIT("192.0.2.7"), &why);
		assert_err(err, rows[i].why != NULL ? SP_EAUTH : SP_OK);
		if (rows[i].why != NULL)
			assert_string_equal(why, rows[i].why);
	}
}

/* ---- certificates that nobody should make ---- */

/* c_ed25519 with other parts; its signature is wrong then, which is not asked here. */
static int
rebuilt(struct span principals, struct span critical, struct span extensions, uint32_t type)
{
	static uint8_t buf[32768];
	struct wr w = wr_of(buf, sizeof(buf));
	uint8_t key[SSH_KEY_BLOB_MAX];
	struct span name, pk;
	struct ssh_cert c;
	struct made m;
	struct rd r;

	cert_of("c_ed25519", &m);
	r = rd_of(m.cert.key);
	(void)ssh_rd_string(&r);
	name = SPAN_LIT("ssh-ed25519-cert-v01@openssh.com");
	pk = ssh_rd_string(&r);
	ssh_wr_string(&w, name);
	ssh_wr_string(&w, SPAN_LIT("nonce"));
	ssh_wr_string(&w, pk);
	wr_uint(&w, 1, 8);
	wr_uint(&w, type, 4);
	ssh_wr_string(&w, SPAN_LIT("id"));
	ssh_wr_string(&w, principals);
	wr_uint(&w, 0, 8);
	wr_uint(&w, UINT64_MAX, 8);
	ssh_wr_string(&w, critical);
	ssh_wr_string(&w, extensions);
	ssh_wr_string(&w, SPAN_LIT("reserved"));
	ssh_wr_string(&w, m.cert.ca);
	ssh_wr_string(&w, m.cert.signature);
	assert_false(w.bad);
	return ssh_cert_parse(wr_span(&w), key, sizeof(key), &c);
}

/* n strings "a", or with pairs "a" "" ...: alphabetical when there are not too many */
static struct span
strings(uint8_t *buf, size_t cap, unsigned n, bool pairs)
{
	struct wr w = wr_of(buf, cap);

	for (unsigned i = 0; i < n; i++) {
		uint8_t name[2] = {(uint8_t)('A' + i / 26), (uint8_t)('a' + i % 26)};

		ssh_wr_string(&w, span_of(name, 2));
		if (pairs)
			ssh_wr_string(&w, span_of(NULL, 0));
	}
	assert_false(w.bad);
	return wr_span(&w);
}

static void
test_rebuilt(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int critical, extensions;
	} rows[] = {
	    {"\0\0\0\1a\0\0\0\0", 9, SP_OK, SP_OK},
	    {"\0\0\0\1a\0\0\0\0\0\0\0\1b\0\0\0\0", 18, SP_OK, SP_OK},
	    {"\0\0\0\1b\0\0\0\0\0\0\0\1a\0\0\0\0", 18, SP_ESYNTAX, SP_OK}, /* not in order */
	    {"\0\0\0\1a\0\0\0\0\0\0\0\1a\0\0\0\0", 18, SP_ESYNTAX, SP_OK}, /* twice */
	    {"\0\0\0\1a", 5, SP_ESYNTAX, SP_ESYNTAX},			   /* no data */
	    {"\0\0\0\1a\0\0\0\1", 9, SP_ESYNTAX, SP_ESYNTAX}, {"\0\0\0", 3, SP_ESYNTAX, SP_ESYNTAX},
	    {"\0\0\0\0\0\0\0\0", 8, SP_ESYNTAX, SP_OK}, /* without a name */
	};
	static uint8_t buf[20000];
	struct span none = span_of(NULL, 0);

	(void)state;
	assert_err(rebuilt(none, none, none, 1), SP_OK);
	assert_err(rebuilt(none, none, none, 2), SP_OK);
	assert_err(rebuilt(none, none, none, 0), SP_ERANGE);
	assert_err(rebuilt(none, none, none, 3), SP_ERANGE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span s = span_of(rows[i].bytes, rows[i].len);

		assert_err(rebuilt(none, s, none, 1), rows[i].critical);
		assert_err(rebuilt(none, none, s, 1), rows[i].extensions);
	}
	assert_err(rebuilt(SPAN_LIT("\0\0\0\2a"), none, none, 1), SP_ESYNTAX);
	assert_err(rebuilt(SPAN_LIT("alice"), none, none, 1), SP_ESYNTAX);
	assert_err(rebuilt(strings(buf, sizeof(buf), 256, false), none, none, 1), SP_OK);
	assert_err(rebuilt(strings(buf, sizeof(buf), 257, false), none, none, 1), SP_ESYNTAX);
	assert_err(rebuilt(none, strings(buf, sizeof(buf), 64, true), none, 1), SP_OK);
	assert_err(rebuilt(none, strings(buf, sizeof(buf), 65, true), none, 1), SP_ESYNTAX);
	memset(buf, 0, sizeof(buf));
	assert_err(rebuilt(span_of(buf, 17000), none, none, 1), SP_ERANGE); /* over 16 KiB */
	assert_err(parse_verify(SPAN_LIT("\0\0\0\x0bssh-ed25519")), SP_ERANGE);
	assert_err(parse_verify(SPAN_LIT("\0\0\0\x1cssh-dss-cert-v01@openssh.com")), SP_ERANGE);
	assert_err(parse_verify(none), SP_ESYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known),
	    cmocka_unit_test(test_one_bit),
	    cmocka_unit_test(test_authority),
	    cmocka_unit_test(test_key),
	    cmocka_unit_test(test_is),
	    cmocka_unit_test(test_allows),
	    cmocka_unit_test(test_source),
	    cmocka_unit_test(test_rebuilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
