/* ipc.c - codecs and permissions of every message, expanded from protocol.def. */
#include "ipc/ipc.h"

const struct room_row room_table[ROOM_COUNT] = {
#define ROOM(NAME, name, index, kind, text) [index] = {#name, text, ROOM_KIND_##kind},
#include "ipc/rooms.def"
#undef ROOM
};

/* ---- one pair of get and put per field type: all the code there is to trust ---- */

#define UINT_FIELD(T, W)                                                                           \
	static int get_##T(struct rd *r, uint64_t max, ipc_##T *ret)                               \
	{                                                                                          \
		uint64_t v = rd_uint(r, W);                                                        \
                                                                                                   \
		*ret = (ipc_##T)v;                                                                 \
		return v > max ? SP_ERANGE : SP_OK;                                                \
	}                                                                                          \
	static int put_##T(struct wr *w, uint64_t max, ipc_##T v)                                  \
	{                                                                                          \
		wr_uint(w, v, W);                                                                  \
		return (uint64_t)v > max ? SP_ERANGE : SP_OK;                                      \
	}
UINT_FIELD(u8, 1)
UINT_FIELD(u16, 2)
UINT_FIELD(u32, 4)
UINT_FIELD(u64, 8)

static int
get_blob(struct rd *r, uint64_t max, struct span *ret)
{
	uint64_t n = rd_uint(r, 4);

	if (n > max)
		return SP_ERANGE;
	*ret = rd_take(r, (size_t)n);
	return SP_OK;
}

/* A field that the sender left at {0} is the empty one. */
static int
put_blob(struct wr *w, uint64_t max, struct span s)
{
	if (s.len > max)
		return SP_ERANGE;
	wr_uint(w, s.len, 4);
	wr_bytes(w, s);
	return SP_OK;
}

static bool
has_nul(struct span s)
{
	return s.len != 0 && memchr(s.ptr, 0, s.len) != NULL;
}

static int
get_str(struct rd *r, uint64_t max, struct span *ret)
{
	int rc = get_blob(r, max, ret);

	return rc == SP_OK && has_nul(*ret) ? SP_ERANGE : rc;
}

static int
put_str(struct wr *w, uint64_t max, struct span s)
{
	return has_nul(s) ? SP_ERANGE : put_blob(w, max, s);
}
#define get_secret get_blob
#define put_secret put_blob

#define BYTES_FIELD(T)                                                                             \
	static int get_##T(struct rd *r, uint64_t max, ipc_##T *ret)                               \
	{                                                                                          \
		(void)max;                                                                         \
		rd_copy(r, ret->b, sizeof ret->b);                                                 \
		return SP_OK;                                                                      \
	}                                                                                          \
	static int put_##T(struct wr *w, uint64_t max, ipc_##T v)                                  \
	{                                                                                          \
		(void)max;                                                                         \
		wr_bytes(w, span_of(v.b, sizeof v.b));                                             \
		return SP_OK;                                                                      \
	}
BYTES_FIELD(b16)
BYTES_FIELD(b32)

/* ---- one codec per row ---- */

#define F(type, name, max)                                                                         \
	if (rc == SP_OK)                                                                           \
		rc = get_##type(r, (max), &m.name);
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	static int take_##name(struct rd *r, struct ipc_##name *ret)                               \
	{                                                                                          \
		struct ipc_##name m;                                                               \
		int rc = SP_OK;                                                                    \
                                                                                                   \
		memset(&m, 0, sizeof m);                                                           \
		IPC_FIELDS_##name(F) if (r->bad) return SP_ESHORT;                                 \
		if (rc == SP_OK)                                                                   \
			*ret = m;                                                                  \
		return rc;                                                                         \
	}                                                                                          \
	int ipc_get_##name(struct span body, struct ipc_##name *ret)                               \
	{                                                                                          \
		struct ipc_##name m;                                                               \
		struct rd r = rd_of(body);                                                         \
		int rc = take_##name(&r, &m);                                                      \
                                                                                                   \
		if (rc < 0)                                                                        \
			return rc;                                                                 \
		if (r.left != 0)                                                                   \
			return SP_ETRAIL;                                                          \
		*ret = m;                                                                          \
		return SP_OK;                                                                      \
	}
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F

#define F(type, name, max)                                                                         \
	if (rc == SP_OK)                                                                           \
		rc = put_##type(w, (max), m->name);
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	int ipc_put_##name(struct wr *w, const struct ipc_##name *m)                               \
	{                                                                                          \
		int rc = SP_OK;                                                                    \
                                                                                                   \
		IPC_FIELDS_##name(F) if (rc < 0) return rc;                                        \
		return w->bad ? SP_ESPACE : SP_OK;                                                 \
	}
#include "ipc/protocol.def"
#undef IPC_MSG
#undef F

int
ipc_take_entry_rec(struct rd *r, struct ipc_entry_rec *ret)
{
	return take_entry_rec(r, ret);
}

/* The id (2 bytes) and the greatest body fit into the one buffer size that every receiver has. */
#define IPC_MSG(id, NAME, name, from, to, phase, fds)                                              \
	_Static_assert(IPC_SIZE_##NAME + 2 <= IPC_MAX && (fds) <= IPC_MAX_FDS, #NAME);
#include "ipc/protocol.def"
#undef IPC_MSG

/* ---- permissions ---- */

static const struct ipc_rule rules[] = {
#define IPC_MSG(id, NAME, name, from, to, phase, fds) {(id), (from), (to), (phase), (fds), #name},
#include "ipc/protocol.def"
#undef IPC_MSG
};

enum rule_row {
#define IPC_MSG(id, NAME, name, from, to, phase, fds) RULE_##NAME,
#include "ipc/protocol.def"
#undef IPC_MSG
};

/* A switch: a number that two rows have does not compile. */
const struct ipc_rule *
ipc_rule(uint16_t id)
{
	switch (id) {
#define IPC_MSG(number, NAME, name, from, to, phase, fds)                                          \
	case (number):                                                                             \
		return &rules[RULE_##NAME];
#include "ipc/protocol.def"
#undef IPC_MSG
	default:
		return NULL;
	}
}

static unsigned
bit(enum room r)
{
	return (unsigned)r < ROOM_COUNT ? 1u << r : 0;
}

const struct ipc_lock_row ipc_locks[IPC_LOCKS] = {
#define LOCK(NAME, word, bit, GATE) {word, bit, GATE},
#include "ipc/doors.def"
#undef LOCK
};

unsigned
ipc_door(enum room room)
{
	static const unsigned doors[] = {
	    R_GATE_HTTPS | R_WORKER_HTTPS, R_GATE_SFTP | R_WORKER_SFTP};

	for (size_t i = 0; i < ARRAY_LEN(doors); i++)
		if ((doors[i] & bit(room)) != 0)
			return doors[i];
	return 0;
}

enum room
ipc_gate(enum room room)
{
	unsigned gate = ipc_door(room) & R_GATES;

	PRECOND(gate != 0);
	return (enum room)__builtin_ctz(gate);
}

bool
ipc_is_gate(enum room room)
{
	return (R_GATES & bit(room)) != 0;
}

bool
ipc_is_worker(enum room room)
{
	return (R_WORKERS & bit(room)) != 0;
}

/* of two doors? */
static bool
crosses(enum room a, enum room b)
{
	unsigned door = ipc_door(a);

	return door != 0 && ipc_door(b) != 0 && (door & bit(b)) == 0;
}

int
ipc_check(uint16_t id, enum room from, enum room to, enum phase phase, unsigned fds)
{
	const struct ipc_rule *r = ipc_rule(id);

	if (r == NULL)
		return SP_EUNKNOWNMSG;
	if (!(r->from & bit(from)) || !(r->to & bit(to)) || !(r->phase & (unsigned)phase) ||
	    crosses(from, to))
		return SP_EDENIEDMSG;
	return fds == r->fds ? SP_OK : SP_EFDS;
}

bool
ipc_linked(enum room a, enum room b)
{
	if (a == b || crosses(a, b))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (((rules[i].from & bit(a)) && (rules[i].to & bit(b))) ||
		    ((rules[i].from & bit(b)) && (rules[i].to & bit(a))))
			return true;
	return false;
}

/* ---- pairs of RECORD's detail ---- */

void
ipc_pair_put(struct wr *w, const char *key, struct span value)
{
	struct span k = span_str(key);

	if (k.len == 0 || k.len > UINT8_MAX || value.len > UINT16_MAX) {
		w->bad = true;
		return;
	}
	wr_uint(w, k.len, 1);
	wr_bytes(w, k);
	wr_uint(w, value.len, 2);
	wr_bytes(w, value);
}

bool
ipc_pair_take(struct rd *r, struct span *ret_key, struct span *ret_value)
{
	struct span k, v;

	if (r->bad || r->left == 0)
		return false;
	k = rd_take(r, (size_t)rd_uint(r, 1));
	v = rd_take(r, (size_t)rd_uint(r, 2));
	if (k.len == 0)
		r->bad = true;
	if (r->bad)
		return false;
	*ret_key = k;
	*ret_value = v;
	return true;
}
