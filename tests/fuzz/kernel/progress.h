/* SPDX-License-Identifier: MIT */
/* Between main.c and progress.c. */
#ifndef OBS_FUZZ_PROGRESS_H
#define OBS_FUZZ_PROGRESS_H

#include <stdbool.h>

void progress_begin(void);
void progress_tell(bool anyhow);
void progress_look(void);
void progress_end(void);

#endif
