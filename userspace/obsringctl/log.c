// SPDX-License-Identifier: MIT
/* The log: what is there, or what comes as well. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <obsring/logline.h>

#include "json.h"
#include "logprint.h"
#include "options.h"
#include "since.h"

#define WINDOW_NS	10000000	/* that a record is held back while following */
#define OUTPUT_BYTES	65536
#define LINE_BYTES	16384		/* no line is longer, JSON's as well */

/**
 * struct show - what is shown, and how
 * @log: where it comes from
 * @follow: go on with what comes
 * @json: objects, not logfmt
 */
struct show {
	struct obs_log *log;
	bool follow;
	bool json;
};

/* What was given behind --; NULL: nothing. */
struct given {
	const char *since, *level, *source, *trace_id, *origin;
};

static int level_parse(const struct ctl_command *command, const char *text,
		       unsigned int *ret_levels)
{
	unsigned int level;

	for (level = 0; level <= 7; level++)
		if (!strcmp(text, obs_level_name((__u8)level)) ||
		    (text[0] == (char)('0' + level) && !text[1]))
			break;
	if (level > 7)
		return ctl_misused(command, "--level %s is none of emerg, alert, crit, err, "
				   "warning, notice, info, debug, or 0 to 7", text);
	*ret_levels = (2U << level) - 1;
	return CTL_OK;
}

static int origin_parse(const struct ctl_command *command, const char *text,
			unsigned int *ret_origins)
{
	if (!strcmp(text, "kernel"))
		*ret_origins = 1U << OBSRING_ORIGIN_KERNEL;
	else if (!strcmp(text, "user"))
		*ret_origins = 1U << OBSRING_ORIGIN_USER;
	else
		return ctl_misused(command, "--origin %s is not kernel or user", text);
	return CTL_OK;
}

static int options_from(const struct ctl_command *command, const struct given *given,
			uint8_t *trace_id, struct obs_log_options *ret_options)
{
	struct timespec now;
	int r = CTL_OK;

	if (given->level)
		r = level_parse(command, given->level, &ret_options->levels);
	if (!r && given->origin)
		r = origin_parse(command, given->origin, &ret_options->origins);
	if (!r && given->trace_id) {
		if (strlen(given->trace_id) != 32 ||
		    !obs_logline_bytes(given->trace_id, trace_id, 16))
			return ctl_misused(command, "--trace-id %s is not 32 lower-case "
					   "hexadecimal digits", given->trace_id);
		ret_options->trace_id = trace_id;
	}
	if (!r && given->since) {
		clock_gettime(CLOCK_REALTIME, &now);
		ret_options->start = OBS_LOG_SINCE_REALTIME;
		if (since_parse(given->since, (uint64_t)now.tv_sec * 1000000000 +
				(uint64_t)now.tv_nsec, &ret_options->since_ns))
			return ctl_misused(command, "--since %s is no time as 10m, 2h, "
					   "@1795364057 or 2026-11-22T16:14:17Z",
					   given->since);
	}
	ret_options->source = given->source;
	return r;
}

static void entry_print(const struct show *show, int what,
			const struct obs_log_entry *entry)
{
	struct json json = { .out = stdout };
	char text[OBS_LOG_TEXT_MAX];

	if (!show->json)
		fwrite(text, 1, obs_log_text(show->log, text, sizeof(text)), stdout);
	else if (what == OBS_LOG_LOST)
		log_lost_json(entry, &json);
	else
		log_record_json(entry, &json);
	/* Whole lines, whoever reads them, and whenever we are stopped. */
	if (__fpending(stdout) > OUTPUT_BYTES - LINE_BYTES)
		fflush(stdout);
}

/* Until there is more: 0, or -errno; -EPIPE: nobody reads what we print. */
static int await(const struct show *show)
{
	struct pollfd polled[] = {
		{ .fd = obs_log_fd(show->log), .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};
	int r, timeout_ms;

	if (fflush(stdout))
		return -errno;
	r = obs_log_prepare(show->log, &timeout_ms);
	if (r)
		return r;
	if (poll(polled, 2, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return polled[1].revents ? -EPIPE : 0;
}

/* As much as was there at the beginning; following, until the module goes. */
static int entries_print(const struct show *show)
{
	const struct obs_log_entry *entry;
	struct obs_log_counts counts;
	uint64_t shown = 0;
	int r;

	obs_log_counts(show->log, &counts);
	while (!ferror(stdout) && (show->follow || shown < counts.unread)) {
		r = obs_log_next(show->log, &entry);
		if (r < 0)
			return r;
		if (r != OBS_LOG_NOTHING) {
			shown += r == OBS_LOG_LOST ? entry->lost : 1;
			entry_print(show, r, entry);
			continue;
		}
		if (!show->follow)
			return 0;
		r = await(show);
		if (r)
			return r;
	}
	return 0;
}

static int show_log(const struct ctl_globals *globals,
		    const struct obs_log_options *options, struct show *show)
{
	const char *path = globals->device ? globals->device : OBSRING_DEVICE;
	int r;

	r = obs_log_open(globals->device, options, &show->log);
	if (r)
		return ctl_fail("cannot read %s: %s", path, ctl_open_reason(r));
	/* Who stops reading what we print ends us, quietly. */
	signal(SIGPIPE, SIG_DFL);
	setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
	r = entries_print(show);
	obs_log_close(show->log);
	/* A failure to write is main's to tell. */
	if (!r || r == -ESHUTDOWN || r == -EPIPE || ferror(stdout))
		return CTL_OK;
	return ctl_fail("cannot read %s: %s", path, ctl_open_reason(r));
}

int ctl_log(const struct ctl_command *command, struct ctl_globals *globals,
	    int argc, char **argv)
{
	struct show show = { .follow = false };
	struct given given = { .since = NULL };
	const struct ctl_option options[] = {
		{ "follow", &show.follow, NULL, NULL },
		{ "since", NULL, &given.since, NULL },
		{ "level", NULL, &given.level, NULL },
		{ "source", NULL, &given.source, NULL },
		{ "trace-id", NULL, &given.trace_id, NULL },
		{ "origin", NULL, &given.origin, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct obs_log_options wanted = { .window_ns = 0 };
	uint8_t trace_id[16];
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	r = options_from(command, &given, trace_id, &wanted);
	if (r)
		return r;
	show.json = globals->json;
	if (show.follow)
		wanted.window_ns = WINDOW_NS;
	return show_log(globals, &wanted, &show);
}
