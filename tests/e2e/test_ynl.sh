#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_ynl.sh [KERNEL...]: the netlink family through its description,
# include/netlink/obsring.yaml, as TAP. The description is held against the
# kernel's schema and the uapi header; then the kernel's own tool, tools/net/ynl,
# drives the module with it in a guest of each kernel (6.1 and 6.12).
#
# Python and what the tool imports are Debian's packages, unpacked under build/.
# Exits with 77 where linux-source-6.12, which holds the tool, can't be had.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

ROOT=$BUILD/ynl
PYTHON=$ROOT/python
PYTHON_PACKAGES=(python3-minimal libpython3-stdlib python3-yaml python3-jsonschema)
GUEST_MB=1024
PROGRAMS=(tests/e2e/ynl_{tap,spec,module,policy,values,refuse,service,test}.py)
count=0
failed=0

# --- What the tests run on

source_missing() {
	if [ -f "$BUILD/linux-source/6.12/.key" ]; then return; fi
	if ! packages_known linux-libc-dev; then lists_update; fi
	packages_known linux-source-6.12 ||
		echo "linux-source-6.12, which holds tools/net/ynl, is in the security suite;" \
			"to have it, add the line \"$(security_line)\" to" \
			"/etc/apt/sources.list and run apt-get update"
}

# For a system that has nothing: guests have not. The subshell is for the option.
python_get() (
	APT_OPTIONS+=(-o Dir::State::status=/dev/null)
	recipe="1 ${PYTHON_PACKAGES[*]}"
	if is_current "$PYTHON" "$recipe"; then return; fi
	if ! packages_known "${PYTHON_PACKAGES[@]}"; then lists_update; fi
	cached "$PYTHON" "$recipe $(closure_uris "${PYTHON_PACKAGES[@]}" | hash_input)" python_unpack
	set_current "$PYTHON"
)

python_unpack() {
	local debs deb
	need_disk "$BUILD" 300
	debs=$(fetch_closure "${PYTHON_PACKAGES[@]}")
	mkdir "$1/all"
	for deb in $debs; do
		dpkg-deb -x "$deb" "$1/all"
	done
	links_relocate "$1/all"
	mkdir "$1/usr"
	mv "$1/all/lib" "$1/lib"
	mv "$1/all/usr/lib" "$1/usr/lib"
	mkdir "$1/usr/bin"
	cp -L "$1/all/usr/bin/python3" "$1/usr/bin/python3"
	rm -rf "$1/all"
	python_wrapper >"$1/python"
	chmod +x "$1/python"
	# Guests are slow at compiling.
	"$1/python" -m compileall -q "$1/usr/lib"
}

# Runs it with its own loader and libraries, wherever it was unpacked to.
python_wrapper() {
	cat <<-'END'
		#!/bin/sh
		root=$(cd "$(dirname "$0")" && pwd)
		libraries=
		for dir in "$root"/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu; do
			libraries=$libraries:$dir
		done
		for loader in "$root"/lib/*-linux-gnu/ld-linux-*.so.*; do :; done
		export PYTHONHOME="$root/usr" PYTHONPATH="$root/usr/lib/python3/dist-packages"
		exec "$loader" --library-path "${libraries#:}" "$root/usr/bin/python3" "$@"
	END
}

archive_make() {
	tar -cf "$ROOT/ynl.tar" -C "$PYTHON" python lib usr \
		-C "$LINUX_SOURCE" tools/net/ynl Documentation/netlink \
		-C "$TOP" include/netlink/obsring.yaml include/uapi/linux/obsring.h \
		"${PROGRAMS[@]}"
}

# --- TAP

# Renumbers the tests of another program, read from standard input; its plan
# must be what it ran. Sets count and failed.
tap_take() {
	local prefix=$1 line ran=0 plan=none
	while IFS= read -r line; do
		case $line in
		"ok "*)
			count=$((count + 1)) ran=$((ran + 1))
			echo "ok $count - $prefix: ${line#*- }"
			;;
		"not ok "*)
			count=$((count + 1)) ran=$((ran + 1)) failed=1
			echo "not ok $count - $prefix: ${line#*- }"
			;;
		1..*) plan=${line#1..} ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
	result "$prefix: all of $plan tests ran" [ "$plan" = "$ran" ]
}

# result NAME COMMAND...
result() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		failed=1
	fi
}

# take NAME COMMAND...: the tests that COMMAND prints, and its status.
take() {
	local name=$1 status=0
	shift
	"$@" >"$ROOT/out" 2>"$ROOT/err" </dev/null || status=$?
	tap_take "$name" <"$ROOT/out"
	result "$name: its status is $status" [ $status = 0 ]
	if [ $status != 0 ]; then sed 's/^/# /' "$ROOT/err" | tail -n 60; fi
}

description() { "$PYTHON/python" -B tests/e2e/ynl_spec.py "$TOP" "$LINUX_SOURCE"; }

guest() {
	scripts/vm --kernel "$1" --mem $GUEST_MB --file "$ROOT/ynl.tar" -- sh -c '
		mkdir /tmp/ynl && cd /tmp/ynl && tar -xf /files/ynl.tar &&
		exec ./python -B tests/e2e/ynl_test.py /tmp/ynl'
}

skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

why=$(source_missing)
if [ -n "$why" ]; then
	echo "1..0 # SKIP $why"
	exit 77
fi
mkdir -p "$ROOT"
linux_source_get 6.12
python_get
archive_make

echo TAP version 13
take description description
for kernel in ${@:-6.1 6.12}; do
	why=$(kernel_missing "$kernel")
	if [ -n "$why" ]; then
		skip "module on $kernel" "$why"
	else
		take "$kernel" guest "$kernel"
	fi
done
echo "1..$count"
exit $failed
