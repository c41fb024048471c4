// SPDX-License-Identifier: MIT
/* Opening the log: options, rings, and the place to begin at. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define ALL_LEVELS	0xffU
#define ALL_ORIGINS	((2U << OBSRING_ORIGIN_MAX) - 1)
#define WINDOW_NS_MAX	3600000000000ULL

static const struct obs_log_options everything;

static bool options_valid(const struct obs_log_options *options)
{
	return (unsigned int)options->start <= OBS_LOG_SINCE_MONOTONIC &&
	       options->window_ns <= WINDOW_NS_MAX && options->levels <= ALL_LEVELS &&
	       options->origins <= ALL_ORIGINS;
}

/* CLOCK_MONOTONIC before which nothing is wanted; 0: no such time. */
static uint64_t since(const struct obs_log_options *options)
{
	uint64_t realtime_ns = obs_log_realtime();

	switch (options->start) {
	case OBS_LOG_SINCE_MONOTONIC:
		return options->since_ns;
	case OBS_LOG_SINCE_REALTIME:
		/* Before the machine was started? Then all is since. */
		return options->since_ns > realtime_ns ?
		       options->since_ns - realtime_ns : 0;
	default:
		return 0;
	}
}

static int options_take(struct obs_log *log, const struct obs_log_options *options)
{
	log->since_ns = since(options);
	log->window_ns = options->window_ns;
	log->levels = options->levels ?: ALL_LEVELS;
	log->origins = options->origins ?: ALL_ORIGINS;
	if (options->trace_id) {
		log->has_trace_id = true;
		memcpy(log->trace_id, options->trace_id, sizeof(log->trace_id));
	}
	if (options->source) {
		log->source = strdup(options->source);
		if (!log->source)
			return -ENOMEM;
	}
	return 0;
}

/* Pass over what is too old: it is not the log's, even if it is lost meanwhile. */
static int skip(struct obs_log *log, struct obs_log_merged *merged)
{
	struct obs_logring *ring = &merged->ring;
	uint64_t left = 1 + (uint64_t)ring->view.nr_lines;
	union {
		__u64 word[OBSRING_LINE_WORDS];
		struct obsring_record head;
	} copy;
	int r;

	do {
		r = obs_logring_peek(ring, log->device, copy.word, OBSRING_LINE_WORDS,
				     &merged->peeked);
		if (r == OBS_RING_RECORD && copy.head.time_ns < log->since_ns)
			obs_log_pass(merged);
		else if (r != OBS_RING_LOST)
			break;
	} while (--left);
	ring->lost = 0;
	return r < 0 ? r : 0;
}

static int start(struct obs_log *log, enum obs_log_start where)
{
	uint32_t i;
	int r;

	for (i = 0; i < log->nr; i++) {
		struct obs_log_merged *merged = &log->merged[i];

		obs_logring_init(&merged->ring, log->device, i);
		r = obs_logring_seek(&merged->ring, log->device,
				     where != OBS_LOG_NEWEST);
		if (!r && log->since_ns)
			r = skip(log, merged);
		if (r)
			return r;
	}
	return 0;
}

/* A ring for each CPU and origin, of which memory may stand behind more; or any. */
static int rings_count(const struct obs_device *device, uint32_t *ret_nr)
{
	uint32_t max = device->nr_cpus * (OBSRING_ORIGIN_MAX + 1), nr;
	int r;

	if (!device->region[OBSRING_REGION_RINGS].size ||
	    !device->region[OBSRING_REGION_LOG].size)
		return -EOPNOTSUPP;
	r = obs_region_nr(device, OBSRING_REGION_RINGS, &nr);
	if (r)
		return r;
	if (device->region[OBSRING_REGION_HOST].size)
		max = nr;
	*ret_nr = nr < max ? nr : max;
	return 0;
}

static int open_device(struct obs_device *device, const struct obs_log_options *options,
		       struct obs_log **ret_log)
{
	struct obs_log *log;
	uint32_t nr;
	int r;

	r = rings_count(device, &nr);
	if (r)
		return r;
	log = calloc(1, sizeof(*log) + nr * sizeof(log->merged[0]));
	if (!log)
		return -ENOMEM;
	r = options_take(log, options);
	log->device = device;
	log->nr = nr;
	if (!r)
		r = obs_log_merge_init(log);
	if (!r)
		r = start(log, options->start);
	if (r) {
		log->device = NULL;
		obs_log_close(log);
		return r;
	}
	*ret_log = log;
	return 0;
}

int obs_log_open(const char *path, const struct obs_log_options *options,
		 struct obs_log **ret_log)
{
	struct obs_device *device;
	int r;

	options = options ?: &everything;
	if (!options_valid(options))
		return -EINVAL;
	r = obs_device_open(path, &device);
	if (r)
		return r;
	r = open_device(device, options, ret_log);
	if (r)
		obs_device_close(device);
	return r;
}

void obs_log_close(struct obs_log *log)
{
	uint32_t i;

	if (!log)
		return;
	for (i = 0; i < log->nr; i++)
		obs_logring_exit(&log->merged[i].ring);
	obs_log_merge_exit(log);
	free(log->source);
	obs_device_close(log->device);
	free(log);
}
