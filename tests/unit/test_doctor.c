// SPDX-License-Identifier: MIT
/*
 * obsringctl doctor: each check against files made for it, a segment made for it, and a
 * server that answers as it is told; then the command as it is called.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "obsringctl/doctor.h"
#include "segment.h"

static char root[] = "/tmp/test_doctor.XXXXXX";

/* ---- Files that stand for the kernel's -------------------------------------- */

#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define SIG_ENFORCE	"/sys/module/module/parameters/sig_enforce"
#define TAINT		"/sys/module/obsring/taint"
#define LOCKDOWN	"/sys/kernel/security/lockdown"
#define PRESSURE	"/proc/pressure/memory"
#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/current_clocksource"

struct file {
	const char *path, *content;
	size_t len;			/* 0: that of the string */
};

static void file_make(const struct file *file)
{
	char path[512], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file->path);
	for (slash = path + strlen(root); (slash = strchr(slash + 1, '/'));) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	if (!file->content) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(file->content, 1, file->len ?: strlen(file->content), f);
	assert_int_equal(fclose(f), 0);
}

static void tree_clear(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s/*", root);
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tree_clear();
	return rmdir(root);
}

/* ---- One check: what it tells -------------------------------------------------- */

static const struct doctor blank = { .root = root, .device = OBSRING_DEVICE, .check = "x" };

static enum doctor_level run(struct doctor *doctor, void (*check)(struct doctor *doctor))
{
	doctor->out = fmemopen(output, sizeof(output), "w");
	assert_non_null(doctor->out);
	output[0] = 0;
	doctor->worst = DOCTOR_OK;
	check(doctor);
	fclose(doctor->out);
	return doctor->worst;
}

/* A line that begins with @level and has @text, and a remedy if it is not ok. */
static bool is_told(const char *level, const char *text)
{
	const char *line = output, *end;
	char one[2048];

	for (; (end = strchr(line, '\n')); line = end + 1) {
		snprintf(one, sizeof(one), "%.*s", (int)(end - line), line);
		if (!strncmp(one, level, strlen(level)) && one[strlen(level)] == ' ' &&
		    strstr(one, text) && !strcmp(level, "ok") == !strstr(one, "; "))
			return true;
	}
	return false;
}

static void told(const char *level, const char *text)
{
	if (!is_told(level, text))
		fail_msg("no \"%s ... %s\" in:\n%s", level, text, output);
}

static void told_nothing(void)
{
	assert_string_equal(output, "");
}

#define LIVE	{ "/sys/module/obsring/initstate", "live\n", 0 }

static const struct host_case {
	void (*check)(struct doctor *doctor);
	struct file files[4];
	const char *level, *text;	/* NULL: nothing is told */
} host_cases[] = {
	{ doctor_module, { }, "error", "not loaded; load it: modprobe obsring" },
	{ doctor_module, { LIVE, { TAINT, "OE\n", 0 } }, "ok", "tainted by it: OE" },
	{ doctor_module, { LIVE, { TAINT, "\n", 0 } }, "ok", "the module is loaded" },
	{ doctor_module, { { "/sys/module/obsring/initstate", "going\n", 0 } },
	  "warning", "neither there nor gone: going" },

	{ doctor_signature, { }, NULL, NULL },
	{ doctor_signature, { { SIG_ENFORCE, "N\n", 0 } }, NULL, NULL },
	{ doctor_signature, { { SIG_ENFORCE, "Y\n", 0 } }, "warning", "mokutil --import" },
	{ doctor_signature, { LIVE, { TAINT, "O\n", 0 } }, "ok", "asks for no signature" },
	{ doctor_signature, { LIVE, { TAINT, "O\n", 0 }, { SIG_ENFORCE, "N\n", 0 } },
	  "ok", "that this kernel trusts" },
	{ doctor_signature, { LIVE, { TAINT, "OE\n", 0 }, { SIG_ENFORCE, "N\n", 0 } },
	  "note", "taint E; have it signed" },
	{ doctor_signature, { LIVE, { TAINT, "OF\n", 0 } }, "warning", "by force" },
	/* Bit 13, without letters of its own. */
	{ doctor_signature, { LIVE, { "/proc/sys/kernel/tainted", "12288\n", 0 },
			      { SIG_ENFORCE, "N\n", 0 } }, "note", "perhaps this one" },
	{ doctor_signature, { LIVE, { "/proc/sys/kernel/tainted", "4096\n", 0 },
			      { SIG_ENFORCE, "N\n", 0 } }, "ok", "trusts" },

	{ doctor_secure_boot, { }, "ok", "not started by UEFI" },
	{ doctor_secure_boot, { { "/sys/firmware/efi/efivars", NULL, 0 } },
	  "note", "can't be read; ask the firmware" },
	{ doctor_secure_boot, { { SECURE_BOOT, "\6\0\0", 4 } }, "note", "can't be read" },
	{ doctor_secure_boot, { { SECURE_BOOT, "\6\0\0\0\0", 5 } }, "ok", "is off" },
	{ doctor_secure_boot, { { SECURE_BOOT, "\6\0\0\0\1", 5 } }, "warning", "may be refused" },
	{ doctor_secure_boot, { { SECURE_BOOT, "\6\0\0\0\1", 5 }, LIVE, { TAINT, "O\n", 0 } },
	  "ok", "is on" },
	{ doctor_secure_boot, { { SECURE_BOOT, "\6\0\0\0\1", 5 }, LIVE, { TAINT, "OE\n", 0 } },
	  "warning", "will refuse it" },

	{ doctor_lockdown, { }, "note", "can't be read; mount -t securityfs" },
	{ doctor_lockdown, { { "/sys/kernel/security/lsm", "apparmor", 0 } },
	  "ok", "no lockdown" },
	{ doctor_lockdown, { { LOCKDOWN, "[none] integrity confidentiality\n", 0 } },
	  "ok", "not locked down" },
	{ doctor_lockdown, { { LOCKDOWN, "none [integrity] confidentiality\n", 0 } },
	  "warning", "(integrity): it refuses" },
	{ doctor_lockdown, { { LOCKDOWN, "none [integrity] confidentiality\n", 0 }, LIVE },
	  "ok", "(integrity): all of obsring works" },
	{ doctor_lockdown, { { LOCKDOWN, "none integrity [confidentiality]\n", 0 }, LIVE },
	  "note", "probes are refused" },

	{ doctor_clock, { }, "note", "can't be read" },
	{ doctor_clock, { { CLOCKSOURCE, "tsc\n", 0 } }, "ok", "tsc" },
	{ doctor_clock, { { CLOCKSOURCE, "arch_sys_counter\n", 0 } }, "ok", "arch_sys_counter" },
	{ doctor_clock, { { CLOCKSOURCE, "hpet\n", 0 } }, "warning", "hpet" },
	{ doctor_clock, { { CLOCKSOURCE, "acpi_pm\n", 0 } }, "warning", "slow device" },
	{ doctor_clock, { { CLOCKSOURCE, "sundial\n", 0 } }, "note", "sundial" },
	{ doctor_memory, { }, "note", "psi=1" },
	{ doctor_memory, { { PRESSURE, "", 0 } }, "note", "psi=1" },
	{ doctor_memory, { { PRESSURE, "some avg10=9.00 avg60=0.25 avg300=1.00 total=5\nfull x\n", 0 } },
	  "ok", "0.25 % of the last minute" },
	{ doctor_memory, { { PRESSURE, "some avg10=0.00 avg60=10.00 avg300=1.00 total=5\n", 0 } },
	  "warning", "memory runs short: tasks waited for it 10.00 %" },
};

static void test_host(void **state)
{
	const struct host_case *c;
	struct doctor doctor;
	size_t i, f;

	(void)state;
	for (i = 0; i < sizeof(host_cases) / sizeof(host_cases[0]); i++) {
		c = &host_cases[i];
		tree_clear();
		for (f = 0; f < 4 && c->files[f].path; f++)
			file_make(&c->files[f]);
		doctor = blank;
		run(&doctor, c->check);
		if (!c->level && *output)
			fail_msg("case %zu: %s", i, output);
		if (c->level && !is_told(c->level, c->text))
			fail_msg("case %zu: no \"%s ... %s\" in:\n%s", i, c->level, c->text,
				 output);
	}
	tree_clear();
}

/* ---- The device, and who asks ---------------------------------------------------- */

static struct doctor with_node(unsigned int mode, gid_t gid)
{
	struct doctor doctor = blank;

	doctor.node.st_mode = mode;
	doctor.node.st_gid = gid;
	doctor.group = gid == 7 ? "obsring" : NULL;
	return doctor;
}

static void test_device(void **state)
{
	static const struct {
		unsigned int mode;
		gid_t gid;
		const char *level, *text;
	} cases[] = {
		{ S_IFCHR | 0660, 7, "ok", "belongs to group obsring, mode 0660" },
		{ S_IFCHR | 0666, 7, "warning", "mode 0666: everybody" },
		{ S_IFCHR | 0640, 7, "warning", "mode 0640: its group can't" },
		{ S_IFCHR | 0600, 0, "warning", "root's group" },
		{ S_IFREG | 0660, 7, "error", "is no device" },
	};
	struct doctor doctor;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		doctor = with_node(cases[i].mode, cases[i].gid);
		run(&doctor, doctor_device);
		told(cases[i].level, cases[i].text);
	}
	doctor = with_node(S_IFREG | 0640, 7);
	doctor.hosted = true;
	run(&doctor, doctor_device);
	told("ok", "a file in the device's place, mode 0640");
	/* That there is no device where there is no module was said. */
	doctor = blank;
	doctor.node_error = -ENOENT;
	run(&doctor, doctor_device);
	told_nothing();
	doctor.device = "/dev/other";
	run(&doctor, doctor_device);
	told("error", "/dev/other is not there");
	doctor.device = OBSRING_DEVICE;
	file_make(&(struct file)LIVE);
	run(&doctor, doctor_device);
	told("error", "/dev/obsring is not there");
	tree_clear();
}

static void test_access(void **state)
{
	static const struct {
		struct doctor_caller caller;
		int error;
		const char *level, *text;
	} cases[] = {
		{ { true, false, false }, 0, "ok", "you can read it, as root" },
		{ { false, true, true }, 0, "ok", "by its group" },
		{ { false, true, true }, -EACCES, "error", "though you are in group obsring" },
		{ { false, false, true }, -EACCES, "error", "log in again" },
		{ { false, false, false }, -EACCES, "error", "usermod -aG" },
		{ { true, false, false }, -EPROTONOSUPPORT, "error", "another layout" },
	};
	struct doctor doctor;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		doctor = with_node(S_IFCHR | 0660, 7);
		doctor.caller = cases[i].caller;
		doctor.open_error = cases[i].error;
		run(&doctor, doctor_access);
		told(cases[i].level, cases[i].text);
	}
	doctor.open_error = -ESHUTDOWN;
	run(&doctor, doctor_access);
	told_nothing();
	file_make(&(struct file)LIVE);
	run(&doctor, doctor_module);
	told("error", "obsringctl drain --undo");
	tree_clear();
}

/* ---- What the module says over netlink ----------------------------------------------- */

static void test_version(void **state)
{
	struct obs_info info = { .version = "9.9", .abi_major = OBSRING_ABI_MAJOR,
				 .abi_minor = OBSRING_ABI_MINOR };
	static const char ours[] = "version 9.9, these programs of ";
	struct doctor doctor = blank;
	const char *version;

	(void)state;
	run(&doctor, doctor_version);
	told_nothing();
	doctor.info = &info;
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_NOTE);
	told("note", ours);
	told("ok", "as these programs");
	version = strstr(output, ours) + strlen(ours);
	snprintf(info.version, sizeof(info.version), "%.*s", (int)strcspn(version, ";"), version);
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_OK);
	info.abi_minor++;
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_NOTE);
	told("note", "they work together");
	info.abi_major++;
	assert_int_equal(run(&doctor, doctor_version), DOCTOR_ERROR);
	told("error", "install the module and the programs of one version");
}

static void test_sources(void **state)
{
	struct obs_source_info source = { .name = "netdrop", .enabled = true };
	struct doctor doctor = blank;

	(void)state;
	run(&doctor, doctor_sources);
	told_nothing();
	file_make(&(struct file)LIVE);
	run(&doctor, doctor_sources);
	told("note", "out of reach over netlink");
	tree_clear();

	doctor.out = fmemopen(output, sizeof(output), "w");
	doctor_source(&doctor, &source);
	source.enabled = false;
	doctor_source(&doctor, &source);
	strcpy(source.reason, "no drop reasons");
	doctor_source(&doctor, &source);
	fclose(doctor.out);
	told("ok", "netdrop is on");
	told("ok", "netdrop is off");
	told("note", "netdrop is not available: no drop reasons");
}

static struct obs_log_ring_info ring_of(enum obsring_origin origin, uint64_t bytes,
					uint64_t used)
{
	return (struct obs_log_ring_info){ .origin = origin, .bytes = bytes,
					   .high_water_bytes = used };
}

static void test_rings(void **state)
{
	const struct obs_log_ring_info rings[] = {
		ring_of(OBSRING_ORIGIN_KERNEL, 65536, 65536),
		ring_of(OBSRING_ORIGIN_KERNEL, 65536, 100),
		ring_of(OBSRING_ORIGIN_USER, 1 << 20, 5000),
		ring_of(OBSRING_ORIGIN_USER, 1 << 20, 0),
		ring_of((enum obsring_origin)9, 1, 1),
	};
	struct doctor doctor = blank;
	size_t i;

	(void)state;
	doctor.rings_known = true;
	run(&doctor, doctor_log);
	told_nothing();
	for (i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		doctor_ring(&doctor, &rings[i]);
	assert_int_equal(run(&doctor, doctor_log), DOCTOR_NOTE);
	told("note", "1 of 2 rings of origin kernel, 65536 bytes each, are full");
	told("note", "log size --kernel 131072");
	told("note", "at most 5000 were ever used");
	told("note", "log size --user 16384");
	/* Of the size that the module gives them, small use is no finding. */
	doctor = blank;
	doctor.rings_known = true;
	doctor_ring(&doctor, &rings[1]);
	run(&doctor, doctor_log);
	told("ok", "of 1 rings of origin kernel, 100 of 65536 bytes were ever used");
}

static void test_limits(void **state)
{
	struct obs_info info = { .series = 79, .series_limit = 100, .bytes = 4096,
				 .bytes_limit = 1 << 20, .family_series_limit = 10 };
	struct doctor doctor = blank;

	(void)state;
	doctor.info = &info;
	assert_int_equal(run(&doctor, doctor_limits), DOCTOR_OK);
	told("ok", "79 of 100 series are used");
	info.series = 80;
	info.bytes = 1 << 20;
	run(&doctor, doctor_limits);
	told("warning", "80 of 100 series (max_series) are used");
	told("warning", "larger max_bytes=");
	run(&doctor, doctor_refused);
	told_nothing();
	info.refused = 3;
	run(&doctor, doctor_refused);
	told("warning", "3 series were refused");
}

/* ---- What the mapping shows ---------------------------------------------------------- */

static uint32_t counter_add(struct segment *s, const char *name, const char *label,
			    const char *help)
{
	return segment_family_add(s, &(struct obs_family_spec){
		.name = name, .help = help, .kind = OBSRING_KIND_COUNTER,
		.nr_labels = label ? 1 : 0, .label = &label });
}

static void count(struct segment *s, uint32_t family, const char *value, uint64_t n)
{
	segment_slot(s, segment_series_add(s, family, &value), 0)[0] = n;
}

/* A segment with a loss of each kind. */
static struct segment *segment_of_losses(void)
{
	struct segment *s = segment_new(&(struct segment_spec){ .max_series = 64 });
	uint32_t family;

	family = counter_add(s, "obsring_series_refused_total", "reason", "");
	count(s, family, "max_series", 0);
	count(s, family, "max_service_series", 2);
	count(s, family, "memory", 1);
	family = counter_add(s, "obsring_log_lost_total", "cause", "");
	count(s, family, "nested", 5);
	count(s, family, "rate_limited", 6);
	count(s, family, "no\033[31m", 7);
	count(s, counter_add(s, "obsring_log_overwritten_total", NULL, ""), NULL, 11);
	count(s, counter_add(s, "obsring_log_records_total", NULL, ""), NULL, 30);
	count(s, counter_add(s, "obsring_block_missed_total", NULL, "Untimed."), NULL, 12);
	count(s, counter_add(s, "obsring_probe_missed_total", "probe", "Not run."), "p", 13);
	count(s, counter_add(s, "obsring_exemplars_refused_total", NULL, ""), NULL, 14);
	count(s, counter_add(s, "obsring_service_shares_refused_total", NULL, ""), NULL, 15);
	count(s, counter_add(s, "others_missed_total", NULL, ""), NULL, 16);
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_service_members", .kind = OBSRING_KIND_GAUGE, .set = true,
		.nr_labels = 1, .label = (const char *[]){ "service" } });
	count(s, family, "a", 1);
	count(s, family, "b", 1);
	return s;
}

struct view {
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

static struct doctor view_open(struct view *view, struct segment *s)
{
	struct doctor doctor = blank;

	assert_int_equal(obs_device_open(segment_path(s), &view->device), 0);
	assert_int_equal(obs_snapshot_new(view->device, &view->snapshot), 0);
	assert_true(obs_snapshot_update(view->snapshot) >= 0);
	doctor.header = obs_device_header(view->device);
	doctor.snapshot = view->snapshot;
	return doctor;
}

static void view_close(struct view *view)
{
	obs_snapshot_free(view->snapshot);
	obs_device_close(view->device);
}

static void losses_check(struct doctor *doctor)
{
	assert_int_equal(run(doctor, doctor_losses), DOCTOR_WARNING);
	told("warning", "5: records interrupted");
	told("warning", "6: records of processes");
	told("warning", "7: records of the log were not stored");
	assert_null(strchr(output, '\033'));
	told("warning", "12: Untimed. (obsring_block_missed_total)");
	told("warning", "13: Not run. (obsring_probe_missed_total, p)");
	told("warning", "14: histogram series have no exemplars");
	told("warning", "15: times a process got no share");
	assert_null(strstr(output, "others"));
}

static void test_values(void **state)
{
	const struct file max_services = { "/sys/module/obsring/parameters/max_services",
					   "2\n", 0 };
	struct obs_info info = { .series_limit = 1000, .bytes_limit = 1000,
				 .family_series_limit = 3 };
	struct segment *s = segment_of_losses();
	struct doctor doctor;
	struct view view;

	(void)state;
	doctor = view_open(&view, s);
	losses_check(&doctor);
	run(&doctor, doctor_refused);
	told("warning", "2 series were refused by max_service_series");
	told("warning", "larger max_service_series=");
	told("warning", "1 series were refused by memory");
	assert_null(strstr(output, "by max_series:"));
	run(&doctor, doctor_log);
	told("note", "11 of 30 records were overwritten");

	file_make(&max_services);
	doctor.info = &info;
	run(&doctor, doctor_limits);
	told("warning", "2 of 2 services (max_services) are used");
	told("warning", "3 of 3 series of obsring_log_lost_total");
	assert_null(strstr(output, "series of obsring_probe_missed_total"));
	tree_clear();

	doctor.info = NULL;
	doctor.hosted = true;
	run(&doctor, doctor_limits);
	told("ok", "of 64 series are used");
	run(&doctor, doctor_refused);
	told("warning", "segment create --series");
	run(&doctor, doctor_version);
	told("ok", "the file has layout");
	view_close(&view);
	segment_free(s);
}

/* Stalls that the module timed stand beside what the kernel says. */
static void test_stalls(void **state)
{
	const struct file pressure = { PRESSURE, "some avg10=0.00 avg60=1.50 total=5\n", 0 };
	const uint64_t bound = 1000;
	struct segment *s = segment_new(NULL);
	struct doctor doctor;
	struct view view;
	uint64_t *slot;

	(void)state;
	file_make(&pressure);
	slot = segment_slot(s, segment_series_add(s, segment_family_add(s,
		&(struct obs_family_spec){
			.name = "obsring_reclaim_stall_seconds", .exp10 = -9,
			.kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 1, .bound = &bound,
		}), NULL), 0);
	slot[0] = 2500000000;
	slot[1] = 3;
	slot[2] = 4;
	/* A name alone makes no histogram. */
	count(s, counter_add(s, "obsring_compaction_stall_seconds", NULL, ""), NULL, 9);
	doctor = view_open(&view, s);
	run(&doctor, doctor_memory);
	told("ok", "1.50 % of the last minute, and since the module was loaded 7 allocations "
	     "waited 2.5 s for reclaim, and 0 0 s for compaction");
	view_close(&view);
	segment_free(s);
	tree_clear();
}

static void test_no_losses(void **state)
{
	struct segment *s = segment_new(NULL);
	struct doctor doctor;
	struct view view;

	(void)state;
	count(s, counter_add(s, "obsring_block_missed_total", NULL, ""), NULL, 0);
	/* An info series counts nothing, whatever its name. */
	segment_series_add(s, segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_log_overwritten_total", .kind = OBSRING_KIND_INFO }), NULL);
	segment_series_add(s, segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_series_refused_total", .kind = OBSRING_KIND_INFO }), NULL);
	segment_series_add(s, segment_family_add(s, &(struct obs_family_spec){
		.name = "obsring_log_lost_total", .kind = OBSRING_KIND_INFO }), NULL);
	doctor = view_open(&view, s);
	assert_int_equal(run(&doctor, doctor_losses), DOCTOR_OK);
	told("ok", "nothing was lost or missed");
	assert_int_equal(run(&doctor, doctor_refused), DOCTOR_OK);
	told("ok", "no series was refused");
	assert_int_equal(run(&doctor, doctor_log), DOCTOR_OK);
	told("ok", "no record was overwritten");
	view_close(&view);
	segment_free(s);
}

/* ---- The daemon ------------------------------------------------------------------------ */

/* Answers one request. */
struct server {
	int fd;
	const char *answer;
	char request[512];
};

static void *serve(void *arg)
{
	struct server *server = arg;
	int fd = accept(server->fd, NULL, NULL);
	size_t len = 0;
	ssize_t n;

	while (!strstr(server->request, "\r\n\r\n") &&
	       (n = recv(fd, server->request + len, sizeof(server->request) - 1 - len, 0)) > 0)
		len += (size_t)n;
	send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

/* A port of its own; nobody listens there yet. */
static int server_bind(struct server *server)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
	getsockname(server->fd, (struct sockaddr *)&address, &len);
	return ntohs(address.sin_port);
}

static const struct {
	const char *answer, *level, *text;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nA: b\r\n\r\nready\n", "ok", "is ready" },
	{ "HTTP/1.0 503 No\r\n\r\nnot ready: no\033[m device\nmore", "warning", "not ready: no" },
	{ "HTTP/1.1 401 No\r\n\r\n", "note", "(401)" },
	{ "HTTP/1.1 404 No\r\n\r\n", "warning", "answers 404" },
	{ "SSH-2.0\r\n", "warning", "does not answer in HTTP" },
	{ "", "warning", "does not answer in HTTP" },
};

static void test_daemon(void **state)
{
	struct doctor doctor = blank;
	struct server server;
	pthread_t thread;
	char url[64];
	size_t i;

	(void)state;
	doctor.url = url;
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		server = (struct server){ .answer = answers[i].answer };
		snprintf(url, sizeof(url), "http://127.0.0.1:%d/obs/", server_bind(&server));
		assert_int_equal(listen(server.fd, 1), 0);
		assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
		run(&doctor, doctor_daemon);
		pthread_join(thread, NULL);
		close(server.fd);
		told(answers[i].level, answers[i].text);
		assert_null(strchr(output, '\033'));
		assert_non_null(strstr(server.request, "GET /obs/-/ready HTTP/1.0\r\nHost: 127.0.0.1:"));
	}
	/* Bound, and so nobody else's. */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", server_bind(&server));
	run(&doctor, doctor_daemon);
	close(server.fd);
	told("error", "systemctl enable --now obsringd");
	/* A segment's daemon is not where the device's is. */
	doctor.url = NULL;
	doctor.hosted = true;
	run(&doctor, doctor_daemon);
	told_nothing();
}

static void test_urls(void **state)
{
	static const char *const good[] = {
		"http://localhost", "http://localhost/", "http://a.b:1", "http://[::1]:10478/x/",
		"http://127.0.0.1:65535/x/y", "http://[::1]",
	};
	static const char *const bad[] = {
		"", "localhost:10478", "https://localhost", "http://", "http://:80", "http://a:",
		"http://a:0", "http://a:65536", "http://a:8x", "http://[::1", "http://[::1]x",
		"http://[]", "http://user@a", "http://a/x?y", "http://a/x y", "http://a\n/x",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!doctor_url_valid(good[i]))
			fail_msg("%s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (doctor_url_valid(bad[i]))
			fail_msg("%s", bad[i]);
}

/* ---- As it is called ---------------------------------------------------------------------- */

static void test_command(void **state)
{
	char args[256], path[64];
	struct segment *s = segment_of_losses();

	(void)state;
	snprintf(args, sizeof(args), "--device %s doctor", segment_path(s));
	assert_int_equal(ctl(args), 1);
	told("warning", "losses: 12: Untimed.");
	assert_null(strstr(output, "module:"));
	snprintf(args, sizeof(args), "--device %s --json doctor", segment_path(s));
	assert_int_equal(ctl(args), 1);
	assert_int_equal(output[0], '[');
	assert_non_null(strstr(output, "{\"check\": \"losses\", \"level\": \"warning\", "
			       "\"text\": \"12: Untimed. (obsring_block_missed_total)\", "
			       "\"remedy\": \"what was timed"));
	segment_free(s);

	snprintf(path, sizeof(path), "%s/segment", root);
	snprintf(args, sizeof(args), "segment create %s", path);
	assert_int_equal(ctl(args), 0);
	snprintf(args, sizeof(args), "doctor --device %s", path);
	assert_int_equal(ctl(args), 0);
	told("ok", "access: you can read it");
	assert_null(strstr(output, "error"));
	tree_clear();
	assert_int_equal(ctl(args), 1);
	told("error", "segment is not there");
	assert_int_equal(ctl("--device /dev/null doctor"), 1);
	told("error", "access: it can't be read: this is no obsring device");

	assert_int_equal(ctl("doctor x"), 2);
	assert_int_equal(ctl("doctor --url https://x"), 2);
	assert_non_null(strstr(output, "--url https://x is not"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_rings),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_losses),
		cmocka_unit_test(test_stalls),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests_name("doctor", tests, setup, teardown);
}
