/* instance_lock.c - what a lockdown leaves in the instance: its file, and no automatic root key. */
#include <fcntl.h>
#include <stdio.h>

#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"

#define KEY_SIZE 32
#define RECOVERY_SIZE 130 /* bytes of keys/root.recovery */

void
instance_lock_read(struct instance *in)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	char path[1100];
	size_t len = 0;
	int err = instance_path(in, "lockdown", path, sizeof(path));

	if (err == SP_OK)
		err = instance_read(path, LOCKFILE_MAX, &content, &len);
	if (err == SP_ENOTFOUND)
		return;
	if (lockfile_parse(span_of(content, err == SP_OK ? len : 0), &in->lockdown) != SP_OK)
		log_error(
		    "%s cannot be understood: every door is locked, and the root key is taken from "
		    "the passphrase alone",
		    path);
}

int
instance_lock_keep(const struct instance *in, const struct lockdown *l)
{
	char path[1100], content[LOCKFILE_MAX];
	struct text t = text_of(content, sizeof(content));
	int err = instance_path(in, "lockdown", path, sizeof(path));

	if (err != SP_OK)
		return err;
	if (!lockdown_any(l))
		return server_remove(path);
	lockfile_put(&t, l);
	return t.bad ? SP_ESPACE
		     : file_write_new(AT_FDCWD, path, text_span(&t), 0644, /* replace= */ true);
}

/* format: ring.md, "Instance folder" */
bool
instance_has_recovery(const struct instance *in)
{
	static const struct span magic = {(const uint8_t *)"SPRR1", 6};
	DEFER(mem_freep) uint8_t *content = NULL;
	char path[1100];
	size_t len = 0;

	return instance_path(in, "keys/root.recovery", path, sizeof(path)) == SP_OK &&
	       instance_read(path, RECOVERY_SIZE, &content, &len) == SP_OK &&
	       len == RECOVERY_SIZE && span_starts(span_of(content, len), magic);
}

int
instance_root_destroy(const struct instance *in, char *path, size_t cap)
{
	struct text t = text_of(path, cap);
	int err;

	text_str(&t, in->conf.root_key);
	if (!instance_has_recovery(in))
		return SP_ENOTFOUND;
	if (strncmp(in->conf.root_key, "credential:", 11) == 0)
		return SP_EPERM;
	err = instance_root_path(in, path, cap);
	if (err == SP_OK)
		err = server_destroy(path);
	return err == SP_ENOTFOUND ? SP_OK : err;
}

int
instance_root_check(const struct instance *in, char *why, size_t cap)
{
	char path[2100];
	DEFER(close_fd) int fd = -1;
	int64_t size = 0;
	int err = instance_root_path(in, path, sizeof(path));

	if (err == SP_OK)
		err = fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	if (fd >= 0 && file_size(fd, &size) == SP_OK && size == KEY_SIZE && server_private(fd))
		return SP_OK;
	(void)snprintf(why, cap, "RootKey %s: there is no automatic copy that could be used: %s",
	    in->conf.root_key, err < 0 ? sp_strerror(err) : "it is no private file of 32 bytes");
	return SP_EPRECOND;
}
