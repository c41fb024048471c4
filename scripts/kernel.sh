# SPDX-License-Identifier: MIT
#
# Kernels to build for and to boot, and pieces of the kernel's source.
# Sourced by lib.sh. Each kernel becomes a folder that holds
#
#   bzImage   (arm64: Image)
#   release   its release, as uname -r says
#   headers/  what `make -C headers M=...` wants
#   modules/  lib/modules/RELEASE/ of those of its modules that guests use

# Modules that guests load at boot or that tests load by name, each with the
# option that builds it. Those that a kernel has not are passed over.
GUEST_MODULES=(
	virtio_pci=VIRTIO_PCI virtio_console=VIRTIO_CONSOLE virtio_blk=VIRTIO_BLK
	virtio_net=VIRTIO_NET null_blk=BLK_DEV_NULL_BLK loop=BLK_DEV_LOOP
	dummy=DUMMY veth=VETH ifb=IFB sch_netem=NET_SCH_NETEM sch_tbf=NET_SCH_TBF
	sch_prio=NET_SCH_PRIO sch_ingress=NET_SCH_INGRESS
	cls_matchall=NET_CLS_MATCHALL cls_u32=NET_CLS_U32
	act_gact=NET_ACT_GACT act_mirred=NET_ACT_MIRRED
)

# kernel_get NAME|DIR: sets KERNEL_DIR to the prepared folder and
# KERNEL_NAME to a short name for it.
kernel_get() {
	KERNEL_NAME=$1
	case $1 in
	6.1) kernel_debian amd64 linux-image-cloud-amd64 ;;
	6.12) kernel_debian amd64 linux-image-6.12-cloud-amd64 ;;
	arm64-6.1) kernel_debian arm64 linux-image-cloud-arm64 ;;
	*) kernel_own "$1" ;;
	esac
}

# kernel_missing NAME|DIR: prints why it cannot be had; nothing if it can.
kernel_missing() {
	local dir
	case $1 in
	6.1) ;;
	arm64-6.1)
		if [ -f "$BUILD/kernels/arm64-6.1/.key" ]; then return; fi
		(
			apt_arm64
			packages_known linux-image-cloud-arm64 || lists_update
			packages_known linux-image-cloud-arm64
		) >/dev/null 2>&1 || echo "the arm64 packages cannot be had here"
		;;
	6.12)
		if [ -f "$BUILD/kernels/6.12/.key" ]; then return; fi
		if ! packages_known linux-image-cloud-amd64; then lists_update; fi
		packages_known linux-image-6.12-cloud-amd64 ||
			echo "Linux 6.12 is in the security suite; to have it, add the line" \
				"\"$(security_line)\" to /etc/apt/sources.list and run apt-get update"
		;;
	*)
		[ -n "$(kernel_find "$1")" ] ||
			echo "no kernel $1: neither in \$OBSRING_KERNELS nor in build/kernels" \
				"(make debug-kernel builds kasan and kcsan), nor a folder" \
				"with bzImage and headers.tar.xz"
		;;
	esac
}

# This machine's own mirror, in a line for its security suite.
security_line() {
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "Debian" && $2 !~ /-/ && !n++ {
			sub("/$", "", $3); print "deb " $3 "-security " $2 "-security main" }'
}

# --- Debian's kernels: downloaded, never installed

kernel_debian() {
	local arch=$1 meta=$2 image recipe="3 $1 ${GUEST_MODULES[*]}"
	KERNEL_DIR=$BUILD/kernels/$KERNEL_NAME
	if is_current "$KERNEL_DIR" "$recipe"; then return; fi
	need_packages kmod xz-utils
	if [ "$arch" = arm64 ]; then apt_arm64; fi
	if ! packages_known "$meta"; then lists_update; fi
	packages_known "$meta" || die "apt knows no $meta; this needs Debian 12's sources"
	image=$(package_depends "$meta" linux-image-)
	cached "$KERNEL_DIR" "$recipe $(package_version "$image")" kernel_unpack "$arch" "$image"
	set_current "$KERNEL_DIR"
	apt_host
}

kernel_unpack() {
	local arch=$1 image=$2 dir=$3 release=${2#linux-image-}
	need_disk "$BUILD" 800
	headers_unpack "$release" "$dir"
	unpack_deb "$image" "$dir/image"
	case $arch in
	amd64) mv "$dir/image/boot/vmlinuz-$release" "$dir/bzImage" ;;
	arm64) mv "$dir/image/boot/vmlinuz-$release" "$dir/Image" ;;
	esac
	mv "$dir/image/boot/config-$release" "$dir/config"
	modules_pick "$dir/image" "$release" "$dir/modules"
	rm -rf "$dir/image"
}

# headers_unpack RELEASE DIR: a build tree for modules, as DIR/headers.
headers_unpack() {
	local release=$1 dir=$2 headers=linux-headers-$1 common kbuild
	common=$(package_depends "$headers" linux-headers-)
	kbuild=$(package_depends "$headers" linux-kbuild-)
	unpack_deb "$headers" "$common" "$dir"
	# The build tools run here, whatever they build for.
	(
		apt_host
		unpack_deb "$kbuild" "$dir"
	)
	rm -rf "$dir/lib" "$dir/usr/share"
	echo "$release" >"$dir/release"
	headers_relocate "$dir" "$release"
}

# The headers' Makefile includes the common one by its installed path.
headers_relocate() {
	local makefile=$1/usr/src/linux-headers-$2/Makefile
	sed -i 's|^include /usr/src/|include $(dir $(lastword $(MAKEFILE_LIST)))../|' "$makefile"
	if grep -q '/usr/src' "$makefile"; then die "unknown form of $makefile"; fi
	ln -s "usr/src/linux-headers-$2" "$1/headers"
}

# modules_pick FROM RELEASE TO: GUEST_MODULES and what they depend on,
# uncompressed, with their modules.dep.
modules_pick() {
	local from=$1 release=$2 to=$3/lib/modules/$2 name how path relative
	mkdir -p "$to"
	rm -f "$from/lib/modules/$release/build" "$from/lib/modules/$release/source"
	depmod -b "$from" "$release"
	for name in "${GUEST_MODULES[@]%=*}"; do
		# Prints "insmod PATH" lines, or "builtin NAME"; nothing if absent.
		modprobe -d "$from" -S "$release" --show-depends "$name" 2>/dev/null || true
	done | sort -u | while read -r how path _; do
		if [ "$how" != insmod ]; then continue; fi
		relative=${path#*"/lib/modules/$release/"}
		mkdir -p "$to/${relative%/*}"
		case $path in
		*.xz) xz -dc "$path" >"$to/${relative%.xz}" ;;
		*) cp "$path" "$to/$relative" ;;
		esac
	done
	cp "$from/lib/modules/$release/"modules.{order,builtin,builtin.modinfo} "$to"
	depmod -b "$3" "$release"
}

# --- Other kernels: a folder with bzImage and headers.tar.xz

# kernel_find NAME|DIR: prints the folder, or nothing.
kernel_find() {
	local dir
	for dir in ${OBSRING_KERNELS:+"$OBSRING_KERNELS/$1"} "$BUILD/kernels/$1" "$1"; do
		if [ -f "$dir/bzImage" ] && [ -f "$dir/headers.tar.xz" ]; then
			(cd "$dir" && pwd)
			return
		fi
	done
}

kernel_own() {
	local from key
	from=$(kernel_find "$1")
	[ -n "$from" ] || die "$(kernel_missing "$1")"
	case $1 in
	*/*) KERNEL_NAME=${from##*/}-$(hash_text "$from") ;;
	esac
	need_packages xz-utils
	KERNEL_DIR=$BUILD/kernels-work/$KERNEL_NAME
	key="2 $from $(stat -L -c '%s %Y' "$from/bzImage" "$from/headers.tar.xz" | paste -sd' ')"
	cached "$KERNEL_DIR" "$key" kernel_own_unpack "$from"
}

kernel_own_unpack() {
	local from=$1 dir=$2 top
	need_disk "$BUILD" 300
	mkdir "$dir/tree"
	tar -xJf "$from/headers.tar.xz" -C "$dir/tree" --no-same-owner
	top=$(headers_top "$dir/tree")
	ln -s "${top#"$dir/"}" "$dir/headers"
	cp "$dir/headers/include/config/kernel.release" "$dir/release"
	cp "$from/bzImage" "$dir/bzImage"
	modules_builtin "$dir/headers/.config" "$dir/modules/lib/modules/$(<"$dir/release")"
}

# modules_builtin CONFIG DIR: a modules.builtin, so that modprobe knows which
# modules it need not load. (These kernels come without modules.)
modules_builtin() {
	local module
	mkdir -p "$2"
	: >"$2/modules.dep"
	for module in "${GUEST_MODULES[@]}"; do
		if grep -qx "CONFIG_${module#*=}=y" "$1"; then
			echo "kernel/${module%=*}.ko"
		fi
	done >"$2/modules.builtin"
}

# Where in an unpacked tree the kernel's Makefile is.
headers_top() {
	local file
	for file in "$1/Makefile" "$1"/*/Makefile; do
		if [ -f "${file%/*}/Module.symvers" ]; then
			printf '%s\n' "${file%/*}"
			return
		fi
	done
	die "headers.tar.xz holds no kernel build tree"
}

# --- What apt says

# package_depends PACKAGE PREFIX: its first dependency of that prefix.
package_depends() {
	apt-cache "${APT_OPTIONS[@]}" depends --important "$1" |
		awk -v prefix="$2" 'index($2, prefix) == 1 && !n++ { print $2 }'
}

# package_version PACKAGE: PACKAGE=VERSION, of the version apt would take.
package_version() {
	apt-cache "${APT_OPTIONS[@]}" show --no-all-versions "$1" |
		awk -v name="$1" '$1 == "Version:" && !n++ { print name "=" $2 }'
}

# is_current DIR RECIPE: was DIR made by RECIPE, since apt's lists last
# changed? Then apt need not be asked. Its key is the recipe and versions.
is_current() {
	[ -f "$1/.key" ] && [ "$1/.key" -nt "$APT_LISTS" ] && [[ $(<"$1/.key") = "$2 "* ]]
}
set_current() { touch "$1/.key"; }

# --- Pieces of the kernel's source: the packages are large, so what is
# wanted is taken out once.

SOURCE_6_1=(
	scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch
	tools/testing/selftests/kselftest.h tools/testing/selftests/kselftest_harness.h
)
SOURCE_6_12=(tools/net/ynl Documentation/netlink)

# linux_source_get 6.1|6.12: sets LINUX_SOURCE to the folder with them.
linux_source_get() {
	local pieces
	LINUX_SOURCE=$BUILD/linux-source/$1
	case $1 in
	6.1) pieces=("${SOURCE_6_1[@]}") ;;
	6.12) pieces=("${SOURCE_6_12[@]}") ;;
	esac
	if is_current "$LINUX_SOURCE" "${pieces[*]}"; then return; fi
	need_packages xz-utils
	if ! packages_known "linux-source-$1"; then lists_update; fi
	cached "$LINUX_SOURCE" "${pieces[*]} $(package_version "linux-source-$1")" \
		linux_source_unpack "$1" "${pieces[@]}"
	set_current "$LINUX_SOURCE"
}

linux_source_unpack() {
	local version=$1 dir=${!#}
	local pieces=("${@:2:$#-2}")
	linux_source_tar "$version" | tar -xJ -C "$dir" --no-same-owner \
		--strip-components=1 "${pieces[@]/#/linux-source-$version/}"
	# 140 MB that are hardly wanted again.
	rm "$BUILD/debs/linux-source-${version}"_*
}

# The source's .tar.xz, to standard output.
linux_source_tar() {
	local deb
	need_disk "$BUILD" 400
	deb=$(fetch_deb "linux-source-$1")
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/linux-source-$1.tar.xz"
}

# --- arm64: what its guests run and what programs for it are linked with

SYSROOT_PACKAGES=(
	busybox-static coreutils grep iproute2 libc6-dev libcrypt-dev libgnutls28-dev
	libmicrohttpd-dev libnl-3-dev
	libnl-genl-3-dev libyaml-dev zlib1g-dev libisal-dev libncurses-dev
)

# arm64_sysroot: sets SYSROOT.
arm64_sysroot() {
	SYSROOT=$BUILD/arm64/sysroot
	if is_current "$SYSROOT" "${SYSROOT_PACKAGES[*]}"; then return; fi
	apt_arm64
	if ! packages_known "${SYSROOT_PACKAGES[@]}"; then lists_update; fi
	cached "$SYSROOT" "${SYSROOT_PACKAGES[*]} $(closure_uris "${SYSROOT_PACKAGES[@]}" | hash_input)" \
		sysroot_unpack
	set_current "$SYSROOT"
	apt_host
}

sysroot_unpack() {
	local debs deb
	need_disk "$BUILD" 400
	debs=$(fetch_closure "${SYSROOT_PACKAGES[@]}")
	for deb in $debs; do
		dpkg-deb -x "$deb" "$1"
	done
	links_relocate "$1"
}

# links_relocate DIR: absolute symbolic links in DIR point into DIR.
links_relocate() {
	local link target
	find "$1" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
		target=$(readlink "$link")
		ln -sfnr "$1$target" "$link"
	done
}
