// SPDX-License-Identifier: MIT
/* seed_answer N: what the module answers about a source (0), a probe, a service, series. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <linux/obsring.h>

static void source(struct nl_msg *msg)
{
	struct nlattr *nest;

	nla_put_string(msg, OBSRING_A_NAME, "syscall");
	nla_put_string(msg, OBSRING_A_HELP, "System calls.");
	nla_put_u8(msg, OBSRING_A_ENABLED, 1);
	nest = nla_nest_start(msg, OBSRING_A_OPTION);
	nla_put_string(msg, OBSRING_A_OPTION_KEY, "sample");
	nla_put_string(msg, OBSRING_A_OPTION_VALUE, "16");
	nla_put_string(msg, OBSRING_A_HELP, "One of so many.");
	nla_nest_end(msg, nest);
}

static void probe(struct nl_msg *msg)
{
	nla_put_string(msg, OBSRING_A_NAME, "demo_total");
	nla_put_u32(msg, OBSRING_A_PROBE_TYPE, OBSRING_PROBE_KPROBE);
	nla_put_string(msg, OBSRING_A_PROBE_TARGET, "vfs_read");
	nla_put_u32(msg, OBSRING_A_SAMPLE, 1);
	nla_put_u64(msg, OBSRING_A_HITS, 42);
	nla_put_u64(msg, OBSRING_A_MISSED, 0);
}

static void service(struct nl_msg *msg)
{
	nla_put_string(msg, OBSRING_A_NAME, "backup");
	nla_put_u32(msg, OBSRING_A_UID, 1000);
	nla_put_u32(msg, OBSRING_A_MEMBERS, 2);
	nla_put_u32(msg, OBSRING_A_TTL, 600);
	nla_put_u64(msg, OBSRING_A_CREATED_NS, 1795364057500000000ULL);
}

static void counter(struct nl_msg *msg)
{
	struct nlattr *nest;

	nla_put_string(msg, OBSRING_A_NAME, "demo_total");
	nla_put_u32(msg, OBSRING_A_KIND, OBSRING_KIND_COUNTER);
	nla_put_string(msg, OBSRING_A_LABEL_VALUE, "read");
	nla_put_u32(msg, OBSRING_A_SERIES_ID, 7);
	nla_put_u32(msg, OBSRING_A_GEN, 1);
	nla_put_u64(msg, OBSRING_A_VALUE, 42);
	nest = nla_nest_start(msg, OBSRING_A_ROW);
	nla_put_u32(msg, OBSRING_A_CPU, 0);
	nla_put_u64(msg, OBSRING_A_VALUE, 42);
	nla_nest_end(msg, nest);
}

static void buckets(struct nl_msg *msg)
{
	nla_put_u64(msg, OBSRING_A_SUM, 30);
	nla_put_u64(msg, OBSRING_A_BUCKET, 1);
	nla_put_u64(msg, OBSRING_A_BUCKET, 2);
}

static void histogram(struct nl_msg *msg)
{
	struct nlattr *nest;

	nla_put_string(msg, OBSRING_A_NAME, "demo_seconds");
	nla_put_u32(msg, OBSRING_A_KIND, OBSRING_KIND_HISTOGRAM);
	nla_put_u32(msg, OBSRING_A_SERIES_ID, 8);
	nla_put_u32(msg, OBSRING_A_GEN, 1);
	buckets(msg);
	nest = nla_nest_start(msg, OBSRING_A_ROW);
	nla_put_u32(msg, OBSRING_A_CPU, 0);
	buckets(msg);
	nla_nest_end(msg, nest);
}

/* Of the counter: the rows that the first message had no room for. */
static void more_rows(struct nl_msg *msg)
{
	struct nlattr *nest;

	nla_put_u32(msg, OBSRING_A_SERIES_ID, 0);
	nla_put_u32(msg, OBSRING_A_GEN, 0);
	nest = nla_nest_start(msg, OBSRING_A_ROW);
	nla_put_u32(msg, OBSRING_A_CPU, 1);
	nla_put_u64(msg, OBSRING_A_VALUE, 0);
	nla_nest_end(msg, nest);
}

int main(int argc, char **argv)
{
	static void (*const make[])(struct nl_msg *msg) = {
		source, probe, service, counter, histogram, more_rows,
	};
	struct nl_msg *msg = nlmsg_alloc();
	int n = argc > 1 ? atoi(argv[1]) : 0;

	if (!msg || !nlmsg_put(msg, 0, 0, 0, 0, 0) || n < 0 ||
	    n >= (int)(sizeof(make) / sizeof(make[0])))
		return 1;
	make[n](msg);
	fwrite(nlmsg_data(nlmsg_hdr(msg)), nlmsg_datalen(nlmsg_hdr(msg)), 1, stdout);
	nlmsg_free(msg);
	return 0;
}
