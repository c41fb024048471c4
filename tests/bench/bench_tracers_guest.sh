#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest of bench_tracers.sh: measures, and prints a line for each figure, in
# instructions: "event KEY MEDIAN QUARTILES" for a call of getppid() with one tool watching
# it, "write KEY ..." for a write(2), "function KEY ..." and "update KEY ..." for what a
# process does itself, "note NAME TEXT". Fails if a tool did not see what was done.
set -e

ROUNDS=51
CALLS=200
WRITES=50
CALL="/files/event_cost $ROUNDS $CALLS"
WRITE="/files/write_cost /dev/null 64 $ROUNDS $WRITES"
CALLS_SEEN=$(((ROUNDS + 1) * CALLS))	# what a tool has to see
WRITES_SEEN=$(((ROUNDS + 1) * WRITES))
FUNCTION=__task_pid_nr_ns	# which getppid() calls once
TRACING=/sys/kernel/tracing
RAW=$TRACING/events/raw_syscalls
HOOK=/sys/module/obsring_bench_log/parameters/hook

die() {
	echo "bench_tracers_guest: $*" >&2
	exit 1
}

# told KIND KEY COMMAND...: the median and the quartiles that it prints.
told() {
	kind=$1 key=$2
	shift 2
	"$@" >/tmp/told || die "$key: failed"
	echo "$kind $key $(sed -n 's/^median //p' /tmp/told)"
}

# least KEY WANT SEEN
least() { [ "$3" -ge "$2" ] || die "$1: $3 of $2 seen"; }

# --- Hooks that do nothing

floor() {
	insmod /lib/modules/obsring/obsring_floor.ko "$3"
	case $1 in
	event) told event "$2" $CALL ;;
	write) told write "$2" $WRITE ;;
	esac
	rmmod obsring_floor
}

# --- obsring

value() { obsringctl get --raw "$1" | awk '{ print $NF }'; }
count() { obsringctl get --json "$1" | tr -d ' \n' | sed -n 's/.*"count":\([0-9]*\).*/\1/p'; }
stored() { value "obsring_log_records_total{origin=\"$1\",level=\"info\"}"; }

# obsring KEY READ METRIC
obsring() {
	before=$($2 "$3")
	told event "$1" $CALL
	after=$($2 "$3")
	least "$1" $CALLS_SEEN $((after - ${before:-0}))
}

probed() {
	obsringctl probe add "$2" "$3" --as bench_calls_total >&2
	obsring "$1" value bench_calls_total
	obsringctl probe delete bench_calls_total >&2
}

syscalls() {
	obsringctl source enable syscall >&2
	obsring obsring_syscall value 'obsring_syscalls_total{syscall="getppid"}'
	obsringctl source enable syscall latency=getppid sample=1 >&2
	obsring obsring_latency count 'obsring_syscall_latency_seconds{syscall="getppid"}'
	obsringctl source disable syscall >&2
}

# device BYTES: a line each.
device() {
	before=$(stored user)
	told write "device_$1" /files/write_cost /dev/obsring "$1" $ROUNDS $WRITES
	after=$(stored user)
	least "device_$1" $WRITES_SEEN $((after - before))
}

hooked() {
	insmod /lib/modules/obsring/obsring_bench_log.ko
	before=$(stored kernel)
	echo obs_log_64 >$HOOK
	told write hook_obs_log_64 $WRITE
	echo off >$HOOK
	after=$(stored kernel)
	least hook_obs_log_64 $WRITES_SEEN $((after - before))
	rmmod obsring_bench_log
}

# --- BPF and perf: each starts the program itself

bpf() {
	kind=$1
	shift
	case $kind in
	event) told event "$1" /files/bpf_cost /files/bpf_cost.bpf.o "$1" $CALLS_SEEN $CALL ;;
	write) told write "$1" /files/bpf_cost /files/bpf_cost.bpf.o "$1" $WRITES_SEEN $WRITE ;;
	function) told function "$1" /files/bpf_cost /files/bpf_cost.bpf.o "$1" $CALLS_SEEN $CALL function ;;
	esac
}

# --- ftrace

entries() { awk '/^entries:|^overrun:/ { n += $2 } END { print n }' $TRACING/per_cpu/cpu0/stats; }

# ftrace SEEN KIND KEY COMMAND...: each call is an entry of the trace.
ftrace() {
	seen=$1
	shift
	echo >$TRACING/trace
	told "$@"
	least "$2" "$seen" "$(entries)"
}

ftrace_hist() {
	echo hist:keys=id >$RAW/sys_enter/trigger
	told event ftrace_hist $CALL
	least ftrace_hist $CALLS_SEEN "$(awk '/id:[ ]*110 / { print $NF }' $RAW/sys_enter/hist)"
	echo '!hist:keys=id' >$RAW/sys_enter/trigger
}

ftrace_all() {
	ftrace_hist
	echo 1 >$RAW/sys_enter/enable
	ftrace $WRITES_SEEN write ftrace_event $WRITE
	echo 1 >$RAW/sys_exit/enable
	ftrace $((2 * WRITES_SEEN)) write ftrace_both $WRITE
	echo 0 >$RAW/enable

	echo "p:bench $FUNCTION" >>$TRACING/kprobe_events
	echo 1 >$TRACING/events/kprobes/bench/enable
	ftrace $CALLS_SEEN event ftrace_kprobe $CALL
	echo 0 >$TRACING/events/kprobes/bench/enable
	echo -:bench >>$TRACING/kprobe_events

	for bytes in 64 256; do
		for marker in trace_marker trace_marker_raw; do
			ftrace $WRITES_SEEN write ${marker}_$bytes \
				/files/write_cost $TRACING/$marker $bytes $ROUNDS $WRITES
		done
	done
}

# --- syslog(3), to busybox' daemon

syslog_all() {
	syslogd -n -O /tmp/messages &
	daemon=$!
	until [ -S /dev/log ]; do kill -0 $daemon; done
	told write syslog_64 /files/syslog_cost $ROUNDS $WRITES
	until [ "$(grep -c 89abcdef0123456789abcdef /tmp/messages)" -ge $WRITES_SEEN ]; do
		kill -0 $daemon
	done
	kill $daemon
}

# --- LTTng: a flight recorder, which nobody reads meanwhile

lttng() { LD_LIBRARY_PATH=/tmp/lttng /tmp/lttng/lttng --no-sessiond "$@" >>/tmp/lttng.log 2>&1 || die "lttng $*: $(tail -n 5 /tmp/lttng.log)"; }

lttng_start() {
	tar -xf /files/modules.tar -C /
	mkdir /tmp/lttng
	tar -xf /files/programs.tar -C /tmp/lttng
	export LTTNG_SESSION_CONFIG_XSD_PATH=/tmp/lttng
	LD_LIBRARY_PATH=/tmp/lttng /tmp/lttng/lttng-sessiond --daemonize \
		--consumerd64-path=/tmp/lttng/lttng-consumerd \
		--consumerd64-libdir=/tmp/lttng >>/tmp/lttng.log 2>&1 ||
		die "lttng-sessiond: $(tail -n 5 /tmp/lttng.log)"
}

# lttng_traced KIND KEY BYTES "EVENT" COMMAND...: what is recorded has so many bytes at least.
lttng_traced() {
	kind=$1 key=$2 bytes=$3 event=$4
	shift 4
	lttng create bench --snapshot --output=/tmp/trace
	lttng enable-channel --kernel --overwrite --subbuf-size=1M --num-subbuf=4 bench
	lttng enable-event --kernel --channel=bench $event
	lttng start
	told $kind $key "$@"
	lttng stop
	lttng snapshot record
	recorded=$(find /tmp/trace -type f -name 'bench_*' | xargs cat | wc -c)
	least $key $bytes $recorded
	lttng destroy bench
	rm -rf /tmp/trace
}

lttng_all() {
	lttng_start
	# The headers of records are 4 bytes at least; entry 20, exit 8; text, and its size.
	lttng_traced write lttng_syscall $((WRITES_SEEN * 36)) "--syscall write" $WRITE
	lttng_traced event lttng_kprobe $((CALLS_SEEN * 12)) "--probe=$FUNCTION bench" $CALL
	for bytes in 64 256; do
		lttng_traced write lttng_logger_$bytes $((WRITES_SEEN * (bytes + 4))) lttng_logger \
			/files/write_cost /proc/lttng-logger $bytes $ROUNDS $WRITES
	done
}

# --- All of it

# An interpreted program would be no peer.
[ "$(cat /proc/sys/net/core/bpf_jit_enable)" != 0 ] || die "this kernel does not compile BPF programs"
[ -d $TRACING/events ] || mount -t tracefs tracefs $TRACING
echo 4096 >$TRACING/buffer_size_kb

told event off $CALL
told event function_off $CALL function
told write off $WRITE
told write off_256 /files/write_cost /dev/null 256 $ROUNDS $WRITES

floor event floor tracepoint=sys_enter
floor event floor_both tracepoint=sys_enter,sys_exit
floor event floor_kprobe kprobe=$FUNCTION
floor write floor tracepoint=sys_enter
floor write floor_both tracepoint=sys_enter,sys_exit

probed obsring_tracepoint tracepoint raw_syscalls:sys_enter
probed obsring_kprobe kprobe $FUNCTION
syscalls
hooked
device 64
device 256
/files/update_cost $ROUNDS $CALLS >/tmp/update || die "update_cost failed"
sed -n 's/^empty /event update_off /p; s/^add /update obs_counter_add /p' /tmp/update

for way in raw_array tp_array raw_array_by_id raw_percpu_hash_by_id raw_hash_by_id \
	tp_hash_by_id raw_latency kprobe_array fentry_array kprobe_ring; do
	bpf event $way
done
for way in raw_ring raw_ring_both raw_perf; do bpf write $way; done
bpf function uprobe_array

told event perf_count /files/perf_cost count $CALLS_SEEN $CALL
told write perf_record /files/perf_cost record $WRITES_SEEN $WRITE
told write perf_record_both /files/perf_cost record_both $((2 * WRITES_SEEN)) $WRITE
ftrace_all
syslog_all
told event off_after $CALL
told write off_after $WRITE
lttng_all

echo "note rounds $ROUNDS"
echo "note kernel $(uname -r)"
echo "note obsring $(cat /sys/module/obsring/version)"
