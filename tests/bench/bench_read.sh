#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_read.sh [ROUNDS]: what reading 1000 counters costs: natively from a segment and
# from /proc/stat, in ns; and from the device, in instructions of guests with 1, 2, 4 and 8
# possible CPUs, one of them on line, beside the netlink family, a per-CPU map of BPF and
# /proc/stat. Prints Markdown tables. Fails if something could not be measured, never for a
# figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh
. tests/bench/guest.sh

WORK=$BUILD/bench/read
ROUNDS=${1:-1001}
GUEST_ROUNDS=31
POSSIBLE=(1 2 4 8)
WAYS=(mmap netlink bpf_map proc_stat)

declare -A SAYS=(
	[mmap]="obsring, all values by the mapping"
	[netlink]="obsring, its netlink family"
	[bpf_map]="BPF, per-CPU array, \`bpf_map_lookup_batch()\`"
	[proc_stat]="/proc/stat, unparsed"
)

build() {
	local flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -DWITH_BPF
		-Iinclude/uapi -Iinclude)
	mkdir -p "$WORK"
	make -s -C userspace BUILD="$BUILD/userspace" lib >&2
	gcc "${flags[@]}" -o "$WORK/read_cost" tests/bench/reading/read_cost.c \
		-L"$BUILD/userspace/lib" -lobsring -Wl,-rpath,"$BUILD/userspace/lib" \
		-Wl,-Bstatic -lbpf -lelf -lz -Wl,-Bdynamic
}

# add WHAT AT UNIT ROUNDS <FIGURES: the rows (rows.h) of what read_cost printed.
add() {
	local way median low high
	while read -r way median low high; do
		row_quartiles "$1" "$way" "$2" "$3" "$median" "$low" "$high" "$4"
	done
}

natively() {
	local way median low high
	rm -f "$WORK/segment"
	build/userspace/bin/obsringctl segment create "$WORK/segment"
	"$WORK/read_cost" "$WORK/segment" "$ROUNDS" mmap proc_stat >"$WORK/native"
	rm -f "$WORK/segment"
	add read ways=native ns "$ROUNDS" <"$WORK/native"
	echo "| 1000 counters, natively | ns | a quarter of the rounds below | above |"
	echo "| --- | --- | --- | --- |"
	while read -r way median low high; do
		printf '| %s | %.0f | %.0f | %.0f |\n' "${SAYS[$way]}" "$median" "$low" "$high"
	done <"$WORK/native"
}

guest() {
	local are=0
	if [ "$1" -gt 1 ]; then are=0-$(($1 - 1)); fi
	scripts/vm --icount --no-tests --mem 768 --append "possible_cpus=$1" \
		--file "$WORK/read_cost" -- sh -c "
			[ \$(cat /sys/devices/system/cpu/possible) = $are ] || exit 1
			/files/read_cost /dev/obsring $GUEST_ROUNDS ${WAYS[*]}
			echo note kernel \$(uname -r)
			echo note obsring \$(cat /sys/module/obsring/version)" >"$WORK/guest-$1"
	grep -v '^note ' "$WORK/guest-$1" |
		add read_possible "possible=$1" instructions $GUEST_ROUNDS
}

guests() {
	local possible way
	for possible in "${POSSIBLE[@]}"; do guest "$possible"; done
	echo "| 1000 counters, by possible CPUs |$(printf ' %s |' "${POSSIBLE[@]}")"
	echo "| --- |$(printf ' --- |%.0s' "${POSSIBLE[@]}")"
	for way in "${WAYS[@]}"; do
		printf '| %s |' "${SAYS[$way]}"
		for possible in "${POSSIBLE[@]}"; do
			printf ' %s |' "$(sed -n "s/^$way \([0-9]*\)[. ].*/\1/p" "$WORK/guest-$possible")"
		done
		printf '\n'
	done
}

need_packages "${BUILD_PACKAGES[@]}" libbpf-dev libelf-dev zlib1g-dev
build
make -s -C userspace BUILD="$BUILD/userspace" >&2
natively
echo
guests
FIGURES=$WORK/guest-1
echo
tools "Linux $(figure note kernel), obsring $(figure note obsring), libbpf $(version libbpf-dev)," \
	"$(emulator --version | head -n 1), $(gcc --version | head -n 1), $(gcc-12 --version | head -n 1)"
