/* SPDX-License-Identifier: MIT */
/* The log as text: written to and read by one descriptor. */
#ifndef SELFTEST_LOG_H
#define SELFTEST_LOG_H

#include "logged.h"
#include "test.h"

#define TEXT_MAX	65536
#define RECORDS		"obsring_log_records_total"
#define LOST		"obsring_log_lost_total"

FIXTURE(log)
{
	struct view view;
	char text[TEXT_MAX];
	int fd;
};

FIXTURE_SETUP(log)
{
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, view_open(&self->view));
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(log)
{
	close(self->fd);
	view_close(&self->view);
	if (module_loaded("obsring_example"))
		EXPECT_EQ(0, module_unload("obsring_example"));
}

static inline int say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	return n < 0 ? -errno : n == (ssize_t)strlen(text) ? 0 : -EIO;
}

static inline bool has(const char *text, const char *what)
{
	return strstr(text, what);
}

/* The number behind the first @key in @text; 0 without it. */
static inline unsigned long long number_behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Records that a text stands for: a line each, and those that it says are lost. */
static inline unsigned int accounted(const char *text)
{
	unsigned int n = lines(text);
	const char *at = text;

	while ((at = strstr(at, "lost="))) {
		at += strlen("lost=");
		n += (unsigned int)strtoul(at, NULL, 10) - 1;
	}
	return n;
}

#endif /* SELFTEST_LOG_H */
