/* room.c - how every room starts. */
#include "ipc/room.h"
#include "sys/fd.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>

#define CONF_MAX_BYTES (256u * 1024)
#define EXIT_USAGE 64
#define EXIT_SOFTWARE 70
#define EXIT_CONFIG 78

/* ---- the messages before GO ---- */

static void
take_link(struct room_start *r, struct chan_msg *m)
{
	struct ipc_link link;

	if (ipc_get_link(m->body, &link) < 0 || link.room >= ROOM_COUNT)
		sp_die(EXIT_SOFTWARE, "the supervisor sent a malformed LINK");
	close_fd(&r->link[link.room]);
	r->link[link.room] = TAKE_FD(m->fd);
}

static void
take_file(struct room_start *r, struct chan_msg *m)
{
	struct ipc_file file;

	if (ipc_get_file(m->body, &file) < 0)
		sp_die(EXIT_SOFTWARE, "the supervisor sent a malformed FILE");
	VERIFY(file.what < ARRAY_LEN(r->file));
	close_fd(&r->file[file.what]);
	mem_freep(&r->file_name[file.what]);
	r->file[file.what] = TAKE_FD(m->fd);
	if (file.name.len == 0)
		return;
	r->file_name[file.what] = mem_dup(file.name);
	if (r->file_name[file.what] == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
}

static int
read_conf(int fd, struct conf *ret, char *why, size_t cap)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	size_t len;
	int rc = file_read_all(fd, CONF_MAX_BYTES, &text, &len);

	if (rc < 0) {
		(void)snprintf(why, cap, "sallyport.conf: %s", sp_strerror(rc));
		return rc;
	}
	return conf_parse(span_of(text, len), ret, why, cap);
}

static void
take_go(struct room_start *r, const struct chan_msg *m)
{
	struct ipc_go go;
	char why[256] = "";

	if (ipc_get_go(m->body, &go) < 0)
		sp_die(EXIT_SOFTWARE, "the supervisor sent a malformed GO");
	r->generation = go.generation;
	r->as_root = go.as_root;
	if (r->file[FILE_CONF] < 0)
		sp_die(EXIT_SOFTWARE, "the supervisor sent no settings");
	if (read_conf(r->file[FILE_CONF], &r->conf, why, sizeof why) < 0)
		sp_die(EXIT_CONFIG, "%s", why);
	close_fd(&r->file[FILE_CONF]);
	log_level_set((enum log_level)r->conf.log_level);
}

/* returns true at GO */
static bool
take_message(
    struct room_start *r, struct chan_msg *m, void (*early)(void *, struct chan_msg *), void *arg)
{
	switch (m->id) {
	case IPC_LINK:
		take_link(r, m);
		return false;
	case IPC_FILE:
		take_file(r, m);
		return false;
	case IPC_GO:
		take_go(r, m);
		return true;
	case IPC_STOP:
		exit(0);
	default:
		if (early == NULL)
			sp_die(EXIT_SOFTWARE, "%s before GO", ipc_rule(m->id)->name);
		early(arg, m);
		return false;
	}
}

static void
start_empty(struct room_start *r, enum room self)
{
	memset(r, 0, sizeof *r);
	r->self = self;
	for (size_t i = 0; i < ARRAY_LEN(r->link); i++)
		r->link[i] = -1;
	for (size_t i = 0; i < ARRAY_LEN(r->file); i++)
		r->file[i] = -1;
	chan_init(&r->supervisor, ROOM_SUPERVISOR_FD, self, ROOM_SUPERVISOR);
}

static void
take_all(struct room_start *r, void (*early)(void *, struct chan_msg *), void *arg)
{
	uint8_t buf[IPC_MAX];
	size_t most = 0;
	bool go = false;

	while (!go) {
		struct chan_msg m;
		int rc = chan_recv(&r->supervisor, PH_ANY, true, buf, sizeof buf, &m);

		if (rc == SP_ECLOSED)
			exit(0);
		if (rc == SP_ESYS)
			sp_die(EXIT_USAGE, "this is a part of Sallyport: its supervisor starts it, "
					   "`sallyport serve` starts that");
		if (rc < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(rc));
		if (m.body.len > most)
			most = m.body.len;
		go = take_message(r, &m, early, arg);
		chan_msg_done(&m);
	}
	mem_wipe(buf, most + 2 /* its id */);
}

void
room_enter(enum room self, int argc, char **argv, struct room_start *ret,
    void (*early)(void *, struct chan_msg *), void *arg)
{
	if (argc > 1 && span_eq_str(span_str(argv[1]), "--version")) {
		printf("sallyport-%s %s\n", room_table[self].name, SALLYPORT_VERSION);
		exit(0);
	}
	if (argc > 1)
		sp_die(EXIT_USAGE, "this is a part of Sallyport and takes no arguments");
	log_open(room_table[self].name, LOG_LV_INFO);
	if (sandbox_prepare(ROOM_SUPERVISOR_FD) < 0)
		sp_die(EXIT_SOFTWARE, "the kernel refused to prepare the sandbox");
	start_empty(ret, self);
	take_all(ret, early, arg);
}

bool
room_is_template(int argc, char **argv)
{
	static const char name[] = "sallyport-template-";

	return argc == 1 && strncmp(argv[0], name, sizeof(name) - 1) == 0;
}

void
room_again(struct room_start *r)
{
	/* descriptors did not come with the copy, and the template has let go of its own */
	for (size_t i = 0; i < ARRAY_LEN(r->file_name); i++)
		mem_freep(&r->file_name[i]);
	start_empty(r, r->self);
	take_all(r, NULL, NULL);
}

void
room_sandbox(struct room_start *r, const struct sandbox_path *paths, size_t n,
    const struct sandbox_limits *limits, const char *note)
{
	struct sandbox_state state = {0};
	struct ipc_ready ready;
	int rc = sandbox_enter(room_table[r->self].name, paths, n, limits, &state);

	if (rc < 0)
		sp_die(EXIT_SOFTWARE, "the sandbox could not be entered: %s", sp_strerror(rc));
	ready.landlock_abi = (uint8_t)(state.landlock_abi < 255 ? state.landlock_abi : 255);
	ready.note = span_str(note);
	rc = chan_send_ready(&r->supervisor, &ready, -1);
	if (rc < 0 && rc != SP_ECLOSED)
		sp_die(EXIT_SOFTWARE, "READY: %s", sp_strerror(rc));
}

int
room_reload(struct room_start *r, int fd)
{
	struct conf fresh;
	char why[256] = "";
	int rc = read_conf(fd, &fresh, why, sizeof why);

	close_fd(&fd);
	if (rc < 0) {
		log_error("reload: %s; the old settings stay", why);
		return SP_ECONFIG;
	}
	conf_take_reloadable(&r->conf, &fresh);
	log_level_set((enum log_level)r->conf.log_level);
	return SP_OK;
}
