// SPDX-License-Identifier: MIT
/*
 * Completion: the words of the table, and the names that exist now. What can't
 * be read offers nothing; nothing is printed to standard error.
 */
#include <stdio.h>
#include <string.h>

#include "service.h"

static void offer(const char *word, size_t len, const char *typed)
{
	if (len >= strlen(typed) && !memcmp(word, typed, strlen(typed)))
		printf("%.*s\n", (int)len, word);
}

/* First words, each once: the table keeps those that share one together. */
static void first_words(const char *typed)
{
	const struct ctl_command *command;
	const char *last = "";
	size_t n;

	for (command = ctl_commands; command->name; command++) {
		n = strcspn(command->name, " ");
		if (!command->hidden &&
		    (strlen(last) < n || memcmp(last, command->name, n)))
			offer(command->name, n, typed);
		last = command->name;
	}
}

static void second_words(const char *first, const char *typed)
{
	const struct ctl_command *command;
	size_t n = strlen(first);

	for (command = ctl_commands; command->name; command++)
		if (!strncmp(command->name, first, n) && command->name[n] == ' ')
			offer(command->name + n + 1, strlen(command->name + n + 1),
			      typed);
}

/* Every --option of the usage, and the common ones. */
static void options(const struct ctl_command *command, const char *typed)
{
	const char *p = command->usage;

	while ((p = strstr(p, "--"))) {
		size_t n = 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz0123456789-");

		offer(p, n, typed);
		p += n;
	}
	offer("--device", 8, typed);
	offer("--help", 6, typed);
	offer("--json", 6, typed);
}

static void metrics(const struct ctl_globals *globals, const char *typed)
{
	const struct obs_family_info *family = NULL;
	struct obs_snapshot *snapshot = NULL;
	struct obs_device *device;

	if (obs_device_open(globals->device, &device))
		return;
	if (!obs_snapshot_new(device, &snapshot) && obs_snapshot_update(snapshot) >= 0)
		while ((family = obs_family_next(snapshot, family)))
			offer(family->name, strlen(family->name), typed);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
}

/* Who has spoken in the log. */
static void log_sources(const struct ctl_globals *globals, const char *typed)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family = NULL;
	struct obs_snapshot *snapshot = NULL;
	struct obs_device *device;

	offer(OBSRING_SOURCE_ANY, strlen(OBSRING_SOURCE_ANY), typed);
	if (obs_device_open(globals->device, &device))
		return;
	if (!obs_snapshot_new(device, &snapshot) && obs_snapshot_update(snapshot) >= 0)
		family = obs_family_find(snapshot, "obsring_log_seen_total");
	while (family && (series = obs_series_next(snapshot, family, series)))
		if (!series->overflow)
			offer(series->value[0], strlen(series->value[0]), typed);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
}

static int source_offer(const struct obs_source_info *source, void *typed)
{
	offer(source->name, strlen(source->name), typed);
	return 0;
}

static int probe_offer(const struct obs_probe_info *probe, void *typed)
{
	offer(probe->name, strlen(probe->name), typed);
	return 0;
}

static int service_offer(const struct obs_service_info *service, void *typed)
{
	offer(service->name, strlen(service->name), typed);
	return 0;
}

/* Who counts, as the mapping shows it. */
static void services(const struct ctl_globals *globals, char *typed)
{
	struct obs_snapshot *snapshot = NULL;
	struct obs_device *device;

	if (obs_device_open(globals->device, &device))
		return;
	if (!obs_snapshot_new(device, &snapshot) && obs_snapshot_update(snapshot) >= 0)
		service_map_list(snapshot, service_offer, typed);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
}

static void requested(enum ctl_operand operand, char *typed)
{
	struct obs_control *control;

	if (obs_control_open(&control))
		return;
	if (operand == CTL_SOURCE)
		obs_source_list(control, source_offer, typed);
	else
		obs_probe_list(control, probe_offer, typed);
	obs_control_close(control);
}

static void operands(const struct ctl_command *command,
		     const struct ctl_globals *globals, char *typed)
{
	switch (command->operand) {
	case CTL_METRIC:
		metrics(globals, typed);
		break;
	case CTL_SOURCE:
	case CTL_PROBE:
		requested(command->operand, typed);
		break;
	case CTL_SERVICE:
		services(globals, typed);
		break;
	case CTL_LOG_SOURCE:
		log_sources(globals, typed);
		break;
	case CTL_PROBE_TYPE:
		offer("tracepoint", 10, typed);
		offer("kprobe", 6, typed);
		offer("kretprobe", 9, typed);
		break;
	case CTL_COMMAND:
	case CTL_NOTHING:
		break;
	}
}

int ctl_complete(const struct ctl_command *self, struct ctl_globals *globals,
		 int argc, char **argv)
{
	const struct ctl_command *command;
	char *typed;
	int words;

	(void)self;
	if (!argc)
		return CTL_OK;
	typed = argv[argc - 1];
	command = ctl_command_find(argc - 1, argv, &words);
	if (argc == 1)
		first_words(typed);
	if (argc == 2)
		second_words(argv[0], typed);
	if (command && argc > 2 && !strcmp(argv[argc - 2], "--service"))
		services(globals, typed);
	else if (command && typed[0] == '-')
		options(command, typed);
	else if (command && argc - 1 == words)
		operands(command, globals, typed);
	return CTL_OK;
}
