// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hosted.h"

static char folder[] = "/tmp/test_hosted.XXXXXX";
char path[64];

static const char *const op = "op";

const struct obs_family_spec counter_spec = {
	.name = "work_total", .help = "Work.", .nr_labels = 1, .label = &op,
};

const struct obs_family_spec gauge_spec = { .name = "work_active", .help = "Work." };

void view_open(struct view *view)
{
	assert_int_equal(obs_device_open(path, &view->device), 0);
	assert_int_equal(obs_snapshot_new(view->device, &view->snapshot), 0);
	assert_int_equal(obs_snapshot_update(view->snapshot), 1);
}

void view_close(struct view *view)
{
	obs_snapshot_free(view->snapshot);
	obs_device_close(view->device);
}

const struct obs_series_info *find(const struct view *view, const char *family,
				   const char *last_value)
{
	const struct obs_family_info *f = obs_family_find(view->snapshot, family);
	const struct obs_series_info *series = NULL;

	while (f && (series = obs_series_next(view->snapshot, f, series)))
		if (!last_value ||
		    !strcmp(series->value[f->nr_labels - 1], last_value))
			return series;
	return NULL;
}

/* Of a new look at it; -1: there is no such series. */
int64_t value(const char *family, const char *last_value)
{
	const struct obs_series_info *series;
	struct view view;
	int64_t found = -1;

	view_open(&view);
	series = find(&view, family, last_value);
	if (series)
		found = obs_series_gauge(view.snapshot, series);
	view_close(&view);
	return found;
}

static int setup_with(const struct obs_segment_options *options)
{
	unlink(path);
	return obs_segment_create(path, options);
}

int hosted_setup(void **state)
{
	(void)state;
	return setup_with(NULL);
}

int hosted_setup_small(void **state)
{
	(void)state;
	return setup_with(&(struct obs_segment_options){
		.max_series = 64, .value_pages = 1, .max_shares = 2, .log_rings = 2,
		.log_bytes = 4096, .mode = 0600 });
}

int hosted_group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/segment", folder);
	return 0;
}

int hosted_group_teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	return 0;
}

void hosted_attach(struct counted *c)
{
	const struct obs_service_options options = { .device = path };

	assert_int_equal(obs_service_attach_with("shop", &options, &c->service), 0);
	assert_int_equal(obs_counter_new(c->service, &counter_spec,
					 (const char *[]){ "sell" }, &c->counter), 0);
	assert_int_equal(obs_gauge_new(c->service, &gauge_spec, NULL, &c->gauge), 0);
}
