/* authpool.c - password work for the authenticators: one attempt each, the rest waits in a bounded
 * queue. */
#include "base/text.h"
#include "crypto/crypto.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/scrub.h"
#include "sys/log.h"

struct auth_job {
	struct auth_job *next;
	struct op *op;
	op_fn fn;
	bool make;
	size_t password_len;
	uint8_t password[1024];
	char phc[256];
};

static void
job_free(struct auth_job *j)
{
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
	struct span password = span_of(j->password, j->password_len);

	if (j->make) {
		struct ipc_password_make m = {
		    .password = password,
		    .memory_bytes = (uint64_t)b->start.conf.argon2_memory,
		    .passes = (uint8_t)b->start.conf.argon2_passes,
		};
		return chan_send_password_make(&h->chan, &m, -1);
	}
	struct ipc_password_check m = {.password = password, .phc = span_str(j->phc)};
	return chan_send_password_check(&h->chan, &m, -1);
}

static void
run_queue(struct broker *b)
{
	struct worker *h;

	while (b->auth_queue != NULL && (h = idle_authenticator(b)) != NULL) {
		struct auth_job *j = b->auth_queue;
		struct op *op = j->op;

		h->is_busy = true;
		if (send_job(b, h, j) != SP_OK) {
			worker_violation(b, h, 0, SP_EFULL);
			continue; /* with the next one */
		}
		if ((b->auth_queue = j->next) == NULL)
			b->auth_queue_end = &b->auth_queue;
		b->n_auth_queue--;
		h->op = op;
		op->helper = h->serial;
		op_wait(b, op, j->fn);
		job_free(j);
	}
}

static int
enqueue(struct broker *b, struct op *op, struct span password, const char *phc, op_fn next)
{
	struct auth_job *j;

	if (b->n_auth_queue >= AUTH_QUEUE_MAX || password.len > sizeof(j->password))
		return SP_EUNAVAIL;
	if ((j = mem_alloc(sizeof(*j))) == NULL)
		return SP_ENOMEM;
	j->op = op;
	j->fn = next;
	j->make = phc == NULL;
	j->password_len = password.len;
	if (password.len != 0)
		memcpy(j->password, password.ptr, password.len);
	if (phc != NULL && strlen(phc) < sizeof(j->phc))
		memcpy(j->phc, phc, strlen(phc) + 1);
	*b->auth_queue_end = j;
	b->auth_queue_end = &j->next;
	b->n_auth_queue++;
	run_queue(b);
	return SP_OK;
}

int
auth_check(struct broker *b, struct op *op, struct span password, const char *phc, op_fn next)
{
	return enqueue(b, op, password, phc, next);
}

int
auth_make(struct broker *b, struct op *op, struct span password, op_fn next)
{
	return enqueue(b, op, password, NULL, next);
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
auth_result(struct broker *b, struct worker *helper, const struct ipc_password_result *m)
{
	struct op *op = take_from(b, helper);
	struct answer a = {.err = -(int)m->err, .phc = m->phc};

	if (op != NULL)
		op->next(b, op, &a);
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

void
helper_message(struct broker *b, struct worker *helper, struct chan_msg *m)
{
	struct ipc_password_result result;
	struct ipc_scrubbed scrubbed;
	struct answer a = {.scrubbed = &scrubbed};
	struct op *op = helper->op;
	int err;

	if (m->id == IPC_PASSWORD_RESULT)
		err = ipc_get_password_result(m->body, &result);
	else if (m->id == IPC_SCRUBBED)
		err = ipc_get_scrubbed(m->body, &scrubbed);
	else
		err = SP_EDENIEDMSG;
	/* a result that nobody asked for, or for another job */
	if (err == SP_OK && (op == NULL || (m->id == IPC_SCRUBBED && scrubbed.job != op->ref)))
		err = SP_EDENIEDMSG;
	if (err != SP_OK) {
		worker_violation(b, helper, m->id, err);
		return;
	}
	if (m->id == IPC_PASSWORD_RESULT) {
		auth_result(b, helper, &result);
		return;
	}
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
		job_free(j);
	}
	b->auth_queue_end = &b->auth_queue;
}
