// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* getdents64 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define NS_PER_S 1000000000ULL

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static uint64_t limit(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) ? 0 : limit.rlim_cur;
}

/* /proc/self/stat from its third field on: the second may hold anything. */
static const char *read_stat(char *buffer, size_t size)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t len;
	char *name_end;

	if (fd < 0)
		return NULL;
	len = read(fd, buffer, size - 1);
	close(fd);
	if (len <= 0)
		return NULL;
	buffer[len] = '\0';
	name_end = strrchr(buffer, ')');
	return name_end ? name_end + 2 : NULL;
}

/* proc(5): num_threads is field 20, starttime 22, vsize 23, rss 24. */
static void parse_stat(const char *stat, struct process_usage *usage)
{
	unsigned long long start_ticks, virtual_bytes, resident_pages;
	uint64_t age_ns;
	long threads;

	if (sscanf(stat, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
		   "%*d %*d %*d %*d %ld %*d %llu %llu %llu", &threads,
		   &start_ticks, &virtual_bytes, &resident_pages) != 4)
		return;
	usage->threads = threads;
	usage->virtual_bytes = virtual_bytes;
	usage->resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
	age_ns = clock_ns(CLOCK_BOOTTIME) -
		 start_ticks * (NS_PER_S / sysconf(_SC_CLK_TCK));
	usage->start_ns = clock_ns(CLOCK_REALTIME) - age_ns;
}

static uint64_t count_open_fds(void)
{
	char buffer[4096] __attribute__((aligned(8)));
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent64 *entry;
	uint64_t nr = 0;
	ssize_t len, at;

	if (fd < 0)
		return 0;
	while ((len = getdents64(fd, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < len; at += entry->d_reclen) {
			entry = (const void *)(buffer + at);
			nr += entry->d_name[0] != '.';
		}
	}
	close(fd);
	return nr ? nr - 1 : 0;	/* without the one that looked */
}

void process_usage_read(struct process_usage *ret_usage)
{
	char buffer[1024];
	const char *stat = read_stat(buffer, sizeof(buffer));

	*ret_usage = (struct process_usage){
		.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.open_fds = count_open_fds(),
		.max_fds = limit(RLIMIT_NOFILE),
		.virtual_max_bytes = limit(RLIMIT_AS),
	};
	if (stat)
		parse_stat(stat, ret_usage);
}
