// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "metric.h"

int view_open(struct view *view)
{
	int r = obs_device_open(NULL, &view->device);

	if (r)
		return r;
	r = obs_snapshot_new(view->device, &view->snapshot);
	if (r) {
		obs_device_close(view->device);
		view->device = NULL;
	}
	return r;
}

void view_close(struct view *view)
{
	obs_snapshot_free(view->snapshot);
	obs_device_close(view->device);
	memset(view, 0, sizeof(*view));
}

static bool values_equal(const struct obs_family_info *family,
			 const struct obs_series_info *series,
			 const char *const *value)
{
	unsigned int i;

	for (i = 0; i < family->nr_labels; i++)
		if (!value[i] || strcmp(series->value[i], value[i]))
			return false;
	return !value[i];
}

const struct obs_series_info *view_series(struct view *view, const char *const *names)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;

	if (obs_snapshot_update(view->snapshot) < 0)
		return NULL;
	family = obs_family_find(view->snapshot, names[0]);
	if (!family)
		return NULL;
	while ((series = obs_series_next(view->snapshot, family, series)))
		if (values_equal(family, series, names + 1))
			break;
	return series;
}

static int64_t number_of(struct view *view, const struct obs_series_info *series)
{
	switch (series->family->kind) {
	case OBSRING_KIND_COUNTER:
		return (int64_t)obs_series_counter(view->snapshot, series);
	case OBSRING_KIND_GAUGE:
		return obs_series_gauge(view->snapshot, series);
	case OBSRING_KIND_HISTOGRAM:
		return (int64_t)obs_series_count(view->snapshot, series);
	default:
		return 1;
	}
}

int64_t view_number(struct view *view, const char *const *names)
{
	const struct obs_series_info *series = view_series(view, names);

	return series ? number_of(view, series) : METRIC_NONE;
}

int64_t view_sum(struct view *view, const char *const *names)
{
	const struct obs_series_info *series = view_series(view, names);

	return series ? (int64_t)obs_series_sum(view->snapshot, series) : METRIC_NONE;
}

int64_t metric_total(struct view *view, const char *name)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	int64_t sum = 0;

	if (obs_snapshot_update(view->snapshot) < 0)
		return METRIC_NONE;
	family = obs_family_find(view->snapshot, name);
	if (!family)
		return METRIC_NONE;
	while ((series = obs_series_next(view->snapshot, family, series)))
		sum += number_of(view, series);
	return sum;
}

int session_open(struct session *session)
{
	int r = obs_control_open(&session->control);

	if (r)
		return r;
	r = view_open(&session->view);
	if (r)
		obs_control_close(session->control);
	return r;
}

void session_close(struct session *session)
{
	view_close(&session->view);
	obs_control_close(session->control);
}

/* Delete one family: 1 if there was one, 0 if none, or -errno. */
static int family_clear(struct view *view, struct obs_control *control)
{
	const struct obs_family_info *family = NULL;
	int r;

	while ((family = obs_family_next(view->snapshot, family))) {
		r = obs_family_delete(control, family->name);
		if (r != -EBUSY)
			return r ? r : 1;
	}
	return 0;
}

int families_clear(struct obs_control *control)
{
	struct view view;
	int r = view_open(&view);

	if (r)
		return r;
	do {
		r = obs_snapshot_update(view.snapshot);
		if (r >= 0)
			r = family_clear(&view, control);
	} while (r > 0);
	view_close(&view);
	return r;
}
