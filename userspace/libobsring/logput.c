// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <obsring.h>

#include "logput.h"
#include "segment.h"

bool obs_logput_service_valid(const char *service)
{
	const char *at;

	for (at = service; *at; at++)
		if (*at <= ' ' || *at > '~')
			return false;
	return at > service && at - service <= OBSRING_SOURCE_MAX;
}

/* Of another kind than can be written: lines would only damage it. */
static bool is_segment(const char *path)
{
	uint64_t magic = 0;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return false;
	if (read(fd, &magic, sizeof(magic)) < 0)
		magic = 0;
	close(fd);
	return magic == OBSRING_MAGIC;
}

/* A regular file that is no segment takes lines as any other does. */
int obs_logput_open(const char *path, struct obs_logput *put)
{
	struct stat st;
	int r;

	path = path ? path : OBSRING_DEVICE;
	*put = (struct obs_logput){ .fd = -1 };
	if (!stat(path, &st) && S_ISREG(st.st_mode)) {
		r = obs_segment_open(path, &put->segment);
		if (r != -EPROTO)
			return r;
		if (is_segment(path))
			return -EOPNOTSUPP;
	}
	put->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	return put->fd < 0 ? -errno : 0;
}

void obs_logput_close(struct obs_logput *put)
{
	if (put->fd >= 0)
		close(put->fd);
}

int obs_logput_line(const struct obs_logput *put, const char *line, size_t len)
{
	ssize_t n;

	if (put->segment)
		return obs_segment_log(put->segment, line, len);
	do {
		n = write(put->fd, line, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}
