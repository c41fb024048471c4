#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Processes as producers, from outside: what obsringctl counts and runs, and the
# examples, whose processes are forked and killed. In a guest against the module;
# elsewhere tests/e2e/test_processes.sh gives a segment.
#
#   OBSRINGCTL      the command, with its options
#   EXAMPLES        where they are
#   DEVICE          a segment; unset: the module's device
#   OBSRING_CALLS   calls of each of six jobs at once

: "${OBSRINGCTL:=obsringctl}"
: "${EXAMPLES:=/usr/libexec/obsring/examples}"
CALLS=${OBSRING_CALLS:-20}
DEADLINE=180

number=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ctl() { $OBSRINGCTL "$@"; }

# check NAME COMMAND...: a case, passed if COMMAND succeeds; else it shows why.
check() {
	name=$1
	shift
	number=$((number + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		sed 's/^/# /' "$work/log"
		failed=$((failed + 1))
	fi
}

skip() {
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# status N COMMAND...: it ends with N.
status() {
	want=$1
	shift
	"$@"
	got=$?
	[ $got = "$want" ] || { echo "$*: status $got, not $want"; return 1; }
}

# value SERIES: of a single one.
value() { ctl get "$1" | sed 's/.* //'; }

# is SERIES VALUE
is() {
	got=$(value "$1")
	[ "$got" = "$2" ] || { echo "$1 is $got, not $2"; return 1; }
}

# until COMMAND...: succeeds. In a segment, who attaches notices who is gone.
until_true() {
	begun=$(date +%s)
	until "$@" >/dev/null 2>&1; do
		if [ $(($(date +%s) - begun)) -ge $DEADLINE ]; then
			echo "$* does not come true:"
			"$@"
			return 1
		fi
		ctl inc --service t t_waits_total || return
	done
}

# ---- inc, add, set, observe ---------------------------------------------------

inc_counts() {
	ctl inc --service t t_jobs_total --help-text 'Jobs done.' && is t_jobs_total 1 &&
		ctl inc --service t t_jobs_total 4 && is t_jobs_total 5 &&
		ctl add --service=t t_jobs_total 37 && is t_jobs_total 42
}

labels_are_given() {
	ctl set --service t 't_level{a="1",b="x y"}' 5 && ctl set --service t 't_level{b="x y",a="1"}' 6 &&
		is 't_level{a="1"}' 6 && status 1 ctl set --service t 't_level{a="1"}' 7 &&
		status 1 ctl set --service t 't_level{a="1",b="",c=""}' 7 && is 't_level{a="1"}' 6
}

family_is_described() {
	ctl list --json t_jobs_total >"$work/json" && cat "$work/json" &&
		grep -q '"kind": "counter"' "$work/json" && grep -q '"help": "Jobs done."' "$work/json" &&
		ctl set --service t t_room_celsius -21.5 --help-text Warm. && is t_room_celsius -21.5 &&
		ctl list --json t_room_celsius | grep -q '"unit": "celsius"'
}

# Each call is a process that attaches, counts and leaves, beside others. CALLS is even.
calls_at_once() {
	for job in 1 2 3 4 5 6; do
		(
			i=0
			while [ $i -lt "$CALLS" ]; do
				i=$((i + 1))
				ctl add --service t "t_calls_total{job=\"$job\"}" 3 &&
					ctl inc --service t t_all_calls_total &&
					ctl observe --service t t_call_seconds 0.25 || exit
			done
			: >"$work/done.$job"
		) &
	done
	wait
	for job in 1 2 3 4 5 6; do
		[ -e "$work/done.$job" ] && is "t_calls_total{job=\"$job\"}" $((3 * CALLS)) || return
	done
	all=$((6 * CALLS))
	is t_all_calls_total $all && ctl get t_call_seconds >"$work/calls" && cat "$work/calls" &&
		grep -q "_count{.*} $all\$" "$work/calls" &&
		grep -q "_sum{.*} $((all / 4))\$" "$work/calls" &&
		grep -q 'le="0.1"} 0$' "$work/calls" && grep -q "le=\"0.25\"} $all\$" "$work/calls"
}

buckets_are_chosen() {
	ctl observe --service t t_sizes 3 --buckets 1,5 && ctl observe --service t t_sizes 6 &&
		ctl get t_sizes >"$work/sizes" && cat "$work/sizes" &&
		grep -q 'le="1"} 0$' "$work/sizes" && grep -q 'le="5"} 1$' "$work/sizes" &&
		grep -q 'le="+Inf"} 2$' "$work/sizes" &&
		status 1 ctl observe --service t t_sizes 3 --buckets 1,6
}

kinds_differ() {
	status 1 ctl inc --service t t_room_celsius && status 1 ctl add --service t t_room_celsius 1 &&
		status 1 ctl observe --service t t_room_celsius 1 && is t_room_celsius -21.5 &&
		status 1 ctl set --service t t_jobs_total 1 && is t_jobs_total 42 &&
		status 1 ctl inc --service t obsring_x_total && status 1 ctl inc --service t process_x_total
}

scale_holds() {
	ctl set --service t t_wait_seconds 0.000000001 && is t_wait_seconds 0.000000001 &&
		status 2 ctl set --service t t_wait_seconds 0.0000000001 &&
		status 2 ctl set --service t t_wait_seconds 9223372037 && is t_wait_seconds 0.000000001 &&
		status 2 ctl add --service t t_jobs_total 0.5 && is t_jobs_total 42 &&
		status 2 ctl add --service t t_new_total 0.5 && status 1 ctl list t_new_total &&
		ctl add --service t t_new_total 0.5 --exp10 -1 && ctl add --service t t_new_total 1.5 &&
		is t_new_total 2
}

# ---- run ------------------------------------------------------------------------

# The shell's own kill, which every sh has.
runs_what_it_is_told() {
	status 0 ctl run --service job -- true && status 3 ctl run --service job -- sh -c 'exit 3' &&
		is job_exit_status 3 && status 127 ctl run --service job -- /nonexistent &&
		is job_exit_status 127 && status 126 ctl run --service job -- /etc/passwd &&
		status 143 ctl run --service job -- sh -c 'kill -TERM $$' && is job_exit_status 143
}

records_the_run() {
	before=$(date +%s)
	# Some CPU time, and 32 MiB of memory.
	ctl run --service job -- sh -c 'dd if=/dev/zero of=/dev/null bs=32M count=1 2>/dev/null; i=0
		while [ $i -lt 20000 ]; do i=$((i + 1)); done' || return
	start=$(value job_start_time_seconds) end=$(value job_end_time_seconds)
	took=$(value job_duration_seconds) cpu=$(value job_cpu_seconds_total)
	rss=$(value job_max_rss_bytes)
	echo "from $start to $end, $took s, CPU $cpu s, $rss bytes"
	[ "${start%.*}" -ge "$before" ] && [ "${end%.*}" -le "$(date +%s)" ] &&
		[ "${rss%.*}" -ge 33554432 ] || return
	echo "$start $end $took $cpu" | awk '{
		exit !($2 >= $1 && $3 > 0 && $2 - $1 >= $3 - 0.1 && $4 > 0) }'
}

# CPU time adds up, the others are of the last run.
cpu_time_adds_up() {
	before=$(value job_cpu_seconds_total)
	ctl run --service job -- sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done' &&
		echo "$before $(value job_cpu_seconds_total)" | awk '{ exit !($2 > $1) }' &&
		is job_exit_status 0
}

runs_without_a_device() {
	status 4 "${OBSRINGCTL%% *}" --device /nonexistent run --service job -- sh -c 'exit 4' 2>"$work/err"
	r=$?
	cat "$work/err"
	[ $r = 0 ] && grep -q 'nothing is recorded' "$work/err"
}

# ---- service ----------------------------------------------------------------------

services_are_listed() {
	ctl service list >"$work/list" && cat "$work/list" &&
		grep -q '^job  uid [0-9]*  0 members  6 series' "$work/list" &&
		ctl service list --json | grep -q '"name": "job", "uid": [0-9]*, "members": 0, "series": 6' ||
		return
	grep -q '^job .* [1-9][0-9]* bytes  ttl 7d  left 2[0-9-]*T' "$work/list"
}

service_is_shown() {
	ctl service show job >"$work/show" && cat "$work/show" &&
		grep -q '^job  uid ' "$work/show" && [ "$(grep -c '^job_' "$work/show")" = 6 ] &&
		! grep -q '^t_' "$work/show" && status 1 ctl service show nobody &&
		ctl service show job --json | grep -q '"metrics": \[.*"name": "job_exit_status"'
}

ttl_is_set() {
	ctl service ttl t 36h && ctl service list | grep -q '^t .* ttl 1d12h ' &&
		ctl service ttl t never && ctl service list | grep -q '^t .* ttl never ' &&
		status 2 ctl service ttl t soon
}

service_is_deleted() {
	ctl inc --service gone t_gone_total || return
	mkfifo "$work/fifo"
	ctl run --service gone -- cat "$work/fifo" &
	member=$!
	until_true member_is_in && status 1 ctl service delete gone && is t_gone_total 1
	r=$?
	: >"$work/fifo"
	wait $member
	[ $r = 0 ] && ctl service delete gone && status 1 ctl service show gone &&
		status 1 ctl get 't_gone_total{service="gone"}'
}

member_is_in() { ctl service list | grep -q '^gone .* 1 members '; }

as_nobody() { su -s /bin/sh -c "$OBSRINGCTL $*" nobody; }

# What is a user's is that user's; others' it can't touch.
users_have_their_own() {
	chmod 0666 /dev/obsring
	as_nobody inc --service t t_jobs_total 5
	r=$?
	[ $r = 0 ] && is 't_jobs_total{uid="65534"}' 5 && is 't_jobs_total{uid="0"}' 42 &&
		status 1 ctl service show t && ctl service show t --uid 65534 &&
		status 1 as_nobody service delete job && as_nobody service ttl t 1h --uid 65534 &&
		as_nobody service delete t --uid 65534 && status 1 ctl get 't_jobs_total{uid="65534"}'
	r=$?
	chmod 0660 /dev/obsring
	return $r
}

# ---- doctor -------------------------------------------------------------------------

# Others may have made it lose something, but nothing is broken.
doctor_finds_no_error() {
	ctl doctor >"$work/doctor"
	[ $? -le 1 ] && cat "$work/doctor" && grep -q '^ok .* access: you can read it' "$work/doctor" &&
		! grep '^error' "$work/doctor" || return
	[ -n "$DEVICE" ] || { grep -q '^ok .* module: the module is loaded' "$work/doctor" &&
		grep -q '^ok .* device: .* group obsring, mode 0660' "$work/doctor" &&
		grep -q '^ok .* sources: source task is on' "$work/doctor" &&
		grep -q ' log: .* rings of origin user' "$work/doctor" &&
		grep -q ' limits: .* services ' "$work/doctor"; }
}

doctor_knows_who_may_not() {
	status 1 as_nobody doctor >"$work/doctor"
	r=$?
	cat "$work/doctor"
	[ $r = 0 ] && grep -q "^error .* access: .* you are not in group obsring; " "$work/doctor" &&
		grep -q '^ok .* limits: .* series are used' "$work/doctor"
}

# ---- Examples -----------------------------------------------------------------------

device_option=${DEVICE:+--device $DEVICE}

orders_end_right() {
	"$EXAMPLES/orders" $device_option --orders 50 --consumers 4 &&
		ctl get 'shop_order{order="7"}' | grep -q ' packed version 73$' &&
		ctl get 'shop_order{order="49"}' | grep -q ' delivered version 495$' || return
	# Whoever came first, each order was inserted once, and none was in doubt.
	is 'shop_order_updates_total{result="inserted"}' 50 &&
		is 'shop_order_updates_total{result="conflict"}' 0
}

fetch() {
	if command -v curl >/dev/null; then
		curl -s --noproxy '*' "http://127.0.0.1:$port/$1"
	else
		wget -q -O - "http://127.0.0.1:$port/$1"
	fi
}

prefork_start() {
	"$EXAMPLES/prefork" --workers 3 $device_option 0 >"$work/prefork" 2>&1 &
	master=$!
	until_true grep -q '^listening' "$work/prefork" || return
	port=$(sed -n 's/^listening on .*://p' "$work/prefork")
	until_true is web_workers 3
}

prefork_serves() {
	i=0
	while [ $i -lt 20 ]; do
		i=$((i + 1))
		fetch "" | grep -qx '[0-9]*' || return
	done
	# The answer comes before the end of what is timed.
	until_true is web_busy_workers 0 && is 'web_requests_total{path="hello"}' 20 &&
		ctl get web_request_seconds | grep -q '_count{.*} 20$'
}

# Not every kernel has /proc/PID/task/TID/children.
children() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v parent="$1" '{ pid = $1; sub(/.*\) /, ""); if ($2 == parent) print pid }'
}

# All workers are killed, one of them with a request.
prefork_is_killed() {
	fetch hold &
	client=$!
	until_true is web_busy_workers 1 || return
	is 'web_requests_total{path="hold"}' 1 || return
	kill -KILL $(children "$master")
	r=$?
	[ $r = 0 ] || kill $client
	wait $client
	[ $r = 0 ] || return
	until_true is 'web_worker_exits_total{cause="signal"}' 3 && until_true is web_workers 3 &&
		until_true is web_busy_workers 0 && is 'web_requests_total{path="hello"}' 20 &&
		is 'web_requests_total{path="hold"}' 1 && fetch "" | grep -qx '[0-9]*' &&
		is 'web_requests_total{path="hello"}' 21
}

prefork_ends() {
	kill -TERM $master
	wait $master || return
	until_true is web_workers 0 && is 'web_requests_total{path="hello"}' 21
}

backup_tells() {
	mkdir "$work/files" && : >"$work/files/a" && : >"$work/files/b" || return
	OBSRINGCTL=$OBSRINGCTL "$EXAMPLES/backup.sh" "$work/files" "$work/archive" || return
	tar -tf "$work/archive" | grep -qx ./b && is 'job_exit_status{service="backup"}' 0 &&
		is backup_files_total 2 && is backup_archive_bytes "$(stat -c %s "$work/archive")" &&
		ctl get 'backup_step_seconds{step="verify"}' | grep -q '_count{.*} 1$' || return
	OBSRINGCTL=$OBSRINGCTL status 1 "$EXAMPLES/backup.sh" "$work/none" "$work/archive" &&
		is 'job_exit_status{service="backup"}' 1 && is 'backup_failures_total{step="archive"}' 1 &&
		is backup_files_total 2
}

echo "TAP version 13"
check "inc and add count" inc_counts
check "labels are given in any order, all of them" labels_are_given
check "help and unit are the family's" family_is_described
check "calls at once are all counted" calls_at_once
check "buckets are those that are given first" buckets_are_chosen
check "one kind is not taken for another" kinds_differ
check "what the scale can't hold is refused" scale_holds
check "run ends as its command does" runs_what_it_is_told
check "run records the run" records_the_run
check "run adds up CPU time" cpu_time_adds_up
check "run runs without a device" runs_without_a_device
check "services are listed" services_are_listed
check "a service is shown with its metrics" service_is_shown
check "ttl is set" ttl_is_set
check "service is deleted" service_is_deleted
if [ -n "$DEVICE" ]; then
	skip "users have their own" "whoever may write a segment may do all"
else
	check "users have their own" users_have_their_own
fi
check "doctor finds no error" doctor_finds_no_error
if [ -n "$DEVICE" ]; then
	skip "doctor knows who may not read" "the user of the test made the segment"
else
	check "doctor knows who may not read" doctor_knows_who_may_not
fi
check "orders end in their last state" orders_end_right
check "a pre-forking server starts" prefork_start
check "its workers count in one series" prefork_serves
check "killed workers leave their counts, and nothing of their gauges" prefork_is_killed
check "it ends" prefork_ends
check "a backup tells what it did" backup_tells
echo "1..$number"
[ $failed = 0 ]
