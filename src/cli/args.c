/* args.c - see args.h. */
#include "cli/args.h"

#include "base/text.h"

/* word_next - the next blank-separated word; counts the brackets it opens and closes. */
static bool
word_next(struct span *rest, unsigned *depth, unsigned *ret_after, struct span *ret)
{
	struct span w;

	*rest = span_trim(*rest);
	if (rest->len == 0)
		return false;
	w = span_cut(*rest, span_find(*rest, ' '));
	*rest = span_skip(*rest, w.len);
	while (w.len != 0 && w.ptr[0] == '[') {
		w = span_skip(w, 1);
		++*depth;
	}
	*ret_after = *depth;
	while (w.len != 0 && w.ptr[w.len - 1] == ']') {
		w.len--;
		--*ret_after;
	}
	*ret = w;
	return true;
}

bool
args_next(struct span *rest, unsigned *depth, struct args_item *ret)
{
	struct span w, next, ahead;
	unsigned after, d;

	do {
		if (!word_next(rest, depth, &after, &w))
			return false;
		ret->required = *depth == 0;
		d = *depth;
		*depth = after;
	} while (span_eq_str(w, "|"));
	ret->name = w;
	ret->option = span_starts(w, SPAN_LIT("--"));
	ret->meta = span_of(NULL, 0);
	if (!ret->option || after < d)
		return true;
	ahead = *rest;
	if (span_trim(ahead).len == 0 || span_trim(ahead).ptr[0] == '[' ||
	    span_trim(ahead).ptr[0] == '|' || !word_next(&ahead, &after, &d, &next) ||
	    span_starts(next, SPAN_LIT("--")))
		return true;
	ret->meta = next;
	*rest = ahead;
	*depth = d;
	return true;
}

void
args_key(struct span name, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	if (span_starts(name, SPAN_LIT("--")))
		name = span_skip(name, 2);
	for (size_t i = 0; i < name.len; i++)
		text_chr(&t, (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20
									     : name.ptr[i]));
}

/* find_option - the item of an option; its name may be followed by "=value". */
static bool
find_option(const char *usage, struct span name, struct args_item *ret)
{
	struct span rest = span_str(usage);
	unsigned depth = 0;

	while (args_next(&rest, &depth, ret))
		if (ret->option && span_eq(ret->name, name))
			return true;
	return false;
}

/* find_argument - the nth word of the usage that is no option. */
static bool
find_argument(const char *usage, size_t n, struct args_item *ret)
{
	struct span rest = span_str(usage);
	unsigned depth = 0;

	while (args_next(&rest, &depth, ret))
		if (!ret->option && n-- == 0)
			return true;
	return false;
}

static int
wrong(char *why, size_t cap, const char *before, struct span what, const char *after)
{
	struct text t = text_of(why, cap);

	text_str(&t, before);
	text_add(&t, what);
	text_str(&t, after);
	return SP_EUSAGE;
}

/* allowed - is value one of the words of a meta like "file|passphrase"?  Any value fits one in
 * capitals. */
static bool
allowed(struct span meta, struct span value)
{
	if (span_find(meta, '|') == meta.len)
		return true;
	while (meta.len != 0) {
		struct span word = span_cut(meta, span_find(meta, '|'));

		if (span_eq(word, value))
			return true;
		meta = span_skip(meta, word.len + 1);
	}
	return false;
}

/* may_repeat - "[--ioc FILE...]" can be given more than once. */
static bool
may_repeat(struct span meta)
{
	return meta.len > 3 && memcmp(meta.ptr + meta.len - 3, "...", 3) == 0;
}

static int
put_value(struct cli *c, const struct args_item *item, const char *value, char *why, size_t cap)
{
	for (size_t i = 0; i < c->n_values && !may_repeat(item->meta); i++)
		if (span_eq(c->values[i].name, item->name))
			return wrong(why, cap, "", item->name, " is given twice");
	if (c->n_values == CLI_ARGS_MAX)
		return wrong(why, cap, "", item->name, " is given too often");
	if (!allowed(item->meta, span_str(value))) {
		struct text t = text_of(why, cap);

		text_add(&t, item->name);
		text_str(&t, ": not one of ");
		text_add(&t, item->meta);
		return SP_EUSAGE;
	}
	c->values[c->n_values++] = (struct cli_value){item->name, value};
	return SP_OK;
}

static int
check_required(const struct cli *c, char *why, size_t cap)
{
	struct span rest = span_str(c->command->usage);
	struct args_item item;
	unsigned depth = 0;

	while (args_next(&rest, &depth, &item)) {
		bool found = false;

		for (size_t i = 0; i < c->n_values; i++)
			found = found || span_eq(c->values[i].name, item.name);
		if (item.required && !found)
			return wrong(why, cap, "", item.name, " is missing");
	}
	return SP_OK;
}

int
args_parse(struct cli *c, int argc, char **argv, char *why, size_t cap)
{
	size_t positional = 0;
	bool options = true;

	for (int i = 0; i < argc; i++) {
		struct span a = span_str(argv[i]), name = span_cut(a, span_find(a, '='));
		struct args_item item;
		const char *value = "";
		int rc;

		if (options && span_eq_str(a, "--")) {
			options = false;
			continue;
		}
		if (options && a.len > 1 && a.ptr[0] == '-') {
			if (!find_option(c->command->usage, name, &item))
				return wrong(why, cap, "unknown option ", name, "");
			if (item.meta.len == 0 && name.len != a.len)
				return wrong(why, cap, "", name, " takes no value");
			if (item.meta.len != 0 && name.len != a.len)
				value = argv[i] + name.len + 1;
			else if (item.meta.len != 0 && ++i == argc)
				return wrong(why, cap, "", name, " needs a value");
			else if (item.meta.len != 0)
				value = argv[i];
		} else if (find_argument(c->command->usage, positional++, &item)) {
			value = argv[i];
		} else {
			return wrong(why, cap, "too many arguments: ", a, "");
		}
		rc = put_value(c, &item, value, why, cap);
		if (rc != SP_OK)
			return rc;
	}
	return check_required(c, why, cap);
}
