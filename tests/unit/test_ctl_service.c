// SPDX-License-Identifier: MIT
/* obsringctl on metrics of processes: as they are shown, and counted in a segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"

/* ---- Services ------------------------------------------------------------ */

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

/* ---- Counting, in a segment ---------------------------------------------- */

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
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests_name("obsringctl service", tests, NULL, NULL);
}
