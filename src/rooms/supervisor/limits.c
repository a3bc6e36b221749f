/* limits.c - operators and the vault's budgets: what they see, and raises and thaws, which are on
 * record before the vault hears of them.  With RaiseConfirm a raise waits for a second operator. */
#include "base/text.h"
#include "rooms/supervisor/supervisor.h"
#include "sys/clock.h"

#define CONFIRM_WITHIN_MS 3600000

/* ---- words for the audit log ---- */

static void
say_id(struct text *t, const struct ipc_limits_change *m)
{
	const uint8_t *id = m->id.b;
	uint64_t number = 0;

	text_str(t, principal_word((enum principal_kind)m->kind));
	if (m->kind == PRINCIPAL_SERVER || m->kind == PRINCIPAL_DELETE_SERVER)
		return;
	if (m->kind == PRINCIPAL_ADDRESS || m->kind == PRINCIPAL_DELETE_ADDRESS ||
	    m->kind == PRINCIPAL_NETWORK) {
		char address[64];

		address_print(id, address, sizeof(address));
		text_fmt(t, " %s", address);
		return;
	}
	for (size_t i = 8; i < 16; i++)
		number = number << 8 | id[i];
	text_fmt(t, " %llu", (unsigned long long)number);
}

static void
say_change(struct operator_entry *e, const struct ipc_limits_change *m, const struct operator* o)
{
	struct text t = text_of(e->text, sizeof(e->text));

	e->event = m->op == 0 ? EVENT_LIMITS_RAISED : EVENT_LIMITS_UNFROZEN;
	say_id(&t, m);
	if (m->op == 0)
		text_fmt(&t, ": %llu files and %llu bytes more for %u s",
		    (unsigned long long)m->files, (unsigned long long)m->bytes, m->for_s);
	text_fmt(&t, "; by user id %u", operator_person(o));
}

static int
wrong(struct operator_entry *e, int err, const char *sentence)
{
	struct text t = text_of(e->text, sizeof(e->text));

	text_str(&t, sentence);
	return err;
}

/* ---- looking ---- */

int
limits_get_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	struct ipc_limits_get m;

	(void)o;
	(void)ret;
	return ipc_get_limits_get(body, &m);
}

/* ---- changing ---- */

static bool
needs_confirmation(const struct operator* o, const struct ipc_limits_change *m)
{
	return m->op == 0 && operator_sup(o)->inst.limits.raise_confirm != 0;
}

int
limits_change_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	const struct limits *l = &operator_sup(o)->inst.limits;
	struct ipc_limits_change m;
	int err = ipc_get_limits_change(body, &m);

	if (err != SP_OK)
		return err;
	if (m.kind >= PRINCIPAL_KINDS)
		return SP_ERANGE;
	if (m.op == 0 && m.for_s > (uint64_t)l->raise_max)
		return wrong(ret, SP_ERANGE, "that is longer than RaiseMax of limits.conf allows");
	if (!needs_confirmation(o, &m))
		say_change(ret, &m, o);
	return SP_OK;
}

static void
answer_confirm(struct operator* o, uint32_t number)
{
	struct ipc_limits_changed m = {.confirm = number};
	uint8_t buf[IPC_SIZE_LIMITS_CHANGED];
	struct wr w = wr_of(buf, sizeof(buf));
	int err = ipc_put_limits_changed(&w, &m);

	VERIFY(err == SP_OK);
	operator_answer(o, IPC_LIMITS_CHANGED, wr_span(&w));
}

/* keep - until another operator confirms it; the oldest gives way to a new one. */
static void
keep(struct operator* o, const struct ipc_limits_change *m)
{
	struct sup *s = operator_sup(o);
	struct raise *r = &s->raises[s->last_raise % RAISES_MAX];

	*r = (struct raise){.number = ++s->last_raise,
	    .person = operator_person(o),
	    .until_ms = clock_mono_ms() + CONFIRM_WITHIN_MS,
	    .m = *m};
	answer_confirm(o, r->number);
}

int
limits_change_act(struct operator* o, struct span body)
{
	struct ipc_limits_change m;
	int err = ipc_get_limits_change(body, &m);

	if (err != SP_OK)
		return err;
	if (needs_confirmation(o, &m))
		keep(o, &m);
	else
		operator_pass(o, IPC_LIMITS_CHANGE, body);
	return SP_OK;
}

/* ---- confirming ---- */

static struct raise *
raise_of(struct sup *s, uint32_t number)
{
	for (size_t i = 0; i < RAISES_MAX && number != 0; i++)
		if (s->raises[i].number == number && s->raises[i].until_ms > clock_mono_ms())
			return &s->raises[i];
	return NULL;
}

int
limits_confirm_prepare(struct operator* o, struct span body, struct operator_entry *ret)
{
	struct ipc_limits_confirm m;
	struct raise *r;
	struct text t;
	int err = ipc_get_limits_confirm(body, &m);

	if (err != SP_OK)
		return err;
	r = raise_of(operator_sup(o), m.confirm);
	if (r == NULL)
		return wrong(ret, SP_ENOTFOUND,
		    "no raise of that number waits for a confirmation (they wait for an hour)");
	if (r->person == operator_person(o))
		return wrong(ret, SP_EPERM,
		    "another operator has to confirm it: another user of this machine than the one "
		    "who asked");
	say_change(ret, &r->m, o);
	t = text_of(ret->text + strlen(ret->text), sizeof(ret->text) - strlen(ret->text));
	text_fmt(&t, ", asked for by user id %u", r->person);
	return SP_OK;
}

int
limits_confirm_act(struct operator* o, struct span body)
{
	struct ipc_limits_confirm m;
	uint8_t buf[IPC_SIZE_LIMITS_CHANGE];
	struct wr w = wr_of(buf, sizeof(buf));
	struct raise *r;
	int err = ipc_get_limits_confirm(body, &m);

	if (err != SP_OK)
		return err;
	r = raise_of(operator_sup(o), m.confirm);
	if (r == NULL) /* confirmed by someone else meanwhile */
		return SP_ENOTFOUND;
	err = ipc_put_limits_change(&w, &r->m);
	r->number = 0;
	if (err == SP_OK)
		operator_pass(o, IPC_LIMITS_CHANGE, wr_span(&w));
	return err;
}
