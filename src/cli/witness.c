/* witness.c - a witness's folder, and its judgement of a checkpoint. */
#include "cli/witness.h"

#include <fcntl.h>
#include <stdio.h>

#include "cli/audit.h"
#include "proto/witness/request.h"
#include "sys/fd.h"
#include "sys/operator.h"

#define KEY_LINE_MAX 512u

/* ---- the folder ---- */

int
cmd_witness_init(struct cli *c)
{
	const char *dir = cli_opt(c, "DIR"), *name = cli_opt(c, "--name");
	uint8_t seed[32], key[32];
	char host[256], line[256];
	struct text t = text_of(line, sizeof(line));
	struct cosigner self;
	DEFER(close_fd) int fd = -1;
	int rc = crypto_random(seed, sizeof(seed));

	op_host_name(host, sizeof(host));
	if (rc == SP_OK)
		rc = ed25519_public(seed, key);
	if (rc == SP_OK && cosigner_of(span_str(name != NULL ? name : host), key, &self) != SP_OK)
		return cli_fail(SP_EUSAGE,
		    "%s: a witness's name has 1 to 64 bytes, no space and no +",
		    name != NULL ? name : host);
	if (rc == SP_OK)
		rc = dir_make_at(AT_FDCWD, dir, 0700);
	if (rc == SP_OK)
		rc = fd = file_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	rc = rc >= 0 ? dir_make_at(fd, "logs", 0700) : rc;
	if (rc == SP_OK)
		rc = file_write_new(fd, "witness.key", span_of(seed, sizeof(seed)), 0400, false);
	mem_wipe(seed, sizeof(seed));
	cosigner_put(&t, &self);
	text_chr(&t, '\n');
	if (rc == SP_OK)
		rc = file_write_new(fd, "witness.pub", text_span(&t), 0644, false);
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s", dir, sp_strerror(rc));
	(void)printf("%s", line);
	return cli_out_done();
}

static int
read_at(int dirfd, const char *name, size_t max, uint8_t **ret, size_t *ret_len)
{
	DEFER(close_fd) int fd = file_open_at(dirfd, name, O_RDONLY, 0);

	return fd < 0 ? fd : file_read_all(fd, max, ret, ret_len);
}

int
witness_open(const char *dir, struct witness *w)
{
	DEFER(mem_freep) uint8_t *line = NULL;
	DEFER(mem_freep) uint8_t *seed = NULL;
	uint8_t key[32];
	size_t len = 0, seed_len = 0;
	int rc;

	*w = (struct witness){.dirfd = -1, .logs = -1};
	rc = w->dirfd = file_open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	if (rc >= 0)
		rc = w->logs = file_open_at(w->dirfd, "logs", O_RDONLY | O_DIRECTORY, 0);
	if (rc >= 0)
		rc = read_at(w->dirfd, "witness.key", 32, &seed, &seed_len);
	if (rc == SP_OK)
		rc = read_at(w->dirfd, "witness.pub", KEY_LINE_MAX, &line, &len);
	if (rc == SP_OK && seed_len != sizeof(w->seed))
		rc = SP_EDAMAGED;
	if (rc == SP_OK) {
		memcpy(w->seed, seed, sizeof(w->seed));
		mem_wipe(seed, seed_len);
		rc = cosigner_parse(span_of(line, len), &w->self);
	}
	if (rc == SP_OK)
		rc = ed25519_public(w->seed, key);
	if (rc == SP_OK && memcmp(key, w->self.public_key, sizeof(key)) != 0)
		rc = SP_EVERIFY;
	return rc >= 0 ? SP_OK
		       : cli_fail(rc,
			     "%s: it is not a witness's folder (%s); make one with: sallyport "
			     "witness init DIR",
			     dir, sp_strerror(rc));
}

void
witness_close(struct witness *w)
{
	mem_wipe(w->seed, sizeof(w->seed));
	close_fd(&w->logs);
	close_fd(&w->dirfd);
}

int
witness_file(struct span origin, const char *suffix, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);
	uint8_t hash[SHA256_BYTES];
	int rc = sha256(origin, hash);

	if (rc != SP_OK)
		return rc;
	text_hex(&t, span_of(hash, 8));
	text_chr(&t, '.');
	text_str(&t, suffix);
	return t.bad ? SP_ESPACE : SP_OK;
}

int
witness_log(const struct witness *w, struct span origin, struct tlog_key *ret)
{
	DEFER(mem_freep) uint8_t *line = NULL;
	char name[64];
	size_t len = 0;
	int rc = witness_file(origin, "pub", name, sizeof(name));

	if (rc == SP_OK)
		rc = read_at(w->logs, name, KEY_LINE_MAX, &line, &len);
	if (rc == SP_OK)
		rc = tlog_key_parse(span_of(line, len), ret);
	return rc == SP_OK && !span_eq_str(origin, ret->name) ? SP_ENOTFOUND : rc;
}

int
witness_last(const struct witness *w, const struct tlog_key *key, uint64_t *ret_size,
    struct hash *ret_root, struct text *note)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	char name[64];
	size_t len = 0;
	int rc = witness_file(span_str(key->name), "checkpoint", name, sizeof(name));

	*ret_size = 0;
	if (rc == SP_OK)
		rc = read_at(w->logs, name, COSIGNED_MAX, &text, &len);
	if (rc == SP_ENOTFOUND)
		return SP_OK;
	if (rc == SP_OK)
		rc = checkpoint_open(
		    span_of(text, len), key->name, key->public_key, ret_size, ret_root);
	if (rc == SP_OK && note != NULL)
		text_add(note, span_of(text, len));
	return rc;
}

int
cmd_witness_add_log(struct cli *c)
{
	DEFER(witness_close) struct witness w;
	DEFER(mem_freep) uint8_t *line = NULL;
	const char *path = cli_opt(c, "FILE");
	struct tlog_key key;
	char name[64];
	size_t len = 0;
	int rc = witness_open(cli_opt(c, "DIR"), &w);

	if (rc == SP_OK)
		rc = audit_read_file(path, KEY_LINE_MAX, &line, &len);
	if (rc != SP_OK)
		return rc;
	if (tlog_key_parse(span_of(line, len), &key) != SP_OK)
		return cli_fail(SP_ESYNTAX, "%s: it is not a verifier key (name+id+key)", path);
	rc = witness_file(span_str(key.name), "pub", name, sizeof(name));
	if (rc == SP_OK)
		rc = file_write_new(w.logs, name, span_of(line, len), 0644, /* replace= */ false);
	if (rc == SP_EEXISTS)
		return cli_fail(rc, "a log of the origin %s is known already", key.name);
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s", name, sp_strerror(rc));
	(void)printf("the log %s is witnessed from now on\n", key.name);
	return cli_out_done();
}

int
cmd_witness_show(struct cli *c)
{
	DEFER(witness_close) struct witness w;
	char note[COSIGNED_MAX + 1];
	struct text t = text_of(note, sizeof(note));
	const char *origin = cli_opt(c, "ORIGIN");
	struct tlog_key key;
	struct hash root;
	uint64_t size;
	int rc = witness_open(cli_opt(c, "DIR"), &w);

	if (rc != SP_OK)
		return rc;
	rc = witness_log(&w, span_str(origin), &key);
	if (rc == SP_OK)
		rc = witness_last(&w, &key, &size, &root, &t);
	if (rc != SP_OK)
		return cli_fail(rc, "%s: %s", origin,
		    rc == SP_ENOTFOUND ? "no log of this origin was added" : sp_strerror(rc));
	if (size == 0)
		return cli_fail(SP_ENOTFOUND, "%s: nothing was witnessed yet", origin);
	(void)fwrite(note, 1, t.len, stdout);
	return cli_out_done();
}

/* ---- judging ---- */

static unsigned
conflict(struct text *ret_body, uint64_t size)
{
	text_u64(ret_body, size);
	text_chr(ret_body, '\n');
	return 409;
}

/* remember - durably, before anybody hears of it. */
static int
remember(const struct witness *w, const struct tlog_key *key, struct span body, struct span sig,
    struct span cosignature)
{
	char note[COSIGNED_MAX + 1], name[64];
	struct text t = text_of(note, sizeof(note));
	int rc = witness_file(span_str(key->name), "checkpoint", name, sizeof(name));

	text_add(&t, body);
	text_chr(&t, '\n');
	text_add(&t, sig);
	text_add(&t, cosignature);
	if (rc == SP_OK && t.bad)
		rc = SP_ETOOBIG;
	return rc == SP_OK ? file_write_new(w->logs, name, text_span(&t), 0644, /* replace= */ true)
			   : rc;
}

/* log_lines - of the signature lines only those that the log's own key name has. */
static void
log_lines(struct span sigs, const char *name, struct text *ret)
{
	struct span mark = SPAN_LIT("\xE2\x80\x94 ");

	while (sigs.len != 0) {
		struct span line = span_cut(sigs, span_find(sigs, '\n')), who;

		sigs = span_skip(sigs, line.len + 1);
		if (!span_starts(line, mark))
			continue;
		who = span_skip(line, mark.len);
		if (!span_eq_str(span_cut(who, span_find(who, ' ')), name))
			continue;
		text_add(ret, line);
		text_chr(ret, '\n');
	}
}

/* extends - is the checkpoint what the proof says of what was seen last?  0: yes, else the status.
 */
static unsigned
extends(const struct witness_request *r, uint64_t size, const struct hash *root,
    const struct hash *seen, struct text *ret_body)
{
	struct hash proof[WITNESS_PROOF_MAX];

	for (size_t i = 0; i < r->n; i++)
		memcpy(proof[i].b, r->proof[i], 32);
	if (r->old_size == 0)
		return r->n == 0 ? 0 : 422;
	if (r->old_size == size && memcmp(root->b, seen->b, 32) != 0)
		return conflict(ret_body, size);
	return consistency_check(r->old_size, size, seen, root, proof, r->n) == SP_OK ? 0 : 422;
}

static unsigned
judge(
    const struct witness *w, const struct witness_request *r, uint64_t now_s, struct text *ret_body)
{
	char own[COSIGNED_MAX + 1], cosignature[256];
	struct text sig = text_of(own, sizeof(own)), t = text_of(cosignature, sizeof(cosignature));
	struct span body, sigs, origin;
	struct tlog_key key;
	struct hash root, seen = {{0}};
	uint64_t size = 0, last = 0;
	unsigned status;
	int rc;

	if (note_split(r->note, &body, &sigs) != SP_OK)
		return 400;
	origin = span_cut(body, span_find(body, '\n'));
	rc = witness_log(w, origin, &key);
	if (rc != SP_OK)
		return rc == SP_ENOTFOUND ? 404 : 500;
	rc = checkpoint_open(r->note, key.name, key.public_key, &size, &root);
	if (rc != SP_OK)
		return rc == SP_EVERIFY ? 403 : 400;
	if (r->old_size > size)
		return 400;
	if (witness_last(w, &key, &last, &seen, NULL) != SP_OK)
		return 500;
	if (r->old_size != last)
		return conflict(ret_body, last);
	status = extends(r, size, &root, &seen, ret_body);
	if (status != 0)
		return status;
	log_lines(sigs, key.name, &sig);
	if (sig.bad || cosign_put(&t, body, &w->self, w->seed, now_s) != SP_OK ||
	    remember(w, &key, body, text_span(&sig), text_span(&t)) != SP_OK)
		return 500;
	text_add(ret_body, text_span(&t));
	return 200;
}

unsigned
witness_add_checkpoint(
    const struct witness *w, struct span body, uint64_t now_s, struct text *ret_body)
{
	DEFER(mem_freep) struct witness_request *r = mem_alloc(sizeof(*r));
	int rc = r != NULL ? witness_request_get(body, r) : SP_ENOMEM;

	if (rc != SP_OK)
		return rc == SP_ETOOBIG ? 413 : rc == SP_ESYNTAX ? 400 : 500;
	return judge(w, r, now_s, ret_body);
}
