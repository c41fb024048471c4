/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry: families and series, their names, limits and lives. Everything
 * here is under one mutex, obs_registry_mutex; nothing of it runs when a
 * metric is bumped.
 */
#ifndef OBSRING_METRIC_H
#define OBSRING_METRIC_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <linux/obsring.h>

#include "store.h"

/* What a limit refused, for obsring_series_refused_total{reason}. */
#define OBS_REFUSALS(X)			\
	X(SERIES, "max_series")		\
	X(FAMILY, "max_series_per_family") \
	X(BYTES, "max_bytes")		\
	X(MEMORY, "memory")		\
	X(SERVICE_SERIES, "max_service_series") \
	X(SERVICE_BYTES, "max_service_bytes") \
	X(USER_SERIES, "max_user_series") \
	X(USER_BYTES, "max_user_bytes")	\
	X(SERVICES_BYTES, "max_services_bytes")

enum obs_refusal {
#define OBS_REFUSAL_ENUM(_id, _name) OBS_REFUSED_##_id,
	OBS_REFUSALS(OBS_REFUSAL_ENUM)
#undef OBS_REFUSAL_ENUM
	OBS_REFUSED_NR
};

/**
 * struct obs_family - a registered family
 * @desc: copy of its description; strings are in @text
 * @text: what readers see, @text_len bytes
 * @text_len: length
 * @states: state sets: where in @text the names of states begin
 * @granule: where it is in TEXT
 * @index: in FAMILIES
 * @flags: OBSRING_FAMILY_*
 * @nr_labels: label names
 * @nr_slots: slots of each series
 * @layout: histograms: from value to bucket
 * @bounds: histograms: its bounds
 * @created_ns: CLOCK_REALTIME
 * @owner: module that made it, for messages
 * @series: its series, in order of creation
 * @nr_series: how many
 * @overflow: its overflow series; NULL if it has no labels
 * @claim: the sample names that it occupies
 * @nr_claims: how many
 * @dead: removed, waiting for updates to end
 */
struct obs_family {
	struct obs_family_desc desc;
	char *text;
	u32 text_len;
	u32 states;
	u32 granule;
	u32 index;
	u32 flags;
	u32 nr_labels;
	u32 nr_slots;
	struct obs_histogram_layout layout;
	u64 *bounds;
	u64 created_ns;
	struct module *owner;
	struct list_head series;
	u32 nr_series;
	struct obs_series *overflow;
	struct obs_claim *claim;
	u32 nr_claims;
	bool dead;
	struct list_head grave;
};

/**
 * struct obs_series - a series
 * @family: its family
 * @hash: entry in the table of label values; not the overflow series
 * @node: entry in the family's list
 * @handles: struct obs_handle that are attached to it
 * @slots: where its values are
 * @cells: histograms: what its handles point at, and its exemplars
 * @index: in SERIES
 * @granule: its text in TEXT; U32_MAX: none
 * @flags: OBSRING_SERIES_*
 * @service_node: entry in the list of its service, if slots.service
 * @nr_told: times that a process of its service was told of it
 * @created_ns: CLOCK_REALTIME
 * @dead: removed, waiting for updates to end
 * @grave: entry in the list of those
 * @text_len: bytes of @text
 * @text: label values, each ended by a NUL
 */
struct obs_series {
	struct obs_family *family;
	struct rhash_head hash;
	struct list_head node;
	struct list_head handles;
	struct obs_slots slots;
	struct obs_histogram_cells cells;
	u32 index;
	u32 granule;
	u32 flags;
	struct list_head service_node;
	u64 nr_told;
	u64 created_ns;
	bool dead;
	struct list_head grave;
	u32 text_len;
	char text[];
};

struct netlink_ext_ack;

extern struct mutex obs_registry_mutex;
extern struct xarray obs_families;	/* index -> struct obs_family */
extern struct xarray obs_series_table;	/* index -> struct obs_series */
extern struct obs_limits obs_limits;

int obs_registry_init(const struct obs_limits *limits);
void obs_registry_exit(void);

/*
 * All below under the mutex. extack may be NULL; it receives a sentence.
 */
struct obs_family *obs_family_new(const struct obs_family_desc *desc,
				  struct module *owner, u32 flags,
				  struct netlink_ext_ack *extack);
void obs_family_free(struct obs_family *family);
struct obs_family *obs_family_find(const char *name);

/*
 * Find or make. -EINVAL; -ENOSPC or -ENOMEM if a limit refused it, which has
 * been counted then; -EAGAIN if it might be granted after obs_registry_flush(),
 * which obs_family_new() returns as well. @ret_new may be NULL.
 */
int obs_series_get(struct obs_family *family, const char *const *value,
		   struct netlink_ext_ack *extack,
		   struct obs_series **ret_series, bool *ret_new);
struct obs_series *obs_series_find(struct obs_family *family,
				   const char *const *value);
void obs_series_free(struct obs_series *series);

/*
 * A series of slots->service; @flags: OBSRING_SERIES_*. There is none with these
 * label values. Errors as obs_series_get().
 */
int obs_series_new(struct obs_family *family, const char *const *value, u32 flags,
		   const struct obs_slots *slots, struct obs_series **ret_series);

/*
 * Slot @slot (from 0) of a series as it is now: the sum of its rows, or one of them.
 * @cpu nr_cpu_ids: everyone's, of a service.
 */
u64 obs_series_sum(const struct obs_series *series, u32 slot);
u64 obs_series_read(const struct obs_series *series, u32 slot, unsigned int cpu);

/*
 * A limit or the memory refuses a series: it is counted, and @err returned, or
 * -EAGAIN as above.
 */
int obs_registry_refuse(enum obs_refusal reason, int err);

/* Point a handle at a series of its kind, or at the dummy. */
void obs_handle_attach(struct obs_handle *handle, struct obs_series *series);
void obs_handle_detach(struct obs_handle *handle);

u32 obs_registry_families(void);
u32 obs_registry_series(void);
u64 obs_registry_refused(enum obs_refusal reason);

/*
 * producer.c: obs_metrics_unregister() without the wait, for the module's own tables
 * when nobody updates them any more. What held them is given back after one, as
 * everything that is removed.
 */
void obs_metrics_remove(struct obs_metric *metrics, unsigned int nr);

/*
 * Wait for removed series and families to be gone, so that what they held is
 * free again. -EINTR: the task is being killed, and is not to try again: others may
 * remove without end. Not under the mutex.
 */
int obs_registry_flush(void);

/*
 * Is there reason to try again what returned *@ret? If that is -EAGAIN, there may be
 * room now, or it has become -EINTR. A try removes nothing that it made: two such would
 * wait for each other's without end. Not under the mutex.
 */
static inline bool obs_registry_again(int *ret)
{
	if (*ret != -EAGAIN)
		return false;
	*ret = obs_registry_flush();
	return !*ret;
}

#endif /* OBSRING_METRIC_H */
