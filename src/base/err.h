/* err.h - the program's one error convention: 0 or positive is success, negative an enum sp_err. */
#ifndef SP_BASE_ERR_H
#define SP_BASE_ERR_H

enum sp_err {
	SP_OK = 0,
#define ERR(NAME, number, http, sftp, ftp, moveit, exit, text) SP_E##NAME = -(number),
#include "base/err.def"
#undef ERR
};

struct sp_err_row {
	int number; /* positive */
	int http, sftp, ftp, moveit, exit;
	const char *name; /* lower-case stem, e.g. "notfound": the RFC 9457 `type` ends in it */
	const char *text;
};

/* sp_err_row - the row of an error.
 *   err   an enum sp_err (negative), or its positive number as it travels in messages
 *   returns a static row; an unknown number gives the row of SP_ESYS */
const struct sp_err_row *sp_err_row(int err);

/* sp_strerror - the sentence of an error, static. */
const char *sp_strerror(int err);

#endif
