// SPDX-License-Identifier: MIT
/*
 * Families and series of services in a segment: found by what they are called, or
 * made, one after the other, each complete before it is published. A writer that is
 * killed in between leaves a family without series, or without the series that was
 * asked for: the next one to ask makes it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <obsring/directory.h>
#include <obsring/histogram.h>
#include <obsring/name.h>

#include "segment.h"
#include "service.h"

#define CLAIMS_MAX	5

/* Text in the making; it is copied by words, as readers may look on. */
struct text {
	union {
		char byte[8192];
		__u64 word[8192 / sizeof(__u64)];
	};
	uint32_t len;
	uint32_t bounds_off;
	bool full;
};

static void text_add(struct text *text, const char *s)
{
	size_t n = strlen(s) + 1;

	if (n > sizeof(text->byte) - text->len) {
		text->full = true;
		return;
	}
	memcpy(text->byte + text->len, s, n);
	text->len += (uint32_t)n;
}

static void text_store(struct obs_segment *segment, uint32_t granule,
		       const struct text *text)
{
	__u64 *to = (__u64 *)obs_segment_text(segment, granule, text->len);
	uint32_t i;

	for (i = 0; i < (text->len + sizeof(__u64) - 1) / sizeof(__u64); i++)
		obs_write_once(&to[i], text->word[i]);
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- What a family is ---------------------------------------------------- */

static bool exponential(const struct obs_family_spec *spec)
{
	return spec->kind == OBSRING_KIND_HISTOGRAM && !spec->nr_bounds;
}

static uint32_t nr_labels(const struct obs_segment_metric *metric)
{
	return metric->spec->nr_labels + (metric->service_name ? 2 : 0);
}

static void family_text(const struct obs_segment_metric *metric, struct text *text)
{
	const struct obs_family_spec *spec = metric->spec;
	size_t bytes = spec->nr_bounds * sizeof(__u64);
	uint32_t i;

	memset(text, 0, sizeof(*text));
	text_add(text, spec->name);
	text_add(text, spec->help ? spec->help : "");
	text_add(text, spec->unit ? spec->unit : "");
	if (metric->service_name) {
		text_add(text, "service");
		text_add(text, "uid");
	}
	for (i = 0; i < spec->nr_labels; i++)
		text_add(text, spec->label[i]);
	for (i = 0; i < spec->nr_states; i++)
		text_add(text, spec->state[i]);
	if (!spec->nr_bounds)
		return;
	text->bounds_off = (text->len + 7) & ~7U;
	text->full |= text->bounds_off + bytes > sizeof(text->byte);
	if (text->full)
		return;
	memcpy(text->byte + text->bounds_off, spec->bound, bytes);
	text->len = text->bounds_off + (uint32_t)bytes;
}

/* The string behind that at @at, within @len bytes; NULL: there is none. */
static const char *string_next(const char *text, uint32_t len, const char *at)
{
	const char *end = memchr(at, 0, (size_t)(text + len - at));

	return end && end + 1 < text + len ? end + 1 : NULL;
}

/* Do @nr strings behind the help, and the bounds, agree? */
static bool text_agrees(const struct obsring_family *family, const char *is,
			const struct text *text, uint32_t nr)
{
	const char *a = string_next(is, family->text_len, is);
	const char *b = string_next(text->byte, text->len, text->byte);
	uint32_t bytes;

	for (; nr; nr--) {
		a = a ? string_next(is, family->text_len, a) : NULL;
		b = b ? string_next(text->byte, text->len, b) : NULL;
		if (!a || !b || strncmp(a, b, (size_t)(is + family->text_len - a)))
			return false;
	}
	if (!text->bounds_off)
		return true;
	bytes = text->len - text->bounds_off;
	return family->bounds_off <= family->text_len &&
	       bytes == family->text_len - family->bounds_off &&
	       !memcmp(is + family->bounds_off, text->byte + text->bounds_off, bytes);
}

/* 0: @family is what @metric says; else why not. Help may differ. */
static int family_agrees(const struct obs_segment *segment,
			 const struct obsring_family *family,
			 const struct obs_segment_metric *metric, const struct text *text)
{
	const char *is = obs_segment_text(segment, family->text_off, family->text_len);
	const struct obs_family_spec *spec = metric->spec;

	if (family->kind != spec->kind)
		return -EEXIST;
	if (!(family->flags & OBSRING_FAMILY_SET) != !spec->set)
		return -EINVAL;
	if (family->exp10 != spec->exp10 || family->nr_labels != nr_labels(metric) ||
	    family->nr_states != spec->nr_states || family->nr_bounds != obs_spec_nr_bounds(spec) ||
	    family->schema != (exponential(spec) ? spec->schema : -1) ||
	    (exponential(spec) && (family->min_log2 != spec->min_log2 ||
				   family->max_log2 != spec->max_log2)))
		return -EEXIST;
	return text_agrees(family, is, text, 1 + family->nr_labels + family->nr_states) ?
	       0 : -EEXIST;
}

/* ---- The names that a family occupies, as Prometheus sees them ----------- */

static const char *const claim_suffix[][CLAIMS_MAX] = {
	[OBSRING_KIND_COUNTER] = { "", "_total", "_created" },
	[OBSRING_KIND_GAUGE] = { "" },
	[OBSRING_KIND_HISTOGRAM] = { "", "_bucket", "_sum", "_count", "_created" },
	[OBSRING_KIND_INFO] = { "", "_info" },
	[OBSRING_KIND_STATE] = { "", "_version" },
};

/* Names of a family: each is @base, of @len bytes, and a suffix of its kind. */
struct claims {
	uint32_t kind;
	size_t len;
	char base[OBSRING_NAME_MAX + 1];
};

static void strip_suffix(struct claims *claims, const char *suffix)
{
	size_t n = strlen(suffix);

	if (claims->len > n && !memcmp(claims->base + claims->len - n, suffix, n))
		claims->len -= n;
}

static void claims_make(const char *name, uint32_t kind, struct claims *claims)
{
	obs_name_escape(name, true, claims->base);
	claims->kind = kind;
	claims->len = strlen(claims->base);
	if (kind == OBSRING_KIND_COUNTER)
		strip_suffix(claims, "_total");
	if (kind == OBSRING_KIND_INFO)
		strip_suffix(claims, "_info");
}

/* The shorter base with its suffix is the longer one with its own? */
static bool names_equal(const struct claims *shorter, const char *suffix,
			const struct claims *longer, const char *other)
{
	size_t more = longer->len - shorter->len;

	return strlen(suffix) >= more &&
	       !memcmp(suffix, longer->base + shorter->len, more) &&
	       !strcmp(suffix + more, other);
}

static bool claims_meet(const struct claims *a, const struct claims *b)
{
	const struct claims *shorter = a->len < b->len ? a : b;
	const struct claims *longer = shorter == a ? b : a;
	uint32_t i, j;

	if (memcmp(shorter->base, longer->base, shorter->len))
		return false;
	for (i = 0; i < CLAIMS_MAX && claim_suffix[shorter->kind][i]; i++)
		for (j = 0; j < CLAIMS_MAX && claim_suffix[longer->kind][j]; j++)
			if (names_equal(shorter, claim_suffix[shorter->kind][i], longer,
					claim_suffix[longer->kind][j]))
				return true;
	return false;
}

/* The name of a living family, NULL if it is damaged. */
static const char *family_name(const struct obs_segment *segment,
			       const struct obsring_family *family)
{
	const char *text = obs_segment_text(segment, family->text_off, family->text_len);
	size_t max = family->text_len < OBSRING_NAME_MAX + 1 ? family->text_len :
							       OBSRING_NAME_MAX + 1;

	if (!text || !memchr(text, 0, max) || family->kind < OBSRING_KIND_COUNTER ||
	    family->kind > OBSRING_KIND_MAX)
		return NULL;
	return text;
}

/* ---- Families ------------------------------------------------------------ */

/* The family of that name: -ENOENT, or -EEXIST: another one has one of its names. */
static int family_find(const struct obs_segment *segment, const char *name, uint32_t kind,
		       uint32_t *ret_index)
{
	const struct obsring_family *family;
	struct claims claims, others;
	bool met = false;
	const char *is;
	uint32_t i;

	claims_make(name, kind, &claims);
	for (i = 0; i < obs_segment_families(segment); i++) {
		family = obs_segment_family(segment, i);
		is = obs_gen_alive(family->gen) ? family_name(segment, family) : NULL;
		if (!is)
			continue;
		if (!strcmp(is, name)) {
			*ret_index = i;
			return 0;
		}
		claims_make(is, family->kind, &others);
		met |= claims_meet(&claims, &others);
	}
	return met ? -EEXIST : -ENOENT;
}

static void family_fill(struct obsring_family *family,
			const struct obs_segment_metric *metric, const struct text *text)
{
	const struct obs_family_spec *spec = metric->spec;

	obs_write_once(&family->kind, (__u8)spec->kind);
	obs_write_once(&family->nr_labels, (__u8)nr_labels(metric));
	obs_write_once(&family->exp10, (__s8)spec->exp10);
	obs_write_once(&family->schema, (__s8)(exponential(spec) ? spec->schema : -1));
	obs_write_once(&family->flags, (spec->set ? OBSRING_FAMILY_SET : 0) |
				       (metric->service ? OBSRING_FAMILY_SERVICE : 0));
	obs_write_once(&family->text_len, text->len);
	obs_write_once(&family->nr_bounds, obs_spec_nr_bounds(spec));
	obs_write_once(&family->bounds_off, text->bounds_off);
	obs_write_once(&family->min_log2, (__s16)(exponential(spec) ? spec->min_log2 : 0));
	obs_write_once(&family->max_log2, (__s16)(exponential(spec) ? spec->max_log2 : 0));
	obs_write_once(&family->nr_slots, obs_spec_nr_slots(spec));
	obs_write_once(&family->nr_states, spec->nr_states);
	obs_write_once(&family->created_ns, realtime_ns());
}

static int family_make(struct obs_segment *segment, const struct obs_segment_metric *metric,
		       const struct text *text, uint32_t *ret_index)
{
	struct obsring_family *family;
	uint32_t index, granule;

	obs_segment_room_look(segment);
	if (obs_segment_take_index(segment, OBSRING_REGION_FAMILIES, &index) ||
	    obs_segment_take_text(segment, text->len, &granule)) {
		obs_segment_count(segment, OBS_HOST_REFUSED_SERIES, 1);
		return -ENOSPC;
	}
	family = obs_segment_family(segment, index);
	text_store(segment, granule, text);
	obs_write_once(&family->text_off, granule);
	family_fill(family, metric, text);
	obs_segment_publish(segment, OBSRING_REGION_FAMILIES, index, &family->gen);
	*ret_index = index;
	return 0;
}

static int family_get(struct obs_segment *segment, const struct obs_segment_metric *metric,
		      uint32_t *ret_index)
{
	struct text text;
	int r;

	family_text(metric, &text);
	if (text.full)
		return -EINVAL;
	r = family_find(segment, metric->spec->name, metric->spec->kind, ret_index);
	if (r == -ENOENT)
		return family_make(segment, metric, &text, ret_index);
	if (r)
		return r;
	return family_agrees(segment, obs_segment_family(segment, *ret_index), metric, &text);
}

/* ---- Series -------------------------------------------------------------- */

static void values_text(const struct obs_segment_metric *metric, bool overflow,
			struct text *text)
{
	char uid[16];
	uint32_t i;

	memset(text, 0, sizeof(*text));
	if (metric->service_name) {
		snprintf(uid, sizeof(uid), "%u", metric->uid);
		text_add(text, metric->service_name);
		text_add(text, uid);
	}
	for (i = 0; i < metric->spec->nr_labels; i++)
		text_add(text, overflow ? OBSRING_OVERFLOW_VALUE : metric->value[i]);
}

static int series_find(const struct obs_segment *segment, uint32_t family, uint32_t service,
		       const struct text *text, uint32_t *ret_index)
{
	uint32_t gen = obs_segment_family(segment, family)->gen, i;
	const struct obsring_series *series;
	const char *is;

	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (!obs_gen_alive(series->gen) || series->family != family ||
		    series->family_gen != gen || series->service != service ||
		    series->text_len != text->len)
			continue;
		is = obs_segment_text(segment, series->text_off, series->text_len);
		if (!is || memcmp(is, text->byte, text->len))
			continue;
		*ret_index = i;
		return 0;
	}
	return -ENOENT;
}

static uint32_t series_flags(const struct obs_family_spec *spec)
{
	return spec->kind == OBSRING_KIND_GAUGE && !spec->set ? OBSRING_SERIES_SHARES :
								OBSRING_SERIES_SERVICE;
}

/* One word, written by whoever comes: everyone's row alone. */
static bool is_single(const struct obs_family_spec *spec)
{
	return spec->kind == OBSRING_KIND_STATE ||
	       (spec->kind == OBSRING_KIND_GAUGE && spec->set);
}

static int slots_take(struct obs_segment *segment, const struct obs_segment_metric *metric,
		      uint32_t *ret_page, uint32_t *ret_slot)
{
	uint32_t share;
	int r;

	if (series_flags(metric->spec) == OBSRING_SERIES_SERVICE)
		return obs_segment_take_slots(segment, obs_spec_nr_slots(metric->spec), ret_page,
					      ret_slot);
	r = obs_segment_take_share_slot(segment, metric->service, ret_page, ret_slot);
	/* There is always a share for who finds no other. */
	if (!r)
		r = obs_segment_share_get(segment, metric->service, *ret_page,
					  OBS_HOST_COMMON, &share);
	return r;
}

static int series_make(struct obs_segment *segment, const struct obs_segment_metric *metric,
		       uint32_t family, const struct text *text, uint32_t flags,
		       uint32_t *ret_index)
{
	uint32_t index, granule, page, slot;
	struct obsring_series *series;

	obs_segment_room_look(segment);
	if (obs_segment_take_index(segment, OBSRING_REGION_SERIES, &index) ||
	    obs_segment_take_text(segment, text->len, &granule)) {
		obs_segment_count(segment, OBS_HOST_REFUSED_SERIES, 1);
		return -ENOSPC;
	}
	if (slots_take(segment, metric, &page, &slot)) {
		obs_segment_count(segment, OBS_HOST_REFUSED_BYTES, 1);
		return -ENOSPC;
	}
	series = obs_segment_series(segment, index);
	text_store(segment, granule, text);
	obs_write_once(&series->family, family);
	obs_write_once(&series->family_gen, obs_segment_family(segment, family)->gen);
	obs_write_once(&series->flags, flags | series_flags(metric->spec));
	obs_write_once(&series->page, page);
	obs_write_once(&series->slot, slot);
	obs_write_once(&series->nr_slots, obs_spec_nr_slots(metric->spec));
	obs_write_once(&series->rows, is_single(metric->spec));
	obs_write_once(&series->text_off, granule);
	obs_write_once(&series->text_len, text->len);
	obs_write_once(&series->created_ns, realtime_ns());
	obs_write_once(&series->service, metric->service);
	obs_segment_publish(segment, OBSRING_REGION_SERIES, index, &series->gen);
	*ret_index = index;
	return 0;
}

static int series_get(struct obs_segment *segment, const struct obs_segment_metric *metric,
		      uint32_t family, bool overflow, uint32_t *ret_index)
{
	struct text text;

	values_text(metric, overflow, &text);
	if (!series_find(segment, family, metric->service, &text, ret_index))
		return 0;
	return series_make(segment, metric, family, &text,
			   overflow ? OBSRING_SERIES_OVERFLOW : 0, ret_index);
}

int obs_segment_metric(struct obs_segment *segment, const struct obs_segment_metric *metric,
		       uint32_t *ret_index, bool *ret_overflow)
{
	bool labelled = metric->service && metric->spec->nr_labels;
	uint32_t family, overflow = 0;
	int r;

	r = family_get(segment, metric, &family);
	if (r)
		return r;
	*ret_overflow = false;
	if (labelled)
		r = series_get(segment, metric, family, true, &overflow);
	if (!r) {
		r = series_get(segment, metric, family, false, ret_index);
		if (r && labelled) {
			*ret_index = overflow;
			*ret_overflow = true;
			r = 0;
		}
	}
	if (r)
		obs_segment_retire_families(segment);
	return r;
}
