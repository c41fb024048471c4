// SPDX-License-Identifier: MIT
/*
 * bpf_cost OBJECT WAY SEEN PROGRAM ARG...: runs PROGRAM with the programs of a way
 * (bpf_cost.bpf.c, compiled) attached by libbpf, and fails unless they saw so many
 * events and kept all of them.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "watched.h"

#define PROGRAMS_MAX	2
#define PERF_PAGES	512	/* 2 MiB: what nobody reads meanwhile */

static unsigned long long seen;

/* ---- What was seen ------------------------------------------------------- */

static void sum_percpu(int map)
{
	int nr_cpus = libbpf_num_possible_cpus(), i;
	__u64 *value = calloc(nr_cpus, sizeof(*value));
	__u32 key, *last = NULL;

	for (; !bpf_map_get_next_key(map, last, &key); last = &key) {
		if (bpf_map_lookup_elem(map, &key, value))
			continue;
		for (i = 0; i < nr_cpus; i++)
			seen += value[i];
	}
	free(value);
}

static void sum(int map)
{
	__u32 key, *last = NULL;
	__u64 value;

	for (; !bpf_map_get_next_key(map, last, &key); last = &key)
		if (!bpf_map_lookup_elem(map, &key, &value))
			seen += value;
}

static int ring_record(void *context, void *data, size_t bytes)
{
	(void)context;
	(void)data;
	seen += bytes == 64;
	return 0;
}

static void records(int map)
{
	struct ring_buffer *ring = ring_buffer__new(map, ring_record, NULL, NULL);

	if (!ring || ring_buffer__consume(ring) < 0)
		die("bpf_cost: the ring can't be read: %s", strerror(errno));
	ring_buffer__free(ring);
}

static void perf_record(void *context, int cpu, void *data, __u32 bytes)
{
	(void)context;
	(void)cpu;
	(void)data;
	seen += bytes >= 64;
}

/* ---- Ways ---------------------------------------------------------------- */

struct way {
	const char *name;
	const char *program[PROGRAMS_MAX];
	const char *map;
	void (*count)(int map);	/* NULL: perf buffers, made beforehand */
};

static const struct way ways[] = {
	{ "raw_array", { "raw_array" }, "array", sum_percpu },
	{ "tp_array", { "tp_array" }, "array", sum_percpu },
	{ "kprobe_array", { "kprobe_array" }, "array", sum_percpu },
	{ "fentry_array", { "fentry_array" }, "array", sum_percpu },
	{ "uprobe_array", { "uprobe_array" }, "array", sum_percpu },
	{ "raw_array_by_id", { "raw_array_by_id" }, "array", sum_percpu },
	{ "raw_percpu_hash_by_id", { "raw_percpu_hash_by_id" }, "percpu_hash", sum_percpu },
	{ "raw_hash_by_id", { "raw_hash_by_id" }, "hash", sum },
	{ "tp_hash_by_id", { "tp_hash_by_id" }, "hash", sum },
	{ "raw_latency", { "raw_latency_enter", "raw_latency_exit" }, "array", sum_percpu },
	{ "raw_ring", { "raw_ring" }, "ring", records },
	{ "raw_ring_both", { "raw_ring_enter", "raw_ring_exit" }, "ring", records },
	{ "kprobe_ring", { "kprobe_ring" }, "ring", records },
	{ "raw_perf", { "raw_perf" }, "perf", NULL },
};

static const struct way *way_find(const char *name)
{
	const struct way *way;

	for (way = ways; way < ways + sizeof(ways) / sizeof(*ways); way++)
		if (!strcmp(way->name, name))
			return way;
	die("bpf_cost: no way %s", name);
	return NULL;
}

/* Of all programs, those of the way alone are loaded. */
static struct bpf_object *load(const char *path, const struct way *way)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	unsigned int i;
	bool wanted;

	if (!object)
		die("bpf_cost: %s: %s", path, strerror(errno));
	bpf_object__for_each_program(program, object) {
		wanted = false;
		for (i = 0; i < PROGRAMS_MAX && way->program[i]; i++)
			wanted |= !strcmp(bpf_program__name(program), way->program[i]);
		bpf_program__set_autoload(program, wanted);
	}
	if (bpf_object__load(object))
		die("bpf_cost: %s: can't be loaded: %s", way->name, strerror(errno));
	return object;
}

static void attach(struct bpf_object *object, const struct way *way, const char *watched)
{
	LIBBPF_OPTS(bpf_uprobe_opts, at, .func_name = "event_cost_target");
	struct bpf_program *program;
	struct bpf_link *link;
	unsigned int i;

	for (i = 0; i < PROGRAMS_MAX && way->program[i]; i++) {
		program = bpf_object__find_program_by_name(object, way->program[i]);
		if (!strcmp(bpf_program__section_name(program), "uprobe"))
			link = bpf_program__attach_uprobe_opts(program, -1, watched, 0, &at);
		else
			link = bpf_program__attach(program);
		if (!link)
			die("bpf_cost: %s: can't be attached: %s", way->name, strerror(errno));
	}
}

int main(int argc, char **argv)
{
	struct perf_buffer *buffer = NULL;
	struct bpf_object *object;
	const struct way *way;
	int map;

	if (argc < 5)
		die("usage: bpf_cost OBJECT WAY SEEN PROGRAM ARG...");
	way = way_find(argv[2]);
	object = load(argv[1], way);
	map = bpf_object__find_map_fd_by_name(object, way->map);
	if (!way->count) {
		buffer = perf_buffer__new(map, PERF_PAGES, perf_record, NULL, NULL, NULL);
		if (!buffer)
			die("bpf_cost: no perf buffers: %s", strerror(errno));
	}
	attach(object, way, argv[4]);
	watched_run(argv + 4);
	if (buffer)
		perf_buffer__consume(buffer);
	else
		way->count(map);
	watched_seen(way->name, seen, argv[3]);
	return 0;
}
