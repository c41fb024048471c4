// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"

long file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n > 0)
			used += (size_t)n;
	}
	text[used] = '\0';
	n = n < 0 ? -errno : (ssize_t)used;
	close(fd);
	return n;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static const char *word_find(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *at = text;

	while ((at = strstr(at, word))) {
		if ((at == text || isspace((unsigned char)at[-1])) &&
		    strchr(" \t:=", at[len]))
			return at + len;
		at += len;
	}
	return NULL;
}

uint64_t file_number(const char *path, const char *key)
{
	static char text[65536];
	const char *at;

	if (file_read(path, text, sizeof(text)) < 0)
		return UINT64_MAX;
	at = word_find(text, key);
	if (!at)
		return UINT64_MAX;
	at += strspn(at, " \t:=");
	return isdigit((unsigned char)*at) ? strtoull(at, NULL, 10) : UINT64_MAX;
}

/* The number of blanks before @name in the line @head, which is the column. */
static int column_of(const char *head, const char *name)
{
	size_t len = strlen(name);
	const char *at;
	int column = 0;

	for (at = head; *at && *at != '\n'; at++) {
		if (*at != ' ')
			continue;
		column++;
		if (!strncmp(at + 1, name, len) && strchr(" \n", at[1 + len]))
			return column;
	}
	return -1;
}

uint64_t file_net_number(const char *path, const char *group, const char *name)
{
	static char text[16384];
	char *head, *values;
	int column;

	if (file_read(path, text, sizeof(text)) < 0)
		return UINT64_MAX;
	head = strstr(text, group);
	values = head ? strchr(head, '\n') : NULL;
	column = head ? column_of(head, name) : -1;
	if (!values || column < 0)
		return UINT64_MAX;
	while (column--) {
		values = strchr(values + 1, ' ');
		if (!values)
			return UINT64_MAX;
	}
	return strtoull(values, NULL, 10);
}

uint64_t file_softirqs(const char *vector)
{
	static char text[65536];
	uint64_t sum = 0;
	const char *at;
	char *end;

	if (file_read("/proc/softirqs", text, sizeof(text)) < 0)
		return UINT64_MAX;
	at = word_find(text, vector);
	if (!at)
		return UINT64_MAX;
	for (at += strspn(at, ": "); isdigit((unsigned char)*at);
	     at = end + strspn(end, " "))
		sum += strtoull(at, &end, 10);
	return sum;
}

int program_run(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (!pid) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
