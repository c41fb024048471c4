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
 * that are brief. The first N points of an operation fail each; of the others one at each
 * place, which is where in the kernel's code it is and by which calls it came there: some
 * operations make hundreds of series, by thousands of allocations that are alike. With
 * fail_function it is about N of the others.
 * OBSRING_FAULT_ONLY=WORD,... sweeps the operations that have one of the words in their
 * name; OBSRING_FAULT_PART=K/N the K-th of each table and each N-th after it.
 * OBSRING_FAULT_LEAKS=1 asks kmemleak after each operation: which one leaks.
 * OBSRING_FAULT_VERBOSE=2 has the kernel's log say where each fault was.
 */
#include "faultop.h"
#include "faultplace.h"
#include "file.h"
#include "modstate.h"
#include "test.h"

#define LEAKS	"/sys/kernel/debug/kmemleak"

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
 * @places: of the points beyond the first ones
 */
struct sweep {
	const struct operation *op;
	struct modstate before, after, now;
	unsigned long seen;
	unsigned int points, failed, done, lost, part;
	struct places places;
};

static struct sweep sweep;

/* fail_function's own points lie within a kprobe: obsring_points does not see them. */
static bool by_function;

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

/* Is the @nr-th of a table in this part? "K/N", or all. */
static bool in_part(size_t nr)
{
	const char *part = getenv("OBSRING_FAULT_PART") ?: "0/1";
	size_t k, n;

	return sscanf(part, "%zu/%zu", &k, &n) == 2 && n && nr % n == k % n;
}

/* The first one from the @nr-th on that is asked for; NULL: none. @words: of the variant. */
static const struct operation *next_wanted(const struct operation *table, size_t nr,
					   const char *words)
{
	const char *only = getenv("OBSRING_FAULT_ONLY") ?: "";
	const struct operation *op;

	for (; (op = table + nr)->name; nr++)
		if ((!words || has_word(op->name, words)) && (dense_points() || op->brief) &&
		    (!*only || has_word(op->name, only)) && in_part(nr))
			return op;
	return NULL;
}

FIXTURE(fault)
{
	int unused;
};

/* The variant's operations; those whose names have one of the words; what also fails. */
FIXTURE_VARIANT(fault)
{
	const struct operation *operations;
	const char *words;
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
 * code comes to: see functions_are_known. Each allocation is then two points, the
 * function's and its own.
 */
FIXTURE_VARIANT_ADD(fault, function_slab)
{
	.operations = netlink_operations,
	.words = "family: counter,series: counter,dump: series,source on: block,"
		 "probe: kprobe,rule: now",
	.function = "should_failslab",
	.value = "0xfffffffffffffff4",	/* -ENOMEM */
};

FIXTURE_VARIANT_ADD(fault, function_page)
{
	.operations = device_operations,
	.words = "device: map,service: attach,service: counter",
	.function = "should_fail_alloc_page",
	.value = "1",
};

FIXTURE_SETUP(fault)
{
	const char *missing = faults_missing();

	if (missing)
		SKIP_SETUP("%s", missing);
	if (!next_wanted(variant->operations, 0, variant->words) ||
	    (variant->function && !dense_points()))
		SKIP_SETUP("%s", dense_points() ? "no such operation" : "takes long: make test-fault");
	ASSERT_EQ(0, module_reload("sources=none"));
	by_function = variant->function;
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

static int look(struct modstate *state)
{
	int r;

	while ((r = modstate_take(state)) == -EAGAIN)
		;
	return r;
}

static bool is_before(void)
{
	return modstate_same(&sweep.now, &sweep.before);
}

static bool is_after(void)
{
	return modstate_same(&sweep.now, &sweep.after);
}

/* A success, but for series that found no memory, which was counted. */
static bool is_part(void)
{
	return !is_after() &&
	       modstate_same_without(&sweep.now, &sweep.after, sweep.op->partly);
}

/* What was removed goes a little later; to look takes long, and is not done for ever. */
#define LOOKS	200
#define LOOK_SECONDS	10
#define settle(condition) ({						\
	time_t begun_ = await_begin();					\
	unsigned int looks_ = 0;					\
	bool met_;							\
									\
	while (!(met_ = !look(&sweep.now) && (condition)) &&		\
	       (++looks_ < LOOKS || await_begin() - begun_ < LOOK_SECONDS)) \
		poll(NULL, 0, 20);					\
	met_; })

static bool settles(const struct modstate *wanted)
{
	return settle(modstate_same(&sweep.now, wanted));
}

static bool settles_somewhere(void)
{
	return settle(is_before() || is_after() || is_part());
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
	if (is_part() && sweep.now.refused == refused)
		return "did a part, and counted no refusal";
	if (r == 0 && attempt->seen != sweep.seen)
		return "succeeded, and gave something else";
	if (r > 0 && !attempt->fault.hit)
		return "no answer, without a fault";
	if (r && !attempt->fault.hit)
		return "failed without a fault";
	if (takes_too_much() && !settle(!takes_too_much()))
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
	else if (is_part())
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

/*
 * The module is unloaded, and nothing of what it had is left. kmemleak tells of what two
 * scans missed, if it is older than 5 seconds, and refuses to look if it gave up.
 */
static bool leaves_memory(const struct operation *op)
{
	static char text[65536];

	if (module_unload("obsring")) {
		printf("# %s: can't be unloaded\n", op->name);
		return true;
	}
	poll(NULL, 0, 6000);
	if (file_write(LEAKS, "scan") || file_write(LEAKS, "scan") ||
	    file_read(LEAKS, text, sizeof(text)) < 0) {
		printf("# %s: kmemleak is off\n", op->name);
		return true;
	}
	if (*text) {
		printf("# %s: left memory behind:\n%s", op->name, text);
		file_write(LEAKS, "clear");
	}
	fflush(stdout);
	return *text || module_load("obsring", "sources=none");
}

/* Among what the kernel says of it: and tells how far a long sweep is. */
static void announce(const struct operation *op)
{
	char text[128];

	snprintf(text, sizeof(text), "obsring-selftests: fault: %s", op->name);
	file_write("/dev/kmsg", text);
}

/* What a success meets behind the first @dense points, and where. */
static int learn_places(unsigned int dense)
{
	struct attempt attempt = { .nth = FAULT_NONE };
	int r = sweep.op->anew ? begin_anew() : 0;

	if (!r)
		r = places_strike(0);
	if (!r)
		r = sweep.op->run(sweep.op, &attempt);
	if (!r)
		r = places_learn(&sweep.places, dense, attempt.fault.points);
	if (!r && (undo() || !settles(&sweep.before)))
		r = -EBUSY;
	return r;
}

/* Some are not met each time: where a list of free objects may be empty, or not. */
#define TRIES	5

static bool fails_at(uint64_t place, unsigned int *attempts, const char **ret_wrong)
{
	unsigned int i;

	for (i = 0; i < TRIES && !*ret_wrong && !places_strike(place); i++) {
		++*attempts;
		if (attempt_at(FAULT_NONE, ret_wrong))
			return true;
	}
	return false;
}

/* A point at each of the places that none of the first @dense points was at. */
static void sweep_places(unsigned int dense, unsigned int *attempts, const char **ret_wrong)
{
	unsigned int i, failed = 0;
	int r = places_begin();

	if (!r)
		r = learn_places(dense);
	if (r) {
		printf("# %s: %s\n", sweep.op->name, strerror(-r));
		*ret_wrong = "can't tell where its points are";
	}
	for (i = 0; i < sweep.places.nr && !*ret_wrong; i++)
		failed += fails_at(sweep.places.place[i], attempts, ret_wrong);
	places_end();
	printf("# %s: %u places behind the first %u points; %u failed, %u were not met again\n",
	       sweep.op->name, i, dense, failed, i - failed);
	if (!*ret_wrong && sweep.places.nr && !failed)
		*ret_wrong = "no place was met again";
}

static bool sweep_over(const struct operation *op)
{
	unsigned int nth = 1, attempts = 0, dense = dense_points() ?: FAULT_NONE;
	time_t begun = await_begin();
	const char *wrong = NULL;

	announce(op);
	if (!learn(op)) {
		printf("# %s: is not as it should be without faults\n", op->name);
		modstate_print_changes(&sweep.before, &sweep.now);
		return false;
	}
	while ((nth <= dense || by_function) && (attempts++, attempt_at(nth, &wrong)))
		nth += nth < dense || !by_function ? 1 : 1 + sweep.points / (dense + 1);
	if (!wrong && nth > dense && !by_function)
		sweep_places(dense, &attempts, &wrong);
	end();
	if (wrong)
		module_reload("sources=none");
	printf("# %s: %u points; %u attempts: %u failed, %u went on, %u in part, %u answers lost; %lld s\n",
	       op->name, sweep.points, attempts, sweep.failed, sweep.done, sweep.part,
	       sweep.lost, (long long)(await_begin() - begun));
	fflush(stdout);
	/* Two scans take longer than most sweeps: who runs the tests does it in the end. */
	if (getenv("OBSRING_FAULT_LEAKS") && leaves_memory(op))
		return false;
	return !wrong && sweep.points;
}

TEST_F_TIMEOUT(fault, wholly_or_not_at_all, TEST_TIMEOUT_LONG)
{
	const struct operation *table = variant->operations, *op;
	size_t nr = 0;

	while ((op = next_wanted(table, nr, variant->words))) {
		EXPECT_TRUE(sweep_over(op));
		nr = (size_t)(op - table) + 1;
	}
}

/* All else that fail_function makes fail is a system call, or nothing the module uses. */
TEST(functions_are_known)
{
	static const char *const known[] = {
		"should_failslab", "should_fail_alloc_page",	/* the two above */
		"__filemap_add_folio", "should_fail_bio",	/* files, block devices */
		"bpf_modify_return_test", "bpf_fentry_test1",
	};
	static char text[1 << 17];
	unsigned int i, ours = 0;
	char *name, *rest = text;

	if (file_read("/sys/kernel/debug/fail_function/injectable", text, sizeof(text)) <= 0)
		SKIP(return, "this kernel lacks CONFIG_FAIL_FUNCTION");
	while ((name = strsep(&rest, "\n")) && *name) {
		name[strcspn(name, "\t")] = '\0';
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!strcmp(name, known[i]))
				break;
		ours += i < 2;
		if (i == sizeof(known) / sizeof(known[0]) && !strstr(name, "sys_")) {
			TH_LOG("the kernel can make %s() fail", name);
			EXPECT_TRUE(false);
		}
	}
	EXPECT_EQ(2, ours);
}

TEST_HARNESS_MAIN
