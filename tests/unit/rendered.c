// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <obsring/exemplar.h>

#include "rendered.h"

static uint32_t family_add(struct segment *s, enum obsring_kind kind,
			   const char *name, const char *help)
{
	return segment_family_add(s, &(struct obs_family_spec){
		.name = name, .help = help, .kind = kind });
}

uint32_t labelled_add(struct segment *s, enum obsring_kind kind,
		      const char *name, const char *help, unsigned int nr,
		      const char *const *label)
{
	return segment_family_add(s, &(struct obs_family_spec){
		.name = name, .help = help, .kind = kind,
		.nr_labels = nr, .label = label });
}

/* A series with @value on CPU 0. */
static uint32_t value_add(struct segment *s, uint32_t family,
			  const char *const *label, int64_t value)
{
	uint32_t series = segment_series_add(s, family, label);

	*segment_slot(s, series, 0) = value;
	return series;
}

static void overflow_add(struct segment *s, uint32_t family, uint64_t value)
{
	uint32_t series;

	series = segment_series_add_as(s, family, NAMES("_overflow"),
				       OBSRING_SERIES_OVERFLOW, 1700000000123456789ULL);
	*segment_slot(s, series, 1) = value;
}

static void add_counters(struct segment *s)
{
	uint32_t family, series;

	family = family_add(s, OBSRING_KIND_COUNTER, "demo_forks_total", "Forks.");
	series = value_add(s, family, NULL, 3);
	*segment_slot(s, series, 3) = 4;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_busy_seconds_total", .help = "Time spent.",
		.unit = "seconds", .kind = OBSRING_KIND_COUNTER, .exp10 = -9,
		.nr_labels = 2, .label = NAMES("device", "op") });
	value_add(s, family, NAMES("sda", "read"), 1500000000);
	value_add(s, family, NAMES("sda", ""), 1);
	value_add(s, family, NAMES("", ""), 0);
}

static void add_gauges(struct segment *s)
{
	uint32_t family, series;

	family = family_add(s, OBSRING_KIND_GAUGE, "demo_tasks", "Tasks.");
	series = value_add(s, family, NULL, -9);
	*segment_slot(s, series, 2) = 2;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_memory_bytes", .help = "Memory.", .unit = "bytes",
		.kind = OBSRING_KIND_GAUGE, .set = true });
	value_add(s, family, NULL, 4096);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_clock_offset_seconds", .help = "Offset.",
		.unit = "seconds", .kind = OBSRING_KIND_GAUGE, .set = true,
		.exp10 = -9 });
	value_add(s, family, NULL, -1234567890);
}

/* An overflow series is shown once it holds something; an empty family never. */
static void add_overflow(struct segment *s)
{
	uint32_t family;

	family = labelled_add(s, OBSRING_KIND_COUNTER, "demo_quiet_total", "Quiet.",
			      1, NAMES("name"));
	value_add(s, family, NAMES("a"), 1);
	overflow_add(s, family, 0);
	family = labelled_add(s, OBSRING_KIND_COUNTER, "demo_full_total", "Full.",
			      1, NAMES("name"));
	value_add(s, family, NAMES("a"), 1);
	overflow_add(s, family, 5);
	family = labelled_add(s, OBSRING_KIND_GAUGE, "demo_level", "Full as well.",
			      1, NAMES("name"));
	overflow_add(s, family, -1);
	family = labelled_add(s, OBSRING_KIND_COUNTER, "demo_hidden_total",
			      "Nothing but an empty overflow series.", 1,
			      NAMES("name"));
	overflow_add(s, family, 0);
	family_add(s, OBSRING_KIND_COUNTER, "demo_empty_total", "No series.");
}

static void build_kinds(struct segment *s)
{
	uint32_t family;

	add_counters(s);
	add_gauges(s);
	add_overflow(s);
	family = labelled_add(s, OBSRING_KIND_INFO, "demo_module_info",
			      "What is loaded.", 2, NAMES("version", "build"));
	segment_series_add(s, family, NAMES("1.2.3", "x"));
}

/* Bucket b of CPU b % 4 holds b + 1, and the sum is made up. */
static void fill_histogram(struct segment *s, uint32_t series, unsigned int nr,
			   uint64_t sum)
{
	unsigned int b;

	*segment_slot(s, series, 0) = sum;
	for (b = 0; b < nr; b++)
		segment_slot(s, series, b % 4)[1 + b] = b + 1;
}

static void add_exponential(struct segment *s, int schema)
{
	char name[64];
	uint32_t family;

	snprintf(name, sizeof(name), "demo_schema%d_latency_seconds", schema);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = name, .help = "Exponential.", .unit = "seconds",
		.kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9, .schema = schema,
		.min_log2 = -2, .max_log2 = 3, .nr_labels = 1,
		.label = NAMES("op") });
	fill_histogram(s, segment_series_add(s, family, NAMES("read")),
		       (5U << schema) + 2, 123456789);
	segment_series_add(s, family, NAMES("write"));
}

static void build_histograms(struct segment *s)
{
	static const uint64_t seconds[] = { 10, 1000, 2500000, 1000000000, 60000000000 };
	static const uint64_t sizes[] = { 0, 1, 4096, 1000000, 1048576 };
	uint32_t family;
	int schema;

	for (schema = 0; schema <= 3; schema++)
		add_exponential(s, schema);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_wide_seconds", .help = "From very short to very long.",
		.unit = "seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -12,
		.schema = 0, .min_log2 = -32, .max_log2 = 22 });
	fill_histogram(s, segment_series_add(s, family, NULL), 56, 1);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_wait_seconds", .help = "Explicit bounds.",
		.unit = "seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.nr_bounds = NR(seconds), .bound = seconds });
	fill_histogram(s, segment_series_add(s, family, NULL), NR(seconds) + 1,
		       61002501010);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_request_bytes", .help = "Explicit bounds.",
		.unit = "bytes", .kind = OBSRING_KIND_HISTOGRAM,
		.nr_bounds = NR(sizes), .bound = sizes, .nr_labels = 1,
		.label = NAMES("name") });
	fill_histogram(s, segment_series_add(s, family, NAMES("a")),
		       NR(sizes) + 1, 99);
	segment_series_add_as(s, family, NAMES("_overflow"),
			      OBSRING_SERIES_OVERFLOW, 1);
}

void exemplar_put(struct segment *s, uint32_t series, uint32_t range,
		  uint64_t value, uint64_t time_ns, uint8_t id)
{
	struct obsring_exemplar *slot = segment_exemplar(s, series, range);
	struct obsring_trace trace = { .trace_id = { [0] = id, [15] = 0xef },
				       .span_id = { [0] = 0x01, [7] = id } };

	assert_int_equal(obs_exemplar_put(slot, obs_exemplar_look(slot), value,
					  time_ns, &trace), OBS_EXEMPLAR_STORED);
}

static void build_exemplars(struct segment *s)
{
	static const uint64_t bounds[] = { 0, 100, UINT64_MAX - 1 };
	uint32_t family, series;

	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_stall_seconds", .help = "With exemplars.",
		.unit = "seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.schema = 3, .min_log2 = -2, .max_log2 = 3, .nr_labels = 1,
		.label = NAMES("op") });
	segment_family_exemplars(s, family);
	series = segment_series_add(s, family, NAMES("read"));
	fill_histogram(s, series, (5U << 3) + 2, 123456789);
	exemplar_put(s, series, 0, 250000000, 1700000000000000000, 0xa0);
	exemplar_put(s, series, 2, 500000001, 1700000000123456789, 0xa2);
	exemplar_put(s, series, 6, 90000000000, 1700000000100000000, 0xa6);
	/* Newer than the counts: not yet shown. */
	series = segment_series_add(s, family, NAMES("write"));
	exemplar_put(s, series, 2, 500000001, 1700000000123456789, 0xb2);
	series = segment_series_add_as(s, family, NAMES("_overflow"),
				       OBSRING_SERIES_OVERFLOW, 1);
	segment_slot(s, series, 0)[1] = 1;
	exemplar_put(s, series, 0, 1, 2000000, 0xc0);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_answer_bytes", .help = "Explicit bounds.",
		.unit = "bytes", .kind = OBSRING_KIND_HISTOGRAM,
		.nr_bounds = NR(bounds), .bound = bounds });
	segment_family_exemplars(s, family);
	series = segment_series_add(s, family, NULL);
	fill_histogram(s, series, NR(bounds) + 1, 99);
	exemplar_put(s, series, 0, 0, 1700000000000000000, 0xd0);
	exemplar_put(s, series, 2, 101, UINT64_MAX, 0xd2);
	exemplar_put(s, series, 3, UINT64_MAX, 1700000000000000001, 0xd3);
}

static void build_huge(struct segment *s)
{
	static const uint64_t bounds[] = { 1, UINT64_MAX - 1 };
	uint32_t family, series;

	family = family_add(s, OBSRING_KIND_COUNTER, "demo_events_total", "Events.");
	series = value_add(s, family, NULL, -2);
	*segment_slot(s, series, 1) = 1;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_cpu_seconds_total", .help = "Picoseconds.",
		.unit = "seconds", .kind = OBSRING_KIND_COUNTER, .exp10 = -12 });
	value_add(s, family, NULL, -1);
	family = family_add(s, OBSRING_KIND_GAUGE, "demo_low", "Lowest.");
	value_add(s, family, NULL, INT64_MIN);
	family = family_add(s, OBSRING_KIND_GAUGE, "demo_high", "Highest.");
	value_add(s, family, NULL, INT64_MAX);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_distance", .help = "Far.",
		.kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = NR(bounds),
		.bound = bounds });
	series = segment_series_add(s, family, NULL);
	segment_slot(s, series, 0)[0] = UINT64_MAX;
	segment_slot(s, series, 0)[1] = 1ULL << 62;
	segment_slot(s, series, 1)[2] = 1ULL << 62;
	segment_slot(s, series, 2)[3] = 1ULL << 63;
	segment_slot(s, series, 3)[3] = -1;
}

/* Legal in the kernel, not everywhere: escaped, and no lint-free names. */
void build_odd(struct segment *s)
{
	uint32_t family;

	family = labelled_add(s, OBSRING_KIND_COUNTER, "http.requests.total",
			      "Back\\slash, \"quotes\",\nand two lines.", 3,
			      NAMES("http.method", "0day", "a:b"));
	value_add(s, family, NAMES("G\\E\"T\n", "tab\there", "caf\xc3\xa9"), 1);
	value_add(s, family, NAMES("\\", "\x7f", "\xf0\x9f\x90\xa7"), 2);
	family = family_add(s, OBSRING_KIND_COUNTER, "bare", "No suffix.");
	value_add(s, family, NULL, 3);
	family = family_add(s, OBSRING_KIND_COUNTER, "_total", "Only a suffix.");
	value_add(s, family, NULL, 4);
	family = family_add(s, OBSRING_KIND_GAUGE, "9\xe2\x82\xac of b\xc3\xa4nk:x", "");
	value_add(s, family, NULL, 5);
	family = labelled_add(s, OBSRING_KIND_INFO, "build", "Info without suffix.",
			      1, NAMES("version"));
	segment_series_add(s, family, NAMES("1"));
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "speed", .help = "Unit is no suffix.", .unit = "metres",
		.kind = OBSRING_KIND_GAUGE });
	value_add(s, family, NULL, 6);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "speed_m/s", .help = "Unit needs escaping.", .unit = "m/s",
		.kind = OBSRING_KIND_GAUGE });
	value_add(s, family, NULL, 7);
}

static void state_put(struct segment *s, uint32_t family, const char *shard,
		      uint64_t version, uint8_t state)
{
	uint32_t series = segment_series_add(s, family, NAMES(shard));

	*segment_slot(s, series, 0) = version << 8 | state;
}

static void build_states(struct segment *s)
{
	uint32_t family;

	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_shard_state", .help = "What a shard does.",
		.kind = OBSRING_KIND_STATE, .nr_labels = 1, .label = NAMES("shard"),
		.nr_states = 3, .state = NAMES("following", "leading", "\"gone\"") });
	state_put(s, family, "a", 7, 1);
	state_put(s, family, "never set", 0, 0);
	state_put(s, family, "of no name", (1ULL << 56) - 1, 9);
	overflow_add(s, family, 0);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo_mode", .help = "Without labels.",
		.kind = OBSRING_KIND_STATE, .nr_states = 1, .state = NAMES("on") });
	*segment_slot(s, segment_series_add(s, family, NULL), 0) = 1 << 8;
	family = family_add(s, OBSRING_KIND_GAUGE, "demo_last", "Behind them.");
	value_add(s, family, NULL, 1);
}

void build_empty(struct segment *s)
{
	(void)s;
}

const struct rendered rendered[RENDERED_NR] = {
	{ "kinds", build_kinds },
	{ "histograms", build_histograms },
	{ "exemplars", build_exemplars },
	{ "huge", build_huge },
	{ "odd", build_odd },
	{ "states", build_states },
	{ "empty", build_empty },
};
