/* SPDX-License-Identifier: MIT */
/*
 * Counting for a process that has no library: attach, find or make the series,
 * update it, leave.
 */
#ifndef OBSRINGCTL_PRODUCE_H
#define OBSRINGCTL_PRODUCE_H

#include "family.h"
#include "selector.h"

/**
 * struct produce_series - the series that a command line names, and its family
 * @command: for messages
 * @selector: name, labels and their values, as they were given
 * @given: options that were given; what is NULL is the family's, or the default
 * @spec: how the family is asked for
 * @label: its labels, without service and uid, in its order
 * @value: their values
 * @bound: explicit bounds of @spec
 * @reader: open while @spec and @label are those of a family that exists
 * @exists: they are
 */
struct produce_series {
	const struct ctl_command *command;
	struct selector selector;
	struct family_options given;
	struct obs_family_spec spec;
	const char *label[OBSRING_LABELS_MAX];
	const char *value[OBSRING_LABELS_MAX];
	uint64_t bound[OBSRING_BOUNDS_MAX];
	struct ctl_reader reader;
	bool exists;
};

/* Each of these has printed why if it returns an exit status other than CTL_OK. */

/* From the command line; the family is not looked for yet. given->kind is set. */
int produce_parse(const struct ctl_command *command, const char *text,
		  const struct family_options *given, struct produce_series *series);
void produce_free(struct produce_series *series);

/*
 * What stands for @text in the stored unit, which is that of the family if it exists.
 * CTL_USAGE if there is no such integer.
 */
int produce_number(const struct ctl_globals *globals, struct produce_series *series,
		   const char *text, uint64_t *ret_number);

/* Attach to @name. */
int produce_attach(const struct ctl_globals *globals, const char *name,
		   struct obs_service **ret_service);

/* A series, of the one kind that is set. */
struct produce_handle {
	struct obs_counter *counter;
	struct obs_gauge *gauge;
	struct obs_histogram *histogram;
	bool overflow;		/* it is the one that takes what limits refused */
};

/*
 * The series, made if it is not there. If a family of that name exists, what was not
 * given is taken from it; @text is read again in its unit.
 */
int produce_make(const struct ctl_globals *globals, struct produce_series *series,
		 struct obs_service *service, const char *text, uint64_t *number,
		 struct produce_handle *ret_handle);

/* Why obs_service_attach() or obs_counter_new() and its sisters failed. */
const char *produce_reason(int error);

#endif /* OBSRINGCTL_PRODUCE_H */
