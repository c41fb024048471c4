#!/bin/sh
# SPDX-License-Identifier: MIT
#
#   run.sh [-l | -p K/N | TEST...]
#
# Runs the named tests, or all, or of all the K-th and each N-th after it, each with a fresh
# module and the kernel's log searched afterwards, and prints one TAP stream of all their
# cases. -l lists them: kunit only where the kernel has it. Where there is kmemleak, the last
# case is that the modules, unloaded, left nothing behind. Exits 0; 1 if a case failed; 4 if
# nothing but skips was seen.

cd "$(dirname "$0")" || exit 1
. ./settings

all=$(for file in *; do
	case $file in
	run.sh | settings) continue ;;
	kunit.sh) [ -e /lib/modules/obsring/obsring_kunit.ko ] || continue ;;
	esac
	echo "${file%.sh}"
done)

case $1 in
-l)
	echo "$all"
	exit
	;;
-p)
	set -- $(echo "$all" | awk -v k="${2%/*}" -v n="${2#*/}" 'NR % n == k % n')
	[ $# != 0 ] || exit 1
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
# kernel has its own races. Where injected faults leave it no memory to disarm a probe, it
# warns.
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
		!race' | grep -E "$faults" | grep -v 'WARNING: .* __disarm_kprobe_ftrace+'
}

unload_modules() {
	for module in obsring_kunit obsring_example obsring_stress obsring_speaker obsring_chatter obsring_hold \
		      obsring_points obsring_bench obsring; do
		[ ! -d /sys/module/$module ] || rmmod $module || return
	done
}

fresh_module() {
	unload_modules || return
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

# Of a module that is gone, what it did not free is nobody's. kmemleak does not tell of what
# is younger than 5 seconds.
leaks=/sys/kernel/debug/kmemleak
leaks_check() {
	where=$(grep '^obsring' /proc/modules)
	if ! unload_modules; then
		result "not ok" "the modules can't be unloaded"
		return
	fi
	sleep 6
	# Refused if kmemleak gave up, for want of memory or by an error of its own.
	if ! echo scan >$leaks || ! echo scan >$leaks; then
		result "not ok" "kmemleak is off"
		return
	fi
	found=$(cat $leaks)
	if [ -n "$found" ]; then
		echo "$where" | sed 's/^/# /'
		result "not ok" "the modules left no memory behind"
		echo "$found" | sed 's/^/# /'
	else
		result ok "the modules left no memory behind"
	fi
	fresh_module
}

echo "TAP version 13"
for test in ${@:-$all}; do
	run "$test"
done
if [ -w $leaks ]; then leaks_check; fi
echo "1..$number"
[ $failed = 0 ] || exit 1
[ $passed != 0 ] || exit 4
