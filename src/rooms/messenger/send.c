#include "rooms/messenger/send.h"

#include <curl/curl.h>
#include <nss.h>
#include <stdio.h>

#include "crypto/crypto.h"
#include "ipc/alarm.h"
#include "rooms/messenger/format.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define CONNECT_S 20L
#define WHOLE_S 60L
#define SYSLOG_LINGER_MS                                                                           \
	500 /* for the session tickets of TLS 1.3: unread, they would cut the connection */
#define ANSWER_MAX (64u << 10) /* bytes of a webhook's answer */
#define LOCAL_SOCKET "/dev/log"

int
send_ready(void)
{
	int err = crypto_ready();

	if (err != SP_OK)
		return err;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return SP_ECRYPTO;
	/* names come from /etc/hosts and DNS; other modules would be programs to load */
	return __nss_configure_lookup("hosts", "files dns") == 0 ? SP_OK : SP_ENOMEM;
}

struct sending {
	CURL *curl;
	struct curl_slist *list;
	char error[CURL_ERROR_SIZE];
	char url[1400];
	struct span left; /* what is still to be sent */
	size_t answered;
	char said[200]; /* by the mail server, last */
	CURLcode rc;	/* the first setting that was refused */
	char *why;
	size_t cap;
};

static int
no(struct sending *s, const char *what)
{
	(void)snprintf(s->why, s->cap, "%s", what);
	return SP_EUNAVAIL;
}

/* SET - a setting; the first that is refused is kept. */
#define SET(s, option, value)                                                                      \
	do {                                                                                       \
		CURLcode set_rc_ = curl_easy_setopt((s)->curl, (option), (value));                 \
		if ((s)->rc == CURLE_OK)                                                           \
			(s)->rc = set_rc_;                                                         \
	} while (0)

static size_t
give(char *buf, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;
	struct span part = span_cut(s->left, size * n);

	if (part.len != 0)
		memcpy(buf, part.ptr, part.len);
	s->left = span_skip(s->left, part.len);
	return part.len;
}

/* The answer is not looked at, and it ends when it is too long. */
static size_t
ignore(char *buf, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;

	(void)buf;
	s->answered += size * n;
	return s->answered <= ANSWER_MAX ? size * n : 0;
}

/* The last line of the mail server is the best reason there is. */
static size_t
keep_line(char *buf, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;
	struct text t = text_of(s->said, sizeof(s->said));

	text_add(&t, span_cut(span_trim(span_of(buf, size * n)), sizeof(s->said) - 1));
	return size * n;
}

/* What every connection has: time limits, no proxy, no second address, certificates checked. */
static int
begin(struct sending *s, const char *protocols, struct span ca)
{
	struct curl_blob blob = {
	    .data = (void *)(uintptr_t)ca.ptr, .len = ca.len, .flags = CURL_BLOB_COPY};

	s->curl = curl_easy_init();
	if (s->curl == NULL)
		return no(s, sp_strerror(SP_ENOMEM));
	SET(s, CURLOPT_ERRORBUFFER, s->error);
	SET(s, CURLOPT_NOSIGNAL, 1L);
	SET(s, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	SET(s, CURLOPT_TIMEOUT, WHOLE_S);
	SET(s, CURLOPT_PROXY, "");
	SET(s, CURLOPT_FOLLOWLOCATION, 0L);
	SET(s, CURLOPT_PROTOCOLS_STR, protocols);
	SET(s, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(s, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(s, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(s, CURLOPT_CAINFO, NULL);
	SET(s, CURLOPT_CAPATH, NULL);
	if (ca.len != 0)
		SET(s, CURLOPT_CAINFO_BLOB, &blob);
	SET(s, CURLOPT_WRITEFUNCTION, ignore);
	SET(s, CURLOPT_WRITEDATA, s);
	SET(s, CURLOPT_URL, s->url);
	return SP_OK;
}

static int
perform(struct sending *s)
{
	CURLcode rc = s->rc;

	if (rc == CURLE_OK)
		rc = curl_easy_perform(s->curl);
	if (rc == CURLE_OK)
		return SP_OK;
	return no(s, s->error[0] != '\0' ? s->error : curl_easy_strerror(rc));
}

static void
end(struct sending *s)
{
	curl_slist_free_all(s->list);
	curl_easy_cleanup(s->curl);
}

static int
add(struct sending *s, const char *line)
{
	struct curl_slist *list = curl_slist_append(s->list, line);

	if (list == NULL)
		return no(s, sp_strerror(SP_ENOMEM));
	s->list = list;
	return SP_OK;
}

static struct alarm_message
message_of(const struct ipc_deliver *job)
{
	return (struct alarm_message){.id = job->id,
	    .name = job->name,
	    .kind = job->kind,
	    .subject = job->subject,
	    .text = job->text,
	    .json = job->json,
	    .severity = job->severity,
	    .time_us = (int64_t)job->time_us};
}

/* ---- mail ---- */

static int
recipients(struct sending *s, struct span to)
{
	int err = SP_OK;

	while (err == SP_OK && to.len != 0) {
		struct span one = span_cut(to, span_find(to, ','));
		char line[1040];
		struct text t = text_of(line, sizeof(line));

		to = span_skip(to, one.len + 1);
		text_str(&t, "<");
		text_add(&t, span_trim(one));
		text_str(&t, ">");
		err = add(s, line);
	}
	return err;
}

/* the name and the password: no mechanism that sends less than both over TLS is worth its code */
static void
mail_login(struct sending *s, const struct ipc_deliver *job, char *name, char *password, size_t cap)
{
	struct text n = text_of(name, cap), p = text_of(password, cap);

	if (job->user.len == 0)
		return;
	text_add(&n, job->user);
	text_add(&p, job->secret);
	SET(s, CURLOPT_USERNAME, name);
	SET(s, CURLOPT_PASSWORD, password);
	SET(s, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
	mem_wipe(password, cap);
}

static int
send_mail(struct sending *s, const struct ipc_deliver *job, struct span ca)
{
	DEFER(mem_freep) char *mail = mem_alloc(MAIL_MAX);
	char from[300], name[1100], password[1100];
	struct alarm_message m = message_of(job);
	struct text t, f = text_of(from, sizeof(from)), u = text_of(s->url, sizeof(s->url));
	struct span domain = mail_domain(job->from), host;
	uint16_t port;
	int err;

	if (mail == NULL)
		return no(s, sp_strerror(SP_ENOMEM));
	if (alarm_host_port(job->target, &host, &port) != SP_OK ||
	    (job->tls == ALARM_NO_TLS && !alarm_is_loopback(host)))
		return no(s, "the mail server may not be reached like that");
	t = text_of(mail, MAIL_MAX);
	err = mail_put(&t, &m, job->from, job->to, clock_wall_us());
	if (err != SP_OK)
		return no(s, sp_strerror(err));
	text_fmt(&u, "%s://%.*s/%.*s", job->tls == ALARM_TLS ? "smtps" : "smtp",
	    (int)job->target.len, (const char *)job->target.ptr, (int)domain.len,
	    (const char *)domain.ptr);
	text_fmt(&f, "<%.*s>", (int)job->from.len, (const char *)job->from.ptr);
	err = begin(s, "smtp,smtps", ca);
	if (err == SP_OK)
		err = recipients(s, job->to);
	if (err != SP_OK)
		return err;
	SET(s, CURLOPT_USE_SSL,
	    job->tls == ALARM_NO_TLS ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	mail_login(s, job, name, password, sizeof(name));
	s->left = text_span(&t);
	SET(s, CURLOPT_MAIL_FROM, from);
	SET(s, CURLOPT_MAIL_RCPT, s->list);
	SET(s, CURLOPT_READFUNCTION, give);
	SET(s, CURLOPT_READDATA, s);
	SET(s, CURLOPT_UPLOAD, 1L);
	SET(s, CURLOPT_HEADERFUNCTION, keep_line);
	SET(s, CURLOPT_HEADERDATA, s);
	err = perform(s);
	if (err != SP_OK && (s->said[0] == '4' || s->said[0] == '5'))
		(void)snprintf(s->why, s->cap, "the mail server said: %s", s->said);
	return err;
}

/* ---- webhook ---- */

static int
webhook_headers(struct sending *s, const struct ipc_deliver *job)
{
	char line[300], sign[128];
	struct text t = text_of(line, sizeof(line)), v = text_of(sign, sizeof(sign));
	int64_t now_s = clock_wall_us() / 1000000;
	int err = webhook_sign(&v, job->secret, job->id, now_s, job->json);

	if (err != SP_OK)
		return no(
		    s, "the signing key cannot be used: it is empty, or not whsec_ and base64");
	text_fmt(&t, "webhook-id: %.*s", (int)job->id.len, (const char *)job->id.ptr);
	err = add(s, line);
	t = text_of(line, sizeof(line));
	text_fmt(&t, "webhook-timestamp: %lld", (long long)now_s);
	if (err == SP_OK)
		err = add(s, line);
	t = text_of(line, sizeof(line));
	text_fmt(&t, "webhook-signature: %s", sign);
	if (err == SP_OK)
		err = add(s, line);
	if (err == SP_OK)
		err = add(s, "content-type: application/json");
	/* no Expect: 100-continue */
	return err == SP_OK ? add(s, "Expect:") : err;
}

static int
send_webhook(struct sending *s, const struct ipc_deliver *job, struct span ca)
{
	struct text u = text_of(s->url, sizeof(s->url));
	char text[64];
	long status = 0;
	int err;

	text_add(&u, job->target);
	err = begin(s, "https,http", ca);
	if (err == SP_OK)
		err = webhook_headers(s, job);
	if (err != SP_OK)
		return err;
	SET(s, CURLOPT_HTTPHEADER, s->list);
	SET(s, CURLOPT_USERAGENT, "alarm");
	SET(s, CURLOPT_POST, 1L);
	SET(s, CURLOPT_POSTFIELDSIZE, (long)job->json.len);
	SET(s, CURLOPT_POSTFIELDS, (const char *)job->json.ptr);
	err = perform(s);
	if (err != SP_OK)
		return err;
	(void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status); /* 0 is no success */
	if (status >= 200 && status < 300)
		return SP_OK;
	(void)snprintf(text, sizeof(text), "the webhook answered with status %ld", status);
	return no(s, text);
}

/* ---- syslog ---- */

static int
send_all(struct sending *s, struct span all)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (curl_easy_getinfo(s->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
	    fd == CURL_SOCKET_BAD)
		return no(s, "the connection was lost");
	while (all.len != 0) {
		size_t n = 0;
		CURLcode rc = curl_easy_send(s->curl, all.ptr, all.len, &n);

		if (rc != CURLE_OK && rc != CURLE_AGAIN)
			return no(s, curl_easy_strerror(rc));
		all = span_skip(all, n);
		if (all.len != 0 &&
		    sock_wait(fd, /* for_write= */ true, (int)WHOLE_S * 1000) != SP_OK)
			return no(s, "the receiver takes nothing");
	}
	if (sock_wait(fd, /* for_write= */ false, SYSLOG_LINGER_MS) == SP_OK) {
		char buf[1024];
		size_t n = 0;
		CURLcode rc = curl_easy_recv(s->curl, buf, sizeof(buf), &n);

		if (rc != CURLE_OK && rc != CURLE_AGAIN)
			return no(s, "the receiver broke the connection");
	}
	return SP_OK;
}

static int
send_local(struct sending *s, struct span path, struct span message)
{
	char name[200];
	struct text t = text_of(name, sizeof(name));
	int err;

	text_add(&t, path);
	err = t.bad ? SP_ERANGE : sock_send_local(name, message);
	return err == SP_OK ? SP_OK : no(s, "the local syslog socket takes nothing");
}

static int
send_syslog(struct sending *s, const struct ipc_deliver *job, struct span ca)
{
	DEFER(mem_freep) char *buf = mem_alloc(2 * SYSLOG_MAX + 64);
	struct alarm_message m = message_of(job);
	struct text line, framed, u = text_of(s->url, sizeof(s->url));
	struct span local = SPAN_LIT("local:"), host;
	uint16_t port;
	int err;

	if (buf == NULL)
		return no(s, sp_strerror(SP_ENOMEM));
	line = text_of(buf, SYSLOG_MAX + 1);
	syslog_put(&line, &m);
	if (span_eq_str(job->target, "local"))
		return send_local(s, SPAN_LIT(LOCAL_SOCKET), text_span(&line));
	if (span_starts(job->target, local))
		return send_local(s, span_skip(job->target, local.len), text_span(&line));
	if (alarm_host_port(job->target, &host, &port) != SP_OK)
		return no(s, "the syslog receiver's address is wrong");
	framed = text_of(buf + SYSLOG_MAX + 1, SYSLOG_MAX + 32);
	syslog_frame(&framed, text_span(&line));
	text_fmt(&u, "https://%.*s/", (int)job->target.len, (const char *)job->target.ptr);
	err = begin(s, "https", ca);
	if (err != SP_OK)
		return err;
	SET(s, CURLOPT_CONNECT_ONLY, 1L); /* TCP and TLS; then the connection is ours */
	SET(s, CURLOPT_SSL_ENABLE_ALPN, 0L);
	err = perform(s);
	return err == SP_OK ? send_all(s, text_span(&framed)) : err;
}

int
send_message(const struct ipc_deliver *job, struct span ca, char *why, size_t cap)
{
	struct sending s = {.why = why, .cap = cap};
	int err;

	switch ((enum way)job->way) {
	case WAY_MAIL:
		err = send_mail(&s, job, ca);
		break;
	case WAY_WEBHOOK:
		err = send_webhook(&s, job, ca);
		break;
	case WAY_SYSLOG:
		err = send_syslog(&s, job, ca);
		break;
	default:
		err = no(&s, "there is no such way");
		break;
	}
	end(&s);
	return err;
}
