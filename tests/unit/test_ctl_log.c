// SPDX-License-Identifier: MIT
/* obsringctl log: lines and JSON, filters, gaps, and following. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/ring.h>

#include "ctl.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_follow),
	};

	return cmocka_run_group_tests_name("obsringctl log", tests, ctl_setup, ctl_teardown);
}
