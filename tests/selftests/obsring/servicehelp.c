// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service.h"

struct wanted {
	const char *name;
	char uid[16];
	const char *label;
	int64_t value;
};

static int look(const struct obs_series_values *series, void *arg)
{
	struct wanted *wanted = arg;

	if (series->nr_labels < 2 || strcmp(series->value[0], wanted->name) ||
	    strcmp(series->value[1], wanted->uid))
		return 0;
	if (strcmp(series->nr_labels > 2 ? series->value[2] : "", wanted->label))
		return 0;
	wanted->value = series->number;
	return 0;
}

int64_t service_value(struct obs_control *control, const char *family,
		      const char *name, uint32_t uid, const char *label)
{
	struct wanted wanted = {
		.name = name, .label = label, .value = SERVICE_NONE,
	};
	int r;

	snprintf(wanted.uid, sizeof(wanted.uid), "%u", uid);
	do {
		r = obs_series_dump(control, family, false, -1, look, &wanted);
	} while (r == -EAGAIN);
	return wanted.value;
}

struct asked {
	const char *name;
	uint32_t uid;
	struct obs_service_info *info;
};

static int ask(const struct obs_service_info *service, void *arg)
{
	struct asked *asked = arg;

	if (service->uid != asked->uid || strcmp(service->name, asked->name))
		return 0;
	*asked->info = *service;
	return 1;
}

int service_info(struct obs_control *control, const char *name, uint32_t uid,
		 struct obs_service_info *ret_info)
{
	struct asked asked = { .name = name, .uid = uid, .info = ret_info };
	int r = obs_service_list(control, -1, ask, &asked);

	return r == 1 ? 0 : r ? r : -ENOENT;
}

int64_t service_members(struct obs_control *control, const char *name, uint32_t uid)
{
	struct obs_service_info info;
	int r = service_info(control, name, uid, &info);

	if (r == -ENOENT)
		return 0;
	return r ? r : (int64_t)info.members;
}

static int look_memory(const struct obs_series_values *series, void *arg)
{
	if (series->nr_labels == 1 && !strcmp(series->value[0], "services"))
		*(int64_t *)arg = series->number;
	return 0;
}

int64_t service_memory(struct obs_control *control)
{
	int64_t bytes = SERVICE_NONE;

	while (obs_series_dump(control, "obsring_memory_bytes", false, -1, look_memory,
			       &bytes) == -EAGAIN)
		;
	return bytes;
}

static int first_idle(const struct obs_service_info *service, void *arg)
{
	if (service->members)
		return 0;
	*(struct obs_service_info *)arg = *service;
	return 1;
}

void services_clear(struct obs_control *control)
{
	struct obs_service_info info;

	while (obs_service_list(control, -1, first_idle, &info) == 1)
		if (obs_service_delete(control, -1, info.name, info.uid))
			break;
}
