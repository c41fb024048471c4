// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any web configuration is taken or refused with a reason that has the
 * file's name, and what was taken holds together.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/webconfig.h"
#include "door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct web_config config;
	unsigned int i;

	door_watch();
	if (web_config_parse(&config, "f", (const char *)data, size) < 0) {
		check(!strncmp(config.conf.reason, "f:", 2));
		return 0;
	}
	door_pass();
	check(!config.tls.on || config.tls.min_version <= config.tls.max_version);
	check(config.nr_headers <= WEB_HEADERS_MAX);
	for (i = 0; i < config.nr_headers; i++)
		check(!strpbrk(config.header[i].value, "\r\n"));
	for (i = 0; i < config.nr_users; i++)
		check(strlen(config.user[i].hash) == 60 && *config.user[i].name);
	web_config_free(&config);
	return 0;
}
