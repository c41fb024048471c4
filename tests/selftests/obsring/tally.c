// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <obsring.h>
#include <obsring/record.h>

#include "file.h"
#include "tally.h"

bool tally_message_whole(const char *message, size_t len)
{
	char text[OBSRING_MESSAGE_MAX + 1], context[16];
	unsigned long long number;
	int at = 0;

	if (len >= sizeof(text))
		return false;
	memcpy(text, message, len);
	text[len] = 0;
	return sscanf(text, "%15s %llu %n", context, &number, &at) == 2 &&
	       strspn(text + at, "x") == number % 900 && at + number % 900 == len;
}

/* ---- Text ---------------------------------------------------------------- */

static bool line_whole(const char *line)
{
	const char *msg = strstr(line, " msg=\""), *end = msg ? strrchr(line, '"') : NULL;

	if (!msg || end[1])
		return false;
	msg += strlen(" msg=\"");
	return end >= msg && tally_message_whole(msg, (size_t)(end - msg));
}

static void line_note(struct tally *tally, const char *line)
{
	if (!strncmp(line, "lost=", 5)) {
		tally->lost += strtoull(line + 5, NULL, 10);
		return;
	}
	tally->read++;
	tally->torn += !line_whole(line);
}

static void pause_before_more(const struct tally *tally, bool last)
{
	if (tally->pause_us && !last)
		usleep(tally->pause_us);
}

void tally_read(struct tally *tally, const int *stop)
{
	FILE *file = fopen(OBSRING_DEVICE, "re");
	char line[16384];
	bool last = false;
	int fd;

	if (!file) {
		tally->error = errno;
		return;
	}
	fd = fileno(file);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	lseek(fd, 0, SEEK_SET);
	__atomic_store_n(&tally->began, 1, __ATOMIC_RELEASE);
	do {
		last = __atomic_load_n(stop, __ATOMIC_ACQUIRE);
		while (fgets(line, sizeof(line), file)) {
			line[strcspn(line, "\n")] = 0;
			line_note(tally, line);
		}
		if (errno != EAGAIN)
			tally->error = errno;
		clearerr(file);
		pause_before_more(tally, last);
		errno = EAGAIN;
	} while (!last && !tally->error);
	fclose(file);
}

/* ---- Mapped -------------------------------------------------------------- */

/**
 * struct rings - the mapped log
 * @tally: what was read of it
 * @nr: rings
 * @view: of each
 * @cursor: in each
 */
struct rings {
	struct tally *tally;
	unsigned int nr;
	struct obs_ring_view *view;
	struct obs_ring_cursor *cursor;
};

static void *region_map(int fd, const struct obsring_region *region)
{
	void *at = mmap(NULL, region->size, PROT_READ, MAP_SHARED, fd, (off_t)region->offset);

	return at == MAP_FAILED ? NULL : at;
}

static int rings_map(struct rings *rings, const struct obsring_header *header, int fd)
{
	const struct obsring_region *log = &header->region[OBSRING_REGION_LOG];
	const struct obsring_ring *ring = region_map(fd, &header->region[OBSRING_REGION_RINGS]);
	const char *line = region_map(fd, log);
	unsigned int i;

	rings->nr = header->nr_cpus * (OBSRING_ORIGIN_MAX + 1);
	rings->view = calloc(rings->nr, sizeof(*rings->view));
	rings->cursor = calloc(rings->nr, sizeof(*rings->cursor));
	if (!ring || !line || !rings->view || !rings->cursor)
		return errno;
	for (i = 0; i < rings->nr; i++) {
		if (!ring[i].nr_lines)
			continue;
		rings->view[i].ring = &ring[i];
		rings->view[i].gen_at = &ring[i].gen;
		rings->view[i].line = (const void *)(line + (ring[i].offset - log->offset));
		do {
			while (!obs_ring_attach(&rings->view[i]))
				sched_yield();
			obs_ring_seek_oldest(&rings->view[i], &rings->cursor[i]);
		} while (!obs_ring_still(&rings->view[i]));
	}
	return 0;
}

/* The next record of ring @i; false: none for now. */
static bool ring_read(struct rings *rings, unsigned int i)
{
	struct obs_ring_view *view = &rings->view[i];
	struct obs_ring_cursor *cursor = &rings->cursor[i];
	struct tally *tally = rings->tally;
	union obs_record_buffer buffer;
	struct obs_ring_peeked peeked = { 0 };
	struct obs_record record;
	__u64 lost = 0;
	enum obs_ring_result result;

	result = obs_ring_read(view, cursor, buffer.word, OBS_RING_RECORD_WORDS,
			       &peeked, &lost);
	tally->lost += lost;
	if (result == OBS_RING_REPLACED) {
		while (!obs_ring_attach(view))
			sched_yield();
		tally->changes++;
	}
	if (result == OBS_RING_RECORD) {
		obs_ring_next(cursor, &peeked);
		tally->read++;
		tally->torn += !obs_record_parse(&buffer, peeked.words, &record) ||
			       !tally_message_whole(record.message, record.head->message_len);
	}
	return result != OBS_RING_EMPTY;
}

void tally_map(struct tally *tally, const int *stop)
{
	const struct obsring_header *header;
	struct rings rings = { .tally = tally };
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	unsigned int i;
	bool last;

	header = mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED, fd, 0);
	tally->error = header == MAP_FAILED ? errno : rings_map(&rings, header, fd);
	if (tally->error)
		return;
	__atomic_store_n(&tally->began, 1, __ATOMIC_RELEASE);
	do {
		last = __atomic_load_n(stop, __ATOMIC_ACQUIRE);
		for (i = 0; i < rings.nr; i++)
			while (rings.view[i].ring && ring_read(&rings, i))
				;
		if (!tally->pause_us)
			sched_yield();
		pause_before_more(tally, last);
	} while (!last);
}

/* ---- CPUs ---------------------------------------------------------------- */

bool tally_cpu_switch(int cpu, const char *online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return !file_write(path, online);
}

void tally_hotplug(unsigned long long *rounds, const int *stop)
{
	int cpu, nr = (int)sysconf(_SC_NPROCESSORS_CONF);

	for (cpu = 1; !__atomic_load_n(stop, __ATOMIC_RELAXED); cpu = cpu % (nr - 1) + 1) {
		*rounds += tally_cpu_switch(cpu, "0");
		tally_cpu_switch(cpu, "1");
	}
}
