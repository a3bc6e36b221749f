/* print.c - see print.h. */
#include "cli/print.h"
#include "cli/safe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

#define COLUMNS_MAX 16u

void
print_begin(struct print *p, bool json)
{
	*p = (struct print){.json = json};
}

/* put_text - a string, safe for a terminal; returns its width in code points. */
static int
put_text(FILE *out, const char *s)
{
	struct span rest = span_str(s);
	int width = 0;

	while (rest.len != 0) {
		char form[SAFE_FORM_MAX];
		struct text t = text_of(form, sizeof(form));
		bool as_it_is = false;
		size_t n = safe_next(rest, 0, &t, &as_it_is);

		if (out != NULL)
			(void)fwrite(form, 1, t.len, out);
		width += as_it_is ? 1 : (int)t.len;
		rest = span_skip(rest, n);
	}
	return width;
}

/* plain - a value as text; buf for numbers.  Objects and arrays come as JSON, *ret_owned is then to
 * be freed. */
static const char *
plain(const json_t *v, char *buf, size_t cap, char **ret_owned)
{
	struct text t = text_of(buf, cap);

	*ret_owned = NULL;
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_integer(v)) {
		text_fmt(&t, "%lld", (long long)json_integer_value(v));
		return buf;
	}
	if (json_is_boolean(v))
		return json_is_true(v) ? "yes" : "no";
	if (v == NULL || json_is_null(v))
		return "-";
	*ret_owned = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	return *ret_owned != NULL ? *ret_owned : "";
}

static int
put_value(FILE *out, const json_t *v)
{
	char buf[32], *owned;
	int width = put_text(out, plain(v, buf, sizeof(buf), &owned));

	mem_free(owned); /* jansson's own allocator */
	return width;
}

static void
pad(int n)
{
	for (int i = 0; i < n; i++)
		(void)putchar(' ');
}

static void
put_heading(const char *key, int width)
{
	for (const char *p = key; *p != '\0'; p++)
		(void)putchar(*p == '_' ? ' ' : *p >= 'a' && *p <= 'z' ? *p - 0x20 : *p);
	pad(width - (int)strlen(key));
}

/* put_table - columns are the first row's members, in its order. */
static void
put_table(struct print *p, json_t *rows)
{
	const char *keys[COLUMNS_MAX], *key;
	int width[COLUMNS_MAX];
	size_t n = 0, i;
	json_t *row, *v;

	json_object_foreach(json_array_get(rows, 0), key, v)
	{
		if (n < COLUMNS_MAX) {
			keys[n] = key;
			width[n++] = (int)strlen(key);
		}
	}
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < n; k++) {
			int w = put_value(NULL, json_object_get(row, keys[k]));

			width[k] = w > width[k] ? w : width[k];
		}
	}
	for (size_t k = 0; k < n && !p->begun; k++)
		put_heading(keys[k], k + 1 < n ? width[k] + 2 : 0);
	if (n != 0 && !p->begun)
		(void)putchar('\n');
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < n; k++) {
			int w = put_value(stdout, json_object_get(row, keys[k]));

			pad(k + 1 < n ? width[k] + 2 - w : 0);
		}
		(void)putchar('\n');
	}
	p->begun = p->begun || n != 0;
}

/* is_table - a list of objects: printed below the lines. */
static bool
is_table(const json_t *v)
{
	return json_is_array(v) && json_is_object(json_array_get(v, 0));
}

static void
put_line(const char *key, int width, const json_t *v)
{
	for (const char *c = key; *c != '\0'; c++)
		(void)putchar(*c == '_' ? ' ' : *c);
	pad(width + 2 - (int)strlen(key));
	(void)put_value(stdout, v);
	(void)putchar('\n');
}

static void
put_lines(json_t *object)
{
	const char *key;
	json_t *v;
	int width = 0;

	json_object_foreach(object, key, v)
	{
		if (!is_table(v) && (int)strlen(key) > width)
			width = (int)strlen(key);
	}
	json_object_foreach(object, key, v)
	{
		if (!is_table(v))
			put_line(key, width, v);
	}
	json_object_foreach(object, key, v)
	{
		struct print p = {.rows = true};

		if (!is_table(v))
			continue;
		(void)printf("\n%s\n", key);
		put_table(&p, v);
	}
}

static void
put_json_rows(struct print *p, json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		(void)fputs(p->begun ? ",\n " : "{\"rows\":[", stdout);
		p->begun = true;
		(void)json_dumpf(row, stdout, JSON_COMPACT); /* a failure shows at the flush */
	}
}

void
print_page(struct print *p, json_t *page)
{
	json_t *rows = json_object_get(page, "rows");

	if (json_is_array(rows)) {
		p->rows = true;
		if (p->json)
			put_json_rows(p, rows);
		else
			put_table(p, rows);
	} else if (p->json) {
		(void)json_dumpf(page, stdout, JSON_COMPACT); /* a failure shows at the flush */
		(void)putchar('\n');
	} else {
		put_lines(page);
	}
}

void
print_end(struct print *p)
{
	if (p->rows && p->json)
		(void)puts(p->begun ? "]}" : "{\"rows\":[]}");
}
