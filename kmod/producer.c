// SPDX-License-Identifier: GPL-2.0-only
/*
 * The API for kernel code, <linux/obsring.h>, over the registry. What runs
 * when a metric is bumped is inline there.
 */
#include <linux/rcupdate.h>

#include <obsring/name.h>

#include "exemplar.h"
#include "export.h"
#include "metric.h"

/* Where detached handles point. */
DEFINE_PER_CPU(struct obs_dummy, obs_dummy);
EXPORT_SYMBOL_OBSRING(obs_dummy);

u64 obs_dummy_word;
EXPORT_SYMBOL_OBSRING(obs_dummy_word);

static const u64 dummy_bounds[] = { ~0ULL };

const struct obs_histogram_cells obs_dummy_cells = {
	.layout = { .bounds = dummy_bounds },	/* all is in bucket 0 */
	.slots = OBS_DUMMY_SLOTS,
};
EXPORT_SYMBOL_OBSRING(obs_dummy_cells);

void obs_wait_for_updates(void)
{
	/*
	 * Tasks that were preempted between loading a pointer and using it, see
	 * __obs_update_begin(); then interrupts, NMIs and tasks that run.
	 */
#ifdef CONFIG_TASKS_RCU
	synchronize_rcu_tasks();
#endif
	synchronize_rcu();
}
EXPORT_SYMBOL_OBSRING(obs_wait_for_updates);

void obs_histogram_observe_traced(struct obs_histogram *h, u64 v,
				  const struct obsring_trace *trace)
{
	const struct obs_histogram_cells *cells;
	u32 bucket;

	__obs_update_begin();
	cells = READ_ONCE(h->cells);
	bucket = __obs_cells_observe(cells, v);
	if (trace && cells->nr_exemplars)
		obs_exemplar_keep(cells, bucket, v, trace);
	__obs_update_end();
}
EXPORT_SYMBOL_OBSRING(obs_histogram_observe_traced);

struct obs_family *__obs_family_register(const struct obs_family_desc *desc,
					 struct module *owner)
{
	struct obs_family *family;
	int ret;

	if (owner != THIS_MODULE && desc->name && obs_name_reserved(desc->name))
		return ERR_PTR(-EINVAL);
	do {
		mutex_lock(&obs_registry_mutex);
		family = obs_family_new(desc, owner, 0, NULL);
		mutex_unlock(&obs_registry_mutex);
		ret = PTR_ERR_OR_ZERO(family);
	} while (obs_registry_again(&ret));
	return ret ? ERR_PTR(ret) : family;
}
EXPORT_SYMBOL_OBSRING(__obs_family_register);

void obs_family_unregister(struct obs_family *family)
{
	if (IS_ERR_OR_NULL(family))
		return;
	mutex_lock(&obs_registry_mutex);
	obs_family_free(family);
	mutex_unlock(&obs_registry_mutex);
}
EXPORT_SYMBOL_OBSRING(obs_family_unregister);

static void overflow_attach(struct obs_family *family, struct obs_handle *handle)
{
	if (handle && family->overflow)
		obs_handle_attach(handle, family->overflow);
}

/* Find or make the series, or take the overflow series in its place. */
static int series_attach(struct obs_family *family, const char *const *value,
			 u8 kind, bool set, struct obs_handle *handle)
{
	struct obs_series *series;
	int ret;

	if (family->desc.kind != kind || family->desc.set != set)
		return -EINVAL;
	do {
		mutex_lock(&obs_registry_mutex);
		ret = obs_series_get(family, value, NULL, &series, NULL);
		if (!ret && handle)
			obs_handle_attach(handle, series);
		if (ret == -ENOSPC || ret == -ENOMEM)
			overflow_attach(family, handle);
		mutex_unlock(&obs_registry_mutex);
	} while (obs_registry_again(&ret));
	if (ret == -EINTR) {
		mutex_lock(&obs_registry_mutex);
		overflow_attach(family, handle);
		mutex_unlock(&obs_registry_mutex);
	}
	return ret;
}

static void series_detach(struct obs_handle *handle)
{
	mutex_lock(&obs_registry_mutex);
	obs_handle_detach(handle);
	mutex_unlock(&obs_registry_mutex);
}

int obs_counter_attach(struct obs_family *family, const char *const *value,
		       struct obs_counter *c)
{
	return series_attach(family, value, OBSRING_KIND_COUNTER, false,
			     &c->handle);
}
EXPORT_SYMBOL_OBSRING(obs_counter_attach);

int obs_gauge_attach(struct obs_family *family, const char *const *value,
		     struct obs_gauge *g)
{
	return series_attach(family, value, OBSRING_KIND_GAUGE, false,
			     &g->handle);
}
EXPORT_SYMBOL_OBSRING(obs_gauge_attach);

int obs_gauge_set_attach(struct obs_family *family, const char *const *value,
			 struct obs_gauge_set *g)
{
	return series_attach(family, value, OBSRING_KIND_GAUGE, true,
			     &g->handle);
}
EXPORT_SYMBOL_OBSRING(obs_gauge_set_attach);

int obs_histogram_attach(struct obs_family *family, const char *const *value,
			 struct obs_histogram *h)
{
	return series_attach(family, value, OBSRING_KIND_HISTOGRAM, false,
			     &h->handle);
}
EXPORT_SYMBOL_OBSRING(obs_histogram_attach);

int obs_info_attach(struct obs_family *family, const char *const *value)
{
	return series_attach(family, value, OBSRING_KIND_INFO, false, NULL);
}
EXPORT_SYMBOL_OBSRING(obs_info_attach);

void obs_counter_detach(struct obs_counter *c)
{
	series_detach(&c->handle);
}
EXPORT_SYMBOL_OBSRING(obs_counter_detach);

void obs_gauge_detach(struct obs_gauge *g)
{
	series_detach(&g->handle);
}
EXPORT_SYMBOL_OBSRING(obs_gauge_detach);

void obs_gauge_set_detach(struct obs_gauge_set *g)
{
	series_detach(&g->handle);
}
EXPORT_SYMBOL_OBSRING(obs_gauge_set_detach);

void obs_histogram_detach(struct obs_histogram *h)
{
	series_detach(&h->handle);
}
EXPORT_SYMBOL_OBSRING(obs_histogram_detach);

int obs_series_remove(struct obs_family *family, const char *const *value)
{
	struct obs_series *series;
	int ret = -ENOENT;

	mutex_lock(&obs_registry_mutex);
	series = obs_series_find(family, value);
	if (series) {
		ret = series->flags & OBSRING_SERIES_OVERFLOW ? -EBUSY : 0;
		if (!ret)
			obs_series_free(series);
	}
	mutex_unlock(&obs_registry_mutex);
	return ret;
}
EXPORT_SYMBOL_OBSRING(obs_series_remove);

/* ---- Tables -------------------------------------------------------------- */

static int metric_attach(struct obs_metric *metric)
{
	if (metric->desc.label[0])
		return 0;
	if (metric->counter)
		return obs_counter_attach(metric->family, NULL, metric->counter);
	if (metric->gauge)
		return obs_gauge_attach(metric->family, NULL, metric->gauge);
	if (metric->gauge_set)
		return obs_gauge_set_attach(metric->family, NULL,
					    metric->gauge_set);
	if (metric->histogram)
		return obs_histogram_attach(metric->family, NULL,
					    metric->histogram);
	return obs_info_attach(metric->family, NULL);
}

void obs_metrics_remove(struct obs_metric *metrics, unsigned int nr)
{
	while (nr--) {
		obs_family_unregister(metrics[nr].family);
		metrics[nr].family = NULL;
	}
}

int __obs_metrics_register(struct obs_metric *metrics, unsigned int nr,
			   struct module *owner)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		metrics[i].family = __obs_family_register(&metrics[i].desc, owner);
		if (IS_ERR(metrics[i].family)) {
			ret = PTR_ERR(metrics[i].family);
			metrics[i].family = NULL;
			goto err;
		}
		ret = metric_attach(&metrics[i]);
		if (ret) {
			i++;
			goto err;
		}
	}
	return 0;
err:
	obs_metrics_remove(metrics, i);
	return ret;
}
EXPORT_SYMBOL_OBSRING(__obs_metrics_register);

void obs_metrics_unregister(struct obs_metric *metrics, unsigned int nr)
{
	obs_metrics_remove(metrics, nr);
	obs_wait_for_updates();
}
EXPORT_SYMBOL_OBSRING(obs_metrics_unregister);
