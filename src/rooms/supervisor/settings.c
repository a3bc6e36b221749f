/* settings.c - what the settings were when they were taken up, for the audit log: `sallyport
 * verify` compares the files with it (ipc/settings.def). */
#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/log.h"

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
	const char *path =
	    files[i].path[0] != '\0' ? files[i].path : s->inst.conf.https_certificate;
	uint8_t hash[SHA256_BYTES];
	size_t len = 0;
	int err = instance_read(&s->inst, path, &content, &len);

	text_fmt(t, "%s%s=", t->len != 0 ? " " : "", files[i].name);
	if (err == SP_OK)
		err = sha256(span_of(content, len), hash);
	if (err == SP_OK)
		text_hex(t, span_of(hash, sizeof(hash)));
	else
		text_str(t, err == SP_ENOTFOUND ? "none" : "unreadable");
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
