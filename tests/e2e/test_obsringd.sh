#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_obsringd.sh OBSRINGD: the program itself, without a device: flags, exit
# statuses, a busy port, no permission, signals, the service manager. TAP.
set -uo pipefail

OBSRINGD=${1:?usage: test_obsringd.sh OBSRINGD}
EXAMPLES=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../userspace/examples" && pwd)
WORK=$(mktemp -d)
PID=
trap '[ -z "$PID" ] || kill -9 "$PID" 2>/dev/null; rm -rf "$WORK"' EXIT

number=0
failed=0

# report STATUS NAME
report() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		sed 's/^/# /' "$WORK"/{out,err} 2>/dev/null
		failed=1
	fi
}

# run EXPECTED-STATUS ARGUMENT...: output goes to $WORK/out and $WORK/err.
run() {
	local expected=$1 status
	shift
	status=0
	timeout 180 "$OBSRINGD" "$@" >"$WORK/out" 2>"$WORK/err" || status=$?
	[ $status = "$expected" ]
}

# start ARGUMENT...: a daemon on a free port; sets PID and ADDRESS.
start() {
	: >"$WORK/err"	# what an earlier one said is not this one's
	"$@" --web.listen-address 127.0.0.1:0 --device "$WORK/obsring" \
		>"$WORK/out" 2>"$WORK/err" &
	PID=$!
	until_true listening
	ADDRESS=$(sed -n 's/.*address[=":]*\(127[0-9.]*:[0-9]*\).*/\1/p' "$WORK/err")
	[ -n "$ADDRESS" ]
}

listening() { grep -q listening "$WORK/err"; }

# until_true COMMAND...: poll a condition, for at most three minutes.
until_true() {
	local deadline=$((SECONDS + 180))
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.02
	done
}

# stop SIGNAL: its exit status.
stop() {
	local status=0
	kill "-$1" "$PID"
	wait "$PID" || status=$?
	PID=
	return $status
}

# get PATH: HTTP/1.1 over bash's own sockets; $WORK/answer is all that came.
get() {
	exec 3<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS##*:}" || return 1
	printf 'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$1" >&3
	cat <&3 >"$WORK/answer"
	exec 3>&-
}

# says FILE TEXT: the file is that one line.
says() { [ "$(cat "$WORK/$1")" = "$2" ]; }

test_help() {
	run 0 --help && grep -q -- '--web.listen-address=ADDRESS .*(default: :10478)' "$WORK/out"
}

test_version() {
	run 0 --version && grep -q '^obsringd, version [0-9.]* (revision: .*)$' "$WORK/out"
}

test_full_output() {
	local flag
	for flag in --help --version; do
		"$OBSRINGD" $flag >/dev/full 2>"$WORK/err"
		[ $? = 1 ] &&
			says err "obsringd: write the output: No space left on device" || return 1
	done
}

test_unknown_flag() {
	run 2 --no-such-flag &&
		says err "obsringd: --no-such-flag: no such flag; see --help"
}

test_bad_value() {
	run 2 --log.level loud &&
		says err "obsringd: --log.level=loud: not debug, info, warn or error" &&
		run 2 --web.listen-address 127.0.0.1 &&
		says err "obsringd: --web.listen-address=127.0.0.1: no port: not host:port, [v6]:port, :port or unix:/path"
}

test_busy_port() {
	local busy
	start "$OBSRINGD" || return 1
	busy=$ADDRESS
	run 1 --web.listen-address "$busy" &&
		says err "obsringd: listen on $busy: Address already in use" || return 1
	stop TERM
}

test_foreign_address() {
	run 1 --web.listen-address 192.0.2.1:0 &&
		says err "obsringd: listen on 192.0.2.1:0: Cannot assign requested address"
}

test_missing_device() {
	start "$OBSRINGD" || return 1
	get /-/ready && get /metrics
	grep -q "^HTTP/1.1 503 " "$WORK/answer" &&
		grep -q "^not ready: $WORK/obsring: No such file or directory (the obsring module is not loaded)" "$WORK/answer" &&
		get /-/healthy && grep -q "^HTTP/1.1 200 " "$WORK/answer" || return 1
	stop TERM || return 1
	[ "$(grep -c 'level=warn msg="device not available, waiting for it"' "$WORK/err")" = 1 ] &&
		grep -q 'msg=stopping signal=TERM$' "$WORK/err"
}

test_no_permission() {
	local status
	install -m 600 /dev/null "$WORK/obsring"
	chmod 755 "$WORK"
	start setpriv --reuid 65534 --regid 65534 --clear-groups "$OBSRINGD" &&
		get /-/ready &&
		grep -q "Permission denied (obsringd is not in the device's group)" "$WORK/answer"
	status=$?
	stop TERM || status=1
	rm "$WORK/obsring"
	return $status
}

test_interrupt_and_json() {
	start "$OBSRINGD" --log.format json || return 1
	stop INT &&
		grep -q '^{"ts":"[^"]*","level":"info","msg":"stopping","signal":"INT"}$' "$WORK/err"
}

# The service manager's socket, as a few lines of python.
test_notify() {
	rm -f "$WORK/notify"
	/usr/bin/python3 - "$WORK/notify" >"$WORK/states" <<-'END' &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		print(s.recv(100).decode(), flush=True)
		print(s.recv(100).decode(), flush=True)
	END
	local manager=$! status
	until_true test -S "$WORK/notify" &&
		NOTIFY_SOCKET=$WORK/notify start "$OBSRINGD" &&
		until_true grep -qx READY=1 "$WORK/states" && stop TERM &&
		until_true grep -qx STOPPING=1 "$WORK/states"
	status=$?
	[ $status = 0 ] || kill "$manager"
	wait "$manager"
	return $status
}

# As systemd passes sockets: open from 3 on, and counted in the environment. Two
# of them; their addresses go to $WORK/passed.
cat >"$WORK/pass_sockets.py" <<'END'
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1] + "/passed.sock")
unix.listen()
os.dup2(tcp.fileno(), 10)
os.dup2(unix.fileno(), 11)
os.dup2(10, 3)
os.dup2(11, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
os.execv(sys.argv[2], sys.argv[2:])
END

test_systemd_socket() {
	run 1 --web.systemd-socket &&
		says err "obsringd: --web.systemd-socket: the service manager passed none" || return 1
	start /usr/bin/python3 "$WORK/pass_sockets.py" "$WORK" "$OBSRINGD" --web.systemd-socket &&
		get /-/healthy && grep -q "^HTTP/1.1 200 " "$WORK/answer" &&
		[ "$(grep -c msg=listening "$WORK/err")" = 2 ] &&
		curl -fsS --unix-socket "$WORK/passed.sock" http://x/-/healthy >"$WORK/out" &&
		says out healthy || return 1
	stop TERM && test -S "$WORK/passed.sock"	# the service manager's, not ours
}

test_two_addresses() {
	start "$OBSRINGD" --web.listen-address "unix:$WORK/own.sock" &&
		curl -fsS --unix-socket "$WORK/own.sock" http://x/-/healthy >"$WORK/out" &&
		says out healthy && get /-/healthy &&
		grep -q "^HTTP/1.1 200 " "$WORK/answer" || return 1
	stop TERM && test ! -e "$WORK/own.sock"
}

test_quit() {
	start "$OBSRINGD" --web.enable-lifecycle &&
		curl -fsS -X POST "http://$ADDRESS/-/quit" >"$WORK/out" &&
		says out stopping || return 1
	wait "$PID" && PID= && grep -q 'msg=stopping request=/-/quit$' "$WORK/err"
}

test_config_check() {
	local example
	for example in "$EXAMPLES"/*.yml; do
		case $example in
		*/web.yml) continue ;;	# names certificates that are not there
		esac
		run 0 --config.check --config.file "$example" --web.config.file= &&
			says out "obsringd: the configuration is valid" || return 1
	done
	printf 'log: {level: loud}\n' >"$WORK/bad.yml"
	run 1 --config.check --config.file "$WORK/bad.yml" &&
		says err "obsringd: $WORK/bad.yml:1: log.level: not debug, info, warn or error" &&
		run 1 --config.check --web.config.file "$EXAMPLES/web.yml" &&
		grep -q "web.yml:[0-9]*: .*tls.pem: No such file or directory" "$WORK/err"
}

# What can change changes; what can't is said; what is wrong changes nothing.
test_config_reload() {
	printf 'web: {max-requests: 3}\n' >"$WORK/d.yml"
	start "$OBSRINGD" --config.file "$WORK/d.yml" --web.enable-lifecycle || return 1
	local url=http://$ADDRESS
	curl -fsS "$url/api/v1/status" >"$WORK/out" && grep -q '"web.max-requests":"3"' "$WORK/out" &&
		printf 'web: {max-requests: 5, telemetry-path: /x}\n' >"$WORK/d.yml" &&
		curl -fsS -X POST "$url/-/reload" >"$WORK/out" && says out reloaded &&
		curl -fsS "$url/api/v1/status" >"$WORK/out" &&
		grep -q '"web.max-requests":"5"' "$WORK/out" &&
		grep -q '"web.telemetry-path":"/metrics"' "$WORK/out" &&
		grep -q 'change at the next start only' "$WORK/err" &&
		echo 'nothing: 1' >"$WORK/d.yml" && kill -HUP "$PID" &&
		until_true grep -q "can't reload.*no such key: nothing" "$WORK/err" &&
		curl -fsS "$url/api/v1/status" >"$WORK/out" &&
		grep -q '"web.max-requests":"5".*"last_reload_successful":false' "$WORK/out" || return 1
	stop TERM
}

# All threads are under the filter, and nothing gets them out of it.
test_confined() {
	local status
	start "$OBSRINGD" && get /metrics || return 1
	for status in /proc/"$PID"/task/*/status; do
		grep -q '^Seccomp:	2$' "$status" && grep -q '^NoNewPrivs:	1$' "$status" || return 1
	done
	stop TERM || return 1
	start "$OBSRINGD" --no-seccomp && grep -q '^Seccomp:	0$' "/proc/$PID/status" || return 1
	stop TERM
}

# scraped LINE: the answer has it; a number may have spaces before it.
scraped() {
	get /metrics && tr -s ' ' <"$WORK/answer" | grep -xF "$1" >"$WORK/found"
}

# A hosted segment in the device's place: what two processes have counted, and what one
# of them leaves when it is killed, which the daemon notices itself, under its filter.
test_hosted() {
	local bin python labels
	bin=$(dirname "$OBSRINGD")
	labels="service=\"shop\",uid=\"$(id -u)\""
	rm -f "$WORK/obsring"
	"$bin/obsringctl" segment create "$WORK/obsring" &&
		"$bin/obsringctl" --device "$WORK/obsring" inc --service shop \
			--help-text Orders. 'shop_orders_total{kind="a"}' 2 &&
		start "$OBSRINGD" || return 1
	LD_LIBRARY_PATH=$bin/../lib PYTHONPATH=$EXAMPLES/../python PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 - "$WORK/obsring" >"$WORK/worker" 2>&1 <<-'END' &
		import signal, sys, obsring
		obsring.attach("shop", device=sys.argv[1])
		obsring.Counter("shop_orders", "Orders.", ["kind"]).labels("a").inc(3)
		obsring.Gauge("shop_active", "Now.", mode="add").inc(7)
		print("ready", flush=True)
		signal.pause()
	END
	python=$!
	until_true grep -qx ready "$WORK/worker" &&
		until_true scraped "shop_orders_total{$labels,kind=\"a\"} 5" &&
		until_true scraped "shop_active{$labels} 7" &&
		until_true scraped "obsring_service_members{$labels} 1" &&
		kill -9 $python && until_true scraped "shop_active{$labels} 0" &&
		scraped "shop_orders_total{$labels,kind=\"a\"} 5" &&
		scraped "obsring_service_members{$labels} 0" || return 1
	wait $python
	if command -v "${PROMTOOL:-promtool}" >/dev/null; then
		curl -fsS "http://$ADDRESS/metrics" | "${PROMTOOL:-promtool}" check metrics \
			>"$WORK/out" 2>&1 || return 1
	fi
	stop TERM
	rm -f "$WORK/obsring"
}

# What systemd makes of the unit: at most 2.0, in tenths.
test_unit() {
	local unit
	for unit in service socket; do
		sed "s|/usr/local/bin/obsringd|$(realpath "$OBSRINGD")|" \
			"$EXAMPLES/../system/systemd/system/obsringd.$unit" >"$WORK/obsringd.$unit"
	done
	systemd-analyze verify --man=no "$WORK/obsringd.service" "$WORK/obsringd.socket" \
		>"$WORK/out" 2>"$WORK/err" &&
		systemd-analyze security --offline=yes --threshold=20 "$WORK/obsringd.service" \
			>"$WORK/out" 2>"$WORK/err" &&
		tail -n 1 "$WORK/out" | sed 's/^[^O]*/# /'
}

# skip NAME REASON
skip() {
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

echo TAP version 13
for name in help version full_output unknown_flag bad_value busy_port foreign_address \
	missing_device no_permission interrupt_and_json notify systemd_socket two_addresses \
	quit config_check config_reload confined hosted unit; do
	if [ $name = no_permission ] && [ "$(id -u)" != 0 ]; then
		skip $name "not root: can't become another user"
		continue
	fi
	if [ $name = unit ] && ! command -v systemd-analyze >/dev/null; then
		skip $name "no systemd-analyze"
		continue
	fi
	case $name in
	notify | systemd_socket | hosted)
		if [ ! -x /usr/bin/python3 ]; then
			skip $name "no python3"
			continue
		fi
		;;
	esac
	test_$name
	report $? $name
done
echo "1..$number"
exit $failed
