// SPDX-License-Identifier: MIT
/* Records taken apart: what passes the filters, and how a caller sees it. */
#include <fnmatch.h>
#include <string.h>

#include <obsring/logfmt.h>

#include "log.h"

#define ONE	(1ULL << 56)	/* threshold above all */

_Static_assert(OBS_LOGFMT_MAX <= OBS_LOG_TEXT_MAX, "no line is longer");

/* A level that is none passes: the record is damaged, and counts as lost. */
bool obs_log_head_passes(const struct obs_log *log, const struct obsring_record *head,
			 enum obsring_origin origin)
{
	return head->time_ns >= log->since_ns && log->origins >> origin & 1 &&
	       (head->level > 7 || log->levels >> head->level & 1);
}

bool obs_log_record_passes(const struct obs_log *log)
{
	const struct obs_log_entry *entry = &log->taken.entry;

	if (log->has_trace_id &&
	    (!entry->has_trace ||
	     memcmp(entry->trace_id, log->trace_id, sizeof(log->trace_id))))
		return false;
	if (!log->source)
		return true;
	return !memchr(entry->source, 0, entry->source_len) &&
	       !fnmatch(log->source, entry->source, 0);
}

/* What the text calls source: that of processes begins with "user.". */
static void source_take(struct obs_log_taken *taken)
{
	const struct obsring_record *head = taken->record.head;
	size_t at = 0;

	if (head->flags & OBSRING_RECORD_USER) {
		at = sizeof("user.") - 1;
		memcpy(taken->source, "user.", at);
	}
	memcpy(taken->source + at, taken->record.source, head->source_len);
	taken->entry.source = taken->source;
	taken->entry.source_len = at + head->source_len;
	taken->source[taken->entry.source_len] = 0;
}

static void trace_take(struct obs_log_entry *entry, const struct obsring_trace *trace)
{
	entry->has_trace = trace;
	if (!trace)
		return;
	memcpy(entry->trace_id, trace->trace_id, sizeof(entry->trace_id));
	memcpy(entry->span_id, trace->span_id, sizeof(entry->span_id));
	entry->trace_flags = trace->flags;
}

static void fields_take(struct obs_log_taken *taken)
{
	struct obs_log_entry *entry = &taken->entry;
	struct obs_log_field *field = taken->field;
	uint32_t at = 0;

	while (obs_record_next_field(&taken->record, &at, &field->key, &field->value))
		field++;
	entry->field = taken->field;
	entry->nr_fields = (unsigned int)(field - taken->field);
}

static double weight(const struct obsring_record *head)
{
	if (head->flags & OBSRING_RECORD_FLOOR || head->threshold >= ONE)
		return 0;
	return (double)ONE / (double)(ONE - head->threshold);
}

bool obs_log_take(struct obs_log *log, const struct obs_logring *ring, uint32_t words)
{
	struct obs_log_taken *taken = &log->taken;
	struct obs_log_entry *entry = &taken->entry;
	const struct obsring_record *head = &taken->buffer.head;

	if (!obs_record_parse(&taken->buffer, words, &taken->record))
		return false;
	*entry = (struct obs_log_entry){
		.cpu = head->cpu,
		.origin = obs_logring_origin(ring),
		.time_ns = head->time_ns + log->realtime_ns,
		.monotonic_ns = head->time_ns,
		.level = head->level,
		.pid = head->pid,
		.uid = head->uid,
		.comm = taken->comm,
		.threshold = head->threshold,
		.weight = weight(head),
		.message = taken->message,
		.message_len = head->message_len,
		.cut = head->flags & OBSRING_RECORD_CUT,
	};
	memcpy(taken->comm, head->comm, sizeof(head->comm));
	memcpy(taken->message, taken->record.message, head->message_len);
	taken->message[head->message_len] = 0;
	source_take(taken);
	trace_take(entry, taken->record.trace);
	fields_take(taken);
	return true;
}

void obs_log_take_lost(struct obs_log *log, const struct obs_logring *ring,
		       uint64_t lost)
{
	log->taken.entry = (struct obs_log_entry){
		.lost = lost,
		.cpu = obs_logring_cpu(ring),
		.origin = obs_logring_origin(ring),
	};
}

size_t obs_log_text(const struct obs_log *log, char *text, size_t size)
{
	const struct obs_log_taken *taken = &log->taken;
	uint32_t room = size < OBS_LOG_TEXT_MAX ? (uint32_t)size : OBS_LOG_TEXT_MAX;

	switch (taken->result) {
	case OBS_LOG_RECORD:
		return obs_logfmt(text, room, &taken->record, taken->entry.time_ns);
	case OBS_LOG_LOST:
		return obs_logfmt_lost(text, room, taken->entry.lost);
	default:
		return 0;
	}
}
