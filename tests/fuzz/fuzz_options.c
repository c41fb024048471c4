// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any configuration file is taken or refused with a reason, and
 * what was taken can be said again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_option(void *context, const char *name, const char *value)
{
	(void)context;
	if (!*name || !value)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[] = { (char *)"obsringd", NULL };
	char reason[OPTIONS_REASON_MAX];
	static struct options options;
	struct conf conf;

	if (options_read(&options, 1, argv, reason) != OPTIONS_RUN)
		abort();
	if (conf_parse(&conf, "f", (const char *)data, size) < 0)
		return 0;
	if (options_take_conf(&options, &conf) < 0) {
		if (strncmp(conf.reason, "f:", 2))
			abort();
	} else {
		options_each(&options, take_option, NULL);
		if (!options.nr_listen || !options.max_requests)
			abort();
	}
	conf_free(&conf);
	return 0;
}
