/* SPDX-License-Identifier: MIT */
/*
 * A sampling rule with its CPUs in one thread, which counts what it keeps and what that
 * weighs. Each of its accesses is a step of the hook's. Bounds that rest on chance are
 * five standard deviations wide or more, and the numbers are the same in each run.
 */
#ifndef TESTS_SAMPLER_H
#define TESTS_SAMPLER_H

#include "hook.h"

#define obs_add_local(p, v) (step(), (obs_add_local)((p), (v)))
#define obs_add_return_local(p, v) (step(), (obs_add_return_local)((p), (v)))
#define obs_dec_negative_local(p) (step(), (obs_dec_negative_local)(p))
#define obs_try_cmpxchg_local(p, old, v) (step(), (obs_try_cmpxchg_local)((p), (old), (v)))

#include <obsring/sample_control.h>

#include "random64.h"

#define ONE	OBSRING_THRESHOLD_ONE
#define CPUS	8
#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct sampler {
	struct obs_sample_rule rule;
	struct obs_sample_control control;
	struct obs_sample_slot slot[CPUS];
	struct obs_sample_rng rng[CPUS];
	struct obs_sample_cpus cpus;
	__u64 seen, kept, dropped;
	double weight;
};

void sampler_open(struct sampler *s);
void set(struct sampler *s, __u32 kind, __u64 value);

/* The threshold of probability @p; the weight that a record of one says it has. */
__u64 threshold_of(double p);
double weight(__u64 threshold);

bool decide(struct sampler *s, unsigned int cpu);
unsigned int any_cpu(void);

/* A period of the controller's. */
void second(struct sampler *s);

/* What the quota has dropped and nothing stands for yet. */
double pending(const struct sampler *s);

/* Else it tells what is not. */
bool near(double value, double wanted, double within);

#endif /* TESTS_SAMPLER_H */
