// SPDX-License-Identifier: MIT
/* What the module, or a segment, tells of itself: limits, losses, the log, sources. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* ---- Does it fit? ---------------------------------------------------------- */

static void layouts_compare(struct doctor *doctor, const char *what, unsigned int major,
			    unsigned int minor)
{
	if (major != OBSRING_ABI_MAJOR)
		doctor_tell(doctor, DOCTOR_ERROR, doctor->hosted ?
			    "make another: obsringctl segment create" :
			    "install the module and the programs of one version",
			    "%s has layout %u.%u, these programs know %u.%u", what, major,
			    minor, OBSRING_ABI_MAJOR, OBSRING_ABI_MINOR);
	else if (minor != OBSRING_ABI_MINOR)
		doctor_tell(doctor, DOCTOR_NOTE,
			    "update the older one, for what it lacks",
			    "%s has layout %u.%u, these programs know %u.%u: they work "
			    "together", what, major, minor, OBSRING_ABI_MAJOR,
			    OBSRING_ABI_MINOR);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL, "%s has layout %u.%u, as these programs",
			    what, major, minor);
}

static void versions_compare(struct doctor *doctor)
{
	char version[64];

	if (doctor->info)
		snprintf(version, sizeof(version), "%s", doctor->info->version);
	else if (doctor_line(doctor, "/sys/module/obsring/version", version,
			     sizeof(version)))
		return;
	if (strcmp(version, OBSRING_VERSION))
		doctor_tell(doctor, DOCTOR_NOTE,
			    "install the module and the programs of one version",
			    "the module is of version %s, these programs of " OBSRING_VERSION,
			    version);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL, "the module is of version %s", version);
}

void doctor_version(struct doctor *doctor)
{
	if (!doctor->hosted)
		versions_compare(doctor);
	if (doctor->header)
		layouts_compare(doctor, doctor->hosted ? "the file" : "the module",
				doctor->header->abi_major, doctor->header->abi_minor);
	else if (doctor->info)
		layouts_compare(doctor, "the module", doctor->info->abi_major,
				doctor->info->abi_minor);
}

/* ---- Sources ---------------------------------------------------------------- */

void doctor_source(struct doctor *doctor, const struct obs_source_info *source)
{
	if (*source->reason)
		doctor_tell(doctor, DOCTOR_NOTE,
			    "do without it, or run a kernel that has what is missing",
			    "source %s is not available: %s", source->name, source->reason);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL, "source %s is %s", source->name,
			    source->enabled ? "on" : "off");
}

static int source_note(const struct obs_source_info *source, void *doctor)
{
	doctor_source(doctor, source);
	return 0;
}

void doctor_sources(struct doctor *doctor)
{
	if (!doctor_module_loaded(doctor))
		return;
	if (!doctor->control) {
		doctor_tell(doctor, DOCTOR_NOTE,
			    "run this outside the container, in the initial network namespace",
			    "the module is out of reach over netlink: sources, versions and "
			    "limits can't be asked for");
		return;
	}
	if (obs_source_list(doctor->control, source_note, doctor))
		doctor_tell(doctor, DOCTOR_WARNING, "dmesg may say more",
			    "the sources can't be asked for: %s",
			    obs_control_error(doctor->control));
}

/* ---- Counters ---------------------------------------------------------------- */

/* A file may say anything of a metric of that name: NULL if it is no counter. */
static const struct obs_family_info *counter_find(const struct doctor *doctor,
						  const char *name)
{
	const struct obs_family_info *family = obs_family_find(doctor->snapshot, name);

	return family && family->kind == OBSRING_KIND_COUNTER ? family : NULL;
}

/* All series of a counter together. */
static uint64_t family_sum(const struct doctor *doctor, const char *name)
{
	const struct obs_family_info *family = counter_find(doctor, name);
	const struct obs_series_info *series = NULL;
	uint64_t sum = 0;

	while (family && (series = obs_series_next(doctor->snapshot, family, series)))
		sum += obs_series_counter(doctor->snapshot, series);
	return sum;
}

/* ---- The log's rings ---------------------------------------------------------- */

#define LARGE_BYTES	(256U << 10)	/* worth to take back, on each CPU */
#define LITTLE		16		/* of so many bytes, one was used */

static const char *const origin_names[DOCTOR_ORIGINS] = {
	[OBSRING_ORIGIN_KERNEL] = "kernel",
	[OBSRING_ORIGIN_USER] = "user",
};

void doctor_ring(struct doctor *doctor, const struct obs_log_ring_info *ring)
{
	struct doctor_rings *rings;

	if (ring->origin >= DOCTOR_ORIGINS)
		return;
	rings = &doctor->rings[ring->origin];
	rings->nr++;
	rings->full += ring->high_water_bytes >= ring->bytes;
	rings->bytes = ring->bytes;
	rings->total += ring->bytes;
	rings->high_water += ring->high_water_bytes;
	if (ring->high_water_bytes > rings->most)
		rings->most = ring->high_water_bytes;
}

/* A size for rings of which no more than @most was ever used, with as much again. */
static uint64_t size_for(uint64_t most)
{
	uint64_t size = 4096;

	while (size < 2 * most)
		size *= 2;
	return size;
}

static void rings_check(struct doctor *doctor, unsigned int origin)
{
	const struct doctor_rings *rings = &doctor->rings[origin];
	const char *name = origin_names[origin];
	char remedy[128];

	if (rings->full) {
		snprintf(remedy, sizeof(remedy), "if readers lose records (lost=N), obsringctl "
			 "log size --%s %llu", name, (unsigned long long)(2 * rings->bytes));
		doctor_tell(doctor, DOCTOR_NOTE, remedy,
			    "%u of %u rings of origin %s, %llu bytes each, are full: new records "
			    "take the place of the oldest", rings->full, rings->nr, name,
			    (unsigned long long)rings->bytes);
	} else if (rings->bytes >= LARGE_BYTES && rings->most * LITTLE < rings->bytes) {
		snprintf(remedy, sizeof(remedy), "to have the memory back, obsringctl log size "
			 "--%s %llu", name, (unsigned long long)size_for(rings->most));
		doctor_tell(doctor, DOCTOR_NOTE, remedy,
			    "of rings of origin %s, %llu bytes each, at most %llu were ever used",
			    name, (unsigned long long)rings->bytes,
			    (unsigned long long)rings->most);
	} else {
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "of %u rings of origin %s, %llu of %llu bytes were ever used",
			    rings->nr, name, (unsigned long long)rings->high_water,
			    (unsigned long long)rings->total);
	}
}

void doctor_log(struct doctor *doctor)
{
	unsigned int origin;
	uint64_t overwritten;

	for (origin = 0; doctor->rings_known && origin < DOCTOR_ORIGINS; origin++)
		if (doctor->rings[origin].nr)
			rings_check(doctor, origin);
	if (!doctor->snapshot)
		return;
	overwritten = family_sum(doctor, "obsring_log_overwritten_total");
	if (overwritten)
		doctor_tell(doctor, DOCTOR_NOTE, doctor->hosted ?
			    "follow the log, or make a segment with more --log-bytes" :
			    "follow the log, obsringctl log --follow, or give it larger rings: "
			    "obsringctl log size",
			    "%llu of %llu records were overwritten by newer ones",
			    (unsigned long long)overwritten,
			    (unsigned long long)family_sum(doctor, "obsring_log_records_total"));
	else
		doctor_tell(doctor, DOCTOR_OK, NULL, "no record was overwritten");
}

/* ---- Limits -------------------------------------------------------------------- */

static const char *parameter_remedy(const struct doctor *doctor, const char *name, char *text,
				    size_t size)
{
	if (doctor->hosted)
		snprintf(text, size, "make a segment with more room: obsringctl segment create "
			 "--series N --pages N");
	else
		snprintf(text, size, "have fewer labels (obsringctl list shows series), or load "
			 "the module with a larger %s=", name);
	return text;
}

/* From four fifths on. */
static bool is_near(uint64_t used, uint64_t limit)
{
	return used >= limit - limit / 5;
}

/* A limit of 0 is none that anybody can be near. */
static void limit_check(struct doctor *doctor, const char *what, const char *name,
			uint64_t used, uint64_t limit)
{
	char remedy[160];

	if (!limit)
		return;
	if (is_near(used, limit))
		doctor_tell(doctor, DOCTOR_WARNING,
			    parameter_remedy(doctor, name, remedy, sizeof(remedy)),
			    "%llu of %llu %s (%s) are used", (unsigned long long)used,
			    (unsigned long long)limit, what, name);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL, "%llu of %llu %s are used",
			    (unsigned long long)used, (unsigned long long)limit, what);
}

static void families_check(struct doctor *doctor, uint32_t limit)
{
	const struct obs_family_info *family = NULL;
	char what[OBSRING_NAME_MAX + 16];
	unsigned int nr;

	while ((family = obs_family_next(doctor->snapshot, family))) {
		nr = obs_family_nr_series(doctor->snapshot, family);
		snprintf(what, sizeof(what), "series of %s", family->name);
		if (family->nr_labels && is_near(nr, limit))
			limit_check(doctor, what, "max_series_per_family", nr, limit);
	}
}

/* Each has a series there, but for those that share the overflow series. */
static void services_check(struct doctor *doctor)
{
	const struct obs_family_info *family =
		obs_family_find(doctor->snapshot, "obsring_service_members");
	const struct obs_series_info *series = NULL;
	unsigned int nr = 0;
	char limit[32];

	while (family && (series = obs_series_next(doctor->snapshot, family, series)))
		nr += !series->overflow;
	if (!doctor_line(doctor, "/sys/module/obsring/parameters/max_services", limit,
			 sizeof(limit)))
		limit_check(doctor, "services", "max_services", nr,
			    strtoull(limit, NULL, 10));
}

void doctor_limits(struct doctor *doctor)
{
	const struct obs_info *info = doctor->info;

	if (info) {
		limit_check(doctor, "series", "max_series", info->series, info->series_limit);
		limit_check(doctor, "bytes of values", "max_bytes", info->bytes,
			    info->bytes_limit);
		if (doctor->snapshot && info->family_series_limit)
			families_check(doctor, info->family_series_limit);
	} else if (doctor->header) {
		limit_check(doctor, "series", "max_series", doctor->header->series_live,
			    doctor->header->region[OBSRING_REGION_SERIES].nr);
	}
	if (doctor->snapshot && !doctor->hosted)
		services_check(doctor);
}

static void refusal_tell(struct doctor *doctor, const char *reason, uint64_t nr)
{
	bool memory = !strcmp(reason, "memory");
	char remedy[160];

	doctor_tell(doctor, DOCTOR_WARNING, memory ? "free memory: the kernel had none" :
		    parameter_remedy(doctor, reason, remedy, sizeof(remedy)),
		    "%llu series were refused by %s: what they would count is in overflow series",
		    (unsigned long long)nr, reason);
}

void doctor_refused(struct doctor *doctor)
{
	const struct obs_family_info *family;
	const struct obs_series_info *series = NULL;
	bool any = false;
	uint64_t nr;

	if (!doctor->snapshot) {
		if (doctor->info && doctor->info->refused)
			refusal_tell(doctor, "a limit", doctor->info->refused);
		return;
	}
	family = counter_find(doctor, "obsring_series_refused_total");
	while (family && (series = obs_series_next(doctor->snapshot, family, series))) {
		nr = obs_series_counter(doctor->snapshot, series);
		any |= nr;
		if (nr)
			refusal_tell(doctor, family->nr_labels ? series->value[0] : "a limit",
				     nr);
	}
	if (!any)
		doctor_tell(doctor, DOCTOR_OK, NULL, "no series was refused");
}

/* ---- Losses ---------------------------------------------------------------------- */

/*
 * The first line that fits a series says what its count means: a pattern of the
 * family's name, the value of its label or NULL for all others, and for @what NULL the
 * family's own help.
 */
static const struct loss {
	const char *family, *cause;
	enum doctor_level level;
	const char *what, *remedy;
} losses[] = {
	{ "obsring_log_lost_total", "nested", DOCTOR_WARNING,
	  "records interrupted a writer that left no room, or came as their ring was replaced",
	  "give the log larger rings: obsringctl log size" },
	{ "obsring_log_lost_total", "rate_limited", DOCTOR_WARNING,
	  "records of processes were beyond their user's 1000 a second",
	  "let them log less; the metrics count at any rate" },
	{ "obsring_log_lost_total", "no_ring", DOCTOR_WARNING,
	  "records of threads found no ring free",
	  "make a segment with more: obsringctl segment create --log-rings" },
	{ "obsring_log_lost_total", "killed", DOCTOR_NOTE,
	  "records were being written when their process was killed",
	  "find out who kills it" },
	{ "obsring_log_lost_total", NULL, DOCTOR_WARNING, "records of the log were not stored",
	  "obsringctl list obsring_log_lost_total tells the causes" },
	{ "obsring_log_truncated_total", NULL, DOCTOR_NOTE,
	  "records were stored with a part cut off",
	  "keep messages below 1024 bytes, and their fields short" },
	{ "obsring_exemplars_refused_total", NULL, DOCTOR_WARNING,
	  "histogram series have no exemplars, as there was no room",
	  "load the module with a larger max_bytes=" },
	{ "obsring_service_shares_refused_total", NULL, DOCTOR_WARNING,
	  "times a process got no share of its own for gauges: what it adds stays when it dies",
	  "load the module with a larger max_shares=, or make a segment with more --shares" },
	{ "obsring_segment_mended_total", NULL, DOCTOR_NOTE,
	  "times a killed process left work half done, which others made good",
	  "find out who kills it" },
	{ "obsring_probe_missed_total", NULL, DOCTOR_WARNING, NULL,
	  "probe something that is hit less often; --sample looks at one of N" },
	{ "obsring_syscall_missed_total", NULL, DOCTOR_WARNING, NULL,
	  "time fewer: obsringctl source enable syscall latency= sample=" },
	{ "obsring_*_missed_total", NULL, DOCTOR_WARNING, NULL,
	  "what was timed is exact; if it goes on, switch the source off" },
};

#define NR_LOSSES	(sizeof(losses) / sizeof(losses[0]))

static const struct loss *loss_find(const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	size_t i;

	for (i = 0; i < NR_LOSSES; i++)
		if (!fnmatch(losses[i].family, family->name, 0) &&
		    (!losses[i].cause || (family->nr_labels &&
					  !strcmp(losses[i].cause, series->value[0]))))
			return &losses[i];
	return NULL;
}

static void loss_tell(struct doctor *doctor, const struct loss *loss,
		      const struct obs_series_info *series, uint64_t nr)
{
	const struct obs_family_info *family = series->family;

	doctor_tell(doctor, loss->level, loss->remedy, "%llu: %s (%s%s%s)", (unsigned long long)nr,
		    loss->what ?: family->help, family->name, family->nr_labels ? ", " : "",
		    family->nr_labels ? series->value[0] : "");
}

void doctor_losses(struct doctor *doctor)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series;
	const struct loss *loss;
	bool any = false;
	uint64_t nr;

	if (!doctor->snapshot)
		return;
	while ((family = obs_family_next(doctor->snapshot, family))) {
		if (family->kind != OBSRING_KIND_COUNTER)
			continue;
		series = NULL;
		while ((series = obs_series_next(doctor->snapshot, family, series))) {
			loss = loss_find(series);
			nr = loss ? obs_series_counter(doctor->snapshot, series) : 0;
			any |= nr;
			if (nr)
				loss_tell(doctor, loss, series, nr);
		}
	}
	if (!any)
		doctor_tell(doctor, DOCTOR_OK, NULL, "nothing was lost or missed");
}
