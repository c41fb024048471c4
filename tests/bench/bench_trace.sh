#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_trace.sh [ROUNDS]: what a header with trace context costs. Prints a Markdown
# table. Fails if something was allocated, never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench
CC=${CC:-gcc}

need_packages "${BUILD_PACKAGES[@]}"
mkdir -p "$WORK"
make -s -C userspace lib CC="$CC" BUILD="$WORK/userspace" >&2
# shellcheck disable=SC2046
"$CC" -O2 -std=gnu11 -Wall -Wextra -Werror -fno-strict-aliasing -pthread -D_GNU_SOURCE \
	-Iinclude/uapi -Iinclude -Iuserspace -o "$WORK/bench_trace" tests/bench/bench_trace.c \
	"$WORK/userspace/lib/libobsring.a" $(pkg-config --libs libnl-genl-3.0)
"$WORK/bench_trace" "$@"
tools "$("$CC" --version | head -n 1), $(uname -m)"
