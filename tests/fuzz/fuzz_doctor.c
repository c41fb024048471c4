// SPDX-License-Identifier: MIT
/*
 * libFuzzer: what obsringctl doctor looks at, with any bytes in it: files of /proc and
 * /sys, and what answers in the daemon's place. Each check tells one finding, a line that
 * no terminal acts on, and the same as JSON; another time it says the same.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obsringctl/doctor.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* A part of the input each; the last is the answer. */
static const char *const path[] = {
	"/sys/module/obsring/taint", "/sys/module/obsring/initstate",
	"/sys/module/module/parameters/sig_enforce", "/proc/sys/kernel/tainted",
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
	"/sys/kernel/security/lockdown",
	"/sys/devices/system/clocksource/clocksource0/current_clocksource",
	"/proc/pressure/memory",
};

static void (*const checks[])(struct doctor *doctor) = {
	doctor_module, doctor_signature, doctor_secure_boot, doctor_lockdown, doctor_clock,
	doctor_memory,
};

static char root[256];
static int file[NR(path)];

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Each file is a link to one in memory. */
static void file_make(size_t i)
{
	char whole[512], target[32], *slash;

	snprintf(whole, sizeof(whole), "%s%s", root, path[i]);
	for (slash = whole + strlen(root); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0700);
		*slash = '/';
	}
	file[i] = memfd_create("fuzz", MFD_CLOEXEC);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", file[i]);
	unlink(whole);
	require(file[i] >= 0 && !symlink(target, whole));
}

/* Beside the program. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t i;

	(void)argc;
	snprintf(root, sizeof(root), "%s.root", (*argv)[0]);
	mkdir(root, 0700);
	for (i = 0; i < NR(path); i++)
		file_make(i);
	return 0;
}

static void lines_check(const char *text, unsigned int nr)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++) {
		require(*p >= ' ' || *p == '\n');
		require(*p != 0x7f);
		/* Of the control characters behind them, as UTF-8 has them. */
		require(*p != 0xc2 || p[1] >= 0xa0);
		nr -= *p == '\n';
	}
	require(!nr);
}

/* Loaded by force is a finding besides. */
static unsigned int is_forced(const uint8_t *taint, size_t len)
{
	char line[64] = "";

	memcpy(line, taint, len < sizeof(line) ? len : sizeof(line) - 1);
	line[strcspn(line, "\n")] = '\0';
	return strchr(line, 'F') ? 1 : 0;
}

/* One string to a line, none of which is closed in the midst of it. */
static void json_check(const char *text)
{
	bool quoted = false;
	int depth = 0;

	for (; *text; text++) {
		if (*text == '"')
			quoted = !quoted;
		else if (quoted && *text == '\\')
			require(strchr("\"\\u", *++text) && *text);
		else if (!quoted)
			depth += strchr("{[", *text) ? 1 : strchr("}]", *text) ? -1 : 0;
		require(depth >= 0 && (!quoted || (unsigned char)*text >= ' '));
	}
	require(!quoted && !depth);
}

static void all(struct doctor *doctor, const char *answer)
{
	char copy[1024], *body = copy;
	int status;
	size_t i;

	doctor->check = "check";
	for (i = 0; i < NR(checks); i++)
		checks[i](doctor);
	snprintf(copy, sizeof(copy), "%s", answer);
	status = doctor_answer_parse(copy, &body);
	require(status == 0 || (status >= 100 && status <= 999));
	require(body >= copy && body + strlen(body) < copy + sizeof(copy));
	require(!strpbrk(body, "\r\n") || !status);
	doctor_answer(doctor, "http://x", status, body);
}

static char *findings(const char *answer, bool as_json)
{
	struct doctor doctor = { .root = root, .device = "/dev/obsring" };
	struct json json = { .depth = 0 };
	size_t len;
	char *text;

	doctor.out = open_memstream(&text, &len);
	require(doctor.out != NULL);
	json.out = doctor.out;
	doctor.json = as_json ? &json : NULL;
	if (as_json)
		json_open(&json, NULL, '[');
	all(&doctor, answer);
	if (as_json)
		json_close(&json, ']');
	require(!fclose(doctor.out) && strlen(text) == len);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *answer, *text, *again;
	const uint8_t *end;
	unsigned int nr = NR(checks) + 1;
	size_t i, n;

	/* Parts end at a NUL. */
	for (i = 0; i < NR(path); i++) {
		end = size ? memchr(data, 0, size) : NULL;
		n = end ? (size_t)(end - data) : size;
		nr += !i && is_forced(data, n);
		require(!ftruncate(file[i], 0) && pwrite(file[i], data, n, 0) == (ssize_t)n);
		data += n + !!end;
		size -= n + !!end;
	}
	answer = strndup((const char *)data, size);
	text = findings(answer, false);
	lines_check(text, nr);
	again = findings(answer, false);
	require(!strcmp(text, again));
	free(again);
	again = findings(answer, true);
	json_check(again);
	free(again);
	free(text);
	free(answer);
	return 0;
}
