// SPDX-License-Identifier: MIT
/* Probes: metrics on tracepoints and functions that the test makes happen. */
#include <pthread.h>
#include <linux/blkzoned.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "test.h"

#ifdef __x86_64__
#define FUNCTION(name)	"__x64_sys_" name
#else
#define FUNCTION(name)	"__arm64_sys_" name
#endif

#define HITS	"obsring_probe_hits_total"
#define MISSED	"obsring_probe_missed_total"

FIXTURE(probe)
{
	struct session session;
	struct obs_control *control;
	struct view *view;
};

static int probes_clear(struct obs_control *control);

FIXTURE_SETUP(probe)
{
	ASSERT_EQ(0, session_open(&self->session));
	self->control = self->session.control;
	self->view = &self->session.view;
}

FIXTURE_TEARDOWN(probe)
{
	EXPECT_EQ(0, probes_clear(self->control));
	session_close(&self->session);
}

/* ---- Helpers ------------------------------------------------------------- */

struct probe_list {
	struct obs_probe_info probe[16];
	unsigned int nr;
};

static struct probe_list list;

static int list_add(const struct obs_probe_info *probe, void *arg)
{
	struct probe_list *to = arg;

	if (to->nr == ARRAY_SIZE(to->probe))
		return -E2BIG;
	to->probe[to->nr++] = *probe;
	return 0;
}

static const struct obs_probe_info *listed(struct obs_control *control, const char *name)
{
	unsigned int i;

	list.nr = 0;
	if (obs_probe_list(control, list_add, &list))
		return NULL;
	for (i = 0; i < list.nr; i++)
		if (!strcmp(list.probe[i].name, name))
			return &list.probe[i];
	return NULL;
}

static int probes_clear(struct obs_control *control)
{
	int r = 0;

	listed(control, "");
	while (!r && list.nr)
		r = obs_probe_delete(control, list.probe[--list.nr].name);
	return r;
}

static int add(struct obs_control *control, const char *name,
	       enum obsring_probe_type type, const char *target,
	       enum obsring_kind kind, uint32_t sample)
{
	struct obs_probe_info probe = { .type = type, .kind = kind, .sample = sample };

	snprintf(probe.name, sizeof(probe.name), "%s", name);
	snprintf(probe.target, sizeof(probe.target), "%s", target);
	return obs_probe_add(control, &probe, NULL);
}

static void call(long nr, unsigned int times)
{
	while (times--)
		syscall(nr, 0, 0, 0);
}

/* Fires oom:oom_score_adj_update once each. */
static int adjust(unsigned int times)
{
	int r = 0;

	while (!r && times--)
		r = file_write("/proc/self/oom_score_adj", "0");
	return r;
}

/* ---- Counting ------------------------------------------------------------ */

TEST_F(probe, tracepoint_by_group_and_name)
{
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_TRACEPOINT,
			 "oom:oom_score_adj_update", 0, 0));
	EXPECT_EQ(0, metric(self->view, "t_total"));
	ASSERT_EQ(0, adjust(100));
	EXPECT_EQ(100, metric(self->view, "t_total"));
	EXPECT_EQ(100, metric(self->view, HITS, "t_total"));
	EXPECT_EQ(0, metric(self->view, MISSED, "t_total"));
}

TEST_F(probe, tracepoint_by_name)
{
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_TRACEPOINT,
			 "oom_score_adj_update", 0, 1));
	ASSERT_EQ(0, adjust(7));
	EXPECT_EQ(7, metric(self->view, "t_total"));
}

TEST_F(probe, kprobe)
{
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_KPROBE,
			 FUNCTION("getpgid"), 0, 0));
	call(SYS_getpgid, 321);
	call(SYS_getsid, 5);
	EXPECT_EQ(321, metric(self->view, "t_total"));
	EXPECT_EQ(321, metric(self->view, HITS, "t_total"));
}

TEST_F(probe, kretprobe_times_calls)
{
	ASSERT_EQ(0, add(self->control, "t_seconds", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("getpgid"), 0, 0));
	call(SYS_getpgid, 321);
	EXPECT_EQ(321, metric(self->view, "t_seconds"));
	EXPECT_LT(0, metric_sum(self->view, "t_seconds"));
	EXPECT_STREQ("seconds", metric_series(self->view, "t_seconds")->family->unit);
	EXPECT_EQ(-9, metric_series(self->view, "t_seconds")->family->exp10);
}

TEST_F(probe, kretprobe_counts_returns)
{
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("getpgid"), OBSRING_KIND_COUNTER, 0));
	call(SYS_getpgid, 11);
	EXPECT_EQ(11, metric(self->view, "t_total"));
	EXPECT_EQ(OBSRING_KIND_COUNTER, metric_series(self->view, "t_total")->family->kind);
}

/* A sleep takes its time: the call's duration, from entry to return. */
TEST_F(probe, duration_is_that_of_the_call)
{
	struct timespec time = { .tv_nsec = 50000000 };

	ASSERT_EQ(0, add(self->control, "t_seconds", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("ppoll"), 0, 0));
	ASSERT_EQ(0, syscall(SYS_ppoll, NULL, 0, &time, NULL, 8));
	EXPECT_EQ(1, metric(self->view, "t_seconds"));
	EXPECT_LE(50000000, metric_sum(self->view, "t_seconds"));
}

TEST_F(probe, sampling)
{
	ASSERT_EQ(0, stay_on_cpu(0));
	ASSERT_EQ(0, add(self->control, "k_total", OBSRING_PROBE_KPROBE,
			 FUNCTION("getpgid"), 0, 10));
	ASSERT_EQ(0, add(self->control, "r_seconds", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("getpgid"), 0, 20));
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_TRACEPOINT,
			 "oom:oom_score_adj_update", 0, 1000));
	call(SYS_getpgid, 1009);
	ASSERT_EQ(0, adjust(100));
	/* A counter adds N for each Nth: 1009 is 1000 by tens. */
	EXPECT_EQ(1000, metric(self->view, "k_total"));
	EXPECT_EQ(1009, metric(self->view, HITS, "k_total"));
	EXPECT_EQ(50, metric(self->view, "r_seconds"));
	EXPECT_EQ(1009, metric(self->view, HITS, "r_seconds"));
	EXPECT_EQ(0, metric(self->view, "t_total"));
	EXPECT_EQ(100, metric(self->view, HITS, "t_total"));
}

TEST_F(probe, several_on_one_target)
{
	unsigned int i;
	char name[16];

	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "t%u_total", i);
		ASSERT_EQ(0, add(self->control, name, i % 2 ? OBSRING_PROBE_KPROBE :
				 OBSRING_PROBE_TRACEPOINT,
				 i % 2 ? FUNCTION("getpgid") : "oom:oom_score_adj_update",
				 0, 0));
	}
	call(SYS_getpgid, 10);
	ASSERT_EQ(0, adjust(20));
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "t%u_total", i);
		EXPECT_EQ(i % 2 ? 10 : 20, metric(self->view, name));
	}
}

/* ---- The list ------------------------------------------------------------ */

TEST_F(probe, listing)
{
	const struct obs_probe_info *probe;

	ASSERT_EQ(0, add(self->control, "a_total", OBSRING_PROBE_KPROBE,
			 FUNCTION("getpgid"), 0, 3));
	ASSERT_EQ(0, add(self->control, "b_seconds", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("getsid"), 0, 0));
	call(SYS_getpgid, 10);
	probe = listed(self->control, "a_total");
	ASSERT_NE(NULL, probe);
	EXPECT_EQ(2, list.nr);
	EXPECT_STREQ("a_total", list.probe[0].name);
	EXPECT_EQ(OBSRING_PROBE_KPROBE, probe->type);
	EXPECT_STREQ(FUNCTION("getpgid"), probe->target);
	EXPECT_EQ(OBSRING_KIND_COUNTER, probe->kind);
	EXPECT_EQ(3, probe->sample);
	EXPECT_EQ(10, probe->hits);
	EXPECT_EQ(0, probe->missed);
	probe = listed(self->control, "b_seconds");
	ASSERT_NE(NULL, probe);
	EXPECT_EQ(OBSRING_PROBE_KRETPROBE, probe->type);
	EXPECT_EQ(OBSRING_KIND_HISTOGRAM, probe->kind);
	EXPECT_EQ(1, probe->sample);
}

TEST_F(probe, delete)
{
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_KPROBE,
			 FUNCTION("getpgid"), 0, 0));
	call(SYS_getpgid, 5);
	ASSERT_EQ(0, obs_probe_delete(self->control, "t_total"));
	EXPECT_EQ(NULL, listed(self->control, "t_total"));
	EXPECT_EQ(METRIC_NONE, metric(self->view, "t_total"));
	EXPECT_EQ(METRIC_NONE, metric(self->view, HITS, "t_total"));
	EXPECT_EQ(METRIC_NONE, metric(self->view, MISSED, "t_total"));
	EXPECT_EQ(-ENOENT, obs_probe_delete(self->control, "t_total"));
	EXPECT_SAYS("there is no probe of that name", self->control);
	/* Again is another. */
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_TRACEPOINT,
			 "oom:oom_score_adj_update", 0, 0));
	EXPECT_EQ(0, metric(self->view, "t_total"));
	EXPECT_EQ(0, metric(self->view, HITS, "t_total"));
}

/* Its metric is its own: it goes by PROBE_DEL alone. */
TEST_F(probe, owns_its_metric)
{
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_KPROBE,
			 FUNCTION("getpgid"), 0, 0));
	EXPECT_EQ(-EBUSY, obs_family_delete(self->control, "t_total"));
	EXPECT_EQ(-EBUSY, obs_series_delete(self->control, "t_total", NULL, 0));
	EXPECT_EQ(-EBUSY, obs_series_update(self->control, "t_total", NULL, 0, 1));
	EXPECT_EQ(0, metric(self->view, "t_total"));
}

/* ---- What is refused ----------------------------------------------------- */

static const struct {
	const char *name;
	enum obsring_probe_type type;
	const char *target;
	enum obsring_kind kind;
	uint32_t sample;
	int error;
	const char *sentence;
} refused[] = {
	{ "t_total", OBSRING_PROBE_KPROBE, "no_such_function", 0, 0, -ENOENT,
	  "this kernel has no such function" },
	{ "t_total", OBSRING_PROBE_KRETPROBE, "no_such_function", 0, 0, -ENOENT,
	  "this kernel has no such function" },
	{ "t_total", OBSRING_PROBE_KPROBE, "obsring_example:requests_set", 0, 0, -ENOENT,
	  "this kernel has no such function" },
	{ "t_total", OBSRING_PROBE_TRACEPOINT, "oom:no_such_event", 0, 0, -ENOENT,
	  "this kernel has no tracepoint of that group and name" },
	{ "t_total", OBSRING_PROBE_TRACEPOINT, "no_such_group:oom_score_adj_update", 0, 0, -ENOENT,
	  "this kernel has no tracepoint of that group and name" },
	{ "t_total", OBSRING_PROBE_TRACEPOINT, "no_such_event", 0, 0, -ENOENT,
	  "this kernel has no tracepoint of that name; those of modules need GROUP:NAME" },
	{ "t_total", OBSRING_PROBE_KPROBE, "obs_wait_for_updates", 0, 0, -EINVAL,
	  "obsring's own functions can't be probed" },
	{ "t_total", OBSRING_PROBE_KRETPROBE, "obsring:obs_wait_for_updates", 0, 0, -EINVAL,
	  "obsring's own functions can't be probed" },
	{ "t_total", OBSRING_PROBE_KPROBE, "", 0, 0, -EINVAL,
	  "the target is empty, or a half of it is" },
	{ "t_total", OBSRING_PROBE_TRACEPOINT, "oom:", 0, 0, -EINVAL,
	  "the target is empty, or a half of it is" },
	{ "t_total", OBSRING_PROBE_TRACEPOINT, ":oom_score_adj_update", 0, 0, -EINVAL,
	  "the target is empty, or a half of it is" },
	{ "t_total", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), OBSRING_KIND_HISTOGRAM, 0, -EINVAL,
	  "only a kretprobe has a duration for a histogram" },
	{ "t_total", OBSRING_PROBE_TRACEPOINT, "oom:oom_score_adj_update", OBSRING_KIND_HISTOGRAM, 0,
	  -EINVAL, "only a kretprobe has a duration for a histogram" },
	{ "t_total", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), OBSRING_KIND_GAUGE, 0, -EINVAL,
	  "a probe's metric is a counter or a histogram" },
	{ "t_total", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, (1U << 20) + 1, -EINVAL,
	  "sample is not 1 to 1048576" },
	{ "obsring_t_total", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, 0, -EINVAL,
	  "names that begin with obsring_ or process_ are taken" },
	{ "process_t_total", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, 0, -EINVAL,
	  "names that begin with obsring_ or process_ are taken" },
	{ OBSRING_OVERFLOW_VALUE, OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, 0, -EINVAL,
	  "the name _overflow is that of the overflow series" },
	{ "a\nb", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, 0, -EINVAL,
	  "the name is not 1 to 127 bytes of printable UTF-8, or the help is too long" },
	{ "there_total", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, 0, -EEXIST,
	  "a probe has that name" },
	{ "there", OBSRING_PROBE_KPROBE, FUNCTION("getpgid"), 0, 0, -EEXIST,
	  "a metric has that name, or one that becomes the same" },
};

TEST_F(probe, errors)
{
	struct obs_info before, after;
	size_t i;

	ASSERT_EQ(0, add(self->control, "there_total", OBSRING_PROBE_TRACEPOINT,
			 "oom:oom_score_adj_update", 0, 0));
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		ASSERT_EQ(0, obs_control_info(self->control, &before));
		EXPECT_EQ(refused[i].error, add(self->control, refused[i].name,
						refused[i].type, refused[i].target,
						refused[i].kind, refused[i].sample))
			TH_LOG("%s on %s", refused[i].name, refused[i].target);
		EXPECT_SAYS(refused[i].sentence, self->control);
		ASSERT_EQ(0, obs_control_info(self->control, &after));
		EXPECT_EQ(before.families, after.families);
		EXPECT_EQ(before.series, after.series);
		listed(self->control, "");
		EXPECT_EQ(1, list.nr);
	}
}

/* A symbol of the kernel's list of those that must not be probed. */
static int forbidden(char *symbol)
{
	FILE *file = fopen("/sys/kernel/debug/kprobes/blacklist", "re");
	char line[256];
	int found = -ENOENT;

	if (!file)
		return -errno;
	while (found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %127s", symbol) == 1 && !strchr(symbol, '.') &&
		    !strchr(symbol, '[') && !strchr(line, '['))
			found = 0;
	fclose(file);
	return found;
}

TEST_F(probe, forbidden_symbols)
{
	char symbol[128];
	int ret;

	if (forbidden(symbol))
		SKIP(return, "this kernel lists no symbol that can't be probed");
	EXPECT_EQ(-EINVAL, add(self->control, "t_total", OBSRING_PROBE_KPROBE, symbol, 0, 0))
		TH_LOG("%s", symbol);
	EXPECT_SAYS("the function can't be probed: the kernel refuses it, or it is no function", self->control);
	EXPECT_EQ(-EINVAL, add(self->control, "t_total", OBSRING_PROBE_KRETPROBE, symbol, 0, 0));
	/* Data is no function, and unknown where the kernel lists functions alone. */
	ret = add(self->control, "t_total", OBSRING_PROBE_KPROBE, "init_task", 0, 0);
	EXPECT_TRUE(ret == -EINVAL || ret == -ENOENT)
		TH_LOG("%d", ret);
	EXPECT_EQ(NULL, listed(self->control, "t_total"));
}

/* ---- Missed -------------------------------------------------------------- */

#define CALLERS	560	/* more than may be under way at once */

static void *wait_for_end(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	syscall(SYS_ppoll, &p, 1, NULL, NULL, 8);
	return NULL;
}

static int64_t hits_and_missed(struct obs_control *control)
{
	const struct obs_probe_info *probe = listed(control, "t_seconds");

	return probe ? (int64_t)(probe->hits + probe->missed) : -1;
}

TEST_F(probe, missed)
{
	static pthread_t thread[CALLERS];
	const struct obs_probe_info *probe;
	pthread_attr_t attr;
	int end[2], i;

	ASSERT_EQ(0, pipe(end));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	ASSERT_EQ(0, add(self->control, "t_seconds", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("ppoll"), 0, 0));
	/* One by one: the kernel counts a kretprobe's misses without an atomic. */
	for (i = 0; i < CALLERS; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], &attr, wait_for_end, &end[0]));
		ASSERT_TRUE(await(hits_and_missed(self->control) > i));
	}
	close(end[1]);
	for (i = 0; i < CALLERS; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	probe = listed(self->control, "t_seconds");
	ASSERT_NE(NULL, probe);
	EXPECT_LT(0, probe->missed);
	EXPECT_EQ(probe->hits, metric(self->view, "t_seconds"));
	EXPECT_EQ(probe->missed, metric(self->view, MISSED, "t_seconds"));
#ifdef SYS_poll
	/* Else the test's own waiting calls it as well. */
	EXPECT_EQ(CALLERS, probe->hits + probe->missed);
#endif
}

/* ---- Modules ------------------------------------------------------------- */

TEST_F(probe, function_of_a_module_that_goes)
{
	const struct obs_probe_info *probe;
	int i;

	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_KPROBE,
			 "obsring_example:requests_set", 0, 0));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, module_parameter_write("obsring_example", "requests", "1"));
	EXPECT_EQ(5, metric(self->view, "t_total"));
	probe = listed(self->control, "t_total");
	ASSERT_NE(NULL, probe);
	EXPECT_STREQ("", probe->reason);
	ASSERT_EQ(0, module_unload("obsring_example"));
	EXPECT_EQ(5, metric(self->view, "t_total"));
	probe = listed(self->control, "t_total");
	ASSERT_NE(NULL, probe);
	EXPECT_STREQ("its target went away with its module", probe->reason);
	/* It does not come back by itself. */
	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, module_parameter_write("obsring_example", "requests", "1"));
	EXPECT_EQ(5, metric(self->view, "t_total"));
	EXPECT_EQ(0, obs_probe_delete(self->control, "t_total"));
	ASSERT_EQ(0, add(self->control, "t_total", OBSRING_PROBE_KPROBE,
			 "obsring_example:requests_set", 0, 0));
	ASSERT_EQ(0, module_parameter_write("obsring_example", "requests", "1"));
	EXPECT_EQ(1, metric(self->view, "t_total"));
	ASSERT_EQ(0, module_unload("obsring_example"));
}

/* Zones that null_blk reports, each request once. */
static int zones_ask(unsigned int times)
{
	struct {
		struct blk_zone_report head;
		struct blk_zone zone[4];
	} report;
	int fd = open("/dev/nullb0", O_RDONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	while (!r && times--) {
		memset(&report, 0, sizeof(report));
		report.head.nr_zones = ARRAY_SIZE(report.zone);
		r = ioctl(fd, BLKREPORTZONE, &report) ? -errno : 0;
	}
	close(fd);
	return r;
}

#define ZONED "modprobe", "null_blk", "nr_devices=1", "gb=1", "zoned=1", "zone_size=64"

static int zones_probe(struct obs_control *control, const char *name)
{
	return add(control, name, OBSRING_PROBE_TRACEPOINT, "nullb:nullb_report_zones", 0, 0);
}

TEST_F(probe, tracepoint_of_a_module_that_goes)
{
	const struct obs_probe_info *probe;

	if (access("/sys/module/null_blk", F_OK) && program(ZONED))
		SKIP(return, "this kernel has no null_blk with zones");
	if (access("/sys/module/null_blk/initstate", F_OK))
		SKIP(return, "null_blk is built in: it can't go");
	ASSERT_EQ(0, zones_probe(self->control, "z_total"));
	ASSERT_EQ(0, zones_ask(5));
	EXPECT_EQ(5, metric(self->view, "z_total"));

	ASSERT_EQ(0, program("rmmod", "null_blk"));
	probe = listed(self->control, "z_total");
	ASSERT_NE(NULL, probe);
	EXPECT_STREQ("its target went away with its module", probe->reason);
	EXPECT_EQ(5, metric(self->view, "z_total"));
	EXPECT_EQ(-ENOENT, zones_probe(self->control, "y_total"));

	/* The module that comes again has another tracepoint. */
	ASSERT_EQ(0, program(ZONED));
	ASSERT_EQ(0, zones_ask(2));
	EXPECT_EQ(5, metric(self->view, "z_total"));
	EXPECT_EQ(0, obs_probe_delete(self->control, "z_total"));
	ASSERT_EQ(0, zones_probe(self->control, "z_total"));
	ASSERT_EQ(0, zones_ask(3));
	EXPECT_EQ(3, metric(self->view, "z_total"));
	EXPECT_EQ(0, obs_probe_delete(self->control, "z_total"));
	ASSERT_EQ(0, program("rmmod", "null_blk"));
}

/* ---- Anything may be probed, and nothing breaks --------------------------- */

static const char *const busy[] = {
	"vfs_read", "vfs_write", "schedule", "try_to_wake_up", "ktime_get_mono_fast_ns",
	"kmem_cache_alloc", "__kmalloc", "hrtimer_interrupt", "do_softirq",
	"handle_mm_fault", "_raw_spin_lock", "fget", "mutex_lock",
};

TEST_F(probe, busy_functions)
{
	unsigned int set = 0;
	char name[32], text[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(busy); i++) {
		snprintf(name, sizeof(name), "busy%zu_total", i);
		set += !add(self->control, name, OBSRING_PROBE_KPROBE, busy[i], 0, 0);
	}
	EXPECT_LT(4, set);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, program("true"));
		ASSERT_LT(0, file_read("/proc/loadavg", text, sizeof(text)));
	}
	EXPECT_LE(50, metric(self->view, "busy0_total"));
	EXPECT_EQ(0, probes_clear(self->control));
	for (i = 0; i < ARRAY_SIZE(busy); i++) {
		snprintf(name, sizeof(name), "busy%zu_seconds", i);
		add(self->control, name, OBSRING_PROBE_KRETPROBE, busy[i], 0, 2);
	}
	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, program("true"));
	EXPECT_EQ(0, probes_clear(self->control));
}

TEST_F(probe, unload_removes_them)
{
	char text[4096];

	ASSERT_EQ(0, add(self->control, "a_total", OBSRING_PROBE_KPROBE,
			 FUNCTION("getpgid"), 0, 0));
	ASSERT_EQ(0, add(self->control, "b_seconds", OBSRING_PROBE_KRETPROBE,
			 FUNCTION("getsid"), 0, 0));
	ASSERT_EQ(0, add(self->control, "c_total", OBSRING_PROBE_TRACEPOINT,
			 "oom:oom_score_adj_update", 0, 0));
	session_close(&self->session);
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, session_open(&self->session));
	self->control = self->session.control;
	call(SYS_getpgid, 1);
	call(SYS_getsid, 1);
	ASSERT_EQ(0, adjust(1));
	EXPECT_EQ(NULL, listed(self->control, "a_total"));
	EXPECT_EQ(0, list.nr);
	if (file_read("/sys/kernel/debug/kprobes/list", text, sizeof(text)) >= 0)
		EXPECT_EQ(NULL, strstr(text, "getpgid"));
}

TEST_HARNESS_MAIN
