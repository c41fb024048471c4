#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   run.sh [-l] [TEST...]
#
# Runs the named tests, or all, each with a fresh module and the kernel's log
# searched afterwards, and prints one TAP stream of all their cases. -l lists
# them. Exits 0; 1 if a case failed; 4 if nothing but skips was seen.

cd "$(dirname "$0")" || exit 1
. ./settings

all=$(for file in *; do
	case $file in run.sh | settings) ;; *) echo "${file%.sh}" ;; esac
done)

case $1 in
-l)
	echo "$all"
	exit
	;;
esac

number=0
passed=0
failed=0

# result WORD TEXT: a case's line.
result() {
	number=$((number + 1))
	case $1 in
	ok) case $2 in *'# SKIP'*) ;; *) passed=$((passed + 1)) ;; esac ;;
	*) failed=$((failed + 1)) ;;
	esac
	echo "$1 $number - $2"
}

# Rewrites a program's TAP: plans and numbers are ours, names carry its own.
cases() {
	while IFS= read -r line; do
		case $line in
		"TAP version"* | [0-9]*..*) ;;
		"ok "*) result ok "$(case_name "$1" "${line#ok }")" ;;
		"not ok "*) result "not ok" "$(case_name "$1" "${line#not ok }")" ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$2"
}

case_name() {
	name=${2#* }
	echo "$1: ${name#- }"
}

faults='BUG:|BUG [a-z-]+ \(|WARNING:|Oops|general protection|KASAN:|KCSAN:|UBSAN:'
faults="$faults|suspicious RCU|possible .* deadlock|possible (circular|recursive) locking"
faults="$faults|inconsistent lock state|rcu.*stall|soft lockup|blocked for more|refcount_t:|corruption"

# What the kernel said since the mark of this test, if it is a fault.
# KCSAN's reports, "BUG: KCSAN: data-race in F / G", count if F or G is ours: the
# kernel has its own races.
kernel_faults() {
	dmesg | sed -n "/obsring-selftests: begin $1\$/,\$p" | awk '
		/BUG: KCSAN:/ {
			race = $0
			split(substr(race, index(race, " in ") + 4), f, " / ")
			next
		}
		race && /\[obsring/ && (index($0, " " f[1] "+") || index($0, " " f[2] "+")) {
			print race
			race = ""
		}
		/=====$/ { race = "" }
		!race' | grep -E "$faults"
}

fresh_module() {
	for module in obsring_example obsring_stress obsring_speaker obsring_chatter obsring_bench obsring; do
		[ ! -d /sys/module/$module ] || rmmod $module || return
	done
	insmod /lib/modules/obsring/obsring.ko &&
		chgrp obsring /dev/obsring && chmod 0660 /dev/obsring
}

run() {
	program=./$1
	[ -x "$program" ] || program=./$1.sh
	if [ ! -x "$program" ]; then
		result "not ok" "$1: there is no such test"
		return
	fi
	echo "# $1"
	echo "obsring-selftests: begin $1" >/dev/kmsg
	if ! fresh_module; then
		result "not ok" "$1: the module can't be loaded anew"
		return
	fi
	begun=$(date +%s)
	timeout "$timeout" "$program" >"/tmp/$1.tap" 2>&1
	status=$?
	echo "# $1: $(($(date +%s) - begun)) s"
	cases "$1" "/tmp/$1.tap"
	found=$(kernel_faults "$1")
	if [ -n "$found" ]; then
		result "not ok" "$1: the kernel's log is clean"
		echo "$found" | sed 's/^/# /'
	fi
	case $status in
	0 | 4) ;;
	1) grep -q '^not ok' "/tmp/$1.tap" || result "not ok" "$1: ended with status 1" ;;
	*) result "not ok" "$1: ended with status $status" ;;
	esac
}

echo "TAP version 13"
for test in ${@:-$all}; do
	run "$test"
done
echo "1..$number"
[ $failed = 0 ] || exit 1
[ $passed != 0 ] || exit 4
