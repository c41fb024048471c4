/* SPDX-License-Identifier: MIT */
/*
 * Faults injected into what this task asks of the kernel: failslab, fail_page_alloc,
 * fail_usercopy and fail_function, of which the Nth point that is met fails.
 */
#ifndef SELFTEST_FAILNTH_H
#define SELFTEST_FAILNTH_H

#include <stdbool.h>

/* More than any operation meets: counts without failing any. */
#define FAULT_NONE	1000000U

/**
 * struct fault - what an operation met
 * @points: points, up to the one that failed
 * @hit: one failed
 */
struct fault {
	unsigned int points;
	bool hit;
};

/* What this kernel lacks; NULL: nothing, and faults are made ready, our memory is there. */
const char *faults_missing(void);

/*
 * fail_function makes calls of @function return @value, at points of their own. Off with
 * NULL. 0 or -errno.
 */
int fault_function(const char *function, const char *value);

/* From here on the @nth point fails, once. */
void fault_arm(unsigned int nth);
struct fault fault_disarm(void);

/* The same of the kernel's workers, whoever they work for: each has points of its own. */
void fault_arm_workers(unsigned int nth);
bool fault_workers_hit(void);
struct fault fault_disarm_workers(void);

#endif /* SELFTEST_FAILNTH_H */
