/* cosign.c - see cosign.h. */
#include "crypto/cosign.h"

#include "base/wire.h"

#define TYPE 4u
#define ID_BYTES 4u
#define TIME_BYTES 8u
#define SIG_BYTES 64u
#define BODY_MAX 65536u
#define MARK SPAN_LIT("\xE2\x80\x94 ")

int
cosigner_of(struct span name, const uint8_t public_key[32], struct cosigner *ret)
{
	uint8_t buf[COSIGNER_NAME_MAX + 2 + 32], hash[SHA256_BYTES];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd rd = rd_of(span_of(hash, sizeof(hash)));
	struct text t = text_of(ret->name, sizeof(ret->name));
	int r;

	if (name.len > COSIGNER_NAME_MAX || !note_name_ok(name))
		return SP_ESYNTAX;
	text_add(&t, name);
	memcpy(ret->public_key, public_key, 32);
	wr_bytes(&w, name);
	wr_uint(&w, '\n', 1);
	wr_uint(&w, TYPE, 1);
	wr_bytes(&w, span_of(public_key, 32));
	VERIFY(!w.bad && !t.bad);
	r = sha256(wr_span(&w), hash);
	if (r == SP_OK)
		ret->id = (uint32_t)rd_uint(&rd, ID_BYTES);
	return r;
}

int
cosigner_parse(struct span line, struct cosigner *ret)
{
	uint8_t id[ID_BYTES], key[33];
	struct rd rd = rd_of(span_of(id, sizeof(id)));
	struct span name, hex;
	size_t len = 0;
	int r;

	if (line.len != 0 && line.ptr[line.len - 1] == '\n')
		line.len--;
	name = span_cut(line, span_find(line, '+'));
	line = span_skip(line, name.len + 1);
	hex = span_cut(line, span_find(line, '+'));
	line = span_skip(line, hex.len + 1);
	if (parse_hex(hex, id, sizeof(id)) != SP_OK ||
	    base64_get(line, key, sizeof(key), &len) != SP_OK || len != sizeof(key) ||
	    key[0] != TYPE)
		return SP_ESYNTAX;
	r = cosigner_of(name, key + 1, ret);
	if (r == SP_OK && ret->id != (uint32_t)rd_uint(&rd, ID_BYTES))
		r = SP_EVERIFY;
	return r;
}

void
cosigner_put(struct text *t, const struct cosigner *c)
{
	uint8_t key[33] = {TYPE};

	memcpy(key + 1, c->public_key, 32);
	text_fmt(t, "%s+%08x+", c->name, c->id);
	base64_put(t, span_of(key, sizeof(key)));
}

/* The signed message: two lines before the checkpoint's own. */
static struct span
message(char *buf, size_t cap, struct span body, uint64_t time_s)
{
	struct text t = text_of(buf, cap);

	text_str(&t, "cosignature/v1\ntime ");
	text_u64(&t, time_s);
	text_chr(&t, '\n');
	text_add(&t, body);
	return t.bad ? span_of(NULL, 0) : text_span(&t);
}

int
cosign_put(struct text *t, struct span body, const struct cosigner *c, const uint8_t seed[32],
    uint64_t time_s)
{
	DEFER(mem_freep) char *buf = mem_alloc(body.len + 64);
	uint8_t sig[SIG_BYTES], blob[ID_BYTES + TIME_BYTES + SIG_BYTES];
	struct wr w = wr_of(blob, sizeof(blob));
	int r = buf != NULL ? SP_OK : SP_ENOMEM;

	if (r == SP_OK && body.len > BODY_MAX)
		r = SP_ETOOBIG;
	if (r == SP_OK)
		r = ed25519_sign(seed, message(buf, body.len + 64, body, time_s), sig);
	if (r != SP_OK)
		return r;
	wr_uint(&w, c->id, ID_BYTES);
	wr_uint(&w, time_s, TIME_BYTES);
	wr_bytes(&w, span_of(sig, sizeof(sig)));
	VERIFY(!w.bad);
	text_add(t, MARK);
	text_str(t, c->name);
	text_chr(t, ' ');
	base64_put(t, wr_span(&w));
	text_chr(t, '\n');
	return t->bad ? SP_ESPACE : SP_OK;
}

/* line_check - 1: a good cosignature by c; 0: a line of somebody else; SP_EVERIFY, SP_ESYNTAX */
static int
line_check(struct span line, const struct cosigner *c, struct span body, uint64_t *ret_time_s)
{
	DEFER(mem_freep) char *buf = NULL;
	uint8_t blob[ID_BYTES + TIME_BYTES + SIG_BYTES];
	struct rd rd;
	struct span name;
	size_t len = 0;
	uint64_t id, time_s;

	if (!span_starts(line, MARK))
		return SP_ESYNTAX;
	line = span_skip(line, MARK.len);
	name = span_cut(line, span_find(line, ' '));
	if (!span_eq_str(name, c->name) ||
	    base64_get(span_skip(line, name.len + 1), blob, sizeof(blob), &len) != SP_OK ||
	    len != sizeof(blob))
		return 0;
	rd = rd_of(span_of(blob, sizeof(blob)));
	id = rd_uint(&rd, ID_BYTES);
	time_s = rd_uint(&rd, TIME_BYTES);
	if (id != c->id)
		return 0;
	buf = mem_alloc(body.len + 64);
	if (buf == NULL)
		return SP_ENOMEM;
	if (time_s > INT64_MAX ||
	    ed25519_verify(c->public_key, message(buf, body.len + 64, body, time_s),
		blob + ID_BYTES + TIME_BYTES) != SP_OK)
		return SP_EVERIFY;
	*ret_time_s = time_s;
	return 1;
}

int
cosign_check(struct span note, const struct cosigner *c, uint64_t *ret_time_s)
{
	struct span body, sigs;
	uint64_t time_s = 0;
	bool good = false;
	int r = note_split(note, &body, &sigs);

	if (r == SP_OK && body.len > BODY_MAX)
		r = SP_ESYNTAX;
	while (r == SP_OK && sigs.len != 0) {
		struct span line = span_cut(sigs, span_find(sigs, '\n'));

		sigs = span_skip(sigs, line.len + 1);
		r = line_check(line, c, body, &time_s);
		good = good || r == 1;
		r = r == 1 ? SP_OK : r;
	}
	if (r == SP_OK && good)
		*ret_time_s = time_s;
	return r != SP_OK ? r : good ? SP_OK : SP_EVERIFY;
}
