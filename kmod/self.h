/* SPDX-License-Identifier: GPL-2.0-only */
/* The registry's own metrics. */
#ifndef OBSRING_SELF_H
#define OBSRING_SELF_H

#include "metric.h"

extern struct obs_counter obs_self_refused[OBS_REFUSED_NR];
extern struct obs_counter obs_self_exemplars_refused;
extern struct obs_counter obs_self_shares_refused;

int obs_self_init(void);
void obs_self_exit(void);

/* A limit below our own series is no reason not to load: they overflow. */
int obs_self_attached(int ret);

/* Show the memory in use, after it changed. Under the registry's mutex. */
void obs_self_memory(void);

#endif /* OBSRING_SELF_H */
