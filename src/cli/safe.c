#include "cli/safe.h"

/* Characters that are not seen, or that change how others are: Unicode's Cf and its kin. */
static bool
is_hidden(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {{0xad, 0xad}, {0x61c, 0x61c}, {0x180e, 0x180e}, {0x200b, 0x200f},
	    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
	    {0xe0000, 0xe007f}};

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (cp >= hidden[i].first && cp <= hidden[i].last)
			return true;
	return (cp & 0xfffe) == 0xfffe;
}

size_t
safe_next(struct span s, uint32_t also, struct text *t, bool *ret_as_it_is)
{
	uint32_t cp = 0;
	size_t n;

	*ret_as_it_is = false;
	if (s.len == 0)
		return 0;
	n = utf8_next(s, &cp);
	if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (also != 0 && cp == also)) {
		text_fmt(t, "\\x%02x", s.ptr[0]);
		return 1;
	}
	if (is_hidden(cp)) {
		text_fmt(t, "\\u{%x}", (unsigned)cp);
		return n;
	}
	text_add(t, span_cut(s, n));
	*ret_as_it_is = true;
	return n;
}

void
safe_print(FILE *out, struct span s, uint32_t also)
{
	while (s.len != 0) {
		char form[SAFE_FORM_MAX];
		struct text t = text_of(form, sizeof(form));
		bool as_it_is;

		s = span_skip(s, safe_next(s, also, &t, &as_it_is));
		(void)fwrite(form, 1, t.len, out);
	}
}

void
safe_text(struct text *t, struct span s)
{
	bool as_it_is;

	while (s.len != 0)
		s = span_skip(s, safe_next(s, 0, t, &as_it_is));
}

void
safe_html(struct text *t, struct span s)
{
	static const struct {
		char c;
		const char *entity;
	} table[] = {
	    {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

	while (s.len != 0) {
		const char *entity = NULL;
		bool as_it_is;

		for (size_t i = 0; i < ARRAY_LEN(table); i++)
			if (s.ptr[0] == (uint8_t)table[i].c)
				entity = table[i].entity;
		if (entity != NULL)
			text_str(t, entity);
		s = span_skip(s, entity != NULL ? 1 : safe_next(s, 0, t, &as_it_is));
	}
}
