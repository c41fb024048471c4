#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_render.sh [ROUNDS]: what a body of 100000 series costs to bring up to date, to copy
# and to compress, in ns a series, beside the Go client, which gathers and encodes the same
# series of the same segment. Prints a Markdown table. Fails if something could not be
# measured, never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench/render
CC=${CC:-gcc}
ROUNDS=${1:-31}
GO_ROUNDS=9
SERIES=100000

# told WORDS: as user space's Makefile has them.
told() { make -s -C userspace BUILD="$BUILD/userspace" --eval="bench-told:; @echo $1" bench-told; }

build() {
	local flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -fno-strict-aliasing -D_GNU_SOURCE
		-Iinclude/uapi -Iinclude -Iuserspace -Itests/unit)
	local objects libraries
	mkdir -p "$WORK"
	make -s -j"$(nproc)" -C userspace BUILD="$BUILD/userspace" >&2
	"$CC" "${flags[@]}" -o "$WORK/make_segment" tests/bench/make_segment.c tests/unit/segment.c
	read -ra objects <<<"$(told '$(filter-out %/main.o,$(OBSRINGD_OBJS))')"
	read -ra libraries <<<"$(told '$(OBSRINGD_LIBS)') $(pkg-config --libs libnl-genl-3.0) -lisal"
	"$CC" "${flags[@]}" -pthread -o "$WORK/bench_render" tests/bench/bench_render.c \
		"${objects[@]/#/$BUILD/userspace/}" "$BUILD/userspace/lib/libobsring.a" "${libraries[@]}"
	GOFLAGS=-mod=mod GOPATH=/usr/share/gocode GO111MODULE=off GOCACHE="$BUILD/bench/go" \
		go build -o "$WORK/scrape_peer" tests/bench/scrape_peer.go
}

need_packages "${BUILD_PACKAGES[@]}" golang-go golang-github-prometheus-client-golang-dev
build
"$WORK/make_segment" $SERIES 0 1000000 "$WORK/list" >"$WORK/segment"
"$WORK/bench_render" "$WORK/segment" "$WORK/list" "$ROUNDS"
mapfile -t figures < <("$WORK/scrape_peer" "$WORK/segment" "$WORK/list" $GO_ROUNDS)
[ ${#figures[@]} = $GO_ROUNDS ] || die "the Go client did not encode"
row render "Go client, gathered and encoded" "series=$SERIES" ns "${figures[@]}"
printf '| Go client, gathered and encoded | %.1f | %.1f |\n' "$(middle "${figures[@]}")" \
	"$(printf '%s\n' "${figures[@]}" | sort -g | head -n 1)"
rm -f "$WORK/segment" "$WORK/list"
printf '\n%s rounds, the Go client %s.\n' "$ROUNDS" $GO_ROUNDS
tools "$("$CC" --version | head -n 1), $(go version | cut -d' ' -f3)," \
	"client_golang $(version golang-github-prometheus-client-golang-dev)," \
	"zlib $(version zlib1g-dev), ISA-L $(version libisal-dev)"
