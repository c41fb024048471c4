#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_log.sh [KERNEL]: what a record in the log costs who writes it, in
# instructions, beside trace_printk, trace_marker and bpftrace in the same guest.
# Prints Markdown tables. Fails if something could not be measured, never for a
# figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/guest.sh
. tests/bench/rows.sh

KERNEL=${1:-6.1}
WORK=$BUILD/bench
FIGURES=$WORK/figures-log-$KERNEL

measure() {
	local file files=()
	for file in "$BPFTRACE"/* "$WORK/write_cost" tests/bench/bench_log_guest.sh; do
		files+=(--file "$file")
	done
	scripts/vm --kernel "$KERNEL" --icount --no-tests --mem 1536 --timeout 3600 "${files[@]}" \
		-- sh /files/bench_log_guest.sh >"$FIGURES"
}

# ratio COST PEER: of what that costs.
ratio() {
	awk -v cost="$1" -v peer="$2" 'BEGIN { printf "%.0f %%", 100 * cost / peer }'
}

# WAY PEER TEXT, "-" for no peer.
RECORDS=(
	"snprintf_64 - \`snprintf\` of 64 bytes, \`%s\`"
	"obs_log_64 trace_printk_64 \`obs_log\`, 64 bytes, \`%s\`"
	"trace_printk_64 - \`trace_printk\`, 64 bytes, \`%s\`"
	"obs_log_256 trace_printk_256 \`obs_log\`, 256 bytes, \`%s\`"
	"trace_printk_256 - \`trace_printk\`, 256 bytes, \`%s\`"
	"obs_log_numbers trace_printk_numbers \`obs_log\`, three numbers"
	"trace_printk_numbers - \`trace_printk\`, three numbers"
	"obs_log_fields_64 - \`obs_log_fields\`, 64 bytes and two fields"
)

ops() { sed -n "s/^op $1 //p" "$FIGURES"; }

records() {
	local line way peer text costs of
	echo "| record of kernel code | instructions | of trace_printk's |"
	echo "| --- | --- | --- |"
	for line in "${RECORDS[@]}"; do
		read -r way peer text <<<"$line"
		mapfile -t costs < <(ops "$way")
		of=
		if [ "$peer" != - ]; then of=$(ratio "$(middle "${costs[@]}")" "$(middle $(ops "$peer"))"); fi
		echo "| $text | $(middle "${costs[@]}") | $of |"
		row kernel_log "$way" "linux=$KERNEL" instructions "${costs[@]}"
	done
}

# over KEY BASE: of a write, above one to /dev/null, and its quartiles.
over() { above write "$1" write "$2"; }

# tell KEY FIGURES: those of over.
tell() {
	local -a quartiles
	read -ra quartiles <<<"$2"
	row_quartiles kernel_log_write "$1" "linux=$KERNEL" instructions "${quartiles[@]}" "$rounds"
}

# KEY BASE TEXT: the first is what the others are compared with.
EVENTS=(
	"bpftrace.printf_64 off bpftrace: \`printf(\"%s\", str(buffer, 64))\`"
	"bpftrace.printf_numbers off bpftrace: \`printf\` of three numbers"
	"hook.floor off an empty hook"
	"hook.obs_log_64 off a hook with \`obs_log\`, 64 bytes"
	"hook.obs_log_256 off a hook with \`obs_log\`, 256 bytes"
	"hook.obs_log_fields_64 off a hook with \`obs_log_fields\`, 64 bytes and two fields"
)

# What they take besides the system call itself.
WRITES=(
	"trace_marker.64 off write of 64 bytes to trace_marker"
	"device.64 off write of 64 bytes to /dev/obsring"
	"trace_marker.256 off_256 write of 256 bytes to trace_marker"
	"device.256 off_256 write of 256 bytes to /dev/obsring"
)

events() {
	local line key base text figures peer
	peer=$(over bpftrace.printf_64 off)
	echo "| each write(2) logged | instructions | of bpftrace's |"
	echo "| --- | --- | --- |"
	for line in "${EVENTS[@]}"; do
		read -r key base text <<<"$line"
		figures=$(over "$key" "$base")
		echo "| $text | ${figures%% *} | $(ratio "${figures%% *}" "${peer%% *}") |"
		tell "$key" "$figures"
	done
}

writes() {
	local line key base text figures peer of
	echo "| record of a program | instructions | of trace_marker's |"
	echo "| --- | --- | --- |"
	for line in "${WRITES[@]}"; do
		read -r key base text <<<"$line"
		figures=$(over "$key" "$base")
		peer=$(over "trace_marker.${key#*.}" "$base")
		of=
		case $key in device.*) of=$(ratio "${figures%% *}" "${peer%% *}") ;; esac
		echo "| $text | ${figures%% *} | $of |"
		tell "$key" "$figures"
	done
}

notes() {
	cat <<-END
		A write of 64 bytes to /dev/null with nothing on: $(median write off) instructions, after all $(median write off_after).

	END
	tools "Linux $(figure note kernel), obsring $(figure note obsring), bpftrace $(<"$BPFTRACE/.version")," \
		"$(emulator --version | head -n 1), $(gcc-12 --version | head -n 1)"
}

main() {
	local rounds
	[ $# -le 1 ] || die "usage: bench_log.sh [KERNEL]"
	need_packages "${BUILD_PACKAGES[@]}" binutils
	mkdir -p "$WORK"
	bpftrace_get
	gcc -O2 -Wall -static -o "$WORK/write_cost" tests/bench/write_cost.c
	measure
	rounds=$(figure note rounds)
	records
	echo
	events
	echo
	writes
	echo
	notes
}

main "$@"
