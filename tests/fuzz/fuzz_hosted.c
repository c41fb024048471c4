// SPDX-License-Identifier: MIT
/*
 * libFuzzer: the writers of a hosted segment, in one that others have written anything
 * into. The input is changes, 5 bytes each: in which region, where (2 bytes), what to
 * write there, and what to do then. Nothing crashes, hangs, or leaves the mapping; and
 * what a reader is shown, the reader refuses or takes.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <obsring.h>
#include <obsring/logline.h>
#include <libobsring/segment.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANGE	5
#define CHANGES_MAX 16
#define THREADS_MAX 2

static uint8_t *image;
static size_t image_bytes;

static const char *const op = "op";

static const struct obs_family_spec specs[] = {
	{ .name = "a_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 1, .label = &op },
	{ .name = "b", .kind = OBSRING_KIND_GAUGE, .nr_labels = 1, .label = &op },
	{ .name = "c", .kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 2,
	  .bound = (const uint64_t[]){ 1, 2 }, .nr_labels = 1, .label = &op },
};

static void require(int holds)
{
	if (!holds)
		abort();
}

static void metric(struct obs_segment *segment, uint32_t service, uint8_t which)
{
	const char *value = which & 1 ? "x" : "y";
	const struct obs_segment_metric wanted = {
		.service = service, .service_name = "s", .uid = 1,
		.spec = &specs[which / 2 % 3], .value = &value,
	};
	uint32_t index, share;
	bool overflow;

	if (!obs_segment_metric(segment, &wanted, &index, &overflow))
		require(index < obs_segment_nr_series(segment));
	if (!obs_segment_share_get(segment, service, 0, which, &share))
		require(share < segment->nr.nr_shares);
}

static void keep(struct obs_segment *segment)
{
	static struct obs_sample_rng rng;
	const struct obs_logline line = { .level = 6 };
	struct obsring_record head = { 0 };

	obs_segment_keep(segment, 0, &rng, &line, "s", 1, &head);
}

static void ring(struct obs_segment *segment)
{
	obs_host_ring_mend(obs_segment_region(segment, OBSRING_REGION_RINGS),
			   obs_segment_region(segment, OBSRING_REGION_LOG),
			   segment->nr.lines);
}

static void service(struct obs_segment *segment, uint8_t which)
{
	uint32_t index;

	if (obs_segment_service_get(segment, which & 1 ? "s" : "t", 1, &index))
		return;
	obs_segment_service_count(segment, index);
	if (which & 2)
		obs_segment_service_end(segment, index);
}

/* By a thread of its own: its ring is given back when it ends, before the segment goes. */
static void *log_lines(void *segment)
{
	static const char *const lines[] = {
		"<4>service=s traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 "
		".k=v . m\n",
		"a message that is longer than the lines of a record's head are, so that it has "
		"some of the ring's lines in its midst, and some more after that\n", "",
	};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		require(!obs_segment_log(segment, lines[i], strlen(lines[i])));
	return NULL;
}

static void log_write(struct obs_segment *segment)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	require(!pthread_attr_setstacksize(&attr, 128 * 1024));
	require(!pthread_create(&thread, &attr, log_lines, segment));
	require(!pthread_join(thread, NULL));
	pthread_attr_destroy(&attr);
}

static void read_all(int fd)
{
	struct obs_snapshot *snapshot;
	struct obs_device *device;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (obs_device_open(path, &device))
		return;
	require(!obs_snapshot_new(device, &snapshot));
	obs_snapshot_update(snapshot);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
}

static void act(struct obs_segment *segment, int fd, uint8_t what, unsigned int *threads)
{
	if (what % 8 == 7) {
		read_all(fd);
		return;
	}
	if (what % 8 == 6) {
		if ((*threads)++ >= THREADS_MAX)
			return;
		log_write(segment);
		obs_segment_mend_rings(segment);
		return;
	}
	/* As from one that was killed, sometimes. */
	segment->host->busy = what >> 7;
	require(!obs_segment_lock(segment));
	switch (what % 8) {
	case 0:
		service(segment, what / 8);
		break;
	case 1:
	case 2:
		metric(segment, 1, what / 8);
		break;
	case 3:
		obs_segment_sweep(segment);
		break;
	case 4:
		keep(segment);
		break;
	case 5:
		ring(segment);
		break;
	}
	obs_segment_unlock(segment);
}

/* Behind the last region is the header. */
static uint8_t *place(const struct obs_segment *segment, const uint8_t *change)
{
	const struct obs_region *region = &segment->view.region[change[0] % (OBS_REGIONS + 1)];
	size_t at = change[1] | change[2] << 8;

	if (change[0] % (OBS_REGIONS + 1) == OBS_REGIONS || !region->size)
		return segment->base + at % sizeof(struct obsring_header);
	return segment->base + region->offset + at % region->size;
}

static void image_make(void)
{
	static const struct obs_segment_options small = {
		.max_series = 64, .value_pages = 1, .max_shares = 4, .log_rings = 1,
		.log_bytes = 4096,
	};
	int fd = obs_segment_create_memfd(&small);
	struct obs_sample_info rule = { .source = "*", .level = OBS_SAMPLE_NO_LEVEL,
					.rule = OBSRING_RULE_ONE_IN, .value = 3 };
	struct obs_segment *segment;
	char path[32];

	require(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(!obs_segment_sample_send(path, &rule));
	require(!obs_segment_new_private(fd, &segment));
	service(segment, 1);
	metric(segment, 1, 0);
	metric(segment, 1, 2);
	image_bytes = segment->bytes;
	image = malloc(image_bytes);
	require(image != NULL);
	memcpy(image, segment->base, image_bytes);
	obs_segment_free_private(segment);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obs_segment *segment;
	unsigned int threads = 0;
	size_t i;
	int fd;

	if (!image)
		image_make();
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd >= 0 && write(fd, image, image_bytes) == (ssize_t)image_bytes);
	require(!obs_segment_new_private(fd, &segment));
	for (i = 0; i + CHANGE <= size && i < CHANGE * CHANGES_MAX; i += CHANGE) {
		*place(segment, data + i) = data[i + 3];
		act(segment, fd, data[i + 4], &threads);
	}
	obs_segment_free_private(segment);
	/* And as it is now, by who begins with it. */
	if (!obs_segment_new_private(fd, &segment)) {
		act(segment, fd, 0, &threads);
		act(segment, fd, 1, &threads);
		obs_segment_free_private(segment);
	}
	close(fd);
	return 0;
}
