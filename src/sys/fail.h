/* fail.h - errno to enum sp_err, once; private to sys/. */
#ifndef SP_SYS_FAIL_H
#define SP_SYS_FAIL_H

/* sys_fail - log a failed call at debug level and give the program's error for errno.
 *   what     the call, for the log
 *   returns  SP_EDISKFULL, SP_ENOTFOUND, SP_EEXISTS, SP_EPERM, SP_ENOTEMPTY, SP_ENOTFOLDER,
 * SP_EISFOLDER, SP_EFULL, SP_ECLOSED, SP_ENOMEM, SP_EIO; SP_ESYS for all others */
int sys_fail(const char *what);
#endif
