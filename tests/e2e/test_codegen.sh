#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the compiler makes of an update on x86-64, as TAP. In the kernel a counter
# is one load of its handle and one instruction on the CPU's own row; a histogram
# two of those; neither has a lock prefix, a call or a reference elsewhere. Reads
# functions of tests/kmod/obsring_bench.c. In a program a counter is one addition
# in a restartable sequence, and the library is called for the rest.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

count=0

# expect NAME COMMAND...: a test; shows the function's code if it fails.
expect() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' <<<"$CODE"
	fi
}

# code OBJECT FUNCTION: sets CODE to its instructions and relocations, a line
# each, without addresses, padding and the mark of an indirect call's target.
code() {
	CODE=$(objdump -dr --no-show-raw-insn "$1" |
		awk -v name="<$2>:" '$2 == name { on = 1; next } !NF { on = 0 } !on { next }
			/R_X86_64_/ { print $2, $3; next }
			{ sub(/^ *[0-9a-f]+:[ \t]*/, ""); sub(/ *#.*/, ""); gsub(/[ \t]+/, " ") }
			!/nop|^endbr64|^xchg %ax,%ax|^int3/ { print }')
}

# How many lines of the code match.
lines() { grep -cE "$1" <<<"$CODE" || true; }

# The return is an instruction, or a jump to what the kernel patches into one.
is_update() {
	[ "$(grep -vE '^R_X86_64_' <<<"$CODE" | sed -E 's/^jmp .*/ret/')" = "mov (%rdi),%rax"$'\n'"$1"$'\n'ret ]
}

own_row() { [ "$(lines '%gs:')" = "$1" ] && [ "$(lines '^(inc|add)[lq]? .*%gs:')" = "$1" ]; }

no_lock() { [ "$(lines '^lock')" = 0 ]; }

self_contained() { [ "$(lines '^call')" = 0 ] && [ "$(lines '^R_X86_64_')" = "$(lines '__x86_return_thunk')" ]; }

example_without_lock() {
	! objdump -d --no-show-raw-insn "$PRODUCERS/obsring_example.ko" | grep -w lock
}

kernel_test() {
	local kernel=$1 function
	kernel_get "$kernel"
	# Guests are built in the same folder.
	mkdir -p "$BUILD/guest"
	flock "$BUILD/guest/make.lock" make -s -j"$(nproc)" module KDIR="$KERNEL_DIR/headers" KERNEL="$kernel" >&2
	PRODUCERS=$BUILD/module/$kernel/tests/kmod

	code "$PRODUCERS/obsring_bench.ko" bench_counter_inc
	expect "$kernel: obs_counter_inc() loads the handle and increments" \
		is_update 'incq %gs:(%rax)'
	expect "$kernel: obs_counter_inc() needs nothing else" self_contained
	code "$PRODUCERS/obsring_bench.ko" bench_counter_add
	expect "$kernel: obs_counter_add() loads the handle and adds" \
		is_update 'add %rsi,%gs:(%rax)'
	expect "$kernel: obs_counter_add() needs nothing else" self_contained
	code "$PRODUCERS/obsring_bench.ko" bench_histogram_observe
	expect "$kernel: obs_histogram_observe() writes its row twice" own_row 2
	expect "$kernel: obs_histogram_observe() locks nothing" no_lock
	expect "$kernel: obs_histogram_observe() needs nothing else" self_contained
	CODE=
	expect "$kernel: the example locks nothing" example_without_lock
}

# How long the straight path is, from the function's begin to its first return: to what
# is rare it jumps.
straight_path() { [ "$(sed '/^ret/q' <<<"$CODE" | grep -cv '^R_X86_64_')" -le 24 ]; }

one_addition() { [ "$(lines '^add .*,\(%r..?\)$')" = 1 ]; }

calls_for_the_rest() {
	[ "$(lines 'R_X86_64_PLT32 obs_counter_add')" -ge 1 ] &&
		[ "$(lines 'R_X86_64_PLT32')" = "$(lines 'R_X86_64_PLT32 obs_counter_add')" ]
}

program_test() {
	local object=$BUILD/codegen.o
	"$1" -O2 -fPIC -Wall -Werror -Iinclude/uapi -Iinclude -c -o "$object" -x c - <<-END
		#include <obsring.h>
		void update(struct obs_counter *counter) { obs_counter_add(counter, 1); }
		void call(struct obs_counter *counter) { (obs_counter_add)(counter, 1); }
	END
	code "$object" update
	expect "$1: obs_counter_add() is one addition" one_addition
	expect "$1: obs_counter_add() locks nothing" no_lock
	expect "$1: obs_counter_add() is short" straight_path
	expect "$1: obs_counter_add() leaves the rest to the library" calls_for_the_rest
	code "$object" call
	expect "$1: (obs_counter_add)() is a call" calls_for_the_rest
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 77
}

command -v objdump >/dev/null || skip_all "no objdump"
[ "$(uname -m)" = x86_64 ] || skip_all "not an x86-64 machine"
need_packages "${BUILD_PACKAGES[@]}" clang-14
for cc in gcc clang-14; do program_test "$cc"; done
for kernel in 6.1 6.12; do
	why=$(kernel_missing "$kernel")
	if [ -n "$why" ]; then
		count=$((count + 1))
		echo "ok $count - $kernel # SKIP $why"
	else
		kernel_test "$kernel"
	fi
done
echo "1..$count"
