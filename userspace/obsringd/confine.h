/* SPDX-License-Identifier: MIT */
/*
 * What the daemon can't do once it serves, whatever it is made to do: a filter of
 * system calls, for all threads that come. It opens files for reading alone, makes no
 * connection, starts no program, and no memory becomes code.
 */
#ifndef OBSRINGD_CONFINE_H
#define OBSRINGD_CONFINE_H

#include <stdbool.h>

/*
 * From the one thread there is. @unlinks: it has files to remove. @updates: it may open
 * files that are there for writing. @appends: it may open them to append to: the
 * device, to log. -errno.
 */
int confine(bool unlinks, bool updates, bool appends);

#endif /* OBSRINGD_CONFINE_H */
