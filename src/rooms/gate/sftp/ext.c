/* ext.c - extended requests but check-file. */
#include "rooms/gate/sftp/server.h"

#define BLOCK_BYTES 4096u /* what sizes of statvfs are counted in */
#define ST_NOSUID 2u	  /* f_flag, OpenSSH PROTOCOL section 4.4 */
#define IDS_MAX 1024u	  /* of a users-groups-by-id request */

/* ---- space ---- */

static int
space(struct sftp *x, struct span path, struct ipc_space_left *ret)
{
	struct ipc_space m = {.by = BY_PATH, .path = path};

	return ring_space(x->ring, &m, ret);
}

/* OpenSSH PROTOCOL section 4.4: eleven uint64. */
static int
answer_statvfs(struct sftp *x, struct span path)
{
	struct ipc_space_left left;
	struct wr w = answer_begin(x);
	int rc = space(x, path, &left);
	size_t at;

	if (rc < 0)
		return rc;
	at = sftp_begin(&w, SFTP_EXTENDED_REPLY, x->id);
	wr_uint(&w, BLOCK_BYTES, 8);
	wr_uint(&w, BLOCK_BYTES, 8);
	wr_uint(&w, left.total / BLOCK_BYTES, 8);
	wr_uint(&w, left.free / BLOCK_BYTES, 8);
	wr_uint(&w, left.free / BLOCK_BYTES, 8);
	wr_uint(&w, left.files, 8);
	wr_uint(&w, left.files, 8);
	wr_uint(&w, left.files, 8);
	wr_uint(&w, 0, 8);
	wr_uint(&w, ST_NOSUID, 8);
	wr_uint(&w, NAME_MAX_BYTES, 8);
	sftp_end(&w, at);
	return answer_send(x, &w);
}

int
sftp_do_statvfs(struct sftp *x, const struct sftp_statvfs *m)
{
	struct path p;
	int rc = path_from(x, m->path, &p);

	return rc == SP_OK ? answer_statvfs(x, path_span(&p)) : rc;
}

/* Of a file in the making: its folder's. */
int
sftp_do_fstatvfs(struct sftp *x, const struct sftp_fstatvfs *m)
{
	struct handle *h = NULL;
	struct path p;
	int rc = handle_find(x, m->handle, &h);

	if (rc == SP_OK)
		rc = path_resolve(
		    handle_path(h), h->kind == HANDLE_FILE ? SPAN_LIT("..") : SPAN_LIT("."), &p);
	return rc == SP_OK ? answer_statvfs(x, path_span(&p)) : rc;
}

/* draft-ietf-secsh-filexfer-extensions-00 section 6: bytes on the device, unused; available to the
 * user, unused; bytes per unit. */
int
sftp_do_space_available(struct sftp *x, const struct sftp_space_available *m)
{
	struct wr w = answer_begin(x);
	struct ipc_space_left left;
	struct path p;
	size_t at;
	int rc = path_from(x, m->path, &p);

	if (rc == SP_OK)
		rc = space(x, path_span(&p), &left);
	if (rc < 0)
		return rc;
	at = sftp_begin(&w, SFTP_EXTENDED_REPLY, x->id);
	wr_uint(&w, left.total, 8);
	wr_uint(&w, left.free, 8);
	wr_uint(&w, left.total, 8);
	wr_uint(&w, left.free, 8);
	wr_uint(&w, BLOCK_BYTES, 4);
	sftp_end(&w, at);
	return answer_send(x, &w);
}

/* ---- what there is ---- */

int
sftp_do_limits(struct sftp *x, const struct sftp_limits *m)
{
	struct wr w = answer_begin(x);
	size_t at = sftp_begin(&w, SFTP_EXTENDED_REPLY, x->id);

	(void)m;
	wr_uint(&w, SFTP_PACKET_MAX, 8);
	wr_uint(&w, SFTP_READ_MAX, 8);
	wr_uint(&w, SFTP_READ_MAX, 8);
	wr_uint(&w, x->n_handles, 8);
	sftp_end(&w, at);
	return answer_send(x, &w);
}

/* ---- homes ---- */

static bool
is_me(const struct sftp *x, struct span user)
{
	return user.len == 0 || span_eq(user, x->session->user);
}

static int
no_such_user(struct sftp *x)
{
	return answer_why(x, SP_EPERM, "only your own home folder can be asked for");
}

int
sftp_do_home_directory(struct sftp *x, const struct sftp_home_directory *m)
{
	return is_me(x, m->user) ? answer_name(x, &x->home) : no_such_user(x);
}

/* "~", "~/x", "~me/x"; anything else is a path (OpenSSH PROTOCOL section 4.9). */
int
sftp_do_expand_path(struct sftp *x, const struct sftp_expand_path *m)
{
	struct span in = m->path, user;
	struct path p;
	int rc;

	if (in.len != 0 && in.ptr[0] == '~') {
		in = span_skip(in, 1);
		user = span_cut(in, span_find(in, '/'));
		if (!is_me(x, user))
			return no_such_user(x);
		in = span_skip(in, user.len + 1);
	}
	rc = path_from(x, in, &p);
	return rc == SP_OK ? answer_name(x, &p) : rc;
}

/* A name for each id: 0 is what all that is listed shows, and stands for who asks; the others have
 * none. */
static void
put_names(struct wr *w, struct span ids, struct span zero)
{
	size_t at = w->len;
	struct wr length;
	uint32_t id;

	wr_uint(w, 0, 4);
	while (sftp_ids_next(&ids, &id))
		sftp_put_str(w, id == 0 ? zero : span_of(NULL, 0));
	if (w->bad)
		return;
	length = wr_of(w->buf + at, 4);
	wr_uint(&length, w->len - at - 4, 4);
}

int
sftp_do_users_groups(struct sftp *x, const struct sftp_users_groups *m)
{
	struct ipc_org_get ask = {0};
	struct wr w = answer_begin(x);
	struct ipc_org org;
	size_t at;
	int rc;

	if (m->users.len / 4 + m->groups.len / 4 > IDS_MAX)
		return answer_why(x, SP_ERANGE, "too many ids: at most %u", IDS_MAX);
	rc = ring_org_get(x->ring, &ask, &org);
	if (rc < 0)
		return rc;
	at = sftp_begin(&w, SFTP_EXTENDED_REPLY, x->id);
	put_names(&w, m->users, span_cut(x->session->user, 64));
	put_names(&w, m->groups, span_cut(org.name, 64));
	sftp_end(&w, at);
	return answer_send(x, &w);
}

/* ---- content ---- */

int
sftp_do_fsync(struct sftp *x, const struct sftp_fsync *m)
{
	struct handle *h = NULL;
	int rc = handle_file(x, m->handle, &h);

	if (rc < 0 || h->upload == NULL)
		return rc; /* what is stored is durable */
	return upload_failed(x, h->upload, upload_sync(h->upload));
}

/* What was read, to its place, in front of which old content may have to be read first. */
static int
copy_part(struct upload *u, struct source *s, const struct source_view *v, uint64_t to)
{
	int rc;

	s->is_lent = true;
	rc = upload_at(u, to, v->total);
	for (size_t i = 0; rc == SP_OK && i < v->n; i++)
		rc = upload_put(u, v->part[i]);
	s->is_lent = false;
	return rc == SP_OK ? upload_done_with(u) : rc;
}

static int
copy(
    struct sftp *x, struct upload *u, struct source *s, uint64_t from, uint64_t length, uint64_t to)
{
	while (length != 0) {
		struct source_view v;
		int rc;

		x->over = stream_hear(x->stream);
		if (x->over != SP_OK)
			return SFTP_REPLIED;
		rc = source_read(s, from, length, &v);
		if (rc < 0)
			return upload_spoil(u, rc);
		if (v.total == 0)
			return SP_OK;
		rc = copy_part(u, s, &v, to);
		if (rc < 0)
			return rc;
		from += v.total;
		to += v.total;
		length -= v.total;
	}
	return SP_OK;
}

/* OpenSSH PROTOCOL section 4.10: length 0 means to the end of the file; the handles are two. */
int
sftp_do_copy_data(struct sftp *x, const struct sftp_copy_data *m)
{
	struct source *s = NULL;
	struct handle *h = NULL;
	int rc = handle_reading(x, m->from, &s);

	if (rc == SP_OK)
		rc = handle_writing(x, m->to, &h);
	if (rc < 0)
		return rc;
	if (span_eq(m->from, m->to))
		return answer_why(x, SP_ERANGE, "a file cannot be copied into itself");
	if (s == NULL)
		return SP_OK;
	rc = copy(
	    x, h->upload, s, m->from_offset, m->length != 0 ? m->length : UINT64_MAX, m->to_offset);
	return upload_failed(x, h->upload, rc);
}
