// SPDX-License-Identifier: MIT
/*
 * Loads the module, lets workers at it, unloads it, and so on with other limits, while
 * found.c reads the kernel's log.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "found.h"
#include "fuzz.h"
#include "progress.h"

#define EPOCHS		16
#define EPOCH_CALLS_MIN	5000
#define LOAD_WORDS	(512 << 10)	/* of KCOV, for all of load or unload */
#define CALL_WORDS	(64 << 10)	/* for a call */

struct shared *shared;

static const char *module = "/files/obsring.ko";
static unsigned int nr_workers = 6;
static uint64_t nr_calls = 1000000, seed = 1;
static time_t span = INT32_MAX;
static unsigned int epoch;
static struct kcov main_kcov, kcov[WORKERS_MAX], child[WORKERS_MAX];
static struct module_text text;

/* Each load has some limit that programs reach. */
static const char *const parameters[] = {
	"",
	"max_series=128 max_series_per_family=4 max_services=8 max_service_series=6 max_contexts=4",
	"max_bytes=65536 max_log_services=1 max_log_sources=2 max_service_bytes=4096 max_user_series=16",
	"log_kernel_bytes=4096 log_user_bytes=4096 max_services_bytes=8192 max_shares=64 max_user_bytes=8192",
};

/* ---- The module ---------------------------------------------------------- */

static void load(unsigned int nth)
{
	const char *with = parameters[nth % (sizeof(parameters) / sizeof(*parameters))];
	int fd = open(module, O_RDONLY);

	printf("# loaded %s\n", with);
	kcov_enable(&main_kcov, false);
	if (syscall(SYS_finit_module, fd, with, 0))
		err(2, "%s", module);
	kcov_disable(&main_kcov);
	close(fd);
	module_text_read(&text);
	kcov_collect(&main_kcov, &text);
	if (chown("/dev/obsring", 0, 978) || chmod("/dev/obsring", 0660))
		err(2, "/dev/obsring");
	execute_header();
}

/* Files of workers that were killed may go a little later. False: it stays. */
static bool unload(void)
{
	int tries = 1000;

	kcov_enable(&main_kcov, false);
	while (syscall(SYS_delete_module, "obsring", O_NONBLOCK) && --tries) {
		if (errno != EAGAIN && errno != EBUSY)
			err(2, "delete_module");
		usleep(10000);
	}
	kcov_disable(&main_kcov);
	kcov_collect(&main_kcov, &text);
	return tries;
}

void module_anew(void)
{
	if (unload())
		load(epoch);
}

/* ---- Leaks ------------------------------------------------------------ */

/* Scans all memory, which takes as long as thousands of calls: when told to. */
static void leaks(const char *command)
{
	int fd = open("/sys/kernel/debug/kmemleak", O_WRONLY);

	/* EPERM: the kernel runs without it. */
	if (fd < 0 || (write(fd, command, strlen(command)) < 0 && errno != EPERM))
		err(2, "kmemleak");
	close(fd);
}

/* ---- Epochs -------------------------------------------------------------- */

/* What a worker has no use for. */
static void kcov_forget_others(unsigned int worker)
{
	unsigned int i;

	kcov_forget(&main_kcov);
	for (i = 0; i < nr_workers; i++)
		if (i != worker) {
			kcov_forget(&kcov[i]);
			kcov_forget(&child[i]);
		}
	kcov_keep(&kcov[worker]);
}

static void workers_start(void)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < nr_workers; i++) {
		struct worker *worker = &shared->worker[i];

		worker->programs = 0;
		worker->at = 0;
		worker->done = false;
		worker->seed = seed * 1000003 + epoch * 97 + i;
		fflush(stdout);
		pid = fork();
		if (!pid) {
			kcov_forget_others(i);
			worker_run(worker, &text, &kcov[i], &child[i]);
			_exit(0);
		}
		worker->pid = pid;
	}
}

/* Waits for those that have ended; how many run. */
static unsigned int workers_left(void)
{
	unsigned int i, left = 0;
	int status;

	for (i = 0; i < nr_workers; i++) {
		struct worker *worker = &shared->worker[i];

		if (worker->pid <= 0)
			continue;
		if (waitpid(worker->pid, &status, WNOHANG) != worker->pid)
			left++;
		else if (WIFEXITED(status) && !WEXITSTATUS(status) && worker->done)
			worker->pid = -worker->pid;
		else
			errx(2, "worker %u ended with status %#x", i, status);
	}
	return left;
}

/* A program that never ends is a finding: the log will tell where it hangs. */
static void stalled_look(void)
{
	static struct {
		uint64_t programs;
		time_t since;
	} seen[WORKERS_MAX];
	static struct story story;
	unsigned int i;

	for (i = 0; i < nr_workers; i++) {
		const struct worker *worker = &shared->worker[i];
		uint64_t programs = __atomic_load_n(&worker->programs, __ATOMIC_ACQUIRE);

		if (programs != seen[i].programs || worker->pid <= 0) {
			seen[i].programs = programs;
			seen[i].since = time(NULL);
		} else if (seen[i].since && time(NULL) - seen[i].since > STALLED_S) {
			printf("found: worker %u is in a program that does not end:\n", i);
			story_of(&story, worker);
			story_print(&story);
			_exit(1);
		}
	}
}

static void workers_end(struct report *report)
{
	unsigned int i;

	shared->stop = true;
	while (workers_left()) {
		log_read(report);
		usleep(10000);
	}
	/* Processes are named as they were. */
	for (i = 0; i < nr_workers; i++)
		shared->worker[i].pid = abs(shared->worker[i].pid);
	shared->stop = false;
}

/* True if the log stayed silent. */
static bool epoch_run(uint64_t calls, time_t begun)
{
	struct report report = { };
	bool faulty;

	shared->limit = shared->calls + calls;
	shared->nr_begun = 0;
	load(epoch);
	workers_start();
	while (!(faulty = log_read(&report)) && workers_left()) {
		log_wait();
		stalled_look();
		if (time(NULL) - begun >= span)
			shared->stop = true;
		progress_look();
		progress_tell(false);
	}
	workers_end(&report);
	if (faulty) {
		found(&report, nr_workers);
		return false;
	}
	if (!unload())
		errx(2, "the module can't be unloaded");
	if (!log_read(&report))
		return true;
	found(&report, nr_workers);
	return false;
}

/* Programs of a file, or none. */
static unsigned int programs_read(const char *path, struct program *program, unsigned int max)
{
	FILE *file = fopen(path, "r");
	unsigned int nr = 0;

	if (!file)
		err(2, "%s", path);
	while (nr < max && program_read(file, &program[nr]))
		nr++;
	fclose(file);
	return nr;
}

static int replay(const char *path)
{
	static struct story story;
	bool does;

	story.nr = programs_read(path, story.program, LAST_MAX);
	if (!story.nr)
		errx(2, "%s holds no program", path);
	load(0);
	does = does_it(story.program, story.nr);
	unload();
	printf("%s\n", does ? "found: see the kernel's log" : "nothing");
	return does;
}

static void corpus_read(const char *path)
{
	shared->nr_seeds = programs_read(path, shared->seed, CORPUS_MAX);
	printf("# %u programs of an earlier corpus\n", shared->nr_seeds);
}

static void corpus_print(void)
{
	uint32_t i;

	for (i = 0; i < shared->nr_corpus; i++)
		program_print(stdout, "kept ", &shared->corpus[i]);
}

static void usage(void)
{
	printf("Usage: kcov_fuzz [--module FILE] [--calls N] [--workers N] [--seed N] [--span S] [--blind]\n"
	       "                 [--corpus FILE]\n"
	       "       kcov_fuzz [--module FILE] --replay FILE\n"
	       "\n"
	       "Exits 0: nothing was found; 1: something; 2: it could not be tried.\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "module", 1, NULL, 'm' }, { "calls", 1, NULL, 'c' }, { "workers", 1, NULL, 'w' },
		{ "seed", 1, NULL, 's' }, { "blind", 0, NULL, 'b' }, { "replay", 1, NULL, 'r' },
		{ "corpus", 1, NULL, 'k' }, { "span", 1, NULL, 't' }, { "help", 0, NULL, 'h' }, { }
	};
	const char *program = NULL, *corpus = NULL;
	unsigned int i;
	bool blind = false, clean = true;
	time_t begun = time(NULL);
	uint64_t calls;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'm':
			module = optarg;
			break;
		case 'c':
			nr_calls = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			nr_workers = atoi(optarg);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'b':
			blind = true;
			break;
		case 'r':
			program = optarg;
			break;
		case 'k':
			corpus = optarg;
			break;
		case 't':
			span = atoi(optarg);
			break;
		case 'h':
			usage();
			return 0;
		default:
			usage();
			return 2;
		}
	if (!nr_workers || nr_workers > WORKERS_MAX)
		errx(2, "--workers: 1 to %u", WORKERS_MAX);

	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(2, "mmap");
	shared->guided = !blind;
	log_begin();
	leaks("scan=off");
	kcov_open(&main_kcov, LOAD_WORDS);
	for (i = 0; i < nr_workers; i++) {
		kcov_open(&kcov[i], CALL_WORDS);
		kcov_open(&child[i], CALL_WORDS);
	}
	if (program)
		return replay(program);
	if (corpus)
		corpus_read(corpus);

	calls = nr_calls / EPOCHS > EPOCH_CALLS_MIN ? nr_calls / EPOCHS : EPOCH_CALLS_MIN;
	printf("# seed %llu, %u workers\n", (unsigned long long)seed, nr_workers);
	progress_begin();
	for (epoch = 0; clean && shared->calls < nr_calls && time(NULL) - begun < span; epoch++) {
		uint64_t left = nr_calls - shared->calls;

		clean = epoch_run(left < calls ? left : calls, begun);
		progress_tell(true);
	}
	progress_end();
	printf("calls %llu\n", (unsigned long long)shared->calls);
	if (clean) {
		/* Where sections are is told of a module that is there. */
		load(0);
		module_text_print(&text);
		unload();
		corpus_print();
	}
	return !clean;
}
