/* engine_test.c - the transport from the version line to the login. */
#include "rooms/gate/sftp/engine_fix.h"

#include "sys/clock.h"

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
		while (peer_pending(e->peer, 3000) && !e->peer->closed && e->peer->have < 17)
			(void)peer_pending(e->peer, 10);
		assert_memory_equal(e->peer->in, "SSH-2.0-Server\r\n", 16);
		e->peer->at = 16;
		if (rows[i].good) {
			assert_true(peer_recv(e->peer, &m));
			assert_int_equal(m.ptr[0], SSH_MSG_KEXINIT);
		} else {
			while (!e->peer->closed)
				(void)peer_pending(e->peer, 0);
		}
		engine_end(e);
	}
}
