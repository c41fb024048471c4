// SPDX-License-Identifier: MIT
/* Records of a process: formatted as a line, which the device, or a segment, takes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring.h>
#include <obsring/logline.h>

#include "lineput.h"
#include "logput.h"

/* Each byte of a field as \xhh, what stands around them, and the message. */
#define LINE_MAX	(OBS_LOGLINE_FIELDS_MAX + OBSRING_MESSAGE_MAX + 512)

/**
 * struct obs_log_writer - a log that is written
 * @put: where to
 * @service: whose records
 */
struct obs_log_writer {
	struct obs_logput put;
	char service[OBSRING_SOURCE_MAX + 1];
};

int obs_log_writer_open(const char *path, const char *service,
			struct obs_log_writer **ret_writer)
{
	struct obs_log_writer *writer;
	int r;

	if (!obs_logput_service_valid(service))
		return -EINVAL;
	writer = malloc(sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	r = obs_logput_open(path, &writer->put);
	if (r) {
		free(writer);
		return r;
	}
	strcpy(writer->service, service);
	*ret_writer = writer;
	return 0;
}

void obs_log_writer_close(struct obs_log_writer *writer)
{
	if (!writer)
		return;
	obs_logput_close(&writer->put);
	free(writer);
}

static bool key_valid(const char *key)
{
	size_t i;

	for (i = 0; key[i]; i++)
		if (!obs_logline_is_key(key[i]))
			return false;
	return i && i <= OBS_LOGLINE_KEY_MAX;
}

static void trace_put(struct obs_lineput *line, const struct obs_trace_context *context)
{
	char parent[OBS_TRACEPARENT_LEN + 1];
	uint8_t rv[7];
	size_t i;

	obs_trace_format_traceparent(context, parent);
	obs_lineput_text(line, " traceparent=");
	obs_lineput_text(line, parent);
	if (!context->has_rv)
		return;
	for (i = 0; i < sizeof(rv); i++)
		rv[i] = (uint8_t)(context->rv >> (48 - 8 * i));
	obs_lineput_text(line, " tracestate=ot=rv:");
	obs_lineput_hex(line, rv, sizeof(rv));
}

/*
 * False: there is no room for it in the record. As much of it is put as shows that to
 * who takes the line, so that the record counts as cut.
 */
static bool field_put(struct obs_lineput *line, const struct obs_log_field *field,
		      size_t *left)
{
	size_t key = strlen(field->key) + 2, value = strlen(field->value);
	char some[OBSRING_FIELDS_MAX + 1];

	if (key + value <= *left) {
		obs_lineput_field(line, field->key, field->value);
		*left -= key + value;
		return true;
	}
	snprintf(some, key < *left ? *left - key + 2 : 2, "%s", field->value);
	obs_lineput_field(line, field->key, some);
	return false;
}

int obs_log_write(const struct obs_log_writer *writer, unsigned int level,
		  const struct obs_trace_context *context,
		  const struct obs_log_field *field, unsigned int nr, const char *message)
{
	char text[LINE_MAX], head[] = "<0>service=";
	struct obs_lineput line = { .at = text, .end = text + sizeof(text) };
	size_t left = OBSRING_FIELDS_MAX;
	unsigned int i;

	if (level > 7)
		return -EINVAL;
	for (i = 0; i < nr; i++)
		if (!key_valid(field[i].key))
			return -EINVAL;
	if (!writer)
		return 0;
	head[1] = (char)('0' + level);
	obs_lineput_text(&line, head);
	obs_lineput_text(&line, writer->service);
	if (context)
		trace_put(&line, context);
	for (i = 0; i < nr && field_put(&line, &field[i], &left); i++)
		;
	obs_lineput_message(&line, message);
	return obs_logput_line(&writer->put, text, (size_t)(line.at - text));
}
