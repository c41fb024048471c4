/* SPDX-License-Identifier: MIT */
/*
 * The module's generic netlink family, byte by byte: the library never sends a
 * request that is malformed, these do.
 */
#ifndef SELFTEST_WIRE_H
#define SELFTEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/obsring.h>

/**
 * struct wire - a socket, and what the last request came to
 * @fd: descriptor
 * @family: id of the module's family
 * @group: id of its multicast group
 * @seq: of the last request
 * @sentence: extended ack of the last request, or ""
 * @offset: offset of the attribute it blames in the request, or 0
 * @nr_messages: answers to the last request
 * @nr_datagrams: the pieces in which they came
 */
struct wire {
	int fd;
	uint16_t family;
	uint32_t group;
	uint32_t seq;
	char sentence[256];
	uint32_t offset;
	unsigned int nr_messages;
	unsigned int nr_datagrams;
};

struct request {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	char room[8192];
};

/* Attributes of a message; the last one of those that are repeated. */
struct answer {
	uint8_t cmd;
	const struct nlattr *attr[OBSRING_A_MAX + 1];
	const struct nlattr *first;
	size_t len;
};

/* 0; -ENOENT if the module is not loaded, or in another network namespace. */
int wire_open(struct wire *wire);
void wire_close(struct wire *wire);

/* Listen to the module's events: 0 or -errno. */
int wire_join(struct wire *wire);

void request_begin(struct request *request, uint8_t cmd, uint16_t flags);

/* Returns the offset of the attribute in the message. */
uint32_t request_put(struct request *request, uint16_t type, const void *data, size_t len);
uint32_t request_put_string(struct request *request, uint16_t type, const char *s);
uint32_t request_put_u8(struct request *request, uint16_t type, uint8_t v);
uint32_t request_put_u32(struct request *request, uint16_t type, uint32_t v);
uint32_t request_put_u64(struct request *request, uint16_t type, uint64_t v);

/*
 * Send and receive until the ack or the end of the dump; @fn (may be NULL) sees
 * each answer. 0 or the kernel's -errno; sentence and offset are filled in.
 */
int wire_ask(struct wire *wire, struct request *request,
	     void (*fn)(const struct answer *answer, void *arg), void *arg);

/* Its halves: in the first the kernel does what is asked; in both, it dumps. */
int wire_send(struct wire *wire, struct request *request);
int wire_receive(struct wire *wire, void (*fn)(const struct answer *answer, void *arg),
		 void *arg);

/* The next event that waits: its command, attributes in @text; -errno. */
int wire_event(struct wire *wire, struct answer *answer, char *text, size_t size);

/* Attributes of a message or of a nest. */
void answer_parse(struct answer *answer, const void *attrs, size_t len);
#define answer_each(pos, answer)					\
	for (pos = (answer)->first;					\
	     (const char *)pos + NLA_HDRLEN <=				\
		(const char *)(answer)->first + (answer)->len;		\
	     pos = (const void *)((const char *)pos + NLA_ALIGN(pos->nla_len)))

uint16_t attr_type(const struct nlattr *attr);
const void *attr_data(const struct nlattr *attr);
size_t attr_len(const struct nlattr *attr);
uint32_t attr_u32(const struct nlattr *attr);	/* 0 if NULL */
uint64_t attr_u64(const struct nlattr *attr);
const char *attr_string(const struct nlattr *attr);	/* "" if NULL */

#endif /* SELFTEST_WIRE_H */
