// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* Up to @size bytes, or -errno. */
static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t len = 0;
	ssize_t r;

	while (len < size) {
		r = read(fd, data + len, size - len);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			break;
		len += r;
	}
	return len;
}

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	/* A FIFO in its place must not stop the daemon. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *data, *smaller;
	ssize_t len;

	if (fd < 0)
		return -errno;
	data = malloc(max + 2);	/* what is not used is never touched */
	len = data ? read_all(fd, data, max + 1) : -ENOMEM;
	close(fd);
	if (len >= 0 && (size_t)len > max)
		len = -EFBIG;
	if (len < 0) {
		free(data);
		return len;
	}
	data[len] = '\0';
	smaller = realloc(data, len + 1);
	*ret_data = smaller ? smaller : data;
	*ret_len = len;
	return 0;
}

void file_forget(char *data, size_t len)
{
	if (data)
		explicit_bzero(data, len);
	free(data);
}

void file_state_read(struct file_state *ret_state, const char *path)
{
	struct stat status;

	*ret_state = (struct file_state){ .there = false };
	if (stat(path, &status))
		return;
	*ret_state = (struct file_state){
		.there = true,
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = status.st_size,
		.modified = status.st_mtim,
		.changed = status.st_ctim,
	};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_state_same(const struct file_state *a, const struct file_state *b)
{
	return a->there == b->there && a->device == b->device &&
	       a->inode == b->inode && a->size == b->size &&
	       same_time(&a->modified, &b->modified) &&
	       same_time(&a->changed, &b->changed);
}
