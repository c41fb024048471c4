// SPDX-License-Identifier: MIT
#include <string.h>

#include "number.h"
#include "render.h"

/* The series at hand, with its values looked up once. */
struct cursor {
	const struct obs_series_info *info;
	const struct obs_snapshot *snapshot;
	int exp10;
	const uint64_t *bucket;		/* histograms */
	unsigned int next_bucket;	/* not yet in cumulated */
	uint64_t cumulated;
	unsigned int nr_exemplars;	/* 0: none are shown */
	unsigned int next_range;
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
};

static bool series_shown(const struct obs_snapshot *snapshot,
			 const struct obs_series_info *series)
{
	if (!series->overflow)
		return true;
	switch (series->family->kind) {
	case OBSRING_KIND_COUNTER:
		return obs_series_counter(snapshot, series);
	case OBSRING_KIND_GAUGE:
		return obs_series_gauge(snapshot, series);
	case OBSRING_KIND_HISTOGRAM:
		return obs_series_count(snapshot, series);
	default:
		return false;
	}
}

/* Lines come in the order of their buckets. */
static uint64_t cumulate(struct cursor *cursor, unsigned int last_bucket)
{
	while (cursor->next_bucket <= last_bucket)
		cursor->cumulated += cursor->bucket[cursor->next_bucket++];
	return cursor->cumulated;
}

/*
 * Lines come in the order of their ranges. An exemplar is newer than the counts
 * may be: one of a range that holds nothing yet waits for the next scrape.
 */
static char *put_bucket(char *out, struct cursor *cursor, unsigned int last_bucket)
{
	const struct obs_exemplar *exemplar = &cursor->exemplar[cursor->next_range++];
	uint64_t before = cursor->cumulated;

	out = number_u64(out, cumulate(cursor, last_bucket));
	if (cursor->next_range > cursor->nr_exemplars || !exemplar->time_ns ||
	    cursor->cumulated == before)
		return out;
	return expose_exemplar(out, exemplar, cursor->exp10);
}

static char *put_number(char *out, struct cursor *cursor,
			const struct plan_line *line)
{
	switch (line->number) {
	case PLAN_NONE:
		return out;
	case PLAN_ONE:
		*out++ = '1';
		break;
	case PLAN_COUNTER:
		out = number_scaled(out, obs_series_counter(cursor->snapshot,
							    cursor->info),
				    cursor->exp10);
		break;
	case PLAN_GAUGE:
		out = number_scaled_signed(out, obs_series_gauge(cursor->snapshot,
								 cursor->info),
					   cursor->exp10);
		break;
	case PLAN_SUM:
		out = number_scaled(out, obs_series_sum(cursor->snapshot,
							cursor->info),
				    cursor->exp10);
		break;
	case PLAN_BUCKET:
		out = put_bucket(out, cursor, line->last_bucket);
		break;
	case PLAN_COUNT:
		out = number_u64(out, cumulate(cursor, line->last_bucket));
		break;
	}
	*out++ = '\n';
	return out;
}

static void cursor_init(struct cursor *cursor, const struct format *format,
			const struct obs_series_info *info,
			const struct obs_snapshot *snapshot)
{
	unsigned int nr = format->exemplars ? info->nr_exemplars : 0;

	cursor->info = info;
	cursor->snapshot = snapshot;
	cursor->exp10 = info->family->exp10;
	cursor->bucket = obs_series_buckets(snapshot, info);
	cursor->next_bucket = 0;
	cursor->cumulated = 0;
	cursor->next_range = 0;
	if (nr && obs_series_exemplars(snapshot, info, cursor->exemplar, nr) < 0)
		nr = 0;
	cursor->nr_exemplars = nr;
}

static char *put_series(char *out, const struct plan *plan,
			const struct plan_series *series,
			const struct obs_snapshot *snapshot)
{
	const struct plan_line *line = &plan->line[series->first_line];
	const struct plan_line *end = line + series->nr_lines;
	const char *text = plan->text.data + series->offset;
	struct cursor cursor;

	cursor_init(&cursor, plan->format, series->info, snapshot);
	for (; line < end; line++) {
		memcpy(out, text, line->len);
		text += line->len;
		out = put_number(out + line->len, &cursor, line);
	}
	return out;
}

static char *put_family(char *out, const struct plan *plan,
			const struct plan_family *family,
			const struct obs_snapshot *snapshot)
{
	const struct plan_series *series = &plan->series[family->first_series];
	const struct plan_series *end = series + family->nr_series;
	bool headed = false;

	for (; series < end; series++) {
		if (!series_shown(snapshot, series->info))
			continue;
		if (!headed) {
			memcpy(out, plan->text.data + family->header_offset,
			       family->header_len);
			out += family->header_len;
			headed = true;
		}
		out = put_series(out, plan, series, snapshot);
	}
	return out;
}

void render(const struct plan *plan, const struct obs_snapshot *snapshot,
	    struct text *body)
{
	size_t longest = plan->text.len + plan->nr_lines * (NUMBER_MAX + 1) +
			 plan->nr_exemplars * EXPOSE_EXEMPLAR_MAX;
	char *out = text_reserve(body, longest);
	size_t i;

	if (!out)
		return;
	for (i = 0; i < plan->nr_families; i++)
		out = put_family(out, plan, &plan->family[i], snapshot);
	body->len = out - body->data;
}
