#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench.sh [PART...]: runs the benchmarks, keeps what each found in
# tests/bench/results/PART.tsv, and writes tests/bench/RESULTS.md and its plots of all that
# are there. See usage.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

RESULTS=tests/bench/results
PARTS=(
	# Part, command. Those that time come first, while the machine is at rest.
	"counter tests/bench/bench_counter.sh 51"
	"sample tests/bench/bench_sample.sh 51"
	"ring tests/bench/bench_ring.sh 41"
	"trace tests/bench/bench_trace.sh"
	"scale tests/bench/bench_scale.sh 9"
	"push tests/bench/bench_push.sh"
	"scrape tests/bench/bench_scrape.sh"
	"series scrape_series"
	"render tests/bench/bench_render.sh"
	"read tests/bench/bench_read.sh"
	"kernel tests/bench/bench_kernel.sh"
	"log tests/bench/bench_log.sh"
	"tracers tests/bench/bench_tracers.sh"
)

usage() {
	cat <<-END
	Usage: tests/bench/bench.sh [PART...]      make bench [ROWS="PART..."]

	Parts, in their order; all of them by default:
	$(printf '  %s\n' "${PARTS[@]%% *}")

	A part that fails keeps what it found before, and fails the run.
	SHORT=1: scrape and series make a twentieth of the requests.
	END
}

# A scrape against series: what bench_scrape.sh has in one size of its own.
scrape_series() {
	TABLES=cost PLACES=one SERIES="100 1000 10000 100000 1000000" tests/bench/bench_scrape.sh
}

command_of() {
	local part
	for part in "${PARTS[@]}"; do
		if [ "${part%% *}" = "$1" ]; then printf '%s' "${part#* }"; fi
	done
}

load() { cut -d' ' -f1-3 /proc/loadavg; }

governor() {
	local file=/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
	if [ -r "$file" ]; then cat "$file"; else echo "not visible"; fi
}

hypervisor() { lscpu | sed -n 's/^Hypervisor vendor: *//p'; }

# What stands above the figures of a part; no name of a machine, nor a path.
heading() {
	cat <<-END
	# SPDX-License-Identifier: MIT
	# run: $RUN
	# date: $1
	# seconds: $2
	# load before: $3
	# load after: $(load)
	# CPU: $(lscpu | sed -n 's/^Model name: *//p' | head -n 1), $(nproc) online, $(hypervisor | sed 's/.*/a virtual machine of &/')
	# kernel: $(uname -srm | sed "s/-[^ ]*//")
	# governor: $(governor)
	# commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown)$([ -z "$(git status --porcelain -uno 2>/dev/null)" ] || echo ", changed")
	# short: ${SHORT:+a twentieth of the requests}
	# tools: $(tail -n 4 "$WORK/printed" | grep -E '[0-9]\.[0-9]+\.[0-9]' | grep -v -e '^|' -e 'switched off' -e '^A ' -e '^With' | paste -sd' ' | sed 's/ \{2,\}/ /g')
	END
}

# run PART: adds it to failed if it did.
run() {
	local command begun date before
	command=$(command_of "$1")
	date=$(date -u +%Y-%m-%dT%H:%MZ)
	begun=$SECONDS
	before=$(load)
	say "$1"
	rm -f "$WORK/rows"
	if ! BENCH_ROWS=$WORK/rows $command >"$WORK/printed"; then
		say "$1 failed"
		failed+=("$1")
		return
	fi
	cat "$WORK/printed"
	echo
	[ -s "$WORK/rows" ] || die "$1 told nothing"
	{
		heading "$date" $((SECONDS - begun)) "$before"
		cat "$WORK/rows"
	} >"$WORK/part"
	mkdir -p $RESULTS
	mv "$WORK/part" "$RESULTS/$1.tsv"
}

main() {
	local part failed=()
	if [ "${1:-}" = --help ]; then
		usage
		return
	fi
	for part; do
		if [ -z "$(command_of "$part")" ]; then
			say "there is no part '$part'"
			usage >&2
			exit 2
		fi
	done
	if [ $# = 0 ]; then set -- "${PARTS[@]%% *}"; fi
	mkdir -p "$BUILD"
	WORK=$(mktemp -d "$BUILD/bench-run.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	RUN=$(date -u +%Y%m%dT%H%M%SZ)
	need_packages "${BUILD_PACKAGES[@]}" "${VM_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
	for part; do run "$part"; done
	python3 -B tests/bench/report.py
	[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
}

main "$@"
