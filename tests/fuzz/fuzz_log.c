// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any file in the device's place has a log that is read to its end, or
 * refused, and each record is in one of the counts. What follows the image changes
 * its rings between two readings: 4 bytes a change, of which 3 are the place and one
 * is what to write there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <obsring.h>

#include "door.h"
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRIES_MAX	1000
#define ENTRIES_MAX	4096		/* more are not in an image that stands still */

static volatile uint64_t sink;

static void require(int holds)
{
	if (!holds)
		abort();
}

static void string_use(const char *text, size_t len, size_t max)
{
	require(len <= max && !text[len]);
	sink += strlen(text);
}

static void record_use(const struct obs_log_entry *entry)
{
	unsigned int i;

	require(entry->level <= 7 && entry->weight >= 0 && !entry->lost);
	string_use(entry->source, entry->source_len, sizeof("user.") - 1 + OBSRING_SOURCE_MAX);
	string_use(entry->message, entry->message_len, OBSRING_MESSAGE_MAX);
	require(strlen(entry->comm) <= OBSRING_COMM_MAX);
	require(entry->nr_fields <= OBSRING_FIELDS_MAX / 2);
	for (i = 0; i < entry->nr_fields; i++)
		sink += strlen(entry->field[i].key) + strlen(entry->field[i].value);
}

static void text_use(const struct obs_log *log, size_t room)
{
	char *text = malloc(room);
	size_t n;

	require(text != NULL);
	n = obs_log_text(log, text, room);
	require(n <= room && (room < 4 || (n && text[n - 1] == '\n')));
	free(text);
}

/* Read to the end; @told: records that were given, or told to be lost, so far. */
static int log_read(struct obs_log *log, uint64_t *told)
{
	const struct obs_log_entry *entry = NULL;
	unsigned int nr = 0;
	int r;

	while ((r = obs_log_next(log, &entry)) > 0) {
		require(++nr <= ENTRIES_MAX);
		require(r == OBS_LOG_RECORD || (r == OBS_LOG_LOST && entry->lost));
		if (r == OBS_LOG_RECORD)
			record_use(entry);
		*told += r == OBS_LOG_RECORD ? 1 : entry->lost;
		text_use(log, 1 + nr % OBS_LOG_TEXT_MAX);
		text_use(log, OBS_LOG_TEXT_MAX);
	}
	return r;
}

/*
 * All that was lost is told, unless a ring is refused: before the record behind it, which
 * is given no sooner than the window after its time, or after it was seen.
 */
static void log_use(struct obs_log *log, uint64_t *told)
{
	struct obs_log_counts counts;
	unsigned int tries = 0;
	int r, timeout_ms;

	for (;;) {
		r = log_read(log, told);
		obs_log_counts(log, &counts);
		if (r < 0 || counts.read + counts.lost == *told)
			break;
		require(counts.read + counts.lost > *told && ++tries < TRIES_MAX);
		if (obs_log_wait(log, 1000) < 0)
			break;
	}
	sink += (uint64_t)obs_log_prepare(log, &timeout_ms);
}

static struct obs_log_options options_from(uint8_t byte)
{
	static const uint8_t trace_id[16] = { 1 };
	struct obs_log_options options = {
		.start = byte & 3, .since_ns = (byte & 3) >= 2 ? 10 : 0,
		.levels = byte & 4 ? 0x0f : 0, .origins = byte & 8 ? 1 : 0,
		.source = byte & 16 ? "user.*" : NULL,
		.trace_id = byte & 32 ? trace_id : NULL,
		.window_ns = byte & 64 ? 1000 : 0,
	};

	return options;
}

static void changes_do(struct obs_log *log, int fd, const uint8_t *changes, size_t nr)
{
	uint64_t told = 0;
	size_t i;

	log_use(log, &told);
	for (i = 0; i < nr; i++, changes += 4) {
		off_t at = (changes[0] | changes[1] << 8 | changes[2] << 16) % LOG_RINGS_BYTES;

		require(pwrite(fd, changes + 3, 1, LOG_IMAGE_BYTES - LOG_RINGS_BYTES + at) == 1);
		if (i % 4 == 3)
			log_use(log, &told);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t image = size < LOG_IMAGE_BYTES ? size : LOG_IMAGE_BYTES;
	struct obs_log_options options;
	struct obs_log *log;
	char path[32];
	int fd;

	options = options_from(size > image ? data[size - 1] : 0);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && pwrite(fd, data, image, 0) == (ssize_t)image);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	door_watch();
	if (!obs_log_open(path, &options, &log)) {
		door_pass();
		changes_do(log, fd, data + image, (size - image) / 4);
		obs_log_close(log);
	}
	close(fd);
	return 0;
}
