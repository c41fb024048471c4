#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# make install and uninstall, as TAP: all that a user needs is there, a producer
# builds against what was installed alone, a program by its pkg-config file, and
# nothing stays behind.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

ROOT=$BUILD/install-test
DEST=$ROOT/dest
count=0

expect() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$ROOT/log" 2>&1 </dev/null; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$ROOT/log"
	fi
}

# A DESTDIR from here, which the makes in other folders must take as such. Guests
# are built in the same folder.
make_top() {
	flock "$BUILD/guest/make.lock" make -s "$@" KDIR="$KERNEL_DIR/headers" KERNEL=6.1 DESTDIR="${DEST#"$TOP"/}" PREFIX=/usr
}

files_there() {
	local file missing=0
	for file in usr/bin/obsringd usr/bin/obsringctl usr/lib/libobsring.so.0 usr/lib/libobsring.a \
		usr/lib/pkgconfig/libobsring.pc usr/include/obsring.h usr/include/linux/obsring.h \
		usr/lib/systemd/system/obsringd.service usr/lib/udev/rules.d/99-obsring.rules \
		usr/lib/sysusers.d/obsring.conf usr/lib/modules-load.d/obsring.conf \
		usr/share/man/man1/obsringctl.1 usr/share/man/man8/obsringd.8 \
		usr/share/bash-completion/completions/obsringctl \
		usr/lib/python3/dist-packages/obsring.py \
		usr/src/obsring/Module.symvers usr/src/obsring/include/linux/obsring.h \
		"lib/modules/$(<"$KERNEL_DIR/release")/updates/obsring.ko"; do
		if [ ! -s "$DEST/$file" ]; then
			echo "$file is not installed"
			missing=1
		fi
	done
	return $missing
}

unit_names_daemon() { grep -q '^ExecStart=/usr/bin/obsringd' "$DEST/usr/lib/systemd/system/obsringd.service"; }

# As the head of the example says.
producer_builds() {
	local dir=$ROOT/producer source=$DEST/usr/src/obsring
	mkdir -p "$dir"
	cp "$source/example/obsring_example.c" "$dir/"
	printf 'obj-m := obsring_example.o\nccflags-y := -I%s/include\n' "$source" >"$dir/Kbuild"
	make -s -C "$KERNEL_DIR/headers" M="$dir" KBUILD_EXTRA_SYMBOLS="$source/Module.symvers" modules &&
		modinfo -F depends "$dir/obsring_example.ko" | grep -qx obsring &&
		modinfo -F import_ns "$dir/obsring_example.ko" | grep -qx OBSRING
}

program_builds() {
	cat >"$ROOT/program.c" <<-C &&
		#include <obsring.h>
		#include <errno.h>
		int main(void)
		{
			struct obs_device *device;
			return obs_device_open("/nonexistent", &device) == -ENOENT ? 0 : 1;
		}
	C
	# shellcheck disable=SC2046
	gcc -o "$ROOT/program" "$ROOT/program.c" $(PKG_CONFIG_PATH=$DEST/usr/lib/pkgconfig \
		PKG_CONFIG_SYSROOT_DIR=$DEST pkg-config --cflags --libs libobsring) &&
		LD_LIBRARY_PATH=$DEST/usr/lib "$ROOT/program"
}

python_imports() {
	PYTHONPATH=$DEST/usr/lib/python3/dist-packages LD_LIBRARY_PATH=$DEST/usr/lib \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c 'import obsring
try:
    obsring.Service("x", device="/nonexistent")
except FileNotFoundError:
    pass'
}

nothing_left() { ! find "$DEST" -type f -o -type l | grep .; }

refused_without_headers() {
	! make module KDIR= >"$ROOT/refusal" 2>&1 && grep -q 'no kernel headers' "$ROOT/refusal"
}

need_packages "${BUILD_PACKAGES[@]}" kmod python3
kernel_get 6.1
rm -rf "$ROOT"
mkdir -p "$ROOT" "$BUILD/guest"
expect "make" make_top all
expect "make install" make_top install
expect "all files are there" files_there
expect "the unit starts the installed daemon" unit_names_daemon
expect "a kernel module builds against the installed headers and symbols" producer_builds
expect "a program builds by pkg-config" program_builds
expect "the Python module finds the library" python_imports
expect "make uninstall" make_top uninstall
expect "nothing is left" nothing_left
expect "without headers the module says so" refused_without_headers
echo "1..$count"
