// SPDX-License-Identifier: GPL-2.0-only
/* Requests about services. */
#include <net/genetlink.h>

#include "chardev.h"
#include "compat.h"
#include "netlink.h"
#include "netlink_request.h"
#include "service.h"

static int fill_service(struct sk_buff *skb, struct obs_service *service)
{
	struct obs_service_state state;

	obs_service_state(service, &state);
	return nla_put_string(skb, OBSRING_A_NAME, service->name) ||
	       nla_put_u32(skb, OBSRING_A_UID, __kuid_val(service->user->uid)) ||
	       nla_put_u32(skb, OBSRING_A_MEMBERS, state.members) ||
	       nla_put_u32(skb, OBSRING_A_SERIES, state.series) ||
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES, state.bytes, OBSRING_A_PAD) ||
	       nla_put_u32(skb, OBSRING_A_TTL, state.ttl_s) ||
	       nla_put_u64_64bit(skb, OBSRING_A_CREATED_NS, service->created_ns,
				 OBSRING_A_PAD) ||
	       (state.left_ns &&
		nla_put_u64_64bit(skb, OBSRING_A_DETACHED_NS, state.left_ns,
				  OBSRING_A_PAD)) ? -EMSGSIZE : 0;
}

/* cb->args[0]: the next service's number, or one before it. */
int obs_nl_service_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	unsigned long number = cb->args[0];
	struct obs_service *service;
	void *header;
	int ret = obs_nl_dump_refused(cb);

	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	while ((service = obs_service_next(&number))) {
		header = obs_nl_dump_put(skb, cb, OBSRING_CMD_SERVICE_GET);
		if (!header)
			break;
		if (fill_service(skb, service)) {
			genlmsg_cancel(skb, header);
			break;
		}
		genlmsg_end(skb, header);
		number++;
	}
	mutex_unlock(&obs_registry_mutex);
	cb->args[0] = service ? number : ULONG_MAX;
	return skb->len;
}

/* Privileged, or the user that it is of, who may write. In the sender's context. */
static int check_owner(struct sk_buff *skb, struct genl_info *info, kuid_t uid)
{
	struct nlattr *fd = info->attrs[OBSRING_A_DEVICE_FD];

	if (fd && (nla_get_u32(fd) > INT_MAX || !obs_chardev_fd_writes(nla_get_u32(fd)))) {
		NL_SET_ERR_MSG_ATTR(info->extack, fd,
				    "this is no descriptor of the device that is open for writing");
		return -EBADF;
	}
	if (fd && uid_eq(current_euid(), uid))
		return 0;
	return obs_nl_check_privileged(skb, info->extack);
}

/* The service that a request names; under the registry's mutex. */
static struct obs_service *request_service(struct genl_info *info)
{
	kuid_t uid = KUIDT_INIT(nla_get_u32(info->attrs[OBSRING_A_UID]));
	struct obs_service *service;

	service = obs_service_find(uid, nla_data(info->attrs[OBSRING_A_NAME]));
	if (service)
		return service;
	NL_SET_ERR_MSG(info->extack, "this user has no service of that name");
	return ERR_PTR(-ENOENT);
}

static int check_request(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *uid = info->attrs[OBSRING_A_UID];

	if (!uid || !info->attrs[OBSRING_A_NAME])
		return obs_nl_missing(info->extack, "a service is named by name and uid");
	return check_owner(skb, info, KUIDT_INIT(nla_get_u32(uid)));
}

int obs_nl_service_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *ttl = info->attrs[OBSRING_A_TTL];
	struct obs_service *service;
	int ret = check_request(skb, info);

	if (ret)
		return ret;
	if (!ttl)
		return obs_nl_missing(info->extack, "attribute ttl is missing");
	mutex_lock(&obs_registry_mutex);
	service = request_service(info);
	ret = PTR_ERR_OR_ZERO(service);
	if (!ret)
		obs_service_set_ttl(service, nla_get_u32(ttl));
	mutex_unlock(&obs_registry_mutex);
	return ret;
}

int obs_nl_service_del(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_service *service;
	int ret = check_request(skb, info);

	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	service = request_service(info);
	ret = PTR_ERR_OR_ZERO(service);
	if (!ret) {
		ret = obs_service_delete(service);
		if (ret)
			NL_SET_ERR_MSG(info->extack, "the service has members: processes are attached to it");
	}
	mutex_unlock(&obs_registry_mutex);
	return ret;
}
