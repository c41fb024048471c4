#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# scripts/vm itself: streams, statuses, faults. Prints TAP.
# Needs no module: what is tested is the harness.

set -uo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
KERNEL=${1:-6.1}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

count=0
failed=0

# check NAME COMMAND...: one test, passed if COMMAND succeeds.
check() {
	local name=$1 word=ok
	shift
	count=$((count + 1))
	"$@" || { word="not ok"; failed=$((failed + 1)); }
	echo "$word $count - $name"
	if [ "$word" != ok ]; then sed 's/^/# /' "$WORK/err" | tail -40; fi
}

# vm ARGUMENTS...: runs scripts/vm; leaves status, $WORK/out, $WORK/err.
vm() {
	"$TOP/scripts/vm" --kernel "$KERNEL" --no-module "$@" \
		<"${INPUT:-/dev/null}" >"$WORK/out" 2>"$WORK/err"
	status=$?
}

status_is() { [ "$status" = "$1" ]; }
out_is() { cmp -s "$WORK/out" "$1"; }
# The kernel's log shares the stream, and a busy host makes it say something.
err_is() {
	/usr/bin/python3 - "$WORK/err" "$1" <<-'END'
	import re, sys
	log = rb"\[ *\d+\.\d{6}\] [^\n]*\n"
	seen, wanted = (re.sub(log, b"", open(path, "rb").read()) for path in sys.argv[1:])
	sys.exit(seen != wanted)
	END
}
err_has() { grep -qF -- "$1" "$WORK/err"; }

# --- Without a guest

vm --frobnicate
check "an unknown option is refused" status_is 125
check "... by name" err_has "unknown argument '--frobnicate'"
vm --smp none -- true
check "a bad number is refused" status_is 125
vm --kernel no-such-kernel -- true
check "an unknown kernel is refused" status_is 125
check "... by name" err_has "no kernel no-such-kernel"
vm --file "$WORK/absent" -- true
check "a missing --file is refused" status_is 125

# --- Streams and status

vm -- true
if [ "$status" != 0 ]; then
	sed 's/^/# /' "$WORK/err"
	echo "Bail out! no guest runs here: scripts/vm ended with $status"
	exit 1
fi

# Every byte that an argument can hold, and what shells trip over.
all=$(for i in {1..255}; do printf "\\x$(printf %x "$i")"; done; echo .)
arguments=("${all%.}" "" "two  words" $'line\nline\n' "'\"\$(x)\`\\" -- "*")
printf '%s\0' "${arguments[@]}" >"$WORK/expected"
vm -- printf '%s\0' "${arguments[@]}"
check "arguments arrive unchanged" out_is "$WORK/expected"
check "status 0" status_is 0

head -c 1048576 /dev/urandom >"$WORK/random"
INPUT=$WORK/random
vm --file "$WORK/random" -- sh -c 'cat; cat /files/random >&2; exit 42'
INPUT=
check "status passes through" status_is 42
check "1 MiB of random bytes through stdin and stdout" out_is "$WORK/random"
check "1 MiB of random bytes through --file and stderr" err_is "$WORK/random"

vm -- sh -c 'echo left; sleep 1000 & kill -9 $$'
check "a command that dies of a signal" status_is 137
check "... and leaves a process with its output behind" grep -qx left "$WORK/out"
vm -- /no/such/program
check "a command that is not there" status_is 127

printf 'echo "$((6 * 7))"\nexit 3\n' >"$WORK/script"
INPUT=$WORK/script
vm
INPUT=
check "without a command, a shell reads standard input" [ "$(<"$WORK/out")" = 42 ]
check "... and its status is the guest's" status_is 3
/usr/bin/python3 "$TOP/tests/vm/test_shell.py" "$TOP/scripts/vm" --kernel "$KERNEL" --no-module \
	--timeout 600 >"$WORK/err" 2>&1
status=$?
check "at a terminal, a person's: with its size, its keys, and given back as it was" status_is 0

# --- The kernel's faults

vm -- sh -c 'echo "obsring test message" >/dev/kmsg'
check "a message in the kernel log is no fault" status_is 0
check "... and goes to stderr" err_has "obsring test message"
for fault in "WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2" "BUG: unable to handle page fault" \
	"BUG: KASAN: slab-out-of-bounds in f" "BUG: KCSAN: data-race in f / g" " g+0x1/0x2 [obsring]" \
	"UBSAN: array-index-out-of-bounds in x.c:1:1" "WARNING: possible circular locking dependency detected" \
	"rcu: INFO: rcu_preempt self-detected stall on CPU" "kmemleak: 3 new suspected memory leaks" "Oops: 0002 [#1] SMP"; do
	faults+="echo \"$fault\" >/dev/kmsg;"
done
vm -- sh -c "$faults exit 0"
check "faults in the kernel log fail a command that succeeds" status_is 123
check "... and are counted one by one" [ "$(sed '1,/the kernel log has faults/d' "$WORK/err" | grep -c '^\[')" = 9 ]
vm -- sh -c 'for line in "BUG: KCSAN: data-race in f / g" " g+0x1/0x2" " h+0x1/0x2 [obsring]" =====; do
	echo "$line" >/dev/kmsg; done'
check "a race between functions of the kernel's own is no fault" status_is 0
check "... and is shown" err_has "data-race in f / g"
vm -- sh -c 'echo c >/proc/sysrq-trigger'
check "a panic is a failure" status_is 123
check "... and is shown" err_has "Kernel panic - not syncing: sysrq triggered crash"
vm -- poweroff -f
check "a guest that goes without a status is a failure" status_is 125
check "... and said to be one" err_has "the guest ended without a status"

# --- Limits and requests

# Longer where it takes that long until the command has begun.
seconds=20
until [ $seconds -gt 1000 ] || grep -q begun "$WORK/out"; do
	seconds=$((2 * seconds))
	vm --timeout $seconds -- sh -c 'echo begun; exec sleep 2000'
done
check "time-out" status_is 124
check "... keeps what was written" grep -q begun "$WORK/out"
vm --no-tests -- sh -c 'obsringctl --version && ! test -e /usr/libexec/obsring'
check "--no-tests leaves the self-tests out" status_is 0
vm --smp 2 --append obsring.test=1 -- sh -c 'nproc; grep -o obsring.test=1 /proc/cmdline'
check "--smp and --append" [ "$(tr '\n' ' ' <"$WORK/out")" = "2 obsring.test=1 " ]
vm --icount -- nproc
check "--icount gives one processor" [ "$(<"$WORK/out")" = 1 ]
vm -- sh -c '
	exec 3<>/dev/virtio-ports/obsring.control
	grep NMI: /proc/interrupts
	echo nmi >&3
	read answer <&3
	echo $answer
	grep NMI: /proc/interrupts'
check "a guest can ask for an NMI" [ "$(sed -n 2p "$WORK/out")" = ok ]
check "... and gets one" [ "$(sed -n '1s/  */ /gp' "$WORK/out")" != "$(sed -n '3s/  */ /gp' "$WORK/out")" ]

# A web server in the guest, asked from here; the first answer ends it.
"$TOP/scripts/vm" --kernel "$KERNEL" --no-module --forward 18080:80 -- \
	sh -c 'echo ready; printf "from the guest" | nc -l -p 80' >"$WORK/out" 2>"$WORK/err" </dev/null &
job=$!
# Who asks before it listens is turned away.
answer=
until [ "$answer" ] || ! kill -0 $job 2>/dev/null; do
	if grep -q ready "$WORK/out"; then
		answer=$( (exec 3<>/dev/tcp/127.0.0.1/18080 && cat <&3) 2>/dev/null || true)
	fi
	sleep 0.2
done
wait $job
status=$?
check "--forward" [ "$answer" = "from the guest" ]
check "... and the guest ends well" status_is 0

vm -- sh -c 'modprobe null_blk && test -b /dev/nullb0 && modprobe sch_netem && /sbin/tc qdisc add dev lo root netem loss 100% &&
	dd if=/dev/vda of=/dev/null bs=1M 2>/dev/null && ip addr show eth0 | grep 10.0.2.15'
check "modules, tc, scratch disk, network" status_is 0

# Trusting its time-stamp counter, it runs too fast: tests/vm/host.py.
gcc -O2 -static -pthread -o "$WORK/clock" "$TOP/tests/vm/clock.c"
check "its clock is right while all processors read it" /usr/bin/python3 "$TOP/tests/vm/test_clock.py" \
	"$WORK/clock" "$TOP/scripts/vm" --kernel "$KERNEL" --no-module 2>"$WORK/err"

# QEMU before 8.1 kills the guest within seconds of this: scripts/qemu.sh.
vm -- sh -c '
	cd /sys/kernel/tracing && echo "p:probed vfs_read" >kprobe_events && : >/tmp/go
	for job in 1 2 3; do
		while [ -e /tmp/go ]; do
			dd if=/dev/vda of=/dev/null bs=64k count=8 iflag=direct 2>/dev/null; true | cat
		done &
	done
	cycle=0
	until [ $((cycle += 1)) -gt 24 ] && awk "\$2 { seen = 1 } END { exit !seen }" kprobe_profile; do
		echo 1 >events/kprobes/enable && echo 0 >events/kprobes/enable || exit
	done
	rm /tmp/go; wait
	echo; cat kprobe_profile'
check "code that is patched while it runs" status_is 0
check "... and was run" awk '$2 > 0 { seen = 1 } END { exit !seen }' "$WORK/out"

echo "1..$count"
[ $failed = 0 ]
