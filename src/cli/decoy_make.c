/* decoy_make.c - sallyport decoy plant: believable files, users and API tokens. */
#include <stdio.h>

#include "base/conf.h"
#include "cli/decoy.h"
#include "cli/https_put.h"
#include "crypto/crypto.h"
#include "sys/clock.h"

#define CONTENT_MIN 30000u /* bytes of a file that is not text */
#define CONTENT_SPREAD 900000u
#define COUNT_MAX 50u
#define COUNT_DEFAULT 3u

enum content { ZIP, PDF, KDBX, GZIP, TEXT };
static const struct bait {
	const char *name;
	enum content content;
} baits[] = {
#define BAIT(name, content) {name, content},
#define PERSON(name)
#include "cli/decoys.def"
#undef BAIT
#undef PERSON
};
static const char *const persons[] = {
#define BAIT(name, content)
#define PERSON(name) name,
#include "cli/decoys.def"
#undef BAIT
#undef PERSON
};
/* The first bytes of each kind of file, as file(1) knows them. */
static const struct span beginnings[] = {
    [ZIP] = {(const uint8_t *)"PK\3\4\24\0\6\0\10\0\0\0!\0", 14},
    [PDF] = {(const uint8_t *)"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", 15},
    [KDBX] = {(const uint8_t *)"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\1\0\4\0", 12},
    [GZIP] = {(const uint8_t *)"\x1f\x8b\x08\0\0\0\0\0\0\3", 10},
    [TEXT] = {(const uint8_t *)"", 0},
};

struct plant {
	struct cli *c;
	struct call call;
	struct conf conf;
	char org[65];
	unsigned count;
	json_t *planted; /* rows */
};

static int
no_memory(void)
{
	return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
}

static int
draw(uint32_t below, uint32_t *ret)
{
	uint32_t v;
	int rc = crypto_random((uint8_t *)&v, sizeof(v));

	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	*ret = v % below; /* what it favours is of no use to anybody */
	return SP_OK;
}

/* ask - a verb of the broker with these arguments (taken over; NULL: no memory). */
static int
ask(struct plant *p, const char *verb, json_t *args, struct span secret, json_t **ret)
{
	DEFER(json_done) json_t *own = args;

	return own != NULL ? call_verb(&p->call, verb, own, secret, ret) : no_memory();
}

/* ---- files ---- */

/* credentials - lines that look like what people keep in such files. */
static int
credentials(struct text *t)
{
	static const char *const hosts[] = {
	    "vpn-gw01", "sql-prod-02", "dc1", "backup-nas", "erp-app"};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		uint8_t random[9];
		int rc = crypto_random(random, sizeof(random));

		if (rc != SP_OK)
			return cli_fail(rc, "%s", sp_strerror(rc));
		text_fmt(
		    t, "host:     %s.corp.local\nuser:     administrator\npassword: ", hosts[i]);
		base64url_put(t, span_of(random, sizeof(random)));
		text_str(t, "\n\n");
	}
	return SP_OK;
}

/* content_make - *ret is owned by the caller. */
static int
content_make(enum content kind, uint8_t **ret, size_t *ret_len)
{
	struct span begin = beginnings[kind];
	uint32_t more = 0;
	struct text t;
	int rc = draw(CONTENT_SPREAD, &more);

	*ret_len = kind == TEXT ? 1024 : CONTENT_MIN + more;
	*ret = rc == SP_OK ? mem_alloc(*ret_len) : NULL;
	if (*ret == NULL)
		return rc != SP_OK ? rc : no_memory();
	if (kind == TEXT) {
		t = text_of((char *)*ret, *ret_len);
		rc = credentials(&t);
		*ret_len = t.len;
		return rc;
	}
	/* compressed and encrypted content is as good as random */
	rc = crypto_random(*ret, *ret_len);
	memcpy(*ret, begin.ptr, begin.len);
	return rc == SP_OK ? SP_OK : cli_fail(rc, "%s", sp_strerror(rc));
}

/* bait_path - of a file in the folder; %Y of its name is this year. */
static int
bait_path(const char *folder, const char *name, char *buf, size_t cap)
{
	char now[40];
	struct text t = text_of(buf, cap), year = text_of(now, sizeof(now));
	const char *mark = strstr(name, "%Y");

	time_plain(&year, clock_wall_us());
	text_str(&t, folder);
	if (t.len == 0 || t.buf[t.len - 1] != '/')
		text_chr(&t, '/');
	text_add(&t, span_of(name, mark != NULL ? (size_t)(mark - name) : strlen(name)));
	if (mark != NULL) {
		text_add(&t, span_cut(text_span(&year), 4));
		text_str(&t, mark + 2);
	}
	return t.bad ? cli_fail(SP_EUSAGE, "%s: the path is too long", folder) : SP_OK;
}

/* upload - count files of those that the folder has not; their paths into the array. */
static int
upload(struct plant *p, const char *folder, const char *token, json_t *paths)
{
	uint32_t first = 0;
	int rc = draw(ARRAY_LEN(baits), &first);

	for (size_t i = 0; rc == SP_OK && i < ARRAY_LEN(baits); i++) {
		const struct bait *bait = &baits[(first + i) % ARRAY_LEN(baits)];
		DEFER(mem_freep) uint8_t *content = NULL;
		char path[DECOY_NAME_MAX];
		size_t len = 0;

		if (json_array_size(paths) == p->count)
			return SP_OK;
		rc = bait_path(folder, bait->name, path, sizeof(path));
		if (rc == SP_OK)
			rc = content_make(bait->content, &content, &len);
		if (rc == SP_OK)
			rc = https_put(p->c, &p->conf, token, path, span_of(content, len));
		if (rc == SP_OK)
			rc = json_array_append_new(paths, json_string(path)) == 0 ? SP_OK
										  : no_memory();
		else if (rc == SP_EEXISTS) /* the next name, then */
			rc = SP_OK;
	}
	if (rc == SP_OK && json_array_size(paths) < p->count)
		rc = cli_fail(
		    SP_EEXISTS, "%s: %s has no more names than that", folder, "src/cli/decoys.def");
	return rc;
}

/* As any user's program does it: with a token that ends when this is done. */
static int
plant_files(struct plant *p)
{
	const char *folder = cli_opt(p->c, "--path"), *as = cli_opt(p->c, "--as");
	DEFER(json_done) json_t *paths = json_array();
	DEFER(json_done) json_t *made = NULL;
	DEFER(json_done) json_t *gone = NULL;
	char id[24];
	struct text t = text_of(id, sizeof(id));
	int rc, last;

	if (folder == NULL || as == NULL || folder[0] != '/')
		return cli_fail(SP_EUSAGE,
		    "files need --path FOLDER, as the user --as NAME sees it, who may write there");
	rc = ask(p, "token add",
	    json_pack("{s:s, s:s, s:s}", "user", as, "scope", "write,list,read", "expires", "1h"),
	    span_of(NULL, 0), &made);
	if (rc != SP_OK)
		return rc;
	rc = upload(p, folder, json_string_value(json_object_get(made, "token")), paths);
	text_fmt(&t, "%lld", (long long)json_integer_value(json_object_get(made, "id")));
	last = ask(p, "token remove", json_pack("{s:s}", "id", id), span_of(NULL, 0), &gone);
	if (json_array_size(paths) != 0 && (rc == SP_OK || rc == SP_EEXISTS)) {
		int marked = decoy_mark_files(p->c, &p->call, p->org, paths, p->planted);

		rc = rc == SP_OK ? marked : rc;
	}
	return rc == SP_OK ? last : rc;
}

/* ---- users and tokens ---- */

static int
mark(struct plant *p, const struct decoy *d, const char *token)
{
	json_t *row;
	int rc = decoy_change(p->c, 0, d);

	if (rc != SP_OK)
		return rc;
	row = decoy_row(d, json_array_size(p->planted) + 1);
	if (row == NULL ||
	    (token != NULL && json_object_set_new(row, "token", json_string(token)) != 0) ||
	    json_array_append_new(p->planted, row) != 0)
		return no_memory();
	return SP_OK;
}

/* user_make - a user of this name with a password that nobody knows.  SP_EEXISTS: said */
static int
user_make(struct plant *p, const char *name)
{
	DEFER(json_done) json_t *answer = NULL;
	uint8_t random[24];
	char password[40];
	struct text t = text_of(password, sizeof(password));
	int rc = crypto_random(random, sizeof(random));

	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	base64url_put(&t, span_of(random, sizeof(random)));
	rc = ask(p, "user add", json_pack("{s:s, s:s}", "name", name, "org", p->org), text_span(&t),
	    &answer);
	mem_wipe(random, sizeof(random));
	mem_wipe(password, sizeof(password));
	return rc;
}

/* is_user - is the name taken?  Asked by listing, which says nothing of what is wanted. */
static bool
is_user(json_t *users, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(users, "rows"), i, row)
	{
		const char *taken = json_string_value(json_object_get(row, "name"));

		if (taken != NULL && strcmp(taken, name) == 0)
			return true;
	}
	return false;
}

static int
plant_user(struct plant *p, const char *name, bool with_token)
{
	DEFER(json_done) json_t *made = NULL;
	struct decoy d = {.kind = with_token ? DECOY_TOKEN : DECOY_USER,
	    .planted_us = clock_wall_us(),
	    .org = span_str(p->org),
	    .name = span_str(name)};
	int rc = user_make(p, name);

	if (rc == SP_OK && with_token)
		rc = ask(p, "token add",
		    json_pack("{s:s, s:s, s:s}", "user", name, "scope", "list", "expires", "never"),
		    span_of(NULL, 0), &made);
	if (rc != SP_OK)
		return rc;
	d.token = (uint64_t)json_integer_value(json_object_get(made, "id"));
	return mark(p, &d, json_string_value(json_object_get(made, "token")));
}

static int
plant_users(struct plant *p, bool with_token)
{
	DEFER(json_done) json_t *users = NULL;
	uint32_t first = 0;
	unsigned n = 0;
	int rc = ask(p, "user list", json_object(), span_of(NULL, 0), &users);

	if (rc == SP_OK)
		rc = draw(ARRAY_LEN(persons), &first);
	for (size_t i = 0; rc == SP_OK && n < p->count && i < ARRAY_LEN(persons); i++) {
		const char *name = persons[(first + i) % ARRAY_LEN(persons)];

		if (is_user(users, name))
			continue;
		rc = plant_user(p, name, with_token);
		n++;
	}
	if (rc == SP_OK && n < p->count)
		rc = cli_fail(SP_EEXISTS, "there are no more names than that");
	return rc;
}

/* ---- the command ---- */

static int
take_count(struct plant *p, unsigned usual)
{
	const char *text = cli_opt(p->c, "--count");
	uint64_t v = usual;

	if (text != NULL && (parse_u64(span_str(text), COUNT_MAX, &v) != SP_OK || v == 0))
		return cli_fail(SP_EUSAGE, "--count %s: not 1 to %u", text, COUNT_MAX);
	p->count = (unsigned)v;
	return SP_OK;
}

int
cmd_decoy_plant(struct cli *c)
{
	struct plant p = {.c = c, .call = {.buf = NULL}};
	const char *kind = cli_opt(c, "--kind");
	bool files = kind == NULL || strcmp(kind, "file") == 0;
	int rc = cli_conf(c, &p.conf);

	if (rc == SP_OK)
		rc = take_count(&p, files ? COUNT_DEFAULT : 1);
	if (rc != SP_OK)
		return rc;
	p.planted = json_array();
	rc = call_open(c, &p.call);
	if (rc == SP_OK)
		rc = decoy_org(&p.call, cli_opt(c, "--org"), p.org, sizeof(p.org));
	if (rc == SP_OK)
		rc = files ? plant_files(&p) : plant_users(&p, strcmp(kind, "token") == 0);
	if (json_array_size(p.planted) != 0) { /* also what came before a failure */
		int printed = decoy_print(c, p.planted);

		rc = rc == SP_OK ? printed : rc;
	}
	call_close(&p.call);
	json_decref(p.planted);
	return rc;
}
