#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_scale.sh [ROUNDS]: what an update costs a process against its number of labels and
# of series, beside the Go client and atomic words. Prints Markdown tables. Fails if
# something could not be measured, never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench/scale
CC=${CC:-gcc}
GOCODE=/usr/share/gocode

need_packages "${BUILD_PACKAGES[@]}" python3 golang-go golang-github-prometheus-client-golang-dev
mkdir -p "$WORK"
make -s -C userspace BUILD="$BUILD/userspace" lib >&2
"$CC" -O2 -std=gnu11 -Wall -Wextra -Werror -fno-strict-aliasing -D_GNU_SOURCE \
	-Iinclude/uapi -Iinclude -o "$WORK/scale_cost" tests/bench/scale/scale_cost.c \
	-L"$BUILD/userspace/lib" -lobsring -Wl,-rpath,"$BUILD/userspace/lib"
(cd tests/bench/scale/client && GO111MODULE=off GOPATH=$GOCODE GOFLAGS='' \
	GOCACHE="$BUILD/bench/go" go build -o "$WORK/scale_go" .)
# A file for each segment.
ulimit -n 4096
python3 tests/bench/scale/scale.py "${1:-15}" "$WORK/scale_cost" "$WORK/scale_go"
tools "$("$CC" --version | head -n 1), $(go version | cut -d' ' -f3)," \
	"client_golang $(version golang-github-prometheus-client-golang-dev)"
