/* ssh_keys.c - see ssh_keys.h. */
#include "rooms/broker/ssh_keys.h"

#include "base/text.h"
#include "proto/ssh/ssh.h"

#define CERT_SUFFIX "-cert-v01@openssh.com"
#define CERT_USER 1u
#define SERVICE "ssh-connection"
/* session, user, algorithm, key, and the fields between them */
#define SIGNED_MAX (64u + 255u + 64u + SSH_CERT_BLOB_MAX + 128u)

struct span
ssh_plain_algorithm(struct span name, char *buf)
{
	const struct span suffix = SPAN_LIT(CERT_SUFFIX);
	struct text t = text_of(buf, SSH_ALGORITHM_TEXT);

	if (!ssh_cert_is(name) || name.len <= suffix.len)
		return name;
	text_add(&t, span_cut(name, name.len - suffix.len));
	/* the plain names of keys on security tokens have a domain of their own */
	if (span_starts(name, SPAN_LIT("sk-")))
		text_str(&t, "@openssh.com");
	return text_span(&t);
}

struct span
ssh_address(const char *peer)
{
	struct span s = span_str(peer);
	size_t colon = span_find(s, ':');

	if (s.len != 0 && s.ptr[0] == '[') {
		s = span_skip(s, 1);
		s = span_cut(s, span_find(s, ']'));
		return span_starts(s, SPAN_LIT("::ffff:")) && span_find(s, '.') < s.len
			   ? span_skip(s, 7)
			   : s;
	}
	/* a bare IPv6 address has more than one colon */
	if (colon < s.len && span_find(span_skip(s, colon + 1), ':') == s.len - colon - 1)
		return span_cut(s, colon);
	return s;
}

/* a row of ssh_key or ssh_ca: is the very blob there? */
static int
find_row(struct db *db, enum sql_id id, int64_t owner, const char *fingerprint, struct span blob,
    int64_t *ret_row)
{
	DEFER(sql_end)
	struct sql q = sql_query(db, id, SI(owner), ST(span_str(fingerprint)));
	int64_t row;
	int err = sql_step(&q);

	if (err != 1)
		return err;
	row = sql_i64(&q);
	if (!span_eq(sql_blob(&q), blob))
		return 0;
	*ret_row = row;
	return 1;
}

static int
find_plain(struct db *db, const struct account *a, struct span key, struct ssh_key_found *ret,
    const char **ret_why)
{
	int err;

	if (key.len > sizeof(ret->plain) || ssh_key_check(key, NULL) != SP_OK) {
		*ret_why = "a key of no accepted kind";
		return SP_EAUTH;
	}
	if ((err = ssh_key_fingerprint(key, ret->fingerprint)) != SP_OK)
		return err;
	memcpy(ret->plain, key.ptr, key.len);
	ret->plain_len = key.len;
	err = find_row(db, SQL_SSH_KEY_GET, a->id, ret->fingerprint, key, &ret->row);
	*ret_why = "unknown key";
	return err == 1 ? SP_OK : err < 0 ? err : SP_EAUTH;
}

/* the name an authority gave a certificate is somebody's free text */
static void
note_cert(const struct ssh_cert *c, struct ssh_key_found *ret)
{
	size_t n = 0;

	while (n < c->key_id.len) {
		uint32_t cp;
		size_t len = utf8_next(span_skip(c->key_id, n), &cp);

		if (len == 0 || cp < 0x20 || n + len >= sizeof(ret->cert_id))
			break;
		n += len;
	}
	memcpy(ret->cert_id, c->key_id.ptr, n);
	ret->cert_id[n] = '\0';
	ret->cert_serial = c->serial;
	ret->cert_before_s = c->before;
}

static int
find_certified(struct db *db, const struct account *a, struct span blob, const char *address,
    int64_t now_us, bool fips, struct ssh_key_found *ret, const char **ret_why)
{
	struct ssh_cert c;
	int err;

	*ret_why = "not a certificate that is accepted";
	if (ssh_cert_parse(blob, ret->plain, sizeof(ret->plain), &c) != SP_OK)
		return SP_EAUTH;
	ret->plain_len = c.key.len;
	ret->by_certificate = true;
	note_cert(&c, ret);
	if ((err = ssh_key_fingerprint(c.key, ret->fingerprint)) != SP_OK ||
	    (err = ssh_key_fingerprint(c.ca, ret->ca_fingerprint)) != SP_OK)
		return err;
	err = find_row(db, SQL_SSH_CA_GET, a->org, ret->ca_fingerprint, c.ca, &ret->row);
	*ret_why = "certificate of an unknown authority";
	if (err != 1)
		return err < 0 ? err : SP_EAUTH;
	*ret_why = "certificate's signature";
	if (c.type != CERT_USER || ssh_cert_verify(&c, fips) != SP_OK)
		return SP_EAUTH;
	*ret_why = "certificate";
	return ssh_cert_allows(&c, span_str(a->name), (uint64_t)(now_us / 1000000),
		   ssh_address(address), ret_why) == SP_OK
		   ? SP_OK
		   : SP_EAUTH;
}

/* ours is our own list; a client's name with a comma in it is none of its names */
static bool
ssh_offers(struct span ours, struct span name)
{
	struct span one;

	while (ssh_list_next(&ours, &one))
		if (span_eq(one, name))
			return true;
	return false;
}

int
ssh_key_find(struct db *db, const struct account *a, const struct ssh_offer *o, const char *address,
    int64_t now_us, bool fips, struct ssh_key_found *ret, const char **ret_why)
{
	memset(ret, 0, sizeof(*ret));
	*ret_why = "algorithm that is not accepted";
	if (!ssh_offers(span_str(ssh_key_algorithms(fips)), o->algorithm))
		return SP_EAUTH;
	if (ssh_cert_is(o->algorithm))
		return find_certified(db, a, o->key, address, now_us, fips, ret, ret_why);
	return find_plain(db, a, o->key, ret, ret_why);
}

int
ssh_key_prove(const struct ssh_key_found *k, const struct ssh_offer *o, struct span session,
    struct span user, bool fips)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(SIGNED_MAX);
	struct span plain = span_of(k->plain, k->plain_len);
	char name[SSH_ALGORITHM_TEXT];
	struct wr w;

	if (buf == NULL)
		return SP_ENOMEM;
	w = wr_of(buf, SIGNED_MAX);
	ssh_userauth_signed(&w, session, user, SPAN_LIT(SERVICE), o->algorithm, o->key);
	if (w.bad)
		return SP_EAUTH;
	return ssh_key_verify(plain, ssh_plain_algorithm(o->algorithm, name), wr_span(&w),
		   o->signature, fips) == SP_OK
		   ? SP_OK
		   : SP_EAUTH;
}

int
ssh_key_still(struct db *db, const struct account *a, const struct ssh_key_found *k, int64_t now_us)
{
	int64_t row = 0;
	int err;

	if (k->by_certificate) {
		DEFER(sql_end)
		struct sql q =
		    sql_query(db, SQL_SSH_CA_GET, SI(a->org), ST(span_str(k->ca_fingerprint)));

		err = sql_step(&q);
		row = err == 1 ? sql_i64(&q) : 0;
	} else {
		err = find_row(db, SQL_SSH_KEY_GET, a->id, k->fingerprint,
		    span_of(k->plain, k->plain_len), &row);
	}
	if (err < 0)
		return err;
	if (err == 0 || row != k->row)
		return SP_EAUTH;
	/* the proofs behind it may have taken their time */
	if (k->by_certificate && (uint64_t)(now_us / 1000000) >= k->cert_before_s)
		return SP_EAUTH;
	return k->by_certificate ? SP_OK : sql_run(db, SQL_SSH_KEY_USED, SI(row), SI(now_us));
}
