// SPDX-License-Identifier: MIT
/* Values of a series: the number or the histogram, as a sum and by CPU. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "print.h"

/* Where one reading's numbers stand: a snapshot's, or a row's slots. */
struct reading {
	uint64_t number;		/* value, or a histogram's sum */
	const uint64_t *bucket;		/* NULL if it is none */
	const struct obs_exemplar *exemplar; /* nr_exemplars, by range */
	unsigned int nr_exemplars;
};

/* A bucket as it is shown: a range of those that are counted. */
struct shown {
	const char *le;
	uint64_t count;			/* up to it */
	const struct obs_exemplar *exemplar; /* NULL: none */
};

static const char *number_format(const struct print *print,
				 const struct obs_family_info *family,
				 uint64_t number, char *text)
{
	int exp10 = print->raw ? 0 : family->exp10;

	if (family->kind == OBSRING_KIND_GAUGE)
		return decimal_format_signed(text, (int64_t)number, exp10);
	return decimal_format(text, number, exp10);
}

static uint64_t buckets_sum(const uint64_t *bucket, unsigned int from, unsigned int to)
{
	uint64_t sum = 0;

	for (; from <= to; from++)
		sum += bucket[from];
	return sum;
}

static const char *bound_format(const struct print *print,
				const struct obs_family_info *family,
				unsigned int index, char *text)
{
	if (index == family->nr_bounds)
		return "+Inf";
	if (print->raw)
		return decimal_format(text, family->bound[index], 0);
	return double_format(text, obs_family_bound(family, index));
}

static const struct obs_exemplar *exemplar_of(const struct reading *reading,
					      unsigned int range)
{
	if (range >= reading->nr_exemplars || !reading->exemplar[range].time_ns)
		return NULL;
	return &reading->exemplar[range];
}

static void buckets_walk(const struct print *print,
			 const struct obs_series_info *series,
			 const struct reading *reading,
			 void (*fn)(const struct print *print,
				    const struct obs_series_info *series,
				    const struct shown *shown))
{
	const struct obs_family_info *family = series->family;
	unsigned int nr = obs_family_nr_ranges(family), i, last, from = 0;
	struct shown shown = { .count = 0 };
	char text[DECIMAL_SIZE];

	for (i = 0; i < nr; i++) {
		last = obs_family_range_last(family, i);
		shown.count += buckets_sum(reading->bucket, from, last);
		shown.le = bound_format(print, family, last, text);
		shown.exemplar = exemplar_of(reading, i);
		fn(print, series, &shown);
		from = last + 1;
	}
}

static void id_format(const uint8_t *byte, size_t nr, char *text)
{
	size_t i;

	for (i = 0; i < nr; i++)
		sprintf(text + 2 * i, "%02x", byte[i]);
}

/* ---- Lines --------------------------------------------------------------- */

static void sample_line(const struct obs_series_info *series, const char *suffix,
			const char *le, const char *value)
{
	print_selector(stdout, series->family->name, suffix, series, le);
	printf(" %s\n", value);
}

static void bucket_line(const struct print *print,
			const struct obs_series_info *series,
			const struct shown *shown)
{
	const struct obs_exemplar *e = shown->exemplar;
	char trace[33], span[17], value[DECIMAL_SIZE], time[DECIMAL_SIZE];

	print_selector(stdout, series->family->name, "_bucket", series, shown->le);
	printf(" %s", decimal_format(value, shown->count, 0));
	if (e) {
		id_format(e->trace_id, sizeof(e->trace_id), trace);
		id_format(e->span_id, sizeof(e->span_id), span);
		printf(" # {trace_id=\"%s\",span_id=\"%s\"} %s %s", trace, span,
		       number_format(print, series->family, e->value, value),
		       decimal_format(time, e->time_ns, -9));
	}
	putchar('\n');
}

/* Its name, or its number if the family has none for it; "unset" before the first. */
static const char *state_format(const struct obs_family_info *family, uint64_t word,
				char *text)
{
	unsigned int state = (unsigned int)(word & OBS_STATE_MAX);

	if (!word)
		return "unset";
	if (state < family->nr_states)
		return family->state[state];
	return decimal_format(text, state, 0);
}

/* With --raw its number. */
static void state_line(const struct print *print, const struct obs_series_info *series,
		       uint64_t word)
{
	char text[DECIMAL_SIZE];

	print_selector(stdout, series->family->name, "", series, NULL);
	putchar(' ');
	if (print->raw)
		fputs(decimal_format(text, word & OBS_STATE_MAX, 0), stdout);
	else
		print_text(stdout, state_format(series->family, word, text));
	printf(" version %llu\n", (unsigned long long)(word >> 8));
}

static void reading_lines(const struct print *print,
			  const struct obs_series_info *series,
			  const struct reading *reading)
{
	const struct obs_family_info *family = series->family;
	char text[DECIMAL_SIZE];
	uint64_t count;

	if (family->kind == OBSRING_KIND_STATE) {
		state_line(print, series, reading->number);
		return;
	}
	number_format(print, family, reading->number, text);
	if (!reading->bucket) {
		sample_line(series, "", NULL, text);
		return;
	}
	count = buckets_sum(reading->bucket, 0, family->nr_bounds);
	sample_line(series, "_sum", NULL, text);
	sample_line(series, "_count", NULL, decimal_format(text, count, 0));
	buckets_walk(print, series, reading, bucket_line);
}

static void row_line(const struct print *print, const struct obs_series_info *series,
		     unsigned int cpu, const struct reading *reading)
{
	const struct obs_family_info *family = series->family;
	char text[DECIMAL_SIZE];

	if (cpu == OBSRING_CPU_SHARED)
		printf("  shared: ");
	else
		printf("  cpu %u: ", cpu);
	if (reading->bucket)
		printf("count %llu, sum ",
		       (unsigned long long)buckets_sum(reading->bucket, 0,
						       family->nr_bounds));
	puts(number_format(print, family, reading->number, text));
}

/* ---- JSON ---------------------------------------------------------------- */

static void exemplar_json(const struct print *print,
			  const struct obs_family_info *family,
			  const struct obs_exemplar *e)
{
	char id[33], number[DECIMAL_SIZE];

	json_open(print->json, "exemplar", '{');
	id_format(e->trace_id, sizeof(e->trace_id), id);
	json_string(print->json, "trace_id", id);
	id_format(e->span_id, sizeof(e->span_id), id);
	json_string(print->json, "span_id", id);
	json_number(print->json, "value",
		    number_format(print, family, e->value, number));
	json_number(print->json, "time", decimal_format(number, e->time_ns, -9));
	json_close(print->json, '}');
}

static void bucket_json(const struct print *print,
			const struct obs_series_info *series,
			const struct shown *shown)
{
	json_open(print->json, NULL, '{');
	json_string(print->json, "le", shown->le);
	json_u64(print->json, "count", shown->count);
	if (shown->exemplar)
		exemplar_json(print, series->family, shown->exemplar);
	json_close(print->json, '}');
}

/* The number of its state in place of a name with --raw; null before the first. */
static void state_json(const struct print *print, const struct obs_family_info *family,
		       uint64_t word)
{
	char text[DECIMAL_SIZE];

	if (!word)
		json_number(print->json, "state", "null");
	else if (print->raw)
		json_u64(print->json, "state", word & OBS_STATE_MAX);
	else
		json_string(print->json, "state", state_format(family, word, text));
	json_u64(print->json, "version", word >> 8);
}

static void reading_json(const struct print *print,
			 const struct obs_series_info *series,
			 const struct reading *reading)
{
	const struct obs_family_info *family = series->family;
	char text[DECIMAL_SIZE];

	if (family->kind == OBSRING_KIND_STATE) {
		state_json(print, family, reading->number);
		return;
	}
	number_format(print, family, reading->number, text);
	if (!reading->bucket) {
		json_number(print->json, "value", text);
		return;
	}
	json_u64(print->json, "count",
		 buckets_sum(reading->bucket, 0, family->nr_bounds));
	json_number(print->json, "sum", text);
	json_open(print->json, "buckets", '[');
	buckets_walk(print, series, reading, bucket_json);
	json_close(print->json, ']');
}

static void row_json(const struct print *print, const struct obs_series_info *series,
		     unsigned int cpu, const struct reading *reading)
{
	json_open(print->json, NULL, '{');
	if (cpu == OBSRING_CPU_SHARED)
		json_string(print->json, "cpu", "shared");
	else
		json_u64(print->json, "cpu", cpu);
	reading_json(print, series, reading);
	json_close(print->json, '}');
}

static void series_json_open(struct json *json, const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	unsigned int i;

	json_open(json, NULL, '{');
	json_string(json, "name", family->name);
	json_string(json, "kind", ctl_kind_name(family->kind));
	json_open(json, "labels", '{');
	for (i = 0; i < family->nr_labels; i++)
		json_string(json, family->label[i], series->value[i]);
	json_close(json, '}');
}

/* ---- Both ---------------------------------------------------------------- */

/* -ENXIO: it has no such row. */
static int row_print(const struct print *print, const struct obs_series_info *series,
		     unsigned int cpu, uint64_t *slots, unsigned int nr)
{
	struct reading reading = { .nr_exemplars = 0 };
	int r = obs_series_row(print->reader->snapshot, series, cpu, slots, nr);

	if (r < 0)
		return r;
	reading.number = slots[0];
	reading.bucket = nr > 1 ? slots + 1 : NULL;
	if (print->json)
		row_json(print, series, cpu, &reading);
	else
		row_line(print, series, cpu, &reading);
	return 0;
}

/* Each CPU's, and what processes could not add to one of these. */
static int rows_walk(const struct print *print, const struct obs_series_info *series,
		     uint64_t *slots, unsigned int nr)
{
	int cpu = -1, r = 0;

	while ((!r || r == -ENXIO) &&
	       (cpu = obs_cpu_next(print->reader->device, cpu)) >= 0)
		r = row_print(print, series, (unsigned int)cpu, slots, nr);
	if (!r || r == -ENXIO)
		r = row_print(print, series, OBSRING_CPU_SHARED, slots, nr);
	return r == -ENXIO ? 0 : r;
}

/* A single value, of which there is one row, and info have none by CPU. */
static int rows_print(const struct print *print, const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	bool histogram = family->kind == OBSRING_KIND_HISTOGRAM;
	unsigned int nr = histogram ? family->nr_bounds + 2 : 1;
	uint64_t *slots;
	int r;

	if (family->set || family->kind == OBSRING_KIND_INFO ||
	    family->kind == OBSRING_KIND_STATE)
		return 0;
	slots = calloc(nr, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	r = rows_walk(print, series, slots, nr);
	free(slots);
	return r;
}

/* A state set's as one word, as it is stored. */
static uint64_t number_of(const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series)
{
	unsigned int state;
	uint64_t version;

	if (series->family->kind != OBSRING_KIND_STATE)
		return obs_series_counter(snapshot, series);
	version = obs_series_state(snapshot, series, &state);
	return version << 8 | state;
}

int print_series(const struct print *print, const struct obs_series_info *series)
{
	const struct obs_snapshot *snapshot = print->reader->snapshot;
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
	struct reading reading = {
		.number = number_of(snapshot, series),
		.bucket = obs_series_buckets(snapshot, series),
		.exemplar = exemplar,
		.nr_exemplars = series->nr_exemplars,
	};
	int r;

	r = obs_series_exemplars(snapshot, series, exemplar, reading.nr_exemplars);
	if (r == -ESTALE)
		reading.nr_exemplars = 0;	/* removed since: its counts are told */
	else if (r < 0)
		return r;
	r = 0;
	if (!print->json) {
		reading_lines(print, series, &reading);
		return print->per_cpu ? rows_print(print, series) : 0;
	}
	series_json_open(print->json, series);
	reading_json(print, series, &reading);
	if (print->per_cpu) {
		json_open(print->json, "cpus", '[');
		r = rows_print(print, series);
		json_close(print->json, ']');
	}
	json_close(print->json, '}');
	return r;
}
