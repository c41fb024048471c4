/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: probes on the kernel's own tracepoints. Most of these are not exported,
 * and are found by name.
 */
#ifndef OBSRING_HOOK_H
#define OBSRING_HOOK_H

#include <linux/tracepoint.h>

/**
 * struct obs_hook - a tracepoint and what is called for it
 * @name: of the tracepoint
 * @probe: function of the tracepoint's prototype, with void *data before; its
 *	type is checked where OBS_HOOK_CHECK() stands
 * @tp: set by obs_hooks_find(); NULL if this kernel lacks it
 */
struct obs_hook {
	const char *name;
	void *probe;
	struct tracepoint *tp;
};

/* Finding by name forgets the type: here another prototype is a build error. */
#define OBS_HOOK_CHECK(_tp, _probe)					\
	static void __maybe_unused _probe##_check(void)		\
	{								\
		check_trace_callback_type_##_tp(_probe);		\
	}

/* All of it in process context, may sleep. */

/* Find their tracepoints. Return: the first that this kernel lacks, or NULL. */
const struct obs_hook *obs_hooks_find(struct obs_hook *hooks, unsigned int nr);

/* Set all, or none. Return: 0 or -errno. */
int obs_hooks_set(const struct obs_hook *hooks, unsigned int nr);

/* Of many, all are unset before it is waited, once, until no probe runs any more. */
void obs_hooks_unset(const struct obs_hook *hooks, unsigned int nr);
void obs_hooks_wait(void);

/* Returns when no probe runs any more. */
void obs_hooks_remove(const struct obs_hook *hooks, unsigned int nr);

#endif /* OBSRING_HOOK_H */
