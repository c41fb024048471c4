/* SPDX-License-Identifier: MIT */
/* Between execute.c and netlink.c. */
#ifndef OBS_FUZZ_EXECUTE_H
#define OBS_FUZZ_EXECUTE_H

struct call;
struct program;

void netlink_begin(void);
void netlink_send(const struct call *call);
void netlink_listen(void);
void netlink_end(const struct program *program);

#endif
