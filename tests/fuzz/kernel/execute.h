/* SPDX-License-Identifier: MIT */
/* Between execute.c and what calls do: device.c, mapping.c, service.c, netlink.c. */
#ifndef OBS_FUZZ_EXECUTE_H
#define OBS_FUZZ_EXECUTE_H

#include "fuzz.h"

#define PAGE		4096
#define LOW_BYTES	(64 << 10)
#define MAPS		4
#define JOINED		2

struct obsring_context;

/* Of the device, and of services. */
extern struct mapping {
	uint8_t *at;
	size_t bytes;
} maps[MAPS], joined[JOINED];

/* Memory that 32-bit programs could name; behind it is a page of nothing. */
extern uint8_t *low;
/* In the last page of it. */
extern struct obsring_context *context;
/* The call has a fault to come. */
extern bool failing;
/* Of what it forks. */
extern struct kcov *child_kcov;

/* execute.c */
void *data_of(const struct call *call);
void give(int from, int to);
void as_other(uid_t real, uid_t effective);

/* mapping.c */
void mapping_begin(void);
void mapping_end(void);
void unmap(struct mapping *mapping);
void touch(struct mapping *mapping, uint64_t at, uint32_t pages, bool write);

/* netlink.c */
void netlink_begin(enum role role);
void netlink_as(enum role role);
void netlink_end(const struct program *program);

/* What calls do: enum op. */
void do_open(const struct call *call);
void do_close(const struct call *call);
void do_write(const struct call *call);
void do_read(const struct call *call);
void do_poll(const struct call *call);
void do_epoll(const struct call *call);
void do_seek(const struct call *call);
void do_ioctl(const struct call *call);
void do_context(const struct call *call);
void do_ask(const struct call *call);
void do_drop(const struct call *call);
void do_kmsg(const struct call *call);
void do_hotplug(const struct call *call);
void do_map(const struct call *call);
void do_unmap(const struct call *call);
void do_remap(const struct call *call);
void do_protect(const struct call *call);
void do_touch(const struct call *call);
void do_attach(const struct call *call);
void do_join(const struct call *call);
void do_metric(const struct call *call);
void do_count(const struct call *call);
void do_leave(const struct call *call);
void do_fork(const struct call *call);
void do_request(const struct call *call);
void do_listen(const struct call *call);

#endif
