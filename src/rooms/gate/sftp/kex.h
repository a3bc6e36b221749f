/* kex.h - what is offered in a key exchange, and what of it is chosen. */
#ifndef SP_GATE_SFTP_KEX_H
#define SP_GATE_SFTP_KEX_H

#include "base/text.h"
#include "rooms/gate/sftp/engine.h"

/* One list of our KEXINIT, in text. */
struct kex_list {
	char text[512];
	struct text t;
};
struct kex_offers {
	struct kex_list kex, host, cipher, mac;
};
/* kex_offer - the lists of our KEXINIT, for a first or a later exchange of this connection. */
void kex_offer(const struct stream *s, struct kex_offers *ret);

struct kex_chosen {
	const struct ssh_kex_row *kex;
	enum ssh_host_key host_key;
	const struct ssh_cipher_row *in, *out;
	const struct ssh_mac_row *mac_in, *mac_out; /* NULL: the cipher has its own */
	bool guessed_wrong;			    /* the next packet is to be ignored */
};
/* kex_choose - RFC 4253 section 7.1: the client's first choice that we offer, list by list.
 *   ret      zeroed by the caller
 *   returns  NULL, or why nothing fits: a static sentence for the client */
const char *kex_choose(const struct stream *s, const struct kex_offers *o,
    const struct ssh_kexinit *m, struct kex_chosen *ret);
/* kex_host_key_name - the algorithm's name, static. */
const char *kex_host_key_name(enum ssh_host_key type);
#endif
