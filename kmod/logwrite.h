/* SPDX-License-Identifier: GPL-2.0-only */
/* write(2) to the device: records of processes. See logwrite.c. */
#ifndef OBSRING_LOGWRITE_H
#define OBSRING_LOGWRITE_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct obs_logwriter;

/* For a file that @uid opened. NULL: no memory. */
struct obs_logwriter *obs_logwriter_new(kuid_t uid);
void obs_logwriter_free(struct obs_logwriter *writer);

/*
 * A record for each line of it. Return: @count, or what was taken before a
 * fatal signal or a bad address; -EFAULT, -ERESTARTSYS.
 */
ssize_t obs_logwriter_write(struct obs_logwriter *writer, const char __user *buf,
			    size_t count);

void obs_logwrite_exit(void);

#endif /* OBSRING_LOGWRITE_H */
