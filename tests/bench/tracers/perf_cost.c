// SPDX-License-Identifier: MIT
/*
 * perf_cost WAY SEEN PROGRAM ARG...: runs PROGRAM with perf events of the kernel on that
 * tell of all system calls, on all processors, and fails unless they told of so many.
 *
 *	count		as `perf stat -a -e raw_syscalls:sys_enter`
 *	record		as `perf record -a -e raw_syscalls:sys_enter`, each event, to a ring
 *			that overwrites (--overwrite), for nobody reads meanwhile
 *	record_both	entry and exit
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "watched.h"

#define PAGES		512	/* a power of two */
#define CPUS_MAX	64
#define RAW		"/sys/kernel/tracing/events/raw_syscalls/"

struct counter {
	int fd;
	const struct perf_event_mmap_page *ring;
};

static struct counter counters[2 * CPUS_MAX];
static unsigned int nr_counters;

static unsigned long long event_id(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long id;

	if (!file || fscanf(file, "%llu", &id) != 1)
		die("perf_cost: %s: %s", path, strerror(errno));
	fclose(file);
	return id;
}

static void open_on(int cpu, const char *path, bool record)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct counter *c = &counters[nr_counters++];
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = event_id(path),
	};

	if (record) {
		attr.sample_period = 1;
		attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
				   PERF_SAMPLE_PERIOD | PERF_SAMPLE_RAW;
		attr.write_backward = 1;
	}
	c->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (c->fd < 0)
		die("perf_cost: no event: %s", strerror(errno));
	if (!record)
		return;
	c->ring = mmap(NULL, (PAGES + 1) * page, PROT_READ, MAP_SHARED, c->fd, 0);
	if (c->ring == MAP_FAILED)
		die("perf_cost: no ring: %s", strerror(errno));
}

/* The ring is filled from its end: the newest record is the first one. */
static unsigned long long samples(const struct counter *c)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PAGES * page;
	size_t bytes = (size_t)-c->ring->data_head;
	const char *end = (const char *)c->ring + page + size, *at = end - bytes;
	const struct perf_event_header *header;
	unsigned long long nr = 0;

	if (bytes > size)
		die("perf_cost: the ring is too small");
	for (; at < end; at += header->size) {
		header = (const struct perf_event_header *)at;
		nr += header->type == PERF_RECORD_SAMPLE;
	}
	return nr;
}

static unsigned long long told(const struct counter *c)
{
	unsigned long long count;

	if (c->ring)
		return samples(c);
	if (read(c->fd, &count, sizeof(count)) != sizeof(count))
		die("perf_cost: no count: %s", strerror(errno));
	return count;
}

int main(int argc, char **argv)
{
	bool record, both;
	unsigned long long seen = 0;
	unsigned int i;
	int cpu;

	if (argc < 4)
		die("usage: perf_cost WAY SEEN PROGRAM ARG...");
	both = !strcmp(argv[1], "record_both");
	record = both || !strcmp(argv[1], "record");
	if (!record && strcmp(argv[1], "count"))
		die("perf_cost: no way %s", argv[1]);
	for (cpu = 0; cpu < (int)sysconf(_SC_NPROCESSORS_ONLN) && cpu < CPUS_MAX; cpu++) {
		open_on(cpu, RAW "sys_enter/id", record);
		if (both)
			open_on(cpu, RAW "sys_exit/id", record);
	}
	watched_run(argv + 3);
	for (i = 0; i < nr_counters; i++)
		seen += told(&counters[i]);
	watched_seen(argv[1], seen, argv[2]);
	return 0;
}
