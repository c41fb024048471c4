// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lineput.h"

static const char digits[] = "0123456789abcdef";

static void put(struct obs_lineput *line, char c)
{
	if (line->at < line->end)
		*line->at++ = c;
}

static bool is_control(char c)
{
	return (uint8_t)c < ' ' || c == 0x7f;
}

void obs_lineput_text(struct obs_lineput *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

void obs_lineput_hex(struct obs_lineput *line, const uint8_t *bytes, size_t nr)
{
	for (; nr; nr--, bytes++) {
		put(line, digits[*bytes >> 4]);
		put(line, digits[*bytes & 15]);
	}
}

static bool is_bare(const char *value)
{
	const char *at;

	for (at = value; *at; at++)
		if (*at == ' ' || *at == '"' || is_control(*at))
			return false;
	return at > value;
}

static void quote(struct obs_lineput *line, const char *value)
{
	static const char from[] = "\n\r\t\"\\", to[] = "nrt\"\\";
	const char *at;

	put(line, '"');
	for (; *value; value++) {
		at = strchr(from, *value);
		if (at) {
			put(line, '\\');
			put(line, to[at - from]);
		} else if (is_control(*value)) {
			obs_lineput_text(line, "\\x");
			obs_lineput_hex(line, (const uint8_t *)value, 1);
		} else {
			put(line, *value);
		}
	}
	put(line, '"');
}

void obs_lineput_field(struct obs_lineput *line, const char *key, const char *value)
{
	obs_lineput_text(line, " .");
	obs_lineput_text(line, key);
	put(line, '=');
	if (is_bare(value))
		obs_lineput_text(line, value);
	else
		quote(line, value);
}

void obs_lineput_number(struct obs_lineput *line, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	obs_lineput_field(line, key, text);
}

void obs_lineput_message(struct obs_lineput *line, const char *message)
{
	obs_lineput_text(line, " . ");
	for (; *message; message++)
		put(line, is_control(*message) ? '?' : *message);
	put(line, '\n');
}
