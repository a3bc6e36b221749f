/* main.c - the signer: the TLS key of the HTTPS door.
 *
 * A worker may ask once in its life, for a TLS server signature and nothing else.
 */
#include "base/mem.h"
#include "crypto/sign.h"
#include "ipc/room.h"
#include "proto/tls/tls_input.h"
#include "sys/fd.h"
#include "sys/log.h"
#include "sys/loop.h"

#define EXIT_CONFIG 78
#define EXIT_SOFTWARE 70
#define PEM_MAX 65536u
#define SEATS_MAX 49152u

struct signer;

/* A key and who still signs with it: a worker that has the old certificate signs with the old key.
 */
struct held_key {
	struct sign_key *key;
	size_t
	    users; /* the signer itself, for new workers, and each worker that has not signed yet */
};

/* One worker. */
struct seat {
	struct signer *signer; /* back to the room */
	struct held_key *held; /* the key of its certificate; NULL: its one signature was made */
	uint64_t serial;
	struct chan chan;
	struct loop_watch *watch;
	struct seat *next;
};

struct signer {
	struct room_start room;
	struct loop *loop;
	struct held_key *held; /* for workers from now on */
	int next_key;	       /* descriptor of a key that the next RELOAD takes up; -1: none */
	struct seat *bucket[1024];
	size_t n_seats;
	uint8_t *buf, *requests; /* IPC_MAX bytes each: of the supervisor, of workers */
	bool started, stopping;
	uint8_t ssh_types;
};

/* ---- keys in use ---- */

static struct held_key *
held_take(struct held_key *h)
{
	h->users++;
	return h;
}

static void
held_drop(struct held_key **held)
{
	struct held_key *h = TAKE_PTR(*held);

	if (h == NULL || --h->users != 0)
		return;
	sign_key_free(h->key);
	mem_free(h);
}

/* ---- seats ---- */

static struct seat **
find_at(struct signer *s, uint64_t serial)
{
	struct seat **at = &s->bucket[serial % ARRAY_LEN(s->bucket)];

	while (*at != NULL && (*at)->serial != serial)
		at = &(*at)->next;
	return at;
}

static void
seat_close(struct seat *t)
{
	loop_unwatch(t->signer->loop, t->watch);
	t->watch = NULL;
	chan_close(&t->chan);
}

static void
seat_remove(struct signer *s, uint64_t serial)
{
	struct seat **at = find_at(s, serial), *t = *at;

	if (t == NULL)
		return;
	*at = t->next;
	seat_close(t);
	held_drop(&t->held);
	mem_free(t);
	s->n_seats--;
}

static void worker_ready(void *arg, int fd, unsigned events);

static int
seat_watch(struct seat *t)
{
	t->watch = loop_watch(t->signer->loop, t->chan.fd, LOOP_IN, worker_ready, t);
	return t->watch != NULL ? SP_OK : SP_ENOMEM;
}

/* seat_add - fd is the table's from success on. */
static int
seat_add(struct signer *s, uint64_t serial, enum room room, int fd)
{
	struct seat **at = find_at(s, serial), *t;

	if (*at != NULL)
		return SP_EEXISTS;
	if (s->n_seats >= SEATS_MAX)
		return SP_EFULL;
	t = mem_alloc(sizeof(*t));
	if (t == NULL)
		return SP_ENOMEM;
	t->signer = s;
	t->serial = serial;
	chan_init(&t->chan, fd, ROOM_SIGNER, room);
	if (s->started && seat_watch(t) != SP_OK) {
		mem_free(t);
		return SP_ENOMEM;
	}
	t->held =
	    s->held != NULL ? held_take(s->held) : NULL; /* NULL: before GO, see signer_start */
	*at = t;
	s->n_seats++;
	return SP_OK;
}

/* ---- workers ---- */

static void
violation(struct seat *t, uint16_t message, int err)
{
	struct ipc_violation m = {t->serial, message, (uint16_t)-err};
	struct signer *s = t->signer;

	log_error("violation: serial=%llu message=%u: %s", (unsigned long long)t->serial, message,
	    sp_strerror(err));
	seat_close(t);
	if (chan_send_violation(&s->room.supervisor, &m, -1) != SP_OK)
		s->stopping = true;
}

/* may_sign - is it one of the two structures, and the scheme one for it? */
static int
may_sign(const struct seat *t, const struct ipc_tls_sign *m)
{
	enum tls_input kind;
	int err = tls_input_check(m->input, &kind);

	if (err == SP_OK && !sign_fits(t->held->key, m->scheme, kind == TLS_INPUT_13))
		err = SP_ERANGE;
	return err;
}

static void
answer(struct seat *t, const struct ipc_tls_sign *m)
{
	uint8_t sig[SIGN_MAX];
	size_t len = 0;
	struct ipc_tls_signature r = {0};
	int err = sign_make(t->held->key, m->scheme, m->input, sig, sizeof(sig), &len);

	if (err != SP_OK)
		log_error("signing failed: %s", sp_strerror(err));
	r.err = (uint16_t)-err;
	r.signature = span_of(sig, err == SP_OK ? len : 0);
	err = chan_send_tls_signature(&t->chan, &r, -1);
	if (err == SP_ECLOSED)
		seat_close(t);
	else if (err != SP_OK)
		violation(t, IPC_TLS_SIGNATURE, err);
}

static void
on_request(struct seat *t, const struct chan_msg *in)
{
	struct ipc_tls_sign m;
	int err;

	if (in->id == IPC_SSH_KEYS_GET) {
		const struct ipc_ssh_keys r = {.types = t->signer->ssh_types};

		err = chan_send_ssh_keys(&t->chan, &r, -1);
		if (err != SP_OK)
			violation(t, in->id, err);
		return;
	}
	err = in->id == IPC_TLS_SIGN ? ipc_get_tls_sign(in->body, &m) : SP_EDENIEDMSG;

	if (err == SP_OK && t->held == NULL)
		err = SP_EDENIEDMSG;
	if (err == SP_OK)
		err = may_sign(t, &m);
	if (err != SP_OK) {
		violation(t, in->id, err);
		return;
	}
	answer(t, &m);
	held_drop(&t->held);
}

static void
worker_ready(void *arg, int fd, unsigned events)
{
	struct seat *t = arg;
	struct signer *s = t->signer;
	struct chan_msg m;
	int err = chan_recv(&t->chan, PH_ANY, false, s->requests, IPC_MAX, &m);

	(void)fd;
	(void)events;
	if (err == 1) {
		on_request(t, &m);
		chan_msg_done(&m);
	} else if (err == SP_ECLOSED) {
		seat_close(t);
	} else if (err < 0) {
		violation(t, m.id, err);
	}
	if (s->stopping)
		loop_stop(s->loop);
}

/* ---- the key ---- */

/* read_key - from a file; the text is wiped. */
static int
read_key(int fd, struct sign_key **ret)
{
	uint8_t *pem = NULL;
	size_t n = 0;
	int err = file_read_all(fd, PEM_MAX, &pem, &n);

	if (err != SP_OK)
		return err;
	err = sign_key_load(span_of(pem, n), ret);
	mem_wipe(pem, n);
	mem_free(pem);
	return err;
}

/* new_key - from a file, for all workers from now on; the old one stays for those that have its
 * certificate. */
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

static const char *
key_problem(int err)
{
	if (err == SP_ESYNTAX)
		return "it holds no unencrypted PEM private key";
	if (err == SP_ERANGE)
		return "it must be ECDSA P-256 or P-384, RSA of 2048 to 8192 bits, or Ed25519";
	return sp_strerror(err);
}

static void
reload(struct signer *s, int conf_fd)
{
	int err;

	if (room_reload(&s->room, conf_fd) != SP_OK)
		log_warning("the old settings stay");
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

/* ---- supervisor ---- */

static int
on_worker_new(struct signer *s, struct chan_msg *m)
{
	struct ipc_worker_new w;
	int err = ipc_get_worker_new(m->body, &w);

	if (err == SP_OK && !ipc_is_worker(w.room))
		err = SP_EDENIEDMSG;
	if (err == SP_OK)
		err = seat_add(s, w.serial, w.room, m->fd);
	if (err == SP_OK)
		m->fd = -1;
	return err;
}

static int
on_file(struct signer *s, struct chan_msg *m)
{
	struct ipc_file f;
	int err = ipc_get_file(m->body, &f);

	if (err == SP_OK && f.what == FILE_TLS_KEY) {
		close_fd(&s->next_key);
		s->next_key = TAKE_FD(m->fd);
	}
	return err;
}

static int
on_supervisor(struct signer *s, struct chan_msg *m)
{
	struct ipc_worker_gone gone;
	int err = SP_OK;

	switch (m->id) {
	case IPC_WORKER_NEW:
		return on_worker_new(s, m);
	case IPC_WORKER_GONE:
		err = ipc_get_worker_gone(m->body, &gone);
		if (err == SP_OK)
			seat_remove(s, gone.serial);
		return err;
	case IPC_FILE:
		return on_file(s, m);
	case IPC_RELOAD:
		reload(s, TAKE_FD(m->fd));
		return SP_OK;
	case IPC_STOP:
		s->stopping = true;
		return SP_OK;
	default:
		return SP_EDENIEDMSG;
	}
}

static void
supervisor_ready(void *arg, int fd, unsigned events)
{
	struct signer *s = arg;

	(void)fd;
	(void)events;
	while (!s->stopping) {
		struct chan_msg m;
		int err = chan_recv(&s->room.supervisor, PH_ANY, false, s->buf, IPC_MAX, &m);

		if (err == 0)
			return;
		if (err == SP_ECLOSED)
			break;
		if (err == 1) {
			err = on_supervisor(s, &m);
			chan_msg_done(&m);
		}
		if (err < 0)
			sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
	}
	loop_stop(s->loop);
}

static void
before_go(void *arg, struct chan_msg *m)
{
	int err = on_supervisor(arg, m);

	if (err < 0)
		sp_die(EXIT_SOFTWARE, "from the supervisor: %s", sp_strerror(err));
}

/* ---- start ---- */

static void
signer_start(struct signer *s)
{
	const struct sandbox_limits limits = {.memory_bytes = 128u << 20, .files = SEATS_MAX};
	struct room_start *r = &s->room;
	int err;

	if (r->file[FILE_TLS_KEY] < 0)
		sp_die(EXIT_CONFIG, "HttpsKey: the TLS key is missing");
	if (crypto_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	if (sign_prepare() != SP_OK)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	err = new_key(s, r->file[FILE_TLS_KEY]);
	if (err != SP_OK)
		sp_die(EXIT_CONFIG, "HttpsKey: %s", key_problem(err));
	close_fd(&r->file[FILE_TLS_KEY]);
	s->ssh_types =
	    (uint8_t)((r->file[FILE_SSH_ED25519] >= 0 ? SSH_HOST_ED25519 : 0) |
		      (r->file[FILE_SSH_ECDSA] >= 0 ? SSH_HOST_ECDSA_P256 : 0) |
		      (r->file[FILE_SSH_RSA] >= 0 ? SSH_HOST_RSA_SHA256 | SSH_HOST_RSA_SHA512 : 0));
	for (size_t i = 0; i < ARRAY_LEN(s->bucket); i++)
		for (struct seat *t = s->bucket[i]; t != NULL; t = t->next)
			t->held = held_take(s->held);
	room_sandbox(r, NULL, 0, &limits, sign_key_name(s->held->key));
}

static void
signer_run(struct signer *s)
{
	struct loop_watch *w =
	    loop_watch(s->loop, s->room.supervisor.fd, LOOP_IN, supervisor_ready, s);
	int err = w != NULL ? SP_OK : SP_ENOMEM;

	if (w != NULL)
		loop_priority(w);
	s->started = true;
	for (size_t i = 0; i < ARRAY_LEN(s->bucket); i++)
		for (struct seat *t = s->bucket[i]; t != NULL && err == SP_OK; t = t->next)
			err = seat_watch(t);
	if (err == SP_OK)
		err = loop_run(s->loop);
	if (err != SP_OK)
		sp_die(EXIT_SOFTWARE, "waiting for messages: %s", sp_strerror(err));
}

static void
signer_done(struct signer *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->bucket); i++)
		while (s->bucket[i] != NULL)
			seat_remove(s, s->bucket[i]->serial);
	held_drop(&s->held);
	close_fd(&s->next_key);
	mem_free(s->buf);
	mem_free(s->requests);
	loop_free(s->loop);
	mem_free(s);
}

int
main(int argc, char **argv)
{
	struct signer *s = mem_alloc(sizeof(*s));

	if (s == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	s->next_key = -1;
	s->loop = loop_new();
	s->buf = mem_alloc(IPC_MAX);
	s->requests = mem_alloc(IPC_MAX);
	if (s->loop == NULL || s->buf == NULL || s->requests == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	room_enter(ROOM_SIGNER, argc, argv, &s->room, before_go, s);
	signer_start(s);
	signer_run(s);
	signer_done(s);
	return 0;
}
