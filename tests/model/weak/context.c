// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* context.h: a thread that sets its context twice; one that reads it meanwhile. */
#include <string.h>

#include <obsring/context.h>

#include "weak.h"

#define SETS	2
#define READS	2

static struct obsring_context context;

static void start(void)
{
	obs_context_init(&context);
}

static void set(void)
{
	struct obs_context to = { .has_rv = true };
	int i;

	for (i = 1; i <= SETS; i++) {
		memset(&to.trace, i, sizeof(to.trace));
		to.rv = i;
		weak_check(obs_context_set(&context, &to));
	}
}

/* All fields are of one set, and none comes back. */
static void read(void)
{
	struct obs_context got;
	struct obsring_trace of_one;
	__u64 before = 0;
	int i;

	for (i = 0; i < READS; i++) {
		if (!obs_context_read(&context, &got)) {
			weak_seen("none");
			continue;
		}
		memset(&of_one, (int)got.rv, sizeof(of_one));
		weak_check(got.has_rv && got.rv);
		weak_check(!memcmp(&got.trace.trace_id, &of_one.trace_id,
				   sizeof(of_one.trace_id)));
		weak_check(!memcmp(&got.trace.span_id, &of_one.span_id,
				   sizeof(of_one.span_id)));
		weak_check(got.trace.flags == of_one.flags);
		weak_check(got.rv >= before);
		before = got.rv;
		weak_seen(got.rv == SETS ? "last" : "first");
	}
}

int main(void)
{
	static const struct weak_scenario scenario = {
		.name = "context",
		.start = start,
		.writer = { set },
		.reader = { read },
	};

	weak_explore(&scenario);
	weak_demand("none", "first", "last", NULL);
	return 0;
}
