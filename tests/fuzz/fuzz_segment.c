// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any file in the device's place is read or refused. What follows the
 * image changes it between two updates: 4 bytes a change, of which 3 are the
 * place and one is what to write there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <obsring.h>

#include "door.h"
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void require(int holds)
{
	if (!holds)
		abort();
}

static void strings_use(const char *const *string, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		sink += strlen(string[i]);
}

/* @found of them, or an error: all are in their range and of a trace. */
static void exemplars_use(const struct obs_family_info *family,
			  const struct obs_exemplar *exemplar, int found)
{
	static const uint8_t none[16];
	unsigned int range, last;

	for (range = 0; found > 0; range++, exemplar++) {
		require(range < obs_family_nr_ranges(family));
		if (!exemplar->time_ns)
			continue;
		last = obs_family_range_last(family, range);
		require(last == family->nr_bounds ||
			exemplar->value <= family->bound[last]);
		require(memcmp(exemplar->trace_id, none, sizeof(exemplar->trace_id)) &&
			memcmp(exemplar->span_id, none, sizeof(exemplar->span_id)));
		found--;
	}
}

static void series_use(const struct obs_device *device,
		       const struct obs_snapshot *snapshot,
		       const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
	uint64_t slots[OBSRING_SLOTS_MAX];
	unsigned int is;
	int cpu = -1;

	strings_use(series->value, family->nr_labels);
	sink += obs_series_state(snapshot, series, &is) + is;
	sink += (uint64_t)obs_series_row(snapshot, series, OBSRING_CPU_SHARED, slots, 1);
	sink += obs_series_counter(snapshot, series) + obs_series_count(snapshot, series);
	while ((cpu = obs_cpu_next(device, cpu)) >= 0)
		sink += (uint64_t)obs_series_row(snapshot, series, (unsigned int)cpu,
						 slots, 1);
	exemplars_use(family, exemplar,
		      obs_series_exemplars(snapshot, series, exemplar,
					   series->nr_exemplars));
}

static void snapshot_use(const struct obs_device *device,
			 const struct obs_snapshot *snapshot)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series;
	unsigned int i, nr;

	while ((family = obs_family_next(snapshot, family))) {
		sink += strlen(family->name) + strlen(family->help) +
			strlen(family->unit);
		strings_use(family->label, family->nr_labels);
		strings_use(family->state, family->nr_states);
		for (i = 0; i < family->nr_bounds; i++)
			require(obs_family_bound(family, i) <=
				obs_family_bound(family, i + 1));
		nr = 0;
		series = NULL;
		while ((series = obs_series_next(snapshot, family, series))) {
			require(series->family == family);
			series_use(device, snapshot, series);
			nr++;
		}
		require(nr == obs_family_nr_series(snapshot, family));
	}
}

static void device_use(struct obs_device *device, int fd, const uint8_t *changes,
		       size_t nr)
{
	struct obs_snapshot *snapshot;
	uint64_t generation;
	size_t i;
	int r;

	require(!obs_snapshot_new(device, &snapshot));
	obs_snapshot_update(snapshot);
	snapshot_use(device, snapshot);
	for (i = 0; i < nr; i++, changes += 4) {
		off_t at = (changes[0] | changes[1] << 8 | changes[2] << 16) %
			   IMAGE_BYTES;

		require(pwrite(fd, changes + 3, 1, at) == 1);
		if (i % 4 != 3)
			continue;
		generation = obs_snapshot_generation(snapshot);
		r = obs_snapshot_update(snapshot);
		require(obs_snapshot_generation(snapshot) == generation + (r == 1));
		snapshot_use(device, snapshot);
	}
	obs_snapshot_free(snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t image = size < IMAGE_BYTES ? size : IMAGE_BYTES;
	struct obs_device *device;
	char path[32];
	int fd;

	fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && pwrite(fd, data, image, 0) == (ssize_t)image);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	door_watch();
	if (!obs_device_open(path, &device)) {
		door_pass();
		device_use(device, fd, data + image, (size - image) / 4);
		obs_device_close(device);
	}
	close(fd);
	return 0;
}
