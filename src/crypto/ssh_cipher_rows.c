/* ssh_cipher_rows.c - see ssh_cipher.h: the algorithms, and their trial before the sandbox. */
#include "crypto/ssh_cipher.h"

static const struct ssh_cipher_row ciphers[] = {
    {"aes256-gcm@openssh.com", SSH_CIPHER_AES256_GCM, 32, 12, 16, true, false, true},
    {"aes128-gcm@openssh.com", SSH_CIPHER_AES128_GCM, 16, 12, 16, true, false, true},
    {"chacha20-poly1305@openssh.com", SSH_CIPHER_CHACHA20_POLY1305, 64, 0, 8, true, true, false},
    {"aes256-ctr", SSH_CIPHER_AES256_CTR, 32, 16, 16, false, false, true},
    {"aes128-ctr", SSH_CIPHER_AES128_CTR, 16, 16, 16, false, false, true},
};
static const struct ssh_mac_row macs[] = {
    {"hmac-sha2-256-etm@openssh.com", SSH_MAC_HMAC_SHA2_256_ETM, 32, 32, true, false},
    {"hmac-sha2-512-etm@openssh.com", SSH_MAC_HMAC_SHA2_512_ETM, 64, 64, true, false},
    {"hmac-sha2-256", SSH_MAC_HMAC_SHA2_256, 32, 32, true, true},
    {"hmac-sha2-512", SSH_MAC_HMAC_SHA2_512, 64, 64, true, true},
};

const struct ssh_cipher_row *
ssh_cipher_rows(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(ciphers);
	return ciphers;
}

const struct ssh_mac_row *
ssh_mac_rows(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(macs);
	return macs;
}

/* ---- before the sandbox ---- */

static void
free_cipher(struct ssh_cipher **c)
{
	ssh_cipher_free(*c);
}

/* One packet there and back. */
static int
try_one(const struct ssh_cipher_row *row, const struct ssh_mac_row *m)
{
	static const uint8_t zero[SSH_CIPHER_KEY_MAX], head[20] = {0, 0, 0, 16, 4};
	DEFER(free_cipher) struct ssh_cipher *out = NULL;
	DEFER(free_cipher) struct ssh_cipher *in = NULL;
	struct span key = span_of(zero, row->key_len), iv = span_of(zero, row->iv_len);
	struct span mac_key = span_of(zero, m != NULL ? m->key_len : 0);
	enum ssh_mac_id id = m != NULL ? m->id : SSH_MAC_NONE;
	uint8_t packet[sizeof(head) + SSH_TAG_MAX];
	uint32_t length = 0;
	int r = ssh_cipher_new(row->id, id, true, key, iv, mac_key, &out);

	if (r == SP_OK)
		r = ssh_cipher_new(row->id, id, false, key, iv, mac_key, &in);
	if (r == SP_OK)
		r = ssh_cipher_seal(out, 0, span_of(head, sizeof(head)), span_of(NULL, 0),
		    span_of(NULL, 0), packet);
	if (r == SP_OK)
		r = ssh_cipher_length(in, 0, packet, &length);
	if (r == SP_OK && length != sizeof(head) - 4)
		r = SP_ECRYPTO;
	if (r == SP_OK)
		r = ssh_cipher_open(in, 0, packet, length);
	return r == SP_OK && memcmp(packet, head, sizeof(head)) != 0 ? SP_ECRYPTO : r;
}

int
ssh_cipher_ready(void)
{
	int r = SP_OK;

	for (size_t i = 0; r == SP_OK && i < ARRAY_LEN(ciphers); i++) {
		if (ciphers[i].has_tag)
			r = try_one(&ciphers[i], NULL);
		for (size_t j = 0; r == SP_OK && !ciphers[i].has_tag && j < ARRAY_LEN(macs); j++)
			r = try_one(&ciphers[i], &macs[j]);
	}
	return r;
}
