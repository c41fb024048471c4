// SPDX-License-Identifier: MIT
/* From /proc: of a child of fork() too, so nothing here allocates. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segprocess.h"

/* Fields 3 and 22, behind its name in parentheses, which may hold any. */
bool obs_process_stat_parse(const char *text, char *ret_state, uint64_t *ret_start)
{
	const char *at = strrchr(text, ')'), *state;
	int i;

	if (!at || at[1] != ' ' || !at[2])
		return false;
	state = at + 2;
	for (i = 2; i < 22 && at; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ret_state = *state;
	*ret_start = strtoull(at + 1, NULL, 10);
	return true;
}

static bool stat_read(const char *path, char *ret_state, uint64_t *ret_start)
{
	char text[1024];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return obs_process_stat_parse(text, ret_state, ret_start);
}

void obs_process_self(uint64_t *ret_pid_ns, uint64_t *ret_start)
{
	struct stat st;
	char state;

	*ret_pid_ns = stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
	if (!stat_read("/proc/self/stat", &state, ret_start))
		*ret_start = 0;
}

bool obs_process_lives(uint32_t pid, uint64_t start)
{
	uint64_t found;
	char path[32];
	char state;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	return stat_read(path, &state, &found) && found == start && state != 'Z' &&
	       state != 'X';
}

/* ADDRESSES MODE OFFSET DEVICE INODE [PATH], of which the fifth counts. */
static void maps_byte(struct obs_process_maps *maps, char c, uint64_t inode)
{
	if (c == ' ' || c == '\n') {
		maps->found |= maps->word == 4 && maps->inode == inode;
		maps->word = c == '\n' ? 0 : maps->word + 1;
		maps->inode = 0;
	} else if (c >= '0' && c <= '9') {
		maps->inode = maps->inode * 10 + (uint64_t)(c - '0');
	}
}

void obs_process_maps_take(struct obs_process_maps *maps, const char *text, size_t nr,
			   uint64_t inode)
{
	size_t i;

	for (i = 0; i < nr; i++)
		maps_byte(maps, text[i], inode);
}

bool obs_process_maps(uint32_t pid, uint64_t inode)
{
	struct obs_process_maps maps = { 0 };
	char text[1024], path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	while ((n = read(fd, text, sizeof(text))) > 0 && !maps.found)
		obs_process_maps_take(&maps, text, (size_t)n, inode);
	close(fd);
	return n < 0 || maps.found;
}
