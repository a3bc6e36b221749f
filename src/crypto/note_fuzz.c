/* note_fuzz.c - checkpoints: bytes from outside, and texts from outside under a good signature.
 *
 * Input: 0 and a whole note, or 1 and the text of a note, which is then signed as it is.  What
 * opens has to be a checkpoint whose first three lines are written the one way there is.
 */
#include "crypto/merkle.h"

#define NAME "example.com/log"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t seed[32] = {7};

/* The text, an empty line and our signature. */
static struct span
sign(struct text *t, struct span text, const uint8_t public_key[32])
{
	uint8_t blob[68];
	uint32_t id = 0;

	VERIFY(note_key_id(NAME, public_key, &id) == SP_OK);
	for (unsigned i = 0; i < 4; i++)
		blob[i] = (uint8_t)(id >> (24 - 8 * i));
	VERIFY(ed25519_sign(seed, text, blob + 4) == SP_OK);
	text_add(t, text);
	text_str(t, "\n\xE2\x80\x94 " NAME " ");
	base64_put(t, span_of(blob, sizeof(blob)));
	text_chr(t, '\n');
	return text_span(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char buf[16384], again[1024];
	struct text t = text_of(buf, sizeof(buf)), u = text_of(again, sizeof(again));
	struct span note = span_skip(span_of(data, len), 1);
	struct hash root;
	uint8_t public_key[32];
	uint64_t size = 0;

	if (len == 0 || len > 8192)
		return 0;
	VERIFY(ed25519_public(seed, public_key) == SP_OK);
	if (data[0] != 0)
		note = sign(&t, note, public_key);
	if (checkpoint_open(note, NAME, public_key, &size, &root) != SP_OK)
		return 0;
	text_str(&u, NAME "\n");
	text_u64(&u, size);
	text_chr(&u, '\n');
	base64_put(&u, span_of(root.b, 32));
	text_chr(&u, '\n');
	VERIFY(!u.bad && span_starts(note, text_span(&u)));
	return 0;
}
