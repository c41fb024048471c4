// SPDX-License-Identifier: MIT
/* The table of checks, what they are told, and how findings are shown. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "options.h"
#include "print.h"

/* In this order: the causes before what follows from them. */
static const struct {
	const char *name;
	void (*run)(struct doctor *doctor);
	bool hosted;			/* a segment may have it as well */
} checks[] = {
	{ "module", doctor_module, false },
	{ "version", doctor_version, true },
	{ "signature", doctor_signature, false },
	{ "secure-boot", doctor_secure_boot, false },
	{ "lockdown", doctor_lockdown, false },
	{ "device", doctor_device, true },
	{ "access", doctor_access, true },
	{ "sources", doctor_sources, false },
	{ "log", doctor_log, true },
	{ "clock", doctor_clock, true },
	{ "memory", doctor_memory, true },
	{ "limits", doctor_limits, true },
	{ "refused", doctor_refused, true },
	{ "losses", doctor_losses, true },
	{ "daemon", doctor_daemon, true },
};

static const char *const level_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_ERROR] = "error",
};

void doctor_tell(struct doctor *doctor, enum doctor_level level, const char *remedy,
		 const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (level > doctor->worst)
		doctor->worst = level;
	if (!doctor->json) {
		fprintf(doctor->out, "%-7s  %s: ", level_names[level], doctor->check);
		print_text(doctor->out, text);
		if (remedy) {
			fputs("; ", doctor->out);
			print_text(doctor->out, remedy);
		}
		putc('\n', doctor->out);
		return;
	}
	json_open(doctor->json, NULL, '{');
	json_string(doctor->json, "check", doctor->check);
	json_string(doctor->json, "level", level_names[level]);
	json_string(doctor->json, "text", text);
	if (remedy)
		json_string(doctor->json, "remedy", remedy);
	json_close(doctor->json, '}');
}

void doctor_run(struct doctor *doctor)
{
	size_t i;

	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (doctor->hosted && !checks[i].hosted)
			continue;
		doctor->check = checks[i].name;
		checks[i].run(doctor);
	}
}

/* ---- What is gathered ------------------------------------------------------ */

static bool is_listed(const struct group *group)
{
	const struct passwd *user = getpwuid(getuid());
	char **member;

	if (!user)
		return false;
	for (member = group->gr_mem; *member; member++)
		if (!strcmp(*member, user->pw_name))
			return true;
	return user->pw_gid == group->gr_gid;
}

static void node_gather(struct doctor *doctor)
{
	const struct group *group;

	if (stat(doctor->device, &doctor->node) < 0) {
		doctor->node_error = -errno;
		return;
	}
	doctor->caller.root = !geteuid();
	doctor->caller.member = group_member(doctor->node.st_gid);
	group = getgrgid(doctor->node.st_gid);
	if (!group)
		return;
	doctor->group = group->gr_name;
	doctor->caller.listed = is_listed(group);
}

static void values_gather(struct doctor *doctor, struct obs_device *device,
			  struct obs_snapshot *snapshot)
{
	int r = obs_snapshot_update(snapshot);

	if (r < 0) {
		doctor->open_error = r;
		return;
	}
	doctor->header = obs_device_header(device);
	doctor->snapshot = snapshot;
}

static int ring_note(const struct obs_log_ring_info *ring, void *doctor)
{
	doctor_ring(doctor, ring);
	return 0;
}

/* @fd: the device, or -1: who may not read that is not told of the rings. */
static void module_gather(struct doctor *doctor, int fd, struct obs_info *info)
{
	if (doctor->hosted || obs_control_open(&doctor->control))
		return;
	if (!obs_control_info(doctor->control, info))
		doctor->info = info;
	doctor->rings_known = !obs_log_ring_list(doctor->control, fd, ring_note, doctor);
}

static void examine(struct doctor *doctor)
{
	struct obs_snapshot *snapshot = NULL;
	struct obs_device *device = NULL;
	struct obs_info info;

	node_gather(doctor);
	doctor->open_error = obs_device_open(doctor->device, &device);
	if (!doctor->open_error)
		doctor->open_error = obs_snapshot_new(device, &snapshot);
	if (!doctor->open_error)
		values_gather(doctor, device, snapshot);
	module_gather(doctor, device ? obs_device_fd(device) : -1, &info);
	doctor_run(doctor);
	obs_control_close(doctor->control);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
}

int ctl_doctor(const struct ctl_command *command, struct ctl_globals *globals,
	       int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct doctor doctor = {
		.root = "",
		.out = stdout,
	};
	const struct ctl_option options[] = {
		{ "url", NULL, &doctor.url, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	if (doctor.url && !doctor_url_valid(doctor.url))
		return ctl_misused(command, "--url %s is not http://HOST[:PORT][/PATH]",
				   doctor.url);
	doctor.device = globals->device ?: OBSRING_DEVICE;
	doctor.hosted = ctl_segment_is_meant(globals);
	if (globals->json) {
		doctor.json = &json;
		json_open(&json, NULL, '[');
	}
	examine(&doctor);
	if (doctor.json)
		json_close(&json, ']');
	return doctor.worst >= DOCTOR_WARNING ? CTL_FAILED : CTL_OK;
}
