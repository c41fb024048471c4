// SPDX-License-Identifier: MIT
/* Series and their values over netlink. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"

static unsigned int count(const struct obs_answer *answer, int type)
{
	struct nlattr *attr;
	unsigned int nr = 0;
	int left;

	obs_answer_each(attr, answer, type, left)
		nr++;
	return nr;
}

static int strings_take(struct obs_dump *dump, const struct obs_answer *answer)
{
	struct nlattr *attr;
	unsigned int nr = 0;
	int left;

	obs_answer_string(answer, OBSRING_A_NAME, dump->name, sizeof(dump->name));
	if (!dump->name[0])
		return -EPROTO;
	obs_answer_each(attr, answer, OBSRING_A_LABEL_VALUE, left) {
		if (nr == OBSRING_LABELS_MAX || nla_len(attr) < 1 ||
		    (size_t)nla_len(attr) > sizeof(dump->text[0]))
			return -EPROTO;
		memcpy(dump->text[nr], nla_data(attr), (size_t)nla_len(attr));
		dump->value[nr] = dump->text[nr];
		nr++;
	}
	dump->series.nr_labels = nr;
	return 0;
}

/* A value, or a sum with exactly @nr_buckets buckets. */
static int number_take(const struct obs_answer *answer, int64_t *number,
		       uint64_t *bucket, unsigned int nr_buckets)
{
	int type = nr_buckets ? OBSRING_A_SUM : OBSRING_A_VALUE;
	struct nlattr *attr;
	int left;

	if (!answer->attr[type] || count(answer, OBSRING_A_BUCKET) != nr_buckets)
		return -EPROTO;
	*number = (int64_t)obs_answer_u64(answer, type);
	obs_answer_each(attr, answer, OBSRING_A_BUCKET, left)
		*bucket++ = nla_get_u64(attr);
	return 0;
}

/* The first message of a series. */
static int series_begin(struct obs_dump *dump, const struct obs_answer *answer)
{
	struct obs_series_values *series = &dump->series;
	int r;

	*series = (struct obs_series_values){
		.id = obs_answer_u32(answer, OBSRING_A_SERIES_ID),
		.gen = obs_answer_u32(answer, OBSRING_A_GEN),
		.family = dump->name,
		.value = dump->value,
		.overflow = answer->attr[OBSRING_A_OVERFLOW],
		.created_ns = obs_answer_u64(answer, OBSRING_A_CREATED_NS),
		.kind = obs_answer_u32(answer, OBSRING_A_KIND),
		.nr_buckets = count(answer, OBSRING_A_BUCKET),
		.bucket = dump->bucket,
	};
	if (series->nr_buckets > OBSRING_SLOTS_MAX)
		return -EPROTO;
	r = strings_take(dump, answer);
	if (r)
		return r;
	r = number_take(answer, &series->number, dump->bucket, series->nr_buckets);
	dump->open = !r;
	return r;
}

static int rows_reserve(struct obs_dump *dump, unsigned int nr)
{
	size_t buckets = dump->series.nr_buckets ? dump->series.nr_buckets : 1;
	uint64_t *row_bucket;
	int64_t *row_number;
	uint32_t *row_cpu;

	row_cpu = reallocarray(dump->row_cpu, nr, sizeof(*row_cpu));
	if (!row_cpu)
		return -ENOMEM;
	dump->row_cpu = row_cpu;
	row_number = reallocarray(dump->row_number, nr, sizeof(*row_number));
	if (!row_number)
		return -ENOMEM;
	dump->row_number = row_number;
	row_bucket = reallocarray(dump->row_bucket, nr, buckets * sizeof(*row_bucket));
	if (!row_bucket)
		return -ENOMEM;
	dump->row_bucket = row_bucket;
	return 0;
}

static int row_take(struct obs_dump *dump, struct nlattr *nest)
{
	struct obs_series_values *series = &dump->series;
	unsigned int i = series->nr_rows;
	struct obs_answer row;
	int r;

	r = obs_answer_parse_nested(nest, &row);
	if (r)
		return r;
	dump->row_cpu[i] = obs_answer_u32(&row, OBSRING_A_CPU);
	r = number_take(&row, &dump->row_number[i],
			dump->row_bucket + (size_t)i * series->nr_buckets,
			series->nr_buckets);
	if (r)
		return r;
	series->nr_rows++;
	return 0;
}

static int rows_take(struct obs_dump *dump, const struct obs_answer *answer)
{
	unsigned int nr = count(answer, OBSRING_A_ROW);
	struct nlattr *nest;
	int left, r;

	if (!nr)
		return 0;
	r = rows_reserve(dump, dump->series.nr_rows + nr);
	if (r)
		return r;
	obs_answer_each(nest, answer, OBSRING_A_ROW, left) {
		r = row_take(dump, nest);
		if (r)
			return r;
	}
	return 0;
}

static bool is_continued(const struct obs_dump *dump, const struct obs_answer *answer)
{
	return dump->open && !answer->attr[OBSRING_A_VALUE] &&
	       !answer->attr[OBSRING_A_SUM] &&
	       obs_answer_u32(answer, OBSRING_A_SERIES_ID) == dump->series.id &&
	       obs_answer_u32(answer, OBSRING_A_GEN) == dump->series.gen;
}

int obs_dump_flush(struct obs_dump *dump)
{
	if (!dump->open)
		return 0;
	dump->open = false;
	dump->series.row_cpu = dump->row_cpu;
	dump->series.row_number = dump->row_number;
	dump->series.row_bucket = dump->row_bucket;
	return dump->fn(&dump->series, dump->arg);
}

int obs_dump_answer(struct obs_dump *dump, const struct obs_answer *answer)
{
	int r;

	if (!is_continued(dump, answer)) {
		r = obs_dump_flush(dump);
		if (!r)
			r = series_begin(dump, answer);
		if (r)
			return r;
	}
	return rows_take(dump, answer);
}

void obs_dump_exit(struct obs_dump *dump)
{
	free(dump->row_cpu);
	free(dump->row_number);
	free(dump->row_bucket);
}

static int dump_answer(const struct obs_answer *answer, void *arg)
{
	return obs_dump_answer(arg, answer);
}

static int dump_encode(struct nl_msg *msg, const char *family, bool per_cpu,
		       int device_fd)
{
	int r = 0;

	if (family)
		r = nla_put_string(msg, OBSRING_A_NAME, family);
	if (!r && per_cpu)
		r = nla_put_flag(msg, OBSRING_A_PER_CPU);
	if (!r && device_fd >= 0)
		r = nla_put_u32(msg, OBSRING_A_DEVICE_FD, (uint32_t)device_fd);
	return obs_put_error(r);
}

int obs_series_dump(struct obs_control *control, const char *family, bool per_cpu,
		    int device_fd,
		    int (*fn)(const struct obs_series_values *series, void *arg),
		    void *arg)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERIES_GET,
					     NLM_F_DUMP);
	struct obs_dump dump = { .fn = fn, .arg = arg };
	int r = msg ? dump_encode(msg, family, per_cpu, device_fd) : 0;

	r = obs_request_send(control, msg, r, dump_answer, &dump);
	if (!r)
		r = obs_dump_flush(&dump);
	obs_dump_exit(&dump);
	return r;
}
