// SPDX-License-Identifier: MIT
/*
 * Netlink requests: which attributes each command has, and what they say. Most of it is
 * what the module expects; what it does not comes by mutating that.
 */
#include <string.h>
#include <time.h>

#include <linux/netlink.h>
#include <linux/obsring.h>

#include "fuzz.h"
#include "grammar.h"

enum type { T_FLAG, T_U8, T_U32, T_U64, T_STRING, T_OPTION, T_FD };

struct attr {
	uint16_t type;
	uint8_t kind;		/* enum type */
	uint8_t word;		/* enum word */
	uint8_t seldom;		/* one request in so many has it; 0: each */
	uint8_t repeat;		/* up to so many times */
	uint32_t limit;		/* below it, as a rule; 0: make_number() */
};

#define NAME(w)		{ OBSRING_A_NAME, T_STRING, w, .repeat = 1 }
#define FD		{ OBSRING_A_DEVICE_FD, T_FD, .seldom = 2 }
#define VALUES		{ OBSRING_A_LABEL_VALUE, T_STRING, W_VALUE, .repeat = 3 }
#define NR_ATTRS	12

/*
 * slow: waits for grace periods, or makes all calls slow or fail for a time.
 */
static const struct request {
	uint8_t cmd;
	bool dumps;
	bool slow;
	struct attr attr[NR_ATTRS];
} requests[] = {
	{ .cmd = OBSRING_CMD_INFO_GET },
	{ OBSRING_CMD_STATE_SET, .slow = true, .attr = {{ OBSRING_A_STATE, T_U32, .limit = 2 }}},
	{ OBSRING_CMD_FAMILY_GET, .dumps = true, .attr = {
		FD, NAME(W_FAMILY), { OBSRING_A_FAMILY_ID, T_U32, .seldom = 3, .limit = 60 }}},
	{ OBSRING_CMD_FAMILY_NEW, .attr = {
		NAME(W_FAMILY), { OBSRING_A_HELP, T_STRING, W_HELP },
		{ OBSRING_A_UNIT, T_STRING, W_UNIT, .seldom = 3 },
		{ OBSRING_A_KIND, T_U32, .limit = 6 }, { OBSRING_A_SET, T_FLAG, .seldom = 4 },
		{ OBSRING_A_EXP10, T_U32, .seldom = 3, .limit = 1 },
		{ OBSRING_A_LABEL_NAME, T_STRING, W_LABEL, .seldom = 2, .repeat = 9 },
		{ OBSRING_A_BOUND, T_U64, .seldom = 4, .repeat = 140 },
		{ OBSRING_A_SCHEMA, T_U32, .seldom = 3, .limit = 4 },
		{ OBSRING_A_MIN_LOG2, T_U32, .seldom = 3 },
		{ OBSRING_A_MAX_LOG2, T_U32, .seldom = 3 }}},
	{ OBSRING_CMD_FAMILY_DEL, .attr = { NAME(W_FAMILY) }},
	{ OBSRING_CMD_SERIES_GET, .dumps = true, .attr = {
		FD, NAME(W_FAMILY), VALUES,
		{ OBSRING_A_SERIES_ID, T_U32, .seldom = 4, .limit = 100 },
		{ OBSRING_A_GEN, T_U32, .seldom = 8, .limit = 9 },
		{ OBSRING_A_PER_CPU, T_FLAG, .seldom = 2 }}},
	{ OBSRING_CMD_SERIES_NEW, .attr = { NAME(W_FAMILY), VALUES }},
	{ OBSRING_CMD_SERIES_DEL, .attr = { NAME(W_FAMILY), VALUES }},
	{ OBSRING_CMD_SERIES_UPDATE, .attr = {
		NAME(W_FAMILY), VALUES, { OBSRING_A_VALUE, T_U64 }}},
	{ OBSRING_CMD_SOURCE_GET, .dumps = true, .attr = { FD, NAME(W_SOURCE) }},
	{ OBSRING_CMD_SOURCE_SET, .slow = true, .attr = {
		NAME(W_SOURCE), { OBSRING_A_ENABLED, T_U8, .limit = 2 },
		{ OBSRING_A_OPTION, T_OPTION, .seldom = 2, .repeat = 18 }}},
	{ OBSRING_CMD_PROBE_GET, .dumps = true, .attr = { FD }},
	{ OBSRING_CMD_PROBE_NEW, .slow = true, .attr = {
		NAME(W_FAMILY), { OBSRING_A_PROBE_TYPE, T_U32, .limit = 4 },
		{ OBSRING_A_PROBE_TARGET, T_STRING, W_TARGET },
		{ OBSRING_A_KIND, T_U32, .seldom = 2, .limit = 5 },
		{ OBSRING_A_SAMPLE, T_U32, .seldom = 3 },
		{ OBSRING_A_HELP, T_STRING, W_HELP, .seldom = 3 }}},
	{ OBSRING_CMD_PROBE_DEL, .slow = true, .attr = { NAME(W_FAMILY) }},
	{ OBSRING_CMD_SAMPLE_GET, .dumps = true, .attr = { FD }},
	{ OBSRING_CMD_SAMPLE_SET, .attr = {
		NAME(W_LOGGED), { OBSRING_A_RULE, T_U32, .limit = 8 },
		{ OBSRING_A_LEVEL, T_U32, .seldom = 2, .limit = 8 },
		{ OBSRING_A_RULE_VALUE, T_U64 }, { OBSRING_A_AT_NS, T_U64, .seldom = 2 },
		{ OBSRING_A_SAMPLE_ID, T_U64, .seldom = 4, .limit = 64 }}},
	{ OBSRING_CMD_SAMPLE_DEL, .attr = {
		NAME(W_LOGGED), { OBSRING_A_LEVEL, T_U32, .seldom = 2, .limit = 8 },
		{ OBSRING_A_AT_NS, T_U64, .seldom = 3 },
		{ OBSRING_A_SAMPLE_ID, T_U64, .seldom = 3, .limit = 64 }}},
	{ OBSRING_CMD_LOG_GET, .dumps = true, .attr = { FD }},
	{ OBSRING_CMD_LOG_SET, .slow = true, .attr = {
		{ OBSRING_A_ORIGIN, T_U32, .limit = 2 }, { OBSRING_A_BYTES, T_U64 }}},
	{ OBSRING_CMD_SERVICE_GET, .dumps = true, .attr = { FD }},
	{ OBSRING_CMD_SERVICE_SET, .attr = {
		FD, NAME(W_SERVICE), { OBSRING_A_UID, T_U32 },
		{ OBSRING_A_TTL, T_U32, .limit = 4 }}},
	{ OBSRING_CMD_SERVICE_DEL, .attr = {
		FD, NAME(W_SERVICE), { OBSRING_A_UID, T_U32 }}},
};

#define NR_REQUESTS	(sizeof(requests) / sizeof(requests[0]))

struct nlattr *put(struct call *call, uint16_t type, const void *data, uint32_t size)
{
	struct nlattr *attr = (void *)(call->data + call->size);
	uint32_t all = NLA_ALIGN(NLA_HDRLEN + size);

	if (call->size + all > DATA_MAX)
		return NULL;
	memset(attr, 0, all);
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + size;
	memcpy(attr + 1, data, size);
	call->size += all;
	return attr;
}

void put_string(struct call *call, uint16_t type, const char *text)
{
	put(call, type, text, strlen(text) + 1);
}

static void put_word(struct random *random, struct call *call, uint16_t type, enum word word)
{
	char text[512];
	uint32_t len = make_word(random, word, text, sizeof(text));

	put(call, type, text, len + 1);
}

static void put_option(struct random *random, struct call *call)
{
	struct nlattr *nest = put(call, OBSRING_A_OPTION | NLA_F_NESTED, "", 0);
	uint16_t begun = call->size - NLA_HDRLEN;

	if (!nest)
		return;
	put_word(random, call, OBSRING_A_OPTION_KEY, W_KEY);
	if (!chance(random, 12))
		put_word(random, call, OBSRING_A_OPTION_VALUE, W_OPTION);
	nest->nla_len = call->size - begun;
}

/* Numbers that mean something to an attribute of that size. */
static uint64_t number_for(struct random *random, const struct attr *attr)
{
	static const uint32_t uids[] = { 0, 1001, 65534, 2000, 2001, 2002, ~0U };
	struct timespec now;

	if (attr->limit && !chance(random, 10))
		return below(random, attr->limit);
	switch (attr->type) {
	case OBSRING_A_UID:
		return PICK(random, uids);
	case OBSRING_A_BYTES:
		return 1ULL << (12 + below(random, chance(random, 20) ? 16 : 6));
	case OBSRING_A_AT_NS:
		clock_gettime(CLOCK_REALTIME, &now);
		return now.tv_sec * 1000000000ULL + now.tv_nsec + below(random, 200000000);
	case OBSRING_A_MIN_LOG2:
		return -(uint64_t)below(random, 42);
	case OBSRING_A_MAX_LOG2:
		return below(random, 42);
	case OBSRING_A_EXP10:
		return -(uint64_t)below(random, 14);
	case OBSRING_A_SAMPLE:
		return 1 + below(random, 5);
	}
	return make_number(random);
}

static void put_attr(struct random *random, struct call *call, const struct attr *attr)
{
	uint64_t number = number_for(random, attr);
	uint32_t fd = DEVICE_FD(call->slot);

	switch (attr->kind) {
	case T_FLAG:
		put(call, attr->type, "", 0);
		break;
	case T_U8:
		put(call, attr->type, &number, 1);
		break;
	case T_U32:
		put(call, attr->type, &number, 4);
		break;
	case T_U64:
		put(call, attr->type, &number, 8);
		break;
	case T_FD:
		if (chance(random, 8))
			fd = number;
		put(call, attr->type, &fd, 4);
		break;
	case T_STRING:
		put_word(random, call, attr->type, attr->word);
		break;
	case T_OPTION:
		put_option(random, call);
		break;
	}
}

/* Ascending, as bounds have to be. */
static void put_bounds(struct random *random, struct call *call, uint32_t nr)
{
	uint64_t bound = below(random, 4), i;

	for (i = 0; i < nr; i++) {
		put(call, OBSRING_A_BOUND, &bound, 8);
		bound += 1 + below(random, 100);
	}
}

void make_request(struct random *random, struct call *call)
{
	const struct request *request = &PICK(random, requests);
	const struct attr *attr;
	uint32_t i;

	if (request->slow && !chance(random, 3))
		request = &PICK(random, requests);
	call->op = OP_NETLINK;
	call->slot = below(random, 4);
	call->a = request->cmd;
	call->flags = NLM_F_REQUEST | (chance(random, 2) ? NLM_F_ACK : 0);
	call->size = 0;
	if (chance(random, 16))
		call->flags |= CALL_TWICE;
	if (request->dumps && chance(random, 2)) {
		call->flags |= CALL_DUMP;
		if (chance(random, 6))
			call->flags |= CALL_PARTIAL;
	}
	if (!chance(random, 4) && make_regular_request(random, call))
		return;
	for (attr = request->attr; attr < request->attr + NR_ATTRS && attr->type; attr++) {
		if (attr->seldom && !chance(random, attr->seldom))
			continue;
		/* A dump is of all, or of one family. */
		if (call->flags & CALL_DUMP && attr->kind != T_FD &&
		    attr->kind != T_FLAG && !chance(random, 8))
			continue;
		i = attr->repeat > 1 ? below(random, chance(random, 4) ? attr->repeat : 3) : 0;
		if (attr->type == OBSRING_A_BOUND && !chance(random, 4)) {
			put_bounds(random, call, i + 1);
			continue;
		}
		do
			put_attr(random, call, attr);
		while (i--);
	}
	if (chance(random, 24) && call->size > 16)
		mutate_request(random, call);
}

/* The attributes of a request: where each begins. */
static uint32_t attrs_of(const struct call *call, uint16_t *at, uint32_t max)
{
	uint32_t pos = 0, nr = 0;

	while (nr < max && pos + NLA_HDRLEN <= call->size) {
		const struct nlattr *attr = (const void *)(call->data + pos);

		if (attr->nla_len < NLA_HDRLEN || pos + NLA_ALIGN(attr->nla_len) > call->size)
			break;
		at[nr++] = pos;
		pos += NLA_ALIGN(attr->nla_len);
	}
	return nr;
}

static void attr_cut(struct call *call, uint16_t at)
{
	uint16_t len = NLA_ALIGN(((struct nlattr *)(call->data + at))->nla_len);

	memmove(call->data + at, call->data + at + len, call->size - at - len);
	call->size -= len;
}

static void attr_again(struct call *call, uint16_t at, uint32_t times)
{
	const struct nlattr *attr = (const void *)(call->data + at);

	while (times-- && put(call, attr->nla_type, attr + 1, attr->nla_len - NLA_HDRLEN))
		;
}

/* The value of an attribute that is there, by what the command's table says of it. */
static void attr_anew(struct random *random, struct call *call, uint16_t at)
{
	uint16_t type = ((struct nlattr *)(call->data + at))->nla_type & NLA_TYPE_MASK;
	const struct request *request;
	const struct attr *attr;

	for (request = requests; request < requests + NR_REQUESTS; request++)
		for (attr = request->attr; attr < request->attr + NR_ATTRS && attr->type; attr++)
			if (request->cmd == call->a && attr->type == type) {
				attr_cut(call, at);
				put_attr(random, call, attr);
				return;
			}
}

void mutate_request(struct random *random, struct call *call)
{
	uint16_t at[64];
	uint32_t nr = attrs_of(call, at, 64), k = below(random, nr);
	struct nlattr *attr = (void *)(call->data + (nr ? at[k] : 0));

	if (!nr || chance(random, 16)) {
		mutate_bytes(random, call);
		return;
	}
	switch (below(random, 10)) {
	case 0:
		attr_cut(call, at[k]);
		break;
	case 1:
		attr_again(call, at[k], 1 + below(random, chance(random, 4) ? 20 : 2));
		break;
	case 2:
		attr->nla_type = below(random, OBSRING_A_MAX + 3) |
				 (chance(random, 4) ? NLA_F_NESTED : 0);
		break;
	case 3:
		attr->nla_len += below(random, 9) - 4;
		break;
	case 4:
		call->a = below(random, OBSRING_CMD_MAX + 3);
		break;
	case 5:
		call->flags ^= chance(random, 2) ? CALL_DUMP : CALL_PARTIAL;
		break;
	case 6:
		if (chance(random, 8))
			call->flags ^= CALL_CUT;
		break;
	case 7:
		if (attr->nla_len > NLA_HDRLEN)
			((uint8_t *)(attr + 1))[below(random, attr->nla_len - NLA_HDRLEN)] =
				random_next(random);
		break;
	default:
		attr_anew(random, call, at[k]);
		break;
	}
}
