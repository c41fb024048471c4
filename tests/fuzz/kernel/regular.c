// SPDX-License-Identifier: MIT
/*
 * Requests that fit together: families that are always defined in the same way, series of
 * theirs, sources with options that are theirs. Chance would hardly find a second request
 * that agrees with the first; what does not agree comes by mutating these.
 *
 * A program has a subject, a family and a label value, that most of its requests are
 * about: what is made is then looked at, changed and removed.
 */
#include <stdio.h>
#include <string.h>

#include <linux/obsring.h>

#include "fuzz.h"
#include "grammar.h"

static const struct regular {
	const char *name;
	uint8_t kind;
	uint8_t nr_labels;
	bool set;
	int8_t schema;		/* of histograms; -1: explicit bounds */
} regulars[] = {
	{ .name = "a_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 0 },
	{ .name = "b_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 1 },
	{ .name = "c", .kind = OBSRING_KIND_GAUGE, .nr_labels = 1 },
	{ .name = "d", .kind = OBSRING_KIND_GAUGE, .nr_labels = 1, .set = true },
	{ .name = "e_seconds", .kind = OBSRING_KIND_HISTOGRAM, .nr_labels = 1, .schema = -1 },
	{ .name = "f_seconds", .kind = OBSRING_KIND_HISTOGRAM, .nr_labels = 1, .schema = 2 },
	{ .name = "g", .kind = OBSRING_KIND_GAUGE, .nr_labels = 2 },
	{ .name = "h_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 2 },
	{ .name = "i_info", .kind = OBSRING_KIND_INFO, .nr_labels = 1 },
	{ .name = "j_state", .kind = OBSRING_KIND_STATE, .nr_labels = 1 },
};

#define NR_REGULARS	(sizeof(regulars) / sizeof(regulars[0]))

static const char *const labels[] = { "x", "y" };
static const char *const states[] = { "down", "up", "lost" };
static const uint64_t bounds[] = { 1, 10, 100, 1000 };

static struct {
	uint32_t regular;
	uint32_t value;
	bool only;		/* requests are about nothing else */
} subject;

void make_subject(struct random *random)
{
	subject.regular = below(random, NR_REGULARS);
	subject.value = below(random, 4);
}

static const struct regular *regular_pick(struct random *random)
{
	bool other = !subject.only && chance(random, 3);

	return &regulars[other ? below(random, NR_REGULARS) : subject.regular];
}

/* Few values, so that series are met again; now and then one of many. */
static void value_make(struct random *random, char text[8])
{
	uint32_t value = subject.value;

	if (!subject.only && chance(random, 3))
		value = below(random, chance(random, 4) ? 1000 : 4);
	snprintf(text, 8, "%u", value);
}

static void put_value(struct random *random, struct call *call)
{
	char value[8];

	value_make(random, value);
	put_string(call, OBSRING_A_LABEL_VALUE, value);
}

static void put_u32(struct call *call, uint16_t type, uint32_t value)
{
	put(call, type, &value, sizeof(value));
}

static void put_family(struct call *call, const struct regular *regular)
{
	uint32_t i;

	put_string(call, OBSRING_A_HELP, "Help.");
	put_u32(call, OBSRING_A_KIND, regular->kind);
	for (i = 0; i < regular->nr_labels; i++)
		put_string(call, OBSRING_A_LABEL_NAME, labels[i]);
	if (regular->set)
		put(call, OBSRING_A_SET, "", 0);
	if (regular->kind != OBSRING_KIND_HISTOGRAM)
		return;
	if (regular->schema < 0) {
		for (i = 0; i < 4; i++)
			put(call, OBSRING_A_BOUND, &bounds[i], sizeof(bounds[i]));
		return;
	}
	put_u32(call, OBSRING_A_EXP10, -9);
	put_u32(call, OBSRING_A_SCHEMA, regular->schema);
	put_u32(call, OBSRING_A_MIN_LOG2, -8);
	put_u32(call, OBSRING_A_MAX_LOG2, 8);
}

/* What sources have for options; the first is off again by the second. */
static const struct {
	const char *source, *key, *value, *off;
} options[] = {
	{ "netdrop", "log-drop", "on", "off" },
	{ "netdrop", "log-drop", "on", "off" },
	{ "printk", "log-level", "info", "4" },
	{ "reclaim", "log-stall", "1us", "off" },
	{ "reclaim", "log-oom", "on", "off" },
	{ "block", "log-io", "1us", "off" },
	{ "syscall", "sample", "16", "64" },
	{ "process", NULL, NULL, NULL },
	{ "process", NULL, NULL, NULL },
	{ "process", NULL, NULL, NULL },
};

static void make_regular_source(struct random *random, struct call *call)
{
	uint32_t i = below(random, sizeof(options) / sizeof(options[0]));
	uint8_t enabled = !chance(random, 3);
	struct nlattr *nest;
	uint16_t begun;

	put_string(call, OBSRING_A_NAME, options[i].source);
	put(call, OBSRING_A_ENABLED, &enabled, sizeof(enabled));
	if (!options[i].key)
		return;
	nest = put(call, OBSRING_A_OPTION | NLA_F_NESTED, "", 0);
	begun = call->size - NLA_HDRLEN;
	put_string(call, OBSRING_A_OPTION_KEY, options[i].key);
	put_string(call, OBSRING_A_OPTION_VALUE, enabled ? options[i].value : options[i].off);
	nest->nla_len = call->size - begun;
}

static const struct {
	uint8_t type;
	const char *target;
} probes[] = {
	{ OBSRING_PROBE_TRACEPOINT, "sched:sched_process_fork" },
	{ OBSRING_PROBE_TRACEPOINT, "sched:sched_process_exec" },
	{ OBSRING_PROBE_KPROBE, "ksys_sync" },
	{ OBSRING_PROBE_KRETPROBE, "vfs_fallocate" },
};

/* The probe's name is its place in the table. */
static void make_regular_probe(struct random *random, struct call *call)
{
	uint32_t i = below(random, sizeof(probes) / sizeof(probes[0]));
	uint32_t type = probes[i].type;
	char name[16];

	snprintf(name, sizeof(name), "probe_%u", i);
	put_string(call, OBSRING_A_NAME, name);
	if (call->a == OBSRING_CMD_PROBE_DEL)
		return;
	put(call, OBSRING_A_PROBE_TYPE, &type, sizeof(type));
	put_string(call, OBSRING_A_PROBE_TARGET, probes[i].target);
}

/* Services by those names of those users: make_attach(), OP_ATTACH. */
static void make_regular_service(struct random *random, struct call *call)
{
	static const uint32_t uids[] = { 0, 0, 1001, 2000, 2001 };
	uint32_t fd = DEVICE_FD(call->slot), ttl = below(random, 3);
	char name[2] = { 's' + below(random, 3) };

	if (chance(random, 2))
		put(call, OBSRING_A_DEVICE_FD, &fd, sizeof(fd));
	put_string(call, OBSRING_A_NAME, name);
	put(call, OBSRING_A_UID, &uids[below(random, 5)], sizeof(uids[0]));
	if (call->a == OBSRING_CMD_SERVICE_SET)
		put(call, OBSRING_A_TTL, &ttl, sizeof(ttl));
}

bool make_regular_request(struct random *random, struct call *call)
{
	const struct regular *regular = regular_pick(random);
	uint64_t value = below(random, 5000);
	char name[64];
	uint32_t i;

	snprintf(name, sizeof(name), "nl_%s", regular->name);
	switch (call->a) {
	case OBSRING_CMD_FAMILY_GET:
	case OBSRING_CMD_FAMILY_NEW:
	case OBSRING_CMD_FAMILY_DEL:
		put_string(call, OBSRING_A_NAME, name);
		if (call->a == OBSRING_CMD_FAMILY_NEW)
			put_family(call, regular);
		return true;
	case OBSRING_CMD_SERIES_GET:
		/* Those of services and of the module itself as well. */
		if (chance(random, 3))
			snprintf(name, sizeof(name), "svc_%s", regular->name);
		if (chance(random, 2))
			put(call, OBSRING_A_PER_CPU, "", 0);
		if (!(call->flags & CALL_DUMP) && chance(random, 2)) {
			put_u32(call, OBSRING_A_SERIES_ID, below(random, 200));
			return true;
		}
		break;
	case OBSRING_CMD_SERIES_UPDATE:
		if (chance(random, 8))
			value = -value;
		put(call, OBSRING_A_VALUE, &value, sizeof(value));
		break;
	case OBSRING_CMD_SOURCE_SET:
		make_regular_source(random, call);
		return true;
	case OBSRING_CMD_PROBE_NEW:
	case OBSRING_CMD_PROBE_DEL:
		make_regular_probe(random, call);
		return true;
	case OBSRING_CMD_SERVICE_SET:
	case OBSRING_CMD_SERVICE_DEL:
		make_regular_service(random, call);
		return true;
	case OBSRING_CMD_SERIES_NEW:
	case OBSRING_CMD_SERIES_DEL:
		break;
	default:
		return false;
	}
	if (call->flags & CALL_DUMP && chance(random, 2))
		return true;
	put_string(call, OBSRING_A_NAME, name);
	for (i = 0; i < regular->nr_labels && !(call->flags & CALL_DUMP); i++)
		put_value(random, call);
	return true;
}

void make_subject_request(struct random *random, struct call *call, uint8_t command)
{
	memset(call, 0, offsetof(struct call, data));
	call->op = OP_NETLINK;
	call->a = command;
	call->flags = NLM_F_REQUEST;
	subject.only = true;
	make_regular_request(random, call);
	subject.only = false;
}

static uint32_t text_add(uint8_t *data, uint32_t size, const char *text)
{
	memcpy(data + size, text, strlen(text) + 1);
	return size + strlen(text) + 1;
}

/* The structure, bounds, text, as make_metric() has them. */
uint16_t make_regular_metric(struct random *random, uint8_t *data)
{
	const struct regular *regular = regular_pick(random);
	bool histogram = regular->kind == OBSRING_KIND_HISTOGRAM;
	struct obsring_metric m = {
		.size = sizeof(m),
		.kind = regular->kind,
		.nr_labels = regular->nr_labels,
		.flags = regular->set ? OBSRING_METRIC_SET : 0,
		.schema = histogram ? regular->schema : -1,
	};
	uint32_t size = sizeof(m), i;
	char text[64];

	if (histogram && regular->schema < 0) {
		m.nr_bounds = chance(random, 12) ? 3 : 4;
		memcpy(data + size, bounds, m.nr_bounds * sizeof(bounds[0]));
		size += m.nr_bounds * sizeof(bounds[0]);
	} else if (histogram) {
		m.exp10 = -9;
		m.min_log2 = -8;
		m.max_log2 = 8;
	}
	/* Now and then under another's name, or with another unit. */
	snprintf(text, sizeof(text), "svc_%s",
		 chance(random, 12) ? regular_pick(random)->name : regular->name);
	size = text_add(data, size, text);
	size = text_add(data, size, "Help.");
	size = text_add(data, size, chance(random, 12) ? "bytes" : "");
	for (i = 0; i < m.nr_labels; i++)
		size = text_add(data, size, labels[i]);
	for (i = 0; i < m.nr_labels; i++) {
		value_make(random, text);
		size = text_add(data, size, text);
	}
	if (regular->kind == OBSRING_KIND_STATE)
		m.nr_states = chance(random, 12) ? 2 : 3;
	for (i = 0; i < m.nr_states; i++)
		size = text_add(data, size, states[i]);
	m.text_len = size - sizeof(m) - 8 * m.nr_bounds;
	memcpy(data, &m, sizeof(m));
	return size;
}
