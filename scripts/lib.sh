# SPDX-License-Identifier: MIT
#
# Shared by the scripts beside it; sourced, never run. The caller has set
# TOP to the project's folder and turned on `set -euo pipefail`.
#
# What it may rely on: Debian's essential packages and apt. Not on git, make,
# sudo, systemd, HOME or a terminal.

BUILD=$TOP/build
PROGRAM=${0##*/}

# What building takes: the kernel module, user space, their tests.
BUILD_PACKAGES=(
	make gcc gcc-12 libc6-dev pkg-config pahole
	libmicrohttpd-dev libgnutls28-dev libyaml-dev libcrypt-dev libnl-3-dev libnl-genl-3-dev
	zlib1g-dev libisal-dev libncurses-dev
)
# What the examples take besides.
EXAMPLE_PACKAGES=(libcurl4-gnutls-dev libjansson-dev)
# What running guests takes besides; and what arm64 ones do.
VM_PACKAGES=(
	qemu-system-x86 busybox-static iproute2 python3 cpio binutils kmod xz-utils
)
# What the benchmarks take besides, their peers included.
BENCH_PACKAGES=(
	clang-14 libbpf-dev libelf-dev liblttng-ust-dev lttng-tools
	golang-go golang-github-prometheus-client-golang-dev curl libcurl4-gnutls-dev
)
ARM64_PACKAGES=(qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross)

# Functions below are not to be called as a condition (`if f`, `f || ...`):
# bash would switch `set -e` off inside them.

say() { printf '%s: %s\n' "$PROGRAM" "$*" >&2; }

# scripts/vm sets another status: it promises 125 for its own failures.
DIE_STATUS=1
die() {
	say "$*"
	exit "$DIE_STATUS"
}

# hash TEXT...: one short name for any input.
hash_text() { printf '%s\n' "$@" | hash_input; }
hash_input() { sha256sum | cut -c1-16; }

# need_disk DIR MEGABYTES: DIR's file system has that much room.
need_disk() {
	local dir=$1 need=$2 have
	while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
	have=$(df -Pk "$dir" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$have" -ge "$need" ] ||
		die "$dir has $have MB free, this step needs $need MB"
}

# cached DIR KEY COMMAND...: DIR, made by `COMMAND... TEMPORARY_DIR`, is
# there and was made from inputs that KEY stands for. Atomic; when two
# callers meet, the second waits and finds the work done.
cached() {
	local dir=$1 key=$2
	shift 2
	if is_cached "$dir" "$key"; then return; fi
	mkdir -p "$(dirname "$dir")"
	(
		flock 9
		if is_cached "$dir" "$key"; then exit 0; fi
		rm -rf "$dir.new" "$dir.old"
		mkdir "$dir.new"
		"$@" "$dir.new"
		printf '%s\n' "$key" >"$dir.new/.key"
		if [ -e "$dir" ]; then mv "$dir" "$dir.old"; fi
		mv "$dir.new" "$dir"
		rm -rf "$dir.old"
	) 9>"$dir.lock"
}

is_cached() { [ -f "$1/.key" ] && [ "$(<"$1/.key")" = "$2" ]; }

# prometheus_get: sets PROMETHEUS to a folder with Debian's package; installed
# it would start a server.
prometheus_get() {
	PROMETHEUS=$BUILD/prometheus
	if ! packages_known prometheus; then lists_update; fi
	cached "$PROMETHEUS" "$(package_version prometheus)" unpack_deb prometheus
}

. "$TOP/scripts/apt.sh"
. "$TOP/scripts/kernel.sh"
. "$TOP/scripts/qemu.sh"
