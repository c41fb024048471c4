// SPDX-License-Identifier: GPL-2.0-only
/* Side tables of what has begun, and versioned states. */
#include <kunit/test.h>

#include <linux/obsring.h>
#include <obsring/sidetable.h>
#include <obsring/state.h>

#define ORDER	1

static struct obs_sidetable *table_make(struct kunit *test)
{
	struct obs_sidetable *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->order = ORDER;
	t->sets = kunit_kzalloc(test, obs_sidetable_bytes(ORDER), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->sets);
	return t;
}

static void what_was_put_is_taken_once(struct kunit *test)
{
	struct obs_sidetable *t = table_make(test);
	struct obs_sidetable_value value;

	KUNIT_EXPECT_FALSE(test, obs_sidetable_take(t, 8, &value));
	KUNIT_EXPECT_EQ(test, obs_sidetable_put(t, 8, 1, 2), OBS_SIDETABLE_NEW);
	KUNIT_EXPECT_TRUE(test, obs_sidetable_has(t, 8));
	KUNIT_EXPECT_EQ(test, obs_sidetable_put(t, 8, 3, 4), OBS_SIDETABLE_REPLACED);
	KUNIT_ASSERT_TRUE(test, obs_sidetable_take(t, 8, &value));
	KUNIT_EXPECT_EQ(test, value.time, 3ULL);
	KUNIT_EXPECT_EQ(test, value.extra, 4ULL);
	KUNIT_EXPECT_FALSE(test, obs_sidetable_has(t, 8));
	KUNIT_EXPECT_FALSE(test, obs_sidetable_take(t, 8, &value));
}

/* A full set refuses, changes nothing, and has room again for each that was taken. */
static void full_sets(struct kunit *test)
{
	struct obs_sidetable *t = table_make(test);
	struct obs_sidetable_value value;
	u64 key, refused = 0, nr = 0;

	for (key = 2; nr < OBS_SIDETABLE_WAYS << ORDER; key++) {
		if (obs_sidetable_put(t, key, key, ~key) == OBS_SIDETABLE_NEW)
			nr++;
		KUNIT_ASSERT_LT(test, key, 10000ULL);
	}
	for (; key < 100; key++)
		refused += obs_sidetable_put(t, key, 0, 0) == OBS_SIDETABLE_FULL;
	KUNIT_EXPECT_GT(test, refused, 0ULL);
	for (key = 2; key < 10000; key++) {
		if (!obs_sidetable_take(t, key, &value))
			continue;
		nr--;
		KUNIT_ASSERT_EQ(test, value.time, key);
		KUNIT_ASSERT_EQ(test, value.extra, ~key);
	}
	KUNIT_EXPECT_EQ(test, nr, 0ULL);
	KUNIT_EXPECT_NULL(test, memchr_inv(t->sets->key, 0, sizeof(t->sets->key)));
	KUNIT_EXPECT_EQ(test, obs_sidetable_put(t, 2, 0, 0), OBS_SIDETABLE_NEW);
}

static void states(struct kunit *test)
{
	static const struct { u64 version; u8 state; enum obs_state_result result; } step[] = {
		{ 5, 1, OBS_STATE_INSERTED },
		{ 5, 1, OBS_STATE_STALE },
		{ 5, 2, OBS_STATE_CONFLICT },
		{ 4, 2, OBS_STATE_STALE },
		{ 6, 1, OBS_STATE_UPDATED },
		{ OBS_STATE_VERSION_MAX, OBS_STATE_MAX, OBS_STATE_UPDATED },
		{ OBS_STATE_VERSION_MAX, 0, OBS_STATE_CONFLICT },
	};
	u64 word = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(step); i++)
		KUNIT_EXPECT_EQ_MSG(test, obs_state_word_update(&word, step[i].version,
								step[i].state),
				    step[i].result, "step %u", i);
	KUNIT_EXPECT_EQ(test, obs_state_version(obs_state_word_get(&word)), OBS_STATE_VERSION_MAX);
	KUNIT_EXPECT_EQ(test, obs_state_state(word), (u8)OBS_STATE_MAX);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_was_put_is_taken_once),
	KUNIT_CASE(full_sets),
	KUNIT_CASE(states),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-word",
	.test_cases = cases,
};

kunit_test_suite(suite);
