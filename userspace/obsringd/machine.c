// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define TEXT_MAX 16384	/* of /proc/vmstat, the longest */

static const char *const names[MACHINE_FILE_NR] = {
	[MACHINE_LOADAVG] = "loadavg",
	[MACHINE_FILES] = "sys/fs/file-nr",
	[MACHINE_MEMINFO] = "meminfo",
	[MACHINE_PRESSURE] = "pressure/memory",
	[MACHINE_VMSTAT] = "vmstat",
};

void machine_open(struct machine *machine, const char *proc)
{
	char path[PATH_MAX];
	int i;

	for (i = 0; i < MACHINE_FILE_NR; i++) {
		snprintf(path, sizeof(path), "%s/%s", proc, names[i]);
		machine->fd[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
}

void machine_close(struct machine *machine)
{
	int i;

	for (i = 0; i < MACHINE_FILE_NR; i++) {
		if (machine->fd[i] >= 0)
			close(machine->fd[i]);
		machine->fd[i] = -1;
	}
}

/* A file as it is now. Where it can be opened it may still be refused: PSI's is. */
static bool read_text(const struct machine *machine, enum machine_file file,
		      char text[TEXT_MAX])
{
	ssize_t len = -1;

	if (machine->fd[file] >= 0)
		len = pread(machine->fd[file], text, TEXT_MAX - 1, 0);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return true;
}

/* What stands behind @key at the beginning of a line. */
static const char *line_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (text && *text) {
		if (!strncmp(text, key, len))
			return text + len;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static bool number_of(const char *text, const char *key, uint64_t *ret_number)
{
	const char *at = line_of(text, key);
	char *end;

	if (!at)
		return false;
	*ret_number = strtoull(at, &end, 10);
	return end != at;
}

/* ---- What it holds ------------------------------------------------------- */

/* "0.00 0.01 0.05 RUNNING/ALL LAST" */
static bool read_tasks(const struct machine *machine, uint64_t *ret_value)
{
	char text[TEXT_MAX], *slash;

	if (!read_text(machine, MACHINE_LOADAVG, text))
		return false;
	slash = strchr(text, '/');
	return slash && number_of(slash, "/", ret_value);
}

/* "ALLOCATED FREE LIMIT" */
static bool read_files(const struct machine *machine, uint64_t *ret_value)
{
	char text[TEXT_MAX];

	return read_text(machine, MACHINE_FILES, text) && number_of(text, "", ret_value);
}

static bool kib_of(const char *text, const char *key, uint64_t *ret_bytes)
{
	if (!number_of(text, key, ret_bytes))
		return false;
	*ret_bytes *= 1024;
	return true;
}

static bool memory_of(const char *text, uint64_t *ret_bytes)
{
	uint64_t anonymous, shared, swap, unused;

	if (!kib_of(text, "AnonPages:", &anonymous) || !kib_of(text, "Shmem:", &shared) ||
	    !kib_of(text, "SwapTotal:", &swap) || !kib_of(text, "SwapFree:", &unused))
		return false;
	*ret_bytes = anonymous + shared + (swap > unused ? swap - unused : 0);
	return true;
}

void machine_read(const struct machine *machine, uint64_t ret_value[LEAK_RESOURCE_NR],
		  bool ret_available[LEAK_RESOURCE_NR])
{
	char text[TEXT_MAX];
	bool has = read_text(machine, MACHINE_MEMINFO, text);
	int i;

	ret_available[LEAK_TASKS] = read_tasks(machine, &ret_value[LEAK_TASKS]);
	ret_available[LEAK_FILES] = read_files(machine, &ret_value[LEAK_FILES]);
	ret_available[LEAK_MEMORY] = has && memory_of(text, &ret_value[LEAK_MEMORY]);
	ret_available[LEAK_SLAB] = has && kib_of(text, "SUnreclaim:", &ret_value[LEAK_SLAB]);
	for (i = 0; i < LEAK_RESOURCE_NR; i++)
		if (!ret_available[i])
			ret_value[i] = LEAK_UNKNOWN;
}

/* ---- What it lacks ------------------------------------------------------- */

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS" */
static bool total_of(const char *text, const char *key, uint64_t *ret_us)
{
	const char *line = line_of(text, key), *total = line ? strstr(line, "total=") : NULL;

	return total && number_of(total, "total=", ret_us);
}

/* The sum over zones. */
static bool reclaims_of(const char *text, uint64_t *ret_sum)
{
	const char *at = text;
	bool found = false;

	*ret_sum = 0;
	while ((at = line_of(at, "allocstall"))) {
		at += strcspn(at, " \n");
		*ret_sum += strtoull(at, NULL, 10);
		found = true;
	}
	return found;
}

void machine_read_pressure(const struct machine *machine,
			   struct machine_pressure *ret_pressure)
{
	struct machine_pressure *p = ret_pressure;
	char text[TEXT_MAX];

	*p = (struct machine_pressure){ 0 };
	if (read_text(machine, MACHINE_PRESSURE, text)) {
		p->has_waits = total_of(text, "some ", &p->waiting_us);
		total_of(text, "full ", &p->stalled_us);
	}
	if (!read_text(machine, MACHINE_VMSTAT, text))
		return;
	p->has_stalls = reclaims_of(text, &p->reclaims);
	/* Kernels without compaction count none. */
	number_of(text, "compact_stall ", &p->compactions);
	number_of(text, "compact_fail ", &p->compaction_failures);
	number_of(text, "oom_kill ", &p->oom_kills);
}
