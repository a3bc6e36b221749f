/* answer.c - replies. */
#include "rooms/gate/sftp/server.h"

#include <stdarg.h>
#include <stdio.h>

struct wr
answer_begin(struct sftp *x)
{
	return wr_of(x->out, sizeof(x->out));
}

int
answer_send(struct sftp *x, const struct wr *w)
{
	VERIFY(!w->bad);
	if (x->over == SP_OK)
		x->over = stream_send(x->stream, wr_span(w), span_of(NULL, 0));
	return SFTP_REPLIED;
}

int
answer_status(struct sftp *x, enum sftp_status status, const char *text)
{
	struct wr w = answer_begin(x);

	sftp_put_status(&w, x->id, status, span_str(text));
	return answer_send(x, &w);
}

int
answer_error(struct sftp *x, int err)
{
	const struct sp_err_row *row = sp_err_row(err);
	char buf[SFTP_WHY_BYTES];
	const char *detail = x->ring->fault.detail;
	struct text t = text_of(buf, sizeof(buf));

	if (x->why[0] != '\0') {
		text_str(&t, x->why);
	} else if (strncmp(detail, row->text, strlen(row->text)) == 0) {
		text_str(&t, detail); /* it begins with the error's own sentence */
	} else {
		text_str(&t, row->text);
		if (detail[0] != '\0')
			text_fmt(&t, ": %s", detail);
	}
	/* a message that parses is no bad one, whatever its values are */
	return answer_status(x,
	    row->sftp == SFTP_FX_BAD_MESSAGE ? SFTP_FX_FAILURE : (enum sftp_status)row->sftp, buf);
}

int
answer_name(struct sftp *x, const struct path *p)
{
	struct wr w = answer_begin(x);
	struct sftp_names n = sftp_names_begin(&w, x->id);
	static const struct sftp_attrs none;

	if (!sftp_names_add(&n, path_span(p), path_span(p), &none))
		return SP_ESPACE;
	sftp_names_end(&n);
	return answer_send(x, &w);
}

int
answer_attrs(struct sftp *x, const struct sftp_attrs *a)
{
	struct wr w = answer_begin(x);

	sftp_put_attrs(&w, x->id, a);
	return answer_send(x, &w);
}

int
answer_why(struct sftp *x, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(x->why, sizeof(x->why), fmt, ap); /* a longer one is cut */
	va_end(ap);
	return err;
}

uint32_t
seconds_of(uint64_t us)
{
	return us / 1000000 < UINT32_MAX ? (uint32_t)(us / 1000000) : UINT32_MAX;
}

void
attrs_of(const struct ipc_entry_rec *e, struct sftp_attrs *ret)
{
	bool is_folder = e->kind == 0;
	uint32_t mode = is_folder ? SFTP_MODE_FOLDER : SFTP_MODE_FILE;

	if (e->rights & (is_folder ? RIGHT_LIST : RIGHT_READ))
		mode |= is_folder ? 0555u : 0444u;
	if (e->rights & RIGHT_WRITE)
		mode |= 0200u;
	*ret = (struct sftp_attrs){
	    .flags = SFTP_ATTR_SIZE | SFTP_ATTR_UIDGID | SFTP_ATTR_PERMISSIONS | SFTP_ATTR_TIMES,
	    .size = is_folder ? 0 : e->size,
	    .permissions = mode,
	    .atime = seconds_of(e->modified_us),
	    .mtime = seconds_of(e->modified_us),
	};
}
