/* ssh_policy.c - see ssh_policy.h. */
#include "rooms/broker/ssh_policy.h"

static const char *const names[PROOF_COUNT] = {
    [PROOF_KEY] = "publickey",
    [PROOF_PASSWORD] = "password",
    [PROOF_PROMPT] = "keyboard-interactive",
    [PROOF_CODE] = "code",
};

/* ADVANCE: the lists that wait for this method go on.  ASK: first the code, in the same exchange.
 * CODE: the code is proved; and with it keyboard-interactive, when it was asked for there. */
enum action { NO, ADVANCE, ASK, CODE_METHOD, CODE_LAST };

static const struct row {
	enum ssh_step step;
	enum ssh_proof proof;
	bool needs_code;
	enum action action;
} rows[] = {
    {STEP_METHODS, PROOF_KEY, false, ADVANCE},
    {STEP_METHODS, PROOF_KEY, true, ADVANCE},
    {STEP_METHODS, PROOF_PASSWORD, false, ADVANCE},
    {STEP_METHODS, PROOF_PASSWORD, true, ADVANCE},
    {STEP_METHODS, PROOF_PROMPT, false, ADVANCE},
    {STEP_METHODS, PROOF_PROMPT, true, ASK},
    /* a client may give an exchange up and begin another method */
    {STEP_ASKED, PROOF_KEY, true, ADVANCE},
    {STEP_ASKED, PROOF_PASSWORD, true, ADVANCE},
    {STEP_ASKED, PROOF_PROMPT, true, ASK},
    {STEP_ASKED, PROOF_CODE, true, CODE_METHOD},
    {STEP_CODE, PROOF_CODE, true, CODE_LAST},
};

static enum action
action_of(const struct ssh_policy *p, enum ssh_proof proof)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].step == p->step && rows[i].proof == proof &&
		    rows[i].needs_code == p->needs_code)
			return rows[i].action;
	return NO;
}

/* ---- the setting ---- */

static int
take_method(struct ssh_list *l, struct span name)
{
	for (uint8_t m = 0; m < PROOF_CODE; m++) {
		if (!span_eq_str(name, names[m]))
			continue;
		for (size_t i = 0; i < l->n; i++)
			if (l->method[i] == m)
				return SP_ESYNTAX;
		l->method[l->n++] = m;
		return SP_OK;
	}
	return SP_ESYNTAX;
}

static int
take_list(struct ssh_list *l, struct span word)
{
	for (;;) {
		struct span name = span_cut(word, span_find(word, ','));
		int err = take_method(l, name);

		if (err != SP_OK || name.len == word.len)
			return err;
		word = span_skip(word, name.len + 1);
	}
}

int
ssh_policy_init(struct ssh_policy *p, struct span setting, bool has_code)
{
	struct ssh_policy new = {.needs_code = has_code};
	struct span rest = span_trim(setting);

	if (setting.len > SSH_METHODS_TEXT_MAX)
		return SP_ERANGE;
	while (rest.len != 0) {
		struct span word = span_cut(rest, span_find(rest, ' '));
		int err = new.n < SSH_LISTS_MAX ? take_list(&new.list[new.n++], word) : SP_ERANGE;

		if (err != SP_OK)
			return err;
		rest = span_trim(span_skip(rest, word.len));
	}
	for (uint8_t m = 0; setting.len == 0 && m < PROOF_CODE; m++)
		new.list[new.n++] = (struct ssh_list){.method = {m}, .n = 1};
	if (new.n == 0)
		return SP_ESYNTAX; /* blanks only */
	*p = new;
	return SP_OK;
}

/* ---- what may come, and what it leads to ---- */

static bool
is_next(const struct ssh_policy *p, enum ssh_proof method)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct ssh_list *l = &p->list[i];

		if (l->at < l->n && l->method[l->at] == method)
			return true;
	}
	return false;
}

bool
ssh_policy_takes(const struct ssh_policy *p, enum ssh_proof proof)
{
	switch (action_of(p, proof)) {
	case ADVANCE:
	case ASK:
		return is_next(p, proof);
	case CODE_METHOD:
	case CODE_LAST:
		return true;
	default:
		return false;
	}
}

static void
advance(struct ssh_policy *p, enum ssh_proof method)
{
	for (size_t i = 0; i < p->n; i++) {
		struct ssh_list *l = &p->list[i];

		if (l->at < l->n && l->method[l->at] == method)
			l->at++;
	}
}

static enum ssh_auth_state
settle(struct ssh_policy *p)
{
	bool complete = false;

	for (size_t i = 0; i < p->n; i++)
		complete = complete || p->list[i].at == p->list[i].n;
	p->step = !complete ? STEP_METHODS : p->needs_code ? STEP_CODE : STEP_OVER;
	return p->step == STEP_OVER ? SSH_AUTH_DONE : SSH_AUTH_PARTIAL;
}

enum ssh_auth_state
ssh_policy_proved(struct ssh_policy *p, enum ssh_proof proof)
{
	enum action action = action_of(p, proof);

	PRECOND(ssh_policy_takes(p, proof));
	p->is_begun = true;
	if (action == ASK) {
		p->step = STEP_ASKED;
		return SSH_AUTH_CODE;
	}
	if (action == ADVANCE)
		advance(p, proof);
	else
		p->needs_code = false;
	if (action == CODE_METHOD)
		advance(p, PROOF_PROMPT);
	return settle(p);
}

void
ssh_policy_failed(struct ssh_policy *p)
{
	if (p->step == STEP_ASKED)
		p->step = STEP_METHODS;
}

void
ssh_policy_methods(const struct ssh_policy *p, struct text *t)
{
	if (p->step == STEP_CODE) {
		text_str(t, names[PROOF_PROMPT]);
		return;
	}
	for (enum ssh_proof m = 0; m < PROOF_CODE; m++) {
		if (p->is_begun && !is_next(p, m))
			continue;
		if (t->len != 0)
			text_chr(t, ',');
		text_str(t, names[m]);
	}
}

const char *
ssh_proof_name(enum ssh_proof proof)
{
	PRECOND(proof < PROOF_COUNT);
	return names[proof];
}
