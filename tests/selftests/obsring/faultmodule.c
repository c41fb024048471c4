// SPDX-License-Identifier: MIT
/* Modules are loaded and unloaded while faults are injected. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "faultop.h"
#include "module.h"

/* obsring with all that a load makes. */
static const char *parameters_of(const char *module)
{
	return strcmp(module, "obsring") ? "" : "sources=all";
}

static int image_open(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/lib/modules/obsring/%s.ko", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int try_load(const struct operation *op, struct attempt *attempt)
{
	const char *parameters = parameters_of(op->subject);
	int fd = image_open(op->subject);
	int r;

	if (fd < 0)
		return -errno;
	fault_arm(attempt->nth);
	r = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	attempt->fault = fault_disarm();
	close(fd);
	return r;
}

static int try_unload(const struct operation *op, struct attempt *attempt)
{
	int r;

	fault_arm(attempt->nth);
	r = module_unload(op->subject);
	attempt->fault = fault_disarm();
	return r;
}

static int load(const struct operation *op)
{
	return module_load(op->subject, parameters_of(op->subject));
}

static int unload(const struct operation *op)
{
	return module_unload(op->subject);
}

/* Without obsring, and with it as it was. */
static int leave(const struct operation *op)
{
	return module_unload("obsring");
}

static void come_back(const struct operation *op)
{
	module_reload("sources=none");
}

static int make_all(const struct operation *op)
{
	return module_reload(parameters_of(op->subject));
}

/* Nobody uses obsring behind it. */
static void leave_without(const struct operation *op)
{
	module_unload(op->subject);
}

const struct operation module_operations[] = {
	{ "load", "obsring", leave, try_load, unload, come_back },
	{ "unload", "obsring", make_all, try_unload, load, come_back },
	{ "producer: load", "obsring_example", NULL, try_load, unload },
	{ "producer: unload", "obsring_example", load, try_unload, load, leave_without },
	{ NULL }
};
