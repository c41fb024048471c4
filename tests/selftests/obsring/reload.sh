#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The module goes and comes while all of it is in use: all sources on, probes
# set, readers that come and go. rmmod says "in use" while one reads, and works
# the moment none does.

CYCLES=${OBSRING_RELOAD_CYCLES:-4}
DEADLINE=120

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

load() {
	insmod /lib/modules/obsring/obsring.ko "$@" &&
		chgrp obsring /dev/obsring && chmod 0660 /dev/obsring
}

# Readers end when this file goes.
work=$(mktemp -d)
: >"$work/go"

reader() {
	while [ -e "$work/go" ]; do
		obsringctl get obsring_tasks >/dev/null 2>&1 && echo x >>"$work/read.$1"
		obsringctl source list >/dev/null 2>&1
	done
}

# Things that sources and probes see.
activity() {
	while [ -e "$work/go" ]; do
		dd if=/dev/vda of=/dev/null bs=64k count=8 iflag=direct 2>/dev/null
		true | cat
		ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1
	done
}

values_read() { cat "$work"/read.* 2>/dev/null | wc -l; }

# A reader has had a value from this load.
somebody_reads() {
	begun=$(date +%s)
	until [ "$(values_read)" -gt "$read_before" ]; do
		[ $(($(date +%s) - begun)) -lt $DEADLINE ] || return 1
		sleep 0.1
	done
}

probes_add() {
	obsringctl probe add tracepoint sched:sched_switch --as t_switch_total &&
		obsringctl probe add kprobe vfs_read --as t_read_total &&
		obsringctl probe add kretprobe vfs_write --as t_write_seconds
}

# Unload it between two readers; counts the refusals.
unload() {
	begun=$(date +%s)
	until rmmod obsring 2>"$work/rmmod"; do
		grep -q 'in use\|unavailable\|busy' "$work/rmmod" || return 1
		refusals=$((refusals + 1))
		[ $(($(date +%s) - begun)) -lt $DEADLINE ] || return 1
	done
}

echo "TAP version 13"
refusals=0
rmmod obsring 2>/dev/null
for job in 1 2 3; do reader $job & done
activity &
cycle=0
while [ $cycle -lt "$CYCLES" ]; do
	cycle=$((cycle + 1))
	read_before=$(values_read)
	check "cycle $cycle: load with all sources" load sources=all
	check "cycle $cycle: set probes" probes_add
	[ $((cycle % 2)) = 0 ] || check "cycle $cycle: load a producer" \
		insmod /lib/modules/obsring/obsring_example.ko
	[ $((cycle % 2)) = 0 ] || check "cycle $cycle: unload the producer" rmmod obsring_example
	check "cycle $cycle: readers have values" somebody_reads
	check "cycle $cycle: unload in between" unload
done
rm "$work/go"
wait

# A reader that stays: in use, for as long as it does.
load
exec 3</dev/obsring
check "in use while it is open" sh -c "! rmmod obsring 2>'$work/rmmod'"
check "... and it says so" grep -q 'in use\|unavailable\|busy' "$work/rmmod"
exec 3<&-
check "unloads once it is closed" rmmod obsring
echo "# $refusals refusals, $(values_read) values read"
check "loads again" load
rm -rf "$work"
echo "1..$number"
[ $failed = 0 ]
