/* scp_command.c - words of a command, lines of the protocol. */
#include "rooms/gate/sftp/scp_command.h"

#include "base/name.h"
#include "base/text.h"

#define SIZE_MAX_BYTES ((uint64_t)INT64_MAX)

/* ---- words, as a POSIX shell separates them (XCU section 2.2) ---- */

struct word {
	struct span text;
	bool is_pattern, is_home;
};
struct words {
	struct span rest;
	struct wr out; /* text of all words */
};

static bool
in_set(uint8_t c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static void
put(struct words *w, uint8_t c)
{
	wr_uint(&w->out, c, 1);
	w->rest = span_skip(w->rest, 1);
}

/* '...': every byte stands for itself. */
static bool
take_single(struct words *w)
{
	w->rest = span_skip(w->rest, 1);
	while (w->rest.len != 0 && w->rest.ptr[0] != '\'')
		put(w, w->rest.ptr[0]);
	if (w->rest.len == 0)
		return false;
	w->rest = span_skip(w->rest, 1);
	return true;
}

/* "...": a backslash takes the meaning off $ ` " \ and nothing else; $ and ` would be acted on. */
static bool
take_double(struct words *w)
{
	w->rest = span_skip(w->rest, 1);
	while (w->rest.len != 0 && w->rest.ptr[0] != '"') {
		if (in_set(w->rest.ptr[0], "$`"))
			return false;
		if (w->rest.ptr[0] == '\\' && w->rest.len > 1 && in_set(w->rest.ptr[1], "$`\"\\"))
			w->rest = span_skip(w->rest, 1);
		put(w, w->rest.ptr[0]);
	}
	if (w->rest.len == 0)
		return false;
	w->rest = span_skip(w->rest, 1);
	return true;
}

/* One byte outside quotes, or what it begins. */
static bool
take_plain(struct words *w, struct word *ret)
{
	uint8_t c = w->rest.ptr[0];

	if (c == '\'')
		return take_single(w);
	if (c == '"')
		return take_double(w);
	if (in_set(c, ";&|<>()$`\n\r\t#") || c < ' ' || c == 0x7f)
		return false;
	if (c == '\\') {
		w->rest = span_skip(w->rest, 1);
		if (w->rest.len == 0 || w->rest.ptr[0] == '\n')
			return false;
	} else if (c == '*' || c == '?') {
		ret->is_pattern = true;
	}
	put(w, w->rest.ptr[0]);
	return true;
}

/* The next word: 1, 0 at the end, SP_ESYNTAX. */
static int
next_word(struct words *w, struct word *ret)
{
	size_t at = w->out.len;

	*ret = (struct word){.text = span_of(NULL, 0)};
	while (w->rest.len != 0 && w->rest.ptr[0] == ' ')
		w->rest = span_skip(w->rest, 1);
	if (w->rest.len == 0)
		return 0;
	if (w->rest.ptr[0] == '~') {
		ret->is_home = true;
		w->rest = span_skip(w->rest, 1);
		if (w->rest.len != 0 && !in_set(w->rest.ptr[0], "/ ")) /* somebody's home */
			return SP_ESYNTAX;
		if (w->rest.len != 0 && w->rest.ptr[0] == '/')
			w->rest = span_skip(w->rest, 1);
	}
	while (w->rest.len != 0 && w->rest.ptr[0] != ' ')
		if (!take_plain(w, ret))
			return SP_ESYNTAX;
	ret->text = span_of(w->out.buf + at, w->out.len - at);
	return w->out.bad || span_find(ret->text, '\0') != ret->text.len ? SP_ESYNTAX : 1;
}

/* ---- the command ---- */

static int
take_options(struct scp_command *c, struct span letters, bool *gives)
{
	for (; letters.len != 0; letters = span_skip(letters, 1)) {
		switch (letters.ptr[0]) {
		case 't':
			c->takes = true;
			break;
		case 'f':
			*gives = true;
			break;
		case 'r':
			c->recursive = true;
			break;
		case 'p':
			c->preserves = true;
			break;
		case 'd':
			c->folder = true;
			break;
		case 'v':
		case 'q': /* what is shown is the client's matter */
			break;
		default:
			return SP_ESYNTAX;
		}
	}
	return SP_OK;
}

static int
take_paths(struct scp_command *c, struct words *w, struct word first, int rc)
{
	for (; rc == 1; rc = next_word(w, &first)) {
		if (c->n_paths == SCP_PATHS_MAX || (first.text.len == 0 && !first.is_home))
			return SP_ESYNTAX;
		c->paths[c->n_paths++] =
		    (struct scp_path){first.text, first.is_pattern, first.is_home};
	}
	return rc;
}

int
scp_parse(struct span command, struct scp_command *ret)
{
	struct words w = {.rest = command, .out = wr_of((uint8_t *)ret->buf, sizeof(ret->buf))};
	struct word word;
	bool gives = false;
	int rc;

	ret->takes = ret->recursive = ret->preserves = ret->folder = false;
	ret->n_paths = 0;
	if (command.len > SCP_COMMAND_MAX || next_word(&w, &word) != 1 ||
	    !span_eq_str(word.text, "scp"))
		return SP_ESYNTAX;
	for (rc = next_word(&w, &word); rc == 1; rc = next_word(&w, &word)) {
		if (span_eq_str(word.text, "--")) {
			rc = next_word(&w, &word);
			break;
		}
		if (word.is_home || word.text.len < 2 || word.text.ptr[0] != '-')
			break;
		if (take_options(ret, span_skip(word.text, 1), &gives) < 0)
			return SP_ESYNTAX;
	}
	rc = take_paths(ret, &w, word, rc);
	if (rc < 0 || ret->takes == gives || ret->n_paths == 0 || (ret->takes && ret->n_paths != 1))
		return SP_ESYNTAX;
	return SP_OK;
}

bool
scp_wanted(struct span command)
{
	DEFER(mem_freep) struct scp_command *c = mem_alloc(sizeof(*c));

	return c != NULL && scp_parse(command, c) == SP_OK;
}

/* ---- lines ---- */

/* Up to the next space, which is taken too. */
static struct span
field(struct span *line)
{
	struct span f = span_cut(*line, span_find(*line, ' '));

	*line = span_skip(*line, f.len + 1);
	return f;
}

int
scp_entry_parse(struct span line, struct scp_entry *ret)
{
	struct scp_entry e = {.is_folder = line.len != 0 && line.ptr[0] == 'D'};
	struct span mode;

	line = span_skip(line, 1);
	mode = field(&line);
	if (mode.len != 4)
		return SP_ESYNTAX;
	for (size_t i = 0; i < mode.len; i++)
		if (mode.ptr[i] < '0' || mode.ptr[i] > '7')
			return SP_ESYNTAX;
	if (parse_u64(field(&line), SIZE_MAX_BYTES, &e.size) < 0)
		return SP_ESYNTAX;
	e.name = line;
	if (name_check(line) < 0)
		return SP_ENAME;
	*ret = e;
	return SP_OK;
}

int
scp_times_parse(struct span line, uint64_t *ret_mtime_s)
{
	uint64_t mtime, atime, us;

	line = span_skip(line, 1);
	if (parse_u64(field(&line), UINT32_MAX, &mtime) < 0 ||
	    parse_u64(field(&line), 999999, &us) < 0 ||
	    parse_u64(field(&line), UINT32_MAX, &atime) < 0 || parse_u64(line, 999999, &us) < 0)
		return SP_ESYNTAX;
	*ret_mtime_s = mtime;
	return SP_OK;
}
