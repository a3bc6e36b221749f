/* tls_provider.h - an OpenSSL provider whose private keys are a socket to the signer.
 *
 * It offers key management and signatures for EC, RSA and ED25519 keys of which only the public
 * half is here. digest_sign hands the whole structure to be signed to the signer room, which looks
 * at it before it signs (proto/tls/tls_input.h); no digest is ever computed here.
 */
#ifndef SP_GATE_HTTPS_TLS_PROVIDER_H
#define SP_GATE_HTTPS_TLS_PROVIDER_H

#include <openssl/types.h>

#include "ipc/chan.h"

struct tls_signer {
	struct chan *chan; /* borrowed */
	int timeout_ms;	   /* for one signature */
	int err;	   /* out: why the last signature failed, SP_OK if it did not */
};

/* tls_provider_load - once per process, before the sandbox: registers and activates "sallyport"
 * beside "default". No configuration file is read.  errors SP_ECRYPTO */
int tls_provider_load(void) MUST_USE;

/* tls_provider_key - a key that OpenSSL takes for the private half of public_key.
 *   public_key  of a certificate; not kept
 *   signer      borrowed for the key's life
 *   ret         owned by the caller (EVP_PKEY_free)
 *   errors      SP_ERANGE (another kind of key), SP_ECRYPTO */
int tls_provider_key(EVP_PKEY *public_key, struct tls_signer *signer, EVP_PKEY **ret) MUST_USE;
#endif
