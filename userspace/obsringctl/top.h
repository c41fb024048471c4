/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_TOP_H
#define OBSRINGCTL_TOP_H

#include "topmodel.h"

/**
 * struct top - what the views share
 * @device: its path, for messages
 * @filter: that was given; NULL: none
 * @interval_ns: between readings
 * @reader: what is read
 * @model: what is made of it
 */
struct top {
	const char *device;
	const char *filter;
	uint64_t interval_ns;
	struct ctl_reader reader;
	struct top_model model;
};

/* Each returns an exit status, after a message. */
int top_read_failed(const struct top *top, int error);
int top_view(struct top *top);

/* -ENOMEM: not all of them. */
int top_print_lines(const struct top *top);
void top_print_json(const struct top *top);

#endif /* OBSRINGCTL_TOP_H */
