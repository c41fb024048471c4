/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread's trace context is where (include/obsring/context.h), and reading
 * the current one's. While no thread has registered nothing is hooked, and asking
 * costs a branch that is patched out.
 */
#ifndef OBSRING_CONTEXT_REGISTRY_H
#define OBSRING_CONTEXT_REGISTRY_H

#include <linux/jump_label.h>
#include <linux/types.h>

#include <linux/obsring.h>
#include <obsring/context.h>

DECLARE_STATIC_KEY_FALSE(obs_contexts);

bool __obs_context_get(struct obs_context *ret);

/* May any thread have a context? */
static __always_inline bool obs_contexts_any(void)
{
	return static_branch_unlikely(&obs_contexts);
}

/**
 * obs_context_get() - the context for which the current thread works
 * @ret: filled if there is one
 *
 * None outside task context, for threads of the kernel, and for workers that act
 * for a process (io_uring's, vhost's): who asked them is not known here.
 *
 * Context: any; never waits, and takes no fault.
 */
static __always_inline bool obs_context_get(struct obs_context *ret)
{
	return obs_contexts_any() && __obs_context_get(ret);
}

void __obs_context_observe(struct obs_histogram *h, u64 v);

/*
 * obs_histogram_observe() of what the current thread did or met: an exemplar of
 * its trace, if it has a context. Context: any.
 */
static __always_inline void obs_context_observe(struct obs_histogram *h, u64 v)
{
	if (obs_contexts_any())
		__obs_context_observe(h, v);
	else
		obs_histogram_observe(h, v);
}

/*
 * OBSRING_IOC_CONTEXT for the current thread; @address 0 ends it. Process context.
 */
int obs_context_register(u64 address);

/* @max: threads that may be registered at once. */
void obs_contexts_init(unsigned int max);

/* Behind all who ask or register. */
void obs_contexts_exit(void);

#endif /* OBSRING_CONTEXT_REGISTRY_H */
