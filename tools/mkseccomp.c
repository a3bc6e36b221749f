/* mkseccomp - at build time: the rows of sys/seccomp.def to one BPF program for each room, with
 * libseccomp.
 *
 *   mkseccomp OUTPUT
 * OUTPUT is included by sys/sandbox.c: `struct sock_filter` arrays and a table of them by name,
 * once for builds with sanitizers (SP_SANITIZE) and once for all others.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum room {
#define ROOM(NAME, name, index, kind, text) ROOM_##NAME = (index),
#include "ipc/rooms.def"
#undef ROOM
};

/* Sets of profiles, by the index of the room. */
enum profile_set {
#define ROOM(NAME, name, index, kind, text) BIT_##NAME = 1 << (index),
#include "ipc/rooms.def"
#undef ROOM
	P_BROKER = BIT_BROKER,
	P_GATE = BIT_GATE_HTTPS | BIT_GATE_SFTP,
	P_WORKER = BIT_WORKER_HTTPS | BIT_WORKER_SFTP,
	P_EVERY = BIT_LEDGER | BIT_VAULT | BIT_SIGNER | BIT_BROKER | BIT_AUTHENTICATOR | P_GATE |
		  P_WORKER | BIT_SCRUBBER | BIT_COURIER | BIT_MESSENGER,
	P_FILES = BIT_LEDGER | BIT_VAULT | BIT_BROKER | P_WORKER | BIT_SCRUBBER | BIT_COURIER,
	P_THREADS = BIT_LEDGER | BIT_BROKER | P_WORKER | BIT_MESSENGER,
	P_SENDERS = BIT_BROKER | P_GATE | BIT_COURIER,
	P_ACCEPT = BIT_BROKER | P_GATE,
	P_PATHS = BIT_LEDGER | BIT_BROKER | BIT_COURIER,
	P_MESSENGER = BIT_MESSENGER,
};

struct room_name {
	const char *symbol, *name;
	unsigned bit;
};

static const struct room_name rooms[] = {
#define ROOM(NAME, name, index, kind, text) {#NAME, #name, BIT_##NAME},
#include "ipc/rooms.def"
#undef ROOM
};

static void
die(const char *what, int err)
{
	(void)fprintf(stderr, "mkseccomp: %s: %s\n", what, strerror(err));
	exit(1);
}

static void
rule(scmp_filter_ctx ctx, uint32_t action, int call, const char *name,
    const struct scmp_arg_cmp *args, size_t n)
{
	int err = seccomp_rule_add_array(ctx, action, call, (unsigned)n, args);

	if (err != 0)
		die(name, -err);
}

/* The first element is a filler, since C has no empty arrays. */
#define ROW(profiles, action, call, ...)                                                           \
	if (((unsigned)(profiles)&bit) != 0) {                                                     \
		const struct scmp_arg_cmp args[] = {{0}, ##__VA_ARGS__};                           \
		rule(ctx, action, SCMP_SYS(call), #call, args + 1,                                 \
		    sizeof(args) / sizeof(args[0]) - 1);                                           \
	}

#define ARG_IS(arg, value)                                                                         \
	{                                                                                          \
		arg, SCMP_CMP_EQ, value, 0                                                         \
	}
#define ARG_MASKED(arg, mask, value)                                                               \
	{                                                                                          \
		arg, SCMP_CMP_MASKED_EQ, mask, value                                               \
	}

static void
add_rules(scmp_filter_ctx ctx, unsigned bit, bool sanitize)
{
#define ALLOW(profiles, call, ...) ROW(profiles, SCMP_ACT_ALLOW, call, ##__VA_ARGS__)
#define REFUSE(profiles, err, call, ...) ROW(profiles, SCMP_ACT_ERRNO(err), call, ##__VA_ARGS__)
#define SANITIZE_ALLOW(profiles, call, ...)                                                        \
	if (sanitize)                                                                              \
	ROW(profiles, SCMP_ACT_ALLOW, call, ##__VA_ARGS__)
#define SANITIZE_REFUSE(profiles, err, call)                                                       \
	if (sanitize)                                                                              \
	ROW(profiles, SCMP_ACT_ERRNO(err), call)
#include "sys/seccomp.def"
}

static void
print_filter(FILE *out, const struct room_name *room, bool sanitize)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int fd = memfd_create("bpf", 0), err;
	struct sock_filter f;

	if (ctx == NULL || fd == -1)
		die("seccomp_init", errno);
	/* calls of another architecture's numbering (x32, i386) kill as well */
	err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (err == 0)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err != 0)
		die("seccomp_attr_set", -err);
	add_rules(ctx, room->bit, sanitize);
	err = seccomp_export_bpf(ctx, fd);
	if (err != 0)
		die("seccomp_export_bpf", -err);
	if (lseek(fd, 0, SEEK_SET) == -1)
		die("lseek", errno);
	(void)fprintf(out, "static const struct sock_filter filter_%s[] = {\n", room->symbol);
	while (read(fd, &f, sizeof(f)) == (ssize_t)sizeof(f))
		(void)fprintf(out, "\t{0x%x, %u, %u, 0x%x},\n", f.code, f.jt, f.jf, f.k);
	(void)fprintf(out, "};\n");
	seccomp_release(ctx);
	(void)close(fd);
}

static void
print_variant(FILE *out, bool sanitize)
{
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		if ((rooms[i].bit & P_EVERY) != 0)
			print_filter(out, &rooms[i], sanitize);
	(void)fprintf(out, "static const struct filter_row filters[] = {\n");
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		if ((rooms[i].bit & P_EVERY) != 0)
			(void)fprintf(out,
			    "\t{\"%s\", filter_%s, sizeof(filter_%s) / sizeof(struct "
			    "sock_filter)},\n",
			    rooms[i].name, rooms[i].symbol, rooms[i].symbol);
	(void)fprintf(out, "};\n");
}

int
main(int argc, char **argv)
{
	FILE *out;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: mkseccomp OUTPUT\n");
		return 64;
	}
	out = fopen(argv[1], "w");
	if (out == NULL)
		die(argv[1], errno);
	(void)fprintf(
	    out, "/* Made by tools/mkseccomp from sys/seccomp.def. */\n#ifdef SP_SANITIZE\n");
	print_variant(out, true);
	(void)fprintf(out, "#else\n");
	print_variant(out, false);
	(void)fprintf(out, "#endif\n");
	return fclose(out) == 0 ? 0 : 1;
}
