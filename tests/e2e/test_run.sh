#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# scripts/run, as TAP: it serves what its guest does, ends when it is told to, and
# leaves nothing behind. And what the scripts say to those who may not install.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

WORK=
job=
count=0

expect() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$WORK/log" 2>&1 </dev/null; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$WORK/log" | tail -n 60
	fi
}

end() {
	if [ -n "$job" ]; then kill -KILL -- "-$job" 2>/dev/null || true; fi
	rm -rf "$WORK"
}

# says STATUS TEXT COMMAND...: it ends so, and its errors contain the text.
says() {
	local status=0 wanted=$1 text=$2
	shift 2
	"$@" 2>&1 >/dev/null | tee "$WORK/err" || status=${PIPESTATUS[0]}
	[ "$status" = "$wanted" ] || { echo "status $status, not $wanted"; return 1; }
	grep -qF -- "$text" "$WORK/err"
}

# --- Who may install

# stub NAME: a program that comes before the machine's; its text is read.
stub() {
	{ echo '#!/bin/sh'; cat; } >"$WORK/bin/$1"
	chmod +x "$WORK/bin/$1"
}

# A user without packages; sudo takes what it is told if SUDO is yes.
stubs_make() {
	mkdir "$WORK/bin"
	stub id <<<'echo 1000'
	stub dpkg-query <<<'exit 1'
	stub apt-cache <<<'[ "$LISTS" = yes ]'
	stub sudo <<-END
		[ "\$SUDO" = yes ] || exit 1
		echo "\$*" >>"$WORK/sudo"
	END
}

user() { env PATH="$WORK/bin:$PATH" "$@" </dev/null; }

installs_by_sudo() {
	says 1 "port $busy of 127.0.0.1 is busy" user LISTS="$1" SUDO=yes scripts/run --port "$busy" &&
		grep -q '^env DEBIAN_FRONTEND=noninteractive apt-get .*install -y --no-install-recommends make ' "$WORK/sudo" &&
		[ "$(grep -c 'apt-get .* update$' "$WORK/sudo")" = "$2" ] && rm "$WORK/sudo"
}

# --- Ports

# Listens on a port that nobody uses, and says which.
listen() {
	exec /usr/bin/python3 -c '
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()'
}

# --- Serving

run_start() {
	: >"$WORK/out"
	set -m
	# Ignored by who runs this, no shell could trap them.
	env --default-signal=INT,TERM,HUP scripts/run --port "$port" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null &
	job=$!
	set +m
}

# The last line of what it prints stands there before it serves on.
serves() {
	until grep -q '^Ends ' "$WORK/out"; do
		kill -0 "$job" || { cat "$WORK/err"; return 1; }
		sleep 0.1
	done
	cat "$WORK/out"
	grep -qF "http://127.0.0.1:$port/" "$WORK/out" &&
		curl -sSf "http://127.0.0.1:$port/-/ready"
}

# sum METRIC: of all its samples.
sum() {
	curl -sSf "http://127.0.0.1:$port/metrics" |
		awk -v name="$1" 'index($1, name "{") == 1 || $1 == name { sum += $2 } END { printf "%d\n", sum }'
}

# The guest's own processes, disk and network go on.
grows() {
	local metric first
	for metric in obsring_task_forks_total obsring_syscalls_total obsring_block_io_bytes_total \
		obsring_softirq_seconds_count obsringd_http_requests_total; do
		first=$(sum $metric)
		echo "$metric $first"
		until [ "$(sum $metric)" -gt "$first" ]; do sleep 0.1; done
	done
}

job_ends() {
	local status=0
	wait "$job" || status=$?
	job=
	cat "$WORK/err"
	[ $status = 0 ]
}

# As Ctrl-C does: the whole group gets it.
interrupted() {
	kill -INT -- "-$job"
	job_ends
}

nothing_left() {
	! grep -la "127[.]0[.]0[.]1:$port-" /proc/[0-9]*/cmdline 2>/dev/null &&
		! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

need_packages "${BUILD_PACKAGES[@]}" "${VM_PACKAGES[@]}" curl
WORK=$(mktemp -d)
trap end EXIT
trap 'exit 130' INT TERM
coproc BUSY { listen; }
read -r busy <&"${BUSY[0]}"
read -r port < <(listen </dev/null)

expect "a bad port is refused" says 2 "--port wants a port, not '70000'" scripts/run --port 70000
expect "an unknown argument is refused" says 2 "unknown argument '--frob'" scripts/run --frob
expect "a busy port is named" says 1 "port $busy of 127.0.0.1 is busy" scripts/run --port "$busy"

stubs_make
for script in scripts/run scripts/test; do
	expect "$script: neither root nor sudo: the command that installs" \
		says 2 "  apt-get install -y --no-install-recommends make " user LISTS=yes "$script"
	expect "$script: ... behind an update, where there are no lists" \
		says 2 "  apt-get update && apt-get install -y --no-install-recommends make " user LISTS=no "$script"
done
expect "with sudo it installs" installs_by_sudo yes 0
expect "... behind an update, where there are no lists" installs_by_sudo no 1

run_start
expect "serves, and says where" serves
expect "what the guest does is counted" grows
expect "ends well when it is interrupted" interrupted
expect "... and leaves nothing" nothing_left
run_start --for 1
expect "ends by itself after --for" job_ends
expect "... and leaves nothing" nothing_left
echo "1..$count"
