// SPDX-License-Identifier: MIT
/* Processes, and where tasks sleep: section 9 of <linux/obsring.h>. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <obsring.h>

#define AT_ONCE		128
#define GROUPS		64

int obs_process_list(int device_fd,
		     int (*fn)(const struct obsring_process *process, void *arg), void *arg)
{
	struct obsring_process process[AT_ONCE];
	struct obsring_processes list = { .size = sizeof(list), .pid = 1 };
	uint32_t i;
	int r = 0;

	while (list.pid && !r) {
		list.process = (uintptr_t)process;
		list.nr = AT_ONCE;
		if (ioctl(device_fd, OBSRING_IOC_PROCESSES, &list))
			return -errno;
		for (i = 0; i < list.nr && i < AT_ONCE && !r; i++) {
			process[i].comm[sizeof(process[i].comm) - 1] = '\0';
			r = fn(&process[i], arg);
		}
	}
	return r;
}

int obs_sleeper_list(int device_fd, uint32_t pid, struct obs_sleeper_counts *ret_counts,
		     int (*fn)(const struct obsring_sleep_group *group, void *arg), void *arg)
{
	struct obsring_sleep_group *group = calloc(GROUPS, sizeof(*group));
	struct obsring_sleepers sleepers = {
		.size = sizeof(sleepers), .pid = pid, .nr = GROUPS, .group = (uintptr_t)group,
	};
	uint32_t i;
	int r;

	if (!group)
		return -ENOMEM;
	r = ioctl(device_fd, OBSRING_IOC_SLEEPERS, &sleepers) ? -errno : 0;
	for (i = 0; i < sleepers.nr && i < GROUPS && !r; i++) {
		group[i].stack[sizeof(group[i].stack) - 1] = '\0';
		r = fn(&group[i], arg);
	}
	if (!r)
		*ret_counts = (struct obs_sleeper_counts){
			.tasks = sleepers.tasks,
			.running = sleepers.running,
			.exited = sleepers.exited,
			.unknown = sleepers.unknown,
		};
	free(group);
	return r;
}
