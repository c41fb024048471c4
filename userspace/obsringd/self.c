// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "self.h"
#include "version.h"

/*
 * One line adds one. @value: where its number is; series i of several reads
 * the i-th number from there.
 */
struct self_metric {
	enum obsring_kind kind;
	const char *name;
	const char *unit;
	const char *help;
	size_t value;
	int exp10;
	const char *const *label;	/* names */
	unsigned int nr_labels;
	const char *const *label_value;	/* of all series, one after the other */
	unsigned int nr_series;		/* 0: one without labels */
};

#define SERIES_COME ((unsigned int)-1)	/* they come and go: leakshow.h */

#define VALUE(member) offsetof(struct self_values, member)

static const char *const build_label[] = { "version", "revision" };
static const char *const build_value[] = { obsringd_version, obsringd_revision };
static const char *const code_label[] = { "code" };
static const char *const reason_label[] = { "reason" };
static const char *const leak_label[] = { "resource", "kind" };

static const struct self_metric metrics[] = {
	{ OBSRING_KIND_INFO, "obsring_build_info", "",
	  "Version and revision that obsringd was built from.",
	  VALUE(one), 0, build_label, 2, build_value, 1 },
	{ OBSRING_KIND_GAUGE, "obsring_scrape_duration_seconds", "seconds",
	  "Time that reading and rendering the device took in this scrape.",
	  VALUE(scrape_ns), -9, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsringd_http_requests_total", "",
	  "HTTP requests answered, by status code.",
	  VALUE(answered), 0, code_label, 1, request_code, REQUEST_STATUS_NR },
	{ OBSRING_KIND_GAUGE, "obsringd_http_requests_in_flight", "",
	  "HTTP requests being answered, this one included.",
	  VALUE(in_flight), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "obsringd_http_connections", "",
	  "Connections, this one included.",
	  VALUE(connections), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsringd_http_connections_ended_total", "",
	  "Connections that the daemon ended for a reason of its own.",
	  VALUE(ended), 0, reason_label, 1, client_end_name, CLIENT_END_NR },
	{ OBSRING_KIND_GAUGE, "obsringd_config_last_reload_successful", "",
	  "Whether the configuration that was read last is in force.",
	  VALUE(config_successful), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "obsringd_config_last_reload_success_timestamp_seconds",
	  "seconds", "When a configuration was taken into force last.",
	  VALUE(config_loaded_ns), -9, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "obsringd_leak_available", "",
	  "Whether the leak watch sees it: of the machine, or of processes.",
	  VALUE(leak.available), 0, leak_label, 1, leak_label_name, LEAK_LABEL_NR },
	{ OBSRING_KIND_GAUGE, "obsringd_leak_alarms_active", "",
	  "Leaks that are going on.",
	  VALUE(leak.alarms), 0, leak_label, 1, leak_label_name, LEAK_ALARM_LABELS },
	{ OBSRING_KIND_COUNTER, "obsringd_leak_alarms_total", "",
	  "Leaks that were found, by whether they allocate or block.",
	  VALUE(leak.raised), 0, leak_label, 2, leak_alarm_kind, LEAK_ALARM_KINDS },
	{ OBSRING_KIND_GAUGE, "obsringd_leak_growth_per_second", "",
	  "How fast what leaks, or is suspected to, grows: tasks, threads, open files or bytes.",
	  VALUE(leak_growth), -3, leakshow_label, LEAKSHOW_LABELS, NULL, SERIES_COME },
	{ OBSRING_KIND_GAUGE, "obsringd_leak_processes", "",
	  "Processes that the leak watch follows.",
	  VALUE(leak.processes), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "obsringd_leak_processes_untracked", "",
	  "Processes that it has no room for.",
	  VALUE(leak.untracked), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsringd_leak_samples_total", "",
	  "Samples that the leak watch took.",
	  VALUE(leak.samples), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "obsringd_leak_interval_seconds", "seconds",
	  "Time from its last sample to the next.",
	  VALUE(leak.interval_ns), -9, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsringd_leak_cpu_seconds_total", "seconds",
	  "CPU time that the leak watch took.",
	  VALUE(leak.cpu_ns), -9, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "obsring_memory_pressure_available", "",
	  "Whether the kernel tells how long tasks wait for memory (PSI).",
	  VALUE(leak.pressure_available), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsring_memory_pressure_waiting_seconds_total", "seconds",
	  "Time in which some task waited for memory.",
	  VALUE(leak.waiting_us), -6, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsring_memory_pressure_stalled_seconds_total", "seconds",
	  "Time in which all tasks that were not idle waited for memory.",
	  VALUE(leak.stalled_us), -6, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsring_memory_reclaim_stalls_total", "",
	  "Allocations that had to reclaim memory themselves.",
	  VALUE(leak.reclaims), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsring_memory_compaction_stalls_total", "",
	  "Allocations that had to compact memory themselves.",
	  VALUE(leak.compactions), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "obsring_memory_compaction_failures_total", "",
	  "Compactions that made no room.",
	  VALUE(leak.compaction_failures), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_COUNTER, "process_cpu_seconds_total", "seconds",
	  "Total user and system CPU time spent in seconds.",
	  VALUE(process.cpu_ns), -9, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_open_fds", "",
	  "Number of open file descriptors.",
	  VALUE(process.open_fds), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_max_fds", "",
	  "Maximum number of open file descriptors.",
	  VALUE(process.max_fds), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_virtual_memory_bytes", "bytes",
	  "Virtual memory size in bytes.",
	  VALUE(process.virtual_bytes), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_virtual_memory_max_bytes", "bytes",
	  "Maximum amount of virtual memory available in bytes.",
	  VALUE(process.virtual_max_bytes), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_resident_memory_bytes", "bytes",
	  "Resident memory size in bytes.",
	  VALUE(process.resident_bytes), 0, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_start_time_seconds", "seconds",
	  "Start time of the process since unix epoch in seconds.",
	  VALUE(process.start_ns), -9, NULL, 0, NULL, 0 },
	{ OBSRING_KIND_GAUGE, "process_threads", "",
	  "Number of OS threads in the process.",
	  VALUE(process.threads), 0, NULL, 0, NULL, 0 },
};

#define NR_METRICS (sizeof(metrics) / sizeof(metrics[0]))

static void add_series(struct self *self, const struct obs_family_info *family,
		       const struct self_metric *metric, unsigned int i)
{
	struct obs_series_info *series = &self->series[self->nr_series];

	assert(self->nr_series < SELF_SERIES_MAX);
	*series = (struct obs_series_info){
		.id = self->nr_series,
		.family = family,
		.value = metric->nr_labels ? metric->label_value + i * metric->nr_labels : NULL,
		.created_ns = self->start_ns,
	};
	self->slot[self->nr_series++] = metric->value / sizeof(uint64_t) + i;
}

static void add_metric(struct self *self, const struct self_metric *metric)
{
	struct obs_family_info *family = &self->family[self->nr_families];
	unsigned int i;

	*family = (struct obs_family_info){
		.id = self->nr_families++,
		.name = metric->name,
		.help = metric->help,
		.unit = metric->unit,
		.kind = metric->kind,
		.exp10 = metric->exp10,
		.nr_labels = metric->nr_labels,
		.label = metric->label,
	};
	if (metric->nr_series == SERIES_COME) {
		self->leak_family = family;
		return;
	}
	for (i = 0; i < (metric->nr_series ? metric->nr_series : 1); i++)
		add_series(self, family, metric, i);
}

int self_init(struct self *self, struct requests *requests)
{
	struct process_usage usage;
	size_t i;

	process_usage_read(&usage);
	*self = (struct self){
		.requests = requests, .start_ns = usage.start_ns, .epoch = 1,
	};
	self->family = calloc(NR_METRICS, sizeof(*self->family));
	if (!self->family)
		return -ENOMEM;
	for (i = 0; i < NR_METRICS; i++)
		add_metric(self, &metrics[i]);
	return 0;
}

void self_exit(struct self *self)
{
	free(self->family);
	self->family = NULL;
}

void self_update(struct self *self)
{
	if (self->leakwatch && leakshow_update(&self->leak, self->leakwatch))
		self->epoch++;
}

static bool wanted(const struct filter *filter, const struct obs_family_info *family)
{
	return !filter || filter_has(filter, family->kind, family->name);
}

void self_plan(struct self *self, struct plan *plan, const struct filter *filter)
{
	const struct obs_series_info *series, *before = NULL;
	unsigned int i;

	for (i = 0; i < self->nr_series; i++) {
		series = &self->series[i];
		if (!wanted(filter, series->family))
			continue;
		if (before && before->family != series->family)
			before = NULL;
		if (!before)
			plan_family_add(plan, series->family);
		plan_series_add_at(plan, series, before, 0, self->slot[i]);
		before = series;
	}
	if (wanted(filter, self->leak_family))
		leakshow_plan(&self->leak, plan, self->leak_family, self->nr_series,
			      VALUE(leak_growth) / sizeof(uint64_t), self->start_ns);
}

/* What stands behind a family's name, in one format or the other, by kind. */
#define SUFFIXES_MAX 5

static const char *const suffixes[OBSRING_KIND_MAX + 1][SUFFIXES_MAX] = {
	[OBSRING_KIND_COUNTER] = { "", "_total", "_created" },
	[OBSRING_KIND_GAUGE] = { "" },
	[OBSRING_KIND_HISTOGRAM] = { "", "_bucket", "_sum", "_count", "_created" },
	[OBSRING_KIND_INFO] = { "", "_info" },
	[OBSRING_KIND_STATE] = { "", "_version" },
};

/* Is @base with @suffix one of the names that @metric stands under? */
static bool metric_has(const struct self_metric *metric, const char *base,
		       const char *suffix)
{
	char theirs[ESCAPED_NAME_MAX + sizeof("_created")], ours[sizeof(theirs)];
	struct expose_name name;
	unsigned int i;

	snprintf(theirs, sizeof(theirs), "%s%s", base, suffix);
	expose_name_init(&name, &formats[FORMAT_OPENMETRICS], metric->kind,
			 metric->name);
	for (i = 0; i < SUFFIXES_MAX && suffixes[metric->kind][i]; i++) {
		snprintf(ours, sizeof(ours), "%s%s", name.family,
			 suffixes[metric->kind][i]);
		if (!strcmp(ours, theirs))
			return true;
	}
	return false;
}

bool self_has(enum obsring_kind kind, const char *name)
{
	struct expose_name base;
	unsigned int i;
	size_t m;

	expose_name_init(&base, &formats[FORMAT_OPENMETRICS], kind, name);
	for (m = 0; m < NR_METRICS; m++)
		for (i = 0; i < SUFFIXES_MAX && suffixes[kind][i]; i++)
			if (metric_has(&metrics[m], base.family, suffixes[kind][i]))
				return true;
	return false;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void self_read(struct self *self, uint64_t scrape_ns, struct self_values *ret_values)
{
	uint64_t now = monotonic_ns();
	unsigned int i;

	if (!self->usage_ns || now - self->usage_ns > SELF_USAGE_NS) {
		process_usage_read(&self->usage);
		self->usage.start_ns = self->start_ns;
		self->usage_ns = now;
	}
	*ret_values = (struct self_values){
		.one = 1,
		.scrape_ns = scrape_ns,
		.process = self->usage,
	};
	requests_get(self->requests, &ret_values->in_flight, ret_values->answered);
	if (self->clients)
		clients_get(self->clients, &ret_values->connections, ret_values->ended);
	if (self->web)
		web_health(self->web, &ret_values->config_successful,
			   &ret_values->config_loaded_ns);
	if (self->leakwatch)
		leakwatch_counts(self->leakwatch, &ret_values->leak);
	for (i = 0; i < self->leak.nr; i++)
		ret_values->leak_growth[i] = self->leak.row[i].milli_per_s;
}
