/* story_test.c - exactly what was taken: a theft is simulated and counted beside, and the story
 * must say the same, 0 missing and 0 extra. */
#include "cli/hunt/world_test.h"

#include "cli/hunt/story.h"

#define FILES 400u

struct truth {
	bool taken[FILES];
	uint64_t times[FILES];
};

struct log {
	char (*json)[1024];
	size_t *len, n, cap;
	struct world w;
};

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
	return *x;
}

static uint64_t
add(struct log *l, const char *event, const char *members)
{
	assert_true(l->n < l->cap);
	l->len[l->n] = world_json(&l->w, l->json[l->n], sizeof(l->json[0]), event, members);
	l->n++;
	l->w.t_us += HUNT_SECOND;
	return l->w.n++;
}

static void
created(struct log *l, unsigned i)
{
	char m[700];

	(void)snprintf(m, sizeof(m),
	    "\"user\":\"owner\",\"path\":\"/in/"
	    "f%u\",\"size\":%u,\"detail\":{\"file\":\"%u\",\"version\":\"%u\",%s\"blob\":\"%"
	    "032x\"}",
	    i, 100 + i, 1000 + i / 2, 5000 + i,
	    i % 3 != 0
		? "\"sha256\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
		: "",
	    i);
	(void)add(l, i % 2 != 0 ? "file.replaced" : "file.created", m);
}

static uint64_t
read_by(struct log *l, const char *user, const char *addr, unsigned i)
{
	char m[700];

	(void)snprintf(m, sizeof(m),
	    "\"addr\":\"%s\",\"user\":\"%s\",\"path\":\"/in/"
	    "f%u\",\"blob\":\"%032x\",\"file\":%u,\"version\":%u,\"size\":%u",
	    addr, user, i, i, 1000 + i / 2, 5000 + i, 100 + i);
	return add(l, "file.read", m);
}

static void
refuse(struct log *l, const char *user, uint64_t entry)
{
	char m[256];

	(void)snprintf(m, sizeof(m),
	    "\"user\":\"%s\",\"detail\":{\"asked\":\"file.read\",\"entry\":\"%llu\",\"reason\":"
	    "\"budget\"}",
	    user, (unsigned long long)entry);
	(void)add(l, "release.refused", m);
}

/* A day in which three people read at random; the thief's readings are counted in truth. */
static struct log
simulate(struct truth *truth, uint64_t seed)
{
	static const char *const users[] = {"thief", "alice", "thief2"};
	struct log l = {.cap = 20000, .w = {.t_us = WORLD_BEGIN}};

	l.json = test_calloc(l.cap, sizeof(l.json[0]));
	l.len = test_calloc(l.cap, sizeof(l.len[0]));
	for (unsigned i = 0; i < FILES; i++)
		created(&l, i);
	for (unsigned k = 0; k < 3000; k++) {
		unsigned who = (unsigned)(next(&seed) % 3),
			 i = (unsigned)(next(&seed) % (FILES / (1 + who)));
		uint64_t entry =
		    read_by(&l, users[who], who == 0 ? "203.0.113.66:9" : "198.51.100.7:9", i);

		if (next(&seed) % 5 == 0) {
			refuse(&l, users[who], entry);
		} else if (who == 0) {
			truth->taken[i] = true;
			truth->times[i]++;
		}
	}
	return l;
}

static void
log_free(struct log *l)
{
	test_free(l->json);
	test_free(l->len);
}

static void
run(const struct log *l, struct story *s)
{
	static struct hunt_entry e;
	char buf[1024];

	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < l->n; i++) {
			memcpy(buf, l->json[i], l->len[i]);
			assert_err(hunt_entry_read((uint8_t *)buf, l->len[i], &e), SP_OK);
			assert_err(pass == 0 ? story_learn(s, &e) : story_take(s, &e), SP_OK);
		}
	for (size_t i = 0; i < l->n; i++) {
		memcpy(buf, l->json[i], l->len[i]);
		assert_err(hunt_entry_read((uint8_t *)buf, l->len[i], &e), SP_OK);
		assert_err(story_join(s, &e), SP_OK);
	}
}

static void
compare(const struct truth *truth, struct story *s)
{
	bool seen[FILES] = {false};
	uint64_t versions = 0, bytes = 0, releases = 0, released = 0;
	const struct taken *t;
	struct totals sum;

	story_totals(s, &sum);
	for (size_t n = 0; (t = story_taken(s, n)) != NULL; n++) {
		unsigned i = (unsigned)(t->version - 5000);

		assert_true(i < FILES);
		assert_true(truth->taken[i]); /* 0 extra */
		assert_false(seen[i]);
		seen[i] = true;
		assert_int_equal(t->times - t->refused, truth->times[i]);
		assert_int_equal(t->size, 100 + i);
		assert_int_equal(t->file, 1000 + i / 2);
		assert_true(t->is_known);
		assert_int_equal(t->stored_entry, i);
		assert_int_equal(t->stored_size, t->size);
		assert_int_equal(t->has_sha256, i % 3 != 0);
		assert_true(t->first_entry != 0 && t->first_entry <= t->last_entry);
	}
	for (unsigned i = 0; i < FILES; i++) {
		assert_int_equal(seen[i], truth->taken[i]); /* 0 missing */
		versions += truth->taken[i];
		bytes += truth->taken[i] ? 100 + i : 0;
		releases += truth->times[i];
		released += truth->times[i] * (100 + i);
	}
	assert_int_equal(sum.versions, versions);
	assert_int_equal(sum.bytes, bytes);
	assert_int_equal(sum.releases, releases);
	assert_int_equal(sum.bytes_released, released);
}

static void
test_exact(void **state)
{
	static const char *const by[][2] = {{"thief", NULL}, {NULL, "203.0.113.66"},
	    {NULL, "203.0.113.0/24"}, {"thief", "203.0.113.66"}};

	(void)state;
	for (uint64_t seed = 1; seed < 6; seed++) {
		struct truth truth = {0};
		struct log l = simulate(&truth, seed * 7919);

		for (size_t i = 0; i < ARRAY_LEN(by); i++) {
			struct story *s = NULL;

			assert_err(story_new(by[i][0], NULL, by[i][1], &s), SP_OK);
			run(&l, s);
			compare(&truth, s);
			story_free(s);
		}
		log_free(&l);
	}
}

/* A file is itself under all its names. */
static void
test_renamed(void **state)
{
	struct log l = {.cap = 10, .w = {.t_us = WORLD_BEGIN}};
	struct totals sum;

	(void)state;
	l.json = test_calloc(l.cap, sizeof(l.json[0]));
	l.len = test_calloc(l.cap, sizeof(l.len[0]));
	created(&l, 4);
	(void)read_by(&l, "bob", "198.51.100.7:9", 4); /* as /in/f4 */
	(void)add(&l, "file.renamed",
	    "\"user\":\"owner\",\"path\":\"/in/f4\",\"detail\":{\"from\":\"/in/f4\",\"to\":\"/out/"
	    "g\",\"file\":\"1002\"}");
	(void)add(&l, "file.read",
	    "\"user\":\"eve\",\"path\":\"/out/"
	    "g\",\"blob\":\"00000000000000000000000000000004\",\"file\":1002,\"version\":5004,"
	    "\"size\":104");
	(void)read_by(&l, "bob", "198.51.100.7:9", 40);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = {"/in/f4", "/out/g", "/out"};
		struct story *s = NULL;

		assert_err(story_new(NULL, names[i], NULL, &s), SP_OK);
		run(&l, s);
		story_totals(s, &sum);
		assert_int_equal(sum.releases, 2);
		assert_int_equal(sum.versions, 1);
		assert_string_equal(story_taken(s, 0)->path, "/in/f4");
		story_free(s);
	}
	log_free(&l);
}

/* A taken-over broker calls the content of one file by another's name, and even records that it was
 * stored under that name: the blob, which the vault authenticates, and its first record tell the
 * truth; also to who asks for the file. */
static void
test_lying_broker(void **state)
{
	static const char *const by[][2] = {{"eve", NULL}, {NULL, "/in/f20"}};
	struct log l = {.cap = 10, .w = {.t_us = WORLD_BEGIN}};

	(void)state;
	l.json = test_calloc(l.cap, sizeof(l.json[0]));
	l.len = test_calloc(l.cap, sizeof(l.len[0]));
	created(&l, 10);
	created(&l, 20);
	(void)add(&l, "file.created",
	    "\"user\":\"eve\",\"path\":\"/in/harmless\",\"size\":1,\"detail\":{\"file\":\"1005\","
	    "\"version\":\"5010\",\"blob\":\"00000000000000000000000000000014\"}");
	(void)add(&l, "file.read",
	    "\"user\":\"eve\",\"path\":\"/in/f10\",\"blob\":\"00000000000000000000000000000014\","
	    "\"file\":1005,\"version\":5010,\"size\":120");
	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		const struct taken *t;
		struct totals sum;
		struct story *s = NULL;

		assert_err(story_new(by[i][0], by[i][1], NULL, &s), SP_OK);
		run(&l, s);
		story_totals(s, &sum);
		t = story_taken(s, 0);
		assert_non_null(t);
		assert_string_equal(t->path, "/in/f10");
		assert_string_equal(t->stored_path, "/in/f20");
		assert_int_equal(t->stored_version, 5020);
		assert_int_equal(t->records, 2);
		assert_int_equal(sum.bytes, 120);
		assert_int_equal(sum.files, 1);
		story_free(s);
	}
	log_free(&l);
}

/* An upload that is gone on with: the wrap says what it may reach, which is not what was taken;
 * once it is finished and read it is a file like others. */
static void
test_uploads(void **state)
{
	static const char resumed[] =
	    "\"user\":\"eve\",\"path\":\"/in/part\",\"blob\":\"00000000000000000000000000000007\","
	    "\"size\":70368744177664";
	struct log l = {.cap = 10, .w = {.t_us = WORLD_BEGIN}};

	(void)state;
	l.json = test_calloc(l.cap, sizeof(l.json[0]));
	l.len = test_calloc(l.cap, sizeof(l.len[0]));
	(void)add(&l, "upload.resumed", resumed);
	for (unsigned finished = 0; finished < 2; finished++) {
		struct story *s = NULL;
		struct totals sum;

		if (finished != 0) {
			created(&l, 7);
			(void)read_by(&l, "eve", "203.0.113.66:9", 7);
		}
		assert_err(story_new("eve", NULL, NULL, &s), SP_OK);
		run(&l, s);
		story_totals(s, &sum);
		assert_int_equal(sum.bytes, finished * 107);
		assert_int_equal(sum.bytes_released, finished * 107);
		assert_int_equal(sum.versions, finished);
		assert_int_equal(sum.uploads, 1 - finished);
		assert_string_equal(story_taken(s, 0)->path, finished != 0 ? "/in/f7" : "/in/part");
		assert_int_equal(story_taken(s, 0)->is_known, finished);
		story_free(s);
	}
	log_free(&l);
}

static void
test_options(void **state)
{
	struct story *s = NULL;

	(void)state;
	assert_err(story_new(NULL, NULL, "300.0.0.1", &s), SP_EUSAGE);
	assert_err(story_new(NULL, NULL, "10.0.0.0/33", &s), SP_EUSAGE);
	assert_err(story_new(NULL, NULL, "2001:db8::/32", &s), SP_OK);
	story_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exact),
	    cmocka_unit_test(test_renamed),
	    cmocka_unit_test(test_lying_broker),
	    cmocka_unit_test(test_uploads),
	    cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
