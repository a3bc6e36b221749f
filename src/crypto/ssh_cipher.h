/* ssh_cipher.h - the packet protection of SSH: one direction of one connection.
 *
 * A packet on the wire is length (4) | padding length (1) | payload | padding | tag or MAC.  Sequence numbers are the
 * caller's (RFC 4253 section 6.4); they matter for chacha20-poly1305 and the HMACs, AES-GCM counts by itself.
 * Every function that checks returns SP_OK for "good" and an error for everything else.
 */
#ifndef SP_CRYPTO_SSH_CIPHER_H
#define SP_CRYPTO_SSH_CIPHER_H

#include "crypto/crypto.h"

/* In the order of preference in which they are offered.  fips: approved by FIPS 140-3.  strict: only with strict key
 * exchange (Terrapin, CVE-2023-48795). */
enum ssh_cipher_id {
	SSH_CIPHER_NONE, /* before the first NEWKEYS */
	SSH_CIPHER_AES256_GCM,
	SSH_CIPHER_AES128_GCM,
	SSH_CIPHER_CHACHA20_POLY1305,
	SSH_CIPHER_AES256_CTR,
	SSH_CIPHER_AES128_CTR,
};
enum ssh_mac_id {
	SSH_MAC_NONE, /* the cipher has its own */
	SSH_MAC_HMAC_SHA2_256_ETM,
	SSH_MAC_HMAC_SHA2_512_ETM,
	SSH_MAC_HMAC_SHA2_256, /* of the plaintext, RFC 4253 section 6.4; see legacy */
	SSH_MAC_HMAC_SHA2_512,
};
#define SSH_TAG_MAX 64u		/* bytes: hmac-sha2-512 */
#define SSH_CIPHER_KEY_MAX 64u	/* chacha20-poly1305@openssh.com takes two keys */
#define SSH_CIPHER_IV_MAX 16u
#define SSH_MAC_KEY_MAX 64u
#define SSH_CIPHER_LENGTH_MAX (1u << 24) /* bytes: far above what any caller accepts */

struct ssh_cipher_row {
	const char *name; /* as in KEXINIT */
	enum ssh_cipher_id id;
	uint8_t key_len, iv_len, block; /* bytes; block: what lengths are a multiple of (at least 8) */
	bool has_tag;	/* authenticates by itself: no MAC is negotiated */
	bool needs_strict, fips;
};
struct ssh_mac_row {
	const char *name;
	enum ssh_mac_id id;
	uint8_t key_len, tag_len; /* bytes */
	bool fips;
	bool legacy; /* encrypt-and-MAC: what came is decrypted before it is known to be good; only on demand (LegacyMacs) */
};
/* ssh_cipher_rows, ssh_mac_rows - all that there are, best first; static, NONE is not among them. */
const struct ssh_cipher_row *ssh_cipher_rows(size_t *ret_n);
const struct ssh_mac_row *ssh_mac_rows(size_t *ret_n);

/* ssh_cipher_ready - use everything here once, so that OpenSSL loads nothing later.  A room that protects packets calls it
 * after crypto_ready and before its sandbox.  errors SP_ECRYPTO, SP_ENOMEM */
int ssh_cipher_ready(void) MUST_USE;

struct ssh_cipher; /* opaque: keys and state; wiped by ssh_cipher_free.  After a failed call all further ones fail. */

/* ssh_cipher_new - for packets of one direction.
 *   seal     true: for sending, false: for receiving
 *   key, iv  exactly key_len and iv_len bytes of the row; mac_key: key_len of the MAC's row (empty where there is none)
 *   ret      owned by the caller
 *   errors   SP_ERANGE (a length is not the row's; a MAC with a cipher that has its own, or none with one that has not), SP_ENOMEM, SP_ECRYPTO
 * With SSH_CIPHER_NONE everything is empty and packets go in the clear. */
int ssh_cipher_new(enum ssh_cipher_id cipher, enum ssh_mac_id mac, bool seal, struct span key, struct span iv,
    struct span mac_key, struct ssh_cipher **ret) MUST_USE;
void ssh_cipher_free(struct ssh_cipher *c); /* wipes; accepts NULL */
/* ssh_cipher_block - what 4 + length, or length alone when the length field is not encrypted with the rest (AES-GCM,
 * chacha20-poly1305, encrypt-then-MAC: all but SSH_CIPHER_NONE and the legacy MACs), must be a multiple of.  ssh_cipher_tag - bytes behind the packet. */
size_t ssh_cipher_block(const struct ssh_cipher *c);
bool ssh_cipher_length_apart(const struct ssh_cipher *c);
size_t ssh_cipher_tag(const struct ssh_cipher *c);

/* ssh_cipher_length - the length field of a packet that is being received.
 *   head     its first 4 bytes as they came
 *   ret      the packet_length, in bytes, not yet authenticated: the caller bounds it before it waits for more
 *   errors   SP_ECRYPTO
 * Once per packet.  With a legacy MAC these 4 bytes are decrypted with the key stream of the packet, and ssh_cipher_open goes
 * on from there: until then what was decrypted is remembered, and asking again gives the same answer whatever head is. */
int ssh_cipher_length(struct ssh_cipher *c, uint32_t seq, const uint8_t head[4], uint32_t *ret) MUST_USE;
/* ssh_cipher_open - decrypt in place and authenticate a whole packet.
 *   packet   4 + length bytes and the tag behind them; on success the 4 + length bytes are plaintext
 *   length   as ssh_cipher_length gave it, at most SSH_CIPHER_LENGTH_MAX (PRECOND)
 *   errors   SP_EBADTAG (nothing was decrypted that the caller may look at: the 4 + length bytes are zeroed; also when length
 *            is not what the packet says), SP_ECRYPTO (zeroed too)
 * With a legacy MAC the 4 bytes of the length field are not read again if ssh_cipher_length was asked.
 * source RFC 5647 and PROTOCOL (aes*-gcm@openssh.com), PROTOCOL.chacha20poly1305, RFC 4344 (ctr), RFC 6668 with
 * encrypt-then-MAC of PROTOCOL section 1.5, or (legacy) as RFC 4253 section 6.4 has it */
int ssh_cipher_open(struct ssh_cipher *c, uint32_t seq, uint8_t *packet, uint32_t length) MUST_USE;
/* ssh_cipher_seal - encrypt a packet that is made of parts: head (length field, padding length, first bytes of the payload),
 * body (more payload; may be empty) and tail (padding; may be empty), one after the other, into out, and append the tag.
 *   head     at least 4 bytes; all parts together at most 4 + SSH_CIPHER_LENGTH_MAX (PRECOND)
 *   out      head.len + body.len + tail.len + tag bytes; may be head.ptr itself only when body and tail are empty or follow in place
 *   errors   SP_ECRYPTO */
int ssh_cipher_seal(struct ssh_cipher *c, uint32_t seq, struct span head, struct span body, struct span tail,
    uint8_t *out) MUST_USE;
#endif
