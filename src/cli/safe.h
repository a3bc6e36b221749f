/* safe.h - text of strangers for a terminal or a page: it shows what it is, and does nothing.
 *
 * Names of files, users and clients are chosen by those who attack.  Control characters and bytes
 * that are no UTF-8 are printed as \xNN; characters that turn the direction of text or cannot be
 * seen (U+202E, U+200B and their kind) as \u{NNNN}.
 */
#ifndef SP_CLI_SAFE_H
#define SP_CLI_SAFE_H

#include <stdio.h>

#include "base/text.h"

#define SAFE_FORM_MAX 16u

/* safe_next - the first character of s as it may be shown, appended to t.
 *   also         one more character that is not shown as it is; 0: none
 *   ret_as_it_is set: is it shown unchanged?
 *   returns      bytes of s that it stands for; 0 when s is empty */
size_t safe_next(struct span s, uint32_t also, struct text *t, bool *ret_as_it_is);
/* safe_print, safe_text - all of s. */
void safe_print(FILE *out, struct span s, uint32_t also);
void safe_text(struct text *t, struct span s);
/* safe_html - all of s as the content of an element or a quoted attribute. */
void safe_html(struct text *t, struct span s);
#endif
