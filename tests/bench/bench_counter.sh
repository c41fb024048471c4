#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_counter.sh [ROUNDS]: what an update of a service's series costs a process, beside
# other ways to count. Prints a Markdown table. Fails if something could not be measured,
# never for a figure.
#
# The Go client takes part if go and golang-github-prometheus-client-golang-dev are
# installed; prometheus-client-c, which is in no package, if PROM in the environment is a
# folder with its sources (its "prom", with include and src), which are compiled as they
# are.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench
CC=${CC:-gcc}
GOCODE=/usr/share/gocode
CLIENT=github.com/prometheus/client_golang

need_packages gcc libc6-dev libnl-genl-3-dev pkg-config
mkdir -p "$WORK"
make -s -C userspace BUILD="$BUILD/userspace" lib
prom=()
if [ -n "${PROM-}" ]; then
	"$CC" -O2 -std=gnu11 -w -fPIC -shared -pthread -D_GNU_SOURCE -I"$PROM/include" \
		-o "$WORK/libprom.so" "$PROM"/src/*.c
	prom=(-DWITH_PROM -I"$PROM/include" -L"$WORK" -lprom -Wl,-rpath,"$WORK")
fi
"$CC" -O2 -std=gnu11 -Wall -Wextra -Werror -fno-strict-aliasing -pthread -D_GNU_SOURCE \
	-Iinclude/uapi -Iinclude -o "$WORK/bench_counter" tests/bench/bench_counter.c \
	-L"$BUILD/userspace/lib" -lobsring -Wl,-rpath,"$BUILD/userspace/lib" "${prom[@]}"

peer=() client=
if command -v go >/dev/null && [ -d "$GOCODE/src/$CLIENT" ]; then
	(cd tests/bench/counter && GO111MODULE=off GOPATH=$GOCODE GOFLAGS='' \
		GOCACHE="$WORK/go" go build -o "$WORK/counter_go" .)
	peer=("$WORK/counter_go")
	client=", $(go version | cut -d' ' -f3), client_golang $(version golang-github-prometheus-client-golang-dev)"
fi
"$WORK/bench_counter" "${1:-101}" "${peer[@]}"
tools "$("$CC" --version | head -n 1), $(uname -m), glibc $(version libc6)$client"
