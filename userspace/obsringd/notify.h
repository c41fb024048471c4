/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGD_NOTIFY_H
#define OBSRINGD_NOTIFY_H

/*
 * Tell the service manager, if one listens: sd_notify(3)'s protocol. @state is
 * "READY=1" or the like.
 */
void notify(const char *state);

/* RELOADING=1; READY=1 ends it. */
void notify_reloading(void);

#endif /* OBSRINGD_NOTIFY_H */
