// SPDX-License-Identifier: MIT
/*
 * Waiting. POLLIN tells whether read(2) would find a record behind the place of the
 * open file. Nobody reads this file: before each wait it is put at the end.
 *
 *      reader                                  writer
 *      1 lseek(fd, 0, SEEK_END): its place     reserve: the head moves
 *        is the head P of each ring            commit
 *      2 look at all rings; head H of each     wake those who poll
 *      3 H is where the cursor is: nothing
 *        is behind it
 *      4 poll
 *
 * H is not before P, as both are loads of one word, the second behind the first.
 * So at 3 all records before P have been seen, and one that has not been has its
 * place at or behind P: POLLIN tells of it when it is committed, and poll loses no
 * wake-up. Is H ahead of the cursor, with nothing to read there, a record is being
 * written, or the ring is being replaced: POLLIN may not tell of a record that
 * SEEK_END has passed over, so look again soon instead of waiting for it.
 *
 * A file that several share could be put behind what one of them has not seen: each
 * log has its own.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "log.h"

#define UNFINISHED_MS	1	/* for a record that is being written */
#define HOSTED_MS	10	/* for a file, which wakes nobody */

int obs_log_fd(const struct obs_log *log)
{
	return log->device->hosted ? -1 : log->device->fd;
}

/* Is nothing behind what was seen of each ring? */
static bool quiet(const struct obs_log *log)
{
	uint64_t behind;
	uint32_t i;

	for (i = 0; i < log->nr; i++)
		if (!log->merged[i].valid &&
		    (!obs_logring_behind(&log->merged[i].ring, &behind) || behind))
			return false;
	return true;
}

static int until_ms(const struct obs_log *log, uint64_t due_ns)
{
	uint64_t ms;

	if (due_ns <= log->looked_ns)
		return 0;
	ms = (due_ns - log->looked_ns + 999999) / 1000000;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* -1 is more than any other. */
static int shorter(int a_ms, int b_ms)
{
	return (unsigned int)a_ms < (unsigned int)b_ms ? a_ms : b_ms;
}

int obs_log_prepare(struct obs_log *log, int *ret_timeout_ms)
{
	int timeout_ms = log->device->hosted ? HOSTED_MS : -1, r;
	uint64_t due_ns;

	r = obs_device_check_size(log->device);
	if (r)
		return r;
	/* A ring whose writer was killed within a record goes on. */
	obs_device_tidy(log->device);
	if (!log->device->hosted && lseek(log->device->fd, 0, SEEK_END) < 0)
		return -errno;
	r = obs_log_look(log);
	if (r)
		return r;
	if (obs_log_first(log, &due_ns))
		timeout_ms = shorter(timeout_ms, until_ms(log, due_ns));
	else if (obs_device_draining(log->device))
		return -ESHUTDOWN;
	if (timeout_ms && !quiet(log))
		timeout_ms = shorter(timeout_ms, UNFINISHED_MS);
	*ret_timeout_ms = timeout_ms;
	return 0;
}

int obs_log_wait(struct obs_log *log, int timeout_ms)
{
	struct pollfd poller = { .fd = obs_log_fd(log), .events = POLLIN };
	uint64_t end_ns = obs_log_now() + (uint64_t)timeout_ms * 1000000;
	int wait_ms, r;

	for (;;) {
		r = obs_log_prepare(log, &wait_ms);
		if (r)
			return r;
		if (!wait_ms)
			return 1;
		if (timeout_ms >= 0) {
			if (log->looked_ns >= end_ns)
				return 0;
			wait_ms = shorter(wait_ms, until_ms(log, end_ns));
		}
		if (poll(&poller, 1, wait_ms) < 0)
			return -errno;
	}
}
