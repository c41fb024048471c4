// SPDX-License-Identifier: MIT
/*
 * Services as the mapping shows them: of a file, and where the module can't be reached
 * over netlink, as in a container. What is known there is who they are, how many have
 * joined them, and what they counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service.h"

bool service_owns(const struct obs_service_info *service, const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	char uid[16];

	if (!strncmp(family->name, "obsring_", 8) || family->nr_labels < 2 ||
	    strcmp(family->label[0], "service") || strcmp(family->label[1], "uid"))
		return false;
	snprintf(uid, sizeof(uid), "%u", service->uid);
	return !strcmp(series->value[0], service->name) && !strcmp(series->value[1], uid);
}

static uint32_t series_count(const struct obs_snapshot *snapshot,
			     const struct obs_service_info *service)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series;
	uint32_t nr = 0;

	while ((family = obs_family_next(snapshot, family)))
		for (series = NULL; (series = obs_series_next(snapshot, family, series));)
			nr += service_owns(service, series);
	return nr;
}

int service_map_list(const struct obs_snapshot *snapshot,
		     int (*fn)(const struct obs_service_info *service, void *arg), void *arg)
{
	const struct obs_family_info *family =
		obs_family_find(snapshot, "obsring_service_members");
	const struct obs_series_info *series = NULL;
	struct obs_service_info service;
	int r = 0;

	while (family && !r && (series = obs_series_next(snapshot, family, series))) {
		service = (struct obs_service_info){ .uid = 0 };
		snprintf(service.name, sizeof(service.name), "%s", series->value[0]);
		service.uid = (uint32_t)strtoul(series->value[1], NULL, 10);
		service.members = (uint32_t)obs_series_gauge(snapshot, series);
		service.series = series_count(snapshot, &service);
		if (!series->overflow)
			r = fn(&service, arg);
	}
	return r;
}
