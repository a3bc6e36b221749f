/* dpop.c - see dpop.h. */
#include "proto/http/dpop.h"

#include "base/text.h"

/* Members of header and payload that mean something; anything else is skipped, as RFC 7519 section
 * 4 says. */
enum { TYP, ALG, KTY, CRV, X, Y, JTI, HTM, HTU, IAT, ATH, NONCE, N_MEMBERS };
static const struct member {
	const char *in; /* of which object: "" the outer one */
	const char *name;
	char kind; /* of value: '"' string, '0' number */
	bool is_claim, is_needed;
} members[N_MEMBERS] = {
    [TYP] = {"", "typ", '"', false, true},
    [ALG] = {"", "alg", '"', false, true},
    [KTY] = {"jwk", "kty", '"', false, true},
    [CRV] = {"jwk", "crv", '"', false, true},
    [X] = {"jwk", "x", '"', false, true},
    [Y] = {"jwk", "y", '"', false, true},
    [JTI] = {"", "jti", '"', true, true},
    [HTM] = {"", "htm", '"', true, true},
    [HTU] = {"", "htu", '"', true, true},
    [IAT] = {"", "iat", '0', true, true},
    [ATH] = {"", "ath", '"', true, false},
    [NONCE] = {"", "nonce", '"', true, false},
};

struct reader {
	struct span left;
	bool is_claims;
	struct span got[N_MEMBERS]; /* ptr NULL: not seen */
};

static uint8_t
peek(struct reader *r)
{
	while (r->left.len != 0 && (r->left.ptr[0] == ' ' || r->left.ptr[0] == '\t' ||
				       r->left.ptr[0] == '\n' || r->left.ptr[0] == '\r'))
		r->left = span_skip(r->left, 1);
	return r->left.len != 0 ? r->left.ptr[0] : 0;
}

static bool
take(struct reader *r, uint8_t c)
{
	if (peek(r) != c)
		return false;
	r->left = span_skip(r->left, 1);
	return true;
}

/* RFC 8259 section 7, without escapes: nothing in a proof needs one. */
static int
string(struct reader *r, struct span *ret)
{
	size_t n;

	if (!take(r, '"'))
		return SP_ESYNTAX;
	n = span_find(r->left, '"');
	*ret = span_cut(r->left, n);
	if (n == r->left.len || !utf8_valid(*ret))
		return SP_ESYNTAX;
	for (size_t i = 0; i < n; i++)
		if (ret->ptr[i] < 0x20 || ret->ptr[i] == '\\')
			return SP_ESYNTAX;
	r->left = span_skip(r->left, n + 1);
	return SP_OK;
}

/* A number, true, false or null: its text is looked at where it means something. */
static int
bare(struct reader *r, struct span *ret)
{
	size_t n = 0;

	(void)peek(r);
	while (n < r->left.len) {
		uint8_t c = r->left.ptr[n], low = (uint8_t)(c | 0x20);

		if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'z') && c != '.' &&
		    c != '-' && c != '+')
			break;
		n++;
	}
	*ret = span_cut(r->left, n);
	r->left = span_skip(r->left, n);
	return n != 0 ? SP_OK : SP_ESYNTAX;
}

static int
note(struct reader *r, const char *in, struct span name, char kind, struct span value)
{
	/* a private key (RFC 9449 section 4.3 step 7), or what one must understand (RFC 7515
	 * section 4.1.11) */
	if (!r->is_claims && (span_eq_str(name, "d") || span_eq_str(name, "crit")))
		return SP_ESYNTAX;
	for (size_t i = 0; i < N_MEMBERS; i++) {
		const struct member *m = &members[i];

		if (m->is_claim != r->is_claims || strcmp(m->in, in) != 0 ||
		    !span_eq_str(name, m->name))
			continue;
		if (r->got[i].ptr != NULL || m->kind != kind || value.len == 0)
			return SP_ESYNTAX;
		r->got[i] = value;
	}
	return SP_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): one level deep */
static int
object(struct reader *r, const char *in)
{
	bool is_outer = in[0] == '\0';

	if (!take(r, '{'))
		return SP_ESYNTAX;
	if (take(r, '}'))
		return SP_OK;
	do {
		struct span name, value;
		int rc = string(r, &name);

		if (rc == SP_OK && !take(r, ':'))
			rc = SP_ESYNTAX;
		if (rc < 0)
			return rc;
		if (peek(r) == '{')
			rc = is_outer ? object(r, span_eq_str(name, "jwk") ? "jwk" : "other")
				      : SP_ESYNTAX;
		else if (peek(r) == '"')
			rc = (rc = string(r, &value)) < 0 ? rc : note(r, in, name, '"', value);
		else
			rc = (rc = bare(r, &value)) < 0 ? rc : note(r, in, name, '0', value);
		if (rc < 0)
			return rc;
	} while (take(r, ','));
	return take(r, '}') ? SP_OK : SP_ESYNTAX;
}

/* One part of the JWT, decoded into *buf, which is moved on behind it. */
static int
part(struct reader *r, struct span text, bool is_claims, uint8_t **buf, size_t *left)
{
	size_t n;
	int rc = base64url_get(text, *buf, *left, &n);

	if (rc < 0)
		return SP_ESYNTAX;
	r->left = span_of(*buf, n);
	r->is_claims = is_claims;
	*buf += n;
	*left -= n;
	rc = object(r, "");
	return rc == SP_OK && peek(r) == 0 && r->left.len == 0 ? SP_OK : SP_ESYNTAX;
}

static int
bytes(struct span text, uint8_t *out, size_t want)
{
	size_t n;

	return base64url_get(text, out, want, &n) == SP_OK && n == want ? SP_OK : SP_ESYNTAX;
}

int
dpop_parse(struct span jwt, uint8_t buf[DPOP_MAX], struct dpop *ret)
{
	struct reader r = {.is_claims = false};
	size_t head = span_find(jwt, '.'), claims, left = DPOP_MAX;
	struct span rest = span_skip(jwt, head < jwt.len ? head + 1 : jwt.len);
	uint64_t iat;

	*ret = (struct dpop){.has_ath = false};
	if (jwt.len > DPOP_MAX)
		return SP_ETOOBIG;
	claims = span_find(rest, '.');
	if (claims == rest.len)
		return SP_ESYNTAX;
	ret->input = span_cut(jwt, head + 1 + claims);
	if (bytes(span_skip(rest, claims + 1), ret->signature, sizeof(ret->signature)) < 0 ||
	    part(&r, span_cut(jwt, head), false, &buf, &left) < 0 ||
	    part(&r, span_cut(rest, claims), true, &buf, &left) < 0)
		return SP_ESYNTAX;
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (members[i].is_needed && r.got[i].ptr == NULL)
			return SP_ESYNTAX;
	if (!span_eq_str(r.got[TYP], "dpop+jwt") || !span_eq_str(r.got[ALG], "ES256") ||
	    !span_eq_str(r.got[KTY], "EC") || !span_eq_str(r.got[CRV], "P-256"))
		return SP_ENOTIMPL;
	ret->point[0] = 4;
	if (bytes(r.got[X], ret->point + 1, 32) < 0 || bytes(r.got[Y], ret->point + 33, 32) < 0 ||
	    parse_u64(r.got[IAT], INT64_MAX, &iat) < 0)
		return SP_ESYNTAX;
	ret->has_ath = r.got[ATH].ptr != NULL;
	if (ret->has_ath && bytes(r.got[ATH], ret->ath, sizeof(ret->ath)) < 0)
		return SP_ESYNTAX;
	ret->jti = r.got[JTI];
	ret->htm = r.got[HTM];
	ret->htu = r.got[HTU];
	ret->nonce = span_of(r.got[NONCE].ptr, r.got[NONCE].len);
	return SP_OK;
}

struct span
dpop_thumbprint_text(const struct dpop *d, char out[DPOP_THUMB_TEXT])
{
	struct text t = text_of(out, DPOP_THUMB_TEXT);

	text_str(&t, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	base64url_put(&t, span_of(d->point + 1, 32));
	text_str(&t, "\",\"y\":\"");
	base64url_put(&t, span_of(d->point + 33, 32));
	text_str(&t, "\"}");
	VERIFY(!t.bad);
	return text_span(&t);
}
