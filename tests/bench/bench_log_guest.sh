#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest of bench_log.sh: measures, and prints a line for each figure:
# "op WAY INSTRUCTIONS" for a record of kernel code, several times, "write KEY MEDIAN
# QUARTILES" for a program's write(2), in instructions, "note NAME TEXT". Fails if a tool
# did not see the writes.
set -e

ROUNDS=51
CALLS=50
WRITES=$(((ROUNDS + 1) * CALLS))	# that a tool has to see
HOOK=/sys/module/obsring_bench_log/parameters/hook
TRACING=/sys/kernel/tracing

die() {
	echo "bench_log_guest: $*" >&2
	exit 1
}

# write KEY FILE BYTES
write() {
	echo "write $1 $(/files/write_cost "$2" "$3" $ROUNDS $CALLS | sed -n 's/^median //p')"
}

# --- obsring

stored() { obsringctl get --raw "obsring_log_records_total{origin=\"$1\",level=\"info\"}" | awk '{ print $NF }'; }

# stored_by ORIGIN KEY FILE BYTES: write, each of which is a record.
stored_by() {
	before=$(stored "$1")
	shift_origin=$1
	shift
	write "$@"
	after=$(stored "$shift_origin")
	[ $((after - before)) -ge $WRITES ] || die "$1: $((after - before)) of $WRITES records stored"
}

# hooked KEY WAY
hooked() {
	echo "$2" >$HOOK
	stored_by kernel "$1" /dev/null 64
	echo off >$HOOK
}

# --- Tracing

# traced KEY FILE BYTES: each write is an entry of the trace.
traced() {
	echo >$TRACING/trace
	write "$@"
	n=$(cat $TRACING/per_cpu/cpu0/stats | awk '/^entries:|^overrun:/ { n += $2 } END { print n }')
	[ "$n" -ge $WRITES ] || die "$1: $n of $WRITES entries in the trace"
}

# --- bpftrace: starts the program itself, once its probes are attached

# bpftrace KEY BYTES PROGRAM: one that prints a line for each write.
bpftrace() {
	BPFTRACE_PERF_RB_PAGES=2048 \
		/files/ld-linux-x86-64.so.2 --library-path /files /files/bpftrace \
		-c "/files/write_cost /dev/null $2 $ROUNDS $CALLS" -e "$3" \
		>/tmp/bpftrace 2>&1 || die "$1: $(cat /tmp/bpftrace)"
	echo "write $1 $(sed -n 's/^median //p' /tmp/bpftrace)"
	n=$(grep -c '^seen ' /tmp/bpftrace)
	[ "$n" -ge $WRITES ] || die "$1: $n of $WRITES lines printed: $(grep Lost /tmp/bpftrace)"
}

# --- All of it

[ "$(cat /proc/sys/net/core/bpf_jit_enable)" != 0 ] || die "this kernel does not compile BPF programs"
[ -d $TRACING/events ] || mount -t tracefs tracefs $TRACING

write off /dev/null 64
write off_256 /dev/null 256
insmod /lib/modules/obsring/obsring_bench_log.ko
for n in 1 2 3 4 5; do sed 's/^/op /' /sys/module/obsring_bench_log/parameters/results; done

write hook.floor /dev/null 64
hooked hook.obs_log_64 obs_log_64
hooked hook.obs_log_256 obs_log_256
hooked hook.obs_log_fields_64 obs_log_fields_64
rmmod obsring_bench_log

# What is said of a write is 64 bytes of its data.
filter='/args->id == 1 && pid == cpid/'
bpftrace bpftrace.printf_64 64 \
	"tracepoint:raw_syscalls:sys_enter $filter { printf(\"seen %s\\n\", str(args->args[1], 64)); }"
bpftrace bpftrace.printf_numbers 64 \
	"tracepoint:raw_syscalls:sys_enter $filter { printf(\"seen %d %d %d\\n\", args->args[0], args->args[2], tid); }"

for bytes in 64 256; do
	stored_by user "device.$bytes" /dev/obsring "$bytes"
	traced "trace_marker.$bytes" $TRACING/trace_marker "$bytes"
done
write off_after /dev/null 64

echo "note rounds $ROUNDS"
echo "note kernel $(uname -r)"
echo "note obsring $(cat /sys/module/obsring/version)"
