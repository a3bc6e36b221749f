/* settings.c - for `sallyport verify`: what it found is put on record, and what the settings were
 * when they were taken up, for the audit log: `sallyport verify` compares the files with it
 * (ipc/settings.def). */
#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/log.h"

#define FILE_MAX (1024u * 1024)

static const struct {
	const char *name, *path;
} files[] = {
#define SETTINGS_FILE(NAME, name, path) {name, path},
#include "ipc/settings.def"
#undef SETTINGS_FILE
};

static void
put_file(struct sup *s, size_t i, struct text *t)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	const char *name =
	    files[i].path[0] != '\0' ? files[i].path : s->inst.conf.https_certificate;
	char path[2100];
	uint8_t hash[SHA256_BYTES];
	size_t len = 0;
	int err = instance_path(&s->inst, name, path, sizeof(path));

	if (err == SP_OK)
		err = instance_read(path, FILE_MAX, &content, &len);

	text_fmt(t, "%s%s=", t->len != 0 ? " " : "", files[i].name);
	if (err == SP_OK)
		err = sha256(span_of(content, len), hash);
	if (err == SP_OK)
		text_hex(t, span_of(hash, sizeof(hash)));
	else
		text_str(t, err == SP_ENOTFOUND ? "none" : "unreadable");
}

/* ---- what the operator's verify found ---- */

int
verify_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	struct text t = text_of(ret->text, sizeof(ret->text));
	struct ipc_verify_result m;
	int err = ipc_get_verify_result(body, &m);

	(void)o;
	if (err != SP_OK)
		return err;
	ret->event = m.differences != 0 ? EVENT_VERIFY_FAILED : EVENT_VERIFY_OK;
	text_add(&t, m.text);
	return SP_OK;
}

int
verify_act(struct operator* o, struct span body)
{
	struct ipc_verify_recorded m;
	struct ipc_verify_result r;
	uint8_t out[IPC_SIZE_VERIFY_RECORDED];
	struct wr w = wr_of(out, sizeof(out));
	int err =
	    ipc_get_verify_result(body, &r); /* on record by now: that is all there is to do */

	m.event = r.differences != 0 ? EVENT_VERIFY_FAILED : EVENT_VERIFY_OK;
	if (err == SP_OK)
		err = ipc_put_verify_recorded(&w, &m);
	if (err == SP_OK)
		operator_answer(o, IPC_VERIFY_RECORDED, wr_span(&w));
	return err;
}

void
settings_note(struct sup *s)
{
	char line[513];
	struct text t = text_of(line, sizeof(line));

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put_file(s, i, &t);
	VERIFY(!t.bad);
	notice(s, EVENT_SETTINGS, 0, ROOM_SUPERVISOR, line);
}
