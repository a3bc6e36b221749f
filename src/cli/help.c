/* help.c - see help.h. */
#include "cli/help.h"

#include "base/text.h"
#include "cli/args.h"

static struct span
first_word(const char *words)
{
	struct span w = span_str(words);

	return span_cut(w, span_find(w, ' '));
}

void
help_command(FILE *out, const struct cli_command *c)
{
	(void)fprintf(out, "usage: sallyport [-C DIR] [--json] %s%s%s\n\n%s.\n", c->words,
	    c->usage[0] != '\0' ? " " : "", c->usage, c->text);
}

size_t
help_count(const char *word)
{
	size_t n, count = 0;
	const struct cli_command *c = cli_commands(&n);

	for (size_t i = 0; i < n; i++)
		count += span_eq_str(first_word(c[i].words), word);
	return count;
}

void
help_all(FILE *out, const char *word)
{
	size_t n;
	const struct cli_command *c = cli_commands(&n);

	(void)fprintf(out,
	    "usage: sallyport [-C DIR] [--json] COMMAND [ARGUMENTS]\n"
	    "DIR is the instance's folder; without -C that of SALLYPORT_DIR, else " CLI_DIR_DEFAULT
	    ".\n\n");
	for (size_t i = 0; i < n; i++)
		if (word == NULL || span_eq_str(first_word(c[i].words), word))
			(void)fprintf(out, "  %-20s %s\n", c[i].words, c[i].text);
	(void)fprintf(out, "\nsallyport COMMAND --help shows a command's arguments.\n");
}

/* put_set - a shell word list of what can follow `words`. */
static void
put_options(const char *usage)
{
	struct span rest = span_str(usage);
	struct args_item item;
	unsigned depth = 0;

	while (args_next(&rest, &depth, &item))
		if (item.option)
			(void)printf(" %.*s", (int)item.name.len, (const char *)item.name.ptr);
}

/* words_cut - the first n words; shorter when there are no more. */
static struct span
words_cut(const char *words, size_t n)
{
	struct span all = span_str(words);
	size_t len = 0;

	while (n-- != 0 && len < all.len)
		len += span_find(span_skip(all, len), ' ') + (n != 0);
	return span_cut(all, len < all.len ? len : all.len);
}

/* is_below - do the words begin with this group of commands, and go on? */
static bool
is_below(const char *words, struct span group)
{
	struct span all = span_str(words);

	return all.len > group.len && span_starts(all, group) && all.ptr[group.len] == ' ';
}

/* put_group - what can follow the first n words of row `first`, when they are a group that no row
 * before it belongs to. */
static void
put_group(const struct cli_command *c, size_t n_rows, size_t first, size_t n)
{
	struct span group = words_cut(c[first].words, n);

	if (!is_below(c[first].words, group))
		return;
	for (size_t i = 0; i < first; i++)
		if (is_below(c[i].words, group))
			return;
	(void)printf("\t\"%.*s\") words=\"", (int)group.len, (const char *)group.ptr);
	for (size_t i = first; i < n_rows; i++) {
		struct span next = words_cut(c[i].words, n + 1);
		bool is_new = is_below(c[i].words, group);

		for (size_t k = first; k < i && is_new; k++)
			is_new = !span_eq(words_cut(c[k].words, n + 1), next);
		if (is_new)
			(void)printf("%s%.*s", i == first ? "" : " ",
			    (int)(next.len - group.len - 1),
			    (const char *)next.ptr + group.len + 1);
	}
	(void)printf("\" ;;\n");
}

static bool
is_first_of_group(const struct cli_command *c, size_t i)
{
	return i == 0 || !span_eq(first_word(c[i].words), first_word(c[i - 1].words));
}

int
cmd_completion(struct cli *cli)
{
	size_t n;
	const struct cli_command *c = cli_commands(&n);

	(void)cli;
	(void)printf("# bash completion of sallyport; made by: sallyport completion\n"
		     "_sallyport() {\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} line= "
		     "words= i\n"
		     "\tCOMPREPLY=()\n"
		     "\tif [[ $prev == -C ]]; then\n"
		     "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
		     "\t\treturn\n"
		     "\tfi\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\tcase ${COMP_WORDS[i]} in\n"
		     "\t\t-C) ((i++)) ;;\n"
		     "\t\t-*) ;;\n"
		     "\t\t*) line+=\"${line:+ }${COMP_WORDS[i]}\" ;;\n"
		     "\t\tesac\n"
		     "\tdone\n"
		     "\tcase $line in\n"
		     "\t\"\") words=\"");
	for (size_t i = 0; i < n; i++)
		if (is_first_of_group(c, i))
			(void)printf("%.*s ", (int)first_word(c[i].words).len, c[i].words);
	(void)printf("-C --json --help --version\" ;;\n");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 1; k <= 2; k++)
			put_group(c, n, i, k);
	for (size_t i = 0; i < n; i++) {
		(void)printf("\t\"%s\"*) words=\"--json --help", c[i].words);
		put_options(c[i].usage);
		(void)printf("\" ;;\n");
	}
	(void)printf("\tesac\n"
		     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		     "\t[[ ${#COMPREPLY[@]} -eq 0 && $cur != -* ]] && mapfile -t COMPREPLY < "
		     "<(compgen -f -- \"$cur\")\n"
		     "}\n"
		     "complete -o filenames -F _sallyport sallyport\n");
	return cli_out_done();
}
