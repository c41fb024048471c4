// SPDX-License-Identifier: GPL-2.0-only
/*
 * Families and series: see metric.h for the lock, include/obsring/directory.h
 * for what readers see of a life and a death.
 *
 * Removing is done in two steps. At once: handles are pointed at the dummy,
 * the entry is retired, readers are told. Later, by a worker: when no update
 * can hold the old pointer any more (obs_wait_for_updates()), slots, text and
 * index are given back.
 */
#include <linux/jhash.h>
#include <linux/netlink.h>
#include <linux/rhashtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <obsring/directory.h>
#include <obsring/name.h>

#include "chardev.h"
#include "exemplar.h"
#include "family.h"
#include "metric.h"
#include "netlink.h"
#include "self.h"
#include "service.h"
#include "text.h"

#define GFP_METRIC	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/* Protects all of the registry and the store, but what producers bump. */
DEFINE_MUTEX(obs_registry_mutex);
DEFINE_XARRAY_ALLOC(obs_families);
DEFINE_XARRAY_ALLOC(obs_series_table);
struct obs_limits obs_limits;

static struct rhashtable series_by_values;
static u32 nr_families;
static u32 nr_series;
static u64 refused[OBS_REFUSED_NR];

/* Removed, their slots perhaps still written for a moment. */
static LIST_HEAD(series_graves);
static LIST_HEAD(family_graves);
static bool graves_waiting;	/* the worker holds some */
static u32 graves_emptied;	/* by the worker, so often */
static DECLARE_WAIT_QUEUE_HEAD(graves_wait);	/* for the next time */

/* There will be more room, see obs_registry_flush(). */
static bool graves_exist(void)
{
	return graves_waiting || !list_empty(&series_graves) ||
	       !list_empty(&family_graves);
}

/*
 * A limit or the memory stands against a new series. While removed ones have
 * not been given back yet it is too early to say so: -EAGAIN.
 */
int obs_registry_refuse(enum obs_refusal reason, int err)
{
	if (err == -ENOSPC && reason != OBS_REFUSED_FAMILY && graves_exist())
		return -EAGAIN;
	refused[reason]++;
	obs_counter_inc(&obs_self_refused[reason]);
	return err;
}

/* Label values being looked up or made. */
static char values_text[OBSRING_LABELS_MAX * (OBSRING_VALUE_MAX + 1)];

/* ---- Series by label values ---------------------------------------------- */

struct series_key {
	const struct obs_family *family;
	const char *text;
	u32 text_len;
};

static u32 series_key_hash(const void *data, u32 len, u32 seed)
{
	const struct series_key *key = data;

	return jhash(key->text, key->text_len, seed ^ key->family->index);
}

static u32 series_hash(const void *data, u32 len, u32 seed)
{
	const struct obs_series *series = data;

	return jhash(series->text, series->text_len,
		     seed ^ series->family->index);
}

static int series_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct series_key *key = arg->key;
	const struct obs_series *series = obj;

	return series->family != key->family ||
	       series->text_len != key->text_len ||
	       memcmp(series->text, key->text, key->text_len);
}

static const struct rhashtable_params series_params = {
	.head_offset = offsetof(struct obs_series, hash),
	.hashfn = series_key_hash,
	.obj_hashfn = series_hash,
	.obj_cmpfn = series_cmp,
	.automatic_shrinking = true,
};

/*
 * Put label values in values_text, each ended by a NUL. Returns their length,
 * or -EINVAL.
 */
static int values_pack(const struct obs_family *family,
		       const char *const *value, struct netlink_ext_ack *extack)
{
	u32 i, len, total = 0;

	for (i = 0; i < family->nr_labels; i++) {
		if (!value || !value[i]) {
			NL_SET_ERR_MSG(extack, "a label has no value");
			return -EINVAL;
		}
		len = strnlen(value[i], OBSRING_VALUE_MAX + 1);
		if (len > OBSRING_VALUE_MAX) {
			NL_SET_ERR_MSG(extack, "a label value is longer than 127 bytes");
			return -EINVAL;
		}
		if (!obs_text_valid(value[i])) {
			NL_SET_ERR_MSG(extack, "a label value is no valid UTF-8");
			return -EINVAL;
		}
		memcpy(values_text + total, value[i], len + 1);
		total += len + 1;
	}
	return total;
}

static bool is_overflow(const struct obs_family *family, const char *text,
			u32 len)
{
	return family->overflow && family->overflow->text_len == len &&
	       !memcmp(family->overflow->text, text, len);
}

static struct obs_series *series_lookup(struct obs_family *family,
					const char *text, u32 len)
{
	struct series_key key = {
		.family = family, .text = text, .text_len = len,
	};

	if (is_overflow(family, text, len))
		return family->overflow;
	return rhashtable_lookup_fast(&series_by_values, &key, series_params);
}

struct obs_series *obs_series_find(struct obs_family *family,
				   const char *const *value)
{
	int len = values_pack(family, value, NULL);

	return len < 0 ? NULL : series_lookup(family, values_text, len);
}

/* ---- Making a series ----------------------------------------------------- */

static void series_publish(struct obs_series *series)
{
	struct obsring_series *entry =
		obs_region_entry(OBSRING_REGION_SERIES, series->index);
	struct obsring_family *family =
		obs_region_entry(OBSRING_REGION_FAMILIES, series->family->index);

	obs_write_once(&entry->family, series->family->index);
	obs_write_once(&entry->family_gen, family->gen);
	obs_write_once(&entry->flags, series->flags);
	obs_write_once(&entry->page, series->slots.service ?
		       obs_service_page_of(series) : series->slots.page);
	obs_write_once(&entry->slot, series->slots.slot);
	obs_write_once(&entry->nr_slots, series->slots.nr);
	obs_write_once(&entry->rows, series->slots.shared);
	obs_write_once(&entry->text_off, series->text_len ? series->granule : 0);
	obs_write_once(&entry->text_len, series->text_len);
	obs_write_once(&entry->created_ns, series->created_ns);
	obs_write_once(&entry->exemplar, series->cells.exemplar);
	obs_write_once(&entry->nr_exemplars, series->cells.nr_exemplars);
	obs_write_once(&entry->service, obs_service_number(series->slots.service));
	obs_entry_publish(&entry->gen);
	WRITE_ONCE(obs_header->series_live, nr_series);
	obs_store_tell(OBSRING_REGION_SERIES, series->index);
	obs_chardev_changed();
}

/* Give back what a series holds; no update and no reader uses it. */
static void series_release(struct obs_series *series)
{
	if (!series)
		return;
	if (!series->slots.service)
		obs_slots_free(&series->slots);
	obs_exemplars_free(series->cells.exemplar, series->cells.nr_exemplars);
	if (series->granule != U32_MAX)
		obs_text_free(series->granule, series->text_len);
	if (series->index != U32_MAX)
		xa_erase(&obs_series_table, series->index);
	kfree(series);
}

/*
 * Exemplars for a histogram's series. It counts without them if there is no
 * room, but for -EAGAIN.
 */
static int exemplars_place(struct obs_series *series)
{
	const struct obs_family_desc *desc = &series->family->desc;
	struct obs_histogram_cells *cells = &series->cells;
	u32 nr;
	int ret;

	if (!desc->exemplars)
		return 0;
	cells->range_shift = desc->bounds ? 0 : desc->schema;
	nr = obs_histogram_nr_ranges(series->family->layout.nr_bounds,
				     cells->range_shift);
	ret = obs_exemplars_alloc(nr, &cells->exemplar);
	if (ret == -ENOSPC && graves_exist())
		return -EAGAIN;
	if (ret)
		obs_counter_inc(&obs_self_exemplars_refused);
	else
		cells->nr_exemplars = nr;
	return 0;
}

/* Slots of its own; those of a service's series are there. */
static int slots_place(struct obs_series *series)
{
	struct obs_family *family = series->family;
	int ret;

	if (series->slots.service)
		return 0;
	ret = obs_slots_alloc(family->nr_slots, family->desc.set, &series->slots);
	return ret ?: exemplars_place(series);
}

static int series_place(struct obs_series *series)
{
	enum obs_refusal limit = OBS_REFUSED_SERIES;	/* sizes the directory */
	int ret;

	ret = xa_alloc(&obs_series_table, &series->index, series,
		       XA_LIMIT(0, obs_limits.series - 1), GFP_METRIC);
	if (ret) {
		series->index = U32_MAX;
		if (ret == -EBUSY)
			return obs_registry_refuse(OBS_REFUSED_SERIES, -ENOSPC);
		return obs_registry_refuse(OBS_REFUSED_MEMORY, ret);
	}
	ret = obs_region_grow(OBSRING_REGION_SERIES, series->index + 1);
	if (ret)
		goto out;
	if (series->text_len) {
		ret = obs_text_alloc(series->text, series->text_len,
				     &series->granule);
		if (ret)
			goto out;
	}
	limit = OBS_REFUSED_BYTES;
	ret = slots_place(series);
	if (ret == -EAGAIN)
		return ret;
out:
	if (!ret)
		return 0;
	return obs_registry_refuse(ret == -ENOSPC ? limit : OBS_REFUSED_MEMORY, ret);
}

/* A series that has all it needs, but nobody can see. */
static struct obs_series *series_make(struct obs_family *family,
				      const char *text, u32 len, u32 flags,
				      const struct obs_slots *slots)
{
	struct obs_series *series;
	int ret;

	if (!slots && family->nr_series >= obs_limits.family_series)
		return ERR_PTR(obs_registry_refuse(OBS_REFUSED_FAMILY, -ENOSPC));
	series = kzalloc(struct_size(series, text, len), GFP_METRIC);
	if (!series)
		return ERR_PTR(obs_registry_refuse(OBS_REFUSED_MEMORY, -ENOMEM));
	series->family = family;
	series->flags = flags;
	if (slots)
		series->slots = *slots;
	series->created_ns = ktime_get_real_ns();
	series->text_len = len;
	series->index = U32_MAX;
	series->granule = U32_MAX;
	memcpy(series->text, text, len);
	INIT_LIST_HEAD(&series->handles);
	ret = series_place(series);
	if (ret) {
		series_release(series);
		return ERR_PTR(ret);
	}
	if (family->desc.kind == OBSRING_KIND_HISTOGRAM && !slots) {
		series->cells.layout = family->layout;
		series->cells.slots = obs_slots_rows(&series->slots);
	}
	return series;
}

/* Let readers see it, and tell them. */
static void series_show(struct obs_series *series)
{
	list_add_tail(&series->node, &series->family->series);
	series->family->nr_series++;
	nr_series++;
	series_publish(series);
	obs_self_memory();
	obs_netlink_series_ntf(OBSRING_CMD_SERIES_NEW_NTF, series);
}

static struct obs_series *series_new(struct obs_family *family,
				     const char *text, u32 len, u32 flags,
				     const struct obs_slots *slots)
{
	struct obs_series *series = series_make(family, text, len, flags, slots);

	if (IS_ERR(series))
		return series;
	if (rhashtable_insert_fast(&series_by_values, &series->hash,
				   series_params)) {
		series_release(series);
		return ERR_PTR(obs_registry_refuse(OBS_REFUSED_MEMORY, -ENOMEM));
	}
	series_show(series);
	return series;
}

int obs_series_get(struct obs_family *family, const char *const *value,
		   struct netlink_ext_ack *extack,
		   struct obs_series **ret_series, bool *ret_new)
{
	struct obs_series *series;
	bool new = false;
	int len;

	len = values_pack(family, value, extack);
	if (len < 0)
		return len;
	series = series_lookup(family, values_text, len);
	if (!series) {
		new = true;
		series = series_new(family, values_text, len, 0, NULL);
		if (series == ERR_PTR(-EAGAIN))
			return -EAGAIN;
		if (IS_ERR(series)) {
			NL_SET_ERR_MSG(extack, "no room for another series: max_series, max_series_per_family or max_bytes");
			return PTR_ERR(series);
		}
	}
	*ret_series = series;
	if (ret_new)
		*ret_new = new;
	return 0;
}

int obs_series_new(struct obs_family *family, const char *const *value, u32 flags,
		   const struct obs_slots *slots, struct obs_series **ret_series)
{
	int len = values_pack(family, value, NULL);
	struct obs_series *series;

	if (len < 0)
		return len;
	series = series_new(family, values_text, len, flags, slots);
	if (IS_ERR(series))
		return PTR_ERR(series);
	*ret_series = series;
	return 0;
}

u64 obs_series_read(const struct obs_series *series, u32 slot, unsigned int cpu)
{
	return series->slots.service ? obs_service_read(series, slot, cpu) :
				       obs_slots_read(&series->slots, slot, cpu);
}

u64 obs_series_sum(const struct obs_series *series, u32 slot)
{
	return series->slots.service ? obs_service_sum(series, slot) :
				       obs_slots_sum(&series->slots, slot);
}

/* ---- Handles ------------------------------------------------------------- */

/* Where a handle of a detached or of @series' kind points. */
static void handle_point(struct obs_handle *handle, u8 kind, bool set,
			 struct obs_series *series)
{
	if (kind == OBSRING_KIND_HISTOGRAM)
		/* Release: the cells are complete; readers depend on the address. */
		smp_store_release(&container_of(handle, struct obs_histogram,
						handle)->cells,
				  series ? &series->cells : &obs_dummy_cells);
	else if (kind == OBSRING_KIND_COUNTER)
		WRITE_ONCE(container_of(handle, struct obs_counter, handle)->slot,
			   series ? obs_slots_rows(&series->slots) :
				    OBS_DUMMY_SLOTS);
	else if (set)
		WRITE_ONCE(container_of(handle, struct obs_gauge_set, handle)->word,
			   series ? obs_slots_word(&series->slots) :
				    &obs_dummy_word);
	else
		WRITE_ONCE(container_of(handle, struct obs_gauge, handle)->slot,
			   series ? obs_slots_rows(&series->slots) :
				    OBS_DUMMY_SLOTS);
}

void obs_handle_detach(struct obs_handle *handle)
{
	struct obs_series *series = handle->series;

	if (!series)
		return;
	handle_point(handle, series->family->desc.kind, series->family->desc.set,
		     NULL);
	list_del(&handle->node);
	handle->series = NULL;
}

void obs_handle_attach(struct obs_handle *handle, struct obs_series *series)
{
	if (handle->series)
		list_del(&handle->node);
	handle->series = series;
	list_add(&handle->node, &series->handles);
	handle_point(handle, series->family->desc.kind, series->family->desc.set,
		     series);
}

/* ---- Removing ------------------------------------------------------------ */

static void graves_work_fn(struct work_struct *work)
{
	struct obs_family *family, *next_family;
	struct obs_series *series, *next;
	LIST_HEAD(families);
	LIST_HEAD(dead);

	mutex_lock(&obs_registry_mutex);
	list_splice_init(&series_graves, &dead);
	list_splice_init(&family_graves, &families);
	graves_waiting = !list_empty(&dead) || !list_empty(&families);
	mutex_unlock(&obs_registry_mutex);

	obs_wait_for_updates();

	mutex_lock(&obs_registry_mutex);
	list_for_each_entry_safe(series, next, &dead, grave) {
		series_release(series);
		cond_resched();
	}
	list_for_each_entry_safe(family, next_family, &families, grave)
		obs_family_release(family);
	graves_waiting = false;
	/* Waiters look without the mutex. */
	WRITE_ONCE(graves_emptied, graves_emptied + 1);
	obs_self_memory();
	mutex_unlock(&obs_registry_mutex);
	wake_up_all(&graves_wait);
}

static DECLARE_WORK(graves_work, graves_work_fn);

int obs_registry_flush(void)
{
	u32 until;

	mutex_lock(&obs_registry_mutex);
	/* What the worker holds, then what it has not taken yet. */
	until = graves_emptied + graves_waiting +
		!(list_empty(&series_graves) && list_empty(&family_graves));
	mutex_unlock(&obs_registry_mutex);
	wait_event_killable(graves_wait, (s32)(READ_ONCE(graves_emptied) - until) >= 0);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

void obs_series_free(struct obs_series *series)
{
	struct obsring_series *entry =
		obs_region_entry(OBSRING_REGION_SERIES, series->index);
	struct obs_handle *handle, *next;

	list_for_each_entry_safe(handle, next, &series->handles, node)
		obs_handle_detach(handle);
	if (series != series->family->overflow)
		rhashtable_remove_fast(&series_by_values, &series->hash,
				       series_params);
	list_del(&series->node);
	series->family->nr_series--;
	nr_series--;
	series->dead = true;

	obs_entry_retire(&entry->gen);
	WRITE_ONCE(obs_header->series_live, nr_series);
	obs_store_tell(OBSRING_REGION_SERIES, series->index);
	obs_chardev_changed();
	obs_netlink_series_ntf(OBSRING_CMD_SERIES_DEL_NTF, series);

	list_add_tail(&series->grave, &series_graves);
	schedule_work(&graves_work);
}

/* ---- Families ------------------------------------------------------------ */

struct obs_family *obs_family_find(const char *name)
{
	struct obs_family *family;
	unsigned long index;

	xa_for_each(&obs_families, index, family) {
		if (!family->dead && !strcmp(family->desc.name, name))
			return family;
	}
	return NULL;
}

static void family_publish(struct obs_family *family)
{
	const struct obs_family_desc *desc = &family->desc;
	struct obsring_family *entry =
		obs_region_entry(OBSRING_REGION_FAMILIES, family->index);

	obs_write_once(&entry->kind, desc->kind);
	obs_write_once(&entry->nr_labels, family->nr_labels);
	obs_write_once(&entry->exp10, desc->exp10);
	obs_write_once(&entry->schema, desc->bounds ? -1 : desc->schema);
	obs_write_once(&entry->flags, family->flags);
	obs_write_once(&entry->text_off, family->granule);
	obs_write_once(&entry->text_len, family->text_len);
	obs_write_once(&entry->nr_bounds, family->layout.nr_bounds);
	obs_write_once(&entry->bounds_off, desc->bounds ?
		       family->text_len - desc->nr_bounds * sizeof(u64) : 0);
	obs_write_once(&entry->min_log2, desc->min_log2);
	obs_write_once(&entry->max_log2, desc->max_log2);
	obs_write_once(&entry->nr_slots, family->nr_slots);
	obs_write_once(&entry->nr_states, desc->nr_states);
	obs_write_once(&entry->created_ns, family->created_ns);
	obs_entry_publish(&entry->gen);
	obs_store_tell(OBSRING_REGION_FAMILIES, family->index);
	obs_chardev_changed();
}

static int family_place(struct obs_family *family)
{
	int ret;

	ret = xa_alloc(&obs_families, &family->index, family,
		       XA_LIMIT(0, obs_limits.series - 1), GFP_METRIC);
	if (ret) {
		family->index = U32_MAX;
		ret = ret == -EBUSY ? -ENOSPC : ret;
		goto out;
	}
	ret = obs_region_grow(OBSRING_REGION_FAMILIES, family->index + 1);
	if (!ret)
		ret = obs_text_alloc(family->text, family->text_len,
				     &family->granule);
out:
	return ret == -ENOSPC && graves_exist() ? -EAGAIN : ret;
}

static int overflow_make(struct obs_family *family)
{
	char text[OBSRING_LABELS_MAX * sizeof(OBSRING_OVERFLOW_VALUE)];
	struct obs_series *series;
	u32 i;

	if (!family->nr_labels || family->desc.kind == OBSRING_KIND_INFO ||
	    family->flags & OBSRING_FAMILY_SERVICE)
		return 0;
	for (i = 0; i < family->nr_labels; i++)
		memcpy(text + i * sizeof(OBSRING_OVERFLOW_VALUE),
		       OBSRING_OVERFLOW_VALUE, sizeof(OBSRING_OVERFLOW_VALUE));
	series = series_make(family, text,
			     family->nr_labels * sizeof(OBSRING_OVERFLOW_VALUE),
			     OBSRING_SERIES_OVERFLOW, NULL);
	if (IS_ERR(series))
		return PTR_ERR(series);
	family->overflow = series;
	return 0;
}

struct obs_family *obs_family_new(const struct obs_family_desc *desc,
				  struct module *owner, u32 flags,
				  struct netlink_ext_ack *extack)
{
	struct obs_family *family;
	int ret;

	family = obs_family_make(desc, owner, flags, extack);
	if (IS_ERR(family))
		return family;
	family->index = U32_MAX;
	family->granule = U32_MAX;
	ret = family_place(family);
	if (ret && ret != -EAGAIN)
		NL_SET_ERR_MSG(extack, "no room for another family");
	if (!ret) {
		ret = overflow_make(family);
		if (ret && ret != -EAGAIN)
			NL_SET_ERR_MSG(extack, "no room for the family's overflow series");
	}
	if (ret) {
		obs_family_release(family);
		return ERR_PTR(ret);
	}
	nr_families++;
	family_publish(family);
	obs_netlink_family_ntf(OBSRING_CMD_FAMILY_NEW_NTF, family);
	if (family->overflow)
		series_show(family->overflow);
	return family;
}

/* Give back what a family holds; its series are gone. */
void obs_family_release(struct obs_family *family)
{
	if (family->granule != U32_MAX)
		obs_text_free(family->granule, family->text_len);
	if (family->index != U32_MAX)
		xa_erase(&obs_families, family->index);
	obs_family_destroy(family);
}

void obs_family_free(struct obs_family *family)
{
	struct obsring_family *entry =
		obs_region_entry(OBSRING_REGION_FAMILIES, family->index);
	struct obs_series *series, *next;

	list_for_each_entry_safe(series, next, &family->series, node) {
		obs_series_free(series);
		cond_resched();
	}
	family->overflow = NULL;
	family->dead = true;
	nr_families--;
	obs_family_unclaim(family);

	obs_entry_retire(&entry->gen);
	obs_store_tell(OBSRING_REGION_FAMILIES, family->index);
	obs_chardev_changed();
	obs_netlink_family_ntf(OBSRING_CMD_FAMILY_DEL_NTF, family);

	list_add_tail(&family->grave, &family_graves);
	schedule_work(&graves_work);
}

/* ---- Life ---------------------------------------------------------------- */

u32 obs_registry_families(void)
{
	return nr_families;
}

u32 obs_registry_series(void)
{
	return nr_series;
}

u64 obs_registry_refused(enum obs_refusal reason)
{
	return READ_ONCE(refused[reason]);
}

int obs_registry_init(const struct obs_limits *limits)
{
	int ret;

	obs_limits = *limits;
	ret = rhashtable_init(&series_by_values, &series_params);
	if (ret)
		return ret;
	ret = obs_store_init(limits);
	if (ret)
		rhashtable_destroy(&series_by_values);
	return ret;
}

/*
 * Of the families only those made over netlink are left, which nobody owns; the
 * others' owners have removed them.
 */
void obs_registry_exit(void)
{
	struct obs_family *family;
	unsigned long index;

	mutex_lock(&obs_registry_mutex);
	xa_for_each(&obs_families, index, family) {
		if (!family->dead && family->flags & OBSRING_FAMILY_NETLINK)
			obs_family_free(family);
	}
	mutex_unlock(&obs_registry_mutex);
	flush_work(&graves_work);
	xa_destroy(&obs_series_table);
	xa_destroy(&obs_families);
	rhashtable_destroy(&series_by_values);
	obs_text_exit();
	obs_store_exit();
}
