// SPDX-License-Identifier: MIT
/*
 * The module comes and goes while all of it is in use: readers that have it mapped, cat,
 * sources that are on, producers that count, a daemon that is scraped. CPUs go off line
 * and come back, all processes that use it are frozen, the daemon is killed and started anew, kernel
 * producers go before the readers and after them, and every other load is another build
 * of the module, if there is one. What was counted is there, exactly, each time; at the
 * end it is told how often each of these happened, and none of them never.
 *
 * OBSRING_LIFE_CYCLES: loads, 6 or more, which take long; OBSRING_LIFE_NEXT: path of the
 * other build.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lifejob.h"
#include "service.h"
#include "test.h"

#define CYCLES_MIN	6	/* until all that happens has happened */
#define REQUESTS	16	/* that the kernel's producer serves in a cycle */
#define PARAMETERS	"sources=all"
#define THIS_BUILD	"/lib/modules/obsring/obsring.ko"
#define DAEMON		"/usr/bin/obsringd"
#define GROUP		"/sys/fs/cgroup/obsring-lifecycle"

/**
 * struct happened - how often
 * @loads: of each build
 * @refusals: unloads that were refused, because somebody used it
 * @producer_first: kernel producers that went before the readers
 * @producer_last: after them
 * @kills: of the daemon, with the module there and without it
 * @freezes: of all that use it
 * @answers: scrapes that the test made, with the module there and without it
 */
struct happened {
	unsigned int loads[2], refusals, producer_first, producer_last;
	unsigned int kills[2], freezes, answers[2];
};

FIXTURE(lifecycle)
{
	struct job *jobs;
	struct job before[16];	/* of the jobs, when the module was loaded */
	struct happened happened;
	const char *next;
	bool can_freeze;
	pid_t daemon;
};

/* ---- The daemon ---------------------------------------------------------- */

static pid_t daemon_start(void)
{
	char address[32];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(address, sizeof(address), "127.0.0.1:%d", LIFE_PORT);
	execl(DAEMON, "obsringd", "--web.listen-address", address, "--log.level", "error",
	      NULL);
	_exit(127);
}

/* Without ado, or as a service manager does it. */
static int daemon_kill(pid_t pid, int signal)
{
	int status;

	kill(pid, signal);
	return waitpid(pid, &status, 0) == pid ? 0 : -errno;
}

/* ---- The machine --------------------------------------------------------- */

/*
 * Whoever uses the module freezes where it is, as when a machine is suspended: mapped,
 * in read(), in the middle of a dump. Nobody counts on, and the module can't go.
 */
static int crowd_freeze(void)
{
	int r = file_write(GROUP "/cgroup.freeze", "1");

	return r ? r : await(file_number(GROUP "/cgroup.events", "frozen") == 1) ? 0 : -ETIME;
}

static int crowd_thaw(void)
{
	int r = file_write(GROUP "/cgroup.freeze", "0");

	return r ? r : await(file_number(GROUP "/cgroup.events", "frozen") == 0) ? 0 : -ETIME;
}

static bool crowd_gather(const struct job *jobs)
{
	char pid[16];
	unsigned int i;

	if (mkdir(GROUP, 0755) && errno != EEXIST)
		return false;
	for (i = 0; i < nr_job_kinds; i++) {
		snprintf(pid, sizeof(pid), "%d", jobs[i].pid);
		/* It goes on by itself: a CPU that is off line must come back. */
		if (strcmp(job_kinds[i].name, "hotplug") &&
		    file_write(GROUP "/cgroup.procs", pid))
			return false;
	}
	return true;
}

static void cpus_come(void)
{
	char path[64];
	int cpu;

	for (cpu = 1; cpu < 64; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
		if (file_write(path, "1") == -ENOENT)
			return;
	}
}

/* ---- Set-up -------------------------------------------------------------- */

static unsigned int cycles(void)
{
	const char *text = getenv("OBSRING_LIFE_CYCLES");

	return text ? (unsigned int)strtoul(text, NULL, 10) : 0;
}

FIXTURE_SETUP(lifecycle)
{
	if (cycles() < CYCLES_MIN)
		SKIP_SETUP("takes long: make test-lifecycle");
	self->next = getenv("OBSRING_LIFE_NEXT");
	if (module_loaded("obsring"))
		ASSERT_EQ(0, module_unload("obsring"));
	self->daemon = daemon_start();
	ASSERT_LT(0, self->daemon);
	ASSERT_TRUE(await(life_scrape() == 503));
	self->jobs = jobs_start();
	ASSERT_NE(NULL, self->jobs);
	self->can_freeze = crowd_gather(self->jobs);
}

FIXTURE_TEARDOWN(lifecycle)
{
	crowd_thaw();
	if (self->jobs)
		jobs_stop(self->jobs);
	rmdir(GROUP);
	cpus_come();
	daemon_kill(self->daemon, SIGKILL);
	module_unload("obsring_example");
	if (!module_loaded("obsring"))
		EXPECT_EQ(0, module_load("obsring", ""));
}

/* ---- What the crowd does ------------------------------------------------- */

/* There is no CPU to take away. */
static bool has_nothing_to_do(unsigned int i)
{
	return !strcmp(job_kinds[i].name, "hotplug") && sysconf(_SC_NPROCESSORS_CONF) == 1;
}

static bool all_went_on(const struct job *jobs, const struct job *before)
{
	unsigned int i;

	for (i = 0; i < nr_job_kinds; i++)
		if (jobs[i].done == before[i].done && !jobs[i].error && !has_nothing_to_do(i))
			return false;
	return true;
}

static uint64_t updates_since(const struct job *jobs, const struct job *before)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < nr_job_kinds; i++)
		if (!strcmp(job_kinds[i].unit, "updates"))
			sum += jobs[i].done - before[i].done;
	return sum;
}

static int add_number(const struct obs_series_values *series, void *arg)
{
	*(uint64_t *)arg += (uint64_t)series->number;
	return 0;
}

static uint64_t total(struct obs_control *control, const char *family)
{
	uint64_t sum;

	do {
		sum = 0;
	} while (obs_series_dump(control, family, false, -1, add_number, &sum) == -EAGAIN);
	return sum;
}

/* Those that are about to leave finish what they began. */
static bool all_updates_are_there(struct obs_control *control, const struct job *jobs,
				  const struct job *before)
{
	return await(total(control, "life_updates_total") == updates_since(jobs, before));
}

/* ---- One cycle ----------------------------------------------------------- */

static int probes_add(struct obs_control *control)
{
	struct obs_probe_info switches = {
		.name = "t_life_switches_total", .type = OBSRING_PROBE_TRACEPOINT,
		.target = "sched:sched_switch",
	};
	struct obs_probe_info reads = {
		.name = "t_life_reads_seconds", .type = OBSRING_PROBE_KRETPROBE,
		.target = "vfs_read",
	};

	return obs_probe_add(control, &switches, NULL) ?:
	       obs_probe_add(control, &reads, NULL);
}

static int producer_serves(void)
{
	char text[16];
	int r = module_load("obsring_example", "");

	snprintf(text, sizeof(text), "%d", REQUESTS);
	return r ?: module_parameter_write("obsring_example", "requests", text);
}

/* Whoever reads is asked to leave; how often it was refused until they did. */
static int unload(struct happened *happened)
{
	int r;

	await((r = module_unload("obsring")) != -EWOULDBLOCK ||
	      !++happened->refusals);
	return r;
}

#define EXPECT_STATUS(self, status)						\
	EXPECT_TRUE(await(life_scrape() == (status)))				\
		TH_LOG("the daemon answers %d", life_scrape())

static void load(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self,
		 unsigned int cycle)
{
	bool next = self->next && cycle % 2;

	memcpy(self->before, self->jobs, nr_job_kinds * sizeof(self->jobs[0]));
	ASSERT_EQ(0, module_load_file(next ? self->next : THIS_BUILD, "obsring", PARAMETERS));
	self->happened.loads[next]++;
}

static void freeze(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self,
		   struct obs_control *control)
{
	uint64_t updates;

	ASSERT_EQ(0, crowd_freeze());
	updates = total(control, "life_updates_total");
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	EXPECT_EQ(updates, total(control, "life_updates_total"));
	ASSERT_EQ(0, crowd_thaw());
	self->happened.freezes++;
}

static void use(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self,
		struct obs_control *control, unsigned int cycle)
{
	ASSERT_EQ(0, producer_serves());
	if (cycle % 3 == 0)
		ASSERT_EQ(0, probes_add(control));
	EXPECT_TRUE(await(all_went_on(self->jobs, self->before)));
	if (self->can_freeze && cycle % 5 == 2)
		freeze(_metadata, self, control);
	if (cycle % 10 == 3) {
		EXPECT_EQ(0, daemon_kill(self->daemon, SIGKILL));
		self->daemon = daemon_start();
		self->happened.kills[1]++;
	}
	EXPECT_STATUS(self, 200);
	self->happened.answers[1]++;
	EXPECT_EQ(REQUESTS, total(control, "example_requests_total"));
}

/* The kernel's producer goes while all read, or when all have left. */
static void leave(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self,
		  struct obs_control *control, unsigned int cycle)
{
	bool first = cycle % 2;

	if (first) {
		ASSERT_EQ(0, module_unload("obsring_example"));
		self->happened.producer_first++;
	}
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_DRAINING));
	EXPECT_TRUE(all_updates_are_there(control, self->jobs, self->before))
		TH_LOG("%llu of %llu updates",
		       (unsigned long long)total(control, "life_updates_total"),
		       (unsigned long long)updates_since(self->jobs, self->before));
	if (!first) {
		EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
		self->happened.refusals++;
		ASSERT_EQ(0, module_unload("obsring_example"));
		self->happened.producer_last++;
	}
	ASSERT_EQ(0, unload(&self->happened));
	EXPECT_NE(0, access(OBSRING_DEVICE, F_OK));
}

static void miss(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self,
		 unsigned int cycle)
{
	if (cycle % 10 == 5) {
		EXPECT_EQ(0, daemon_kill(self->daemon, SIGTERM));
		self->daemon = daemon_start();
		self->happened.kills[0]++;
	}
	EXPECT_STATUS(self, 503);
	self->happened.answers[0]++;
}

static void turn(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self,
		 unsigned int cycle)
{
	struct obs_control *control;
	const struct job *failed;

	load(_metadata, self, cycle);
	ASSERT_EQ(0, obs_control_open(&control));
	use(_metadata, self, control, cycle);
	leave(_metadata, self, control, cycle);
	obs_control_close(control);
	miss(_metadata, self, cycle);
	failed = jobs_failed(self->jobs);
	ASSERT_EQ(NULL, failed)
		TH_LOG("cycle %u: %s: %s", cycle, job_kinds[failed - self->jobs].name,
		       strerror(-failed->error));
}

/* ---- What happened ------------------------------------------------------- */

/* Memory of the kernel that nobody is charged for, in KiB. */
static uint64_t kernel_memory(void)
{
	return file_number("/proc/meminfo", "SUnreclaim") +
	       file_number("/proc/meminfo", "Percpu") +
	       file_number("/proc/meminfo", "VmallocUsed");
}

static void tell(struct __test_metadata *_metadata, const char *what, unsigned int times)
{
	TH_LOG("%6u %s", times, what);
	EXPECT_LT(0, times)
		TH_LOG("it never happened: %s", what);
}

static void tell_jobs(struct __test_metadata *_metadata, const struct job *jobs)
{
	unsigned int i;

	for (i = 0; i < nr_job_kinds; i++) {
		if (has_nothing_to_do(i)) {
			TH_LOG("one CPU, which stays");
			continue;
		}
		TH_LOG("%6llu %s by %s %u, which found the module %llu times, left it %llu times, missed it %llu times",
		       (unsigned long long)jobs[i].done, job_kinds[i].unit,
		       job_kinds[i].name, i, (unsigned long long)jobs[i].came,
		       (unsigned long long)jobs[i].left, (unsigned long long)jobs[i].absent);
		EXPECT_LT(0, jobs[i].done);
	}
}

static void tell_all(struct __test_metadata *_metadata, FIXTURE_DATA(lifecycle) *self)
{
	const struct happened *h = &self->happened;

	tell(_metadata, "loads of this build", h->loads[0]);
	if (self->next)
		tell(_metadata, "loads of the next build", h->loads[1]);
	else
		TH_LOG("no other build: OBSRING_LIFE_NEXT");
	tell(_metadata, "unloads that were refused while it was used", h->refusals);
	tell(_metadata, "kernel producers that went before the readers", h->producer_first);
	tell(_metadata, "kernel producers that went after them", h->producer_last);
	tell(_metadata, "daemons killed with the module there", h->kills[1]);
	tell(_metadata, "daemons ended with the module gone", h->kills[0]);
	tell(_metadata, "scrapes answered with values", h->answers[1]);
	tell(_metadata, "scrapes answered that it is not there", h->answers[0]);
	if (self->can_freeze)
		tell(_metadata, "times that all of them were frozen", h->freezes);
	else
		TH_LOG("no cgroup2 to freeze them in");
	tell_jobs(_metadata, self->jobs);
}

/* To the kernel's log, which the host shows at once. */
static void tell_progress(unsigned int cycle)
{
	char text[96];

	snprintf(text, sizeof(text), "obsring-lifecycle: cycle %u, %llu KiB", cycle,
		 (unsigned long long)kernel_memory());
	file_write("/dev/kmsg", text);
}

TEST_F_TIMEOUT(lifecycle, goes_on, 14400)
{
	unsigned int cycle, nr = cycles(), warm = nr / 10;
	uint64_t memory = 0;

	for (cycle = 0; cycle < nr; cycle++) {
		if (cycle == warm)
			memory = kernel_memory();
		turn(_metadata, self, cycle);
		if (nr >= 100 && cycle % 50 == 0)
			tell_progress(cycle);
	}
	tell_all(_metadata, self);
	TH_LOG("kernel memory: %llu KiB after %u cycles, %llu KiB after %u",
	       (unsigned long long)memory, warm, (unsigned long long)kernel_memory(), nr);
	/* A page that each load leaves would be 4 KiB a cycle. */
	if (nr >= 1000)
		EXPECT_GT(memory + 2 * (nr - warm), kernel_memory());
}

TEST_HARNESS_MAIN
