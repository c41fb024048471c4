// SPDX-License-Identifier: MIT
/*
 * What the kernel's log says, and whose program did it. A report names a process: that
 * worker's last program is tried again, alone, in a module that is loaded anew; then with
 * what all did before. What is left of those that do it again is printed.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#include "found.h"
#include "fuzz.h"

#define DROP_S	240	/* to leave out what is not needed */

static int kmsg;

/* ---- The kernel's log ---------------------------------------------------- */

/*
 * Where an injected fault leaves it no memory to disarm a probe, the kernel says so; the
 * module keeps what the kernel then still has.
 */
static bool is_known(const char *line)
{
	return strstr(line, "WARNING:") && strstr(line, " __disarm_kprobe_ftrace+");
}

static bool is_fault(const char *line)
{
	static const char *const faults[] = {
		"BUG:", "WARNING:", "Oops", "general protection", "KASAN:", "UBSAN:",
		"suspicious RCU", "deadlock", "locking dependency", "inconsistent lock",
		"soft lockup", "blocked for more", "refcount_t:", "ODEBUG:", "new suspected memory leaks",
	};
	size_t i;

	if (is_known(line))
		return false;
	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (strstr(line, faults[i]))
			return true;
	return false;
}

/* The process that a line of a report names, or 0. */
static pid_t pid_in(const char *line)
{
	const char *at = strstr(line, " by task "), *pid = strstr(line, "PID: ");

	if (at)
		return (at = strrchr(at, '/')) ? atoi(at + 1) : 0;
	return pid ? atoi(pid + 5) : 0;
}

/* Reads what the log has; true if @report is one now. */
bool log_read(struct report *report)
{
	char record[8192], *text_at;
	ssize_t n;

	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (n < 0)
			continue;	/* some were overwritten */
		record[n] = 0;
		text_at = strchr(record, ';');
		if (!text_at)
			continue;
		strtok(++text_at, "\n");
		if (!report->line[0] && is_fault(text_at))
			snprintf(report->line, sizeof(report->line), "%s", text_at);
		if (report->line[0] && !report->pid)
			report->pid = pid_in(text_at);
	}
	return report->line[0];
}

void log_begin(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		err(2, "/dev/kmsg");
}

void log_wait(void)
{
	poll(&(struct pollfd){ .fd = kmsg, .events = POLLIN }, 1, 100);
}

/* ---- What it found ------------------------------------------------------- */

/* False: it hangs, and has been left alone. */
static bool child_wait(pid_t pid)
{
	time_t begun = time(NULL);

	while (!waitpid(pid, NULL, WNOHANG)) {
		if (time(NULL) - begun > STALLED_S)
			return false;
		usleep(1000);
	}
	return true;
}

/* Do programs, in a process of their own, make the log say something? */
static bool try(const struct program *program, unsigned int nr)
{
	struct report report = { };
	pid_t pid;

	log_read(&report);
	report = (struct report){ };
	fflush(stdout);
	pid = fork();
	if (!pid) {
		worker_replay(program, nr);
		_exit(0);
	}
	child_wait(pid);
	return log_read(&report);
}

/*
 * Do they, with a module of their own? To load it anew takes longer than to try: those
 * that don't do it leave theirs to the next, and those that do it there must again in one
 * that is new. Where they then don't, what a try leaves matters: each has its own from
 * then on.
 */
bool does_it(const struct program *program, unsigned int nr)
{
	static bool faulty = true, alone;
	bool new = faulty || alone;

	/* What the fault has left may keep it: then what they do is seen in that one. */
	if (new)
		module_anew();
	faulty = try(program, nr);
	if (faulty && !new) {
		module_anew();
		faulty = try(program, nr);
		alone = !faulty;
	}
	return faulty;
}

/* No try begins after that, by now_ns(): there is a story that does it. */
static uint64_t drop_until;

/* A quarter of them, if one does it alone, and a quarter of that; the newest first. */
static void programs_narrow(struct story *story)
{
	static struct story part;
	unsigned int at;

	for (at = 4; at-- && story->nr >= 4 && now_ns() < drop_until; ) {
		part.nr = story->nr / 4;
		memcpy(part.program, &story->program[at * part.nr],
		       part.nr * sizeof(part.program[0]));
		if (!does_it(part.program, part.nr))
			continue;
		*story = part;
		printf("# %u programs do it\n", story->nr);
		at = 4;
	}
}

static unsigned int calls_of(const struct story *story)
{
	unsigned int p, nr = 0;

	for (p = 0; p < story->nr; p++)
		nr += story->program[p].nr;
	return nr;
}

/* Cuts calls out, @at being of all programs', and programs that have none then. */
static void calls_cut(struct story *story, unsigned int at, unsigned int some)
{
	unsigned int p, k, kept, nr, programs = 0, nth = 0;

	for (p = 0; p < story->nr; p++) {
		struct program *program = &story->program[p];

		nr = program->nr;
		for (kept = k = 0; k < nr; k++, nth++)
			if (nth - at >= some)
				program->call[kept++] = program->call[k];
		program->nr = kept;
		if (kept)
			story->program[programs++] = *program;
	}
	story->nr = programs;
}

static unsigned int programs_of(const struct story *story)
{
	return story->nr;
}

static void programs_cut(struct story *story, unsigned int at, unsigned int some)
{
	story->nr -= some;
	memmove(&story->program[at], &story->program[at + some],
		(story->nr - at) * sizeof(story->program[0]));
}

/* What a story is made of: programs, or calls. */
struct parts {
	const char *name;
	unsigned int (*of)(const struct story *story);
	void (*cut)(struct story *story, unsigned int at, unsigned int some);
};

static const struct parts programs = { "programs", programs_of, programs_cut };
static const struct parts calls = { "calls", calls_of, calls_cut };

/* Without those parts, if it can do without. */
static bool dropped(struct story *story, const struct parts *parts, unsigned int at,
		    unsigned int some)
{
	static struct story shorter;

	if (!some || at + some > parts->of(story) || some == parts->of(story) ||
	    now_ns() > drop_until)
		return false;
	shorter = *story;
	parts->cut(&shorter, at, some);
	if (!does_it(shorter.program, shorter.nr))
		return false;
	*story = shorter;
	printf("# %u %s do it\n", parts->of(story), parts->name);
	return true;
}

/*
 * Without what it can do without: what comes before the first that is needed, and behind
 * the last; all between them; then many at once, then fewer.
 */
static void story_drop(struct story *story, const struct parts *parts)
{
	unsigned int some, at;

	for (some = parts->of(story) / 2; some; some /= 2)
		dropped(story, parts, 0, some);
	for (some = parts->of(story) / 2; some; some /= 2)
		dropped(story, parts, parts->of(story) - some, some);
	if (parts->of(story) > 2)
		dropped(story, parts, 1, parts->of(story) - 2);
	for (some = parts->of(story) / 2; some; some /= 2)
		for (at = 0; at + some <= parts->of(story); )
			if (!dropped(story, parts, at, some))
				at += some;
}

void story_print(const struct story *story)
{
	unsigned int p;

	for (p = 0; p < story->nr; p++)
		program_print(stdout, "  ", &story->program[p]);
	fflush(stdout);
}

/* What @worker does or did last. */
void story_of(struct story *story, const struct worker *worker)
{
	story->nr = !!worker->programs;
	story->program[0] = shared->last[worker->at];
}

/* The last of all workers, @nr at most. */
static void story_last(struct story *story, unsigned int nr)
{
	uint64_t begun = shared->nr_begun;
	unsigned int i;

	story->nr = begun < nr ? begun : nr;
	for (i = 0; i < story->nr; i++)
		story->program[i] = shared->last[(begun - story->nr + i) % LAST_MAX];
}

/* Nothing says whose: what each did last. */
static void workers_print(unsigned int nr_workers)
{
	static struct story story;
	unsigned int i;

	for (i = 0; i < nr_workers; i++) {
		printf("worker %u:\n", i);
		story_of(&story, &shared->worker[i]);
		story_print(&story);
	}
}

void found(const struct report *report, unsigned int nr_workers)
{
	struct worker *worker = shared->worker;
	static struct story story;
	unsigned int i, last;

	printf("found: %s\n", report->line);
	for (i = 0; i < nr_workers && worker[i].pid != report->pid; i++)
		;
	if (i == nr_workers) {
		printf("by process %d, which is no worker: the last program of each is\n",
		       report->pid);
		workers_print(nr_workers);
		return;
	}
	printf("by worker %u, of seed %llu, in its program %llu\n", i,
	       (unsigned long long)worker[i].seed, (unsigned long long)worker[i].programs);
	fflush(stdout);
	/* As few as do it: what others did, and what came before, may have a part in it. */
	for (last = 1; last <= LAST_MAX; last *= 4) {
		if (last == 1)
			story_of(&story, &worker[i]);
		else
			story_last(&story, last);
		printf("# trying %u programs\n", story.nr);
		if (!does_it(story.program, story.nr))
			continue;
		drop_until = now_ns() + DROP_S * 1000000000ULL;
		programs_narrow(&story);
		story_drop(&story, &programs);
		story_drop(&story, &calls);
		if (now_ns() > drop_until)
			printf("# no more was left out: %u s are over\n", DROP_S);
		printf("these calls do it again (--replay FILE):\n");
		story_print(&story);
		return;
	}
	printf("what was done last does not do it again; this worker's program was:\n");
	story_of(&story, &worker[i]);
	story_print(&story);
}
