// SPDX-License-Identifier: MIT
/* obsringctl as it is called: what it prints, and its exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl.h"
#include "obsringctl/obsringctl.h"

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
	{ "log size --user 18446744073709551616", "is no size" },
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
	/* What is left of it in 64 bits is 4. */
	{ "segment create /x --mode -18446744073709551612", "is no mode" },
	{ "segment create /x --mode +660", "is no mode" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_refused),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_full_output),
		cmocka_unit_test(test_misuses),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("obsringctl", tests, ctl_setup, ctl_teardown);
}
