/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_SAMPLE_H
#define OBSRINGCTL_SAMPLE_H

#include <stdio.h>

#include "json.h"
#include "obsringctl.h"

/* As `sample list` shows it. */
void sample_line(const struct obs_sample_info *sample, FILE *out);
void sample_json(const struct obs_sample_info *sample, struct json *json);

#endif /* OBSRINGCTL_SAMPLE_H */
