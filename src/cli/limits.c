/* limits.c - sallyport limits: asked of the vault through the supervisor; the broker is only asked
 * for the number of a name. */
#include <stdio.h>

#include "base/limits.h"
#include "base/text.h"
#include "cli/call.h"
#include "cli/print.h"

/* struct who - a principal as the command line names it. */
struct who {
	enum principal_kind kind;
	ipc_b16 id;
	bool given;
};

/* ---- names ---- */

/* number_of - of a user or organisation: the broker's word. */
static int
number_of(const struct cli *c, const char *verb, const char *name, uint64_t *ret)
{
	DEFER(json_done) json_t *args = json_pack("{s:s}", "name", name);
	DEFER(json_done) json_t *result = NULL;
	DEFER(call_close) struct call k = {.buf = NULL};
	json_int_t id;
	int rc;

	if (args == NULL)
		return cli_fail(SP_ESYNTAX, "%s: not valid UTF-8", name);
	rc = call_open(c, &k);
	if (rc == SP_OK)
		rc = call_verb(&k, verb, args, span_of(NULL, 0), &result);
	if (rc != SP_OK)
		return rc;
	id = json_integer_value(json_object_get(result, "id"));
	if (id <= 0)
		return cli_fail(SP_ESYNTAX, "the server did not say which number %s has", name);
	*ret = (uint64_t)id;
	return SP_OK;
}

static int
take_address(const char *text, bool network, struct who *ret)
{
	uint8_t address[16];

	if (address_parse(span_str(text), address) != SP_OK)
		return cli_fail(SP_EUSAGE, "%s: not a numeric address", text);
	ret->kind = network ? PRINCIPAL_NETWORK : PRINCIPAL_ADDRESS;
	if (network)
		principal_network(address, ret->id.b);
	else
		memcpy(ret->id.b, address, sizeof(ret->id.b));
	return SP_OK;
}

/* of_deletions - the budget of deletions instead of that of reading. */
static int
of_deletions(const struct cli *c, enum principal_kind *kind)
{
	static const struct {
		enum principal_kind reading, deleting;
	} rows[] = {{PRINCIPAL_USER, PRINCIPAL_DELETE_USER},
	    {PRINCIPAL_ADDRESS, PRINCIPAL_DELETE_ADDRESS}, {PRINCIPAL_ORG, PRINCIPAL_DELETE_ORG},
	    {PRINCIPAL_SERVER, PRINCIPAL_DELETE_SERVER}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].reading == *kind) {
			*kind = rows[i].deleting;
			return SP_OK;
		}
	}
	return cli_fail(SP_EUSAGE, "deletions are not counted by network: %s", c->command->usage);
}

static int
take_who(const struct cli *c, struct who *ret)
{
	const char *user = cli_opt(c, "--user"), *org = cli_opt(c, "--org");
	const char *address = cli_opt(c, "--address"), *network = cli_opt(c, "--network");
	uint64_t number = 0;
	int rc = SP_OK;

	*ret = (struct who){.given = true, .kind = PRINCIPAL_SERVER};
	if (user != NULL || org != NULL) {
		ret->kind = user != NULL ? PRINCIPAL_USER : PRINCIPAL_ORG;
		rc = number_of(
		    c, user != NULL ? "user show" : "org show", user != NULL ? user : org, &number);
		principal_number(number, ret->id.b);
	} else if (address != NULL || network != NULL) {
		rc = take_address(address != NULL ? address : network, network != NULL, ret);
	} else {
		ret->given = cli_has(c, "--server");
	}
	if (rc == SP_OK && cli_has(c, "--deletions"))
		rc = of_deletions(c, &ret->kind);
	return rc;
}

/* take_one - the same, where one has to be named. */
static int
take_one(const struct cli *c, struct who *ret)
{
	int rc = take_who(c, ret);

	return rc == SP_OK && !ret->given ? cli_fail(SP_EUSAGE, "say whose: %s", c->command->usage)
					  : rc;
}

/* id_text - "42", "192.0.2.1", "192.0.2.0/24"; of the server nothing; of a helper its room. */
static void
id_text(unsigned kind, const uint8_t id[16], struct text *t)
{
	uint64_t number = 0;
	char address[64];

	for (size_t i = 8; i < 16; i++)
		number = number << 8 | id[i];
	address_print(id, address, sizeof(address));
	if (kind == PRINCIPAL_NETWORK)
		text_fmt(t, "%s/%s", address, strchr(address, ':') == NULL ? "24" : "64");
	else if (kind == PRINCIPAL_ADDRESS || kind == PRINCIPAL_DELETE_ADDRESS)
		text_str(t, address);
	else if (kind == PRINCIPAL_HELPER && number < ROOM_COUNT)
		text_str(t, room_table[number].name);
	else if (kind != PRINCIPAL_SERVER && kind != PRINCIPAL_DELETE_SERVER)
		text_u64(t, number);
}

/* ---- show ---- */

static json_t *
number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* from - where the limit of an hour comes from. */
static const char *
from(uint64_t norm, uint64_t floor, uint64_t ceiling)
{
	if (norm >= ceiling || floor >= ceiling)
		return "ceiling";
	return norm > floor ? "learned" : "floor";
}

static json_t *
row_json(const struct ipc_limits_row *r)
{
	char id[80] = "";
	struct text t = text_of(id, sizeof(id));
	json_t *o = json_object();
	int bad = 0;

	id_text(r->kind, r->id.b, &t);
	bad |= json_object_set_new(
	    o, "kind", json_string(principal_word((enum principal_kind)r->kind)));
	bad |= json_object_set_new(o, "id", json_string(id));
	bad |= json_object_set_new(o, "frozen", json_boolean(r->frozen != 0));
	bad |= json_object_set_new(o, "files_hour", number(r->files_hour));
	bad |= json_object_set_new(o, "of_files_hour", number(r->most_files_hour));
	bad |= json_object_set_new(
	    o, "files_by", json_string(from(r->norm_files, r->floor_files, r->ceiling_files)));
	bad |= json_object_set_new(o, "bytes_hour", number(r->bytes_hour));
	bad |= json_object_set_new(o, "of_bytes_hour", number(r->most_bytes_hour));
	bad |= json_object_set_new(
	    o, "bytes_by", json_string(from(r->norm_bytes, r->floor_bytes, r->ceiling_bytes)));
	bad |= json_object_set_new(o, "files_day", number(r->files_day));
	bad |= json_object_set_new(o, "of_files_day", number(r->most_files_day));
	bad |= json_object_set_new(o, "bytes_day", number(r->bytes_day));
	bad |= json_object_set_new(o, "of_bytes_day", number(r->most_bytes_day));
	bad |= json_object_set_new(o, "refused", number(r->overruns));
	bad |= json_object_set_new(o, "raised_files", number(r->raise_files));
	bad |= json_object_set_new(o, "raised_bytes", number(r->raise_bytes));
	bad |= json_object_set_new(o, "raised_for", number(r->raise_left_s));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int
get(const struct cli *c, const struct ipc_limits_get *m, struct ipc_limits_row *ret, uint8_t *buf)
{
	uint8_t request[IPC_SIZE_LIMITS_GET];
	struct wr w = wr_of(request, sizeof(request));
	struct span body;
	int rc = ipc_put_limits_get(&w, m);

	if (rc == SP_OK)
		rc = call_supervisor(c, IPC_LIMITS_GET, wr_span(&w), IPC_LIMITS_ROW, buf, &body);
	if (rc == SP_OK && (ipc_get_limits_row(body, ret) != SP_OK ||
			       (ret->err == 0 && ret->kind >= PRINCIPAL_KINDS)))
		rc = cli_fail(SP_EUNKNOWNMSG, "the server: %s", sp_strerror(SP_EUNKNOWNMSG));
	return rc;
}

static int
show_one(struct cli *c, const struct who *who, uint8_t *buf)
{
	struct ipc_limits_get m = {.kind = (uint8_t)who->kind, .id = who->id};
	DEFER(json_done) json_t *o = NULL;
	struct ipc_limits_row row;
	struct print p;
	int rc = get(c, &m, &row, buf);

	if (rc == SP_OK && row.err == (uint16_t)-SP_ENOTFOUND)
		rc = cli_fail(
		    SP_ENOTFOUND, "nothing was ever released there: its limits are the floors");
	else if (rc == SP_OK && row.err != 0)
		rc = cli_fail(-(int)row.err, "%s", sp_strerror(-(int)row.err));
	if (rc != SP_OK)
		return rc;
	o = row_json(&row);
	if (o == NULL)
		return cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
	print_begin(&p, c->json);
	print_page(&p, o);
	print_end(&p);
	return cli_out_done();
}

static int
show_all(struct cli *c, uint8_t *buf)
{
	struct ipc_limits_get m = {.all = 1};
	DEFER(json_done) json_t *page = json_pack("{s:[]}", "rows");
	struct ipc_limits_row row;
	struct print p;
	int rc = page != NULL ? SP_OK : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));

	while (rc == SP_OK) {
		rc = get(c, &m, &row, buf);
		if (rc == SP_OK && row.err == (uint16_t)-SP_ENOTFOUND)
			break;
		if (rc == SP_OK && row.err != 0)
			rc = cli_fail(-(int)row.err, "%s", sp_strerror(-(int)row.err));
		if (rc == SP_OK &&
		    json_array_append_new(json_object_get(page, "rows"), row_json(&row)) != 0)
			rc = cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));
		m.place = row.place;
	}
	if (rc != SP_OK)
		return rc;
	print_begin(&p, c->json);
	print_page(&p, page);
	print_end(&p);
	return cli_out_done();
}

int
cmd_limits_show(struct cli *c)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	struct who who;
	int rc =
	    buf != NULL ? take_who(c, &who) : cli_fail(SP_ENOMEM, "%s", sp_strerror(SP_ENOMEM));

	if (rc != SP_OK)
		return rc;
	return who.given ? show_one(c, &who, buf) : show_all(c, buf);
}

/* ---- raise, confirm, unfreeze ---- */

static int
changed(struct span body, struct ipc_limits_changed *ret)
{
	int rc = ipc_get_limits_changed(body, ret) == SP_OK
		     ? SP_OK
		     : cli_fail(SP_EUNKNOWNMSG, "the server: %s", sp_strerror(SP_EUNKNOWNMSG));

	if (rc == SP_OK && ret->err != 0)
		rc = cli_fail(-(int)ret->err, "%s",
		    ret->err == (uint16_t)-SP_ENOTFOUND ? "it is not frozen"
							: sp_strerror(-(int)ret->err));
	return rc;
}

static int
change(const struct cli *c, const struct ipc_limits_change *m)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	uint8_t request[IPC_SIZE_LIMITS_CHANGE];
	struct wr w = wr_of(request, sizeof(request));
	struct ipc_limits_changed r = {.confirm = 0};
	struct span body;
	int rc = buf != NULL ? ipc_put_limits_change(&w, m) : SP_ENOMEM;

	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	rc = call_supervisor(c, IPC_LIMITS_CHANGE, wr_span(&w), IPC_LIMITS_CHANGED, buf, &body);
	if (rc == SP_OK)
		rc = changed(body, &r);
	if (rc != SP_OK)
		return rc;
	if (c->json)
		(void)printf("{\"confirm\":%u}\n", r.confirm);
	else if (r.confirm != 0)
		(void)printf("Not raised yet.  Within an hour another operator has to say: "
			     "sallyport -C %s limits confirm %u\n",
		    c->dir, r.confirm);
	return cli_out_done();
}

static int
take_raise(const struct cli *c, struct ipc_limits_change *m)
{
	const char *files = cli_opt(c, "--files"), *bytes = cli_opt(c, "--bytes");
	const char *time = cli_opt(c, "--for");
	int64_t size = 0, for_s = 0;

	if (files != NULL && parse_u64(span_str(files), UINT32_MAX, &m->files) != SP_OK)
		return cli_fail(SP_EUSAGE, "--files %s: not a number", files);
	if (bytes != NULL && conf_size(span_str(bytes), &size) != SP_OK)
		return cli_fail(
		    SP_EUSAGE, "--bytes %s: not a number of bytes (with K, M, G, T or P)", bytes);
	if (conf_time(span_str(time), &for_s) != SP_OK || for_s < 1 || for_s > 31536000)
		return cli_fail(SP_EUSAGE,
		    "--for %s: not a time (a number with s, m, h, d or w), or over a year", time);
	if (files == NULL && bytes == NULL)
		return cli_fail(SP_EUSAGE, "say by how much: --files or --bytes");
	m->bytes = (uint64_t)size;
	m->for_s = (uint32_t)for_s;
	return SP_OK;
}

int
cmd_limits_raise(struct cli *c)
{
	struct ipc_limits_change m = {.op = 0};
	struct who who;
	int rc = take_raise(c, &m);

	if (rc == SP_OK)
		rc = take_one(c, &who);
	if (rc != SP_OK)
		return rc;
	m.kind = (uint8_t)who.kind;
	m.id = who.id;
	return change(c, &m);
}

int
cmd_limits_unfreeze(struct cli *c)
{
	struct ipc_limits_change m = {.op = 1};
	const char *user = cli_opt(c, "--user");
	DEFER(json_done) json_t *args = NULL;
	DEFER(json_done) json_t *result = NULL;
	DEFER(call_close) struct call k = {.buf = NULL};
	struct who who;
	int rc = take_one(c, &who);

	if (rc != SP_OK)
		return rc;
	m.kind = (uint8_t)who.kind;
	m.id = who.id;
	rc = change(c, &m);
	if (rc != SP_OK || user == NULL)
		return rc;
	/* the vault gives again; the account is the broker's */
	args = json_pack("{s:s}", "name", user);
	rc = args != NULL ? call_open(c, &k) : SP_ENOMEM;
	return rc == SP_OK ? call_verb(&k, "user activate", args, span_of(NULL, 0), &result) : rc;
}

int
cmd_limits_confirm(struct cli *c)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(IPC_MAX);
	uint8_t request[IPC_SIZE_LIMITS_CONFIRM];
	struct wr w = wr_of(request, sizeof(request));
	struct ipc_limits_confirm m = {.confirm = 0};
	struct ipc_limits_changed r = {.confirm = 0};
	struct span body;
	uint64_t v = 0;
	int rc;

	if (parse_u64(span_str(cli_opt(c, "NUMBER")), UINT32_MAX, &v) != SP_OK)
		return cli_fail(SP_EUSAGE, "%s: not a number", cli_opt(c, "NUMBER"));
	m.confirm = (uint32_t)v;
	rc = buf != NULL ? ipc_put_limits_confirm(&w, &m) : SP_ENOMEM;
	if (rc != SP_OK)
		return cli_fail(rc, "%s", sp_strerror(rc));
	rc = call_supervisor(c, IPC_LIMITS_CONFIRM, wr_span(&w), IPC_LIMITS_CHANGED, buf, &body);
	return rc == SP_OK ? changed(body, &r) : rc;
}
