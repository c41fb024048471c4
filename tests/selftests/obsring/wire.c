// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

/* ---- Attributes ---------------------------------------------------------- */

uint16_t attr_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

const void *attr_data(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

size_t attr_len(const struct nlattr *attr)
{
	return attr->nla_len - NLA_HDRLEN;
}

uint32_t attr_u32(const struct nlattr *attr)
{
	uint32_t v = 0;

	if (attr)
		memcpy(&v, attr_data(attr), sizeof(v));
	return v;
}

uint64_t attr_u64(const struct nlattr *attr)
{
	uint64_t v = 0;

	if (attr)
		memcpy(&v, attr_data(attr), sizeof(v));
	return v;
}

const char *attr_string(const struct nlattr *attr)
{
	return attr ? attr_data(attr) : "";
}

void answer_parse(struct answer *answer, const void *attrs, size_t len)
{
	const struct nlattr *attr;

	memset(answer, 0, sizeof(*answer));
	answer->first = attrs;
	answer->len = len;
	answer_each(attr, answer) {
		if (attr->nla_len < NLA_HDRLEN)
			return;
		if (attr_type(attr) <= OBSRING_A_MAX)
			answer->attr[attr_type(attr)] = attr;
	}
}

/* ---- Requests ------------------------------------------------------------ */

void request_begin(struct request *request, uint8_t cmd, uint16_t flags)
{
	memset(request, 0, sizeof(*request));
	request->head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	request->head.nlmsg_flags = NLM_F_REQUEST | flags;
	request->genl.cmd = cmd;
	request->genl.version = OBSRING_GENL_VERSION;
}

uint32_t request_put(struct request *request, uint16_t type, const void *data, size_t len)
{
	uint32_t offset = NLMSG_ALIGN(request->head.nlmsg_len);
	struct nlattr *attr = (void *)((char *)request + offset);

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)attr + NLA_HDRLEN, data, len);
	request->head.nlmsg_len = offset + NLA_ALIGN(attr->nla_len);
	return offset;
}

uint32_t request_put_string(struct request *request, uint16_t type, const char *s)
{
	return request_put(request, type, s, strlen(s) + 1);
}

uint32_t request_put_u8(struct request *request, uint16_t type, uint8_t v)
{
	return request_put(request, type, &v, sizeof(v));
}

uint32_t request_put_u32(struct request *request, uint16_t type, uint32_t v)
{
	return request_put(request, type, &v, sizeof(v));
}

uint32_t request_put_u64(struct request *request, uint16_t type, uint64_t v)
{
	return request_put(request, type, &v, sizeof(v));
}

/* ---- Exchanges ----------------------------------------------------------- */

struct exchange {
	struct wire *wire;
	void (*fn)(const struct answer *answer, void *arg);
	void *arg;
	int result;
};

static void ack_attributes(struct wire *wire, const char *at, const char *end)
{
	const struct nlattr *attr;
	size_t len;

	for (; at + NLA_HDRLEN <= end; at += NLA_ALIGN(attr->nla_len)) {
		attr = (const void *)at;
		if (attr->nla_len < NLA_HDRLEN)
			return;
		len = attr_len(attr) < sizeof(wire->sentence) - 1 ?
		      attr_len(attr) : sizeof(wire->sentence) - 1;
		if (attr_type(attr) == NLMSGERR_ATTR_MSG)
			memcpy(wire->sentence, attr_data(attr), len);
		if (attr_type(attr) == NLMSGERR_ATTR_OFFS)
			wire->offset = attr_u32(attr);
	}
}

/* An ack, an error, or the end of a dump: true, nothing follows. */
static bool ending(struct exchange *exchange, const struct nlmsghdr *head)
{
	const char *end = (const char *)head + head->nlmsg_len;
	const struct nlmsgerr *error = NLMSG_DATA(head);
	size_t skip = sizeof(int);

	if (head->nlmsg_type != NLMSG_ERROR && head->nlmsg_type != NLMSG_DONE)
		return false;
	if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(int)))
		exchange->result = error->error;
	if (head->nlmsg_type == NLMSG_ERROR)
		skip = sizeof(*error) + (head->nlmsg_flags & NLM_F_CAPPED ? 0 :
			NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN);
	if (head->nlmsg_flags & NLM_F_ACK_TLVS)
		ack_attributes(exchange->wire, (const char *)error + skip, end);
	return true;
}

static void message(struct exchange *exchange, const struct nlmsghdr *head)
{
	const struct genlmsghdr *genl = NLMSG_DATA(head);
	struct answer answer;

	exchange->wire->nr_messages++;
	answer_parse(&answer, (const char *)genl + GENL_HDRLEN,
		     head->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
	answer.cmd = genl->cmd;
	if (exchange->fn)
		exchange->fn(&answer, exchange->arg);
}

static bool datagram(struct exchange *exchange, const void *buffer, size_t len)
{
	const struct nlmsghdr *head = buffer;

	exchange->wire->nr_datagrams++;
	for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_seq != exchange->wire->seq)
			continue;
		if (ending(exchange, head))
			return true;
		message(exchange, head);
	}
	return false;
}

int wire_send(struct wire *wire, struct request *request)
{
	wire->nr_messages = 0;
	wire->nr_datagrams = 0;
	wire->offset = 0;
	memset(wire->sentence, 0, sizeof(wire->sentence));
	if (!request->head.nlmsg_type)
		request->head.nlmsg_type = wire->family;
	request->head.nlmsg_flags |= NLM_F_ACK;
	request->head.nlmsg_seq = ++wire->seq;
	return send(wire->fd, request, request->head.nlmsg_len, 0) < 0 ? -errno : 0;
}

int wire_receive(struct wire *wire, void (*fn)(const struct answer *answer, void *arg),
		 void *arg)
{
	struct exchange exchange = { .wire = wire, .fn = fn, .arg = arg };
	static char buffer[1 << 20];
	ssize_t len;

	do {
		len = recv(wire->fd, buffer, sizeof(buffer), 0);
		if (len < 0)
			return -errno;
	} while (!datagram(&exchange, buffer, (size_t)len));
	return exchange.result;
}

int wire_ask(struct wire *wire, struct request *request,
	     void (*fn)(const struct answer *answer, void *arg), void *arg)
{
	return wire_send(wire, request) ?: wire_receive(wire, fn, arg);
}

int wire_event(struct wire *wire, struct answer *answer, char *text, size_t size)
{
	struct nlmsghdr *head = (void *)text;
	struct genlmsghdr *genl = NLMSG_DATA(head);
	ssize_t len = recv(wire->fd, text, size, MSG_DONTWAIT);

	if (len < 0)
		return -errno;
	if (!NLMSG_OK(head, len) || head->nlmsg_type != wire->family)
		return -EPROTO;
	answer_parse(answer, (char *)genl + GENL_HDRLEN,
		     head->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
	answer->cmd = genl->cmd;
	return genl->cmd;
}

/* ---- Opening ------------------------------------------------------------- */

static uint32_t group_of(const struct nlattr *groups)
{
	const char *end = (const char *)groups + groups->nla_len;
	const char *at = attr_data(groups);
	const struct nlattr *group, *attr;
	const char *inner;
	uint32_t id = 0;

	for (; at + NLA_HDRLEN <= end; at += NLA_ALIGN(group->nla_len)) {
		group = (const void *)at;
		for (inner = attr_data(group); inner < at + group->nla_len;
		     inner += NLA_ALIGN(attr->nla_len)) {
			attr = (const void *)inner;
			if (attr_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
				id = attr_u32(attr);
		}
	}
	return id;
}

static void family_answer(const struct answer *answer, void *arg)
{
	struct wire *wire = arg;
	const struct nlattr *attr;

	answer_each(attr, answer) {
		if (attr_type(attr) == CTRL_ATTR_FAMILY_ID)
			memcpy(&wire->family, attr_data(attr), sizeof(wire->family));
		if (attr_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			wire->group = group_of(attr);
	}
}

int wire_open(struct wire *wire)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	struct request request;
	int one = 1, r;

	memset(wire, 0, sizeof(*wire));
	wire->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (wire->fd < 0)
		return -errno;
	setsockopt(wire->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	r = bind(wire->fd, (void *)&self, sizeof(self)) ? -errno : 0;
	request_begin(&request, CTRL_CMD_GETFAMILY, 0);
	request.head.nlmsg_type = GENL_ID_CTRL;
	request_put_string(&request, CTRL_ATTR_FAMILY_NAME, OBSRING_GENL_NAME);
	if (!r)
		r = wire_ask(wire, &request, family_answer, wire);
	if (r)
		wire_close(wire);
	return r;
}

void wire_close(struct wire *wire)
{
	close(wire->fd);
	wire->fd = -1;
}

int wire_join(struct wire *wire)
{
	return setsockopt(wire->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &wire->group,
			  sizeof(wire->group)) ? -errno : 0;
}
