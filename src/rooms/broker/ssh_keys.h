/* ssh_keys.h - does an offered key or certificate belong to an account, and does the signature
 * prove it? */
#ifndef SP_BROKER_SSH_KEYS_H
#define SP_BROKER_SSH_KEYS_H

#include "crypto/ssh_key.h"
#include "rooms/broker/login.h"

/* What a client offers: LOGIN_KEY's spans, borrowed. */
struct ssh_offer {
	struct span algorithm, key, signature;
};

/* Which key it is: for the proof, and for the record. */
struct ssh_key_found {
	char fingerprint[SSH_FINGERPRINT_TEXT];
	int64_t row;	     /* of ssh_key; of ssh_ca when it is a certificate */
	bool by_certificate; /* then also: */
	char ca_fingerprint[SSH_FINGERPRINT_TEXT];
	char cert_id[256];		     /* cut to what fits, valid UTF-8 */
	uint64_t cert_serial, cert_before_s; /* valid to just before then, since 1970 */
	uint8_t plain[SSH_KEY_BLOB_MAX];     /* the key itself: what was offered, or what is in the
						certificate */
	size_t plain_len;
};

/* ssh_key_find - is the offered key registered for the account, or certified by an authority of
 * its organisation?  The same work for id 0, which is nobody's.
 *   address  of the client, with port, as the gate wrote it
 *   ret_why  on SP_EAUTH: static text for the record
 *   errors   SP_EAUTH; those of the database */
int ssh_key_find(struct db *db, const struct account *a, const struct ssh_offer *o,
    const char *address, int64_t now_us, bool fips, struct ssh_key_found *ret,
    const char **ret_why) MUST_USE;
/* ssh_key_prove - is the signature over what RFC 4252 section 7 says, made with that key?
 *   session  the identifier that the signer vouched for
 *   user     the name of the first request
 *   errors   SP_EAUTH for everything that is no valid signature; SP_ENOMEM */
int ssh_key_prove(const struct ssh_key_found *k, const struct ssh_offer *o, struct span session,
    struct span user, bool fips) MUST_USE;
/* ssh_key_still - is the key, or its authority, still registered, and the certificate not over?
 * inside the transaction: its use is noted.  errors SP_EAUTH */
int ssh_key_still(
    struct db *db, const struct account *a, const struct ssh_key_found *k, int64_t now_us) MUST_USE;
/* ssh_address - "192.0.2.1:4444" or "[2001:db8::1]:4444" without brackets and port; an IPv4 address
 * that comes as IPv6 as what it is. */
struct span ssh_address(const char *peer);
/* ssh_plain_algorithm - the signature algorithm behind a certificate's name ("rsa-sha2-512" of
 * "rsa-sha2-512-cert-v01@openssh.com"); of a plain name itself.  buf: SSH_ALGORITHM_TEXT. */
#define SSH_ALGORITHM_TEXT 80u
struct span ssh_plain_algorithm(struct span name, char *buf);
#endif
