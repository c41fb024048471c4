// SPDX-License-Identifier: MIT
/*
 * A thread's trace context: what is read is what one set wrote, or nothing,
 * wherever the reader comes between two accesses of a writer, a writer between two
 * of a reader, or a signal handler into a set.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/platform.h>

static void step(void);

/* Each access of the header's is a place where something may happen. */
#undef obs_read_once
#undef obs_write_once
#undef obs_store_release
#define obs_read_once(p) (step(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define obs_write_once(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define obs_store_release(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define obs_user_load load_step

static bool load_step(__u64 *v, const __u64 *p)
{
	step();
	*v = __atomic_load_n(p, __ATOMIC_RELAXED);
	return true;
}

#include <obsring/context.h>

#define STEPS_MAX 64	/* more than any function of the header has */

static struct obsring_context context;

static struct {
	unsigned int left;		/* accesses until it is called; 0: never */
	void (*call)(void);
} hook;

static void step(void)
{
	if (hook.left && !--hook.left)
		hook.call();
}

/* A context that tells by each of its bytes which one it is. */
static struct obs_context value(unsigned int k)
{
	struct obs_context c = { .rv = k, .has_rv = true };

	memset(c.trace.trace_id, (int)k, sizeof(c.trace.trace_id));
	memset(c.trace.span_id, (int)k, sizeof(c.trace.span_id));
	c.trace.flags = (__u8)k;
	return c;
}

static void set(unsigned int k)
{
	struct obs_context c = value(k);

	obs_context_set(&context, &c);
}

/* Which one is there; 0: none. Fails if it is a mix. */
static unsigned int get(void)
{
	struct obs_context c, whole;

	if (!obs_context_read(&context, &c))
		return 0;
	whole = value(c.trace.flags);
	assert_memory_equal(&c, &whole, sizeof(c));
	return c.trace.flags;
}

static int setup(void **state)
{
	(void)state;
	hook.left = 0;
	obs_context_init(&context);
	return 0;
}

static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(64, sizeof(struct obsring_context));
	assert_int_equal(16, offsetof(struct obsring_context, trace_id));
	assert_int_equal(32, offsetof(struct obsring_context, span_id));
	assert_int_equal(OBS_CONTEXT_WORDS * 8, offsetof(struct obsring_context, reserved1));
}

static void test_set_and_clear(void **state)
{
	(void)state;
	assert_int_equal(0, get());
	set(1);
	assert_int_equal(1, get());
	set(2);
	assert_int_equal(2, get());
	assert_true(obs_context_clear(&context));
	assert_int_equal(0, get());
	/* The sequence runs free. */
	context.sequence = ~1ULL;
	set(3);
	assert_int_equal(3, get());
	assert_int_equal(0, context.sequence);
}

static void test_what_is_none(void **state)
{
	struct obs_context c;

	(void)state;
	c = value(1);
	memset(c.trace.trace_id, 0, sizeof(c.trace.trace_id));
	obs_context_set(&context, &c);
	assert_int_equal(0, get());
	c = value(1);
	memset(c.trace.span_id, 0, sizeof(c.trace.span_id));
	obs_context_set(&context, &c);
	assert_int_equal(0, get());
	set(1);
	context.sequence++;
	assert_int_equal(0, get());
	context.sequence++;
	assert_int_equal(1, get());
	assert_false(obs_context_read(NULL, &c));
}

/* One byte that is not 0 makes an id. */
static void test_sparse_ids(void **state)
{
	struct obs_context c, got;
	unsigned int i;

	(void)state;
	for (i = 0; i < 16; i++) {
		memset(&c, 0, sizeof(c));
		c.trace.trace_id[i] = 1;
		c.trace.span_id[i / 2] = 1;
		obs_context_set(&context, &c);
		assert_true(obs_context_read(&context, &got));
		assert_memory_equal(&c, &got, sizeof(c));
	}
}

static void test_randomness(void **state)
{
	struct obs_context c = value(1), got;

	(void)state;
	c.rv = OBS_CONTEXT_RV_MASK;
	obs_context_set(&context, &c);
	assert_true(obs_context_read(&context, &got));
	assert_true(got.has_rv);
	assert_int_equal(OBS_CONTEXT_RV_MASK, got.rv);
	/* More than 56 bits and unknown flags: ignored. */
	context.rv = ~0ULL;
	context.flags = ~0U;
	assert_true(obs_context_read(&context, &got));
	assert_int_equal(OBS_CONTEXT_RV_MASK, got.rv);
	context.flags = ~OBSRING_CONTEXT_RV;
	assert_true(obs_context_read(&context, &got));
	assert_false(got.has_rv);
	assert_int_equal(0, got.rv);
}

static unsigned int seen[3];

static void look(void)
{
	seen[get()]++;
}

/* The reader between any two accesses of a set: all of it or nothing. */
static void test_read_within_set(void **state)
{
	unsigned int after;

	(void)state;
	memset(seen, 0, sizeof(seen));
	set(1);
	hook.call = look;
	for (after = 1; after < STEPS_MAX; after++) {
		set(1);
		hook.left = after;
		set(2);
		if (hook.left)
			break;
		assert_int_equal(2, get());
	}
	hook.left = 0;
	assert_true(after < STEPS_MAX);
	/* Before the first store, and within. */
	assert_int_equal(2, seen[1]);
	assert_int_equal(OBS_CONTEXT_WORDS, seen[0]);
	assert_int_equal(0, seen[2]);
}

static void set_other(void)
{
	set(2);
}

/* A set between any two accesses of a reader: what was, what is, or nothing. */
static void test_set_within_read(void **state)
{
	unsigned int after, got[3] = { 0 };

	(void)state;
	hook.call = set_other;
	for (after = 1; after < STEPS_MAX; after++) {
		set(1);
		hook.left = after;
		got[get()]++;
		if (hook.left)
			break;
	}
	hook.left = 0;
	assert_true(after < STEPS_MAX);
	assert_int_equal(1, got[2]);
	assert_int_equal(1, got[1]);
	assert_int_equal(OBS_CONTEXT_WORDS, got[0]);
}

static unsigned int refused;

static void set_in_handler(void)
{
	struct obs_context c = value(1);

	if (!obs_context_set(&context, &c))
		refused++;
	look();
}

/* A handler that sets, within a set: in the end it is the set that was cut. */
static void test_set_within_set(void **state)
{
	unsigned int after;

	(void)state;
	refused = 0;
	memset(seen, 0, sizeof(seen));
	hook.call = set_in_handler;
	for (after = 1; after < STEPS_MAX; after++) {
		obs_context_clear(&context);
		hook.left = after;
		set(2);
		if (hook.left)
			break;
		assert_int_equal(2, get());
	}
	hook.left = 0;
	assert_true(after < STEPS_MAX);
	assert_int_equal(OBS_CONTEXT_WORDS, refused);
	assert_int_equal(OBS_CONTEXT_WORDS, seen[0]);
	assert_int_equal(0, seen[2]);
}

#define READS 200000

static void *set_for_ever(void *stop)
{
	unsigned int k = 0;

	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
		set(1 + k++ % 255);
	return NULL;
}

/* Another thread that sets by the protocol: whole ones, and none meanwhile. */
static void test_two_threads(void **state)
{
	unsigned int i, whole = 0, none = 0;
	bool stop = false;
	pthread_t thread;

	(void)state;
	assert_int_equal(0, pthread_create(&thread, NULL, set_for_ever, &stop));
	for (i = 0; i < READS || !whole || !none; i++) {
		if (get())
			whole++;
		else
			none++;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	print_message("# %u whole, %u met a set\n", whole, none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_layout, setup),
		cmocka_unit_test_setup(test_set_and_clear, setup),
		cmocka_unit_test_setup(test_what_is_none, setup),
		cmocka_unit_test_setup(test_sparse_ids, setup),
		cmocka_unit_test_setup(test_randomness, setup),
		cmocka_unit_test_setup(test_read_within_set, setup),
		cmocka_unit_test_setup(test_set_within_read, setup),
		cmocka_unit_test_setup(test_set_within_set, setup),
		cmocka_unit_test_setup(test_two_threads, setup),
	};

	return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
