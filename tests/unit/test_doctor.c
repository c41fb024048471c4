// SPDX-License-Identifier: MIT
/*
 * obsringctl doctor: checks of the host, the device and who asks against files made for
 * them, and of the daemon against a server that answers as it is told.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "doctor.h"

/* ---- The host ------------------------------------------------------------ */

#define SECURE_BOOT \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

#define SIG_ENFORCE	"/sys/module/module/parameters/sig_enforce"

#define TAINT		"/sys/module/obsring/taint"

#define LOCKDOWN	"/sys/kernel/security/lockdown"

#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/current_clocksource"

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

/* ---- The device, and who asks -------------------------------------------- */

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

/* ---- The daemon ---------------------------------------------------------- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests_name("doctor", tests, doctor_setup, doctor_teardown);
}
