/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Granules of the TEXT region: names, help, label values. Called under the
 * registry's mutex.
 */
#ifndef OBSRING_TEXT_H
#define OBSRING_TEXT_H

#include <linux/types.h>

#define OBS_TEXT_MAX	4096	/* bytes of one text */

void obs_text_exit(void);

/*
 * Copy @len bytes, 1 to OBS_TEXT_MAX, into free granules. -ENOSPC, -ENOMEM.
 * Freed only after the entry that owned the text was retired and told.
 */
int obs_text_alloc(const void *text, u32 len, u32 *ret_granule);
void obs_text_free(u32 granule, u32 len);

#endif /* OBSRING_TEXT_H */
