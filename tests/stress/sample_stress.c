// SPDX-License-Identifier: MIT
/*
 * Sampling under threads: four decide, each with its slot as a CPU has, and each
 * interrupted by a signal that decides as well; meanwhile the main thread changes
 * the rule thousands of times a second, over all kinds, by commands that two
 * producers push into the queue with times and cancels. Afterwards and meanwhile:
 *
 *   every decision gave one of the words that were ever set: its threshold is one
 *   seen == kept + dropped on each thread; the weights add up to what was seen,
 *     within six standard deviations of coins
 *   a period of a rate never has more than the rate, over all threads
 *   each command was given back once; none early; none that was cancelled in time;
 *     in the order of (time, arrival)
 *
 * usage: sample_stress [SECONDS]	exit 0: as it should be; 1: not
 * Built with -fsanitize=thread it also finds a word that is touched without an
 * atomic access.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <obsring/sample_control.h>
#include <obsring/sample_queue.h>

#define THREADS		4
#define PRODUCERS	2
#define RATE		50
#define SIGNALS_US	200

struct decider {
	pthread_t thread;
	struct obs_sample_slot slot __attribute__((aligned(128)));
	struct obs_sample_rng rng;
	/* Each is of this thread and its signals: added by one instruction. */
	__u64 seen, kept, dropped, nested, wrong;
	__u64 rated, rate_kept;
	__u64 variance;			/* of the weights, as of coins */
	__u64 weight;			/* 1/1024 */
};

struct change {
	struct obs_sample_command command;
	__u32 kind;
	__u64 value;
};

struct producer {
	pthread_t thread;
	unsigned int nr;
	__u64 seed;
	unsigned long pushed, refused, cancels;
};

static struct obs_sample_rule rule __attribute__((aligned(128)));
static struct obs_sample_rule rate_rule __attribute__((aligned(128)));
static struct obs_sample_control control, rate_control;
static struct obs_sample_slot rate_slot[THREADS] __attribute__((aligned(128)));
static struct obs_sample_queue queue;
static struct decider deciders[THREADS];
static struct producer producers[PRODUCERS];
static atomic_ulong now;		/* the queue's clock */
static atomic_bool stop, deciders_done;
static atomic_uint errors;
static _Thread_local struct decider *self;

static const double ps[] = { 0.5, 0.1, 0.02, 0.7, 0.9, 1.0 / 3 };
#define NR_PS	(sizeof(ps) / sizeof(ps[0]))

static void wrong(const char *what)
{
	if (!atomic_fetch_add(&errors, 1))
		fprintf(stderr, "%s\n", what);
}

static __u64 random64(__u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static __u64 threshold_of(double p)
{
	return OBSRING_THRESHOLD_ONE - (__u64)llround(p * (double)OBSRING_THRESHOLD_ONE);
}

static struct obs_sample_slot *slot_of(void *context, unsigned int n)
{
	(void)context;
	return &deciders[n].slot;
}

static struct obs_sample_slot *rate_slot_of(void *context, unsigned int n)
{
	(void)context;
	return &rate_slot[n];
}

static const struct obs_sample_cpus cpus = { slot_of, NULL, THREADS };
static const struct obs_sample_cpus rate_cpus = { rate_slot_of, NULL, THREADS };

/* ---- Deciders ------------------------------------------------------------ */

static bool is_threshold(__u64 threshold)
{
	size_t i;

	for (i = 0; i < NR_PS; i++)
		if (threshold == threshold_of(ps[i]))
			return true;
	return !threshold;
}

static void decide(struct decider *d, bool traced)
{
	__u64 randomness, threshold = ~0ULL;
	double weight;
	bool kept;

	randomness = obs_sample_random(&d->rng) >> 8;
	kept = obs_sample_decide(&rule, &d->slot, &d->rng, traced ? &randomness : NULL,
				 &threshold);
	obs_add_local(&d->seen, 1);
	if (!kept) {
		obs_add_local(&d->dropped, 1);
	} else if (!is_threshold(threshold)) {
		wrong("a threshold that was never set");
	} else {
		weight = (double)OBSRING_THRESHOLD_ONE / (OBSRING_THRESHOLD_ONE - threshold);
		obs_add_local(&d->kept, 1);
		obs_add_local(&d->weight, weight * 1024);
		obs_add_local(&d->variance, weight * weight - weight);
	}
	obs_add_local(&d->rated, 1);
	if (obs_sample_decide(&rate_rule, &rate_slot[d - deciders], &d->rng, NULL, &threshold))
		obs_add_local(&d->rate_kept, 1);
}

static void on_signal(int number)
{
	struct decider *d = self;
	unsigned int i;

	(void)number;
	if (!d)
		return;
	obs_add_local(&d->nested, 1);
	for (i = 0; i < 3; i++)
		decide(d, i == 2);
}

static void *decider_run(void *arg)
{
	struct decider *d = arg;
	unsigned int i = 0;
	sigset_t set;

	self = d;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (!atomic_load_explicit(&deciders_done, memory_order_relaxed))
		decide(d, i++ % 8 == 0);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return NULL;
}

/* ---- Producers ----------------------------------------------------------- */

static struct change *change_new(struct producer *p)
{
	static const __u32 kinds[] = {
		OBSRING_RULE_PROBABILITY, OBSRING_RULE_TRACE, OBSRING_RULE_KEEP,
		OBSRING_RULE_PROBABILITY,
	};
	struct change *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->command.time = atomic_load(&now) + random64(&p->seed) % 50;
	c->kind = kinds[random64(&p->seed) % 4];
	c->value = threshold_of(ps[random64(&p->seed) % NR_PS]);
	return c;
}

static void *producer_run(void *arg)
{
	struct producer *p = arg;
	struct timespec pause = { 0, 50000 };
	__u64 last = 0, number;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct change *c = change_new(p);

		if (last && random64(&p->seed) % 4 == 0) {
			c->command.cancels = last;
			c->command.only_cancels = random64(&p->seed) % 2;
			p->cancels++;
		}
		if (obs_sample_queue_push(&queue, &c->command, &number)) {
			p->pushed++;
			last = number;
		} else {
			p->refused++;
			free(c);
		}
		if (random64(&p->seed) % 4 == 0)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

/* ---- The consumer -------------------------------------------------------- */

static struct {
	unsigned long given, applied, cancelled, found, not_found, rates;
	__u64 time, arrival;		/* of the last one due */
	__u64 arrivals;			/* taken in by then */
} consumer;

/* All that is due at this moment of the queue's clock. */
static void changes_apply(__u64 at)
{
	struct obs_sample_command *cmd;
	struct change *c;

	while ((cmd = obs_sample_queue_next(&queue, at))) {
		c = (struct change *)cmd;
		consumer.given++;
		if (cmd->cancels && cmd->found)
			consumer.found++;
		else if (cmd->cancels)
			consumer.not_found++;
		if (cmd->fate == OBS_SAMPLE_CANCELLED) {
			consumer.cancelled++;
		} else if (cmd->fate == OBS_SAMPLE_DUE) {
			if (cmd->time > at)
				wrong("early");
			if (cmd->cancels && !cmd->found)
				wrong("in the place of none");
			/* Out of order only if it came in behind what was given. */
			if (cmd->time < consumer.time && cmd->arrival < consumer.arrivals)
				wrong("out of order by time");
			if (cmd->time == consumer.time && cmd->arrival < consumer.arrival)
				wrong("out of order by arrival");
			consumer.time = cmd->time;
			consumer.arrival = cmd->arrival;
			consumer.arrivals = queue.arrivals;
			consumer.applied++;
			obs_sample_apply(&control, &rule, &cpus, c->kind, c->value);
		}
		free(c);
	}
}

static __u64 rate_kept(void)
{
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		sum += obs_read_once(&deciders[i].rate_kept);
	return sum;
}

static __u64 clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/* ---- Run ----------------------------------------------------------------- */

static void run(unsigned int seconds)
{
	__u64 end = clock_ms() + seconds * 1000ULL;
	struct timespec pause = { 0, SIGNALS_US * 1000 };
	unsigned int i, turn = 0;

	while (clock_ms() < end) {
		changes_apply(atomic_fetch_add(&now, 1) + 1);
		if (++turn % 16 == 0) {
			obs_sample_control_run(&rate_control, &rate_rule, &rate_cpus,
					       OBS_SAMPLE_PERIOD_NS);
			consumer.rates++;
		}
		for (i = 0; i < THREADS; i++)
			pthread_kill(deciders[i].thread, SIGUSR1);
		nanosleep(&pause, NULL);
	}
}

static void sum_up(unsigned int seconds)
{
	struct decider sum = { .seen = 0 };
	unsigned long pushed = 0, refused = 0, cancels = 0;
	double weight, deviation;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		const struct decider *d = &deciders[i];

		sum.seen += d->seen;
		sum.kept += d->kept;
		sum.dropped += d->dropped;
		sum.nested += d->nested;
		sum.rated += d->rated;
		sum.weight += d->weight;
		sum.variance += d->variance;
		if ((__s64)d->slot.left < 0)
			wrong("a slot that is owned at rest");
	}
	for (i = 0; i < PRODUCERS; i++) {
		pushed += producers[i].pushed;
		refused += producers[i].refused;
		cancels += producers[i].cancels;
	}
	if (sum.seen != sum.kept + sum.dropped)
		wrong("seen is not kept and dropped");
	weight = sum.weight / 1024.0;
	/* A weight loses up to 1/1024 of an event by being an integer. */
	deviation = sqrt(sum.variance) + sum.kept / 6144.0;
	if (fabs(weight - sum.seen) > 6 * deviation)
		wrong("the weights do not add up");
	if (rate_kept() > RATE * (consumer.rates + 1))
		wrong("more than the rate");
	if (consumer.given != pushed)
		wrong("not every command was given back");
	printf("decisions=%llu kept=%llu weight=%.0f deviations=%.2f signals=%llu changes=%lu a_second=%lu pushed=%lu refused=%lu cancels=%lu cancelled=%lu not_found=%lu periods=%lu rate_kept=%llu errors=%u\n",
	       sum.seen, sum.kept, weight, (weight - sum.seen) / deviation, sum.nested,
	       consumer.applied, consumer.applied / seconds, pushed, refused, cancels,
	       consumer.cancelled, consumer.not_found, consumer.rates, rate_kept(),
	       atomic_load(&errors));
	if (!sum.kept || !sum.dropped || !sum.nested || !consumer.cancelled ||
	    !consumer.not_found || !rate_kept() || consumer.applied < 1000 * seconds)
		wrong("what this is about did not happen");
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 2, i;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t set;

	/* Threads begin with it blocked, until they know who they are. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGUSR1, &action, NULL);
	obs_sample_apply(&rate_control, &rate_rule, &rate_cpus, OBSRING_RULE_RATE, RATE);
	for (i = 0; i < THREADS; i++) {
		deciders[i].rng.state = i * 0x123456789ULL;
		if (pthread_create(&deciders[i].thread, NULL, decider_run, &deciders[i]))
			return 1;
	}
	for (i = 0; i < PRODUCERS; i++) {
		producers[i].seed = 0x9e3779b97f4a7c15ULL * (i + 1);
		if (pthread_create(&producers[i].thread, NULL, producer_run, &producers[i]))
			return 1;
	}
	run(seconds);
	atomic_store(&stop, true);
	for (i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i].thread, NULL);
	changes_apply(~0ULL);
	atomic_store(&deciders_done, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(deciders[i].thread, NULL);
	sum_up(seconds ? seconds : 1);
	return atomic_load(&errors) != 0;
}
