// SPDX-License-Identifier: MIT
/*
 * libFuzzer: files of /proc. Any bytes are read or refused; and in files as the kernel
 * writes them, with any bytes as what a user may choose (a process's name, a path that
 * is mapped) and any other lines between those that count, what counts is found.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libobsring/segprocess.h"
#include "obsringd/machine.h"
#include "obsringd/process.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX 4096

static struct machine machine;

static void require(int holds)
{
	if (!holds)
		abort();
}

static void file_put(enum machine_file file, const char *text, size_t len)
{
	require(!ftruncate(machine.fd[file], 0) &&
		pwrite(machine.fd[file], text, len, 0) == (ssize_t)len);
}

/* ---- The machine's -------------------------------------------------------- */

struct seen {
	uint64_t value[LEAK_RESOURCE_NR];
	bool available[LEAK_RESOURCE_NR];
	struct machine_pressure pressure;
};

static struct seen look(void)
{
	struct seen seen;

	memset(&seen, 0, sizeof(seen));
	machine_read(&machine, seen.value, seen.available);
	machine_read_pressure(&machine, &seen.pressure);
	return seen;
}

/* Any bytes, in each of them: what is there is a number, and nothing is made up. */
static void anything(const char *text, size_t len)
{
	struct seen seen;
	int i;

	for (i = 0; i < MACHINE_FILE_NR; i++)
		file_put(i, text, len);
	seen = look();
	for (i = 0; i < LEAK_RESOURCE_NR; i++)
		require(seen.available[i] || seen.value[i] == LEAK_UNKNOWN);
	require(!seen.available[LEAK_TASKS] || memchr(text, '/', len));
	require(!seen.available[LEAK_SLAB] || memmem(text, len, "SUnreclaim:", 11));
	require(!seen.pressure.has_waits || memmem(text, len, "total=", 6));
}

/*
 * Lines of @noise before each that counts, none of which is one: a blank stands before
 * each.
 */
static void lines_put(enum machine_file file, const char *noise, const char *lines)
{
	char text[3 * FILE_MAX];
	size_t n = 0;
	const char *p;

	text[n++] = ' ';
	for (p = noise; *p; p++) {
		text[n++] = *p;
		if (*p == '\n')
			text[n++] = ' ';
	}
	n += (size_t)sprintf(text + n, "\n%s", lines);
	file_put(file, text, n);
}

static void as_written(const char *noise, const uint32_t n[4])
{
	char text[512];
	struct seen seen;

	snprintf(text, sizeof(text), "0.00 0.01 0.05 1/%u 7\n", n[0]);
	file_put(MACHINE_LOADAVG, text, strlen(text));
	snprintf(text, sizeof(text), "%u\t0\t9223372036854775807\n", n[1]);
	file_put(MACHINE_FILES, text, strlen(text));
	snprintf(text, sizeof(text), "AnonPages: %10u kB\nShmem:     %10u kB\n"
		 "SUnreclaim: %9u kB\nSwapTotal: %10u kB\nSwapFree:  %10u kB\n",
		 n[0], n[1], n[2], n[3], n[0]);
	lines_put(MACHINE_MEMINFO, noise, text);
	snprintf(text, sizeof(text), "some avg10=0.00 avg60=1.25 avg300=0.00 total=%u\n"
		 "full avg10=0.00 avg60=0.00 avg300=0.00 total=%u\n", n[2], n[3]);
	lines_put(MACHINE_PRESSURE, noise, text);
	snprintf(text, sizeof(text), "allocstall_dma %u\nallocstall_normal %u\n"
		 "compact_stall %u\ncompact_fail %u\noom_kill %u", n[0], n[1], n[2], n[3], n[0]);
	lines_put(MACHINE_VMSTAT, noise, text);
	seen = look();
	require(seen.value[LEAK_TASKS] == n[0] && seen.value[LEAK_FILES] == n[1]);
	require(seen.value[LEAK_MEMORY] ==
		1024 * ((uint64_t)n[0] + n[1] + (n[3] > n[0] ? n[3] - n[0] : 0)));
	require(seen.value[LEAK_SLAB] == 1024 * (uint64_t)n[2]);
	require(seen.pressure.waiting_us == n[2] && seen.pressure.stalled_us == n[3]);
	require(seen.pressure.reclaims == (uint64_t)n[0] + n[1]);
	require(seen.pressure.compactions == n[2] && seen.pressure.compaction_failures == n[3] &&
		seen.pressure.oom_kills == n[0]);
}

/* ---- Processes' ----------------------------------------------------------- */

/* Of that name, which is up to 15 bytes for the kernel, and here of any length. */
static void stat_check(const char *name, const uint32_t n[4])
{
	struct process_usage usage = { 0 };
	char text[2 * FILE_MAX], state;
	uint64_t start;

	snprintf(text, sizeof(text), "%u (%s) S 1 7 7 0 -1 4194560 163 0 0 0 0 0 0 0 20 0 %u 0 "
		 "%u %u %u 18446744073709551615 1 1 0\n", n[0], name, n[1] >> 1, n[1], n[2], n[3]);
	require(obs_process_stat_parse(text, &state, &start));
	require(state == 'S' && start == n[1]);
	process_stat_parse(text, &usage);
	require(usage.threads == n[1] >> 1 && usage.virtual_bytes == n[2]);
	require(usage.resident_bytes == n[3] * (uint64_t)sysconf(_SC_PAGESIZE));
	/* Cut where it ends no later than the name: there is nothing to be had. */
	usage = (struct process_usage){ 0 };
	text[snprintf(NULL, 0, "%u (%s)", n[0], name)] = '\0';
	process_stat_parse(text, &usage);
	if (!strchr(name, ')'))
		require(!obs_process_stat_parse(text, &state, &start) && !usage.threads);
}

/* Two lines, of which the second has @inode, in pieces of @piece bytes. */
static bool maps_find(const char *path, uint64_t other, uint64_t inode, uint64_t wanted,
		      size_t piece)
{
	char text[2 * FILE_MAX + 256];
	struct obs_process_maps maps = { 0 };
	size_t len, at, n;

	len = (size_t)snprintf(text, sizeof(text),
		"7f0000000000-7f0000001000 rw-s 00000000 00:01 %llu                       %s\n"
		"7f0000001000-7f0000002000 rw-s 00000000 00:01 %llu \n",
		(unsigned long long)other, path, (unsigned long long)inode);
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		obs_process_maps_take(&maps, text + at, n, wanted);
	}
	return maps.found;
}

/* The kernel writes a line's end in a path as \012. */
static void maps_check(char *path, const uint32_t n[4])
{
	size_t piece = 1 + n[3] % 64;
	char *p;

	for (p = path; *p; p++)
		if (*p == '\n')
			*p = ' ';
	require(maps_find(path, n[0], n[1], n[1], piece));
	require(maps_find(path, n[0], n[1], n[0], piece));
	if (n[2] != n[0] && n[2] != n[1])
		require(!maps_find(path, n[0], n[1], n[2], piece));
}

static void begin(void)
{
	int i;

	if (machine.fd[0])
		return;
	for (i = 0; i < MACHINE_FILE_NR; i++) {
		machine.fd[i] = memfd_create("fuzz", MFD_CLOEXEC);
		require(machine.fd[i] > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obs_process_maps maps = { 0 };
	struct process_usage usage = { 0 };
	uint32_t n[4] = { 0 };
	uint64_t start;
	char *text, state;

	if (size > FILE_MAX)
		return -1;
	begin();
	/* Of that size exactly: reading beyond it would be seen. */
	text = malloc(size + 1);
	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	memcpy(n, data, size < sizeof(n) ? size : sizeof(n));
	anything(text, size);
	obs_process_stat_parse(text, &state, &start);
	process_stat_parse(text, &usage);
	obs_process_maps_take(&maps, text, size, n[0]);
	as_written(text, n);
	stat_check(text, n);
	maps_check(text, n);
	free(text);
	return 0;
}
