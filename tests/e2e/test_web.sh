#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test_web.sh OBSRINGD: TLS, client certificates, users and headers by
# --web.config.file, as curl and openssl see them, and their replacement while
# others are connected. TAP.
set -uo pipefail

OBSRINGD=$(realpath "${1:?usage: test_web.sh OBSRINGD}")
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=$(mktemp -d)
PID=
trap '[ -z "$PID" ] || kill -9 "$PID" 2>/dev/null; rm -rf "$WORK"' EXIT
cd "$WORK" || exit

number=0
failed=0

# report STATUS NAME
report() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		sed 's/^/# /' out err log 2>/dev/null
		failed=1
	fi
}

# authority NAME; certificate NAME AUTHORITY ALTERNATIVE-NAME USAGE
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 \
		-keyout "$1.key" -out "$1.pem" -subj "/CN=$1"
}
certificate() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "/CN=$1" &&
		printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$3" "$4" >"$1.ext" &&
		openssl x509 -req -days 3 -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" \
			-CAcreateserial -extfile "$1.ext" -out "$1.pem"
}
make_certificates() {
	authority ours && authority theirs &&
		certificate server ours DNS:localhost,IP:127.0.0.1 serverAuth &&
		certificate other ours DNS:localhost,IP:127.0.0.1 serverAuth &&
		certificate good ours DNS:prometheus.example clientAuth &&
		certificate byaddress ours IP:10.1.2.3 clientAuth &&
		certificate nobody ours DNS:nobody.example clientAuth &&
		certificate foreign theirs DNS:prometheus.example clientAuth &&
		certificate wrongusage ours DNS:prometheus.example serverAuth
}
make_certificates >openssl.log 2>&1 || {
	cat openssl.log >&2
	exit 1
}

# hash PASSWORD [COST]: its bcrypt.
# shellcheck disable=SC2016
hash() { perl -e 'print crypt($ARGV[0], sprintf("\$2b\$%02d\$abcdefghijklmnopqrstuu", $ARGV[1]))' "$1" "${2:-4}"; }

TLS='tls_server_config: {cert_file: server.pem, key_file: server.key'

# config LINE...: the file, replaced in one step.
config() {
	printf '%s\n' "$@" >web.next
	mv web.next web.yml
}

# until_true COMMAND...: poll a condition, for at most three minutes, while the daemon runs.
until_true() {
	local deadline=$((SECONDS + 180))
	until "$@"; do
		[ $SECONDS -lt $deadline ] && kill -0 "$PID" 2>/dev/null || return 1
		sleep 0.02
	done
}

# start ARGUMENT...: sets PID and PORT.
start() {
	: >log	# what an earlier one said is not this one's
	"$OBSRINGD" --web.listen-address 127.0.0.1:0 --device "$WORK/obsring" \
		--web.config.file web.yml "$@" 2>log &
	PID=$!
	until_true grep -q listening log
	PORT=$(sed -n 's/.*address=127.0.0.1:\([0-9]*\).*/\1/p' log)
	[ -n "$PORT" ]
}

stop() {
	local status=0
	kill -TERM "$PID"
	wait "$PID" || status=$?
	PID=
	return $status
}

# ask [CURL-OPTION...]: the status of /-/healthy over TLS; 000: no answer.
ask() {
	curl -s -o out --max-time 60 --cacert ours.pem -w '%{http_code}' "$@" \
		"https://localhost:$PORT/-/healthy" 2>err
}
is() { [ "$("${@:2}")" = "$1" ]; }
as() { printf '%s\n' --cert "$1.pem" --key "$1.key"; }

# How often does the log say that it reloaded?
reloads() { grep -c 'msg=reloaded' log; }

test_tls() {
	config "$TLS}"
	start && is 200 ask && is 000 curl -s -o out -w '%{http_code}' "http://localhost:$PORT/" || return 1
	stop
}

# handshake OPTION...: does openssl come through, and with what?
handshake() {
	openssl s_client -connect "127.0.0.1:$PORT" -CAfile ours.pem -verify_return_error \
		"$@" </dev/null >out 2>err
}

test_versions_and_suites() {
	config "$TLS, max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384], curve_preferences: [CurveP384]}"
	start && handshake -tls1_2 && grep -q 'Cipher is ECDHE-ECDSA-AES256-GCM-SHA384' out &&
		grep -q 'Server Temp Key: ECDH, secp384r1' out &&
		! handshake -tls1_3 && ! handshake -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256 &&
		! handshake -tls1_2 -curves P-256 || return 1
	stop || return 1
	config "$TLS, min_version: TLS13}"
	start && handshake -tls1_3 && ! handshake -tls1_2 || return 1
	stop || return 1
	config "$TLS}"	# the defaults
	start && handshake -tls1_3 && handshake -tls1_2 && ! handshake -tls1_1 || return 1
	stop
}

# A list that GnuTLS can't tell from a longer one is refused.
test_suites_are_exact() {
	config "$TLS, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]}"
	"$OBSRINGD" --web.listen-address 127.0.0.1:0 --web.config.file web.yml 2>err
	[ $? = 1 ] && grep -q 'web.yml:1: cipher_suites: those would let in TLS_ECDHE_' err
}

# Each client_auth_type: none, good, of another authority, of another usage.
test_client_certificates() {
	local type expected line
	while read -r type expected; do
		line="$TLS, client_auth_type: $type, client_ca_file: ours.pem}"
		if [ "$type" = NoClientCert ]; then line="$TLS}"; fi
		config "$line"
		start || return 1
		# shellcheck disable=SC2046
		echo "$(ask) $(ask $(as good)) $(ask $(as foreign)) $(ask $(as wrongusage))" >got
		stop || return 1
		is "$expected" cat got || {
			echo "$type: $(cat got), not $expected" >>err
			return 1
		}
	done <<-END
		NoClientCert 200 200 200 200
		RequestClientCert 200 200 200 200
		RequireAnyClientCert 000 200 200 200
		VerifyClientCertIfGiven 200 200 000 000
		RequireAndVerifyClientCert 000 200 000 000
	END
}

test_allowed_names() {
	config "$TLS, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ours.pem, client_allowed_sans: [prometheus.example, 10.1.2.3]}"
	# shellcheck disable=SC2046
	start && is 200 ask $(as good) && is 200 ask $(as byaddress) &&
		is 000 ask $(as nobody) && is 000 ask || return 1
	stop
}

test_users_and_headers() {
	config "$TLS}" "basic_auth_users: {alice: $(hash secret), bob: '$(hash hunter2)'}" \
		'http_server_config: {http2: true, headers: {Strict-Transport-Security: max-age=60, Content-Security-Policy: default-src none}}'
	start && is 401 ask && is 401 ask -u alice:wrong && is 401 ask -u mallory:secret &&
		is 200 ask -u alice:secret && is 200 ask -u bob:hunter2 &&
		is 401 ask -u bob:secret && is 401 ask -H 'Authorization: Basic !!!' &&
		is 401 ask -D - -H 'Authorization: Bearer x' -w '' >/dev/null
	[ "$(curl -s --cacert ours.pem -u alice:secret -D headers -o out -w '%{http_code}' "https://localhost:$PORT/")" = 200 ] &&
		grep -qi '^strict-transport-security: max-age=60' headers &&
		[ "$(grep -ci '^content-security-policy: ' headers)" = 1 ] &&
		grep -qi '^content-security-policy: default-src none' headers &&
		curl -s --cacert ours.pem -D headers -o out "https://localhost:$PORT/" &&
		grep -qi '^www-authenticate: basic realm="obsringd"' headers &&
		grep -qi '^strict-transport-security: max-age=60' headers &&
		grep -q 'msg="http2 is not served' log || return 1
	stop
}

# The certificate that a new connection is shown.
shown() {
	openssl s_client -connect "127.0.0.1:$PORT" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint
}
fingerprint() { openssl x509 -noout -fingerprint -in "$1.pem"; }

test_rate_limit() {
	config "$TLS}" 'rate_limit: {interval: 1h, burst: 2}'
	start && is 200 ask && is 200 ask && is 429 ask && is 429 ask || return 1
	config "$TLS}"
	until_true is 200 ask || return 1
	stop
}

# A connection is kept over each change, and asks again after it.
test_reload() {
	config "$TLS}"
	start || return 1
	coproc CLIENT { /usr/bin/python3 "$HERE/keep_connection.py" "$PORT" ours.pem; }
	local status=1
	kept() { echo ask >&"${CLIENT[1]}" && read -r -t 60 answer <&"${CLIENT[0]}" && [ "$answer" = "$1" ]; }
	if kept 200 && is "$(fingerprint server)" shown &&
		cp other.key server.key && cp other.pem server.pem &&
		until_true is "$(fingerprint other)" shown && kept 200 &&
		config "$TLS}" "basic_auth_users: {alice: $(hash secret)}" &&
		until_true is 401 ask && kept 401 && is 200 ask -u alice:secret &&
		config 'nonsense: 1' &&
		until_true grep -q "can't reload.*web.yml:1: no such key: nonsense" log &&
		is 401 ask && is 200 ask -u alice:secret && kept 401 &&
		curl -s --cacert ours.pem -u alice:secret "https://localhost:$PORT/api/v1/status" |
			grep -q '"last_reload_successful":false' &&
		config "$TLS}" && until_true is 200 ask && kept 200; then
		status=0
	fi
	exec {CLIENT[1]}>&-
	wait "$CLIENT_PID"
	stop && return $status
}

# Also without a change, at once, and with the reason.
test_reload_by_request_and_signal() {
	config "$TLS}"
	start --web.enable-lifecycle || return 1
	local url=https://localhost:$PORT/-/reload
	[ "$(curl -s --cacert ours.pem -X POST "$url")" = reloaded ] &&
		kill -HUP "$PID" && until_true is 2 reloads &&
		rm web.yml &&
		[ "$(curl -s --cacert ours.pem -X POST -w ' %{http_code}' "$url" | tr -d '\n')" = \
			"failed to reload: web.yml: No such file or directory 500" ] || return 1
	stop
}

# TLS comes and goes while a connection without it is kept.
test_tls_switched() {
	config '{}'
	start && is 200 curl -s -o out -w '%{http_code}' "http://localhost:$PORT/-/healthy" &&
		config "$TLS}" && until_true is 200 ask && config '{}' &&
		until_true is 200 curl -s -o out -w '%{http_code}' "http://localhost:$PORT/-/healthy" || return 1
	stop
}

test_start_with_a_broken_file() {
	config 'basic_auth_users: {alice: secret}'
	"$OBSRINGD" --web.listen-address 127.0.0.1:0 --web.config.file web.yml 2>err
	[ $? = 1 ] && is 'obsringd: web.yml:1: the password of alice is no bcrypt hash' cat err
}

# Wrong passwords without end: who has been served is served, and what wrong
# ones cost is bounded.
test_flood_of_passwords() {
	config "basic_auth_users: {alice: $(hash secret 11)}"
	start || return 1
	/usr/bin/python3 "$HERE/flood_passwords.py" "$PORT" >flood 2>&1
	local status=$?
	sed 's/^/# /' flood
	[ $status = 0 ] && stop
}

echo TAP version 13
for name in tls versions_and_suites suites_are_exact client_certificates allowed_names \
	users_and_headers rate_limit reload reload_by_request_and_signal tls_switched \
	start_with_a_broken_file flood_of_passwords; do
	: >out
	: >err
	: >log
	test_$name
	report $? $name
	if [ -n "$PID" ]; then
		kill -9 "$PID" 2>/dev/null
		wait "$PID"
		PID=
	fi
done
echo "1..$number"
exit $failed
