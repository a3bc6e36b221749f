/* instance_limits.c - limits.conf and the file of the counters, before the vault has them. */
#include <fcntl.h>
#include <stdio.h>

#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"
#include "sys/server.h"

int
instance_limits(
    const struct instance *in, struct limits *ret, int *ret_fd, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	DEFER(close_fd) int fd = -1;
	char path[1100], reason[256];
	size_t len = 0;
	int err = instance_path(in, "limits.conf", path, sizeof(path));

	if (err == SP_OK)
		fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	if (err == SP_OK && fd >= 0 && !server_unwritable(fd)) {
		(void)snprintf(why, cap,
		    "%s: others can change it: its owner must be root or the user who runs the "
		    "server, its mode 0600 or 0644",
		    path);
		return SP_ECONFIG;
	}
	if (err == SP_OK && fd >= 0)
		err = file_read_all(fd, LIMITS_FILE_MAX, &content, &len);
	else if (err == SP_OK && fd != SP_ENOTFOUND)
		err = fd;
	if (err == SP_OK &&
	    limits_parse(span_of(content, len), ret, reason, sizeof(reason)) != SP_OK) {
		(void)snprintf(why, cap, "%s: %s", path, reason);
		return SP_ECONFIG;
	}
	if (err == SP_OK) {
		*ret_fd = memfd_of("limits.conf", span_of(content, len));
		err = *ret_fd < 0 ? *ret_fd : SP_OK;
	}
	if (err != SP_OK)
		(void)snprintf(why, cap, "%s: %s", path, sp_strerror(err));
	return err == SP_OK ? SP_OK : SP_ECONFIG;
}

void
instance_counters(const struct instance *in)
{
	char path[1100];
	int err = instance_path(in, "vault/egress", path, sizeof(path));

	if (err == SP_OK)
		err = file_write_new(AT_FDCWD, path, span_of(NULL, 0), 0600, /* replace= */ false);
	if (err != SP_OK && err != SP_EEXISTS)
		sp_die(EXIT_CONFIG, "%s: %s", path, sp_strerror(err));
}
