// SPDX-License-Identifier: MIT
/* Sources in general: which there are, switching them, their options, their cost. */
#include "kernel.h"
#include "packet.h"
#include "test.h"

#define NR_SOURCES	10

static const struct {
	const char *name;
	bool on;			/* at load */
	const char *metric[4];
	const char *tracepoint[5];
} sources[NR_SOURCES] = {
	{ "task", true, { "obsring_tasks", "obsring_task_forks_total",
	  "obsring_task_exits_total", "obsring_task_lifetime_seconds" },
	  { "task_newtask", "sched_process_exit" } },
	{ "process", false, { "obsring_process_sleeps_saved_total",
	  "obsring_process_sleeps_missed_total" }, { "sched_switch" } },
	{ "runqueue", false, { "obsring_runqueue_latency_seconds",
	  "obsring_context_switches_total" },
	  { "sched_switch", "sched_wakeup", "sched_wakeup_new" } },
	{ "reclaim", true, { "obsring_reclaim_stall_seconds",
	  "obsring_compaction_stall_seconds", "obsring_oom_kills_total" },
	  { "mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end",
	    "mm_compaction_begin", "mm_compaction_end", "mark_victim" } },
	{ "syscall", false, { "obsring_syscalls_total", "obsring_syscall_latency_seconds" },
	  { "sys_enter", "sys_exit" } },
	{ "block", true, { "obsring_block_io_latency_seconds", "obsring_block_io_bytes_total" },
	  { "block_rq_issue", "block_rq_complete" } },
	{ "netdrop", true, { "obsring_packet_drops_total" }, { "kfree_skb" } },
	{ "tcp", true, { "obsring_tcp_retransmits_total" }, { "tcp_retransmit_skb" } },
	{ "irq", false, { "obsring_softirq_seconds" }, { "softirq_entry", "softirq_exit" } },
	/* Its tracepoint is one of newer kernels alone. */
	{ "printk", true, { "obsring_kernel_messages_total" }, { NULL } },
};

FIXTURE(source)
{
	struct session session;
	struct obs_control *control;
	struct view *view;
};

FIXTURE_SETUP(source)
{
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, session_open(&self->session));
	self->control = self->session.control;
	self->view = &self->session.view;
}

FIXTURE_TEARDOWN(source)
{
	session_close(&self->session);
}

/* ---- Which there are ----------------------------------------------------- */

struct listing {
	struct obs_source_info source[16];
	unsigned int nr;
};

static int list_add(const struct obs_source_info *source, void *arg)
{
	struct listing *listing = arg;

	if (listing->nr == 16)
		return -E2BIG;
	listing->source[listing->nr++] = *source;
	return 0;
}

static const struct obs_source_info *list_find(const struct listing *listing,
					       const char *name)
{
	unsigned int i;

	for (i = 0; i < listing->nr; i++)
		if (!strcmp(listing->source[i].name, name))
			return &listing->source[i];
	return NULL;
}

static const struct obs_source_info *info_of(struct obs_control *control,
					     struct listing *listing, const char *name)
{
	listing->nr = 0;
	return obs_source_list(control, list_add, listing) ? NULL :
	       list_find(listing, name);
}

static struct listing listing;

#define info(name)	info_of(self->control, &listing, name)

TEST_F(source, all_are_listed)
{
	const struct obs_source_info *source;
	size_t i;

	for (i = 0; i < NR_SOURCES; i++) {
		source = info(sources[i].name);
		ASSERT_NE(NULL, source);
		EXPECT_NE(0, source->help[0]);
		EXPECT_EQ(sources[i].on && !source->reason[0], source->enabled);
	}
	EXPECT_EQ(NR_SOURCES, listing.nr);
}

/* A family exists once its source was on. */
TEST_F(source, metrics_have_their_names)
{
	const struct obs_source_info *source;
	size_t i, m;

	for (i = 0; i < NR_SOURCES; i++) {
		source = info(sources[i].name);
		ASSERT_NE(NULL, source);
		for (m = 0; m < 4 && sources[i].metric[m]; m++)
			EXPECT_EQ(source->enabled, metric_total(self->view, sources[i].metric[m]) !=
				  METRIC_NONE);
		if (source->reason[0])
			continue;
		ASSERT_EQ(0, obs_source_set(self->control, sources[i].name, true, NULL, 0));
		for (m = 0; m < 4 && sources[i].metric[m]; m++)
			EXPECT_NE(METRIC_NONE, metric_total(self->view, sources[i].metric[m]))
				TH_LOG("%s", sources[i].metric[m]);
	}
}

TEST_F(source, unavailable_ones_say_why)
{
	const struct obs_source_info *source;
	char reason[256];
	size_t i;
	int r;

	for (i = 0; i < NR_SOURCES; i++) {
		source = info(sources[i].name);
		ASSERT_NE(NULL, source);
		snprintf(reason, sizeof(reason), "%s", source->reason);
		r = obs_source_set(self->control, sources[i].name, true, NULL, 0);
		if (reason[0]) {
			TH_LOG("%s: %s", sources[i].name, reason);
			EXPECT_EQ(-EOPNOTSUPP, r);
			EXPECT_SAYS(reason, self->control);
		} else {
			EXPECT_EQ(0, r);
		}
	}
}

TEST_F(source, unknown)
{
	EXPECT_EQ(-ENOENT, obs_source_set(self->control, "tasks", true, NULL, 0));
	EXPECT_SAYS("there is no source of that name", self->control);
	EXPECT_EQ(-ENOENT, obs_source_set(self->control, "", true, NULL, 0));
}

/* ---- On and off ---------------------------------------------------------- */

TEST_F(source, off_keeps_the_values)
{
	int64_t before;

	ASSERT_EQ(0, packets_dropped(packets_without_socket, 10));
	before = metric(self->view, "obsring_packet_drops_total", "NO_SOCKET");
	ASSERT_LE(10, before);
	ASSERT_EQ(0, obs_source_set(self->control, "netdrop", false, NULL, 0));
	before = metric(self->view, "obsring_packet_drops_total", "NO_SOCKET");
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 10));
	EXPECT_EQ(before, metric(self->view, "obsring_packet_drops_total", "NO_SOCKET"));
	ASSERT_EQ(0, obs_source_set(self->control, "netdrop", true, NULL, 0));
	EXPECT_EQ(before, metric(self->view, "obsring_packet_drops_total", "NO_SOCKET"));
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 10));
	EXPECT_EQ(before + 10, metric(self->view, "obsring_packet_drops_total", "NO_SOCKET"));
}

TEST_F(source, twice_on_or_off_is_once)
{
	ASSERT_EQ(0, obs_source_set(self->control, "netdrop", true, NULL, 0));
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 10));
	EXPECT_EQ(10, metric(self->view, "obsring_packet_drops_total", "NO_SOCKET"));
	ASSERT_EQ(0, obs_source_set(self->control, "netdrop", false, NULL, 0));
	ASSERT_EQ(0, obs_source_set(self->control, "netdrop", false, NULL, 0));
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 10));
	EXPECT_EQ(10, metric(self->view, "obsring_packet_drops_total", "NO_SOCKET"));
}

TEST_F(source, again_and_again)
{
	size_t i;
	int n;

	for (n = 0; n < 4; n++) {
		for (i = 0; i < NR_SOURCES; i++) {
			if (!info(sources[i].name)->reason[0])
				ASSERT_EQ(0, obs_source_set(self->control, sources[i].name,
							    n % 2, NULL, 0));
		}
	}
}

/* The jump at each of its tracepoints is patched away while it is off. */
TEST_F(source, off_costs_nothing)
{
	size_t i, t;

	if (kernel_tracepoint_on("sched_switch") < 0)
		SKIP(return, "this kernel's memory can't be read");
	for (i = 0; i < NR_SOURCES; i++) {
		if (info(sources[i].name)->reason[0])
			continue;
		ASSERT_EQ(0, obs_source_set(self->control, sources[i].name, true, NULL, 0));
		for (t = 0; t < 5 && sources[i].tracepoint[t]; t++)
			EXPECT_EQ(1, kernel_tracepoint_on(sources[i].tracepoint[t]))
				TH_LOG("%s", sources[i].tracepoint[t]);
		ASSERT_EQ(0, obs_source_set(self->control, sources[i].name, false, NULL, 0));
	}
	/* Some share a tracepoint: look when all are off. */
	for (i = 0; i < NR_SOURCES; i++)
		ASSERT_EQ(0, obs_source_set(self->control, sources[i].name, false, NULL, 0));
	for (i = 0; i < NR_SOURCES; i++) {
		for (t = 0; t < 5 && sources[i].tracepoint[t]; t++)
			EXPECT_GE(0, kernel_tracepoint_on(sources[i].tracepoint[t]))
				TH_LOG("%s", sources[i].tracepoint[t]);
	}
}

TEST_F(source, unload_unhooks)
{
	size_t i, t;

	for (i = 0; i < NR_SOURCES; i++) {
		if (!info(sources[i].name)->reason[0])
			ASSERT_EQ(0, obs_source_set(self->control, sources[i].name, true,
						    NULL, 0));
	}
	session_close(&self->session);
	ASSERT_EQ(0, module_unload("obsring"));
	for (i = 0; i < NR_SOURCES; i++) {
		for (t = 0; t < 5 && sources[i].tracepoint[t]; t++)
			EXPECT_GE(0, kernel_tracepoint_on(sources[i].tracepoint[t]));
	}
	ASSERT_EQ(0, module_load("obsring", ""));
	ASSERT_EQ(0, session_open(&self->session));
}

/* ---- At load ------------------------------------------------------------- */

static const struct {
	const char *parameters;
	const char *on[NR_SOURCES + 1];
} loads[] = {
	{ "sources=none", { NULL } },
	{ "sources=", { NULL } },
	{ "sources=irq", { "irq" } },
	{ "sources=task,irq", { "task", "irq" } },
	{ "sources=task,,irq,", { "task", "irq" } },
	{ "sources=task,reclaim,block,netdrop,tcp,printk,syscall,irq",
	  { "task", "reclaim", "block", "netdrop", "tcp", "printk", "syscall", "irq" } },
	{ "sources=all", { "task", "reclaim", "block", "netdrop", "tcp", "printk",
	  "syscall", "irq", "runqueue", "process" } },
};

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

TEST_F(source, parameter)
{
	const struct obs_source_info *source;
	struct obs_info usage;
	size_t l, i;

	session_close(&self->session);
	for (l = 0; l < ARRAY_SIZE(loads); l++) {
		ASSERT_EQ(0, module_reload(loads[l].parameters));
		ASSERT_EQ(0, session_open(&self->session));
		self->control = self->session.control;
		for (i = 0; i < NR_SOURCES; i++) {
			source = info(sources[i].name);
			ASSERT_NE(NULL, source);
			EXPECT_EQ(!source->reason[0] && listed(loads[l].on, source->name),
				  source->enabled)
				TH_LOG("%s: %s", loads[l].parameters, source->name);
		}
		/* Each of these fits the default limit. */
		ASSERT_EQ(0, obs_control_info(self->control, &usage));
		EXPECT_EQ(0, usage.refused);
		EXPECT_LE(usage.bytes, usage.bytes_limit);
		if (l + 1 < ARRAY_SIZE(loads))
			session_close(&self->session);
	}
}

TEST_F(source, memory_at_load)
{
	struct obs_info usage;

	ASSERT_EQ(0, obs_control_info(self->control, &usage));
	EXPECT_EQ(131072ULL * (unsigned int)sysconf(_SC_NPROCESSORS_CONF), usage.bytes_limit);
	TH_LOG("values %llu of %llu bytes, directory %llu",
	       (unsigned long long)usage.bytes, (unsigned long long)usage.bytes_limit,
	       (unsigned long long)usage.directory_bytes);
	/* Room is left for what others make. */
	EXPECT_LE(usage.bytes * 2, usage.bytes_limit);
	EXPECT_EQ(0, usage.refused);
}

/* ---- Options ------------------------------------------------------------- */

#define TIME(key) key ": not off or a time from 1us to 3600s, such as 10ms"

static const struct {
	const char *source;
	const char *option[3];
	const char *sentence;
} bad[] = {
	{ "task", { "sample=1" }, "the source has no such option" },
	{ "syscall", { "sampel=1" }, "the source has no such option" },
	{ "syscall", { "sample=0" }, "sample: not a number from 1 to 1048576" },
	{ "syscall", { "sample=1048577" }, "sample: not a number from 1 to 1048576" },
	{ "syscall", { "sample=-1" }, "sample: not a number from 1 to 1048576" },
	{ "syscall", { "sample=1x" }, "sample: not a number from 1 to 1048576" },
	{ "syscall", { "sample=" }, "sample: not a number from 1 to 1048576" },
	{ "syscall", { "latency=reed" },
	  "latency: this kernel has no system call of one of these names" },
	{ "syscall", { "latency=read,exit" },
	  "latency: exit, exit_group and rt_sigreturn do not return" },
	{ "syscall", { "sample=7", "latency=reed" },
	  "latency: this kernel has no system call of one of these names" },
	{ "syscall", { "latency=openat,close", "sample=0" },
	  "sample: not a number from 1 to 1048576" },
	{ "reclaim", { "log-oom=" }, "log-oom: not on or off" },
	{ "reclaim", { "log-oom=1" }, "log-oom: not on or off" },
	{ "netdrop", { "log-drop=On" }, "log-drop: not on or off" },
	{ "reclaim", { "log-stall=10" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=ms" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=0ms" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=010ms" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=-1ms" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=1.5ms" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=1 ms" }, TIME("log-stall") },
	{ "reclaim", { "log-stall=1ns" }, TIME("log-stall") },
	{ "block", { "log-io=3601s" }, TIME("log-io") },
	{ "block", { "log-io=3600001ms" }, TIME("log-io") },
	{ "block", { "log-io=18446744073709551617us" }, TIME("log-io") },
	{ "block", { "log-io=5ms", "log-io=on" }, TIME("log-io") },
	{ "printk", { "log-level=error" },
	  "log-level: not off, emerg, alert, crit, err, warning, notice, info or debug" },
	{ "printk", { "log-level=3" },
	  "log-level: not off, emerg, alert, crit, err, warning, notice, info or debug" },
};

static const char *option_of(const struct obs_source_info *source, const char *key)
{
	unsigned int i;

	for (i = 0; i < source->nr_options; i++)
		if (!strcmp(source->option[i].key, key))
			return source->option[i].value;
	return "";
}

/* All or nothing: neither the switch nor the option before the bad one. */
TEST_F(source, bad_options)
{
	unsigned int nr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (nr = 0; bad[i].option[nr]; nr++)
			;
		EXPECT_EQ(-EINVAL, obs_source_set(self->control, bad[i].source, true,
						  bad[i].option, nr));
		EXPECT_SAYS(bad[i].sentence, self->control);
		EXPECT_FALSE(info("syscall")->enabled);
		EXPECT_TRUE(info("task")->enabled);
		EXPECT_STREQ("1000", option_of(info("syscall"), "sample"));
		EXPECT_STREQ("read,write", option_of(info("syscall"), "latency"));
		EXPECT_STREQ("off", option_of(info("reclaim"), "log-oom"));
		EXPECT_STREQ("off", option_of(info("reclaim"), "log-stall"));
		EXPECT_STREQ("off", option_of(info("block"), "log-io"));
		EXPECT_STREQ("off", option_of(info("netdrop"), "log-drop"));
		EXPECT_STREQ("off", option_of(info("printk"), "log-level"));
	}
}

static const struct {
	const char *source, *key, *value;
} shown[] = {
	{ "reclaim", "log-oom", "on" },
	{ "reclaim", "log-stall", "1us" },
	{ "reclaim", "log-stall", "1000us" },
	{ "reclaim", "log-stall", "10ms" },
	{ "reclaim", "log-stall", "3600s" },
	{ "block", "log-io", "3600000000us" },
	{ "netdrop", "log-drop", "on" },
	{ "printk", "log-level", "emerg" },
	{ "printk", "log-level", "debug" },
};

TEST_F(source, log_options_are_shown_as_given)
{
	char option[64], off[64];
	const char *set = option, *unset = off;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		snprintf(option, sizeof(option), "%s=%s", shown[i].key, shown[i].value);
		snprintf(off, sizeof(off), "%s=off", shown[i].key);
		EXPECT_STREQ("off", option_of(info(shown[i].source), shown[i].key));
		ASSERT_EQ(0, obs_source_set(self->control, shown[i].source, true, &set, 1));
		EXPECT_STREQ(shown[i].value, option_of(info(shown[i].source), shown[i].key));
		/* A bad one leaves it as it was. */
		snprintf(option, sizeof(option), "%s=no", shown[i].key);
		EXPECT_EQ(-EINVAL, obs_source_set(self->control, shown[i].source, true, &set, 1));
		EXPECT_STREQ(shown[i].value, option_of(info(shown[i].source), shown[i].key));
		ASSERT_EQ(0, obs_source_set(self->control, shown[i].source, true, &unset, 1));
	}
}

TEST_F(source, options_are_shown)
{
	const char *option[] = { "sample=5", "latency=openat,close" };

	ASSERT_EQ(0, obs_source_set(self->control, "syscall", false, option, 2));
	EXPECT_FALSE(info("syscall")->enabled);
	EXPECT_STREQ("5", option_of(info("syscall"), "sample"));
	EXPECT_STREQ("openat,close", option_of(info("syscall"), "latency"));
	/* And kept. */
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", true, NULL, 0));
	EXPECT_STREQ("5", option_of(info("syscall"), "sample"));
	EXPECT_NE(METRIC_NONE, metric(self->view, "obsring_syscall_latency_seconds", "close"));
	EXPECT_EQ(METRIC_NONE, metric(self->view, "obsring_syscall_latency_seconds", "read"));
}

TEST_HARNESS_MAIN
