/* main.c - the authenticator: one password or one-time code, one answer, then the process ends. */
#include "ipc/room.h"
#include "rooms/authenticator/code.h"
#include "sys/log.h"
#include "sys/loop.h"

#define EXIT_SOFTWARE 70
#define PHC_BYTES 256u
#define KEY_WAIT_MS 10000 /* from the job to the seed's key: one that was refused never comes */

struct authenticator {
	struct room_start start;
	struct loop *loop;
	struct chan broker, vault;
	uint8_t *buf; /* IPC_MAX bytes, locked: the message that is read now */
	struct seed_key {
		uint8_t key[KEY_BYTES], blob[BLOB_ID_BYTES];
		bool is_there, is_fresh;
	} * key; /* locked */
	/* a job about one-time codes, until its key is there; 0: none */
	uint16_t job;
	uint8_t blob[BLOB_ID_BYTES];
	uint8_t code[16], content[CODE_SEALED_MAX];
	size_t code_len, content_len;
	uint64_t now_s, last_step;
	int status;
};

static void
end(struct authenticator *a, int err)
{
	a->status = err == SP_OK || err == SP_ECLOSED ? 0 : EXIT_SOFTWARE;
	loop_stop(a->loop);
}

/* what is no plain yes or no is for the log */
static uint16_t
result_of(uint16_t job, int err)
{
	if (err != SP_OK && err != SP_EAUTH)
		log_error("%s: %s", ipc_rule(job)->name, sp_strerror(err));
	return (uint16_t)-err;
}

/* ---- passwords ---- */

/* check - does the password match the string?  A NUL-terminated copy: the field may not hold a NUL
 * itself. */
static int
check(struct span body)
{
	struct ipc_password_check m;
	char phc[PHC_BYTES];
	int err = ipc_get_password_check(body, &m);

	if (err != SP_OK)
		return err;
	if (m.phc.len >= sizeof(phc))
		return SP_ERANGE;
	memcpy(phc, m.phc.ptr, m.phc.len);
	phc[m.phc.len] = '\0';
	return password_verify(m.password, phc);
}

static int
make(struct span body, char *phc, size_t cap)
{
	struct ipc_password_make m;
	int err = ipc_get_password_make(body, &m);

	if (err != SP_OK)
		return err;
	return password_hash(m.password, m.memory_bytes, m.passes, phc, cap);
}

static void
serve_password(struct authenticator *a, const struct chan_msg *in)
{
	char phc[PHC_BYTES] = "";
	struct ipc_password_result r = {0};
	int err = in->id == IPC_PASSWORD_CHECK ? check(in->body) : make(in->body, phc, sizeof(phc));

	r.err = result_of(in->id, err);
	r.phc = span_str(err == SP_OK ? phc : "");
	end(a, chan_send_password_result(&a->broker, &r, -1));
}

/* ---- one-time codes ---- */

static int
send_checked(struct authenticator *a, int err)
{
	struct ipc_code_result r = {0};

	if (err == SP_OK)
		err = code_check_sealed(a->key->key, a->blob, span_of(a->content, a->content_len),
		    span_of(a->code, a->code_len), a->now_s, a->last_step, &r.step);
	r.err = result_of(a->job, err);
	return chan_send_code_result(&a->broker, &r, -1);
}

static int
send_made(struct authenticator *a, int err)
{
	struct ipc_code_made r = {0};
	char text[CODE_SEED_TEXT] = "";
	size_t n = 0;
	int sent;

	if (err == SP_OK)
		err = code_make(a->key->key, a->blob, a->content, sizeof(a->content), &n, text);
	r.err = result_of(a->job, err);
	r.content = span_of(a->content, n);
	r.seed = span_str(err == SP_OK ? text : "");
	sent = chan_send_code_made(&a->broker, &r, -1);
	mem_wipe(text, sizeof(text));
	return sent;
}

static void
answer(struct authenticator *a, int err)
{
	end(a, a->job == IPC_CODE_CHECK ? send_checked(a, err) : send_made(a, err));
}

/* Both are there: the job, and the key of the very blob that it is about; a fresh key for a fresh
 * seed only. */
static void
run(struct authenticator *a)
{
	bool is_making = a->job == IPC_CODE_MAKE;

	if (a->job == 0 || !a->key->is_there)
		return;
	answer(
	    a, memcmp(a->key->blob, a->blob, sizeof(a->blob)) == 0 && a->key->is_fresh == is_making
		   ? SP_OK
		   : SP_EREFUSED);
}

static void
no_key(void *arg, int fd, unsigned events)
{
	(void)fd, (void)events;
	answer(arg, SP_EUNAVAIL);
}

static int
take_code(struct authenticator *a, const struct chan_msg *in)
{
	struct ipc_code_check check_m;
	struct ipc_code_make make_m;
	int err;

	if (in->id == IPC_CODE_MAKE) {
		if ((err = ipc_get_code_make(in->body, &make_m)) != SP_OK)
			return err;
		memcpy(a->blob, make_m.blob.b, sizeof(a->blob));
	} else {
		if ((err = ipc_get_code_check(in->body, &check_m)) != SP_OK)
			return err;
		if (check_m.code.len > sizeof(a->code) || check_m.content.len > sizeof(a->content))
			return SP_ERANGE;
		memcpy(a->blob, check_m.blob.b, sizeof(a->blob));
		memcpy(a->code, check_m.code.ptr, check_m.code.len);
		memcpy(a->content, check_m.content.ptr, check_m.content.len);
		a->code_len = check_m.code.len;
		a->content_len = check_m.content.len;
		a->now_s = check_m.now_s;
		a->last_step = check_m.last_step;
	}
	a->job = in->id;
	return loop_timer(a->loop, KEY_WAIT_MS, no_key, a) != 0 ? SP_OK : SP_ENOMEM;
}

/* ---- messages ---- */

static int
take_job(struct authenticator *a, const struct chan_msg *in)
{
	if (a->job != 0)
		return SP_EDENIEDMSG;
	switch (in->id) {
	case IPC_PASSWORD_CHECK:
	case IPC_PASSWORD_MAKE:
		serve_password(a, in);
		return SP_OK;
	case IPC_CODE_CHECK:
	case IPC_CODE_MAKE:
		return take_code(a, in);
	default:
		return SP_EDENIEDMSG;
	}
}

static int
take_key(struct authenticator *a, const struct chan_msg *in)
{
	struct ipc_key m;
	int err = ipc_get_key(in->body, &m);

	if (err != SP_OK)
		return err;
	if (a->key->is_there || m.key.len != KEY_BYTES)
		return SP_EDENIEDMSG;
	memcpy(a->key->key, m.key.ptr, KEY_BYTES);
	memcpy(a->key->blob, m.blob.b, sizeof(a->key->blob));
	a->key->is_fresh = m.fresh != 0;
	a->key->is_there = true;
	return SP_OK;
}

/* One message of the broker or the vault; a socket that ends, ends the authenticator. */
static void
on_message(struct authenticator *a, struct chan *c,
    int (*take)(struct authenticator *, const struct chan_msg *))
{
	struct chan_msg m;
	int r = chan_recv(c, PH_ANY, false, a->buf, IPC_MAX, &m);

	if (r == 0)
		return;
	if (r == 1) {
		r = take(a, &m);
		chan_msg_done(&m);
		mem_wipe(a->buf, IPC_MAX); /* a password or a key was in it */
	}
	if (r == SP_OK) {
		run(a);
		return;
	}
	if (r != SP_ECLOSED)
		log_error("message %u of %s: %s", m.id, room_table[c->peer].name, sp_strerror(r));
	end(a, r);
}

static void
on_broker(void *arg, int fd, unsigned events)
{
	struct authenticator *a = arg;

	(void)fd, (void)events;
	on_message(a, &a->broker, take_job);
}

static void
on_vault(void *arg, int fd, unsigned events)
{
	struct authenticator *a = arg;

	(void)fd, (void)events;
	on_message(a, &a->vault, take_key);
}

/* ---- start ---- */

/* All that it needs is taken before the sandbox. */
static void
enter(struct authenticator *a, int argc, char **argv)
{
	struct sandbox_limits limits = {.files = 16, .cpu_seconds = 300};

	/* hashes that were made before Argon2Memory was lowered must still fit: the greatest cost
	 * there is */
	limits.memory_bytes = (UINT64_C(1) << 30) + (32u << 20);
	room_enter(ROOM_AUTHENTICATOR, argc, argv, &a->start, NULL, NULL);
	a->loop = loop_new();
	a->buf = secret_new(IPC_MAX);
	a->key = secret_new(sizeof(*a->key));
	if (a->loop == NULL || a->buf == NULL || a->key == NULL)
		sp_die(EXIT_SOFTWARE,
		    "no memory that can be locked: raise the limit of locked memory (ulimit -l)");
	if (a->start.link[ROOM_BROKER] < 0 || a->start.link[ROOM_VAULT] < 0)
		sp_die(EXIT_SOFTWARE, "no socket to the broker or the vault");
	chan_init(&a->broker, TAKE_FD(a->start.link[ROOM_BROKER]), ROOM_AUTHENTICATOR, ROOM_BROKER);
	chan_init(&a->vault, TAKE_FD(a->start.link[ROOM_VAULT]), ROOM_AUTHENTICATOR, ROOM_VAULT);
	if (loop_watch(a->loop, a->broker.fd, LOOP_IN, on_broker, a) == NULL ||
	    loop_watch(a->loop, a->vault.fd, LOOP_IN, on_vault, a) == NULL)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ENOMEM));
	if (crypto_ready() != SP_OK || code_ready() != SP_OK)
		sp_die(EXIT_SOFTWARE, "%s", sp_strerror(SP_ECRYPTO));
	room_sandbox(&a->start, NULL, 0, &limits, "");
}

int
main(int argc, char **argv)
{
	struct authenticator a = {0};

	enter(&a, argc, argv);
	if (loop_run(a.loop) < 0)
		a.status = EXIT_SOFTWARE;
	chan_close(&a.broker);
	chan_close(&a.vault);
	loop_free(a.loop);
	secret_free(a.key, sizeof(*a.key));
	secret_free(a.buf, IPC_MAX);
	mem_wipe(a.code, sizeof(a.code));
	return a.status;
}
