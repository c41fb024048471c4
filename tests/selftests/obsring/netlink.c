// SPDX-License-Identifier: MIT
/*
 * Generic netlink: what is no good is refused with a sentence and the place,
 * and what is answered equals the mapping.
 */
#include <sched.h>

#include "test.h"
#include "wire.h"

FIXTURE(request)
{
	struct wire wire;
	struct request request;
};

FIXTURE_SETUP(request)
{
	ASSERT_EQ(0, wire_open(&self->wire));
	ASSERT_NE(0, self->wire.family);
	ASSERT_NE(0, self->wire.group);
}

FIXTURE_TEARDOWN(request)
{
	wire_close(&self->wire);
}

#define ask()	wire_ask(&self->wire, &self->request, NULL, NULL)

/* ---- Attributes that are no good ----------------------------------------- */

TEST_F(request, unknown_attribute)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "task");
	offset = request_put_u32(&self->request, OBSRING_A_MAX + 1, 0);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("Unknown attribute type", self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);
}

/* Known, but not to this command. */
TEST_F(request, attribute_of_another_command)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	offset = request_put_u64(&self->request, OBSRING_A_VERSION, 0);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("Unsupported attribute", self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);

	request_begin(&self->request, OBSRING_CMD_INFO_GET, 0);
	offset = request_put_u32(&self->request, OBSRING_A_STATE, 0);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);
}

TEST_F(request, truncated_attribute)
{
	uint16_t half = 0;
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_STATE_SET, 0);
	offset = request_put(&self->request, OBSRING_A_STATE, &half, sizeof(half));
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("invalid attribute length", self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);
}

TEST_F(request, attribute_of_the_wrong_type)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_STATE_SET, 0);
	offset = request_put_string(&self->request, OBSRING_A_STATE, "running");
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);

	request_begin(&self->request, OBSRING_CMD_SERIES_UPDATE, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "t");
	offset = request_put_u32(&self->request, OBSRING_A_VALUE, 1);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);
}

/* An attribute that says it is longer than the message. */
TEST_F(request, attribute_beyond_the_message)
{
	struct nlattr *attr;
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	offset = request_put_string(&self->request, OBSRING_A_NAME, "task");
	attr = (void *)((char *)&self->request + offset);
	attr->nla_len += 64;
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("bytes leftover after parsing attributes", self->wire.sentence);
}

TEST_F(request, string_without_its_end)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	offset = request_put(&self->request, OBSRING_A_NAME, "task", 4);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);
	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put(&self->request, OBSRING_A_NAME, "", 0);
	EXPECT_EQ(-EINVAL, ask());
}

TEST_F(request, string_of_names_length)
{
	char name[OBSRING_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[OBSRING_NAME_MAX + 1] = '\0';
	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, name);
	EXPECT_EQ(-EINVAL, ask());
	name[OBSRING_NAME_MAX] = '\0';
	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, name);
	EXPECT_EQ(-ENOENT, ask());
}

static const struct {
	uint8_t cmd;
	uint16_t attr;
	uint32_t value;
} beyond[] = {
	{ OBSRING_CMD_STATE_SET, OBSRING_A_STATE, OBSRING_STATE_MAX + 1 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_KIND, 0 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_KIND, OBSRING_KIND_MAX + 1 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_EXP10, 1 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_EXP10, (uint32_t)-13 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_SCHEMA, 4 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_MIN_LOG2, (uint32_t)-41 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_MAX_LOG2, 41 },
	{ OBSRING_CMD_PROBE_NEW, OBSRING_A_PROBE_TYPE, 0 },
	{ OBSRING_CMD_PROBE_NEW, OBSRING_A_PROBE_TYPE, OBSRING_PROBE_MAX + 1 },
	{ OBSRING_CMD_PROBE_NEW, OBSRING_A_SAMPLE, 0 },
};

TEST_F(request, numbers_out_of_range)
{
	uint32_t offset;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		request_begin(&self->request, beyond[i].cmd, 0);
		offset = request_put_u32(&self->request, beyond[i].attr, beyond[i].value);
		EXPECT_EQ(-ERANGE, ask())
			TH_LOG("command %u attribute %u", beyond[i].cmd, beyond[i].attr);
		EXPECT_STREQ("integer out of range", self->wire.sentence);
		EXPECT_EQ(offset, self->wire.offset);
	}
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "task");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 2);
	EXPECT_EQ(-ERANGE, ask());
}

TEST_F(request, option_must_be_a_nest)
{
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "syscall");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 0);
	request_put_string(&self->request, OBSRING_A_OPTION, "sample=1");
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("NLA_F_NESTED is missing", self->wire.sentence);
}

TEST_F(request, option_needs_key_and_value)
{
	char nest[64] = { 0 };
	struct nlattr *key = (void *)nest;
	uint32_t offset;

	key->nla_type = OBSRING_A_OPTION_KEY;
	key->nla_len = NLA_HDRLEN + 7;
	strcpy(nest + NLA_HDRLEN, "sample");
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "syscall");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 0);
	offset = request_put(&self->request, OBSRING_A_OPTION | NLA_F_NESTED, nest, 12);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("an option needs a key and a value; at most 16 options",
		     self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);
	/* What stands in a nest is looked at just as strictly. */
	key->nla_type = OBSRING_A_VALUE;
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "syscall");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 0);
	request_put(&self->request, OBSRING_A_OPTION | NLA_F_NESTED, nest, 12);
	EXPECT_EQ(-EINVAL, ask());
}

/* ---- Attributes that are missing ----------------------------------------- */

static const struct {
	uint8_t cmd;
	const char *sentence;
} needs[] = {
	{ OBSRING_CMD_STATE_SET, "attribute state is missing" },
	{ OBSRING_CMD_FAMILY_GET, "attribute name is missing" },
	{ OBSRING_CMD_FAMILY_NEW, "name, help and kind are needed" },
	{ OBSRING_CMD_FAMILY_DEL, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_GET, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_NEW, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_DEL, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_UPDATE, "attribute value is missing" },
	{ OBSRING_CMD_SOURCE_GET, "attribute name is missing" },
	{ OBSRING_CMD_SOURCE_SET, "attribute name is missing" },
	{ OBSRING_CMD_PROBE_NEW, "name, probe-type and probe-target are needed" },
	{ OBSRING_CMD_PROBE_DEL, "attribute name is missing" },
};

TEST_F(request, missing_attributes)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(needs); i++) {
		request_begin(&self->request, needs[i].cmd, 0);
		EXPECT_EQ(-EINVAL, ask())
			TH_LOG("command %u", needs[i].cmd);
		EXPECT_STREQ(needs[i].sentence, self->wire.sentence);
	}
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "task");
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("attribute enabled is missing", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_FAMILY_NEW, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "t");
	request_put_string(&self->request, OBSRING_A_HELP, "h");
	request_put_u32(&self->request, OBSRING_A_KIND, OBSRING_KIND_HISTOGRAM);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("a histogram needs bounds, or schema, min-log2 and max-log2",
		     self->wire.sentence);
}

/* ---- Commands ------------------------------------------------------------ */

TEST_F(request, unknown_commands)
{
	static const uint8_t cmd[] = {
		OBSRING_CMD_UNSPEC, OBSRING_CMD_MAX + 1, 255, OBSRING_CMD_STATE_NTF,
		OBSRING_CMD_FAMILY_NEW_NTF, OBSRING_CMD_PROBE_DEL_NTF,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmd); i++) {
		request_begin(&self->request, cmd[i], 0);
		EXPECT_EQ(-EOPNOTSUPP, ask());
	}
	request_begin(&self->request, OBSRING_CMD_INFO_GET, NLM_F_DUMP);
	EXPECT_EQ(-EOPNOTSUPP, ask());
	request_begin(&self->request, OBSRING_CMD_PROBE_GET, 0);
	EXPECT_EQ(-EOPNOTSUPP, ask());
}

TEST_F(request, message_without_its_header)
{
	request_begin(&self->request, OBSRING_CMD_INFO_GET, 0);
	self->request.head.nlmsg_len = NLMSG_LENGTH(2);
	EXPECT_EQ(-EINVAL, ask());
}

TEST_F(request, unknown_names)
{
	static const struct { uint8_t cmd; const char *sentence; } names[] = {
		{ OBSRING_CMD_FAMILY_GET, "there is no family of that name" },
		{ OBSRING_CMD_SERIES_GET, "there is no family of that name" },
		{ OBSRING_CMD_SOURCE_GET, "there is no source of that name" },
		{ OBSRING_CMD_PROBE_DEL, "there is no probe of that name" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		request_begin(&self->request, names[i].cmd, 0);
		request_put_string(&self->request, OBSRING_A_NAME, "none");
		EXPECT_EQ(-ENOENT, ask());
		EXPECT_STREQ(names[i].sentence, self->wire.sentence);
	}
	request_begin(&self->request, OBSRING_CMD_FAMILY_GET, 0);
	request_put_u32(&self->request, OBSRING_A_FAMILY_ID, 1000000);
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no family of that id", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, 0);
	request_put_u32(&self->request, OBSRING_A_SERIES_ID, 1000000);
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no such series", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, NLM_F_DUMP);
	request_put_string(&self->request, OBSRING_A_NAME, "none");
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no family of that name", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, NLM_F_DUMP);
	request_put_u32(&self->request, OBSRING_A_SERIES_ID, 1);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("a dump is by name alone", self->wire.sentence);
}

/* ---- Answers ------------------------------------------------------------- */

static void keep_info(const struct answer *answer, void *arg)
{
	uint32_t *seen = arg;
	uint16_t type;

	for (type = OBSRING_A_VERSION; type <= OBSRING_A_REFUSED; type++)
		*seen += !!answer->attr[type];
	*seen += !!answer->attr[OBSRING_A_SOURCE];
	if (attr_u32(answer->attr[OBSRING_A_ABI_MAJOR]) != OBSRING_ABI_MAJOR ||
	    answer->cmd != OBSRING_CMD_INFO_GET)
		*seen = 0;
}

TEST_F(request, info_is_complete)
{
	uint32_t seen = 0;

	request_begin(&self->request, OBSRING_CMD_INFO_GET, 0);
	EXPECT_EQ(0, wire_ask(&self->wire, &self->request, keep_info, &seen));
	EXPECT_EQ(OBSRING_A_REFUSED - OBSRING_A_VERSION + 2, seen);
}

TEST_F(request, info_equals_the_header)
{
	struct obs_control *control;
	struct obs_info info;
	struct view view;

	ASSERT_EQ(0, view_open(&view));
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_control_info(control, &info));
	EXPECT_EQ(obs_device_header(view.device)->instance, info.instance);
	EXPECT_EQ(obs_device_header(view.device)->nr_cpus, info.nr_cpus);
	EXPECT_EQ(obs_device_header(view.device)->series_live, info.series);
	EXPECT_EQ(obs_device_header(view.device)->state, info.state);
	EXPECT_EQ((int64_t)info.bytes, metric(&view, "obsring_memory_bytes", "values") +
		  metric(&view, "obsring_memory_bytes", "exemplars"));
	EXPECT_EQ((int64_t)info.directory_bytes,
		  metric(&view, "obsring_memory_bytes", "directory"));
	obs_control_close(control);
	view_close(&view);
}

/* ---- Values equal the mapping's ------------------------------------------ */

#define COUNTERS	600	/* more than fits one piece of a dump */

FIXTURE(values)
{
	struct wire wire;
	struct request request;
	struct obs_control *control;
	struct view view;
};

static const char *const no_label[] = { NULL };

static int make_families(struct obs_control *control)
{
	const struct obs_family_spec specs[] = {
		{ .name = "c_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
		  .nr_labels = 1, .label = (const char *const[]){ "n" } },
		{ .name = "g", .help = "h", .kind = OBSRING_KIND_GAUGE },
		{ .name = "s", .help = "h", .kind = OBSRING_KIND_GAUGE, .set = true },
		/* A row of it is 6 KiB, so that all do not fit one message. */
		{ .name = "h_seconds", .help = "h", .kind = OBSRING_KIND_HISTOGRAM,
		  .schema = 3, .min_log2 = -40, .max_log2 = 23, .exp10 = -9 },
		{ .name = "x", .help = "h", .kind = OBSRING_KIND_HISTOGRAM,
		  .nr_bounds = 2, .bound = (const uint64_t[]){ 10, 100000 } },
	};
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(specs); i++) {
		r = obs_family_add(control, &specs[i]);
		if (!r && !specs[i].nr_labels)
			r = obs_series_add(control, specs[i].name, NULL, 0);
	}
	return r;
}

static int pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int64_t number_of(unsigned int cpu, unsigned int series)
{
	return (int64_t)(cpu + 1) * 100000 + series;
}

/* On each CPU another number, into each series. */
static int update_from(struct obs_control *control, unsigned int cpu)
{
	char text[16];
	const char *value[] = { text };
	unsigned int n;
	int r = pin(cpu);

	for (n = 0; !r && n < COUNTERS; n++) {
		snprintf(text, sizeof(text), "%u", n);
		r = obs_series_update(control, "c_total", value, 1, number_of(cpu, n));
	}
	if (!r)
		r = obs_series_update(control, "g", no_label, 0, -number_of(cpu, 0));
	if (!r)
		r = obs_series_update(control, "s", no_label, 0, number_of(cpu, 1));
	for (n = 0; !r && n <= cpu; n++) {
		r = obs_series_update(control, "h_seconds", no_label, 0,
				      number_of(cpu, n) * 7);
		if (!r)
			r = obs_series_update(control, "x", no_label, 0, number_of(cpu, n));
	}
	return r;
}

static int update_all(struct obs_control *control)
{
	unsigned int cpu, nr = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), n;
	char text[16];
	const char *value[] = { text };
	int r = 0;

	for (n = 0; !r && n < COUNTERS; n++) {
		snprintf(text, sizeof(text), "%u", n);
		r = obs_series_add(control, "c_total", value, 1);
	}
	for (cpu = 0; !r && cpu < nr; cpu++)
		r = update_from(control, cpu);
	return r;
}

/* Nothing counts but what the test does. */
FIXTURE_SETUP(values)
{
	ASSERT_EQ(0, module_reload("sources=none"));
	ASSERT_EQ(0, wire_open(&self->wire));
	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, make_families(self->control));
	ASSERT_EQ(0, update_all(self->control));
	ASSERT_EQ(0, view_open(&self->view));
	ASSERT_LE(0, obs_snapshot_update(self->view.snapshot));
}

FIXTURE_TEARDOWN(values)
{
	view_close(&self->view);
	wire_close(&self->wire);
	obs_control_close(self->control);
	EXPECT_EQ(0, module_reload(""));
}

/**
 * struct comparison - a dump against the mapping
 * @view: the mapping
 * @series: seen with their values
 * @rows: seen
 * @continued: messages that went on with a series
 * @wrong: what differs
 */
struct comparison {
	struct view *view;
	unsigned int series;
	unsigned int rows;
	unsigned int continued;
	unsigned int wrong;
};

static const struct obs_series_info *by_id(struct view *view, const struct answer *answer)
{
	const struct obs_family_info *family =
		obs_family_find(view->snapshot, attr_string(answer->attr[OBSRING_A_NAME]));
	const struct obs_series_info *series = NULL;

	while (family && (series = obs_series_next(view->snapshot, family, series)))
		if (series->id == attr_u32(answer->attr[OBSRING_A_SERIES_ID]) &&
		    series->gen == attr_u32(answer->attr[OBSRING_A_GEN]))
			return series;
	return NULL;
}

static unsigned int labels_differ(const struct answer *answer,
				  const struct obs_series_info *series)
{
	const struct nlattr *attr;
	unsigned int nr = 0, wrong = 0;

	answer_each(attr, answer) {
		if (attr_type(attr) != OBSRING_A_LABEL_VALUE)
			continue;
		if (nr >= series->family->nr_labels ||
		    strcmp(series->value[nr], attr_data(attr)))
			wrong++;
		nr++;
	}
	return wrong + (nr != series->family->nr_labels);
}

/* Slots of a message or row, against @slots: how many differ, or are not there. */
static unsigned int slots_differ(const struct answer *answer, const uint64_t *slots,
				 unsigned int nr)
{
	const struct nlattr *attr;
	unsigned int bucket = 1, wrong = 0;
	uint16_t first = nr > 1 ? OBSRING_A_SUM : OBSRING_A_VALUE;

	if (!answer->attr[first] || attr_u64(answer->attr[first]) != slots[0])
		wrong++;
	answer_each(attr, answer) {
		if (attr_type(attr) != OBSRING_A_BUCKET)
			continue;
		if (bucket >= nr || attr_u64(attr) != slots[bucket])
			wrong++;
		bucket++;
	}
	return wrong + (bucket != nr);
}

static unsigned int nr_slots_of(const struct obs_family_info *family)
{
	return family->kind == OBSRING_KIND_HISTOGRAM ? family->nr_bounds + 2 : 1;
}

static unsigned int value_differs(struct view *view, const struct answer *answer,
				  const struct obs_series_info *series)
{
	static uint64_t slots[OBSRING_SLOTS_MAX];
	const struct obs_family_info *family = series->family;

	if (family->kind == OBSRING_KIND_HISTOGRAM) {
		slots[0] = obs_series_sum(view->snapshot, series);
		memcpy(slots + 1, obs_series_buckets(view->snapshot, series),
		       (family->nr_bounds + 1) * sizeof(slots[0]));
	} else if (family->kind == OBSRING_KIND_GAUGE) {
		slots[0] = (uint64_t)obs_series_gauge(view->snapshot, series);
	} else {
		slots[0] = obs_series_counter(view->snapshot, series);
	}
	return slots_differ(answer, slots, nr_slots_of(family));
}

static void rows_compare(struct comparison *comparison, const struct answer *answer,
			 const struct obs_series_info *series)
{
	static uint64_t slots[OBSRING_SLOTS_MAX];
	unsigned int nr = nr_slots_of(series->family);
	const struct nlattr *attr;
	struct answer row;

	answer_each(attr, answer) {
		if (attr_type(attr) != OBSRING_A_ROW)
			continue;
		answer_parse(&row, attr_data(attr), attr_len(attr));
		comparison->rows++;
		if (!row.attr[OBSRING_A_CPU] ||
		    obs_series_row(comparison->view->snapshot, series,
				   attr_u32(row.attr[OBSRING_A_CPU]), slots, nr))
			comparison->wrong++;
		else
			comparison->wrong += slots_differ(&row, slots, nr);
	}
}

static void compare(const struct answer *answer, void *arg)
{
	struct comparison *comparison = arg;
	const struct obs_series_info *series = by_id(comparison->view, answer);

	if (!series || labels_differ(answer, series)) {
		comparison->wrong++;
		return;
	}
	if (answer->attr[OBSRING_A_VALUE] || answer->attr[OBSRING_A_SUM]) {
		comparison->series++;
		comparison->wrong += value_differs(comparison->view, answer, series);
	} else {
		comparison->continued++;
	}
	rows_compare(comparison, answer, series);
}

TEST_F(values, dump_equals_the_mapping)
{
	struct comparison comparison = { .view = &self->view };

	request_begin(&self->request, OBSRING_CMD_SERIES_GET, NLM_F_DUMP);
	ASSERT_EQ(0, wire_ask(&self->wire, &self->request, compare, &comparison));
	EXPECT_EQ(obs_device_header(self->view.device)->series_live, comparison.series);
	EXPECT_EQ(0, comparison.wrong);
	EXPECT_EQ(0, comparison.rows);
	EXPECT_EQ(0, comparison.continued);
	EXPECT_LT(1, self->wire.nr_datagrams);
}

/* Rows of all series: one for each CPU, of set-type gauges one. */
static unsigned int rows_of(struct view *view)
{
	unsigned int cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF), nr = 0;
	const struct obs_family_info *family = NULL;

	while ((family = obs_family_next(view->snapshot, family)))
		nr += obs_family_nr_series(view->snapshot, family) * (family->set ? 1 : cpus);
	return nr;
}

TEST_F(values, rows_equal_the_mapping)
{
	struct comparison comparison = { .view = &self->view };
	unsigned int live = obs_device_header(self->view.device)->series_live;

	request_begin(&self->request, OBSRING_CMD_SERIES_GET, NLM_F_DUMP);
	request_put(&self->request, OBSRING_A_PER_CPU, NULL, 0);
	ASSERT_EQ(0, wire_ask(&self->wire, &self->request, compare, &comparison));
	EXPECT_EQ(live, comparison.series);
	EXPECT_EQ(0, comparison.wrong);
	EXPECT_EQ(rows_of(&self->view), comparison.rows) TH_LOG("live %u", live);
	EXPECT_LT(0, comparison.continued);
	EXPECT_LT(1, self->wire.nr_datagrams);
}

/* The numbers of each CPU stand in its own row, and nowhere else. */
TEST_F(values, each_cpu_has_its_own_number)
{
	unsigned int cpu, nr = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), n;
	const struct obs_series_info *series;
	uint64_t slot, slots[4];
	char text[16];

	for (n = 0; n < COUNTERS; n += 97) {
		snprintf(text, sizeof(text), "%u", n);
		series = metric_series(&self->view, "c_total", text);
		ASSERT_NE(NULL, series);
		for (cpu = 0; cpu < nr; cpu++) {
			ASSERT_EQ(0, obs_series_row(self->view.snapshot, series, cpu, &slot, 1));
			EXPECT_EQ(number_of(cpu, n), slot);
		}
	}
	series = metric_series(&self->view, "x");
	ASSERT_NE(NULL, series);
	for (cpu = 0; cpu < nr; cpu++) {
		ASSERT_EQ(0, obs_series_row(self->view.snapshot, series, cpu, slots, 4));
		/* All above 10; only number_of(0, 0) is 100000 or below. */
		EXPECT_EQ(0, slots[1]);
		EXPECT_EQ(cpu ? 0 : 1, slots[2]);
		EXPECT_EQ(cpu ? cpu + 1 : 0, slots[3]);
	}
	EXPECT_EQ(number_of(nr - 1, 1), metric(&self->view, "s"));
}

TEST_F(values, one_series)
{
	struct comparison comparison = { .view = &self->view };
	const struct obs_series_info *series = metric_series(&self->view, "h_seconds");
	unsigned int cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);

	ASSERT_NE(NULL, series);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, 0);
	request_put_u32(&self->request, OBSRING_A_SERIES_ID, series->id);
	request_put_u32(&self->request, OBSRING_A_GEN, series->gen);
	request_put(&self->request, OBSRING_A_PER_CPU, NULL, 0);
	EXPECT_EQ(0, wire_ask(&self->wire, &self->request, compare, &comparison));
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "c_total");
	request_put_string(&self->request, OBSRING_A_LABEL_VALUE, "7");
	EXPECT_EQ(0, wire_ask(&self->wire, &self->request, compare, &comparison));
	EXPECT_EQ(2, comparison.series);
	EXPECT_EQ(cpus, comparison.rows);
	EXPECT_EQ(0, comparison.wrong);

	/* Another life of that entry. */
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, 0);
	request_put_u32(&self->request, OBSRING_A_SERIES_ID, series->id);
	request_put_u32(&self->request, OBSRING_A_GEN, series->gen + 2);
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no such series", self->wire.sentence);
}

static int library_series(const struct obs_series_values *values, void *arg)
{
	struct comparison *comparison = arg;
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	uint64_t slots[OBSRING_SLOTS_MAX];
	unsigned int i;

	family = obs_family_find(comparison->view->snapshot, values->family);
	while (family &&
	       (series = obs_series_next(comparison->view->snapshot, family, series)))
		if (series->id == values->id && series->gen == values->gen)
			break;
	if (!series)
		return -EPROTO;
	comparison->series++;
	for (i = 0; i < values->nr_rows; i++) {
		comparison->rows++;
		if (obs_series_row(comparison->view->snapshot, series, values->row_cpu[i],
				   slots, 1 + values->nr_buckets) ||
		    slots[0] != (uint64_t)values->row_number[i] ||
		    memcmp(slots + 1, values->row_bucket + i * values->nr_buckets,
			   values->nr_buckets * sizeof(slots[0])))
			comparison->wrong++;
	}
	return 0;
}

TEST_F(values, library_dump)
{
	struct comparison comparison = { .view = &self->view };
	unsigned int live = obs_device_header(self->view.device)->series_live;

	EXPECT_EQ(0, obs_series_dump(self->control, NULL, true, -1, library_series,
				     &comparison));
	EXPECT_EQ(live, comparison.series);
	EXPECT_EQ(rows_of(&self->view), comparison.rows);
	EXPECT_EQ(0, comparison.wrong);
	memset(&comparison, 0, sizeof(comparison));
	comparison.view = &self->view;
	EXPECT_EQ(0, obs_series_dump(self->control, "c_total", false, -1, library_series,
				     &comparison));
	EXPECT_EQ(COUNTERS + 1, comparison.series);
	EXPECT_EQ(0, comparison.rows);
	EXPECT_EQ(-ENOENT, obs_series_dump(self->control, "none", false, -1,
					   library_series, &comparison));
	EXPECT_SAYS("there is no family of that name", self->control);
}

static void count_families(const struct answer *answer, void *arg)
{
	struct comparison *comparison = arg;
	const struct obs_family_info *family;

	family = obs_family_find(comparison->view->snapshot,
				 attr_string(answer->attr[OBSRING_A_NAME]));
	comparison->series++;
	if (!family || family->id != attr_u32(answer->attr[OBSRING_A_FAMILY_ID]) ||
	    family->gen != attr_u32(answer->attr[OBSRING_A_GEN]) ||
	    family->kind != attr_u32(answer->attr[OBSRING_A_KIND]) ||
	    family->exp10 != (int32_t)attr_u32(answer->attr[OBSRING_A_EXP10]) ||
	    family->set != !!answer->attr[OBSRING_A_SET] ||
	    family->created_ns != attr_u64(answer->attr[OBSRING_A_CREATED_NS]) ||
	    strcmp(family->help, attr_string(answer->attr[OBSRING_A_HELP])) ||
	    strcmp(family->unit, attr_string(answer->attr[OBSRING_A_UNIT])) ||
	    obs_family_nr_series(comparison->view->snapshot, family) !=
		    attr_u32(answer->attr[OBSRING_A_SERIES]))
		comparison->wrong++;
}

/* Long helps, so that the dump takes several messages. */
TEST_F(values, families_equal_the_mapping)
{
	struct comparison comparison = { .view = &self->view };
	struct obs_family_spec spec = { .kind = OBSRING_KIND_COUNTER };
	char help[OBSRING_HELP_MAX + 1], name[16];
	struct obs_info info;
	int i;

	memset(help, 'h', sizeof(help));
	help[OBSRING_HELP_MAX] = '\0';
	spec.name = name;
	spec.help = help;
	for (i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%d_total", i);
		ASSERT_EQ(0, obs_family_add(self->control, &spec));
	}
	ASSERT_LE(0, obs_snapshot_update(self->view.snapshot));
	ASSERT_EQ(0, obs_control_info(self->control, &info));
	request_begin(&self->request, OBSRING_CMD_FAMILY_GET, NLM_F_DUMP);
	EXPECT_EQ(0, wire_ask(&self->wire, &self->request, count_families, &comparison));
	EXPECT_EQ(info.families, comparison.series);
	EXPECT_EQ(0, comparison.wrong);
	EXPECT_LT(1, self->wire.nr_datagrams);
}

TEST_HARNESS_MAIN
