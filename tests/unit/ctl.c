// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ctl.h"

char output[OUTPUT_SIZE];
struct segment *segment;

/* Run obsringctl with @args; what @redirect leaves in the pipe goes to output. */
int ctl_redirected(const char *args, const char *redirect)
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

int ctl(const char *args)
{
	return ctl_redirected(args, "2>&1");
}

int ctl_on(struct segment *s, const char *args)
{
	char all[512];

	snprintf(all, sizeof(all), "--device %s %s", segment_path(s), args);
	return ctl(all);
}

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

static struct segment *segment_full(void)
{
	static const uint64_t bounds[] = { 5000000, 100000000, 2500000000 };
	struct segment *s = segment_new(&(struct segment_spec){ .nr_cpus = 3,
							 .cpus_absent = 1 << 1,
							 .ring_lines = 64 });
	uint32_t family, series;

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
	return s;
}

int ctl_setup(void **state)
{
	(void)state;
	segment = segment_full();
	return 0;
}

int ctl_teardown(void **state)
{
	(void)state;
	segment_free(segment);
	return 0;
}
