// SPDX-License-Identifier: MIT
/*
 * libFuzzer: a span of any name, keys and values is a line, and one alone; taken apart
 * it gives its trace and its attributes back, and the name as its message.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libobsring/propagate.h>
#include <obsring/logline.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* In place of the device. */
static int file = -1;
static struct obs_tracer *tracer;

static void begin(void)
{
	char path[64];

	if (file >= 0)
		return;
	file = memfd_create("fuzz_span", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	require(!obs_tracer_open(path, "fuzz", 1, &tracer));
}

/* The next string of the data, up to a NUL. */
static const char *next(const char **at, const char *end)
{
	const char *text = *at;

	if (text == end)
		return NULL;
	*at += strlen(text) + 1;
	return text;
}

/* Is it among the fields? */
static bool has_field(const char *fields, __u32 len, const char *key, const char *value)
{
	const char *at = fields, *second;

	while (at < fields + len) {
		second = at + strlen(at) + 1;
		if (!strcmp(at, key) && !strcmp(second, value))
			return true;
		at = second + strlen(second) + 1;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[16384], fields[OBSRING_FIELDS_MAX], *text = malloc(size + 1);
	const char *at = text, *end = text + size, *key[64], *value[64], *name;
	struct obs_logline parsed;
	struct obs_span span;
	unsigned int nr = 0, i;
	bool cut = false;
	ssize_t len;
	__u32 n;

	require(text != NULL);
	memcpy(text, data, size);
	/* A string may end behind the last byte. */
	text[size] = '\0';
	begin();
	name = size ? next(&at, end) : "";
	require(obs_span_start(&span, tracer, NULL, OBS_SPAN_CLIENT, name));
	while (at < end && nr < 64) {
		key[nr] = next(&at, end);
		value[nr] = at < end ? next(&at, end) : "";
		if (!obs_span_attribute(&span, key[nr], value[nr]))
			nr++;
	}
	require(nr <= OBS_SPAN_ATTRIBUTES_MAX);
	require(!ftruncate(file, 0) && !obs_span_end(&span));
	len = pread(file, line, sizeof(line), 0);
	require(len > 0 && len < (ssize_t)sizeof(line));
	/* One line, of which nothing but its end is a control character. */
	for (i = 0; i < (unsigned int)len - 1; i++)
		require(!obs_logline_is_control(line[i]));
	require(line[len - 1] == '\n');
	obs_logline_parse(line, (__u32)len - 1, &parsed);
	require(parsed.has_trace && !parsed.has_rv && parsed.level == 6);
	require(!memcmp(parsed.trace.span_id, span.context.span_id, 8));
	n = obs_logline_fields(&parsed, fields, sizeof(fields), &cut);
	require(!cut);
	for (i = 0; i < nr; i++)
		require(has_field(fields, n, key[i], value[i]));
	require(has_field(fields, n, "span.kind", "client"));
	require(parsed.message_len == strnlen(name, OBS_SPAN_NAME_MAX));
	free(text);
	return 0;
}
