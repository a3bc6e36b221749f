/* server.c - a server is made and ends. */
#include "rooms/gate/sftp/server.h"

/* The path of a folder by its number. */
static int
folder_path(struct ring *r, uint64_t folder, struct path *ret)
{
	struct ipc_stat m = {.by = BY_FOLDER, .id = folder, .path = span_of(NULL, 0)};
	struct ipc_entry e;
	int rc = ring_stat(r, &m, &e);

	return rc == SP_OK ? path_resolve(SPAN_LIT("/"), e.path, ret) : rc;
}

int
server_home(const struct sftp_session *s, struct path *ret)
{
	struct ipc_self m = {0};
	struct ipc_user u;
	struct path home;
	int rc = ring_self(s->ring, &m, &u);

	if (rc < 0)
		return rc;
	rc = u.home != 0 ? folder_path(s->ring, u.home, &home) : SP_ENOTFOUND;
	if (s->ring->dead)
		return SP_EUNAVAIL;
	if (rc < 0) /* removed, or closed to its owner: the root is where one can always stand */
		rc = path_resolve(SPAN_LIT("/"), SPAN_LIT("/"), &home);
	if (rc == SP_OK)
		*ret = home;
	return rc;
}

int
server_init(struct sftp *x, const struct sftp_session *s)
{
	*x = (struct sftp){.session = s, .stream = s->stream, .ring = s->ring};
	x->handles = mem_array((size_t)s->conf->sftp_handles, sizeof(*x->handles));
	if (x->handles == NULL)
		return SP_ENOMEM;
	x->n_handles = (size_t)s->conf->sftp_handles;
	return server_home(s, &x->home);
}

void
server_done(struct sftp *x)
{
	for (size_t i = 0; i < x->n_handles; i++)
		if (x->handles[i].kind != HANDLE_FREE)
			handle_close(x, &x->handles[i], /* keep= */ true);
	mem_freep(&x->handles);
	x->n_handles = 0;
}
