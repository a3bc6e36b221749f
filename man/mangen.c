/* mangen.c - the parts of the man pages that come from tables, as mdoc: mangen
 * commands|settings|limits|exits|rooms. */
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/args.h"
#include "ipc/ipc.h"

#define CLI(words, fn, usage, text) {words, usage, text},
static const struct {
	const char *words, *usage, *text;
} commands[] = {
#include "cli/commands.def"
};
#undef CLI

/* one word of text, with what roff would take as its own escaped */
static void
put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\')
			(void)printf("\\e");
		else if (s[i] == '-')
			(void)printf("\\-");
		else
			(void)putchar(s[i]);
	}
}

static void
put_all(const char *s)
{
	put(s, strlen(s));
}

/* "--org NAME" -> Fl \-org Ar NAME, in Op when it is optional */
static void
put_item(const struct args_item *item)
{
	(void)printf(item->required ? "." : ".Op ");
	if (item->option) {
		(void)printf("Fl \\-");
		put((const char *)item->name.ptr + 2, item->name.len - 2);
		if (item->meta.len != 0) {
			(void)printf(" Ar ");
			put((const char *)item->meta.ptr, item->meta.len);
		}
	} else {
		(void)printf("Ar ");
		put((const char *)item->name.ptr, item->name.len);
	}
	(void)putchar('\n');
}

static void
print_commands(void)
{
	(void)printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct span rest = span_str(commands[i].usage);
		struct args_item item;
		unsigned depth = 0;

		(void)printf(".It Xo\n.Cm ");
		put_all(commands[i].words);
		(void)putchar('\n');
		while (args_next(&rest, &depth, &item))
			put_item(&item);
		(void)printf(".Xc\n");
		(void)putchar(commands[i].text[0] & ~0x20); /* a sentence */
		put_all(commands[i].text + 1);
		(void)printf(".\n");
	}
	(void)printf(".El\n");
}

static const char *
type_text(enum conf_type type)
{
	static const char *const names[] = {[CONF_INT] = "a number",
	    [CONF_SIZE] = "bytes; K, M, G, T and P are powers of 1024",
	    [CONF_TIME] = "a time with s, m, h, d or w",
	    [CONF_BOOL] = "yes or no",
	    [CONF_STR] = "text",
	    [CONF_ADDR] = "ADDRESS:PORT, with a numeric address",
	    [CONF_ENUM] = "a word",
	    [CONF_NETS] = "networks with commas between them, or none"};

	return names[type];
}

static void
print_settings(const struct conf_table *table)
{
	(void)printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < table->n; i++) {
		const struct conf_row *r = &table->rows[i];

		(void)printf(".It Cm %s\n", r->keyword);
		if (r->text[0] != '{')
			(void)putchar(r->text[0] >= 'a' && r->text[0] <= 'z' ? r->text[0] & ~0x20
									     : r->text[0]);
		put_all(r->text[0] != '{' ? r->text + 1 : r->text);
		(void)printf(".\n.br\n");
		(void)printf("Type: %s", type_text(r->type));
		if (r->type == CONF_INT || r->type == CONF_SIZE || r->type == CONF_TIME)
			(void)printf(", %lld to %lld%s", (long long)r->min, (long long)r->max,
			    r->type == CONF_TIME   ? " seconds"
			    : r->type == CONF_SIZE ? " bytes"
						   : "");
		(void)printf(".\nDefault:\n.Ql ");
		put_all(r->dflt);
		(void)printf(" .\n%s\n", r->reload ? "Taken up by a reload." : "Needs a restart.");
	}
	(void)printf(".El\n");
}

/* one item a status, with the errors that end with it */
static void
print_exits(void)
{
	static const struct {
		int exit;
		const char *text;
	} errors[] = {
#define ERR(NAME, number, http, sftp, ftp, moveit, exit, text) {exit, text},
#include "base/err.def"
#undef ERR
	};

	(void)printf(".Bl -tag -width Ds\n.It 0\nAll is well.\n");
	for (int status = 1; status < 128; status++) {
		bool any = false;

		for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
			if (errors[i].exit != status)
				continue;
			if (!any)
				(void)printf(".It %d\n", status);
			else
				(void)printf("; ");
			put_all(errors[i].text);
			any = true;
		}
		if (any)
			(void)printf(".\n");
	}
	(void)printf(".El\n");
}

static void
print_rooms(void)
{
	static const char *const kinds[] = {[ROOM_KIND_ROOT] = "itself",
	    [ROOM_KIND_ONE] = "one process, started again when it ends",
	    [ROOM_KIND_POOL] = "a process for each job, kept ready",
	    [ROOM_KIND_JOB] = "one process kept ready, replaced after each job",
	    [ROOM_KIND_OUT] = "started by whoever calls it"};
	static const struct {
		const char *name, *text;
		int index;
		enum room_kind kind;
	} rooms[] = {
#define ROOT ROOM_KIND_ROOT
#define ONE ROOM_KIND_ONE
#define POOL ROOM_KIND_POOL
#define JOB ROOM_KIND_JOB
#define OUT ROOM_KIND_OUT
#define ROOM(NAME, name, index, kind, text) {#name, text, index, kind},
#include "ipc/rooms.def"
#undef ROOM
	};

	(void)printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		(void)printf(".It Nm ");
		if (rooms[i].kind != ROOM_KIND_OUT)
			(void)printf("sallyport\\-");
		put_all(rooms[i].name);
		(void)putchar('\n');
		(void)putchar(rooms[i].text[0] & ~0x20);
		put_all(rooms[i].text + 1);
		(void)printf(".\n.br\nProcesses: %s.\n", kinds[rooms[i].kind]);
		if (rooms[i].kind == ROOM_KIND_ONE || rooms[i].kind == ROOM_KIND_JOB)
			(void)printf("User id:\n.Cm UidBase\n+ %d.\n", rooms[i].index);
	}
	(void)printf(".El\n");
}

int
main(int argc, char **argv)
{
	const char *part = argc == 2 ? argv[1] : "";

	if (strcmp(part, "commands") == 0)
		print_commands();
	else if (strcmp(part, "settings") == 0)
		print_settings(conf_table());
	else if (strcmp(part, "limits") == 0)
		print_settings(limits_table());
	else if (strcmp(part, "exits") == 0)
		print_exits();
	else if (strcmp(part, "rooms") == 0)
		print_rooms();
	else
		sp_die(64, "mangen commands|settings|limits|exits|rooms");
	return fflush(stdout) == 0 ? 0 : 74;
}
