// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes in the place of attributes of an answer over netlink. They are
 * refused, or each kind of answer is read of them; all strings end in their room.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/genl/genl.h>

#include "libobsring/dump.h"
#include "door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS(text) ends(text, sizeof(text))

static void ends(const char *text, size_t room)
{
	if (strnlen(text, room) == room)
		abort();
}

static void decode(const struct obs_answer *answer)
{
	struct obs_log_ring_info ring;
	struct obs_service_info service;
	struct obs_source_info source;
	struct obs_sample_info sample;
	struct obs_probe_info probe;
	struct obs_info info;
	unsigned int i;

	obs_info_decode(answer, &info);
	ENDS(info.version);
	if (!obs_source_decode(answer, &source))
		for (i = 0; i < source.nr_options; i++) {
			ENDS(source.option[i].key);
			ENDS(source.option[i].value);
		}
	obs_probe_decode(answer, &probe);
	ENDS(probe.name);
	ENDS(probe.target);
	obs_log_ring_decode(answer, &ring);
	obs_sample_decode(answer, &sample);
	ENDS(sample.source);
	obs_service_decode(answer, &service);
	ENDS(service.name);
}

static volatile uint64_t sink;

/* As a part of a dump: all that it has is there. */
static int series_use(const struct obs_series_values *series, void *arg)
{
	unsigned int nr = series->nr_buckets, i;

	ENDS(((struct obs_dump *)arg)->name);
	if (series->nr_labels > OBSRING_LABELS_MAX)
		abort();
	for (i = 0; i < series->nr_labels; i++)
		ends(series->value[i], OBSRING_VALUE_MAX + 1);
	for (i = 0; i < nr; i++)
		sink += series->bucket[i];
	for (i = 0; i < series->nr_rows; i++)
		sink += series->row_cpu[i] + (uint64_t)series->row_number[i];
	for (i = 0; i < series->nr_rows * nr; i++)
		sink += series->row_bucket[i];
	return 0;
}

/* Twice: as another series, or as more rows of the first. */
static void dump_it(const struct obs_answer *answer)
{
	struct obs_dump dump = { .fn = series_use, .arg = &dump };

	if (!obs_dump_answer(&dump, answer) && !obs_dump_answer(&dump, answer))
		obs_dump_flush(&dump);
	obs_dump_exit(&dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes = NLMSG_HDRLEN + GENL_HDRLEN + size;
	/* Of that size exactly: reading beyond it would be seen. */
	struct nlmsghdr *header = calloc(1, bytes);
	struct obs_answer answer;
	uint32_t offset = 0;

	if (!header)
		return 0;
	header->nlmsg_len = (uint32_t)bytes;
	memcpy((char *)nlmsg_data(header) + GENL_HDRLEN, data, size);
	door_watch();
	if (!obs_answer_parse(header, &answer)) {
		door_pass();
		decode(&answer);
		dump_it(&answer);
	}
	memcpy(&offset, data, size < sizeof(offset) ? size : sizeof(offset));
	obs_request_attr_name(header, offset);
	free(header);
	return 0;
}
