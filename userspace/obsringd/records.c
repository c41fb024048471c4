// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <obsring.h>
#include <obsring/logfmt.h>

#include "jsontext.h"
#include "records.h"

/* A record is held back until no earlier one of another CPU can come any more. */
#define WINDOW_NS	100000000

#define NS_PER_S	1000000000ULL
#define TS		(sizeof("ts=") - 1)

/* The newest, each as an object: a ring, of which the oldest is overwritten. */
struct tail {
	struct text *record;
	uint64_t max, nr;	/* of records; of those that came */
	uint64_t cursor;
};

static void put_time(struct text *json, uint64_t time_ns)
{
	char text[64] = "";
	struct obs_logfmt_line line = { .buf = text, .size = sizeof(text) - 1 };

	obs_logfmt_time(&line, time_ns);
	jsontext_bytes(json, "ts", text + TS, line.at - TS);
}

static void put_hex(struct text *json, const char *key, const uint8_t *byte, uint32_t nr)
{
	char text[32 + 1] = "";
	struct obs_logfmt_line line = { .buf = text, .size = sizeof(text) - 1 };

	obs_logfmt_hex(&line, byte, nr);
	jsontext_bytes(json, key, text, line.at);
}

static void put_origin(struct text *json, const struct obs_log_entry *entry)
{
	jsontext_string(json, "origin",
			entry->origin == OBSRING_ORIGIN_USER ? "user" : "kernel");
	jsontext_number(json, "cpu", entry->cpu);
}

static void put_trace(struct text *json, const struct obs_log_entry *entry)
{
	put_hex(json, "trace_id", entry->trace_id, sizeof(entry->trace_id));
	put_hex(json, "span_id", entry->span_id, sizeof(entry->span_id));
	jsontext_number(json, "trace_flags", entry->trace_flags);
}

static void put_weight(struct text *json, double weight)
{
	char number[32];

	jsontext_raw(json, "weight", number,
		     snprintf(number, sizeof(number), "%.17g", weight));
}

static void put_fields(struct text *json, const struct obs_log_entry *entry)
{
	unsigned int i;

	jsontext_open(json, "fields", '{');
	for (i = 0; i < entry->nr_fields; i++)
		jsontext_string(json, entry->field[i].key, entry->field[i].value);
	jsontext_close(json, '}');
}

/* As `obsringctl --json log` has it. */
static void put_record(struct text *json, const struct obs_log_entry *entry)
{
	jsontext_open(json, NULL, '{');
	put_time(json, entry->time_ns);
	jsontext_string(json, "level", obs_level_name(entry->level));
	jsontext_bytes(json, "source", entry->source, entry->source_len);
	put_origin(json, entry);
	jsontext_number(json, "pid", entry->pid);
	jsontext_number(json, "uid", entry->uid);
	jsontext_string(json, "comm", entry->comm);
	if (entry->has_trace)
		put_trace(json, entry);
	jsontext_number(json, "threshold", entry->threshold);
	put_weight(json, entry->weight);
	jsontext_bytes(json, "msg", entry->message, entry->message_len);
	if (entry->cut)
		jsontext_bool(json, "cut", true);
	if (entry->nr_fields)
		put_fields(json, entry);
	jsontext_close(json, '}');
}

static void put_lost(struct text *json, const struct obs_log_entry *entry)
{
	jsontext_open(json, NULL, '{');
	jsontext_number(json, "lost", entry->lost);
	put_origin(json, entry);
	jsontext_close(json, '}');
}

static int take(struct tail *tail, int what, const struct obs_log_entry *entry)
{
	struct text *record = &tail->record[tail->nr++ % tail->max];

	text_clear(record);
	if (what == OBS_LOG_LOST) {
		put_lost(record, entry);
	} else {
		put_record(record, entry);
		tail->cursor = entry->monotonic_ns + 1;
	}
	return text_failed(record) ? -ENOMEM : 0;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* What was written before now: it ends, however fast others write. */
static int read_tail(struct obs_log *log, struct tail *tail)
{
	const struct obs_log_entry *entry;
	uint64_t end_ns = realtime_ns();
	int what, r = 0;

	while (!r) {
		what = obs_log_next(log, &entry);
		if (what <= 0)
			return what;
		if (what == OBS_LOG_RECORD && entry->time_ns > end_ns)
			return 0;
		r = take(tail, what, entry);
	}
	return r;
}

/* Text: it has more digits than a double. */
static void put_cursor(struct text *json, uint64_t cursor)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, cursor);
	jsontext_string(json, "cursor", number);
}

static void put_tail(struct text *json, const struct tail *tail)
{
	uint64_t i = tail->nr > tail->max ? tail->nr - tail->max : 0;
	const struct text *record;

	jsontext_bool(json, "cut", i > 0);
	jsontext_open(json, "records", '[');
	for (; i < tail->nr; i++) {
		record = &tail->record[i % tail->max];
		jsontext_raw(json, NULL, record->data, record->len);
	}
	jsontext_close(json, ']');
	put_cursor(json, tail->cursor);
}

static void options_take(struct obs_log_options *options, const struct query *query)
{
	*options = (struct obs_log_options){
		.window_ns = WINDOW_NS,
		.levels = query->levels,
		.source = query->source,
		.trace_id = query->has_trace ? query->trace_id : NULL,
	};
	if (query->has_cursor) {
		options->start = OBS_LOG_SINCE_MONOTONIC;
		options->since_ns = query->cursor;
	} else if (query->has_since) {
		options->start = OBS_LOG_SINCE_REALTIME;
		options->since_ns = query->since_ns;
	}
}

static int tail_init(struct tail *tail, const struct query *query)
{
	*tail = (struct tail){
		.max = query->limit ? query->limit : QUERY_RECORDS_DEFAULT,
		.cursor = query->cursor,
	};
	if (tail->max > QUERY_RECORDS_MAX)
		tail->max = QUERY_RECORDS_MAX;
	tail->record = calloc(tail->max, sizeof(*tail->record));
	return tail->record ? 0 : -ENOMEM;
}

static void tail_exit(struct tail *tail)
{
	uint64_t i;

	for (i = 0; tail->record && i < tail->max; i++)
		text_free(&tail->record[i]);
	free(tail->record);
}

int records_write(const char *device, const struct query *query, struct text *json)
{
	struct obs_log_options options;
	struct obs_log *log;
	struct tail tail;
	int r;

	options_take(&options, query);
	r = obs_log_open(device, &options, &log);
	if (r < 0)
		return r;
	r = tail_init(&tail, query);
	if (!r)
		r = read_tail(log, &tail);
	obs_log_close(log);
	if (!r)
		put_tail(json, &tail);
	tail_exit(&tail);
	return r;
}
