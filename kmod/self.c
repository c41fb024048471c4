// SPDX-License-Identifier: GPL-2.0-only
/* Metrics of obsring itself: memory, and what the limits refused. */
#include "logring.h"
#include "metric.h"
#include "sampler.h"
#include "self.h"
#include "service.h"

enum {
	SELF_REFUSED,
	SELF_MEMORY,
	SELF_EXEMPLARS_REFUSED,
	SELF_SHARES_REFUSED,
};

struct obs_counter obs_self_refused[OBS_REFUSED_NR] = {
	[0 ... OBS_REFUSED_NR - 1] = OBS_COUNTER_INIT,
};

struct obs_counter obs_self_exemplars_refused = OBS_COUNTER_INIT;
struct obs_counter obs_self_shares_refused = OBS_COUNTER_INIT;

enum {
	MEMORY_VALUES,
	MEMORY_DIRECTORY,
	MEMORY_LOG,
	MEMORY_SAMPLER,
	MEMORY_EXEMPLARS,
	MEMORY_SERVICES,
	MEMORY_NR
};

static const char *const memory_name[MEMORY_NR] = {
	[MEMORY_VALUES] = "values",
	[MEMORY_DIRECTORY] = "directory",
	[MEMORY_LOG] = "log",
	[MEMORY_SAMPLER] = "sampler",
	[MEMORY_EXEMPLARS] = "exemplars",
	[MEMORY_SERVICES] = "services",
};

static struct obs_gauge_set memory[MEMORY_NR] = {
	[0 ... MEMORY_NR - 1] = OBS_GAUGE_SET_INIT,
};

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
			.help = "Memory that the module holds for values and the log, all CPUs, for exemplars, for the directory, for sources of the log and their rules, and for services of processes.",
			.unit = "bytes",
			.label = { "kind" },
			.kind = OBSRING_KIND_GAUGE,
			.set = true,
		},
	},
	[SELF_EXEMPLARS_REFUSED] = {
		.desc = {
			.name = "obsring_exemplars_refused_total",
			.help = "Histogram series that count without exemplars, because max_bytes or the memory refused them.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &obs_self_exemplars_refused,
	},
	[SELF_SHARES_REFUSED] = {
		.desc = {
			.name = "obsring_service_shares_refused_total",
			.help = "Address spaces whose gauges of a service went to a page in common, because max_shares or the memory refused one of their own: what they add stays.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &obs_self_shares_refused,
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
	obs_gauge_set(&memory[MEMORY_VALUES], obs_store_value_bytes());
	obs_gauge_set(&memory[MEMORY_DIRECTORY], obs_store_directory_bytes());
	obs_gauge_set(&memory[MEMORY_LOG], obs_logring_bytes());
	obs_gauge_set(&memory[MEMORY_SAMPLER], obs_sampler_bytes());
	obs_gauge_set(&memory[MEMORY_EXEMPLARS], obs_store_exemplar_bytes());
	obs_gauge_set(&memory[MEMORY_SERVICES], obs_service_bytes());
}

int obs_self_attached(int ret)
{
	return ret == -ENOSPC ? 0 : ret;
}

int obs_self_init(void)
{
	struct obs_family *family;
	int ret, i;

	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	family = metrics[SELF_REFUSED].family;
	for (i = 0; i < OBS_REFUSED_NR && !ret; i++) {
		ret = obs_counter_attach(family, &refusal_name[i],
					 &obs_self_refused[i]);
		ret = obs_self_attached(ret);
	}
	family = metrics[SELF_MEMORY].family;
	for (i = 0; i < MEMORY_NR && !ret; i++) {
		ret = obs_gauge_set_attach(family, &memory_name[i], &memory[i]);
		ret = obs_self_attached(ret);
	}
	if (ret)
		obs_self_exit();
	return ret;
}

void obs_self_exit(void)
{
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
}
