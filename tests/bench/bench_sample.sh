#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_sample.sh [ROUNDS]: what a sampling decision costs, beside a shared counter
# and a mutex. Prints a Markdown table. Fails if something could not be measured,
# never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench
CC=${CC:-gcc}

need_packages gcc libc6-dev
mkdir -p "$WORK"
"$CC" -O2 -std=gnu11 -Wall -Wextra -Werror -fno-strict-aliasing -pthread -D_GNU_SOURCE \
	-Iinclude/uapi -Iinclude -o "$WORK/bench_sample" tests/bench/bench_sample.c
"$WORK/bench_sample" "$@"
tools "$("$CC" --version | head -n 1), $(uname -m)"
