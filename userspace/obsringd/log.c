// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <obsring/name.h>

#include "log.h"

/* Changed while others log. */
static struct {
	_Atomic enum log_level level;
	_Atomic enum log_format format;
} setup = { LEVEL_INFO, LOG_LOGFMT };

static const char *const level_name[] = {
	[LEVEL_DEBUG] = "debug",
	[LEVEL_INFO] = "info",
	[LEVEL_WARN] = "warn",
	[LEVEL_ERROR] = "error",
};

/* A line in the making; what does not fit is left out. */
struct line {
	char data[4096];
	size_t len;
	bool json;
};

#define LINE_END_MAX 4	/* closing quote, brace, line end */

void log_setup(enum log_level level, enum log_format format)
{
	setup.level = level;
	setup.format = format;
}

static bool put(struct line *line, const char *data, size_t len)
{
	if (line->len + len + LINE_END_MAX > sizeof(line->data))
		return false;
	memcpy(line->data + line->len, data, len);
	line->len += len;
	return true;
}

static bool puts_line(struct line *line, const char *string)
{
	return put(line, string, strlen(string));
}

static const char *char_escape(__u32 c, char *buffer, size_t size)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	}
	if (c >= 0x20 && (c < 0x7f || c >= 0xa0))
		return NULL;
	snprintf(buffer, size, "\\u%04x", c);
	return buffer;
}

/* A JSON string, which logfmt knows as well. */
static void put_quoted(struct line *line, const char *string)
{
	const char *escape;
	char buffer[8];
	unsigned int len;
	bool room = true;
	__u32 c;

	put(line, "\"", 1);
	for (; *string && room; string += len) {
		len = obs_utf8_decode(string, &c);
		if (!len) {
			c = 0xfffd;
			len = 1;
			room = puts_line(line, "\\ufffd");
			continue;
		}
		escape = char_escape(c, buffer, sizeof(buffer));
		room = escape ? puts_line(line, escape) : put(line, string, len);
	}
	line->data[line->len++] = '"';
}

static bool is_bare(const char *string)
{
	if (!*string)
		return false;
	for (; *string; string++)
		if (*string <= ' ' || *string >= 0x7f || strchr("\"\\=", *string))
			return false;
	return true;
}

static void put_field(struct line *line, const char *key, const char *value)
{
	bool json = line->json;
	size_t room = sizeof(line->data) - line->len;

	if (strlen(key) + 8 + LINE_END_MAX > room)
		return;
	if (line->len > 1)
		puts_line(line, json ? "," : " ");
	if (json) {
		put_quoted(line, key);
		puts_line(line, ":");
	} else {
		puts_line(line, key);
		puts_line(line, "=");
	}
	if (json || !is_bare(value) || !puts_line(line, value))
		put_quoted(line, value);
}

static void put_time(struct line *line)
{
	struct timespec now;
	struct tm utc;
	char text[32], stamp[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(stamp, sizeof(stamp), "%s.%03ldZ", text, now.tv_nsec / 1000000);
	put_field(line, "ts", stamp);
}

static void write_line(struct line *line)
{
	ssize_t written;

	if (line->json)
		line->data[line->len++] = '}';
	line->data[line->len++] = '\n';
	written = write(STDERR_FILENO, line->data, line->len);
	(void)written;	/* a lost log line has nowhere to be told */
}

void log_event(enum log_level level, const char *message, ...)
{
	struct line line = { .json = setup.format == LOG_JSON };
	const char *key;
	va_list pairs;

	if (level < setup.level)
		return;
	if (line.json)
		puts_line(&line, "{");
	put_time(&line);
	put_field(&line, "level", level_name[level]);
	put_field(&line, "msg", message);
	va_start(pairs, message);
	while ((key = va_arg(pairs, const char *)))
		put_field(&line, key, va_arg(pairs, const char *));
	va_end(pairs);
	write_line(&line);
}
