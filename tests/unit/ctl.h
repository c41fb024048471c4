/* SPDX-License-Identifier: MIT */
/* obsringctl as it is called, and a segment that has something of everything. */
#ifndef TESTS_CTL_H
#define TESTS_CTL_H

#include "segment.h"

#define OUTPUT_SIZE	(1 << 16)

/* What it printed, on standard output and error. */
extern char output[OUTPUT_SIZE];

/* Its exit status, called with @args. */
int ctl(const char *args);
int ctl_on(struct segment *segment, const char *args);

/* What @redirect leaves in the pipe goes to output. */
int ctl_redirected(const char *args, const char *redirect);

/* Metrics of each kind, and a log of four records. */
extern struct segment *segment;

int ctl_setup(void **state);
int ctl_teardown(void **state);

#endif /* TESTS_CTL_H */
