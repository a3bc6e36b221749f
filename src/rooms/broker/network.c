/* network.c - from which networks has each user logged in?  The first login from another one is an
 * event. */
#include "base/text.h"
#include "rooms/broker/broker.h"
#include "rooms/broker/lockout.h"

#define NETWORKS_MAX                                                                               \
	256 /* of one user; the one that was not seen for the longest time makes room */
#define DAY_US (86400 * INT64_C(1000000))

/* "192.0.2.0/24"; of IPv6 the first 64 bits, as lockouts count them. */
static void
network_of(const char *peer, char *buf, size_t cap)
{
	char address[64];
	struct span s, mapped = SPAN_LIT("[::ffff:");
	struct text t = text_of(buf, cap);
	size_t dot = 0;

	lockout_key_address(peer, address, sizeof(address));
	s = span_str(address);
	s = span_skip(s, span_starts(s, mapped)		 ? mapped.len
			 : span_starts(s, SPAN_LIT("[")) ? 1
							 : 0);
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '.')
			dot = i;
	if (dot == 0) {
		text_add(&t, s);
		text_str(&t, "::/64");
		return;
	}
	text_add(&t, span_cut(s, dot));
	text_str(&t, ".0/24");
}

static int
make_room(struct broker *b, int64_t user)
{
	int64_t n = 0;
	int err = sql_get(b->db, SQL_NETWORK_COUNT, &n, SI(user));

	if (err < 0)
		return err;
	return n < NETWORKS_MAX					       ? (int)(n != 0)
	       : sql_run(b->db, SQL_NETWORK_FORGET, SI(user)) == SP_OK ? 1
								       : SP_EIO;
}

int
network_seen(struct broker *b, const struct actor *actor, uint64_t serial)
{
	int64_t seen_us = 0, now_us = b->wall_us();
	char network[80];
	struct record rec;
	int err;

	network_of(actor->address, network, sizeof(network));
	err = sql_get(b->db, SQL_NETWORK_SEEN, &seen_us, SI(actor->user), ST(span_str(network)));
	if (err < 0 || (err == 1 && now_us - seen_us < DAY_US && now_us >= seen_us))
		return err < 0 ? err : SP_OK;
	if (err == 0) {
		err = make_room(b, actor->user);
		if (err < 0)
			return err;
		/* recorded before it is written down: after a crash rather twice than not at all.
		 * The first login of an account is no news: the account was */
		if (err == 1) {
			record_init(&rec, EVENT_LOGIN_NEWNET, actor, serial);
			record_text(&rec, "network", span_str(network));
			ledger_note(b, &rec);
		}
	}
	return sql_run(b->db, SQL_NETWORK_PUT, SI(actor->user), ST(span_str(network)), SI(now_us));
}
