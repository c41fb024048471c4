// SPDX-License-Identifier: MIT
/* Live: what counts now, how fast, and what the log says. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "duration.h"
#include "options.h"
#include "top.h"

#define INTERVAL_MIN_NS	100000000ULL
#define INTERVAL_MAX_NS	3600000000000ULL
#define DRAIN_NS	1000000000ULL	/* between looks whether the module wants to go */

/* What was given behind --; NULL: nothing. */
struct given {
	const char *interval, *sort, *filter;
	bool once, per_cpu, total;
};

int top_read_failed(const struct top *top, int error)
{
	return ctl_fail("cannot read %s: %s", top->device, ctl_open_reason(error));
}

static int sort_parse(const struct ctl_command *command, const char *name,
		      enum top_sort *ret_sort)
{
	unsigned int i;

	for (i = 0; i < TOP_SORT_NR; i++) {
		if (strcmp(name, top_sort_names[i]))
			continue;
		*ret_sort = i;
		return CTL_OK;
	}
	return ctl_misused(command, "--sort %s is none of name, rate, value, p99", name);
}

static int top_init(const struct ctl_command *command, const struct given *given,
		    struct top *top)
{
	struct top_model *model = &top->model;
	char error[256];
	int r = CTL_OK;

	if (given->interval &&
	    (duration_parse(given->interval, &top->interval_ns) ||
	     top->interval_ns < INTERVAL_MIN_NS || top->interval_ns > INTERVAL_MAX_NS))
		return ctl_misused(command, "--interval %s is no time from 0.1s to 1h",
				   given->interval);
	if (given->sort)
		r = sort_parse(command, given->sort, &model->sort);
	if (r)
		return r;
	if (given->filter &&
	    top_model_filter(model, given->filter, error, sizeof(error)))
		return ctl_misused(command, "--filter %s: %s", given->filter, error);
	top->filter = given->filter;
	model->expand = given->per_cpu;
	model->whole = given->total;
	return CTL_OK;
}

/* -ESHUTDOWN: the module wants to go meanwhile. */
static int wait_ns(const struct top *top, uint64_t ns)
{
	struct timespec left;
	uint64_t part;

	for (; ns; ns -= part) {
		if (obs_device_draining(top->reader.device))
			return -ESHUTDOWN;
		part = ns < DRAIN_NS ? ns : DRAIN_NS;
		left = (struct timespec){ .tv_sec = (time_t)(part / 1000000000),
					  .tv_nsec = (long)(part % 1000000000) };
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
	return 0;
}

/* Two readings, for rates. */
static int once(struct top *top, bool json)
{
	int r;

	r = top_read(&top->model, &top->reader);
	if (!r)
		r = wait_ns(top, top->interval_ns);
	if (!r)
		r = top_read(&top->model, &top->reader);
	if (!r)
		r = top_model_order(&top->model);
	if (r)
		return top_read_failed(top, r);
	if (json)
		top_print_json(top);
	else
		r = top_print_lines(top);
	return r ? top_read_failed(top, r) : CTL_OK;
}

static int run(const struct ctl_globals *globals, const struct given *given,
	       struct top *top)
{
	int r;

	top->device = globals->device ? globals->device : OBSRING_DEVICE;
	if (!given->once && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return ctl_fail("top: this is no terminal; see --once and --json");
	r = ctl_reader_open(globals, &top->reader);
	if (r)
		return r;
	r = given->once ? once(top, globals->json) : top_view(top);
	ctl_reader_close(&top->reader);
	return r;
}

int ctl_top(const struct ctl_command *command, struct ctl_globals *globals,
	    int argc, char **argv)
{
	struct top top = { .interval_ns = 1000000000, .model = { .sort = TOP_RATE } };
	struct given given = { .interval = NULL };
	const struct ctl_option options[] = {
		{ "interval", NULL, &given.interval, NULL },
		{ "sort", NULL, &given.sort, NULL },
		{ "filter", NULL, &given.filter, NULL },
		{ "once", &given.once, NULL, NULL },
		{ "per-cpu", &given.per_cpu, NULL, NULL },
		{ "total", &given.total, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	setlocale(LC_CTYPE, "");
	given.once |= globals->json;
	r = top_init(command, &given, &top);
	if (!r)
		r = run(globals, &given, &top);
	top_model_free(&top.model);
	return r;
}
