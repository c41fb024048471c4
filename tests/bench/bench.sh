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

# rounds N: N, or a tenth.
rounds() { if [ -n "${SHORT:-}" ]; then echo $(($1 / 10 + 1)); else echo "$1"; fi; }

PARTS=(
	# Part, command. Those that time come first, while the machine is at rest.
	"counter tests/bench/bench_counter.sh $(rounds 51)"
	"sample tests/bench/bench_sample.sh $(rounds 51)"
	"ring tests/bench/bench_ring.sh $(rounds 41)"
	"trace tests/bench/bench_trace.sh"
	"scale tests/bench/bench_scale.sh $(rounds 9)"
	"push tests/bench/bench_push.sh $(rounds 15)"
	"scrape tests/bench/bench_scrape.sh"
	"series scrape_series"
	"render tests/bench/bench_render.sh $(rounds 31)"
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

	A part that fails keeps what it found before, and fails the run; RESULTS.md says so.
	SHORT=1: a tenth of the rounds and a twentieth of the requests: whether all runs.
	END
}

# A scrape against series: the sizes that bench_scrape.sh has not itself.
scrape_series() {
	TABLES=cost PLACES=one SERIES="100 10000 1000000" tests/bench/bench_scrape.sh
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
	# memory: $(awk '/^MemTotal/ { printf "%.1f GB", $2 / 1e6 }' /proc/meminfo)
	# kernel: $(uname -srm | sed "s/-[^ ]*//")
	# system: $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
	# governor: $(governor)
	# commit: $COMMIT
	# short: ${SHORT:+a tenth of the rounds, a twentieth of the requests}
	END
}

# The tree that is measured; what was measured before is no change of it.
commit() {
	local changes
	git rev-parse --short HEAD 2>/dev/null || { echo unknown; return; }
	changes=$(git status --porcelain -uno -- . ":!$RESULTS" ":!tests/bench/RESULTS.md")
	if [ -n "$changes" ]; then echo ", changed"; fi
}

# mark_failed PART: what stands there is of a run before.
mark_failed() {
	local file=$RESULTS/$1.tsv
	mkdir -p "$RESULTS"
	if [ ! -e "$file" ]; then echo "# SPDX-License-Identifier: MIT" >"$file"; fi
	sed -i "/^# failed: /d; 1a # failed: $RUN" "$file"
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
		mark_failed "$1"
		return
	fi
	cat "$WORK/printed"
	echo
	grep -qv '^#' "$WORK/rows" || die "$1 told nothing"
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
	COMMIT=$(commit | paste -sd'\0')
	need_packages "${BUILD_PACKAGES[@]}" "${VM_PACKAGES[@]}" "${BENCH_PACKAGES[@]}"
	for part; do run "$part"; done
	python3 -B tests/bench/report.py || failed+=("the report, which lacks figures")
	[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
}

main "$@"
