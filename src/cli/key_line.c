/* key_line.c - commands that take a public key: from a file, or from standard input. */
#include <fcntl.h>

#include "base/text.h"
#include "cli/call.h"
#include "cli/print.h"
#include "sys/fd.h"

#define FILE_MAX (64u * 1024u)

/* the_line - the one line of the file that is neither empty nor a comment. */
static int
the_line(struct span file, const char *path, struct span *ret)
{
	struct span found = span_of(NULL, 0);

	while (file.len != 0) {
		struct span line = span_cut(file, span_find(file, '\n'));
		struct span text = span_trim(line);

		file = span_skip(file, line.len + 1);
		if (text.len == 0 || text.ptr[0] == '#')
			continue;
		if (span_starts(text, SPAN_LIT("-----BEGIN")))
			return cli_fail(SP_EUSAGE,
			    "%s: this is no line of a public key but a PEM file, perhaps a private "
			    "key: give the file that ends in .pub",
			    path);
		if (found.len != 0)
			return cli_fail(
			    SP_EUSAGE, "%s: there is more than one key: one at a time", path);
		found = text;
	}
	if (found.len == 0)
		return cli_fail(SP_EUSAGE, "%s: there is no key in it", path);
	*ret = found;
	return SP_OK;
}

static int
read_all(const char *path, uint8_t **ret, size_t *ret_len)
{
	DEFER(close_fd) int fd = -1;
	int rc;

	if (path == NULL)
		rc = file_read_all(0, FILE_MAX, ret, ret_len);
	else if ((fd = file_open_at(AT_FDCWD, path, O_RDONLY, 0)) < 0)
		rc = fd;
	else
		rc = file_read_all(fd, FILE_MAX, ret, ret_len);
	return rc == SP_OK ? SP_OK
			   : cli_fail(rc, "%s: %s", path != NULL ? path : "standard input",
				 sp_strerror(rc));
}

static json_t *
args_with_line(const struct cli *c, struct span line)
{
	json_t *args = call_args(c);

	if (args == NULL)
		return NULL;
	(void)json_object_del(args, "file"); /* may be absent: it is read here */
	if (json_object_set_new(
		args, "line", json_stringn((const char *)line.ptr, line.len)) == 0)
		return args;
	json_decref(args);
	return NULL;
}

int
cmd_key_line(struct cli *c)
{
	const char *path = cli_opt(c, "--file");
	DEFER(mem_freep) uint8_t *content = NULL;
	DEFER(json_done) json_t *args = NULL;
	DEFER(json_done) json_t *result = NULL;
	DEFER(call_close) struct call k = {.buf = NULL};
	struct span line = span_of(NULL, 0);
	struct print p;
	size_t len = 0;
	int rc = read_all(path, &content, &len);

	if (rc == SP_OK)
		rc = the_line(
		    span_of(content, len), path != NULL ? path : "standard input", &line);
	if (rc != SP_OK)
		return rc;
	if ((args = args_with_line(c, line)) == NULL)
		return cli_fail(SP_ESYNTAX, "an argument or the key's comment is not valid UTF-8");
	rc = call_open(c, &k);
	if (rc == SP_OK)
		rc = call_verb(&k, c->command->words, args, span_of(NULL, 0), &result);
	if (rc != SP_OK)
		return rc;
	print_begin(&p, c->json);
	print_page(&p, result);
	print_end(&p);
	return cli_out_done();
}
