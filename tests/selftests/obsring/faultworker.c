// SPDX-License-Identifier: MIT
/*
 * What the kernel's workers do for the module while faults are injected into them: they
 * make the series of what an event was the first of. One that could not is made at the
 * next event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <obsring.h>

#include "await.h"
#include "faultop.h"
#include "metric.h"
#include "module.h"

#define DISK	"/dev/vda"

static bool has_series(const char *family, const char *label)
{
	struct view view;
	bool has;

	if (view_open(&view))
		return false;
	has = metric(&view, family, label) != METRIC_NONE;
	view_close(&view);
	return has;
}

/* ---- A source of the log that kernel code did not register ---------------- */

static int make_chatter(const struct operation *op)
{
	return module_load("obsring_chatter", "");
}

static void end_chatter(const struct operation *op)
{
	module_unload("obsring_chatter");
}

static int speak(void)
{
	return module_parameter_write("obsring_chatter", "speak", "newfault 4 1 1");
}

static bool is_known(void)
{
	return has_series("obsring_log_seen_total", "newfault");
}

static int try_name(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm_workers(attempt->nth);
	r = speak();
	if (!r && !await(is_known() || fault_workers_hit()))
		r = -ETIME;
	attempt->fault = fault_disarm_workers();
	/* The next record's worker makes what the first one's could not. */
	if (!r && !await(!speak() && is_known()))
		r = -ETIME;
	return r;
}

static int undo_name(const struct operation *op)
{
	module_unload("obsring_chatter");
	return module_reload("sources=none") ?: make_chatter(op);
}

/* ---- A disk --------------------------------------------------------------- */

static int make_block(const struct operation *op)
{
	return module_reload("sources=block");
}

static int disk_read(void)
{
	void *buffer;
	int fd = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (posix_memalign(&buffer, 4096, 4096)) {
		close(fd);
		return -ENOMEM;
	}
	if (pread(fd, buffer, 4096, 0) != 4096)
		r = -EIO;
	free(buffer);
	close(fd);
	return r;
}

static bool has_disk(void)
{
	struct view view;
	bool has;

	if (view_open(&view))
		return false;
	has = metric(&view, "obsring_block_io_bytes_total", "vda", "read") != METRIC_NONE;
	view_close(&view);
	return has;
}

static int try_disk(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm_workers(attempt->nth);
	r = disk_read();
	if (!r && !await(has_disk() || fault_workers_hit()))
		r = -ETIME;
	attempt->fault = fault_disarm_workers();
	if (!r && !await(!disk_read() && has_disk()))
		r = -ETIME;
	return r;
}

static int undo_disk(const struct operation *op)
{
	return make_block(op);
}

static void end_disk(const struct operation *op)
{
	module_reload("sources=none");
}

const struct operation worker_operations[] = {
	{ "worker: name in the log", NULL, make_chatter, try_name, undo_name, end_chatter },
	{ "worker: disk", NULL, make_block, try_disk, undo_disk, end_disk },
	{ NULL }
};
