// SPDX-License-Identifier: MIT
#include "control.h"

struct sample_walk {
	int (*fn)(const struct obs_sample_info *sample, void *arg);
	void *arg;
};

void obs_sample_decode(const struct obs_answer *answer, struct obs_sample_info *sample)
{
	*sample = (struct obs_sample_info){
		.level = OBS_SAMPLE_NO_LEVEL,
		.rule = obs_answer_u32(answer, OBSRING_A_RULE),
		.value = obs_answer_u64(answer, OBSRING_A_RULE_VALUE),
		.at_ns = obs_answer_u64(answer, OBSRING_A_AT_NS),
		.id = obs_answer_u64(answer, OBSRING_A_SAMPLE_ID),
	};
	obs_answer_string(answer, OBSRING_A_NAME, sample->source, sizeof(sample->source));
	if (answer->attr[OBSRING_A_LEVEL])
		sample->level = (int)obs_answer_u32(answer, OBSRING_A_LEVEL);
}

static int sample_answer(const struct obs_answer *answer, void *arg)
{
	const struct sample_walk *walk = arg;
	struct obs_sample_info sample;

	obs_sample_decode(answer, &sample);
	return walk->fn(&sample, walk->arg);
}

int obs_sample_list(struct obs_control *control,
		    int (*fn)(const struct obs_sample_info *sample, void *arg),
		    void *arg)
{
	struct sample_walk walk = { .fn = fn, .arg = arg };

	return obs_request_dump(control, OBSRING_CMD_SAMPLE_GET, sample_answer, &walk);
}

int obs_sample_encode(struct nl_msg *msg, const struct obs_sample_info *sample)
{
	int r;

	r = nla_put_string(msg, OBSRING_A_NAME, sample->source);
	if (!r && sample->level != OBS_SAMPLE_NO_LEVEL)
		r = nla_put_u32(msg, OBSRING_A_LEVEL, (uint32_t)sample->level);
	if (!r && sample->rule)
		r = nla_put_u32(msg, OBSRING_A_RULE, sample->rule);
	if (!r && sample->rule)
		r = nla_put_u64(msg, OBSRING_A_RULE_VALUE, sample->value);
	if (!r && sample->at_ns)
		r = nla_put_u64(msg, OBSRING_A_AT_NS, sample->at_ns);
	if (!r && sample->id)
		r = nla_put_u64(msg, OBSRING_A_SAMPLE_ID, sample->id);
	return obs_put_error(r);
}

static int id_answer(const struct obs_answer *answer, void *arg)
{
	uint64_t *id = arg;

	*id = obs_answer_u64(answer, OBSRING_A_SAMPLE_ID);
	return 0;
}

int obs_sample_send(struct obs_control *control, const struct obs_sample_info *sample,
		    uint64_t *ret_id)
{
	uint8_t cmd = sample->rule ? OBSRING_CMD_SAMPLE_SET : OBSRING_CMD_SAMPLE_DEL;
	struct nl_msg *msg = obs_request_new(control, cmd, 0);
	int r = msg ? obs_sample_encode(msg, sample) : 0;
	uint64_t id = 0;

	r = obs_request_send(control, msg, r, id_answer, &id);
	if (!r && ret_id)
		*ret_id = id;
	return r;
}

int obs_sample_cancel(struct obs_control *control, uint64_t id)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SAMPLE_DEL, 0);
	int r = msg ? nla_put_u64(msg, OBSRING_A_SAMPLE_ID, id) : 0;

	return obs_request_send(control, msg, obs_put_error(r), NULL, NULL);
}
