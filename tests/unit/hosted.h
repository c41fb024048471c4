/* SPDX-License-Identifier: MIT */
/* A hosted segment in a folder of its own: made anew for each case, and looked at. */
#ifndef TESTS_HOSTED_H
#define TESTS_HOSTED_H

#include <obsring.h>
#include <libobsring/segment.h>

extern char path[64];

int hosted_group_setup(void **state);
int hosted_group_teardown(void **state);

/* With the default options; with hardly any room. */
int hosted_setup(void **state);
int hosted_setup_small(void **state);

extern const struct obs_family_spec counter_spec, gauge_spec;

struct counted {
	struct obs_service *service;
	struct obs_counter *counter;
	struct obs_gauge *gauge;
};

/* To service "shop", with counter "sell". */
void hosted_attach(struct counted *c);

struct view {
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

void view_open(struct view *view);
void view_close(struct view *view);

/* The series of the family whose last label has that value, if it is not NULL. */
const struct obs_series_info *find(const struct view *view, const char *family,
				   const char *last_value);

/* Of that series, -1 if there is none. */
int64_t value(const char *family, const char *last_value);

#endif /* TESTS_HOSTED_H */
