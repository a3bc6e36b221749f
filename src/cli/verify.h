/* verify.h - sallyport verify: is everything as it was installed, set and recorded?
 *
 * A part of it looks at one thing and says what it found: verify_part once, verify_differs for each
 * difference.  A part that cannot look says that; nothing passes in silence.
 */
#ifndef SP_CLI_VERIFY_H
#define SP_CLI_VERIFY_H

#include <jansson.h>

#include "base/text.h"
#include "cli/audit.h"

#define VERIFY_DIFFERENCES_MAX 10000u /* told one by one; more are counted */
#define VERIFY_TEXT_MAX 12288u

struct verify {
	const struct cli *c;
	json_t *parts, *differences; /* owned */
	unsigned long long found, unchecked;
	struct audit audit; /* open when has_log */
	bool has_log;	    /* and it verifies */
	bool no_memory;
	uint8_t *manifest_text; /* owned */
	struct span manifest;	/* lines of it that can be believed; empty: none */
};

/* verify_part - what was looked at.  checked false: it could not be, and why. */
void verify_part(struct verify *v, const char *part, bool checked, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* verify_differs - one difference.  expected, found: of anybody's making; empty: nothing */
void verify_differs(
    struct verify *v, const char *part, const char *what, struct span expected, struct span found);

/* verify_record - have the result recorded by the supervisor.  Errors are said already. */
int verify_record(const struct verify *v) MUST_USE;

/* The parts.  What they find is in v; errors are those that end the whole, said already. */
int verify_ledger_part(struct verify *v) MUST_USE;
int verify_programs_part(struct verify *v) MUST_USE;
int verify_processes_part(struct verify *v) MUST_USE;
int verify_settings_part(struct verify *v) MUST_USE;
int verify_database_part(struct verify *v) MUST_USE;
#endif
