/* note.c - C2SP signed notes with Ed25519, and checkpoints (tlog-checkpoint) in them. */
#include "crypto/merkle.h"
#include "base/wire.h"

#define ED25519_TYPE 1u
#define KEY_ID_BYTES 4u
#define SIG_BYTES 64u
#define NOTE_MAX (1u << 20)
#define NAME_MAX_LEN 255u

/* "— ": em dash and space, which open a signature line. */
#define SIGNATURE_MARK SPAN_LIT("\xE2\x80\x94 ")

/* A key name: not empty, no white space, no plus, no control character. */
bool
note_name_ok(struct span name)
{
	if (name.len == 0 || name.len > NAME_MAX_LEN || !utf8_valid(name))
		return false;
	while (name.len > 0) {
		uint32_t c = 0;
		size_t n = utf8_next(name, &c);

		if (c <= 0x20 || c == 0x7f || c == '+' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
		    (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
		    c == 0x205f || c == 0x3000)
			return false;
		name = span_skip(name, n);
	}
	return true;
}

int
note_key_id(const char *name, const uint8_t public_key[32], uint32_t *ret)
{
	uint8_t buf[NAME_MAX_LEN + 2 + 32], hash[SHA256_BYTES];
	struct wr w = wr_of(buf, sizeof(buf));
	struct rd rd = rd_of(span_of(hash, sizeof(hash)));
	int r;

	if (!note_name_ok(span_str(name)))
		return SP_ESYNTAX;
	wr_bytes(&w, span_str(name));
	wr_uint(&w, '\n', 1);
	wr_uint(&w, ED25519_TYPE, 1);
	wr_bytes(&w, span_of(public_key, 32));
	VERIFY(!w.bad);
	r = sha256(wr_span(&w), hash);
	if (r == SP_OK)
		*ret = (uint32_t)rd_uint(&rd, 4);
	return r;
}

/* The signature line of the text that t holds so far. */
static int
sign_line(struct text *t, struct span signed_text, const char *name, const uint8_t seed[32])
{
	uint8_t public_key[32], sig[SIG_BYTES], blob[KEY_ID_BYTES + SIG_BYTES];
	struct wr w = wr_of(blob, sizeof(blob));
	uint32_t id = 0;
	int r = ed25519_public(seed, public_key);

	if (r == SP_OK)
		r = note_key_id(name, public_key, &id);
	if (r == SP_OK)
		r = ed25519_sign(seed, signed_text, sig);
	if (r != SP_OK)
		return r;
	wr_uint(&w, id, KEY_ID_BYTES);
	wr_bytes(&w, span_of(sig, sizeof(sig)));
	VERIFY(!w.bad);
	text_chr(t, '\n');
	text_add(t, SIGNATURE_MARK);
	text_str(t, name);
	text_chr(t, ' ');
	base64_put(t, wr_span(&w));
	text_chr(t, '\n');
	return t->bad ? SP_ESPACE : SP_OK;
}

int
checkpoint_sign(struct text *t, const char *origin, uint64_t size, const struct hash *root,
    const uint8_t seed[32])
{
	size_t start = t->len;

	if (!note_name_ok(span_str(origin)))
		return SP_ESYNTAX;
	text_str(t, origin);
	text_chr(t, '\n');
	text_u64(t, size);
	text_chr(t, '\n');
	base64_put(t, span_of(root->b, 32));
	text_chr(t, '\n');
	if (t->bad)
		return SP_ESPACE;
	return sign_line(t, span_skip(text_span(t), start), origin, seed);
}

/* The next line of *s, without its newline; false when there is none. */
static bool
take_line(struct span *s, struct span *ret)
{
	size_t n = span_find(*s, '\n');

	if (n == s->len)
		return false;
	*ret = span_cut(*s, n);
	*s = span_skip(*s, n + 1);
	return true;
}

/* Split a note at its last empty line: the signed text (with its final newline) and the signature
 * lines. */
int
note_split(struct span note, struct span *ret_text, struct span *ret_sigs)
{
	if (note.len > NOTE_MAX || note.len < 3 || note.ptr[note.len - 1] != '\n' ||
	    !utf8_valid(note))
		return SP_ESYNTAX;
	for (size_t i = 0; i < note.len; i++) {
		if (note.ptr[i] < 0x20 && note.ptr[i] != '\n')
			return SP_ESYNTAX;
	}
	for (size_t i = note.len - 1; i > 0; i--) {
		if (note.ptr[i] == '\n' && note.ptr[i - 1] == '\n') {
			*ret_text = span_cut(note, i);
			*ret_sigs = span_skip(note, i + 1);
			return ret_sigs->len > 0 ? SP_OK : SP_ESYNTAX;
		}
	}
	return SP_ESYNTAX;
}

/* Is this decoded signature by the key, and good?  1 yes, 0 not by this key, else an error. */
static int
sig_check(struct span sig, uint32_t id, const uint8_t public_key[32], struct span text)
{
	struct rd rd = rd_of(sig);
	uint64_t sig_id = rd_uint(&rd, KEY_ID_BYTES);
	struct span raw = rd_take(&rd, SIG_BYTES);
	int r;

	if (sig_id != id)
		return 0;
	if (!rd_done(&rd))
		return SP_EVERIFY;
	r = ed25519_verify(public_key, text, raw.ptr);
	return r == SP_OK ? 1 : r;
}

/* One signature line: mark, name, space, base64.  As sig_check; SP_ESYNTAX for anything else. */
static int
line_check(
    struct span line, const char *name, uint32_t id, const uint8_t public_key[32], struct span text)
{
	uint8_t sig[KEY_ID_BYTES + SIG_BYTES];
	size_t len = 0, n;
	struct span who, b64;
	int r;

	if (!span_starts(line, SIGNATURE_MARK))
		return SP_ESYNTAX;
	line = span_skip(line, SIGNATURE_MARK.len);
	n = span_find(line, ' ');
	who = span_cut(line, n);
	b64 = span_skip(line, n + 1);
	if (!note_name_ok(who) || b64.len == 0)
		return SP_ESYNTAX;
	if (!span_eq_str(who, name))
		return 0; /* another's: a witness, say */
	r = base64_get(b64, sig, sizeof(sig), &len);
	if (r == SP_ESPACE)
		return 0; /* of another kind, longer than Ed25519's */
	if (r != SP_OK || len <= KEY_ID_BYTES)
		return SP_ESYNTAX;
	return sig_check(span_of(sig, len), id, public_key, text);
}

/* Every signature line must have the form; one must be by our key, and all by our key must be good.
 */
static int
sigs_check(struct span sigs, const char *name, const uint8_t public_key[32], struct span text)
{
	struct span line;
	uint32_t id = 0;
	bool good = false;
	int r = note_key_id(name, public_key, &id);

	if (r != SP_OK)
		return r;
	while (take_line(&sigs, &line)) {
		r = line_check(line, name, id, public_key, text);
		if (r < 0)
			return r;
		good = good || r == 1;
	}
	return good ? SP_OK : SP_EVERIFY;
}

int
note_sign(struct text *t, const char *name, const uint8_t seed[32])
{
	struct span all = text_span(t);

	if (!note_name_ok(span_str(name)) || t->bad || all.len == 0 || all.ptr[all.len - 1] != '\n')
		return SP_ESYNTAX;
	return sign_line(t, all, name, seed);
}

int
note_open(struct span note, const char *name, const uint8_t public_key[32], struct span *ret_text)
{
	struct span text, sigs;
	int r = note_split(note, &text, &sigs);

	if (r == SP_OK)
		r = sigs_check(sigs, name, public_key, text);
	if (r == SP_OK)
		*ret_text = text;
	return r;
}

/* Origin, size, root; further lines are allowed if not empty. */
static int
checkpoint_parse(struct span text, const char *origin, uint64_t *ret_size, struct hash *ret_root)
{
	struct span line[3], more;
	size_t len = 0;

	for (size_t i = 0; i < 3; i++) {
		if (!take_line(&text, &line[i]) || line[i].len == 0)
			return SP_ESYNTAX;
	}
	while (take_line(&text, &more)) {
		if (more.len == 0)
			return SP_ESYNTAX;
	}
	if (!span_eq_str(line[0], origin))
		return SP_EVERIFY;
	if (parse_u64(line[1], UINT64_MAX, ret_size) != SP_OK)
		return SP_ESYNTAX;
	if (base64_get(line[2], ret_root->b, 32, &len) != SP_OK || len != 32)
		return SP_ESYNTAX;
	return SP_OK;
}

int
checkpoint_open(struct span note, const char *origin, const uint8_t public_key[32],
    uint64_t *ret_size, struct hash *ret_root)
{
	struct span text, sigs;
	struct hash root;
	uint64_t size = 0;
	int r = note_split(note, &text, &sigs);

	if (r == SP_OK)
		r = sigs_check(sigs, origin, public_key, text);
	if (r == SP_OK)
		r = checkpoint_parse(text, origin, &size, &root);
	if (r != SP_OK)
		return r;
	*ret_size = size;
	*ret_root = root;
	return SP_OK;
}
