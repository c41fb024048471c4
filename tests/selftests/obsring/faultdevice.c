// SPDX-License-Identifier: MIT
/* What the device and a service's descriptor are asked while faults are injected. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <obsring.h>

#include "faultop.h"
#include "module.h"
#include "service.h"

#define SERVICE		"fault"
#define RECORDS		3	/* in the log, to be read */

/* Of the operation that is under way. */
static int device = -1;
static void *mapped = MAP_FAILED;
static size_t mapped_bytes;
static struct obsring_attach attached;
static struct obsring_metric metric;
static struct obsring_context context;

/* ---- The device ---------------------------------------------------------- */

static int open_device(const struct operation *op)
{
	device = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return device < 0 ? -errno : 0;
}

static int close_device(const struct operation *op)
{
	return close(device) ? -errno : 0;
}

static void end_device(const struct operation *op)
{
	close(device);
}

static int try_open(const struct operation *op, struct attempt *attempt)
{
	fault_arm(attempt->nth);
	device = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	attempt->fault = fault_disarm();
	return device < 0 ? -errno : 0;
}

/* Far from all else, so that it has page tables of its own. */
#define FAR	((void *)(1UL << 44))

static int map_region(enum obsring_region_id id)
{
	struct obsring_header *header;
	struct obsring_region region;

	header = mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED, device, 0);
	if (header == MAP_FAILED)
		return -errno;
	region = header->region[id];
	munmap(header, (size_t)getpagesize());
	mapped_bytes = region.size;
	mapped = mmap(FAR, region.size, PROT_READ, MAP_SHARED, device, (off_t)region.offset);
	return mapped == MAP_FAILED ? -errno : 0;
}

static int unmap(const struct operation *op)
{
	return munmap(mapped, mapped_bytes) ? -errno : 0;
}

static int try_map(const struct operation *op, struct attempt *attempt)
{
	mapped_bytes = (size_t)getpagesize();
	fault_arm(attempt->nth);
	mapped = mmap(NULL, mapped_bytes, PROT_READ, MAP_SHARED, device, 0);
	attempt->fault = fault_disarm();
	return mapped == MAP_FAILED ? -errno : 0;
}

/* The memory is touched: a fault of it that fails is tried again by the kernel. */
static int try_touch(const struct operation *op, struct attempt *attempt)
{
	int r;

	r = open_device(op) ?: map_region(OBSRING_REGION_RINGS);
	if (r)
		return r;
	fault_arm(attempt->nth);
	attempt->seen = !!*(volatile uint64_t *)mapped;
	attempt->fault = fault_disarm();
	unmap(op);
	close_device(op);
	return 0;
}

/* ---- The log ------------------------------------------------------------- */

static ssize_t say(int fd, const char *what)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "<4>service=" SERVICE " %s\n", what);

	return write(fd, text, (size_t)len);
}

static int speak(const struct operation *op)
{
	int i, r = open_device(op);

	for (i = 0; !r && i < RECORDS; i++)
		r = say(device, "something") < 0 ? -errno : 0;
	close(device);
	return r;
}

static void end_log(const struct operation *op)
{
	module_reload("sources=none");
}

static int try_write(const struct operation *op, struct attempt *attempt)
{
	int r = open_device(op);

	if (r)
		return r;
	fault_arm(attempt->nth);
	r = say(device, "something") < 0 ? -errno : 0;
	attempt->fault = fault_disarm();
	close(device);
	return r;
}

static int undo_write(const struct operation *op)
{
	return module_reload("sources=none");
}

static ssize_t read_all(int fd)
{
	char text[4096];
	ssize_t n, sum = 0;

	while ((n = read(fd, text, sizeof(text))) > 0)
		sum += n;
	return n < 0 && errno != EAGAIN ? -errno : sum;
}

/* What a read that failed did not give, the next one gives: nothing is lost by it. */
static int try_read(const struct operation *op, struct attempt *attempt)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char text[4096];
	ssize_t n, rest;
	int r;

	if (fd < 0)
		return -errno;
	fault_arm(attempt->nth);
	n = read(fd, text, sizeof(text));
	r = n < 0 ? -errno : 0;
	attempt->fault = fault_disarm();
	rest = read_all(fd);
	attempt->seen = (unsigned long)((n > 0 ? n : 0) + rest);
	close(fd);
	return rest < 0 ? -EPIPE : r;
}

static int try_poll(const struct operation *op, struct attempt *attempt)
{
	struct pollfd p = { .events = POLLIN };
	int n;

	p.fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	if (p.fd < 0)
		return -errno;
	fault_arm(attempt->nth);
	n = poll(&p, 1, 0);
	n = n < 0 ? -errno : p.revents & POLLERR ? -ENOMEM : 0;
	attempt->fault = fault_disarm();
	close(p.fd);
	return n;
}

static int try_seek(const struct operation *op, struct attempt *attempt)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	fault_arm(attempt->nth);
	r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : 0;
	attempt->fault = fault_disarm();
	attempt->seen = (unsigned long)read_all(fd);
	close(fd);
	return r;
}

/* ---- Trace contexts ------------------------------------------------------ */

static int context_register(uint64_t address)
{
	return ioctl(device, OBSRING_IOC_CONTEXT, &address) ? -errno : 0;
}

static int try_context(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm(attempt->nth);
	r = context_register((uintptr_t)&context);
	attempt->fault = fault_disarm();
	return r;
}

static int undo_context(const struct operation *op)
{
	return context_register(0);
}

/* ---- Services ------------------------------------------------------------ */

static int delete_service(void)
{
	struct obs_control *control;
	int r = obs_control_open(&control);

	if (r)
		return r;
	r = obs_service_delete(control, -1, SERVICE, geteuid());
	obs_control_close(control);
	return r;
}

static int attach(void)
{
	memset(&attached, 0, sizeof(attached));
	attached.size = sizeof(attached);
	strcpy(attached.name, SERVICE);
	return ioctl(device, OBSRING_IOC_ATTACH, &attached) ? -errno : 0;
}

static int map_service(void)
{
	mapped_bytes = attached.map_bytes;
	mapped = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, attached.fd, 0);
	return mapped == MAP_FAILED ? -errno : 0;
}

static int try_attach(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm(attempt->nth);
	r = attach();
	attempt->fault = fault_disarm();
	return r;
}

static int undo_attach(const struct operation *op)
{
	close(attached.fd);
	return delete_service();
}

static int make_attached(const struct operation *op)
{
	return open_device(op) ?: attach();
}

static void end_attached(const struct operation *op)
{
	undo_attach(op);
	close(device);
}

static int try_member(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm(attempt->nth);
	r = map_service();
	attempt->fault = fault_disarm();
	return r;
}

static int make_member(const struct operation *op)
{
	return make_attached(op) ?: map_service();
}

static void end_member(const struct operation *op)
{
	unmap(op);
	end_attached(op);
}

/* kind of the subject, with a label's value if it ends with one */
static void metric_make(const char *subject)
{
	static char text[128];
	size_t len = (size_t)sprintf(text, "t_fault_%s%ch%c", subject, 0, 0) + 1;

	memset(&metric, 0, sizeof(metric));
	metric.size = sizeof(metric);
	metric.kind = OBSRING_KIND_COUNTER;
	if (!strcmp(subject, "gauge"))
		metric.kind = OBSRING_KIND_GAUGE;
	if (!strcmp(subject, "states")) {
		metric.kind = OBSRING_KIND_STATE;
		metric.nr_states = 2;
	}
	if (!strcmp(subject, "histogram")) {
		metric.kind = OBSRING_KIND_HISTOGRAM;
		metric.exp10 = -9;
		metric.schema = 3;
		metric.min_log2 = -20;
		metric.max_log2 = 5;
	}
	if (!strcmp(subject, "labelled")) {
		metric.nr_labels = 1;
		len += (size_t)sprintf(text + len, "l%cv", 0) + 1;
	}
	if (!strcmp(subject, "states"))
		len += (size_t)sprintf(text + len, "off%con", 0) + 1;
	metric.text_len = (uint32_t)len;
	metric.text = (uintptr_t)text;
}

static int make_metric(const char *subject)
{
	metric_make(subject);
	return ioctl(attached.fd, OBSRING_IOC_METRIC, &metric) ? -errno : 0;
}

static int try_metric(const struct operation *op, struct attempt *attempt)
{
	int r;

	metric_make(op->subject);
	fault_arm(attempt->nth);
	r = ioctl(attached.fd, OBSRING_IOC_METRIC, &metric) ? -errno : 0;
	attempt->fault = fault_disarm();
	return r;
}

/* A series of a service goes with it alone. */
static int undo_metric(const struct operation *op)
{
	unmap(op);
	undo_attach(op);
	return attach() ?: map_service();
}

/* The first touch of a gauge makes this address space's share of it. */
static int try_share(const struct operation *op, struct attempt *attempt)
{
	size_t pages = (size_t)attached.value_pages * (attached.nr_cpus + 1);
	volatile uint64_t *slot;
	int r = map_service() ?: make_metric("gauge");

	if (r)
		return r;
	slot = (uint64_t *)((char *)mapped + (pages + metric.page) * (size_t)getpagesize());
	fault_arm(attempt->nth);
	slot[metric.slot]++;
	attempt->fault = fault_disarm();
	attempt->seen = slot[metric.slot];
	return 0;
}

static int undo_share(const struct operation *op)
{
	unmap(op);
	undo_attach(op);
	return attach();
}

/* The child becomes a member with the fork, and is none when it is gone. */
static int try_fork(const struct operation *op, struct attempt *attempt)
{
	int status = 0, r = 0;
	pid_t pid;

	fault_arm(attempt->nth);
	pid = fork();
	if (!pid)
		_exit(0);
	if (pid < 0)
		r = -errno;
	attempt->fault = fault_disarm();
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	return status ? -EPIPE : r;
}

static int try_detach(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm(attempt->nth);
	r = munmap(mapped, mapped_bytes) ? -errno : 0;
	attempt->fault = fault_disarm();
	return r;
}

static int undo_detach(const struct operation *op)
{
	return map_service();
}

const struct operation device_operations[] = {
	{ "device: open", NULL, NULL, try_open, close_device },
	{ "device: map", NULL, open_device, try_map, unmap, end_device, .brief = true },
	{ "device: touch", NULL, NULL, try_touch },
	{ "log: write", NULL, NULL, try_write, undo_write, NULL,
	  { "_total \"user.fault\"", "sampler's " } },
	{ "log: read", NULL, speak, try_read, NULL, end_log },
	{ "log: poll", NULL, speak, try_poll, NULL, end_log },
	{ "log: seek", NULL, speak, try_seek, NULL, end_log },
	{ "context: register", NULL, open_device, try_context, undo_context, end_device },
	{ "service: attach", NULL, open_device, try_attach, undo_attach, end_device,
	  { "obsring_service_members \"fault\"" } },
	{ "service: map", NULL, make_attached, try_member, unmap, end_attached },
	{ "service: counter", "counter", make_member, try_metric, undo_metric, end_member },
	{ "service: labelled counter", "labelled", make_member, try_metric, undo_metric,
	  end_member, { "t_fault_labelled \"fault\" \"0\" \"v\"" } },
	{ "service: gauge", "gauge", make_member, try_metric, undo_metric, end_member },
	{ "service: histogram", "histogram", make_member, try_metric, undo_metric, end_member,
	  .brief = true },
	{ "service: states", "states", make_member, try_metric, undo_metric, end_member },
	{ "service: share", NULL, make_attached, try_share, undo_share, end_attached,
	  { "services's 2" } },	/* the first is what members have in common */
	{ "service: fork", NULL, make_member, try_fork, NULL, end_member },
	{ "service: detach", NULL, make_member, try_detach, undo_detach, end_member },
	{ NULL }
};
