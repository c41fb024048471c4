// SPDX-License-Identifier: GPL-2.0-only
/* Rings around include/obsring/ring.h: memory, and which is whose. */
#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "logring.h"

/**
 * struct cpu_rings - a CPU's rings
 * @writer: by origin; written by this CPU alone
 * @control: what readers see of them
 */
struct cpu_rings {
	struct obs_ring_writer writer[OBS_ORIGINS];
	struct obsring_ring control[OBS_ORIGINS] __aligned(128);
};

static struct cpu_rings __percpu *rings;
static u64 ring_bytes;

bool obs_logring_put(enum obsring_origin origin,
		     const union obs_record_buffer *record, u32 *overwritten)
{
	struct obs_ring_writer *writer = &this_cpu_ptr(rings)->writer[origin];

	return obs_ring_write(writer, record->word,
			      obs_record_words(record->head.size), overwritten);
}

bool obs_logring_view(unsigned int index, struct obs_ring_view *ret)
{
	unsigned int cpu = index / OBS_ORIGINS;
	const struct obs_ring_writer *writer;

	if (!cpu_possible(cpu))
		return false;
	writer = &per_cpu_ptr(rings, cpu)->writer[index % OBS_ORIGINS];
	ret->ring = writer->ring;
	ret->line = writer->line;
	ret->nr_lines = writer->mask + 1;
	return true;
}

u64 obs_logring_bytes(void)
{
	return ring_bytes;
}

static int ring_new(unsigned int cpu, enum obsring_origin origin,
		    unsigned long bytes)
{
	struct cpu_rings *mine = per_cpu_ptr(rings, cpu);
	struct obsring_ring *control = &mine->control[origin];
	struct obsring_line *line;

	line = vzalloc_node(bytes, cpu_to_node(cpu));
	if (!line)
		return -ENOMEM;
	obs_ring_init(&mine->writer[origin], control, line,
		      bytes / sizeof(*line));
	control->cpu = cpu;
	control->origin = origin;
	ring_bytes += bytes;
	return 0;
}

int obs_logring_init(const unsigned long bytes[OBS_ORIGINS])
{
	unsigned int cpu;
	int origin, ret;

	BUILD_BUG_ON(sizeof(struct obsring_line) != 64);
	BUILD_BUG_ON(sizeof(struct obsring_ring) != 128);
	BUILD_BUG_ON(sizeof(struct obsring_record) != 56);
	BUILD_BUG_ON(OBS_RECORD_BYTES_MAX > OBS_RING_RECORD_WORDS * sizeof(u64));
	BUILD_BUG_ON(OBSRING_RING_LINES_MIN < OBSRING_RECORD_LINES_MAX);

	ring_bytes = 0;
	rings = alloc_percpu(struct cpu_rings);
	if (!rings)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		for (origin = 0; origin < OBS_ORIGINS; origin++) {
			ret = ring_new(cpu, origin, bytes[origin]);
			if (ret) {
				obs_logring_exit();
				return ret;
			}
		}
	return 0;
}

void obs_logring_exit(void)
{
	unsigned int cpu;
	int origin;

	for_each_possible_cpu(cpu)
		for (origin = 0; origin < OBS_ORIGINS; origin++)
			vfree(per_cpu_ptr(rings, cpu)->writer[origin].line);
	free_percpu(rings);
	rings = NULL;
}
