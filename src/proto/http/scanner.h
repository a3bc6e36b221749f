/* scanner.h - requests that no client of ours makes: the table of probes, and the match.
 *
 * Only a request that is none of our routes is held against it (the caller sees to that): what a
 * file of a user's is called never matters here.  Nothing of the answer depends on the match.
 */
#ifndef SP_PROTO_HTTP_SCANNER_H
#define SP_PROTO_HTTP_SCANNER_H

#include "proto/http/head.h"

/* PATH, QUERY: text of the target.  HEADER: "name: text".  BODY: the first bytes that came with the
 * head.  A pattern is found anywhere in it, without regard to case, as it came or with %XX taken
 * for the byte; "^" at its beginning and "$" at its end tie it there.  In HEADER the name is whole;
 * "*" is any. */
enum probe_kind { PROBE_PATH, PROBE_QUERY, PROBE_HEADER, PROBE_BODY };

#define PROBE_ID_MAX 32u
#define PROBE_PATTERN_MAX 128u
#define PROBE_TEXT_MAX 160u
#define PROBE_SCORE_MAX 1000u
#define PROBE_ROWS_MAX 1000u	     /* of a file */
#define PROBE_FILE_MAX (256u * 1024) /* bytes of a file */
#define PROBE_PART_MAX 2048u	     /* bytes of each part of a request that are looked at */

struct probe {
	struct span id, pattern, text;
	enum probe_kind kind;
	uint32_t score; /* points */
};

/* What of a request is looked at. */
struct probe_part {
	size_t raw_len, plain_len;
	uint8_t raw[PROBE_PART_MAX], plain[PROBE_PART_MAX]; /* lower case; %XX taken for the byte */
};
struct probe_request {
	struct probe_part path, query, body;
	const struct http_head *head; /* borrowed */
};
/* probe_request_of - the target as it came, also one that http_target refuses: scanners send those.
 *   body  what there is of it */
void probe_request_of(struct probe_request *r, const struct http_head *head, struct span body);

/* probe_matches - is this row's pattern in the request? */
bool probe_matches(const struct probe *p, const struct probe_request *r);

/* probe_at - row i of the built-in table; false behind the last.  probe_find - by its id. */
bool probe_at(size_t i, struct probe *ret);
bool probe_find(struct span id, struct probe *ret);

/* probe_scan - the row that weighs most of those that match: of the table, and of a file.
 *   file     content of a ScannerFile that probe_file_check found good; may be empty
 *   returns  false when none does */
bool probe_scan(const struct probe_request *r, struct span file, struct probe *ret);

/* probe_file_next - the next row of a file: PROBE("id", KIND, "pattern", score, "text"), one a
 * line;
 * '#' begins a line that is none; a backslash is a backslash.
 *   rest     in: what is left; out: behind the row      line  counted up; 0 to begin
 *   returns  1 with a row, 0 at the end; SP_ESYNTAX, SP_ERANGE (too long, too short, too high a
 *            score), with *ret_why a sentence */
int probe_file_next(
    struct span *rest, size_t *line, struct probe *ret, const char **ret_why) MUST_USE;
/* probe_file_check - the whole file: every row, and no id twice.
 *   why, cap  "line 3: a score is 1 to 1000"      errors  SP_ECONFIG */
int probe_file_check(struct span file, char *why, size_t cap) MUST_USE;
/* probe_file_find - the row of this id in a file. */
bool probe_file_find(struct span file, struct span id, struct probe *ret);
/* probe_id_valid - lower-case letters, digits and '-', 1 to PROBE_ID_MAX. */
bool probe_id_valid(struct span id);
#endif
