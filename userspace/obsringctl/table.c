// SPDX-License-Identifier: MIT
#include <string.h>

#include "obsringctl.h"

/* Usage, help, completion, and the check of the manual page come from here. */
const struct ctl_command ctl_commands[] = {
	{ "info", ctl_info, "",
	  "show the module's version, state, limits and use", CTL_NOTHING, false, true },
	{ "list", ctl_list, "[PATTERN...]",
	  "list metrics: all, or those that match a shell pattern", CTL_METRIC, false, true },
	{ "get", ctl_get, "NAME[{label=\"value\",...}] [--per-cpu] [--raw]",
	  "show values; labels select series", CTL_METRIC, false, true },
	/* Before the one that is its first word. */
	{ "log size", ctl_log_size, "[--kernel BYTES] [--user BYTES]",
	  "show the log's rings, or give each CPU's another size (64K, 1M); "
	  "what was not read is lost", CTL_NOTHING, false, true },
	{ "log", ctl_log,
	  "[--follow] [--since TIME] [--level LEVEL] [--source PATTERN] [--trace-id ID] "
	  "[--origin kernel|user]",
	  "show the log, or follow it", CTL_NOTHING, false, true },
	{ "top", ctl_top,
	  "[--interval TIME] [--sort name|rate|value|p99] [--filter REGEX] [--per-cpu] "
	  "[--total] [--once]",
	  "show live what counts, how fast, and the log; --once: a table of it",
	  CTL_NOTHING, false, true },
	{ "source list", ctl_source_list, "",
	  "list the built-in sources", CTL_NOTHING, false, false },
	{ "source enable", ctl_source_enable, "NAME [key=value...]",
	  "switch a source on, or change its options", CTL_SOURCE, false, false },
	{ "source disable", ctl_source_disable, "NAME [key=value...]",
	  "switch a source off; its values stay", CTL_SOURCE, false, false },
	{ "probe list", ctl_probe_list, "",
	  "list the probes", CTL_NOTHING, false, false },
	{ "probe add", ctl_probe_add,
	  "tracepoint|kprobe|kretprobe TARGET --as METRIC [--sample N] "
	  "[--kind counter|histogram] [--help-text TEXT]",
	  "count a tracepoint (GROUP:NAME) or a function's calls, or time them (kretprobe)",
	  CTL_PROBE_TYPE, false, false },
	{ "probe delete", ctl_probe_delete, "METRIC",
	  "remove a probe and its metric", CTL_PROBE, false, false },
	{ "sample list", ctl_sample_list, "",
	  "list the log's sampling rules, and changes that wait for their time",
	  CTL_NOTHING, false, true },
	{ "sample set", ctl_sample_set,
	  "SOURCE[:LEVEL] keep|drop|1:N|N%|trace:N%|N/s|target:N/s [--at TIME] "
	  "[--replace COMMAND]",
	  "set which records of a source are kept, now or at a time; \"*\": of those without a rule",
	  CTL_LOG_SOURCE, false, true },
	{ "sample delete", ctl_sample_delete, "SOURCE[:LEVEL] [--at TIME] [--replace COMMAND]",
	  "remove a rule, now or at a time", CTL_LOG_SOURCE, false, true },
	{ "sample cancel", ctl_sample_cancel, "COMMAND",
	  "take back a change that waits", CTL_NOTHING, false, false },
	{ "family add", ctl_family_add,
	  "NAME --kind counter|gauge|histogram|info [--help-text TEXT] [--unit UNIT] "
	  "[--label NAME]... [--set] [--exp10 N] "
	  "[--bounds N,N... | --schema N --min-log2 N --max-log2 N]",
	  "add a metric that no kernel code owns", CTL_NOTHING, false, false },
	{ "family delete", ctl_family_delete, "NAME",
	  "remove such a metric", CTL_METRIC, false, false },
	{ "series add", ctl_series_add, "NAME[{label=\"value\",...}]",
	  "add a series to such a metric", CTL_METRIC, false, true },
	{ "series delete", ctl_series_delete, "NAME[{label=\"value\",...}]",
	  "remove a series of such a metric", CTL_METRIC, false, true },
	{ "series update", ctl_series_update,
	  "NAME[{label=\"value\",...}] NUMBER [--raw]",
	  "count, set or observe a number in such a series", CTL_METRIC, false, true },
	{ "inc", ctl_inc,
	  "--service NAME METRIC[{label=\"value\",...}] [VALUE] [--help-text TEXT] "
	  "[--unit UNIT] [--exp10 N]",
	  "count in a counter of a service of yours: 1, or VALUE", CTL_METRIC, false, true },
	{ "add", ctl_add,
	  "--service NAME METRIC[{label=\"value\",...}] VALUE [--help-text TEXT] "
	  "[--unit UNIT] [--exp10 N]",
	  "add to a counter of a service of yours", CTL_METRIC, false, true },
	{ "set", ctl_set,
	  "--service NAME METRIC[{label=\"value\",...}] VALUE [--help-text TEXT] "
	  "[--unit UNIT] [--exp10 N]",
	  "set a gauge of a service of yours", CTL_METRIC, false, true },
	{ "observe", ctl_observe,
	  "--service NAME METRIC[{label=\"value\",...}] VALUE [--help-text TEXT] "
	  "[--unit UNIT] [--exp10 N] "
	  "[--buckets N,N... | --schema N --min-log2 N --max-log2 N]",
	  "observe a value in a histogram of a service of yours", CTL_METRIC, false, true },
	{ "run", ctl_run, "--service NAME -- COMMAND [ARGUMENT...]",
	  "run a command, and record when, how long and with what success it ran",
	  CTL_COMMAND, false, true },
	{ "service list", ctl_service_list, "",
	  "list the services of processes", CTL_NOTHING, false, true },
	{ "service show", ctl_service_show, "SERVICE [--uid N]",
	  "show a service and the values of all its metrics", CTL_SERVICE, false, true },
	{ "service ttl", ctl_service_ttl, "SERVICE TIME|never [--uid N]",
	  "set how long a service stays without processes: 90s, 12h, 7d",
	  CTL_SERVICE, false, true },
	{ "service delete", ctl_service_delete, "SERVICE [--uid N]",
	  "remove a service without processes, and its metrics", CTL_SERVICE, false, true },
	{ "segment create", ctl_segment_create,
	  "PATH [--series N] [--pages N] [--shares N] [--log-rings N] [--log-bytes N] [--mode MODE]",
	  "make a file that takes the device's place, where there is no module",
	  CTL_NOTHING, false, false },
	{ "doctor", ctl_doctor, "[--url URL]",
	  "look for what is wrong here, and say what to do about it", CTL_NOTHING, false,
	  true },
	{ "drain", ctl_drain, "[--undo]",
	  "ask all readers to close, so that the module can be unloaded",
	  CTL_NOTHING, false, false },
	{ "trace parse", ctl_trace_parse, "'NAME: VALUE'...",
	  "explain the trace context that a request's headers give", CTL_NOTHING,
	  false, false },
	{ "complete", ctl_complete, "WORD...",
	  "print what the last word may become", CTL_NOTHING, true, true },
	{ NULL, NULL, NULL, NULL, CTL_NOTHING, false, false },
};

/* How many of @argv's words are @name; 0 if they differ. */
static int words_match(const char *name, int argc, char **argv)
{
	size_t n = strcspn(name, " ");

	if (argc < 1 || strlen(argv[0]) != n || memcmp(argv[0], name, n))
		return 0;
	if (!name[n])
		return 1;
	return argc > 1 && !strcmp(argv[1], name + n + 1) ? 2 : 0;
}

const struct ctl_command *ctl_command_find(int argc, char **argv, int *ret_words)
{
	const struct ctl_command *command, *found = NULL;
	int words, most = 0;

	for (command = ctl_commands; command->name; command++) {
		words = words_match(command->name, argc, argv);
		if (words <= most)
			continue;
		found = command;
		most = words;
	}
	if (found)
		*ret_words = most;
	return found;
}
