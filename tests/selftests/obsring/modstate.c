// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <obsring.h>

#include "file.h"
#include "kernel.h"
#include "metric.h"
#include "modstate.h"
#include "module.h"
#include "wire.h"

/* A tracepoint of each source; some kernels lack some. */
static const char *const tracepoints[] = {
	"sched_process_exit", "task_newtask", "sched_switch", "sched_wakeup",
	"mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end",
	"mm_compaction_begin", "sys_enter", "sys_exit", "block_rq_issue",
	"block_rq_complete", "kfree_skb", "tcp_retransmit_skb", "irq_handler_entry",
	"softirq_entry", "softirq_exit", "console",
};

__attribute__((format(printf, 2, 3)))
static void add(struct modstate *state, const char *format, ...)
{
	size_t room = sizeof(state->text) - state->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(state->text + state->len, room, format, args);
	va_end(args);
	if (n > 0)
		state->len += (size_t)n < room ? (size_t)n : room - 1;
}

/* ---- The kernel's side --------------------------------------------------- */

static void add_references(struct modstate *state, const char *module)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	if (file_read(path, text, sizeof(text)) > 0)
		add(state, "references %s %s", module, text);
}

/* The kernel can't take it from its table, and can't find it there: see function_unhook(). */
static bool is_lost_kprobe(const char *line)
{
	return !strncmp(line, "0000000000000000 ", 17);
}

/* Of obsring_points: see faultplace.h. */
static bool is_watching_kprobe(const char *line)
{
	return strstr(line, "  should_fail");
}

/* Lines of a file that have a word in them, or all. */
static void add_lines(struct modstate *state, const char *path, const char *word)
{
	static char text[1 << 18];
	char *line, *next;

	if (file_read(path, text, sizeof(text)) < 0)
		return;
	for (line = text; *line; line = next) {
		next = strchrnul(line, '\n');
		if (*next)
			*next++ = '\0';
		if ((!word || strstr(line, word)) && !is_lost_kprobe(line) &&
		    !is_watching_kprobe(line))
			add(state, "%s: %s\n", path, line);
	}
}

static void add_hooks(struct modstate *state)
{
	size_t i;

	for (i = 0; i < sizeof(tracepoints) / sizeof(tracepoints[0]); i++)
		add(state, "tracepoint %s %d\n", tracepoints[i],
		    kernel_tracepoint_on(tracepoints[i]));
}

static void add_kernel(struct modstate *state)
{
	add_references(state, "obsring");
	add_references(state, "obsring_example");
	add_lines(state, "/proc/misc", "obsring");
	add_lines(state, "/sys/kernel/debug/kprobes/list", NULL);
	add_lines(state, "/sys/devices/system/cpu/hotplug/states", "obsring");
	add_hooks(state);
}

/* ---- The module's side, over netlink ------------------------------------- */

static int add_info(struct modstate *state, struct obs_control *control)
{
	struct obs_info info;
	int r = obs_control_info(control, &info);

	if (r)
		return r;
	add(state, "info: state %u, %u families, %u series\n", info.state,
	    info.families, info.series);
	state->room_bytes = info.bytes + info.directory_bytes;
	state->refused = info.refused;
	return 0;
}

static int add_source(const struct obs_source_info *source, void *arg)
{
	unsigned int i;

	add(arg, "source %s %d\n", source->name, source->enabled);
	for (i = 0; i < source->nr_options; i++)
		add(arg, "source %s option %s=%s\n", source->name, source->option[i].key,
		    source->option[i].value);
	return 0;
}

static int add_probe(const struct obs_probe_info *probe, void *arg)
{
	add(arg, "probe %s %u %s kind %u 1:%u %s\n", probe->name, probe->type,
	    probe->target, probe->kind, probe->sample, probe->reason);
	return 0;
}

static int add_ring(const struct obs_log_ring_info *ring, void *arg)
{
	add(arg, "ring %u %u %llu\n", ring->cpu, ring->origin,
	    (unsigned long long)ring->bytes);
	/* Sources write to the kernel's when they like. */
	if (ring->origin == OBSRING_ORIGIN_USER)
		add(arg, "ring %u has %llu records of processes\n", ring->cpu,
		    (unsigned long long)ring->records);
	return 0;
}

static int add_rule(const struct obs_sample_info *rule, void *arg)
{
	add(arg, "rule %s %d %u %llu %s\n", rule->source, rule->level, rule->rule,
	    (unsigned long long)rule->value, rule->id ? "waits" : "");
	return 0;
}

static int add_service(const struct obs_service_info *service, void *arg)
{
	add(arg, "service %s uid %u, %u members, %u series, ttl %u\n", service->name,
	    service->uid, service->members, service->series, service->ttl_s);
	return 0;
}

/* What grows with the log's rings, and must fall with them. */
static bool is_memory(const struct obs_series_values *series)
{
	return !strcmp(series->family, "obsring_memory_bytes") && !strcmp(series->value[0], "log");
}

/* A line for each page or word: some may be lacking where a part was done. */
static void add_pieces(struct modstate *state, const struct obs_series_values *series)
{
	int64_t piece, bytes;

	if (strcmp(series->family, "obsring_memory_bytes"))
		return;
	if (!strcmp(series->value[0], "services"))
		bytes = getpagesize();
	else if (!strcmp(series->value[0], "sampler"))
		bytes = 8;
	else
		return;
	for (piece = 1; piece * bytes <= series->number; piece++)
		add(state, "%s's %lld\n", series->value[0], (long long)piece);
}

static int add_values(const struct obs_series_values *series, void *arg)
{
	struct modstate *state = arg;
	unsigned int i;

	add(state, "series %s", series->family);
	for (i = 0; i < series->nr_labels; i++)
		add(state, " \"%s\"", series->value[i]);
	if (!strncmp(series->family, "t_", 2) || is_memory(series))
		add(state, " = %lld", (long long)series->number);
	add(state, "\n");
	add_pieces(state, series);
	if (!strcmp(series->family, "obsring_service_shares_refused_total"))
		state->refused += (uint64_t)series->number;
	return 0;
}

static int add_control(struct modstate *state, struct obs_control *control)
{
	return add_info(state, control) ?:
	       obs_source_list(control, add_source, state) ?:
	       obs_probe_list(control, add_probe, state) ?:
	       obs_log_ring_list(control, -1, add_ring, state) ?:
	       obs_sample_list(control, add_rule, state) ?:
	       obs_service_list(control, -1, add_service, state) ?:
	       obs_series_dump(control, NULL, false, -1, add_values, state);
}

/* ---- The same as a reader of the mapping has it -------------------------- */

static void add_mapped_family(struct modstate *state, const struct view *view,
			      const struct obs_family_info *family)
{
	const struct obs_series_info *series = NULL;
	unsigned int i;

	add(state, "mapped family %s kind %u set %d\n", family->name, family->kind,
	    family->set);
	while ((series = obs_series_next(view->snapshot, family, series))) {
		add(state, "mapped series %s", family->name);
		for (i = 0; i < family->nr_labels; i++)
			add(state, " \"%s\"", series->value[i]);
		add(state, "%s\n", series->overflow ? " overflow" : "");
	}
}

static int add_mapped(struct modstate *state)
{
	const struct obs_family_info *family = NULL;
	struct view view;
	int r = view_open(&view);

	if (r)
		return r;
	r = obs_snapshot_update(view.snapshot);
	while (r >= 0 && (family = obs_family_next(view.snapshot, family)))
		add_mapped_family(state, &view, family);
	view_close(&view);
	return r < 0 ? r : 0;
}

/* ---- All of it ----------------------------------------------------------- */

static int line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Orders change when what was removed is made again. */
static void sort(struct modstate *state)
{
	static char copy[sizeof(state->text)];
	static char *line[8192];
	size_t nr = 0, i;
	char *at;

	memcpy(copy, state->text, state->len + 1);
	for (at = strtok(copy, "\n"); at && nr < 8192; at = strtok(NULL, "\n"))
		line[nr++] = at;
	qsort(line, nr, sizeof(line[0]), line_compare);
	state->len = 0;
	for (i = 0; i < nr; i++)
		add(state, "%s\n", line[i]);
}

/* The module is gone: nobody answers. */
static void add_absence(struct modstate *state)
{
	struct wire wire;

	add(state, "no module\n");
	if (!access(OBSRING_DEVICE, F_OK))
		add(state, "a device\n");
	if (!access("/sys/class/misc/obsring", F_OK))
		add(state, "a device in sysfs\n");
	if (!wire_open(&wire)) {
		add(state, "a netlink family\n");
		wire_close(&wire);
	}
}

int modstate_take(struct modstate *state)
{
	struct obs_control *control;
	int r = 0;

	state->len = 0;
	state->room_bytes = 0;
	state->refused = 0;
	state->text[0] = '\0';
	add_kernel(state);
	if (!module_loaded("obsring")) {
		add_absence(state);
	} else {
		r = obs_control_open(&control);
		if (r)
			return r;
		r = add_control(state, control) ?: add_mapped(state);
		obs_control_close(control);
	}
	sort(state);
	return r;
}

bool modstate_same(const struct modstate *a, const struct modstate *b)
{
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

static bool has_line(const struct modstate *state, const char *line, size_t len)
{
	const char *at = state->text;

	while (*at) {
		if (!strncmp(at, line, len))
			return true;
		at = strchrnul(at, '\n');
		at += *at == '\n';
	}
	return false;
}

/* Counts follow from what else is there. */
static bool is_count(const char *line)
{
	return !strncmp(line, "info: ", 6) || !strncmp(line, "service ", 8);
}

static bool line_has(const char *line, size_t len, const char *word)
{
	return memmem(line, len, word, strlen(word));
}

/* Does @b have all lines of @a, but for counts and those with a word that @b lacks? */
static bool includes(const struct modstate *a, const struct modstate *b,
		     const char *const word[2])
{
	const char *at = a->text;
	bool lacks[2];
	size_t len;
	int i;

	for (i = 0; i < 2; i++)
		lacks[i] = word[i] && !strstr(b->text, word[i]);
	for (; *at; at += len) {
		len = strcspn(at, "\n") + 1;
		if (is_count(at) || has_line(b, at, len))
			continue;
		for (i = 0; i < 2; i++)
			if (lacks[i] && line_has(at, len, word[i]))
				break;
		if (i == 2)
			return false;
	}
	return true;
}

bool modstate_same_without(const struct modstate *a, const struct modstate *b,
			   const char *const word[2])
{
	static const char *const none[2];

	return word[0] && includes(a, b, none) && includes(b, a, word);
}

/* With a mark they are printed. */
static unsigned int count_missing(const char *mark, const struct modstate *a,
				  const struct modstate *b)
{
	const char *at = a->text;
	unsigned int nr = 0;
	size_t len;

	for (; *at; at += len) {
		len = strcspn(at, "\n") + 1;
		if (has_line(b, at, len))
			continue;
		nr++;
		if (mark)
			printf("#   %s %.*s", mark, (int)len, at);
	}
	return nr;
}

unsigned int modstate_changes(const struct modstate *a, const struct modstate *b)
{
	return count_missing(NULL, a, b) + count_missing(NULL, b, a);
}

void modstate_print_changes(const struct modstate *a, const struct modstate *b)
{
	count_missing("-", a, b);
	count_missing("+", b, a);
	fflush(stdout);
}
