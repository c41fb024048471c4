// SPDX-License-Identifier: MIT
/*
 * Exactness under everything at once: obsring_stress bumps in task, softirq,
 * interrupt and NMI while CPUs go off and on line, series come and go, and
 * readers map, take snapshots and unmap. Afterwards the sums are what was done,
 * to the last one, and no reader ever saw one of them fall, nor an exemplar that was
 * torn or another series'.
 *
 * OBSRING_STRESS_UPDATES: task updates, 10^7 unless it is set. There are more if
 * not all that it demands was seen by then.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "test.h"

#define UPDATES	"stress_updates_total"
#define VALUES	"stress_value_seconds"
#define TRACED	"stress_traced_seconds"
#define CONTROL	"/dev/virtio-ports/obsring.control"
#define READERS	2
#define CONTEXTS 4
#define DISTINCT 1000	/* intermediate sums that readers must see */
#define SUMS_MAX 262144	/* that a reader notes */

static const char *const context[CONTEXTS] = { "task", "softirq", "irq", "nmi" };

/**
 * struct tally - what a helper process did and saw, in shared memory
 * @rounds: maps and unmaps; CPUs off and on; NMIs
 * @snapshots: taken
 * @nr_sums: sums noted
 * @sum: each that differs from the one before
 * @falls: of a counter, or a histogram's count
 * @canaries: that were not 0
 * @exemplars: seen, by the context that wrote them
 * @mixed: of them, whose parts do not belong together, or to their series
 * @stale: series that went before their exemplars were read
 * @error: what made it give up
 */
struct tally {
	uint64_t rounds;
	uint64_t snapshots;
	uint64_t falls;
	uint64_t canaries;
	uint64_t exemplars[CONTEXTS];
	uint64_t mixed;
	uint64_t stale;
	int error;
	uint32_t nr_sums;
	uint64_t sum[SUMS_MAX];
};

struct shared {
	int stop;
	struct tally reader[READERS];
	struct tally hotplug;
	struct tally nmi;
};

FIXTURE(stress)
{
	struct shared *shared;
	struct view view;
};

FIXTURE_SETUP(stress)
{
	ASSERT_EQ(0, module_load("obsring_stress", ""));
	ASSERT_EQ(0, view_open(&self->view));
	self->shared = mmap(NULL, sizeof(*self->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
}

static void cpus_online(void);

FIXTURE_TEARDOWN(stress)
{
	cpus_online();
	munmap(self->shared, sizeof(*self->shared));
	view_close(&self->view);
	EXPECT_EQ(0, module_unload("obsring_stress"));
}

static bool stopped(const struct shared *shared)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

/* ---- Readers ------------------------------------------------------------- */

static int64_t updates_sum(struct view *view)
{
	return metric_total(view, UPDATES);
}

static void sum_note(struct tally *tally, uint64_t sum)
{
	uint32_t nr = tally->nr_sums;

	if (nr == SUMS_MAX || (nr && tally->sum[nr - 1] == sum))
		return;
	tally->sum[nr] = sum;
	__atomic_store_n(&tally->nr_sums, nr + 1, __ATOMIC_RELEASE);
}

/* As tests/kmod/obsring_stress.c has it. */
static uint64_t mix(uint64_t n)
{
	n *= 0x9e3779b97f4a7c15ULL;
	return (n ^ n >> 29) * 0x2545f4914f6cdd1dULL;
}

static void exemplar_check(struct tally *tally, const struct obs_exemplar *e,
			   uint64_t series)
{
	uint64_t id[2], span, context;

	memcpy(id, e->trace_id, sizeof(id));
	memcpy(&span, e->span_id, sizeof(span));
	context = (id[1] ^ mix(e->value + 1) ^ series) >> 8;
	if (id[0] != mix(e->value) || context >= CONTEXTS ||
	    ((id[1] ^ mix(e->value + 1)) & 0xff) != series ||
	    span != (mix(id[1]) | 1))
		tally->mixed++;
	else
		tally->exemplars[context]++;
}

static void exemplars_check(struct tally *tally, struct view *view,
			    const struct obs_series_info *series)
{
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
	unsigned int i;
	int nr;

	if (series->overflow)
		return;
	nr = obs_series_exemplars(view->snapshot, series, exemplar,
				  series->nr_exemplars);
	if (nr == -ESTALE)
		tally->stale++;
	else if (nr < 0)
		tally->error = nr;
	for (i = 0; nr > 0 && i < series->nr_exemplars; i++)
		if (exemplar[i].time_ns)
			exemplar_check(tally, &exemplar[i],
				       strtoull(series->value[0], NULL, 10));
}

/* Values of the snapshot that was taken last. */
static void snapshot_check(struct tally *tally, struct view *view,
			   uint64_t last[CONTEXTS + 1])
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	uint64_t now[CONTEXTS + 1] = { 0 }, sum = 0;
	int i = 0;

	family = obs_family_find(view->snapshot, UPDATES);
	while (family && i < CONTEXTS &&
	       (series = obs_series_next(view->snapshot, family, series)))
		now[i++] = obs_series_counter(view->snapshot, series);
	family = obs_family_find(view->snapshot, VALUES);
	series = family ? obs_series_next(view->snapshot, family, NULL) : NULL;
	if (series)
		now[CONTEXTS] = obs_series_count(view->snapshot, series);
	for (i = 0; i <= CONTEXTS; i++) {
		tally->falls += now[i] < last[i];
		sum += i < CONTEXTS ? now[i] : 0;
	}
	sum_note(tally, sum);
	memcpy(last, now, sizeof(now));
	series = NULL;
	family = obs_family_find(view->snapshot, "stress_canary_total");
	while (family && (series = obs_series_next(view->snapshot, family, series)))
		tally->canaries += !!obs_series_counter(view->snapshot, series);
	series = NULL;
	family = obs_family_find(view->snapshot, TRACED);
	while (family && (series = obs_series_next(view->snapshot, family, series)))
		exemplars_check(tally, view, series);
}

static void reader(struct shared *shared, struct tally *tally)
{
	uint64_t last[CONTEXTS + 1] = { 0 };
	struct view view;
	int i, r;

	while (!stopped(shared) && !tally->error) {
		tally->error = view_open(&view);
		for (i = 0; i < 20 && !tally->error; i++) {
			r = obs_snapshot_update(view.snapshot);
			if (r < 0) {
				tally->error = r;
				break;
			}
			snapshot_check(tally, &view, last);
			tally->snapshots++;
		}
		if (view.device)
			view_close(&view);
		tally->rounds++;
	}
}

/* ---- CPUs ---------------------------------------------------------------- */

static int cpu_set_online(int cpu, const char *online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return file_write(path, online);
}

static void cpus_online(void)
{
	long cpu;

	for (cpu = 1; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++)
		cpu_set_online((int)cpu, "1");
}

/* One after the other goes and comes back; CPU 0 can't. */
static void hotplug(struct shared *shared, struct tally *tally)
{
	int cpu, nr = (int)sysconf(_SC_NPROCESSORS_CONF);

	while (!stopped(shared)) {
		for (cpu = 1; cpu < nr && !stopped(shared); cpu++) {
			if (!cpu_set_online(cpu, "0"))
				tally->rounds++;
			tally->error = cpu_set_online(cpu, "1");
		}
	}
}

/* ---- NMIs ---------------------------------------------------------------- */

static void nmi(struct shared *shared, struct tally *tally)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	char answer[16];

	if (fd < 0) {
		tally->error = -errno;
		return;
	}
	while (!stopped(shared)) {
		if (write(fd, "nmi\n", 4) != 4 || read(fd, answer, sizeof(answer)) <= 0 ||
		    strncmp(answer, "ok", 2))
			break;
		tally->rounds++;
	}
	close(fd);
}

/* ---- Together ------------------------------------------------------------ */

static void helper_start(struct shared *shared, struct tally *tally,
			 void (*fn)(struct shared *shared, struct tally *tally))
{
	if (fork())
		return;
	fn(shared, tally);
	_exit(0);
}

static void helpers_start(struct shared *shared)
{
	int i;

	for (i = 0; i < READERS; i++)
		helper_start(shared, &shared->reader[i], reader);
	helper_start(shared, &shared->hotplug, hotplug);
	helper_start(shared, &shared->nmi, nmi);
}

static void helpers_stop(struct shared *shared)
{
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	while (waitpid(-1, NULL, 0) > 0)
		;
	cpus_online();
}

static uint64_t done(const char *what)
{
	return file_number("/sys/module/obsring_stress/parameters/done", what);
}

/* The CPU that did least: its updates in percent of all. */
static uint64_t least_share(struct view *view)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	uint64_t sum = 0, slot, row, least = UINT64_MAX;
	int cpu = -1;

	if (obs_snapshot_update(view->snapshot) < 0)
		return 0;
	family = obs_family_find(view->snapshot, UPDATES);
	while ((cpu = obs_cpu_next(view->device, cpu)) >= 0) {
		row = 0;
		series = NULL;
		while ((series = obs_series_next(view->snapshot, family, series)))
			if (!obs_series_row(view->snapshot, series, (unsigned int)cpu, &slot, 1))
				row += slot;
		sum += row;
		least = row < least ? row : least;
	}
	return sum ? least * 100 / sum : 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Different sums that any reader saw, without the first and the last. */
static uint64_t distinct(const struct shared *shared)
{
	static uint64_t all[READERS * SUMS_MAX];
	uint64_t nr = 0, different = 0, i;
	uint32_t n;

	for (i = 0; i < READERS; i++) {
		n = __atomic_load_n(&shared->reader[i].nr_sums, __ATOMIC_ACQUIRE);
		memcpy(all + nr, shared->reader[i].sum, n * sizeof(all[0]));
		nr += n;
	}
	qsort(all, nr, sizeof(all[0]), by_value);
	for (i = 0; i < nr; i++)
		different += !i || all[i] != all[i - 1];
	return different > 2 ? different - 2 : 0;
}

/* Only x86 has them here, and only where the machine's monitor can be asked. */
static bool has_nmi(const struct shared *shared)
{
#ifdef __x86_64__
	return shared->nmi.error != -ENOENT;
#else
	(void)shared;
	return false;
#endif
}

/* Exemplars that any reader saw of a context. */
static uint64_t exemplars(const struct shared *shared, int of)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < READERS; i++)
		sum += shared->reader[i].exemplars[of];
	return sum;
}

/* What a reader gives up for ends the test. */
static bool failed(const struct shared *shared)
{
	int i;

	for (i = 0; i < READERS; i++)
		if (shared->reader[i].error)
			return true;
	return shared->hotplug.error;
}

/* Was all seen that may need a longer run? */
static bool enough(const struct shared *shared, struct view *view)
{
	return distinct(shared) >= DISTINCT && shared->hotplug.rounds &&
	       exemplars(shared, 0) && exemplars(shared, 1) && exemplars(shared, 2) &&
	       (!has_nmi(shared) || done("nmi")) && done("migrations") && done("churns") &&
	       done("softirq") && done("irq") && least_share(view) >= 5;
}

/* On until that is so, however long it takes. */
static int run(const char *updates, const struct shared *shared, struct view *view)
{
	char tenth[32];
	int r;

	snprintf(tenth, sizeof(tenth), "%llu", strtoull(updates, NULL, 10) / 10);
	r = module_parameter_write("obsring_stress", "run", updates);
	while (!r && !failed(shared) && !enough(shared, view))
		r = module_parameter_write("obsring_stress", "run", tenth);
	return r;
}

TEST_F_TIMEOUT(stress, sums_are_exact, 6000)
{
	const char *updates = getenv("OBSRING_STRESS_UPDATES") ?: "10000000";
	uint64_t snapshots = 0, mappings = 0, stale = 0;
	struct obs_control *control;
	struct obs_info info;
	uint64_t all = 0;
	int i;

	helpers_start(self->shared);
	/* No helper is late: there is something to see before it begins. */
	EXPECT_TRUE(await(self->shared->reader[0].snapshots &&
			  self->shared->reader[1].snapshots &&
			  self->shared->hotplug.rounds));
	EXPECT_EQ(0, run(updates, self->shared, &self->view));
	helpers_stop(self->shared);

	for (i = 0; i < CONTEXTS; i++) {
		EXPECT_EQ(done(context[i]), metric(&self->view, UPDATES, context[i]))
			TH_LOG("%s", context[i]);
		all += done(context[i]);
	}
	EXPECT_LE(strtoull(updates, NULL, 10), done("task"));
	EXPECT_EQ(all, updates_sum(&self->view));
	EXPECT_EQ(all, metric(&self->view, VALUES));
	EXPECT_EQ(0, metric(&self->view, "stress_level"));
	EXPECT_EQ(0, metric_total(&self->view, "stress_canary_total"));

	for (i = 0; i < READERS; i++) {
		const struct tally *t = &self->shared->reader[i];

		EXPECT_EQ(0, t->error);
		EXPECT_EQ(0, t->falls);
		EXPECT_EQ(0, t->canaries);
		EXPECT_EQ(0, t->mixed);
		stale += t->stale;
		mappings += t->rounds;
		snapshots += t->snapshots;
	}
	TH_LOG("updates: task %llu, softirq %llu, irq %llu, nmi %llu",
	       (unsigned long long)done("task"), (unsigned long long)done("softirq"),
	       (unsigned long long)done("irq"), (unsigned long long)done("nmi"));
	TH_LOG("least busy CPU: %llu %%; migrations %llu; CPUs off and on %llu; churns %llu; NMIs %llu",
	       (unsigned long long)least_share(&self->view),
	       (unsigned long long)done("migrations"),
	       (unsigned long long)self->shared->hotplug.rounds,
	       (unsigned long long)done("churns"),
	       (unsigned long long)self->shared->nmi.rounds);
	TH_LOG("readers: %llu snapshots, %llu mappings, %llu distinct sums",
	       (unsigned long long)snapshots, (unsigned long long)mappings,
	       (unsigned long long)distinct(self->shared));
	TH_LOG("observations with a trace: %llu; exemplars seen: task %llu, softirq %llu, irq %llu, nmi %llu; series gone meanwhile %llu",
	       (unsigned long long)done("traced"),
	       (unsigned long long)exemplars(self->shared, 0),
	       (unsigned long long)exemplars(self->shared, 1),
	       (unsigned long long)exemplars(self->shared, 2),
	       (unsigned long long)exemplars(self->shared, 3),
	       (unsigned long long)stale);
	for (i = 0; i < 3; i++)
		EXPECT_LT(0, exemplars(self->shared, i)) TH_LOG("%s", context[i]);
	EXPECT_EQ(0, metric(&self->view, "obsring_exemplars_refused_total"));
	EXPECT_LE(5, least_share(&self->view));
	EXPECT_LE(DISTINCT, distinct(self->shared));
	EXPECT_LT(1, mappings);
	EXPECT_LT(0, done("migrations"));
	EXPECT_LT(0, done("churns"));
	EXPECT_LT(0, done("softirq"));
	EXPECT_LT(0, done("irq"));
	EXPECT_LT(0, self->shared->hotplug.rounds);
	EXPECT_EQ(0, self->shared->hotplug.error);
	if (has_nmi(self->shared))
		EXPECT_LT(0, done("nmi"));
	/* The churned series and the canaries went somewhere each time. */
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_control_info(control, &info));
	EXPECT_EQ(0, info.refused);
	obs_control_close(control);
}

TEST_HARNESS_MAIN
