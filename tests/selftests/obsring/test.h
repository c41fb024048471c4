/* SPDX-License-Identifier: MIT */
/* What every test program includes: the kernel's harness, and our helpers. */
#ifndef SELFTEST_TEST_H
#define SELFTEST_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>
#include <obsring.h>

#include "await.h"
#include "file.h"
#include "metric.h"
#include "module.h"
#include "user.h"

/*
 * An emulated guest beside a busy host, whose clock may run several times too
 * fast: the harness' own limit is 30 s.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1200

/* Of what has a long form: run.sh has a limit for all of a program. */
#define TEST_TIMEOUT_LONG	(24 * 3600)

/* The library's last error begins with this sentence of the module's. */
#define EXPECT_SAYS(sentence, control)					\
	EXPECT_EQ(0, strncmp(sentence, obs_control_error(control),	\
			     strlen(sentence)))				\
		TH_LOG("said: %s", obs_control_error(control))

/* Skip from a fixture's setup, after which the harness would go on: 255 is a skip. */
#define SKIP_SETUP(...)	SKIP(_exit(255), __VA_ARGS__)

#endif /* SELFTEST_TEST_H */
