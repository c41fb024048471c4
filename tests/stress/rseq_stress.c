// SPDX-License-Identifier: MIT
/*
 * Rows under threads and processes that are moved, interrupted and killed:
 *
 *   moved     threads and forked processes add, unpinned; a thread moves them from
 *             CPU to CPU, a timer's signal handler adds in the middle of it
 *   killed    a process adds until it is killed, again and again; what it had
 *             finished is there, and at most one more
 *   stepped   a debugger steps a process through its additions, which aborts each
 *             sequence
 *   shaped    the last instruction of the sequence is its addition
 *   bare      a thread without a sequence, and a CPU without a row
 *
 * No addition is lost or made twice.
 *
 * usage: rseq_stress [SECONDS]		exit 0: as it should be; 1: not
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <obsring/rseq.h>

#define THREADS		8
#define PROCESSES	8
#define WORKERS		(THREADS + PROCESSES)
#define SIGNAL_US	97
#define KILLS		200

enum { SLOT_LOOP, SLOT_SIGNAL, SLOT_KILLED, SLOT_STEPPED, SLOT_BARE, SLOTS };

/* What a worker has done, in memory that outlives it. */
struct tally {
	_Atomic __u64 added, signals, aborted, shared, moves;
	_Atomic __u64 started, finished;
};

static struct {
	atomic_bool stop;
	struct tally tally[WORKERS];
	struct tally killed, stepped;
} *shared;

static struct obs_rows rows;
static __thread struct tally *mine;
static int failures;

#define EXPECT(condition, ...)						\
	do {								\
		if (!(condition)) {					\
			failures++;					\
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			printf(__VA_ARGS__);				\
			putchar('\n');					\
		}							\
	} while (0)

static void *memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static void rows_init(void)
{
	long page = sysconf(_SC_PAGESIZE);

	rows.nr_cpus = (__u32)sysconf(_SC_NPROCESSORS_CONF);
	rows.stride = (__u64)page;
	rows.base = memory(rows.nr_cpus * (size_t)page);
	rows.shared = memory((size_t)page);
}

/* obs_rows_add() as it is written, and what happened is counted. */
static void add(__u32 slot, __u64 n)
{
	enum obs_rseq_result result;
	unsigned int i;

	for (i = 0; i < OBS_RSEQ_ABORTS; i++) {
		result = obs_rseq_try_add(obs_rseq_area(), &rows, slot * sizeof(__u64), n);
		if (result == OBS_RSEQ_DONE)
			return;
		if (result == OBS_RSEQ_NO_ROW)
			break;
		atomic_fetch_add(&mine->aborted, 1);
	}
	obs_rows_add_shared(&rows, slot, n);
	atomic_fetch_add(&mine->shared, 1);
}

/* ---- Moved --------------------------------------------------------------- */

static void on_signal(int number)
{
	(void)number;
	if (!mine)
		return;
	add(SLOT_SIGNAL, 3);
	atomic_fetch_add_explicit(&mine->signals, 1, memory_order_relaxed);
}

static void timer_begin(void)
{
	struct itimerval interval = {
		.it_interval.tv_usec = SIGNAL_US, .it_value.tv_usec = SIGNAL_US,
	};

	setitimer(ITIMER_REAL, &interval, NULL);
}

static void timer_end(void)
{
	struct itimerval none = { .it_value.tv_usec = 0 };

	setitimer(ITIMER_REAL, &none, NULL);
}

/*
 * Many between two looks at memory that others write: a processor is interrupted
 * where it waits, and only what is interrupted within a sequence is aborted.
 */
static void work(struct tally *tally)
{
	unsigned int i;

	mine = tally;
	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		for (i = 0; i < 256; i++)
			add(SLOT_LOOP, 1);
		atomic_fetch_add_explicit(&tally->added, 256, memory_order_relaxed);
	}
}

static void *worker_thread(void *arg)
{
	work(arg);
	return NULL;
}

/* Keep changing where @nr tasks may run; CPUs that are not ours do not count. */
static void move(const pid_t *task, unsigned int nr, time_t until)
{
	unsigned int i, round = 0;
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof(all), &all);
	while (time(NULL) < until) {
		for (i = 0; i < nr; i++) {
			unsigned int cpu = (round + i) % rows.nr_cpus;

			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			if (CPU_ISSET(cpu, &all) &&
			    !sched_setaffinity(task[i], sizeof(one), &one))
				atomic_fetch_add(&shared->tally[0].moves, 1);
		}
		round++;
		sched_yield();
	}
}

static atomic_int thread_ids[THREADS];

static void *thread_main(void *arg)
{
	unsigned int i = (unsigned int)(uintptr_t)arg;

	atomic_store(&thread_ids[i], (int)syscall(SYS_gettid));
	return worker_thread(&shared->tally[i]);
}

static pid_t process_start(unsigned int i)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	timer_begin();
	work(&shared->tally[i]);
	timer_end();
	_exit(0);
}

static void moved(time_t seconds)
{
	struct tally sum = { .added = 0 };
	pthread_t thread[THREADS];
	pid_t task[WORKERS];
	unsigned int i;
	int status;

	for (i = 0; i < PROCESSES; i++)
		task[THREADS + i] = process_start(THREADS + i);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, thread_main, (void *)(uintptr_t)i);
	for (i = 0; i < THREADS; i++)
		while (!(task[i] = atomic_load(&thread_ids[i])))
			sched_yield();
	timer_begin();
	move(task, WORKERS, time(NULL) + seconds);
	atomic_store(&shared->stop, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	timer_end();
	for (i = 0; i < PROCESSES; i++)
		EXPECT(waitpid(task[THREADS + i], &status, 0) > 0 && !status,
		       "process %u: status %d", i, status);

	for (i = 0; i < WORKERS; i++) {
		sum.added += shared->tally[i].added;
		sum.signals += shared->tally[i].signals;
		sum.aborted += shared->tally[i].aborted;
		sum.shared += shared->tally[i].shared;
		sum.moves += shared->tally[i].moves;
	}
	printf("moved: %llu additions, %llu in signal handlers, %llu sequences aborted, %llu moves, %llu to the shared row\n",
	       sum.added, sum.signals, sum.aborted, sum.moves, sum.shared);
	EXPECT(obs_rows_sum(&rows, SLOT_LOOP) == sum.added, "%llu",
	       obs_rows_sum(&rows, SLOT_LOOP));
	EXPECT(obs_rows_sum(&rows, SLOT_SIGNAL) == 3 * sum.signals, "%llu",
	       obs_rows_sum(&rows, SLOT_SIGNAL));
	EXPECT(sum.signals, "no signal came");
	EXPECT(sum.aborted, "no sequence was aborted");
	EXPECT(sum.moves || rows.nr_cpus == 1, "nothing was moved");
}

/* ---- Killed -------------------------------------------------------------- */

static void victim(void)
{
	struct tally *tally = &shared->killed;

	for (;;) {
		atomic_fetch_add_explicit(&tally->started, 1, memory_order_seq_cst);
		obs_rows_add(&rows, SLOT_KILLED, 1);
		atomic_fetch_add_explicit(&tally->finished, 1, memory_order_seq_cst);
	}
}

static void killed(void)
{
	struct tally *tally = &shared->killed;
	unsigned int i, caught = 0;
	__u64 sum, before;
	pid_t pid;

	for (i = 0; i < KILLS; i++) {
		before = atomic_load(&tally->finished);
		pid = fork();
		if (!pid)
			victim();
		while (atomic_load(&tally->finished) < before + 1000 + i * 7)
			sched_yield();
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		sum = obs_rows_sum(&rows, SLOT_KILLED);
		EXPECT(sum >= tally->finished && sum <= tally->started,
		       "kill %u: %llu finished, %llu started, %llu there", i,
		       tally->finished, tally->started, sum);
		caught += tally->started != tally->finished;
		/* The next begins at rest. */
		tally->started = sum;
		tally->finished = sum;
	}
	printf("killed: %u times, %u in the middle of an addition\n", KILLS, caught);
	EXPECT(caught, "none was hit");
}

/* ---- Stepped ------------------------------------------------------------- */

#define STEPPED_ADDITIONS	20

static void stepped_child(void)
{
	unsigned int i;

	mine = &shared->stepped;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (i = 0; i < STEPPED_ADDITIONS; i++)
		add(SLOT_STEPPED, 1);
	_exit(0);
}

static void stepped(void)
{
	unsigned long steps = 0;
	pid_t pid = fork();
	int status;

	if (!pid)
		stepped_child();
	waitpid(pid, &status, 0);
	while (WIFSTOPPED(status)) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 ||
		    waitpid(pid, &status, 0) < 0)
			break;
		steps++;
	}
	printf("stepped: %lu steps, %llu sequences aborted, %llu of %u to the shared row\n",
	       steps, shared->stepped.aborted, shared->stepped.shared, STEPPED_ADDITIONS);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "status %d", status);
	EXPECT(obs_rows_sum(&rows, SLOT_STEPPED) == STEPPED_ADDITIONS, "%llu",
	       obs_rows_sum(&rows, SLOT_STEPPED));
	EXPECT(shared->stepped.aborted, "stepping aborted nothing");
	EXPECT(shared->stepped.shared, "none gave up");
}

/* ---- Shaped -------------------------------------------------------------- */

/*
 * Too short a sequence would not be restarted before its addition, which no run
 * shows for years: so look at the instruction that ends it.
 */
static void shaped(void)
{
	const struct rseq_cs *cs;
	const unsigned char *end;

	mine = &shared->stepped;
	add(SLOT_LOOP, 0);
	cs = (const void *)(uintptr_t)obs_rseq_area()->rseq_cs;
	if (!cs) {
		/* Preempted just now: the kernel has put it away. */
		shaped();
		return;
	}
	end = (const unsigned char *)(uintptr_t)(cs->start_ip + cs->post_commit_offset);
#ifdef __x86_64__
	EXPECT((end[-3] & 0xfb) == 0x48 && end[-2] == 0x01 && (end[-1] & 0xc7) == 0,
	       "%02x %02x %02x is no addq to (%%rax)", end[-3], end[-2], end[-1]);
#else
	EXPECT(*(const __u32 *)(end - 4) == 0xf900012a, "%08x is no str x10, [x9]",
	       *(const __u32 *)(end - 4));
#endif
	EXPECT(*(const __u32 *)(uintptr_t)(cs->abort_ip - 4) == (__u32)RSEQ_SIG,
	       "no signature");
	printf("shaped: %llu bytes\n", (unsigned long long)cs->post_commit_offset);
}

/* ---- Bare ---------------------------------------------------------------- */

static void *bare_thread(void *arg)
{
	struct obs_rows none = rows;

	(void)arg;
	none.nr_cpus = 0;
	EXPECT(!obs_rows_add(&none, SLOT_BARE, 1), "a CPU without a row");
	EXPECT(obs_rows_add(&rows, SLOT_BARE, 1), "a sequence");
	EXPECT(!syscall(SYS_rseq, obs_rseq_area(), 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG),
	       "unregister: %s", strerror(errno));
	EXPECT(!obs_rows_add(&rows, SLOT_BARE, 1), "no sequence");
	return NULL;
}

static void bare(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, bare_thread, NULL);
	pthread_join(thread, NULL);
	EXPECT(obs_rows_sum(&rows, SLOT_BARE) == 3, "%llu", obs_rows_sum(&rows, SLOT_BARE));
	EXPECT(rows.shared[SLOT_BARE] == 2, "%llu", rows.shared[SLOT_BARE]);
	printf("bare: done\n");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!obs_rseq_registered()) {
		printf("no restartable sequences here\n");
		return 1;
	}
	shared = memory(sizeof(*shared));
	rows_init();
	sigaction(SIGALRM, &action, NULL);
	moved(argc > 1 ? atol(argv[1]) : 5);
	killed();
	stepped();
	shaped();
	bare();
	return !!failures;
}
