// SPDX-License-Identifier: MIT
/* Generic netlink: values that are answered equal the mapping's. */
#include "test.h"
#include "wire.h"

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
	int r = stay_on_cpu(cpu);

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
	EXPECT_EQ(-ENOENT, wire_ask(&self->wire, &self->request, NULL, NULL));
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
