#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest of bench_kernel.sh: measures, and prints a line for each figure:
# "op NAME INSTRUCTIONS" for updates, several times, "event KEY MEDIAN QUARTILES" for a
# call of getppid() with one tool watching it, "sleep KEY MEDIAN QUARTILES" for a sleep of
# a task likewise, in instructions, "note NAME TEXT". Fails if a tool did not see the calls.
set -e

ROUNDS=51
CALLS=200
PROGRAM="/files/event_cost $ROUNDS $CALLS"
SEEN=$(((ROUNDS + 1) * CALLS))	# calls that a tool has to see
FUNCTION=__task_pid_nr_ns	# which getppid() calls once
# Pairs of processes that sleep in turn: old ones, and such as are made for each round,
# of which the source saves each sleep.
TRIPS=100
YOUNG_TRIPS=6
OLD="/files/sleep_cost $ROUNDS $TRIPS"
YOUNG="/files/sleep_cost $ROUNDS $YOUNG_TRIPS young"

die() {
	echo "bench_kernel_guest: $*" >&2
	exit 1
}

# event KEY: with whatever is on.
event() {
	echo "event $1 $($PROGRAM | sed -n 's/^median //p')"
}

# --- Empty hooks: what the kernel takes itself

floor() {
	insmod /lib/modules/obsring/obsring_floor.ko "$2"
	event "$1"
	rmmod obsring_floor
}

# --- obsring

value() { obsringctl get --raw "$1" | awk '{ print $NF }'; }

count() {
	obsringctl get --json "$1" | tr -d ' \n' | sed -n 's/.*"count":\([0-9]*\).*/\1/p'
}

# seen KEY BEFORE AFTER
seen() {
	[ $(($3 - $2)) -ge $SEEN ] || die "$1: only $(($3 - $2)) of $SEEN calls counted"
}

# obsring KEY READ METRIC: READ is value or count.
obsring() {
	before=$($2 "$3")
	event "$1"
	seen "$1" "${before:-0}" "$($2 "$3")"
}

source_syscall() {
	obsringctl source enable syscall "$@" >&2
}

syscalls() {
	calls='obsring_syscalls_total{syscall="getppid"}'
	latency='obsring_syscall_latency_seconds{syscall="getppid"}'
	source_syscall
	obsring syscall.obsring value "$calls"
	source_syscall latency=getppid sample=1000
	obsring latency.obsring_sampled value "$calls"
	source_syscall sample=1
	obsring latency.obsring count "$latency"
	obsringctl source disable syscall >&2
}

# probe KEY READ METRIC TYPE TARGET: the type says what kind it is.
probe() {
	obsringctl probe add "$4" "$5" --as "$3" >&2
	obsring "$1" "$2" "$3"
	obsringctl probe delete "$3" >&2
}

# --- bpftrace: starts the program itself, once its probes are attached

# bpftrace KEY PROGRAM: one whose only map is a count, or has a histogram.
bpftrace() {
	/files/ld-linux-x86-64.so.2 --library-path /files /files/bpftrace \
		-c "$PROGRAM" -e "$2" >/tmp/bpftrace 2>&1 || die "$1: $(cat /tmp/bpftrace)"
	echo "event $1 $(sed -n 's/^median //p' /tmp/bpftrace)"
	seen "$1" 0 "$(bpftrace_counted)"
}

# "@: N" or "@[110]: N" or, below a stack, "]: N"; of a histogram the buckets, "[256, 512)  N |@@  |".
bpftrace_counted() {
	awk '/^(@.*|\]): [0-9]+$/ && !/^@begin/ { n += $NF }
		/^[[(].*[|]$/ { sub(/[|].*/, ""); n += $NF }
		END { print n + 0 }' /tmp/bpftrace
}

# --- Sleeps

# sleeps KEY: with whatever is on.
sleeps() {
	echo "sleep old.$1 $($OLD | sed -n 's/^median //p')"
	echo "sleep young.$1 $($YOUNG | sed -n 's/^median //p')"
}

sleeps_floor() {
	insmod /lib/modules/obsring/obsring_floor.ko tracepoint=sched_switch
	sleeps floor
	rmmod obsring_floor
}

# Of those whose turn it is by chance most are beyond what a CPU may save.
sleeps_obsring() {
	saved=obsring_process_sleeps_saved_total
	obsringctl source enable process >&2
	echo "sleep old.obsring $($OLD | sed -n 's/^median //p')"
	[ "$(value obsring_process_sleeps_missed_total)" -gt 0 ] || die "no sleep was beyond the budget"
	before=$(value $saved)
	echo "sleep young.obsring $($YOUNG | sed -n 's/^median //p')"
	young=$((ROUNDS * 2 * YOUNG_TRIPS))
	[ $(($(value $saved) - before)) -ge $young ] ||
		die "$(($(value $saved) - before)) of $young sleeps were saved"
	obsringctl source disable process >&2
}

sleeps_bpftrace() {
	stacks='tracepoint:sched:sched_switch /args->prev_state/ { @[kstack] = count(); }'
	for age in old young; do
		program=$OLD least=$((ROUNDS * 2 * TRIPS))
		if [ $age = young ]; then program=$YOUNG least=$((ROUNDS * 2 * YOUNG_TRIPS)); fi
		/files/ld-linux-x86-64.so.2 --library-path /files /files/bpftrace \
			-c "$program" -e "$stacks" >/tmp/bpftrace 2>&1 || die "$(cat /tmp/bpftrace)"
		echo "sleep $age.bpftrace $(sed -n 's/^median //p' /tmp/bpftrace)"
		[ "$(bpftrace_counted)" -ge $least ] || die "bpftrace saw less than $least sleeps"
	done
}

# --- All of it

# An interpreted program would be no peer.
[ "$(cat /proc/sys/net/core/bpf_jit_enable)" != 0 ] || die "this kernel does not compile BPF programs"

insmod /lib/modules/obsring/obsring_bench.ko
for n in 1 2 3 4 5; do sed 's/^/op /' /sys/module/obsring_bench/parameters/results; done
rmmod obsring_bench

event off
floor syscall.floor tracepoint=sys_enter
floor latency.floor tracepoint=sys_enter,sys_exit
floor kprobe.floor kprobe=$FUNCTION
floor kretprobe.floor kretprobe=$FUNCTION

syscalls
probe tracepoint.obsring value bench_calls_total tracepoint raw_syscalls:sys_enter
probe kprobe.obsring value bench_calls_total kprobe $FUNCTION
probe kretprobe.obsring count bench_call_seconds kretprobe $FUNCTION
event off_after_obsring

bpftrace syscall.bpftrace 'tracepoint:raw_syscalls:sys_enter { @[args->id] = count(); }'
bpftrace tracepoint.bpftrace 'tracepoint:raw_syscalls:sys_enter { @ = count(); }'
bpftrace latency.bpftrace '
	tracepoint:raw_syscalls:sys_enter /args->id == 110/ { @begin[tid] = nsecs; }
	tracepoint:raw_syscalls:sys_exit /@begin[tid]/ {
		@ = hist(nsecs - @begin[tid]); delete(@begin[tid]); }'
bpftrace kprobe.bpftrace "kprobe:$FUNCTION { @ = count(); }"
bpftrace kretprobe.bpftrace "
	kprobe:$FUNCTION { @begin[tid] = nsecs; }
	kretprobe:$FUNCTION /@begin[tid]/ {
		@ = hist(nsecs - @begin[tid]); delete(@begin[tid]); }"
bpftrace kfunc.bpftrace "kfunc:$FUNCTION { @ = count(); }"
bpftrace kretfunc.bpftrace "
	kfunc:$FUNCTION { @begin[tid] = nsecs; }
	kretfunc:$FUNCTION /@begin[tid]/ {
		@ = hist(nsecs - @begin[tid]); delete(@begin[tid]); }"
event off_after_bpftrace

sleeps off
sleeps_floor
sleeps_obsring
sleeps off_after_obsring
sleeps_bpftrace

echo "note rounds $ROUNDS"
echo "note kernel $(uname -r)"
echo "note obsring $(cat /sys/module/obsring/version)"
