#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Threads and processes of a service are moved, interrupted and killed, while CPUs go off
# line and come back: nothing that they counted is lost, and no gauge is left of them.

UPDATES=${OBSRING_STORM_UPDATES:-400000}
KILLS=${OBSRING_STORM_KILLS:-60}

number=0
failed=0

# check NAME COMMAND...: a case, passed if COMMAND succeeds.
check() {
	name=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=$((failed + 1))
	fi
}

cpus=/sys/devices/system/cpu/cpu[1-9]*/online
work=$(mktemp -d)
: >"$work/go"
: >"$work/times"

# Until the file goes; then all are on line.
cpus_come_and_go() {
	while [ -e "$work/go" ]; do
		for cpu in $cpus; do
			echo 0 >"$cpu" 2>/dev/null && echo 1 >"$cpu" && echo x >>"$work/times"
		done
	done
}

storm() {
	/usr/libexec/obsring/stress/service_stress --device /dev/obsring \
		--updates "$UPDATES" --kills "$KILLS" --signal-us 1009
}

# Until a CPU went and came meanwhile, if one can.
storm_of_cpus() {
	while storm; do
		if [ -s "$work/times" ] || ! ls $cpus >/dev/null 2>&1; then return; fi
	done
	return 1
}

# Its members are gone with their processes.
nobody_is_left() {
	obsringctl service list >"$work/list" && grep '^stress ' "$work/list"
	obsringctl get obsring_service_members | grep -q 'service="stress".* 0$'
}

echo "TAP version 13"
cpus_come_and_go &
check "nothing is lost or counted twice" storm_of_cpus
rm "$work/go"
wait
echo "CPUs went and came $(wc -l <"$work/times") times"
if ls $cpus >/dev/null 2>&1; then
	check "CPUs went and came meanwhile" test -s "$work/times"
fi
check "the service has no members" nobody_is_left
rm -r "$work"
echo "1..$number"
[ $failed = 0 ]
