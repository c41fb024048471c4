// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* strcasestr */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "jsontext.h"
#include "number.h"
#include "series.h"

static const char *const kind_name[OBSRING_KIND_MAX + 1] = {
	[OBSRING_KIND_COUNTER] = "counter",
	[OBSRING_KIND_GAUGE] = "gauge",
	[OBSRING_KIND_HISTOGRAM] = "histogram",
	[OBSRING_KIND_INFO] = "info",
	[OBSRING_KIND_STATE] = "stateset",
};

/* ---- What is asked for --------------------------------------------------- */

#define WORD_MAX 64

/* The next word at *@at, cut to WORD_MAX bytes; false: there is none. */
static bool next_word(const char **at, char word[WORD_MAX + 1])
{
	size_t len;

	*at += strspn(*at, " ");
	len = strcspn(*at, " ");
	snprintf(word, WORD_MAX + 1, "%.*s", (int)len, *at);
	*at += len;
	return len;
}

static bool labels_have(const struct obs_series_info *series, const char *word)
{
	unsigned int i;

	for (i = 0; i < series->family->nr_labels; i++)
		if (strcasestr(series->family->label[i], word) ||
		    strcasestr(series->value[i], word))
			return true;
	return false;
}

/* Each word stands in the name, a label or its value. */
static bool is_found(const struct query *query, const struct obs_series_info *series)
{
	const char *at = query->search ? query->search : "";
	char word[WORD_MAX + 1];

	while (next_word(&at, word))
		if (!strcasestr(series->family->name, word) && !labels_have(series, word))
			return false;
	return true;
}

/* As long as an overflow series holds nothing, it is not shown. */
static bool is_shown(const struct obs_snapshot *snapshot,
		     const struct obs_series_info *series)
{
	unsigned int state;

	if (!series->overflow)
		return true;
	switch (series->family->kind) {
	case OBSRING_KIND_HISTOGRAM:
		return obs_series_count(snapshot, series);
	case OBSRING_KIND_STATE:
		return obs_series_state(snapshot, series, &state);
	case OBSRING_KIND_INFO:
		return false;
	default:
		return obs_series_counter(snapshot, series);
	}
}

/* ---- Values -------------------------------------------------------------- */

/* Text, as all digits count: JSON's numbers are doubles to most who read them. */
static void put_scaled(struct text *json, const char *key, uint64_t value, int exp10)
{
	char number[NUMBER_MAX + 1];

	*number_scaled(number, value, exp10) = '\0';
	jsontext_string(json, key, number);
}

static void put_signed(struct text *json, const char *key, int64_t value, int exp10)
{
	char number[NUMBER_MAX + 1];

	*number_scaled_signed(number, value, exp10) = '\0';
	jsontext_string(json, key, number);
}

/* Of those that are not 0: the range, and its observations alone. */
static void put_buckets(struct text *json, const struct obs_family_info *family,
			const uint64_t *bucket)
{
	unsigned int range, i = 0;
	uint64_t nr;

	jsontext_open(json, "buckets", '[');
	for (range = 0; range < obs_family_nr_ranges(family); range++) {
		for (nr = 0; i <= obs_family_range_last(family, range); i++)
			nr += bucket[i];
		if (!nr)
			continue;
		jsontext_open(json, NULL, '[');
		jsontext_number(json, NULL, range);
		jsontext_number(json, NULL, nr);
		jsontext_close(json, ']');
	}
	jsontext_close(json, ']');
}

static void put_histogram(struct text *json, const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series)
{
	put_scaled(json, "count", obs_series_count(snapshot, series), 0);
	put_scaled(json, "sum", obs_series_sum(snapshot, series), series->family->exp10);
	put_buckets(json, series->family, obs_series_buckets(snapshot, series));
}

static void put_state(struct text *json, const struct obs_snapshot *snapshot,
		      const struct obs_series_info *series)
{
	unsigned int state = 0;

	put_scaled(json, "version", obs_series_state(snapshot, series, &state), 0);
	if (state < series->family->nr_states)
		jsontext_string(json, "value", series->family->state[state]);
	else
		put_scaled(json, "value", state, 0);
}

static void put_value(struct text *json, const struct obs_snapshot *snapshot,
		      const struct obs_series_info *series)
{
	int exp10 = series->family->exp10;

	switch (series->family->kind) {
	case OBSRING_KIND_COUNTER:
		put_scaled(json, "value", obs_series_counter(snapshot, series), exp10);
		return;
	case OBSRING_KIND_GAUGE:
		put_signed(json, "value", obs_series_gauge(snapshot, series), exp10);
		return;
	case OBSRING_KIND_HISTOGRAM:
		put_histogram(json, snapshot, series);
		return;
	case OBSRING_KIND_STATE:
		put_state(json, snapshot, series);
		return;
	default:
		jsontext_string(json, "value", "1");
	}
}

/* ---- Families and series ------------------------------------------------- */

static void put_strings(struct text *json, const char *key, const char *const *string,
			unsigned int nr)
{
	unsigned int i;

	jsontext_open(json, key, '[');
	for (i = 0; i < nr; i++)
		jsontext_string(json, NULL, string[i]);
	jsontext_close(json, ']');
}

/* Upper bounds of the ranges but the last, which has none. */
static void put_bounds(struct text *json, const struct obs_family_info *family)
{
	unsigned int i;
	char bound[32];
	int len;

	jsontext_open(json, "bounds", '[');
	for (i = 0; i + 1 < obs_family_nr_ranges(family); i++) {
		len = snprintf(bound, sizeof(bound), "%.17g",
			       obs_family_bound(family, obs_family_range_last(family, i)));
		jsontext_raw(json, NULL, bound, len);
	}
	jsontext_close(json, ']');
}

static void open_family(struct text *json, const struct obs_family_info *family)
{
	jsontext_open(json, NULL, '{');
	jsontext_string(json, "name", family->name);
	jsontext_string(json, "kind", kind_name[family->kind]);
	jsontext_string(json, "help", family->help);
	jsontext_string(json, "unit", family->unit);
	put_strings(json, "labels", family->label, family->nr_labels);
	if (family->kind == OBSRING_KIND_HISTOGRAM)
		put_bounds(json, family);
	if (family->kind == OBSRING_KIND_STATE)
		put_strings(json, "states", family->state, family->nr_states);
	jsontext_open(json, "series", '[');
}

static void close_family(struct text *json)
{
	jsontext_close(json, ']');
	jsontext_close(json, '}');
}

static void put_series(struct text *json, const struct obs_snapshot *snapshot,
		       const struct obs_series_info *series)
{
	jsontext_open(json, NULL, '{');
	jsontext_number(json, "id", series->id);
	jsontext_number(json, "gen", series->gen);
	put_strings(json, "labels", series->value, series->family->nr_labels);
	if (series->overflow)
		jsontext_bool(json, "overflow", true);
	put_value(json, snapshot, series);
	jsontext_close(json, '}');
}

/* Of all that is found, what stands between offset and limit. */
struct cut {
	uint64_t total;
	uint64_t begin, end;
};

static void put_family(struct text *json, const struct obs_snapshot *snapshot,
		       const struct query *query, const struct obs_family_info *family,
		       struct cut *cut)
{
	const struct obs_series_info *series = NULL;
	bool open = false;
	uint64_t place;

	while ((series = obs_series_next(snapshot, family, series))) {
		if (!is_shown(snapshot, series) || !is_found(query, series))
			continue;
		place = cut->total++;
		if (place < cut->begin || place >= cut->end)
			continue;
		if (!open)
			open_family(json, family);
		open = true;
		put_series(json, snapshot, series);
	}
	if (open)
		close_family(json);
}

static void put_time(struct text *json, const struct obs_snapshot *snapshot)
{
	char number[NUMBER_MAX];

	jsontext_raw(json, "time", number,
		     number_scaled(number, obs_snapshot_time_ns(snapshot), -9) - number);
}

static struct cut make_cut(const struct query *query)
{
	uint64_t limit = query->limit ? query->limit : QUERY_SERIES_DEFAULT;
	struct cut cut = { .begin = query->offset };

	if (limit > QUERY_SERIES_MAX)
		limit = QUERY_SERIES_MAX;
	cut.end = cut.begin + limit < cut.begin ? UINT64_MAX : cut.begin + limit;
	return cut;
}

int series_write(struct collector *collector, const struct query *query,
		 struct text *json, char reason[COLLECT_REASON_MAX])
{
	const struct obs_family_info *family = NULL;
	struct cut cut = make_cut(query);
	int r = collector_begin(collector, reason);

	if (r < 0)
		return r;
	put_time(json, collector->snapshot);
	jsontext_number(json, "epoch", collector->epoch);
	jsontext_open(json, "families", '[');
	while ((family = obs_family_next(collector->snapshot, family)))
		if (!query->kind || !strcmp(query->kind, kind_name[family->kind]))
			put_family(json, collector->snapshot, query, family, &cut);
	jsontext_close(json, ']');
	jsontext_number(json, "total", cut.total);
	collector_end(collector);
	return 0;
}

/* ---- By CPU -------------------------------------------------------------- */

static const struct obs_series_info *find_series(const struct obs_snapshot *snapshot,
						 const struct query *query)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series;

	while ((family = obs_family_next(snapshot, family)))
		for (series = obs_series_next(snapshot, family, NULL); series;
		     series = obs_series_next(snapshot, family, series))
			if (series->id == query->id && series->gen == query->gen)
				return series;
	return NULL;
}

/* Are there as many values as CPUs, of which the sum is the series' value? */
static bool is_per_cpu(const struct obs_family_info *family)
{
	return family->kind == OBSRING_KIND_COUNTER ||
	       family->kind == OBSRING_KIND_HISTOGRAM ||
	       (family->kind == OBSRING_KIND_GAUGE && !family->set);
}

static void put_row(struct text *json, const struct obs_family_info *family,
		    const uint64_t *slot)
{
	uint64_t count = 0;
	unsigned int i;

	if (family->kind == OBSRING_KIND_GAUGE) {
		put_signed(json, "value", (int64_t)slot[0], family->exp10);
		return;
	}
	if (family->kind == OBSRING_KIND_COUNTER) {
		put_scaled(json, "value", slot[0], family->exp10);
		return;
	}
	for (i = 0; i <= family->nr_bounds; i++)
		count += slot[1 + i];
	put_scaled(json, "count", count, 0);
	put_scaled(json, "sum", slot[0], family->exp10);
}

/* 0, also if there is no such row; -ESTALE. */
static int put_cpu(struct text *json, const struct obs_snapshot *snapshot,
		   const struct obs_series_info *series, unsigned int cpu)
{
	const struct obs_family_info *family = series->family;
	uint64_t slot[OBSRING_SLOTS_MAX];
	int r;

	r = obs_series_row(snapshot, series, cpu, slot,
			   family->kind == OBSRING_KIND_HISTOGRAM ? family->nr_bounds + 2 : 1);
	if (r == -ENXIO)
		return 0;
	if (r < 0)
		return r;
	jsontext_open(json, NULL, '{');
	if (cpu == OBSRING_CPU_SHARED)
		jsontext_string(json, "cpu", "shared");
	else
		jsontext_number(json, "cpu", cpu);
	put_row(json, family, slot);
	jsontext_close(json, '}');
	return 0;
}

static int put_cpus(struct text *json, const struct collector *collector,
		    const struct obs_series_info *series)
{
	int cpu = -1, r = 0;

	if (!is_per_cpu(series->family))
		return 0;
	while (!r && (cpu = obs_cpu_next(collector->device, cpu)) >= 0)
		r = put_cpu(json, collector->snapshot, series, cpu);
	return r ? r : put_cpu(json, collector->snapshot, series, OBSRING_CPU_SHARED);
}

int series_write_cpus(struct collector *collector, const struct query *query,
		      struct text *json, char reason[COLLECT_REASON_MAX])
{
	const struct obs_series_info *series;
	int r = collector_begin(collector, reason);

	if (r < 0)
		return r;
	series = find_series(collector->snapshot, query);
	r = series ? 0 : -ESTALE;
	if (series) {
		put_time(json, collector->snapshot);
		jsontext_string(json, "name", series->family->name);
		jsontext_open(json, "cpus", '[');
		r = put_cpus(json, collector, series);
		jsontext_close(json, ']');
	}
	collector_end(collector);
	if (!r)
		return 0;
	snprintf(reason, COLLECT_REASON_MAX, "there is no such series, or no more");
	return r;
}
