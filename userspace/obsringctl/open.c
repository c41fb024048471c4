// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "obsringctl.h"

/* What an error means where a user stands. */
static const struct {
	int error;
	const char *reason;
} reasons[] = {
	{ ENOENT, "no such device: the obsring module is not loaded" },
	{ ENODEV, "no such device: the obsring module is not loaded" },
	{ ENXIO, "no such device: the obsring module is not loaded" },
	{ EACCES, "permission denied: readers belong to the device's group" },
	{ ESHUTDOWN, "the module is being unloaded (drain)" },
	{ EPROTO, "this is no obsring device, or what it shows is damaged" },
	{ EOPNOTSUPP, "this module's log can't be mapped" },
	{ EPROTONOSUPPORT, "the module has another layout than this program knows" },
};

const char *ctl_open_reason(int error)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == -error)
			return reasons[i].reason;
	return strerror(-error);
}

static int reader_init(const struct ctl_globals *globals, struct ctl_reader *reader)
{
	int r;

	r = obs_device_open(globals->device, &reader->device);
	if (r)
		return r;
	r = obs_snapshot_new(reader->device, &reader->snapshot);
	if (r)
		return r;
	return obs_snapshot_update(reader->snapshot);
}

int ctl_reader_open(const struct ctl_globals *globals, struct ctl_reader *reader)
{
	const char *path = globals->device ? globals->device : OBSRING_DEVICE;
	int r;

	*reader = (struct ctl_reader){ .device = NULL };
	r = reader_init(globals, reader);
	if (r >= 0)
		return CTL_OK;
	ctl_reader_close(reader);
	return ctl_fail("cannot read %s: %s", path, ctl_open_reason(r));
}

void ctl_reader_close(struct ctl_reader *reader)
{
	obs_snapshot_free(reader->snapshot);
	obs_device_close(reader->device);
	*reader = (struct ctl_reader){ .device = NULL };
}

int ctl_control_open(struct obs_control **ret_control)
{
	int r = obs_control_open(ret_control);

	if (r == -ENOENT)
		return ctl_fail("cannot reach the module: it is not loaded, or this is "
				"not the initial network namespace");
	if (r)
		return ctl_fail("cannot reach the module: %s", strerror(-r));
	return CTL_OK;
}

int ctl_control_end(struct obs_control *control, int result, const char *format, ...)
{
	va_list args;

	if (result) {
		fputs("obsringctl: ", stderr);
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
		fprintf(stderr, ": %s\n", obs_control_error(control));
	}
	obs_control_close(control);
	return result ? CTL_FAILED : CTL_OK;
}

static const char *const kind_names[OBSRING_KIND_MAX + 1] = {
	[OBSRING_KIND_UNSPEC]	 = "unknown",
	[OBSRING_KIND_COUNTER]	 = "counter",
	[OBSRING_KIND_GAUGE]	 = "gauge",
	[OBSRING_KIND_HISTOGRAM] = "histogram",
	[OBSRING_KIND_INFO]	 = "info",
	[OBSRING_KIND_STATE]	 = "stateset",
};

const char *ctl_kind_name(enum obsring_kind kind)
{
	return kind_names[kind <= OBSRING_KIND_MAX ? kind : OBSRING_KIND_UNSPEC];
}

enum obsring_kind ctl_kind_parse(const char *name)
{
	unsigned int kind;

	for (kind = OBSRING_KIND_COUNTER; kind <= OBSRING_KIND_MAX; kind++)
		if (!strcmp(kind_names[kind], name))
			return kind;
	return OBSRING_KIND_UNSPEC;
}

bool ctl_segment_is_meant(const struct ctl_globals *globals)
{
	struct stat st;

	return globals->device && !stat(globals->device, &st) && S_ISREG(st.st_mode);
}
