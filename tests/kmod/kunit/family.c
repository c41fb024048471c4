// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a family may be, and which names collide: kmod/family.c, compiled into this
 * module for itself, so that it claims names beside the real registry's.
 */
#include <kunit/test.h>

#include "../../../kmod/family.c"

static const struct obs_family_desc counter = {
	.name = "kunit_total", .help = "Of a test.", .kind = OBSRING_KIND_COUNTER,
};

/* What making a family says; if it is made it goes again. */
static long make(const struct obs_family_desc *desc, struct netlink_ext_ack *extack)
{
	struct obs_family *family = obs_family_make(desc, NULL, 0, extack);

	if (IS_ERR(family))
		return PTR_ERR(family);
	obs_family_destroy(family);
	return 0;
}

/* Each is refused, and told why. */
static void malformed(struct kunit *test)
{
	static char too_long[OBSRING_NAME_MAX + 2];
	static const u64 ascending[] = { 1, 2 }, not_ascending[] = { 2, 2 }, last[] = { U64_MAX };
	static const char *const state[] = { "up", "down" }, *const twice[] = { "up", "up" };
	static const struct obs_family_desc desc[] = {
		{ .help = "", .kind = OBSRING_KIND_COUNTER },
		{ .name = "", .help = "", .kind = OBSRING_KIND_COUNTER },
		{ .name = too_long, .help = "", .kind = OBSRING_KIND_COUNTER },
		{ .name = "a\n", .help = "", .kind = OBSRING_KIND_COUNTER },
		{ .name = "a", .kind = OBSRING_KIND_COUNTER },
		{ .name = "a", .help = "\xff", .kind = OBSRING_KIND_COUNTER },
		{ .name = "a", .help = "" },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_MAX + 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .unit = too_long },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .exp10 = 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER,
		  .exp10 = OBSRING_EXP10_MIN - 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .set = true },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .exemplars = true },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER,
		  .bounds = ascending, .nr_bounds = 2 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER,
		  .state = state, .nr_states = 2 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .label = { "" } },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .label = { too_long } },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .label = { "__name" } },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER, .label = { "..x" } },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_COUNTER,
		  .label = { "a.b", "c", "a-b" } },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM, .max_log2 = 1,
		  .label = { "le" } },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM, .schema = -1,
		  .max_log2 = 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM,
		  .schema = OBSRING_SCHEMA_MAX + 1, .max_log2 = 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM,
		  .min_log2 = OBSRING_LOG2_MIN - 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM, .schema = 3,
		  .min_log2 = -32, .max_log2 = 32 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM, .bounds = ascending },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM,
		  .bounds = ascending, .nr_bounds = OBSRING_BOUNDS_MAX + 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM,
		  .bounds = not_ascending, .nr_bounds = 2 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_HISTOGRAM,
		  .bounds = last, .nr_bounds = 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_STATE },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_STATE, .state = state,
		  .nr_states = OBSRING_STATES_MAX + 1 },
		{ .name = "a", .help = "", .kind = OBSRING_KIND_STATE, .state = twice,
		  .nr_states = 2 },
		{ .name = "a.b", .help = "", .kind = OBSRING_KIND_STATE, .state = state,
		  .nr_states = 2, .label = { "a-b" } },
	};
	u32 i;

	memset(too_long, 'a', sizeof(too_long) - 1);
	for (i = 0; i < ARRAY_SIZE(desc); i++) {
		struct netlink_ext_ack extack = {};

		KUNIT_EXPECT_EQ_MSG(test, make(&desc[i], &extack), -EINVAL, "%u", i);
		KUNIT_EXPECT_NOT_NULL_MSG(test, extack._msg, "%u", i);
	}
	KUNIT_EXPECT_TRUE(test, hash_empty(claims));
}

static void as_large_as_allowed(struct kunit *test)
{
	static u64 bounds[OBSRING_BOUNDS_MAX];
	static char label[OBSRING_LABELS_MAX][OBSRING_NAME_MAX + 1];
	static char name[OBSRING_NAME_MAX + 1], help[OBSRING_HELP_MAX + 1];
	struct obs_family_desc desc = {
		.name = name, .help = help, .unit = "seconds", .exp10 = OBSRING_EXP10_MIN,
		.kind = OBSRING_KIND_HISTOGRAM, .bounds = bounds, .nr_bounds = OBSRING_BOUNDS_MAX,
		.exemplars = true,
	};
	struct obs_family *family;
	u32 i;

	memset(name, 'n', sizeof(name) - 1);
	memset(help, 'h', sizeof(help) - 1);
	for (i = 0; i < OBSRING_BOUNDS_MAX; i++)
		bounds[i] = i;
	for (i = 0; i < OBSRING_LABELS_MAX; i++) {
		memset(label[i], 'a' + i, OBSRING_NAME_MAX);
		desc.label[i] = label[i];
	}
	family = obs_family_make(&desc, NULL, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(family));
	KUNIT_EXPECT_LE(test, family->text_len, (u32)OBS_TEXT_MAX);
	KUNIT_EXPECT_EQ(test, family->nr_slots, (u32)OBSRING_BOUNDS_MAX + 2);
	KUNIT_EXPECT_STREQ(test, family->desc.help, help);
	KUNIT_EXPECT_STREQ(test, family->desc.label[OBSRING_LABELS_MAX - 1],
			   label[OBSRING_LABELS_MAX - 1]);
	KUNIT_EXPECT_EQ(test, memcmp(family->text + family->text_len - sizeof(bounds), bounds,
				     sizeof(bounds)), 0);
	obs_family_destroy(family);
}

/* Two families of which one sample name would be the same to Prometheus. */
static void collisions(struct kunit *test)
{
	static const char *const states[] = { "up" };
	static const struct {
		const char *a;
		u8 a_kind;
		const char *b;
		u8 b_kind;
		bool same;
	} pair[] = {
		{ "x", OBSRING_KIND_COUNTER, "x", OBSRING_KIND_GAUGE, true },
		{ "x_total", OBSRING_KIND_COUNTER, "x", OBSRING_KIND_GAUGE, true },
		{ "x.total", OBSRING_KIND_COUNTER, "x", OBSRING_KIND_GAUGE, true },
		{ "x_total", OBSRING_KIND_COUNTER, "x_created", OBSRING_KIND_GAUGE, true },
		{ "x_total", OBSRING_KIND_GAUGE, "x", OBSRING_KIND_GAUGE, false },
		{ "_total", OBSRING_KIND_COUNTER, "_created", OBSRING_KIND_GAUGE, false },
		{ "x", OBSRING_KIND_HISTOGRAM, "x_count", OBSRING_KIND_GAUGE, true },
		{ "x", OBSRING_KIND_HISTOGRAM, "x_bucket", OBSRING_KIND_GAUGE, true },
		{ "x", OBSRING_KIND_HISTOGRAM, "x_sum", OBSRING_KIND_GAUGE, true },
		{ "x", OBSRING_KIND_HISTOGRAM, "x_total", OBSRING_KIND_GAUGE, false },
		{ "x_sum", OBSRING_KIND_GAUGE, "x", OBSRING_KIND_HISTOGRAM, true },
		{ "x_info", OBSRING_KIND_INFO, "x", OBSRING_KIND_GAUGE, true },
		{ "x", OBSRING_KIND_STATE, "x_version", OBSRING_KIND_GAUGE, true },
		{ "a.b", OBSRING_KIND_GAUGE, "a-b", OBSRING_KIND_GAUGE, true },
		{ "a\xc3\xbc", OBSRING_KIND_GAUGE, "a_", OBSRING_KIND_GAUGE, true },
		{ "a:b", OBSRING_KIND_GAUGE, "a_b", OBSRING_KIND_GAUGE, false },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(pair); i++) {
		struct obs_family_desc a = {
			.name = pair[i].a, .kind = pair[i].a_kind, .help = "", .max_log2 = 1,
		}, b = { .name = pair[i].b, .kind = pair[i].b_kind, .help = "", .max_log2 = 1 };
		struct obs_family *first;

		if (a.kind == OBSRING_KIND_STATE) {
			a.state = states;
			a.nr_states = 1;
		}
		first = obs_family_make(&a, NULL, 0, NULL);
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(first), "%s", a.name);
		KUNIT_EXPECT_EQ_MSG(test, make(&b, NULL), pair[i].same ? -EEXIST : 0,
				    "%s beside %s", b.name, a.name);
		obs_family_destroy(first);
		KUNIT_EXPECT_EQ_MSG(test, make(&b, NULL), 0, "%s", b.name);
	}
	KUNIT_EXPECT_TRUE(test, hash_empty(claims));
}

/* obsring's own names are for itself alone, in any spelling. */
static void reserved(struct kunit *test)
{
	static const char *const label[] = { "service", "uid", OBS_LABEL_TRACE_CONTEXT };
	struct obs_family_desc desc = counter;
	struct obs_family *family;
	u32 i;

	desc.name = "obsring.kunit";
	KUNIT_EXPECT_EQ(test, make(&desc, NULL), -EINVAL);
	desc.name = "process_kunit";
	KUNIT_EXPECT_EQ(test, make(&desc, NULL), -EINVAL);

	family = obs_family_make(&desc, THIS_MODULE, 0, NULL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(family));
	if (!IS_ERR(family))
		obs_family_destroy(family);
	family = obs_family_make(&desc, THIS_MODULE, OBSRING_FAMILY_NETLINK, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(family), -EINVAL);

	/* But for one that services may have, with exactly these labels. */
	desc.name = OBS_NAME_TRACE_CONTEXT;
	for (i = 0; i < 3; i++)
		desc.label[i] = label[i];
	family = obs_family_make(&desc, THIS_MODULE, OBSRING_FAMILY_SERVICE, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(family), 0);
	if (!IS_ERR(family))
		obs_family_destroy(family);
	desc.label[2] = "other";
	family = obs_family_make(&desc, THIS_MODULE, OBSRING_FAMILY_SERVICE, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(family), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(malformed),
	KUNIT_CASE(as_large_as_allowed),
	KUNIT_CASE(collisions),
	KUNIT_CASE(reserved),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-family",
	.test_cases = cases,
};

kunit_test_suite(suite);
