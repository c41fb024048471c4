#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The KUnit suites of obsring_kunit.ko (tests/kmod/kunit). They run when it is loaded, and
# say in the kernel's log, in KTAP, what became of each case.

MODULE=/lib/modules/obsring/obsring_kunit.ko

echo "TAP version 13"
if [ ! -e $MODULE ]; then
	echo "ok 1 suites # SKIP this kernel has no KUnit"
	echo "1..1"
	exit 4
fi

echo "obsring-selftests: begin suites" >/dev/kmsg
insmod $MODULE || exit 1
rmmod obsring_kunit || exit 1
echo "obsring-selftests: end suites" >/dev/kmsg

# A suite is a subtest, four spaces further in: its name, its plan, its cases, each behind
# what it had to say. "ok N suite" follows, which says nothing new.
dmesg | sed -n '/obsring-selftests: begin suites$/,/obsring-selftests: end suites$/ {
	s/^\[ *[0-9.]*\] //
	p
}' | awk '
	/^    # Subtest: / { suite = $NF }
	/^    1\.\.[0-9]+$/ { planned += substr($1, 4); suites++ }
	/^    (not )?ok [0-9]+ / {
		failed += /^    not /
		word = /^    not / ? "not ok" : "ok"
		sub(/^    (not )?ok [0-9]+ (- )?/, "")
		print word, ++seen, suite ": " $0
		next
	}
	/^    / { print "# " $0 }
	END {
		if (!suites || seen != planned) {
			print "not ok", ++seen, "the suites ran: " seen - 1 " of " planned + 0 " cases"
			failed++
		}
		print "1.." seen
		exit failed != 0
	}'
