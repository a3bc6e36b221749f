/* bypath.c - files by path: GET, HEAD, PUT, DELETE /api/v1/files/by-path/{path}. */
#include "base/name.h"
#include "rooms/gate/https/get.h"
#include "rooms/gate/https/list.h"
#include "rooms/gate/https/put.h"
#include "rooms/gate/https/router.h"

/* The path of the request, decoded and checked, into buf (PATH_MAX_BYTES). */
static int
path_of(const struct conn *c, uint8_t *buf, struct span *ret)
{
	int n = http_path_decode(c->param[0], buf, PATH_MAX_BYTES);

	if (n < 0)
		return n;
	*ret = span_of(buf, (size_t)n);
	return path_check(*ret);
}

static bool
names_folder(struct span path)
{
	return path.len == 0 || path.ptr[path.len - 1] == '/';
}

static int
list_path(struct conn *c, struct span path)
{
	struct listing l = {.request = {.by = BY_PATH, .path = path, .what = 1 | 2},
	    .sort = "type",
	    .row = model_content};

	return list_reply(c, &l);
}

int
bypath_get(struct conn *c)
{
	uint8_t buf[PATH_MAX_BYTES];
	struct ipc_stat m = {.by = BY_PATH};
	int rc = path_of(c, buf, &m.path);

	if (rc < 0)
		return rc;
	if (names_folder(m.path))
		return list_path(c, m.path);
	rc = file_send(c, &m);
	return rc == SP_EISFOLDER && !c->sent ? list_path(c, m.path) : rc;
}

/* What the client says about the content of a PUT. */
struct claim {
	bool has_digest;
	uint8_t sha256[32];
};

static int
claim_of(const struct conn *c, struct claim *ret)
{
	uint8_t other[32];
	struct span v;
	int rc = http_sha256_field(&c->head, "Repr-Digest", ret->sha256);
	int k = http_sha256_field(&c->head, "Content-Digest", other);

	if (rc < 0 || k < 0)
		return SP_ESYNTAX;
	ret->has_digest = rc == 1 || k == 1;
	/* without a content coding the two are the same */
	if (rc == 1 && k == 1 && memcmp(ret->sha256, other, sizeof(other)) != 0)
		return SP_EDIGEST;
	if (rc == 0 && k == 1)
		memcpy(ret->sha256, other, sizeof(other));
	if (http_single(&c->head, "Content-Range", &v) != 0)
		return SP_ESYNTAX; /* RFC 9110 section 14.5: a server that does not support it
				      answers 400 */
	rc = http_single(&c->head, "Content-Encoding", &v);
	if (rc < 0 || (rc == 1 && !span_ieq_str(v, "identity")))
		return SP_EMEDIATYPE;
	return SP_OK;
}

/* If-Match and its kin, and what of them the broker has to hold to: PUT's mode and version. */
static int
conditions_of(struct conn *c, const struct ipc_stat *target, uint8_t *ret_mode, uint64_t *ret_match)
{
	struct facts f;
	struct span v;
	bool match = http_single(&c->head, "If-Match", &v) != 0;
	bool none = http_single(&c->head, "If-None-Match", &v) != 0;
	bool since = http_single(&c->head, "If-Unmodified-Since", &v) != 0;
	int rc;

	*ret_mode = 0;
	*ret_match = 0;
	if (!match && !none && !since)
		return SP_OK;
	rc = facts_stat(c, target, &f);
	if (rc == SP_ENOTFOUND)
		rc = facts_conditions(c, NULL, false);
	else if (rc == SP_OK && f.is_folder)
		return SP_EISFOLDER;
	else if (rc == SP_OK) {
		rc = facts_conditions(c, &f, false);
		*ret_match = f.version;
	}
	if (rc < 0)
		return rc;
	/* what was true now must still be true when it is stored */
	*ret_mode = *ret_match != 0 ? (match || since ? 2 : 0) : (none ? 1 : 0);
	return SP_OK;
}

/* Store the body; SP_OK with the new entry. */
static int
receive(struct put *p, struct ipc_put *m, const struct claim *claim, struct ipc_entry *ret)
{
	int rc = put_place(p, m);

	if (rc == SP_OK)
		rc = put_body(p);
	if (rc == SP_OK)
		rc = put_finish(p);
	if (rc == SP_OK && claim->has_digest &&
	    memcmp(claim->sha256, p->sha256, sizeof(p->sha256)) != 0)
		rc = SP_EDIGEST;
	return rc == SP_OK ? put_commit(p, claim->has_digest, span_of(NULL, 0), ret) : rc;
}

/* A PUT below a folder that is not there: say which. */
static int
no_parent(struct conn *c, struct span path)
{
	struct text t = text_of(c->ring->fault.detail, sizeof(c->ring->fault.detail));

	while (path.len > 1 && path.ptr[path.len - 1] != '/')
		path.len--;
	text_str(&t, "there is no folder ");
	text_add(&t, path.len > 1 ? span_cut(path, path.len - 1) : path);
	if (t.bad) /* a path of great length */
		c->ring->fault.detail[0] = '\0';
	return SP_ENOTFOUND;
}

static int
stored(struct conn *c, const struct ipc_entry *e)
{
	struct ipc_entry_rec rec;
	struct facts f;

	ring_rec_of_entry(e, &rec);
	facts_of(&rec, &f);
	reply_begin(c, e->created ? 201 : 204);
	reply_field(c, "ETag", "\"%s\"", f.tag);
	if (f.has_sha256) {
		text_str(reply_text(c), "Repr-Digest: ");
		http_sha256_put(reply_text(c), f.sha256);
		text_str(reply_text(c), "\r\n");
	}
	if (e->created) {
		text_str(reply_text(c), "Location: /api/v1/files/by-path");
		http_path_encode(reply_text(c), e->path);
		text_str(reply_text(c), "\r\n");
	}
	return reply_send(c);
}

int
bypath_put(struct conn *c)
{
	uint8_t buf[PATH_MAX_BYTES];
	DEFER(put_done) struct put p = {.c = c, .placed = {.fd = -1}};
	struct ipc_put m = {.by = BY_PATH, .name = span_of(NULL, 0)};
	struct ipc_stat target = {.by = BY_PATH};
	struct ipc_entry e;
	struct claim claim;
	bool known = body_known(c, &m.size);
	int rc = path_of(c, buf, &m.path);

	if (rc == SP_OK && names_folder(m.path))
		rc = SP_EISFOLDER;
	if (rc == SP_OK)
		rc = claim_of(c, &claim);
	if (rc == SP_OK && known && m.size > (uint64_t)c->conf->body_max)
		rc = SP_ETOOBIG;
	target.path = m.path;
	if (rc == SP_OK)
		rc = conditions_of(c, &target, &m.mode, &m.match);
	if (!known)
		m.size = UINT64_MAX;
	if (rc == SP_OK)
		rc = put_init(&p, c, known && m.size <= INLINE_MAX);
	if (rc == SP_OK)
		rc = receive(&p, &m, &claim, &e);
	if (rc == SP_ENOTFOUND && !p.is_placed)
		return no_parent(c, m.path);
	return rc < 0 ? rc : stored(c, &e);
}

int
bypath_delete(struct conn *c)
{
	uint8_t buf[PATH_MAX_BYTES], mode;
	struct ipc_stat target = {.by = BY_PATH};
	struct ipc_remove m = {.by = BY_PATH, .kind = 1};
	struct ipc_done done;
	int rc = path_of(c, buf, &m.path);

	target.path = m.path;
	if (rc == SP_OK)
		rc = conditions_of(c, &target, &mode, &m.match);
	if (rc == SP_OK)
		rc = ring_remove(c->ring, &m, &done);
	if (rc < 0)
		return rc;
	reply_begin(c, 204);
	return reply_send(c);
}
