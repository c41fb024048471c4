#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# lifecycle.sh [KERNEL]: the module's life cycle, CYCLES times (1000) in a guest of one
# processor, whose time counts instructions, so that waiting takes none, and
# HOTPLUG_CYCLES times (a tenth) in one of four processors that come and go; with another
# build of the module at every other load. Prints what happened, and how often. 0: not
# that guest.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

KERNEL=${1:-6.1}
CYCLES=${CYCLES:-1000}
HOTPLUG_CYCLES=${HOTPLUG_CYCLES:-$((CYCLES ? (CYCLES + 9) / 10 : 100))}
[ "$CYCLES" != 0 ] || [ "$HOTPLUG_CYCLES" != 0 ] || die "CYCLES=0 HOTPLUG_CYCLES=0: nothing to do"

# The same source under another version, which netlink tells.
next_build() {
	local version
	version=$(sed -n 's/.*OBSRING_VERSION.*"\(.*\)"/\1/p' kmod/main.h)+next
	make -s -j"$(nproc)" module "KERNEL=$KERNEL_NAME" "KDIR=$KERNEL_DIR/headers" \
		"MODULE=$BUILD/module-next/$KERNEL_NAME" \
		KCFLAGS="-DOBSRING_VERSION='\"$version\"'" >&2
}

why=$(kernel_missing "$KERNEL")
if [ -n "$why" ]; then
	echo "1..0 # SKIP $why"
	exit
fi
need_packages "${BUILD_PACKAGES[@]}"
kernel_get "$KERNEL"
next_build
# guest CYCLES OPTION...: one of scripts/vm's.
guest() {
	local cycles=$1
	shift
	scripts/vm --kernel "$KERNEL" "$@" --timeout 14400 \
		--file "$BUILD/module-next/$KERNEL_NAME/obsring.ko" -- \
		env OBSRING_LIFE_CYCLES="$cycles" \
		OBSRING_LIFE_NEXT=/files/obsring.ko OBSRING_TIMEOUT=14000 \
		/usr/libexec/obsring/tests/run.sh lifecycle </dev/null
}

status=0
if [ "$CYCLES" != 0 ]; then guest "$CYCLES" --icount || status=1; fi
if [ "$HOTPLUG_CYCLES" != 0 ]; then guest "$HOTPLUG_CYCLES" --smp 4 || status=1; fi
exit $status
