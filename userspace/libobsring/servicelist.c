// SPDX-License-Identifier: MIT
/* Services over netlink: which there are, their time to live, their end. */
#include <errno.h>

#include "control.h"

void obs_service_decode(const struct obs_answer *answer, struct obs_service_info *service)
{
	*service = (struct obs_service_info){
		.uid = obs_answer_u32(answer, OBSRING_A_UID),
		.members = obs_answer_u32(answer, OBSRING_A_MEMBERS),
		.series = obs_answer_u32(answer, OBSRING_A_SERIES),
		.bytes = obs_answer_u64(answer, OBSRING_A_BYTES),
		.ttl_s = obs_answer_u32(answer, OBSRING_A_TTL),
		.created_ns = obs_answer_u64(answer, OBSRING_A_CREATED_NS),
		.detached_ns = obs_answer_u64(answer, OBSRING_A_DETACHED_NS),
	};
	obs_answer_string(answer, OBSRING_A_NAME, service->name, sizeof(service->name));
}

struct service_walk {
	int (*fn)(const struct obs_service_info *service, void *arg);
	void *arg;
};

static int service_answer(const struct obs_answer *answer, void *arg)
{
	const struct service_walk *walk = arg;
	struct obs_service_info service;

	obs_service_decode(answer, &service);
	return walk->fn(&service, walk->arg);
}

static int put_device(struct nl_msg *msg, int device_fd)
{
	if (device_fd < 0)
		return 0;
	return nla_put_u32(msg, OBSRING_A_DEVICE_FD, (uint32_t)device_fd);
}

int obs_service_list(struct obs_control *control, int device_fd,
		     int (*fn)(const struct obs_service_info *service, void *arg),
		     void *arg)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERVICE_GET, NLM_F_DUMP);
	struct service_walk walk = { .fn = fn, .arg = arg };
	int r = msg ? put_device(msg, device_fd) : 0;

	return obs_request_send(control, msg, obs_put_error(r), service_answer, &walk);
}

int obs_service_encode(struct nl_msg *msg, int device_fd, const char *name, uint32_t uid)
{
	int r;

	r = put_device(msg, device_fd);
	if (!r)
		r = nla_put_string(msg, OBSRING_A_NAME, name);
	if (!r)
		r = nla_put_u32(msg, OBSRING_A_UID, uid);
	return obs_put_error(r);
}

int obs_service_set_ttl(struct obs_control *control, int device_fd, const char *name,
			uint32_t uid, uint32_t ttl_s)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERVICE_SET, 0);
	int r = msg ? obs_service_encode(msg, device_fd, name, uid) : 0;

	if (msg && !r)
		r = obs_put_error(nla_put_u32(msg, OBSRING_A_TTL, ttl_s));
	return obs_request_send(control, msg, r, NULL, NULL);
}

int obs_service_delete(struct obs_control *control, int device_fd, const char *name,
		       uint32_t uid)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERVICE_DEL, 0);
	int r = msg ? obs_service_encode(msg, device_fd, name, uid) : 0;

	return obs_request_send(control, msg, r, NULL, NULL);
}
