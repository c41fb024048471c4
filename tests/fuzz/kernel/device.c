// SPDX-License-Identifier: MIT
/* Calls on the device, and what its sources tell of. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <linux/obsring.h>

#include "execute.h"

#define IOCTL_COMPAT	54	/* its number in the table of 32-bit programs */

void do_open(const struct call *call)
{
	bool other = !geteuid() && call->a;

	if (other)
		as_other(call->a, 0);
	give(open(OBSRING_DEVICE, (call->flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC),
	     DEVICE_FD(call->slot));
	if (other)
		as_other(0, 0);
}

void do_write(const struct call *call)
{
	uint8_t *data = data_of(call);
	uint32_t size = call->size, i, n = call->a % 64;

	for (i = 1; i < n && !(call->flags & CALL_FAULT) && size + call->size < LOW_BYTES; i++) {
		memcpy(low + size, call->data, call->size);
		size += call->size;
	}
	if (write(DEVICE_FD(call->slot), data, size) < 0)
		return;
}

/* Blocking, if the file is so: a timer ends it. */
void do_read(const struct call *call)
{
	struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, never = { };
	int fd = DEVICE_FD(call->slot), flags = fcntl(fd, F_GETFL);
	void *data = call->flags & CALL_FAULT ? low + LOW_BYTES - 8 : low;

	fcntl(fd, F_SETFL, call->op == OP_WAIT ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
	if (call->op == OP_WAIT)
		setitimer(ITIMER_REAL, &soon, NULL);
	if (read(fd, data, call->a % (LOW_BYTES - PAGE)) < 0)
		errno = 0;
	if (call->op == OP_WAIT)
		setitimer(ITIMER_REAL, &never, NULL);
}

void do_poll(const struct call *call)
{
	struct pollfd fd = { .fd = DEVICE_FD(call->slot), .events = call->a };

	poll(&fd, 1, call->b & 1);
}

void do_epoll(const struct call *call)
{
	struct epoll_event event = { .events = call->a | (call->b & 1 ? EPOLLET : 0) };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(fd, EPOLL_CTL_ADD, DEVICE_FD(call->slot), &event);
	epoll_wait(fd, &event, 1, 0);
	event.events = EPOLLIN | EPOLLPRI;
	epoll_ctl(fd, EPOLL_CTL_MOD, DEVICE_FD(call->slot), &event);
	epoll_wait(fd, &event, 1, 1);
	close(fd);
}

/* As a 32-bit program would, which a 64-bit one can. */
static void ioctl_compat(int fd, uint32_t cmd, void *data)
{
	long ret = IOCTL_COMPAT;

	asm volatile("int $0x80" : "+a"(ret) : "b"((long)fd), "c"((long)cmd), "d"(data)
		     : "memory", "r8", "r9", "r10", "r11");
}

void do_ioctl(const struct call *call)
{
	int fd = call->b == 1 ? SERVICE_FD(call->slot) : DEVICE_FD(call->slot);
	struct call fixed = *call;
	void *data;

	/* The bit is a command's direction as well. */
	fixed.flags = call->b == 2 ? CALL_FAULT : 0;
	data = data_of(&fixed);
	if (call->op == OP_COMPAT)
		ioctl_compat(fd, call->flags, data);
	else
		ioctl(fd, call->flags, data);
}

/* a: 1: the right address, 0: none more; else that one. */
void do_context(const struct call *call)
{
	uint64_t address = call->a == 1 ? (uintptr_t)context : call->a;

	memcpy(context, call->data, sizeof(*context));
	ioctl(DEVICE_FD(call->slot), OBSRING_IOC_CONTEXT, &address);
}

void do_close(const struct call *call)
{
	close(call->a & 1 ? SERVICE_FD(call->slot) : DEVICE_FD(call->slot));
}

void do_seek(const struct call *call)
{
	lseek(DEVICE_FD(call->slot), call->a, call->flags & 7);
}

/* flags: 1: where they sleep; 2: a field that is to be 0 is not. a: room; b: of whom. */
void do_ask(const struct call *call)
{
	uint32_t pid = call->b & 1 ? (uint32_t)getpid() : call->b & 2 ? call->b >> 8 : 0;
	uint64_t room = (uintptr_t)low + (call->flags & CALL_FAULT ? LOW_BYTES - 64 : PAGE);
	struct obsring_processes processes = {
		.size = call->b & 4 ? call->b >> 8 : sizeof(processes), .pid = pid,
		.nr = call->a % 64, .reserved = !!(call->flags & 2), .process = room,
	};
	struct obsring_sleepers sleepers = {
		.size = call->b & 4 ? call->b >> 8 : sizeof(sleepers), .pid = pid,
		.nr = call->a % 64, .reserved = !!(call->flags & 2), .group = room,
	};

	if (call->flags & 1)
		ioctl(DEVICE_FD(call->slot), OBSRING_IOC_SLEEPERS, &sleepers);
	else
		ioctl(DEVICE_FD(call->slot), OBSRING_IOC_PROCESSES, &processes);
}

/* What source netdrop tells of, in the task itself. */
void do_drop(const struct call *call)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return;
	if (send(pair[0], call->data, 1 + call->size % 64, MSG_DONTWAIT) < 0)
		errno = 0;
	close(pair[1]);
	close(pair[0]);
}

/* What source printk does. */
void do_kmsg(const struct call *call)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	dprintf(fd, "<%u>fuzz %llx", (unsigned int)call->a % 200, (unsigned long long)call->b);
	close(fd);
}

static void cpu_set(const char *online)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC);

	if (write(fd, online, 1) < 0)
		errno = 0;
	close(fd);
}

/* A CPU goes and comes back. */
void do_hotplug(const struct call *call)
{
	cpu_set("0");
	cpu_set("1");
}
