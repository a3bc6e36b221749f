/* tus_said.h - what a tus client says of an upload when it makes it; later it is all in the
 * upload's address.
 *
 * The address is no secret, and its owner may write what he likes into it: the broker checks
 * folder, name, rights and quotas each time for who asks, finds the upload by its tag among his own
 * alone, and holds it to the length that it was made with.
 */
#ifndef SP_GATE_HTTPS_TUS_SAID_H
#define SP_GATE_HTTPS_TUS_SAID_H

#include "rooms/gate/https/conn.h"

#define TUS_METADATA_MAX 2048u /* bytes of Upload-Metadata */

struct tus_said {
	uint64_t tag, created_us; /* ours: the broker's name for it, and when */
	uint64_t length;	  /* bytes of the whole */
	uint8_t metadata[TUS_METADATA_MAX];
	size_t metadata_len; /* as it was given */
	/* of the metadata */
	uint64_t folder;
	uint8_t name[255];
	size_t name_len;
	bool overwrite, has_sha256;
	uint8_t sha256[32]; /* of the whole */
};

/* tus_said_new - take it from the request that makes an upload.
 *   ret_why  of SP_ESYNTAX and SP_ETOOBIG: a sentence for the client, static, or NULL
 *   errors   SP_ESYNTAX, SP_ENAME, SP_ETOOBIG (over BodyMax, or metadata over TUS_METADATA_MAX) */
int tus_said_new(const struct conn *c, struct tus_said *ret, const char **ret_why) MUST_USE;
/* tus_said_get - from the address, parameter 0 of the route.  errors SP_ENOTFOUND */
int tus_said_get(const struct conn *c, struct tus_said *ret) MUST_USE;
/* tus_said_put - the address, appended to t. */
void tus_said_put(struct text *t, const struct tus_said *s);
/* tus_number - a field of the request that must be there, a number.  errors SP_ESYNTAX */
int tus_number(const struct conn *c, const char *name, uint64_t *ret) MUST_USE;
#endif
