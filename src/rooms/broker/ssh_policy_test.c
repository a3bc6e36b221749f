/* ssh_policy_test.c - required methods: every state with every proof, and what clients are told. */
#include "base/test.h"
#include "rooms/broker/ssh_policy.h"

static struct ssh_policy
policy(const char *setting, bool has_code)
{
	struct ssh_policy p;

	assert_int_equal(ssh_policy_init(&p, span_str(setting), has_code), SP_OK);
	return p;
}

static const char *
methods(const struct ssh_policy *p)
{
	static char buf[256];
	struct text t = text_of(buf, sizeof(buf));

	ssh_policy_methods(p, &t);
	assert_false(t.bad);
	return buf;
}

/* what can be proved now, as letters */
static const char *
takes(const struct ssh_policy *p)
{
	static const char letters[] = "kpic";
	static char buf[8];
	size_t n = 0;

	for (enum ssh_proof m = 0; m < PROOF_COUNT; m++)
		if (ssh_policy_takes(p, m))
			buf[n++] = letters[m];
	buf[n] = '\0';
	return buf;
}

static void
test_any(void **state)
{
	(void)state;
	for (enum ssh_proof m = 0; m < PROOF_CODE; m++) {
		struct ssh_policy p = policy("", false);

		assert_string_equal(takes(&p), "kpi");
		assert_string_equal(methods(&p), "publickey,password,keyboard-interactive");
		assert_int_equal(ssh_policy_proved(&p, m), SSH_AUTH_DONE);
		assert_string_equal(takes(&p), "");
	}
}

static void
test_together(void **state)
{
	struct ssh_policy p = policy("publickey,keyboard-interactive publickey,password", false);

	(void)state;
	assert_string_equal(takes(&p), "k");
	/* nobody is told what the account is like before something was proved */
	assert_string_equal(methods(&p), "publickey,password,keyboard-interactive");
	assert_int_equal(ssh_policy_proved(&p, PROOF_KEY), SSH_AUTH_PARTIAL);
	assert_string_equal(takes(&p), "pi");
	assert_string_equal(methods(&p), "password,keyboard-interactive");
	ssh_policy_failed(&p);
	assert_string_equal(takes(&p), "pi");
	assert_int_equal(ssh_policy_proved(&p, PROOF_PASSWORD), SSH_AUTH_DONE);

	p = policy("  password,publickey  keyboard-interactive ", false);
	assert_string_equal(takes(&p), "pi");
	assert_int_equal(ssh_policy_proved(&p, PROOF_PASSWORD), SSH_AUTH_PARTIAL);
	assert_string_equal(takes(&p), "ki");
	assert_string_equal(methods(&p), "publickey,keyboard-interactive");
	assert_int_equal(ssh_policy_proved(&p, PROOF_KEY), SSH_AUTH_DONE);
}

static void
test_code(void **state)
{
	struct ssh_policy p = policy("", true);

	(void)state;
	/* behind a key, or a password by the method of that name */
	assert_int_equal(ssh_policy_proved(&p, PROOF_KEY), SSH_AUTH_PARTIAL);
	assert_string_equal(takes(&p), "c");
	assert_string_equal(methods(&p), "keyboard-interactive");
	ssh_policy_failed(&p);
	assert_string_equal(takes(&p), "c");
	assert_int_equal(ssh_policy_proved(&p, PROOF_CODE), SSH_AUTH_DONE);
	assert_string_equal(takes(&p), "");
	/* in the same exchange */
	p = policy("", true);
	assert_string_equal(takes(&p), "kpi");
	assert_int_equal(ssh_policy_proved(&p, PROOF_PROMPT), SSH_AUTH_CODE);
	assert_string_equal(takes(&p), "kpic");
	assert_int_equal(ssh_policy_proved(&p, PROOF_CODE), SSH_AUTH_DONE);
	/* a wrong code ends the exchange: the password is asked for again */
	p = policy("", true);
	assert_int_equal(ssh_policy_proved(&p, PROOF_PROMPT), SSH_AUTH_CODE);
	ssh_policy_failed(&p);
	assert_string_equal(takes(&p), "kpi");
	/* the exchange is given up for a key: the password in it does not count */
	p = policy("publickey,keyboard-interactive keyboard-interactive,publickey", true);
	assert_int_equal(ssh_policy_proved(&p, PROOF_PROMPT), SSH_AUTH_CODE);
	assert_int_equal(ssh_policy_proved(&p, PROOF_KEY), SSH_AUTH_PARTIAL);
	assert_string_equal(takes(&p), "i");
	assert_int_equal(ssh_policy_proved(&p, PROOF_PROMPT), SSH_AUTH_CODE);
	assert_int_equal(ssh_policy_proved(&p, PROOF_CODE), SSH_AUTH_DONE);
	/* one code is enough, wherever it came */
	p = policy("keyboard-interactive,publickey", true);
	assert_int_equal(ssh_policy_proved(&p, PROOF_PROMPT), SSH_AUTH_CODE);
	assert_int_equal(ssh_policy_proved(&p, PROOF_CODE), SSH_AUTH_PARTIAL);
	assert_string_equal(methods(&p), "publickey");
	assert_string_equal(takes(&p), "k");
	assert_int_equal(ssh_policy_proved(&p, PROOF_KEY), SSH_AUTH_DONE);
	p = policy("publickey,password", true);
	assert_int_equal(ssh_policy_proved(&p, PROOF_KEY), SSH_AUTH_PARTIAL);
	assert_int_equal(ssh_policy_proved(&p, PROOF_PASSWORD), SSH_AUTH_PARTIAL);
	assert_string_equal(takes(&p), "c");
}

/* No sequence of four proofs ends a login that lacks what was asked for. */
static void
test_all_sequences(void **state)
{
	static const char *const settings[] = {"", "publickey", "publickey,keyboard-interactive",
	    "keyboard-interactive,publickey", "publickey,password keyboard-interactive"};

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(settings); s++)
		for (unsigned seq = 0; seq < 256; seq++) {
			struct ssh_policy p = policy(settings[s], true);
			bool code = false, key = false;

			for (unsigned i = 0; i < 4; i++) {
				enum ssh_proof m = seq >> 2 * i & 3;

				if (!ssh_policy_takes(&p, m))
					break;
				code = code || m == PROOF_CODE;
				key = key || m == PROOF_KEY;
				if (ssh_policy_proved(&p, m) != SSH_AUTH_DONE)
					continue;
				assert_true(code);
				assert_true(key || s == 0 || s == 4);
				break;
			}
		}
}

static void
test_syntax(void **state)
{
	static const char *const bad[] = {" ", "none", "publickey,", ",publickey",
	    "publickey,,password", "publickey,publickey", "code", "publickey;password", "hostbased",
	    "Publickey"};
	struct ssh_policy p;
	char text[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ssh_policy_init(&p, span_str(bad[i]), false), SP_ESYNTAX);
	assert_int_equal(ssh_policy_init(&p,
			     SPAN_LIT("password password password password password password "
				      "password password password"),
			     false),
	    SP_ERANGE);
	memset(text, ' ', sizeof(text));
	memcpy(text, "password", 8);
	assert_int_equal(ssh_policy_init(&p, span_of(text, 255), false), SP_OK);
	assert_int_equal(ssh_policy_init(&p, span_of(text, 256), false), SP_ERANGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any),
	    cmocka_unit_test(test_together),
	    cmocka_unit_test(test_code),
	    cmocka_unit_test(test_all_sequences),
	    cmocka_unit_test(test_syntax),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
