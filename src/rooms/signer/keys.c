/* keys.c - the keys of the doors: TLS, SSH. */
#include "base/text.h"
#include "rooms/signer/signer.h"
#include "sys/fd.h"
#include "sys/log.h"

#define EXIT_CONFIG 78
#define EXIT_SOFTWARE 70
#define PEM_MAX 65536u

/* The host keys' files, in the order in which they are looked through. */
static const struct {
	enum ipc_file_what what;
	const char *name;
} host_files[HOST_KEYS_MAX] = {
#define HOST_KEY(WHAT, TYPE, path, sshfp) {WHAT, path},
#include "ipc/hostkeys.def"
#undef HOST_KEY
};

/* ---- in use ---- */

struct held_key *
held_take(struct held_key *h)
{
	h->users++;
	return h;
}

void
held_drop(struct held_key **held)
{
	struct held_key *h = TAKE_PTR(*held);

	if (h == NULL || --h->users != 0)
		return;
	sign_key_free(h->key);
	mem_free(h);
}

struct held_hosts *
hosts_take(struct held_hosts *h)
{
	h->users++;
	return h;
}

void
hosts_drop(struct held_hosts **hosts)
{
	struct held_hosts *h = TAKE_PTR(*hosts);

	if (h == NULL || --h->users != 0)
		return;
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		ssh_host_key_free(h->key[i]);
	mem_free(h);
}

const struct ssh_host_key_pair *
hosts_key(const struct held_hosts *h, unsigned type)
{
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		if (h->key[i] != NULL && (ssh_host_key_types(h->key[i]) & type) == type)
			return h->key[i];
	return NULL;
}

void
hosts_names(const struct held_hosts *h, char *buf, size_t cap)
{
	struct text t = text_of(buf, cap);

	for (unsigned type = 1; type <= SSH_HOST_RSA_SHA512; type <<= 1)
		if ((h->types & type) != 0)
			text_fmt(&t, "%s%s", t.len != 0 ? ", " : "", ssh_host_key_name(type));
}

/* ---- reading ---- */

/* read_pem - the whole text, to be wiped and freed. */
static int
read_pem(int fd, uint8_t **ret, size_t *ret_len)
{
	return file_read_all(fd, PEM_MAX, ret, ret_len);
}

static int
read_key(int fd, struct sign_key **ret)
{
	uint8_t *pem = NULL;
	size_t n = 0;
	int err = read_pem(fd, &pem, &n);

	if (err != SP_OK)
		return err;
	err = sign_key_load(span_of(pem, n), ret);
	mem_wipe(pem, n);
	mem_free(pem);
	return err;
}

static int
read_host(int fd, struct ssh_host_key_pair **ret)
{
	uint8_t *pem = NULL;
	size_t n = 0;
	int err = read_pem(fd, &pem, &n);

	if (err != SP_OK)
		return err;
	err = ssh_host_key_load(span_of(pem, n), ret);
	mem_wipe(pem, n);
	mem_free(pem);
	return err;
}

/* new_key - from a file, for all workers from now on. */
static int
new_key(struct signer *s, int fd)
{
	struct held_key *h = mem_alloc(sizeof(*h));
	int err = h != NULL ? read_key(fd, &h->key) : SP_ENOMEM;

	if (err != SP_OK) {
		mem_free(h);
		return err;
	}
	held_drop(&s->held);
	s->held = held_take(h);
	return SP_OK;
}

/* new_hosts - from files, -1 where there is none, for all workers from now on.
 *   ret_bad  on failure: the file that is no good, or none of them */
static int
new_hosts(struct signer *s, const int fds[HOST_KEYS_MAX], const char **ret_bad)
{
	struct held_hosts *h = mem_alloc(sizeof(*h));
	int err = h != NULL ? SP_OK : SP_ENOMEM;

	*ret_bad = "host keys";
	for (size_t i = 0; err == SP_OK && i < HOST_KEYS_MAX; i++) {
		if (fds[i] < 0)
			continue;
		*ret_bad = host_files[i].name;
		err = read_host(fds[i], &h->key[i]);
		if (err == SP_OK)
			h->types |= ssh_host_key_types(h->key[i]);
	}
	if (err == SP_OK && s->room.conf.fips)
		h->types &= ~(unsigned)SSH_HOST_ED25519;
	if (h != NULL)
		h = hosts_take(h);
	if (err != SP_OK) {
		hosts_drop(&h);
		return err;
	}
	hosts_drop(&s->hosts);
	s->hosts = h;
	return SP_OK;
}

static const char *
key_problem(int err)
{
	if (err == SP_ESYNTAX)
		return "it holds no unencrypted PEM private key";
	if (err == SP_ERANGE)
		return "it must be ECDSA P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519";
	return sp_strerror(err);
}

static const char *
host_problem(int err)
{
	if (err == SP_ERANGE)
		return "it must be Ed25519, ECDSA P-256, or RSA of 3072 to 8192 bits";
	return key_problem(err);
}

/* ---- start ---- */

/* Is a host key left that may be used? */
static void
check_fips(const struct signer *s)
{
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		if (s->hosts->types == 0 && s->hosts->key[i] != NULL)
			sp_die(EXIT_CONFIG,
			    "Fips: an Ed25519 host key is not approved, and there is no other");
}

void
keys_start(struct signer *s)
{
	struct room_start *r = &s->room;
	int fds[HOST_KEYS_MAX], err;
	const char *bad;

	if (r->file[FILE_TLS_KEY] < 0)
		sp_die(EXIT_CONFIG, "HttpsKey: the TLS key is missing");
	if (crypto_ready() != SP_OK || ssh_kex_ready() != SP_OK || ssh_key_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	if (sign_prepare() != SP_OK)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	err = new_key(s, r->file[FILE_TLS_KEY]);
	if (err != SP_OK)
		sp_die(EXIT_CONFIG, "HttpsKey: %s", key_problem(err));
	close_fd(&r->file[FILE_TLS_KEY]);
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		fds[i] = r->file[host_files[i].what];
	err = new_hosts(s, fds, &bad);
	if (err != SP_OK)
		sp_die(EXIT_CONFIG, "%s: %s", bad, host_problem(err));
	check_fips(s);
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		close_fd(&r->file[host_files[i].what]);
}

/* ---- reload ---- */

int
keys_next(struct signer *s, struct chan_msg *m)
{
	struct ipc_file f;
	int err = ipc_get_file(m->body, &f);

	if (err != SP_OK)
		return err;
	if (f.what == FILE_TLS_KEY) {
		close_fd(&s->next_key);
		s->next_key = TAKE_FD(m->fd);
	}
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		if (f.what == host_files[i].what) {
			close_fd(&s->next_host[i]);
			s->next_host[i] = TAKE_FD(m->fd);
		}
	return SP_OK;
}

static void
reload_hosts(struct signer *s)
{
	char names[128];
	const char *bad;
	bool any = false;
	int err;

	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		any |= s->next_host[i] >= 0;
	if (!any)
		return;
	err = new_hosts(s, s->next_host, &bad);
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		close_fd(&s->next_host[i]);
	if (err != SP_OK) {
		log_error("%s: %s; the old host keys stay", bad, host_problem(err));
		return;
	}
	hosts_names(s->hosts, names, sizeof(names));
	log_info("new host keys: %s", names);
}

void
keys_reload(struct signer *s)
{
	int err;

	reload_hosts(s);
	if (s->next_key < 0)
		return;
	err = new_key(s, s->next_key);
	close_fd(&s->next_key);
	if (err != SP_OK) {
		log_error("HttpsKey: %s; the old key stays", key_problem(err));
		return;
	}
	log_info("new TLS key: %s", sign_key_name(s->held->key));
}

void
keys_done(struct signer *s)
{
	held_drop(&s->held);
	hosts_drop(&s->hosts);
	close_fd(&s->next_key);
	for (size_t i = 0; i < HOST_KEYS_MAX; i++)
		close_fd(&s->next_host[i]);
}
