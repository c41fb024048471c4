// SPDX-License-Identifier: MIT
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sampler.h"

static struct obs_sample_slot *slot_of(void *context, unsigned int n)
{
	struct sampler *s = context;

	/* As if one number were no CPU's. */
	return n == 3 ? NULL : &s->slot[n];
}

void sampler_open(struct sampler *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < CPUS; i++)
		s->rng[i].state = random64();
	s->cpus.slot = slot_of;
	s->cpus.context = s;
	s->cpus.nr = CPUS;
}

void set(struct sampler *s, __u32 kind, __u64 value)
{
	assert_true(obs_sample_valid(kind, value));
	obs_sample_apply(&s->control, &s->rule, &s->cpus, kind, value);
}

/* The weight that a record says it has. */
double weight(__u64 threshold)
{
	assert_true(threshold < ONE);
	return (double)ONE / (ONE - threshold);
}

bool decide(struct sampler *s, unsigned int cpu)
{
	__u64 threshold = ~0ULL;
	bool kept;

	kept = obs_sample_decide(&s->rule, &s->slot[cpu], &s->rng[cpu], NULL, &threshold);
	s->seen++;
	if (!kept) {
		s->dropped++;
		return false;
	}
	s->kept++;
	s->weight += weight(threshold);
	return true;
}

bool near(double value, double wanted, double within)
{
	if (fabs(value - wanted) <= within)
		return true;
	print_error("%f is not within %f of %f\n", value, within, wanted);
	return false;
}

__u64 threshold_of(double p)
{
	return ONE - (__u64)llround(p * (double)ONE);
}

unsigned int any_cpu(void)
{
	unsigned int cpu = random64() % (CPUS - 1);

	return cpu + (cpu >= 3);
}

/* What the quota has dropped and nothing stands for yet. */
double pending(const struct sampler *s)
{
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; i < CPUS; i++)
		sum += s->slot[i].dropped - s->slot[i].credited;
	return (double)sum / OBS_SAMPLE_WEIGHT_ONE;
}

void second(struct sampler *s)
{
	obs_sample_control_run(&s->control, &s->rule, &s->cpus, OBS_SAMPLE_PERIOD_NS);
}
