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

# over KEY: of an event, above the call with nothing on, and its quartiles.
over() { above event "$1" event off; }

# percent COST PEER
percent() { awk -v cost="$1" -v peer="$2" 'BEGIN { printf "%.0f %%", 100 * cost / peer }'; }

# tell WHAT KEY FIGURES: those of over.
tell() {
	local -a quartiles
	read -ra quartiles <<<"$3"
	row_quartiles "$1" "$2" "linux=$KERNEL" instructions "${quartiles[@]}" "$rounds"
}

# --- Tables

operations() {
	local name costs target
	echo "| update | instructions | to reach |"
	echo "| --- | --- | --- |"
	while read -r name; do
		target=
		if [ "$name" = obs_counter_inc ]; then target="2: load of the handle, increment"; fi
		mapfile -t costs < <(sed -n "s/^op $name //p" "$FIGURES")
		echo "| \`$name\` | $(middle "${costs[@]}") | $target |"
		row kernel_update "$name" "linux=$KERNEL" instructions "${costs[@]}"
	done < <(awk '$1 == "op" && !seen[$2]++ { print $2 }' "$FIGURES")
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
	local line key figures cost target peer=${!#} peers floor
	peer=${peer%% *}
	peers=$(over "$peer")
	floor=$(over "${1%% *}")
	for line; do
		key=${line%% *}
		figures=$(over "$key")
		cost=${figures%% *}
		tell kernel_event "$key" "$figures"
		case $key in
		*.obsring*)
			target=
			if [ "${key%.*}" = "${peer%.*}" ]; then target="50 %"; fi
			echo "| ${line#* } | $cost | $(percent "$cost" "${peers%% *}") | $target | $((cost - ${floor%% *})) |"
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

sleep_over() { above sleep "$1" sleep "${1%.*}.off"; }

sleeps() {
	local line key figures cost peer of
	echo "| a task goes to sleep | instructions | of bpftrace's |"
	echo "| --- | --- | --- |"
	for line in "${SLEEPS[@]}"; do
		key=${line%% *}
		figures=$(sleep_over "$key")
		cost=${figures%% *}
		peer=$(sleep_over "${key%.*}.bpftrace")
		of=
		case $key in
		*.obsring)
			of=$(percent "$cost" "${peer%% *}")
			tell kernel_sleep "$key" "$figures"
			tell kernel_sleep "${key%.*}.bpftrace" "$peer"
			;;
		*.floor) tell kernel_sleep "$key" "$figures" ;;
		esac
		echo "| ${line#* } | $cost | $of |"
	done
}

notes() {
	cat <<-END
		A sleep with nothing on: $(median sleep old.off) instructions, of a new task
		$(median sleep young.off); after the source was switched off $(median sleep old.off_after_obsring).
		A call of getppid() with nothing on: $(median event off) instructions; after obsring
		was switched off $(median event off_after_obsring), after bpftrace ended $(median event off_after_bpftrace).

	END
	tools "Linux $(figure note kernel), obsring $(figure note obsring), bpftrace $(<"$BPFTRACE/.version")," \
		"$(emulator --version | head -n 1), $(gcc-12 --version | head -n 1)"
}

main() {
	local rounds
	[ $# -le 1 ] || die "usage: bench_kernel.sh [KERNEL]"
	need_packages "${BUILD_PACKAGES[@]}" binutils
	mkdir -p "$WORK"
	bpftrace_get
	gcc -O2 -Wall -static -o "$WORK/event_cost" tests/bench/event_cost.c
	gcc -O2 -Wall -static -o "$WORK/sleep_cost" tests/bench/sleep_cost.c
	measure
	rounds=$(figure note rounds)
	operations
	echo
	events
	echo
	sleeps
	echo
	notes
}

main "$@"
