#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# From the kernel to a query, as TAP: Debian's Prometheus, here, scrapes a guest
# through a forwarded port, and its query API returns what obsringctl shows in
# the guest, exemplars included; and so does that of another one, which takes native
# histograms and therefore protobuf. What the guest serves passes promtool, the
# OpenMetrics parser and protoc. The module goes and comes back under the daemon.
#
#   KERNEL    the guest's kernel (6.1)
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

KERNEL=${KERNEL:-6.1}
WORK=
guest=
prometheus=()
count=0

expect() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$WORK/log" 2>&1 </dev/null; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$WORK/log"
	fi
}

end() {
	if [ ${#prometheus[@]} != 0 ]; then kill "${prometheus[@]}" 2>/dev/null || true; fi
	if [ -n "$guest" ]; then kill "$guest" 2>/dev/null || true; fi
	wait 2>/dev/null || true
	rm -rf "$WORK"
}

free_ports() {
	/usr/bin/python3 - "$1" <<-'END'
		import socket, sys
		sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
		print(*(s.getsockname()[1] for s in sockets))
	END
}

# The guest's lines up to "ready" are what obsringctl shows.
guest_start() {
	local line
	coproc GUEST {
		exec scripts/vm --kernel "$KERNEL" --forward "$guest_port:10478" \
			--file "$TOP/tests/e2e/prometheus_guest.sh" -- sh /files/prometheus_guest.sh
	}
	guest=$GUEST_PID
	guest_in=${GUEST[1]} guest_out=${GUEST[0]}
	while read -r line <&"${GUEST[0]}"; do
		if [ "$line" = ready ]; then return; fi
		printf '%s\n' "$line" >>"$WORK/shown"
	done
	die "the guest ended before it served"
}

# prometheus_start NAME PORT FEATURES
prometheus_start() {
	cat >"$WORK/$1.yml" <<-END
		scrape_configs:
		  - job_name: obsring
		    scrape_interval: 1s
		    static_configs: [{ targets: ["127.0.0.1:$guest_port"] }]
	END
	"$PROMETHEUS/usr/bin/prometheus" --config.file="$WORK/$1.yml" \
		--enable-feature="$3" --storage.tsdb.path="$WORK/$1" \
		--web.listen-address="127.0.0.1:$2" \
		>"$WORK/$1.log" 2>&1 &
	prometheus+=($!)
}

fetch() { curl -sSf -o "$WORK/$1" -H "Accept: $2" "http://127.0.0.1:$guest_port/metrics"; }

formats_clean() {
	fetch scrape.prom 'text/plain;version=0.0.4' &&
		fetch scrape.om 'application/openmetrics-text;version=1.0.0' &&
		fetch native.pb 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited' &&
		PROMTOOL=$PROMETHEUS/usr/bin/promtool tests/e2e/check_formats.sh \
			"$WORK/scrape.prom" "$WORK/scrape.om" "$WORK/native.pb"
}

# guest_does LINE: tells the guest, waits until it has done so.
guest_does() {
	local line
	echo "$1" >&"$guest_in"
	while read -r line <&"$guest_out"; do
		if [ "$line" = "done $1" ]; then return; fi
	done
	return 1
}

ask() { curl -s "http://127.0.0.1:$guest_port$1"; }

# Asked to, the daemon lets the module go; it takes a new one by itself.
daemon_outlives_module() {
	guest_does unload &&
		ask /-/ready | grep '^not ready: .*the obsring module is not loaded' &&
		! ask /metrics | grep ^obsring_tasks &&
		guest_does load || return 1
	until ask /-/ready | grep '^ready'; do sleep 0.1; done
	ask /metrics | grep ^obsring_tasks
}

# A guest that ends well has no fault in its kernel's log.
guest_ends_well() {
	echo end >&"$guest_in"
	wait "$guest"
	guest=
}

need_packages "${BUILD_PACKAGES[@]}" curl python3 python3-prometheus-client protobuf-compiler
prometheus_get
kernel_get "$KERNEL"
WORK=$(mktemp -d)
trap end EXIT
trap 'exit 130' INT TERM
read -r guest_port port native_port <<<"$(free_ports 3)"
guest_start
prometheus_start classic "$port" exemplar-storage
prometheus_start native "$native_port" native-histograms,exemplar-storage
expect "Prometheus' query API returns what obsringctl shows, exemplars too" \
	/usr/bin/python3 tests/e2e/prometheus_compare.py "$port" "$WORK/shown"
expect "so does one that takes native histograms, by protobuf" \
	/usr/bin/python3 tests/e2e/prometheus_compare.py --native "$native_port" "$WORK/shown"
expect "text 0.0.4 passes promtool, OpenMetrics its parser, protobuf protoc" formats_clean
expect "the daemon outlives the module, and takes up a new one" daemon_outlives_module
expect "the guest ends without a fault in its kernel's log" guest_ends_well
echo "1..$count"
