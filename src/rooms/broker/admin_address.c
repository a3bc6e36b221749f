/* admin_address.c - sallyport address list, show, ban, unban. */
#include "base/text.h"
#include "rooms/broker/addresses.h"
#include "rooms/broker/admin.h"

#define V4_BITS_LEAST (96u + 8u) /* a wider network is no address's business */
#define V6_BITS_LEAST 16u
#define HAND_BAN_US (24 * 3600 * 1000000ll) /* without --for */

static const char *const states[] = {
    [ADDRESS_OK] = "ok", [ADDRESS_SLOW] = "slowed", [ADDRESS_REFUSE] = "refused"};

/* ---- looking ---- */

static json_t *
entry_json(struct broker *b, const struct rep_entry *e)
{
	struct rep_limits limits = addresses_limits(b);
	int64_t now_us = addresses_now(b), wall_us = b->wall_us();
	char name[PREFIX_TEXT];
	struct text t = text_of(name, sizeof(name));
	json_t *o = json_object();
	int bad;

	prefix_text(&t, &e->key);
	bad = json_object_set_new(o, "address", json_string(name));
	bad |= json_object_set_new(o, "state", json_string(states[e->state]));
	bad |= json_object_set_new(
	    o, "score", json_integer(rep_points(e, &limits, now_us) / REP_POINT));
	bad |= json_object_set_new(o, "last", json_string(e->why));
	bad |= json_object_set_new(o, "contacts", json_integer(e->seen));
	bad |= json_object_set_new(o, "bans", json_integer(e->bans));
	bad |= json_object_set_new(
	    o, "seen", admin_time(e->last_us != 0 ? wall_us - now_us + e->last_us : 0));
	bad |= json_object_set_new(o, "until",
	    admin_time(e->state == ADDRESS_REFUSE ? wall_us - now_us + e->until_us : 0));
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* Refused ones first, then slowed, then all that have a score: "after" is state and place. */
static int
list_rows(struct broker *b, struct admin_call *a, size_t from)
{
	struct rep_limits limits = addresses_limits(b);
	int rc = 1;

	for (size_t i = from; i < 3 * REP_MAX; i++) {
		unsigned state = ADDRESS_REFUSE - (unsigned)(i / REP_MAX);
		const struct rep_entry *e = rep_at(b->addresses->book, i % REP_MAX);

		if (e == NULL || e->state != state ||
		    (state == ADDRESS_OK && rep_points(e, &limits, addresses_now(b)) < REP_POINT))
			continue;
		rc = admin_row_add(a, entry_json(b, e));
		if (rc == 0)
			return admin_next(a, json_sprintf("%lld", (long long)i));
		if (rc < 0)
			return rc;
	}
	return SP_OK;
}

int
admin_address_list(struct broker *b, struct admin_op *op)
{
	DEFER(mem_freep) struct admin_call *a = mem_alloc(sizeof(*a));
	int64_t from = 0;
	int rc = SP_ENOMEM;

	if (a == NULL)
		return rc;
	admin_call_of(b, op, a);
	rc = admin_begin(a);
	if (rc == SP_OK)
		rc = admin_after(a, &from);
	if (rc == SP_OK)
		rc = admin_set(a, "rows", json_array());
	if (rc == SP_OK)
		rc = list_rows(b, a, (size_t)from);
	if (rc == SP_OK)
		admin_answer(b, op, a->result);
	else
		memcpy(op->why, a->why, sizeof(op->why));
	admin_end(a);
	return rc;
}

/* The argument; whole IPv6 addresses are taken for their 64 bits. */
static int
address_arg(struct admin_op *op, struct prefix *ret)
{
	const char *text = json_string_value(json_object_get(op->args, "address"));
	struct text why = text_of(op->why, sizeof(op->why));
	struct prefix p;

	if (prefix_parse(span_str(text), &p) != SP_OK) {
		text_fmt(
		    &why, "%.64s is no address and no network (192.0.2.0/24, 2001:db8::/32)", text);
		return SP_EUSAGE;
	}
	if (p.bits < (prefix_is_v4(&p) ? V4_BITS_LEAST : V6_BITS_LEAST)) {
		text_fmt(&why, "%.64s is too wide: /8 at least, of IPv6 /16", text);
		return SP_EUSAGE;
	}
	*ret = !prefix_is_v4(&p) && p.bits > 64 ? prefix_host(&p) : p;
	return SP_OK;
}

int
admin_address_show(struct broker *b, struct admin_op *op)
{
	struct prefix p;
	struct rep_entry *e, empty = {0};
	json_t *o;
	int rc = address_arg(op, &p);

	if (rc != SP_OK)
		return rc;
	e = rep_find(b->addresses->book, &p);
	empty.key = p;
	o = entry_json(b, e != NULL ? e : &empty);
	if (o == NULL ||
	    json_object_set_new(o, "allowed", json_boolean(addresses_allowed(b, &p))) != 0 ||
	    json_object_set_new(o, "treated_as",
		json_string(addresses_allowed(b, &p)
				? "ok"
				: states[rep_state(b->addresses->book, &p, addresses_now(b))])) !=
		0) {
		json_decref(o);
		return SP_ENOMEM;
	}
	admin_answer(b, op, o);
	json_decref(o);
	return SP_OK;
}

/* ---- ban, unban: on record before they are done ---- */

static void
done(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;

	if (answer->err == SP_OK)
		admin_answer(b, op, NULL);
	else
		admin_refuse(b, op, answer->err);
}

static int
record_first(struct broker *b, struct admin_op *op, enum event event, const struct prefix *p,
    int64_t seconds, op_fn next)
{
	DEFER(mem_freep) struct record *r = mem_alloc(sizeof(*r));
	char name[PREFIX_TEXT];
	struct text t = text_of(name, sizeof(name));

	if (r == NULL)
		return SP_ENOMEM;
	prefix_text(&t, p);
	record_init(r, event, &op->op.actor, 0);
	record_text(r, "address", text_span(&t));
	record_text(r, "last", SPAN_LIT("administrator"));
	if (seconds != 0)
		record_num(r, "seconds", seconds);
	return ledger_record(b, &op->op, r, next);
}

/* --for TIME.  A date is none. */
static int
length_arg(struct broker *b, struct admin_op *op, int64_t *ret_us)
{
	const char *text = json_string_value(json_object_get(op->args, "for"));
	struct text why = text_of(op->why, sizeof(op->why));
	int64_t now_us = b->wall_us(), then_us = 0;

	*ret_us = HAND_BAN_US;
	if (text == NULL)
		return SP_OK;
	if (strchr(text, '-') == NULL && time_parse(span_str(text), now_us, &then_us) == SP_OK)
		*ret_us = now_us - then_us;
	else
		*ret_us = 0;
	if (*ret_us >= 1000000 && *ret_us <= 31536000ll * 1000000)
		return SP_OK;
	text_fmt(&why, "%.64s is no time from 1s to 365d", text);
	return SP_EUSAGE;
}

static void
ban_recorded(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;
	struct rep_entry *e;
	struct prefix p;
	int64_t length_us = 0, now_us = addresses_now(b);
	int rc = answer->err;

	if (rc == SP_OK)
		rc = address_arg(op, &p);
	if (rc == SP_OK)
		rc = length_arg(b, op, &length_us);
	if (rc == SP_OK) {
		e = rep_find(b->addresses->book, &p);
		b->addresses->is_quiet = true;
		rc = rep_ban(b->addresses->book, &p, now_us + length_us,
		    e != NULL ? e->bans + 1 : 1, /* by_admin= */ true, "administrator", now_us);
		b->addresses->is_quiet = false;
	}
	if (rc == SP_OK)
		op_commit(b, base, done);
	else
		admin_refuse(b, op, rc);
}

int
admin_address_ban(struct broker *b, struct admin_op *op)
{
	struct text why = text_of(op->why, sizeof(op->why));
	struct prefix p;
	int64_t length_us;
	int rc = address_arg(op, &p);

	if (rc == SP_OK)
		rc = length_arg(b, op, &length_us);
	if (rc != SP_OK)
		return rc;
	if (addresses_allowed(b, &p)) {
		text_str(&why, "this address is in AllowAddresses and would not be refused");
		return SP_EUSAGE;
	}
	return record_first(b, op, EVENT_ADDRESS_BANNED, &p, length_us / 1000000, ban_recorded);
}

static void
unban_recorded(struct broker *b, struct op *base, const struct answer *answer)
{
	struct admin_op *op = (struct admin_op *)base;
	struct prefix p;
	int rc = answer->err;

	if (rc == SP_OK)
		rc = address_arg(op, &p);
	if (rc == SP_OK) {
		b->addresses->is_quiet = true;
		rc = rep_pardon(b->addresses->book, &p);
		b->addresses->is_quiet = false;
	}
	if (rc == SP_OK)
		op_commit(b, base, done);
	else
		admin_refuse(b, op, rc);
}

int
admin_address_unban(struct broker *b, struct admin_op *op)
{
	struct text why = text_of(op->why, sizeof(op->why));
	struct prefix p;
	int rc = address_arg(op, &p);

	if (rc == SP_OK && rep_find(b->addresses->book, &p) == NULL) {
		text_str(&why, "this address is neither slowed nor refused; see: address list");
		rc = SP_ENOTFOUND;
	}
	return rc != SP_OK ? rc
			   : record_first(b, op, EVENT_ADDRESS_UNBANNED, &p, 0, unban_recorded);
}
