/* alarms.c - what the courier is given: its folder, and the files that the settings of alarms name.
 */
#include <stdio.h>

#include "ipc/alarm.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"
#include "sys/server.h"

/* The file that a setting of the form file:PATH names: SP_ENOTFOUND for none. */
static int
secret_path(const struct instance *in, const char *setting, char *ret, size_t cap)
{
	return strncmp(setting, "file:", 5) == 0 ? instance_path(in, setting + 5, ret, cap)
						 : SP_ENOTFOUND;
}

int
alarms_path(const struct instance *in, enum ipc_file_what what, char *ret, size_t cap)
{
	switch (what) {
	case FILE_ALARM_MAIL_PASSWORD:
		return secret_path(in, in->conf.alarm_mail_password, ret, cap);
	case FILE_ALARM_WEBHOOK_KEY:
		return secret_path(in, in->conf.alarm_webhook_key, ret, cap);
	default:
		return instance_path(in, in->conf.alarm_ca_file, ret, cap);
	}
}

static int
check_file(const struct instance *in, enum ipc_file_what what, bool secret, char *why, size_t cap)
{
	char path[2100] = "";
	DEFER(close_fd) int fd = instance_file(in, what, path, sizeof(path));

	if (fd == SP_ENOTFOUND && path[0] == '\0')
		return SP_OK;
	if (fd < 0)
		(void)snprintf(why, cap, "%s: %s", path, sp_strerror(fd));
	else if (secret && !server_private(fd))
		(void)snprintf(
		    why, cap, "%s: it can be read by others; its mode must be 0400 or 0600", path);
	else
		return SP_OK;
	return SP_ECONFIG;
}

int
alarms_check(const struct instance *in, char *why, size_t cap)
{
	char sentence[512];
	int err = alarm_conf_check(&in->conf, sentence, sizeof(sentence));

	if (err != SP_OK) {
		(void)snprintf(why, cap, "%s/sallyport.conf: %s", in->dir, sentence);
		return err;
	}
	err = check_file(in, FILE_ALARM_MAIL_PASSWORD, true, why, cap);
	if (err == SP_OK)
		err = check_file(in, FILE_ALARM_WEBHOOK_KEY, true, why, cap);
	if (err == SP_OK && ways_on(&in->conf) != 0)
		err = check_file(in, FILE_ALARM_CA, false, why, cap);
	return err;
}

void
alarms_folder(const struct instance *in, bool as_root)
{
	char path[1100];
	int err = instance_path(in, "courier", path, sizeof(path));

	if (err == SP_OK)
		err = server_folder(
		    path, as_root ? (uint32_t)in->conf.uid_base + (uint32_t)ROOM_COURIER : 0);
	if (err != SP_OK && err != SP_EEXISTS)
		sp_die(EXIT_CONFIG, "%s: %s", path, sp_strerror(err));
}
