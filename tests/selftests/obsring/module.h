/* SPDX-License-Identifier: MIT */
/* Loading and unloading kernel modules, as a test means it: each failure told. */
#ifndef SELFTEST_MODULE_H
#define SELFTEST_MODULE_H

#include <stdbool.h>

#define OBSRING_GROUP	978	/* of the device, in the guest */

/*
 * Load /lib/modules/obsring/NAME.ko: 0 or -errno. For obsring itself the
 * device's group and mode are set as its udev rule does.
 */
int module_load(const char *name, const char *parameters);

/* The same from @path: another build of the module @name. */
int module_load_file(const char *path, const char *name, const char *parameters);

/* Unload without waiting: 0; -EWOULDBLOCK while it is in use; -ENOENT. */
int module_unload(const char *name);

bool module_loaded(const char *name);

/* obsring with other parameters: 0, or -errno of the step that failed. */
int module_reload(const char *parameters);

/* A parameter of a loaded module. */
int module_parameter_write(const char *module, const char *name, const char *value);

#endif /* SELFTEST_MODULE_H */
