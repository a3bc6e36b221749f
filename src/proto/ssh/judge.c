/* judge.c - messages.def applied: who may send what, and when. */
#include "proto/ssh/ssh.h"

enum {
	NEVER = 0,
	KEXINIT = SSH_PHASE_KEXINIT,
	KEX = SSH_PHASE_KEX,
	NEWKEYS = SSH_PHASE_NEWKEYS,
	SERVICE = SSH_PHASE_SERVICE,
	PROMPT = SSH_PHASE_PROMPT,
	OPEN = SSH_PHASE_OPEN,
	LOGIN = SSH_PHASE_AUTH | SSH_PHASE_PROMPT,
	EXCHANGE = KEXINIT | KEX | NEWKEYS,
	IDLE = SERVICE | LOGIN | OPEN,
	ANY = EXCHANGE | IDLE,
};

static const struct rule {
	bool is_known;
	uint8_t take, drop; /* sets of enum ssh_phase */
} rules[256] = {
#define SSH_ROW(NAME, number, take, drop) [number] = {true, take, drop},
#include "proto/ssh/messages.def"
#undef SSH_ROW
};

/* Numbers without a row: where RFC 4253 section 11.4's UNIMPLEMENTED is the answer.  Elsewhere
 * something else is required. */
static const struct range {
	uint8_t last, phases;
} unknown[] = {
    /* Transport, negotiation, key exchange methods: RFC 4253 section 7.1 leaves them to section 11
       even in an exchange. */
    {49, ANY},
    /* RFC 4253 section 7.1: an exchange MUST NOT be interrupted by what is above 49. */
    {79, IDLE},
    /* And RFC 4252 section 6: before the login is complete the server MUST disconnect. */
    {255, OPEN},
};

static unsigned
unknown_phases(uint8_t number)
{
	size_t i = 0;

	while (number > unknown[i].last)
		i++;
	return unknown[i].phases;
}

enum ssh_verdict
ssh_judge(uint8_t number, enum ssh_phase phase, bool strict)
{
	const struct rule *rule = &rules[number];
	unsigned now = (unsigned)phase;

	PRECOND(now != 0 && (now & ~(unsigned)ANY) == 0 && (now & (now - 1)) == 0);
	if ((rule->take & now) != 0)
		return SSH_TAKE;
	if (strict && (now & EXCHANGE) != 0)
		return SSH_FORBIDDEN;
	if ((rule->drop & now) != 0)
		return SSH_DROP;
	if (rule->is_known)
		return SSH_FORBIDDEN;
	return (unknown_phases(number) & now) != 0 ? SSH_UNKNOWN : SSH_FORBIDDEN;
}
