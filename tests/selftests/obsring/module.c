// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/obsring.h>

#include "await.h"
#include "file.h"
#include "module.h"

static int device_permit(void)
{
	if (chown(OBSRING_DEVICE, 0, OBSRING_GROUP) ||
	    chmod(OBSRING_DEVICE, 0660))
		return -errno;
	return 0;
}

int module_load_file(const char *path, const char *name, const char *parameters)
{
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	if (!r && !strcmp(name, "obsring"))
		r = device_permit();
	return r;
}

int module_load(const char *name, const char *parameters)
{
	char path[128];

	snprintf(path, sizeof(path), "/lib/modules/obsring/%s.ko", name);
	return module_load_file(path, name, parameters);
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

bool module_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

int module_reload(const char *parameters)
{
	int r = module_unload("obsring");

	if (r && r != -ENOENT)
		return r;
	return module_load("obsring", parameters);
}

int module_parameter_write(const char *module, const char *name, const char *value)
{
	char path[192];

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	return file_write(path, value);
}
