/* print.h - the server's answers for people (tables, "key  value" lines) or as JSON. */
#ifndef SP_CLI_PRINT_H
#define SP_CLI_PRINT_H

#include <jansson.h>
#include <stdbool.h>

struct print {
	bool json;
	bool rows;  /* the answer is a list */
	bool begun; /* something has been printed */
};

/* print_begin, print_page for each page, print_end.  A page with an array "rows" is a part of a
 * list: a table, or one JSON object {"rows": [...]} over all pages.  Any other object is one JSON
 * object, or lines. Control characters never reach a terminal: they are printed as \xNN. */
void print_begin(struct print *p, bool json);
void print_page(struct print *p, json_t *page);
void print_end(struct print *p);
#endif
