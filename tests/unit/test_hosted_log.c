// SPDX-License-Identifier: MIT
/* The log of hosted segments: records, spans, rings of threads, and sampling. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring/logline.h>

#include "hosted.h"

/* ---- The log ------------------------------------------------------------- */

static unsigned int log_count(uint64_t *ret_lost, double *ret_weight)
{
	const struct obs_log_entry *entry;
	unsigned int nr = 0;
	struct obs_log *log;
	int r;

	*ret_lost = 0;
	*ret_weight = 0;
	assert_int_equal(obs_log_open(path, NULL, &log), 0);
	while ((r = obs_log_next(log, &entry)) > 0) {
		if (r == OBS_LOG_LOST) {
			*ret_lost += entry->lost;
			continue;
		}
		*ret_weight += entry->weight;
		nr++;
	}
	assert_int_equal(r, 0);
	obs_log_close(log);
	return nr;
}

static void test_record(void **state)
{
	const struct obs_log_field field[] = {
		{ "key", "a \"value\"\n" }, { "long", NULL }, { "late", "x" },
	};
	struct obs_log_field fields[3];
	struct obs_trace_context context;
	const struct obs_log_entry *entry;
	struct obs_log_writer *writer;
	static char text[700];
	struct obs_log *log;

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	memcpy(fields, field, sizeof(fields));
	fields[1].value = text;
	obs_trace_new(&context, true);
	assert_int_equal(obs_log_writer_open(path, "a b", &writer), -EINVAL);
	assert_int_equal(obs_log_writer_open(path, "shop", &writer), 0);
	assert_int_equal(obs_log_write(writer, 8, NULL, NULL, 0, "m"), -EINVAL);
	assert_int_equal(obs_log_write(writer, 3, &context, fields, 1, "<1>.x=y m"), 0);
	assert_int_equal(obs_log_write(writer, 3, NULL, fields, 3, "cut"), 0);
	assert_int_equal(obs_log_write(NULL, 3, NULL, NULL, 0, "nothing"), 0);
	obs_log_writer_close(writer);

	assert_int_equal(obs_log_open(path, NULL, &log), 0);
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_RECORD);
	assert_string_equal(entry->source, "user.shop");
	assert_string_equal(entry->message, "<1>.x=y m");
	assert_int_equal(entry->level, 3);
	assert_int_equal(entry->pid, getpid());
	assert_int_equal(entry->uid, geteuid());
	assert_int_equal(entry->origin, OBSRING_ORIGIN_USER);
	assert_true(entry->has_trace);
	assert_memory_equal(entry->trace_id, context.trace_id, 16);
	assert_int_equal(entry->nr_fields, 1);
	assert_string_equal(entry->field[0].value, "a \"value\"\n");
	assert_false(entry->cut);
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_RECORD);
	assert_string_equal(entry->message, "cut");
	assert_true(entry->cut);
	assert_int_equal(entry->nr_fields, 1);
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_NOTHING);
	obs_log_close(log);
	assert_int_equal(value("obsring_log_records_total", "err"), 2);
	assert_int_equal(value("obsring_log_truncated_total", NULL), 1);
}

/* What the thread works for is that of its records, but for those that bring their own. */
static void test_thread_trace(void **state)
{
	struct obs_trace_context works, brought;
	const struct obs_log_entry *entry;
	struct obs_log_writer *writer;
	struct obs_tracer *tracer;
	struct obs_span span;
	struct obs_log *log;

	(void)state;
	obs_trace_new(&works, true);
	obs_trace_new(&brought, true);
	assert_int_equal(obs_log_writer_open(path, "shop", &writer), 0);
	assert_int_equal(obs_tracer_open(path, "shop", 1, &tracer), 0);
	obs_trace_set(&works);
	assert_int_equal(obs_log_write(writer, 6, NULL, NULL, 0, "own"), 0);
	assert_int_equal(obs_log_write(writer, 6, &brought, NULL, 0, "brought"), 0);
	assert_true(obs_span_start(&span, tracer, &brought, OBS_SPAN_CLIENT, "span"));
	assert_int_equal(obs_span_end(&span), 0);
	obs_trace_clear();
	assert_int_equal(obs_log_write(writer, 6, NULL, NULL, 0, "none"), 0);
	obs_tracer_close(tracer);
	obs_log_writer_close(writer);

	assert_int_equal(obs_log_open(path, NULL, &log), 0);
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_RECORD);
	assert_string_equal(entry->message, "own");
	assert_true(entry->has_trace && entry->trace_flags == works.flags);
	assert_memory_equal(entry->trace_id, works.trace_id, 16);
	assert_memory_equal(entry->span_id, works.span_id, 8);
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_RECORD);
	assert_string_equal(entry->message, "brought");
	assert_memory_equal(entry->trace_id, brought.trace_id, 16);
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_RECORD);
	assert_string_equal(entry->message, "span");
	assert_memory_equal(entry->trace_id, brought.trace_id, 16);
	assert_memory_equal(entry->span_id, span.context.span_id, 8);
	assert_string_equal(entry->field[0].key, "span.kind");
	assert_string_equal(entry->field[0].value, "client");
	assert_int_equal(obs_log_next(log, &entry), OBS_LOG_RECORD);
	assert_string_equal(entry->message, "none");
	assert_false(entry->has_trace);
	obs_log_close(log);
}

#define THREADS	4

#define RECORDS	500

static pthread_barrier_t barrier;

static void *thread_logs(void *arg)
{
	int i;

	/* All have a ring, or none, before one ends. */
	obs_log_write(arg, 6, NULL, NULL, 0, "first");
	pthread_barrier_wait(&barrier);
	for (i = 1; i < RECORDS; i++)
		obs_log_write(arg, 6, NULL, NULL, 0, "more");
	return NULL;
}

static void threads_log(unsigned int rings)
{
	struct obs_log_writer *writer;
	pthread_t thread[THREADS];
	uint64_t lost, stored;
	double weight;
	int i;

	assert_int_equal(obs_log_writer_open(path, "shop", &writer), 0);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, thread_logs, writer);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&barrier);
	obs_log_writer_close(writer);
	stored = (uint64_t)value("obsring_log_records_total", "info");
	assert_int_equal(stored + (uint64_t)value("obsring_log_lost_total", "no_ring"),
			 THREADS * RECORDS);
	assert_true(stored >= (uint64_t)rings * RECORDS);
	/* What was overwritten before this reader began is not its own loss. */
	assert_int_equal(log_count(&lost, &weight) +
			 (uint64_t)value("obsring_log_overwritten_total", NULL), stored);
	assert_int_equal(lost, 0);
}

static void test_threads(void **state)
{
	(void)state;
	threads_log(THREADS);
	assert_int_equal(value("obsring_log_lost_total", "no_ring"), 0);
}

static void test_no_ring(void **state)
{
	(void)state;
	threads_log(2);
	/* The first ones of two threads; then some may get what another one left. */
	assert_true(value("obsring_log_lost_total", "no_ring") >= 2);
}

/* ---- Sampling ------------------------------------------------------------ */

static void log_many(unsigned int nr)
{
	struct obs_log_writer *writer;
	unsigned int i;

	assert_int_equal(obs_log_writer_open(path, "shop", &writer), 0);
	for (i = 0; i < nr; i++)
		assert_int_equal(obs_log_write(writer, 6, NULL, NULL, 0, "m"), 0);
	obs_log_writer_close(writer);
}

static int rule_take(const struct obs_sample_info *sample, void *arg)
{
	struct obs_sample_info **to = arg;

	*(*to)++ = *sample;
	return 0;
}

static void rule_send(const char *source, enum obsring_rule rule, uint64_t number)
{
	struct obs_sample_info sample = {
		.level = OBS_SAMPLE_NO_LEVEL, .rule = rule, .value = number,
	};

	strcpy(sample.source, source);
	assert_int_equal(obs_segment_sample_send(path, &sample), 0);
}

static void test_rules(void **state)
{
	struct obs_sample_info sample = { .source = "user.shop", .level = 6 }, list[32];
	struct obs_sample_info *end = list;

	(void)state;
	assert_int_equal(obs_segment_sample_send(path, &sample), -ENOENT);
	sample.rule = OBSRING_RULE_ONE_IN;
	assert_int_equal(obs_segment_sample_send(path, &sample), -EINVAL);
	sample.value = 4;
	sample.at_ns = 1;
	assert_int_equal(obs_segment_sample_send(path, &sample), -EOPNOTSUPP);
	sample.at_ns = 0;
	assert_int_equal(obs_segment_sample_send(path, &sample), 0);
	assert_int_equal(value("obsring_sample_rule_ratio", "one_in"), 250000000000);
	assert_int_equal(value("obsring_sample_rule_ratio", "drop"), -1);
	rule_send("*", OBSRING_RULE_DROP, 0);
	assert_int_equal(value("obsring_sample_rule_ratio", "drop"), 0);
	assert_int_equal(obs_segment_sample_list(path, rule_take, &end), 0);
	assert_int_equal(end - list, 2);
	assert_string_equal(list[0].source, "user.shop");
	assert_int_equal(list[0].level, 6);
	assert_int_equal(list[0].rule, OBSRING_RULE_ONE_IN);
	assert_int_equal(list[0].value, 4);
	assert_int_equal(list[1].level, OBS_SAMPLE_NO_LEVEL);
	sample.rule = OBSRING_RULE_UNSPEC;
	assert_int_equal(obs_segment_sample_send(path, &sample), 0);
	end = list;
	assert_int_equal(obs_segment_sample_list(path, rule_take, &end), 0);
	assert_int_equal(end - list, 1);
	assert_int_equal(value("obsring_sample_rule_ratio", "one_in"), -1);
	assert_int_equal(value("obsring_sample_rule_ratio", "drop"), 0);
	rule_send("*", OBSRING_RULE_TARGET, 50);
	assert_int_equal(value("obsring_sample_rule_ratio", "drop"), -1);
	assert_int_equal(value("obsring_sample_rule_records_per_second", "target"), 50);
	rule_send("*", OBSRING_RULE_UNSPEC, 0);
	assert_int_equal(value("obsring_sample_rule_records_per_second", "target"), -1);
}

/* Rules without room for their series are in force all the same. */
static void test_rules_full(void **state)
{
	struct obs_sample_info list[OBS_HOST_RULES], *end = list;
	struct obs_counter *counter;
	struct counted c;
	char name[32];
	int i;

	(void)state;
	hosted_attach(&c);
	for (i = 0; i < 25; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(obs_counter_new(c.service, &counter_spec,
						 (const char *[]){ name }, &counter), 0);
	}
	for (i = 0; i < OBS_HOST_RULES; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		rule_send(name, OBSRING_RULE_KEEP, 0);
	}
	assert_true(value("obsring_series_refused_total", "max_series") > 0);
	assert_int_equal(obs_segment_sample_list(path, rule_take, &end), 0);
	assert_int_equal(end - list, OBS_HOST_RULES);
	for (i = 0; i < OBS_HOST_RULES; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		rule_send(name, OBSRING_RULE_UNSPEC, 0);
	}
	assert_int_equal(value("obsring_sample_rule_ratio", "keep"), -1);
	obs_service_detach(c.service);
}

static void test_one_in(void **state)
{
	uint64_t lost;
	double weight;

	(void)state;
	rule_send("*", OBSRING_RULE_DROP, 0);
	rule_send("user.shop", OBSRING_RULE_ONE_IN, 10);
	log_many(1000);
	/* A block or two, and what the floor kept. */
	assert_in_range(log_count(&lost, &weight), 98, 112);
	assert_true(weight > 970 && weight < 1030);
	assert_int_equal(value("obsring_log_records_total", "info") +
			 value("obsring_log_sampled_out_total", NULL), 1000);
}

/*
 * Found by fuzz_hosted: a rule that another process has damaged. There is no chance that
 * is none, by which the next block could be drawn: it keeps all.
 */
static void test_damaged_rule(void **state)
{
	static struct obs_sample_rng rng;
	const struct obs_logline line = { .level = 6 };
	struct obsring_record head = { 0 };
	struct obs_segment *segment;
	__u64 *word;
	int fd, i;

	(void)state;
	rule_send("user.shop", OBSRING_RULE_ONE_IN, 10);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(obs_segment_new_private(fd, &segment), 0);
	word = &obs_segment_rule(segment, 0)->shared.word;
	assert_true(obs_sample_threshold(*word));
	*word -= obs_sample_threshold(*word);
	/* And a slot that gave more back than it dropped. */
	obs_segment_slot(segment, 0, 0)->credited = 1;
	for (i = 0; i < 1000; i++)
		assert_true(obs_segment_keep(segment, 0, &rng, &line, "shop", 4, &head));
	obs_segment_free_private(segment);
	close(fd);
}

static void test_drop_rate(void **state)
{
	uint64_t lost;
	double weight;

	(void)state;
	rule_send("*", OBSRING_RULE_DROP, 0);
	log_many(100);
	assert_int_equal(log_count(&lost, &weight), OBS_SAMPLE_FLOOR);
	assert_true(weight == 0);
	rule_send("user.shop", OBSRING_RULE_RATE, 5);
	log_many(100);
	/* Of this rule's own floor as well. */
	assert_int_equal(log_count(&lost, &weight), 2 * OBS_SAMPLE_FLOOR + 5);
	assert_true(weight == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_record, hosted_setup),
		cmocka_unit_test_setup(test_thread_trace, hosted_setup),
		cmocka_unit_test_setup(test_threads, hosted_setup),
		cmocka_unit_test_setup(test_no_ring, hosted_setup_small),
		cmocka_unit_test_setup(test_rules, hosted_setup),
		cmocka_unit_test_setup(test_rules_full, hosted_setup_small),
		cmocka_unit_test_setup(test_one_in, hosted_setup),
		cmocka_unit_test_setup(test_damaged_rule, hosted_setup),
		cmocka_unit_test_setup(test_drop_rate, hosted_setup),
	};

	return cmocka_run_group_tests_name("hosted log", tests, hosted_group_setup,
					   hosted_group_teardown);
}
