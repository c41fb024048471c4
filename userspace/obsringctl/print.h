/* SPDX-License-Identifier: MIT */
/* Series and their values, as lines like Prometheus' and as JSON. */
#ifndef OBSRINGCTL_PRINT_H
#define OBSRINGCTL_PRINT_H

#include "json.h"
#include "obsringctl.h"

/**
 * struct print - how values are shown
 * @reader: where they come from
 * @raw: stored integers, not the Prometheus unit
 * @per_cpu: the rows as well
 * @json: NULL for lines
 */
struct print {
	const struct ctl_reader *reader;
	bool raw;
	bool per_cpu;
	struct json *json;
};

/* 0; -ESTALE if the series was removed while its rows were read; -ENOMEM; -EPROTO. */
int print_series(const struct print *print, const struct obs_series_info *series);

/* name{label="value"}; in quotes if Prometheus' old rule does not allow the name. */
void print_selector(FILE *out, const char *name, const char *suffix,
		    const struct obs_series_info *series, const char *le);

/* Text without what a terminal would act on. */
void print_text(FILE *out, const char *text);

#endif /* OBSRINGCTL_PRINT_H */
