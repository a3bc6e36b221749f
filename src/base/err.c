/* err.c - the error table, looked up. */
#include "base/err.h"
#include "base/defer.h"

#include <stddef.h>

/* The stem in lower case, letter by letter, because the preprocessor cannot change case. */
#define STEM_MAX 16
#define AT(s, i) ((s)[(i) < sizeof(s) ? (i) : sizeof(s) - 1])
#define LOW(s, i) (char)(AT(s, i) >= 'A' && AT(s, i) <= 'Z' ? AT(s, i) + 32 : AT(s, i))
#define ERR(NAME, number, http, sftp, ftp, moveit, exit, text)                                     \
	_Static_assert(sizeof(#NAME) <= STEM_MAX, "the stem is too long");                         \
	static const char stem_##NAME[STEM_MAX + 1] = {LOW(#NAME, 0), LOW(#NAME, 1),               \
	    LOW(#NAME, 2), LOW(#NAME, 3), LOW(#NAME, 4), LOW(#NAME, 5), LOW(#NAME, 6),             \
	    LOW(#NAME, 7), LOW(#NAME, 8), LOW(#NAME, 9), LOW(#NAME, 10), LOW(#NAME, 11),           \
	    LOW(#NAME, 12), LOW(#NAME, 13), LOW(#NAME, 14), LOW(#NAME, 15), '\0'};
#include "base/err.def"
#undef ERR

static const struct sp_err_row rows[] = {
    {0, 200, 0, 250, 0, 0, "ok", "done"},
#define ERR(NAME, number, http, sftp, ftp, moveit, exit, text)                                     \
	{number, http, sftp, ftp, moveit, exit, stem_##NAME, text},
#include "base/err.def"
#undef ERR
};

static const struct sp_err_row *
find(int number)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}

const struct sp_err_row *
sp_err_row(int err)
{
	int number = err < 0 && err > -1000000 ? -err : err;
	const struct sp_err_row *r = find(number);

	return r != NULL ? r : find(-SP_ESYS);
}

const char *
sp_strerror(int err)
{
	return sp_err_row(err)->text;
}
