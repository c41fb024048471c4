// SPDX-License-Identifier: MIT
#include "control.h"

struct ring_walk {
	int (*fn)(const struct obs_log_ring_info *ring, void *arg);
	void *arg;
};

void obs_log_ring_decode(const struct obs_answer *answer, struct obs_log_ring_info *ring)
{
	*ring = (struct obs_log_ring_info){
		.cpu = obs_answer_u32(answer, OBSRING_A_CPU),
		.origin = obs_answer_u32(answer, OBSRING_A_ORIGIN),
		.bytes = obs_answer_u64(answer, OBSRING_A_BYTES),
		.high_water_bytes = obs_answer_u64(answer, OBSRING_A_HIGH_WATER),
		.records = obs_answer_u64(answer, OBSRING_A_RECORDS),
	};
}

static int ring_answer(const struct obs_answer *answer, void *arg)
{
	const struct ring_walk *walk = arg;
	struct obs_log_ring_info ring;

	obs_log_ring_decode(answer, &ring);
	return walk->fn(&ring, walk->arg);
}

int obs_log_ring_list(struct obs_control *control, int device_fd,
		      int (*fn)(const struct obs_log_ring_info *ring, void *arg),
		      void *arg)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_LOG_GET, NLM_F_DUMP);
	struct ring_walk walk = { .fn = fn, .arg = arg };
	int r = 0;

	if (msg && device_fd >= 0)
		r = nla_put_u32(msg, OBSRING_A_DEVICE_FD, (uint32_t)device_fd);
	return obs_request_send(control, msg, obs_put_error(r), ring_answer, &walk);
}

int obs_log_set_size(struct obs_control *control, enum obsring_origin origin,
		     uint64_t bytes)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_LOG_SET, 0);
	int r = 0;

	if (msg)
		r = nla_put_u32(msg, OBSRING_A_ORIGIN, origin);
	if (msg && !r)
		r = nla_put_u64(msg, OBSRING_A_BYTES, bytes);
	return obs_request_send(control, msg, obs_put_error(r), NULL, NULL);
}
