/* SPDX-License-Identifier: GPL-2.0-only */
/* The log as text, for read(2) and poll(2). See logread.c. */
#ifndef OBSRING_LOGREAD_H
#define OBSRING_LOGREAD_H

#include <linux/fs.h>
#include <linux/poll.h>

struct obs_logreader;

/* At the oldest record. NULL: no memory. Freed with obs_logreader_free(). */
struct obs_logreader *obs_logreader_new(void);
void obs_logreader_free(struct obs_logreader *reader);

/*
 * As read(2): whole or partial lines. @wait: until there is one. 0 while the
 * module is draining and all has been read. -EAGAIN, -ERESTARTSYS, -EFAULT.
 */
ssize_t obs_logreader_read(struct obs_logreader *reader, char __user *buf,
			   size_t count, bool wait);

/*
 * Register who polls, before it looks, whatever it asks for now. It is the only
 * queue of the device: not all that poll can wait in two.
 */
void obs_logread_poll_wait(struct file *file, poll_table *wait);

/* EPOLLIN if a read would not wait. */
__poll_t obs_logreader_poll(struct obs_logreader *reader);

/* To the oldest record, or behind the newest. -ERESTARTSYS. */
int obs_logreader_seek(struct obs_logreader *reader, bool oldest);

/* A record was committed on this CPU. Any context, NMI included; preemption off. */
void obs_logread_wake(void);

/* Wake all who read, and who poll for one of @events. Process context. */
void obs_logread_wake_all(__poll_t events);

int obs_logread_init(void);

/* Nobody writes or reads any more. */
void obs_logread_exit(void);

#endif /* OBSRING_LOGREAD_H */
