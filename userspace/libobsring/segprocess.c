// SPDX-License-Identifier: MIT
/* From /proc: of a child of fork() too, so nothing here allocates. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segprocess.h"

/* State and start of a process: fields 3 and 22, behind its name in parentheses. */
static bool stat_read(const char *path, char *ret_state, uint64_t *ret_start)
{
	char text[1024], *at;
	ssize_t n;
	int fd, i;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strrchr(text, ')');
	if (!at || at[1] != ' ')
		return false;
	*ret_state = at[2];
	for (i = 2; i < 22 && at; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*ret_start = strtoull(at + 1, NULL, 10);
	return true;
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

/*
 * Parts of a line of /proc/PID/maps, ADDRESSES MODE OFFSET DEVICE INODE [PATH], of
 * which the fifth counts: read as it comes, byte by byte.
 */
struct maps {
	unsigned int word;
	uint64_t inode;
	bool found;
};

static void maps_byte(struct maps *maps, char c, uint64_t inode)
{
	if (c == ' ' || c == '\n') {
		maps->found |= maps->word == 4 && maps->inode == inode;
		maps->word = c == '\n' ? 0 : maps->word + 1;
		maps->inode = 0;
	} else if (c >= '0' && c <= '9') {
		maps->inode = maps->inode * 10 + (uint64_t)(c - '0');
	}
}

bool obs_process_maps(uint32_t pid, uint64_t inode)
{
	struct maps maps = { 0 };
	char text[1024], path[32];
	ssize_t n, i;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	while ((n = read(fd, text, sizeof(text))) > 0 && !maps.found)
		for (i = 0; i < n; i++)
			maps_byte(&maps, text[i], inode);
	close(fd);
	return n < 0 || maps.found;
}
