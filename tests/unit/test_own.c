// SPDX-License-Identifier: MIT
/*
 * What a thread is told to work for, as it knows itself: with a module that may be told
 * of it, or none. Each thread and each child of fork() begins without.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <libobsring/context.h>
#include <obsring.h>

/* Ids of this byte; 0: none. */
static int own(void)
{
	struct obs_context context;

	if (!obs_context_own(&context))
		return 0;
	return context.trace.trace_id[0] == context.trace.span_id[7] ?
	       context.trace.trace_id[0] : -1;
}

static void set(int k)
{
	struct obs_trace_context context = { .flags = 1, .has_rv = true, .rv = 77 };

	memset(context.trace_id, k, sizeof(context.trace_id));
	memset(context.span_id, k, sizeof(context.span_id));
	obs_trace_set(&context);
}

static void set_and_clear(void **state)
{
	struct obs_context context;
	uint8_t id[16];

	(void)state;
	obs_trace_clear();
	assert_int_equal(0, own());
	set(1);
	assert_int_equal(1, own());
	assert_true(obs_context_own(&context));
	assert_int_equal(1, context.trace.flags);
	assert_true(context.has_rv && context.rv == 77);
	memset(id, 2, sizeof(id));
	obs_trace_set_ids(id, id, 0);
	assert_int_equal(2, own());
	assert_true(obs_context_own(&context) && !context.has_rv);
	obs_trace_set_traceparent("00-03030303030303030303030303030303-0303030303030303-01");
	assert_int_equal(3, own());
	obs_trace_set_traceparent("00-03");
	assert_int_equal(3, own());
	obs_trace_clear();
	assert_int_equal(0, own());
	/* No id: no context. */
	set(0);
	assert_int_equal(0, own());
}

static void *other(void *unused)
{
	intptr_t before = own();

	(void)unused;
	set(5);
	return (void *)(before ? (intptr_t)-1 : (intptr_t)own());
}

static void of_the_thread(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	set(4);
	assert_int_equal(0, pthread_create(&thread, NULL, other, NULL));
	pthread_join(thread, &result);
	assert_int_equal(5, (intptr_t)result);
	assert_int_equal(4, own());
}

static void not_of_children(void **state)
{
	int status;

	(void)state;
	set(6);
	if (!fork()) {
		int before = own();

		set(7);
		_exit(before ? 99 : own());
	}
	assert_true(wait(&status) > 0);
	assert_int_equal(7, WEXITSTATUS(status));
	assert_int_equal(6, own());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_clear),
		cmocka_unit_test(of_the_thread),
		cmocka_unit_test(not_of_children),
	};

	return cmocka_run_group_tests_name("own", tests, NULL, NULL);
}
