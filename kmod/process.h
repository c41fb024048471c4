/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What processes hold and where tasks sleep, for who has the device open: section 9
 * of the uapi header. Nothing is kept here: each question walks the processes, in
 * steps between which others run, and source/process.c says whether it may be asked.
 */
#ifndef OBSRING_PROCESS_H
#define OBSRING_PROCESS_H

/* Process context. Answer from now on; from now on, and when this returns, no more. */
int obs_process_start(void);
void obs_process_stop(void);

/* Process context; @arg as the ioctl of that name has it. Return: 0 or -errno. */
int obs_process_list(unsigned long arg);
int obs_process_sleepers(unsigned long arg);

#endif /* OBSRING_PROCESS_H */
