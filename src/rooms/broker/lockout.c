/* lockout.c - leaky buckets of failures. */
#include <stdio.h>

#include "crypto/crypto.h"
#include "rooms/broker/lockout.h"

#define ONE 1000000 /* a failure, in millionths */

struct bucket {
	uint8_t key[SHA256_BYTES];
	int64_t level, at_us, locked_us;
};

void
lockout_key_address(const char *peer, char *buf, size_t cap)
{
	size_t len = strlen(peer), end = len;
	unsigned groups = 0;

	if (peer[0] != '[') {
		/* the last colon begins the port, unless it is a bare IPv6 address */
		size_t colon = span_find(span_str(peer), ':');

		if (colon < len &&
		    span_find(span_skip(span_str(peer), colon + 1), ':') == len - colon - 1)
			end = colon;
		(void)snprintf(buf, cap, "%.*s", (int)end, peer);
		return;
	}
	if (span_starts(span_str(peer), SPAN_LIT("[::ffff:"))) {
		/* an IPv4 address in IPv6's clothes */
		(void)snprintf(buf, cap, "%.*s", (int)span_find(span_str(peer), ']'), peer);
		return;
	}
	/* "[2001:db8:1:2:…]:443": four groups; "::" before them ends the key there, which only
	 * widens it */
	for (end = 1; end < len && peer[end] != ']' && groups < 4; end++)
		if (peer[end] == ':' && (++groups == 4 || peer[end + 1] == ':'))
			break;
	(void)snprintf(buf, cap, "%.*s", (int)end, peer);
}

static int
load(struct db *db, const char *peer, struct span account, struct bucket *ret)
{
	char address[64], text[64 + 1 + 256];
	int n, err;

	lockout_key_address(peer, address, sizeof(address));
	n = snprintf(text, sizeof(text), "%s\n", address);
	account = span_cut(account, 255);
	for (size_t i = 0; i < account.len; i++) {
		char c = (char)account.ptr[i];

		text[(size_t)n + i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	memset(ret, 0, sizeof(*ret));
	if ((err = sha256(span_of(text, (size_t)n + account.len), ret->key)) != SP_OK)
		return err;
	DEFER(sql_end)
	struct sql q = sql_query(db, SQL_FAILURE_GET, SB(span_of(ret->key, sizeof(ret->key))));
	if ((err = sql_step(&q)) == 1)
		ret->level = sql_i64(&q), ret->at_us = sql_i64(&q), ret->locked_us = sql_i64(&q);
	return err < 0 ? err : SP_OK;
}

static int
store(struct db *db, const struct bucket *k)
{
	struct span key = span_of(k->key, sizeof(k->key));

	if (k->level == 0 && k->locked_us == 0)
		return sql_run(db, SQL_FAILURE_REMOVE, SB(key));
	return sql_run(db, SQL_FAILURE_PUT, SB(key), SI(k->level), SI(k->at_us), SI(k->locked_us));
}

/* a clock that was set back neither forgets nor locks for longer */
static void
decay(struct bucket *k, int64_t time_us, int64_t now_us)
{
	int64_t passed = now_us - k->at_us;

	if (k->locked_us != 0 && (now_us >= k->locked_us || k->locked_us - now_us > time_us)) {
		k->locked_us = 0;
		k->level = 0;
	}
	if (passed > 0 && k->level != 0) {
		int64_t forgotten = passed / time_us >= k->level / ONE + 1
					? k->level
					: (int64_t)((double)passed / (double)time_us * ONE);

		k->level = forgotten >= k->level ? 0 : k->level - forgotten;
	}
	k->at_us = now_us;
}

/* a clock that was set back by more than this says nothing about the lock any more */
#define STEP_US 60000000ll

static int64_t
wait_of(const struct bucket *k, int64_t now_us)
{
	if (k->locked_us <= now_us || now_us + STEP_US < k->at_us)
		return 0;
	return k->locked_us - now_us;
}

int
lockout_check(
    struct db *db, const char *peer, struct span account, int64_t now_us, int64_t *ret_wait_us)
{
	struct bucket one, all;
	int err;

	if ((err = load(db, peer, account, &one)) != SP_OK ||
	    (err = load(db, peer, span_of(NULL, 0), &all)) != SP_OK)
		return err;
	*ret_wait_us = wait_of(&one, now_us) > wait_of(&all, now_us) ? wait_of(&one, now_us)
								     : wait_of(&all, now_us);
	return *ret_wait_us != 0 ? SP_ELOCKOUT : SP_OK;
}

static int
charge(struct db *db, const char *peer, struct span account, int64_t limit, int64_t time_us,
    int64_t now_us, bool *locked)
{
	struct bucket k;
	int err = load(db, peer, account, &k);

	if (err != SP_OK)
		return err;
	decay(&k, time_us, now_us);
	k.level += ONE;
	if (k.level > limit * ONE - ONE / 2 && k.locked_us == 0) {
		k.locked_us = now_us + time_us;
		*locked = true;
	}
	return store(db, &k);
}

int
lockout_charge(struct db *db, const char *peer, struct span account, const struct lockout_limits *l,
    int64_t now_us, bool *ret_locked)
{
	int err;

	*ret_locked = false;
	if ((err = charge(db, peer, account, l->failures, l->time_us, now_us, ret_locked)) != SP_OK)
		return err;
	return charge(db, peer, span_of(NULL, 0), l->address, l->time_us, now_us, ret_locked);
}

int
lockout_refund(struct db *db, const char *peer, struct span account, bool good, int64_t now_us)
{
	struct bucket one, all;
	int err;

	if ((err = load(db, peer, account, &one)) != SP_OK ||
	    (err = load(db, peer, span_of(NULL, 0), &all)) != SP_OK)
		return err;
	one.level = good || one.level < ONE ? 0 : one.level - ONE;
	all.level = all.level < ONE ? 0 : all.level - ONE;
	/* what this very attempt locked is open again */
	one.locked_us = all.locked_us = 0;
	one.at_us = all.at_us = now_us;
	if ((err = store(db, &one)) != SP_OK)
		return err;
	return store(db, &all);
}

int
lockout_clear(struct db *db, const char *peer, struct span account, int64_t now_us)
{
	struct bucket one;
	int err = load(db, peer, account, &one);

	if (err != SP_OK || one.level == 0)
		return err;
	one.level = one.locked_us = 0;
	one.at_us = now_us;
	return store(db, &one);
}
