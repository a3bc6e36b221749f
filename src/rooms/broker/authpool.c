/* authpool.c - password work for the authenticators: one attempt each, the rest waits in a bounded
 * queue. */
#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/broker/otp.h"
#include "rooms/broker/scrub.h"
#include "sys/log.h"

enum kind { CHECK, MAKE, CODE, SEED };

struct auth_job {
	struct auth_job *next;
	enum kind kind;
	struct op *op;
	op_fn fn;
	uint64_t helper; /* CODE, SEED: who gets the key */
	size_t secret_len;
	uint8_t secret[1024]; /* a password or a code */
	char phc[256];
	struct otp otp;
};

void
auth_job_free(struct auth_job *j)
{
	if (j != NULL)
		mem_wipe(j, sizeof(*j));
	mem_free(j);
}

static struct worker *
idle_authenticator(struct broker *b)
{
	for (struct worker *w = b->all; w != NULL; w = w->next)
		if (w->room == ROOM_AUTHENTICATOR && w->watch != NULL && w->op == NULL &&
		    !w->is_busy)
			return w;
	return NULL;
}

static int
send_job(struct broker *b, struct worker *h, const struct auth_job *j)
{
	struct span secret = span_of(j->secret, j->secret_len);
	struct ipc_password_make make = {
	    .password = secret,
	    .memory_bytes = (uint64_t)b->start.conf.argon2_memory,
	    .passes = (uint8_t)b->start.conf.argon2_passes,
	};
	struct ipc_password_check check = {.password = secret, .phc = span_str(j->phc)};
	struct ipc_code_check code = {
	    .code = secret,
	    .content = span_of(j->otp.content, j->otp.content_len),
	    .now_s = (uint64_t)(b->wall_us() / 1000000),
	    .last_step = (uint64_t)j->otp.last_step,
	};
	struct ipc_code_make seed = {{{0}}};

	memcpy(code.blob.b, j->otp.blob, sizeof(code.blob.b));
	memcpy(seed.blob.b, j->otp.blob, sizeof(seed.blob.b));
	switch (j->kind) {
	case CHECK:
		return chan_send_password_check(&h->chan, &check, -1);
	case MAKE:
		return chan_send_password_make(&h->chan, &make, -1);
	case CODE:
		return chan_send_code_check(&h->chan, &code, -1);
	default:
		return chan_send_code_make(&h->chan, &seed, -1);
	}
}

/* ---- codes: first the key goes to the authenticator, then the job ---- */

/* the end of a job: its operation goes on */
static void
job_over(struct broker *b, struct op *op, const struct answer *a)
{
	struct auth_job *j = op->job;
	struct answer own = *a;

	op->job = NULL;
	if (j->kind == SEED && a->err == SP_OK)
		own.wrap = span_of(j->otp.wrap, sizeof(j->otp.wrap));
	j->fn(b, op, &own);
	auth_job_free(j);
}

/* The vault has sent the key, or refused.  An authenticator whose key is not wanted any more, or
 * perhaps on its way, is ended. */
static void
key_ordered(struct broker *b, struct op *op, const struct answer *a)
{
	struct auth_job *j = op->job;
	struct worker *h = worker_find(b, j->helper);
	struct answer over = {.err = a->err, .retry_after = a->retry_after};

	if (over.err == SP_OK && j->kind == SEED) {
		if (a->wrap.len == sizeof(j->otp.wrap))
			memcpy(j->otp.wrap, a->wrap.ptr, a->wrap.len);
		else
			over.err = SP_EDAMAGED;
	}
	if (over.err == SP_OK && (h == NULL || h->is_dead))
		over.err = SP_EUNAVAIL;
	if (over.err == SP_OK && send_job(b, h, j) != SP_OK)
		over.err = SP_EUNAVAIL;
	if (over.err == SP_OK) {
		h->op = op;
		op->helper = h->serial;
		op_wait(b, op, job_over);
		return;
	}
	if (h != NULL && !h->is_dead)
		worker_end(b, h);
	job_over(b, op, &over);
}

static int
order_key(struct broker *b, struct worker *h, struct auth_job *j)
{
	struct ipc_release release = {
	    .event = EVENT_OTP_CHECKED,
	    .serial = h->serial,
	    .org = (uint64_t)j->otp.org,
	    .user = (uint64_t)j->otp.user,
	    .wrap = span_of(j->otp.wrap, sizeof(j->otp.wrap)),
	    .user_name = span_str(j->otp.user_name),
	    .org_name = span_str(j->otp.org_name),
	    .path = span_of(NULL, 0),
	};
	struct ipc_key_new fresh = {
	    .serial = h->serial, .org = (uint64_t)j->otp.org, .limit = OTP_SEED_BYTES};

	memcpy(release.blob.b, j->otp.blob, sizeof(release.blob.b));
	memcpy(fresh.blob.b, j->otp.blob, sizeof(fresh.blob.b));
	return j->kind == CODE ? ledger_release(b, j->op, &release, key_ordered)
			       : ledger_key_new(b, j->op, &fresh, key_ordered);
}

static void
begin_code(struct broker *b, struct worker *h, struct auth_job *j)
{
	struct answer none = {.err = order_key(b, h, j)};

	j->op->job = j;
	j->helper = h->serial;
	if (none.err == SP_OK) {
		h->is_busy = true;
		return;
	}
	job_over(b, j->op, &none);
}

/* ---- the queue ---- */

static void
run_queue(struct broker *b)
{
	struct worker *h;

	while (b->auth_queue != NULL && (h = idle_authenticator(b)) != NULL) {
		struct auth_job *j = b->auth_queue;
		struct op *op = j->op;
		bool is_code = j->kind == CODE || j->kind == SEED;

		if (!is_code) {
			h->is_busy = true;
			if (send_job(b, h, j) != SP_OK) {
				worker_violation(b, h, 0, SP_EFULL);
				continue; /* with the next one */
			}
		}
		if ((b->auth_queue = j->next) == NULL)
			b->auth_queue_end = &b->auth_queue;
		b->n_auth_queue--;
		if (is_code) {
			begin_code(b, h, j);
			continue;
		}
		h->op = op;
		op->helper = h->serial;
		op_wait(b, op, j->fn);
		auth_job_free(j);
	}
}

static int
enqueue(struct broker *b, struct auth_job *j, struct span secret)
{
	if (j == NULL)
		return SP_ENOMEM;
	if (b->n_auth_queue >= AUTH_QUEUE_MAX || secret.len > sizeof(j->secret)) {
		auth_job_free(j);
		return SP_EUNAVAIL;
	}
	j->secret_len = secret.len;
	if (secret.len != 0)
		memcpy(j->secret, secret.ptr, secret.len);
	*b->auth_queue_end = j;
	b->auth_queue_end = &j->next;
	b->n_auth_queue++;
	run_queue(b);
	return SP_OK;
}

static struct auth_job *
job_new(enum kind kind, struct op *op, op_fn next)
{
	struct auth_job *j = mem_alloc(sizeof(*j));

	if (j == NULL)
		return NULL;
	j->kind = kind;
	j->op = op;
	j->fn = next;
	return j;
}

int
auth_check(struct broker *b, struct op *op, struct span password, const char *phc, op_fn next)
{
	struct auth_job *j = job_new(CHECK, op, next);

	if (j != NULL && strlen(phc) < sizeof(j->phc))
		memcpy(j->phc, phc, strlen(phc) + 1);
	return enqueue(b, j, password);
}

int
auth_make(struct broker *b, struct op *op, struct span password, op_fn next)
{
	return enqueue(b, job_new(MAKE, op, next), password);
}

int
auth_code(struct broker *b, struct op *op, const struct otp *o, struct span code, op_fn next)
{
	struct auth_job *j = job_new(CODE, op, next);

	if (j != NULL)
		j->otp = *o;
	return enqueue(b, j, code);
}

int
auth_seed(struct broker *b, struct op *op, const struct otp *o, op_fn next)
{
	struct auth_job *j = job_new(SEED, op, next);

	if (j != NULL)
		j->otp = *o;
	return enqueue(b, j, span_of(NULL, 0));
}

void
auth_idle(struct broker *b, struct worker *helper)
{
	(void)helper;
	run_queue(b);
}

/* the operation a helper worked for, taken back; NULL: none */
static struct op *
take_from(struct broker *b, struct worker *helper)
{
	struct op *op = helper->op;

	helper->op = NULL;
	if (op == NULL)
		return NULL;
	op = op_take(b, op->ref);
	if (op != NULL)
		op->helper = 0;
	return op;
}

void
helper_lost(struct broker *b, struct worker *helper)
{
	struct op *op = take_from(b, helper);
	const struct answer a = {.err = SP_EUNAVAIL};

	if (op != NULL)
		op->next(b, op, &a);
}

void
helper_ready(struct broker *b, struct worker *helper)
{
	if (helper->room == ROOM_AUTHENTICATOR)
		auth_idle(b, helper);
}

/* a result, decoded into a; scrubbed and made hold what it points at */
static int
take_result(struct chan_msg *m, const struct op *op, struct ipc_scrubbed *scrubbed,
    struct ipc_code_made *made, struct answer *a)
{
	struct ipc_password_result password;
	struct ipc_code_result code;
	int err = SP_EDENIEDMSG;

	switch (m->id) {
	case IPC_PASSWORD_RESULT:
		if ((err = ipc_get_password_result(m->body, &password)) == SP_OK)
			*a = (struct answer){.err = -(int)password.err, .phc = password.phc};
		break;
	case IPC_CODE_RESULT:
		if ((err = ipc_get_code_result(m->body, &code)) == SP_OK)
			*a = (struct answer){.err = -(int)code.err, .step = (int64_t)code.step};
		break;
	case IPC_CODE_MADE:
		if ((err = ipc_get_code_made(m->body, made)) == SP_OK)
			*a = (struct answer){.err = -(int)made->err, .made = made};
		break;
	case IPC_SCRUBBED:
		err = ipc_get_scrubbed(m->body, scrubbed);
		*a = (struct answer){.scrubbed = scrubbed};
		if (err == SP_OK && op != NULL && scrubbed->job != op->ref)
			err = SP_EDENIEDMSG;
		break;
	default:
		break;
	}
	return err;
}

/* the answer to this job, and not to another: who checks a password says nothing about a code */
static bool
is_answer(const struct op *op, uint16_t id)
{
	bool is_code = id == IPC_CODE_RESULT || id == IPC_CODE_MADE;

	if (op == NULL || (op->job != NULL) != is_code)
		return false;
	return !is_code || (op->job->kind == CODE) == (id == IPC_CODE_RESULT);
}

void
helper_message(struct broker *b, struct worker *helper, struct chan_msg *m)
{
	struct ipc_scrubbed scrubbed;
	struct ipc_code_made made;
	struct answer a = {0};
	struct op *op = helper->op;
	int err = take_result(m, op, &scrubbed, &made, &a);

	/* a result that nobody asked for, or for another job */
	if (err == SP_OK && !is_answer(op, m->id))
		err = SP_EDENIEDMSG;
	if (err != SP_OK) {
		worker_violation(b, helper, m->id, err);
		return;
	}
	if (m->id == IPC_SCRUBBED)
		scrub_note(b, helper, &scrubbed);
	if ((op = take_from(b, helper)) != NULL)
		op->next(b, op, &a);
}

void
auth_dummy(struct broker *b)
{
	uint8_t salt[16], hash[32];
	struct text t = text_of(b->dummy_phc, sizeof(b->dummy_phc));
	char b64[64];

	if (crypto_random(salt, sizeof(salt)) != SP_OK ||
	    crypto_random(hash, sizeof(hash)) != SP_OK)
		sp_die(70, "no random bytes");
	text_fmt(&t, "$argon2id$v=19$m=%lld,t=%lld,p=1$",
	    (long long)(b->start.conf.argon2_memory / 1024),
	    (long long)b->start.conf.argon2_passes);
	for (int i = 0; i < 2; i++) {
		struct text part = text_of(b64, sizeof(b64));

		base64_put(
		    &part, i == 0 ? span_of(salt, sizeof(salt)) : span_of(hash, sizeof(hash)));
		while (part.len != 0 && part.buf[part.len - 1] == '=')
			part.len--;
		text_add(&t, text_span(&part));
		if (i == 0)
			text_chr(&t, '$');
	}
}

void
auth_drop(struct broker *b)
{
	const struct answer a = {.err = SP_EUNAVAIL};

	while (b->auth_queue != NULL) {
		struct auth_job *j = b->auth_queue;
		struct op *op = j->op;

		b->auth_queue = j->next;
		b->n_auth_queue--;
		j->fn(b, op, &a);
		auth_job_free(j);
	}
	b->auth_queue_end = &b->auth_queue;
}
