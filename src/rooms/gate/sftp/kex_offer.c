/* kex_offer.c - the algorithms of a key exchange: the offer, and RFC 4253 section 7.1's choice. */
#include "rooms/gate/sftp/kex.h"

#include "base/conf.h"

static void
offer_name(struct kex_list *o, const char *name)
{
	if (o->t.len != 0)
		text_chr(&o->t, ',');
	text_str(&o->t, name);
}

static const struct {
	enum ssh_host_key type;
	const char *name;
	bool fips;
} host_keys[] = {
    {SSH_HOST_ED25519, "ssh-ed25519", false},
    {SSH_HOST_ECDSA_P256, "ecdsa-sha2-nistp256", true},
    {SSH_HOST_RSA_SHA512, "rsa-sha2-512", true},
    {SSH_HOST_RSA_SHA256, "rsa-sha2-256", true},
};
#define CURVE25519_OLD "curve25519-sha256@libssh.org" /* the same method under its first name */

static void
offer_kex(const struct stream *s, struct kex_list *o)
{
	size_t n;
	const struct ssh_kex_row *rows = ssh_kex_rows(&n);

	for (size_t i = 0; i < n; i++) {
		if (s->start->conf->fips && !rows[i].fips)
			continue;
		offer_name(o, rows[i].name);
		if (rows[i].id == SSH_KEX_ID_CURVE25519)
			offer_name(o, CURVE25519_OLD);
	}
	/* PROTOCOL section 1.9: only the first KEXINIT says it */
	if (!s->keyed)
		offer_name(o, "kex-strict-s-v00@openssh.com");
}

static void
offer_ciphers(const struct stream *s, struct kex_list *ciphers, struct kex_list *macs)
{
	size_t n;
	const struct ssh_cipher_row *c = ssh_cipher_rows(&n);
	const struct ssh_mac_row *m;

	for (size_t i = 0; i < n; i++)
		if (c[i].fips || !s->start->conf->fips)
			offer_name(ciphers, c[i].name);
	m = ssh_mac_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (m[i].fips || !s->start->conf->fips)
			offer_name(macs, m[i].name);
}

void
kex_offer(const struct stream *s, struct kex_offers *o)
{
	struct kex_list *all[] = {&o->kex, &o->host, &o->cipher, &o->mac};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i]->t = text_of(all[i]->text, sizeof(all[i]->text));
	offer_kex(s, &o->kex);
	for (size_t i = 0; i < ARRAY_LEN(host_keys); i++)
		if ((s->start->host_keys & host_keys[i].type) != 0 &&
		    (host_keys[i].fips || !s->start->conf->fips))
			offer_name(&o->host, host_keys[i].name);
	offer_ciphers(s, &o->cipher, &o->mac);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		VERIFY(!all[i]->t.bad);
}

const char *
kex_host_key_name(enum ssh_host_key type)
{
	for (size_t i = 0; i < ARRAY_LEN(host_keys); i++)
		if (host_keys[i].type == type)
			return host_keys[i].name;
	return "";
}

/* ---- choosing: RFC 4253 section 7.1 ---- */

static const struct ssh_kex_row *
kex_of(struct span name)
{
	size_t n;
	const struct ssh_kex_row *rows = ssh_kex_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (span_eq_str(name, rows[i].name) ||
		    (rows[i].id == SSH_KEX_ID_CURVE25519 && span_eq_str(name, CURVE25519_OLD)))
			return &rows[i];
	return NULL; /* a marker, and no method */
}

/* The client's first cipher that we have and that may be used: some only with strict key exchange
 * (Terrapin). */
static const struct ssh_cipher_row *
cipher_of(const struct stream *s, struct span theirs)
{
	size_t n;
	const struct ssh_cipher_row *rows = ssh_cipher_rows(&n);
	struct span name;

	while (ssh_list_next(&theirs, &name))
		for (size_t i = 0; i < n; i++)
			if (span_eq_str(name, rows[i].name) &&
			    (s->strict || !rows[i].needs_strict) &&
			    (rows[i].fips || !s->start->conf->fips))
				return &rows[i];
	return NULL;
}

static const struct ssh_mac_row *
mac_of(const struct stream *s, struct span theirs)
{
	size_t n;
	const struct ssh_mac_row *rows = ssh_mac_rows(&n);
	struct span name;

	while (ssh_list_next(&theirs, &name))
		for (size_t i = 0; i < n; i++)
			if (span_eq_str(name, rows[i].name) &&
			    (rows[i].fips || !s->start->conf->fips))
				return &rows[i];
	return NULL;
}

static struct span
first_of(struct span list)
{
	struct span name = span_of(NULL, 0);

	(void)ssh_list_next(&list, &name); /* an empty list has an empty first name */
	return name;
}

static const char *
choose_kex(const struct kex_offers *o, const struct ssh_kexinit *m, struct kex_chosen *ret)
{
	struct span name, theirs = m->list[SSH_KEX_LIST], ours = text_span(&o->kex.t);

	ret->kex = NULL;
	while (ret->kex == NULL && ssh_list_next(&theirs, &name)) {
		struct span one = name, same;

		if (ssh_choose(one, ours, &same))
			ret->kex = kex_of(same);
	}
	if (ret->kex == NULL)
		return "no common key exchange method";
	if (!ssh_choose(m->list[SSH_HOSTKEY_LIST], text_span(&o->host.t), &name))
		return "no common host key algorithm";
	for (size_t i = 0; i < ARRAY_LEN(host_keys); i++)
		if (span_eq_str(name, host_keys[i].name))
			ret->host_key = host_keys[i].type;
	ret->guessed_wrong =
	    m->first_follows &&
	    (!span_eq(first_of(m->list[SSH_KEX_LIST]), first_of(ours)) ||
		!span_eq(first_of(m->list[SSH_HOSTKEY_LIST]), first_of(text_span(&o->host.t))));
	return NULL;
}

const char *
kex_choose(const struct stream *s, const struct kex_offers *o, const struct ssh_kexinit *m,
    struct kex_chosen *ret)
{
	const char *why = choose_kex(o, m, ret);

	if (why != NULL)
		return why;
	ret->in = cipher_of(s, m->list[SSH_CIPHER_IN]);
	ret->out = cipher_of(s, m->list[SSH_CIPHER_OUT]);
	if (ret->in == NULL || ret->out == NULL)
		return "no common cipher (chacha20-poly1305 needs strict key exchange)";
	if (!ret->in->has_tag && (ret->mac_in = mac_of(s, m->list[SSH_MAC_IN])) == NULL)
		return "no common MAC (encrypt-then-MAC with SHA-2 is needed)";
	if (!ret->out->has_tag && (ret->mac_out = mac_of(s, m->list[SSH_MAC_OUT])) == NULL)
		return "no common MAC (encrypt-then-MAC with SHA-2 is needed)";
	if (!ssh_list_has(m->list[SSH_ZIP_IN], "none") ||
	    !ssh_list_has(m->list[SSH_ZIP_OUT], "none"))
		return "compression is not offered";
	return NULL;
}
