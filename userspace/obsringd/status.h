/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/status: build, flags and state of the daemon, as JSON.
 */
#ifndef OBSRINGD_STATUS_H
#define OBSRINGD_STATUS_H

#include "daemon.h"

void status_write(struct daemon *daemon, struct text *json);

#endif /* OBSRINGD_STATUS_H */
