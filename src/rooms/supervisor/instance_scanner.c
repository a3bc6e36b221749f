/* instance_scanner.c - ScannerFile: read and checked before any room gets it. */
#include <fcntl.h>
#include <stdio.h>

#include "proto/http/scanner.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/fd.h"

static int
read_rows(const struct instance *in, const char *name, uint8_t **ret, size_t *ret_len, char *why,
    size_t cap)
{
	char path[2100] = "", reason[192];
	int err = instance_path(in, name, path, sizeof(path));
	DEFER(close_fd) int fd = err == SP_OK ? file_open_at(AT_FDCWD, path, O_RDONLY, 0) : err;

	err = fd < 0 ? fd : file_read_all(fd, PROBE_FILE_MAX, ret, ret_len);
	if (err != SP_OK)
		(void)snprintf(why, cap, "ScannerFile %s: %s", path, sp_strerror(err));
	else if ((err = probe_file_check(span_of(*ret, *ret_len), reason, sizeof(reason))) != SP_OK)
		(void)snprintf(why, cap, "%s: %s", path, reason);
	return err == SP_OK ? SP_OK : SP_ECONFIG;
}

int
instance_scanner(
    const struct instance *in, const struct conf *c, int *ret_fd, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	size_t len = 0;
	int err = SP_OK;

	if (strcmp(c->scanner_file, "none") != 0)
		err = read_rows(in, c->scanner_file, &content, &len, why, cap);
	if (err != SP_OK)
		return err;
	*ret_fd = memfd_of("scanner", span_of(content, len));
	return *ret_fd < 0 ? *ret_fd : SP_OK;
}
