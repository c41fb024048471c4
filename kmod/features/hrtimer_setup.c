// SPDX-License-Identifier: GPL-2.0-only
/* a timer and its function are set in one call (6.13) */
#include <linux/hrtimer.h>

static void __maybe_unused check(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
}
