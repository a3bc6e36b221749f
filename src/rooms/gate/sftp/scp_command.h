/* scp_command.h - the command line with which an scp client starts the other side.  Pure.
 *
 * OpenSSH's scp sends the path as it was typed, for a shell to take apart; others quote it.  There
 * is no shell here: words, quotes and backslashes are understood, '*' and '?' in the last name of
 * what is fetched, '~' for the home folder; whatever else a shell would act on is refused.
 */
#ifndef SP_GATE_SFTP_SCP_COMMAND_H
#define SP_GATE_SFTP_SCP_COMMAND_H

#include "rooms/gate/sftp/scp.h"

#define SCP_PATHS_MAX 64u

struct scp_path {
	struct span text; /* without quotes; into scp_command.buf */
	bool is_pattern;  /* '*' or '?' stood in it outside quotes */
	bool is_home;	  /* began with '~', which is taken off with the slash behind it */
};
struct scp_command {
	bool takes; /* -t: files come from the client; else -f: they go to it */
	bool recursive, preserves, folder; /* -r, -p, -d */
	size_t n_paths;
	struct scp_path paths[SCP_PATHS_MAX];
	char buf[SCP_COMMAND_MAX];
};
/* scp_parse - errors SP_ESYNTAX: not a command that scp clients send */
int scp_parse(struct span command, struct scp_command *ret) MUST_USE;

/* A line of the protocol: "C0644 12 name", "D0755 0 name", "T1 0 2 0", without its line end.
 * scp_entry_parse - of the first two.  errors SP_ESYNTAX; SP_ENAME: not one name
 * scp_times_parse - of the third: seconds since 1970.  errors SP_ESYNTAX */
struct scp_entry {
	bool is_folder;
	uint64_t size; /* bytes */
	struct span name;
};
int scp_entry_parse(struct span line, struct scp_entry *ret) MUST_USE;
int scp_times_parse(struct span line, uint64_t *ret_mtime_s) MUST_USE;
#endif
