// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "leak.h"

#define NS_PER_S	1e9
#define QUARTER		(LEAK_MARKS / 4)
#define HALF		(LEAK_MARKS / 2)

/* What is no noise: at least so much, and so large a part of what is there. */
static const uint64_t least_machine[LEAK_RESOURCE_NR] = {
	[LEAK_TASKS] = 16,
	[LEAK_FILES] = 64,
	[LEAK_MEMORY] = 16 << 20,
	[LEAK_SLAB] = 8 << 20,
};

static const uint64_t least_process[LEAK_PROCESS_NR] = {
	[LEAK_TASKS] = 8,
	[LEAK_FILES] = 16,
	[LEAK_MEMORY] = 4 << 20,
};

#define LEAST_PART	64

static bool is_machine(const struct leak_subject *subject)
{
	return !subject->pid;
}

static unsigned int nr_series(const struct leak_subject *subject)
{
	return is_machine(subject) ? LEAK_RESOURCE_NR : LEAK_PROCESS_NR;
}

const char *leak_resource_name(const struct leak_subject *subject,
			       enum leak_resource resource)
{
	static const char *const name[LEAK_RESOURCE_NR] = {
		[LEAK_TASKS] = "tasks",
		[LEAK_FILES] = "open_files",
		[LEAK_MEMORY] = "rss",
		[LEAK_SLAB] = "slab",
	};

	return resource == LEAK_TASKS && !is_machine(subject) ? "threads" : name[resource];
}

static struct leak_subject *subject_new(unsigned int nr)
{
	struct leak_subject *subject;

	return calloc(1, sizeof(*subject) + nr * sizeof(subject->series[0]));
}

int leak_init(struct leak *leak, uint64_t window_ns, uint64_t confirm_ns,
	      const struct leak_calls *calls)
{
	uint64_t mark_ns = window_ns / LEAK_MARKS;

	*leak = (struct leak){
		.calls = *calls,
		.mark_ns = mark_ns ? mark_ns : 1,
		.machine = subject_new(LEAK_RESOURCE_NR),
	};
	leak->confirm = (confirm_ns + leak->mark_ns - 1) / leak->mark_ns;
	if (!leak->confirm)
		leak->confirm = 1;
	return leak->machine ? 0 : -ENOMEM;
}

/* ---- One series ---------------------------------------------------------- */

static uint64_t lowest(const uint64_t *mark, unsigned int nr)
{
	uint64_t low = mark[0];
	unsigned int i;

	for (i = 1; i < nr; i++)
		if (mark[i] < low)
			low = mark[i];
	return low;
}

static uint64_t highest(const uint64_t *mark, unsigned int nr)
{
	uint64_t high = mark[0];
	unsigned int i;

	for (i = 1; i < nr; i++)
		if (mark[i] > high)
			high = mark[i];
	return high;
}

static uint64_t least_rise(const struct leak_subject *subject, enum leak_resource resource,
			   uint64_t level)
{
	uint64_t least = is_machine(subject) ? least_machine[resource] :
					       least_process[resource];

	return least > level / LEAST_PART ? least : level / LEAST_PART;
}

/* Does the window rise? Most do not rise enough to be tested. */
static bool rises(const struct leak *leak, const struct leak_subject *subject,
		  enum leak_resource resource, struct trend *ret_trend)
{
	const uint64_t *mark = subject->series[resource].mark;
	uint64_t before = highest(mark, QUARTER);
	uint64_t now = lowest(mark + LEAK_MARKS - QUARTER, QUARTER);
	struct trend all, newer;

	if (subject->nr_marks < LEAK_MARKS || now < before ||
	    now - before < least_rise(subject, resource, before))
		return false;
	trend_find(leak->at, mark, LEAK_MARKS, &all);
	if (all.z < LEAK_Z || all.slope <= 0)
		return false;
	trend_find(leak->at + HALF, mark + HALF, LEAK_MARKS - HALF, &newer);
	if (newer.z < LEAK_Z_HALF || newer.slope < all.slope / 2)
		return false;
	*ret_trend = (struct trend){ .slope = all.slope * NS_PER_S, .z = all.z };
	return true;
}

static unsigned int confirmation(const struct leak *leak, const struct leak_series *series)
{
	return leak->confirm << series->patience;
}

static void series_clear(struct leak *leak, struct leak_subject *subject,
			 enum leak_resource resource, enum leak_end end)
{
	struct leak_series *series = &subject->series[resource];
	bool told = series->state == LEAK_ALARM &&
		    (is_machine(subject) || (subject->alarmed && subject->alarm == resource));

	if (series->state == LEAK_QUIET)
		return;
	if (end == LEAK_RELEASED && series->patience < LEAK_PATIENCE_MAX)
		series->patience++;
	series->state = LEAK_QUIET;
	leak->calls.clear(leak->calls.context, subject, resource, told, end);
	if (!told || is_machine(subject))
		return;
	/* What it explained has to be seen to leak by itself. */
	subject->alarmed = false;
	for (resource = 0; resource < nr_series(subject); resource++)
		series_clear(leak, subject, resource, end);
}

static void suspect(struct leak *leak, struct leak_subject *subject,
		    enum leak_resource resource)
{
	struct leak_series *series = &subject->series[resource];

	series->state = LEAK_SUSPECT;
	series->left = confirmation(leak, series);
	series->base = highest(series->mark, QUARTER);
	series->first_slope = series->trend.slope;
	leak->calls.suspect(leak->calls.context, subject, resource);
}

/* At a mark's end. */
static void series_judge(struct leak *leak, struct leak_subject *subject,
			 enum leak_resource resource)
{
	struct leak_series *series = &subject->series[resource];
	bool rising = rises(leak, subject, resource, &series->trend);

	if (series->state == LEAK_QUIET) {
		if (rising)
			suspect(leak, subject, resource);
	} else if (series->mark[LEAK_MARKS - 1] < series->base) {
		series_clear(leak, subject, resource, LEAK_RELEASED);
	} else if (series->state == LEAK_SUSPECT) {
		if (!rising || series->trend.slope < series->first_slope / 2)
			series_clear(leak, subject, resource, LEAK_STOPPED);
		else if (series->left)
			series->left--;
	} else if (rising) {
		series->left = confirmation(leak, series);
	} else if (!--series->left) {
		series_clear(leak, subject, resource, LEAK_STOPPED);
	}
}

static bool is_confirmed(const struct leak_series *series)
{
	return series->state == LEAK_SUSPECT && !series->left;
}

static void raise(struct leak *leak, struct leak_subject *subject,
		  enum leak_resource resource, bool told)
{
	struct leak_series *series = &subject->series[resource];

	series->state = LEAK_ALARM;
	series->left = confirmation(leak, series);
	if (told)
		leak->calls.alarm(leak->calls.context, subject, resource);
}

/* ---- A process ----------------------------------------------------------- */

/* The first that is confirmed has the alarm, unless what explains it may be yet. */
static void process_judge(struct leak *leak, struct leak_subject *subject)
{
	unsigned int i;

	for (i = 0; i < LEAK_PROCESS_NR; i++)
		series_judge(leak, subject, i);
	for (i = 0; i < LEAK_PROCESS_NR; i++) {
		if (subject->series[i].state == LEAK_SUSPECT && subject->series[i].left &&
		    !subject->alarmed)
			return;
		if (!is_confirmed(&subject->series[i]))
			continue;
		raise(leak, subject, i, !subject->alarmed);
		if (!subject->alarmed) {
			subject->alarmed = true;
			subject->alarm = i;
		}
	}
}

static void subject_end(struct leak *leak, struct leak_subject *subject)
{
	unsigned int i;

	for (i = 0; i < nr_series(subject); i++)
		series_clear(leak, subject, i, LEAK_ENDED);
	free(subject);
}

/* ---- The machine --------------------------------------------------------- */

/* Suspected, or too young to be judged. */
static bool may_leak(const struct leak_subject *subject)
{
	unsigned int i;

	if (subject->nr_marks < LEAK_MARKS)
		return true;
	for (i = 0; i < LEAK_PROCESS_NR; i++)
		if (subject->series[i].state != LEAK_QUIET)
			return true;
	return false;
}

/* Over the window. Of what was born in it, all is growth. */
static uint64_t growth(const struct leak *leak, const struct leak_subject *subject,
		       enum leak_resource resource)
{
	const uint64_t *mark = subject->series[resource].mark;
	uint64_t now, before = 0;

	if (!subject->nr_marks)
		return 0;
	now = mark[LEAK_MARKS - 1];
	if (subject->start_ns <= leak->at[0])
		before = mark[LEAK_MARKS - subject->nr_marks];
	return now > before ? now - before : 0;
}

static bool processes_explain(const struct leak *leak, enum leak_resource resource)
{
	uint64_t all = growth(leak, leak->machine, resource), sum = 0, one;
	unsigned int i;

	for (i = 0; i < leak->nr_processes; i++) {
		one = growth(leak, leak->process[i], resource);
		if (one >= all / 10 && may_leak(leak->process[i]))
			sum += one;
	}
	return sum >= all / 2;
}

static bool processes_suspected(const struct leak *leak, enum leak_resource resource)
{
	unsigned int i;

	for (i = 0; i < leak->nr_processes; i++)
		if (leak->process[i]->series[resource].state != LEAK_QUIET)
			return true;
	return false;
}

static bool suspected(const struct leak *leak, enum leak_resource resource)
{
	return leak->machine->series[resource].state != LEAK_QUIET ||
	       processes_suspected(leak, resource);
}

static bool is_explained(const struct leak *leak, enum leak_resource resource)
{
	if (resource == LEAK_SLAB)
		return suspected(leak, LEAK_TASKS) || suspected(leak, LEAK_FILES);
	if (resource == LEAK_MEMORY && leak->machine->series[LEAK_TASKS].state != LEAK_QUIET)
		return true;
	return processes_explain(leak, resource);
}

static void machine_judge(struct leak *leak)
{
	struct leak_subject *machine = leak->machine;
	unsigned int i;

	for (i = 0; i < LEAK_RESOURCE_NR; i++)
		series_judge(leak, machine, i);
	for (i = 0; i < LEAK_RESOURCE_NR; i++)
		if (is_confirmed(&machine->series[i]) && !is_explained(leak, i))
			raise(leak, machine, i, true);
}

/* ---- Marks --------------------------------------------------------------- */

static void push(uint64_t *mark, uint64_t value)
{
	memmove(mark, mark + 1, (LEAK_MARKS - 1) * sizeof(*mark));
	mark[LEAK_MARKS - 1] = value;
}

static void series_mark(struct leak_series *series)
{
	bool known = series->low != LEAK_UNKNOWN;

	push(series->mark, known ? series->low : series->mark[LEAK_MARKS - 1]);
}

/* Of a mark that began before it did, what it held is not known. */
static void subject_mark(struct leak_subject *subject)
{
	unsigned int i;

	for (i = 0; i < nr_series(subject); i++) {
		if (subject->whole)
			series_mark(&subject->series[i]);
		subject->series[i].low = LEAK_UNKNOWN;
	}
	if (subject->whole && subject->nr_marks < LEAK_MARKS)
		subject->nr_marks++;
	subject->whole = true;
}

static void mark_end(struct leak *leak, uint64_t now_ns)
{
	unsigned int i;

	push(leak->at, now_ns);
	subject_mark(leak->machine);
	for (i = 0; i < leak->nr_processes; i++)
		subject_mark(leak->process[i]);
	/* What explains comes before what it explains. */
	for (i = 0; i < leak->nr_processes; i++)
		process_judge(leak, leak->process[i]);
	machine_judge(leak);
}

/* ---- Samples ------------------------------------------------------------- */

static void subject_sample(struct leak_subject *subject, const uint64_t *value)
{
	unsigned int i;

	for (i = 0; i < nr_series(subject); i++)
		if (value[i] < subject->series[i].low)
			subject->series[i].low = value[i];
}

void leak_machine(struct leak *leak, const uint64_t value[LEAK_RESOURCE_NR])
{
	subject_sample(leak->machine, value);
}

static bool processes_grow(struct leak *leak)
{
	unsigned int max = leak->max_processes ? 2 * leak->max_processes : 256;
	struct leak_subject **process, **next;

	if (leak->max_processes == LEAK_PROCESSES_MAX)
		return false;
	process = realloc(leak->process, max * sizeof(*process));
	if (process)
		leak->process = process;
	next = realloc(leak->next, max * sizeof(*next));
	if (next)
		leak->next = next;
	if (!process || !next)
		return false;
	leak->max_processes = max;
	return true;
}

/* Those before @pid, which were not told of any more, are gone. */
static struct leak_subject *process_take(struct leak *leak, uint32_t pid, uint64_t start_ns)
{
	struct leak_subject *subject;

	while (leak->at_process < leak->nr_processes) {
		subject = leak->process[leak->at_process];
		if (subject->pid > pid)
			return NULL;
		leak->at_process++;
		if (subject->pid == pid && subject->start_ns == start_ns)
			return subject;
		subject_end(leak, subject);
	}
	return NULL;
}

static struct leak_subject *process_new(const struct obsring_process *process)
{
	struct leak_subject *subject = subject_new(LEAK_PROCESS_NR);
	unsigned int i;

	if (!subject)
		return NULL;
	subject->pid = process->pid;
	subject->start_ns = process->start_ns;
	for (i = 0; i < LEAK_PROCESS_NR; i++)
		subject->series[i].low = LEAK_UNKNOWN;
	return subject;
}

void leak_process(struct leak *leak, const struct obsring_process *process)
{
	const uint64_t value[LEAK_PROCESS_NR] = {
		[LEAK_TASKS] = process->threads,
		[LEAK_FILES] = process->files,
		[LEAK_MEMORY] = process->memory_bytes,
	};
	struct leak_subject *subject = process_take(leak, process->pid, process->start_ns);

	if (!subject && (leak->nr_next < leak->max_processes || processes_grow(leak)))
		subject = process_new(process);
	if (!subject) {
		leak->untracked_next++;
		return;
	}
	memcpy(subject->comm, process->comm, sizeof(subject->comm));
	subject->comm[sizeof(subject->comm) - 1] = '\0';
	subject_sample(subject, value);
	leak->next[leak->nr_next++] = subject;
}

/* Those that came in take the place of those before; others are gone. */
static void processes_swap(struct leak *leak)
{
	struct leak_subject **before = leak->process;

	while (leak->at_process < leak->nr_processes)
		subject_end(leak, leak->process[leak->at_process++]);
	leak->process = leak->next;
	leak->next = before;
	leak->nr_processes = leak->nr_next;
	leak->nr_next = 0;
	leak->at_process = 0;
}

static void processes_end(struct leak *leak)
{
	processes_swap(leak);
	processes_swap(leak);
}

void leak_sampled(struct leak *leak, uint64_t now_ns, bool processes)
{
	leak->untracked = leak->untracked_next;
	leak->untracked_next = 0;
	if (processes)
		processes_swap(leak);
	else
		processes_end(leak);
	if (!leak->mark_end_ns || now_ns >= leak->mark_end_ns) {
		mark_end(leak, now_ns);
		leak->mark_end_ns = now_ns + leak->mark_ns;
	}
}

void leak_exit(struct leak *leak)
{
	if (!leak->machine)
		return;
	processes_end(leak);
	subject_end(leak, leak->machine);
	free(leak->process);
	free(leak->next);
	leak->machine = NULL;
}

static void subject_each(struct leak_subject *subject,
			 void (*fn)(void *arg, struct leak_subject *subject,
				    enum leak_resource resource),
			 void *arg)
{
	unsigned int i;

	for (i = 0; i < nr_series(subject); i++)
		if (subject->series[i].state != LEAK_QUIET)
			fn(arg, subject, i);
}

void leak_each(const struct leak *leak,
	       void (*fn)(void *arg, struct leak_subject *subject,
			  enum leak_resource resource),
	       void *arg)
{
	unsigned int i;

	subject_each(leak->machine, fn, arg);
	for (i = 0; i < leak->nr_processes; i++)
		subject_each(leak->process[i], fn, arg);
}
