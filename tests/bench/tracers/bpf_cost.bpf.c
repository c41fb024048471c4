// SPDX-License-Identifier: GPL-2.0-only
/*
 * What bpf_cost.c attaches: programs that count an event or record it, each as it is
 * written by those who look at its cost. Nothing here needs the kernel's types.
 */
#include <stddef.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SYSCALLS	512
#define BUCKETS		64
#define GETPPID		110
#define RING_BYTES	(4 << 20)

char terms[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SYSCALLS);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SYSCALLS);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, SYSCALLS);
	__type(key, __u32);
	__type(value, __u64);
} percpu_hash SEC(".maps");

/* Threads in a call: when it began. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, __u64);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf SEC(".maps");

/* As much as ftrace's record of the same event has in it: 64 bytes. */
struct record {
	__u64 time_ns;
	__u64 id;
	__u64 word[6];
};

/* ---- Counting ------------------------------------------------------------ */

static __always_inline int count_array(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&array, &key);

	if (value)
		(*value)++;
	return 0;
}

SEC("raw_tp/sys_enter")
int raw_array(void *ctx)
{
	return count_array(0);
}

SEC("tp/raw_syscalls/sys_enter")
int tp_array(void *ctx)
{
	return count_array(0);
}

SEC("kprobe/__task_pid_nr_ns")
int kprobe_array(void *ctx)
{
	return count_array(0);
}

SEC("fentry/__task_pid_nr_ns")
int fentry_array(void *ctx)
{
	return count_array(0);
}

/* The loader says where. */
SEC("uprobe")
int uprobe_array(void *ctx)
{
	return count_array(0);
}

/* By system call: the second argument of the raw tracepoint. */
SEC("raw_tp/sys_enter")
int raw_array_by_id(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 key = ctx->args[1];

	return count_array(key);
}

SEC("raw_tp/sys_enter")
int raw_percpu_hash_by_id(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 key = ctx->args[1];
	__u64 *value = bpf_map_lookup_elem(&percpu_hash, &key), one = 1;

	if (value)
		(*value)++;
	else
		bpf_map_update_elem(&percpu_hash, &key, &one, BPF_NOEXIST);
	return 0;
}

static __always_inline int count_hash(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&hash, &key), one = 1;

	if (value)
		__sync_fetch_and_add(value, 1);
	else
		bpf_map_update_elem(&hash, &key, &one, BPF_NOEXIST);
	return 0;
}

SEC("raw_tp/sys_enter")
int raw_hash_by_id(struct bpf_raw_tracepoint_args *ctx)
{
	return count_hash(ctx->args[1]);
}

struct enter {
	__u64 common;
	long id;
	unsigned long args[6];
};

SEC("tp/raw_syscalls/sys_enter")
int tp_hash_by_id(struct enter *ctx)
{
	return count_hash(ctx->id);
}

/* ---- Latency: a power of two of ns, in a per-CPU array -------------------- */

static __always_inline __u32 log2_of(__u64 v)
{
	__u32 n = 0;

	if (v >> 32) {
		v >>= 32;
		n += 32;
	}
	if (v >> 16) {
		v >>= 16;
		n += 16;
	}
	if (v >> 8) {
		v >>= 8;
		n += 8;
	}
	if (v >> 4) {
		v >>= 4;
		n += 4;
	}
	if (v >> 2) {
		v >>= 2;
		n += 2;
	}
	return n + (v >> 1);
}

SEC("raw_tp/sys_enter")
int raw_latency_enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();

	if (ctx->args[1] == GETPPID)
		bpf_map_update_elem(&begun, &thread, &now, BPF_ANY);
	return 0;
}

SEC("raw_tp/sys_exit")
int raw_latency_exit(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u64 *then = bpf_map_lookup_elem(&begun, &thread);

	if (!then)
		return 0;
	count_array(log2_of(bpf_ktime_get_ns() - *then) % BUCKETS);
	bpf_map_delete_elem(&begun, &thread);
	return 0;
}

/* ---- Records ------------------------------------------------------------- */

static __always_inline void fill(struct record *record, __u64 id)
{
	__u32 i;

	record->time_ns = bpf_ktime_get_ns();
	record->id = id;
#pragma unroll
	for (i = 0; i < 6; i++)
		record->word[i] = i;
}

static __always_inline int ring_record(__u64 id)
{
	struct record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return 0;
	fill(record, id);
	/* As libbpf's readers have it best: none is woken. */
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("raw_tp/sys_enter")
int raw_ring(struct bpf_raw_tracepoint_args *ctx)
{
	return ring_record(ctx->args[1]);
}

SEC("raw_tp/sys_enter")
int raw_ring_enter(struct bpf_raw_tracepoint_args *ctx)
{
	return ring_record(ctx->args[1]);
}

SEC("raw_tp/sys_exit")
int raw_ring_exit(struct bpf_raw_tracepoint_args *ctx)
{
	return ring_record(ctx->args[1]);
}

SEC("kprobe/__task_pid_nr_ns")
int kprobe_ring(void *ctx)
{
	return ring_record(0);
}

SEC("raw_tp/sys_enter")
int raw_perf(struct bpf_raw_tracepoint_args *ctx)
{
	struct record record;

	fill(&record, ctx->args[1]);
	bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &record, sizeof(record));
	return 0;
}
