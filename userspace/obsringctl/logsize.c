// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "options.h"

#define ORIGINS	(OBSRING_ORIGIN_MAX + 1)

static const char *const origin_names[ORIGINS] = {
	[OBSRING_ORIGIN_KERNEL] = "kernel",
	[OBSRING_ORIGIN_USER] = "user",
};

/* All rings of an origin together. */
struct sum {
	unsigned int rings;
	uint64_t bytes, total, high_water, records;
};

struct rings {
	struct sum sum[ORIGINS];
	struct json *json;		/* or NULL */
};

static int size_set(const struct ctl_command *command, const char *text, uint64_t *ret_size)
{
	if (!text || ctl_size_parse(text, ret_size))
		return CTL_OK;
	return ctl_misused(command, "\"%s\" is no size", text);
}

static void ring_json(const struct obs_log_ring_info *ring, struct json *json)
{
	json_open(json, NULL, '{');
	json_string(json, "origin", origin_names[ring->origin]);
	json_u64(json, "cpu", ring->cpu);
	json_u64(json, "bytes", ring->bytes);
	json_u64(json, "high_water_bytes", ring->high_water_bytes);
	json_u64(json, "records", ring->records);
	json_close(json, '}');
}

static int ring_note(const struct obs_log_ring_info *ring, void *arg)
{
	struct rings *rings = arg;
	struct sum *sum;

	if (ring->origin > OBSRING_ORIGIN_MAX)
		return 0;
	if (rings->json)
		ring_json(ring, rings->json);
	sum = &rings->sum[ring->origin];
	sum->rings++;
	sum->bytes = ring->bytes;
	sum->total += ring->bytes;
	sum->high_water += ring->high_water_bytes;
	sum->records += ring->records;
	return 0;
}

static void sums_print(const struct sum *sum)
{
	unsigned int i;

	for (i = 0; i < ORIGINS; i++, sum++)
		printf("%s  %llu bytes on each of %u CPUs  %llu of %llu used  %llu records\n",
		       origin_names[i], (unsigned long long)sum->bytes, sum->rings,
		       (unsigned long long)sum->high_water,
		       (unsigned long long)sum->total, (unsigned long long)sum->records);
}

/* Who may read the device needs no privilege to ask; others may have one. */
static int show(const struct ctl_globals *globals, struct obs_control *control)
{
	int r, fd = open(globals->device ?: OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	struct json json = { .out = stdout };
	struct rings rings = { .json = globals->json ? &json : NULL };

	if (globals->json)
		json_open(&json, NULL, '[');
	r = obs_log_ring_list(control, fd, ring_note, &rings);
	if (globals->json)
		json_close(&json, ']');
	else if (!r)
		sums_print(rings.sum);
	if (fd >= 0)
		close(fd);
	return r;
}

int ctl_log_size(const struct ctl_command *command, struct ctl_globals *globals,
		 int argc, char **argv)
{
	const char *text[ORIGINS] = { NULL };
	const struct ctl_option options[] = {
		{ "kernel", NULL, &text[OBSRING_ORIGIN_KERNEL], NULL },
		{ "user", NULL, &text[OBSRING_ORIGIN_USER], NULL },
		{ NULL, NULL, NULL, NULL },
	};
	uint64_t size[ORIGINS] = { 0 };
	struct obs_control *control;
	unsigned int i;
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	for (i = 0; i < ORIGINS; i++) {
		r = size_set(command, text[i], &size[i]);
		if (r)
			return r;
	}
	r = ctl_control_open(&control);
	if (r)
		return r;
	if (!text[OBSRING_ORIGIN_KERNEL] && !text[OBSRING_ORIGIN_USER])
		return ctl_control_end(control, show(globals, control),
				       "cannot ask for the log's rings");
	for (i = 0; i < ORIGINS && !r; i++)
		if (text[i])
			r = obs_log_set_size(control, i, size[i]);
	return ctl_control_end(control, r, "cannot set the size of the %s's rings",
			       origin_names[i - 1]);
}
