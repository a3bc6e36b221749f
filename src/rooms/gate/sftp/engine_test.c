/* engine_test.c - the transport from the version line to the login. */
#include "rooms/gate/sftp/engine_fix.h"

#include "base/mem.h"
#include "sys/fd.h"

/* ---- versions ---- */

static void
test_versions(void **state)
{
	static const struct {
		const char *line;
		bool good;
	} rows[] = {
	    {"SSH-2.0-a\r\n", true},
	    {"SSH-2.0-a\n", true},
	    {"SSH-1.99-a b c\r\n", true},
	    {"SSH-1.5-a\r\n", false},
	    {"GET / HTTP/1.1\r\n", false},
	    {"\r\n", false},
	    {"SSH-2.0-\r\n", false},
	    {"SSH-2.0-a\rb\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = engine_new();
		struct span m;

		engine_start(e);
		peer_bytes(e->peer, span_str(rows[i].line));
		while (e->peer->have < 16 && peer_pending(e->peer, 3000))
			assert_true(e->peer->have > 0);
		assert_memory_equal(e->peer->in, "SSH-2.0-Server\r\n", 16);
		e->peer->at = 16;
		if (rows[i].good) {
			assert_true(peer_recv(e->peer, &m));
			assert_int_equal(m.ptr[0], SSH_MSG_KEXINIT);
		} else {
			while (!e->peer->closed) {
				e->peer->at = e->peer->have;
				(void)peer_pending(e->peer, 100);
			}
		}
		close_fd(&e->peer->fd);
		engine_over(e);
		assert_int_equal(e->contacts, !rows[i].good);
		assert_int_equal(e->contact, rows[i].good ? 0 : CONTACT_NO_SSH);
		mem_free(e);
	}
}

/* ---- key exchange ---- */

static struct peer *
first(struct engine *e, const struct peer_offer *o)
{
	engine_start(e);
	e->peer->offer = *o;
	peer_versions(e->peer);
	peer_kexinit(e->peer);
	peer_take_kexinit(e->peer, peer_expect(e->peer, SSH_MSG_KEXINIT));
	return e->peer;
}

#define STRICT "curve25519-sha256,kex-strict-c-v00@openssh.com"

static void
test_ciphers(void **state)
{
	static const struct {
		const char *kex, *cipher;
		bool good;
	} rows[] = {
	    {STRICT, "aes256-gcm@openssh.com", true},
	    {STRICT, "aes128-gcm@openssh.com", true},
	    {STRICT, "chacha20-poly1305@openssh.com", true},
	    {STRICT, "aes256-ctr", true},
	    {STRICT, "aes128-ctr", true},
	    {STRICT, "aes128-cbc", false},
	    {"curve25519-sha256@libssh.org", "aes256-gcm@openssh.com", true},
	    {"curve25519-sha256", "chacha20-poly1305@openssh.com", false},
	    {"curve25519-sha256", "aes256-ctr", true},
	    {"kex-strict-s-v00@openssh.com,ext-info-s", "aes256-gcm@openssh.com", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = engine_new();
		const struct peer_offer o = {.kex = rows[i].kex, .cipher = rows[i].cipher};
		struct peer *p = first(e, &o);

		if (rows[i].good) {
			peer_exchange(p);
			peer_service(p);
			peer_password(p, "alice", "secret");
			(void)peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
			peer_kexinit(p); /* and once more, with or without strictness */
			peer_take_kexinit(p, peer_expect(p, SSH_MSG_KEXINIT));
			peer_exchange(p);
			peer_open(p, 1000, 1000);
		} else
			peer_dies(p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
		engine_end(e);
	}
}

static void
test_no_common(void **state)
{
	static const struct peer_offer rows[] = {
	    {.kex = "diffie-hellman-group14-sha256"},
	    {.host = "ssh-rsa"},
	    {.cipher = "aes256-ctr", .mac = "hmac-sha2-256"},
	    {.zip = "zlib"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = engine_new();

		peer_dies(first(e, &rows[i]), SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
		engine_end(e);
	}
}

/* A wrong guess is dropped unread, a right one is taken; what is not what was announced ends it. */
static void
test_guess(void **state)
{
	static const char *const kex[] = {
	    "ecdh-sha2-nistp521,curve25519-sha256,kex-strict-c-v00@openssh.com",
	    "curve25519-sha256", NULL, "ecdh-sha2-nistp521,curve25519-sha256"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kex); i++) {
		struct engine *e = engine_new();
		const struct peer_offer o = {.kex = kex[i], .first_follows = true};
		struct peer *p = first(e, &o);
		struct wr w = peer_writer(p);

		if (i == 3) {
			peer_number(p, SSH_MSG_NEWKEYS);
			peer_dies(p, SSH_DISCONNECT_PROTOCOL_ERROR);
			engine_end(e);
			continue;
		}
		if (i == 0) {
			wr_uint(&w, 30, 1);
			ssh_put_string(&w, SPAN_LIT("no point of this curve"));
			peer_send(p, &w);
		}
		peer_exchange(p);
		peer_service(p);
		engine_end(e);
	}
}

/* Terrapin: with strict key exchange nothing is let in between; without, IGNORE is legal. */
static void
test_strict(void **state)
{
	static const uint8_t between[] = {
	    SSH_MSG_IGNORE, SSH_MSG_DEBUG, SSH_MSG_UNIMPLEMENTED, 200};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(between); i++) {
		struct engine *e = engine_new();
		struct peer *p;
		bool before = i % 2 == 0;

		engine_start(e);
		p = e->peer;
		peer_versions(p);
		if (before)
			peer_number(p, between[i / 2]);
		peer_kexinit(p);
		(void)peer_expect(p, SSH_MSG_KEXINIT);
		if (!before)
			peer_number(p, between[i / 2]);
		peer_dies(p, SSH_DISCONNECT_PROTOCOL_ERROR);
		engine_end(e);
	}
	{
		struct engine *e = engine_new();
		const struct peer_offer o = {.kex = "curve25519-sha256"};
		struct peer *p = first(e, &o);

		peer_number(p, SSH_MSG_IGNORE);
		peer_exchange(p);
		peer_service(p);
		engine_end(e);
	}
}

static void
test_bad_publics(void **state)
{
	static const uint8_t zeros[32];
	const struct span rows[] = {span_of(zeros, 32), span_of(zeros, 31), span_of(zeros, 0),
	    SPAN_LIT("too long to be a point of this curve")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine *e = engine_new();
		const struct peer_offer o = {0};
		struct peer *p = first(e, &o);
		struct wr w = peer_writer(p);

		wr_uint(&w, SSH_MSG_KEX_ECDH_INIT, 1);
		ssh_put_string(&w, rows[i]);
		peer_send(p, &w);
		peer_dies(p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
		assert_int_equal(e->signs, 0);
		engine_end(e);
	}
}

static void
test_signer_refuses(void **state)
{
	struct engine *e = engine_new();
	const struct peer_offer o = {0};
	struct peer *p = first(e, &o);
	struct wr w = peer_writer(p);
	uint8_t q[32];

	(void)state;
	EVP_PKEY_free(x25519_new(q));
	e->signer_refuses = true;
	wr_uint(&w, SSH_MSG_KEX_ECDH_INIT, 1);
	ssh_put_string(&w, span_of(q, 32));
	peer_send(p, &w);
	peer_dies(p, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE);
	engine_end(e);
}

/* ---- authentication ---- */

static void
by_key(struct peer *p, const char *user, const char *key, const char *signature)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_USERAUTH_REQUEST, 1);
	ssh_put_string(&w, span_str(user));
	ssh_put_string(&w, SPAN_LIT("ssh-connection"));
	ssh_put_string(&w, SPAN_LIT("publickey"));
	wr_uint(&w, signature != NULL, 1);
	ssh_put_string(&w, SPAN_LIT("ssh-ed25519"));
	ssh_put_string(&w, span_str(key));
	if (signature != NULL)
		ssh_put_string(&w, span_str(signature));
	peer_send(p, &w);
}

static void
by_name(struct peer *p, const char *user, const char *method)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_USERAUTH_REQUEST, 1);
	ssh_put_string(&w, span_str(user));
	ssh_put_string(&w, SPAN_LIT("ssh-connection"));
	ssh_put_string(&w, span_str(method));
	if (strcmp(method, "keyboard-interactive") == 0) {
		ssh_put_string(&w, SPAN_LIT(""));
		ssh_put_string(&w, SPAN_LIT(""));
	}
	peer_send(p, &w);
}

static void
answers(struct peer *p, const char *text, unsigned n)
{
	struct wr w = peer_writer(p);

	wr_uint(&w, SSH_MSG_USERAUTH_INFO_RESPONSE, 1);
	wr_uint(&w, n, 4);
	for (unsigned i = 0; i < n; i++)
		ssh_put_string(&w, span_str(text));
	peer_send(p, &w);
}

static struct peer *
service(struct engine *e)
{
	engine_start(e);
	peer_first(e->peer);
	peer_service(e->peer);
	return e->peer;
}

static bool
refused(struct peer *p)
{
	struct span m = peer_expect(p, SSH_MSG_USERAUTH_FAILURE);

	return m.ptr[m.len - 1] == 0;
}

static void
test_keys(void **state)
{
	struct engine *e = engine_new();
	struct peer *p = service(e);

	(void)state;
	by_name(p, "alice", "none");
	assert_true(refused(p));
	for (int i = 0; i < 10; i++) { /* keys that are only offered are no failures */
		by_key(p, "alice", "other", NULL);
		assert_true(refused(p));
	}
	by_key(p, "alice", "good", NULL);
	(void)peer_expect(p, SSH_MSG_USERAUTH_PK_OK);
	by_key(p, "alice", "good", ""); /* an empty signature is no question */
	assert_true(refused(p));
	by_key(p, "alice", "half", "x");
	assert_false(refused(p));
	by_key(p, "alice", "good", "x");
	(void)peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
	by_key(p, "alice", "good", "x"); /* RFC 4252 section 5.3: silently ignored */
	assert_false(peer_pending(p, 100));
	peer_open(p, 1000, 1000);
	engine_end(e);
}

static void
test_interactive(void **state)
{
	struct engine *e = engine_new();
	struct peer *p;
	struct span m;

	(void)state;
	memcpy(e->conf.sftp_banner, "No trespassing", 15);
	p = service(e);
	by_name(p, "alice", "keyboard-interactive");
	assert_non_null(
	    memmem(peer_expect(p, SSH_MSG_USERAUTH_BANNER).ptr, 30, "No trespassing", 14));
	m = peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
	assert_non_null(memmem(m.ptr, m.len, "Password: ", 10));
	answers(p, "wrong", 1);
	assert_true(refused(p));
	by_name(p, "alice", "keyboard-interactive");
	(void)peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
	answers(p, "code", 2); /* another number of answers */
	assert_true(refused(p));
	by_name(p, "alice", "keyboard-interactive");
	(void)peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
	by_name(p, "alice", "keyboard-interactive"); /* gives the question up */
	(void)peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
	answers(p, "code", 1);
	m = peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
	assert_non_null(memmem(m.ptr, m.len, "Verification code: ", 19));
	answers(p, "123456", 1);
	(void)peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
	engine_end(e);
}

static void
test_endings(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		struct engine *e = engine_new();
		struct peer *p;
		unsigned reason = SSH_DISCONNECT_PROTOCOL_ERROR;
		const char *limit = "";

		e->conf.auth_tries = 3;
		p = service(e);
		switch (i) {
		case 0:
			for (int k = 0; k < 2; k++) {
				peer_password(p, "alice", "wrong");
				assert_true(refused(p));
			}
			peer_password(p, "alice", "wrong");
			reason = SSH_DISCONNECT_NO_MORE_AUTH_METHODS;
			limit = "MaxAuthTries";
			break;
		case 1:
			for (int k = 0; k < 65; k++)
				by_name(p, "alice", "keyboard-interactive");
			for (int k = 0; k < 64; k++)
				(void)peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
			reason = SSH_DISCONNECT_NO_MORE_AUTH_METHODS;
			limit = "authentication requests";
			break;
		case 2:
			by_name(p, "alice", "none");
			assert_true(refused(p));
			by_name(p, "bob", "none");
			reason = SSH_DISCONNECT_ILLEGAL_USER_NAME;
			break;
		case 3:
			by_key(p, "locked", "good", NULL);
			reason = SSH_DISCONNECT_NO_MORE_AUTH_METHODS;
			break;
		case 4:
			peer_password(p, "alice", "later");
			reason = SSH_DISCONNECT_SERVICE_NOT_AVAILABLE;
			break;
		case 5: /* libssh's CVE-2018-10933 */
			peer_number(p, SSH_MSG_USERAUTH_SUCCESS);
			break;
		case 6:
			answers(p, "nobody asked", 1);
			break;
		default:
			peer_kexinit(p); /* the signer gives one signature before a login */
		}
		peer_dies(p, reason);
		engine_over(e);
		assert_string_equal(e->limit, limit);
		assert_int_equal(e->limits, limit[0] != '\0');
		mem_free(e);
	}
}

/* DISCONNECT, and hanging up, in every phase: nothing is left behind, nothing crashes. */
static void
test_leaves(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		struct engine *e = engine_new();
		struct peer *p;

		engine_start(e);
		p = e->peer;
		if (i / 2 >= 1)
			peer_versions(p);
		if (i / 2 >= 2) {
			peer_kexinit(p);
			peer_take_kexinit(p, peer_expect(p, SSH_MSG_KEXINIT));
		}
		if (i / 2 >= 3)
			peer_exchange(p);
		if (i / 2 >= 4) {
			peer_service(p);
			peer_password(p, "alice", "secret");
			(void)peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
		}
		if (i / 2 >= 5) {
			peer_open(p, 1000, 1000);
			peer_subsystem(p, "sftp");
		}
		if (i % 2 == 1) {
			struct wr w = peer_writer(p);

			ssh_put_disconnect(&w, 11, SPAN_LIT("bye"));
			if (i / 2 >= 1)
				peer_send(p, &w);
			if (i / 2 >= 2) {
				struct span m;

				while (peer_recv(p, &m))
					assert_int_not_equal(m.ptr[0], SSH_MSG_DISCONNECT);
			}
		}
		engine_end(e);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_ciphers),
	    cmocka_unit_test(test_no_common),
	    cmocka_unit_test(test_guess),
	    cmocka_unit_test(test_strict),
	    cmocka_unit_test(test_bad_publics),
	    cmocka_unit_test(test_signer_refuses),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_interactive),
	    cmocka_unit_test(test_endings),
	    cmocka_unit_test(test_leaves),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
