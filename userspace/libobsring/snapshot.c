// SPDX-License-Identifier: MIT
/*
 * Snapshots: the directory, then the values, then whether the directory stood
 * still meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <obsring/directory.h>

#include "snapshot.h"

/* How often to hope for a directory that stands still. */
#define ROUNDS_MAX	4

int obs_snapshot_new(struct obs_device *device, struct obs_snapshot **ret_snapshot)
{
	struct obs_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	snapshot->device = device;
	obs_values_init(&snapshot->values, device);
	obs_directory_init(&snapshot->directory, device, &snapshot->values);
	*ret_snapshot = snapshot;
	return 0;
}

void obs_snapshot_free(struct obs_snapshot *snapshot)
{
	if (!snapshot)
		return;
	obs_directory_exit(&snapshot->directory);
	obs_values_exit(&snapshot->values);
	free(snapshot);
}

/*
 * If the directory never stands still, its series are good one by one: the
 * values of one whose generation is unchanged were its own all the while.
 */
static int snapshot_read(struct obs_snapshot *snapshot)
{
	struct obs_directory *directory = &snapshot->directory;
	unsigned int round;
	int r;

	for (round = 0; round < ROUNDS_MAX; round++) {
		r = obs_directory_read(directory);
		if (r)
			return r;
		obs_values_read(&snapshot->values);
		if (obs_journal_quiet(snapshot->device->header, directory->end))
			return 0;
		snapshot->nr_retries++;
	}
	snapshot->nr_dropped++;
	return obs_directory_drop_stale(directory);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int obs_snapshot_update(struct obs_snapshot *snapshot)
{
	int r;

	if (obs_device_draining(snapshot->device))
		return -ESHUTDOWN;
	r = obs_device_check_size(snapshot->device);
	if (!r) {
		obs_device_tidy(snapshot->device);
		r = snapshot_read(snapshot);
	}
	if (r) {
		obs_directory_forget(&snapshot->directory);
		return r;
	}
	obs_values_show(&snapshot->values);
	snapshot->time_ns = now_ns();
	if (!obs_directory_show(&snapshot->directory))
		return 0;
	snapshot->generation++;
	return 1;
}

void obs_snapshot_watch(struct obs_snapshot *snapshot,
			const struct obs_snapshot_events *events)
{
	snapshot->directory.events = events ? *events :
				     (struct obs_snapshot_events){ 0 };
}

uint64_t obs_snapshot_generation(const struct obs_snapshot *snapshot)
{
	return snapshot->generation;
}

uint64_t obs_snapshot_time_ns(const struct obs_snapshot *snapshot)
{
	return snapshot->time_ns;
}
