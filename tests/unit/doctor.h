/* SPDX-License-Identifier: MIT */
/* One check of obsringctl doctor, files that stand for the kernel's, and what it tells. */
#ifndef TESTS_DOCTOR_H
#define TESTS_DOCTOR_H

#include <stdbool.h>

#include "obsringctl/doctor.h"

#define DOCTOR_ROOT	"/tmp/test_doctor.XXXXXX"

/* Where the files are. */
extern char root[sizeof(DOCTOR_ROOT)];

int doctor_setup(void **state);
int doctor_teardown(void **state);

struct file {
	const char *path, *content;
	size_t len;			/* 0: that of the string */
};

#define PRESSURE	"/proc/pressure/memory"
#define LIVE	{ "/sys/module/obsring/initstate", "live\n", 0 }

void file_make(const struct file *file);
void tree_clear(void);

/* Knows nothing yet. */
extern const struct doctor blank;

enum doctor_level run(struct doctor *doctor, void (*check)(struct doctor *doctor));

/* A line that begins with @level and has @text, and a remedy if it is not ok. */
bool is_told(const char *level, const char *text);
void told(const char *level, const char *text);
void told_nothing(void);

#endif /* TESTS_DOCTOR_H */
