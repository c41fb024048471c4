// SPDX-License-Identifier: MIT
/* A file that takes the device's place, for who has no module. */
#include <string.h>

#include "options.h"

/* A number of at least 1; 0 if none is given, which is the library's default. */
static int size_get(const struct ctl_command *command, const char *name, const char *text,
		    uint32_t *ret_size)
{
	long number = 0;

	if (text && !ctl_number_parse(text, 1, UINT32_MAX, &number))
		return ctl_misused(command, "--%s %s is no number from 1 to 4294967295", name,
				   text);
	*ret_size = (uint32_t)number;
	return CTL_OK;
}

static int mode_get(const struct ctl_command *command, const char *text,
		    unsigned int *ret_mode)
{
	if (!text || ctl_mode_parse(text, ret_mode))
		return CTL_OK;
	return ctl_misused(command, "--mode %s is no mode, like 0660", text);
}

int ctl_segment_create(const struct ctl_command *command, struct ctl_globals *globals,
		       int argc, char **argv)
{
	struct obs_segment_options segment = { .mode = 0 };
	struct {
		const char *name, *text;
		uint32_t *size;
	} sizes[] = {
		{ "series", NULL, &segment.max_series },
		{ "pages", NULL, &segment.value_pages },
		{ "shares", NULL, &segment.max_shares },
		{ "log-rings", NULL, &segment.log_rings },
		{ "log-bytes", NULL, &segment.log_bytes },
	};
	const char *mode = NULL;
	const struct ctl_option options[] = {
		{ sizes[0].name, NULL, &sizes[0].text, NULL },
		{ sizes[1].name, NULL, &sizes[1].text, NULL },
		{ sizes[2].name, NULL, &sizes[2].text, NULL },
		{ sizes[3].name, NULL, &sizes[3].text, NULL },
		{ sizes[4].name, NULL, &sizes[4].text, NULL },
		{ "mode", NULL, &mode, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	size_t i;
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 1,
			    "one path is expected");
	if (r || globals->help)
		return r;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !r; i++)
		r = size_get(command, sizes[i].name, sizes[i].text, sizes[i].size);
	if (!r)
		r = mode_get(command, mode, &segment.mode);
	if (r)
		return r;
	r = obs_segment_create(argv[0], &segment);
	if (r)
		return ctl_fail("cannot make segment %s: %s", argv[0], strerror(-r));
	return CTL_OK;
}
