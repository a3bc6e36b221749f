/* instance.c - everything that can be wrong with an instance is found here, before anything is
 * started. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/certificate.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/server.h"

#define CONF_MAX (256u * 1024)
#define PEM_MAX (1024u * 1024)
#define KEY_SIZE 32
#define SERIALS_AT_ONCE (1u << 20)

/* ---- names ---- */

int
instance_path(const struct instance *in, const char *path, char *ret, size_t cap)
{
	struct text t = text_of(ret, cap);

	if (path[0] != '/') {
		text_str(&t, in->dir);
		text_chr(&t, '/');
	}
	text_str(&t, path);
	return t.bad ? SP_ERANGE : SP_OK;
}

int
instance_root_path(const struct instance *in, char *ret, size_t cap)
{
	const char *key = in->conf.root_key, *dir;
	struct text t = text_of(ret, cap);

	if (strncmp(key, "file:", 5) == 0)
		return instance_path(in, key + 5, ret, cap);
	if (strncmp(key, "credential:", 11) != 0)
		return strcmp(key, "passphrase") == 0 ? SP_ENOTFOUND : SP_ECONFIG;
	dir = server_credentials_dir();
	if (strchr(key + 11, '/') != NULL)
		return SP_ECONFIG;
	if (dir == NULL)
		return SP_EUNAVAIL;
	text_fmt(&t, "%s/%s", dir, key + 11);
	return t.bad ? SP_ERANGE : SP_OK;
}

/* ---- settings ---- */

int
instance_read(const char *path, size_t max, uint8_t **ret, size_t *ret_len)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);

	return fd < 0 ? fd : file_read_all(fd, max, ret, ret_len);
}

static int
read_conf(const struct instance *in, struct conf *ret, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	char path[1100], reason[512];
	size_t len = 0;
	int err = instance_path(in, "sallyport.conf", path, sizeof(path));

	if (err == SP_OK)
		err = instance_read(path, CONF_MAX, &content, &len);
	if (err != SP_OK) {
		(void)snprintf(why, cap, "%s: %s", path, sp_strerror(err));
		return SP_ECONFIG;
	}
	if (conf_parse(span_of(content, len), ret, reason, sizeof(reason)) != SP_OK) {
		(void)snprintf(why, cap, "%s: %s", path, reason);
		return SP_ECONFIG;
	}
	if (lockdown_rules_check(ret, reason, sizeof(reason)) != SP_OK) {
		(void)snprintf(
		    why, cap, "%s: LockdownOn: %s: there is no such event", path, reason);
		return SP_ECONFIG;
	}
	return SP_OK;
}

/* The settings in force as a sealed file: what every room gets, the same for all of a generation.
 */
static int
conf_file(const struct conf *c)
{
	DEFER(mem_freep) char *all = mem_alloc(CONF_MAX);
	struct text t;
	size_t n;

	if (all == NULL)
		return SP_ENOMEM;
	t = text_of(all, CONF_MAX);
	(void)conf_rows(&n);
	for (size_t i = 0; i < n; i++) {
		char line[1400];

		conf_print(c, i, line, sizeof(line));
		text_str(&t, line);
		text_chr(&t, '\n');
	}
	return t.bad ? SP_ESPACE : memfd_of("sallyport.conf", text_span(&t));
}

/* ---- certificate ---- */

struct certificate_question {
	const char *certificate, *key;
};

/* In a child process: the key never enters ours. */
static int
certificate_answer(void *arg)
{
	const struct certificate_question *q = arg;
	uint8_t *certificate, *key;
	size_t certificate_len, key_len;
	int err = instance_read(q->certificate, PEM_MAX, &certificate, &certificate_len);

	if (err == SP_OK)
		err = instance_read(q->key, PEM_MAX, &key, &key_len);
	if (err == SP_OK)
		err =
		    certificate_check(span_of(certificate, certificate_len), span_of(key, key_len));
	return err == SP_OK ? 0 : err == SP_EVERIFY ? 2 : 1;
}

/* Does the certificate belong to the key?  ret_fd: a sealed copy of the certificate. */
static int
read_certificate(
    const struct instance *in, const struct conf *c, int *ret_fd, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *content = NULL;
	char certificate[2100], key[2100];
	struct certificate_question q = {certificate, key};
	DEFER(close_fd) int fd = -1;
	size_t len = 0;
	int err;

	if (instance_path(in, c->https_certificate, certificate, sizeof(certificate)) != SP_OK ||
	    instance_path(in, c->https_key, key, sizeof(key)) != SP_OK) {
		(void)snprintf(why, cap, "HttpsCertificate or HttpsKey: the path is too long");
		return SP_ECONFIG;
	}
	err = instance_read(certificate, PEM_MAX, &content, &len);
	if (err != SP_OK) {
		(void)snprintf(why, cap, "%s: %s", certificate, sp_strerror(err));
		return SP_ECONFIG;
	}
	fd = file_open_at(AT_FDCWD, key, O_RDONLY, 0);
	if (fd < 0) {
		(void)snprintf(why, cap, "%s: %s", key, sp_strerror(fd));
		return SP_ECONFIG;
	}
	if (!server_private(fd)) {
		(void)snprintf(why, cap,
		    "%s: the key can be read by others; its mode must be 0400 or 0600", key);
		return SP_ECONFIG;
	}
	err = server_in_child(certificate_answer, &q);
	if (err != 0) {
		(void)snprintf(why, cap,
		    err == 2 ? "%s is not the certificate of the key %s"
			     : "%s and %s are not a PEM certificate and its unencrypted PEM key",
		    certificate, key);
		return SP_ECONFIG;
	}
	*ret_fd = memfd_of("certificate", span_of(content, len));
	return *ret_fd < 0 ? *ret_fd : SP_OK;
}

/* ---- keys ---- */

/* A key file must be there, of the right size, and nobody else's to read. */
static void
check_key(const char *path, const char *what)
{
	DEFER(close_fd) int fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0);
	int64_t size = 0;

	if (fd < 0)
		sp_die(EXIT_CONFIG, "%s: %s: %s", path, what, sp_strerror(fd));
	if (!server_private(fd))
		sp_die(
		    EXIT_CONFIG, "%s: %s can be read by others; its mode must be 0400", path, what);
	if (file_size(fd, &size) != SP_OK || size != KEY_SIZE)
		sp_die(EXIT_CONFIG, "%s: %s has %lld bytes instead of %d", path, what,
		    (long long)size, KEY_SIZE);
}

static void
check_keys(const struct instance *in)
{
	char path[2100];
	int err = in->lockdown.keys ? SP_ENOTFOUND : instance_root_path(in, path, sizeof(path));

	if (err == SP_OK)
		check_key(path, "the root key");
	else if (err == SP_EUNAVAIL)
		sp_die(EXIT_CONFIG,
		    "%s/sallyport.conf: RootKey: %s: systemd has given this process no credentials",
		    in->dir, in->conf.root_key);
	else if (err != SP_ENOTFOUND)
		sp_die(EXIT_CONFIG,
		    "%s/sallyport.conf: RootKey: %s is none of file:PATH, credential:NAME and "
		    "passphrase",
		    in->dir, in->conf.root_key);
	if (instance_path(in, "keys/ledger.key", path, sizeof(path)) == SP_OK)
		check_key(path, "the audit log's key");
}

static const enum ipc_file_what host_keys[] = {
#define HOST_KEY(WHAT, TYPE, path, sshfp) WHAT,
#include "ipc/hostkeys.def"
#undef HOST_KEY
};

static bool
sftp_is_open(const struct instance *in)
{
	return strcmp(in->conf.sftp_listen, "none") != 0;
}

/* Host keys of the SFTP door: one is enough, and those that are there are nobody else's to read. */
static int
check_host_keys(const struct instance *in, char *why, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; sftp_is_open(in) && i < ARRAY_LEN(host_keys); i++) {
		char path[1100];
		DEFER(close_fd) int fd = instance_file(in, host_keys[i], path, sizeof(path));

		if (fd == SP_ENOTFOUND)
			continue;
		if (fd < 0) {
			(void)snprintf(why, cap, "%s: %s", path, sp_strerror(fd));
			return SP_ECONFIG;
		}
		if (!server_private(fd)) {
			(void)snprintf(why, cap,
			    "%s: the host key can be read by others; its mode must be 0400 or 0600",
			    path);
			return SP_ECONFIG;
		}
		n++;
	}
	if (n != 0 || !sftp_is_open(in))
		return SP_OK;
	(void)snprintf(why, cap,
	    "SftpListen is set, and there is no host key in %s/keys: make them with `sallyport -C "
	    "%s hostkey make`",
	    in->dir, in->dir);
	return SP_ECONFIG;
}

/* ---- folders, lock, sockets ---- */

static void
check_folders(const struct instance *in, bool as_root)
{
	static const char *const folders[] = {"db", "blobs", "ledger", "vault", "run", "courier"};
	char path[1100], closed[1100];

	alarms_folder(in, as_root);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		int err = instance_path(in, folders[i], path, sizeof(path));

		if (err == SP_OK)
			err = server_writable(path);
		if (err != SP_OK)
			sp_die(EXIT_CONFIG, "%s: %s", path,
			    err == SP_EPERM ? "cannot be written (wrong owner, or a read-only disk)"
					    : sp_strerror(err));
	}
	if (as_root && !server_passable(in->dir, closed, sizeof(closed)))
		sp_die(EXIT_CONFIG, "%s: the rooms have users of their own, who cannot pass %s",
		    in->dir, closed[0] != '\0' ? closed : "/");
}

static void
take_lock(struct instance *in)
{
	char path[1100];

	if (instance_path(in, "run/pid", path, sizeof(path)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s: the path is too long", in->dir);
	in->lock = server_lock(path);
	if (in->lock == SP_ERUNNING)
		sp_die(EXIT_UNAVAILABLE, "%s: %s", in->dir, sp_strerror(SP_ERUNNING));
	if (in->lock < 0)
		sp_die(EXIT_CONFIG, "%s: %s", path,
		    in->lock == SP_EPERM ? "cannot be written (wrong owner, or a read-only disk)"
					 : sp_strerror(in->lock));
}

static int
bind_local(const struct instance *in, const char *name)
{
	char path[1100];
	int fd = instance_path(in, name, path, sizeof(path));

	if (fd == SP_OK)
		fd = sock_listen_local(path, 0600);
	if (fd < 0)
		sp_die(EXIT_UNAVAILABLE, "%s: cannot listen: %s", path, sp_strerror(fd));
	if (fd_nonblock(fd, true) != SP_OK)
		sp_die(EXIT_SYSTEM, "%s: cannot listen", path);
	return fd;
}

const struct socket_row socket_rows[SOCKET_COUNT] = {
    [SOCKET_HTTPS] = {"HttpsListen", ROOM_GATE_HTTPS, LISTENER_PUBLIC},
    [SOCKET_ADMIN] = {"AdminListen", ROOM_GATE_HTTPS, LISTENER_ADMIN},
    [SOCKET_SFTP] = {"SftpListen", ROOM_GATE_SFTP, LISTENER_PUBLIC},
};

int
instance_bind(struct instance *in, size_t socket, char *why, size_t cap)
{
	const char *addr[SOCKET_COUNT] = {
	    in->conf.https_listen, in->conf.admin_listen, in->conf.sftp_listen};
	DEFER(close_fd) int fd = -1;
	char reason[256] = "";

	if (in->listener[socket] >= 0 || (socket == SOCKET_SFTP && !sftp_is_open(in)))
		return SP_OK;
	fd = sock_listen_tcp(addr[socket], in->conf.congestion, reason, sizeof(reason));
	if (fd >= 0 && fd_nonblock(fd, true) == SP_OK) {
		in->listener[socket] = TAKE_FD(fd);
		return SP_OK;
	}
	(void)snprintf(why, cap, "%s: cannot listen on %s", socket_rows[socket].keyword, reason);
	return SP_EUNAVAIL;
}

static bool
is_locked(const struct instance *in, enum room gate)
{
	for (size_t i = 0; i < IPC_LOCKS; i++)
		if (ipc_locks[i].gate == gate)
			return (in->lockdown.doors & ipc_locks[i].bit) != 0;
	return false;
}

static void
bind_sockets(struct instance *in)
{
	char why[320] = "";

	for (size_t i = 0; i < SOCKET_COUNT; i++) {
		in->listener[i] = -1;
		if (!is_locked(in, socket_rows[i].gate) &&
		    instance_bind(in, i, why, sizeof(why)) != SP_OK)
			sp_die(EXIT_UNAVAILABLE, "%s", why);
	}
	in->control = bind_local(in, "run/control.sock");
	in->operator= bind_local(in, "run/operator.sock");
}

void
instance_open(struct instance *in, const char *dir, bool as_root)
{
	char why[2600] = "";
	struct text t = text_of(in->dir, sizeof(in->dir));

	text_str(&t, dir);
	while (t.len > 1 && in->dir[t.len - 1] == '/')
		in->dir[--t.len] = '\0';
	if (t.bad || dir[0] != '/')
		sp_die(EXIT_USAGE, "%s: not the absolute path of an instance", dir);
	if (read_conf(in, &in->conf, why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s", why);
	log_level_set((enum log_level)in->conf.log_level);
	if (instance_limits(in, &in->limits, &in->limits_fd, why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s", why);
	check_folders(in, as_root);
	take_lock(in);
	instance_counters(in);
	instance_lock_read(in);
	check_keys(in);
	if (read_certificate(in, &in->conf, &in->certificate_fd, why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s", why);
	if (check_host_keys(in, why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s", why);
	if (alarms_check(in, why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s", why);
	if (instance_scanner(in, &in->conf, &in->scanner_fd, why, sizeof(why)) != SP_OK)
		sp_die(EXIT_CONFIG, "%s", why);
	in->conf_fd = conf_file(&in->conf);
	if (in->conf_fd < 0)
		sp_die(EXIT_SYSTEM, "memfd: %s", sp_strerror(in->conf_fd));
	bind_sockets(in);
}

/* Settings that differ in the file but cannot be taken up now are named, not silently left. */
static void
warn_of_restart(const struct conf *now, const struct conf *fresh)
{
	size_t n;
	const struct conf_row *rows = conf_rows(&n);

	for (size_t i = 0; i < n; i++) {
		char a[1400], b[1400];

		conf_print(now, i, a, sizeof(a));
		conf_print(fresh, i, b, sizeof(b));
		if (!rows[i].reload && strcmp(a, b) != 0)
			log_warning("%s is taken up by a restart only", rows[i].keyword);
	}
}

int
instance_reload(struct instance *in, char *why, size_t cap)
{
	struct conf fresh, was, merged = in->conf;
	struct limits fresh_limits;
	DEFER(close_fd) int certificate = -1, conf = -1, limits = -1;
	DEFER(close_fd) int probes = -1;
	int err = read_conf(in, &fresh, why, cap);

	if (err != SP_OK)
		return err;
	conf_take_reloadable(&merged, &fresh);
	err = read_certificate(in, &merged, &certificate, why, cap);
	if (err != SP_OK)
		return err;
	err = check_host_keys(in, why, cap); /* SftpListen is not taken up by a reload */
	if (err != SP_OK)
		return err;
	was = in->conf; /* what would be in force is looked at as a whole */
	in->conf = merged;
	err = alarms_check(in, why, cap);
	in->conf = was;
	if (err == SP_OK)
		err = instance_limits(in, &fresh_limits, &limits, why, cap);
	if (err == SP_OK)
		err = instance_scanner(in, &merged, &probes, why, cap);
	if (err != SP_OK)
		return err;
	conf = conf_file(&merged);
	if (conf < 0) {
		(void)snprintf(why, cap, "settings: %s", sp_strerror(conf));
		return conf;
	}
	warn_of_restart(&in->conf, &fresh);
	in->conf = merged;
	close_fd(&in->conf_fd);
	close_fd(&in->certificate_fd);
	close_fd(&in->limits_fd);
	in->conf_fd = TAKE_FD(conf);
	in->limits_fd = TAKE_FD(limits);
	in->limits = fresh_limits;
	in->certificate_fd = TAKE_FD(certificate);
	close_fd(&in->scanner_fd);
	in->scanner_fd = TAKE_FD(probes);
	return SP_OK;
}

/* ---- what rooms are given ---- */

/* The place of each file in the instance; NULL: not a path of its own. */
static const struct file_place {
	enum ipc_file_what what;
	const char *path;
	int flags;
} places[] = {
    {FILE_ROOT_RECOVERY, "keys/root.recovery", O_RDONLY},
    {FILE_VAULT_STATE, "vault/state", O_RDWR},
    {FILE_VAULT_EGRESS, "vault/egress", O_RDWR},
    {FILE_LEDGER_KEY, "keys/ledger.key", O_RDONLY},
    {FILE_LEDGER_DIR, "ledger", O_RDONLY | O_DIRECTORY},
    {FILE_DATABASE_DIR, "db", O_RDONLY | O_DIRECTORY},
    {FILE_BLOB_DIR, "blobs", O_RDONLY | O_DIRECTORY},
    {FILE_COURIER_DIR, "courier", O_RDONLY | O_DIRECTORY},
#define HOST_KEY(WHAT, TYPE, path, sshfp) {WHAT, path, O_RDONLY},
#include "ipc/hostkeys.def"
#undef HOST_KEY
};

int
instance_file(const struct instance *in, enum ipc_file_what what, char *ret_name, size_t cap)
{
	int flags = O_RDONLY, err = SP_ENOTFOUND;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (places[i].what != what)
			continue;
		flags = places[i].flags;
		err = instance_path(in, places[i].path, ret_name, cap);
	}
	if (what >= FILE_SSH_ED25519 && what <= FILE_SSH_RSA &&
	    !sftp_is_open(in)) /* nobody needs them */
		return SP_ENOTFOUND;
	if (what == FILE_TLS_KEY)
		err = instance_path(in, in->conf.https_key, ret_name, cap);
	if (what == FILE_ROOT_KEY)
		err = in->lockdown.keys ? SP_ENOTFOUND : instance_root_path(in, ret_name, cap);
	if (what >= FILE_ALARM_MAIL_PASSWORD && what <= FILE_ALARM_CA)
		err = alarms_path(in, what, ret_name, cap);
	return err != SP_OK ? err : file_open_at(AT_FDCWD, ret_name, flags, 0);
}

/* ---- serial numbers ---- */

/* Write down that the next million numbers are ours, before the first of them is given out. */
static int
reserve_serials(struct instance *in)
{
	DEFER(mem_freep) uint8_t *old = NULL;
	uint64_t first = (uint64_t)clock_wall_us() / 1000, kept = 0;
	char path[1100], number[24];
	struct text t = text_of(number, sizeof(number));
	size_t len = 0;
	int err = instance_path(in, "run/serial", path, sizeof(path));

	/* a lost file does no harm: milliseconds go faster than workers */
	if (err == SP_OK && instance_read(path, 20, &old, &len) == SP_OK &&
	    parse_u64(span_of(old, len), UINT64_MAX >> 1, &kept) == SP_OK && kept > first)
		first = kept;
	text_u64(&t, first + SERIALS_AT_ONCE);
	if (err == SP_OK)
		err = file_write_new(AT_FDCWD, path, text_span(&t), 0600, /* replace= */ true);
	if (err != SP_OK)
		return err;
	in->serial = first;
	in->serial_end = first + SERIALS_AT_ONCE;
	return SP_OK;
}

int
instance_serial(struct instance *in, uint64_t *ret)
{
	if (in->serial == in->serial_end) {
		int err = reserve_serials(in);

		if (err != SP_OK)
			return err;
	}
	*ret = in->serial++;
	return SP_OK;
}
