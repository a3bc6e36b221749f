/* packet_fuzz.c - any payload, in every phase before and after the login: a parser takes its own
 * number only, its spans lie inside the payload, and what it took, written again, is the payload:
 * no byte has two readings. */
#include "base/mem.h"
#include "proto/ssh/ssh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is being looked at, and room to write it again. */
struct again {
	struct span payload;
	uint8_t *buf;
	struct wr w;
};

/* Every span that a parser gives is written through here. */
static void
put(struct again *a, struct span s)
{
	const uint8_t *first = a->payload.ptr, *end = first + a->payload.len;

	VERIFY(s.len == 0 || (s.ptr >= first && s.ptr <= end && s.len <= (size_t)(end - s.ptr)));
	ssh_put_string(&a->w, s);
}

/* The next byte of the payload is this boolean, in one of its encodings. */
static void
put_bool(struct again *a, bool v)
{
	VERIFY(a->w.len < a->payload.len && (a->payload.ptr[a->w.len] != 0) == v);
	wr_uint(&a->w, a->payload.ptr[a->w.len], 1);
}

/* The payload has something here that the parser steps over: copy n bytes of it. */
static void
put_same(struct again *a, size_t n)
{
	VERIFY(n <= a->payload.len - a->w.len);
	wr_bytes(&a->w, span_cut(span_skip(a->payload, a->w.len), n));
}

static void
put_same_string(struct again *a)
{
	struct rd r = rd_of(span_skip(a->payload, a->w.len));
	struct span s = ssh_take_string(&r);

	VERIFY(!r.bad);
	put(a, s);
}

static void
put_rest(struct again *a, struct span rest)
{
	VERIFY(rest.len == a->payload.len - a->w.len);
	VERIFY(rest.len == 0 || rest.ptr == a->payload.ptr + a->w.len);
	put_same(a, rest.len);
}

/* A parser took the payload: was it its own, and is all of it accounted for? */
static void
same(struct again *a, unsigned first, unsigned last)
{
	VERIFY(a->payload.ptr[0] >= first && a->payload.ptr[0] <= last);
	VERIFY(!a->w.bad && span_eq(wr_span(&a->w), a->payload));
	a->w = wr_of(a->buf, a->payload.len);
}

static void
transport_try(struct again *a)
{
	struct ssh_kexinit k;
	struct ssh_disconnect_msg d;
	struct span s, chosen;

	if (ssh_get_kexinit(a->payload, &k) == SP_OK) {
		put_same(a, 1);
		VERIFY(k.cookie.len == SSH_COOKIE && k.cookie.ptr == a->payload.ptr + 1);
		put_same(a, SSH_COOKIE);
		for (size_t i = 0; i < SSH_KEXINIT_LISTS; i++) {
			VERIFY(ssh_list_ok(k.list[i]) && k.list[i].len <= SSH_LIST_MAX);
			put(a, k.list[i]);
		}
		if (ssh_choose(k.list[SSH_CIPHER_IN], k.list[SSH_CIPHER_OUT], &chosen))
			VERIFY(chosen.len != 0 && chosen.len <= SSH_NAME_MAX);
		put_bool(a, k.first_follows);
		put_same(a, 4);
		same(a, 20, 20);
	}
	if (ssh_get_ecdh_init(a->payload, &s) == SP_OK) {
		put_same(a, 1);
		put(a, s);
		same(a, 30, 30);
	}
	if (ssh_get_service_request(a->payload, &s) == SP_OK) {
		put_same(a, 1);
		put(a, s);
		same(a, 5, 5);
	}
	if (ssh_get_newkeys(a->payload) == SP_OK) {
		put_same(a, 1);
		same(a, 21, 21);
	}
	if (ssh_get_disconnect(a->payload, &d) == SP_OK) {
		put_same(a, 1);
		wr_uint(&a->w, d.reason, 4);
		put(a, d.description);
		put_same_string(a);
		same(a, 1, 1);
	}
}

static void
method_try(struct again *a, const struct ssh_userauth *m)
{
	switch (m->method) {
	case SSH_METHOD_OTHER:
		put_same(a, a->payload.len - a->w.len);
		return;
	case SSH_METHOD_NONE:
		return;
	case SSH_METHOD_PUBLICKEY:
		put_bool(a, m->has_signature);
		put(a, m->algorithm);
		put(a, m->key);
		if (m->has_signature)
			put(a, m->signature);
		return;
	case SSH_METHOD_PASSWORD:
		put_bool(a, m->changes);
		put(a, m->password);
		if (m->changes)
			put_same_string(a);
		return;
	case SSH_METHOD_INTERACTIVE:
		put_same_string(a);
		put(a, m->submethods);
		return;
	}
	VERIFY(false);
}

/* The signed data is the request: a verifier that builds it from the fields sees what the client
 * signed. */
static void
signed_try(struct again *a, const struct ssh_userauth *m)
{
	size_t cap = a->payload.len + 8;
	DEFER(mem_freep) uint8_t *buf = mem_alloc(cap);
	struct wr w = wr_of(buf, cap);
	struct span request;

	VERIFY(buf != NULL);
	ssh_userauth_signed(&w, span_of(NULL, 0), m->user, m->service, m->algorithm, m->key);
	VERIFY(!w.bad);
	request = span_skip(wr_span(&w), 4);
	for (size_t i = 0; i < request.len; i++)
		VERIFY(request.ptr[i] == a->payload.ptr[i] ||
		       (request.ptr[i] == 1 && a->payload.ptr[i] > 1));
}

static void
auth_try(struct again *a)
{
	struct ssh_userauth m;
	struct span s;

	if (ssh_get_userauth(a->payload, &m) == SP_OK) {
		VERIFY(m.user.len <= SSH_USER_MAX && m.service.len <= SSH_NAME_MAX);
		VERIFY(m.method_name.len <= SSH_NAME_MAX && m.algorithm.len <= SSH_NAME_MAX);
		put_same(a, 1);
		put(a, m.user);
		put(a, m.service);
		put(a, m.method_name);
		method_try(a, &m);
		same(a, 50, 50);
		if (m.has_signature)
			signed_try(a, &m);
	}
	for (uint32_t n = 0; n < 2; n++)
		if (ssh_get_info_response(a->payload, n, &s) == SP_OK) {
			put_same(a, 1);
			wr_uint(&a->w, n, 4);
			if (n == 1)
				put(a, s);
			same(a, 61, 61);
		}
}

static void
channel_try(struct again *a)
{
	struct ssh_channel_msg m;

	if (ssh_get_channel_msg(a->payload, &m) < 0)
		return;
	switch (a->payload.ptr[0]) {
	case SSH_MSG_CHANNEL_WINDOW_ADJUST:
		ssh_put_window_adjust(&a->w, m.channel, m.adjust);
		break;
	case SSH_MSG_CHANNEL_DATA:
		ssh_put_data_head(&a->w, m.channel, (uint32_t)m.data.len);
		put_rest(a, m.data);
		break;
	case SSH_MSG_CHANNEL_EXTENDED_DATA:
		ssh_put_extended_data(&a->w, m.channel, m.data_type, m.data);
		break;
	default:
		ssh_put_channel(&a->w, (enum ssh_msg)a->payload.ptr[0], m.channel);
	}
	same(a, 93, 100);
}

static void
connection_try(struct again *a)
{
	struct ssh_global_request g;
	struct ssh_channel_open o;
	struct ssh_channel_request c;
	struct span s;

	if (ssh_get_global_request(a->payload, &g) == SP_OK) {
		put_same(a, 1);
		put(a, g.name);
		put_bool(a, g.want_reply);
		put_rest(a, g.rest);
		same(a, 80, 80);
	}
	if (ssh_get_channel_open(a->payload, &o) == SP_OK) {
		put_same(a, 1);
		put(a, o.type);
		wr_uint(&a->w, o.peer, 4);
		wr_uint(&a->w, o.window, 4);
		wr_uint(&a->w, o.packet_max, 4);
		put_rest(a, o.rest);
		same(a, 90, 90);
	}
	if (ssh_get_channel_request(a->payload, &c) == SP_OK) {
		put_same(a, 1);
		wr_uint(&a->w, c.channel, 4);
		put(a, c.type);
		put_bool(a, c.want_reply);
		if (ssh_get_request_string(&c, &s) == SP_OK)
			put(a, s);
		else
			put_rest(a, c.rest);
		same(a, 98, 98);
	}
}

/* A message is taken before the login only if it belongs there. */
static void
judge_try(uint8_t number)
{
	for (unsigned phase = 1; phase <= SSH_PHASE_OPEN; phase <<= 1) {
		enum ssh_verdict v = ssh_judge(number, (enum ssh_phase)phase, false);
		enum ssh_verdict strict = ssh_judge(number, (enum ssh_phase)phase, true);

		VERIFY(v != SSH_TAKE || phase == SSH_PHASE_OPEN || number < 80);
		VERIFY((v == SSH_TAKE) == (strict == SSH_TAKE));
		VERIFY(strict == v || (strict == SSH_FORBIDDEN && phase < SSH_PHASE_SERVICE));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	DEFER(mem_freep) uint8_t *buf = mem_alloc(size + 1);
	struct again a = {span_of(data, size), buf, wr_of(buf, size)};

	VERIFY(buf != NULL);
	transport_try(&a);
	auth_try(&a);
	connection_try(&a);
	channel_try(&a);
	if (size != 0)
		judge_try(data[0]);
	return 0;
}
