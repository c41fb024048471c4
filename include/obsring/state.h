/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Versioned state: what an object of many processes is in (an order is paid, a
 * shard is leading), one word, without a lock.
 *
 *      version << 8 | state            0: nothing was set yet
 *
 * Any number of threads and processes update it. An update is made by exchanging
 * the word against a greater version, so the versions of a word only grow: what was
 * set once never comes back (no ABA), and of two updates the one of the greater
 * version stays, in whatever order they arrive. Who gave out the version, a database
 * or a log, says what comes after what.
 *
 * Lock-free: an exchange fails only if another update was made.
 *
 *   state_update:A  release of the word    what the updater wrote before it ...
 *   state_get:B     acquire of the word    ... is seen by who reads that state
 */
#ifndef _OBSRING_STATE_H
#define _OBSRING_STATE_H

#include <linux/obsring.h>
#include "platform.h"

static inline __u64 obs_state_version(__u64 word)
{
	return word >> 8;
}

static inline __u8 obs_state_state(__u64 word)
{
	return (__u8)word;
}

static inline __u64 obs_state_word_get(const __u64 *word)
{
	/* state_get:B, pairs with state_update:A */
	return obs_load_acquire(word);
}

/**
 * obs_state_word_update() - set the state that @version has
 * @word: of the object
 * @version: 1 to OBS_STATE_VERSION_MAX
 * @state: 0 to OBS_STATE_MAX
 *
 * Context: any.
 */
static inline enum obs_state_result obs_state_word_update(__u64 *word,
							  __u64 version, __u8 state)
{
	__u64 old = obs_read_once(word);

	do {
		if (obs_state_version(old) > version)
			return OBS_STATE_STALE;
		if (obs_state_version(old) == version)
			return obs_state_state(old) == state ? OBS_STATE_STALE :
							       OBS_STATE_CONFLICT;
		/* state_update:A, pairs with state_get:B */
	} while (!obs_try_cmpxchg_release(word, &old, version << 8 | state));
	return old ? OBS_STATE_UPDATED : OBS_STATE_INSERTED;
}

#endif /* _OBSRING_STATE_H */
