/* room.h - the shape of every room's start and end, the same in each main.c.
 *
 *   main: room_enter -> take LINK and FILE messages until GO -> read what it needs -> room_sandbox -> READY -> loop
 *
 * A room is exec'd with standard error (2), /dev/null on 0 and 1, and its supervisor socket on 3; nothing else.
 */
#ifndef SP_IPC_ROOM_H
#define SP_IPC_ROOM_H

#include "base/conf.h"
#include "ipc/chan.h"
#include "sys/sandbox.h"

#define ROOM_SUPERVISOR_FD 3

struct room_start {
	enum room self;
	struct chan supervisor;
	int link[ROOM_COUNT];	/* sockets received with LINK, by room; -1: none; owned */
	int file[32];		/* descriptors received with FILE, by enum ipc_file_what; -1: none; owned */
	char *file_name[32];	/* their absolute paths where given, owned; NULL: none */
	struct conf conf;	/* parsed from FILE_CONF */
	uint64_t generation;
	bool as_root;		/* the server was started by root */
};

/* room_enter - log name, sandbox_prepare, then blocks for messages until GO.  Dies with a sentence when the
 * supervisor is not there: a room's binary is no command.
 *   self   which room this is
 *   argv   argv[1] may be "--version" (prints and exits 0)
 * extra messages that arrive before GO (LISTENER, WORKER_NEW, ...) are handed to early(arg, msg) when not NULL. */
void room_enter(enum room self, int argc, char **argv, struct room_start *ret, void (*early)(void *, struct chan_msg *), void *arg);
/* room_is_template - was this process started to be copied?  Then it is called sallyport-template-<door>. */
bool room_is_template(int argc, char **argv);
/* room_again - in a copy of a template, which has none of its descriptors: LINK and FILE messages until GO from the copy's
 * own socket to the supervisor, as in room_enter. */
void room_again(struct room_start *r);
/* room_sandbox - the room's own profile and limits; then sends READY. paths as in sandbox_enter. */
void room_sandbox(struct room_start *r, const struct sandbox_path *paths, size_t n, const struct sandbox_limits *limits, const char *note);
/* room_reload - settings from a RELOAD message's descriptor (closed): SP_ECONFIG keeps the old ones. */
int room_reload(struct room_start *r, int fd) MUST_USE;
#endif
