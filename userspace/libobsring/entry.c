// SPDX-License-Identifier: MIT
/*
 * Copies of the directory's entries. An entry and its text are copied between
 * obs_entry_begin() and obs_entry_end(); only if it lived all the while is what
 * looks wrong in the copy damage, else the copy is thrown away. Nothing is used
 * as an index or a length before it was checked in the copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/directory.h>
#include <obsring/histogram.h>
#include <obsring/name.h>

#include "directory.h"

union family_copy {
	struct obsring_family entry;
	__u64 word[sizeof(struct obsring_family) / sizeof(__u64)];
};

union series_copy {
	struct obsring_series entry;
	__u64 word[sizeof(struct obsring_series) / sizeof(__u64)];
};

/* Strings of a family's text, as offsets into it. */
struct family_text {
	const char *name, *help, *unit;
	const char *label[OBSRING_LABELS_MAX];
	const char *state[OBSRING_STATES_MAX];
	size_t len;		/* of the strings */
};

/* Copy the text to directory->text, or say that there is no such text. */
static int text_copy(struct obs_directory *directory, uint32_t off, uint32_t len)
{
	uint32_t granules = (len + OBSRING_GRANULE - 1) / OBSRING_GRANULE, nr;
	int r;

	if (len > OBS_TEXT_MAX)
		return -EPROTO;
	r = obs_region_nr(directory->device, OBSRING_REGION_TEXT, &nr);
	if (r)
		return r;
	if (granules > nr || off > nr - granules)
		return -EPROTO;
	if (granules)
		obs_words_copy(directory->text,
			       obs_region_entry(directory->device,
						OBSRING_REGION_TEXT, off),
			       (len + sizeof(__u64) - 1) / sizeof(__u64));
	return 0;
}

static const char *name_next(const char *text, size_t len, size_t *pos, size_t max)
{
	const char *name = obs_text_next(text, len, pos, max);

	return name && obs_name_valid(name) ? name : NULL;
}

static int names_parse(const char *text, size_t len, size_t *pos, size_t max,
		       const char **name, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		name[i] = name_next(text, len, pos, max);
		if (!name[i])
			return -EPROTO;
	}
	return 0;
}

static int family_text_parse(const char *text, const struct obsring_family *entry,
			     struct family_text *parsed)
{
	size_t pos = 0, len = entry->text_len;

	parsed->name = name_next(text, len, &pos, OBSRING_NAME_MAX);
	if (!parsed->name)
		return -EPROTO;
	parsed->help = obs_text_next(text, len, &pos, OBSRING_HELP_MAX);
	if (!parsed->help)
		return -EPROTO;
	parsed->unit = obs_text_next(text, len, &pos, OBSRING_UNIT_MAX);
	if (!parsed->unit)
		return -EPROTO;
	if (names_parse(text, len, &pos, OBSRING_NAME_MAX, parsed->label,
			entry->nr_labels) ||
	    names_parse(text, len, &pos, OBSRING_STATE_NAME_MAX, parsed->state,
			entry->nr_states))
		return -EPROTO;
	parsed->len = pos;
	return 0;
}

static bool exponential_valid(const struct obsring_family *entry)
{
	return entry->schema <= OBSRING_SCHEMA_MAX &&
	       entry->min_log2 >= OBSRING_LOG2_MIN &&
	       entry->max_log2 <= OBSRING_LOG2_MAX &&
	       entry->min_log2 < entry->max_log2 &&
	       entry->nr_bounds ==
	       obs_histogram_exp_nr_bounds(entry->schema, entry->min_log2,
					   entry->max_log2);
}

/* The bounds stand behind the strings, in their text, and ascend. */
static bool explicit_valid(const struct obs_directory *directory,
			   const struct obsring_family *entry, size_t strings_len)
{
	const __u64 *bound;
	uint32_t i;

	if (entry->schema != -1 || !entry->nr_bounds ||
	    entry->nr_bounds > OBSRING_BOUNDS_MAX ||
	    entry->bounds_off % sizeof(__u64) || entry->bounds_off < strings_len ||
	    entry->bounds_off > entry->text_len ||
	    entry->text_len - entry->bounds_off < entry->nr_bounds * sizeof(__u64))
		return false;
	bound = directory->text + entry->bounds_off / sizeof(__u64);
	for (i = 1; i < entry->nr_bounds; i++)
		if (bound[i] <= bound[i - 1])
			return false;
	return true;
}

static uint32_t slots_of_kind(const struct obsring_family *entry)
{
	switch (entry->kind) {
	case OBSRING_KIND_COUNTER:
	case OBSRING_KIND_GAUGE:
	case OBSRING_KIND_STATE:
		return 1;
	case OBSRING_KIND_HISTOGRAM:
		return entry->nr_bounds + 2;	/* the sum, and nr_bounds + 1 buckets */
	default:
		return 0;
	}
}

static int family_check(const struct obs_directory *directory,
			const struct obsring_family *entry, size_t strings_len)
{
	uint32_t page_slots = directory->device->page_size / sizeof(__u64);

	if (entry->kind == OBSRING_KIND_HISTOGRAM &&
	    !(entry->schema >= 0 ? exponential_valid(entry) :
				   explicit_valid(directory, entry, strings_len)))
		return -EPROTO;
	if (entry->kind != OBSRING_KIND_HISTOGRAM && entry->nr_bounds)
		return -EPROTO;
	if (entry->nr_slots != slots_of_kind(entry) ||
	    entry->nr_slots > OBSRING_SLOTS_MAX || entry->nr_slots > page_slots)
		return -EPROTO;
	return 0;
}

static void family_set_bounds(struct obs_family *family, uint64_t *bound,
			      const char *text, uint32_t bounds_off)
{
	struct obs_family_info *info = &family->info;

	if (info->exponential)
		obs_histogram_exp_bounds((__u64 *)bound, info->schema,
					 info->min_log2, info->max_log2, info->exp10);
	else if (info->nr_bounds)
		memcpy(bound, text + bounds_off, info->nr_bounds * sizeof(*bound));
	info->bound = bound;
}

/* One block: the family, its bounds, its label and state pointers, its strings. */
static struct obs_family *family_new(const struct obs_directory *directory,
				     uint32_t index,
				     const struct obsring_family *entry,
				     const struct family_text *text)
{
	const char *strings = (const char *)directory->text;
	struct obs_family *family;
	const char **label, **state;
	uint64_t *bound;
	unsigned int i;
	char *copy;

	family = malloc(sizeof(*family) + entry->nr_bounds * sizeof(*bound) +
			(entry->nr_labels + entry->nr_states) * sizeof(*label) +
			text->len);
	if (!family)
		return NULL;
	bound = (uint64_t *)(family + 1);
	label = (const char **)(bound + entry->nr_bounds);
	state = label + entry->nr_labels;
	copy = (char *)(state + entry->nr_states);
	memcpy(copy, strings, text->len);
	for (i = 0; i < entry->nr_labels; i++)
		label[i] = copy + (text->label[i] - strings);
	for (i = 0; i < entry->nr_states; i++)
		state[i] = copy + (text->state[i] - strings);
	*family = (struct obs_family){
		.info = {
			.id = index,
			.gen = entry->gen,
			.name = copy,
			.help = copy + (text->help - strings),
			.unit = copy + (text->unit - strings),
			.kind = entry->kind,
			.set = entry->flags & OBSRING_FAMILY_SET,
			.exp10 = entry->exp10,
			.nr_labels = entry->nr_labels,
			.label = label,
			.exponential = entry->nr_bounds && entry->schema >= 0,
			.schema = entry->schema,
			.min_log2 = entry->min_log2,
			.max_log2 = entry->max_log2,
			.nr_bounds = entry->nr_bounds,
			.created_ns = entry->created_ns,
			.nr_states = entry->nr_states,
			.state = state,
		},
		.nr_slots = entry->nr_slots,
	};
	family_set_bounds(family, bound, strings, entry->bounds_off);
	return family;
}

static bool states_valid(const struct obsring_family *entry)
{
	if (entry->kind != OBSRING_KIND_STATE)
		return !entry->nr_states;
	return entry->nr_states && entry->nr_states <= OBSRING_STATES_MAX;
}

/* Check the copy of a family's entry; its text goes to directory->text. */
static int family_parse(struct obs_directory *directory,
			const struct obsring_family *entry, struct family_text *text)
{
	int r;

	if (entry->kind < OBSRING_KIND_COUNTER || entry->kind > OBSRING_KIND_MAX ||
	    entry->nr_labels > OBSRING_LABELS_MAX ||
	    entry->exp10 < OBSRING_EXP10_MIN || entry->exp10 > 0 ||
	    !states_valid(entry))
		return -EPROTO;
	r = text_copy(directory, entry->text_off, entry->text_len);
	if (r)
		return r;
	r = family_text_parse((const char *)directory->text, entry, text);
	if (r)
		return r;
	return family_check(directory, entry, text->len);
}

int obs_family_load(struct obs_directory *directory, uint32_t index,
		    struct obs_family **ret_family)
{
	const void *mapped = obs_region_entry(directory->device,
					      OBSRING_REGION_FAMILIES, index);
	struct obs_family *family;
	struct family_text text;
	union family_copy copy;
	uint32_t gen;
	int r;

	gen = obs_entry_begin(mapped);
	if (!obs_gen_alive(gen)) {
		*ret_family = NULL;
		return 0;
	}
	obs_words_copy(copy.word, mapped, sizeof(copy.word) / sizeof(__u64));
	r = family_parse(directory, &copy.entry, &text);
	if (!obs_entry_end(mapped, gen)) {
		*ret_family = NULL;
		return 0;
	}
	if (r)
		return r;
	copy.entry.gen = gen;
	family = family_new(directory, index, &copy.entry, &text);
	if (!family)
		return -ENOMEM;
	*ret_family = family;
	return 0;
}

void obs_family_unload(struct obs_family *family)
{
	free(family);
}

static int series_text_parse(const char *text, size_t len, unsigned int nr_labels,
			     const char **value)
{
	size_t pos = 0;
	unsigned int i;

	for (i = 0; i < nr_labels; i++) {
		value[i] = obs_text_next(text, len, &pos, OBSRING_VALUE_MAX);
		if (!value[i])
			return -EPROTO;
	}
	return 0;
}

static enum obs_store store_of(const struct obsring_series *entry)
{
	if (entry->flags & OBSRING_SERIES_SHARES)
		return OBS_STORE_SHARES;
	return entry->flags & OBSRING_SERIES_SERVICE ? OBS_STORE_SERVICES :
						       OBS_STORE_VALUES;
}

/* Is there such a page? Which chunks shares have, only they say. */
static int series_check_page(const struct obs_directory *directory,
			     const struct obsring_series *entry,
			     const struct obs_family *family)
{
	const struct obs_device *device = directory->device;
	enum obs_store store = store_of(entry);
	uint32_t nr;
	int r;

	if (store == OBS_STORE_SHARES) {
		if (family->info.kind != OBSRING_KIND_GAUGE || family->info.set)
			return -EPROTO;
		return device->region[OBSRING_REGION_SHARES].size ? 0 : -EPROTO;
	}
	r = obs_region_nr(device, store == OBS_STORE_SERVICES ? OBSRING_REGION_SERVICES :
								OBSRING_REGION_VALUES, &nr);
	if (r)
		return r;
	return entry->page < nr ? 0 : -EPROTO;
}

static int series_check_slots(const struct obs_directory *directory,
			      const struct obsring_series *entry,
			      const struct obs_family *family)
{
	uint32_t page_slots = directory->device->page_size / sizeof(__u64);
	const __u32 both = OBSRING_SERIES_SERVICE | OBSRING_SERIES_SHARES;

	if (entry->rows > 1 || (entry->flags & both) == both)
		return -EPROTO;
	if (!entry->nr_slots)
		return 0;
	if (entry->nr_slots > page_slots || entry->slot > page_slots - entry->nr_slots)
		return -EPROTO;
	return series_check_page(directory, entry, family);
}

static int series_check_exemplars(const struct obs_directory *directory,
				  const struct obsring_series *entry,
				  const struct obs_family *family)
{
	uint32_t nr;
	int r;

	if (!entry->nr_exemplars)
		return 0;
	r = obs_region_nr(directory->device, OBSRING_REGION_EXEMPLARS, &nr);
	if (r)
		return r;
	if (entry->nr_exemplars != obs_family_nr_ranges(&family->info) ||
	    entry->nr_exemplars > nr || entry->exemplar > nr - entry->nr_exemplars)
		return -EPROTO;
	return 0;
}

/* Check the copy of a series' entry against its family. */
static int series_parse(struct obs_directory *directory,
			const struct obsring_series *entry,
			const struct obs_family **ret_family, const char **value)
{
	const struct obs_family *family;
	int r;

	r = obs_directory_family(directory, entry->family, entry->family_gen, &family);
	if (r)
		return r;
	if (!family || entry->nr_slots != family->nr_slots)
		return -EPROTO;
	r = series_check_slots(directory, entry, family);
	if (r)
		return r;
	r = series_check_exemplars(directory, entry, family);
	if (r)
		return r;
	r = text_copy(directory, entry->text_off, entry->text_len);
	if (r)
		return r;
	*ret_family = family;
	return series_text_parse((const char *)directory->text, entry->text_len,
				 family->info.nr_labels, value);
}

/* One block: the series, its value pointers, its strings. */
static struct obs_series *series_new(const struct obs_directory *directory,
				     uint32_t index,
				     const struct obsring_series *entry,
				     unsigned int nr_labels, const char **from)
{
	struct obs_series *series;
	const char **value;
	unsigned int i;
	char *copy;

	series = malloc(sizeof(*series) + nr_labels * sizeof(*value) +
			entry->text_len);
	if (!series)
		return NULL;
	value = (const char **)(series + 1);
	copy = (char *)(value + nr_labels);
	memcpy(copy, directory->text, entry->text_len);
	for (i = 0; i < nr_labels; i++)
		value[i] = copy + (from[i] - (const char *)directory->text);
	*series = (struct obs_series){
		.info = {
			.id = index,
			.gen = entry->gen,
			.value = value,
			.overflow = entry->flags & OBSRING_SERIES_OVERFLOW,
			.created_ns = entry->created_ns,
			.nr_exemplars = entry->nr_exemplars,
		},
		.family = entry->family,
		.family_gen = entry->family_gen,
		.slots = {
			.store = store_of(entry),
			.single = entry->rows == 1,
			.page = entry->page,
			.slot = entry->slot,
			.nr = entry->nr_slots,
			.service = entry->service,
		},
		.exemplar = entry->exemplar,
	};
	return series;
}

int obs_series_load(struct obs_directory *directory, uint32_t index,
		    struct obs_series **ret_series)
{
	const void *mapped = obs_region_entry(directory->device,
					      OBSRING_REGION_SERIES, index);
	const char *value[OBSRING_LABELS_MAX];
	const struct obs_family *family = NULL;
	struct obs_series *series;
	union series_copy copy;
	uint32_t gen;
	int r;

	gen = obs_entry_begin(mapped);
	if (!obs_gen_alive(gen)) {
		*ret_series = NULL;
		return 0;
	}
	obs_words_copy(copy.word, mapped, sizeof(copy.word) / sizeof(__u64));
	r = series_parse(directory, &copy.entry, &family, value);
	if (r == -ENOMEM)
		return r;
	if (!obs_entry_end(mapped, gen)) {
		*ret_series = NULL;
		return 0;
	}
	if (r)
		return r;
	copy.entry.gen = gen;
	series = series_new(directory, index, &copy.entry, family->info.nr_labels,
			    value);
	if (!series)
		return -ENOMEM;
	r = obs_values_hold(directory->values, &series->slots);
	if (r) {
		free(series);
		return r;
	}
	*ret_series = series;
	return 0;
}

void obs_series_unload(struct obs_directory *directory, struct obs_series *series)
{
	if (!series)
		return;
	obs_values_release(directory->values, &series->slots);
	free(series);
}
