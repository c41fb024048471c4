#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bench_scrape.sh: what a scrape costs, beside the Go client with the same series from the
# same segment, the same rendered by hand, and a static answer of libmicrohttpd. Prints Markdown tables. Fails if
# something could not be measured, never for a figure.
#
#   SHORT=1    fewer requests: whether it runs, not what it costs
#   TABLES     which of "cost rate small"; default: all
#   SERIES     numbers of them for "cost"; default: 1000 and 100000
#   PLACES     where the scraper runs for "cost": on the server's processor ("one"), on
#              another ("two"); default: both
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh
. tests/bench/rows.sh

WORK=$BUILD/bench/scrape
CC=${CC:-gcc}
SHORT=${SHORT:-}
TABLES=${TABLES:-cost rate small}
CHANGED=10		# percent of the counters, between two scrapes
SERIES=${SERIES:-1000 100000}	# of each cost
PLACES=${PLACES:-one two}
cpus=$(taskset -cp $$ | sed 's/.*: //')	# of the server, and of the load: all
load_cpus=$cpus
pids=()
port=0

end() {
	local pid
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
}

# times N: N, or a twentieth of it.
times() { if [ -n "$SHORT" ]; then echo $(($1 / 20 + 1)); else echo "$1"; fi; }

build() {
	local flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -fno-strict-aliasing -D_GNU_SOURCE
		-Iinclude/uapi -Iinclude -Iuserspace -Itests/unit)
	mkdir -p "$WORK"
	make -s -j"$(nproc)" userspace
	"$CC" "${flags[@]}" -o "$WORK/make_segment" tests/bench/make_segment.c tests/unit/segment.c
	"$CC" "${flags[@]}" -o "$WORK/scrape_load" tests/bench/scrape_load.c
	"$CC" "${flags[@]}" -o "$WORK/scrape_static" tests/bench/scrape_static.c -lmicrohttpd
	GOFLAGS=-mod=mod GOPATH=/usr/share/gocode GO111MODULE=off GOCACHE="$WORK/go" \
		go build -o "$WORK/scrape_peer" tests/bench/scrape_peer.go
}

segment() { "$WORK/make_segment" "$1" 0 1000000 "$WORK/$1.list" >"$WORK/$1.seg"; }

# Below those that connections get: theirs may be in use for a minute after.
free_port() {
	/usr/bin/python3 - <<-'END'
		import random, socket
		while True:
		    try:
		        server = socket.create_server(("127.0.0.1", random.randrange(20000, 32000)))
		        break
		    except OSError:
		        pass
		print(server.getsockname()[1])
	END
}

# serve WHO SERIES: sets pid and port, once it answers.
serve() {
	port=$(free_port)
	case $1 in
	obsringd)
		taskset -c "$cpus" build/userspace/bin/obsringd --device="$WORK/$2.seg" --log.level=warn \
			--web.listen-address="127.0.0.1:$port" --web.max-requests=4000 \
			--web.max-connections=4000 &
		;;
	go) taskset -c "$cpus" "$WORK/scrape_peer" "$WORK/$2.seg" "$WORK/$2.list" "127.0.0.1:$port" & ;;
	static) taskset -c "$cpus" "$WORK/scrape_static" "$port" "$WORK/static.prom" & ;;
	prefix) taskset -c "$cpus" "$WORK/scrape_static" "$port" "$WORK/$2.seg" "$WORK/$2.list" & ;;
	esac
	pid=$!
	pids+=("$pid")
	until curl -sf -o "$WORK/answer" "http://127.0.0.1:$port/metrics"; do
		kill -0 "$pid" || die "$1 ended"
		sleep 0.1
	done
	[ "$(grep -c '^bench_http_requests' "$WORK/answer")" = "$2" ] || die "$1 answers other than $2 series"
}

stop() {
	kill "$pid"
	wait "$pid" 2>/dev/null || true
}

# CPU time of all threads so far, ns.
cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ s += $1 } END { printf "%.0f", s }'; }
rss_mb() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
load() { taskset -c "$load_cpus" "$WORK/scrape_load" -p "$port" "$@" || die "load on ${who:-it}: $*"; }
value() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$2"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'; }

# cost WHO SERIES REQUESTS [-z]: CPU a scrape in us, with values that change.
cost() {
	local before after series=$2 requests=$3
	shift 3
	load -c 1 -n "$(warm "$series")" "$@" >"$WORK/warm"
	before=$(cpu_ns "$pid")
	load -c 1 -n "$requests" -l "$WORK/$series.list" -s "$WORK/$series.seg" -u $CHANGED "$@" >"$WORK/cost"
	after=$(cpu_ns "$pid")
	awk -v ns=$((after - before)) -v nr="$requests" 'BEGIN { printf "%.1f", ns / nr / 1000 }'
}

# Answers beforehand, as many as take no longer than those that count.
warm() { if [ "$1" -gt 100000 ]; then echo 1; else echo 5; fi; }

# place_at one|two: the server on this machine's first processor, the load there or on
# the second; false: there is none.
place_at() {
	local -a all
	mapfile -t all < <(/usr/bin/python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)), sep="\n")')
	cpus=${all[0]}
	if [ "$1" = one ]; then load_cpus=$cpus; else load_cpus=${all[1]:-}; fi
	[ -n "$load_cpus" ]
}

# All are there all the while, and are asked in turn: what else runs hits all. The static
# answer has the daemon's bytes, and is not compressed.
cost_at() {
	local place=$1 series=$2 gzip=$3 rounds=5 i who all="obsringd static prefix go"
	local -A got=() rss=() at=() of=() us=() mb=()
	[ -z "$gzip" ] || all="obsringd go"
	for who in $all; do
		serve "$who" "$series"
		at[$who]=$port of[$who]=$pid
		if [ "$who" = obsringd ]; then cp "$WORK/answer" "$WORK/static.prom"; fi
	done
	for ((i = 0; i < rounds; i++)); do
		for who in $all; do
			port=${at[$who]} pid=${of[$who]}
			got[$who]+=" $(cost "$who" "$series" "$(requests "$who" "$series")" $gzip)"
			rss[$who]+=" $(rss_mb "$pid")"
		done
	done
	# shellcheck disable=SC2086
	for who in $all; do
		pid=${of[$who]}
		stop
		us[$who]=$(middle ${got[$who]})
		mb[$who]=$(middle ${rss[$who]})
		row "scrape_cpu_$place${gzip:+_gzip}" $who "series=$series" us ${got[$who]}
		[ $place = two ] || row "scrape_rss${gzip:+_gzip}" $who "series=$series" MB ${rss[$who]}
	done
	echo "| $series | ${gzip:+yes} | $place | ${us[obsringd]} | ${us[go]} | $(ratio "${us[go]}" "${us[obsringd]}") | ${us[static]:-} | ${us[prefix]:-} | ${mb[obsringd]} | ${mb[go]} |"
}

table_cost() {
	local series gzip place was=$cpus
	echo "| series | gzip | processors | obsringd, µs of CPU | Go client, µs of CPU | ratio | static answer, µs of CPU | rendered by hand, µs of CPU | RSS, MB | Go's |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	for series in $SERIES; do
		for gzip in "" -z; do
			for place in $PLACES; do
				place_at "$place" || continue
				cost_at "$place" "$series" "$gzip"
			done
		done
	done
	cpus=$was load_cpus=$was
}

requests() {
	case $1-$2 in
	go-100 | go-1000) times 1000 ;;
	go-10000) times 100 ;;
	go-100000) times 20 ;;
	go-*) times 3 ;;
	*-100 | *-1000) times 4000 ;;
	*-10000) times 1000 ;;
	*-100000) times 200 ;;
	*) times 20 ;;
	esac
}

# Closed loop: as many as there can be, of some rounds in turn; then, open, half of what
# Go can, of some rounds in turn.
table_rate() {
	local connections who lat half rounds=5 i
	echo "| connections | server | requests/s | of Go's | at RATE/s: P50, ms | P99, ms | RSS after it, MB |"
	echo "| --- | --- | --- | --- | --- | --- | --- |"
	for connections in 64 1000; do
		declare -A got=() p50=() p99=() at=() of=()
		for who in go obsringd; do
			serve $who 1000
			at[$who]=$port of[$who]=$pid
		done
		for ((i = 0; i < rounds; i++)); do
			for who in go obsringd; do
				port=${at[$who]}
				got[$who]+=" $(value rps "$(load -c $connections -n "$(times $([ $who = go ] && echo 4000 || echo 40000))")")"
			done
		done
		# shellcheck disable=SC2086
		half=$(ratio "$(middle ${got[go]})" 2)
		for ((i = 0; i < rounds; i++)); do
			for who in go obsringd; do
				port=${at[$who]}
				lat=$(load -c $connections -r "$half" -t "$(times 4)")
				p50[$who]+=" $(value p50_us "$lat")"
				p99[$who]+=" $(value p99_us "$lat")"
			done
		done
		# shellcheck disable=SC2086
		for who in go obsringd; do
			pid=${of[$who]}
			row scrape_rate $who "connections=$connections" req/s ${got[$who]}
			row scrape_p50 $who "connections=$connections" us ${p50[$who]}
			row scrape_p99 $who "connections=$connections" us ${p99[$who]}
			echo "| $connections | $who | $(middle ${got[$who]}) | $(ratio "$(middle ${got[$who]})" "$(middle ${got[go]})") | $half: $(ratio "$(middle ${p50[$who]})" 1000) | $(ratio "$(middle ${p99[$who]})" 1000) | $(rss_mb "$pid") |"
			stop
		done
	done
}

percent() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.0f %%", 100 * a / b }'; }

# Some rounds, in turn.
table_small() {
	local connections who out i all="obsringd static prefix go"
	echo "| connections | obsringd | static libmicrohttpd | rendered by hand | Go client | of static |"
	echo "| --- | --- | --- | --- | --- | --- |"
	for connections in 64 1000; do
		declare -A got=() rate=()
		for ((i = 0; i < 6; i++)); do
			for who in $all; do
				serve $who 50
				if [ $who = obsringd ]; then cp "$WORK/answer" "$WORK/static.prom"; fi
				out=$(load -c $connections -n "$(times $([ $who = go ] && echo 20000 || echo 100000))")
				got[$who]+=" $(value rps "$out")"
				stop
			done
		done
		# shellcheck disable=SC2086
		for who in $all; do
			row scrape_rate_50 $who "connections=$connections" req/s ${got[$who]}
			rate[$who]=$(middle ${got[$who]})
		done
		echo "| $connections | ${rate[obsringd]} | ${rate[static]} | ${rate[prefix]} | ${rate[go]} | $(percent "${rate[obsringd]}" "${rate[static]}") |"
	done
}

need_packages "${BUILD_PACKAGES[@]}" curl python3 golang-go golang-github-prometheus-client-golang-dev
ulimit -n 8192
trap end EXIT
trap 'exit 130' INT TERM
build
for series in 50 1000 $SERIES; do segment $series; done
for table in $TABLES; do
	case $table in
	cost) echo "CPU a scrape, one connection, $CHANGED % of the counters counted between two:" ;;
	rate) echo "1000 series, no gzip, no counting; latencies from when a request is due, at half of the rate that the Go client can:" ;;
	small) echo "50 series, requests/s:" ;;
	*) die "TABLES: $table: no such table" ;;
	esac
	echo
	"table_$table"
	echo
done
tools "$("$CC" --version | head -n 1), $(uname -m), $(go version | cut -d' ' -f3)," \
	"client_golang $(version golang-github-prometheus-client-golang-dev)," \
	"libmicrohttpd $(version libmicrohttpd-dev)"
