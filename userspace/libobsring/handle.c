// SPDX-License-Identifier: MIT
/*
 * Finding handles. Families and series that were asked for before are found here,
 * without a system call: a family's definition is checked against the one that the
 * module took, a series is known by its label values.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"

#define HASH_START	2166136261U	/* FNV-1a */
#define BUCKETS_MIN	16

static uint32_t hash_string(uint32_t hash, const char *s)
{
	do
		hash = (hash ^ (unsigned char)*s) * 16777619U;
	while (*s++);
	return hash;
}

static struct obs_node **hash_bucket(const struct obs_hash *table, uint32_t hash)
{
	return &table->bucket[hash & (table->size - 1)];
}

static struct obs_node *hash_first(const struct obs_hash *table, uint32_t hash)
{
	return table->size ? *hash_bucket(table, hash) : NULL;
}

static void hash_link(struct obs_hash *table, struct obs_node *node)
{
	struct obs_node **bucket = hash_bucket(table, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static int hash_grow(struct obs_hash *table)
{
	struct obs_hash grown = { .nr = table->nr, .size = BUCKETS_MIN };
	struct obs_node *node, *next;
	uint32_t i;

	if (table->size)
		grown.size = 2 * table->size;
	grown.bucket = calloc(grown.size, sizeof(struct obs_node *));
	if (!grown.bucket)
		return -ENOMEM;
	for (i = 0; i < table->size; i++) {
		for (node = table->bucket[i]; node; node = next) {
			next = node->next;
			hash_link(&grown, node);
		}
	}
	free(table->bucket);
	*table = grown;
	return 0;
}

/* Room for one more, which hash_add() then can't fail to find. */
static int hash_reserve(struct obs_hash *table)
{
	return table->nr < table->size ? 0 : hash_grow(table);
}

static void hash_add(struct obs_hash *table, struct obs_node *node)
{
	hash_link(table, node);
	table->nr++;
}

/* Give up all, by @free_node. */
static void hash_free(struct obs_hash *table, void (*free_node)(struct obs_node *node))
{
	struct obs_node *node, *next;
	uint32_t i;

	for (i = 0; i < table->size; i++) {
		for (node = table->bucket[i]; node; node = next) {
			next = node->next;
			free_node(node);
		}
	}
	free(table->bucket);
	*table = (struct obs_hash){ .nr = 0 };
}

/* ---- Families ------------------------------------------------------------ */

/* Is @spec safe to compare? obs_spec_check() looks at the rest. */
static bool spec_whole(const struct obs_family_spec *spec, const char *const *value)
{
	unsigned int i;

	if (!spec->name || spec->nr_labels > OBSRING_LABELS_MAX ||
	    (spec->nr_labels && (!spec->label || !value)) ||
	    (spec->nr_bounds && !spec->bound) || (spec->nr_states && !spec->state))
		return false;
	for (i = 0; i < spec->nr_labels; i++)
		if (!spec->label[i] || !value[i])
			return false;
	return true;
}

static bool strings_equal(const char *const *a, const char *const *b, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!a[i] || !b[i] || strcmp(a[i], b[i]))
			return false;
	return true;
}

static bool bounds_equal(const struct obs_family_spec *a, const struct obs_family_spec *b)
{
	if (a->kind != OBSRING_KIND_HISTOGRAM)
		return true;
	if (a->nr_bounds != b->nr_bounds)
		return false;
	if (a->nr_bounds)
		return !memcmp(a->bound, b->bound, a->nr_bounds * sizeof(*a->bound));
	return a->schema == b->schema && a->min_log2 == b->min_log2 &&
	       a->max_log2 == b->max_log2;
}

/* The same family? The help may differ. */
static int spec_compare(const struct obs_family_spec *known,
			const struct obs_family_spec *spec)
{
	if (known->kind != spec->kind || known->exp10 != spec->exp10 ||
	    strcmp(known->unit, spec->unit ? spec->unit : "") ||
	    known->nr_labels != spec->nr_labels ||
	    !strings_equal(known->label, spec->label, spec->nr_labels) ||
	    !bounds_equal(known, spec) || known->nr_states != spec->nr_states ||
	    !strings_equal(known->state, spec->state, spec->nr_states))
		return -EEXIST;
	return known->set == spec->set ? 0 : -EINVAL;
}

static struct obs_metric *metric_find(const struct obs_service *service, const char *name)
{
	uint32_t hash = hash_string(HASH_START, name);
	struct obs_node *node;

	for (node = hash_first(&service->metrics, hash); node; node = node->next) {
		struct obs_metric *metric = (struct obs_metric *)node;

		if (node->hash == hash && !strcmp(metric->spec.name, name))
			return metric;
	}
	return NULL;
}

static size_t strings_size(const char *const *s, unsigned int nr)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		size += strlen(s[i]) + 1;
	return size;
}

static char *string_copy(char **at, const char *s)
{
	char *copy = *at;

	*at = stpcpy(copy, s) + 1;
	return copy;
}

static void layout_make(struct obs_metric *metric, uint64_t *bound, uint32_t nr,
			uint16_t *first)
{
	const struct obs_family_spec *spec = &metric->spec;

	if (!spec->nr_bounds)
		obs_histogram_exp_bounds((__u64 *)bound, spec->schema, spec->min_log2,
					 spec->max_log2, spec->exp10);
	obs_histogram_layout_init(&metric->layout, (__u64 *)bound, nr, first);
}

/*
 * One block: the family, its bounds (and the sentinel), its labels and states, the
 * table of its bounds' cells, its strings. The spec was checked.
 */
static struct obs_metric *metric_new(const struct obs_family_spec *spec)
{
	uint32_t nr = obs_spec_nr_bounds(spec), i;
	uint32_t cells = nr ? OBS_CELLS_MAX : 0;
	const char *unit = spec->unit ? spec->unit : "";
	struct obs_metric *metric;
	const char **label, **state;
	uint64_t *bound;
	uint16_t *first;
	char *text;

	metric = calloc(1, sizeof(*metric) + (nr + 1) * sizeof(*bound) +
			(spec->nr_labels + spec->nr_states) * sizeof(*label) +
			cells * sizeof(*first) + strlen(spec->name) + 1 + strlen(unit) + 1 +
			strings_size(spec->label, spec->nr_labels) +
			strings_size(spec->state, spec->nr_states));
	if (!metric)
		return NULL;
	bound = (uint64_t *)(metric + 1);
	label = (const char **)(bound + nr + 1);
	state = label + spec->nr_labels;
	first = (uint16_t *)(state + spec->nr_states);
	text = (char *)(first + cells);

	metric->spec = *spec;
	metric->spec.name = string_copy(&text, spec->name);
	metric->spec.unit = string_copy(&text, unit);
	metric->spec.help = NULL;
	metric->spec.label = label;
	metric->spec.state = state;
	metric->spec.bound = bound;
	for (i = 0; i < spec->nr_labels; i++)
		label[i] = string_copy(&text, spec->label[i]);
	for (i = 0; i < spec->nr_states; i++)
		state[i] = string_copy(&text, spec->state[i]);
	if (spec->nr_bounds)
		memcpy(bound, spec->bound, nr * sizeof(*bound));
	if (nr)
		layout_make(metric, bound, nr, first);
	metric->node.hash = hash_string(HASH_START, spec->name);
	return metric;
}

/* ---- Series -------------------------------------------------------------- */

static struct obs_handle *handle_of(struct obs_node *node)
{
	return (struct obs_handle *)((char *)node - offsetof(struct obs_handle, node));
}

static uint32_t values_hash(const struct obs_metric *metric, const char *const *value)
{
	uint32_t hash = metric->node.hash;
	unsigned int i;

	for (i = 0; i < metric->spec.nr_labels; i++)
		hash = hash_string(hash, value[i]);
	return hash;
}

static bool values_equal(const struct obs_handle *handle, const char *const *value)
{
	const char *at = handle->value;
	unsigned int i;

	for (i = 0; i < handle->metric->spec.nr_labels; i++) {
		if (strcmp(at, value[i]))
			return false;
		at += strlen(at) + 1;
	}
	return true;
}

static struct obs_handle *handle_find(const struct obs_service *service,
				      const struct obs_metric *metric,
				      const char *const *value)
{
	uint32_t hash = values_hash(metric, value);
	struct obs_handle *handle;
	struct obs_node *node;

	for (node = hash_first(&service->handles, hash); node; node = node->next) {
		handle = handle_of(node);
		if (node->hash == hash && handle->metric == metric &&
		    values_equal(handle, value))
			return handle;
	}
	return NULL;
}

static struct obs_handle *handle_new(struct obs_metric *metric,
				     const struct obs_place *place,
				     const char *const *value)
{
	size_t size = sizeof(struct obs_handle) +
		      strings_size(value, metric->spec.nr_labels);
	struct obs_handle *handle = aligned_alloc(64, (size + 63) & ~(size_t)63);
	unsigned int i;
	char *text;

	if (!handle)
		return NULL;
	*handle = (struct obs_handle){
		.rows = place->rows,
		.node.hash = values_hash(metric, value),
		.metric = metric,
		.series = place->series,
	};
	if (metric->spec.kind == OBSRING_KIND_HISTOGRAM)
		handle->layout = metric->layout;
	else
		handle->share = place->share;
	text = handle->value;
	for (i = 0; i < metric->spec.nr_labels; i++)
		string_copy(&text, value[i]);
	return handle;
}

/* Is the series where its kind has its values? */
static bool place_valid(const struct obs_place *place, const struct obs_family_spec *spec)
{
	bool single = spec->set || spec->kind == OBSRING_KIND_STATE;

	if (place->nr_slots != obs_spec_nr_slots(spec))
		return false;
	if (spec->kind == OBSRING_KIND_GAUGE && !spec->set)
		return place->share;
	return place->rows.shared && !place->share && single == !place->rows.nr_cpus;
}

/* Past a limit: one handle for all that was refused. Else it is a new one. */
static int handle_add(struct obs_service *service, struct obs_metric *metric,
		      const struct obs_place *place, const char *const *value,
		      struct obs_handle **ret_handle)
{
	struct obs_handle *handle;

	if (place->overflow && metric->overflow) {
		*ret_handle = metric->overflow;
		return 1;
	}
	handle = handle_new(metric, place, value);
	if (!handle)
		return -ENOMEM;
	*ret_handle = handle;
	if (place->overflow) {
		metric->overflow = handle;
		return 1;
	}
	hash_add(&service->handles, &handle->node);
	return 0;
}

/* Ask the backend. */
static int handle_make(struct obs_service *service, struct obs_metric *metric,
		       const struct obs_family_spec *spec, const char *const *value,
		       struct obs_handle **ret_handle)
{
	struct obs_metric *new = NULL;
	struct obs_place place;
	int r;

	r = obs_spec_check(spec, value);
	if (!r)
		r = hash_reserve(&service->handles);
	if (!r)
		r = hash_reserve(&service->metrics);
	if (r)
		return r;
	if (!metric) {
		new = metric_new(spec);
		if (!new)
			return -ENOMEM;
		metric = new;
	}
	r = service->backend->metric(service->member, spec, value, &place);
	if (!r && !place_valid(&place, spec))
		r = -EPROTO;
	if (!r)
		r = handle_add(service, metric, &place, value, ret_handle);
	if (r < 0)
		free(new);
	else if (new)
		hash_add(&service->metrics, &new->node);
	return r;
}

static int handle_get(struct obs_service *service, const struct obs_family_spec *spec,
		      const char *const *value, struct obs_handle **ret_handle)
{
	struct obs_metric *metric = metric_find(service, spec->name);
	struct obs_handle *handle;
	int r;

	if (!metric)
		return handle_make(service, NULL, spec, value, ret_handle);
	r = spec_compare(&metric->spec, spec);
	if (r)
		return r;
	handle = handle_find(service, metric, value);
	if (!handle)
		return handle_make(service, metric, spec, value, ret_handle);
	*ret_handle = handle;
	return 0;
}

static int handle_ask(struct obs_service *service, const struct obs_family_spec *spec,
		      const char *const *value, enum obsring_kind kind, bool set,
		      struct obs_handle **ret_handle)
{
	struct obs_family_spec asked = *spec;
	int r;

	asked.kind = kind;
	asked.set = set;
	if (!spec_whole(&asked, value))
		return -EINVAL;
	obs_services_lock();
	r = handle_get(service, &asked, value, ret_handle);
	obs_services_unlock();
	return r;
}

int obs_counter_new(struct obs_service *service, const struct obs_family_spec *spec,
		    const char *const *value, struct obs_counter **ret_counter)
{
	return handle_ask(service, spec, value, OBSRING_KIND_COUNTER, false,
			  (struct obs_handle **)ret_counter);
}

int obs_gauge_new(struct obs_service *service, const struct obs_family_spec *spec,
		  const char *const *value, struct obs_gauge **ret_gauge)
{
	return handle_ask(service, spec, value, OBSRING_KIND_GAUGE, false,
			  (struct obs_handle **)ret_gauge);
}

int obs_gauge_set_new(struct obs_service *service, const struct obs_family_spec *spec,
		      const char *const *value, struct obs_gauge **ret_gauge)
{
	return handle_ask(service, spec, value, OBSRING_KIND_GAUGE, true,
			  (struct obs_handle **)ret_gauge);
}

int obs_histogram_new(struct obs_service *service, const struct obs_family_spec *spec,
		      const char *const *value, struct obs_histogram **ret_histogram)
{
	return handle_ask(service, spec, value, OBSRING_KIND_HISTOGRAM, false,
			  (struct obs_handle **)ret_histogram);
}

int obs_state_new(struct obs_service *service, const struct obs_family_spec *spec,
		  const char *const *value, struct obs_state **ret_state)
{
	return handle_ask(service, spec, value, OBSRING_KIND_STATE, false,
			  (struct obs_handle **)ret_state);
}

static void metric_free(struct obs_node *node)
{
	struct obs_metric *metric = (struct obs_metric *)node;

	free(metric->overflow);
	free(metric);
}

static void handle_free(struct obs_node *node)
{
	free(handle_of(node));
}

void obs_handles_free(struct obs_service *service)
{
	hash_free(&service->handles, handle_free);
	hash_free(&service->metrics, metric_free);
}
