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

static void put_bytes(struct obs_lineput *line, const char *bytes, size_t nr)
{
	size_t room = (size_t)(line->end - line->at);

	if (nr > room)
		nr = room;
	memcpy(line->at, bytes, nr);
	line->at += nr;
}

static bool is_control(char c)
{
	return (uint8_t)c < ' ' || c == 0x7f;
}

#define EACH_BYTE	0x0101010101010101ULL

/* Is one of eight bytes below ' ' or 0x7f? As in Warren, Hacker's Delight, 6-1. */
static bool some_control(const char *bytes)
{
	uint64_t word, del;

	memcpy(&word, bytes, sizeof(word));
	del = word ^ 0x7f * EACH_BYTE;
	return (((word - ' ' * EACH_BYTE) & ~word) | ((del - EACH_BYTE) & ~del)) &
	       0x80 * EACH_BYTE;
}

void obs_lineput_text(struct obs_lineput *line, const char *text)
{
	put_bytes(line, text, strlen(text));
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
	char *at, *end;

	obs_lineput_text(line, " . ");
	at = line->at;
	obs_lineput_text(line, message);
	end = line->at;
	while (at < end) {
		if (end - at >= 8 && !some_control(at)) {
			at += 8;
			continue;
		}
		if (is_control(*at))
			*at = '?';
		at++;
	}
	put(line, '\n');
}
