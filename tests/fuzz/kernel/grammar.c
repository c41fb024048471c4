// SPDX-License-Identifier: MIT
/*
 * What calls are made of: netlink attributes, lines, structures. Most of it is what
 * the module expects; what it does not comes by mutating that.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <linux/netlink.h>
#include <linux/obsring.h>

#include "fuzz.h"
#include "grammar.h"

uint64_t random_next(struct random *random)
{
	uint64_t x = random->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

uint32_t below(struct random *random, uint32_t n)
{
	return n ? (random_next(random) >> 32) * n >> 32 : 0;
}

bool chance(struct random *random, uint32_t one_in)
{
	return !below(random, one_in);
}

#define PICK(random, array) ((array)[below(random, sizeof(array) / sizeof((array)[0]))])

/* Small ones, those near powers of two and limits, any. */
uint64_t make_number(struct random *random)
{
	uint64_t power = 1ULL << below(random, 64);

	switch (below(random, 6)) {
	case 0:
		return below(random, 9);
	case 1:
		return below(random, 130);
	case 2:
		return power;
	case 3:
		return power + below(random, 3) - 1;
	case 4:
		return -(uint64_t)below(random, 45);
	default:
		return random_next(random) >> below(random, 64);
	}
}

/* ---- Strings ------------------------------------------------------------- */

enum word {
	W_FAMILY, W_LABEL, W_VALUE, W_HELP, W_UNIT, W_SOURCE, W_KEY, W_OPTION, W_TARGET,
	W_SERVICE, W_LOGGED,
};

static const char *const families[] = {
	"fuzz_a_total", "fuzz_b_total", "fuzz_c", "fuzz_d", "fuzz_e_seconds", "fuzz_f_seconds",
	"fuzz_g_bytes", "fuzz_h_info", "fuzz_i_state", "fuzz_j", "fuzz_k_total", "fuzz:l",
	"fuzz.m", "fuzz_m", "obsring_series", "obsring_service_members", "process_x",
	"obsring_trace_context_total", "fuzz_c_bucket", "fuzz_c_total", "9x", "",
};

static const char *const labels[] = {
	"a", "b", "c", "d", "le", "quantile", "service", "uid", "result", "__a", "a.b", "",
};

static const char *const values[] = {
	"1", "2", "3", "x", "y", "_overflow", "", "\xff", "\xc3\xa9",
};

static const char *const helps[] = { "Help.", "", "Other help.\nof two lines", "\\" };

static const char *const units[] = { "", "seconds", "bytes", "x y", "ratio" };

/* Those whose events are everywhere, seldom: all calls would be slow. */
static const char *const sources[] = {
	"tcp", "reclaim", "netdrop", "printk", "block", "none", "tcp", "reclaim", "netdrop",
	"printk", "tcp", "reclaim", "netdrop", "printk", "task", "runqueue", "syscall", "irq",
	"process",
};

static const char *const keys[] = {
	"latency", "sample", "log-level", "log-drop", "log-io", "log-stall", "log-oom", "x", "",
};

static const char *const options[] = {
	"1", "0", "2", "16", "off", "on", "info", "debug", "warning", "4", "-1", "1048576", "x",
	"", "all", "10ms", "1us", "3601s", "5", "01s",
};

/* What runs seldom. */
static const char *const targets[] = {
	"sched:sched_process_fork", "sched:sched_process_exec", "vfs_fallocate", "ksys_sync",
	"nope:nope", "nope", ":", "a:", ":b", "obs_logwriter_write", "obsring:x", "kfree_skb_list",
};

static const char *const services[] = {
	"s", "t", "u", "s", "t", "u", "service-of-a-longer-name", "a:b", "A.9/z_", "a b", "\x01",
	"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3", "\xed\xa0\x80", "",
};

static const char *const logged[] = {
	"user.s", "user.*", "*", "printk", "block", "user.t", "kernel", "", "user.",
};

#define WORDS(array) { array, sizeof(array) / sizeof((array)[0]) }

static const struct {
	const char *const *word;
	uint32_t nr;
} words[] = {
	[W_FAMILY] = WORDS(families), [W_LABEL] = WORDS(labels), [W_VALUE] = WORDS(values),
	[W_HELP] = WORDS(helps), [W_UNIT] = WORDS(units), [W_SOURCE] = WORDS(sources),
	[W_KEY] = WORDS(keys), [W_OPTION] = WORDS(options), [W_TARGET] = WORDS(targets),
	[W_SERVICE] = WORDS(services), [W_LOGGED] = WORDS(logged),
};

/* One of those that exist, as a rule; a long one, one with a number. */
static uint32_t make_word(struct random *random, enum word kind, char *text, uint32_t room)
{
	const char *word = words[kind].word[below(random, words[kind].nr)];
	uint32_t len;

	if (chance(random, 12)) {
		len = below(random, chance(random, 3) ? 300 : 130);
		len = len < room ? len : room - 1;
		memset(text, 'a' + below(random, 26), len);
		text[len] = 0;
	} else if (chance(random, 8)) {
		snprintf(text, room, "%s%u", word, below(random, 400));
	} else {
		snprintf(text, room, "%s", word);
	}
	return strlen(text);
}

/* ---- Netlink ------------------------------------------------------------- */

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

/* ---- Lines and structures ------------------------------------------------ */

static uint32_t line_piece(struct random *random, char *p, uint32_t room)
{
	static const char *const pieces[] = {
		"<4>", "<191>", "<192>", "<", "service=s ", "service=t ", "service= ", ". ", ".",
		"traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
		"traceparent=cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x ",
		"traceparent=00-00000000000000000000000000000000-b7ad6b7169203331-01 ",
		"tracestate=a=1,ot=th:8;rv:7479cfb506891d,b=2 ", "tracestate=ot=rv:0 ",
		".k=v ", ".key.of-1=\"a \\n\\\"\\x01\" ", ".k=\"", ".x=\\ ", "\n", "\n\n", "\r\n",
		"\x1b[1m", "\xff\xfe", "message", " ", "lost=1 ", "\"", "span.kind=server ",
		"service=a:b ", "service=A.9/z_ ", "service=\xc3\xa9 ", "service=\x01 ",
		".k=\"\\t\\r\\n\\\\\\x7f\\xe9\" ", ".k=\"\\xg0\" ", ".k=\"a\"b ", ".k.l=\"\" ",
		".a=1 .b=2 .c=3 ", "\t", "\x7f", "\xc2\x85", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a=b ", "\\",
		"traceparent=00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
		"traceparent=ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00 ",
		"traceparent=00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00 ",
		"tracestate=ot=th:c;rv:ffffffffffffff ", "tracestate=,,x@y=1, ot=th:fffffffffffff0 ",
	};
	uint32_t n;

	if (chance(random, 16)) {
		n = below(random, room < 600 ? room : 600);
		memset(p, 32 + below(random, 95), n);
		return n;
	}
	n = snprintf(p, room, "%s", PICK(random, pieces));
	return n < room ? n : room - 1;
}

uint16_t make_line(struct random *random, uint8_t *data)
{
	uint32_t size = 0, pieces = 1 + below(random, 8);

	while (pieces-- && size + 1 < DATA_MAX)
		size += line_piece(random, (char *)data + size, DATA_MAX - size);
	return size;
}

uint16_t make_attach(struct random *random, uint8_t *data)
{
	struct obsring_attach attach = {
		.size = chance(random, 16) ? make_number(random) : sizeof(attach),
		.flags = below(random, chance(random, 16) ? 5 : 2),
		.ttl_s = below(random, 4),
	};

	make_word(random, W_SERVICE, attach.name, sizeof(attach.name));
	memcpy(data, &attach, sizeof(attach));
	return sizeof(attach);
}

/* The structure, bounds, text; execute.c sets the addresses. */
uint16_t make_metric(struct random *random, uint8_t *data)
{
	bool states, explicit = chance(random, 2);
	struct obsring_metric m = {
		.size = chance(random, 24) ? make_number(random) : sizeof(m),
		.kind = below(random, chance(random, 8) ? 8 : 6),
		.nr_labels = below(random, chance(random, 8) ? 9 : 3),
		.schema = -1,
	};
	uint64_t bound = 0;
	uint32_t size = sizeof(m), words, i;

	if (m.kind == OBSRING_KIND_GAUGE)
		m.flags = below(random, 2);
	if (m.kind == OBSRING_KIND_HISTOGRAM && explicit)
		m.nr_bounds = below(random, chance(random, 4) ? 64 : 6);
	if (m.kind == OBSRING_KIND_HISTOGRAM && !explicit) {
		m.schema = below(random, 4);
		m.min_log2 = -(int)below(random, 20);
		m.max_log2 = below(random, 20);
		m.exp10 = -(int)below(random, 13);
	}
	states = m.kind == OBSRING_KIND_STATE;
	if (states)
		m.nr_states = 1 + below(random, chance(random, 4) ? 26 : 4);
	for (i = 0; i < m.nr_bounds; i++, size += 8) {
		bound += 1 + below(random, 99);
		memcpy(data + size, &bound, 8);
	}
	words = 3 + 2 * m.nr_labels + m.nr_states;
	for (i = 0; i < words && size + 200 < DATA_MAX; i++) {
		enum word kind = i == 0 ? W_FAMILY : i == 1 ? W_HELP : i == 2 ? W_UNIT :
				 i < 3U + m.nr_labels ? W_LABEL :
				 i < 3U + 2 * m.nr_labels ? W_VALUE : W_OPTION;

		size += make_word(random, kind, (char *)data + size, 200) + 1;
	}
	m.text_len = size - sizeof(m) - 8 * m.nr_bounds;
	if (chance(random, 24))
		m.text_len = make_number(random);
	memcpy(data, &m, sizeof(m));
	return size;
}

uint16_t make_context(struct random *random, uint8_t *data)
{
	struct obsring_context context = {
		.sequence = 2 + chance(random, 8),
		.flags = below(random, 2),
		.trace_flags = below(random, 4),
		.trace_id = { chance(random, 8) ? 0 : 0x0a, 0xf7 },
		.span_id = { chance(random, 8) ? 0 : 0xb7 },
		.rv = random_next(random) >> 8,
	};

	memcpy(data, &context, sizeof(context));
	return sizeof(context);
}

void mutate_bytes(struct random *random, struct call *call)
{
	uint32_t at = below(random, call->size), n;
	uint64_t number = make_number(random);

	switch (below(random, 5)) {
	case 0:
		if (call->size)
			call->data[at] ^= 1 << below(random, 8);
		break;
	case 1:
		n = 1U << below(random, 4);
		if (call->size >= n)
			memcpy(call->data + below(random, call->size - n + 1), &number, n);
		break;
	case 2:
		call->size = at;
		break;
	case 3:
		n = below(random, 32);
		if (call->size + n <= DATA_MAX) {
			memmove(call->data + at + n, call->data + at, call->size - at);
			call->size += n;
		}
		break;
	case 4:
		n = below(random, 32);
		n = n < call->size - at ? n : call->size - at;
		memmove(call->data + at, call->data + at + n, call->size - at - n);
		call->size -= n;
		break;
	}
}
