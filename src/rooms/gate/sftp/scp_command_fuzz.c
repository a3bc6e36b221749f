/* Any bytes as an exec command, a line of scp's protocol, a path: what is understood keeps its
 * promises. */
#include "rooms/gate/sftp/path.h"
#include "rooms/gate/sftp/scp_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(struct span in)
{
	struct path p, again;

	if (path_resolve(SPAN_LIT("/Home/alice"), in, &p) < 0)
		return;
	VERIFY(
	    p.len >= 1 && p.len <= PATH_MAX_BYTES && p.text[0] == '/' && strlen(p.text) == p.len);
	VERIFY(p.len == 1 || p.text[p.len - 1] != '/');
	VERIFY(strstr(p.text, "//") == NULL && strstr(p.text, "/../") == NULL &&
	       strstr(p.text, "/./") == NULL);
	VERIFY(path_resolve(SPAN_LIT("/x"), path_span(&p), &again) == SP_OK &&
	       span_eq(path_span(&p), path_span(&again)));
	VERIFY(path_name(&p).len < p.len && path_matches(SPAN_LIT("*"), path_span(&p)));
	VERIFY(path_matches(path_span(&p), path_span(&p)));
}

static void
check_command(struct span in)
{
	static struct scp_command c;

	if (scp_parse(in, &c) < 0)
		return;
	VERIFY(c.n_paths >= 1 && c.n_paths <= SCP_PATHS_MAX && (!c.takes || c.n_paths == 1));
	for (size_t i = 0; i < c.n_paths; i++) {
		struct span s = c.paths[i].text;

		VERIFY(s.len <= in.len && span_find(s, 0) == s.len &&
		       (s.len != 0 || c.paths[i].is_home));
		check_path(s);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct scp_entry e;
	uint64_t t;

	check_command(in);
	check_path(in);
	if (scp_entry_parse(in, &e) == SP_OK)
		VERIFY(name_check(e.name) == SP_OK && e.size <= INT64_MAX);
	if (scp_times_parse(in, &t) == SP_OK)
		VERIFY(t <= UINT32_MAX);
	return 0;
}
