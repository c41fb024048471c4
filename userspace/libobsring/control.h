/* SPDX-License-Identifier: MIT */
/*
 * Requests to the module's generic netlink family. The encoders and decoders
 * are apart from the sending, so that they can be tested without a module.
 */
#ifndef LIBOBSRING_CONTROL_H
#define LIBOBSRING_CONTROL_H

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <obsring.h>

struct obs_control {
	struct nl_sock *socket;
	int family;
	char error[512];
};

/**
 * struct obs_answer - the attributes of a message, or of a nest
 * @attr: by enum obsring_attr; the last one of those that are repeated
 * @head: the first of all, for obs_answer_each()
 * @len: bytes of all
 */
struct obs_answer {
	struct nlattr *attr[OBSRING_A_MAX + 1];
	struct nlattr *head;
	int len;
};

typedef int (*obs_answer_fn)(const struct obs_answer *answer, void *arg);

/* Each attribute of @type, which may be repeated, in order. */
#define obs_answer_each(pos, answer, type_, left)			\
	nla_for_each_attr(pos, (answer)->head, (answer)->len, left)	\
		if (nla_type(pos) != (type_)) ; else

/*
 * A new request; NULL if out of memory. @flags: 0 or NLM_F_DUMP. Give it to
 * obs_request_send(), which frees it.
 */
struct nl_msg *obs_request_new(struct obs_control *control, uint8_t cmd, int flags);

/*
 * Send, give each answer to @answer (may be NULL), wait for the end. The first
 * nonzero return of @answer is returned, after the rest was received. @encoded:
 * what encoding the request came to; nothing is sent if it is an error.
 */
int obs_request_send(struct obs_control *control, struct nl_msg *request,
		     int encoded, obs_answer_fn answer, void *arg);

/*
 * A dump, as a reader: by this process' capabilities, else by the device, if it
 * may open that.
 */
int obs_request_dump(struct obs_control *control, uint8_t cmd,
		     obs_answer_fn answer, void *arg);

/* All attributes of a message; -EPROTO if one is not of its type. */
int obs_answer_parse(struct nlmsghdr *header, struct obs_answer *answer);
int obs_answer_parse_nested(struct nlattr *nest, struct obs_answer *answer);

/*
 * What the attribute at byte @offset of a request is called; NULL if there is
 * none, or none that a request has.
 */
const char *obs_request_attr_name(struct nlmsghdr *request, uint32_t offset);

/* info.c, source.c, probe.c, sample.c, logsize.c */
void obs_info_decode(const struct obs_answer *answer, struct obs_info *info);
int obs_source_decode(const struct obs_answer *answer, struct obs_source_info *source);
void obs_probe_decode(const struct obs_answer *answer, struct obs_probe_info *probe);
void obs_log_ring_decode(const struct obs_answer *answer, struct obs_log_ring_info *ring);
int obs_source_encode(struct nl_msg *msg, const char *name, bool enable,
		      const char *const *options, unsigned int nr);
int obs_probe_encode(struct nl_msg *msg, const struct obs_probe_info *probe,
		     const char *help);
void obs_sample_decode(const struct obs_answer *answer, struct obs_sample_info *sample);
int obs_sample_encode(struct nl_msg *msg, const struct obs_sample_info *sample);

/* servicelist.c */
void obs_service_decode(const struct obs_answer *answer, struct obs_service_info *service);
int obs_service_encode(struct nl_msg *msg, int device_fd, const char *name, uint32_t uid);

/* manage.c */
int obs_family_encode(struct nl_msg *msg, const struct obs_family_spec *spec);
int obs_series_encode(struct nl_msg *msg, const char *family,
		      const char *const *value, unsigned int nr);

/* Copy a string attribute, cut to @size; "" if it is absent. */
void obs_answer_string(const struct obs_answer *answer, enum obsring_attr type,
		       char *to, size_t size);
void obs_attr_string(const struct nlattr *attr, char *to, size_t size);

/* 0 if it is absent. */
uint32_t obs_answer_u32(const struct obs_answer *answer, enum obsring_attr type);
uint64_t obs_answer_u64(const struct obs_answer *answer, enum obsring_attr type);

/* -EMSGSIZE for what libnl's nla_put() returns when a message is full. */
int obs_put_error(int nl_error);

#endif /* LIBOBSRING_CONTROL_H */
