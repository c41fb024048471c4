// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "context.h"
#include "export.h"
#include "log.h"
#include "logread.h"
#include "logring.h"
#include "logsource.h"
#include "metric.h"
#include "self.h"

/* Contexts that may interrupt each other: task, softirq, irq, NMI. */
#define NESTING_MAX	4

/**
 * struct buffers - where this CPU's records are built
 * @depth: in use
 * @buffer: one for each context; vsnprintf()'s NUL has room behind a record
 */
struct buffers {
	u32 depth;
	union obs_record_buffer buffer[NESTING_MAX];
};

static struct buffers __percpu *buffers;

static struct obs_counter records[OBS_ORIGINS][8] = {
	[0 ... OBS_ORIGINS - 1] = { [0 ... 7] = OBS_COUNTER_INIT },
};

static struct obs_counter lost[OBS_LOG_LOSSES_NR] = {
	[0 ... OBS_LOG_LOSSES_NR - 1] = OBS_COUNTER_INIT,
};

static struct obs_counter truncated = OBS_COUNTER_INIT;
static struct obs_counter overwritten = OBS_COUNTER_INIT;

static struct obs_gauge high_water[OBS_ORIGINS] = {
	[0 ... OBS_ORIGINS - 1] = OBS_GAUGE_INIT,
};

enum {
	LOG_RECORDS,
	LOG_LOST,
	LOG_TRUNCATED,
	LOG_OVERWRITTEN,
	LOG_HIGH_WATER,
};

static struct obs_metric metrics[] = {
	[LOG_RECORDS] = {
		.desc = {
			.name = "obsring_log_records_total",
			.help = "Records stored in the log.",
			.label = { "origin", "level" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[LOG_LOST] = {
		.desc = {
			.name = "obsring_log_lost_total",
			.help = "Records that were not stored, by cause: nested is a writer that interrupted one with no room behind it, or the replacement of its ring, rate_limited a process beyond its user's rate.",
			.label = { "cause" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[LOG_TRUNCATED] = {
		.desc = {
			.name = "obsring_log_truncated_total",
			.help = "Records stored with a part cut off, because the message or its fields were too long.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &truncated,
	},
	[LOG_OVERWRITTEN] = {
		.desc = {
			.name = "obsring_log_overwritten_total",
			.help = "Stored records that newer ones replaced in their ring.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &overwritten,
	},
	[LOG_HIGH_WATER] = {
		.desc = {
			.name = "obsring_log_high_water_bytes",
			.help = "Bytes of the log's rings that were ever used, since load or since they have their size, all CPUs.",
			.unit = "bytes",
			.label = { "origin" },
			.kind = OBSRING_KIND_GAUGE,
		},
	},
};

static const char *const origin_name[OBS_ORIGINS] = { "kernel", "user" };

static const char *const loss_name[OBS_LOG_LOSSES_NR] = {
#define OBS_LOG_LOSS_NAME(_id, _name) \
	[OBS_LOG_##_id] = _name,
	OBS_LOG_LOSSES(OBS_LOG_LOSS_NAME)
#undef OBS_LOG_LOSS_NAME
};

void obs_log_lost(enum obs_log_loss cause, u64 n)
{
	obs_counter_add(&lost[cause], n);
}

void obs_log_emptied(enum obsring_origin origin, u64 bytes)
{
	obs_gauge_add(&high_water[origin], -(s64)bytes);
}

/* ---- Building a record --------------------------------------------------- */

/* This CPU's next buffer, with preemption off; NULL: too deep. */
static union obs_record_buffer *buffer_get(void)
{
	union obs_record_buffer *buffer;
	u32 depth;

	preempt_disable_notrace();
	depth = this_cpu_inc_return(buffers->depth);
	if (depth > NESTING_MAX)
		return NULL;
	buffer = &this_cpu_ptr(buffers)->buffer[depth - 1];
	memset(&buffer->head, 0, sizeof(buffer->head));
	buffer->head.size = sizeof(buffer->head);
	return buffer;
}

static void buffer_put(void)
{
	this_cpu_dec(buffers->depth);
	preempt_enable_notrace();
}

static char *tail(union obs_record_buffer *buffer)
{
	return (char *)buffer->byte + buffer->head.size;
}

static void append(union obs_record_buffer *buffer, const void *from, u32 len)
{
	memcpy(tail(buffer), from, len);
	buffer->head.size += len;
}

static void task_set(struct obsring_record *head)
{
	if (!in_task())
		return;
	head->pid = task_tgid_nr(current);
	head->uid = from_kuid(&init_user_ns, current_uid());
	/* May be changed meanwhile, as a whole word or so: a mix is no harm. */
	data_race(memcpy(head->comm, current->comm, sizeof(head->comm)));
}

static void trace_set(union obs_record_buffer *buffer,
		      const struct obsring_trace *trace)
{
	buffer->head.flags |= OBSRING_RECORD_TRACE;
	append(buffer, trace, sizeof(*trace));
}

static void sampled_set(struct obsring_record *head, const struct obs_sampled *sampled)
{
	head->threshold = sampled->threshold;
	head->flags |= sampled->flags;
}

/* A record has a source: a task's name may be empty. */
static void source_set(union obs_record_buffer *buffer, const char *name, u32 len)
{
	if (!len) {
		name = "?";
		len = 1;
	}
	buffer->head.source_len = min_t(u32, len, OBSRING_SOURCE_MAX);
	append(buffer, name, buffer->head.source_len);
}

/* The whole of @head is set but for what it says of other parts. */
static void finish(union obs_record_buffer *buffer, enum obsring_origin origin)
{
	struct obsring_record *head = &buffer->head;
	struct obs_logring_put put;
	u32 size = head->size;

	memset(tail(buffer), 0, round_up(size, sizeof(u64)) - size);
	head->cpu = raw_smp_processor_id();
	head->time_ns = ktime_get_mono_fast_ns();
	if (!obs_logring_put(origin, buffer, &put)) {
		obs_log_lost(OBS_LOG_NESTED, 1);
		return;
	}
	obs_counter_inc(&records[origin][head->level]);
	if (put.overwritten)
		obs_counter_add(&overwritten, put.overwritten);
	if (unlikely(put.filled))
		obs_gauge_add(&high_water[origin], put.filled);
	if (head->flags & OBSRING_RECORD_CUT)
		obs_counter_inc(&truncated);
	obs_logread_wake();
}

__printf(2, 0)
static void message_format(union obs_record_buffer *buffer, const char *fmt,
			   va_list args)
{
	int len = vsnprintf(tail(buffer), OBSRING_MESSAGE_MAX + 1, fmt, args);

	if (len > OBSRING_MESSAGE_MAX) {
		len = OBSRING_MESSAGE_MAX;
		buffer->head.flags |= OBSRING_RECORD_CUT;
	}
	if (len > 0 && tail(buffer)[len - 1] == '\n')
		len--;
	buffer->head.message_len = max(len, 0);
	buffer->head.size += buffer->head.message_len;
}

static void fields_set(union obs_record_buffer *buffer,
		       const struct obs_log_field *field, unsigned int nr)
{
	struct obsring_record *head = &buffer->head;
	size_t key, value;

	for (; nr; nr--, field++) {
		key = strlen(field->key) + 1;
		value = strlen(field->value) + 1;
		if (key + value > OBSRING_FIELDS_MAX - head->fields_len) {
			head->flags |= OBSRING_RECORD_CUT;
			continue;
		}
		append(buffer, field->key, key);
		append(buffer, field->value, value);
		head->fields_len += key + value;
	}
}

/* The current thread's, if it is what @source speaks of. */
static const struct obs_context *context_of(const struct obs_log_source *source,
					    struct obs_context *own)
{
	return !source->taskless && obs_context_get(own) ? own : NULL;
}

/* @context: NULL: none */
__printf(6, 0)
static void log_kernel(struct obs_log_source *source, int level,
		       const struct obs_context *context,
		       const struct obs_log_field *field, unsigned int nr,
		       const char *fmt, va_list args)
{
	union obs_record_buffer *buffer;
	struct obs_sampled sampled;

	level = clamp(level, 0, 7);
	if (!obs_logsource_keep(obs_logsource_kernel(source), level,
				context, &sampled))
		return;
	buffer = buffer_get();
	if (buffer) {
		buffer->head.level = level;
		sampled_set(&buffer->head, &sampled);
		if (!source->taskless)
			task_set(&buffer->head);
		if (context)
			trace_set(buffer, &context->trace);
		source_set(buffer, source->name, strlen(source->name));
		message_format(buffer, fmt, args);
		fields_set(buffer, field, nr);
		finish(buffer, OBSRING_ORIGIN_KERNEL);
	} else {
		obs_log_lost(OBS_LOG_NESTED, 1);
	}
	buffer_put();
}

void obs_log(struct obs_log_source *source, int level, const char *fmt, ...)
{
	struct obs_context own;
	va_list args;

	va_start(args, fmt);
	log_kernel(source, level, context_of(source, &own), NULL, 0, fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_OBSRING(obs_log);

void obs_log_fields(struct obs_log_source *source, int level,
		    const struct obs_log_field *field, unsigned int nr,
		    const char *fmt, ...)
{
	struct obs_context own;
	va_list args;

	va_start(args, fmt);
	log_kernel(source, level, context_of(source, &own), field, nr, fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_OBSRING(obs_log_fields);

void obs_log_fields_traced(struct obs_log_source *source, int level,
			   const struct obsring_trace *trace,
			   const struct obs_log_field *field, unsigned int nr,
			   const char *fmt, ...)
{
	struct obs_context context = { };
	va_list args;

	if (trace)
		context.trace = *trace;
	va_start(args, fmt);
	log_kernel(source, level, trace ? &context : NULL, field, nr, fmt, args);
	va_end(args);
}

/* Those that a process wrote. */
static void fields_take(union obs_record_buffer *buffer, const struct obs_logline *line)
{
	struct obsring_record *head = &buffer->head;
	bool cut = false;

	head->fields_len = obs_logline_fields(line, tail(buffer), OBSRING_FIELDS_MAX, &cut);
	head->size += head->fields_len;
	if (cut)
		head->flags |= OBSRING_RECORD_CUT;
}

void obs_log_user(const struct obs_log_line *line)
{
	struct obs_logsource *source = obs_logsource_user(line->service, line->service_len);
	union obs_record_buffer *buffer;
	const struct obs_context *context = line->context;
	struct obs_sampled sampled;
	struct obs_context own;
	struct obsring_record *head;

	if (!context && obs_context_get(&own))
		context = &own;
	if (!obs_logsource_keep(source, line->level, context, &sampled))
		return;
	buffer = buffer_get();
	if (!buffer) {
		obs_log_lost(OBS_LOG_NESTED, 1);
		buffer_put();
		return;
	}
	head = &buffer->head;
	head->level = line->level;
	head->flags = OBSRING_RECORD_USER;
	sampled_set(head, &sampled);
	task_set(head);
	head->uid = from_kuid(&init_user_ns, line->uid);
	if (context)
		trace_set(buffer, &context->trace);
	source_set(buffer, line->service, line->service_len);
	head->message_len = min_t(u32, line->message_len, OBSRING_MESSAGE_MAX);
	if (line->cut || head->message_len < line->message_len)
		head->flags |= OBSRING_RECORD_CUT;
	append(buffer, line->message, head->message_len);
	fields_take(buffer, line->parsed);
	finish(buffer, OBSRING_ORIGIN_USER);
	buffer_put();
}

/* ---- Life ---------------------------------------------------------------- */

static int counters_attach(void)
{
	const char *values[2];
	int origin, level, ret = 0;
	unsigned int i;

	for (origin = 0; origin < OBS_ORIGINS; origin++)
		for (level = 0; level < 8 && !ret; level++) {
			values[0] = origin_name[origin];
			values[1] = obs_level_name(level);
			ret = obs_counter_attach(metrics[LOG_RECORDS].family,
						 values, &records[origin][level]);
			ret = obs_self_attached(ret);
		}
	for (origin = 0; origin < OBS_ORIGINS && !ret; origin++) {
		ret = obs_gauge_attach(metrics[LOG_HIGH_WATER].family,
				       &origin_name[origin], &high_water[origin]);
		ret = obs_self_attached(ret);
	}
	for (i = 0; i < OBS_LOG_LOSSES_NR && !ret; i++) {
		ret = obs_counter_attach(metrics[LOG_LOST].family,
					 &loss_name[i], &lost[i]);
		ret = obs_self_attached(ret);
	}
	return ret;
}

int obs_log_init(const unsigned long *bytes)
{
	int ret;

	BUILD_BUG_ON(OBS_RECORD_BYTES_MAX + 1 > sizeof(union obs_record_buffer));

	buffers = alloc_percpu(struct buffers);
	if (!buffers)
		return -ENOMEM;
	ret = obs_logring_init(bytes);
	if (ret)
		goto err_ring;
	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		goto err_metrics;
	ret = counters_attach();
	if (ret)
		goto err_counters;
	return 0;

err_counters:
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
err_metrics:
	obs_logring_exit();
err_ring:
	free_percpu(buffers);
	return ret;
}

void obs_log_exit(void)
{
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
	obs_logring_exit();
	free_percpu(buffers);
}
