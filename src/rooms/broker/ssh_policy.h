/* ssh_policy.h - which proofs an SSH login needs, and which of them can come next.  Pure.
 *
 * A user's setting is like OpenSSH's AuthenticationMethods: lists of methods joined by commas,
 * separated by spaces; the methods of a list are proved in its order, and one complete list is
 * enough.  Empty: any one method.  Where the account has one-time codes, a code is needed as well:
 * in the exchange of keyboard-interactive right behind the password, else when a list is complete.
 */
#ifndef SP_BROKER_SSH_POLICY_H
#define SP_BROKER_SSH_POLICY_H

#include "base/err.h"
#include "base/text.h"
#include "ipc/ipc.h"

#define SSH_LISTS_MAX 8u	  /* lists of one user */
#define SSH_METHODS_TEXT_MAX 255u /* bytes of the setting, and of an answer's list */

/* What was proved.  PROMPT is a password by keyboard-interactive, CODE the one-time code. */
enum ssh_proof { PROOF_KEY, PROOF_PASSWORD, PROOF_PROMPT, PROOF_CODE, PROOF_COUNT };

/* METHODS: methods of the lists.  ASKED: the exchange of keyboard-interactive waits for the code.
 * CODE: a list is complete, the code is not.  OVER: logged in. */
enum ssh_step { STEP_METHODS, STEP_ASKED, STEP_CODE, STEP_OVER, STEP_COUNT };

struct ssh_policy {
	enum ssh_step step;
	bool needs_code; /* of an account that has them, until one was proved */
	bool is_begun;	 /* something was proved: what can go on is no secret any more */
	size_t n;
	struct ssh_list {
		uint8_t method[PROOF_CODE]; /* each at most once */
		uint8_t n, at;
	} list[SSH_LISTS_MAX];
};

/* ssh_policy_init - from a user's setting.
 *   has_code  the account has one-time codes
 *   errors    SP_ESYNTAX (no such method, one twice in a list, an empty list), SP_ERANGE (too many
 * lists) */
int ssh_policy_init(struct ssh_policy *p, struct span setting, bool has_code) MUST_USE;
/* ssh_policy_takes - can this proof come now? */
bool ssh_policy_takes(const struct ssh_policy *p, enum ssh_proof proof);
/* ssh_policy_proved - it came, and was good.  PARTIAL, CODE or DONE. A proof that cannot come now
 * is a bug. */
enum ssh_auth_state ssh_policy_proved(struct ssh_policy *p, enum ssh_proof proof);
/* ssh_policy_failed - a proof failed: an exchange that waited for a code is over. */
void ssh_policy_failed(struct ssh_policy *p);
/* ssh_policy_methods - the methods that can go on, comma-separated.  Before anything was proved all
 * of them, so that nobody learns who exists. */
void ssh_policy_methods(const struct ssh_policy *p, struct text *t);
/* ssh_proof_name - "publickey", "password", "keyboard-interactive", "code". */
const char *ssh_proof_name(enum ssh_proof proof);
#endif
