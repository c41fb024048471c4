#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest of test_lockdown.sh: raises the kernel's lockdown, level by level, and
# says as TAP what is still allowed. It can't be lowered again.

LOCKDOWN=/sys/kernel/security/lockdown
count=0

# expect yes|no NAME COMMAND...: a test; shows what the command said if it fails.
expect() {
	want=$1
	name=$2
	shift 2
	count=$((count + 1))
	got=no
	"$@" >/tmp/said 2>&1 && got=yes
	if [ $got = "$want" ]; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' /tmp/said
	fi
}

copied() {
	obsringctl source enable printk log-level=info &&
		echo "<3>lockdown test $1" >/dev/kmsg &&
		timeout 300 grep -m 1 "source=printk.*lockdown test $1\"" /dev/obsring
}

counted() { obsringctl get obsring_kernel_messages_total | grep -q 'level="err"'; }

probed() {
	obsringctl probe add kprobe vfs_read --as lockdown_total &&
		obsringctl probe delete lockdown_total
}

mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
if [ ! -w $LOCKDOWN ]; then
	echo "ok 1 - lockdown # SKIP this kernel has none"
	echo 1..1
	exit
fi
for level in integrity confidentiality; do
	echo $level >$LOCKDOWN || exit 1
	probes=yes
	if [ $level = confidentiality ]; then probes=no; fi
	expect yes "$level: counts are read" counted
	expect yes "$level: kernel messages are copied" copied $level
	expect $probes "$level: probes, $probes" probed
done
echo 1..$count
