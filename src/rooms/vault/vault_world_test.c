/* vault_world_test.c - what vault_core_test.c and vault_keys_test.c share; see vault_world.h. */
#include "rooms/vault/vault_world.h"

static int
disk_save(void *arg, unsigned slot, struct span content)
{
	struct disk *d = arg;

	d->saves++;
	assert_true(slot < 2 && content.len <= sizeof(d->bytes[0]));
	if (d->fail_in != 0 && --d->fail_in == 0) {
		memcpy(d->bytes[slot], content.ptr, d->tear < content.len ? d->tear : content.len);
		return SP_EIO;
	}
	memcpy(d->bytes[slot], content.ptr, content.len);
	if (content.len > d->len[slot])
		d->len[slot] = content.len;
	return SP_OK;
}

int
reopen(struct world *w)
{
	struct span slot[2] = {
	    span_of(w->disk.bytes[0], w->disk.len[0]), span_of(w->disk.bytes[1], w->disk.len[1])};

	return vault_core_open(w->core, w->root, slot, w->disk.len[0] + w->disk.len[1] == 0);
}

void
start_again(struct world *w)
{
	vault_core_free(w->core);
	w->core = vault_core_new(disk_save, &w->disk, &w->egress->disk);
	assert_non_null(w->core);
}

struct vault_answer
org_op(struct world *w, uint64_t org, unsigned op, uint32_t epoch)
{
	struct ipc_v_org_key m = {.order = ++w->order,
	    .entry = ++w->entry,
	    .org = org,
	    .op = (uint8_t)op,
	    .epoch = epoch};
	struct vault_answer a;

	vault_org_key(w->core, &m, &a);
	assert_false(a.has_key);
	return a;
}

int
setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));

	assert_non_null(w);
	memset(w->root, 0x5a, sizeof(w->root));
	memset(w->blob.b, 0xb1, sizeof(w->blob.b));
	w->worker.serial = 100;
	w->other.serial = 200;
	w->worker.room = w->other.room = ROOM_WORKER_HTTPS;
	w->egress = egress_stage_new();
	w->core = vault_core_new(disk_save, &w->disk, &w->egress->disk);
	assert_non_null(w->core);
	*state = w;
	return 0;
}

int
setup_open(void **state)
{
	struct world *w;

	setup(state);
	w = *state;
	assert_int_equal(reopen(w), SP_OK);
	assert_int_equal(org_op(w, ORG, 0, 0).err, 0);
	assert_int_equal(org_op(w, ORG + 1, 0, 0).err, 0);
	return 0;
}

int
teardown(void **state)
{
	struct world *w = *state;

	vault_core_free(w->core);
	egress_stage_free(w->egress);
	mem_free(w);
	return 0;
}

/* fresh - a new key for the world's blob; keeps its 32 bytes. */
struct vault_answer
fresh(struct world *w, uint64_t limit, uint8_t key[KEY_BYTES])
{
	struct ipc_v_key_new m = {.order = ++w->order,
	    .serial = w->worker.serial,
	    .org = ORG,
	    .blob = w->blob,
	    .limit = limit};
	struct vault_answer a;

	vault_key_new(w->core, &m, &w->worker, &a);
	if (a.has_key) {
		assert_int_equal(a.key.key.len, KEY_BYTES);
		memcpy(key, a.key.key.ptr, KEY_BYTES);
		assert_int_equal(a.key.fresh, 1);
		assert_int_equal(a.key.entry, 0);
		assert_int_equal(a.key.length, limit);
		assert_memory_equal(a.key.blob.b, w->blob.b, 16);
	}
	vault_core_clear(w->core);
	return a;
}

struct ipc_v_release
release_of(struct world *w, const struct vault_answer *wrapped)
{
	return (struct ipc_v_release){
	    .order = ++w->order,
	    .entry = ++w->entry,
	    .serial = w->worker.serial,
	    .org = ORG,
	    .user = USER,
	    .blob = w->blob,
	    .wrap = span_of(wrapped->wrap, wrapped->wrap_len),
	};
}

struct spent
given(struct world *w, uint64_t user)
{
	uint8_t id[PRINCIPAL_ID_BYTES];
	struct governor_row row;

	principal_number(user, id);
	if (governor_find(vault_core_governor(w->core), PRINCIPAL_USER, id, &row) != SP_OK)
		return (struct spent){0, 0};
	return row.used[WINDOW_HOUR];
}

/* refused - nothing of a key is in the answer. */
void
refused(const struct vault_answer *a, int err)
{
	assert_int_equal(a->err, -err);
	assert_false(a->has_key);
	assert_int_equal(a->wrap_len, 0);
	assert_int_equal(a->key.key.len, 0);
	for (size_t i = 0; i < sizeof(a->wrap); i++)
		assert_int_equal(a->wrap[i], 0);
}

struct vault_answer
release(struct world *w, const struct ipc_v_release *m, struct vault_worker *worker,
    uint8_t key[KEY_BYTES])
{
	struct vault_answer a;

	vault_release(w->core, m, worker, &a);
	if (a.has_key && key != NULL)
		memcpy(key, a.key.key.ptr, KEY_BYTES);
	vault_core_clear(w->core);
	return a;
}

struct vault_answer
seal(struct world *w, const struct vault_answer *wrapped, uint64_t length,
    const uint8_t key[KEY_BYTES], uint64_t proven)
{
	struct ipc_v_seal m = {
	    .order = ++w->order,
	    .entry = ++w->entry,
	    .org = ORG,
	    .blob = w->blob,
	    .wrap = span_of(wrapped->wrap, wrapped->wrap_len),
	    .length = length,
	};
	struct vault_answer a;

	assert_int_equal(seal_proof(key, w->blob.b, proven, m.proof.b), SP_OK);
	vault_seal(w->core, &m, &a);
	assert_false(a.has_key);
	return a;
}
