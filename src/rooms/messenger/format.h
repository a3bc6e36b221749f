/* format.h - an alarm as a mail, a syslog message, a signature.  Pure: text in, text out. */
#ifndef SP_MESSENGER_FORMAT_H
#define SP_MESSENGER_FORMAT_H

#include "base/err.h"
#include "base/text.h"

#define MAIL_MAX 32768u
#define SYSLOG_MAX 8192u /* RFC 5425 section 4.3.1: what receivers SHOULD take */

/* What is delivered; the courier's words (DELIVER), borrowed. */
struct alarm_message {
	struct span id, name, kind, subject, text, json;
	uint8_t severity; /* 0 info to 3 alarm */
	int64_t time_us;
};

/* mail_put - header and body, lines that end with CR LF: RFC 5322, the subject in encoded words
 * (RFC 2047 section 2) unless it is plain ASCII, the text in base64, so that nothing in it can be
 * taken for a header or an end. now_us   of the Date errors   SP_ESYNTAX: a control character in
 * what stands in a header; SP_ESPACE */
int mail_put(struct text *t, const struct alarm_message *m, struct span from, struct span to,
    int64_t now_us) MUST_USE;
/* mail_domain - what stands behind the @ of an address: the name that we give to the mail server.
 */
struct span mail_domain(struct span address);

/* syslog_put - RFC 5424: facility 10, MSGID the kind, MSG the subject and the JSON, at most
 * SYSLOG_MAX bytes in all. syslog_frame - the same with its length in front: RFC 5425 section 4.3.
 */
void syslog_put(struct text *t, const struct alarm_message *m);
void syslog_frame(struct text *t, struct span message);

/* webhook_sign - "v1,<base64>" of HMAC-SHA-256 over id.timestamp.body.
 *   key      whsec_ and the base64 of the key, or any other text, which is the key itself
 *   source   Standard Webhooks 1.0, "Signature scheme"
 *   errors   SP_ESYNTAX (bad base64), SP_ENOMEM, SP_ECRYPTO */
int webhook_sign(struct text *t, struct span key, struct span id, int64_t timestamp_s,
    struct span body) MUST_USE;
#endif
