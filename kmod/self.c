// SPDX-License-Identifier: GPL-2.0-only
/* Metrics of obsring itself: memory, and what the limits refused. */
#include "logring.h"
#include "self.h"

enum {
	SELF_REFUSED,
	SELF_MEMORY,
};

struct obs_counter obs_self_refused[OBS_REFUSED_NR] = {
	[0 ... OBS_REFUSED_NR - 1] = OBS_COUNTER_INIT,
};

static struct obs_gauge_set memory_values = OBS_GAUGE_SET_INIT;
static struct obs_gauge_set memory_directory = OBS_GAUGE_SET_INIT;
static struct obs_gauge_set memory_log = OBS_GAUGE_SET_INIT;

static struct obs_metric metrics[] = {
	[SELF_REFUSED] = {
		.desc = {
			.name = "obsring_series_refused_total",
			.help = "Series that a limit or the memory refused; their updates went to overflow series.",
			.label = { "reason" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[SELF_MEMORY] = {
		.desc = {
			.name = "obsring_memory_bytes",
			.help = "Memory that the module holds for values and the log, all CPUs, and for the directory.",
			.unit = "bytes",
			.label = { "kind" },
			.kind = OBSRING_KIND_GAUGE,
			.set = true,
		},
	},
};

static const char *const refusal_name[OBS_REFUSED_NR] = {
#define OBS_REFUSAL_NAME(_id, _name) \
	[OBS_REFUSED_##_id] = _name,
	OBS_REFUSALS(OBS_REFUSAL_NAME)
#undef OBS_REFUSAL_NAME
};

void obs_self_memory(void)
{
	obs_gauge_set(&memory_values, obs_store_value_bytes());
	obs_gauge_set(&memory_directory, obs_store_directory_bytes());
	obs_gauge_set(&memory_log, obs_logring_bytes());
}

int obs_self_attached(int ret)
{
	return ret == -ENOSPC ? 0 : ret;
}

int obs_self_init(void)
{
	static const char *const values[] = { "values" };
	static const char *const directory[] = { "directory" };
	static const char *const log[] = { "log" };
	struct obs_family *memory;
	int ret, i;

	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	for (i = 0; i < OBS_REFUSED_NR && !ret; i++)
		ret = obs_self_attached(obs_counter_attach(metrics[SELF_REFUSED].family,
						  &refusal_name[i],
						  &obs_self_refused[i]));
	memory = metrics[SELF_MEMORY].family;
	if (!ret)
		ret = obs_self_attached(obs_gauge_set_attach(memory, values,
						    &memory_values));
	if (!ret)
		ret = obs_self_attached(obs_gauge_set_attach(memory, directory,
						    &memory_directory));
	if (!ret)
		ret = obs_self_attached(obs_gauge_set_attach(memory, log,
							     &memory_log));
	if (ret)
		obs_self_exit();
	return ret;
}

void obs_self_exit(void)
{
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
}
