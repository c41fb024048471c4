// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
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

#define VALUE(member) offsetof(struct self_values, member)

static const char *const build_label[] = { "version", "revision" };
static const char *const build_value[] = { obsringd_version, obsringd_revision };
static const char *const code_label[] = { "code" };
static const char *const reason_label[] = { "reason" };

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

static void add_piece(struct self_format *format, size_t start,
		      const struct self_metric *metric, unsigned int series)
{
	assert(format->nr_pieces < SELF_PIECES_MAX);
	format->piece[format->nr_pieces++] = (struct self_piece){
		.len = format->text.len - start,
		.value = metric->value + series * sizeof(uint64_t),
		.exp10 = metric->exp10,
	};
}

static void put_created(struct text *text, const struct expose_name *name,
			const struct text *labels, uint64_t created_ns)
{
	char number[NUMBER_MAX];

	expose_sample(text, name, "_created", labels);
	text_put(text, number, number_scaled(number, created_ns, -9) - number);
	text_put(text, "\n", 1);
}

/*
 * A piece's text begins with the end of the line before it, which the number
 * before it belongs to.
 */
static void add_metric(struct self *self, enum format_id id,
		       const struct self_metric *metric, size_t *start)
{
	struct self_format *format = &self->format[id];
	unsigned int i, nr = metric->nr_labels;
	struct text labels = { 0 };
	struct expose_name name;

	expose_name_init(&name, &formats[id], metric->kind, metric->name);
	expose_header(&format->text, &formats[id], &name, metric->kind,
		      metric->help, metric->unit);
	for (i = 0; i < (metric->nr_series ? metric->nr_series : 1); i++) {
		text_clear(&labels);
		expose_labels(&labels, &formats[id], metric->label,
			      nr ? metric->label_value + i * nr : NULL, nr);
		expose_sample(&format->text, &name, name.suffix, &labels);
		add_piece(format, *start, metric, i);
		*start = format->text.len;
		text_put(&format->text, "\n", 1);
		if (formats[id].created && metric->kind == OBSRING_KIND_COUNTER)
			put_created(&format->text, &name, &labels, self->start_ns);
	}
	format->text.failed |= labels.failed;
	text_free(&labels);
}

int self_init(struct self *self, struct requests *requests)
{
	struct process_usage usage;
	size_t i, start;
	int id;

	process_usage_read(&usage);
	*self = (struct self){ .requests = requests, .start_ns = usage.start_ns };
	for (id = 0; id < FORMAT_NR; id++) {
		start = 0;
		for (i = 0; i < NR_METRICS; i++)
			add_metric(self, id, &metrics[i], &start);
		if (text_failed(&self->format[id].text)) {
			self_exit(self);
			return -ENOMEM;
		}
	}
	return 0;
}

void self_exit(struct self *self)
{
	int id;

	for (id = 0; id < FORMAT_NR; id++)
		text_free(&self->format[id].text);
}

/* What stands behind a family's name, in one format or the other, by kind. */
#define SUFFIXES_MAX 5

static const char *const suffixes[OBSRING_KIND_MAX + 1][SUFFIXES_MAX] = {
	[OBSRING_KIND_COUNTER] = { "", "_total", "_created" },
	[OBSRING_KIND_GAUGE] = { "" },
	[OBSRING_KIND_HISTOGRAM] = { "", "_bucket", "_sum", "_count", "_created" },
	[OBSRING_KIND_INFO] = { "", "_info" },
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

static uint64_t value_at(const struct self_values *values, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)values + offset, sizeof(value));
	return value;
}

void self_render(const struct self *self, enum format_id id, uint64_t scrape_ns,
		 struct text *body)
{
	const struct self_format *format = &self->format[id];
	struct self_values values = { .one = 1, .scrape_ns = scrape_ns };
	const char *text = format->text.data;
	char number[NUMBER_MAX];
	unsigned int i;

	process_usage_read(&values.process);
	values.process.start_ns = self->start_ns;
	requests_get(self->requests, &values.in_flight, values.answered);
	if (self->clients)
		clients_get(self->clients, &values.connections, values.ended);
	if (self->web)
		web_health(self->web, &values.config_successful, &values.config_loaded_ns);
	for (i = 0; i < format->nr_pieces; i++) {
		const struct self_piece *piece = &format->piece[i];

		text_put(body, text, piece->len);
		text += piece->len;
		text_put(body, number,
			 number_scaled(number, value_at(&values, piece->value),
				       piece->exp10) - number);
	}
	text_put(body, text, format->text.data + format->text.len - text);
}
