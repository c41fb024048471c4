// SPDX-License-Identifier: MIT
#include <errno.h>

#include "control.h"

void obs_info_decode(const struct obs_answer *answer, struct obs_info *info)
{
	*info = (struct obs_info){
		.abi_major = obs_answer_u32(answer, OBSRING_A_ABI_MAJOR),
		.abi_minor = obs_answer_u32(answer, OBSRING_A_ABI_MINOR),
		.state = obs_answer_u32(answer, OBSRING_A_STATE),
		.instance = obs_answer_u64(answer, OBSRING_A_INSTANCE),
		.nr_cpus = obs_answer_u32(answer, OBSRING_A_NR_CPUS),
		.families = obs_answer_u32(answer, OBSRING_A_FAMILIES),
		.series = obs_answer_u32(answer, OBSRING_A_SERIES),
		.series_limit = obs_answer_u32(answer, OBSRING_A_SERIES_LIMIT),
		.family_series_limit =
			obs_answer_u32(answer, OBSRING_A_FAMILY_SERIES_LIMIT),
		.bytes = obs_answer_u64(answer, OBSRING_A_BYTES),
		.bytes_limit = obs_answer_u64(answer, OBSRING_A_BYTES_LIMIT),
		.directory_bytes = obs_answer_u64(answer, OBSRING_A_DIRECTORY_BYTES),
		.refused = obs_answer_u64(answer, OBSRING_A_REFUSED),
	};
	obs_answer_string(answer, OBSRING_A_VERSION, info->version,
			  sizeof(info->version));
}

static int info_answer(const struct obs_answer *answer, void *arg)
{
	obs_info_decode(answer, arg);
	return 0;
}

int obs_control_info(struct obs_control *control, struct obs_info *ret_info)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_INFO_GET, 0);
	struct obs_info info = { .nr_cpus = 0 };
	int r;

	r = obs_request_send(control, msg, 0, info_answer, &info);
	if (!r)
		*ret_info = info;
	return r;
}

int obs_control_set_state(struct obs_control *control, enum obsring_state state)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_STATE_SET, 0);
	int r = msg ? nla_put_u32(msg, OBSRING_A_STATE, state) : 0;

	return obs_request_send(control, msg, obs_put_error(r), NULL, NULL);
}
