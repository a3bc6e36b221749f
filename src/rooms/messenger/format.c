#include "rooms/messenger/format.h"

#include "base/mem.h"
#include "crypto/crypto.h"

#define WORD_BYTES 42u /* of an encoded word: 56 characters of base64, 68 with its frame */
#define LINE_BYTES 57u /* of the body: 76 characters of base64 */

/* ---- mail ---- */

static bool
is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] >= 0x7f)
			return false;
	return true;
}

static bool
has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return true;
	return false;
}

/* As many whole characters as an encoded word holds. */
static size_t
word_len(struct span s)
{
	size_t n = 0;

	while (n < s.len) {
		uint32_t cp;
		size_t one = utf8_next(span_skip(s, n), &cp);

		if (one == 0)
			one = 1;
		if (n + one > WORD_BYTES)
			break;
		n += one;
	}
	return n;
}

static void
put_subject(struct text *t, struct span s)
{
	text_str(t, "Subject: ");
	if (is_plain(s) && s.len < 900) {
		text_add(t, s);
	} else {
		for (bool first = true; s.len != 0; first = false) {
			size_t n = word_len(s);

			text_str(t, first ? "=?utf-8?B?" : "\r\n =?utf-8?B?");
			base64_put(t, span_cut(s, n));
			text_str(t, "?=");
			s = span_skip(s, n);
		}
	}
	text_str(t, "\r\n");
}

/* What may stand in a message number: letters, digits, dots and dashes; the rest becomes a dash. */
static void
put_atom(struct text *t, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

		text_chr(t, good ? (char)c : '-');
	}
}

static void
put_date(struct text *t, int64_t us)
{
	char buf[48];
	struct text one = text_of(buf, sizeof(buf));

	time_http(&one, us); /* "Mon, 23 Nov 2026 21:09:41 GMT" */
	text_str(t, "Date: ");
	text_add(t, span_cut(text_span(&one), one.len - 3));
	text_str(t, "+0000\r\n");
}

/* The text with CR LF at the ends of its lines, in base64. */
static int
put_body(struct text *t, struct span text)
{
	DEFER(mem_freep) char *buf = mem_alloc(text.len * 2 + 1);
	struct text lines;
	struct span rest;

	if (buf == NULL)
		return SP_ENOMEM;
	lines = text_of(buf, text.len * 2 + 1);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\n')
			text_chr(&lines, '\r');
		text_chr(&lines, (char)text.ptr[i]);
	}
	for (rest = text_span(&lines); rest.len != 0; rest = span_skip(rest, LINE_BYTES)) {
		base64_put(t, span_cut(rest, LINE_BYTES));
		text_str(t, "\r\n");
	}
	return SP_OK;
}

static void
put_header(struct text *t, const char *name, struct span value)
{
	text_str(t, name);
	text_str(t, ": ");
	text_add(t, value);
	text_str(t, "\r\n");
}

struct span
mail_domain(struct span address)
{
	return span_skip(address, span_find(address, '@') + 1);
}

int
mail_put(
    struct text *t, const struct alarm_message *m, struct span from, struct span to, int64_t now_us)
{
	int err;

	if (has_control(from) || has_control(to) || has_control(m->subject) || has_control(m->kind))
		return SP_ESYNTAX;
	put_date(t, now_us);
	put_header(t, "From", from);
	put_header(t, "To", to);
	put_subject(t, m->subject);
	text_str(t, "Message-ID: <");
	put_atom(t, m->id);
	text_chr(t, '@');
	put_atom(t, mail_domain(from));
	text_str(t, ">\r\n");
	put_header(t, "Auto-Submitted", SPAN_LIT("auto-generated"));
	put_header(t, "X-Sallyport-Alarm", m->kind);
	text_str(t, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n");
	err = put_body(t, m->text);
	if (err != SP_OK)
		return err;
	return t->bad ? SP_ESPACE : SP_OK;
}

/* ---- syslog ---- */

/* RFC 5424 section 6.2: PRINTUSASCII, else a dash in its place; empty: the NILVALUE. */
static void
put_field(struct text *t, struct span s, size_t most)
{
	if (s.len == 0)
		text_chr(t, '-');
	s = span_cut(s, most);
	for (size_t i = 0; i < s.len; i++)
		text_chr(t, s.ptr[i] > 0x20 && s.ptr[i] < 0x7f ? (char)s.ptr[i] : '-');
}

void
syslog_put(struct text *t, const struct alarm_message *m)
{
	static const unsigned severities[] = {6, 5, 4, 1};
	unsigned severity = severities[m->severity < 4 ? m->severity : 3];
	struct span parts[] = {m->subject, SPAN_LIT(" "), m->json};

	text_fmt(t, "<%u>1 ", 10 * 8 + severity);
	time_rfc3339(t, m->time_us);
	text_chr(t, ' ');
	put_field(t, m->name, 255);
	text_str(t, " sallyport - ");
	put_field(t, m->kind, 32);
	text_str(t, " - ");
	if (!is_plain(m->subject) || !is_plain(m->json))
		text_str(t, "\xef\xbb\xbf"); /* section 6.4: MSG is UTF-8 */
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct span s = parts[i];

		while (s.len != 0) {
			uint32_t cp;
			size_t n = utf8_next(s, &cp);

			if (t->len + 4 > SYSLOG_MAX || t->len + 4 >= t->cap)
				return;
			if (n == 0 || cp < 0x20 || cp == 0x7f)
				text_chr(t, ' ');
			else
				text_add(t, span_cut(s, n));
			s = span_skip(s, n != 0 ? n : 1);
		}
	}
}

void
syslog_frame(struct text *t, struct span message)
{
	text_fmt(t, "%zu ", message.len);
	text_add(t, message);
}

/* ---- webhook ---- */

int
webhook_sign(struct text *t, struct span key, struct span id, int64_t timestamp_s, struct span body)
{
	DEFER(mem_freep) char *all = mem_alloc(id.len + body.len + 64);
	struct text signed_text;
	uint8_t raw[1024], mac[SHA256_BYTES];
	struct span prefix = SPAN_LIT("whsec_");
	size_t len = 0;
	int err = SP_OK;

	if (all == NULL)
		return SP_ENOMEM;
	if (span_starts(key, prefix)) {
		err = base64_get(span_skip(key, prefix.len), raw, sizeof(raw), &len);
		key = span_of(raw, len);
	}
	if (err == SP_OK && key.len == 0)
		err = SP_ESYNTAX;
	signed_text = text_of(all, id.len + body.len + 64);
	text_add(&signed_text, id);
	text_fmt(&signed_text, ".%lld.", (long long)timestamp_s);
	text_add(&signed_text, body);
	VERIFY(!signed_text.bad);
	if (err == SP_OK)
		err = hmac_sha256(key, text_span(&signed_text), mac);
	mem_wipe(raw, sizeof(raw));
	if (err != SP_OK)
		return err;
	text_str(t, "v1,");
	base64_put(t, span_of(mac, sizeof(mac)));
	return t->bad ? SP_ESPACE : SP_OK;
}
