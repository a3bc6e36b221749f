#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sys/fd.h"
#include "sys/log.h"

/* Debian 12's header knows ABI 2; these are of later ones
 * (Documentation/userspace-api/landlock.rst). */
#define FS_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define NET_BIND_TCP (1ULL << 0)  /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;	     /* ABI 6 */
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                          \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)
#define FS_OF_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
/* ABI 1 has the rights up to MAKE_SYM, ABI 2 adds REFER */
#define FS_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int
refused(const char *what)
{
	const char *text = strerrordesc_np(errno);

	log_error("sandbox: Landlock: %s: %s", what, text != NULL ? text : "unknown error");
	return SP_ESYS;
}

/* The ABI to be used: the kernel's, or the 2 that a test holds us to; 0: none. */
static int
usable_abi(void)
{
	const char *held = getenv("SALLYPORT_LANDLOCK_ABI");
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		return 0;
	if (held != NULL && strcmp(held, "2") == 0 && abi > 2)
		abi = 2;
	return (int)abi;
}

static struct ruleset_attr
attr_of(int abi, bool connects, size_t *ret_size)
{
	struct ruleset_attr a = {.handled_access_fs = FS_ABI_1};

	*ret_size = sizeof(a.handled_access_fs);
	if (abi >= 2)
		a.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		a.handled_access_fs |= FS_TRUNCATE;
	if (abi >= 4) {
		a.handled_access_net = NET_BIND_TCP | (connects ? 0 : NET_CONNECT_TCP);
		*ret_size = offsetof(struct ruleset_attr, scoped);
	}
	if (abi >= 5)
		a.handled_access_fs |= FS_IOCTL_DEV;
	if (abi >= 6) {
		a.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		*ret_size = sizeof(a);
	}
	return a;
}

static int
grant(int ruleset, const struct sandbox_path *p, uint64_t handled)
{
	DEFER(close_fd) int fd = open(p->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.parent_fd = fd};
	struct stat st;

	if (fd == -1)
		return (p->access & SANDBOX_OPTIONAL) != 0 ? SP_OK : refused(p->path);
	if (fstat(fd, &st) == -1)
		return refused(p->path);
	if (!S_ISDIR(st.st_mode)) /* the kernel refuses rights of folders on a file */
		handled &= FS_OF_FILE;
	rule.allowed_access = ((p->access & SANDBOX_WRITE) != 0 ? FS_WRITE : FS_READ) & handled;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1)
		return refused(p->path);
	return SP_OK;
}

int
landlock_enter(const struct sandbox_path *paths, size_t n_paths, bool connects, int *ret_abi)
{
	int abi = usable_abi(), err;
	size_t size;
	struct ruleset_attr attr = attr_of(abi, connects, &size);
	DEFER(close_fd) int ruleset = -1;

	*ret_abi = abi;
	if (abi == 0)
		return SP_OK;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset == -1)
		return refused("create_ruleset");
	for (size_t i = 0; i < n_paths; i++) {
		err = grant(ruleset, &paths[i], attr.handled_access_fs);
		if (err != SP_OK)
			return err;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == -1)
		return refused("restrict_self");
	return SP_OK;
}
