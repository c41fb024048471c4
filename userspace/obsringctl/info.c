// SPDX-License-Identifier: MIT
/*
 * From the module over netlink; where that is out of reach, as in a container,
 * or where --device names another one, from the header of the mapping.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "options.h"

static const char *const state_names[] = {
	[OBSRING_STATE_RUNNING]	 = "running",
	[OBSRING_STATE_DRAINING] = "draining",
};

/* One line or key of the output. */
struct item {
	const char *name;
	uint64_t value;
};

static void items_print(const char *version, uint32_t state, const struct item *item,
			size_t nr, bool as_json)
{
	const char *state_name = state <= OBSRING_STATE_MAX ? state_names[state] :
							      "unknown";
	struct json json = { .out = stdout };
	size_t i;

	if (!as_json) {
		if (version)
			printf("version: %s\n", version);
		printf("state: %s\n", state_name);
		for (i = 0; i < nr; i++)
			printf("%s: %llu\n", item[i].name,
			       (unsigned long long)item[i].value);
		return;
	}
	json_open(&json, NULL, '{');
	if (version)
		json_string(&json, "version", version);
	json_string(&json, "state", state_name);
	for (i = 0; i < nr; i++)
		json_u64(&json, item[i].name, item[i].value);
	json_close(&json, '}');
}

static void module_print(const struct obs_info *info, bool as_json)
{
	const struct item items[] = {
		{ "abi_major", info->abi_major },
		{ "abi_minor", info->abi_minor },
		{ "instance", info->instance },
		{ "cpus", info->nr_cpus },
		{ "families", info->families },
		{ "series", info->series },
		{ "series_limit", info->series_limit },
		{ "series_per_family_limit", info->family_series_limit },
		{ "value_bytes", info->bytes },
		{ "value_bytes_limit", info->bytes_limit },
		{ "directory_bytes", info->directory_bytes },
		{ "refused", info->refused },
	};

	items_print(info->version, info->state, items,
		    sizeof(items) / sizeof(items[0]), as_json);
}

static int device_print(const struct ctl_globals *globals)
{
	const struct obsring_header *header;
	struct obs_device *device;
	int r;

	r = obs_device_open(globals->device, &device);
	if (r)
		return ctl_fail("cannot open %s: %s",
				globals->device ? globals->device : OBSRING_DEVICE,
				ctl_open_reason(r));
	header = obs_device_header(device);

	const struct item items[] = {
		{ "abi_major", header->abi_major },
		{ "abi_minor", header->abi_minor },
		{ "instance", header->instance },
		{ "cpus", header->nr_cpus },
		{ "series", header->series_live },
	};

	items_print(NULL, header->state, items, sizeof(items) / sizeof(items[0]),
		    globals->json);
	obs_device_close(device);
	return CTL_OK;
}

int ctl_info(const struct ctl_command *command, struct ctl_globals *globals,
	     int argc, char **argv)
{
	struct obs_control *control;
	struct obs_info info;
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	if (globals->device || obs_control_open(&control))
		return device_print(globals);
	r = obs_control_info(control, &info);
	if (!r)
		module_print(&info, globals->json);
	return ctl_control_end(control, r, "cannot get the module's state");
}
