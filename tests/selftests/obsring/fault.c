// SPDX-License-Identifier: MIT
/*
 * Every point at which the kernel can be made to fail within an operation fails, one
 * after the other: allocations of objects and of pages, copies from and to user space,
 * and what fail_function reaches. What is asked is done wholly, or not at all: what the
 * module has afterwards is what it had, or what it has after a success. Pages that were
 * made for nothing may stay, for the next one, and what was removed is given back some
 * time later: but the pages of a few successes are all that there ever is.
 *
 * All operations take long: they are swept if OBSRING_FAULT_DENSE=N is set, else those
 * that are brief. The first N points of an operation fail each, and about N of the others:
 * some operations make hundreds of series, by thousands of allocations that are alike.
 * OBSRING_FAULT_ONLY=WORD,... sweeps the operations that have one of the words in their
 * name. OBSRING_FAULT_VERBOSE=2 has the kernel's log say where each fault was.
 */
#include "faultop.h"
#include "modstate.h"
#include "test.h"

/**
 * struct sweep - what was met in all attempts of an operation
 * @op: the operation
 * @before: what the module had
 * @after: what it has after a success
 * @seen: what a success gave
 * @points: met without a fault
 * @failed: attempts that failed and changed nothing
 * @done: attempts that succeeded in spite of a fault
 * @lost: those whose answer did not come
 * @part: those that left what op->partly allows
 */
struct sweep {
	const struct operation *op;
	struct modstate before, after, now;
	unsigned long seen;
	unsigned int points, failed, done, lost, part;
};

static struct sweep sweep;

/* 0: the brief ones, and each point of theirs. */
static unsigned int dense_points(void)
{
	const char *text = getenv("OBSRING_FAULT_DENSE");

	return text ? (unsigned int)strtoul(text, NULL, 10) : 0;
}

/* Has @name one of the words, which commas part? */
static bool has_word(const char *name, const char *words)
{
	size_t len;

	for (; *words; words += len + (words[len] == ',')) {
		len = strcspn(words, ",");
		if (len && memmem(name, strlen(name), words, len))
			return true;
	}
	return false;
}

/* @word: of the variant. */
static bool wanted(const struct operation *op, const char *word)
{
	const char *only = getenv("OBSRING_FAULT_ONLY") ?: "";

	return (!word || strstr(op->name, word)) && (dense_points() || op->brief) &&
	       (!*only || has_word(op->name, only));
}

static bool any_wanted(const struct operation *op, const char *word)
{
	while (op->name && !wanted(op, word))
		op++;
	return op->name;
}

FIXTURE(fault)
{
	int unused;
};

/* The variant's operations; those whose names have the word, and what also fails. */
FIXTURE_VARIANT(fault)
{
	const struct operation *operations;
	const char *word;
	const char *function, *value;
};

FIXTURE_VARIANT_ADD(fault, netlink)
{
	.operations = netlink_operations,
};

FIXTURE_VARIANT_ADD(fault, device)
{
	.operations = device_operations,
};

FIXTURE_VARIANT_ADD(fault, module)
{
	.operations = module_operations,
};

FIXTURE_VARIANT_ADD(fault, worker)
{
	.operations = worker_operations,
};

/*
 * Of what the kernel lets fail_function make fail, these two are all that the module's
 * code comes to: the others are system calls, block devices and BPF. Each allocation is
 * then two points, the function's and its own.
 */
FIXTURE_VARIANT_ADD(fault, function_slab)
{
	.operations = netlink_operations,
	.word = "counter",
	.function = "should_failslab",
	.value = "0xfffffffffffffff4",	/* -ENOMEM */
};

FIXTURE_VARIANT_ADD(fault, function_page)
{
	.operations = device_operations,
	.word = "counter",
	.function = "should_fail_alloc_page",
	.value = "1",
};

FIXTURE_SETUP(fault)
{
	const char *missing = faults_missing();

	if (missing)
		SKIP_SETUP("%s", missing);
	if (!any_wanted(variant->operations, variant->word))
		SKIP_SETUP("%s", dense_points() ? "no such operation" : "takes long: make test-fault");
	ASSERT_EQ(0, module_reload("sources=none"));
	if (variant->function)
		ASSERT_EQ(0, fault_function(variant->function, variant->value));
}

/* The module stays: whoever comes next loads it anew. */
FIXTURE_TEARDOWN(fault)
{
	if (variant->function)
		EXPECT_EQ(0, fault_function(NULL, NULL));
}

/* ---- What there is ------------------------------------------------------- */

/* What the look itself maps need not be locked: that would take longer than all else. */
static int look(struct modstate *state)
{
	bool locked = faults_lock_memory(false);
	int r;

	while ((r = modstate_take(state)) == -EAGAIN)
		;
	faults_lock_memory(locked);
	return r;
}

/* A success, but for series that found no memory, which was counted. */
static bool is_part(const struct sweep *s)
{
	return modstate_same_without(&s->now, &s->after, s->op->partly);
}

/* What was removed goes a little later; to look takes long, and is not done for ever. */
#define LOOKS	200
#define settle(condition) ({						\
	unsigned int looks_ = 0;					\
	bool met_;							\
									\
	while (!(met_ = !look(&sweep.now) && (condition)) && ++looks_ < LOOKS) \
		poll(NULL, 0, 20);					\
	met_; })

static bool settles(const struct modstate *wanted)
{
	return settle(modstate_same(&sweep.now, wanted));
}

static bool is_before(void)
{
	return modstate_same(&sweep.now, &sweep.before);
}

static bool is_after(void)
{
	return modstate_same(&sweep.now, &sweep.after);
}

static bool settles_somewhere(void)
{
	return settle(is_before() || is_after() || is_part(&sweep));
}

static int undo(void)
{
	return sweep.op->undo ? sweep.op->undo(sweep.op) : 0;
}

static int begin(void)
{
	return sweep.op->begin ? sweep.op->begin(sweep.op) : 0;
}

static void end(void)
{
	if (sweep.op->end)
		sweep.op->end(sweep.op);
}

static int begin_anew(void)
{
	end();
	return module_reload("sources=none") ?: begin();
}

/* ---- Attempts ------------------------------------------------------------ */

/* A success, with all faults off: what it meets, and what it leaves. */
static bool learn(const struct operation *op)
{
	struct attempt attempt = { .nth = FAULT_NONE };
	int r;

	memset(&sweep, 0, sizeof(sweep));
	sweep.op = op;
	r = begin();
	if (!r)
		r = look(&sweep.before);
	if (!r)
		r = op->run(op, &attempt);
	if (!r)
		r = look(&sweep.after);
	sweep.seen = attempt.seen;
	sweep.points = attempt.fault.points;
	if (r)
		printf("# %s: %s without a fault\n", op->name, strerror(-r));
	return !r && !undo() && settles(&sweep.before);
}

/* Room for what fails, and for two that were removed. */
static bool takes_too_much(void)
{
	uint64_t page = (uint64_t)getpagesize();
	uint64_t values = page * (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
	uint64_t one = sweep.after.room_bytes - sweep.before.room_bytes;

	if (sweep.after.room_bytes < sweep.before.room_bytes || one < values + page)
		one = values + page;
	return sweep.now.room_bytes > sweep.before.room_bytes + 3 * one;
}

/* @refused: what the module had refused before. */
static const char *verdict(int r, const struct attempt *attempt, uint64_t refused)
{
	if (!settles_somewhere())
		return "neither what was before nor what is after";
	if (r < 0 && !is_before())
		return "failed, and changed something";
	if (r == 0 && is_before() && !is_after())
		return "succeeded, and did nothing";
	if (is_part(&sweep) && sweep.now.refused == refused)
		return "did a part, and counted no refusal";
	if (r == 0 && attempt->seen != sweep.seen)
		return "succeeded, and gave something else";
	if (r > 0 && !attempt->fault.hit)
		return "no answer, without a fault";
	if (r && !attempt->fault.hit)
		return "failed without a fault";
	if (takes_too_much())
		return "memory that nobody uses grows";
	return NULL;
}

static void count(int r, const struct attempt *attempt)
{
	if (!attempt->fault.hit)
		return;
	if (r < 0)
		sweep.failed++;
	else if (r > 0)
		sweep.lost++;
	else if (is_part(&sweep))
		sweep.part++;
	else
		sweep.done++;
}

/* How it differs from what it should be: what was before, or what is after, the nearer. */
static void print_nearest(void)
{
	bool nearer = modstate_changes(&sweep.before, &sweep.now) <
		      modstate_changes(&sweep.after, &sweep.now);

	printf("# it differs from what %s:\n", nearer ? "was before" : "is after");
	modstate_print_changes(nearer ? &sweep.before : &sweep.after, &sweep.now);
}

/* One more fault: false if it was the last, or a verdict. */
static bool attempt_at(unsigned int nth, const char **ret_wrong)
{
	struct attempt attempt = { .nth = nth };
	uint64_t refused = sweep.now.refused;
	int r;

	if (sweep.op->anew && begin_anew()) {
		*ret_wrong = "can't begin anew";
		return false;
	}
	r = sweep.op->run(sweep.op, &attempt);
	*ret_wrong = verdict(r, &attempt, refused);
	if (*ret_wrong) {
		printf("# %s, point %u: %s (%s)\n", sweep.op->name, nth, *ret_wrong,
		       r < 0 ? strerror(-r) : r ? "answer lost" : "success");
		print_nearest();
		return false;
	}
	count(r, &attempt);
	if (!is_before() || (sweep.op->undo && r == 0)) {
		if (undo() || !settles(&sweep.before)) {
			*ret_wrong = "can't be undone";
			modstate_print_changes(&sweep.before, &sweep.now);
			return false;
		}
	}
	return attempt.fault.hit;
}

static bool sweep_over(const struct operation *op)
{
	unsigned int nth = 1, attempts = 0, dense = dense_points() ?: FAULT_NONE;
	time_t begun = await_begin();
	const char *wrong = NULL;

	if (!learn(op)) {
		printf("# %s: is not as it should be without faults\n", op->name);
		modstate_print_changes(&sweep.before, &sweep.now);
		return false;
	}
	while (attempts++, attempt_at(nth, &wrong))
		nth += nth < dense ? 1 : 1 + sweep.points / (dense + 1);
	end();
	if (wrong)
		module_reload("sources=none");
	printf("# %s: %u points; %u attempts: %u failed, %u went on, %u in part, %u answers lost; %lld s\n",
	       op->name, sweep.points, attempts, sweep.failed, sweep.done, sweep.part,
	       sweep.lost, (long long)(await_begin() - begun));
	fflush(stdout);
	return !wrong && sweep.points;
}

TEST_F_TIMEOUT(fault, wholly_or_not_at_all, 14400)
{
	const struct operation *op;

	for (op = variant->operations; op->name; op++)
		if (wanted(op, variant->word))
			EXPECT_TRUE(sweep_over(op));
}

TEST_HARNESS_MAIN
