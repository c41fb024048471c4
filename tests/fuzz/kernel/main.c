// SPDX-License-Identifier: MIT
/*
 * Loads the module, lets workers at it, unloads it, and so on with other limits, while
 * it reads the kernel's log. What the log says of a worker's program is named by the
 * process that it happened to: that worker's last programs are tried again, alone, and
 * what is left of the one that does it again is printed.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
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

#include "fuzz.h"

#define EPOCHS		8
#define EPOCH_CALLS_MIN	10000
#define STALLED_S	300	/* without a program's end: it hangs */

struct shared *shared;

static const char *module = "/files/obsring.ko";
static unsigned int nr_workers = 4;
static uint64_t nr_calls = 1000000, seed = 1;
static time_t span = INT32_MAX;
static struct kcov main_kcov, kcov[WORKERS_MAX], child[WORKERS_MAX];
static struct module_text text;
static int kmsg;

/* Each load has some limit that programs reach. */
static const char *const parameters[] = {
	"",
	"max_series=128 max_series_per_family=4 max_services=8 max_service_series=6 max_contexts=4",
	"max_bytes=65536 max_log_services=1 max_log_sources=2 max_service_bytes=4096 max_user_series=16",
	"log_kernel_bytes=4096 log_user_bytes=4096 max_services_bytes=8192 max_shares=64 max_user_bytes=8192",
};

/* ---- The module ---------------------------------------------------------- */

static void load(unsigned int epoch)
{
	const char *with = parameters[epoch % (sizeof(parameters) / sizeof(*parameters))];
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

/* Files of workers that were killed may go a little later. */
static void unload(void)
{
	int tries = 1000;

	kcov_enable(&main_kcov, false);
	while (syscall(SYS_delete_module, "obsring", O_NONBLOCK)) {
		if ((errno != EAGAIN && errno != EBUSY) || !--tries)
			err(2, "delete_module");
		usleep(10000);
	}
	kcov_disable(&main_kcov);
	kcov_collect(&main_kcov, &text);
}

/* ---- The kernel's log ---------------------------------------------------- */

static bool is_fault(const char *line)
{
	static const char *const faults[] = {
		"BUG:", "WARNING:", "Oops", "general protection", "KASAN:", "UBSAN:",
		"suspicious RCU", "deadlock", "locking dependency", "inconsistent lock",
		"soft lockup", "blocked for more", "refcount_t:", "ODEBUG:", "kmemleak:",
	};
	size_t i;

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

/**
 * struct report - what the log said
 * @pid: of whom; 0: nothing tells
 * @line: its first line
 */
struct report {
	pid_t pid;
	char line[256];
};

/* Reads what the log has; true if @report is one now. */
static bool log_read(struct report *report)
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

/* Scans all memory, which takes as long as thousands of calls: when told to. */
static void leaks(const char *command)
{
	int fd = open("/sys/kernel/debug/kmemleak", O_WRONLY);

	if (fd < 0 || write(fd, command, strlen(command)) < 0)
		err(2, "kmemleak");
	close(fd);
}

/* ---- What it found ------------------------------------------------------- */

/* Does a program alone, in a process of its own, make the log say something? */
static bool does_it(const struct program *program, unsigned int role)
{
	struct report report = { };
	pid_t pid = fork();

	if (!pid) {
		worker_replay(program, role, &child[0]);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return log_read(&report);
}

/* Without each call in turn that it can do without. */
static void program_shorten(struct program *program, unsigned int role)
{
	struct program shorter;
	uint32_t i = program->nr;

	while (i-- && program->nr > 1) {
		shorter = *program;
		shorter.nr--;
		memmove(&shorter.call[i], &shorter.call[i + 1],
			(shorter.nr - i) * sizeof(shorter.call[0]));
		if (does_it(&shorter, role))
			*program = shorter;
	}
}

static void found(const struct report *report)
{
	struct worker *worker = shared->worker;
	struct program program;
	unsigned int i, role;

	printf("found: %s\n", report->line);
	for (role = 0; role < nr_workers && worker[role].pid != report->pid; role++)
		;
	if (role == nr_workers) {
		printf("by process %d, which is no worker: the last program of each is\n",
		       report->pid);
		for (i = 0; i < nr_workers; i++) {
			printf("worker %u:\n", i);
			if (worker[i].programs)
				program_print(&worker[i].last[(worker[i].programs - 1) % LAST_MAX]);
		}
		return;
	}
	printf("by worker %u, of seed %llu, in its program %llu\n", role,
	       (unsigned long long)worker[role].seed,
	       (unsigned long long)worker[role].programs);
	worker += role;
	for (i = 0; i < LAST_MAX && i < worker->programs; i++) {
		program = worker->last[(worker->programs - 1 - i) % LAST_MAX];
		if (!does_it(&program, role))
			continue;
		program_shorten(&program, role);
		printf("this program does it again (kcov_fuzz --role %u --replay FILE):\n", role);
		program_print(&program);
		return;
	}
	printf("none of its last programs does it again alone; newest first:\n");
	for (i = 0; i < LAST_MAX && i < worker->programs; i++) {
		program_print(&worker->last[(worker->programs - 1 - i) % LAST_MAX]);
		printf("  --\n");
	}
}

/* ---- Epochs -------------------------------------------------------------- */

static void workers_start(unsigned int epoch)
{
	unsigned int i;
	pid_t pid;

	for (i = 0; i < nr_workers; i++) {
		struct worker *worker = &shared->worker[i];

		worker->programs = 0;
		worker->done = false;
		worker->seed = seed * 1000003 + epoch * 97 + i;
		fflush(stdout);
		pid = fork();
		if (!pid) {
			worker_run(worker, &text, i, &kcov[i], &child[i]);
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

static uint64_t programs_sum(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		sum += __atomic_load_n(&shared->worker[i].programs, __ATOMIC_ACQUIRE);
	return sum;
}

/* Where the time went, for who wants to make it faster. */
static void times_print(void)
{
	unsigned int i;

	for (i = 0; i < OP_NR; i++)
		if (shared->made[i])
			printf("# %s: %llu, %llu us each\n", op_name(i),
			       (unsigned long long)shared->made[i],
			       (unsigned long long)(shared->took_ns[i] / shared->made[i] / 1000));
	for (i = 0; i < 64; i++)
		if (shared->requested[i])
			printf("# request %u: %llu, %llu us each\n", i,
			       (unsigned long long)shared->requested[i],
			       (unsigned long long)(shared->request_took_ns[i] /
						    shared->requested[i] / 1000));
}

static void tell(time_t begun)
{
	printf("# %llu calls, %u programs in the corpus, %u blocks, %ld s\n",
	       (unsigned long long)shared->calls, shared->nr_corpus, shared->nr_reached,
	       time(NULL) - begun);
	fflush(stdout);
}

/* A program that never ends is a finding: the log will tell where it hangs. */
static void stalled(void)
{
	unsigned int i;

	printf("found: no program has ended for %d s; the last of each worker:\n", STALLED_S);
	for (i = 0; i < nr_workers; i++) {
		printf("worker %u:\n", i);
		if (shared->worker[i].programs)
			program_print(&shared->worker[i].last[(shared->worker[i].programs - 1) %
							      LAST_MAX]);
	}
	fflush(stdout);
	_exit(1);
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
static bool epoch_run(unsigned int epoch, uint64_t calls, time_t begun)
{
	struct report report = { };
	time_t moved = time(NULL), told = moved;
	uint64_t programs = 0;
	bool faulty;

	shared->limit = shared->calls + calls;
	load(epoch);
	workers_start(epoch);
	while (!(faulty = log_read(&report)) && workers_left()) {
		poll(&(struct pollfd){ .fd = kmsg, .events = POLLIN }, 1, 100);
		if (programs_sum() != programs) {
			programs = programs_sum();
			moved = time(NULL);
		} else if (time(NULL) - moved > STALLED_S) {
			stalled();
		}
		if (time(NULL) - begun >= span)
			shared->stop = true;
		if (time(NULL) - told >= 10) {
			told = time(NULL);
			tell(begun);
		}
	}
	workers_end(&report);
	if (faulty) {
		found(&report);
		return false;
	}
	unload();
	if (!log_read(&report))
		return true;
	found(&report);
	return false;
}

static int replay(const char *path, unsigned int role)
{
	struct program program;
	bool does;

	if (!program_read(path, &program))
		errx(2, "%s holds no program", path);
	load(0);
	does = does_it(&program, role);
	unload();
	printf("%s\n", does ? "found: see the kernel's log" : "nothing");
	return does;
}

static void usage(void)
{
	printf("Usage: kcov_fuzz [--module FILE] [--calls N] [--workers N] [--seed N] [--span S] [--blind]\n"
	       "       kcov_fuzz [--module FILE] [--role WORKER] --replay FILE\n"
	       "\n"
	       "Exits 0: nothing was found; 1: something; 2: it could not be tried.\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "module", 1, NULL, 'm' }, { "calls", 1, NULL, 'c' }, { "workers", 1, NULL, 'w' },
		{ "seed", 1, NULL, 's' }, { "blind", 0, NULL, 'b' }, { "replay", 1, NULL, 'r' },
		{ "role", 1, NULL, 'o' }, { "span", 1, NULL, 't' }, { "help", 0, NULL, 'h' }, { }
	};
	const char *program = NULL;
	unsigned int i, role = 0, epoch;
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
		case 'o':
			role = atoi(optarg);
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
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0 || lseek(kmsg, 0, SEEK_END) < 0)
		err(2, "/dev/kmsg");
	leaks("scan=off");
	kcov_open(&main_kcov);
	for (i = 0; i < nr_workers; i++) {
		kcov_open(&kcov[i]);
		kcov_open(&child[i]);
	}
	if (program)
		return replay(program, role);

	calls = nr_calls / EPOCHS > EPOCH_CALLS_MIN ? nr_calls / EPOCHS : EPOCH_CALLS_MIN;
	printf("# seed %llu, %u workers\n", (unsigned long long)seed, nr_workers);
	for (epoch = 0; clean && shared->calls < nr_calls && time(NULL) - begun < span; epoch++) {
		uint64_t left = nr_calls - shared->calls;

		clean = epoch_run(epoch, left < calls ? left : calls, begun);
		tell(begun);
	}
	times_print();
	printf("calls %llu\n", (unsigned long long)shared->calls);
	if (clean) {
		/* Where sections are is told of a module that is there. */
		load(0);
		module_text_print(&text);
		unload();
	}
	return !clean;
}
