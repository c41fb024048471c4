// SPDX-License-Identifier: MIT
/*
 * obsringctl doctor: checks of what the module says over netlink, and of what a segment
 * made for them shows; then the command as it is called.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl.h"
#include "doctor.h"

/* ---- What the module says over netlink ----------------------------------- */

static void test_version(void **state)
{
	struct obs_info info = { .version = "9.9", .abi_major = OBSRING_ABI_MAJOR,
				 .abi_minor = OBSRING_ABI_MINOR };
	static const char ours[] = "version 9.9, these programs of ";
	struct doctor doctor = blank;
	const char *version;

	(void)state;
	run(&doctor, doctor_version);
	told_nothing();
	doctor.info = &info;
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_NOTE);
	told("note", ours);
	told("ok", "as these programs");
	version = strstr(output, ours) + strlen(ours);
	snprintf(info.version, sizeof(info.version), "%.*s", (int)strcspn(version, ";"), version);
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_OK);
	info.abi_minor++;
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_NOTE);
	told("note", "they work together");
	info.abi_major++;
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_ERROR);
	told("error", "install the module and the programs of one version");
}

static void test_sources(void **state)
{
	struct obs_source_info source = { .name = "netdrop", .enabled = true };
	struct doctor doctor = blank;

	(void)state;
	run(&doctor, doctor_sources);
	told_nothing();
	file_make(&(struct file)LIVE);
	run(&doctor, doctor_sources);
	told("note", "out of reach over netlink");
	tree_clear();

	doctor.out = fmemopen(output, sizeof(output), "w");
	doctor_source(&doctor, &source);
	source.enabled = false;
	doctor_source(&doctor, &source);
	strcpy(source.reason, "no drop reasons");
	doctor_source(&doctor, &source);
	fclose(doctor.out);
	told("ok", "netdrop is on");
	told("ok", "netdrop is off");
	told("note", "netdrop is not available: no drop reasons");
}

static struct obs_log_ring_info ring_of(enum obsring_origin origin, uint64_t bytes,
					uint64_t used)
{
	return (struct obs_log_ring_info){ .origin = origin, .bytes = bytes,
					   .high_water_bytes = used };
}

static void test_rings(void **state)
{
	const struct obs_log_ring_info rings[] = {
		ring_of(OBSRING_ORIGIN_KERNEL, 65536, 65536),
		ring_of(OBSRING_ORIGIN_KERNEL, 65536, 100),
		ring_of(OBSRING_ORIGIN_USER, 1 << 20, 5000),
		ring_of(OBSRING_ORIGIN_USER, 1 << 20, 0),
		ring_of((enum obsring_origin)9, 1, 1),
	};
	struct doctor doctor = blank;
	size_t i;

	(void)state;
	doctor.rings_known = true;
	run(&doctor, doctor_log);
	told_nothing();
	for (i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		doctor_ring(&doctor, &rings[i]);
	assert_int_equal(run(&doctor, doctor_log), DOCTOR_NOTE);
	told("note", "1 of 2 rings of origin kernel, 65536 bytes each, are full");
	told("note", "log size --kernel 131072");
	told("note", "at most 5000 were ever used");
	told("note", "log size --user 16384");
	/* Of the size that the module gives them, small use is no finding. */
	doctor = blank;
	doctor.rings_known = true;
	doctor_ring(&doctor, &rings[1]);
	run(&doctor, doctor_log);
	told("ok", "of 1 rings of origin kernel, 100 of 65536 bytes were ever used");
}

static void test_limits(void **state)
{
	struct obs_info info = { .series = 79, .series_limit = 100, .bytes = 4096,
				 .bytes_limit = 1 << 20, .family_series_limit = 10 };
	struct doctor doctor = blank;

	(void)state;
	doctor.info = &info;
	assert_int_equal(run(&doctor, doctor_limits), DOCTOR_OK);
	told("ok", "79 of 100 series are used");
	info.series = 80;
	info.bytes = 1 << 20;
	run(&doctor, doctor_limits);
	told("warning", "80 of 100 series (max_series) are used");
	told("warning", "larger max_bytes=");
	run(&doctor, doctor_refused);
	told_nothing();
	info.refused = 3;
	run(&doctor, doctor_refused);
	told("warning", "3 series were refused");
}

/* ---- What the mapping shows ---------------------------------------------- */

static uint32_t counter_add(struct segment *s, const char *name, const char *label,
			    const char *help)
{
	return segment_family_add(s, &(struct obs_family_spec){
		.name = name, .help = help, .kind = OBSRING_KIND_COUNTER,
		.nr_labels = label ? 1 : 0, .label = &label });
}

static void count(struct segment *s, uint32_t family, const char *value, uint64_t n)
{
	segment_slot(s, segment_series_add(s, family, &value), 0)[0] = n;
}

/* A segment with a loss of each kind. */
static struct segment *segment_of_losses(void)
{
	struct segment *s = segment_new(&(struct segment_spec){ .max_series = 64 });
	uint32_t family;

	family = counter_add(s, "obsring_series_refused_total", "reason", "");
	count(s, family, "max_series", 0);
	count(s, family, "max_service_series", 2);
	count(s, family, "memory", 1);
	family = counter_add(s, "obsring_log_lost_total", "cause", "");
	count(s, family, "nested", 5);
	count(s, family, "rate_limited", 6);
	count(s, family, "no\033[31m", 7);
	count(s, counter_add(s, "obsring_log_overwritten_total", NULL, ""), NULL, 11);
	count(s, counter_add(s, "obsring_log_records_total", NULL, ""), NULL, 30);
	count(s, counter_add(s, "obsring_block_missed_total", NULL, "Untimed."), NULL, 12);
	count(s, counter_add(s, "obsring_probe_missed_total", "probe", "Not run."), "p", 13);
	count(s, counter_add(s, "obsring_exemplars_refused_total", NULL, ""), NULL, 14);
	count(s, counter_add(s, "obsring_service_shares_refused_total", NULL, ""), NULL, 15);
	count(s, counter_add(s, "others_missed_total", NULL, ""), NULL, 16);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_service_members", .kind = OBSRING_KIND_GAUGE, .set = true,
		.nr_labels = 1, .label = (const char *[]){ "service" } });
	count(s, family, "a", 1);
	count(s, family, "b", 1);
	return s;
}

struct view {
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

static struct doctor view_open(struct view *view, struct segment *s)
{
	struct doctor doctor = blank;

	assert_int_equal(obs_device_open(segment_path(s), &view->device), 0);
	assert_int_equal(obs_snapshot_new(view->device, &view->snapshot), 0);
	assert_true(obs_snapshot_update(view->snapshot) >= 0);
	doctor.header = obs_device_header(view->device);
	doctor.snapshot = view->snapshot;
	return doctor;
}

static void view_close(struct view *view)
{
	obs_snapshot_free(view->snapshot);
	obs_device_close(view->device);
}

static void losses_check(struct doctor *doctor)
{
	assert_int_equal(run(doctor, doctor_losses), DOCTOR_WARNING);
	told("warning", "5: records interrupted");
	told("warning", "6: records of processes");
	told("warning", "7: records of the log were not stored");
	assert_null(strchr(output, '\033'));
	told("warning", "12: Untimed. (obsring_block_missed_total)");
	told("warning", "13: Not run. (obsring_probe_missed_total, p)");
	told("warning", "14: histogram series have no exemplars");
	told("warning", "15: times a process got no share");
	assert_null(strstr(output, "others"));
}

static void test_values(void **state)
{
	const struct file max_services = { "/sys/module/obsring/parameters/max_services",
					   "2\n", 0 };
	struct obs_info info = { .series_limit = 1000, .bytes_limit = 1000,
				 .family_series_limit = 3 };
	struct segment *s = segment_of_losses();
	struct doctor doctor;
	struct view view;

	(void)state;
	doctor = view_open(&view, s);
	losses_check(&doctor);
	run(&doctor, doctor_refused);
	told("warning", "2 series were refused by max_service_series");
	told("warning", "larger max_service_series=");
	told("warning", "1 series were refused by memory");
	assert_null(strstr(output, "by max_series:"));
	run(&doctor, doctor_log);
	told("note", "11 of 30 records were overwritten");

	file_make(&max_services);
	doctor.info = &info;
	run(&doctor, doctor_limits);
	told("warning", "2 of 2 services (max_services) are used");
	told("warning", "3 of 3 series of obsring_log_lost_total");
	assert_null(strstr(output, "series of obsring_probe_missed_total"));
	tree_clear();

	doctor.info = NULL;
	doctor.hosted = true;
	run(&doctor, doctor_limits);
	told("ok", "of 64 series are used");
	run(&doctor, doctor_refused);
	told("warning", "segment create --series");
	run(&doctor, doctor_version);
	told("ok", "the file has layout");
	view_close(&view);
	segment_free(s);
}

/* Stalls that the module timed stand beside what the kernel says. */
static void test_stalls(void **state)
{
	const struct file pressure = { PRESSURE, "some avg10=0.00 avg60=1.50 total=5\n", 0 };
	const uint64_t bound = 1000;
	struct segment *s = segment_new(NULL);
	struct doctor doctor;
	struct view view;
	uint64_t *slot;

	(void)state;
	file_make(&pressure);
	slot = segment_slot(s, segment_series_add(s, segment_family_add(s,
		&(struct obs_family_spec){
			.name = "obsring_reclaim_stall_seconds", .exp10 = -9,
			.kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 1, .bound = &bound,
		}), NULL), 0);
	slot[0] = 2500000000;
	slot[1] = 3;
	slot[2] = 4;
	/* A name alone makes no histogram. */
	count(s, counter_add(s, "obsring_compaction_stall_seconds", NULL, ""), NULL, 9);
	doctor = view_open(&view, s);
	run(&doctor, doctor_memory);
	told("ok", "1.50 % of the last minute, and since the module was loaded 7 allocations "
	     "waited 2.5 s for reclaim, and 0 0 s for compaction");
	view_close(&view);
	segment_free(s);
	tree_clear();
}

static void test_no_losses(void **state)
{
	struct segment *s = segment_new(NULL);
	struct doctor doctor;
	struct view view;

	(void)state;
	count(s, counter_add(s, "obsring_block_missed_total", NULL, ""), NULL, 0);
	/* An info series counts nothing, whatever its name. */
	segment_series_add(s, segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_log_overwritten_total", .kind = OBSRING_KIND_INFO }), NULL);
	segment_series_add(s, segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_series_refused_total", .kind = OBSRING_KIND_INFO }), NULL);
	segment_series_add(s, segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_log_lost_total", .kind = OBSRING_KIND_INFO }), NULL);
	doctor = view_open(&view, s);
	assert_int_equal(run(&doctor, doctor_losses), DOCTOR_OK);
	told("ok", "nothing was lost or missed");
	assert_int_equal(run(&doctor, doctor_refused), DOCTOR_OK);
	told("ok", "no series was refused");
	assert_int_equal(run(&doctor, doctor_log), DOCTOR_OK);
	told("ok", "no record was overwritten");
	view_close(&view);
	segment_free(s);
}

/* ---- As it is called ----------------------------------------------------- */

static void test_command(void **state)
{
	char args[256], path[64];
	struct segment *s = segment_of_losses();

	(void)state;
	snprintf(args, sizeof(args), "--device %s doctor", segment_path(s));
	assert_int_equal(ctl(args), 1);
	told("warning", "losses: 12: Untimed.");
	assert_null(strstr(output, "module:"));
	snprintf(args, sizeof(args), "--device %s --json doctor", segment_path(s));
	assert_int_equal(ctl(args), 1);
	assert_int_equal(output[0], '[');
	assert_non_null(strstr(output, "{\"check\": \"losses\", \"level\": \"warning\", "
			       "\"text\": \"12: Untimed. (obsring_block_missed_total)\", "
			       "\"remedy\": \"what was timed"));
	segment_free(s);

	snprintf(path, sizeof(path), "%s/segment", root);
	snprintf(args, sizeof(args), "segment create %s", path);
	assert_int_equal(ctl(args), 0);
	snprintf(args, sizeof(args), "doctor --device %s", path);
	assert_int_equal(ctl(args), 0);
	told("ok", "access: you can read it");
	assert_null(strstr(output, "error"));
	tree_clear();
	assert_int_equal(ctl(args), 1);
	told("error", "segment is not there");
	assert_int_equal(ctl("--device /dev/null doctor"), 1);
	told("error", "access: it can't be read: this is no obsring device");

	assert_int_equal(ctl("doctor x"), 2);
	assert_int_equal(ctl("doctor --url https://x"), 2);
	assert_non_null(strstr(output, "--url https://x is not"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_rings),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_losses),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests_name("doctor values", tests, doctor_setup, doctor_teardown);
}
