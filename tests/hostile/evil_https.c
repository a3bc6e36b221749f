/* evil_https.c - the HTTPS door's worker with evil.c's back door. */
#include "evil.h"
#include "rooms/gate/https/tls.h"

int __wrap_tls_accept(struct tls_server *s, int fd, int timeout_ms, struct tls **ret);
int __real_tls_accept(struct tls_server *s, int fd, int timeout_ms, struct tls **ret);

int
__wrap_tls_accept(struct tls_server *s, int fd, int timeout_ms, struct tls **ret)
{
	return evil_takes(fd) ? SP_ECLOSED : __real_tls_accept(s, fd, timeout_ms, ret);
}
