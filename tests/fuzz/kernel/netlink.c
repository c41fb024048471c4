// SPDX-License-Identifier: MIT
/* Requests to the generic netlink family, as bytes; answers are read and dropped. */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/obsring.h>

#include "execute.h"
#include "fuzz.h"

/*
 * As much as was ever asked for is in a message of a dump: with little, what comes
 * next goes on behind it.
 */
#define ANSWER_BYTES	4096
#define DUMP_MESSAGES	64	/* more of a dump is not read */

static int sock[ROLE_NR], listener = -1;
static enum role as;
static uint16_t family_id;
static uint32_t group_id;
static uint8_t answer[ANSWER_BYTES];

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	uint8_t data[DATA_MAX];
};

static int socket_open(void)
{
	int one = 1, fd, tries = 100;

	/* A fault may have been asked for. */
	do
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	while (fd < 0 && --tries);
	if (fd < 0)
		err(2, "netlink");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	return fd;
}

static const struct nlattr *attr_find(const void *data, int bytes, uint16_t type)
{
	const struct nlattr *attr = data;

	while (bytes >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= bytes) {
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		bytes -= NLA_ALIGN(attr->nla_len);
		attr = (const void *)((const char *)attr + NLA_ALIGN(attr->nla_len));
	}
	errx(2, "generic netlink names no family %s", OBSRING_GENL_NAME);
}

#define INSIDE(attr)	((const void *)((attr) + 1)), ((attr)->nla_len - NLA_HDRLEN)

/* Numbers of the family and its group, which are others after each load. */
void netlink_begin(enum role role)
{
	struct {
		struct nlmsghdr nl;
		struct genlmsghdr genl;
		struct nlattr attr;
		char name[8];
	} get = {
		.nl = { sizeof(get), GENL_ID_CTRL, NLM_F_REQUEST },
		.genl = { CTRL_CMD_GETFAMILY, 1 },
		.attr = { NLA_HDRLEN + sizeof(get.name), CTRL_ATTR_FAMILY_NAME },
		.name = OBSRING_GENL_NAME,
	};
	const struct nlattr *groups;
	ssize_t n;

	sock[role] = socket_open();
	if (send(sock[role], &get, sizeof(get), 0) < 0)
		err(2, "netlink");
	n = recv(sock[role], answer, sizeof(answer), 0) - NLMSG_HDRLEN - GENL_HDRLEN;
	memcpy(&family_id, attr_find(answer + NLMSG_HDRLEN + GENL_HDRLEN, n,
				     CTRL_ATTR_FAMILY_ID) + 1, sizeof(family_id));
	groups = attr_find(answer + NLMSG_HDRLEN + GENL_HDRLEN, n, CTRL_ATTR_MCAST_GROUPS);
	groups = attr_find(INSIDE(groups), 1);
	memcpy(&group_id, attr_find(INSIDE(groups), CTRL_ATTR_MCAST_GRP_ID) + 1,
	       sizeof(group_id));
}

/* Answers are there when send returns; what is left of a dump comes as it is read. */
static void answers_read(int fd, uint32_t max)
{
	while (max-- && recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

void do_request(const struct call *call)
{
	struct request request = {
		.nl = {
			.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN + call->size,
			.nlmsg_type = family_id,
			.nlmsg_flags = call->flags & 0xffff,
		},
		.genl = { .cmd = call->a, .version = OBSRING_GENL_VERSION },
	};
	uint32_t bytes = NLMSG_ALIGN(request.nl.nlmsg_len);
	uint8_t both[2 * sizeof(request)];

	memcpy(request.data, call->data, call->size);
	if (call->flags & CALL_CUT)
		request.nl.nlmsg_len += (int)(call->b % 64) - 32;
	memcpy(both, &request, bytes);
	memcpy(both + bytes, &request, bytes);
	if (send(sock[as], both, call->flags & CALL_TWICE ? 2 * bytes : bytes, 0) < 0)
		errno = 0;
	if (!(call->flags & CALL_PARTIAL)) {
		answers_read(sock[as], DUMP_MESSAGES);
		return;
	}
	/* One message of it; a new socket, or the next dump would be refused. */
	answers_read(sock[as], 1);
	close(sock[as]);
	sock[as] = socket_open();
}

void netlink_as(enum role role)
{
	as = role;
}

void do_listen(const struct call *call)
{
	if (listener < 0)
		listener = socket_open();
	setsockopt(listener, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group_id, sizeof(group_id));
}

/* Others need a module that is not draining. */
void netlink_end(const struct program *program)
{
	static const struct call running = {
		.op = OP_NETLINK, .a = OBSRING_CMD_STATE_SET, .flags = NLM_F_REQUEST, .size = 8,
		.data = { 8, 0, OBSRING_A_STATE },
	};
	uint32_t i;

	if (listener >= 0) {
		answers_read(listener, 64);
		close(listener);
		listener = -1;
	}
	for (i = 0; i < program->nr; i++)
		if (program->call[i].op == OP_NETLINK &&
		    program->call[i].a == OBSRING_CMD_STATE_SET) {
			do_request(&running);
			break;
		}
}
