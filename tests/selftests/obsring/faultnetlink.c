// SPDX-License-Identifier: MIT
/* What netlink is asked while faults are injected. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <obsring.h>

#include "faultop.h"
#include "module.h"
#include "wire.h"

#define COUNTER		"t_fault_total"
#define HISTOGRAM	"t_fault_seconds"
#define PROBE		"fault_probe_total"	/* counts meanwhile */

/* ---- Asking -------------------------------------------------------------- */

/* No answer at all would be waited for for ever. */
static int open_limited(struct wire *wire)
{
	const struct timeval limit = { .tv_sec = 60 };
	int r = wire_open(wire);

	if (!r)
		setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return r;
}

/* The module does what is asked within send(). */
static int change(struct request *request, struct attempt *attempt)
{
	struct wire wire;
	int r = open_limited(&wire);

	if (r)
		return r;
	fault_arm(attempt->nth);
	r = wire_send(&wire, request);
	attempt->fault = fault_disarm();
	if (!r) {
		r = wire_receive(&wire, NULL, NULL);
		if (r == -ENOBUFS)
			r = ANSWER_LOST;
	}
	attempt->seen = wire.nr_messages;
	wire_close(&wire);
	return r;
}

/* A dump is made piece by piece, within send() and each recv(). */
static int dump(struct request *request, struct attempt *attempt)
{
	struct wire wire;
	int r = open_limited(&wire);

	if (r)
		return r;
	fault_arm(attempt->nth);
	r = wire_ask(&wire, request, NULL, NULL);
	attempt->fault = fault_disarm();
	attempt->seen = wire.nr_messages;
	wire_close(&wire);
	return r;
}

static int quietly(struct request *request)
{
	struct wire wire;
	int r = open_limited(&wire);

	if (r)
		return r;
	r = wire_ask(&wire, request, NULL, NULL);
	wire_close(&wire);
	return r;
}

/* ---- Requests ------------------------------------------------------------ */

static void put_name(struct request *request, uint8_t cmd, const char *name)
{
	request_begin(request, cmd, 0);
	request_put_string(request, OBSRING_A_NAME, name);
}

static void family_new(struct request *request, const char *name)
{
	put_name(request, OBSRING_CMD_FAMILY_NEW, name);
	request_put_string(request, OBSRING_A_HELP, "h");
	request_put_string(request, OBSRING_A_LABEL_NAME, "l");
	if (strcmp(name, HISTOGRAM)) {
		request_put_u32(request, OBSRING_A_KIND, OBSRING_KIND_COUNTER);
		return;
	}
	/* A page of slots for each series. */
	request_put_u32(request, OBSRING_A_KIND, OBSRING_KIND_HISTOGRAM);
	request_put_u32(request, OBSRING_A_EXP10, (uint32_t)-9);
	request_put_u32(request, OBSRING_A_SCHEMA, 3);
	request_put_u32(request, OBSRING_A_MIN_LOG2, (uint32_t)-30);
	request_put_u32(request, OBSRING_A_MAX_LOG2, 30);
}

static void series(struct request *request, uint8_t cmd, const char *family)
{
	put_name(request, cmd, family);
	request_put_string(request, OBSRING_A_LABEL_VALUE, "v");
}

static void source_set(struct request *request, const char *name, bool on)
{
	put_name(request, OBSRING_CMD_SOURCE_SET, name);
	request_put_u8(request, OBSRING_A_ENABLED, on);
}

static void probe_new(struct request *request, const char *how)
{
	static const struct {
		const char *how;
		uint32_t type, sample;
		const char *target;
	} probes[] = {
		{ "tracepoint", OBSRING_PROBE_TRACEPOINT, 1, "sched:sched_switch" },
		{ "kprobe", OBSRING_PROBE_KPROBE, 1, "vfs_fsync_range" },
		{ "kretprobe", OBSRING_PROBE_KRETPROBE, 1, "vfs_fsync_range" },
		{ "sampled", OBSRING_PROBE_KPROBE, 100, "vfs_fsync_range" },
	};
	unsigned int i = 0;

	while (strcmp(probes[i].how, how))
		i++;
	put_name(request, OBSRING_CMD_PROBE_NEW, PROBE);
	request_put_u32(request, OBSRING_A_PROBE_TYPE, probes[i].type);
	request_put_string(request, OBSRING_A_PROBE_TARGET, probes[i].target);
	request_put_u32(request, OBSRING_A_KIND, probes[i].type == OBSRING_PROBE_KRETPROBE ?
			OBSRING_KIND_HISTOGRAM : OBSRING_KIND_COUNTER);
	request_put_u32(request, OBSRING_A_SAMPLE, probes[i].sample);
}

static void log_set(struct request *request, uint64_t bytes)
{
	request_begin(request, OBSRING_CMD_LOG_SET, 0);
	request_put_u32(request, OBSRING_A_ORIGIN, OBSRING_ORIGIN_KERNEL);
	request_put_u64(request, OBSRING_A_BYTES, bytes);
}

static void sample_set(struct request *request, uint64_t at_ns)
{
	put_name(request, OBSRING_CMD_SAMPLE_SET, "user.fault");
	request_put_u32(request, OBSRING_A_RULE, OBSRING_RULE_ONE_IN);
	request_put_u64(request, OBSRING_A_RULE_VALUE, 10);
	if (at_ns)
		request_put_u64(request, OBSRING_A_AT_NS, at_ns);
}

/* ---- Families and series ------------------------------------------------- */

static int make_family(const struct operation *op)
{
	struct request request;

	family_new(&request, op->subject);
	return quietly(&request);
}

static int drop_family(const struct operation *op)
{
	struct request request;

	put_name(&request, OBSRING_CMD_FAMILY_DEL, op->subject);
	return quietly(&request);
}

static void end_family(const struct operation *op)
{
	drop_family(op);
}

static int make_series(const struct operation *op)
{
	struct request request;

	series(&request, OBSRING_CMD_SERIES_NEW, op->subject);
	return quietly(&request);
}

static int drop_series(const struct operation *op)
{
	struct request request;

	series(&request, OBSRING_CMD_SERIES_DEL, op->subject);
	return quietly(&request);
}

static int make_both(const struct operation *op)
{
	return make_family(op) ?: make_series(op);
}

static int try_family_new(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	family_new(&request, op->subject);
	return change(&request, attempt);
}

static int try_family_del(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	put_name(&request, OBSRING_CMD_FAMILY_DEL, op->subject);
	return change(&request, attempt);
}

static int try_series_new(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	series(&request, OBSRING_CMD_SERIES_NEW, op->subject);
	return change(&request, attempt);
}

static int try_series_del(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	series(&request, OBSRING_CMD_SERIES_DEL, op->subject);
	return change(&request, attempt);
}

static int try_update(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	series(&request, OBSRING_CMD_SERIES_UPDATE, op->subject);
	request_put_u64(&request, OBSRING_A_VALUE, 1);
	return change(&request, attempt);
}

/* A counter never goes back: it is another one that is at 0. */
static int undo_update(const struct operation *op)
{
	return drop_series(op) ?: make_series(op);
}

/* ---- Asking for what there is -------------------------------------------- */

static int try_info(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	request_begin(&request, OBSRING_CMD_INFO_GET, 0);
	return change(&request, attempt);
}

static int try_get(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	put_name(&request, OBSRING_CMD_FAMILY_GET, op->subject);
	return change(&request, attempt);
}

static int try_dump(const struct operation *op, struct attempt *attempt)
{
	static const struct {
		const char *what;
		uint8_t cmd;
	} dumps[] = {
		{ "families", OBSRING_CMD_FAMILY_GET }, { "series", OBSRING_CMD_SERIES_GET },
		{ "rows", OBSRING_CMD_SERIES_GET }, { "sources", OBSRING_CMD_SOURCE_GET },
		{ "probes", OBSRING_CMD_PROBE_GET }, { "rings", OBSRING_CMD_LOG_GET },
		{ "rules", OBSRING_CMD_SAMPLE_GET }, { "services", OBSRING_CMD_SERVICE_GET },
	};
	struct request request;
	unsigned int i = 0;

	while (strcmp(dumps[i].what, op->subject))
		i++;
	request_begin(&request, dumps[i].cmd, NLM_F_DUMP);
	if (!strcmp(op->subject, "rows"))
		request_put(&request, OBSRING_A_PER_CPU, NULL, 0);
	return dump(&request, attempt);
}

static int make_subject(const struct operation *op)
{
	struct request request;

	if (!strcmp(op->subject, "probes")) {
		probe_new(&request, "kprobe");
		return quietly(&request);
	}
	if (!strcmp(op->subject, "rules")) {
		sample_set(&request, 0);
		return quietly(&request);
	}
	return 0;
}

static void end_anew(const struct operation *op)
{
	module_reload("sources=none");
}

/* ---- State, sources, probes ---------------------------------------------- */

static int try_state(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	request_begin(&request, OBSRING_CMD_STATE_SET, 0);
	request_put_u32(&request, OBSRING_A_STATE, OBSRING_STATE_RUNNING);
	return change(&request, attempt);
}

static int try_source_on(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	source_set(&request, op->subject, true);
	return change(&request, attempt);
}

/* A source that is off keeps its families: only a fresh module is as before. */
static int undo_source_on(const struct operation *op)
{
	return module_reload("sources=none");
}

static int make_source_on(const struct operation *op)
{
	struct request request;

	source_set(&request, op->subject, true);
	return quietly(&request);
}

static int try_source_off(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	source_set(&request, op->subject, false);
	return change(&request, attempt);
}

static int try_option(const struct operation *op, struct attempt *attempt)
{
	struct request request;
	struct { struct nlattr key; char k[12]; struct nlattr value; char v[8]; } option = {
		{ NLA_HDRLEN + sizeof("log-stall"), OBSRING_A_OPTION_KEY }, "log-stall",
		{ NLA_HDRLEN + sizeof("5ms"), OBSRING_A_OPTION_VALUE }, "5ms",
	};

	source_set(&request, op->subject, true);
	request_put(&request, OBSRING_A_OPTION | NLA_F_NESTED, &option,
		    offsetof(typeof(option), v) + sizeof("5ms"));
	return change(&request, attempt);
}

static int try_probe_new(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	probe_new(&request, op->subject);
	return change(&request, attempt);
}

static int make_probe(const struct operation *op)
{
	struct request request;

	probe_new(&request, op->subject);
	return quietly(&request);
}

static int drop_probe(const struct operation *op)
{
	struct request request;

	put_name(&request, OBSRING_CMD_PROBE_DEL, PROBE);
	return quietly(&request);
}

static int try_probe_del(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	put_name(&request, OBSRING_CMD_PROBE_DEL, PROBE);
	return change(&request, attempt);
}

/* ---- The log ------------------------------------------------------------- */

static int try_resize(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	log_set(&request, 16384);
	return change(&request, attempt);
}

static int undo_resize(const struct operation *op)
{
	struct request request;

	log_set(&request, 65536);
	return quietly(&request);
}

static int try_rule(const struct operation *op, struct attempt *attempt)
{
	struct request request;

	/* "later": in the year 2200. */
	sample_set(&request, strcmp(op->subject, "later") ? 0 : 7258118400000000000ULL);
	return change(&request, attempt);
}

/* A source of the log that a rule made stays with its counters. */
static int undo_rule(const struct operation *op)
{
	return module_reload("sources=none");
}

const struct operation netlink_operations[] = {
	{ "family: counter", COUNTER, NULL, try_family_new, drop_family },
	{ "family: histogram", HISTOGRAM, NULL, try_family_new, drop_family },
	{ "family: delete", COUNTER, make_both, try_family_del, make_both, end_family },
	{ "series: counter", COUNTER, make_family, try_series_new, drop_series, end_family },
	{ "series: histogram", HISTOGRAM, make_family, try_series_new, drop_series, end_family,
	  .brief = true },
	{ "family: histogram, anew", HISTOGRAM, NULL, try_family_new, drop_family, .anew = true },
	{ "series: histogram, anew", HISTOGRAM, make_family, try_series_new, drop_series,
	  end_family, .anew = true },
	{ "series: delete", COUNTER, make_both, try_series_del, make_series, end_family },
	{ "series: update", COUNTER, make_both, try_update, undo_update, end_family },
	{ "info", NULL, NULL, try_info },
	{ "family: get", COUNTER, make_family, try_get, NULL, end_family },
	{ "dump: families", "families", NULL, try_dump },
	{ "dump: series", "series", NULL, try_dump, .brief = true },
	{ "dump: rows", "rows", NULL, try_dump },
	{ "dump: sources", "sources", NULL, try_dump },
	{ "dump: probes", "probes", make_subject, try_dump, NULL, end_anew },
	{ "dump: rings", "rings", NULL, try_dump },
	{ "dump: rules", "rules", make_subject, try_dump, NULL, end_anew },
	{ "dump: services", "services", NULL, try_dump },
	{ "state", NULL, NULL, try_state },
	{ "source on: task", "task", NULL, try_source_on, undo_source_on },
	{ "source on: runqueue", "runqueue", NULL, try_source_on, undo_source_on },
	{ "source on: reclaim", "reclaim", NULL, try_source_on, undo_source_on },
	{ "source on: syscall", "syscall", NULL, try_source_on, undo_source_on },
	{ "source on: block", "block", NULL, try_source_on, undo_source_on },
	{ "source on: netdrop", "netdrop", NULL, try_source_on, undo_source_on },
	{ "source on: tcp", "tcp", NULL, try_source_on, undo_source_on },
	{ "source on: irq", "irq", NULL, try_source_on, undo_source_on },
	{ "source on: printk", "printk", NULL, try_source_on, undo_source_on },
	{ "source on: process", "process", NULL, try_source_on, undo_source_on },
	{ "source off: block", "block", make_source_on, try_source_off, make_source_on, end_anew },
	{ "source: option", "reclaim", NULL, try_option, undo_source_on, NULL,
	  { "_total \"reclaim\"", "sampler's " } },
	{ "probe: tracepoint", "tracepoint", NULL, try_probe_new, drop_probe },
	{ "probe: kprobe", "kprobe", NULL, try_probe_new, drop_probe },
	{ "probe: kretprobe", "kretprobe", NULL, try_probe_new, drop_probe },
	{ "probe: sampled", "sampled", NULL, try_probe_new, drop_probe },
	{ "probe: delete", "kretprobe", make_probe, try_probe_del, make_probe, end_anew },
	{ "log: size", NULL, NULL, try_resize, undo_resize },
	{ "rule: now", "now", NULL, try_rule, undo_rule, NULL,
	  { "_rule_ratio \"user.fault\"" } },
	{ "rule: later", "later", NULL, try_rule, undo_rule },
	{ NULL }
};
