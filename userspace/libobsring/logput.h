/* SPDX-License-Identifier: MIT */
/* Where lines for the log go: the device, or a segment. */
#ifndef LIBOBSRING_LOGPUT_H
#define LIBOBSRING_LOGPUT_H

#include <stdbool.h>
#include <stddef.h>

struct obs_segment;

/**
 * struct obs_logput - an open log
 * @fd: of the device, or of whatever else takes lines; -1
 * @segment: or a segment
 */
struct obs_logput {
	int fd;
	struct obs_segment *segment;
};

/* @path NULL: the device. Errors as open(). */
int obs_logput_open(const char *path, struct obs_logput *put);
void obs_logput_close(struct obs_logput *put);

/* A line as <obsring/logline.h> has it, its newline included, is a record. */
int obs_logput_line(const struct obs_logput *put, const char *line, size_t len);

/* "service=NAME": may a line begin with it? */
bool obs_logput_service_valid(const char *service);

#endif /* LIBOBSRING_LOGPUT_H */
