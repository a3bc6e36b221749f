/* ioc_match.c - entries against the indicators. */
#include "cli/hunt/ioc_state.h"

/* ---- matching ---- */

struct matching {
	struct ioc *c;
	const struct hunt_entry *e;
	ioc_fn fn;
	void *arg;
	uint32_t last_group; /* + 1; told once an entry */
	bool hash_hit;
	uint32_t hash_group;
};

static void
tell(struct matching *m, uint32_t group)
{
	struct group *g = &m->c->group[group];
	char text[IOC_SHOWN_MAX * 3];
	struct text t = text_of(text, sizeof(text));

	if (g->seen != g->all || m->last_group == group + 1)
		return;
	m->last_group = group + 1;
	text_fmt(&t, "%s ", ioc_type_name(g->type));
	text_add(&t, g->text);
	if ((g->all & (g->all - 1)) != 0)
		text_str(&t, " and what goes with it");
	text_fmt(&t, " (%.80s, ", m->c->file[g->file]);
	text_add(&t, g->where);
	text_chr(&t, ')');
	m->fn(m->arg, group, text_span(&t));
}

static void
look(struct matching *m, enum ioc_type type, struct span value)
{
	for (uint32_t i = m->c->slot[ioc_slot(m->c, type, value)]; i != 0;) {
		const struct atom *a = &m->c->atom[i - 1];

		i = a->next;
		if (a->type != type || !span_eq(value, span_of(a->value, a->len)))
			continue;
		m->c->group[a->group].seen |= a->bit;
		if (type == IOC_SHA256) {
			m->hash_hit = true;
			m->hash_group = a->group;
		}
		tell(m, a->group);
	}
}

static void
look_text(struct matching *m, enum ioc_type type, struct span value)
{
	uint8_t buf[IOC_VALUE_MAX];
	size_t len = 0;

	if (m->c->count[type] != 0 && ioc_normal(type, value, buf, &len) == SP_OK)
		look(m, type, span_of(buf, len));
}

static void
look_address(struct matching *m)
{
	for (unsigned bits = 0; bits <= 128; bits++) {
		uint8_t value[17];

		if (!m->c->prefix[bits])
			continue;
		memcpy(value, m->e->ip, 16);
		ioc_mask(value, bits);
		value[16] = (uint8_t)bits;
		look(m, IOC_ADDRESS, span_of(value, 17));
	}
}

static void
look_path(struct matching *m, struct span path)
{
	if (path.len == 0)
		return;
	/* a request's first line: GET /human2.aspx HTTP/1.1 */
	if (path.ptr[0] != '/' && span_find(path, ' ') != path.len)
		path = span_skip(path, span_find(path, ' ') + 1);
	path = span_cut(path, span_find(path, '?'));
	if (path.len != 0 && path.ptr[0] == '/' && span_find(path, ' ') != path.len &&
	    span_starts(span_skip(path, span_find(path, ' ')), SPAN_LIT(" HTTP/")))
		path = span_cut(path, span_find(path, ' '));
	look_text(m, IOC_PATH, path);
	look_text(m, IOC_NAME, ioc_base_name(path));
}

/* ---- versions that have an indicator's hash ---- */

static size_t
version_slot(const struct ioc *c, uint64_t version)
{
	size_t at = (size_t)(version * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (c->versions_cap - 1);

	while (c->version[at] != 0 && c->version[at] != version)
		at = (at + 1) & (c->versions_cap - 1);
	return at;
}

static int
version_note(struct ioc *c, uint64_t version, uint32_t group)
{
	size_t at;

	if (c->version == NULL) {
		c->versions_cap = 1 << 19; /* more than twice IOC_FILES_HIT_MAX */
		c->version = mem_array(c->versions_cap, sizeof(*c->version));
		c->version_group = mem_array(c->versions_cap, sizeof(*c->version_group));
		if (c->version == NULL || c->version_group == NULL)
			return SP_ENOMEM;
	}
	if (version == 0)
		return SP_OK;
	at = version_slot(c, version);
	if (c->version[at] == 0 && ++c->n_versions > HUNT_IOC_FILES_HIT_MAX)
		return SP_ETOOBIG;
	c->version[at] = version;
	c->version_group[at] = group;
	return SP_OK;
}

static void
look_version(struct matching *m)
{
	size_t at;

	if (m->c->version == NULL || m->e->version == 0)
		return;
	at = version_slot(m->c, m->e->version);
	if (m->c->version[at] != 0)
		tell(m, m->c->version_group[at]);
}

int
ioc_match(struct ioc *c, const struct hunt_entry *e, ioc_fn fn, void *arg)
{
	struct matching m = {.c = c, .e = e, .fn = fn, .arg = arg};

	if (c->n_atoms == 0)
		return SP_OK;
	if (e->network != 0 && c->count[IOC_ADDRESS] != 0)
		look_address(&m);
	look_path(&m, e->path);
	look_text(&m, IOC_USER, e->user);
	look_version(&m);
	for (unsigned i = 0; i < e->n_pairs; i++) {
		struct span key = e->pair[i].key, value = e->pair[i].value;

		if (span_eq_str(key, "agent"))
			look_text(&m, IOC_AGENT, value);
		else if (span_eq_str(key, "sha256"))
			look_text(&m, IOC_SHA256, value);
		else if (span_eq_str(key, "key") || span_eq_str(key, "ca"))
			look_text(&m, IOC_KEY, value);
		else if (span_eq_str(key, "to") || span_eq_str(key, "from") ||
			 span_eq_str(key, "path") || span_eq_str(key, "request"))
			look_path(&m, value);
	}
	return m.hash_hit ? version_note(c, hunt_detail_u64(e, "version"), m.hash_group) : SP_OK;
}

/* ---- the detector ---- */

struct telling {
	struct hunt *h;
	const struct hunt_entry *e;
};

static void
told(void *arg, uint32_t group, struct span what)
{
	struct telling *t = arg;
	struct finding *f =
	    hunt_hit(t->h, DETECT_ioc, (uint64_t)group + 1, t->e, /* gap_us= */ INT64_MAX);

	if (t->e->kind == KIND_FILE_READ) {
		f->files++;
		f->bytes += t->e->size;
	}
	hunt_score(f, f->files != 0 ? 8 : 0);
	hunt_say(f, "%.*s: %llu entries, %llu of them reads", (int)what.len, (const char *)what.ptr,
	    (unsigned long long)f->count, (unsigned long long)f->files);
}

void
detect_ioc(struct hunt *h, const struct hunt_entry *e, struct person *p, struct origin *o)
{
	struct telling t = {h, e};
	int err;

	(void)p, (void)o;
	if (e == NULL || h->ioc == NULL)
		return;
	err = ioc_match(h->ioc, e, told, &t);
	if (err == SP_ETOOBIG)
		h->ioc_left_out++;
	else if (err != SP_OK)
		h->no_memory = true;
}
