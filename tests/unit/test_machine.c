// SPDX-License-Identifier: MIT
/* What /proc says of the machine: as kernels write it, and as they do not. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/machine.h"

static char directory[] = "/tmp/obsring-machine-XXXXXX";

static void path_of(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", directory, name);
}

static void write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	static const char *const inner[] = { "sys", "sys/fs", "pressure" };
	char path[PATH_MAX];
	size_t i;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		path_of(inner[i], path);
		if (mkdir(path, 0700))
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	static const char *const all[] = {
		"loadavg", "meminfo", "vmstat", "sys/fs/file-nr", "pressure/memory",
		"sys/fs", "sys", "pressure", "",
	};
	char path[PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		path_of(all[i], path);
		remove(path);
	}
	return 0;
}

static const char meminfo[] =
	"MemTotal:        8033096 kB\n"
	"SwapTotal:       1000000 kB\n"
	"SwapFree:         999000 kB\n"
	"AnonPages:        200000 kB\n"
	"Shmem:              3000 kB\n"
	"Slab:             500000 kB\n"
	"SUnreclaim:        70000 kB\n";

static void test_all(void **state)
{
	struct machine_pressure pressure;
	uint64_t value[LEAK_RESOURCE_NR];
	bool available[LEAK_RESOURCE_NR];
	struct machine machine;

	(void)state;
	write_file("loadavg", "0.20 1.10 2.00 3/415 19999\n");
	write_file("sys/fs/file-nr", "1888\t0\t9223372036854775807\n");
	write_file("meminfo", meminfo);
	write_file("pressure/memory",
		   "some avg10=0.00 avg60=0.10 avg300=1.00 total=1234567\n"
		   "full avg10=0.00 avg60=0.00 avg300=0.00 total=7654\n");
	write_file("vmstat", "nr_free_pages 1\nallocstall_dma 1\nallocstall_normal 20\n"
		   "allocstall_movable 300\ncompact_stall 4\ncompact_fail 3\n"
		   "compact_success 1\noom_kill 2\n");
	machine_open(&machine, directory);
	machine_read(&machine, value, available);
	assert_true(available[LEAK_TASKS] && available[LEAK_FILES] &&
		    available[LEAK_MEMORY] && available[LEAK_SLAB]);
	assert_int_equal(value[LEAK_TASKS], 415);
	assert_int_equal(value[LEAK_FILES], 1888);
	assert_int_equal(value[LEAK_MEMORY], 204000 * 1024);
	assert_int_equal(value[LEAK_SLAB], 70000 * 1024);
	machine_read_pressure(&machine, &pressure);
	assert_true(pressure.has_waits && pressure.has_stalls);
	assert_int_equal(pressure.waiting_us, 1234567);
	assert_int_equal(pressure.stalled_us, 7654);
	assert_int_equal(pressure.reclaims, 321);
	assert_int_equal(pressure.compactions, 4);
	assert_int_equal(pressure.compaction_failures, 3);
	assert_int_equal(pressure.oom_kills, 2);
	/* The same files, as they are later. */
	write_file("loadavg", "0.20 1.10 2.00 1/7 20000\n");
	machine_read(&machine, value, available);
	assert_int_equal(value[LEAK_TASKS], 7);
	machine_close(&machine);
}

static const struct {
	const char *name, *text;
	enum leak_resource resource;
} odd[] = {
	{ "loadavg", "", LEAK_TASKS },
	{ "loadavg", "1 2 3 4", LEAK_TASKS },
	{ "loadavg", "1 2 3 4/", LEAK_TASKS },
	{ "sys/fs/file-nr", "many", LEAK_FILES },
	{ "meminfo", "MemTotal: 1 kB\nSUnreclaim: 1 kB\n", LEAK_MEMORY },
	{ "meminfo", "AnonPages: 1 kB\nNoSUnreclaim: 1 kB\n", LEAK_SLAB },
};

static void test_odd(void **state)
{
	uint64_t value[LEAK_RESOURCE_NR];
	bool available[LEAK_RESOURCE_NR];
	struct machine machine;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		write_file(odd[i].name, odd[i].text);
		machine_open(&machine, directory);
		machine_read(&machine, value, available);
		assert_false(available[odd[i].resource]);
		assert_true(value[odd[i].resource] == LEAK_UNKNOWN);
		machine_close(&machine);
	}
}

/* What is not there, or can't be read, is not available. */
static void test_absent(void **state)
{
	struct machine_pressure pressure;
	uint64_t value[LEAK_RESOURCE_NR];
	bool available[LEAK_RESOURCE_NR];
	struct machine machine;
	int i;

	(void)state;
	machine_open(&machine, "/nonexistent");
	machine_read(&machine, value, available);
	for (i = 0; i < LEAK_RESOURCE_NR; i++)
		assert_true(!available[i] && value[i] == LEAK_UNKNOWN);
	machine_read_pressure(&machine, &pressure);
	assert_false(pressure.has_waits || pressure.has_stalls);
	machine_close(&machine);
	write_file("pressure/memory", "");
	write_file("vmstat", "nr_free_pages 1\n");
	machine_open(&machine, directory);
	machine_read_pressure(&machine, &pressure);
	assert_false(pressure.has_waits || pressure.has_stalls);
	assert_int_equal(pressure.reclaims, 0);
	machine_close(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
