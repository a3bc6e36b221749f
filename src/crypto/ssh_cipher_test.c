/* ssh_cipher_test.c - packets as others make them; and one wrong bit is never accepted. */
#include "base/test.h"
#include "base/text.h"
#include "crypto/ssh_cipher.h"
#include "crypto/gcm.h"
#include "crypto/ssh_cipher_vectors.h"

/* The plaintext that vector packet i is of. */
static void
plain(unsigned i, uint8_t out[PACKET])
{
	static const uint8_t head[6] = {0, 0, 0, 48, 10, 94};

	memset(out, 0xaa, PACKET);
	memcpy(out, head, sizeof(head));
	for (unsigned j = 0; j < 36; j++)
		out[6 + j] = (uint8_t)(j * 7 + i);
}

static const struct ssh_cipher_row *
row_of(enum ssh_cipher_id id)
{
	size_t n;
	const struct ssh_cipher_row *rows = ssh_cipher_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

static size_t
mac_key_len(enum ssh_mac_id id)
{
	if (id == SSH_MAC_NONE)
		return 0;
	return id == SSH_MAC_HMAC_SHA2_256_ETM || id == SSH_MAC_HMAC_SHA2_256 ? 32 : 64;
}

/* Is the MAC of the plaintext, and the length field encrypted with the rest? */
static bool
is_legacy(const struct vector *v)
{
	return v->mac == SSH_MAC_HMAC_SHA2_256 || v->mac == SSH_MAC_HMAC_SHA2_512;
}

static struct ssh_cipher *
make(enum ssh_cipher_id id, enum ssh_mac_id mac, bool seal)
{
	const struct ssh_cipher_row *row = row_of(id);
	uint8_t key[64], iv[16], mac_key[64];
	struct ssh_cipher *c = NULL;

	for (unsigned i = 0; i < 64; i++) {
		key[i] = (uint8_t)(i + 1);
		iv[i % 16] = (uint8_t)(0x80 + i % 16);
		mac_key[i] = (uint8_t)(0x40 + i);
	}
	assert_int_equal(
	    ssh_cipher_new(id, mac, seal, span_of(key, row != NULL ? row->key_len : 0),
		span_of(iv, row != NULL ? row->iv_len : 0), span_of(mac_key, mac_key_len(mac)), &c),
	    SP_OK);
	return c;
}

static void
test_rows(void **state)
{
	static const char *const names[] = {"aes256-gcm@openssh.com", "aes128-gcm@openssh.com",
	    "chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-ctr"};
	static const char *const mac_names[] = {"hmac-sha2-256-etm@openssh.com",
	    "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"};
	size_t n, m;
	const struct ssh_cipher_row *rows = ssh_cipher_rows(&n);
	const struct ssh_mac_row *macs = ssh_mac_rows(&m);

	(void)state;
	assert_int_equal(n, ARRAY_LEN(names));
	for (size_t i = 0; i < n; i++) {
		bool chacha = rows[i].id == SSH_CIPHER_CHACHA20_POLY1305;

		assert_string_equal(rows[i].name, names[i]);
		assert_int_equal(rows[i].fips, !chacha);
		assert_int_equal(rows[i].needs_strict, chacha);
		assert_true(rows[i].key_len <= SSH_CIPHER_KEY_MAX);
		assert_true(rows[i].iv_len <= SSH_CIPHER_IV_MAX);
	}
	assert_int_equal(m, ARRAY_LEN(mac_names));
	for (size_t i = 0; i < m; i++) {
		assert_string_equal(macs[i].name, mac_names[i]);
		assert_int_equal(macs[i].legacy, i >= 2);
		assert_true(macs[i].fips);
	}
	assert_int_equal(ssh_cipher_ready(), SP_OK);
}

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(vectors); v++) {
		struct ssh_cipher *out = make(vectors[v].cipher, vectors[v].mac, true);
		struct ssh_cipher *in = make(vectors[v].cipher, vectors[v].mac, false);
		size_t tag = ssh_cipher_tag(out), all = PACKET + tag;

		assert_int_equal(ssh_cipher_length_apart(out), !is_legacy(&vectors[v]));
		assert_int_equal(ssh_cipher_block(out), row_of(vectors[v].cipher)->block);
		for (unsigned i = 0; i < 3; i++) {
			uint8_t want[PACKET + SSH_TAG_MAX], got[PACKET + SSH_TAG_MAX], p[PACKET];
			uint32_t length = 0;

			assert_int_equal(strlen(vectors[v].packet[i]), 2 * all);
			assert_int_equal(
			    parse_hex(span_str(vectors[v].packet[i]), want, all), SP_OK);
			plain(i, p);
			assert_int_equal(ssh_cipher_seal(out, seqs[i], span_of(p, 14),
					     span_of(p + 14, 28), span_of(p + 42, 10), got),
			    SP_OK);
			assert_memory_equal(got, want, all);
			assert_int_equal(ssh_cipher_length(in, seqs[i], got, &length), SP_OK);
			assert_int_equal(length, 48);
			assert_int_equal(ssh_cipher_length(in, seqs[i], got, &length), SP_OK);
			assert_int_equal(length, 48); /* asking changes nothing */
			assert_int_equal(ssh_cipher_open(in, seqs[i], got, length), SP_OK);
			assert_memory_equal(got, p, PACKET);
		}
		ssh_cipher_free(out);
		ssh_cipher_free(in);
	}
}

/* draft-ietf-sshm-chacha20-poly1305 appendix A */
static void
test_chacha_draft(void **state)
{
	static const char key_hex[] =
	    "8bbff6855fc102338c373e73aac0c914f076a905b2444a32eecaffeae22be"
	    "cc5e9b7a7a5825a8249346ec1c28301"
	    "cf394543fc7569887d76e168f37562ac0740";
	static const char sent_hex[] =
	    "2c3ecce4a5bc05895bf07a7ba956b6c68829ac7c83b780b7000ecde745afc705"
	    "bbc378ce03a280236b87b53bed5839662302b164b6286a48cd1e097138e3cb90"
	    "9b8b2b829dd18d2a35ff82d995349e855bf02c298ef775f2d1a7e8b8";
	static const char plain_hex[] =
	    "00000048065e00000000000000384c6f72656d20697073756d20646f6c6f7220"
	    "73697420616d65742c20636f6e73656374657475722061646970697369636"
	    "96e6720656c69744e43e804dc6c";
	uint8_t key[64], sent[92], clear[76];
	struct ssh_cipher *c = NULL;
	uint32_t length = 0;

	(void)state;
	assert_int_equal(parse_hex(span_str(key_hex), key, sizeof(key)), SP_OK);
	assert_int_equal(parse_hex(span_str(sent_hex), sent, sizeof(sent)), SP_OK);
	assert_int_equal(parse_hex(span_str(plain_hex), clear, sizeof(clear)), SP_OK);
	assert_int_equal(ssh_cipher_new(SSH_CIPHER_CHACHA20_POLY1305, SSH_MAC_NONE, false,
			     span_of(key, 64), span_of(NULL, 0), span_of(NULL, 0), &c),
	    SP_OK);
	assert_int_equal(ssh_cipher_length(c, 7, sent, &length), SP_OK);
	assert_int_equal(length, 72);
	assert_int_equal(ssh_cipher_open(c, 7, sent, length), SP_OK);
	assert_memory_equal(sent, clear, sizeof(clear));
	ssh_cipher_free(c);
}

/* Open what was changed: it is not accepted, shows nothing, and the object is of no use any more.
 */
static void
refused(const struct vector *v, uint32_t seq, const uint8_t *packet, size_t all, uint32_t length)
{
	static const uint8_t zero[PACKET];
	struct ssh_cipher *in = make(v->cipher, v->mac, false);
	uint8_t buf[PACKET + SSH_TAG_MAX];

	memcpy(buf, packet, all);
	assert_err(ssh_cipher_open(in, seq, buf, length), SP_EBADTAG);
	assert_memory_equal(buf, zero, 4 + length < PACKET ? 4 + length : PACKET);
	assert_int_equal(parse_hex(span_str(v->packet[0]), buf, all), SP_OK);
	assert_err(ssh_cipher_open(in, seqs[0], buf, 48), SP_ECRYPTO);
	assert_err(ssh_cipher_length(in, seqs[0], buf, &length), SP_ECRYPTO);
	ssh_cipher_free(in);
}

/* The same, asked for the length first, as one does. */
static void
refused_after_length(const struct vector *v, const uint8_t *packet, size_t all)
{
	static const uint8_t zero[PACKET];
	struct ssh_cipher *in = make(v->cipher, v->mac, false);
	uint8_t buf[PACKET + SSH_TAG_MAX];
	uint32_t length = 0;

	memcpy(buf, packet, all);
	assert_int_equal(ssh_cipher_length(in, seqs[0], buf, &length), SP_OK);
	assert_err(ssh_cipher_open(in, seqs[0], buf, 48), SP_EBADTAG);
	assert_memory_equal(buf, zero, PACKET);
	assert_err(ssh_cipher_length(in, seqs[0], packet, &length), SP_ECRYPTO);
	ssh_cipher_free(in);
}

static void
test_one_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		uint8_t good[PACKET + SSH_TAG_MAX];
		size_t all = strlen(v->packet[0]) / 2;
		bool uses_seq = v->mac != SSH_MAC_NONE || v->cipher == SSH_CIPHER_CHACHA20_POLY1305;

		assert_int_equal(parse_hex(span_str(v->packet[0]), good, all), SP_OK);
		for (size_t bit = 0; bit < 8 * all; bit++) {
			good[bit / 8] ^= (uint8_t)(1 << bit % 8);
			refused(v, seqs[0], good, all, 48);
			refused_after_length(v, good, all);
			good[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (unsigned bit = 0; uses_seq && bit < 32; bit++)
			refused(v, seqs[0] ^ 1u << bit, good, all, 48);
		/* lengths that are not what the packet says */
		refused(v, seqs[0], good, all, 47);
		refused(v, seqs[0], good, all, 32);
		refused(v, seqs[0], good, all, 0);
		/* the second packet first: out of order */
		assert_int_equal(parse_hex(span_str(v->packet[1]), good, all), SP_OK);
		refused(v, seqs[0], good, all, 48);
	}
}

/* The bits of the length field say another, true length: its tag is wrong then. */
static void
test_length_bits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		uint8_t buf[PACKET + SSH_TAG_MAX];
		struct ssh_cipher *in = make(v->cipher, v->mac, false);
		uint32_t length = 0;

		assert_int_equal(
		    parse_hex(span_str(v->packet[0]), buf, strlen(v->packet[0]) / 2), SP_OK);
		buf[3] ^= 16; /* 48 -> 32 */
		assert_int_equal(ssh_cipher_length(in, seqs[0], buf, &length), SP_OK);
		assert_int_equal(length, 32);
		assert_err(ssh_cipher_open(in, seqs[0], buf, length), SP_EBADTAG);
		ssh_cipher_free(in);
	}
}

/* Who has the keys can still lie about the length: what is in the packet is what counts. */
static void
test_lying_sender(void **state)
{
	static const uint8_t zero[PACKET];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct ssh_cipher *out = make(v->cipher, v->mac, true);
		struct ssh_cipher *in = make(v->cipher, v->mac, false);
		uint8_t p[PACKET], buf[PACKET + SSH_TAG_MAX];

		plain(0, p);
		p[3] = 40; /* and 48 are sent */
		assert_int_equal(ssh_cipher_seal(out, 0, span_of(p, PACKET), span_of(NULL, 0),
				     span_of(NULL, 0), buf),
		    SP_OK);
		assert_err(ssh_cipher_open(in, 0, buf, 48), SP_EBADTAG);
		assert_memory_equal(buf, zero, PACKET);
		ssh_cipher_free(out);
		ssh_cipher_free(in);
	}
}

/* With a legacy MAC the length field takes 4 bytes of the key stream: once per packet, however
 * often it is asked for, also when it is not asked for at all. */
static void
test_legacy_length(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(vectors); v++) {
		struct ssh_cipher *in = make(vectors[v].cipher, vectors[v].mac, false);
		const uint8_t other[4] = {1, 2, 3, 4};

		for (unsigned i = 0; is_legacy(&vectors[v]) && i < 3; i++) {
			uint8_t got[PACKET + SSH_TAG_MAX], p[PACKET];
			uint32_t length = 0;

			plain(i, p);
			assert_int_equal(parse_hex(span_str(vectors[v].packet[i]), got,
					     strlen(vectors[v].packet[i]) / 2),
			    SP_OK);
			for (unsigned asked = 0; asked < i; asked++) {
				assert_int_equal(ssh_cipher_length(in, seqs[i],
						     asked == 0 ? got : other, &length),
				    SP_OK);
				assert_int_equal(length, 48);
			}
			assert_int_equal(ssh_cipher_open(in, seqs[i], got, 48), SP_OK);
			assert_memory_equal(got, p, PACKET);
		}
		ssh_cipher_free(in);
	}
}

/* Packets of all sizes, cut into parts in all ways, sealed in place or not: the same bytes. */
static void
test_parts(void **state)
{
	static const size_t sizes[] = {
	    5, 16, 17, 63, 64, 65, 127, 128, 1024, 4100, 32768 + 29, 262144};
	static uint8_t in[262148], a[262148 + SSH_TAG_MAX], b[262148 + SSH_TAG_MAX];

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(vectors); v++) {
		struct ssh_cipher *x = make(vectors[v].cipher, vectors[v].mac, true);
		struct ssh_cipher *y = make(vectors[v].cipher, vectors[v].mac, true);
		struct ssh_cipher *z = make(vectors[v].cipher, vectors[v].mac, false);
		size_t tag = ssh_cipher_tag(x);

		for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++) {
			size_t n = 4 + sizes[i], h = n < 14 ? n : 14, t = n > 40 ? 9 : 0;
			uint32_t length = 0;

			for (size_t j = 0; j < n; j++)
				in[j] = (uint8_t)(j * 31 + i);
			for (unsigned j = 0; j < 4; j++)
				in[j] = (uint8_t)(sizes[i] >> (24 - 8 * j));
			assert_int_equal(ssh_cipher_seal(x, i, span_of(in, h),
					     span_of(in + h, n - h - t), span_of(in + n - t, t), a),
			    SP_OK);
			memcpy(b, in, n);
			assert_int_equal(ssh_cipher_seal(y, i, span_of(b, n), span_of(NULL, 0),
					     span_of(NULL, 0), b),
			    SP_OK);
			assert_memory_equal(a, b, n + tag);
			assert_int_equal(ssh_cipher_length(z, i, a, &length), SP_OK);
			assert_int_equal(length, sizes[i]);
			assert_int_equal(ssh_cipher_open(z, i, a, length), SP_OK);
			assert_memory_equal(a, in, n);
		}
		ssh_cipher_free(x);
		ssh_cipher_free(y);
		ssh_cipher_free(z);
	}
}

/* An AES-GCM object whose IV ends in these 9 bytes: the last of the fixed part, the counter. */
static struct ssh_cipher *
gcm_at(const char *hex)
{
	uint8_t key[32] = {1}, iv[12] = {1, 2, 3};
	struct ssh_cipher *c = NULL;

	assert_int_equal(parse_hex(span_str(hex), iv + 3, 9), SP_OK);
	assert_int_equal(ssh_cipher_new(SSH_CIPHER_AES256_GCM, SSH_MAC_NONE, true, span_of(key, 32),
			     span_of(iv, 12), span_of(NULL, 0), &c),
	    SP_OK);
	return c;
}

/* RFC 5647 section 7.1: the counter of 8 bytes carries, and never into the fixed 4. */
static void
test_gcm_counter(void **state)
{
	static const struct {
		const char *iv, *next;
	} rows[] = {{"040000000000000000", "040000000000000001"},
	    {"0400000000000000ff", "040000000000000100"},
	    {"0400ffffffffffffff", "040100000000000000"},
	    {"04ffffffffffffffff", "040000000000000000"}};
	static const uint8_t p[20] = {0, 0, 0, 16, 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ssh_cipher *x = gcm_at(rows[i].iv), *y = gcm_at(rows[i].next);
		uint8_t a[36], b[36];

		assert_int_equal(
		    ssh_cipher_seal(x, 0, span_of(p, 20), span_of(NULL, 0), span_of(NULL, 0), a),
		    SP_OK);
		assert_int_equal(
		    ssh_cipher_seal(y, 9, span_of(p, 20), span_of(NULL, 0), span_of(NULL, 0), b),
		    SP_OK);
		assert_memory_not_equal(a, b, 36);
		assert_int_equal(
		    ssh_cipher_seal(x, 5, span_of(p, 20), span_of(NULL, 0), span_of(NULL, 0), a),
		    SP_OK);
		assert_memory_equal(a, b, 36);
		ssh_cipher_free(x);
		ssh_cipher_free(y);
	}
}

static void
test_none(void **state)
{
	struct ssh_cipher *out = make(SSH_CIPHER_NONE, SSH_MAC_NONE, true);
	struct ssh_cipher *in = make(SSH_CIPHER_NONE, SSH_MAC_NONE, false);
	uint8_t p[PACKET], q[PACKET];
	uint32_t length = 0;

	(void)state;
	plain(0, p);
	assert_false(ssh_cipher_length_apart(out));
	assert_int_equal(ssh_cipher_block(out), 8);
	assert_int_equal(ssh_cipher_tag(out), 0);
	assert_int_equal(ssh_cipher_seal(out, 0, span_of(p, 5), span_of(p + 5, 30),
			     span_of(p + 35, PACKET - 35), q),
	    SP_OK);
	assert_memory_equal(p, q, PACKET);
	assert_int_equal(ssh_cipher_length(in, 0, q, &length), SP_OK);
	assert_int_equal(length, 48);
	assert_int_equal(ssh_cipher_open(in, 0, q, 48), SP_OK);
	assert_memory_equal(p, q, PACKET);
	assert_err(ssh_cipher_open(in, 0, q, 47), SP_EBADTAG);
	ssh_cipher_free(out);
	ssh_cipher_free(in);
}

/* What does not fit together is not made: above all no cipher without authentication. */
static void
test_refused(void **state)
{
	static const uint8_t zero[64];
	struct ssh_cipher *const untouched = (struct ssh_cipher *)(uintptr_t)zero;
	static const struct {
		enum ssh_cipher_id cipher;
		enum ssh_mac_id mac;
		size_t key, iv, mac_key;
	} rows[] = {
	    {SSH_CIPHER_AES256_GCM, SSH_MAC_NONE, 31, 12, 0},
	    {SSH_CIPHER_AES256_GCM, SSH_MAC_NONE, 16, 12, 0},
	    {SSH_CIPHER_AES256_GCM, SSH_MAC_NONE, 32, 16, 0},
	    {SSH_CIPHER_AES256_GCM, SSH_MAC_NONE, 32, 12, 32},
	    {SSH_CIPHER_AES256_GCM, SSH_MAC_HMAC_SHA2_256_ETM, 32, 12, 32},
	    {SSH_CIPHER_CHACHA20_POLY1305, SSH_MAC_NONE, 32, 0, 0},
	    {SSH_CIPHER_CHACHA20_POLY1305, SSH_MAC_NONE, 64, 12, 0},
	    {SSH_CIPHER_AES256_CTR, SSH_MAC_NONE, 32, 16, 0},
	    {SSH_CIPHER_AES256_CTR, SSH_MAC_HMAC_SHA2_256_ETM, 32, 16, 0},
	    {SSH_CIPHER_AES256_CTR, SSH_MAC_HMAC_SHA2_256_ETM, 32, 16, 64},
	    {SSH_CIPHER_AES128_CTR, SSH_MAC_HMAC_SHA2_512_ETM, 32, 16, 64},
	    {SSH_CIPHER_AES256_GCM, SSH_MAC_HMAC_SHA2_256, 32, 12, 32},
	    {SSH_CIPHER_CHACHA20_POLY1305, SSH_MAC_HMAC_SHA2_256, 64, 0, 32},
	    {SSH_CIPHER_AES256_CTR, SSH_MAC_HMAC_SHA2_256, 32, 16, 64},
	    {SSH_CIPHER_AES256_CTR, SSH_MAC_HMAC_SHA2_512, 32, 16, 32},
	    {SSH_CIPHER_NONE, SSH_MAC_HMAC_SHA2_256, 0, 0, 32},
	    {SSH_CIPHER_NONE, SSH_MAC_NONE, 1, 0, 0},
	    {SSH_CIPHER_NONE, SSH_MAC_HMAC_SHA2_256_ETM, 0, 0, 32},
	    {(enum ssh_cipher_id)99, SSH_MAC_NONE, 0, 0, 0},
	    {SSH_CIPHER_AES256_CTR, (enum ssh_mac_id)99, 32, 16, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ssh_cipher *c = untouched;

		assert_err(
		    ssh_cipher_new(rows[i].cipher, rows[i].mac, true, span_of(zero, rows[i].key),
			span_of(zero, rows[i].iv), span_of(zero, rows[i].mac_key), &c),
		    SP_ERANGE);
		assert_ptr_equal(c, untouched);
	}
	ssh_cipher_free(NULL);
}

/* No memory: said, nothing lost. */
static void
test_no_memory(void **state)
{
	static const uint8_t zero[64];
	struct ssh_cipher *c = NULL;

	(void)state;
	mem_fail_at(1);
	assert_err(ssh_cipher_new(SSH_CIPHER_AES256_GCM, SSH_MAC_NONE, true, span_of(zero, 32),
		       span_of(zero, 12), span_of(NULL, 0), &c),
	    SP_ENOMEM);
	mem_fail_at(0);
	assert_null(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_chacha_draft),
	    cmocka_unit_test(test_one_bit),
	    cmocka_unit_test(test_length_bits),
	    cmocka_unit_test(test_lying_sender),
	    cmocka_unit_test(test_legacy_length),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_gcm_counter),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_no_memory),
	};

	if (cmocka_run_group_tests(tests, NULL, NULL) != 0) /* through OpenSSL */
		return 1;
	gcm_ready();
	return cmocka_run_group_tests(tests, NULL, NULL); /* and through what this processor has */
}
