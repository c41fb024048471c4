#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_push.sh [ROUNDS]: what it costs a short job to tell what it did: in a service of a
# segment, or pushed to Debian's Pushgateway. Prints a Markdown table. Fails if something
# could not be measured or was not told, never for a figure.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench/push
ROUNDS=${1:-15}
RUNS=20			# of a way in a round
ITEMS=1000		# that a job counts
GOCODE=/usr/share/gocode
WAYS=(none obsring obsringctl push push_go curl)
gateway=
port=

declare -A SAYS=(
	[none]="nothing told: \`true\`"
	[obsring]="obsring: a program, by libobsring"
	[obsringctl]="obsring: \`obsringctl inc\`"
	[push]="Pushgateway: a program, by libcurl"
	[push_go]="Pushgateway: a program, by the Go client"
	[curl]="Pushgateway: \`curl\`"
)

end() { if [ -n "$gateway" ]; then kill "$gateway" 2>/dev/null || true; fi; }

build() {
	local flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude/uapi -Iinclude)
	mkdir -p "$WORK"
	make -s -C userspace BUILD="$BUILD/userspace" >&2
	gcc "${flags[@]}" -o "$WORK/run_cost" tests/bench/push/run_cost.c
	gcc "${flags[@]}" -o "$WORK/job_obsring" tests/bench/push/job_obsring.c \
		-L"$BUILD/userspace/lib" -lobsring -Wl,-rpath,"$BUILD/userspace/lib"
	gcc "${flags[@]}" -o "$WORK/job_push" tests/bench/push/job_push.c -lcurl
	(cd tests/bench/push/client && GO111MODULE=off GOPATH=$GOCODE GOFLAGS='' \
		GOCACHE="$BUILD/bench/go" go build -o "$WORK/job_go" .)
}

# Installed it would start a server.
gateway_get() {
	GATEWAY=$BUILD/bench/pushgateway
	if ! packages_known prometheus-pushgateway; then lists_update; fi
	cached "$GATEWAY" "$(package_version prometheus-pushgateway)" \
		unpack_deb prometheus-pushgateway
}

gateway_start() {
	port=$(/usr/bin/python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])')
	"$GATEWAY/usr/bin/prometheus-pushgateway" --web.listen-address="127.0.0.1:$port" \
		--persistence.file="" --log.level=warn >"$WORK/gateway.log" 2>&1 &
	gateway=$!
	until curl -sf -o "$WORK/answer" "http://127.0.0.1:$port/-/ready"; do
		kill -0 "$gateway" || die "the Pushgateway ended: $(tail -n 3 "$WORK/gateway.log")"
		sleep 0.1
	done
}

run() {
	local url=http://127.0.0.1:$port
	case $1 in
	none) "$WORK/run_cost" $RUNS true ;;
	obsring) "$WORK/run_cost" $RUNS "$WORK/job_obsring" "$WORK/segment" $ITEMS ;;
	obsringctl) "$WORK/run_cost" $RUNS build/userspace/bin/obsringctl inc \
		--device "$WORK/segment" --service bench_script bench_script_items_total $ITEMS ;;
	push) "$WORK/run_cost" $RUNS "$WORK/job_push" "$url/metrics/job/c" $ITEMS ;;
	push_go) "$WORK/run_cost" $RUNS "$WORK/job_go" "$url" $ITEMS ;;
	curl) "$WORK/run_cost" $RUNS curl -sf -o /dev/null -X PUT \
		--data-binary "@$WORK/body" "$url/metrics/job/curl" ;;
	esac
}

gateway_us() { cat /proc/"$gateway"/task/*/schedstat | awk '{ s += $1 } END { printf "%.0f", s / 1000 }'; }

# turn WAY: adds to its figures.
turn() {
	local before after clock used
	before=$(gateway_us)
	read -r clock used < <(run "$1") || die "$1 failed"
	after=$(gateway_us)
	clocks[$1]+=" $clock"
	jobs_us[$1]+=" $used"
	case $1 in
	none | obsring*) ;;
	*) servers_us[$1]+=" $(awk -v us=$((after - before)) -v runs=$RUNS 'BEGIN { print us / runs }')" ;;
	esac
}

counted() {
	build/userspace/bin/obsringctl get --raw --device "$WORK/segment" "$1" | awk '{ s += $NF } END { print s }'
}

# What was told is there: with obsring the sum, at the Pushgateway the last job's.
told() {
	local name
	for name in bench_job_items_total bench_script_items_total; do
		[ "$(counted "$name")" = $((ROUNDS * RUNS * ITEMS)) ] || die "$name is $(counted "$name")"
	done
	curl -sf -o "$WORK/answer" "http://127.0.0.1:$port/metrics"
	[ "$(grep -c "^bench_job_items_total{.*} $ITEMS\$" "$WORK/answer")" = 3 ] ||
		die "the Pushgateway has not what was pushed"
}

# shellcheck disable=SC2086
table() {
	local way server
	echo "| a job that tells what it did | µs, start to end | µs of CPU | of the server's |"
	echo "| --- | --- | --- | --- |"
	for way in "${WAYS[@]}"; do
		server=
		if [ -n "${servers_us[$way]:-}" ]; then server=$(middle ${servers_us[$way]}); fi
		echo "| ${SAYS[$way]} | $(middle ${clocks[$way]}) | $(middle ${jobs_us[$way]}) | $server |"
		row push_clock "$way" "items=$ITEMS" us ${clocks[$way]}
		row push_cpu "$way" "items=$ITEMS" us ${jobs_us[$way]}
		if [ -n "$server" ]; then
			row push_server "$way" "items=$ITEMS" us ${servers_us[$way]}
		fi
	done
}

need_packages "${BUILD_PACKAGES[@]}" curl python3 libcurl4-gnutls-dev golang-go golang-github-prometheus-client-golang-dev
trap end EXIT
build
gateway_get
gateway_start
rm -f "$WORK/segment"
build/userspace/bin/obsringctl segment create "$WORK/segment"
cat >"$WORK/body" <<END
# TYPE bench_job_items_total counter
bench_job_items_total $ITEMS
# TYPE bench_job_last_success_seconds gauge
bench_job_last_success_seconds 1
END
declare -A clocks jobs_us servers_us
for ((round = 0; round < ROUNDS; round++)); do
	for way in "${WAYS[@]}"; do turn "$way"; done
done
told
table
printf '\n%s rounds of %s jobs, each of which counts %s items.\n' "$ROUNDS" $RUNS $ITEMS
tools "$(gcc --version | head -n 1), $(go version | cut -d' ' -f3)," \
	"client_golang $(version golang-github-prometheus-client-golang-dev)," \
	"libcurl $(version libcurl4-gnutls-dev), Pushgateway $(package_version prometheus-pushgateway | cut -d= -f2)"
