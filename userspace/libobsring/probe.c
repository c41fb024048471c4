// SPDX-License-Identifier: MIT
#include "control.h"

struct probe_walk {
	int (*fn)(const struct obs_probe_info *probe, void *arg);
	void *arg;
};

void obs_probe_decode(const struct obs_answer *answer, struct obs_probe_info *probe)
{
	*probe = (struct obs_probe_info){
		.type = obs_answer_u32(answer, OBSRING_A_PROBE_TYPE),
		.kind = obs_answer_u32(answer, OBSRING_A_KIND),
		.sample = obs_answer_u32(answer, OBSRING_A_SAMPLE),
		.hits = obs_answer_u64(answer, OBSRING_A_HITS),
		.missed = obs_answer_u64(answer, OBSRING_A_MISSED),
	};
	obs_answer_string(answer, OBSRING_A_NAME, probe->name, sizeof(probe->name));
	obs_answer_string(answer, OBSRING_A_PROBE_TARGET, probe->target,
			  sizeof(probe->target));
	obs_answer_string(answer, OBSRING_A_REASON, probe->reason,
			  sizeof(probe->reason));
}

static int probe_answer(const struct obs_answer *answer, void *arg)
{
	const struct probe_walk *walk = arg;
	struct obs_probe_info probe;

	obs_probe_decode(answer, &probe);
	return walk->fn(&probe, walk->arg);
}

int obs_probe_list(struct obs_control *control,
		   int (*fn)(const struct obs_probe_info *probe, void *arg),
		   void *arg)
{
	struct probe_walk walk = { .fn = fn, .arg = arg };

	return obs_request_dump(control, OBSRING_CMD_PROBE_GET, probe_answer, &walk);
}

int obs_probe_encode(struct nl_msg *msg, const struct obs_probe_info *probe,
		     const char *help)
{
	int r;

	r = nla_put_string(msg, OBSRING_A_NAME, probe->name);
	if (!r)
		r = nla_put_u32(msg, OBSRING_A_PROBE_TYPE, probe->type);
	if (!r)
		r = nla_put_string(msg, OBSRING_A_PROBE_TARGET, probe->target);
	if (!r && probe->kind)
		r = nla_put_u32(msg, OBSRING_A_KIND, probe->kind);
	if (!r && probe->sample)
		r = nla_put_u32(msg, OBSRING_A_SAMPLE, probe->sample);
	if (!r && help)
		r = nla_put_string(msg, OBSRING_A_HELP, help);
	return obs_put_error(r);
}

int obs_probe_add(struct obs_control *control, const struct obs_probe_info *probe,
		  const char *help)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_PROBE_NEW, 0);
	int r = msg ? obs_probe_encode(msg, probe, help) : 0;

	return obs_request_send(control, msg, r, NULL, NULL);
}

int obs_probe_delete(struct obs_control *control, const char *name)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_PROBE_DEL, 0);
	int r = msg ? nla_put_string(msg, OBSRING_A_NAME, name) : 0;

	return obs_request_send(control, msg, obs_put_error(r), NULL, NULL);
}
