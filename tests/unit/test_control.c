// SPDX-License-Identifier: MIT
/* What requests look like, and what is read from answers, without a module. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/genetlink.h>
#include <netlink/errno.h>
#include <netlink/genl/genl.h>

#include "libobsring/control.h"
#include "libobsring/dump.h"

static struct nl_msg *message_new(void)
{
	struct nl_msg *msg = nlmsg_alloc();

	assert_non_null(msg);
	assert_non_null(genlmsg_put(msg, 0, 0, 0x20, 0, 0, 1, 1));
	return msg;
}

static void parse(struct nl_msg *msg, struct obs_answer *answer)
{
	assert_int_equal(obs_answer_parse(nlmsg_hdr(msg), answer), 0);
}

static unsigned int count(const struct obs_answer *answer, int type)
{
	struct nlattr *attr;
	unsigned int nr = 0;
	int left;

	obs_answer_each(attr, answer, type, left)
		nr++;
	return nr;
}

static void test_family(void **state)
{
	static const uint64_t bound[] = { 5, 10 };
	struct obs_family_spec spec = {
		.name = "my.metric", .help = "Help.", .unit = "seconds",
		.kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9, .nr_labels = 2,
		.label = (const char *[]){ "x", "y" }, .nr_bounds = 2, .bound = bound,
	};
	struct obs_answer a;
	struct nl_msg *msg = message_new();

	(void)state;
	assert_int_equal(obs_family_encode(msg, &spec), 0);
	parse(msg, &a);
	assert_string_equal(nla_get_string(a.attr[OBSRING_A_NAME]), "my.metric");
	assert_string_equal(nla_get_string(a.attr[OBSRING_A_UNIT]), "seconds");
	assert_int_equal((int)nla_get_u32(a.attr[OBSRING_A_EXP10]), -9);
	assert_int_equal(count(&a, OBSRING_A_LABEL_NAME), 2);
	assert_string_equal(nla_get_string(a.attr[OBSRING_A_LABEL_NAME]), "y");
	assert_int_equal(count(&a, OBSRING_A_BOUND), 2);
	assert_int_equal(nla_get_u64(a.attr[OBSRING_A_BOUND]), 10);
	assert_null(a.attr[OBSRING_A_SCHEMA]);
	assert_null(a.attr[OBSRING_A_SET]);
	nlmsg_free(msg);

	spec.nr_bounds = 0;
	spec.schema = 3;
	spec.min_log2 = -20;
	spec.max_log2 = 4;
	msg = message_new();
	assert_int_equal(obs_family_encode(msg, &spec), 0);
	parse(msg, &a);
	assert_int_equal((int)nla_get_u32(a.attr[OBSRING_A_MIN_LOG2]), -20);
	assert_int_equal((int)nla_get_u32(a.attr[OBSRING_A_MAX_LOG2]), 4);
	assert_null(a.attr[OBSRING_A_BOUND]);
	nlmsg_free(msg);
}

static void test_source(void **state)
{
	const char *const options[] = { "sample=1000", "calls=read,write", "a=b=c", "x" };
	static const char *const values[] = { "1000", "read,write", "b=c", "" };
	struct obs_source_info source;
	struct obs_answer a;
	struct nl_msg *msg = message_new();
	static char key[100000];
	unsigned int i;

	(void)state;
	assert_int_equal(obs_source_encode(msg, "syscall", true, options, 4), 0);
	nla_put_string(msg, OBSRING_A_REASON, "no such tracepoint");
	parse(msg, &a);
	assert_int_equal(obs_source_decode(&a, &source), 0);
	assert_string_equal(source.name, "syscall");
	assert_string_equal(source.reason, "no such tracepoint");
	assert_true(source.enabled);
	assert_int_equal(source.nr_options, 4);
	for (i = 0; i < 4; i++)
		assert_string_equal(source.option[i].value, values[i]);
	assert_string_equal(source.option[0].key, "sample");
	nlmsg_free(msg);

	msg = message_new();
	assert_int_equal(obs_source_encode(msg, "s", true,
					   (const char *[]){ "=1" }, 1), -EINVAL);
	nlmsg_free(msg);
	msg = message_new();
	assert_int_equal(obs_source_encode(msg, "s", true, (const char *[]){
		"abcdefghijklmnopqrstuvwxyzabcdefgh=1" }, 1), 0);	/* the module's to refuse */
	nlmsg_free(msg);
	msg = message_new();
	memset(key, 'k', sizeof(key) - 1);
	assert_int_equal(obs_source_encode(msg, "s", true,
					   (const char *[]){ key }, 1), -EMSGSIZE);
	nlmsg_free(msg);
}

static void test_probe(void **state)
{
	const struct obs_probe_info sent = {
		.name = "read_seconds", .type = OBSRING_PROBE_KRETPROBE,
		.target = "vfs_read", .kind = OBSRING_KIND_HISTOGRAM, .sample = 16 };
	struct obs_probe_info got;
	struct obs_answer a;
	struct nl_msg *msg = message_new();

	(void)state;
	assert_int_equal(obs_probe_encode(msg, &sent, "Help."), 0);
	nla_put_u64(msg, OBSRING_A_HITS, 1ULL << 40);
	nla_put_u64(msg, OBSRING_A_MISSED, 3);
	parse(msg, &a);
	obs_probe_decode(&a, &got);
	assert_string_equal(got.name, sent.name);
	assert_string_equal(got.target, sent.target);
	assert_int_equal(got.type, sent.type);
	assert_int_equal(got.kind, sent.kind);
	assert_int_equal(got.sample, 16);
	assert_int_equal(got.hits, 1ULL << 40);
	assert_int_equal(got.missed, 3);
	assert_string_equal(got.reason, "");
	nla_put_string(msg, OBSRING_A_REASON, "went away");
	parse(msg, &a);
	obs_probe_decode(&a, &got);
	assert_string_equal(got.reason, "went away");
	nlmsg_free(msg);
}

static void test_log_ring(void **state)
{
	struct nl_msg *msg = message_new();
	struct obs_log_ring_info got;
	struct obs_answer a;

	(void)state;
	nla_put_u32(msg, OBSRING_A_CPU, 3);
	nla_put_u32(msg, OBSRING_A_ORIGIN, OBSRING_ORIGIN_USER);
	nla_put_u64(msg, OBSRING_A_BYTES, 1 << 26);
	nla_put_u64(msg, OBSRING_A_HIGH_WATER, 12345 * 64);
	nla_put_u64(msg, OBSRING_A_RECORDS, 1ULL << 40);
	parse(msg, &a);
	obs_log_ring_decode(&a, &got);
	assert_int_equal(got.cpu, 3);
	assert_int_equal(got.origin, OBSRING_ORIGIN_USER);
	assert_int_equal(got.bytes, 1 << 26);
	assert_int_equal(got.high_water_bytes, 12345 * 64);
	assert_int_equal(got.records, 1ULL << 40);
	nlmsg_free(msg);
}

static void test_service(void **state)
{
	struct nl_msg *msg = message_new();
	struct obs_service_info got;
	struct obs_answer a;

	(void)state;
	assert_int_equal(obs_service_encode(msg, 7, "shop", 4000000000U), 0);
	parse(msg, &a);
	assert_int_equal(nla_get_u32(a.attr[OBSRING_A_DEVICE_FD]), 7);
	assert_string_equal(nla_get_string(a.attr[OBSRING_A_NAME]), "shop");
	assert_int_equal(nla_get_u32(a.attr[OBSRING_A_UID]), 4000000000U);
	nla_put_u32(msg, OBSRING_A_MEMBERS, 3);
	nla_put_u32(msg, OBSRING_A_SERIES, 4);
	nla_put_u64(msg, OBSRING_A_BYTES, 1ULL << 33);
	nla_put_u32(msg, OBSRING_A_TTL, 604800);
	nla_put_u64(msg, OBSRING_A_CREATED_NS, 5);
	parse(msg, &a);
	obs_service_decode(&a, &got);
	assert_string_equal(got.name, "shop");
	assert_int_equal(got.uid, 4000000000U);
	assert_int_equal(got.members, 3);
	assert_int_equal(got.series, 4);
	assert_int_equal(got.bytes, 1ULL << 33);
	assert_int_equal(got.ttl_s, 604800);
	assert_int_equal(got.created_ns, 5);
	assert_int_equal(got.detached_ns, 0);
	nla_put_u64(msg, OBSRING_A_DETACHED_NS, 6);
	parse(msg, &a);
	obs_service_decode(&a, &got);
	assert_int_equal(got.detached_ns, 6);
	nlmsg_free(msg);

	/* Without a descriptor: by who the sender is. */
	msg = message_new();
	assert_int_equal(obs_service_encode(msg, -1, "shop", 0), 0);
	parse(msg, &a);
	assert_null(a.attr[OBSRING_A_DEVICE_FD]);
	nla_put_u32(msg, OBSRING_A_DETACHED_NS, 6);
	assert_int_equal(obs_answer_parse(nlmsg_hdr(msg), &a), -EPROTO);
	nlmsg_free(msg);
}

static void test_info(void **state)
{
	struct nl_msg *msg = message_new();
	struct obs_answer a;
	struct obs_info info;
	char longer[100];

	(void)state;
	memset(longer, 'v', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	nla_put_string(msg, OBSRING_A_VERSION, longer);
	nla_put_u32(msg, OBSRING_A_SERIES, 7);
	nla_put_u64(msg, OBSRING_A_BYTES_LIMIT, 1ULL << 33);
	/* From a later module. */
	nla_put_u32(msg, OBSRING_A_MAX + 1, 1);
	parse(msg, &a);
	obs_info_decode(&a, &info);
	assert_int_equal(strlen(info.version), sizeof(info.version) - 1);
	assert_int_equal(info.series, 7);
	assert_int_equal(info.bytes_limit, 1ULL << 33);
	assert_int_equal(info.families, 0);
	nlmsg_free(msg);
}

static int series_check(const struct obs_series_values *series, void *arg)
{
	unsigned int *calls = arg;

	(*calls)++;
	assert_string_equal(series->family, "a");
	assert_int_equal(series->id, 3);
	assert_int_equal(series->nr_labels, 2);
	assert_string_equal(series->value[0], "1");
	assert_string_equal(series->value[1], "");
	assert_int_equal(series->number, 100);
	assert_int_equal(series->nr_buckets, 3);
	assert_int_equal(series->bucket[2], 12);
	assert_int_equal(series->nr_rows, 2);
	assert_int_equal(series->row_cpu[0], 4);
	assert_int_equal(series->row_cpu[1], 5);
	assert_int_equal(series->row_number[1], 51);
	assert_int_equal(series->row_bucket[3], 15);
	assert_int_equal(series->row_bucket[5], 17);
	return 42;
}

static void row_put(struct nl_msg *msg, uint32_t cpu, unsigned int nr)
{
	struct nlattr *nest = nla_nest_start(msg, OBSRING_A_ROW);
	unsigned int i;

	nla_put_u32(msg, OBSRING_A_CPU, cpu);
	nla_put_u64(msg, OBSRING_A_SUM, 46 + cpu);
	for (i = 0; i < nr; i++)
		nla_put_u64(msg, OBSRING_A_BUCKET, cpu + 10 + i);
	nla_nest_end(msg, nest);
}

static struct nl_msg *series_message(bool first)
{
	struct nl_msg *msg = message_new();
	unsigned int i;

	nla_put_u32(msg, OBSRING_A_SERIES_ID, 3);
	nla_put_string(msg, OBSRING_A_NAME, "a");
	nla_put_string(msg, OBSRING_A_LABEL_VALUE, "1");
	nla_put_string(msg, OBSRING_A_LABEL_VALUE, "");
	if (!first)
		return msg;
	nla_put_u64(msg, OBSRING_A_SUM, 100);
	for (i = 0; i < 3; i++)
		nla_put_u64(msg, OBSRING_A_BUCKET, 10 + i);
	return msg;
}

static int dump_take(struct obs_dump *dump, struct nl_msg *msg)
{
	struct obs_answer a;
	int r;

	parse(msg, &a);
	r = obs_dump_answer(dump, &a);
	nlmsg_free(msg);
	return r;
}

static void test_dump(void **state)
{
	unsigned int calls = 0, wrong;
	struct obs_dump dump = { .fn = series_check, .arg = &calls };
	struct nl_msg *msg;

	(void)state;
	msg = series_message(true);
	row_put(msg, 4, 3);
	row_put(msg, 5, 3);
	assert_int_equal(dump_take(&dump, msg), 0);
	assert_int_equal(calls, 0);
	assert_int_equal(obs_dump_flush(&dump), 42);
	assert_int_equal(obs_dump_flush(&dump), 0);
	assert_int_equal(calls, 1);

	/* Rows in a message of their own; the next series ends this one. */
	msg = series_message(true);
	row_put(msg, 4, 3);
	assert_int_equal(dump_take(&dump, msg), 0);
	msg = series_message(false);
	row_put(msg, 5, 3);
	assert_int_equal(dump_take(&dump, msg), 0);
	assert_int_equal(dump_take(&dump, series_message(true)), 42);
	assert_int_equal(calls, 2);
	obs_dump_exit(&dump);

	/* Rows with other buckets than the series; rows of no series. */
	for (wrong = 0; wrong < 6; wrong++) {
		if (wrong == 3)
			continue;
		dump = (struct obs_dump){ .fn = series_check, .arg = &calls };
		msg = series_message(true);
		row_put(msg, 4, wrong);
		assert_int_equal(dump_take(&dump, msg), -EPROTO);
		obs_dump_exit(&dump);
	}
	dump = (struct obs_dump){ .fn = series_check, .arg = &calls };
	assert_int_equal(dump_take(&dump, series_message(false)), -EPROTO);
	obs_dump_exit(&dump);
	assert_int_equal(calls, 2);
}

static void test_malformed(void **state)
{
	struct obs_answer a;
	struct nl_msg *msg = message_new();

	(void)state;
	nla_put_u8(msg, OBSRING_A_SERIES, 1);
	assert_int_equal(obs_answer_parse(nlmsg_hdr(msg), &a), -EPROTO);
	nlmsg_free(msg);

	msg = message_new();
	nla_put(msg, OBSRING_A_NAME, 3, "abc");	/* without its NUL */
	assert_int_equal(obs_answer_parse(nlmsg_hdr(msg), &a), -EPROTO);
	nlmsg_free(msg);

	struct obs_dump dump = { .fn = series_check };

	msg = message_new();
	nla_put_u64(msg, OBSRING_A_VALUE, 1);	/* of which metric? */
	assert_int_equal(dump_take(&dump, msg), -EPROTO);

	msg = message_new();
	nlmsg_hdr(msg)->nlmsg_len = NLMSG_HDRLEN;
	assert_int_equal(obs_answer_parse(nlmsg_hdr(msg), &a), -EPROTO);
	nlmsg_free(msg);
}

/* A message has room for a page: more must be refused, not cut. */
static void test_too_long(void **state)
{
	static char value[2000];
	const char *values[8] = { value, value, value, value, value, value, value, value };
	struct nl_msg *msg = message_new();

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	assert_int_equal(obs_series_encode(msg, "a", values, 8), -EMSGSIZE);
	nlmsg_free(msg);
}

/* What the kernel points at by its offset has a name, if it is there at all. */
static void test_attr_name(void **state)
{
	struct nl_msg *msg = message_new();
	struct nlmsghdr *header = nlmsg_hdr(msg);
	uint32_t name = header->nlmsg_len, value, i;

	(void)state;
	nla_put_string(msg, OBSRING_A_NAME, "a");
	value = header->nlmsg_len;
	nla_put_string(msg, OBSRING_A_LABEL_VALUE, "b");
	assert_string_equal(obs_request_attr_name(header, name), "name");
	assert_string_equal(obs_request_attr_name(header, value), "label-value");
	nla_put_string(msg, OBSRING_A_VERSION, "1");
	nla_put_string(msg, OBSRING_A_MAX + 1, "1");
	for (i = value + 8; i < header->nlmsg_len; i += 8)
		assert_null(obs_request_attr_name(header, i));
	for (i = 0; i < 4; i++)
		assert_null(obs_request_attr_name(header, header->nlmsg_len - i));
	assert_null(obs_request_attr_name(header, UINT32_MAX));
	nlmsg_free(msg);
}

/* ---- A kernel that answers by a script ------------------------------------ */

/*
 * @ahead: of the request's sequence number. ACK: its value is an errno, or 0. LOST: the
 * socket has no room (ENOBUFS).
 */
struct reply {
	int ahead;
	enum { ANSWER, ACK, LOST } what;
	uint32_t value;
};

static const struct reply *script;
static uint32_t sent_seq;

static int script_send(struct nl_sock *socket, struct nl_msg *msg)
{
	(void)socket;
	sent_seq = nlmsg_hdr(msg)->nlmsg_seq;
	return 1;
}

static int script_recv(struct nl_sock *socket, struct sockaddr_nl *from,
		       unsigned char **ret_buf, struct ucred **creds)
{
	const struct reply *reply = script++;
	const struct nlmsgerr ack = { .error = -(int)reply->value };
	uint32_t seq = sent_seq + (uint32_t)reply->ahead;
	struct nl_msg *msg;
	size_t len;

	(void)socket;
	(void)from;
	(void)creds;
	if (reply->what == LOST)
		return -NLE_NOMEM;
	msg = nlmsg_alloc();
	assert_non_null(msg);
	if (reply->what == ANSWER) {
		genlmsg_put(msg, 0, seq, 0x20, 0, 0, 1, 1);
		nla_put_u32(msg, OBSRING_A_SERIES, reply->value);
	} else {
		nlmsg_put(msg, 0, seq, NLMSG_ERROR, 0, 0);
		nlmsg_append(msg, (void *)&ack, sizeof(ack), 0);
	}
	len = nlmsg_hdr(msg)->nlmsg_len;
	*ret_buf = malloc(len);
	assert_non_null(*ret_buf);
	memcpy(*ret_buf, nlmsg_hdr(msg), len);
	nlmsg_free(msg);
	return (int)len;
}

static int value_add(const struct obs_answer *answer, void *sum)
{
	*(uint32_t *)sum += obs_answer_u32(answer, OBSRING_A_SERIES);
	return 0;
}

/* The sum of the values that were taken for answers to one request, or an error. */
static int ask(struct obs_control *control, const struct reply *replies)
{
	uint32_t sum = 0;
	int r;

	script = replies;
	r = obs_request_send(control, obs_request_new(control, 1, 0), 0, value_add, &sum);
	return r ? r : (int)sum;
}

static struct nl_sock *scripted_socket(void)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	struct nl_sock *socket;

	assert_non_null(cb);
	nl_cb_overwrite_send(cb, script_send);
	nl_cb_overwrite_recv(cb, script_recv);
	socket = nl_socket_alloc_cb(cb);
	assert_non_null(socket);
	nl_cb_put(cb);
	return socket;
}

static void test_lost_reply(void **state)
{
	struct obs_control control = { .family = 0x20, .socket = scripted_socket() };

	(void)state;
	assert_int_equal(ask(&control, (const struct reply[]){
		{ 0, ANSWER, 1 }, { 0, ANSWER, 2 }, { 0, ACK, 0 } }), 3);
	/* The rest of an answer that was lost in part is nobody's. */
	assert_int_equal(ask(&control, (const struct reply[]){ { 0, LOST, 0 } }), -ENOMEM);
	assert_int_equal(ask(&control, (const struct reply[]){
		{ -1, ANSWER, 4 }, { -1, ACK, 0 }, { 0, ANSWER, 8 }, { 0, ACK, 0 } }), 8);
	/* Of one that was lost as a whole nothing comes. */
	assert_int_equal(ask(&control, (const struct reply[]){ { 0, LOST, 0 } }), -ENOMEM);
	assert_int_equal(ask(&control, (const struct reply[]){
		{ 0, ANSWER, 16 }, { 0, ACK, 0 } }), 16);
	/* Answers to what was never asked. */
	assert_int_equal(ask(&control, (const struct reply[]){ { 1, ANSWER, 32 } }), -EIO);
	nl_socket_free(control.socket);
}

/* A dump that meets a module which is just being unloaded: the kernel calls that else. */
static void test_dump_as_the_module_goes(void **state)
{
	struct obs_control control = { .family = 0x20, .socket = scripted_socket() };

	(void)state;
	assert_int_equal(ask(&control, (const struct reply[]){
		{ 0, ACK, EPROTONOSUPPORT } }), -ENOENT);
	assert_string_equal(obs_control_error(&control), strerror(ENOENT));
	assert_int_equal(ask(&control, (const struct reply[]){ { 0, ACK, EBUSY } }), -EBUSY);
	nl_socket_free(control.socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_log_ring),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_attr_name),
		cmocka_unit_test(test_lost_reply),
		cmocka_unit_test(test_dump_as_the_module_goes),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
