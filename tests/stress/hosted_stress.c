// SPDX-License-Identifier: MIT
/*
 * A hosted segment under processes that are killed at any moment: each attaches to one
 * of a few services, makes series, counts, adds to gauges, logs, forks and leaves, in
 * turns, until it gets SIGKILL. Beside it a reader looks on. Then:
 *
 *   counted   what was finished is there, and at most the update that each victim was in
 *   gauges    are back at zero, nobody is a member
 *   the log   each record that was begun is read, or counted as lost, by a reader that
 *             was there from the beginning; those that are stored are, and at most the
 *             one that each victim was in is in no count
 *   readers   never meet anything damaged, and end where the writers do
 *   mended    it happened: a victim had the directory's lock, another one was within
 *             a record
 *
 * usage: hosted_stress [SECONDS]	exit 0: as it should be; 1: not
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <obsring.h>

#define VICTIMS		4
#define SERVICES	3
#define LABELS		40
#define LIFE_US		3000	/* at most, of a victim that began */

/* What victims have finished, in memory that outlives them. */
static struct {
	uint64_t counted;
	uint64_t begun;
} *shared;

static char path[64];
static uint64_t seed = 0x9e3779b97f4a7c15ULL;
static unsigned int kills, failures;

static const char *const op = "op";

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(1);
}

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	printf("not so: %s\n", what);
	failures++;
}

/* ---- Victims ------------------------------------------------------------- */

static void turn(struct obs_log_writer *writer)
{
	const struct obs_service_options options = { .device = path };
	const struct obs_log_field field = { "key", "value" };
	char name[8], label[8];
	const char *value = label;
	struct obs_counter *counter;
	struct obs_service *service;
	struct obs_gauge *gauge;
	unsigned int i;

	snprintf(name, sizeof(name), "s%u", (unsigned int)(random64() % SERVICES));
	snprintf(label, sizeof(label), "%u", (unsigned int)(random64() % LABELS));
	must(obs_service_attach_with(name, &options, &service), "attach");
	must(obs_counter_new(service, &(struct obs_family_spec){ .name = "turns_total",
		.nr_labels = 1, .label = &op }, &value, &counter), "counter");
	must(obs_gauge_new(service, &(struct obs_family_spec){ .name = "turning" }, NULL,
			   &gauge), "gauge");
	obs_gauge_add(gauge, 3);
	for (i = 0; i < 200; i++) {
		obs_counter_add(counter, 1);
		__atomic_fetch_add(&shared->counted, 1, __ATOMIC_RELAXED);
		obs_log_write(writer, 6, NULL, &field, random64() % 2, "a record of some length");
	}
	obs_gauge_add(gauge, -1);
	if (random64() % 4 == 0 && !fork()) {
		obs_gauge_add(gauge, 5);
		raise(SIGKILL);
	}
	/* What is added stays when it leaves nothing undone: leaving takes it back. */
	obs_service_detach(service);
}

static void victim(uint64_t number)
{
	struct obs_log_writer *writer;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	seed ^= number * 0xbf58476d1ce4e5b9ULL;
	must(obs_log_writer_open(path, "victim", &writer), "log");
	__atomic_fetch_add(&shared->begun, 1, __ATOMIC_RELAXED);
	for (;;)
		turn(writer);
}

static pid_t victim_start(void)
{
	static uint64_t number;
	uint64_t before = __atomic_load_n(&shared->begun, __ATOMIC_RELAXED);
	pid_t pid;

	number++;
	pid = fork();
	if (!pid)
		victim(number);
	must(pid < 0 ? -errno : 0, "fork");
	/* Its life begins when it is there. */
	while (__atomic_load_n(&shared->begun, __ATOMIC_RELAXED) == before &&
	       !waitpid(pid, NULL, WNOHANG))
		usleep(50);
	return pid;
}

static void victim_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	must(waitpid(pid, &status, 0) == pid ? 0 : -ECHILD, "a victim ended by itself");
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a victim is killed");
	kills++;
}

/*
 * One is stepped, before the others are there, until it has reserved a record, and
 * killed then: in the storm too few are within one to rely on.
 */
struct rings {
	struct obs_device *device;
	const uint8_t *base;
	size_t size;
	uint32_t nr, entry_size;
};

static void rings_map(struct rings *rings, int fd)
{
	const struct obsring_region *region;

	must(obs_device_open(path, &rings->device), "open");
	region = &obs_device_header(rings->device)->region[OBSRING_REGION_RINGS];
	rings->size = region->size;
	rings->nr = region->nr;
	rings->entry_size = region->entry_size;
	rings->base = mmap(NULL, rings->size, PROT_READ, MAP_SHARED, fd, (off_t)region->offset);
	must(rings->base == MAP_FAILED ? -errno : 0, "map the rings");
}

static void rings_unmap(struct rings *rings)
{
	munmap((void *)rings->base, rings->size);
	obs_device_close(rings->device);
}

/* Changes with each record that is reserved. */
static uint64_t heads(const struct rings *rings)
{
	const struct obsring_ring *ring;
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < rings->nr; i++) {
		ring = (const void *)(rings->base + (size_t)i * rings->entry_size);
		sum += __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
	}
	return sum;
}

static void stop_wait(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) ? 0 : -ECHILD,
	     "a victim that is stepped stops");
}

/* Has it reserved a record within so many steps? Between its records are few. */
static bool step_into_record(pid_t pid, const struct rings *rings)
{
	uint64_t before;
	unsigned int i;

	must(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) ? -errno : 0, "stop a victim");
	stop_wait(pid);
	before = heads(rings);
	for (i = 0; i < 20000; i++) {
		must(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ? -errno : 0, "step a victim");
		stop_wait(pid);
		if (heads(rings) != before)
			return true;
	}
	return false;
}

static void kill_within_record(int fd)
{
	struct rings rings;
	uint64_t before;
	pid_t pid;

	rings_map(&rings, fd);
	pid = victim_start();
	must(ptrace(PTRACE_SEIZE, pid, NULL, NULL) ? -errno : 0, "trace a victim");
	/* It writes many between attaching and leaving, each of which is long to step. */
	for (;;) {
		before = __atomic_load_n(&shared->counted, __ATOMIC_RELAXED);
		while (__atomic_load_n(&shared->counted, __ATOMIC_RELAXED) == before)
			;
		if (step_into_record(pid, &rings))
			break;
		must(ptrace(PTRACE_CONT, pid, NULL, NULL) ? -errno : 0, "let a victim go");
	}
	victim_kill(pid);
	rings_unmap(&rings);
}

/* ---- Reading ------------------------------------------------------------- */

static uint64_t log_read(struct obs_log *log)
{
	const struct obs_log_entry *entry;
	uint64_t nr = 0;
	int r;

	while ((r = obs_log_next(log, &entry)) > 0)
		nr++;
	must(r, "read the log");
	return nr;
}

/* The sum of a family's series now, of a new look that tidies. */
static int64_t sum(const char *name, const char *last_value)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	struct obs_snapshot *snapshot;
	struct obs_device *device;
	int64_t total = 0;

	must(obs_device_open(path, &device), "open");
	must(obs_snapshot_new(device, &snapshot), "snapshot");
	must(obs_snapshot_update(snapshot), "read");
	family = obs_family_find(snapshot, name);
	while (family && (series = obs_series_next(snapshot, family, series)))
		if (!last_value || !strcmp(series->value[family->nr_labels - 1], last_value))
			total += obs_series_gauge(snapshot, series);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
	return total;
}

static void storm(struct obs_log *log, time_t until, time_t latest)
{
	pid_t pid[VICTIMS];
	unsigned int i;

	for (i = 0; i < VICTIMS; i++)
		pid[i] = victim_start();
	while (time(NULL) < until ||
	       (time(NULL) < latest && sum("obsring_segment_mended_total", NULL) <=
				       sum("obsring_log_lost_total", "killed"))) {
		i = random64() % VICTIMS;
		usleep(random64() % LIFE_US);
		victim_kill(pid[i]);
		log_read(log);
		if (kills % 16 == 0)
			sum("turns_total", NULL);
		pid[i] = victim_start();
	}
	for (i = 0; i < VICTIMS; i++)
		victim_kill(pid[i]);
}

static void check(struct obs_log *log)
{
	struct obs_log_counts counts;
	uint64_t stored, killed, counted, begun;

	/* Children of victims may just be dying. */
	while (sum("obsring_service_members", NULL))
		usleep(1000);
	log_read(log);
	obs_log_counts(log, &counts);
	counted = (uint64_t)sum("turns_total", NULL);
	stored = (uint64_t)sum("obsring_log_records_total", NULL);
	killed = (uint64_t)sum("obsring_log_lost_total", "killed");
	begun = counts.read + counts.lost;
	printf("%u kills: %llu counted, %llu records, %llu unfinished, %lld times mended\n",
	       kills, (unsigned long long)counted, (unsigned long long)stored,
	       (unsigned long long)killed,
	       (long long)sum("obsring_segment_mended_total", NULL));
	expect(counted >= shared->counted && counted <= shared->counted + kills,
	       "what was finished is counted, and no more than one a kill");
	expect(!sum("turning", NULL), "gauges are back at zero");
	expect(!counts.unread, "all records are read");
	expect(begun >= stored + killed && begun <= stored + killed + kills,
	       "each record is read or lost, and stored or unfinished");
	expect(sum("obsring_segment_mended_total", NULL) > (int64_t)killed,
	       "a victim had the directory's lock");
	expect(killed, "a victim was within a record");
	expect(!sum("obsring_log_lost_total", "nested"), "no record is lost otherwise");
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 5;
	const struct obs_segment_options options = { .log_rings = 8 };
	struct obs_log *log;
	int fd;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared == MAP_FAILED ? -errno : 0, "mmap");
	fd = obs_segment_create_memfd(&options);
	must(fd, "make a segment");
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	must(obs_log_open(path, NULL, &log), "open the log");
	kill_within_record(fd);
	storm(log, time(NULL) + seconds, time(NULL) + 6 * seconds);
	check(log);
	obs_log_close(log);
	close(fd);
	return !!failures;
}
