// SPDX-License-Identifier: MIT
/* The kernel, the module in it, and the device, as files show them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define MODULE		"/sys/module/obsring"
#define TAINTED		"/proc/sys/kernel/tainted"
#define SIG_ENFORCE	"/sys/module/module/parameters/sig_enforce"
#define EFI		"/sys/firmware/efi"
/* The variable's name ends with the GUID of those that UEFI itself defines. */
#define SECURE_BOOT	EFI "/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define SECURITY	"/sys/kernel/security"
#define CLOCK		"/sys/devices/system/clocksource/clocksource0"

/* Bits of the kernel's taint, and their letters in the module's own. */
#define TAINT_FORCED_BIT	1
#define TAINT_UNSIGNED_BIT	13

#define SIGN_IT	"have it signed by an enrolled key: DKMS signs with its own, which " \
		"mokutil --import /var/lib/dkms/mok.pub enrols at the next boot"

/* Up to @size bytes of it: how many, or -errno. */
static ssize_t file_read(const struct doctor *doctor, const char *path, char *bytes,
			 size_t size)
{
	char whole[512];
	ssize_t n;
	int fd;

	if (snprintf(whole, sizeof(whole), "%s%s", doctor->root, path) >=
	    (int)sizeof(whole))
		return -ENAMETOOLONG;
	fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, bytes, size);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

int doctor_line(const struct doctor *doctor, const char *path, char *line, size_t size)
{
	ssize_t n = file_read(doctor, path, line, size - 1);

	if (n < 0)
		return (int)n;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	return 0;
}

static bool is_there(const struct doctor *doctor, const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", doctor->root, path);
	return !access(whole, F_OK);
}

bool doctor_module_loaded(const struct doctor *doctor)
{
	return doctor->info || (doctor->header && !doctor->hosted) ||
	       is_there(doctor, MODULE);
}

static bool is_draining(const struct doctor *doctor)
{
	return doctor->open_error == -ESHUTDOWN ||
	       (doctor->info && doctor->info->state == OBSRING_STATE_DRAINING);
}

void doctor_module(struct doctor *doctor)
{
	char state[32], taint[32];

	if (!doctor_module_loaded(doctor)) {
		doctor_tell(doctor, DOCTOR_ERROR,
			    "load it: modprobe obsring (or insmod obsring.ko); where there "
			    "can be no module, obsringctl segment create makes a file for --device",
			    "the module is not loaded");
		return;
	}
	if (!doctor_line(doctor, MODULE "/initstate", state, sizeof(state)) &&
	    strcmp(state, "live")) {
		doctor_tell(doctor, DOCTOR_WARNING,
			    "try again; if it stays so, dmesg says where it hangs",
			    "the module is neither there nor gone: %s", state);
		return;
	}
	if (is_draining(doctor)) {
		doctor_tell(doctor, DOCTOR_ERROR,
			    "unload it, rmmod obsring, or take that back: obsringctl drain --undo",
			    "the module is being drained: nobody may open the device");
		return;
	}
	if (doctor_line(doctor, MODULE "/taint", taint, sizeof(taint)) || !*taint)
		doctor_tell(doctor, DOCTOR_OK, NULL, "the module is loaded");
	else
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "the module is loaded, and the kernel tainted by it: %s (O: from "
			    "outside its tree, E: no trusted signature)", taint);
}

/* ---- Its signature, and what the kernel makes of one ---------------------- */

/*
 * Is the module tainted so? Its own letters say; without them the kernel's bits, which
 * may come from another module.
 */
static bool is_tainted(const struct doctor *doctor, char letter, unsigned int bit,
		       bool *ret_own)
{
	char text[64];

	*ret_own = !doctor_line(doctor, MODULE "/taint", text, sizeof(text));
	if (*ret_own)
		return strchr(text, letter);
	if (doctor_line(doctor, TAINTED, text, sizeof(text)))
		return false;
	return strtoull(text, NULL, 10) >> bit & 1;
}

static bool is_enforced(const struct doctor *doctor)
{
	char enforce[8];

	return !doctor_line(doctor, SIG_ENFORCE, enforce, sizeof(enforce)) &&
	       enforce[0] == 'Y';
}

void doctor_signature(struct doctor *doctor)
{
	bool own;

	if (!doctor_module_loaded(doctor)) {
		if (is_enforced(doctor))
			doctor_tell(doctor, DOCTOR_WARNING, SIGN_IT,
				    "this kernel loads only modules with a signature that it trusts");
		return;
	}
	if (is_tainted(doctor, 'F', TAINT_FORCED_BIT, &own) && own)
		doctor_tell(doctor, DOCTOR_WARNING,
			    "build it for this kernel: make KDIR=/lib/modules/$(uname -r)/build",
			    "the module was loaded by force, though built for another kernel");
	if (!is_there(doctor, "/sys/module"))
		doctor_tell(doctor, DOCTOR_NOTE, "mount -t sysfs sysfs /sys, and ask again",
			    "whether the module is signed can't be read");
	else if (!is_there(doctor, SIG_ENFORCE))
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "this kernel asks for no signature of modules");
	else if (!is_tainted(doctor, 'E', TAINT_UNSIGNED_BIT, &own))
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "the module has a signature that this kernel trusts");
	else
		doctor_tell(doctor, DOCTOR_NOTE, SIGN_IT,
			    own ? "the module has no signature that this kernel trusts, "
				  "which it marks by taint E" :
				  "this kernel has loaded a module without a signature that it "
				  "trusts, perhaps this one");
}

/* The bytes are four of attributes, and the value. */
void doctor_secure_boot(struct doctor *doctor)
{
	char variable[8];
	ssize_t n = file_read(doctor, SECURE_BOOT, variable, sizeof(variable));
	bool own;

	if (n == -ENOENT && !is_there(doctor, EFI)) {
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "there is no Secure Boot: this machine was not started by UEFI");
	} else if (n < 5) {
		doctor_tell(doctor, DOCTOR_NOTE,
			    "ask the firmware: mokutil --sb-state; if that can't tell either, "
			    "mount -t efivarfs efivarfs /sys/firmware/efi/efivars",
			    "whether Secure Boot is on can't be read");
	} else if (variable[4] != 1) {
		doctor_tell(doctor, DOCTOR_OK, NULL, "Secure Boot is off");
	} else if (!doctor_module_loaded(doctor)) {
		doctor_tell(doctor, DOCTOR_WARNING, SIGN_IT,
			    "Secure Boot is on: a module that is not signed may be refused");
	} else if (is_tainted(doctor, 'E', TAINT_UNSIGNED_BIT, &own) && own) {
		doctor_tell(doctor, DOCTOR_WARNING, SIGN_IT,
			    "Secure Boot is on, and the module has no signature that this "
			    "kernel trusts: a kernel that is locked down will refuse it");
	} else {
		doctor_tell(doctor, DOCTOR_OK, NULL, "Secure Boot is on");
	}
}

/* "none [integrity] confidentiality": the one in brackets holds. */
void doctor_lockdown(struct doctor *doctor)
{
	char levels[64], *level;
	int r = doctor_line(doctor, SECURITY "/lockdown", levels, sizeof(levels));

	if (r == -ENOENT && is_there(doctor, SECURITY "/lsm")) {
		doctor_tell(doctor, DOCTOR_OK, NULL, "this kernel has no lockdown");
		return;
	}
	level = r ? NULL : strchr(levels, '[');
	if (!level) {
		doctor_tell(doctor, DOCTOR_NOTE,
			    "mount -t securityfs securityfs /sys/kernel/security, and ask again",
			    "whether the kernel is locked down can't be read");
		return;
	}
	level++;
	level[strcspn(level, "]")] = 0;
	if (!strcmp(level, "none"))
		doctor_tell(doctor, DOCTOR_OK, NULL, "the kernel is not locked down");
	else if (!doctor_module_loaded(doctor))
		doctor_tell(doctor, DOCTOR_WARNING, SIGN_IT,
			    "the kernel is locked down (%s): it refuses modules without a "
			    "signature that it trusts", level);
	else if (!strcmp(level, "confidentiality"))
		doctor_tell(doctor, DOCTOR_NOTE,
			    "use the built-in sources, or boot with lockdown=integrity",
			    "the kernel is locked down (%s): probes are refused, all else works",
			    level);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "the kernel is locked down (%s): all of obsring works", level);
}

/* ---- The device ----------------------------------------------------------- */

static void group_check(struct doctor *doctor)
{
	unsigned int mode = doctor->node.st_mode & 0777;

	if (mode & 07)
		doctor_tell(doctor, DOCTOR_WARNING,
			    "install the udev rule and let udevadm trigger, or chmod 0660",
			    "%s has mode %04o: everybody may read or write it",
			    doctor->device, mode);
	else if (!doctor->node.st_gid)
		doctor_tell(doctor, DOCTOR_WARNING,
			    "systemctl restart systemd-sysusers && udevadm control --reload && "
			    "udevadm trigger, or chgrp obsring and chmod 0660",
			    "%s belongs to root's group: nobody else, not the daemon either, "
			    "can read it", doctor->device);
	else if ((mode & 060) != 060)
		doctor_tell(doctor, DOCTOR_WARNING,
			    "install the udev rule and let udevadm trigger, or chmod 0660",
			    "%s has mode %04o: its group can't both read it and write the log",
			    doctor->device, mode);
	else
		doctor_tell(doctor, DOCTOR_OK, NULL, "%s belongs to group %s, mode %04o",
			    doctor->device, doctor->group ?: "without a name", mode);
}

void doctor_device(struct doctor *doctor)
{
	if (doctor->node_error) {
		/* Without a module there is none, which was told. */
		if (doctor_module_loaded(doctor) || strcmp(doctor->device, OBSRING_DEVICE))
			doctor_tell(doctor, DOCTOR_ERROR,
				    "see ls /dev: udev or devtmpfs makes the device; a container "
				    "must be given it",
				    "%s is not there: %s", doctor->device,
				    strerror(-doctor->node_error));
	} else if (doctor->hosted) {
		doctor_tell(doctor, DOCTOR_OK, NULL,
			    "%s is a file in the device's place, mode %04o", doctor->device,
			    (unsigned int)doctor->node.st_mode & 0777);
	} else if (!S_ISCHR(doctor->node.st_mode)) {
		doctor_tell(doctor, DOCTOR_ERROR,
			    "remove it, then let udevadm trigger make the device anew",
			    "%s is no device", doctor->device);
	} else {
		group_check(doctor);
	}
}

void doctor_access(struct doctor *doctor)
{
	const char *group = doctor->group ?: "the device's group";

	if (doctor->node_error || doctor->open_error == -ESHUTDOWN)
		return;
	if (!doctor->open_error)
		doctor_tell(doctor, DOCTOR_OK, NULL, "you can read it%s",
			    doctor->caller.member ? ", by its group" :
			    doctor->caller.root ? ", as root" : "");
	else if (doctor->open_error != -EACCES && doctor->open_error != -EPERM)
		doctor_tell(doctor, DOCTOR_ERROR,
			    doctor->hosted ? "make another: obsringctl segment create" :
			    "dmesg may say more; install module and programs of one version",
			    "it can't be read: %s", ctl_open_reason(doctor->open_error));
	else if (doctor->caller.member)
		doctor_tell(doctor, DOCTOR_ERROR, "chmod 0660, as the udev rule does",
			    "you can't read it, though you are in group %s", group);
	else if (doctor->caller.listed)
		doctor_tell(doctor, DOCTOR_ERROR, "log in again, or use newgrp",
			    "you can't read it: you were added to group %s after you "
			    "logged in", group);
	else
		doctor_tell(doctor, DOCTOR_ERROR,
			    "as root: usermod -aG with that group and your name; then log in again",
			    "you can't read it: you are not in group %s", group);
}

/* ---- Time ----------------------------------------------------------------- */

/* What is read without leaving the CPU or the hypervisor's page. */
static const char *const fast_clocks[] = {
	"tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page", "xen",
};

static const char *const slow_clocks[] = {
	"hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies", "hyperv_clocksource_msr",
};

static bool is_among(const char *name, const char *const *names, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

#define IS_AMONG(name, names)	is_among(name, names, sizeof(names) / sizeof(names[0]))

void doctor_clock(struct doctor *doctor)
{
	char clock[64];

	if (doctor_line(doctor, CLOCK "/current_clocksource", clock, sizeof(clock)))
		doctor_tell(doctor, DOCTOR_NOTE, "mount -t sysfs sysfs /sys, and ask again",
			    "which clock source the kernel uses can't be read");
	else if (IS_AMONG(clock, fast_clocks))
		doctor_tell(doctor, DOCTOR_OK, NULL, "the clock source is %s", clock);
	else if (IS_AMONG(clock, slow_clocks))
		doctor_tell(doctor, DOCTOR_WARNING,
			    "dmesg | grep -i clocksource says why; a hypervisor may offer a "
			    "better one, and tsc=reliable trusts the CPU's at boot",
			    "the clock source is %s: each latency and record of the log costs "
			    "a read of a slow device", clock);
	else
		doctor_tell(doctor, DOCTOR_NOTE,
			    "compare it with those in " CLOCK "/available_clocksource",
			    "the clock source is %s, of which nothing is known here", clock);
}
