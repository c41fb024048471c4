#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_tracers.sh [KERNEL]: what counting an event and recording it cost in the kernel,
# in instructions, with BPF programs loaded by libbpf, ftrace, perf and lttng-modules, and
# with obsring, in the same guest. Prints Markdown tables. Fails if something could not be
# measured, never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh
. tests/bench/guest.sh
. tests/bench/tracers/lttng.sh

KERNEL=${1:-6.1}
WORK=$BUILD/bench
FIGURES=$WORK/figures-tracers-$KERNEL
BENCH=tests/bench

build() {
	local flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE)
	gcc -O2 -Wall -static -o "$WORK/event_cost" $BENCH/event_cost.c
	gcc -O2 -Wall -static -o "$WORK/write_cost" $BENCH/write_cost.c
	gcc "${flags[@]}" -static -o "$WORK/perf_cost" $BENCH/tracers/perf_cost.c
	gcc "${flags[@]}" -static -o "$WORK/syslog_cost" $BENCH/tracers/syslog_cost.c
	gcc "${flags[@]}" -static -o "$WORK/bpf_cost" $BENCH/tracers/bpf_cost.c -lbpf -lelf -lz
	gcc "${flags[@]}" -Iinclude/uapi -Iinclude -o "$WORK/update_cost" \
		$BENCH/tracers/update_cost.c -L"$BUILD/userspace/lib" -lobsring
	clang-14 -target bpf -O2 -g -Wall -Wextra -Wno-unused-parameter \
		-I"/usr/include/$(uname -m)-linux-gnu" \
		-c $BENCH/tracers/bpf_cost.bpf.c -o "$WORK/bpf_cost.bpf.o"
}

measure() {
	local file files=()
	for file in "$WORK"/{event,write,perf,bpf,update,syslog}_cost "$WORK/bpf_cost.bpf.o" \
		"$LTTNG"/{programs,modules}.tar $BENCH/bench_tracers_guest.sh; do
		files+=(--file "$file")
	done
	scripts/vm --kernel "$KERNEL" --icount --no-tests --mem 1536 --timeout 3600 "${files[@]}" \
		-- sh /files/bench_tracers_guest.sh >"$FIGURES"
}

# --- Tables: KIND KEY BASE TEXT, a line a figure, which is above that of BASE; a line
# without KIND begins a table, an empty one a group.

FIGURES_TOLD=(
	"each call counted"
	"event floor off an empty hook of sys_enter"
	"event obsring_tracepoint off obsring, \`probe add tracepoint raw_syscalls:sys_enter\`"
	"event raw_array off BPF, raw tracepoint, per-CPU array"
	"event tp_array off BPF, tracepoint, per-CPU array"
	"event perf_count off perf, \`stat -e raw_syscalls:sys_enter\`"
	""
	"event floor_both off empty hooks of sys_enter and sys_exit"
	"event obsring_syscall off obsring, syscall source: calls by name"
	"event raw_array_by_id off BPF, raw tracepoint, per-CPU array by number"
	"event raw_percpu_hash_by_id off BPF, raw tracepoint, per-CPU hash map"
	"event raw_hash_by_id off BPF, raw tracepoint, hash map"
	"event tp_hash_by_id off BPF, tracepoint, hash map"
	"event ftrace_hist off ftrace, \`hist:keys=id\`"
	""
	"event floor_both off empty hooks of sys_enter and sys_exit"
	"event obsring_latency off obsring, syscall source: calls by name, latency of each"
	"event raw_latency off BPF, raw tracepoints, hash map and per-CPU array: latency of each"
	""
	"event floor_kprobe off an empty kprobe"
	"event obsring_kprobe off obsring, \`probe add kprobe\`"
	"event kprobe_array off BPF, kprobe, per-CPU array"
	"event fentry_array off BPF, fentry, per-CPU array"
	""
	"update obs_counter_add update_off a process: \`obs_counter_add()\` of a service"
	"function uprobe_array function_off a process: BPF, uprobe, per-CPU array"

	"each write(2) recorded"
	"write floor off an empty hook"
	"write hook_obs_log_64 off a hook with \`obs_log\`: text of 64 bytes, formatted"
	"write ftrace_event off ftrace, \`raw_syscalls:sys_enter\`: 64 bytes"
	"write perf_record off perf, \`record -e raw_syscalls:sys_enter\`: 64 bytes"
	"write raw_ring off BPF, raw tracepoint, ring buffer: 64 bytes"
	"write raw_perf off BPF, raw tracepoint, perf buffer: 64 bytes"
	""
	"write floor_both off empty hooks of entry and exit"
	"write lttng_syscall off LTTng, \`--syscall write\`: entry and exit"
	"write ftrace_both off ftrace, \`raw_syscalls\`: entry and exit"
	"write perf_record_both off perf, \`record\`: entry and exit"
	"write raw_ring_both off BPF, ring buffer: entry and exit, 64 bytes each"
	""
	"event floor_kprobe off an empty kprobe, of each getppid()"
	"event ftrace_kprobe off ftrace, kprobe event"
	"event lttng_kprobe off LTTng, \`--probe\`"
	"event kprobe_ring off BPF, kprobe, ring buffer, 64 bytes"

	"record of a program"
	"write device_64 off a line of 64 bytes to /dev/obsring"
	"write trace_marker_64 off 64 bytes to ftrace's trace_marker"
	"write trace_marker_raw_64 off 64 bytes to ftrace's trace_marker_raw"
	"write lttng_logger_64 off 64 bytes to LTTng's /proc/lttng-logger"
	"write syslog_64 nothing \`syslog(3)\` of 64 bytes, without the daemon's part"
	""
	"write device_256 off_256 a line of 256 bytes to /dev/obsring"
	"write trace_marker_256 off_256 256 bytes to ftrace's trace_marker"
	"write trace_marker_raw_256 off_256 256 bytes to ftrace's trace_marker_raw"
	"write lttng_logger_256 off_256 256 bytes to LTTng's /proc/lttng-logger"
)

# over KIND KEY BASE: and its quartiles.
over() {
	case $3 in
	nothing) figure "$1" "$2" ;;
	update_off | function_off) above "$1" "$2" event "$3" ;;
	*) above "$1" "$2" "$1" "$3" ;;
	esac
}

tables() {
	local line kind key base text figures quartiles between=
	for line in "${FIGURES_TOLD[@]}"; do
		read -r kind key base text <<<"$line"
		case $kind in
		"") echo "| | |" ;;
		event | write | update | function)
			figures=$(over "$kind" "$key" "$base")
			read -ra quartiles <<<"$figures"
			printf '| %s | %.0f |\n' "$text" "${quartiles[0]}"
			row_quartiles kernel_tracer "$kind.$key" "linux=$KERNEL" instructions \
				"${quartiles[@]}" "$rounds"
			;;
		*)
			printf '%s| %s | instructions |\n| --- | --- |\n' "$between" "$line"
			between=$'\n'
			;;
		esac
	done
}

notes() {
	cat <<-END
		With nothing on, getppid(): $(median event off) instructions, after all $(median event off_after); a write of 64 bytes to /dev/null: $(median write off), after all $(median write off_after).

	END
	tools "Linux $(figure note kernel), obsring $(figure note obsring), libbpf $(version libbpf-dev)," \
		"$(clang-14 --version | head -n 1), LTTng $(<"$LTTNG/version")," \
		"$(emulator --version | head -n 1), $(gcc-12 --version | head -n 1)"
}

main() {
	local rounds
	[ $# -le 1 ] || die "usage: bench_tracers.sh [KERNEL]"
	need_packages "${BUILD_PACKAGES[@]}" binutils kmod clang-14 libbpf-dev libelf-dev zlib1g-dev
	mkdir -p "$WORK"
	make -s -C userspace BUILD="$BUILD/userspace" lib >&2
	kernel_get "$KERNEL"
	lttng_get
	build
	measure
	rounds=$(figure note rounds)
	tables
	echo
	notes
}

main "$@"
