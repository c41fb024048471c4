/* SPDX-License-Identifier: MIT */
/*
 * A line for the log, of whatever bytes: what include/obsring/logline.h takes apart
 * again to the same parts. It ends where its memory does; who writes gives enough.
 */
#ifndef LIBOBSRING_LINEPUT_H
#define LIBOBSRING_LINEPUT_H

#include <stddef.h>
#include <stdint.h>

struct obs_lineput {
	char *at;
	char *end;
};

void obs_lineput_text(struct obs_lineput *line, const char *text);
void obs_lineput_hex(struct obs_lineput *line, const uint8_t *bytes, size_t nr);

/* " .KEY=VALUE", in quotes where need be; @key is one. */
void obs_lineput_field(struct obs_lineput *line, const char *key, const char *value);
void obs_lineput_number(struct obs_lineput *line, const char *key, uint64_t n);

/* " . MESSAGE", the end of the line: "?" stands for what could end it before. */
void obs_lineput_message(struct obs_lineput *line, const char *message);

#endif /* LIBOBSRING_LINEPUT_H */
