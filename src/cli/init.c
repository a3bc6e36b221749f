/* init.c - sallyport init: a whole instance, or nothing. */
#include <stdio.h>

#include "base/limits.h"
#include "base/name.h"
#include "base/text.h"
#include "cli/init.h"
#include "cli/program.h"
#include "cli/store_copy.h"
#include "ipc/ipc.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define CONF_TEXT_MAX 65536u
#define DIR_BYTES_MAX                                                                              \
	89u /* with "/run/control.sock" it fits the 108 bytes of sun_path, unix(7)                 \
	     */

/* chosen - the option that sets a keyword, or NULL. */
static const char *
chosen(const struct cli *c, const char *keyword)
{
	static const struct {
		const char *keyword, *option;
	} map[] = {{"Name", "--name"}, {"HttpsListen", "--https"}, {"AdminListen", "--admin"},
	    {"SftpListen", "--sftp"}, {"SegmentLength", "--segment-length"}};
	const char *root = cli_opt(c, "--root-key");

	for (size_t i = 0; i < ARRAY_LEN(map); i++)
		if (strcmp(map[i].keyword, keyword) == 0)
			return cli_opt(c, map[i].option);
	if (strcmp(keyword, "RootKey") == 0 && root != NULL && strcmp(root, "passphrase") == 0)
		return "passphrase";
	return NULL;
}

int
init_conf(const struct cli *c, char *text, size_t cap, struct conf *ret_conf)
{
	struct text t = text_of(text, cap);
	size_t n;
	const struct conf_row *rows = conf_rows(&n);
	char why[512];

	text_str(&t, "# sallyport.conf: keyword and value, one a line; see sallyport.conf(5).\n"
		     "# A line that begins with # shows a default.\n");
	for (size_t i = 0; i < n; i++) {
		const char *value = chosen(c, rows[i].keyword);

		if (value != NULL && strpbrk(value, "\n\r#") != NULL)
			return cli_fail(SP_EUSAGE, "%s: a value cannot hold an end of line or #",
			    rows[i].keyword);
		text_fmt(&t, "\n# %s\n%s%s %s\n", rows[i].text, value != NULL ? "" : "#",
		    rows[i].keyword, value != NULL ? value : rows[i].dflt);
	}
	VERIFY(!t.bad);
	if (conf_parse(text_span(&t), ret_conf, why, sizeof(why)) != SP_OK) {
		const char *colon =
		    strstr(why, ": "); /* the line number means nothing to the caller */

		return cli_fail(SP_ECONFIG, "%s", colon != NULL ? colon + 2 : why);
	}
	return SP_OK;
}

/* init_limits - limits.conf as comments: every limit with its default. */
static int
init_limits(struct init *in)
{
	DEFER(mem_freep) char *buf = mem_alloc(CONF_TEXT_MAX);
	const struct conf_table *table = limits_table();
	struct text t;

	if (buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	t = text_of(buf, CONF_TEXT_MAX);
	text_str(&t,
	    "# limits.conf: how much of what is stored may leave; see limits.conf(5).\n"
	    "# Only its owner may write it.  A line that begins with # shows a default.\n");
	for (size_t i = 0; i < table->n; i++)
		text_fmt(&t, "\n# %s\n#%s %s\n", table->rows[i].text, table->rows[i].keyword,
		    table->rows[i].dflt);
	VERIFY(!t.bad);
	return init_write(in, "limits.conf", text_span(&t), 0644);
}

static int
check_options(struct init *in)
{
	struct cli *c = in->c;

	if (cli_has(c, "--certificate") != cli_has(c, "--key"))
		return cli_fail(SP_EUSAGE, "--certificate and --key go together");
	in->org = cli_opt(c, "--org") != NULL ? cli_opt(c, "--org") : "main";
	if (account_check(span_str(in->org)) != SP_OK)
		return cli_fail(SP_ENAME,
		    "%s: an organisation's name has 1 to 64 letters, digits and . _ @ + -",
		    in->org);
	if (cli_has(c, "--name") && account_check(span_str(cli_opt(c, "--name"))) != SP_OK)
		return cli_fail(SP_ENAME,
		    "%s: an instance's name has 1 to 64 letters, digits and . _ @ -",
		    cli_opt(c, "--name"));
	if (cli_has(c, "--name") && strchr(cli_opt(c, "--name"), '+') != NULL)
		return cli_fail(SP_ENAME, "%s: an instance's name has no +", cli_opt(c, "--name"));
	return SP_OK;
}

int
init_place(const char *dir)
{
	char closed[4096];
	int rc;

	if (strpbrk(dir, "\n\r#") != NULL)
		return cli_fail(
		    SP_EUSAGE, "%s: a folder's name cannot hold an end of line or #", dir);
	if (strlen(dir) > DIR_BYTES_MAX)
		return cli_fail(SP_EUSAGE,
		    "%s: the path is longer than %u bytes, and its sockets could not be made", dir,
		    DIR_BYTES_MAX);
	rc = op_dir_empty(dir);
	if (rc == 0)
		return cli_fail(SP_EEXISTS, "%s exists and is not empty", dir);
	if (rc == SP_ENOTFOLDER)
		return cli_fail(SP_EEXISTS, "%s exists and is not a folder", dir);
	if (rc < 0 && rc != SP_ENOTFOUND)
		return cli_fail(rc, "%s: %s", dir, sp_strerror(rc));
	if (rc == 1 && op_mount_point(dir))
		return cli_fail(SP_ECONFLICT, "%s is a mount point; name a folder below it", dir);
	if (op_uid() == 0 && op_closed_parent(dir, closed, sizeof(closed)) == 1)
		return cli_fail(SP_EPERM,
		    "%s: its rooms run as users of their own and could not pass %s", dir, closed);
	return SP_OK;
}

static int
make_folders(struct init *in)
{
	static const char *const names[] = {
	    "keys", "vault", "db", "blobs", "ledger", "courier", "run"};

	in->dirfd = temp_folder(in->dir, in->temp, sizeof(in->temp));
	if (in->dirfd < 0)
		return in->dirfd;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int rc = dir_make_at(in->dirfd, names[i], 0700);

		if (rc != SP_OK)
			return cli_fail(rc, "%s/%s: %s", in->temp, names[i], sp_strerror(rc));
	}
	return SP_OK;
}

static int
make_database(struct init *in)
{
	char broker[4096], path[4160], segment[24];
	struct text p = text_of(path, sizeof(path)), s = text_of(segment, sizeof(segment));
	char *argv[6] = {broker, NULL, path, segment, NULL, NULL};
	char flag[] = "--init", org[65];
	struct text o = text_of(org, sizeof(org));
	int rc = program_find("sallyport-broker", broker, sizeof(broker));

	if (rc != SP_OK)
		return rc;
	text_fmt(&p, "%s/db", in->temp);
	text_u64(&s, (uint64_t)in->conf.segment_bytes);
	text_str(&o, in->org);
	argv[1] = flag;
	argv[4] = org;
	rc = op_run(broker, argv);
	if (rc != 0)
		return cli_fail(
		    SP_EIO, "the database could not be made (%s ended with %d)", broker, rc);
	return SP_OK;
}

int
init_give_away(const char *temp, const struct conf *conf)
{
	static const struct {
		const char *name;
		enum room room;
	} owned[] = {{"db", ROOM_BROKER}, {"blobs", ROOM_BROKER}, {"ledger", ROOM_LEDGER},
	    {"courier", ROOM_COURIER}};
	char path[4200];
	int rc;

	if (op_uid() != 0)
		return SP_OK;
	for (size_t i = 0; i < ARRAY_LEN(owned); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", temp, owned[i].name);
		rc = op_chown_tree(path, (uint32_t)conf->uid_base + (uint32_t)owned[i].room);
		if (rc != SP_OK)
			return cli_fail(rc, "%s: %s", path, sp_strerror(rc));
	}
	rc = op_mode(temp, 0711);
	return rc == SP_OK ? SP_OK : cli_fail(rc, "%s: %s", temp, sp_strerror(rc));
}

static int
build(struct init *in, const char *conf_text)
{
	int rc = make_folders(in);

	if (rc == SP_OK)
		rc = init_keys(in);
	if (rc == SP_OK)
		rc = init_write(in, "vault/state", span_of(NULL, 0), 0600);
	if (rc == SP_OK)
		rc = init_write(in, "vault/egress", span_of(NULL, 0), 0600);
	if (rc == SP_OK)
		rc = init_limits(in);
	if (rc == SP_OK)
		rc = init_write(in, "sallyport.conf", span_str(conf_text), 0644);
	if (rc == SP_OK)
		rc = make_database(in);
	if (rc == SP_OK)
		rc = init_give_away(in->temp, &in->conf);
	return rc == SP_OK ? temp_keep(in->temp, in->dir, in->dirfd) : rc;
}

static void
report(const struct init *in)
{
	char buf[8192];
	struct text t = text_of(buf, sizeof(buf));
	struct json j = json_of(&t);

	if (in->c->json) {
		json_open(&j, '{');
		json_kstr(&j, "dir", span_str(in->dir));
		json_kstr(&j, "organisation", span_str(in->org));
		json_kstr(&j, "https", span_str(in->conf.https_listen));
		json_kstr(&j, "admin", span_str(in->conf.admin_listen));
		json_kstr(&j, "sftp", span_str(in->conf.sftp_listen));
		json_kstr(&j, "verifier_key", span_str(in->verifier));
		if (in->generated)
			json_kstr(
			    &j, "recovery_passphrase", span_of(in->passphrase, in->passphrase_len));
		json_close(&j, '}');
		(void)printf("%s\n", buf);
	} else {
		(void)printf("Made the instance %s with the organisation %s.\n", in->dir, in->org);
		if (in->generated)
			(void)printf("Recovery passphrase, shown only now (keep it away from this "
				     "machine):\n\n    %.*s\n\n",
			    (int)in->passphrase_len, in->passphrase);
		(void)printf("Verifier key of the audit log (keep a copy elsewhere too): %s\n"
			     "Start it with: sallyport -C %s serve\n",
		    in->verifier, in->dir);
	}
	mem_wipe(buf, sizeof(buf));
}

int
cmd_init(struct cli *c)
{
	DEFER(mem_freep) char *conf_text = mem_alloc(CONF_TEXT_MAX);
	struct init in = {.c = c, .dirfd = -1, .passphrase = secret_new(PASSPHRASE_MAX)};
	struct op_signals *signals = NULL;
	int rc = conf_text == NULL || in.passphrase == NULL ? SP_ENOMEM : SP_OK;

	if (rc != SP_OK)
		(void)cli_fail(rc, "%s", sp_strerror(rc)); /* rc is what it returns */
	if (rc == SP_OK)
		rc = check_options(&in);
	if (rc == SP_OK)
		rc = init_conf(c, conf_text, CONF_TEXT_MAX, &in.conf);
	if (rc == SP_OK && op_absolute(cli_opt(c, "DIR"), in.dir, sizeof(in.dir)) != SP_OK)
		rc = cli_fail(SP_EUSAGE, "%s: the path is too long", cli_opt(c, "DIR"));
	if (rc == SP_OK)
		rc = init_place(in.dir);
	if (rc == SP_OK)
		rc = init_passphrase(&in);
	if (rc == SP_OK && (rc = op_signals_hold(&signals)) != SP_OK)
		rc = cli_fail(rc, "%s", sp_strerror(rc));
	if (rc == SP_OK) {
		rc = build(&in, conf_text);
		if (rc != SP_OK)
			temp_drop(in.temp);
	}
	close_fd(&in.dirfd);
	op_signals_release(signals);
	if (rc == SP_OK) {
		report(&in);
		rc = cli_out_done();
	}
	secret_free(in.passphrase, PASSPHRASE_MAX);
	return rc;
}
