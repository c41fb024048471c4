/* SPDX-License-Identifier: MIT */
/*
 * Each access of the headers in include/obsring/ is a place where something may happen:
 * after so many of them, what is set here is called. To be included before any of those.
 */
#ifndef TESTS_HOOK_H
#define TESTS_HOOK_H

#include <obsring/platform.h>

extern struct hook {
	unsigned int left;		/* accesses until it is called; 0: never */
	void (*call)(void *context);
	void *context;
} hook;

void hook_set(unsigned int after, void (*call)(void *context), void *context);

static inline void step(void)
{
	if (hook.left && !--hook.left)
		hook.call(hook.context);
}

#undef obs_read_once
#undef obs_write_once
#undef obs_load_acquire
#undef obs_store_release
#define obs_read_once(p) (step(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define obs_write_once(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define obs_write_pair(to, from) \
	(obs_write_once(&(to)[0], (from)[0]), obs_write_once(&(to)[1], (from)[1]))
#define obs_load_acquire(p) (step(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define obs_store_release(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))

#endif /* TESTS_HOOK_H */
