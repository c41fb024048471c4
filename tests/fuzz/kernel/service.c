// SPDX-License-Identifier: MIT
/* What the members of a service do. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/obsring.h>

#include "execute.h"

static uint64_t service_bytes;	/* of the last that was attached to */

void do_attach(const struct call *call)
{
	struct obsring_attach *attach = data_of(call);
	bool other = !geteuid() && call->a;
	int ret;

	if (other)
		as_other(call->a, call->a);
	ret = ioctl(DEVICE_FD(call->slot), OBSRING_IOC_ATTACH, attach);
	if (other)
		as_other(0, 0);
	if (ret)
		return;
	service_bytes = attach->map_bytes;
	give(attach->fd, SERVICE_FD(call->slot));
}

/* a: pages of offset; b: other bytes than all. */
void do_join(const struct call *call)
{
	struct mapping *mapping = &joined[call->slot % JOINED];
	size_t bytes = call->b ? call->b & 0xfffff : service_bytes;
	void *at;

	unmap(mapping);
	at = mmap(NULL, bytes, call->flags & 7, call->flags & 0x100 ? MAP_PRIVATE : MAP_SHARED,
		  SERVICE_FD(call->slot), call->a % 16 * PAGE);
	if (at != MAP_FAILED)
		*mapping = (struct mapping){ at, bytes };
}

void do_metric(const struct call *call)
{
	struct obsring_metric *m = (void *)low;
	uint32_t bounds;

	memcpy(low, call->data, call->size);
	bounds = m->nr_bounds < 200 ? m->nr_bounds * 8 : 0;
	m->bounds = (uintptr_t)(m + 1);
	m->text = call->flags & CALL_FAULT ? (uintptr_t)(low + LOW_BYTES - 4) : m->bounds + bounds;
	if (call->flags & CALL_FAULT && m->nr_bounds)
		m->bounds = (uintptr_t)(low + LOW_BYTES - 4);
	/* What follows the text is no more of it than a program's memory is. */
	memset(low + call->size, 0, PAGE);
	ioctl(SERVICE_FD(call->slot), OBSRING_IOC_METRIC, m);
}

/* flags: 1: from the end on, where share pages are. */
void do_count(const struct call *call)
{
	struct mapping *mapping = &joined[call->slot % JOINED];
	uint64_t at = call->flags & 1 ? mapping->bytes / PAGE - 1 - call->a % 4 : call->a;

	touch(mapping, at, 1 + call->b % 8, true);
}

void do_leave(const struct call *call)
{
	unmap(&joined[call->slot % JOINED]);
}

/*
 * A member that is born so; it reads the device's mappings as well. flags: 1: it
 * writes; 2: it has a context of its own, which its exit ends, or 4: exec.
 */
void do_fork(const struct call *call)
{
	uint64_t address = (uintptr_t)context;
	pid_t child = fork();
	int i;

	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	if (child)
		return;
	if (child_kcov)
		kcov_enable(child_kcov, false);
	for (i = 0; i < JOINED; i++)
		touch(&joined[i], call->a, 1 + call->b % 8, true);
	for (i = 0; i < MAPS; i++)
		touch(&maps[i], call->a, 1, false);
	if (call->flags & 2) {
		memset(context, 1, sizeof(*context));
		context->sequence = 2;
		ioctl(DEVICE_FD(call->slot), OBSRING_IOC_CONTEXT, &address);
	}
	if (call->flags & 1 && write(DEVICE_FD(call->slot), "forked", 6) < 0)
		errno = 0;
	if (call->flags & 4)
		execl("/bin/true", "true", NULL);
	_exit(0);
}
