/* egress.c - see egress.h. */
#include "rooms/vault/egress.h"

#include "base/mem.h"

#define MAC_BYTES 32u
#define HEAD_BYTES (8u + 8u + 4u + 8u + 8u + MAC_BYTES)
#define PLACE_BYTES (8u + 4u + 8u + 8u + PRINCIPAL_BYTES + MAC_BYTES)

_Static_assert(PLACE_BYTES <= EGRESS_PLACE, "a principal fits its place");

static const struct span head_magic = {(const uint8_t *)"SPVEGRH1", 8};
static const struct span place_magic = {(const uint8_t *)"SPVEGRP1", 8};

static int64_t
place_at(unsigned copy, uint32_t place)
{
	int64_t group = (int64_t)EGRESS_GROW * EGRESS_PLACE;

	return EGRESS_FIRST + (place / EGRESS_GROW * 2 + copy) * group +
	       place % EGRESS_GROW * (int64_t)EGRESS_PLACE;
}

/* ---- authentication ---- */

/* close_with_mac - append the MAC of all that was written. */
static int
close_with_mac(const struct egress *e, struct wr *w)
{
	uint8_t mac[MAC_BYTES];
	int err = hmac_sha256(span_of(e->mac_key, KEY_BYTES), wr_span(w), mac);

	if (err == SP_OK)
		wr_bytes(w, span_of(mac, sizeof(mac)));
	VERIFY(!w->bad);
	return err;
}

/* is_ours - SP_OK when the last MAC_BYTES authenticate the rest; SP_EDAMAGED. */
static int
is_ours(const struct egress *e, struct span s)
{
	uint8_t mac[MAC_BYTES];
	struct span stored = span_skip(s, s.len - MAC_BYTES);
	int err = hmac_sha256(span_of(e->mac_key, KEY_BYTES), span_cut(s, s.len - MAC_BYTES), mac);

	if (err != SP_OK)
		return err;
	return secret_eq(span_of(mac, sizeof(mac)), stored) ? SP_OK : SP_EDAMAGED;
}

static bool
all_zero(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != 0)
			return false;
	return true;
}

/* read_bytes - exactly n, those beyond the end as zeros; *ret_none: nothing was ever written there.
 */
static int
read_bytes(const struct egress *e, int64_t at, uint8_t *buf, size_t n, bool *ret_none)
{
	int64_t got = e->disk->read(e->disk->arg, at, buf, n);

	if (got < 0)
		return (int)got;
	memset(buf + got, 0, n - (size_t)got);
	*ret_none = all_zero(span_of(buf, n));
	return SP_OK;
}

/* ---- head ---- */

struct head {
	uint64_t writes;
	uint32_t places;
	int64_t time, boot;
};

static int
head_read(const struct egress *e, unsigned copy, struct head *ret, bool *ret_none)
{
	uint8_t buf[HEAD_BYTES];
	struct rd r = rd_of(span_of(buf, sizeof(buf)));
	struct head h;
	int err = read_bytes(e, (int64_t)copy * EGRESS_HEAD, buf, sizeof(buf), ret_none);

	if (err == SP_OK)
		err = is_ours(e, span_of(buf, sizeof(buf)));
	if (err != SP_OK)
		return err;
	if (!span_eq(rd_take(&r, head_magic.len), head_magic))
		return SP_EDAMAGED;
	h.writes = rd_uint(&r, 8);
	h.places = (uint32_t)rd_uint(&r, 4);
	h.time = (int64_t)rd_uint(&r, 8);
	h.boot = (int64_t)rd_uint(&r, 8);
	if (h.places > EGRESS_PLACES || h.time < 0 || h.boot < 0)
		return SP_EDAMAGED;
	*ret = h;
	return SP_OK;
}

static int
head_write(struct egress *e, int64_t time)
{
	uint8_t buf[HEAD_BYTES];
	struct wr w = wr_of(buf, sizeof(buf));
	int err;

	wr_bytes(&w, head_magic);
	wr_uint(&w, ++e->writes, 8);
	wr_uint(&w, e->places, 4);
	wr_uint(&w, (uint64_t)time, 8);
	wr_uint(&w, (uint64_t)e->disk->boot_s(e->disk->arg), 8);
	err = close_with_mac(e, &w);
	if (err == SP_OK)
		err = e->disk->write(
		    e->disk->arg, (int64_t)(e->writes & 1) * EGRESS_HEAD, wr_span(&w));
	return err == SP_OK ? egress_sync(e) : err;
}

int
egress_open(struct egress *e, const struct egress_disk *disk, const uint8_t *mac_key,
    enum egress_state *ret, int64_t *ret_time, int64_t *ret_boot)
{
	struct head h, best = {0};
	bool none[2] = {false, false}, found = false;

	*e = (struct egress){.disk = disk, .mac_key = mac_key};
	for (unsigned copy = 0; copy < 2; copy++) {
		int err = head_read(e, copy, &h, &none[copy]);

		if (err != SP_OK && err != SP_EDAMAGED)
			return err;
		if (err == SP_OK && (!found || h.writes > best.writes)) {
			best = h;
			found = true;
		}
	}
	*ret = found ? EGRESS_GOOD : none[0] && none[1] ? EGRESS_EMPTY : EGRESS_DAMAGED;
	e->writes = best.writes;
	e->places = best.places;
	*ret_time = best.time;
	*ret_boot = best.boot;
	return SP_OK;
}

/* heads_write - both, one after the other: that one is lost later loses no places. */
static int
heads_write(struct egress *e, int64_t time)
{
	int err = head_write(e, time);

	return err == SP_OK ? head_write(e, time) : err;
}

int
egress_begin(struct egress *e, int64_t time)
{
	e->places = 0;
	return heads_write(e, time);
}

int
egress_grow(struct egress *e, int64_t time)
{
	uint32_t to = e->places + EGRESS_GROW;
	int err = SP_OK;

	if (to > EGRESS_PLACES)
		return SP_EFULL;
	/* both copies, so that nothing of an older file is taken for one of this place's */
	for (uint32_t i = e->places; err == SP_OK && i < to; i++) {
		struct principal none = {.writes = 0};

		err = egress_write(e, i, &none, 0, 0);
		if (err == SP_OK)
			err = egress_write(e, i, &none, 0, 0);
	}
	if (err == SP_OK)
		err = egress_sync(e);
	if (err != SP_OK)
		return err;
	e->places = to;
	err = heads_write(e, time);
	if (err != SP_OK)
		e->places = to - EGRESS_GROW;
	return err;
}

/* ---- places ---- */

static int
copy_read(
    const struct egress *e, unsigned copy, uint32_t place, struct principal *ret, int64_t *ret_boot)
{
	uint8_t buf[PLACE_BYTES];
	struct rd r = rd_of(span_of(buf, sizeof(buf)));
	uint64_t number, writes;
	bool none;
	int err = read_bytes(e, place_at(copy, place), buf, sizeof(buf), &none);

	if (err == SP_OK)
		err = is_ours(e, span_of(buf, sizeof(buf)));
	if (err != SP_OK)
		return err;
	if (!span_eq(rd_take(&r, place_magic.len), place_magic))
		return SP_EDAMAGED;
	number = rd_uint(&r, 4);
	writes = rd_uint(&r, 8);
	*ret_boot = (int64_t)rd_uint(&r, 8);
	if (number != place || *ret_boot < 0 || principal_get(&r, ret) != SP_OK)
		return SP_EDAMAGED;
	ret->writes = writes;
	return SP_OK;
}

int
egress_read(
    struct egress *e, uint32_t place, struct principal *ret, int64_t *ret_boot, bool *ret_doubt)
{
	struct principal p[2];
	int64_t boot[2];
	int err[2];
	size_t newest;

	for (unsigned copy = 0; copy < 2; copy++) {
		err[copy] = copy_read(e, copy, place, &p[copy], &boot[copy]);
		if (err[copy] != SP_OK && err[copy] != SP_EDAMAGED)
			return err[copy];
	}
	if (err[0] != SP_OK && err[1] != SP_OK)
		return SP_EDAMAGED;
	newest = err[0] != SP_OK || (err[1] == SP_OK && p[1].writes > p[0].writes);
	*ret = p[newest];
	*ret_boot = boot[newest];
	*ret_doubt = err[0] != SP_OK || err[1] != SP_OK;
	return SP_OK;
}

int
egress_write(
    struct egress *e, uint32_t place, struct principal *p, uint64_t more_files, uint64_t more_bytes)
{
	uint8_t buf[PLACE_BYTES];
	struct wr w = wr_of(buf, sizeof(buf));
	struct principal image;
	int err;

	image = *p;
	if (more_files != 0 || more_bytes != 0)
		principal_charge(&image, more_files, more_bytes);
	wr_bytes(&w, place_magic);
	wr_uint(&w, place, 4);
	wr_uint(&w, p->writes + 1, 8);
	wr_uint(&w, (uint64_t)e->disk->boot_s(e->disk->arg), 8);
	principal_put(&w, &image);
	err = close_with_mac(e, &w);
	if (err == SP_OK)
		err =
		    e->disk->write(e->disk->arg, place_at((p->writes + 1) & 1, place), wr_span(&w));
	if (err == SP_OK)
		p->writes++;
	return err;
}

int
egress_sync(struct egress *e)
{
	return e->disk->sync(e->disk->arg);
}

void
egress_undo(struct principal *p)
{
	PRECOND(p->writes != 0);
	p->writes--;
}
