#include "sys/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/prctl.h>

#include "base/text.h"
#include "sys/clock.h"

/* The one state of the process that everything shares: what it is called and how much it says. */
static struct {
	char name[48];
	enum log_level level;
	bool journal;
} log_state = {.name = "sallyport", .level = LOG_LV_INFO};

void
log_open(const char *name, enum log_level level)
{
	struct text t = text_of(log_state.name, sizeof(log_state.name));

	text_str(&t, name);
	log_state.level = level;
	log_state.journal = getenv("JOURNAL_STREAM") != NULL;
	/* 15 bytes of it show in ps and top. */
	(void)prctl(PR_SET_NAME, log_state.name);
}

void
log_level_set(enum log_level level)
{
	log_state.level = level;
}

static void
put_escaped(struct text *t, const char *s)
{
	static const char digits[] = "0123456789abcdef";

	for (; *s != '\0'; s++) {
		uint8_t c = (uint8_t)*s;

		if (c >= 0x20 && c != 0x7f) {
			text_chr(t, (char)c);
			continue;
		}
		text_str(t, "\\x");
		text_chr(t, digits[c >> 4]);
		text_chr(t, digits[c & 15]);
	}
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};
	static const char *const prefix[] = {"<3>", "<4>", "<6>", "<7>"};
	char msg[2048], line[2600];
	struct text t = text_of(line, sizeof(line) - 1);
	va_list ap;

	if (level > log_state.level)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (log_state.journal) {
		text_str(&t, prefix[level]);
		text_str(&t, log_state.name);
	} else {
		time_rfc3339(&t, clock_wall_us());
		text_chr(&t, ' ');
		text_str(&t, log_state.name);
		text_chr(&t, ' ');
		text_str(&t, words[level]);
	}
	text_str(&t, ": ");
	put_escaped(&t, msg);
	line[t.len] = '\n';
	/* One write a line, so that lines of different rooms do not mix; a full or gone log stops
	 * nothing. */
	if (write(STDERR_FILENO, line, t.len + 1) < 0)
		return;
}
