#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# DKMS: add, build, install, remove, for the headers of each kernel, as TAP.
# Debian's dkms is unpacked, not installed, and a copy of its script is made to
# use trees and a signing key of this test's own: nothing of the machine's
# modules is read or changed.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

NAME=obsring
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
ROOT=$BUILD/dkms
count=0

result() {
	count=$((count + 1))
	echo "$1 $count - $2"
}

# expect NAME COMMAND...: a test; shows the command's output if it fails.
expect() {
	local name=$1
	shift
	if "$@" >"$ROOT/log" 2>&1 </dev/null; then
		result ok "$name"
	else
		result "not ok" "$name"
		sed 's/^/# /' "$ROOT/log"
	fi
}

# The script with every path of the system's under ROOT.
dkms_prepare() {
	need_packages "${BUILD_PACKAGES[@]}" dpkg-dev kmod openssl patch lsb-release
	rm -rf "$ROOT"
	mkdir -p "$ROOT/etc/dkms" "$ROOT/var/lib/dkms" "$ROOT/usr/src/$NAME-$VERSION"
	unpack_deb dkms "$ROOT/package"
	sed -e "s#/etc/dkms#$ROOT&#g; s#/var/lib/dkms#$ROOT&#g; s#/usr/lib/dkms#$ROOT/package&#g" \
		-e "s#\([^.]\)/lib/modules#\1$ROOT/lib/modules#g; s#/usr/src#$ROOT&#g" \
		-e "s#depmod -a#depmod -b $ROOT -a#" \
		"$ROOT/package/usr/sbin/dkms" >"$ROOT/dkms"
	chmod +x "$ROOT/dkms"
	# What a user would unpack there: the sources, nothing built.
	cp -r Kbuild Makefile dkms.conf include kmod scripts tests "$ROOT/usr/src/$NAME-$VERSION/"
}

# The kernel's headers where dkms looks for them, and a file to sign with.
kernel_place() {
	local release=$1 modules=$ROOT/lib/modules/$1
	mkdir -p "$modules"
	ln -sfn "$(readlink -f "$KERNEL_DIR/headers")" "$modules/build"
	touch "$modules/modules.order" "$modules/modules.builtin"
	cat >"$ROOT/etc/dkms/framework.conf" <<CONF
mok_signing_key=$ROOT/var/lib/dkms/mok.key
mok_certificate=$ROOT/var/lib/dkms/mok.pub
sign_file=$modules/build/scripts/sign-file
CONF
}

dkms() {
	"$ROOT/dkms" "$@" -m "$NAME" -v "$VERSION"
}

installed() {
	local file
	file=$(find "$ROOT/lib/modules/$1/updates" -name 'obsring.ko*') && [ -n "$file" ] &&
		modinfo "$file" && [ "$(modinfo -F version "$file")" = "$VERSION" ] &&
		modinfo -F vermagic "$file" | grep -q "^$1 "
}

# Its log names what was compiled.
module_alone() {
	local log
	log=$(find "$ROOT/var/lib/dkms/" -path "*/$1/*" -name make.log) && [ -n "$log" ] &&
		grep 'kmod/main\.o' "$log" && ! grep 'tests/kmod/' "$log"
}

signed() {
	[ -n "$(modinfo -F sig_key "$(find "$ROOT/lib/modules/$1/updates" -name 'obsring.ko*')")" ]
}

removed() {
	! find "$ROOT/lib/modules/$1" -name 'obsring.ko*' | grep .
}

kernel_test() {
	local kernel=$1 release
	kernel_get "$kernel"
	release=$(<"$KERNEL_DIR/release")
	kernel_place "$release"
	expect "$kernel: dkms build" dkms build -k "$release"
	expect "$kernel: ... of the module alone" module_alone "$release"
	expect "$kernel: dkms install" dkms install -k "$release" --force
	expect "$kernel: the module is installed, of this version, for this kernel" \
		installed "$release"
	expect "$kernel: it is signed" signed "$release"
	expect "$kernel: dkms uninstall" dkms uninstall -k "$release"
	expect "$kernel: nothing of it is left" removed "$release"
}

dkms_prepare
expect "dkms add" dkms add
for kernel in 6.1 6.12; do
	why=$(kernel_missing "$kernel")
	if [ -n "$why" ]; then
		result ok "$kernel # SKIP $why"
	else
		kernel_test "$kernel"
	fi
done
expect "dkms remove" dkms remove --all
expect "its tree is gone" test ! -e "$ROOT/var/lib/dkms/$NAME"
echo "1..$count"
