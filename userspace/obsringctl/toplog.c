// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "toplog.h"

#define WINDOW_NS	10000000	/* that a record is held back, for order */
#define SINCE_S		60
#define READ_MAX	100000		/* records in one go: keys are to be answered */

static void end(struct top_log *log, int error)
{
	obs_log_close(log->log);
	log->log = NULL;
	log->error = error;
}

void top_log_open(struct top_log *log, const char *device)
{
	struct obs_log_options options = { .start = OBS_LOG_SINCE_REALTIME,
					   .window_ns = WINDOW_NS };
	int r;

	*log = (struct top_log){ .log = NULL };
	options.since_ns = (uint64_t)(time(NULL) - SINCE_S) * 1000000000;
	r = obs_log_open(device, &options, &log->log);
	if (r)
		log->error = r;
}

static void line_keep(struct top_log *log)
{
	char text[OBS_LOG_TEXT_MAX], **line = &log->line[log->nr % TOP_LOG_LINES];
	size_t n = obs_log_text(log->log, text, sizeof(text));

	free(*line);
	*line = strndup(text, n && text[n - 1] == '\n' ? n - 1 : n);
	log->nr++;
}

void top_log_read(struct top_log *log)
{
	const struct obs_log_entry *entry;
	unsigned int i;
	int r;

	for (i = 0; log->log && i < READ_MAX; i++) {
		r = obs_log_next(log->log, &entry);
		if (r < 0)
			end(log, r);
		if (r <= 0)
			return;
		line_keep(log);
	}
}

void top_log_close(struct top_log *log)
{
	unsigned int i;

	for (i = 0; i < TOP_LOG_LINES; i++)
		free(log->line[i]);
	end(log, 0);
}
