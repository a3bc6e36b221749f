/* audit_prove.c - one entry with the proof that it is in the log (C2SP tlog-proof), and the check
 * of such a proof. */
#include <stdio.h>

#include "base/text.h"
#include "cli/audit.h"

#define PROOF_HEAD "c2sp.org/tlog-proof@v1"
#define PROOF_MAX 64u

struct proof {
	uint64_t index;
	struct span entry; /* borrowed */
	struct hash hash[PROOF_MAX];
	size_t n;
};

/* The text of the C2SP format; the entry itself is the "extra" data. */
static void
put_proof(struct text *t, const struct proof *p, struct span note)
{
	text_str(t, PROOF_HEAD "\nextra ");
	base64_put(t, p->entry);
	text_str(t, "\nindex ");
	text_u64(t, p->index);
	text_chr(t, '\n');
	for (size_t i = 0; i < p->n; i++) {
		base64_put(t, span_of(p->hash[i].b, sizeof(p->hash[i].b)));
		text_chr(t, '\n');
	}
	text_chr(t, '\n');
	text_add(t, note);
}

/* The entry as the exact bytes that are hashed, and once more to be looked at. */
static void
put_json(struct text *t, const struct proof *p, struct span note)
{
	struct json j = json_of(t);

	json_open(&j, '{');
	json_ku64(&j, "index", p->index);
	json_key(&j, "entry");
	json_raw(&j, p->entry);
	json_key(&j, "entry_bytes");
	text_chr(t, '"');
	base64_put(t, p->entry);
	text_chr(t, '"');
	j.comma = true;
	json_key(&j, "proof");
	json_open(&j, '[');
	for (size_t i = 0; i < p->n; i++) {
		char b64[64];
		struct text bt = text_of(b64, sizeof(b64));

		base64_put(&bt, span_of(p->hash[i].b, sizeof(p->hash[i].b)));
		json_str(&j, text_span(&bt));
	}
	json_close(&j, ']');
	json_kstr(&j, "checkpoint", note);
	json_close(&j, '}');
	text_chr(t, '\n');
}

/* Entry and path; what would be printed is checked before. */
static int
make_proof(struct audit *a, struct proof *p)
{
	struct hash root, leaf;
	int err = tlog_entry(a->log, p->index, &p->entry);

	if (err == SP_OK)
		err =
		    inclusion_proof(p->index, tlog_size(a->log), tlog_hash, a->log, p->hash, &p->n);
	if (err == SP_OK)
		err = merkle_leaf(p->entry, &leaf);
	if (err != SP_OK)
		return err;
	tlog_root(a->log, &root);
	return inclusion_check(p->index, tlog_size(a->log), &leaf, p->hash, p->n, &root);
}

int
audit_proof(struct audit *a, uint64_t index, struct text *t)
{
	struct proof p = {.index = index};
	int err = index < tlog_size(a->log) ? make_proof(a, &p) : SP_EUNAVAIL;

	if (err == SP_OK)
		put_proof(t, &p, tlog_note(a->log));
	return err == SP_OK && t->bad ? SP_ESPACE : err;
}

int
cmd_audit_prove(struct cli *c)
{
	DEFER(audit_close) struct audit a = {.dirfd = -1};
	DEFER(mem_freep) char *buf = mem_alloc(AUDIT_PROOF_MAX);
	const char *index = cli_opt(c, "INDEX");
	struct proof p = {0};
	struct text t;
	int err;

	if (buf == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	if (parse_u64(span_str(index), UINT64_MAX, &p.index) != SP_OK)
		return cli_fail(SP_EUSAGE, "%s: not the number of an entry", index);
	err = audit_open_say(c, &a);
	if (err != SP_OK)
		return err;
	if (p.index >= tlog_end(a.log))
		return cli_fail(SP_ENOTFOUND, "the audit log has entries 0 to %llu only",
		    (unsigned long long)tlog_end(a.log) - 1);
	if (p.index >= tlog_size(a.log))
		return cli_fail(SP_EUNAVAIL,
		    "entry %s is stored, but not under a checkpoint yet: try again in a second",
		    index);
	err = make_proof(&a, &p);
	if (err != SP_OK)
		return cli_fail(
		    SP_EVERIFY, "entry %s cannot be proved: %s", index, sp_strerror(err));
	t = text_of(buf, AUDIT_PROOF_MAX);
	if (c->json)
		put_json(&t, &p, tlog_note(a.log));
	else
		put_proof(&t, &p, tlog_note(a.log));
	VERIFY(!t.bad);
	(void)fwrite(t.buf, 1, t.len, stdout);
	return cli_out_done();
}

/* ---- checking ---- */

static bool
take_line(struct span *rest, struct span *ret)
{
	size_t n = span_find(*rest, '\n');

	if (n == rest->len)
		return false;
	*ret = span_cut(*rest, n);
	*rest = span_skip(*rest, n + 1);
	return true;
}

/* "word value": the value. */
static bool
take_word(struct span line, const char *word, struct span *ret)
{
	struct span w = span_str(word);

	if (!span_starts(line, w))
		return false;
	*ret = span_skip(line, w.len);
	return true;
}

/* Parse the C2SP text; entry is decoded into buf.  *ret_note: the checkpoint. */
static int
parse_proof(struct span text, uint8_t *buf, size_t cap, struct proof *p, struct span *ret_note)
{
	struct span line, value;
	size_t n = 0;

	if (!take_line(&text, &line) || !span_eq_str(line, PROOF_HEAD) ||
	    !take_line(&text, &line) || !take_word(line, "extra ", &value) ||
	    base64_get(value, buf, cap, &n) != SP_OK)
		return SP_ESYNTAX;
	p->entry = span_of(buf, n);
	if (!take_line(&text, &line) || !take_word(line, "index ", &value) ||
	    parse_u64(value, UINT64_MAX, &p->index) != SP_OK)
		return SP_ESYNTAX;
	while (take_line(&text, &line) && line.len != 0) {
		if (p->n == PROOF_MAX ||
		    base64_get(line, p->hash[p->n].b, sizeof(p->hash[0].b), &n) != SP_OK ||
		    n != sizeof(p->hash[0].b))
			return SP_ESYNTAX;
		p->n++;
	}
	*ret_note = text;
	return text.len != 0 ? SP_OK : SP_ESYNTAX;
}

int
cmd_audit_check(struct cli *c)
{
	DEFER(mem_freep) uint8_t *text = NULL;
	DEFER(mem_freep) uint8_t *entry = mem_alloc(TLOG_ENTRY_MAX);
	const char *path = cli_opt(c, "FILE");
	struct tlog_key key;
	struct proof p = {0};
	struct span note;
	struct hash leaf, root;
	uint64_t size = 0;
	size_t len = 0;
	int err =
	    entry != NULL ? audit_key(c, &key) : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));

	if (err == SP_OK)
		err = audit_read_file(path, AUDIT_PROOF_MAX, &text, &len);
	if (err != SP_OK)
		return err;
	if (parse_proof(span_of(text, len), entry, TLOG_ENTRY_MAX, &p, &note) != SP_OK)
		return cli_fail(SP_EVERIFY, "%s: it is not a proof of an entry", path);
	if (checkpoint_open(note, key.name, key.public_key, &size, &root) != SP_OK)
		return cli_fail(SP_EVERIFY, "%s: its checkpoint is not signed by the key of %s",
		    path, key.name);
	err = merkle_leaf(p.entry, &leaf);
	if (err == SP_OK)
		err = inclusion_check(p.index, size, &leaf, p.hash, p.n, &root);
	if (err != SP_OK)
		return cli_fail(SP_EVERIFY, "%s: it does not prove its entry", path);
	(void)fwrite(p.entry.ptr, 1, p.entry.len, stdout);
	(void)fputc('\n', stdout);
	return cli_out_done();
}
