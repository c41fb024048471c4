// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any file in the device's place is scraped in each format, or refused. The
 * text formats are lines of their syntax, whatever names and values are in the file,
 * protobuf is messages, and gzip is of such. What follows the image changes it between
 * two scrapes: 4 bytes a change, of which 3 are the place and one is what to write there.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <obsring/name.h>

#include "obsringd/log.h"
#include "obsringd/metrics.h"
#include "door.h"
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANGES_MAX	8

static struct requests requests;
static struct self self;

static void require(int holds)
{
	if (!holds)
		abort();
}

/* ---- Text ----------------------------------------------------------------- */

/* Behind the quoted string at @at, which ends in its line. */
static const char *quoted(const char *at)
{
	__u32 c;

	require(*at++ == '"');
	while (*at != '"') {
		require(*at != '\n' && *at);
		if (*at == '\\')
			require(strchr("\\\"n", *++at) != NULL && *at);
		at += obs_utf8_decode(at, &c) ?: 1;
	}
	return at + 1;
}

/* A name of a metric or a label, with or without quotes. */
static const char *name(const char *at)
{
	size_t n = strcspn(at, "{}=,\" \n");

	return *at == '"' ? quoted(at) : (require(n), at + n);
}

/* {"name",label="value"}, of which the name may be missing. */
static const char *braces(const char *at)
{
	require(*at++ == '{');
	while (*at != '}') {
		at = name(at);
		if (*at == '=')
			at = quoted(at + 1);
		if (*at == ',')
			at++;
		else
			require(*at == '}');
	}
	return at + 1;
}

static const char *number(const char *at)
{
	char *end;

	at += strspn(at, " ");
	strtod(at, &end);
	require(end != at && end[-1] != ' ');
	return end;
}

/* NAME{LABELS} NUMBER[ # {LABELS} NUMBER TIME] */
static const char *sample(const char *at)
{
	if (*at != '{')
		at = name(at);
	if (*at == '{')
		at = braces(at);
	require(*at == ' ');
	at = number(at);
	if (!strncmp(at, " # {", 4))
		at = number(number(braces(at + 3)));
	require(*at == '\n');
	return at + 1;
}

static void text_check(const char *at, const char *end, bool openmetrics)
{
	const char *last = at;

	while (at < end) {
		last = at;
		if (*at != '#') {
			at = sample(at);
			continue;
		}
		require(!strncmp(at, "# HELP ", 7) || !strncmp(at, "# TYPE ", 7) ||
			(openmetrics && (!strncmp(at, "# UNIT ", 7) ||
					 !strncmp(at, "# EOF\n", 6))));
		at = strchr(at, '\n');
		require(at++ != NULL);
	}
	require(at == end && openmetrics == !strcmp(last, "# EOF\n"));
}

/* ---- Protobuf ------------------------------------------------------------- */

static const uint8_t *varint(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	unsigned int shift = 0;

	for (*ret = 0;; shift += 7) {
		require(at < end && shift < 64);
		*ret |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at++ & 0x80))
			return at;
	}
}

/* A field, and whether it is whole; all have numbers below 16 or so. */
static const uint8_t *field(const uint8_t *at, const uint8_t *end)
{
	uint64_t tag, n;

	at = varint(at, end, &tag);
	require(tag >> 3 && tag >> 3 < 32);
	switch (tag & 7) {
	case 0:
		return varint(at, end, &n);
	case 1:
		n = 8;
		break;
	case 2:
		at = varint(at, end, &n);
		break;
	default:
		abort();
	}
	require(n <= (uint64_t)(end - at));
	return at + n;
}

static void proto_check(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *message_end;
	uint64_t n;

	while (at < end) {
		at = varint(at, end, &n);
		require(n <= (uint64_t)(end - at));
		for (message_end = at + n; at < message_end;)
			at = field(at, message_end);
	}
}

/* ---- Bodies --------------------------------------------------------------- */

static void put_body(struct text *text, const struct body *body)
{
	unsigned int i;

	for (i = 0; i < body->nr_chunks; i++)
		text_put(text, body->chunk[i]->data, body->chunk[i]->len);
	text_puts(text, body->end);
}

static void put_inflated(struct text *text, const struct text *packed)
{
	z_stream stream = { .next_in = (void *)packed->data, .avail_in = packed->len };
	int r;

	require(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK);
	do {
		stream.next_out = (void *)text_reserve(text, 65536);
		stream.avail_out = 65536;
		r = inflate(&stream, Z_NO_FLUSH);
		text->len += 65536 - stream.avail_out;
	} while (r == Z_OK);
	require(r == Z_STREAM_END && !stream.avail_in);
	inflateEnd(&stream);
}

static void body_check(const struct body *body, enum format_id format)
{
	struct text text = { 0 }, packed = { 0 };

	if (body->gzip) {
		put_body(&packed, body);
		put_inflated(&text, &packed);
		text_free(&packed);
	} else {
		put_body(&text, body);
		require(body_len(body) == text.len);
	}
	text_put(&text, "", 1);
	require(!text_failed(&text));
	if (formats[format].proto)
		proto_check((uint8_t *)text.data, (uint8_t *)text.data + text.len - 1);
	else
		text_check(text.data, text.data + text.len - 1, formats[format].created);
	text_free(&text);
}

static void scrape(struct metrics *metrics, unsigned int which)
{
	const struct metrics_request request = { .format = which % FORMAT_NR,
						 .gzip = which / FORMAT_NR % 2 };
	char reason[COLLECT_REASON_MAX];
	struct body *body;

	if (metrics_scrape(metrics, &request, &body, reason)) {
		require(strnlen(reason, sizeof(reason)) < sizeof(reason));
		return;
	}
	door_pass();
	body_check(body, request.format);
	body_put(body);
}

static void begin(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	requests_init(&requests);
	require(!self_init(&self, &requests));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t image = size < IMAGE_BYTES ? size : IMAGE_BYTES, nr, i;
	const uint8_t *change = data + image;
	struct collector collector;
	struct metrics metrics;
	char path[32];
	int fd;

	begin();
	door_watch();
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && pwrite(fd, data, image, 0) == (ssize_t)image);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	collector_init(&collector, path, -1);
	metrics_init(&metrics, &collector, &self);
	nr = (size - image) / 4;
	for (i = 0; i <= nr && i < CHANGES_MAX; i++) {
		if (i) {
			off_t at = (change[0] | change[1] << 8 | change[2] << 16) % IMAGE_BYTES;

			require(pwrite(fd, change + 3, 1, at) == 1);
			change += 4;
		}
		/* One format for a while, or another. */
		scrape(&metrics, (size ? data[size - 1] : 0) + (i % 4 == 3 ? i : 0));
	}
	metrics_exit(&metrics);
	collector_exit(&collector);
	close(fd);
	return 0;
}
