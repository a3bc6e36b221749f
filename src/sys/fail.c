#include "sys/fail.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/defer.h"
#include "sys/log.h"

static int
translate(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
		return SP_EDISKFULL;
	case EFBIG:
		return SP_ETOOBIG;
	case ENOENT:
		return SP_ENOTFOUND;
	case EEXIST:
		return SP_EEXISTS;
	case EACCES:
	case EPERM:
		return SP_EPERM;
	case EROFS: /* the disk's state, not somebody's rights: no client is to be told otherwise */
		return SP_EIO;
	case ENOTEMPTY:
		return SP_ENOTEMPTY;
	case ENOTDIR:
		return SP_ENOTFOLDER;
	case EISDIR:
		return SP_EISFOLDER;
	case EAGAIN:
	case ENOBUFS:
	case ETOOMANYREFS:
		return SP_EFULL;
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ENOTCONN:
		return SP_ECLOSED;
	case ENOMEM:
		return SP_ENOMEM;
	case EIO:
		return SP_EIO;
	default:
		return SP_ESYS;
	}
}

int
sys_fail(const char *what)
{
	int e = errno;
	const char *text = strerrordesc_np(e);

	log_debug("%s: %s", what, text != NULL ? text : "unknown error");
	return translate(e);
}
