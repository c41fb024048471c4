/* SPDX-License-Identifier: MIT */
#ifndef LIBOBSRING_SNAPSHOT_H
#define LIBOBSRING_SNAPSHOT_H

#include "directory.h"
#include "values.h"

/**
 * struct obs_snapshot - the directory and the values as of one moment
 * @device: what it is read from
 * @directory: families and series
 * @values: their values
 * @generation: how often the directory changed
 * @time_ns: when the values were read
 * @nr_retries: how often values were read again because the directory moved
 * @nr_dropped: how often series were told apart by their generations
 */
struct obs_snapshot {
	struct obs_device *device;
	struct obs_directory directory;
	struct obs_values values;
	uint64_t generation;
	uint64_t time_ns;
	uint64_t nr_retries;
	uint64_t nr_dropped;
};

#endif /* LIBOBSRING_SNAPSHOT_H */
