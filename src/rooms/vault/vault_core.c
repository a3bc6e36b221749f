/* vault_core.c - see vault_core.h. */
#include "rooms/vault/vault_core.h"

#include "base/wire.h"

/* On pages of its own: locked, never dumped, guarded. */
struct vault_secret {
	uint8_t root[KEY_BYTES];
	uint8_t mac[KEY_BYTES];	   /* of the state file, derived from root */
	uint8_t egress[KEY_BYTES]; /* of vault/egress, likewise */
	uint8_t org[KEY_BYTES];	   /* of the order in hand */
	uint8_t file[KEY_BYTES];
};

struct vault_core {
	struct vault_secret *secret; /* owned */
	bool is_open, repaired;
	struct orgkeys keys;
	uint64_t generation; /* of the newest slot ever written */
	unsigned newest; /* the slot that was last written whole: the other one is written first */
	uint64_t last_order, last_entry;
	struct governor *governor; /* owned */
	enum governor_start counters;
	const struct egress_disk *egress;
	vault_save_fn save;
	void *save_arg;
};

static const uint8_t no_blob[16];

struct vault_core *
vault_core_new(vault_save_fn save, void *arg, const struct egress_disk *egress)
{
	struct vault_core *c = mem_alloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	c->save = save;
	c->save_arg = arg;
	c->egress = egress;
	c->secret = secret_new(sizeof(*c->secret));
	c->governor = governor_new();
	if (c->secret == NULL || c->governor == NULL) {
		vault_core_free(c);
		return NULL;
	}
	return c;
}

void
vault_core_free(struct vault_core *c)
{
	if (c == NULL)
		return;
	orgkeys_done(&c->keys);
	governor_free(c->governor);
	if (c->secret != NULL)
		secret_free(c->secret, sizeof(*c->secret));
	mem_free(c);
}

void
vault_core_clear(struct vault_core *c)
{
	mem_wipe(c->secret->org, sizeof(c->secret->org));
	mem_wipe(c->secret->file, sizeof(c->secret->file));
}

int
vault_core_lock(struct vault_core *c)
{
	int err = governor_settle(c->governor);

	governor_close(c->governor);
	mem_wipe(c->secret, sizeof(*c->secret));
	orgkeys_done(&c->keys);
	c->is_open = false;
	return err;
}

bool
vault_core_is_open(const struct vault_core *c)
{
	return c->is_open;
}

bool
vault_core_repaired(const struct vault_core *c)
{
	return c->repaired;
}

struct governor *
vault_core_governor(const struct vault_core *c)
{
	return c->governor;
}

enum governor_start
vault_core_counters(const struct vault_core *c)
{
	return c->counters;
}

/* save_keys - write both slots, each under the next generation, the one that may be torn first. The
 * generation moves on even when a write fails, so that what may be on the disk is never newer than
 * what is written next. */
static int
save_keys(struct vault_core *c, const struct orgkeys *keys)
{
	for (int i = 0; i < 2; i++) {
		DEFER(mem_freep) uint8_t *buf = NULL;
		unsigned slot = c->newest ^ 1;
		size_t len;
		int err;

		err = orgkeys_encode(keys, ++c->generation, c->secret->mac, &buf, &len);
		if (err == SP_OK)
			err = c->save(c->save_arg, slot, span_of(buf, len));
		if (err != SP_OK)
			return err;
		c->newest = slot;
	}
	return SP_OK;
}

/* load_slots - the newer valid slot; how many were valid.  Both have content or the file is not
 * whole. */
static int
load_slots(struct vault_core *c, const struct span slot[2], unsigned *ret_valid)
{
	unsigned valid = 0;

	for (size_t i = 0; i < 2; i++) {
		struct orgkeys keys = {.rows = NULL};
		uint64_t generation = 0;
		int err = orgkeys_decode(slot[i], c->secret->mac, &generation, &keys);

		if (err == SP_EDAMAGED)
			continue;
		if (err != SP_OK)
			return err;
		if (valid == 0 || generation > c->generation) {
			orgkeys_done(&c->keys);
			c->keys = keys;
			c->generation = generation;
			c->newest = (unsigned)i;
		} else {
			orgkeys_done(&keys);
		}
		valid++;
	}
	*ret_valid = valid;
	return valid != 0 ? SP_OK : SP_EDAMAGED;
}

/* open_counters - of the budgets; that there are any is written down once, so that a file that is
 * taken away later is missed. */
static int
open_counters(struct vault_core *c)
{
	static const char label[] = "sallyport vault egress v1";
	int err = hkdf_expand_sha384(
	    span_of(c->secret->root, KEY_BYTES), span_str(label), c->secret->egress, KEY_BYTES);

	if (err == SP_OK)
		err = governor_open(
		    c->governor, c->egress, c->secret->egress, c->keys.has_egress, &c->counters);
	if (err == SP_OK && !c->keys.has_egress) {
		c->keys.has_egress = true;
		err = save_keys(c, &c->keys);
	}
	return err;
}

static int
open_state(struct vault_core *c, const struct span slot[2], bool fresh)
{
	static const char label[] = "sallyport vault state v1";
	unsigned valid = 2;
	int err;

	c->generation = 0;
	c->newest = 1;
	c->repaired = false;
	err = hkdf_expand_sha384(
	    span_of(c->secret->root, KEY_BYTES), span_str(label), c->secret->mac, KEY_BYTES);
	if (err == SP_OK && !fresh)
		err = load_slots(c, slot, &valid);
	if (err == SP_OK && valid == 1) {
		err = save_keys(c, &c->keys);
		c->repaired = true;
	}
	return err == SP_OK ? open_counters(c) : err;
}

int
vault_core_open(
    struct vault_core *c, const uint8_t root[KEY_BYTES], const struct span slot[2], bool fresh)
{
	int err;

	err = vault_core_lock(c);
	if (err != SP_OK)
		return err;
	memcpy(c->secret->root, root, KEY_BYTES);
	err = open_state(c, slot, fresh);
	if (err != SP_OK) {
		int again = vault_core_lock(c); /* nothing is held yet */

		return again != SP_OK ? again : err;
	}
	c->is_open = true;
	return SP_OK;
}

int
vault_order(struct vault_core *c, uint64_t order)
{
	if (order <= c->last_order)
		return SP_EDENIEDMSG;
	c->last_order = order;
	return SP_OK;
}

void
vault_ledger_new(struct vault_core *c)
{
	c->last_order = 0;
}

/* refuse - turn an answer into a refusal: nothing of the order's work stays in it. */
static void
refuse(struct vault_answer *a, int err)
{
	mem_wipe(a, sizeof(*a));
	a->err = (uint16_t)-err;
}

/* org_key - unwrap an organisation's key of one epoch (0: the newest) to the secret page. */
static int
org_key(struct vault_core *c, uint64_t org, uint32_t epoch, uint32_t *ret_epoch)
{
	const struct orgkey *row = orgkeys_find(&c->keys, org, epoch);
	struct wrap_info info;
	int err;

	if (row == NULL)
		return SP_EREFUSED;
	err = key_unwrap(
	    c->secret->root, org, no_blob, span_of(row->wrap, WRAP_BYTES), &info, c->secret->org);
	if (err == SP_OK && (info.state != WRAP_ORG || info.epoch != row->epoch))
		err = SP_EDAMAGED;
	if (err == SP_OK)
		*ret_epoch = row->epoch;
	return err;
}

/* file_key - unwrap a file's key to the secret page. */
static int
file_key(struct vault_core *c, uint64_t org, const ipc_b16 *blob, struct span wrap,
    struct wrap_info *ret_info)
{
	struct wrap_info claimed;
	uint32_t epoch;
	int err;

	err = wrap_peek(wrap, &claimed);
	if (err != SP_OK)
		return err;
	if (claimed.epoch == 0)
		return SP_ERANGE;
	err = org_key(c, org, claimed.epoch, &epoch);
	if (err == SP_OK)
		err = key_unwrap(c->secret->org, org, blob->b, wrap, ret_info, c->secret->file);
	if (err == SP_OK && ret_info->state != WRAP_STAGED && ret_info->state != WRAP_SEALED)
		err = SP_EREFUSED;
	return err;
}

/* wrap_file - wrap the file key on the secret page under the newest epoch into the answer. */
static int
wrap_file(struct vault_core *c, uint64_t org, const ipc_b16 *blob, enum wrap_state state,
    uint64_t length, struct vault_answer *ret)
{
	struct wrap_info info = {state, 0, length};
	int err = org_key(c, org, 0, &info.epoch);

	if (err == SP_OK)
		err = key_wrap(c->secret->org, org, blob->b, &info, c->secret->file, ret->wrap);
	if (err == SP_OK) {
		ret->wrap_len = WRAP_BYTES;
		ret->epoch = info.epoch;
	}
	return err;
}

static void
answer_key(struct vault_core *c, uint64_t entry, const ipc_b16 *blob, uint64_t length, bool fresh,
    struct vault_answer *ret)
{
	ret->has_key = true;
	ret->key = (struct ipc_key){
	    .entry = entry,
	    .blob = *blob,
	    .length = length,
	    .fresh = fresh,
	    .key = span_of(c->secret->file, KEY_BYTES),
	};
}

/* is_helper - a process without a network, which nobody outside can make say what it reads. */
static bool
is_helper(enum room room)
{
	return ((R_SCRUBBER | R_AUTHENTICATOR) & (1u << room)) != 0;
}

/* may_release - the checks that need no key: is the entry new, is the worker one of ours and still
 * the same principal's?  The entry is used up whatever follows. */
static int
may_release(struct vault_core *c, const struct ipc_v_release *m, struct vault_worker *worker)
{
	if (m->entry <= c->last_entry)
		return SP_EREFUSED;
	c->last_entry = m->entry;
	if (!c->is_open)
		return SP_ELOCKED;
	if (worker == NULL || worker->serial != m->serial)
		return SP_EREFUSED;
	if (worker->has_user && worker->user != m->user)
		return SP_EREFUSED;
	if (m->user == 0 && !is_helper(worker->room)) /* the server itself has no connection */
		return SP_EREFUSED;
	worker->has_user = true;
	worker->user = m->user;
	return SP_OK;
}

/* may_leave - ask the governor for the file key on the secret page. */
static int
may_leave(struct vault_core *c, const struct ipc_v_release *m, const struct vault_worker *worker,
    const struct wrap_info *info, struct governor_no *ret_no)
{
	const struct limits *l = governor_limits_now(c->governor);
	struct governor_ask ask = {
	    .helper = is_helper(worker->room),
	    .room = (uint8_t)worker->room,
	    .user = m->user,
	    .org = m->org,
	    .has_address = worker->has_address,
	    .bytes = info->length,
	};
	uint8_t hash[SHA256_BYTES];
	int err = hmac_sha256(
	    span_of(c->secret->egress, KEY_BYTES), span_of(c->secret->file, KEY_BYTES), hash);

	if (err != SP_OK)
		return err;
	/* what was staged is not known here; the most that it may reach is far too much */
	if (info->state == WRAP_STAGED && info->length > (uint64_t)l->resume_bytes)
		ask.bytes = (uint64_t)l->resume_bytes;
	memcpy(ask.address, worker->address, sizeof(ask.address));
	memcpy(ask.key, hash, sizeof(ask.key));
	return governor_admit(c->governor, &ask, ret_no);
}

static void
refuse_budget(struct vault_answer *a, int err, const struct governor_no *no)
{
	refuse(a, err);
	a->retry_after = no->retry_after;
	a->kind = (uint8_t)no->kind;
	a->budget = (uint8_t)no->budget;
	a->froze = no->froze;
}

void
vault_release(struct vault_core *c, const struct ipc_v_release *m, struct vault_worker *worker,
    struct vault_answer *ret)
{
	struct governor_no no = {.budget = BUDGET_NONE};
	struct wrap_info info;
	int err;

	*ret = (struct vault_answer){0};
	err = may_release(c, m, worker);
	if (err == SP_OK)
		err = file_key(c, m->org, &m->blob, m->wrap, &info);
	if (err == SP_OK)
		err = may_leave(c, m, worker, &info, &no);
	if (err == SP_OK) {
		answer_key(c, m->entry, &m->blob, info.length, false, ret);
		return;
	}
	vault_core_clear(c);
	refuse_budget(ret, err, &no);
}

void
vault_delete(struct vault_core *c, const struct ipc_v_delete *m, struct vault_worker *worker,
    struct vault_answer *ret)
{
	struct governor_no no = {.budget = BUDGET_NONE};
	struct governor_ask ask = {
	    .user = m->user, .org = m->org, .bytes = m->bytes, .deletes = m->files};
	int err = SP_OK;

	*ret = (struct vault_answer){0};
	if (!c->is_open)
		err = SP_ELOCKED;
	else if (worker == NULL || worker->serial != m->serial || m->files == 0)
		err = SP_EREFUSED;
	else if (worker->has_user && worker->user != m->user)
		err = SP_EREFUSED;
	if (err == SP_OK) {
		memcpy(ask.address, worker->address, sizeof(ask.address));
		err = governor_admit(c->governor, &ask, &no);
	}
	if (err != SP_OK)
		refuse_budget(ret, err, &no);
}

void
vault_key_new(struct vault_core *c, const struct ipc_v_key_new *m, struct vault_worker *worker,
    struct vault_answer *ret)
{
	int err = SP_OK;

	*ret = (struct vault_answer){0};
	if (!c->is_open)
		err = SP_ELOCKED;
	else if (worker == NULL || worker->serial != m->serial)
		err = SP_EREFUSED;
	if (err == SP_OK)
		err = crypto_random(c->secret->file, KEY_BYTES);
	if (err == SP_OK)
		err = wrap_file(c, m->org, &m->blob, WRAP_STAGED, m->limit, ret);
	if (err == SP_OK) {
		answer_key(c, 0, &m->blob, m->limit, true, ret);
		return;
	}
	vault_core_clear(c);
	refuse(ret, err);
}

/* check_seal - does the proof come from a holder of the key on the secret page, for this very
 * length? */
static int
check_seal(struct vault_core *c, const struct ipc_v_seal *m, const struct wrap_info *info)
{
	uint8_t proof[32];
	int err;

	if (info->state != WRAP_STAGED || m->length > info->length)
		return SP_EREFUSED;
	err = seal_proof(c->secret->file, m->blob.b, m->length, proof);
	if (err == SP_OK && !secret_eq(span_of(proof, sizeof(proof)), span_of(m->proof.b, 32)))
		err = SP_EREFUSED;
	mem_wipe(proof, sizeof(proof));
	return err;
}

void
vault_seal(struct vault_core *c, const struct ipc_v_seal *m, struct vault_answer *ret)
{
	struct wrap_info info;
	int err;

	*ret = (struct vault_answer){0};
	err = c->is_open ? file_key(c, m->org, &m->blob, m->wrap, &info) : SP_ELOCKED;
	if (err == SP_OK)
		err = check_seal(c, m, &info);
	if (err == SP_OK)
		err = wrap_file(c, m->org, &m->blob, WRAP_SEALED, m->length, ret);
	vault_core_clear(c);
	if (err != SP_OK)
		refuse(ret, err);
}

void
vault_rewrap(struct vault_core *c, const struct ipc_v_rewrap *m, struct vault_answer *ret)
{
	struct wrap_info info;
	int err;

	*ret = (struct vault_answer){0};
	err = c->is_open ? file_key(c, m->org, &m->blob, m->wrap, &info) : SP_ELOCKED;
	if (err == SP_OK)
		err = wrap_file(c, m->org, &m->blob, info.state, info.length, ret);
	vault_core_clear(c);
	if (err != SP_OK)
		refuse(ret, err);
}

/* add_epoch - a new random key for org in the given table. */
static int
add_epoch(struct vault_core *c, struct orgkeys *keys, uint64_t org, uint32_t epoch)
{
	struct wrap_info info = {WRAP_ORG, epoch, 0};
	struct orgkey row = {.org = org, .epoch = epoch};
	int err;

	err = crypto_random(c->secret->org, KEY_BYTES);
	if (err == SP_OK)
		err = key_wrap(c->secret->root, org, no_blob, &info, c->secret->org, row.wrap);
	mem_wipe(c->secret->org, KEY_BYTES);
	return err == SP_OK ? orgkeys_add(keys, &row) : err;
}

/* change_keys - do one operation of ORG_KEY on a copy of the table; *ret_epoch is the newest epoch
 * after it. */
static int
change_keys(struct vault_core *c, const struct ipc_v_org_key *m, struct orgkeys *keys,
    uint32_t *ret_epoch, bool *ret_changed)
{
	const struct orgkey *newest = orgkeys_find(keys, m->org, 0);
	uint32_t current = newest != NULL ? newest->epoch : 0;

	*ret_epoch = current;
	*ret_changed = false;
	if (m->op == 0 && newest != NULL)
		return SP_EEXISTS;
	if (m->op != 0 && newest == NULL)
		return SP_ENOORG;
	if (m->op == 2) {
		if (m->epoch > current)
			return SP_ERANGE;
		*ret_changed = orgkeys_drop_below(keys, m->org, m->epoch) != 0;
		return SP_OK;
	}
	if (current == UINT32_MAX)
		return SP_ERANGE;
	*ret_epoch = current + 1;
	*ret_changed = true;
	return add_epoch(c, keys, m->org, current + 1);
}

void
vault_org_key(struct vault_core *c, const struct ipc_v_org_key *m, struct vault_answer *ret)
{
	struct orgkeys keys = {.rows = NULL};
	uint32_t epoch = 0;
	bool changed = false;
	int err;

	*ret = (struct vault_answer){0};
	err = c->is_open ? orgkeys_copy(&c->keys, &keys) : SP_ELOCKED;
	if (err == SP_OK)
		err = change_keys(c, m, &keys, &epoch, &changed);
	if (err == SP_OK && changed)
		err = save_keys(c, &keys);
	if (err == SP_OK) {
		struct orgkeys old = c->keys;

		c->keys = keys;
		keys = old;
	}
	orgkeys_done(&keys);
	if (err != SP_OK)
		refuse(ret, err);
	/* SP_EEXISTS tells a broker that asks again after a crash what there is. */
	ret->epoch = err == SP_OK || err == SP_EEXISTS ? epoch : 0;
}

void
vault_freeze(struct vault_core *c, const struct ipc_v_freeze *m, struct vault_answer *ret)
{
	uint8_t id[PRINCIPAL_ID_BYTES];
	int err = c->is_open ? SP_OK : SP_ELOCKED;

	*ret = (struct vault_answer){0};
	if (err == SP_OK && m->user != 0) {
		principal_number(m->user, id);
		err = governor_freeze(c->governor, PRINCIPAL_USER, id);
	}
	if (err == SP_OK && address_parse(m->address, id) == SP_OK)
		err = governor_freeze(c->governor, PRINCIPAL_ADDRESS, id);
	if (err != SP_OK)
		refuse(ret, err);
}
