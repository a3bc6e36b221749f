/* ssh_cert.c - users' certificates: PROTOCOL.certkeys; see ssh_key.h. */
#include "crypto/ssh_inner.h"
#include "crypto/ssh_key.h"

#include <arpa/inet.h>

#define CERT_USER 1u
#define CERT_HOST 2u
#define PRINCIPALS_MAX 256u /* as OpenSSH */
#define OPTIONS_MAX 64u
#define ADDRESS_MAX 63u /* bytes of an address as text */

bool
ssh_cert_is(struct span algorithm)
{
	struct span end = SPAN_LIT("-cert-v01@openssh.com");

	return algorithm.len > end.len &&
	       span_eq(span_skip(algorithm, algorithm.len - end.len), end);
}

bool
ssh_cert_principal(struct span *list, struct span *ret)
{
	struct rd r = rd_of(*list);
	struct span s = ssh_rd_string(&r);

	if (r.bad)
		return false;
	*list = span_of(r.ptr, r.left);
	*ret = s;
	return true;
}

/* The next pair of a list of options; false at its end, and where it is broken. */
static bool
next_option(struct rd *list, struct span *ret_name, struct span *ret_data)
{
	if (list->bad || list->left == 0)
		return false;
	*ret_name = ssh_rd_string(list);
	*ret_data = ssh_rd_string(list);
	return !list->bad;
}

static bool
principals_ok(struct span list)
{
	struct span one;
	unsigned n = 0;

	while (ssh_cert_principal(&list, &one))
		if (++n > PRINCIPALS_MAX)
			return false;
	return list.len == 0;
}

/* Is a sorted before b?  By bytes, the shorter one first. */
static bool
before(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n != 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return c < 0 || (c == 0 && a.len < b.len);
}

/* "Options must be lexically ordered by name ... Each named option may only appear once": with two
 * of a name it would be open which one is meant.  Extensions are held to the form alone: nothing
 * here depends on them. */
static bool
options_ok(struct span list, bool critical)
{
	struct rd r = rd_of(list);
	struct span name, data, last = span_of(NULL, 0);
	unsigned n = 0;

	while (next_option(&r, &name, &data)) {
		if (++n > OPTIONS_MAX || (critical && !before(last, name)))
			return false;
		last = name;
	}
	return rd_done(&r);
}

/* The plain key blob: its name, and the fields as they are in the certificate. */
static int
take_key(struct rd *r, const struct ssh_kind_row *row, uint8_t *out, size_t cap, struct span *ret)
{
	struct rd fields = *r;
	struct wr w = wr_of(out, cap);

	for (unsigned i = 0; i < row->fields; i++)
		(void)ssh_rd_string(r); /* read by ssh_key_check, below */
	if (r->bad)
		return SP_ESYNTAX;
	ssh_wr_string(&w, span_str(row->blob));
	wr_bytes(&w, span_of(fields.ptr, fields.left - r->left));
	if (w.bad)
		return SP_ESPACE;
	*ret = wr_span(&w);
	return ssh_key_check(*ret, NULL);
}

/* All behind the key. */
static int
parse_rest(struct rd *r, struct span blob, struct ssh_cert *c)
{
	c->serial = rd_uint(r, 8);
	c->type = (uint32_t)rd_uint(r, 4);
	c->key_id = ssh_rd_string(r);
	c->principals = ssh_rd_string(r);
	c->after = rd_uint(r, 8);
	c->before = rd_uint(r, 8);
	c->critical = ssh_rd_string(r);
	c->extensions = ssh_rd_string(r);
	(void)ssh_rd_string(r); /* reserved: "ignored" */
	c->ca = ssh_rd_string(r);
	c->signed_part = span_cut(blob, blob.len - r->left);
	c->signature = ssh_rd_string(r);
	if (!rd_done(r) || !principals_ok(c->principals) || !options_ok(c->critical, true) ||
	    !options_ok(c->extensions, false))
		return SP_ESYNTAX;
	if (c->type != CERT_USER && c->type != CERT_HOST)
		return SP_ERANGE;
	return ssh_key_check(c->ca, NULL);
}

int
ssh_cert_parse(struct span blob, uint8_t *key_out, size_t cap, struct ssh_cert *ret)
{
	struct rd r = rd_of(blob);
	struct span name = ssh_rd_string(&r);
	const struct ssh_kind_row *row = ssh_kind_by_certificate(name);
	struct ssh_cert c = {0};
	int err;

	if (r.bad || name.len == 0)
		return SP_ESYNTAX;
	if (row == NULL || blob.len > SSH_CERT_BLOB_MAX)
		return SP_ERANGE;
	(void)ssh_rd_string(&r); /* nonce: the signature is over it, nobody else needs it */
	err = take_key(&r, row, key_out, cap, &c.key);
	if (err == SP_OK)
		err = parse_rest(&r, blob, &c);
	if (err == SP_OK)
		*ret = c;
	return err;
}

int
ssh_cert_verify(const struct ssh_cert *c, bool fips)
{
	struct rd r = rd_of(c->signature);
	struct span algorithm = ssh_rd_string(&r);

	if (r.bad)
		return SP_ESYNTAX;
	return ssh_key_verify(c->ca, algorithm, c->signed_part, c->signature, fips);
}

/* ---- what it allows ---- */

struct address {
	uint8_t bytes[16];
	unsigned bits; /* 32 or 128 */
};

static bool
address_of(struct span text, struct address *ret)
{
	char copy[ADDRESS_MAX + 1] = {0};

	if (text.len == 0 || text.len > ADDRESS_MAX || span_find(text, 0) != text.len)
		return false;
	memcpy(copy, text.ptr, text.len);
	*ret = (struct address){{0}, 32};
	if (inet_pton(AF_INET, copy, ret->bytes) == 1)
		return true;
	ret->bits = 128;
	return inet_pton(AF_INET6, copy, ret->bytes) == 1;
}

/* The client's: without a zone, and an IPv4 client of an IPv6 socket as what it is. */
static bool
client_of(struct span text, struct address *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct address a;

	if (!address_of(span_cut(text, span_find(text, '%')), &a))
		return false;
	if (a.bits == 128 && memcmp(a.bytes, mapped, sizeof(mapped)) == 0) {
		memmove(a.bytes, a.bytes + sizeof(mapped), 4);
		a.bits = 32;
	}
	*ret = a;
	return true;
}

/* Decimal digits only; at most max. */
static bool
number(struct span s, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	if (s.len == 0 || s.len > 3)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		v = v * 10 + (s.ptr[i] - '0');
	}
	*ret = v;
	return v <= max;
}

static bool
bit_at(const struct address *a, unsigned i)
{
	return (a->bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* One "address/bits" or "address" of a list: 1 it is in there, 0 it is not, -1 that is no such
 * thing.  As OpenSSH, bits behind the mask have to be zero. */
static int
match_one(struct span text, const struct address *client)
{
	size_t slash = span_find(text, '/');
	struct address net;
	unsigned bits;

	if (!address_of(span_cut(text, slash), &net))
		return -1;
	bits = net.bits;
	if (slash != text.len && !number(span_skip(text, slash + 1), net.bits, &bits))
		return -1;
	for (unsigned i = bits; i < net.bits; i++)
		if (bit_at(&net, i))
			return -1;
	if (net.bits != client->bits)
		return 0;
	for (unsigned i = 0; i < bits; i++)
		if (bit_at(&net, i) != bit_at(client, i))
			return 0;
	return 1;
}

/* A list with one entry that cannot be read refuses everybody: who wrote it meant something. */
static const char *
source_refuses(struct span data, struct span address)
{
	struct rd r = rd_of(data);
	struct span list = ssh_rd_string(&r);
	struct address client;
	bool found = false;

	if (!rd_done(&r) || list.len == 0)
		return "the certificate's source-address is malformed";
	if (!client_of(address, &client))
		return "the client's address is not known";
	for (bool more = true; more;) {
		size_t n = span_find(list, ',');
		int m = match_one(span_cut(list, n), &client);

		if (m < 0)
			return "the certificate's source-address is malformed";
		found = found || m > 0;
		more = n != list.len;
		list = span_skip(list, n + 1);
	}
	return found ? NULL : "the certificate is not for the client's address";
}

static const char *
command_refuses(struct span data)
{
	struct rd r = rd_of(data);
	struct span command = ssh_rd_string(&r);

	if (!rd_done(&r) || !span_eq_str(command, "internal-sftp"))
		return "the certificate forces a command other than internal-sftp";
	return NULL;
}

/* NULL: all critical options are obeyed. */
static const char *
critical_refuses(struct span list, struct span address)
{
	struct rd r = rd_of(list);
	struct span name, data;
	const char *why = NULL;

	while (why == NULL && next_option(&r, &name, &data)) {
		if (span_eq_str(name, "source-address"))
			why = source_refuses(data, address);
		else if (span_eq_str(name, "force-command"))
			why = command_refuses(data);
		else if (span_eq_str(name, "verify-required"))
			why = "the certificate requires user verification, which is not supported";
		else
			why = "the certificate has an unknown critical option";
	}
	if (why == NULL && !rd_done(&r))
		why = "the certificate's critical options are malformed";
	return why;
}

static bool
names_user(struct span list, struct span user)
{
	struct span one;

	while (ssh_cert_principal(&list, &one))
		if (one.len != 0 && span_eq(one, user))
			return true;
	return false;
}

int
ssh_cert_allows(const struct ssh_cert *c, struct span user, uint64_t now_s, struct span address,
    const char **ret_why)
{
	const char *why = NULL;

	if (c->type != CERT_USER)
		why = "the certificate is not for a user";
	else if (c->principals.len == 0)
		why = "the certificate names no principals";
	else if (!names_user(c->principals, user))
		why = "the user is not among the certificate's principals";
	else if (now_s < c->after)
		why = "the certificate is not valid yet";
	else if (now_s >= c->before)
		why = "the certificate has expired";
	else
		why = critical_refuses(c->critical, address);
	if (why == NULL)
		return SP_OK;
	*ret_why = why;
	return SP_EAUTH;
}
