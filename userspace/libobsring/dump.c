// SPDX-License-Identifier: MIT
/* Series and their values over netlink. */
#include <errno.h>
#include <stdlib.h>

#include "control.h"

struct series_walk {
	int (*fn)(const struct obs_series_values *series, void *arg);
	void *arg;
};

/* Arrays of one answer, in one block. */
struct series_arrays {
	const char *value[OBSRING_LABELS_MAX];
	uint64_t *bucket;
	uint32_t *row_cpu;
	int64_t *row_number;
	uint64_t *row_bucket;
};

static bool is_string(const struct nlattr *attr)
{
	return nla_len(attr) > 0 &&
	       !((const char *)nla_data(attr))[nla_len(attr) - 1];
}

static unsigned int count(const struct obs_answer *answer, int type)
{
	struct nlattr *attr;
	unsigned int nr = 0;
	int left;

	obs_answer_each(attr, answer, type, left)
		nr++;
	return nr;
}

static int values_decode(const struct obs_answer *answer, const char **value,
			 unsigned int *ret_nr)
{
	struct nlattr *attr;
	unsigned int nr = 0;
	int left;

	obs_answer_each(attr, answer, OBSRING_A_LABEL_VALUE, left) {
		if (nr == OBSRING_LABELS_MAX || !is_string(attr))
			return -EPROTO;
		value[nr++] = nla_data(attr);
	}
	*ret_nr = nr;
	return 0;
}

/* A value, or a sum with exactly @nr_buckets buckets. */
static int number_decode(const struct obs_answer *answer, int64_t *number,
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

static int rows_decode(const struct obs_answer *answer, struct series_arrays *arrays,
		       unsigned int nr_buckets)
{
	struct obs_answer row;
	struct nlattr *nest;
	unsigned int i = 0;
	int left, r;

	obs_answer_each(nest, answer, OBSRING_A_ROW, left) {
		r = obs_answer_parse_nested(nest, &row);
		if (r)
			return r;
		arrays->row_cpu[i] = obs_answer_u32(&row, OBSRING_A_CPU);
		r = number_decode(&row, &arrays->row_number[i],
				  arrays->row_bucket + i * nr_buckets, nr_buckets);
		if (r)
			return r;
		i++;
	}
	return 0;
}

static void *arrays_new(struct series_arrays *arrays, unsigned int nr_buckets,
			unsigned int nr_rows)
{
	size_t cells = nr_buckets + (size_t)nr_rows * (nr_buckets + 1);
	uint64_t *block;

	block = calloc(cells + 1 + (nr_rows + 1) / 2, sizeof(*block));
	if (!block)
		return NULL;
	arrays->bucket = block;
	arrays->row_bucket = arrays->bucket + nr_buckets;
	arrays->row_number = (int64_t *)(arrays->row_bucket +
					 (size_t)nr_rows * nr_buckets);
	arrays->row_cpu = (uint32_t *)(arrays->row_number + nr_rows);
	return block;
}

static int series_decode(const struct obs_answer *answer,
			 struct obs_series_values *series,
			 struct series_arrays *arrays)
{
	struct nlattr *name = answer->attr[OBSRING_A_NAME];
	int r;

	if (!name || !is_string(name))
		return -EPROTO;
	series->id = obs_answer_u32(answer, OBSRING_A_SERIES_ID);
	series->gen = obs_answer_u32(answer, OBSRING_A_GEN);
	series->family = nla_data(name);
	series->value = arrays->value;
	series->overflow = answer->attr[OBSRING_A_OVERFLOW];
	series->created_ns = obs_answer_u64(answer, OBSRING_A_CREATED_NS);
	series->kind = obs_answer_u32(answer, OBSRING_A_KIND);
	series->bucket = arrays->bucket;
	series->row_cpu = arrays->row_cpu;
	series->row_number = arrays->row_number;
	series->row_bucket = arrays->row_bucket;
	r = values_decode(answer, arrays->value, &series->nr_labels);
	if (!r)
		r = number_decode(answer, &series->number, arrays->bucket,
				  series->nr_buckets);
	if (!r)
		r = rows_decode(answer, arrays, series->nr_buckets);
	return r;
}

int obs_dump_answer(const struct obs_answer *answer,
		    int (*fn)(const struct obs_series_values *series, void *arg),
		    void *arg)
{
	struct obs_series_values series = {
		.nr_buckets = count(answer, OBSRING_A_BUCKET),
		.nr_rows = count(answer, OBSRING_A_ROW),
	};
	struct series_arrays arrays;
	void *block;
	int r;

	block = arrays_new(&arrays, series.nr_buckets, series.nr_rows);
	if (!block)
		return -ENOMEM;
	r = series_decode(answer, &series, &arrays);
	if (!r)
		r = fn(&series, arg);
	free(block);
	return r;
}

static int series_answer(const struct obs_answer *answer, void *arg)
{
	const struct series_walk *walk = arg;

	return obs_dump_answer(answer, walk->fn, walk->arg);
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
	struct series_walk walk = { .fn = fn, .arg = arg };
	int r = msg ? dump_encode(msg, family, per_cpu, device_fd) : 0;

	return obs_request_send(control, msg, r, series_answer, &walk);
}
