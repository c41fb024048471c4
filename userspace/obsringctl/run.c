// SPDX-License-Identifier: MIT
/*
 * run: a command, and what became of it as metrics. It is run whatever happens to
 * them; who wants to know that they are missing finds it on standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "child.h"
#include "options.h"
#include "produce.h"

enum job_metric {
	JOB_START,
	JOB_END,
	JOB_STATUS,
	JOB_DURATION,
	JOB_CPU,
	JOB_MAX_RSS,
	NR_JOB_METRICS
};

/* Their stored units are those that obsringctl set and add take for these names. */
static const struct obs_family_spec job_metrics[NR_JOB_METRICS] = {
	[JOB_START] = { .name = "job_start_time_seconds", .unit = "seconds", .exp10 = -9,
		.help = "When the job was started last, in seconds since 1970." },
	[JOB_END] = { .name = "job_end_time_seconds", .unit = "seconds", .exp10 = -9,
		.help = "When the job ended last, in seconds since 1970." },
	[JOB_STATUS] = { .name = "job_exit_status",
		.help = "Exit status of the job's last run, or 128 and the number of a signal." },
	[JOB_DURATION] = { .name = "job_duration_seconds", .unit = "seconds", .exp10 = -9,
		.help = "How long the job's last run took." },
	[JOB_CPU] = { .name = "job_cpu_seconds_total", .unit = "seconds", .exp10 = -9,
		.kind = OBSRING_KIND_COUNTER,
		.help = "CPU time of all runs of the job and of processes that they waited for." },
	[JOB_MAX_RSS] = { .name = "job_max_rss_bytes", .unit = "bytes",
		.help = "The most memory that a process of the job's last run had resident." },
};

/**
 * struct job - a run, and how recording it goes
 * @name: of the service
 * @service: NULL: not attached
 * @error: the first failure, -errno, or 0
 * @what: which could not be recorded then; NULL: any of them
 * @recorded: metrics that were
 */
struct job {
	const char *name;
	struct obs_service *service;
	int error;
	const char *what;
	unsigned int recorded;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_usec * 1000;
}

static void job_attach(const struct ctl_globals *globals, struct job *job)
{
	const struct obs_service_options options = { .device = globals->device };

	job->error = obs_service_attach_with(job->name, &options, &job->service);
}

static int metric_write(struct obs_service *service, const struct obs_family_spec *spec,
			uint64_t value)
{
	struct obs_counter *counter;
	struct obs_gauge *gauge;
	int r;

	if (spec->kind == OBSRING_KIND_COUNTER) {
		r = obs_counter_new(service, spec, NULL, &counter);
		if (!r)
			obs_counter_add(counter, value);
	} else {
		r = obs_gauge_set_new(service, spec, NULL, &gauge);
		if (!r)
			r = obs_gauge_set(gauge, (int64_t)value);
	}
	return r > 0 ? -ENOSPC : r;
}

static void job_record(struct job *job, enum job_metric metric, uint64_t value)
{
	int r;

	if (!job->service)
		return;
	r = metric_write(job->service, &job_metrics[metric], value);
	if (!r) {
		job->recorded++;
	} else if (!job->error) {
		job->error = r;
		job->what = job_metrics[metric].name;
	}
}

static void job_warn(const struct job *job)
{
	if (!job->error)
		return;
	if (!job->service)
		fprintf(stderr, "obsringctl: nothing is recorded of this run: cannot attach "
			"to service \"%s\": %s\n", job->name, job->error == -EINVAL ?
			"the name is malformed" : produce_reason(job->error));
	else
		fprintf(stderr, "obsringctl: %s of this run is recorded: %s: %s\n",
			job->recorded ? "not all" : "nothing", job->what,
			produce_reason(job->error));
}

/*
 * We stay attached, so that the service does not come to its end meanwhile. Where that
 * failed it is tried again: the module may have been loaded since.
 */
static int job_run(const struct ctl_globals *globals, struct job *job, char **argv)
{
	uint64_t begun_ns = now_ns(CLOCK_MONOTONIC), start_ns = now_ns(CLOCK_REALTIME);
	struct rusage usage = { .ru_maxrss = 0 };
	int status;

	job_attach(globals, job);
	job_record(job, JOB_START, start_ns);
	status = child_run(argv, &usage);
	if (!job->service) {
		job_attach(globals, job);
		job_record(job, JOB_START, start_ns);
	}
	job_record(job, JOB_DURATION, now_ns(CLOCK_MONOTONIC) - begun_ns);
	job_record(job, JOB_END, now_ns(CLOCK_REALTIME));
	job_record(job, JOB_STATUS, (uint64_t)status);
	job_record(job, JOB_CPU, timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime));
	job_record(job, JOB_MAX_RSS, (uint64_t)usage.ru_maxrss * 1024);
	return status;
}

int ctl_run(const struct ctl_command *command, struct ctl_globals *globals, int argc,
	    char **argv)
{
	struct job job = { .name = NULL };
	const struct ctl_option options[] = {
		{ "service", NULL, &job.name, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int r, words, status;

	r = ctl_options_parse(command, globals, options, argc, argv, &words);
	if (r || globals->help)
		return r;
	if (!job.name)
		return ctl_misused(command, "--service is missing");
	if (!words)
		return ctl_misused(command, "a command is missing");
	argv[words] = NULL;
	status = job_run(globals, &job, argv);
	job_warn(&job);
	obs_service_detach(job.service);
	return status;
}
