/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_PROBE_H
#define OBSRINGCTL_PROBE_H

#include <stdio.h>

#include "json.h"
#include "obsringctl.h"

/* What was given behind --; NULL: nothing. */
struct probe_options {
	const char *as, *sample, *kind, *help;
};

/* "TYPE TARGET" and options to a probe; CTL_USAGE after a message. */
int probe_from_words(const struct ctl_command *command, int words, char **argv,
		     const struct probe_options *options,
		     struct obs_probe_info *ret_probe);

const char *probe_type_name(enum obsring_probe_type type);

/* As `probe list` shows it. */
void probe_line(const struct obs_probe_info *probe, FILE *out);
void probe_json(const struct obs_probe_info *probe, struct json *json);

#endif /* OBSRINGCTL_PROBE_H */
