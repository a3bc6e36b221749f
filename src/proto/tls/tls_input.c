/* tls_input.c - see tls_input.h. */
#include "proto/tls/tls_input.h"

#include "base/wire.h"

#define SPACES 64u
#define RANDOM_BYTES 32u
#define NAMED_CURVE 3u
#define POINT_UNCOMPRESSED 4u

/* The named groups that our workers offer, and the length of their points on the wire. */
static const struct group {
	uint16_t id;
	uint8_t point_bytes;
	bool is_nist; /* the point says its form in its first byte */
} groups[] = {
    {23, 65, true},  /* secp256r1 */
    {24, 97, true},  /* secp384r1 */
    {29, 32, false}, /* x25519 */
};

static const struct group *
group_of(uint64_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (groups[i].id == id)
			return &groups[i];
	return NULL;
}

bool
tls_input_13(struct span input)
{
	static const char context[] =
	    "TLS 1.3, server CertificateVerify"; /* its NUL is the separator */
	struct rd r = rd_of(input);

	for (size_t i = 0; i < SPACES; i++)
		if (rd_uint(&r, 1) != 0x20)
			return false;
	if (!span_eq(rd_take(&r, sizeof(context)), span_of(context, sizeof(context))))
		return false;
	return !r.bad && (r.left == 32 || r.left == 48);
}

bool
tls_input_12(struct span input)
{
	struct rd r = rd_of(input);
	const struct group *group;
	struct span point;

	(void)rd_take(&r, RANDOM_BYTES); /* the client's */
	(void)rd_take(&r, RANDOM_BYTES); /* the server's */
	if (rd_uint(&r, 1) != NAMED_CURVE)
		return false;
	group = group_of(rd_uint(&r, 2));
	if (group == NULL || rd_uint(&r, 1) != group->point_bytes)
		return false;
	point = rd_take(&r, group->point_bytes);
	if (!rd_done(&r))
		return false;
	return !group->is_nist || point.ptr[0] == POINT_UNCOMPRESSED;
}

int
tls_input_check(struct span input, enum tls_input *ret)
{
	if (tls_input_13(input))
		*ret = TLS_INPUT_13;
	else if (tls_input_12(input))
		*ret = TLS_INPUT_12;
	else
		return SP_ESYNTAX;
	return SP_OK;
}
