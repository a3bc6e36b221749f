/* addresses.c - see addresses.h. */
#include "rooms/broker/addresses.h"

#include "proto/http/scanner.h"
#include "sys/fd.h"
#include "sys/log.h"

#define KEY_BYTES_OF_PREFIX 17u
#define ADMIN_BANS 1u /* a ban by hand counts as so many */

struct prefix_key {
	uint8_t b[KEY_BYTES_OF_PREFIX];
};

static struct prefix_key
key_of(const struct prefix *p)
{
	struct prefix_key k;

	memcpy(k.b, p->b, sizeof(p->b));
	k.b[16] = p->bits;
	return k;
}

struct rep_limits
addresses_limits(const struct broker *b)
{
	const struct conf *c = &b->start.conf;

	return (struct rep_limits){.slow = c->score_slow,
	    .ban = c->score_ban,
	    .half_life_us = c->score_half_life * 1000000,
	    .ban_us = c->ban_time * 1000000,
	    .ban_max_us = c->ban_time_max * 1000000};
}

int64_t
addresses_now(const struct broker *b)
{
	return b->mono_ms() * 1000;
}

bool
addresses_allowed(const struct broker *b, const struct prefix *p)
{
	return prefix_list_has(&b->addresses->allowed, p);
}

static const struct contact_row {
	const char *name;
	enum contact kind;
	uint32_t score;
	enum rep_kind proof;
} contact_rows[] = {
#define CONTACT(NAME, number, name, by, score, proof, text)                                        \
	{name, CONTACT_##NAME, score, REP_##proof},
#include "ipc/contacts.def"
#undef CONTACT
};

static const struct contact_row *
contact_row(unsigned kind)
{
	for (size_t i = 0; i < ARRAY_LEN(contact_rows); i++)
		if (contact_rows[i].kind == kind)
			return &contact_rows[i];
	return NULL;
}

const char *
contact_name(unsigned kind)
{
	const struct contact_row *row = contact_row(kind);

	return row != NULL ? row->name : NULL;
}

/* ---- what changes are made known ---- */

static const struct {
	enum event event;
	const char *text;
} changes[] = {
    [REP_SLOWED] = {EVENT_ADDRESS_SLOWED, "is slowed"},
    [REP_BANNED] = {EVENT_ADDRESS_BANNED, "is refused"},
    [REP_UNBANNED] = {EVENT_ADDRESS_UNBANNED, "is no longer refused"},
    [REP_CALM] = {(enum event)0, "is no longer slowed"},
};

static void
record_change(struct broker *b, const struct rep_entry *e, enum rep_change change)
{
	struct record rec;
	struct actor nobody = {0};
	struct text t = text_of(nobody.address, sizeof(nobody.address));
	int64_t now_us = addresses_now(b);

	prefix_text(&t, &e->key);
	log_info("%s %s: %s", nobody.address, changes[change].text, e->why);
	/* a ban is always an entry of its own: nobody earns one cheaply */
	if (changes[change].event == 0 || (change == REP_SLOWED && !flood_admit(b, nobody.address)))
		return;
	record_init(&rec, changes[change].event, &nobody, 0);
	record_text(&rec, "last", span_str(e->why));
	record_num(&rec, "score", e->score / REP_POINT);
	record_num(&rec, "contacts", e->seen);
	if (change == REP_BANNED) {
		record_num(&rec, "seconds", (e->until_us - now_us) / 1000000);
		record_num(&rec, "times", e->bans);
	}
	ledger_note(b, &rec);
}

static void
keep_change(struct broker *b, const struct rep_entry *e, enum rep_change change)
{
	struct prefix_key k = key_of(&e->key);
	struct span key = span_of(k.b, sizeof(k.b));
	int64_t until_us = 0;
	int err = SP_OK;

	if (change == REP_BANNED)
		until_us = b->wall_us() + e->until_us - addresses_now(b);
	if (change == REP_BANNED || change == REP_UNBANNED)
		err = sql_run(b->db, SQL_ADDRESS_PUT, SB(key), SI(until_us), SI(e->bans),
		    SI(e->by_admin), ST(span_str(e->why)));
	else if (change == REP_FORGOTTEN)
		err = sql_run(b->db, SQL_ADDRESS_REMOVE, SB(key));
	if (err != SP_OK)
		log_warning("an address will not be known after a restart: %s", sp_strerror(err));
}

static void
changed(void *arg, struct rep_entry *e, enum rep_change change)
{
	struct addresses *a = arg;

	if (a->is_loading)
		return;
	if (change == REP_BANNED)
		a->is_ending = true;
	if (!a->is_quiet && change != REP_FORGOTTEN)
		record_change(a->broker, e, change);
	keep_change(a->broker, e, change);
}

/* ---- who is added ---- */

/* The host that is counted; false: nobody to be counted. */
static bool
counted(const struct broker *b, const char *peer, struct prefix *ret)
{
	struct prefix p;

	if (prefix_of_peer(peer, &p) != SP_OK || addresses_allowed(b, &p))
		return false;
	*ret = prefix_host(&p);
	return true;
}

void
addresses_score(struct broker *b, const char *peer, enum contact kind, uint32_t points)
{
	const struct contact_row *row = contact_row(kind);
	struct rep_limits limits = addresses_limits(b);
	struct prefix host;

	PRECOND(row != NULL);
	if (!counted(b, peer, &host))
		return;
	rep_score(b->addresses->book, &host, points != 0 ? points : row->score, row->proof,
	    row->name, &limits, addresses_now(b));
}

void
addresses_good(struct broker *b, const char *peer)
{
	struct prefix host;

	if (counted(b, peer, &host))
		rep_good(b->addresses->book, &host, addresses_now(b));
}

bool
addresses_refused(struct broker *b, const char *peer)
{
	struct prefix p;

	return prefix_of_peer(peer, &p) == SP_OK && !addresses_allowed(b, &p) &&
	       rep_state(b->addresses->book, &p, addresses_now(b)) == ADDRESS_REFUSE;
}

/* ---- what follows ---- */

/* Connections that a refused address has left are ended like those of a session that was revoked.
 */
static void
end_refused(struct broker *b)
{
	for (struct worker *w = b->all; w != NULL; w = w->next)
		if (!w->is_dead && ipc_is_worker(w->room) && w->actor.address[0] != '\0' &&
		    addresses_refused(b, w->actor.address))
			worker_end(b, w);
}

void
addresses_idle(struct broker *b)
{
	struct addresses *a = b->addresses;

	if (a->is_ending)
		end_refused(b);
	a->is_ending = false;
	if (rep_is_pending(a->book))
		addresses_tell(b);
}

void
addresses_tick(struct broker *b)
{
	struct rep_limits limits = addresses_limits(b);

	rep_tick(b->addresses->book, &limits, addresses_now(b));
}

/* ---- settings ---- */

/* An address that is allowed now is forgiven. */
static void
forgive_allowed(struct broker *b)
{
	for (size_t i = 0; i < REP_MAX; i++) {
		struct rep_entry *e = rep_at(b->addresses->book, i);

		if (e != NULL && e->state != ADDRESS_OK && addresses_allowed(b, &e->key) &&
		    rep_pardon(b->addresses->book, &e->key) != SP_OK)
			log_warning("an address that is allowed now is not forgiven");
	}
}

void
addresses_reload(struct broker *b)
{
	struct span text = span_str(b->start.conf.allow_addresses);

	if (prefix_list_parse(text, &b->addresses->allowed) != SP_OK) {
		log_error("AllowAddresses cannot be read; nothing is allowed");
		b->addresses->allowed.n = 0;
	}
	forgive_allowed(b);
}

void
addresses_scanner(struct broker *b, int fd)
{
	DEFER(close_fd) int own = fd;
	struct addresses *a = b->addresses;

	mem_freep(&a->scanner);
	a->scanner_len = 0;
	if (own >= 0 && file_read_all(own, PROBE_FILE_MAX, &a->scanner, &a->scanner_len) != SP_OK)
		log_error("ScannerFile cannot be read: its probes weigh what contacts.def says");
}

/* ---- start and end ---- */

/* A ban lasts at most BanTimeMax from now, whatever the clock has done in between. */
static void
load_row(struct broker *b, struct sql *q, struct prefix_key *ret)
{
	struct rep_limits limits = addresses_limits(b);
	struct span key = sql_blob(q);
	int64_t left_us = sql_i64(q) - b->wall_us(), bans = sql_i64(q), by_admin = sql_i64(q);
	int64_t now_us = addresses_now(b);
	char why[33];
	struct prefix p;

	sql_text_of(q, why, sizeof(why));
	if (key.len != sizeof(ret->b))
		return;
	memcpy(ret->b, key.ptr, sizeof(ret->b));
	memcpy(p.b, key.ptr, sizeof(p.b));
	p.bits = key.ptr[16];
	if (p.bits > 128)
		return;
	if (by_admin == 0 && left_us > limits.ban_max_us)
		left_us = limits.ban_max_us;
	if (left_us <= 0)
		rep_remember(b->addresses->book, &p, (uint32_t)bans, why, now_us);
	else if (rep_ban(b->addresses->book, &p, now_us + left_us, (uint32_t)bans, by_admin != 0,
		     why, now_us) != SP_OK)
		log_warning("more addresses were refused than the book holds");
}

static int
load(struct broker *b, struct addresses *a)
{
	struct prefix_key key = {0};
	size_t n = 0;
	int err;

	do {
		struct prefix_key last = key;
		DEFER(sql_end)
		struct sql q = sql_query(
		    b->db, SQL_ADDRESS_NEXT, SB(span_of(last.b, n == 0 ? 0 : sizeof(last.b))));

		if ((err = sql_step(&q)) == 1)
			load_row(b, &q, &key);
		if (err == 1 && n != 0 && memcmp(&last, &key, sizeof(key)) == 0)
			err = SP_EDAMAGED;
	} while (err == 1 && ++n < REP_MAX);
	a->is_loading = false;
	return err < 0 ? err : SP_OK;
}

int
addresses_begin(struct broker *b)
{
	struct addresses *a = mem_alloc(sizeof(*a));

	if (a == NULL)
		return SP_ENOMEM;
	b->addresses = a;
	a->broker = b;
	for (size_t i = 0; i < ROOM_COUNT; i++)
		chan_init(&a->gate[i], -1, ROOM_BROKER, (enum room)i);
	a->book = rep_new(changed, a);
	if (a->book == NULL)
		return SP_ENOMEM;
	addresses_scanner(b, TAKE_FD(b->start.file[FILE_SCANNER]));
	a->is_loading = true;
	if (load(b, a) != SP_OK)
		log_warning("addresses that were refused before the start are not known any more");
	addresses_reload(b);
	return SP_OK;
}

void
addresses_end(struct broker *b)
{
	if (b->addresses == NULL)
		return;
	addresses_gates_end(b);
	rep_free(b->addresses->book);
	mem_free(b->addresses->scanner);
	mem_freep(&b->addresses);
}
