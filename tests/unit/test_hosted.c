// SPDX-License-Identifier: MIT
/*
 * Hosted segments by the public interface: made, counted in by several processes, of
 * which some are killed, full, ended, logged to and sampled; what the library's inside
 * is asked for is only to set a clock back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring.h>
#include <libobsring/segment.h>

static char folder[] = "/tmp/test_hosted.XXXXXX";
static char path[64];

static const char *const op = "op";

static const struct obs_family_spec counter_spec = {
	.name = "work_total", .help = "Work.", .nr_labels = 1, .label = &op,
};

static const struct obs_family_spec gauge_spec = { .name = "work_active", .help = "Work." };

/* ---- What is in it ------------------------------------------------------- */

struct view {
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

static void view_open(struct view *view)
{
	assert_int_equal(obs_device_open(path, &view->device), 0);
	assert_int_equal(obs_snapshot_new(view->device, &view->snapshot), 0);
	assert_int_equal(obs_snapshot_update(view->snapshot), 1);
}

static void view_close(struct view *view)
{
	obs_snapshot_free(view->snapshot);
	obs_device_close(view->device);
}

static const struct obs_series_info *find(const struct view *view, const char *family,
					  const char *last_value)
{
	const struct obs_family_info *f = obs_family_find(view->snapshot, family);
	const struct obs_series_info *series = NULL;

	while (f && (series = obs_series_next(view->snapshot, f, series)))
		if (!last_value ||
		    !strcmp(series->value[f->nr_labels - 1], last_value))
			return series;
	return NULL;
}

/* Of a new look at it; -1: there is no such series. */
static int64_t value(const char *family, const char *last_value)
{
	const struct obs_series_info *series;
	struct view view;
	int64_t found = -1;

	view_open(&view);
	series = find(&view, family, last_value);
	if (series)
		found = obs_series_gauge(view.snapshot, series);
	view_close(&view);
	return found;
}

/* ---- Making -------------------------------------------------------------- */

static int setup_with(const struct obs_segment_options *options)
{
	unlink(path);
	return obs_segment_create(path, options);
}

static int setup(void **state)
{
	(void)state;
	return setup_with(NULL);
}

static int setup_small(void **state)
{
	(void)state;
	return setup_with(&(struct obs_segment_options){
		.max_series = 64, .value_pages = 1, .max_shares = 2, .log_rings = 2,
		.log_bytes = 4096, .mode = 0600 });
}

static void test_create(void **state)
{
	static const struct obs_segment_options bad[] = {
		{ .max_series = 1 }, { .max_series = 1 << 20 }, { .log_bytes = 5000 },
		{ .log_bytes = 1024 }, { .log_rings = 1 << 20 }, { .mode = 01777 },
	};
	struct stat st;
	size_t i;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* All of it is there. */
	assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size);
	assert_int_equal(obs_segment_create(path, NULL), -EEXIST);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(obs_segment_create("/tmp/test_hosted.none", &bad[i]), -EINVAL);
	assert_int_equal(stat("/tmp/test_hosted.none", &st), -1);
	assert_int_equal(obs_segment_create("/nonexistent/x", NULL), -ENOENT);
}

static void test_no_segment(void **state)
{
	const struct obs_service_options options = { .device = path };
	struct obs_service *service;
	int fd;

	(void)state;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(obs_service_attach_with("s", &options, &service), -EPROTO);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(obs_service_attach_with("s", &options, &service), -EPROTO);
	close(fd);
}

/* ---- Counting ------------------------------------------------------------ */

struct counted {
	struct obs_service *service;
	struct obs_counter *counter;
	struct obs_gauge *gauge;
};

static void attach(struct counted *c)
{
	const struct obs_service_options options = { .device = path };

	assert_int_equal(obs_service_attach_with("shop", &options, &c->service), 0);
	assert_int_equal(obs_counter_new(c->service, &counter_spec,
					 (const char *[]){ "sell" }, &c->counter), 0);
	assert_int_equal(obs_gauge_new(c->service, &gauge_spec, NULL, &c->gauge), 0);
}

/* A child that counts, says so, and waits to be killed. */
static pid_t child_counts(const struct counted *c, uint64_t n)
{
	int pipes[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		obs_counter_add(c->counter, n);
		obs_gauge_add(c->gauge, (int64_t)n);
		if (write(pipes[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	return pid;
}

static void test_children(void **state)
{
	struct counted c;
	pid_t pid[2];

	(void)state;
	attach(&c);
	obs_counter_add(c.counter, 1);
	obs_gauge_add(c.gauge, 1);
	pid[0] = child_counts(&c, 10);
	pid[1] = child_counts(&c, 100);
	assert_int_equal(value("work_total", "sell"), 111);
	assert_int_equal(value("work_active", NULL), 111);
	assert_int_equal(value("obsring_service_members", NULL), 3);
	kill(pid[0], SIGKILL);
	assert_int_equal(waitpid(pid[0], NULL, 0), pid[0]);
	assert_int_equal(value("work_total", "sell"), 111);
	assert_int_equal(value("work_active", NULL), 101);
	assert_int_equal(value("obsring_service_members", NULL), 2);
	/* A zombie is no member. */
	kill(pid[1], SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid[1], &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(value("work_active", NULL), 1);
	waitpid(pid[1], NULL, 0);
	obs_service_detach(c.service);
	assert_int_equal(value("work_total", "sell"), 111);
	assert_int_equal(value("work_active", NULL), 0);
	assert_int_equal(value("obsring_service_members", NULL), 0);
}

static void test_goes_on(void **state)
{
	struct counted c;

	(void)state;
	attach(&c);
	obs_counter_add(c.counter, 5);
	obs_service_detach(c.service);
	attach(&c);
	obs_counter_add(c.counter, 5);
	assert_int_equal(value("work_total", "sell"), 10);
	obs_service_detach(c.service);
}

static void test_conflicts(void **state)
{
	struct obs_family_spec spec = gauge_spec;
	struct obs_histogram *histogram;
	struct obs_gauge *gauge;
	struct obs_counter *counter;
	struct counted c;

	(void)state;
	attach(&c);
	assert_int_equal(obs_gauge_set_new(c.service, &spec, NULL, &gauge), -EINVAL);
	spec.unit = "seconds";
	assert_int_equal(obs_gauge_new(c.service, &spec, NULL, &gauge), -EEXIST);
	/* To Prometheus, work_count would be two. */
	spec = (struct obs_family_spec){ .name = "work", .schema = 1, .max_log2 = 4 };
	assert_int_equal(obs_histogram_new(c.service, &spec, NULL, &histogram), -EEXIST);
	spec = (struct obs_family_spec){ .name = "work.total" };
	assert_int_equal(obs_counter_new(c.service, &spec, NULL, &counter), -EEXIST);
	/* Help may differ. */
	spec = gauge_spec;
	spec.help = "Other.";
	assert_int_equal(obs_gauge_new(c.service, &spec, NULL, &gauge), 0);
	obs_service_detach(c.service);
}

static void test_full(void **state)
{
	struct obs_counter *counter, *overflow = NULL;
	struct counted c;
	char name[16];
	int i, r;

	(void)state;
	attach(&c);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		r = obs_counter_new(c.service, &counter_spec, (const char *[]){ name },
				    &counter);
		assert_in_range(r, 0, 1);
		if (r && overflow)
			assert_ptr_equal(counter, overflow);
		if (r)
			overflow = counter;
		obs_counter_add(counter, 1);
	}
	assert_non_null(overflow);
	assert_true(value("work_total", "_overflow") > 0);
	assert_int_equal(value("obsring_series_refused_total", "max_series"),
			 value("work_total", "_overflow"));
	assert_int_equal(obs_counter_new(c.service,
					 &(struct obs_family_spec){ .name = "more_total" },
					 NULL, &counter), -ENOSPC);
	obs_service_detach(c.service);
}

/* Two shares: the service's common one, and one for a member. */
static void test_shares_full(void **state)
{
	struct counted c;
	pid_t pid;

	(void)state;
	attach(&c);
	obs_gauge_add(c.gauge, 1);
	pid = child_counts(&c, 10);
	assert_int_equal(value("work_active", NULL), 11);
	assert_int_equal(value("obsring_service_shares_refused_total", NULL), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* What it added to the common share stays, as the manual says. */
	assert_int_equal(value("work_active", NULL), 11);
	obs_service_detach(c.service);
	assert_int_equal(value("work_active", NULL), 10);
}

/* A program that closes all descriptors counts on, and is no corpse. */
static void test_closed(void **state)
{
	struct obs_counter *counter;
	struct counted c;
	int status;
	pid_t pid;

	(void)state;
	attach(&c);
	pid = fork();
	if (!pid) {
		close_range(3, ~0U, 0);
		obs_counter_add(c.counter, 7);
		obs_gauge_add(c.gauge, 7);
		if (obs_counter_new(c.service, &counter_spec, (const char *[]){ "buy" },
				    &counter) != -EBADF)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(value("work_total", "sell"), 7);
	assert_int_equal(value("work_active", NULL), 7);
	assert_int_equal(value("obsring_service_members", NULL), 2);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(value("work_active", NULL), 0);
	obs_service_detach(c.service);
}

/* The same process, and no member any more. */
static void test_exec(void **state)
{
	struct timespec tick = { .tv_nsec = 1000000 };
	struct counted c;
	int input[2];
	pid_t pid;

	(void)state;
	attach(&c);
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		obs_counter_add(c.counter, 7);
		obs_gauge_add(c.gauge, 7);
		dup2(input[0], 0);
		execlp("cat", "cat", NULL);
		_exit(1);
	}
	while (value("work_total", "sell") != 7 || value("work_active", NULL))
		nanosleep(&tick, NULL);
	assert_int_equal(value("obsring_service_members", NULL), 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	close(input[1]);
	close(input[0]);
	waitpid(pid, NULL, 0);
	obs_service_detach(c.service);
}

/* ---- Services ------------------------------------------------------------ */

/* As if the last member had left so long ago. */
static void age(uint64_t seconds)
{
	struct obs_segment *segment;
	uint32_t index;

	assert_int_equal(obs_segment_open(path, &segment), 0);
	assert_int_equal(obs_segment_lock(segment), 0);
	assert_int_equal(obs_segment_service_find(segment, "shop", geteuid(), &index), 0);
	obs_segment_service(segment, index)->detached_ns -= seconds * 1000000000;
	obs_segment_unlock(segment);
}

static void test_expiry(void **state)
{
	struct counted c;

	(void)state;
	attach(&c);
	obs_counter_add(c.counter, 5);
	obs_service_detach(c.service);
	age(7 * 24 * 3600 - 60);
	assert_int_equal(value("work_total", "sell"), 5);
	age(60);
	assert_int_equal(value("work_total", "sell"), -1);
	assert_int_equal(value("obsring_service_members", NULL), -1);
	attach(&c);
	assert_int_equal(value("work_total", "sell"), 0);
	obs_service_detach(c.service);
	assert_int_equal(obs_segment_service_set_ttl(path, "shop", geteuid(), 0), 0);
	age(100 * 365 * 24 * 3600ULL);
	assert_int_equal(value("work_total", "sell"), 0);
}

static int service_take(const struct obs_service_info *service, void *arg)
{
	struct obs_service_info *to = arg;

	*to = *service;
	return 0;
}

static void test_services(void **state)
{
	struct obs_service_info info = { .uid = 1 };
	struct counted c;

	(void)state;
	attach(&c);
	assert_int_equal(obs_segment_service_list(path, service_take, &info), 0);
	assert_string_equal(info.name, "shop");
	assert_int_equal(info.uid, geteuid());
	assert_int_equal(info.members, 1);
	assert_int_equal(info.detached_ns, 0);
	assert_int_equal(info.ttl_s, 7 * 24 * 3600);
	/* The counter, its overflow series, the gauge. */
	assert_int_equal(info.series, 3);
	assert_int_equal(info.bytes, 3 * 8);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid()), -EBUSY);
	obs_service_detach(c.service);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid() + 1), -ENOENT);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid()), 0);
	assert_int_equal(value("work_total", "sell"), -1);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid()), -ENOENT);
}

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
	attach(&c);
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

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/segment", folder);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_create, setup),
		cmocka_unit_test_setup(test_no_segment, setup),
		cmocka_unit_test_setup(test_children, setup),
		cmocka_unit_test_setup(test_goes_on, setup),
		cmocka_unit_test_setup(test_conflicts, setup),
		cmocka_unit_test_setup(test_full, setup_small),
		cmocka_unit_test_setup(test_shares_full, setup_small),
		cmocka_unit_test_setup(test_closed, setup),
		cmocka_unit_test_setup(test_exec, setup),
		cmocka_unit_test_setup(test_expiry, setup),
		cmocka_unit_test_setup(test_services, setup),
		cmocka_unit_test_setup(test_record, setup),
		cmocka_unit_test_setup(test_thread_trace, setup),
		cmocka_unit_test_setup(test_threads, setup),
		cmocka_unit_test_setup(test_no_ring, setup_small),
		cmocka_unit_test_setup(test_rules, setup),
		cmocka_unit_test_setup(test_rules_full, setup_small),
		cmocka_unit_test_setup(test_one_in, setup),
		cmocka_unit_test_setup(test_drop_rate, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
