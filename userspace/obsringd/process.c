// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* getdents64 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
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

static bool read_stat(char *buffer, size_t size)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, buffer, size - 1);
	close(fd);
	if (len <= 0)
		return false;
	buffer[len] = '\0';
	return true;
}

/*
 * proc(5): num_threads is field 20, starttime 22, vsize 23, rss 24. They are counted
 * from the third on: the second, the name, may hold anything.
 */
void process_stat_parse(const char *text, struct process_usage *usage)
{
	const char *name_end = strrchr(text, ')');
	unsigned long long start_ticks, virtual_bytes, resident_pages;
	uint64_t age_ns;
	long threads;

	if (!name_end ||
	    sscanf(name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
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

	*ret_usage = (struct process_usage){
		.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.open_fds = count_open_fds(),
		.max_fds = limit(RLIMIT_NOFILE),
		.virtual_max_bytes = limit(RLIMIT_AS),
	};
	if (read_stat(buffer, sizeof(buffer)))
		process_stat_parse(buffer, ret_usage);
}
