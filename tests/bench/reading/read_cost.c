// SPDX-License-Identifier: MIT
/*
 * read_cost DEVICE ROUNDS WAY...: what reading 1000 counters takes, in each way: ROUNDS
 * times in turn, and a line "WAY MEDIAN LOWER-QUARTILE UPPER-QUARTILE" of ns for each. In
 * a guest that counts time in instructions (scripts/vm --icount) these are instructions.
 *
 *	mmap		all that DEVICE has, by libobsring
 *	netlink		those 1000 by the netlink family, decoded
 *	bpf_map		a per-CPU array of BPF, by one system call
 *	proc_stat	/proc/stat, unparsed
 *
 * Each has to find what was counted, or it fails.
 */
#include <fcntl.h>
#include <string.h>

#include <obsring.h>

#ifdef WITH_BPF
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#endif

#include "../cost.h"
#include "../tracers/watched.h"

#define COUNTERS	1000
#define COUNTED		7	/* each of them, at a time */
#define ROUNDS	1001	/* at most */
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static const char family_name[] = "bench_reads_total";

static void expect(const char *way, uint64_t sum)
{
	if (sum != COUNTERS * COUNTED)
		die("read_cost: %s: found %llu, not %u", way, (unsigned long long)sum,
		    COUNTERS * COUNTED);
}

/* ---- libobsring ---------------------------------------------------------- */

static struct {
	const char *path;
	struct obs_service *service;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
	struct obs_control *control;
} obs;

static void counters_make(void)
{
	const struct obs_family_spec spec = { .name = family_name, .nr_labels = 1,
					      .label = (const char *const[]){ "n" } };
	const struct obs_service_options options = { .device = obs.path };
	struct obs_counter *counter;
	char number[16];
	unsigned int i;

	if (obs_service_attach_with("bench", &options, &obs.service))
		die("read_cost: no service of %s", obs.path);
	for (i = 0; i < COUNTERS; i++) {
		snprintf(number, sizeof(number), "%u", i);
		if (obs_counter_new(obs.service, &spec, (const char *const[]){ number },
				    &counter))
			die("read_cost: no counter %u", i);
		obs_counter_add(counter, COUNTED);
	}
}

static void mmap_start(void)
{
	if (obs_device_open(obs.path, &obs.device) ||
	    obs_snapshot_new(obs.device, &obs.snapshot) ||
	    obs_snapshot_update(obs.snapshot) < 0)
		die("read_cost: %s can't be read", obs.path);
}

/* Whoever wants all values has them in arrays: that they are there is what costs. */
static void mmap_read(void)
{
	if (obs_snapshot_update(obs.snapshot))
		die("read_cost: something comes and goes");
}

static void mmap_check(void)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series = NULL;
	uint64_t sum = 0;

	do
		family = obs_family_next(obs.snapshot, family);
	while (family && strcmp(family->name, family_name));
	if (!family)
		die("read_cost: no %s", family_name);
	while ((series = obs_series_next(obs.snapshot, family, series)))
		sum += obs_series_counter(obs.snapshot, series);
	expect("mmap", sum);
}

static uint64_t dumped;

static int dump_series(const struct obs_series_values *series, void *arg)
{
	(void)arg;
	dumped += (uint64_t)series->number;
	return 0;
}

static void netlink_start(void)
{
	if (obs_control_open(&obs.control))
		die("read_cost: no netlink family");
}

static void netlink_read(void)
{
	dumped = 0;
	if (obs_series_dump(obs.control, family_name, false, -1, dump_series, NULL))
		die("read_cost: dump: %s", obs_control_error(obs.control));
}

static void netlink_check(void)
{
	expect("netlink", dumped);
}

/* ---- BPF ----------------------------------------------------------------- */

#ifdef WITH_BPF
static struct {
	int map, nr_cpus;
	uint64_t *value;
	uint32_t key[COUNTERS];
} bpf;

static void bpf_start(void)
{
	unsigned int i;

	bpf.nr_cpus = libbpf_num_possible_cpus();
	bpf.value = calloc((size_t)bpf.nr_cpus * COUNTERS, sizeof(*bpf.value));
	bpf.map = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "bench", sizeof(uint32_t),
				 sizeof(uint64_t), COUNTERS, NULL);
	if (bpf.map < 0 || !bpf.value)
		die("read_cost: no BPF map");
	bpf.value[0] = COUNTED;
	for (i = 0; i < COUNTERS; i++)
		if (bpf_map_update_elem(bpf.map, &i, bpf.value, BPF_ANY))
			die("read_cost: no element %u", i);
}

static void bpf_read(void)
{
	uint32_t nr = COUNTERS, next;

	/* ENOENT says that there are no more. */
	bpf_map_lookup_batch(bpf.map, NULL, &next, bpf.key, bpf.value, &nr, NULL);
	if (nr != COUNTERS)
		die("read_cost: %u elements", nr);
}

static void bpf_check(void)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < COUNTERS * bpf.nr_cpus; i++)
		sum += bpf.value[i];
	expect("bpf_map", sum);
}
#endif

/* ---- /proc --------------------------------------------------------------- */

static char stat_text[1 << 20];
static ssize_t stat_bytes;
static int stat_fd;

static void stat_start(void)
{
	stat_fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	if (stat_fd < 0)
		die("read_cost: no /proc/stat");
}

static void stat_read(void)
{
	stat_bytes = pread(stat_fd, stat_text, sizeof(stat_text) - 1, 0);
}

static void stat_check(void)
{
	if (stat_bytes < 100 || strncmp(stat_text, "cpu ", 4))
		die("read_cost: /proc/stat has nothing");
}

/* ---- Rounds -------------------------------------------------------------- */

static const struct way {
	const char *name;
	void (*start)(void);
	void (*read)(void);
	void (*check)(void);
} ways[] = {
	{ "mmap", mmap_start, mmap_read, mmap_check },
	{ "netlink", netlink_start, netlink_read, netlink_check },
#ifdef WITH_BPF
	{ "bpf_map", bpf_start, bpf_read, bpf_check },
#endif
	{ "proc_stat", stat_start, stat_read, stat_check },
};

static const struct way *way_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR(ways); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	die("read_cost: no way %s", name);
	return NULL;
}

static int64_t timed(const struct way *way)
{
	int64_t begun = now_ns();

	way->read();
	return now_ns() - begun;
}

int main(int argc, char **argv)
{
	static int64_t ns[NR(ways)][ROUNDS];
	const struct way *way[NR(ways)];
	int rounds, round, i, nr = argc - 3;

	rounds = argc > 3 ? atoi(argv[2]) : 0;
	if (rounds < 1 || rounds > ROUNDS || nr > (int)NR(ways))
		die("usage: read_cost DEVICE ROUNDS WAY..., 1 to %u", ROUNDS);
	obs.path = argv[1];
	counters_make();
	for (i = 0; i < nr; i++) {
		way[i] = way_find(argv[3 + i]);
		way[i]->start();
		way[i]->read();
	}
	for (round = 0; round < rounds; round++)
		for (i = 0; i < nr; i++)
			ns[i][round] = timed(way[i]);
	for (i = 0; i < nr; i++) {
		way[i]->check();
		rounds_tell(way[i]->name, ns[i], rounds, 1);
	}
	obs_service_detach(obs.service);
	return 0;
}
