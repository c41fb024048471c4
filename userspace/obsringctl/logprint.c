// SPDX-License-Identifier: MIT
#include <obsring/logfmt.h>

#include "decimal.h"
#include "logprint.h"

#define TS	(sizeof("ts=") - 1)

static void time_json(struct json *json, uint64_t time_ns)
{
	char text[64] = "";
	struct obs_logfmt_line line = { .buf = text, .size = sizeof(text) - 1 };

	obs_logfmt_time(&line, time_ns);
	json_bytes(json, "ts", text + TS, line.at - TS);
}

static void hex_json(struct json *json, const char *key, const uint8_t *byte, uint32_t nr)
{
	char text[32 + 1] = "";
	struct obs_logfmt_line line = { .buf = text, .size = sizeof(text) - 1 };

	obs_logfmt_hex(&line, byte, nr);
	json_bytes(json, key, text, line.at);
}

static void origin_json(struct json *json, const struct obs_log_entry *entry)
{
	json_string(json, "origin",
		    entry->origin == OBSRING_ORIGIN_USER ? "user" : "kernel");
	json_u64(json, "cpu", entry->cpu);
}

static void trace_json(struct json *json, const struct obs_log_entry *entry)
{
	hex_json(json, "trace_id", entry->trace_id, sizeof(entry->trace_id));
	hex_json(json, "span_id", entry->span_id, sizeof(entry->span_id));
	json_u64(json, "trace_flags", entry->trace_flags);
}

static void fields_json(struct json *json, const struct obs_log_entry *entry)
{
	unsigned int i;

	json_open(json, "fields", '{');
	for (i = 0; i < entry->nr_fields; i++)
		json_string(json, entry->field[i].key, entry->field[i].value);
	json_close(json, '}');
}

void log_record_json(const struct obs_log_entry *entry, struct json *json)
{
	char text[DECIMAL_SIZE];

	json_open(json, NULL, '{');
	time_json(json, entry->time_ns);
	json_string(json, "level", obs_level_name((__u8)entry->level));
	json_bytes(json, "source", entry->source, entry->source_len);
	origin_json(json, entry);
	json_u64(json, "pid", entry->pid);
	json_u64(json, "uid", entry->uid);
	json_string(json, "comm", entry->comm);
	if (entry->has_trace)
		trace_json(json, entry);
	json_u64(json, "threshold", entry->threshold);
	json_number(json, "weight", double_format(text, entry->weight));
	json_bytes(json, "msg", entry->message, entry->message_len);
	if (entry->cut)
		json_bool(json, "cut", true);
	if (entry->nr_fields)
		fields_json(json, entry);
	json_close(json, '}');
}

void log_lost_json(const struct obs_log_entry *entry, struct json *json)
{
	json_open(json, NULL, '{');
	json_u64(json, "lost", entry->lost);
	origin_json(json, entry);
	json_close(json, '}');
}
