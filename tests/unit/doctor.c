// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "doctor.h"

char root[] = DOCTOR_ROOT;

void file_make(const struct file *file)
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

void tree_clear(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s/*", root);
	assert_int_equal(system(command), 0);
}

int doctor_setup(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

int doctor_teardown(void **state)
{
	(void)state;
	tree_clear();
	return rmdir(root);
}

const struct doctor blank = { .root = root, .device = OBSRING_DEVICE, .check = "x" };

enum doctor_level run(struct doctor *doctor, void (*check)(struct doctor *doctor))
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
bool is_told(const char *level, const char *text)
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

void told(const char *level, const char *text)
{
	if (!is_told(level, text))
		fail_msg("no \"%s ... %s\" in:\n%s", level, text, output);
}

void told_nothing(void)
{
	assert_string_equal(output, "");
}
