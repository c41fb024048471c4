#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_kernel.sh [KERNEL]: what an update and an event cost in the kernel, in
# instructions, beside bpftrace in the same guest. Prints Markdown tables. Fails
# if something could not be measured, never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/guest.sh
. tests/bench/rows.sh

KERNEL=${1:-6.1}
WORK=$BUILD/bench
FIGURES=$WORK/figures-$KERNEL

measure() {
	local file files=()
	for file in "$BPFTRACE"/* "$WORK/event_cost" "$WORK/sleep_cost" tests/bench/bench_kernel_guest.sh; do
		files+=(--file "$file")
	done
	scripts/vm --kernel "$KERNEL" --icount --no-tests --mem 1536 --timeout 3600 "${files[@]}" \
		-- sh /files/bench_kernel_guest.sh >"$FIGURES"
}

# --- Figures

# over KEY: of an event, above the call with nothing on.
over() {
	local on off
	on=$(figure event "$1")
	off=$(figure event off)
	awk -v on="$on" -v off="$off" 'BEGIN { printf "%.0f", on - off }'
}

# percent COST PEER: of what that event costs.
percent() {
	local peer
	peer=$(over "$2")
	awk -v cost="$1" -v peer="$peer" 'BEGIN { printf "%.0f %%", 100 * cost / peer }'
}

# --- Tables

operations() {
	local name cost target
	echo "| update | instructions | to reach |"
	echo "| --- | --- | --- |"
	while read -r _ name cost; do
		target=
		if [ "$name" = obs_counter_inc ]; then target="2: load of the handle, increment"; fi
		echo "| \`$name\` | $cost | $target |"
		row kernel_update "$name" "linux=$KERNEL" instructions "$cost"
	done < <(grep '^op ' "$FIGURES")
}

# KEY TEXT, in groups: a group's first line is the kernel's part, its last one
# what obsring is compared with. The target is for equal hooks: what bpftrace
# patches into a function (kfunc) is no kprobe.
EVENTS=(
	"latency.floor empty hooks of sys_enter and sys_exit"
	"syscall.obsring obsring, syscall source: calls by name"
	"syscall.bpftrace bpftrace: \`@[args->id] = count()\`"
	""
	"syscall.floor an empty hook of sys_enter"
	"tracepoint.obsring obsring, \`probe add tracepoint raw_syscalls:sys_enter\`"
	"tracepoint.bpftrace bpftrace, tracepoint: \`@ = count()\`"
	""
	"latency.floor empty hooks of sys_enter and sys_exit"
	"latency.obsring_sampled obsring, syscall source: calls by name, latency of 1 in 1000"
	"latency.obsring obsring, syscall source: calls by name, latency of each"
	"latency.bpftrace bpftrace: \`hist()\` of the latency"
	""
	"kprobe.floor an empty kprobe"
	"kprobe.obsring obsring, \`probe add kprobe\`"
	"kprobe.bpftrace bpftrace, kprobe: \`@ = count()\`"
	""
	"kprobe.floor an empty kprobe"
	"kprobe.obsring obsring, \`probe add kprobe\`"
	"kfunc.bpftrace bpftrace, kfunc: \`@ = count()\`"
	""
	"kretprobe.floor an empty kretprobe"
	"kretprobe.obsring obsring, \`probe add kretprobe\`: latency"
	"kretprobe.bpftrace bpftrace, kprobe and kretprobe: \`hist()\` of the latency"
	""
	"kretprobe.floor an empty kretprobe"
	"kretprobe.obsring obsring, \`probe add kretprobe\`: latency"
	"kretfunc.bpftrace bpftrace, kfunc and kretfunc: \`hist()\` of the latency"
)

events() {
	local line between= group=()
	echo "| event | instructions | of bpftrace's | to reach | beyond the empty hook |"
	echo "| --- | --- | --- | --- | --- |"
	for line in "${EVENTS[@]}" ""; do
		if [ -n "$line" ]; then
			group+=("$line")
			continue
		fi
		printf '%s' "$between"
		event_group "${group[@]}"
		between="| | | | | |"$'\n'
		group=()
	done
}

event_group() {
	local line key cost of target peer=${!#} floor
	peer=${peer%% *}
	floor=$(over "${1%% *}")
	for line; do
		key=${line%% *}
		cost=$(over "$key")
		row kernel_event "$key" "linux=$KERNEL" instructions "$cost"
		case $key in
		*.obsring*)
			of=$(percent "$cost" "$peer")
			target=
			if [ "${key%.*}" = "${peer%.*}" ]; then target="50 %"; fi
			echo "| ${line#* } | $cost | $of | $target | $((cost - floor)) |"
			;;
		*) echo "| ${line#* } | $cost | | | |" ;;
		esac
	done
}

# KEY TEXT: above the same sleep with nothing on.
SLEEPS=(
	"old.floor an empty hook of sched_switch"
	"old.obsring obsring, source process: a sleep that is not saved"
	"young.obsring obsring, source process: one whose stack is saved"
	"old.bpftrace bpftrace, tracepoint: \`@[kstack] = count()\` of each"
)

# sleep_over KEY
sleep_over() {
	local on off
	on=$(figure sleep "$1")
	off=$(figure sleep "${1%.*}.off")
	awk -v on="$on" -v off="$off" 'BEGIN { printf "%.0f", on - off }'
}

sleeps() {
	local line key cost peer of
	echo "| a task goes to sleep | instructions | of bpftrace's |"
	echo "| --- | --- | --- |"
	for line in "${SLEEPS[@]}"; do
		key=${line%% *}
		cost=$(sleep_over "$key")
		peer=$(sleep_over "${key%.*}.bpftrace")
		of=
		case $key in *.bpftrace) ;; *) row kernel_sleep "$key" "linux=$KERNEL" instructions "$cost" ;; esac
		case $key in
		*.obsring)
			of=$(awk -v cost="$cost" -v peer="$peer" 'BEGIN { printf "%.0f %%", 100 * cost / peer }')
			row kernel_sleep "${key%.*}.bpftrace" "linux=$KERNEL" instructions "$peer"
			;;
		esac
		echo "| ${line#* } | $cost | $of |"
	done
}

notes() {
	local kernel module bpftrace off after_obsring after_bpftrace
	kernel=$(figure note kernel)
	module=$(figure note obsring)
	bpftrace=$(<"$BPFTRACE/.version")
	off=$(figure event off)
	after_obsring=$(figure event off_after_obsring)
	after_bpftrace=$(figure event off_after_bpftrace)
	cat <<-END
		A sleep with nothing on: $(figure sleep old.off) instructions, of a new task
		$(figure sleep young.off); after the source was switched off $(figure sleep old.off_after_obsring).

		Linux $kernel, obsring $module, bpftrace $bpftrace,
		$(emulator --version | head -n 1), $(gcc-12 --version | head -n 1).
		A call of getppid() with nothing on: $off instructions; after obsring
		was switched off $after_obsring, after bpftrace ended $after_bpftrace.
	END
}

main() {
	[ $# -le 1 ] || die "usage: bench_kernel.sh [KERNEL]"
	need_packages "${BUILD_PACKAGES[@]}" binutils
	mkdir -p "$WORK"
	bpftrace_get
	gcc -O2 -Wall -static -o "$WORK/event_cost" tests/bench/event_cost.c
	gcc -O2 -Wall -static -o "$WORK/sleep_cost" tests/bench/sleep_cost.c
	measure
	operations
	echo
	events
	echo
	sleeps
	echo
	notes
}

main "$@"
