/* docgen.c - prints the reference pages of docs/gen from the tables: docgen
 * ipc|events|errors|conf|routes|hunt|scanner
 */
#include "base/conf.h"
#include "base/err.h"
#include "ipc/ipc.h"

#include <stdio.h>

#define NOTE                                                                                       \
	"<!-- Printed by tools/docgen from the tables. Do not edit: `scripts/docs` writes it "     \
	"anew. -->\n\n"

/* "R_BROKER | R_LEDGER" as "broker, ledger" */
static void
print_rooms(unsigned set)
{
	const char *sep = "";

	if (set == (unsigned)R_EVERY) {
		printf("every room");
		return;
	}
	for (int i = 0; i < ROOM_COUNT; i++)
		if (set & (1u << i)) {
			printf("%s%s", sep, room_table[i].name);
			sep = ", ";
		}
	if (set == 0)
		printf("nobody");
}

static const char *
phase_word(unsigned phase)
{
	switch (phase) {
	case PH_FRESH:
		return "before login";
	case PH_AUTHED:
		return "after login";
	case PH_ANY:
		return "always";
	default:
		return "never";
	}
}

static void
print_field(const char *sep, const char *type, const char *name, uint64_t max)
{
	bool fixed = type[0] == 'b' && type[1] >= '0' && type[1] <= '9';

	if (fixed || max == UINT64_MAX)
		printf("%s%s %s", sep, type, name);
	else
		printf("%s%s %s <= %llu", sep, type, name, (unsigned long long)max);
}

static void
print_row(uint16_t id, const char *title, size_t bytes)
{
	const struct ipc_rule *r = ipc_rule(id);

	printf("| %u | %s | ", (unsigned)id, title);
	print_rooms(r->from);
	printf(" | ");
	print_rooms(r->to);
	printf(" | %s | %u | %zu | ", phase_word(r->phase), (unsigned)r->fds, bytes);
}

static void
print_ipc(void)
{
	const char *sep;

	printf("# Messages between rooms\n\n" NOTE "From `src/ipc/protocol.def`. Codec of message "
	       "`name`: `ipc_get_name`, `ipc_put_name`; sent by "
	       "`chan_send_name`.\nBytes: greatest body. Integers: greatest value; text and bytes: "
	       "greatest length.\n\n");
	printf("| id | message | from | to | when | descriptors | bytes | fields |\n");
	printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
#define F(type, name, max) print_field(sep, #type, #name, (uint64_t)(max)), sep = ", ";
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	print_row((id), #NAME, IPC_SIZE_##NAME);                                                   \
	sep = "";                                                                                  \
	IPC_FIELDS_##name(F) printf(" |\n");
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F
	printf("\n## Rooms\n\n| room | index | kind | what it does |\n| --- | --- | --- | --- |\n");
#define ROOM(NAME, name, index, kind, text)                                                        \
	printf("| %s | %d | %s | %s |\n", #name, index, #kind, text);
#include "ipc/rooms.def"
#undef ROOM
	printf(
	    "\n## Sockets\n\nA row between two rooms gives them a socket; no row, no socket.\n\n");
	for (int a = 0; a < ROOM_COUNT; a++)
		for (int b = a + 1; b < ROOM_COUNT; b++)
			if (ipc_linked((enum room)a, (enum room)b))
				printf("- %s, %s\n", room_table[a].name, room_table[b].name);
}

static void
print_events(void)
{
	printf("# Audit events\n\n" NOTE
	       "From `src/ipc/events.def`.\n\n| number | event | severity | meaning |\n"
	       "| --- | --- | --- | --- |\n");
#define EVENT(NAME, number, name, severity, text)                                                  \
	printf("| %d | `%s` | %s | %s |\n", number, name, #severity, text);
#include "ipc/events.def"
#undef EVENT
}

static void
print_errors(void)
{
	printf("# Errors\n\n" NOTE "From `src/base/err.def`. The exit status is that of the "
	       "command line; in JSON, `type` ends "
	       "in the name and\n`errorCode` is MOVEit's. HTTP 0: never leaves the program.\n\n"
	       "| number | name | HTTP | SFTP | FTP | errorCode | exit | text |\n"
	       "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
#define ERR(NAME, n, http, sftp, ftp, moveit, status, text)                                        \
	printf("| %d | %s | %d | %d | %d | %d | %d | %s |\n", n, sp_err_row(n)->name, http, sftp,  \
	    ftp, moveit, status, text);
#include "base/err.def"
#undef ERR
}

static void
print_hunt(void)
{
	printf("# Detectors of `sallyport hunt`\n\n" NOTE
	       "From `src/cli/hunt/hunt.def` and `limits.def`. Weight: what one finding is worth of "
	       "100, before its size and its company\ncount; `docs/hunt.md` tells how to read them."
	       "\n\n| name | weight | finds | because |\n| --- | --- | --- | --- |\n");
#define DETECT(fn, name, weight, kinds, title, text)                                               \
	printf("| `%s` | %d | %s | %s |\n", name, weight, title, text);
#include "cli/hunt/hunt.def"
#undef DETECT
	printf("\n## Numbers\n\n| number | what |\n| --- | --- |\n");
#define LIMIT(NAME, value, text) printf("| %llu | %s |\n", (unsigned long long)(value), text);
#include "cli/hunt/limits.def"
#undef LIMIT
}

static void
print_conf(void)
{
	static const char *type[] = {"number", "bytes (K, M, G, T)", "time (s, m, h, d, w)",
	    "yes or no", "text", "ADDRESS:PORT", "word", "networks"};
	size_t n;
	const struct conf_row *row = conf_rows(&n);

	printf("# Settings of sallyport.conf\n\n" NOTE
	       "From `src/base/conf.def`. Reload: `SIGHUP` takes a change up; else it needs "
	       "a restart.\n\n| keyword | type | least | most | default | reload | meaning |\n"
	       "| --- | --- | --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < n; i++) {
		bool bounded = row[i].type != CONF_ADDR && row[i].type != CONF_ENUM &&
			       row[i].type != CONF_BOOL && row[i].type != CONF_NETS;

		printf("| %s | %s | ", row[i].keyword, type[row[i].type]);
		if (bounded)
			printf("%lld | %lld", (long long)row[i].min, (long long)row[i].max);
		else
			printf("|");
		printf(" | `%s` | %s | %s |\n", row[i].dflt, row[i].reload ? "yes" : "no",
		    row[i].text);
	}
}

static void
print_routes(void)
{
	printf("# Addresses of the HTTPS door\n\n" NOTE
	       "From `src/rooms/gate/https/routes.def`; `docs/api.md` tells how they behave. "
	       "Numbers in "
	       "brackets are rows of MOVEit\nTransfer's list.\n\n"
	       "| method | address | listener | token | what |\n| --- | --- | --- | --- | --- |\n");
#define ROUTE(method, pattern, listener, auth, handler, summary)                                   \
	printf("| %s | `%s` | %s | %s | %s |\n", method, pattern,                                  \
	    #listener[0] == 'P' ? "public" : "administration",                                     \
	    #auth[0] == 'B' ? "bearer" : "none", summary);
#include "rooms/gate/https/routes.def"
#undef ROUTE
}

static void
print_scanner(void)
{
	printf("# What is held against an address\n\n" NOTE
	       "From `src/ipc/contacts.def` and `src/proto/http/scanner.def`; `docs/addresses.md` "
	       "tells what comes "
	       "of it.\n\n## Contacts\n\n| contact | score | proof | what |\n| --- | --- | --- | "
	       "--- |\n");
#define CONTACT(NAME, number, name, by, score, proof, text)                                        \
	printf("| %s | %d | %s | %s |\n", name, score, #proof, text);
#include "ipc/contacts.def"
#undef CONTACT
	printf("\n## Probes\n\nRequests that are none of our routes, before a login.\n\n"
	       "| probe | where | pattern | score | what |\n| --- | --- | --- | --- | --- |\n");
#define PROBE(id, kind, pattern, score, text)                                                      \
	printf("| %s | %s | `%s` | %d | %s |\n", id, #kind, pattern, score, text);
#include "proto/http/scanner.def"
#undef PROBE
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} pages[] = {{"ipc", print_ipc}, {"events", print_events}, {"errors", print_errors},
	    {"conf", print_conf}, {"routes", print_routes}, {"hunt", print_hunt},
	    {"scanner", print_scanner}};

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (argc == 2 && strcmp(argv[1], pages[i].name) == 0) {
			pages[i].print();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	fprintf(stderr, "usage: docgen ipc|events|errors|conf|routes|hunt|scanner\n");
	return 64;
}
