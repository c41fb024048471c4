#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_ring.sh [ROUNDS]: what a log record costs its writer, beside a ring under a
# mutex and, where liblttng-ust-dev and lttng-tools are installed, LTTng-UST.
# Prints a Markdown table. Fails if something could not be measured, never for a
# figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench
CC=${CC:-gcc}
SESSION=obsring-bench-$$
DAEMON=
lttng=no

# A flight recorder, as the rings are: nothing is written while it is measured.
lttng_start() {
	local i
	export LTTNG_HOME=$WORK/lttng LTTNG_UST_REGISTER_TIMEOUT=10000
	rm -rf "$LTTNG_HOME"
	mkdir -p "$LTTNG_HOME"
	trap lttng_stop EXIT
	if ! lttng --no-sessiond list >/dev/null 2>&1; then
		lttng-sessiond --no-kernel >"$WORK/lttng.log" 2>&1 &
		DAEMON=$!
		for ((i = 0; i < 100; i++)); do
			if lttng --no-sessiond list >/dev/null 2>&1; then break; fi
			sleep 0.1
		done
	fi
	{
		lttng --no-sessiond create "$SESSION" --snapshot --output="$LTTNG_HOME/trace"
		lttng --no-sessiond enable-channel --userspace --session="$SESSION" \
			--overwrite --subbuf-size=256k --num-subbuf=4 bench
		lttng --no-sessiond enable-event --userspace --session="$SESSION" \
			--channel=bench 'obsring_bench:*'
		lttng --no-sessiond start "$SESSION"
	} >>"$WORK/lttng.log" 2>&1 || die "LTTng did not start: $WORK/lttng.log"
}

# What it recorded must be there.
lttng_check() {
	local bytes
	lttng --no-sessiond snapshot record --session="$SESSION" >>"$WORK/lttng.log" 2>&1 ||
		die "LTTng has no snapshot: $WORK/lttng.log"
	bytes=$(du -sb "$LTTNG_HOME/trace" | cut -f1)
	[ "$bytes" -gt 500000 ] || die "LTTng recorded $bytes bytes only"
}

lttng_stop() {
	lttng --no-sessiond destroy "$SESSION" >>"$WORK/lttng.log" 2>&1 || true
	if [ -n "$DAEMON" ]; then
		kill "$DAEMON"
		wait "$DAEMON" || true
	fi
}

need_packages gcc libc6-dev
mkdir -p "$WORK"
flags=(-O2 -std=gnu11 -Wall -Wextra -Werror -fno-strict-aliasing -pthread -D_GNU_SOURCE
	-Iinclude/uapi -Iinclude -Itests/bench)
libs=()
if [ -z "$(packages_missing liblttng-ust-dev lttng-tools)" ]; then
	lttng=yes
	flags+=(-DWITH_LTTNG)
	libs=(-llttng-ust -ldl)
fi
"$CC" "${flags[@]}" -o "$WORK/bench_ring" tests/bench/bench_ring.c "${libs[@]}"
if [ $lttng = yes ]; then lttng_start; fi
"$WORK/bench_ring" "$@" >"$WORK/ring.md"
if [ $lttng = yes ]; then
	lttng_check
	grep -q LTTng-UST "$WORK/ring.md" || die "LTTng's events were not on"
fi
cat "$WORK/ring.md"
peer="without LTTng-UST: liblttng-ust-dev and lttng-tools are not installed"
if [ $lttng = yes ]; then peer="LTTng-UST $(version liblttng-ust-dev)"; fi
tools "$("$CC" --version | head -n 1), $(uname -m), $peer"
