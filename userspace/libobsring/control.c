// SPDX-License-Identifier: MIT
/*
 * One socket, one request at a time. Errors are the module's own: its errno and
 * the sentence of its extended ack.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "control.h"

/* What the callbacks of one request share. */
struct exchange {
	struct obs_control *control;
	struct nl_msg *request;
	obs_answer_fn answer;
	void *arg;
	int result;		/* first error, or what the answer's taker returned */
	bool failed;		/* the kernel refused */
	bool done;		/* no more answers */
	bool interrupted;	/* the dump missed a change */
};

static const struct {
	int nl, error;
} nl_errors[] = {
	{ NLE_NOMEM, ENOMEM },		{ NLE_OBJ_NOTFOUND, ENOENT },
	{ NLE_PERM, EPERM },		{ NLE_NOACCESS, EACCES },
	{ NLE_INTR, EINTR },		{ NLE_AGAIN, EAGAIN },
	{ NLE_MSG_OVERFLOW, EMSGSIZE },	{ NLE_MSGSIZE, EMSGSIZE },
	{ NLE_DUMP_INTR, EAGAIN },	{ NLE_MSG_TRUNC, EPROTO },
	{ NLE_AF_NOSUPPORT, EAFNOSUPPORT },
};

static int nl_error_to_errno(int nl)
{
	size_t i;

	for (i = 0; i < sizeof(nl_errors) / sizeof(nl_errors[0]); i++)
		if (nl_errors[i].nl == abs(nl))
			return -nl_errors[i].error;
	return -EIO;
}

static int control_connect(struct obs_control *control)
{
	int one = 1, r;

	r = genl_connect(control->socket);
	if (r < 0)
		return nl_error_to_errno(r);
	/* Kernels without it (before 4.12) answer as well, but without a sentence. */
	setsockopt(nl_socket_get_fd(control->socket), SOL_NETLINK, NETLINK_EXT_ACK,
		   &one, sizeof(one));
	setsockopt(nl_socket_get_fd(control->socket), SOL_NETLINK, NETLINK_CAP_ACK,
		   &one, sizeof(one));
	r = genl_ctrl_resolve(control->socket, OBSRING_GENL_NAME);
	if (r < 0)
		return nl_error_to_errno(r);
	control->family = r;
	return 0;
}

int obs_control_open(struct obs_control **ret_control)
{
	struct obs_control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->socket = nl_socket_alloc();
	r = control->socket ? control_connect(control) : -ENOMEM;
	if (r) {
		obs_control_close(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

void obs_control_close(struct obs_control *control)
{
	if (!control)
		return;
	nl_socket_free(control->socket);
	free(control);
}

const char *obs_control_error(const struct obs_control *control)
{
	return control->error;
}

struct nl_msg *obs_request_new(struct obs_control *control, uint8_t cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (!msg)
		return NULL;
	if (!genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, control->family, 0, flags,
			 cmd, OBSRING_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static void error_set(struct obs_control *control, int error, const char *sentence)
{
	char text[256];

	if (!sentence || !*sentence)
		sentence = strerror_r(-error, text, sizeof(text));
	snprintf(control->error, sizeof(control->error), "%s", sentence);
}

/* As include/netlink/obsring.yaml has them. */
static const char *const request_attr_names[OBSRING_A_MAX + 1] = {
	[OBSRING_A_DEVICE_FD]	 = "device-fd",
	[OBSRING_A_STATE]	 = "state",
	[OBSRING_A_NAME]	 = "name",
	[OBSRING_A_HELP]	 = "help",
	[OBSRING_A_UNIT]	 = "unit",
	[OBSRING_A_KIND]	 = "kind",
	[OBSRING_A_SET]		 = "set",
	[OBSRING_A_EXP10]	 = "exp10",
	[OBSRING_A_LABEL_NAME]	 = "label-name",
	[OBSRING_A_LABEL_VALUE]	 = "label-value",
	[OBSRING_A_BOUND]	 = "bound",
	[OBSRING_A_SCHEMA]	 = "schema",
	[OBSRING_A_MIN_LOG2]	 = "min-log2",
	[OBSRING_A_MAX_LOG2]	 = "max-log2",
	[OBSRING_A_PER_CPU]	 = "per-cpu",
	[OBSRING_A_VALUE]	 = "value",
	[OBSRING_A_ENABLED]	 = "enabled",
	[OBSRING_A_OPTION]	 = "option",
	[OBSRING_A_OPTION_KEY]	 = "option-key",
	[OBSRING_A_OPTION_VALUE] = "option-value",
	[OBSRING_A_PROBE_TYPE]	 = "probe-type",
	[OBSRING_A_PROBE_TARGET] = "probe-target",
	[OBSRING_A_SAMPLE]	 = "sample",
	[OBSRING_A_ORIGIN]	 = "origin",
	[OBSRING_A_BYTES]	 = "bytes",
	[OBSRING_A_LEVEL]	 = "level",
	[OBSRING_A_RULE]	 = "rule",
	[OBSRING_A_RULE_VALUE]	 = "rule-value",
	[OBSRING_A_AT_NS]	 = "at-ns",
	[OBSRING_A_SAMPLE_ID]	 = "sample-id",
	[OBSRING_A_UID]		 = "uid",
	[OBSRING_A_TTL]		 = "ttl",
};

const char *obs_request_attr_name(struct nlmsghdr *request, uint32_t offset)
{
	struct nlattr attr;

	if (request->nlmsg_len < sizeof(attr) ||
	    offset > request->nlmsg_len - sizeof(attr))
		return NULL;
	memcpy(&attr, (const uint8_t *)request + offset, sizeof(attr));
	return nla_type(&attr) <= OBSRING_A_MAX ? request_attr_names[nla_type(&attr)] :
						  NULL;
}

/* Add which attribute the kernel points at, if its sentence does not say so. */
static void error_add_attr(struct exchange *exchange, struct nlattr *attr, int len)
{
	struct nlattr *offset = nla_find(attr, len, NLMSGERR_ATTR_OFFS);
	char *error = exchange->control->error;
	size_t n = strlen(error);
	const char *name;

	if (!offset || nla_len(offset) < (int)sizeof(uint32_t))
		return;
	name = obs_request_attr_name(nlmsg_hdr(exchange->request),
				     nla_get_u32(offset));
	if (name && !strstr(error, name))
		snprintf(error + n, sizeof(exchange->control->error) - n,
			 " (attribute %s)", name);
}

/* The extended ack's sentence among the attributes at @attr, or NULL. */
static const char *extended_ack(struct nlattr *attr, int len)
{
	const struct nlattr *message = nla_find(attr, len, NLMSGERR_ATTR_MSG);

	if (!message || !nla_len(message) ||
	    strnlen(nla_data(message), (size_t)nla_len(message)) ==
	    (size_t)nla_len(message))
		return NULL;
	return nla_data(message);
}

static void exchange_fail(struct exchange *exchange, int error,
			  const struct nlmsghdr *header, const uint8_t *tlvs)
{
	long len = (const uint8_t *)header + header->nlmsg_len - tlvs;
	struct nlattr *attr = (struct nlattr *)tlvs;

	exchange->done = true;
	if (exchange->failed)
		return;
	exchange->failed = true;
	/* So says a dump that meets the module as it is being unloaded. */
	if (error == -EPROTONOSUPPORT)
		error = -ENOENT;
	exchange->result = error;
	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || len < 0)
		len = 0;
	error_set(exchange->control, error, extended_ack(attr, (int)len));
	error_add_attr(exchange, attr, (int)len);
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	/* libnl gives the payload only: the header stands before it. */
	const struct nlmsghdr *header =
		(const struct nlmsghdr *)((const uint8_t *)e - NLMSG_HDRLEN);
	const uint8_t *tlvs = (const uint8_t *)e + sizeof(*e);

	(void)from;
	if (!(header->nlmsg_flags & NLM_F_CAPPED) &&
	    e->msg.nlmsg_len > NLMSG_HDRLEN)
		tlvs += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
	exchange_fail(arg, e->error, header, tlvs);
	return NL_STOP;
}

/* The end of a dump carries its error, if it failed halfway. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct exchange *exchange = arg;
	int error = 0;

	exchange->done = true;
	if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
		memcpy(&error, nlmsg_data(header), sizeof(error));
	if (error < 0)
		exchange_fail(exchange, error, header,
			      (const uint8_t *)nlmsg_data(header) +
			      NLMSG_ALIGN(sizeof(error)));
	return NL_STOP;
}

static int on_interrupted(struct nl_msg *msg, void *arg)
{
	struct exchange *exchange = arg;

	(void)msg;
	exchange->interrupted = true;
	return NL_OK;
}

static struct nla_policy answer_policy[OBSRING_A_MAX + 1] = {
	[OBSRING_A_VERSION]		= { .type = NLA_STRING },
	[OBSRING_A_ABI_MAJOR]		= { .type = NLA_U32 },
	[OBSRING_A_ABI_MINOR]		= { .type = NLA_U32 },
	[OBSRING_A_STATE]		= { .type = NLA_U32 },
	[OBSRING_A_INSTANCE]		= { .type = NLA_U64 },
	[OBSRING_A_NR_CPUS]		= { .type = NLA_U32 },
	[OBSRING_A_FAMILIES]		= { .type = NLA_U32 },
	[OBSRING_A_SERIES]		= { .type = NLA_U32 },
	[OBSRING_A_SERIES_LIMIT]	= { .type = NLA_U32 },
	[OBSRING_A_FAMILY_SERIES_LIMIT]	= { .type = NLA_U32 },
	[OBSRING_A_BYTES]		= { .type = NLA_U64 },
	[OBSRING_A_BYTES_LIMIT]		= { .type = NLA_U64 },
	[OBSRING_A_DIRECTORY_BYTES]	= { .type = NLA_U64 },
	[OBSRING_A_REFUSED]		= { .type = NLA_U64 },
	[OBSRING_A_NAME]		= { .type = NLA_STRING },
	[OBSRING_A_HELP]		= { .type = NLA_STRING },
	[OBSRING_A_KIND]		= { .type = NLA_U32 },
	[OBSRING_A_LABEL_VALUE]		= { .type = NLA_STRING },
	[OBSRING_A_SERIES_ID]		= { .type = NLA_U32 },
	[OBSRING_A_GEN]			= { .type = NLA_U32 },
	[OBSRING_A_CREATED_NS]		= { .type = NLA_U64 },
	[OBSRING_A_VALUE]		= { .type = NLA_U64 },
	[OBSRING_A_SUM]			= { .type = NLA_U64 },
	[OBSRING_A_BUCKET]		= { .type = NLA_U64 },
	[OBSRING_A_ROW]			= { .type = NLA_NESTED },
	[OBSRING_A_CPU]			= { .type = NLA_U32 },
	[OBSRING_A_ENABLED]		= { .type = NLA_U8 },
	[OBSRING_A_REASON]		= { .type = NLA_STRING },
	[OBSRING_A_OPTION]		= { .type = NLA_NESTED },
	[OBSRING_A_OPTION_KEY]		= { .type = NLA_STRING },
	[OBSRING_A_OPTION_VALUE]	= { .type = NLA_STRING },
	[OBSRING_A_PROBE_TYPE]		= { .type = NLA_U32 },
	[OBSRING_A_PROBE_TARGET]	= { .type = NLA_STRING },
	[OBSRING_A_SAMPLE]		= { .type = NLA_U32 },
	[OBSRING_A_HITS]		= { .type = NLA_U64 },
	[OBSRING_A_MISSED]		= { .type = NLA_U64 },
	[OBSRING_A_ORIGIN]		= { .type = NLA_U32 },
	[OBSRING_A_HIGH_WATER]		= { .type = NLA_U64 },
	[OBSRING_A_RECORDS]		= { .type = NLA_U64 },
	[OBSRING_A_UID]			= { .type = NLA_U32 },
	[OBSRING_A_MEMBERS]		= { .type = NLA_U32 },
	[OBSRING_A_TTL]			= { .type = NLA_U32 },
	[OBSRING_A_DETACHED_NS]		= { .type = NLA_U64 },
	[OBSRING_A_STATE_NAME]		= { .type = NLA_STRING },
	[OBSRING_A_LEVEL]		= { .type = NLA_U32 },
	[OBSRING_A_RULE]		= { .type = NLA_U32 },
	[OBSRING_A_RULE_VALUE]		= { .type = NLA_U64 },
	[OBSRING_A_AT_NS]		= { .type = NLA_U64 },
	[OBSRING_A_SAMPLE_ID]		= { .type = NLA_U64 },
	[OBSRING_A_SOURCE]		= { .type = NLA_STRING },
};

static int answer_parse(struct nlattr *head, int len, struct obs_answer *answer)
{
	answer->head = head;
	answer->len = len;
	if (nla_parse(answer->attr, OBSRING_A_MAX, head, len, answer_policy) < 0)
		return -EPROTO;
	return 0;
}

int obs_answer_parse(struct nlmsghdr *header, struct obs_answer *answer)
{
	struct genlmsghdr *genl;

	if (!genlmsg_valid_hdr(header, 0))
		return -EPROTO;
	genl = nlmsg_data(header);
	return answer_parse(genlmsg_attrdata(genl, 0), genlmsg_attrlen(genl, 0),
			    answer);
}

int obs_answer_parse_nested(struct nlattr *nest, struct obs_answer *answer)
{
	return answer_parse(nla_data(nest), nla_len(nest), answer);
}

static int on_answer(struct nl_msg *msg, void *arg)
{
	struct exchange *exchange = arg;
	struct obs_answer answer;

	if (exchange->result || !exchange->answer)
		return NL_OK;
	exchange->result = obs_answer_parse(nlmsg_hdr(msg), &answer);
	if (exchange->result)
		error_set(exchange->control, exchange->result, NULL);
	else
		exchange->result = exchange->answer(&answer, exchange->arg);
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct exchange *exchange = arg;

	(void)msg;
	exchange->done = true;
	return NL_STOP;
}

/*
 * What is left of an earlier request, whose answer was lost in part (ENOBUFS) so
 * that it was given up, is not this one's. In place of libnl's own check, which
 * expects numbers in a row and never finds back into step.
 */
static int on_sequence(struct nl_msg *msg, void *arg)
{
	const struct exchange *exchange = arg;
	int32_t ahead = (int32_t)(nlmsg_hdr(msg)->nlmsg_seq -
				  nlmsg_hdr(exchange->request)->nlmsg_seq);

	if (ahead < 0)
		return NL_SKIP;
	return ahead ? -NLE_SEQ_MISMATCH : NL_OK;
}

static void exchange_callbacks(struct exchange *exchange, struct nl_cb *cb)
{
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, exchange);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, exchange);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_answer, exchange);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, exchange);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, exchange);
	nl_cb_set(cb, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, exchange);
}

/* A request ends with its ack, its error or, a dump, with its last part. */
static int exchange_run(struct exchange *exchange, struct nl_msg *request)
{
	struct nl_sock *socket = exchange->control->socket;
	struct nl_cb *own = nl_socket_get_cb(socket);
	struct nl_cb *cb = nl_cb_clone(own);
	int r;

	nl_cb_put(own);
	if (!cb)
		return -ENOMEM;
	exchange_callbacks(exchange, cb);
	r = nl_send_auto(socket, request);
	while (r >= 0 && !exchange->done)
		r = nl_recvmsgs(socket, cb);
	nl_cb_put(cb);
	return exchange->done || r >= 0 ? 0 : nl_error_to_errno(r);
}

#define NOT_A_READER							\
	"this needs membership of the device's group, or CAP_PERFMON, "	\
	"CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace"

int obs_request_send(struct obs_control *control, struct nl_msg *request,
		     int encoded, obs_answer_fn answer, void *arg)
{
	struct exchange exchange = {
		.control = control,
		.request = request,
		.answer = answer,
		.arg = arg,
	};
	int r = request ? encoded : -ENOMEM;
	bool dump;

	control->error[0] = 0;
	if (!r)
		r = exchange_run(&exchange, request);
	dump = request && nlmsg_hdr(request)->nlmsg_flags & NLM_F_DUMP;
	nlmsg_free(request);
	if (!r && !exchange.result && exchange.interrupted)
		r = -EAGAIN;
	/* Before Linux 6.3 a dump is refused without a sentence. */
	if (!r && dump && exchange.result == -EPERM)
		error_set(control, -EPERM, NOT_A_READER);
	if (!r)
		return exchange.result;
	error_set(control, r, NULL);
	return r;
}

static int dump_send(struct obs_control *control, uint8_t cmd, int device_fd,
		     obs_answer_fn answer, void *arg)
{
	struct nl_msg *msg = obs_request_new(control, cmd, NLM_F_DUMP);
	int r = 0;

	if (msg && device_fd >= 0)
		r = nla_put_u32(msg, OBSRING_A_DEVICE_FD, (uint32_t)device_fd);
	return obs_request_send(control, msg, obs_put_error(r), answer, arg);
}

int obs_request_dump(struct obs_control *control, uint8_t cmd,
		     obs_answer_fn answer, void *arg)
{
	int fd, r = dump_send(control, cmd, -1, answer, arg);

	if (r != -EPERM)
		return r;
	fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return r;
	r = dump_send(control, cmd, fd, answer, arg);
	close(fd);
	return r;
}

void obs_answer_string(const struct obs_answer *answer, enum obsring_attr type,
		       char *to, size_t size)
{
	obs_attr_string(answer->attr[type], to, size);
}

void obs_attr_string(const struct nlattr *attr, char *to, size_t size)
{
	size_t n;

	to[0] = 0;
	if (!attr || nla_len(attr) < 1)
		return;
	n = strnlen(nla_data(attr), (size_t)nla_len(attr));
	if (n > size - 1)
		n = size - 1;
	memcpy(to, nla_data(attr), n);
	to[n] = 0;
}

uint32_t obs_answer_u32(const struct obs_answer *answer, enum obsring_attr type)
{
	return answer->attr[type] ? nla_get_u32(answer->attr[type]) : 0;
}

uint64_t obs_answer_u64(const struct obs_answer *answer, enum obsring_attr type)
{
	return answer->attr[type] ? nla_get_u64(answer->attr[type]) : 0;
}

int obs_put_error(int nl_error)
{
	return nl_error < 0 ? -EMSGSIZE : 0;
}
