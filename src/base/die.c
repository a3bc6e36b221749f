/* die.c - the two ways to give up (defer.h). */
#include "base/defer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

noreturn void
sp_die(int status, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap); /* cut when too long */
	va_end(ap);
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, line);
	exit(status);
}

noreturn void
sp_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s: bug at %s:%d: %s\n", program_invocation_short_name, file, line, what);
	abort();
}
