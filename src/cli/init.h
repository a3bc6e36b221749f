/* init.h - what `sallyport init` puts into a new instance folder. */
#ifndef SP_CLI_INIT_H
#define SP_CLI_INIT_H

#include "base/conf.h"
#include "cli/cli.h"

#define PASSPHRASE_MAX 1024u

/* What is being made.  All paths go below dirfd, a folder that nobody else sees yet. */
struct init {
	struct cli *c;
	struct conf conf;
	const char *org;
	int dirfd;
	char dir[4096];	  /* absolute, without a slash at its end */
	char temp[4200];  /* the folder beside it that becomes it */
	char *passphrase; /* of PASSPHRASE_MAX bytes on pages of their own */
	size_t passphrase_len;
	bool generated;	    /* the passphrase is ours and has to be shown */
	char verifier[256]; /* the ledger's verifier key */
};

/* init_conf - the content of sallyport.conf: the given options, everything else commented with its
 * default; checked by the parser that the server uses. text      receives it; ret_conf the settings
 *   errors    said already */
int init_conf(const struct cli *c, char *text, size_t cap, struct conf *ret_conf) MUST_USE;
/* init_passphrase - read or make the recovery passphrase; errors are said already. */
int init_passphrase(struct init *in) MUST_USE;
/* init_keys - root key and its recovery copy, ledger key, certificate, host keys where the
 * SFTP door is wanted; errors are said already. */
int init_keys(struct init *in) MUST_USE;
/* init_write - a new file below the folder that is being made; errors are said already. */
int init_write(struct init *in, const char *name, struct span content, unsigned mode) MUST_USE;

/* init_place - may an instance be made at this absolute path?  Errors are said already. */
int init_place(const char *dir) MUST_USE;
/* init_give_away - started by root: each room's folder to its room, and the folder itself passable.
 */
int init_give_away(const char *temp, const struct conf *conf) MUST_USE;
/* recovery_open - make the file `key` of dir/keys/root.recovery and the passphrase.
 *   key     below dirfd, or an absolute path
 *   errors  said already: SP_EAUTH (the passphrase is wrong) */
int recovery_open(int dirfd, const char *key, struct span passphrase) MUST_USE;
#endif
