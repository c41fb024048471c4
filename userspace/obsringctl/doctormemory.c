// SPDX-License-Identifier: MIT
/* Does memory run short here? What the kernel's PSI and the module's counts say. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

#define PRESSURE	"/proc/pressure/memory"
#define MUCH_PERCENT	10

/* Stalls of a kind since the module was loaded. */
struct stalls {
	uint64_t nr, ns;
};

static struct stalls stalls_of(const struct doctor *doctor, const char *name)
{
	const struct obs_family_info *family;
	const struct obs_series_info *series = NULL;
	struct stalls stalls = { 0 };

	family = doctor->snapshot ? obs_family_find(doctor->snapshot, name) : NULL;
	if (!family || family->kind != OBSRING_KIND_HISTOGRAM)
		return stalls;
	while ((series = obs_series_next(doctor->snapshot, family, series))) {
		stalls.nr += obs_series_count(doctor->snapshot, series);
		stalls.ns += obs_series_sum(doctor->snapshot, series);
	}
	return stalls;
}

static void stalls_put(const struct doctor *doctor, char *text, size_t size)
{
	struct stalls reclaim = stalls_of(doctor, "obsring_reclaim_stall_seconds");
	struct stalls compaction = stalls_of(doctor, "obsring_compaction_stall_seconds");

	text[0] = '\0';
	if (reclaim.nr || compaction.nr)
		snprintf(text, size, ", and since the module was loaded %llu allocations waited "
			 "%.3g s for reclaim, and %llu %.3g s for compaction",
			 (unsigned long long)reclaim.nr, (double)reclaim.ns / 1e9,
			 (unsigned long long)compaction.nr, (double)compaction.ns / 1e9);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
void doctor_memory(struct doctor *doctor)
{
	char line[256], stalls[256];
	double percent;

	stalls_put(doctor, stalls, sizeof(stalls));
	if (doctor_line(doctor, PRESSURE, line, sizeof(line)) ||
	    sscanf(line, "some avg10=%*f avg60=%lf", &percent) != 1)
		doctor_tell(doctor, DOCTOR_NOTE,
			    "boot with psi=1, or run a kernel with CONFIG_PSI",
			    "how long tasks wait for memory is not told%s", stalls);
	else if (percent >= MUCH_PERCENT)
		doctor_tell(doctor, DOCTOR_WARNING,
			    "see in obsringd_leak_growth_per_second what grows (obsringctl source "
			    "enable process lets obsringd look at processes), and give it more "
			    "memory or a limit",
			    "memory runs short: tasks waited for it %.2f %% of the last minute%s",
			    percent, stalls);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "tasks waited for memory %.2f %% of the last minute%s", percent,
			    stalls);
}
