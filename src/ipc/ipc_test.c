#include "base/test.h"
#include "base/mem.h"
#include "ipc/ipc.h"

/* A span of n bytes of one non-zero letter, in memory that every message may borrow. */
static const uint8_t *
letters(void)
{
	static uint8_t many[IPC_MAX];

	memset(many, 'x', sizeof many);
	return many;
}

#define FILL_u8(f, max) m.f = (uint8_t)(max);
#define FILL_u16(f, max) m.f = (uint16_t)(max);
#define FILL_u32(f, max) m.f = (uint32_t)(max);
#define FILL_u64(f, max) m.f = (max);
#define FILL_str(f, max) m.f = span_of(letters(), (max));
#define FILL_blob(f, max) m.f = span_of(letters(), (max));
#define FILL_secret(f, max) m.f = span_of(letters(), (max));
#define FILL_b16(f, max) memset(m.f.b, 7, sizeof m.f.b);
#define FILL_b32(f, max) memset(m.f.b, 7, sizeof m.f.b);

typedef int codec_fn(uint8_t *buf, size_t cap, size_t *ret_len);
typedef int decode_fn(struct span body);

/* Per row: encode with every field at its maximum; encode empty; decode and encode again. */
#define F(type, field, max) FILL_##type(field, max)
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	static int full_##name(uint8_t *buf, size_t cap, size_t *ret_len)                          \
	{                                                                                          \
		struct ipc_##name m;                                                               \
		struct wr w = wr_of(buf, cap);                                                     \
		int rc;                                                                            \
                                                                                                   \
		memset(&m, 0, sizeof m);                                                           \
		IPC_FIELDS_##name(F) rc = ipc_put_##name(&w, &m);                                  \
		*ret_len = w.len;                                                                  \
		return rc;                                                                         \
	}                                                                                          \
	static int empty_##name(uint8_t *buf, size_t cap, size_t *ret_len)                         \
	{                                                                                          \
		struct ipc_##name m;                                                               \
		struct wr w = wr_of(buf, cap);                                                     \
		int rc;                                                                            \
                                                                                                   \
		memset(&m, 0, sizeof m);                                                           \
		rc = ipc_put_##name(&w, &m);                                                       \
		*ret_len = w.len;                                                                  \
		return rc;                                                                         \
	}                                                                                          \
	static int decode_##name(struct span body)                                                 \
	{                                                                                          \
		static uint8_t again[IPC_MAX];                                                     \
		struct ipc_##name m;                                                               \
		struct wr w = wr_of(again, sizeof again);                                          \
		int rc = ipc_get_##name(body, &m);                                                 \
                                                                                                   \
		if (rc == SP_OK) {                                                                 \
			assert_int_equal(ipc_put_##name(&w, &m), 0);                               \
			assert_int_equal(w.len, body.len);                                         \
			assert_memory_equal(again, body.ptr, w.len);                               \
		}                                                                                  \
		return rc;                                                                         \
	}
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F

struct row {
	const char *name;
	codec_fn *full, *empty;
	decode_fn *decode;
	size_t size;
};
static const struct row table[] = {
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	{#name, full_##name, empty_##name, decode_##name, IPC_SIZE_##NAME},
#include "ipc/protocol.def"
#undef IPC_MSG
};

static void
the_fullest_message_has_the_size_of_the_table(void **state)
{
	static uint8_t buf[IPC_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(table[i].full(buf, sizeof buf, &len), 0);
		assert_int_equal(len, table[i].size);
		assert_int_equal(table[i].decode(span_of(buf, len)), 0);
		assert_err(table[i].full(buf, table[i].size - 1, &len), SP_ESPACE);
	}
}

/* Every prefix fails; in memory of exactly that length, so that the sanitizer sees any read beyond.
 */
static void
every_truncation_fails(void **state)
{
	static uint8_t buf[IPC_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(table[i].full(buf, sizeof buf, &len), 0);
		for (size_t n = 0; n<len; n += len> 2000 && n > 200 && n + 200 < len ? 997 : 1) {
			DEFER(mem_freep) uint8_t *cut = mem_alloc(n);

			memcpy(cut, buf, n);
			assert_true(table[i].decode(span_of(cut, n)) < 0);
		}
		assert_err(table[i].decode(span_of(buf, len + 1)), SP_ETRAIL);
	}
}

/* A flipped bit either fails or gives a message whose one encoding is those bytes (decode checks).
 */
static void
every_flipped_bit_is_handled(void **state)
{
	uint8_t buf[2048];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(table[i].empty(buf, sizeof buf, &len), 0);
		assert_int_equal(table[i].decode(span_of(buf, len)), 0);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
			(void)!table[i].decode(span_of(buf, len));
			buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

static void
maxima_hold_on_both_sides(void **state)
{
	uint8_t buf[512], big[1100];
	struct wr w = wr_of(buf, sizeof buf);
	struct ipc_file file = {32, SPAN_LIT("")}, got = {5, SPAN_LIT("kept")};
	struct ipc_tls_sign sign = {1, span_of(letters(), 1025)};

	(void)state;
	assert_err(ipc_put_file(&w, &file), SP_ERANGE);
	w = wr_of(buf, sizeof buf);
	assert_err(ipc_put_tls_sign(&w, &sign), SP_ERANGE);
	/* by hand: what = 32; then a name with a NUL; then a length over the row */
	assert_err(ipc_get_file(SPAN_LIT("\x20\0\0\0\0"), &got), SP_ERANGE);
	assert_err(ipc_get_file(SPAN_LIT("\x01\0\0\0\x02"
					 "a\0"),
		       &got),
	    SP_ERANGE);
	memset(big, 'x', sizeof big);
	memcpy(big, "\x01\0\0\x04\x01", 5);
	assert_err(ipc_get_file(span_of(big, 5 + 1025), &got), SP_ERANGE);
	assert_err(ipc_get_file(SPAN_LIT("\x01\xff\xff\xff\xff"), &got), SP_ERANGE);
	assert_int_equal(got.what, 5); /* untouched on failure */
	assert_span(got.name, "kept");
	w = wr_of(buf, sizeof buf);
	file = (struct ipc_file){1, span_of("a\0b", 3)};
	assert_err(ipc_put_file(&w, &file), SP_ERANGE);
}

static void
rows_are_taken_one_by_one(void **state)
{
	uint8_t buf[4096];
	struct wr w = wr_of(buf, sizeof buf);
	struct ipc_entry_rec e, got;
	struct rd r;

	(void)state;
	memset(&e, 0, sizeof e);
	for (uint64_t i = 1; i <= 3; i++) {
		e.id = i;
		e.name = SPAN_LIT("n");
		assert_int_equal(ipc_put_entry_rec(&w, &e), 0);
	}
	r = rd_of(wr_span(&w));
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(ipc_take_entry_rec(&r, &got), 0);
		assert_true(got.id == i);
		assert_span(got.name, "n");
	}
	assert_true(rd_done(&r));
	assert_err(ipc_take_entry_rec(&r, &got), SP_ESHORT);
}

static void
permissions_are_the_table(void **state)
{
	(void)state;
	assert_int_equal(ipc_check(IPC_V_RELEASE, ROOM_LEDGER, ROOM_VAULT, PH_ANY, 0), 0);
	for (int from = 0; from < ROOM_COUNT; from++)
		if (from != ROOM_LEDGER) /* only the ledger's word releases a key */
			assert_err(ipc_check(IPC_V_RELEASE, (enum room)from, ROOM_VAULT, PH_ANY, 0),
			    SP_EDENIEDMSG);
	assert_err(ipc_check(IPC_OPEN, ROOM_WORKER_HTTPS, ROOM_BROKER, PH_FRESH, 0), SP_EDENIEDMSG);
	assert_int_equal(ipc_check(IPC_OPEN, ROOM_WORKER_HTTPS, ROOM_BROKER, PH_AUTHED, 0), 0);
	assert_err(ipc_check(IPC_OPEN, ROOM_WORKER_HTTPS, ROOM_BROKER, PH_AUTHED, 1), SP_EFDS);
	assert_err(ipc_check(IPC_FILE_OPEN, ROOM_BROKER, ROOM_WORKER_HTTPS, PH_ANY, 0), SP_EFDS);
	assert_err(ipc_check(19, ROOM_BROKER, ROOM_WORKER_HTTPS, PH_ANY, 0), SP_EUNKNOWNMSG);
	assert_err(ipc_check(IPC_OPEN, (enum room)77, ROOM_BROKER, PH_AUTHED, 0), SP_EDENIEDMSG);
	for (int a = 0; a < ROOM_COUNT; a++) /* a row inside a list is sent by nobody */
		for (int b = 0; b < ROOM_COUNT; b++)
			assert_err(ipc_check(IPC_ENTRY_REC, (enum room)a, (enum room)b, PH_ANY, 0),
			    SP_EDENIEDMSG);
	assert_null(ipc_rule(0));
}

static void
the_topology_is_the_design(void **state)
{
	static const enum room alone[][2] = {{ROOM_BROKER, ROOM_VAULT},
	    {ROOM_WORKER_HTTPS, ROOM_LEDGER}, {ROOM_WORKER_HTTPS, ROOM_WORKER_HTTPS},
	    {ROOM_WORKER_HTTPS, ROOM_AUTHENTICATOR}, {ROOM_SIGNER, ROOM_VAULT},
	    {ROOM_GATE_HTTPS, ROOM_SIGNER}, {ROOM_GATE_HTTPS, ROOM_VAULT}, {ROOM_CLI, ROOM_LEDGER}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(alone); i++)
		assert_false(ipc_linked(alone[i][0], alone[i][1]));
	assert_true(ipc_linked(ROOM_LEDGER, ROOM_VAULT));
	assert_true(ipc_linked(ROOM_VAULT, ROOM_WORKER_HTTPS));
	assert_true(ipc_linked(ROOM_BROKER, ROOM_LEDGER));
	assert_string_equal(room_table[ROOM_GATE_HTTPS].name + 5, "https");
	assert_true(ipc_linked(ROOM_SIGNER, ROOM_BROKER));	 /* session identifiers */
	assert_true(ipc_linked(ROOM_VAULT, ROOM_AUTHENTICATOR)); /* seeds of one-time codes */
	/* the broker tells the gates of addresses; they have nothing to tell it */
	assert_int_equal(ipc_check(IPC_ADDRESS, ROOM_BROKER, ROOM_GATE_SFTP, PH_ANY, 0), 0);
	for (unsigned id = 0; id < 1000; id++)
		assert_true(ipc_check((uint16_t)id, ROOM_GATE_HTTPS, ROOM_BROKER, PH_ANY, 0) < 0 &&
			    ipc_check((uint16_t)id, ROOM_GATE_HTTPS, ROOM_BROKER, PH_ANY, 1) < 0);
}

static void
doors_are_apart(void **state)
{
	static const enum room https[] = {ROOM_GATE_HTTPS, ROOM_WORKER_HTTPS},
			       sftp[] = {ROOM_GATE_SFTP, ROOM_WORKER_SFTP};

	(void)state;
	for (size_t a = 0; a < ARRAY_LEN(https); a++)
		for (size_t b = 0; b < ARRAY_LEN(sftp); b++)
			assert_false(ipc_linked(https[a], sftp[b]));
	assert_true(ipc_linked(ROOM_GATE_SFTP, ROOM_WORKER_SFTP));
	assert_err(
	    ipc_check(IPC_CONNECTION, ROOM_GATE_SFTP, ROOM_WORKER_HTTPS, PH_ANY, 1), SP_EDENIEDMSG);
	assert_err(
	    ipc_check(IPC_CONNECTION, ROOM_GATE_HTTPS, ROOM_WORKER_SFTP, PH_ANY, 1), SP_EDENIEDMSG);
	assert_err(
	    ipc_check(IPC_TLS_SIGN, ROOM_WORKER_SFTP, ROOM_SIGNER, PH_ANY, 0), SP_EDENIEDMSG);
	assert_err(
	    ipc_check(IPC_SSH_KEX, ROOM_WORKER_HTTPS, ROOM_SIGNER, PH_ANY, 0), SP_EDENIEDMSG);
	assert_int_equal(ipc_gate(ROOM_WORKER_HTTPS), ROOM_GATE_HTTPS);
	assert_int_equal(ipc_gate(ROOM_WORKER_SFTP), ROOM_GATE_SFTP);
	assert_int_equal(ipc_door(ROOM_BROKER), 0);
	for (unsigned r = 0; r < ROOM_COUNT; r++) {
		assert_true(
		    ipc_is_gate((enum room)r) == (r == ROOM_GATE_HTTPS || r == ROOM_GATE_SFTP));
		assert_true(ipc_is_worker((enum room)r) ==
			    (r == ROOM_WORKER_HTTPS || r == ROOM_WORKER_SFTP));
	}
}

/* The vault reads only the ledger's and the supervisor's sockets (DESIGN.md, rooms). */
static void
the_vault_listens_to_two_rooms(void **state)
{
	(void)state;
	for (unsigned id = 0; id <= UINT16_MAX; id++)
		for (int from = 0; from < ROOM_COUNT; from++)
			if (from != ROOM_LEDGER && from != ROOM_SUPERVISOR && from != ROOM_CLI)
				assert_true(ipc_check((uint16_t)id, (enum room)from, ROOM_VAULT,
						PH_ANY, 0) < 0);
}

static void
pairs_round_trip(void **state)
{
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof buf);
	struct span k, v;
	struct rd r;

	(void)state;
	ipc_pair_put(&w, "why", SPAN_LIT("because"));
	ipc_pair_put(&w, "none", SPAN_LIT(""));
	assert_false(w.bad);
	r = rd_of(wr_span(&w));
	assert_true(ipc_pair_take(&r, &k, &v));
	assert_span(k, "why");
	assert_span(v, "because");
	assert_true(ipc_pair_take(&r, &k, &v));
	assert_span(k, "none");
	assert_int_equal(v.len, 0);
	assert_false(ipc_pair_take(&r, &k, &v));
	assert_true(rd_done(&r));
	for (size_t n = 1; n < w.len; n++) {
		size_t got = 0;

		r = rd_of(span_of(buf, n));
		while (ipc_pair_take(&r, &k, &v))
			got++;
		assert_true(r.bad || got == 1); /* one prefix is a whole pair */
	}
	ipc_pair_put(&w, "", SPAN_LIT("x"));
	assert_true(w.bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_fullest_message_has_the_size_of_the_table),
	    cmocka_unit_test(every_truncation_fails),
	    cmocka_unit_test(every_flipped_bit_is_handled),
	    cmocka_unit_test(maxima_hold_on_both_sides),
	    cmocka_unit_test(rows_are_taken_one_by_one),
	    cmocka_unit_test(permissions_are_the_table),
	    cmocka_unit_test(the_topology_is_the_design), cmocka_unit_test(doors_are_apart),
	    cmocka_unit_test(the_vault_listens_to_two_rooms), cmocka_unit_test(pairs_round_trip)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
