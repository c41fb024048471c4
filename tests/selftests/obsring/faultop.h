/* SPDX-License-Identifier: MIT */
/* What is asked of the module while faults are injected: a table. */
#ifndef SELFTEST_FAULTOP_H
#define SELFTEST_FAULTOP_H

#include <stdbool.h>

#include "failnth.h"

/*
 * The module did or refused what was asked, and the answer did not come: netlink
 * tells so by ENOBUFS.
 */
#define ANSWER_LOST	1

/**
 * struct attempt - one of an operation, with one fault
 * @nth: in: the point that fails
 * @fault: out: what was met
 * @seen: out: what it gave, if that is a number: messages of a dump, bytes that were read
 */
struct attempt {
	unsigned int nth;
	struct fault fault;
	unsigned long seen;
};

/**
 * struct operation - what is asked
 * @name: for people
 * @subject: what of, if several share the functions
 * @begin: makes what must be there before; 0 or -errno; may be NULL
 * @run: asks: 0, -errno or ANSWER_LOST
 * @undo: after a success, what was before; 0 or -errno; NULL: nothing is changed
 * @end: after the last attempt; may be NULL
 * @partly: a success may lack the lines with one of these, or with both: what the module
 *	refused, and counts; NULL: no more
 * @anew: each attempt has a module that was just loaded, without pages of others
 * @brief: takes seconds
 */
struct operation {
	const char *name;
	const char *subject;
	int (*begin)(const struct operation *op);
	int (*run)(const struct operation *op, struct attempt *attempt);
	int (*undo)(const struct operation *op);
	void (*end)(const struct operation *op);
	const char *partly[2];
	bool anew, brief;
};

/*
 * By netlink, by the device, by loading and unloading, by workers; each ends with a NULL
 * name.
 */
extern const struct operation netlink_operations[];
extern const struct operation device_operations[];
extern const struct operation module_operations[];
extern const struct operation worker_operations[];

#endif /* SELFTEST_FAULTOP_H */
