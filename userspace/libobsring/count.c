// SPDX-License-Identifier: MIT
/*
 * Updates. Any thread, signal handlers and children of fork() included: nothing here
 * locks, allocates or fails, and all that is written is the series' slots.
 */
#include <errno.h>
#include <time.h>

/* Here are the functions that are called where they are not inline. */
#define OBSRING_NO_INLINE

#include <obsring/state.h>

#include "handle.h"

static const struct obs_handle *handle_of(const void *handle)
{
	return handle;
}

void obs_counter_add(struct obs_counter *counter, uint64_t n)
{
	if (counter)
		obs_rows_add(&handle_of(counter)->rows, 0, n);
}

int obs_gauge_add(struct obs_gauge *gauge, int64_t delta)
{
	const struct obs_handle *handle = handle_of(gauge);

	if (!handle)
		return 0;
	if (!handle->share)
		return -EINVAL;
	/* Its page is one for all CPUs. */
	__atomic_fetch_add(handle->share, (uint64_t)delta, __ATOMIC_RELAXED);
	return 0;
}

int obs_gauge_set(struct obs_gauge *gauge, int64_t value)
{
	const struct obs_handle *handle = handle_of(gauge);

	if (!handle)
		return 0;
	if (handle->share)
		return -EINVAL;
	obs_write_once(handle->rows.shared, (uint64_t)value);
	return 0;
}

void obs_histogram_observe(struct obs_histogram *histogram, uint64_t value)
{
	const struct obs_handle *handle = handle_of(histogram);

	if (!handle)
		return;
	/* Bucket b is slot 1 + b: a kill between the two leaves it without its sum. */
	obs_rows_add(&handle->rows, 1 + obs_histogram_bucket(&handle->layout, value), 1);
	obs_rows_add(&handle->rows, 0, value);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct obs_timer obs_timer_start(void)
{
	return (struct obs_timer){ .begun_ns = now_ns() };
}

uint64_t obs_timer_observe(const struct obs_timer *timer, struct obs_histogram *histogram)
{
	uint64_t spent_ns = now_ns() - timer->begun_ns;

	obs_histogram_observe(histogram, spent_ns);
	return spent_ns;
}

int obs_state_update(struct obs_state *state_set, uint64_t version, unsigned int state)
{
	const struct obs_handle *handle = handle_of(state_set);

	if (!handle)
		return -ENOENT;
	if (!version || version > OBS_STATE_VERSION_MAX || state > OBS_STATE_MAX)
		return -EINVAL;
	return obs_state_word_update(handle->rows.shared, version, (__u8)state);
}

uint64_t obs_state_get(const struct obs_state *state_set, unsigned int *ret_state)
{
	const struct obs_handle *handle = handle_of(state_set);
	uint64_t word = handle ? obs_state_word_get(handle->rows.shared) : 0;

	*ret_state = obs_state_state(word);
	return obs_state_version(word);
}
