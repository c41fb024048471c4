// SPDX-License-Identifier: MIT
/*
 * The leak watch on machines that are made up: what leaks has one alarm, where it is,
 * and what is busy, warms up, fills and empties or comes and goes has none.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "obsringd/leak.h"

#define SAMPLE_NS	100000000ULL
#define SAMPLES		20	/* of a mark */
#define WINDOW_NS	(LEAK_MARKS * SAMPLES * SAMPLE_NS)
#define CONFIRM		16	/* marks */
#define MIB		(1ULL << 20)

struct seen {
	unsigned int alarms, suspects, clears, ends[3];
	uint32_t pid;
	const char *name;
};

/* A machine: what its processes hold at sample @t, and what it holds beside them. */
struct world {
	struct leak leak;
	struct seen seen;
	uint64_t t;
	void (*step)(struct world *world);
	struct obsring_process process[8];	/* pid 0: there is none */
	uint64_t other[LEAK_RESOURCE_NR];
	bool hidden;		/* nobody tells of processes */
	double wander;
};

static void suspect(void *context, struct leak_subject *subject, enum leak_resource resource)
{
	struct world *world = context;

	assert_int_equal(subject->series[resource].state, LEAK_SUSPECT);
	world->seen.suspects++;
}

static void alarm_seen(void *context, struct leak_subject *subject,
		       enum leak_resource resource)
{
	struct world *world = context;

	assert_true(subject->series[resource].trend.slope > 0);
	world->seen.alarms++;
	world->seen.pid = subject->pid;
	world->seen.name = leak_resource_name(subject, resource);
}

static void clear(void *context, struct leak_subject *subject, enum leak_resource resource,
		  bool alarmed, enum leak_end end)
{
	struct world *world = context;

	assert_int_equal(subject->series[resource].state, LEAK_QUIET);
	if (!alarmed)
		return;
	world->seen.clears++;
	world->seen.ends[end]++;
}

static void begin(struct world *world, void (*step)(struct world *world))
{
	const struct leak_calls calls = {
		.context = world, .suspect = suspect, .alarm = alarm_seen, .clear = clear,
	};
	unsigned int i;

	*world = (struct world){ .step = step };
	for (i = 0; i < 3; i++)
		world->process[i] = (struct obsring_process){
			.pid = 10 * (i + 1), .threads = 4, .files = 20,
			.memory_bytes = 50 * MIB, .comm = "some",
		};
	world->other[LEAK_TASKS] = 200;
	world->other[LEAK_FILES] = 1000;
	world->other[LEAK_MEMORY] = 500 * MIB;
	world->other[LEAK_SLAB] = 100 * MIB;
	assert_int_equal(leak_init(&world->leak, WINDOW_NS, CONFIRM * SAMPLES * SAMPLE_NS,
				   &calls), 0);
	assert_int_equal(world->leak.confirm, CONFIRM);
}

static void sample(struct world *world)
{
	uint64_t value[LEAK_RESOURCE_NR];
	const struct obsring_process *process;
	unsigned int i;

	world->step(world);
	memcpy(value, world->other, sizeof(value));
	for (i = 0; i < 8; i++) {
		process = &world->process[i];
		if (!process->pid)
			continue;
		value[LEAK_TASKS] += process->threads;
		value[LEAK_FILES] += process->files;
		value[LEAK_MEMORY] += process->memory_bytes;
	}
	leak_machine(&world->leak, value);
	for (i = 0; i < 8 && !world->hidden; i++)
		if (world->process[i].pid)
			leak_process(&world->leak, &world->process[i]);
	world->t++;
	leak_sampled(&world->leak, world->t * SAMPLE_NS, !world->hidden);
}

static void run(struct world *world, unsigned int marks)
{
	unsigned int i;

	for (i = 0; i < marks * SAMPLES; i++)
		sample(world);
}

static void end(struct world *world)
{
	leak_exit(&world->leak);
}

static uint64_t noise(uint64_t below)
{
	return (uint64_t)random() % below;
}

/* ---- What leaks ---------------------------------------------------------- */

/* All its memory goes up and down besides. */
static void step_memory(struct world *world)
{
	world->process[1].memory_bytes = 50 * MIB + world->t * MIB / 20 + noise(8 * MIB);
}

/* A thread each second, which takes memory and slab, and files sometimes. */
static void step_threads(struct world *world)
{
	uint64_t nr = world->t / 10;

	world->process[1].threads = 4 + nr;
	world->process[1].memory_bytes = 50 * MIB + nr * 200000;
	world->process[1].files = 20 + nr;
	world->other[LEAK_SLAB] = 100 * MIB + nr * 100000;
}

static void step_files(struct world *world)
{
	world->process[1].files = 20 + world->t / 3 + noise(30);
	world->process[1].memory_bytes = 50 * MIB + world->t * 30000;
	world->other[LEAK_SLAB] = 100 * MIB + world->t * 10000;
}

/* Children that stay, of a parent that is not one of them. */
static void step_children(struct world *world)
{
	world->other[LEAK_TASKS] = 200 + world->t / 10;
	world->other[LEAK_MEMORY] = 500 * MIB + world->t * MIB / 10;
	world->other[LEAK_SLAB] = 100 * MIB + world->t * 20000;
}

static void step_slab(struct world *world)
{
	world->other[LEAK_SLAB] = 100 * MIB + world->t * 30000 + noise(MIB);
}

static const struct {
	const char *what;
	void (*step)(struct world *world);
	uint32_t pid;
	const char *name;
} leaks[] = {
	{ "memory", step_memory, 20, "rss" },
	{ "threads with memory, files and slab", step_threads, 20, "threads" },
	{ "files with memory and slab", step_files, 20, "open_files" },
	{ "children with memory and slab", step_children, 0, "tasks" },
	{ "slab", step_slab, 0, "slab" },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void test_leaks(void **state)
{
	struct world world;
	size_t i;

	(void)state;
	for (i = 0; i < NR(leaks); i++) {
		begin(&world, leaks[i].step);
		run(&world, LEAK_MARKS + CONFIRM - 1);
		if (world.seen.alarms)
			fail_msg("%s: an alarm before it is confirmed", leaks[i].what);
		run(&world, 4 * LEAK_MARKS);
		if (world.seen.alarms != 1 || world.seen.pid != leaks[i].pid ||
		    strcmp(world.seen.name, leaks[i].name))
			fail_msg("%s: %u alarms, the last of %u for %s", leaks[i].what,
				 world.seen.alarms, world.seen.pid,
				 world.seen.name ? world.seen.name : "nothing");
		assert_int_equal(world.seen.clears, 0);
		end(&world);
	}
}

/* Nobody tells of processes: the machine's own figures have the alarm. */
static void test_hidden(void **state)
{
	struct world world;

	(void)state;
	begin(&world, step_threads);
	world.hidden = true;
	run(&world, 6 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, 1);
	assert_string_equal(world.seen.name, "tasks");
	end(&world);
}

/* Two at once, beside each other. */
static void step_two(struct world *world)
{
	step_memory(world);
	world->process[2].threads = 4 + world->t / 10;
	world->process[2].memory_bytes = 50 * MIB + world->t * 10000;
	world->other[LEAK_SLAB] = 100 * MIB + world->t * 10000;
}

static void test_two(void **state)
{
	struct world world;

	(void)state;
	begin(&world, step_two);
	run(&world, 6 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, 2);
	end(&world);
}

/* A leaker that starts when the machine's own window is long full. */
static void step_late(struct world *world)
{
	uint64_t begun = 2 * LEAK_MARKS * SAMPLES;

	if (world->t < begun)
		return;
	world->process[3] = (struct obsring_process){
		.pid = 77, .start_ns = begun * SAMPLE_NS, .threads = 1, .files = 5,
		.memory_bytes = (world->t - begun) * MIB / 4, .comm = "late",
	};
}

static void test_late(void **state)
{
	struct world world;

	(void)state;
	begin(&world, step_late);
	run(&world, 8 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, 1);
	assert_int_equal(world.seen.pid, 77);
	/* Gone: cleared, and its number may be another's. */
	world.process[3].pid = 0;
	world.step = step_memory;
	sample(&world);
	assert_int_equal(world.seen.clears, 1);
	assert_int_equal(world.seen.ends[LEAK_ENDED], 1);
	end(&world);
}

/* It stops, and later gives all back. */
static void step_stopping(struct world *world)
{
	uint64_t until = 3 * LEAK_MARKS * SAMPLES;
	uint64_t nr = world->t < until ? world->t : until;

	world->process[1].memory_bytes = 50 * MIB + nr * MIB / 10;
}

static void step_releasing(struct world *world)
{
	uint64_t until = 3 * LEAK_MARKS * SAMPLES;

	world->process[1].memory_bytes = 50 * MIB + (world->t < until) * world->t * MIB / 10;
}

static void test_ends(void **state)
{
	struct world world;

	(void)state;
	begin(&world, step_stopping);
	run(&world, 6 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, 1);
	assert_int_equal(world.seen.ends[LEAK_STOPPED], 1);
	end(&world);
	begin(&world, step_releasing);
	run(&world, 6 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, 1);
	assert_int_equal(world.seen.ends[LEAK_RELEASED], 1);
	end(&world);
}

/* ---- What does not ------------------------------------------------------- */

static void step_level(struct world *world)
{
	(void)world;
}

/* Threads, files and memory up and down, as work comes in. */
static void step_busy(struct world *world)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		world->process[i].threads = 4 + noise(60);
		world->process[i].files = 20 + noise(500);
		world->process[i].memory_bytes = 50 * MIB + noise(200 * MIB);
	}
	world->other[LEAK_SLAB] = 100 * MIB + noise(50 * MIB);
}

/* Load that wanders, slowly, and comes back to its mean. */
static void step_wandering(struct world *world)
{
	world->wander += ((double)noise(2001) - 1000) / 1000 - world->wander / 100;
	world->process[1].memory_bytes = 200 * MIB + (int64_t)(world->wander * 4 * MIB);
	world->process[1].threads = 100 + (int)world->wander;
}

/* Fast at first, slower and slower then: caches that fill. */
static void warm(struct world *world, double windows)
{
	double age = (double)world->t / (LEAK_MARKS * SAMPLES);

	world->process[1].memory_bytes = 50 * MIB + 500 * MIB * (1 - exp(-age / windows));
	world->process[1].files = 20 + 500 * (1 - exp(-age / windows));
}

static void step_warming(struct world *world)
{
	warm(world, .3);
}

static void step_warming_slowly(struct world *world)
{
	warm(world, .5);
}

static void sawtooth(struct world *world, uint64_t period)
{
	world->process[1].memory_bytes = 50 * MIB + world->t % period * MIB;
	world->process[1].files = 20 + world->t % period;
}

static void step_teeth_short(struct world *world)
{
	sawtooth(world, SAMPLES - 1);
}

static void step_teeth(struct world *world)
{
	sawtooth(world, 6 * SAMPLES + 7);
}

static void step_teeth_long(struct world *world)
{
	sawtooth(world, LEAK_MARKS * SAMPLES);
}

/* A step up, once: another level is no leak. */
static void step_step(struct world *world)
{
	if (world->t > 2 * LEAK_MARKS * SAMPLES)
		world->process[1].memory_bytes = 400 * MIB;
}

/* Processes that come and go, each growing as long as it lives. */
static void step_short_lived(struct world *world)
{
	uint64_t life = LEAK_MARKS * SAMPLES / 2, nr = world->t / life;

	world->process[3] = (struct obsring_process){
		.pid = 1000 + nr, .start_ns = nr * life * SAMPLE_NS, .threads = 1, .files = 5,
		.memory_bytes = world->t % life * MIB, .comm = "job",
	};
}

static const struct {
	const char *what;
	void (*step)(struct world *world);
} healthy[] = {
	{ "level", step_level },
	{ "busy", step_busy },
	{ "wandering", step_wandering },
	{ "warming", step_warming },
	{ "warming slowly", step_warming_slowly },
	{ "short teeth", step_teeth_short },
	{ "teeth", step_teeth },
	{ "long teeth", step_teeth_long },
	{ "a step", step_step },
	{ "short-lived", step_short_lived },
};

static void test_healthy(void **state)
{
	struct world world;
	unsigned int seed;
	size_t i;

	(void)state;
	for (i = 0; i < NR(healthy); i++) {
		for (seed = 0; seed < 10; seed++) {
			srandom(seed);
			begin(&world, healthy[i].step);
			run(&world, 20 * LEAK_MARKS);
			if (world.seen.alarms)
				fail_msg("%s, %u: %u alarms, the last of %u for %s",
					 healthy[i].what, seed, world.seen.alarms,
					 world.seen.pid, world.seen.name);
			end(&world);
		}
	}
}

/* Longer than window and confirmation: told once or twice, then waited for. */
static void step_teeth_too_long(struct world *world)
{
	sawtooth(world, 3 * LEAK_MARKS * SAMPLES);
}

static void test_patience(void **state)
{
	struct world world;
	unsigned int before;

	(void)state;
	begin(&world, step_teeth_too_long);
	run(&world, 30 * LEAK_MARKS);
	assert_true(world.seen.alarms >= 1);
	before = world.seen.alarms;
	run(&world, 60 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, before);
	assert_int_equal(world.seen.ends[LEAK_RELEASED], before);
	end(&world);
}

/* ---- Bookkeeping --------------------------------------------------------- */

static void fill(struct world *world, uint32_t first, unsigned int nr)
{
	struct obsring_process process = { .threads = 1, .comm = "many" };
	const uint64_t value[LEAK_RESOURCE_NR] = { 0 };
	unsigned int i;

	leak_machine(&world->leak, value);
	for (i = 0; i < nr; i++) {
		process.pid = first + i;
		leak_process(&world->leak, &process);
	}
	leak_sampled(&world->leak, ++world->t * SAMPLE_NS, true);
}

static void test_many(void **state)
{
	struct world world;

	(void)state;
	begin(&world, step_level);
	fill(&world, 1, LEAK_PROCESSES_MAX + 10);
	assert_int_equal(world.leak.nr_processes, LEAK_PROCESSES_MAX);
	assert_int_equal(world.leak.untracked, 10);
	fill(&world, 1, LEAK_PROCESSES_MAX + 10);
	assert_int_equal(world.leak.untracked, 10);
	/* The others are gone: there is room. */
	fill(&world, LEAK_PROCESSES_MAX, 20);
	assert_int_equal(world.leak.nr_processes, 20);
	assert_int_equal(world.leak.untracked, 0);
	fill(&world, 5, 0);
	assert_int_equal(world.leak.nr_processes, 0);
	end(&world);
}

/* The source is switched off, and on again. */
static void test_goes_and_comes(void **state)
{
	struct world world;

	(void)state;
	begin(&world, step_memory);
	run(&world, 3 * LEAK_MARKS);
	assert_int_equal(world.seen.alarms, 1);
	world.hidden = true;
	sample(&world);
	assert_int_equal(world.seen.ends[LEAK_ENDED], 1);
	assert_int_equal(world.leak.nr_processes, 0);
	world.hidden = false;
	run(&world, 4 * LEAK_MARKS);
	assert_int_equal(world.seen.pid, 20);
	assert_string_equal(world.seen.name, "rss");
	assert_int_equal(world.seen.alarms, 2);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaks),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_goes_and_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
