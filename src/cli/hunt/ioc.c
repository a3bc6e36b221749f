/* ioc.c - indicators: the table that they are in, and plain lists. */
#include "cli/hunt/ioc_state.h"

int
ioc_new(struct ioc **ret)
{
	struct ioc *c = mem_alloc(sizeof(*c));

	if (c == NULL)
		return SP_ENOMEM;
	arena_init(&c->arena, (size_t)512 << 20);
	*ret = c;
	return SP_OK;
}

void
ioc_free(struct ioc *c)
{
	if (c == NULL)
		return;
	arena_done(&c->arena);
	mem_free(c->atom);
	mem_free(c->group);
	mem_free(c->slot);
	mem_free(c->version);
	mem_free(c->version_group);
	mem_free(c);
}

size_t
ioc_count(const struct ioc *c, enum ioc_type type)
{
	return c->count[type];
}

const char *
ioc_type_name(enum ioc_type type)
{
	static const char *const names[IOC_TYPES] = {
	    "address", "client", "file name", "path", "SHA-256", "key", "user"};

	return names[type];
}

size_t
ioc_not_understood(const struct ioc *c, size_t *ret_shown)
{
	*ret_shown = c->n_refused < HUNT_IOC_NOT_SHOWN ? c->n_refused : HUNT_IOC_NOT_SHOWN;
	return c->n_refused;
}

void
ioc_refused(const struct ioc *c, size_t i, const char **ret_file, struct span *ret_what,
    struct span *ret_why)
{
	*ret_file = c->file[c->refused[i].file];
	*ret_what = c->refused[i].what;
	*ret_why = c->refused[i].why;
}

/* ---- values, as they are compared ---- */

static void
lower(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] |= 0x20;
}

void
ioc_mask(uint8_t ip[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		ip[i] = (uint8_t)(ip[i] & (keep >= 8 ? 0xffu : 0xff00u >> keep));
	}
}

/* "203.0.113.7", "203.0.113.0/24", "2001:db8::/32" as 16 bytes and a prefix length. */
static int
address_value(struct span s, uint8_t out[17])
{
	size_t slash = span_find(s, '/');
	uint64_t bits = 128;
	bool v4;
	int err = hunt_ip_read(span_cut(s, slash), out, &v4);

	if (err == SP_OK && slash != s.len)
		err = parse_u64(span_skip(s, slash + 1), v4 ? 32 : 128, &bits);
	if (err != SP_OK)
		return SP_ESYNTAX;
	if (slash != s.len && v4)
		bits += 96;
	ioc_mask(out, (unsigned)bits);
	out[16] = (uint8_t)bits;
	return SP_OK;
}

struct span
ioc_base_name(struct span path)
{
	size_t at = path.len;

	while (at != 0 && path.ptr[at - 1] != '/')
		at--;
	return span_skip(path, at);
}

int
ioc_normal(enum ioc_type type, struct span v, uint8_t buf[IOC_VALUE_MAX], size_t *ret_len)
{
	if (v.len == 0 || v.len > IOC_VALUE_MAX)
		return SP_ESYNTAX;
	if (type == IOC_ADDRESS) {
		*ret_len = 17;
		return address_value(v, buf);
	}
	if (type == IOC_SHA256) {
		*ret_len = 32;
		return parse_hex(v, buf, 32);
	}
	if (type == IOC_PATH)
		while (v.len > 1 && v.ptr[v.len - 1] == '/')
			v.len--;
	memcpy(buf, v.ptr, v.len);
	*ret_len = v.len;
	if (type != IOC_KEY)
		lower(buf, v.len);
	return SP_OK;
}

size_t
ioc_slot(const struct ioc *c, enum ioc_type type, struct span value)
{
	return (size_t)((hunt_hash(value) ^ (uint64_t)type * UINT64_C(0x9e3779b97f4a7c15)) &
			(c->slots - 1));
}

/* ---- adding ---- */

static int
grow(void **p, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap * 2 + 64;
	void *q;

	if (n < *cap)
		return SP_OK;
	q = mem_grow(*p, *cap * size, more * size);
	if (q == NULL)
		return SP_ENOMEM;
	*p = q;
	*cap = more;
	return SP_OK;
}

static void
place(struct ioc *c, size_t i)
{
	struct atom *a = &c->atom[i];
	size_t at = ioc_slot(c, a->type, span_of(a->value, a->len));

	a->next = c->slot[at];
	c->slot[at] = (uint32_t)i + 1;
}

static int
slots_for(struct ioc *c, size_t n)
{
	size_t want = c->slots != 0 ? c->slots : 1024;
	uint32_t *slot;

	while (want < n)
		want *= 2;
	if (want == c->slots)
		return SP_OK;
	slot = mem_array(want, sizeof(*slot));
	if (slot == NULL)
		return SP_ENOMEM;
	mem_free(c->slot);
	c->slot = slot;
	c->slots = want;
	for (size_t i = 0; i < c->n_atoms; i++)
		place(c, i);
	return SP_OK;
}

static int
atom_add(struct ioc *c, const struct ioc_value *v, uint32_t bit)
{
	uint8_t buf[IOC_VALUE_MAX], *copy;
	size_t len = 0;
	int err = ioc_normal(v->type, v->value, buf, &len);

	if (err == SP_OK)
		err = grow((void **)&c->atom, c->n_atoms, &c->atoms_cap, sizeof(*c->atom));
	if (err == SP_OK)
		err = slots_for(c, c->n_atoms + 1);
	if (err != SP_OK)
		return err;
	copy = arena_alloc(&c->arena, len);
	if (copy == NULL)
		return SP_ETOOBIG;
	memcpy(copy, buf, len);
	c->atom[c->n_atoms] = (struct atom){.group = (uint32_t)c->n_groups,
	    .bit = bit,
	    .type = (uint8_t)v->type,
	    .len = (uint16_t)len,
	    .value = copy};
	place(c, c->n_atoms++);
	if (v->type == IOC_ADDRESS)
		c->prefix[copy[16]] = true;
	c->count[v->type]++;
	return SP_OK;
}

static struct span
keep(struct ioc *c, struct span s)
{
	char *p;

	s = span_cut(s, IOC_SHOWN_MAX);
	p = arena_str(&c->arena, s);
	return p != NULL ? span_of(p, s.len) : span_of(NULL, 0);
}

int
ioc_add(struct ioc *c, const struct ioc_value *v, size_t n, struct span where)
{
	uint8_t buf[IOC_VALUE_MAX];
	size_t len = 0;
	int err = SP_OK;

	PRECOND(n != 0 && n <= IOC_GROUP_MAX);
	if (c->n_atoms + n > HUNT_IOC_MAX)
		return SP_ETOOBIG;
	for (size_t i = 0; i < n && err == SP_OK; i++)
		err = ioc_normal(v[i].type, v[i].value, buf, &len);
	if (err == SP_OK)
		err = grow((void **)&c->group, c->n_groups, &c->groups_cap, sizeof(*c->group));
	for (size_t i = 0; i < n && err == SP_OK; i++)
		err = atom_add(c, &v[i], UINT32_C(1) << i);
	if (err != SP_OK)
		return err;
	c->group[c->n_groups++] =
	    (struct group){.all = n == 32 ? UINT32_MAX : (UINT32_C(1) << n) - 1,
		.file = (uint16_t)(c->n_files - 1),
		.type = (uint8_t)v[0].type,
		.where = keep(c, where),
		.text = keep(c, v[0].value)};
	return SP_OK;
}

int
ioc_refuse(struct ioc *c, struct span what, const char *why)
{
	if (c->n_refused < HUNT_IOC_NOT_SHOWN)
		c->refused[c->n_refused] = (struct refused){.file = (uint16_t)(c->n_files - 1),
		    .what = keep(c, what),
		    .why = span_str(why)};
	c->n_refused++;
	return SP_OK;
}

/* ---- plain lists ---- */

static const struct {
	const char *word;
	enum ioc_type type;
} prefixes[] = {{"address:", IOC_ADDRESS}, {"agent:", IOC_AGENT}, {"client:", IOC_AGENT},
    {"name:", IOC_NAME}, {"path:", IOC_PATH}, {"sha256:", IOC_SHA256}, {"key:", IOC_KEY},
    {"user:", IOC_USER}};

/* What a line is, by a word in front of it or by its form.  0: it could be a name or a client. */
static bool
type_of(struct span *line, enum ioc_type *ret)
{
	uint8_t buf[32];

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (!span_starts(*line, span_str(prefixes[i].word)))
			continue;
		*line = span_trim(span_skip(*line, strlen(prefixes[i].word)));
		*ret = prefixes[i].type;
		return true;
	}
	if (address_value(*line, (uint8_t[17]){0}) == SP_OK)
		*ret = IOC_ADDRESS;
	else if (parse_hex(*line, buf, sizeof(buf)) == SP_OK)
		*ret = IOC_SHA256;
	else if (span_starts(*line, SPAN_LIT("SHA256:")))
		*ret = IOC_KEY;
	else if (line->ptr[0] == '/')
		*ret = IOC_PATH;
	else
		return false;
	return true;
}

static int
plain_line(struct ioc *c, struct span line, struct span where)
{
	struct ioc_value v = {.value = line};
	int err;

	if (type_of(&v.value, &v.type)) {
		err = ioc_add(c, &v, 1, where);
		return err == SP_ESYNTAX ? ioc_refuse(c, line, "it is not what it says it is")
					 : err;
	}
	v.type = IOC_NAME;
	err = ioc_add(c, &v, 1, where);
	v.type = IOC_AGENT;
	if (err == SP_OK)
		err = ioc_add(c, &v, 1, where);
	return err == SP_ESYNTAX ? ioc_refuse(c, line, "it is too long") : err;
}

static int
plain_load(struct ioc *c, struct span rest)
{
	int err = SP_OK;

	for (unsigned long long n = 1; rest.len != 0 && err == SP_OK; n++) {
		struct span line = span_cut(rest, span_find(rest, '\n'));
		char text[32];
		struct text where = text_of(text, sizeof(text));

		rest = span_skip(rest, line.len + 1);
		if (line.len != 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		line = span_trim(line);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		text_fmt(&where, "line %llu", n);
		err = plain_line(c, line, text_span(&where));
	}
	return err;
}

int
ioc_load(struct ioc *c, const char *name, struct span content, char *why, size_t cap)
{
	struct text t = text_of(why, cap);
	struct span s = content;
	int err;

	if (c->n_files == HUNT_IOC_FILES_MAX) {
		text_fmt(&t, "more than %d files of indicators", HUNT_IOC_FILES_MAX);
		return SP_ETOOBIG;
	}
	c->file[c->n_files++] = name;
	if (span_starts(s, SPAN_LIT("\xef\xbb\xbf")))
		s = span_skip(s, 3);
	while (s.len != 0 &&
	       (s.ptr[0] == ' ' || s.ptr[0] == '\n' || s.ptr[0] == '\r' || s.ptr[0] == '\t'))
		s = span_skip(s, 1);
	if (s.len != 0 && s.ptr[0] == '{')
		return stix_load(c, s, why, cap);
	err = plain_load(c, s);
	if (err != SP_OK)
		text_fmt(&t, "%s", err == SP_ETOOBIG ? "too many indicators" : sp_strerror(err));
	return err;
}
