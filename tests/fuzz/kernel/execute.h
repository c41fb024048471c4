/* SPDX-License-Identifier: MIT */
/* Between execute.c and netlink.c. */
#ifndef OBS_FUZZ_EXECUTE_H
#define OBS_FUZZ_EXECUTE_H

#include "fuzz.h"

void netlink_begin(enum role role);
void netlink_send(const struct call *call);
void netlink_listen(void);
void netlink_as(enum role role);
void netlink_end(const struct program *program);

#endif
