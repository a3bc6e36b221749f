/* es256.c - JOSE's ECDSA on P-256: another envelope around what SSH keys do. */
#include "crypto/ssh_inner.h"

#include "crypto/ssh_key.h"

int
es256_verify(const uint8_t point[65], struct span data, const uint8_t signature[64])
{
	const struct span name = SPAN_LIT("ecdsa-sha2-nistp256");
	uint8_t key[160], numbers[80], envelope[160];
	struct wr k = wr_of(key, sizeof(key)), n = wr_of(numbers, sizeof(numbers)),
		  e = wr_of(envelope, sizeof(envelope));
	int rc;

	ssh_wr_string(&k, name);
	ssh_wr_string(&k, SPAN_LIT("nistp256"));
	ssh_wr_string(&k, span_of(point, 65));
	ssh_wr_mpint(&n, span_of(signature, 32));
	ssh_wr_mpint(&n, span_of(signature + 32, 32));
	ssh_wr_string(&e, name);
	ssh_wr_string(&e, wr_span(&n));
	VERIFY(!k.bad && !n.bad && !e.bad);
	rc = ssh_key_verify(wr_span(&k), name, data, wr_span(&e), false);
	return rc == SP_OK ? SP_OK : rc == SP_ENOMEM ? rc : SP_EAUTH;
}
