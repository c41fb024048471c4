// SPDX-License-Identifier: MIT
/* obsringctl as it is called: what it prints, and its exit status. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring/exemplar.h>
#include <obsring/ring.h>

#include "obsringctl/child.h"
#include "obsringctl/duration.h"
#include "obsringctl/family.h"
#include "obsringctl/obsringctl.h"
#include "obsringctl/probe.h"
#include "obsringctl/scale.h"
#include "obsringctl/since.h"
#include "segment.h"

static char output[1 << 16];

/* Run obsringctl with @args; what @redirect leaves in the pipe goes to output. */
static int ctl_redirected(const char *args, const char *redirect)
{
	char command[1024];
	size_t n;
	FILE *p;
	int r;

	snprintf(command, sizeof(command), OBJECTS "/bin/obsringctl %s %s", args, redirect);
	p = popen(command, "r");
	assert_non_null(p);
	n = fread(output, 1, sizeof(output) - 1, p);
	output[n] = 0;
	r = pclose(p);
	assert_true(WIFEXITED(r));
	return WEXITSTATUS(r);
}

static int ctl(const char *args)
{
	return ctl_redirected(args, "2>&1");
}

static int ctl_on(struct segment *s, const char *args)
{
	char all[512];

	snprintf(all, sizeof(all), "--device %s %s", segment_path(s), args);
	return ctl(all);
}

static struct segment *segment;

static const struct obsring_trace trace = {
	.trace_id = { 0x0a, 0xf7 }, .span_id = { 0xb7, 0xad }, .flags = 1 };

/* A log of four, of which the last says what it likes. */
static void log_fill(struct segment *s)
{
	segment_log(s, &(struct segment_record){ .cpu = 2, .time_ns = 1000, .level = 3,
		.source = "disk", .comm = "swapper", .message = "failed",
		.fields = "dev\0sda\0\"\n\0\xff", .fields_len = 13 });
	segment_log(s, &(struct segment_record){ .cpu = 0, .time_ns = 2000, .level = 6,
		.origin = OBSRING_ORIGIN_USER, .source = "shop", .message = "paid",
		.pid = 7, .uid = 1000, .comm = "sh", .trace = &trace,
		.threshold = 1ULL << 55, .flags = OBSRING_RECORD_CUT });
	segment_log(s, &(struct segment_record){ .cpu = 0, .time_ns = 3000, .level = 7,
		.source = "disk", .message = "spins" });
	segment_log(s, &(struct segment_record){ .cpu = 2, .time_ns = 4000, .level = 4,
		.origin = OBSRING_ORIGIN_USER, .source = "s\n",
		.message = "a\"\\\x1b\xc2\x9b\xe2\x80\xae\xff\xe2\x82\xac" });
}

static int setup(void **state)
{
	static const uint64_t bounds[] = { 5000000, 100000000, 2500000000 };
	struct segment *s = segment_new(&(struct segment_spec){ .nr_cpus = 3,
							 .cpus_absent = 1 << 1,
							 .ring_lines = 64 });
	uint32_t family, series;

	(void)state;
	segment = s;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "ops_total", .help = "Operations.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 2, .label = (const char *[]){ "op", "dev" } });
	series = segment_series_add(s, family, (const char *[]){ "read", "sda" });
	segment_slot(s, series, 0)[0] = (1ULL << 53);
	segment_slot(s, series, 2)[0] = 1;
	series = segment_series_add(s, family, (const char *[]){ "write", "a\"b\\c\n\033" });
	segment_slot(s, series, 2)[0] = 7;
	/* U+009B, which is ESC [ in one character, beside others above ASCII. */
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "odd", .help = "\xc2\x9b""31m \xc2\xa0\xe2\x82\xac\x7f",
		.kind = OBSRING_KIND_INFO, .nr_labels = 1,
		.label = (const char *[]){ "l" } });
	segment_series_add(s, family, (const char *[]){ "\xc2\x9b""31m\xe2\x82\xac" });
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "wait_seconds", .help = "Waiting.", .unit = "seconds",
		.kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9, .nr_bounds = 3,
		.bound = bounds });
	series = segment_series_add(s, family, NULL);
	segment_slot(s, series, 0)[0] = 1234567;
	segment_slot(s, series, 0)[1] = 1;
	segment_slot(s, series, 2)[2] = 2;
	segment_slot(s, series, 2)[4] = 1;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "exp_seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.schema = 3, .min_log2 = -2, .max_log2 = 1 });
	series = segment_series_add(s, family, NULL);
	/* Bucket 0 is up to 2^-2, 1 to 8 up to 2^-1, 25 is above 2. */
	segment_slot(s, series, 0)[1 + 0] = 1;
	segment_slot(s, series, 0)[1 + 1] = 2;
	segment_slot(s, series, 0)[1 + 8] = 4;
	segment_slot(s, series, 0)[1 + 9] = 8;
	segment_slot(s, series, 0)[1 + 25] = 16;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "my.gauge", .kind = OBSRING_KIND_GAUGE, .set = true, .exp10 = -3 });
	series = segment_series_add(s, family, NULL);
	segment_slot(s, series, 0)[0] = (uint64_t)-1500;
	log_fill(s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	segment_free(segment);
	return 0;
}

static const struct {
	const char *args;
	int status;
	const char *output;
} runs[] = {
	{ "get 'ops_total{op=\"read\"}'", 0,
	  "ops_total{op=\"read\",dev=\"sda\"} 9007199254740993\n" },
	{ "get ops_total", 0,
	  "ops_total{op=\"read\",dev=\"sda\"} 9007199254740993\n"
	  "ops_total{op=\"write\",dev=\"a\\\"b\\\\c\\n\\x1b\"} 7\n" },
	{ "get ops_total --per-cpu", 0,
	  "ops_total{op=\"read\",dev=\"sda\"} 9007199254740993\n"
	  "  cpu 0: 9007199254740992\n  cpu 2: 1\n"
	  "ops_total{op=\"write\",dev=\"a\\\"b\\\\c\\n\\x1b\"} 7\n"
	  "  cpu 0: 0\n  cpu 2: 7\n" },
	{ "get --json 'ops_total{dev=\"sda\"}'", 0,
	  "[{\"name\": \"ops_total\", \"kind\": \"counter\", \"labels\": "
	  "{\"op\": \"read\", \"dev\": \"sda\"}, \"value\": 9007199254740993}]\n" },
	{ "--json get ops_total{op=\\\"write\\\"} --per-cpu", 0,
	  "[{\"name\": \"ops_total\", \"kind\": \"counter\", \"labels\": "
	  "{\"op\": \"write\", \"dev\": \"a\\\"b\\\\c\\u000a\\u001b\"}, \"value\": 7, "
	  "\"cpus\": [{\"cpu\": 0, \"value\": 0}, {\"cpu\": 2, \"value\": 7}]}]\n" },
	{ "get wait_seconds --per-cpu", 0,
	  "wait_seconds_sum 0.001234567\nwait_seconds_count 4\n"
	  "wait_seconds_bucket{le=\"0.005\"} 1\nwait_seconds_bucket{le=\"0.1\"} 3\n"
	  "wait_seconds_bucket{le=\"2.5\"} 3\nwait_seconds_bucket{le=\"+Inf\"} 4\n"
	  "  cpu 0: count 1, sum 0.001234567\n  cpu 2: count 3, sum 0\n" },
	{ "get wait_seconds --raw --json", 0,
	  "[{\"name\": \"wait_seconds\", \"kind\": \"histogram\", \"labels\": {}, "
	  "\"count\": 4, \"sum\": 1234567, \"buckets\": "
	  "[{\"le\": \"5000000\", \"count\": 1}, {\"le\": \"100000000\", \"count\": 3}, "
	  "{\"le\": \"2500000000\", \"count\": 3}, {\"le\": \"+Inf\", \"count\": 4}]}]\n" },
	{ "get exp_seconds", 0,
	  "exp_seconds_sum 0\nexp_seconds_count 31\n"
	  "exp_seconds_bucket{le=\"0.25\"} 1\nexp_seconds_bucket{le=\"0.5\"} 7\n"
	  "exp_seconds_bucket{le=\"1\"} 15\nexp_seconds_bucket{le=\"2\"} 15\n"
	  "exp_seconds_bucket{le=\"+Inf\"} 31\n" },
	{ "get my.gauge", 0, "{\"my.gauge\"} -1.5\n" },
	{ "get '{\"my.gauge\"}' --raw --per-cpu", 0, "{\"my.gauge\"} -1500\n" },
	{ "list 'ops*' '*gauge'", 0,
	  "ops_total{op,dev}  counter  2 series  Operations.\n"
	  "my.gauge  gauge  1 series  \n" },
	{ "list odd", 0,
	  "odd{l}  info  1 series  \\x9b31m \xc2\xa0\xe2\x82\xac\\x7f\n" },
	{ "get odd", 0, "odd{l=\"\\x9b31m\xe2\x82\xac\"} 1\n" },
	{ "list --json wait_seconds", 0,
	  "[{\"name\": \"wait_seconds\", \"kind\": \"histogram\", \"unit\": \"seconds\", "
	  "\"help\": \"Waiting.\", \"labels\": [], \"series\": 1}]\n" },
	{ "info --json", 0,
	  "{\"state\": \"running\", \"abi_major\": 1, \"abi_minor\": 0, "
	  "\"instance\": 1311768467294899695, \"cpus\": 3, \"series\": 6}\n" },
	{ "complete get w", 0, "wait_seconds\n" },
	{ "complete log --s", 0, "--since\n--source\n" },
	{ "complete log s", 0, "size\n" },
	{ "complete log size --k", 0, "--kernel\n" },

	{ "get nothing", 1, "obsringctl: no metric is named \"nothing\"\n" },
	{ "get 'ops_total{of=\"x\"}'", 1,
	  "obsringctl: metric ops_total has no label \"of\"\n" },
	{ "get 'ops_total{op=\"x\"}'", 1,
	  "obsringctl: no series matches ops_total{op=\"x\"}\n" },
	{ "list nothing", 1, "obsringctl: no metric matches \"nothing\"\n" },
	{ "series add 'ops_total{op=\"x\"}'", 1,
	  "obsringctl: metric ops_total needs a value of label \"dev\"\n" },
	{ "series update my.gauge 1.2345", 1,
	  "obsringctl: 1.2345 can't be told in units of 10^-3: "
	  "Numerical result out of range\n" },
	{ "series update 'ops_total{op=\"read\",dev=\"sda\"}' -1", 1,
	  "obsringctl: cannot update series ops_total{op=\"read\",dev=\"sda\"} by -1: "
	  "only a gauge takes a negative number\n" },
	{ "series update wait_seconds -0.5", 1,
	  "obsringctl: cannot update series wait_seconds by -0.5: "
	  "only a gauge takes a negative number\n" },
	{ "series update my.gauge 9223372036854775.808", 1,
	  "obsringctl: cannot update series my.gauge by 9223372036854775.808: "
	  "it is above 2^63 - 1 in stored units\n" },
};

static void test_runs(void **state)
{
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		r = ctl_on(segment, runs[i].args);
		if (r != runs[i].status || strcmp(output, runs[i].output))
			fail_msg("%s: status %d\n%s", runs[i].args, r, output);
	}
}

#define DISK_LINE \
	"T level=err source=disk cpu=2 pid=0 uid=0 comm=swapper msg=\"failed\" " \
	"dev=sda __=\"\\xff\"\n"
#define SHOP_LINE \
	"T level=info source=user.shop cpu=0 pid=7 uid=1000 comm=sh " \
	"trace_id=0af70000000000000000000000000000 span_id=b7ad000000000000 " \
	"msg=\"paid\" cut=true\n"
#define SPINS_LINE \
	"T level=debug source=disk cpu=0 pid=0 uid=0 comm=\"\" msg=\"spins\"\n"
#define ODD_LINE \
	"T level=warning source=\"user.s\\n\" cpu=2 pid=0 uid=0 comm=\"\" " \
	"msg=\"a\\\"\\\\\\x1b\\xc2\\x9b\\xe2\\x80\\xae\\xff\xe2\x82\xac\"\n"

/* Behind "log"; what is printed, with T for the time. */
static const struct {
	const char *args, *output;
} logs[] = {
	{ "", DISK_LINE SHOP_LINE SPINS_LINE ODD_LINE },
	{ "--level err", DISK_LINE },
	{ "--level 6", DISK_LINE SHOP_LINE ODD_LINE },
	{ "--level emerg", "" },
	{ "--source disk", DISK_LINE SPINS_LINE },
	{ "--source 'user.*' --level info", SHOP_LINE ODD_LINE },
	{ "--origin kernel", DISK_LINE SPINS_LINE },
	{ "--origin user --source '*shop'", SHOP_LINE },
	{ "--trace-id 0af70000000000000000000000000000", SHOP_LINE },
	{ "--trace-id 0af70000000000000000000000000001", "" },
	{ "--since @0", DISK_LINE SHOP_LINE SPINS_LINE ODD_LINE },
	{ "--since 0s", "" },
	{ "--since 2026-11-22T16:14:17.5+01:00 --source none", "" },
	{ "--json --source disk",
	  "{T, \"level\": \"err\", \"source\": \"disk\", \"origin\": \"kernel\", "
	  "\"cpu\": 2, \"pid\": 0, \"uid\": 0, \"comm\": \"swapper\", "
	  "\"threshold\": 0, \"weight\": 1, \"msg\": \"failed\", "
	  "\"fields\": {\"dev\": \"sda\", \"\\\"\\u000a\": \"\\ufffd\"}}\n"
	  "{T, \"level\": \"debug\", \"source\": \"disk\", \"origin\": \"kernel\", "
	  "\"cpu\": 0, \"pid\": 0, \"uid\": 0, \"comm\": \"\", "
	  "\"threshold\": 0, \"weight\": 1, \"msg\": \"spins\"}\n" },
	{ "--json --origin user",
	  "{T, \"level\": \"info\", \"source\": \"user.shop\", \"origin\": \"user\", "
	  "\"cpu\": 0, \"pid\": 7, \"uid\": 1000, \"comm\": \"sh\", "
	  "\"trace_id\": \"0af70000000000000000000000000000\", "
	  "\"span_id\": \"b7ad000000000000\", \"trace_flags\": 1, "
	  "\"threshold\": 36028797018963968, \"weight\": 2, \"msg\": \"paid\", "
	  "\"cut\": true}\n"
	  "{T, \"level\": \"warning\", \"source\": \"user.s\\u000a\", "
	  "\"origin\": \"user\", \"cpu\": 2, \"pid\": 0, \"uid\": 0, \"comm\": \"\", "
	  "\"threshold\": 0, \"weight\": 1, "
	  "\"msg\": \"a\\\"\\\\\\u001b\\u009b\\u202e\\ufffd\xe2\x82\xac\"}\n" },
};

static void log_check(struct segment *s, const char *args, const char *expected)
{
	char all[256];

	snprintf(all, sizeof(all), "log %s | sed -E "
		 "'s/^ts=[^ ]*Z /T /; s/\"ts\": \"[^\"]*Z\"/T/'", args);
	assert_int_equal(ctl_on(s, all), 0);
	if (strcmp(output, expected))
		fail_msg("log %s:\n%s", args, output);
}

static void test_log(void **state)
{
	struct segment *s = segment_new(&(struct segment_spec){ .ring_lines = 64 });
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(logs) / sizeof(logs[0]); i++)
		log_check(segment, logs[i].args, logs[i].output);
	/* A gap, in its place. */
	for (i = 0; i < 5; i++)
		segment_log(s, &(struct segment_record){ .time_ns = i });
	segment_lines(s, 0)[OBS_RING_LINE_START % 64].word[0] |= 0xffULL << 32;
	segment_lines(s, 0)[(OBS_RING_LINE_START + 2 * 4) % 64].word[0] |= 0xffULL << 32;
	log_check(s, "--since @0 | cut -d ' ' -f 1 | sed -E 's/^ts=.*/T/'",
		  "lost=1\nT\nT\nT\nlost=1\n");
	log_check(s, "--json --since @0 | grep lost",
		  "{\"lost\": 1, \"origin\": \"kernel\", \"cpu\": 0}\n"
		  "{\"lost\": 1, \"origin\": \"kernel\", \"cpu\": 0}\n");
	segment_free(s);
	s = segment_new(NULL);
	assert_int_equal(ctl_on(s, "log"), 1);
	assert_non_null(strstr(output, "can't be mapped"));
	segment_free(s);
}

/* Follows until the module goes; what was there, and what came, in whole lines. */
static void test_log_follow(void **state)
{
	struct segment *s = segment_new(&(struct segment_spec){ .ring_lines = 1024 });
	char command[256], line[512];
	unsigned int i;
	FILE *p;

	(void)state;
	segment_log(s, &(struct segment_record){ .message = "before" });
	snprintf(command, sizeof(command),
		 OBJECTS "/bin/obsringctl --device %s log --follow", segment_path(s));
	p = popen(command, "r");
	assert_non_null(p);
	assert_non_null(fgets(line, sizeof(line), p));
	assert_non_null(strstr(line, "msg=\"before\"\n"));
	for (i = 0; i < 100; i++) {
		segment_log(s, &(struct segment_record){ .cpu = i % 4, .time_ns = i,
			.message = "while" });
		assert_non_null(fgets(line, sizeof(line), p));
		assert_non_null(strstr(line, "msg=\"while\"\n"));
	}
	segment_set_state(s, OBSRING_STATE_DRAINING);
	assert_null(fgets(line, sizeof(line), p));
	assert_int_equal(pclose(p), 0);
	/* Who reads no more ends it, at once and quietly. */
	segment_set_state(s, OBSRING_STATE_RUNNING);
	snprintf(command, sizeof(command), "--device %s log --follow | head -n 3; "
		 "trap '' PIPE; " OBJECTS "/bin/obsringctl --device %s log --follow | "
		 "head -n 1", segment_path(s), segment_path(s));
	assert_int_equal(ctl(command), 0);
	assert_null(strstr(output, "obsringctl:"));
	segment_free(s);
}

static void refused_by_full(const char *args)
{
	char all[512];
	int r;

	snprintf(all, sizeof(all), "--device %s %s", segment_path(segment), args);
	r = ctl_redirected(all, "2>&1 >/dev/full");
	if (r != 1 || strcmp(output, "obsringctl: cannot write the output: "
				     "No space left on device\n"))
		fail_msg("%s: status %d\n%s", args, r, output);
}

/* What can't be written is a failure, whatever is printed. */
static void test_full_output(void **state)
{
	static const char *const also[] = {
		"--help", "--version", "get --help", "complete ''", "log", "log --json",
		"log --follow",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(also) / sizeof(also[0]); i++)
		refused_by_full(also[i]);
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (!runs[i].status)
			refused_by_full(runs[i].args);
}

/* Called wrongly: status 2, and the word that is wrong is named. */
static const struct {
	const char *args, *named;
} misuses[] = {
	{ "", "command is missing" },
	{ "frob", "\"frob\"" },
	{ "source frob", "\"source frob\"" },
	{ "--frob get x", "--frob" },
	{ "--device", "--device" },
	{ "get", "one metric" },
	{ "get a b", "one metric" },
	{ "get --frob a", "--frob" },
	{ "get -x a", "x" },
	{ "get --raw=1 a", "--raw" },
	{ "get 'a{'", "a{" },
	{ "info x", "\"x\"" },
	{ "log x", "\"x\"" },
	{ "log --follow=1", "--follow" },
	{ "log --level 8", "--level 8" },
	{ "log --level error", "--level error" },
	{ "log --origin root", "--origin root" },
	{ "log --trace-id 0af7", "--trace-id 0af7" },
	{ "log --trace-id 0AF70000000000000000000000000000", "lower-case" },
	{ "log --since yesterday", "--since yesterday" },
	{ "source enable", "source is missing" },
	{ "source enable syscall sample", "\"sample\"" },
	{ "source enable syscall sample=10 =5", "\"=5\"" },
	{ "source list x", "\"x\"" },
	{ "log size 1M", "\"1M\"" },
	{ "log size --kernel", "--kernel" },
	{ "log size --kernel x", "\"x\" is no size" },
	{ "log size --kernel 1G", "\"1G\" is no size" },
	{ "log size --user 64KB", "\"64KB\" is no size" },
	{ "log size --user -1", "\"-1\" is no size" },
	{ "log size --user 99999999999999999M", "is no size" },
	{ "probe add", "type and a target" },
	{ "probe add frob x --as y", "\"frob\"" },
	{ "probe add kprobe x", "--as" },
	{ "probe add kprobe x --as y --sample 0", "--sample 0" },
	{ "probe add kprobe x --as y --sample 1048577", "--sample 1048577" },
	{ "probe add kprobe x --as y --sample 1x", "--sample 1x" },
	{ "probe add kprobe x --as y --kind gauge", "\"gauge\"" },
	{ "probe add kprobe x --as y --kind histogram", "kretprobe" },
	{ "probe delete", "one metric" },
	{ "sample list x", "\"x\"" },
	{ "sample set x", "a source and a rule" },
	{ "sample set x often", "\"often\"" },
	{ "sample set x 1:0", "\"1:0\"" },
	{ "sample set :err drop", "\":err\"" },
	{ "sample set x drop --at tomorrow", "--at tomorrow" },
	{ "sample set x drop --replace first", "--replace first" },
	{ "sample delete x --replace 0", "--replace 0" },
	{ "sample set x drop --at 1969-12-31T23:59:58Z", "before 1970" },
	{ "sample delete", "one source" },
	{ "sample cancel x", "\"x\"" },
	{ "sample cancel 0", "\"0\"" },
	{ "family add x", "--kind" },
	{ "family add x --kind frob", "\"frob\"" },
	{ "family add x --kind stateset", "by processes" },
	{ "family add x --kind counter --exp10 1", "--exp10 1" },
	{ "family add x --kind histogram", "--bounds" },
	{ "family add x --kind histogram --bounds 1,y", "\"y\"" },
	{ "family add x --kind histogram --bounds 0.1", "\"0.1\"" },
	{ "family add x --kind histogram --min-log2 -41 --max-log2 0", "-41" },
	{ "family add x --kind histogram --bounds ''", "--bounds" },
	{ "family add x --kind histogram --bounds 1 --schema 3", "not by both" },
	{ "family add x --kind counter --bounds 1", "only a histogram" },
	{ "family add x --kind gauge --min-log2 1", "only a histogram" },
	{ "series add", "one series" },
	{ "series update my.gauge x", "\"x\"" },
	{ "doctor now", "\"now\"" },
	{ "doctor --url localhost", "--url localhost" },
	{ "drain now", "\"now\"" },
	{ "inc", "one series" },
	{ "inc x_total", "--service" },
	{ "inc --service s x_total 1 2", "one series" },
	{ "inc --service s 'x{'", "x{" },
	{ "inc --service s 'x_total{uid=\"1\"}'", "\"uid\" is added" },
	{ "inc --service s 'x{a=\"\",b=\"\",c=\"\",d=\"\",e=\"\",f=\"\",g=\"\"}'", "6 labels" },
	{ "inc --service s x_total --buckets 1", "--buckets" },
	{ "inc --service s x_total --schema 1", "--schema" },
	{ "add --service s x_total", "a number" },
	{ "add --service s x_total --exp10 1 5", "--exp10 1" },
	{ "add --service s x_total -1", "negative" },
	{ "add --service s x_total 1s", "\"1s\"" },
	{ "add --service s x_total 1e", "\"1e\"" },
	{ "set --service s x", "a number" },
	{ "set --service s x nan", "\"nan\"" },
	{ "observe --service s x_seconds -0.5", "negative" },
	{ "observe --service s x_seconds 1 --buckets 1,y", "\"y\"" },
	{ "observe --service s x_bytes 1 --buckets 0.5", "\"0.5\"" },
	{ "observe --service s x_seconds 1 --buckets 1 --schema 3", "not by both" },
	{ "observe --service s x_seconds 1 --schema 3", "--min-log2" },
	{ "run true", "--service" },
	{ "run --service s", "command is missing" },
	{ "run --service s --", "command is missing" },
	{ "run -x --service s -- true", "x" },
	{ "service", "\"service\"" },
	{ "service list x", "\"x\"" },
	{ "service show", "one service" },
	{ "service show x --uid y", "--uid y" },
	{ "service show x --uid -1", "--uid -1" },
	{ "service ttl x", "a service and a time" },
	{ "service ttl x 5", "\"5\"" },
	{ "service ttl x 0s", "\"0s\"" },
	{ "service ttl x 1.5s", "\"1.5s\"" },
	{ "service delete", "one service" },
	{ "segment create", "one path" },
	{ "segment create /x --series 0", "--series 0" },
	{ "segment create /x --log-bytes 1k", "--log-bytes 1k" },
	{ "segment create /x --mode 0999", "--mode 0999" },
	{ "segment create /x --mode 01777", "--mode 01777" },
};

static void test_misuses(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
		char args[256];

		snprintf(args, sizeof(args), "%s", misuses[i].args);
		if (!strncmp(args, "series update", 13))
			assert_int_equal(ctl_on(segment, args), 2);
		else
			assert_int_equal(ctl(args), 2);
		if (strncmp(output, "obsringctl: ", 12) ||
		    !strstr(output, misuses[i].named))
			fail_msg("%s: %s", misuses[i].args, output);
	}
}

static void test_no_device(void **state)
{
	(void)state;
	assert_int_equal(ctl("--device /nonexistent get x"), 1);
	assert_string_equal(output, "obsringctl: cannot read /nonexistent: no such "
			    "device: the obsring module is not loaded\n");
	assert_int_equal(ctl("--device /dev/null list"), 1);
	assert_non_null(strstr(output, "/dev/null"));
	segment_set_state(segment, OBSRING_STATE_DRAINING);
	assert_int_equal(ctl_on(segment, "list"), 1);
	assert_non_null(strstr(output, "being unloaded"));
	segment_set_state(segment, OBSRING_STATE_RUNNING);
	assert_int_equal(ctl_on(segment, "list 3>&1 >/dev/full 2>&3 #"), 1);
	assert_non_null(strstr(output, "cannot write"));
	assert_int_equal(ctl_on(segment, "list 2>&1 >&- #"), 1);
	assert_non_null(strstr(output, "cannot write"));
	assert_int_equal(ctl_on(segment, "get nothing <&- >&- 2>&- #"), 1);
	assert_string_equal(output, "");
}

/* Usage, help, completion and the manual page all know the table's commands. */
static void test_table(void **state)
{
	static char manual[1 << 16];
	const struct ctl_command *command;
	char text[512], *p;
	FILE *f;

	(void)state;
	f = fopen(TOP "/userspace/man/obsringctl.1", "r");
	assert_non_null(f);
	manual[fread(manual, 1, sizeof(manual) - 1, f)] = 0;
	fclose(f);
	/* In the page, "\-" is a hyphen that can be searched for. */
	for (p = manual; (p = strstr(p, "\\-")); p++)
		memmove(p, p + 1, strlen(p));
	assert_int_equal(ctl("--help"), 0);
	for (command = ctl_commands; command->name; command++) {
		const char *option = command->usage;

		if (command->hidden)
			continue;
		assert_non_null(strstr(output, command->help));
		if (!strstr(manual, command->name))
			fail_msg("obsringctl.1 does not know \"%s\"", command->name);
		while ((option = strstr(option, "--"))) {
			snprintf(text, sizeof(text), "%.*s",
				 (int)strcspn(option, " ]"), option);
			if (!strstr(manual, text))
				fail_msg("obsringctl.1 does not know %s", text);
			option += strlen(text);
		}
	}
	for (command = ctl_commands; command->name; command++) {
		snprintf(text, sizeof(text), "%s --help", command->name);
		if (command->hidden)
			continue;
		assert_int_equal(ctl(text), 0);
		snprintf(text, sizeof(text), "usage: obsringctl %s", command->name);
		assert_int_equal(strncmp(output, text, strlen(text)), 0);
	}
	assert_int_equal(ctl("complete ''"), 0);
	assert_string_equal(output,
		"info\nlist\nget\nlog\ntop\nsource\nprobe\nsample\nfamily\nseries\n"
		"inc\nadd\nset\nobserve\nrun\nservice\nsegment\ndoctor\ndrain\ntrace\n");
	assert_int_equal(ctl("complete source ''"), 0);
	assert_string_equal(output, "list\nenable\ndisable\n");
	assert_int_equal(ctl("complete probe add --s"), 0);
	assert_string_equal(output, "--sample\n");
	assert_int_equal(ctl("complete probe add k"), 0);
	assert_string_equal(output, "kprobe\nkretprobe\n");
	assert_int_equal(ctl("complete observe --b"), 0);
	assert_string_equal(output, "--buckets\n");
	assert_int_equal(ctl("complete run --s"), 0);
	assert_string_equal(output, "--service\n");
	assert_int_equal(ctl("--version"), 0);
	assert_int_equal(strncmp(output, "obsringctl ", 11), 0);
}

static void test_probe_words(void **state)
{
	static const struct {
		const char *type, *as, *kind;
		enum obsring_kind result;
	} cases[] = {
		{ "kretprobe", "vfs_read_seconds", NULL, OBSRING_KIND_UNSPEC },
		{ "kretprobe", "vfs_reads_total", "counter", OBSRING_KIND_COUNTER },
		{ "kretprobe", "vfs_reads_total", NULL, OBSRING_KIND_COUNTER },
		{ "kretprobe", "vfs_reads_total", "histogram", OBSRING_KIND_HISTOGRAM },
		{ "kretprobe", "vfs_read", NULL, OBSRING_KIND_UNSPEC },
		{ "kretprobe", "vfs_read_seconds", "counter", OBSRING_KIND_COUNTER },
		{ "kretprobe", "vfs_read", "histogram", OBSRING_KIND_HISTOGRAM },
		{ "kprobe", "vfs_read_seconds", NULL, OBSRING_KIND_UNSPEC },
		{ "kprobe", "vfs_reads_total", "counter", OBSRING_KIND_COUNTER },
		{ "tracepoint", "switches_total", NULL, OBSRING_KIND_COUNTER },
		{ "tracepoint", "switches", NULL, OBSRING_KIND_UNSPEC },
	};
	struct obs_probe_info probe;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words[] = { (char *)cases[i].type, "target" };
		const struct probe_options options = {
			.as = cases[i].as, .kind = cases[i].kind, .sample = "16" };

		assert_int_equal(probe_from_words(ctl_commands, 2, words, &options,
						  &probe), 0);
		assert_int_equal(probe.kind, cases[i].result);
		assert_int_equal(probe.sample, 16);
		assert_string_equal(probe_type_name(probe.type), cases[i].type);
	}
}

/* What a probe is shown as, in a line and as JSON. */
static void test_probe_shown(void **state)
{
	struct obs_probe_info probe = {
		.name = "sent_total", .type = OBSRING_PROBE_KPROBE, .target = "dummy_xmit",
		.kind = OBSRING_KIND_COUNTER, .sample = 2, .hits = 5, .missed = 1 };
	struct json json = { .out = fmemopen(output, sizeof(output), "w") };

	(void)state;
	assert_non_null(json.out);
	probe_line(&probe, json.out);
	strcpy(probe.reason, "went away");
	probe_line(&probe, json.out);
	probe_json(&probe, &json);
	fclose(json.out);
	assert_string_equal(output,
		"sent_total  kprobe dummy_xmit  counter  1:2  5 hits, 1 missed\n"
		"sent_total  kprobe dummy_xmit  counter  1:2  5 hits, 1 missed  "
		"gone (went away)\n"
		"{\"name\": \"sent_total\", \"type\": \"kprobe\", "
		"\"target\": \"dummy_xmit\", \"kind\": \"counter\", \"sample\": 2, "
		"\"hits\": 5, \"missed\": 1, \"gone\": true, "
		"\"reason\": \"went away\"}\n");
}

#define NOW	1795364057123456789ULL	/* 2026-11-22T16:14:17.123456789Z */
#define NO_TIME	UINT64_MAX

static const struct {
	const char *text;
	uint64_t ns;
} times[] = {
	{ "0s", NOW },
	{ "10m", NOW - 600000000000ULL },
	{ "2h", NOW - 7200000000000ULL },
	{ "1.5h", NOW - 5400000000000ULL },
	{ "1d2h3m4.000000005s", NOW - 93784000000005ULL },
	{ "100000d", 0 },
	{ "@1795364057.123456789", NOW },
	{ "@0", 0 },
	{ "@18446744073", 18446744073000000000ULL },
	{ "2026-11-22T16:14:17.123456789Z", NOW },
	{ "2026-11-22 16:14:17.123456789z", NOW },
	{ "2026-11-22t17:44:17.123456789+01:30", NOW },
	{ "2026-11-22T15:14:17.123456789-01:00", NOW },
	{ "2026-11-22T16:14:17Z", NOW - 123456789 },
	{ "2024-02-29T00:00:00Z", 1709164800000000000ULL },
	{ "1969-12-31T23:59:59.5Z", 0 },
	{ "", NO_TIME },
	{ "10", NO_TIME },
	{ "m", NO_TIME },
	{ "-5m", NO_TIME },
	{ "1.2.3s", NO_TIME },
	{ "5m ", NO_TIME },
	{ "10M", NO_TIME },
	{ "99999999999999999999s", NO_TIME },
	{ "999999999999d", NO_TIME },
	{ "@", NO_TIME },
	{ "@-1", NO_TIME },
	{ "@18446744074", NO_TIME },
	{ "@1x", NO_TIME },
	{ "2026-11-22T16:14:17", NO_TIME },
	{ "2026-11-22", NO_TIME },
	{ "2026-11-22T16:14Z", NO_TIME },
	{ "2026-11-22T16:14:17.Z", NO_TIME },
	{ "2026-11-22T16:14:17.5.5Z", NO_TIME },
	{ "2026-11-22T16:14:17+0100", NO_TIME },
	{ "2026-11-22T16:14:17+24:00", NO_TIME },
	{ "2026-11-22T16:14:17Zx", NO_TIME },
	{ "2023-02-29T00:00:00Z", NO_TIME },
	{ "2026-13-01T00:00:00Z", NO_TIME },
	{ "2026-00-01T00:00:00Z", NO_TIME },
	{ "2026-01-01T24:00:00Z", NO_TIME },
	{ "9999-01-01T00:00:00Z", NO_TIME },
};

static void test_since(void **state)
{
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		ns = NO_TIME;
		if (since_parse(times[i].text, NOW, &ns))
			assert_int_equal(ns, NO_TIME);
		if (ns != times[i].ns)
			fail_msg("%s: %llu", times[i].text, (unsigned long long)ns);
	}
}

static void test_family_options(void **state)
{
	struct family_options options = {
		.kind = "histogram", .exp10 = "-9", .bounds = "0.005,0.1,2.5",
		.label = { 1, { "op" } } };
	uint64_t bound[OBSRING_BOUNDS_MAX];
	struct obs_family_spec spec;

	(void)state;
	assert_int_equal(family_from_options(ctl_commands, "x", &options, bound, &spec),
			 0);
	assert_int_equal(spec.nr_bounds, 3);
	assert_int_equal(spec.bound[0], 5000000);
	assert_int_equal(spec.bound[2], 2500000000);
	assert_int_equal(spec.nr_labels, 1);
	options = (struct family_options){
		.kind = "histogram", .exp10 = "-9", .min_log2 = "-20", .max_log2 = "4" };
	assert_int_equal(family_from_options(ctl_commands, "x", &options, bound, &spec),
			 0);
	assert_int_equal(spec.nr_bounds, 0);
	assert_int_equal(spec.schema, 3);
	assert_int_equal(spec.min_log2, -20);
}

static void test_scale(void **state)
{
	static const struct {
		const char *name, *unit, *exp10;
	} cases[] = {
		{ "backup_duration_seconds", "seconds", "-9" },
		{ "cpu_seconds_total", "seconds", "-9" },
		{ "hit_ratio", "ratio", "-9" },
		{ "room_celsius", "celsius", "-6" },
		{ "sent_bytes_total", "bytes", "0" },
		{ "seconds", NULL, "0" },
		{ "seconds_total", NULL, "0" },
		{ "milliseconds", NULL, "0" },
		{ "seconds_left", NULL, "0" },
		{ "_total", NULL, "0" },
		{ "", NULL, "0" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *unit = scale_unit_of_name(cases[i].name);

		if (cases[i].unit)
			assert_string_equal(unit, cases[i].unit);
		else
			assert_null(unit);
		assert_string_equal(scale_exp10(unit), cases[i].exp10);
	}
	assert_string_equal(scale_exp10("fortnights"), "0");
}

static void test_duration(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" }, { 1, "1s" }, { 60, "1m" }, { 90, "1m30s" }, { 3600, "1h" },
		{ 604800, "7d" }, { 93784, "1d2h3m4s" }, { UINT32_MAX, "49710d6h28m15s" },
	};
	char text[DURATION_SIZE];
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(duration_format(text, cases[i].seconds), cases[i].text);
		assert_int_equal(duration_parse(cases[i].text, &ns), 0);
		assert_int_equal(ns, cases[i].seconds * 1000000000);
	}
}

/* ---- run ------------------------------------------------------------------- */

/* A device that is not there: the command runs, and a line says what is missing. */
#define RUN	"--device /nonexistent run --service job -- "
#define IGNORING "env --ignore-signal="
#define UNRECORDED \
	"obsringctl: nothing is recorded of this run: cannot attach to service \"job\": " \
	"no such device: the obsring module is not loaded\n"

static const struct {
	const char *command;
	int status;
	const char *output;
} commands[] = {
	{ "true", 0, "" },
	{ "sh -c 'exit 3'", 3, "" },
	{ "sh -c 'exit 255'", 255, "" },
	{ "sh -c 'kill -KILL $$'", 128 + 9, "" },
	{ "sh -c 'kill -TERM $$'", 128 + 15, "" },
	{ "/nonexistent/command", 127,
	  "obsringctl: cannot run /nonexistent/command: No such file or directory\n" },
	{ "/etc/passwd", 126, "obsringctl: cannot run /etc/passwd: Permission denied\n" },
	{ "echo --json -- --service x", 0, "--json -- --service x\n" },
	{ "-- true", 127, "obsringctl: cannot run --: No such file or directory\n" },
	/* A child that others left behind is not waited for. */
	{ "sh -c 'sleep 100 >/dev/null 2>&1 & echo $! ; exit 4' | { read pid; kill $pid; }; "
	  "true", 0, NULL },
	/* What was closed, ignored or blocked is so for the command. */
	{ "sh -c 'ls -l /proc/self/fd/0 2>/dev/null || echo closed' <&-", 0, "closed\n" },
	{ "grep -c 'SigBlk:\t0000000000000000' /proc/self/status", 0, "1\n" },
};

static void test_run(void **state)
{
	char args[512];
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(args, sizeof(args), RUN "%s", commands[i].command);
		r = ctl(args);
		if (r != commands[i].status)
			fail_msg("%s: status %d\n%s", args, r, output);
		if (!commands[i].output)
			continue;
		snprintf(args, sizeof(args), "%s" UNRECORDED, commands[i].output);
		assert_string_equal(output, args);
	}
	/* Options end at the command without "--" as well. */
	assert_int_equal(ctl("--device /nonexistent run --service job sh -c 'exit 5'"), 5);
	/* Nor does a service of an impossible name keep it from running. */
	assert_int_equal(ctl("--device /nonexistent run --service '' -- sh -c 'exit 6'"), 6);
	/* Nobody reads what we have to say: the status is still the command's. */
	assert_int_equal(ctl(RUN "sh -c 'exit 7' 2>&-"), 7);
	assert_int_equal(ctl_redirected(RUN "sh -c 'exit 8'", "2>&1 >/dev/full"), 8);
}

/* Ignored signals stay ignored, SIGCHLD among them, whose status is had all the same. */
static void test_run_ignored(void **state)
{
	(void)state;
	assert_int_equal(system(IGNORING "HUP,CHLD,PIPE " OBJECTS "/bin/obsringctl " RUN
				"grep SigIgn /proc/self/status 2>/dev/null | { read name mask; "
				"[ $((0x$mask & 0x11001)) = $((0x11001)) ]; }"), 0);
	assert_int_equal(WEXITSTATUS(system(IGNORING "CHLD " OBJECTS "/bin/obsringctl " RUN
					    "sh -c 'exit 9' 2>/dev/null")), 9);
}

/* A shell script that says "ready", and when it gets @signo says so and exits with 5. */
static pid_t run_trap(const char *name, int signo, FILE **ret_out)
{
	char script[256];
	int fd[2];
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		snprintf(script, sizeof(script), "trap 'echo got; exit 5' %s; echo ready; "
			 "while :; do read x <&3 || sleep 0.01; done 3</dev/null", name);
		/* What was ignored when it began, no shell can trap. */
		signal(signo, SIG_DFL);
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		freopen("/dev/null", "w", stderr);
		execl(OBJECTS "/bin/obsringctl", "obsringctl", "--device", "/nonexistent",
		      "run", "--service", "job", "--", "sh", "-c", script, NULL);
		_exit(1);
	}
	close(fd[1]);
	*ret_out = fdopen(fd[0], "r");
	return pid;
}

static void test_run_forwards(void **state)
{
	static const struct {
		const char *name;
		int signo;
	} signals[] = {
		{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT },
		{ "TERM", SIGTERM }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
	};
	char line[32];
	int status;
	size_t i;
	pid_t pid;
	FILE *out;

	(void)state;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid = run_trap(signals[i].name, signals[i].signo, &out);
		assert_non_null(fgets(line, sizeof(line), out));
		assert_string_equal(line, "ready\n");
		assert_int_equal(kill(pid, signals[i].signo), 0);
		assert_non_null(fgets(line, sizeof(line), out));
		assert_string_equal(line, "got\n");
		assert_null(fgets(line, sizeof(line), out));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 5);
		fclose(out);
	}
}

/* Sets a timer as soon as there is something to read. */
static void *timer_set(void *fd)
{
	const struct itimerval soon = { .it_value.tv_usec = 1000 };
	sigset_t all;
	char byte;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	if (read(*(int *)fd, &byte, 1) == 1)
		setitimer(ITIMER_REAL, &soon, NULL);
	return NULL;
}

/* A timer that runs out is meant for the command, though the kernel sends the signal. */
static void test_run_timer(void **state)
{
	char script[] = "trap 'exit 5' ALRM; echo >&9; i=0; "
			"while [ $i -lt 6000 ]; do i=$((i + 1)); sleep 0.01; done";
	char *command[] = { "sh", "-c", script, NULL };
	struct rusage usage;
	int fd[2], status;
	pthread_t thread;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (pipe(fd) || dup2(fd[1], 9) < 0 ||
		    pthread_create(&thread, NULL, timer_set, &fd[0]))
			_exit(1);
		_exit(child_run(command, &usage));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
}

/* A file given to a command that would ask the loaded module is a mistake. */
static void test_device_refused(void **state)
{
	(void)state;
	assert_int_equal(ctl_on(segment, "drain"), 2);
	assert_non_null(strstr(output, "--device"));
	assert_int_equal(ctl_on(segment, "source list"), 2);
	assert_int_equal(ctl_on(segment, "probe delete x"), 2);
	assert_int_equal(ctl_on(segment, "get ops_total"), 0);
}

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	"00f067aa0ba902b7"
#define PARENT	"'traceparent: 00-" TRACE "-" SPAN "-01' "

static const struct {
	const char *headers, *why;
} whys[] = {
	{ "'traceparent: 00-x'", "traceparent is not used: it has 4 characters, not 55" },
	{ PARENT PARENT, "traceparent is not used: there are several" },
	{ "'traceparent: 0x-" TRACE "-" SPAN "-01'", "character 2, in its version, is none of 0-9 a-f" },
	{ "'traceparent: 00-4Bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01'",
	  "character 5, in its trace id, is none of 0-9 a-f" },
	{ "'traceparent: 00-" TRACE "_" SPAN "-01'", "character 36, before its span id, is no dash" },
	{ "'traceparent: 00-" TRACE "-0000000000000000-01'", "its span id is all zero" },
	{ "'traceparent: 00-00000000000000000000000000000000-" SPAN "-01'", "its trace id is all zero" },
	{ "'traceparent: 00-" TRACE "-" SPAN "-0g'", "character 55, in its flags, is none" },
	{ "'traceparent: 00-" TRACE "-" SPAN "-01-more'", "version 00 ends with its flags" },
	{ "'traceparent: ff-" TRACE "-" SPAN "-01'", "version ff is none" },
	{ "'traceparent: 01-" TRACE "-" SPAN "-01more'", "what follows on its flags does not begin" },
	{ PARENT "'tracestate: a=1,,b=2' 'tracestate: c= '", "its member 3 is not KEY=VALUE" },
	{ PARENT "'tracestate: a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=1,k=2,l=3,m=4,n=5,o=6,p=7,"
	  "q=8,r=9,s=1,t=2,u=3,v=4,w=5,x=6,y=7,z=8' 'tracestate: 1=1,2=2,3=3,4=4,5=5,6=6,7=7'",
	  "tracestate is not used: it has 33 members, of which 32 may be" },
	{ PARENT "'b3: x'", NULL },
	{ "'traceparent:'", "it has 0 characters" },
};

static void test_trace_why(void **state)
{
	char args[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(whys) / sizeof(whys[0]); i++) {
		snprintf(args, sizeof(args), "trace parse %s", whys[i].headers);
		ctl(args);
		if (whys[i].why ? !strstr(output, whys[i].why) : !!strstr(output, "dropped"))
			fail_msg("%s: %s", whys[i].headers, output);
	}
}

static void test_trace_parse(void **state)
{
	(void)state;
	assert_int_equal(0, ctl("trace parse "
		"'TraceParent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03' "
		"'tracestate: a=1,ot=th:8;rv:00000000000001' 'Accept: any' 'b3: x'"));
	assert_string_equal("format: w3c\n"
			    "trace_id: 4bf92f3577b34da6a3ce929d0e0e4736\n"
			    "span_id: 00f067aa0ba902b7\n"
			    "flags: sampled random\n"
			    "tracestate: a=1,ot=th:8;rv:00000000000001\n"
			    "th: 80000000000000 (sampled with probability 0.5)\n"
			    "rv: 00000000000001\n"
			    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\n",
			    output);
	assert_int_equal(0, ctl("--json trace parse "
		"'b3: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d' "
		"'traceparent: 00-x' 'tracestate: a=1'"));
	assert_non_null(strstr(output, "\"b3\""));
	assert_non_null(strstr(output, "traceparent is not used"));
	assert_non_null(strstr(output, "only with a valid traceparent"));
	assert_int_equal(1, ctl("trace parse 'traceparent: 00-x'"));
	assert_non_null(strstr(output, "format: none\n"));
	assert_non_null(strstr(output, "obsringctl: no header gives a context"));
	assert_int_equal(2, ctl("trace parse"));
	assert_int_equal(2, ctl("trace parse traceparent"));
}

/* On the lines of buckets, as OpenMetrics has them, and in JSON. */
static void test_exemplars(void **state)
{
	static const struct obsring_trace trace = {
		.trace_id = { [0] = 0xab, [15] = 1 }, .span_id = { [7] = 0xcd },
	};
	static const uint64_t bounds[] = { 5000000 };
	struct segment *s = segment_new(NULL);
	struct obsring_exemplar *slot;
	uint32_t family, series;

	(void)state;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "traced_seconds", .kind = OBSRING_KIND_HISTOGRAM,
		.exp10 = -9, .nr_bounds = 1, .bound = bounds });
	segment_family_exemplars(s, family);
	series = segment_series_add(s, family, NULL);
	segment_slot(s, series, 0)[0] = 7000000;
	segment_slot(s, series, 0)[2] = 1;
	slot = segment_exemplar(s, series, 1);
	assert_int_equal(obs_exemplar_put(slot, obs_exemplar_look(slot), 7000000,
					  1700000000250000000ULL, &trace),
			 OBS_EXEMPLAR_STORED);

	assert_int_equal(ctl_on(s, "get traced_seconds"), 0);
	assert_string_equal(output,
		"traced_seconds_sum 0.007\ntraced_seconds_count 1\n"
		"traced_seconds_bucket{le=\"0.005\"} 0\n"
		"traced_seconds_bucket{le=\"+Inf\"} 1 # "
		"{trace_id=\"ab000000000000000000000000000001\","
		"span_id=\"00000000000000cd\"} 0.007 1700000000.25\n");
	assert_int_equal(ctl_on(s, "get traced_seconds --raw --json"), 0);
	assert_string_equal(output,
		"[{\"name\": \"traced_seconds\", \"kind\": \"histogram\", "
		"\"labels\": {}, \"count\": 1, \"sum\": 7000000, \"buckets\": "
		"[{\"le\": \"5000000\", \"count\": 0}, "
		"{\"le\": \"+Inf\", \"count\": 1, \"exemplar\": "
		"{\"trace_id\": \"ab000000000000000000000000000001\", "
		"\"span_id\": \"00000000000000cd\", "
		"\"value\": 7000000, \"time\": 1700000000.25}}]}]\n");
	/* Damage is told, and nothing is made up. */
	slot->value = 1;
	assert_int_equal(ctl_on(s, "get traced_seconds"), 1);
	assert_string_equal(output,
			    "obsringctl: cannot read traced_seconds: Protocol error\n");
	segment_free(s);
}

/* ---- Services -------------------------------------------------------------- */

static const struct {
	const char *args, *output;
} service_runs[] = {
	{ "get jobs_total", "jobs_total{service=\"shop\",uid=\"33\",q=\"a\"} 112\n" },
	{ "get jobs_total --per-cpu",
	  "jobs_total{service=\"shop\",uid=\"33\",q=\"a\"} 112\n"
	  "  cpu 0: 10\n  cpu 1: 2\n  shared: 100\n" },
	{ "get jobs_total --per-cpu --json",
	  "[{\"name\": \"jobs_total\", \"kind\": \"counter\", \"labels\": {\"service\": "
	  "\"shop\", \"uid\": \"33\", \"q\": \"a\"}, \"value\": 112, \"cpus\": [{\"cpu\": 0, "
	  "\"value\": 10}, {\"cpu\": 1, \"value\": 2}, {\"cpu\": \"shared\", \"value\": "
	  "100}]}]\n" },
	{ "get busy --per-cpu", "busy{service=\"shop\",uid=\"33\"} 5\n  shared: 5\n" },
	{ "get shop_order",
	  "shop_order{service=\"shop\",uid=\"33\",order=\"1\"} paid version 72057594037927935\n"
	  "shop_order{service=\"shop\",uid=\"33\",order=\"2\"} unset version 0\n"
	  "shop_order{service=\"shop\",uid=\"33\",order=\"3\"} 255 version 1\n" },
	{ "get 'shop_order{order=\"1\"}' --raw --per-cpu",
	  "shop_order{service=\"shop\",uid=\"33\",order=\"1\"} 1 version 72057594037927935\n" },
	{ "get shop_order --json | sed 's/.*}, //'",
	  "\"state\": \"paid\", \"version\": 72057594037927935},\n"
	  "\"state\": null, \"version\": 0},\n"
	  "\"state\": \"255\", \"version\": 1}]\n" },
	{ "get shop_order --json --raw | sed 's/.*}, //'",
	  "\"state\": 1, \"version\": 72057594037927935},\n"
	  "\"state\": null, \"version\": 0},\n"
	  "\"state\": 255, \"version\": 1}]\n" },
	{ "list shop_order", "shop_order{service,uid,order}  stateset  3 series  Orders.\n" },
	{ "list --json shop_order",
	  "[{\"name\": \"shop_order\", \"kind\": \"stateset\", \"unit\": \"\", \"help\": "
	  "\"Orders.\", \"labels\": [\"service\", \"uid\", \"order\"], \"states\": "
	  "[\"new\", \"paid\"], \"series\": 3}]\n" },
};

static void services_fill(struct segment *s)
{
	static const uint64_t words[] = { OBS_STATE_VERSION_MAX << 8 | 1, 0, 1 << 8 | 255 };
	static const char *const numbers[] = { "1", "2", "3" };
	uint32_t family, series, share;
	size_t i;

	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "jobs_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 3,
		.label = (const char *[]){ "service", "uid", "q" } });
	series = segment_service_add(s, family, (const char *[]){ "shop", "33", "a" }, 1);
	segment_slot(s, series, 0)[0] = 10;
	segment_slot(s, series, 1)[0] = 2;
	segment_slot(s, series, OBSRING_CPU_SHARED)[0] = 100;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "busy", .kind = OBSRING_KIND_GAUGE, .nr_labels = 2,
		.label = (const char *[]){ "service", "uid" } });
	series = segment_service_add(s, family, (const char *[]){ "shop", "33" }, 1);
	share = segment_share_add(s, 1, segment_series(s, series)->page);
	*segment_share_slot(s, share, series) = 5;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "shop_order", .help = "Orders.", .kind = OBSRING_KIND_STATE,
		.nr_labels = 3, .label = (const char *[]){ "service", "uid", "order" },
		.nr_states = 2, .state = (const char *[]){ "new", "paid" } });
	for (i = 0; i < 3; i++) {
		series = segment_service_add(s, family, (const char *[]){ "shop", "33",
								      numbers[i] }, 1);
		segment_slot(s, series, OBSRING_CPU_SHARED)[0] = words[i];
	}
}

static void test_services(void **state)
{
	struct segment *s = segment_new(&(struct segment_spec){ .nr_cpus = 2,
							 .service_pages = 4 });
	size_t i;

	(void)state;
	services_fill(s);
	for (i = 0; i < sizeof(service_runs) / sizeof(service_runs[0]); i++) {
		assert_int_equal(ctl_on(s, service_runs[i].args), 0);
		if (strcmp(output, service_runs[i].output))
			fail_msg("%s:\n%s", service_runs[i].args, output);
	}
	segment_free(s);
}

/* ---- Counting, in a segment ------------------------------------------------ */

#define SERIES(labels)	"{service=\"s\",uid=\"UID\"" labels "}"

/* One after the other; UID is the user's number. */
static const struct {
	const char *args;
	int status;
	const char *output;
} counts[] = {
	{ "inc --service s jobs_total --help-text Jobs.", 0, "" },
	{ "inc jobs_total 2 --service s", 0, "" },
	{ "add --service s jobs_total 1e3", 0, "" },
	{ "get jobs_total", 0, "jobs_total" SERIES("") " 1003\n" },
	{ "add --service s jobs_total 0.5", 2,
	  "obsringctl: jobs_total is counted in units of 10^0, which can't tell 0.5\n" },
	{ "set --service s jobs_total 1", 1, "obsringctl: cannot set jobs_total: it is a counter\n" },
	{ "set --service s jobs_total 0.5", 1,
	  "obsringctl: cannot set jobs_total: it is a counter\n" },
	{ "set --service s 'level{b=\"2\",a=\"1\"}' -1.5 --exp10 -1", 0, "" },
	{ "set --service s 'level{a=\"1\",b=\"2\"}' 2.5", 0, "" },
	{ "get 'level{a=\"1\"}'", 0, "level" SERIES(",b=\"2\",a=\"1\"") " 2.5\n" },
	{ "set --service s 'level{a=\"1\"}' 2.5", 1,
	  "obsringctl: metric level needs a value of label \"b\"\n" },
	{ "set --service s 'level{a=\"1\",b=\"\",c=\"\"}' 2.5", 1,
	  "obsringctl: metric level has no label \"c\"\n" },
	{ "inc --service s 'level{a=\"1\",b=\"2\"}'", 1,
	  "obsringctl: cannot inc level: it is a gauge\n" },
	{ "set --service s far 9223372036854775808", 2,
	  "obsringctl: far is counted in units of 10^0, which can't tell 9223372036854775808; "
	  "--exp10 chooses others for a new metric\n" },
	{ "get far", 1, "obsringctl: no metric is named \"far\"\n" },
	{ "observe --service s wait_seconds 0.25 --buckets 0.1,1", 0, "" },
	{ "observe --service s wait_seconds 0.000000001", 0, "" },
	{ "get wait_seconds", 0,
	  "wait_seconds_sum" SERIES("") " 0.250000001\nwait_seconds_count" SERIES("") " 2\n"
	  "wait_seconds_bucket" SERIES(",le=\"0.1\"") " 1\n"
	  "wait_seconds_bucket" SERIES(",le=\"1\"") " 2\n"
	  "wait_seconds_bucket" SERIES(",le=\"+Inf\"") " 2\n" },
	{ "observe --service s wait_seconds 1 --buckets 2,3", 1,
	  "obsringctl: cannot observe wait_seconds: it has another unit, scale or buckets than "
	  "was given\n" },
	{ "observe --service s wait_seconds 1 --unit hours", 1,
	  "obsringctl: cannot observe wait_seconds: it has another unit, scale or buckets than "
	  "was given\n" },
	{ "observe --service s native_seconds 0.5 --schema 0 --min-log2 -1 --max-log2 0", 0, "" },
	{ "get native_seconds | grep bucket", 0,
	  "native_seconds_bucket" SERIES(",le=\"0.5\"") " 1\n"
	  "native_seconds_bucket" SERIES(",le=\"1\"") " 1\n"
	  "native_seconds_bucket" SERIES(",le=\"+Inf\"") " 1\n" },
	{ "inc --service s obsring_x_total", 1, "obsringctl: cannot inc obsring_x_total: "
	  "the name, a label or the unit is malformed or reserved\n" },
	{ "inc --service s obsring_segment_mended_total", 1,
	  "obsringctl: obsring_segment_mended_total is no metric of processes\n" },
	{ "inc --service '' x_total", 1,
	  "obsringctl: cannot attach to service \"\": the name is malformed\n" },
	{ "run --service s -- sh -c 'exit 3'", 3, "" },
	{ "get job_exit_status", 0, "job_exit_status" SERIES("") " 3\n" },
	{ "inc --service other jobs_total", 0, "" },
	{ "service show other", 0, "other  uid UID  0 members  1 series\n"
	  "jobs_total{service=\"other\",uid=\"UID\"} 1\n" },
	{ "service show none", 1, "obsringctl: no service is named \"none\"\n" },
	{ "service show s --uid 4000000000", 1,
	  "obsringctl: no service is named \"s\" that is this user's\n" },
	{ "complete inc --service o", 0, "other\n" },
	{ "complete service show s", 0, "s\n" },
};

/* @text with the user's number for UID. */
static const char *with_uid(const char *text)
{
	static char result[1024];
	size_t len = 0, n;

	for (; *text; text += n) {
		n = strncmp(text, "UID", 3) ? 1 : 3;
		len += (size_t)snprintf(result + len, sizeof(result) - len, "%.*s",
					n == 1 ? 1 : 0, text);
		if (n == 3)
			len += (size_t)snprintf(result + len, sizeof(result) - len, "%u",
						geteuid());
	}
	result[len] = 0;
	return result;
}

/* What of a segment's services is its own; when they were left differs. */
static void services_check(const char *path)
{
	char args[512];

	snprintf(args, sizeof(args), "--device %s service list", path);
	assert_int_equal(ctl(args), 0);
	assert_non_null(strstr(output, with_uid("s  uid UID  0 members  11 series  ")));
	assert_non_null(strstr(output, with_uid("other  uid UID  0 members  1 series  8 bytes  ttl 7d  left 2")));
	snprintf(args, sizeof(args), "--device %s service ttl other 36h", path);
	assert_int_equal(ctl(args), 0);
	snprintf(args, sizeof(args), "--device %s service list", path);
	assert_int_equal(ctl(args), 0);
	assert_non_null(strstr(output, " ttl 1d12h "));
	snprintf(args, sizeof(args), "--device %s service delete other", path);
	assert_int_equal(ctl(args), 0);
	assert_int_equal(ctl(args), 1);
	assert_string_equal(output, "obsringctl: no service is named \"other\"\n");
	snprintf(args, sizeof(args), "--device %s sample set user.s:err 1:10", path);
	assert_int_equal(ctl(args), 0);
	snprintf(args, sizeof(args), "--device %s sample set user.s 1:10 --at +5", path);
	assert_int_equal(ctl(args), 1);
	snprintf(args, sizeof(args), "--device %s sample list", path);
	assert_int_equal(ctl(args), 0);
	assert_string_equal(output, "user.s:err  1:10\n");
	snprintf(args, sizeof(args), "--device %s sample delete user.s:err", path);
	assert_int_equal(ctl(args), 0);
}

static void test_counts(void **state)
{
	char dir[] = "/tmp/obsringctl-XXXXXX", path[64], args[512];
	size_t i;
	int r;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/segment", dir);
	snprintf(args, sizeof(args), "segment create %s --mode 0600 --series 100", path);
	assert_int_equal(ctl(args), 0);
	assert_int_equal(ctl(args), 1);
	assert_non_null(strstr(output, "File exists"));
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		snprintf(args, sizeof(args), "--device %s %s", path, counts[i].args);
		r = ctl(args);
		if (r != counts[i].status || strcmp(output, with_uid(counts[i].output)))
			fail_msg("%s: status %d\n%s", counts[i].args, r, output);
	}
	services_check(path);
	/* Past its room: counted, but not where it was told to be; what is set is not. */
	for (i = 0; i < 100; i++) {
		snprintf(args, sizeof(args),
			 "--device %s inc --service s 'many_total{n=\"%zu\"}'", path, i);
		assert_int_equal(ctl(args), 0);
	}
	assert_string_equal(output, "obsringctl: no room for these labels of many_total: "
			    "counted in its overflow series\n");
	snprintf(args, sizeof(args), "--device %s set --service s 'level{a=\"x\",b=\"y\"}' 1",
		 path);
	assert_int_equal(ctl(args), 1);
	assert_non_null(strstr(output, "a limit is reached"));
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_refused),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_follow),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_full_output),
		cmocka_unit_test(test_misuses),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_probe_words),
		cmocka_unit_test(test_probe_shown),
		cmocka_unit_test(test_family_options),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_run_ignored),
		cmocka_unit_test(test_run_forwards),
		cmocka_unit_test(test_run_timer),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_trace_parse),
		cmocka_unit_test(test_trace_why),
		cmocka_unit_test(test_exemplars),
	};

	return cmocka_run_group_tests_name("obsringctl", tests, setup, teardown);
}
