// SPDX-License-Identifier: MIT
/* Changes of sampling rules that wait: they come in their order, or are cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/sample_queue.h>

#include "random64.h"

static struct obs_sample_command *command(__u64 time)
{
	struct obs_sample_command *cmd = calloc(1, sizeof(*cmd));

	assert_non_null(cmd);
	cmd->time = time;
	return cmd;
}

static __u64 push(struct obs_sample_queue *q, struct obs_sample_command *cmd)
{
	__u64 number = 0;

	assert_true(obs_sample_queue_push(q, cmd, &number));
	return number;
}

/* The next one is that, of that fate. */
static void expect(struct obs_sample_queue *q, __u64 now, struct obs_sample_command *wanted,
		   enum obs_sample_fate fate)
{
	struct obs_sample_command *cmd = obs_sample_queue_next(q, now);

	assert_ptr_equal(cmd, wanted);
	assert_int_equal(cmd->fate, fate);
	free(cmd);
}

static void test_queue_order(void **state)
{
	struct obs_sample_queue q = { 0 };
	struct obs_sample_command *a = command(30), *b = command(10), *c = command(30),
				  *d = command(20);
	__u64 when = 0;

	(void)state;
	assert_null(obs_sample_queue_next(&q, ~0ULL));
	assert_int_equal(push(&q, a), 1);
	assert_int_equal(push(&q, b), 2);
	push(&q, c);
	assert_null(obs_sample_queue_next(&q, 9));
	assert_true(obs_sample_queue_when(&q, &when) && when == 10);
	push(&q, d);
	expect(&q, 20, b, OBS_SAMPLE_DUE);
	expect(&q, 20, d, OBS_SAMPLE_DUE);
	assert_null(obs_sample_queue_next(&q, 29));
	expect(&q, 30, a, OBS_SAMPLE_DUE);
	/* Late: due at once. */
	b = command(5);
	push(&q, b);
	expect(&q, 30, b, OBS_SAMPLE_DUE);
	expect(&q, 30, c, OBS_SAMPLE_DUE);
	assert_null(obs_sample_queue_next(&q, ~0ULL));
	assert_false(obs_sample_queue_when(&q, &when));
}

static void test_queue_cancel(void **state)
{
	struct obs_sample_queue q = { 0 };
	struct obs_sample_command *a = command(10), *b = command(20), *cancel = command(0),
				  *again = command(0), *instead = command(15), *late = command(5);

	(void)state;
	cancel->cancels = push(&q, a);
	cancel->only_cancels = true;
	instead->cancels = push(&q, b);
	push(&q, cancel);
	push(&q, instead);
	again->cancels = cancel->cancels;
	again->only_cancels = true;
	push(&q, again);
	/* In the place of one that is gone: that never applies. */
	late->cancels = cancel->cancels;
	push(&q, late);
	assert_null(q.pending);
	/* All are due, and yet. */
	assert_ptr_equal(obs_sample_queue_next(&q, 100), a);
	assert_int_equal(a->fate, OBS_SAMPLE_CANCELLED);
	assert_true(cancel->found && instead->found && !again->found && !late->found);
	expect(&q, 100, cancel, OBS_SAMPLE_DONE);
	expect(&q, 100, b, OBS_SAMPLE_CANCELLED);
	expect(&q, 100, again, OBS_SAMPLE_DONE);
	expect(&q, 100, late, OBS_SAMPLE_DONE);
	expect(&q, 100, instead, OBS_SAMPLE_DUE);
	assert_null(obs_sample_queue_next(&q, 100));
	free(a);
}

static void test_queue_full(void **state)
{
	struct obs_sample_queue q = { 0 };
	struct obs_sample_command *cmd;
	unsigned int i;
	__u64 number = 0, before;

	(void)state;
	for (i = 0; i < OBS_SAMPLE_QUEUE_MAX; i++)
		push(&q, command(i));
	before = q.tickets;
	cmd = command(5);
	assert_false(obs_sample_queue_push(&q, cmd, &number));
	assert_int_equal(number, 0);
	assert_true(q.tickets == before);
	/* Room can be made. */
	cmd->cancels = 500;
	cmd->only_cancels = true;
	push(&q, cmd);
	for (i = 1; i < OBS_SAMPLE_QUEUE_CANCELS; i++) {
		cmd = command(0);
		cmd->only_cancels = true;
		push(&q, cmd);
	}
	cmd = command(0);
	cmd->only_cancels = true;
	assert_false(obs_sample_queue_push(&q, cmd, &number));
	free(cmd);
	for (i = 0; (cmd = obs_sample_queue_next(&q, ~0ULL)); i++)
		free(cmd);
	assert_int_equal(i, OBS_SAMPLE_QUEUE_MAX + OBS_SAMPLE_QUEUE_CANCELS);
	assert_true((q.tickets & 0xffff) == 0);
	free(obs_sample_queue_next(&q, push(&q, command(0))));
}

/* Any commands in any order, against the rule itself. */
static void test_queue_any(void **state)
{
	enum { NR_COMMANDS = 60 };
	unsigned int round, i, cancelled = 0;

	(void)state;
	for (round = 0; round < 3000; round++) {
		struct obs_sample_queue q = { 0 };
		struct obs_sample_command *cmd;
		__u64 now = 0, last_time = 0, last_arrival = 0;
		bool taken_in = false;

		for (i = 0; i < NR_COMMANDS; now += random64() % 3) {
			unsigned int burst = random64() % 8;

			for (; burst && i < NR_COMMANDS; burst--, i++) {
				cmd = command(now + random64() % 40);
				if (i && random64() % 4 == 0) {
					cmd->cancels = 1 + random64() % i;
					cmd->only_cancels = random64() % 2;
				}
				assert_int_equal(push(&q, cmd), i + 1);
				taken_in = true;
			}
			while ((cmd = obs_sample_queue_next(&q, now))) {
				/* What came in begins the order anew. */
				if (taken_in)
					last_time = 0;
				taken_in = false;
				cancelled += cmd->fate == OBS_SAMPLE_CANCELLED;
				if (cmd->fate == OBS_SAMPLE_DUE) {
					assert_true(!cmd->cancels || cmd->found);
					assert_true(cmd->time <= now);
					assert_true(cmd->time > last_time ||
						    (cmd->time == last_time &&
						     cmd->arrival > last_arrival) ||
						    !last_time);
					last_time = cmd->time;
					last_arrival = cmd->arrival;
				}
				free(cmd);
			}
		}
		while ((cmd = obs_sample_queue_next(&q, ~0ULL)))
			free(cmd);
		assert_true((q.tickets & 0xffff) == 0);
		assert_int_equal(q.arrivals, NR_COMMANDS);
	}
	assert_true(cancelled > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_order),
		cmocka_unit_test(test_queue_cancel),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_queue_any),
	};

	return cmocka_run_group_tests_name("sample queue", tests, NULL, NULL);
}
