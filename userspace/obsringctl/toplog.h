/* SPDX-License-Identifier: MIT */
/* The last lines of the log, beside what `top` counts. */
#ifndef OBSRINGCTL_TOPLOG_H
#define OBSRINGCTL_TOPLOG_H

#include "obsringctl.h"

#define TOP_LOG_LINES	128

/**
 * struct top_log - lines that were read
 * @log: NULL: it can't be read
 * @error: why: -errno, what opening or reading it gave
 * @line: line i of all is line[i % TOP_LOG_LINES], without a line feed; hostile text
 * @nr: of all
 */
struct top_log {
	struct obs_log *log;
	int error;
	char *line[TOP_LOG_LINES];
	uint64_t nr;
};

/* From a minute ago on. */
void top_log_open(struct top_log *log, const char *device);
void top_log_read(struct top_log *log);
void top_log_close(struct top_log *log);

#endif /* OBSRINGCTL_TOPLOG_H */
