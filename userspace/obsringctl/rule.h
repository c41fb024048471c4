/* SPDX-License-Identifier: MIT */
/*
 * Sampling rules as text:
 *
 *	keep		all
 *	drop		none
 *	1:N		one of N, N from 1 to 2^32
 *	N% or 0.N	that part, by chance
 *	trace:N%	that part of the traces, each whole
 *	N/s		at most N a second, N from 1 to 10^9
 *	target:N/s	about N a second
 *
 * and what they are about: SOURCE or SOURCE:LEVEL, the level by name or number. A
 * name that ends so itself is given as "SOURCE:".
 */
#ifndef OBSRINGCTL_RULE_H
#define OBSRINGCTL_RULE_H

#include <stdint.h>

#include <obsring.h>

#define RULE_SIZE	64

/* -EINVAL: not a rule; -ERANGE: a number that it can't have. */
int rule_parse(const char *text, enum obsring_rule *ret_rule, uint64_t *ret_value);
const char *rule_format(char *text, enum obsring_rule rule, uint64_t value);

/* -EINVAL: no name; -ENAMETOOLONG. */
int rule_target_parse(const char *text, struct obs_sample_info *sample);

#endif /* OBSRINGCTL_RULE_H */
