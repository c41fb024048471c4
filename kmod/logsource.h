/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who speaks in the log, by name: kernel code and services of processes. What a
 * source said is counted in two series,
 *
 *	obsring_log_seen_total{source}	before it is decided whether it is written
 *	obsring_log_kept_total{source}	when that was decided
 *
 * so that with what sampling dropped, and the other counts of the log, at rest
 *
 *	attempted = seen + lost{rate_limited}	(those of processes alone)
 *	seen      = kept + dropped
 *	kept      = stored + lost{nested}
 *
 * "stored" being obsring_log_records_total; summed over sources, each is exact.
 *
 * An entry is made once and stays until the module goes, so that a pointer to one
 * needs no reference, and finding one no lock. Kernel code's names, processes'
 * and those that a rule names have limits of their own: no process takes the
 * place of a kernel source. What has no entry is counted for the overflow entry:
 * a source past the limit, one whose name is no label value, one that is not made
 * yet.
 */
#ifndef OBSRING_LOGSOURCE_H
#define OBSRING_LOGSOURCE_H

#include <linux/list.h>

#include <linux/obsring.h>

#include "logring.h"
#include "sampler.h"

/**
 * struct obs_logsource - a source
 * @seen: its records
 * @kept: those of them that were not dropped
 * @sampler: its rules
 * @node: in the table of names
 * @origin: whose names @name is one of
 * @len: bytes of @name
 * @name: for a process without "user."
 */
struct obs_logsource {
	struct obs_counter seen;
	struct obs_counter kept;
	struct obs_sampler sampler;
	struct hlist_node node;
	enum obsring_origin origin;
	u32 len;
	char name[OBSRING_SOURCE_MAX + 1];
};

/* Counts what has no entry of its own; its rules are those of source "*". */
extern struct obs_logsource obs_logsource_any;

/* As users call it: "user.NAME", OBSRING_SOURCE_ANY. */
#define OBS_LOGSOURCE_TEXT	(OBSRING_SOURCE_MAX + sizeof("user."))

void obs_logsource_text(const struct obs_logsource *source, char *text);

/* The entry of @source by its name, or the overflow entry. Any context. */
struct obs_logsource *obs_logsource_learn(struct obs_log_source *source);

static __always_inline struct obs_logsource *
obs_logsource_kernel(struct obs_log_source *source)
{
	/* What is loaded through it depends on it; pairs with logsource_learn:A. */
	struct obs_logsource *known = READ_ONCE(source->known);

	return likely(known) ? known : obs_logsource_learn(source);
}

/* The entry of a process' service, made if need be. Process context, may sleep. */
struct obs_logsource *obs_logsource_user(const char *service, u32 len);

/*
 * What a rule names: found or made. -EINVAL: no source can have that name; -ENOSPC,
 * -ENOMEM. Process context, may sleep.
 */
struct obs_logsource *obs_logsource_rule(const char *text);

/* The same, if it is there; else NULL. */
struct obs_logsource *obs_logsource_find(const char *text);

/**
 * obs_logsource_keep() - count a record, and say whether it is to be written
 * @source: whose
 * @level: 0 to 7
 * @context: for which trace; NULL: none
 * @ret: how it was kept
 *
 * Context: any, NMI included.
 */
static __always_inline bool obs_logsource_keep(struct obs_logsource *source, u8 level,
					       const struct obs_context *context,
					       struct obs_sampled *ret)
{
	obs_counter_inc(&source->seen);
	if (!obs_sampler_keep(source, level, context, ret))
		return false;
	obs_counter_inc(&source->kept);
	return true;
}

/**
 * struct obs_logsource_limits - entries at most
 * @kernel: of names of kernel code
 * @user: of processes' services
 */
struct obs_logsource_limits {
	unsigned int kernel;
	unsigned int user;
};

int obs_logsource_init(const struct obs_logsource_limits *limits);
void obs_logsource_exit(void);

#endif /* OBSRING_LOGSOURCE_H */
