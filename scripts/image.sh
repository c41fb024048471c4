# SPDX-License-Identifier: MIT
#
# The guest's root file system, as pieces of an initramfs: `base`, which
# depends on the kernel only, and `project`, what this project built for it;
# `plain` is that without the self-tests.
# Sourced by scripts/vm.

# Programs for the guest from this machine's packages, with their libraries.
# busybox's shell takes its own before those in PATH: call /sbin/tc.
GUEST_PROGRAMS=(/sbin/tc /bin/cat /bin/grep /usr/bin/head)

# guest_image ARCH TESTS: sets GUEST_IMAGE to the pieces for the current kernel,
# with the self-tests if TESTS is yes.
guest_image() {
	local arch=$1 tests=$2 out=$BUILD/guest/$KERNEL_NAME key project
	project=$out
	if [ "$tests" = no ]; then project=$out/plain; fi
	mkdir -p "$project"
	key=$(hash_text "$(stat -c '%n %Y %s' "$KERNEL_DIR/.key" "$TOP/tests/vm/init" \
		"$TOP/scripts/image.sh" /var/lib/dpkg/status)")
	cached "$out/base" "$key" base_image "$arch"

	# One at a time: the builds for all kernels share user space's folder.
	exec 8>"$BUILD/guest/make.lock"
	flock 8
	guest_make "$arch" "$tests" "$project"
	[ -d "$project/root" ] || die "make guest left no $project/root"
	key=$(hash_text "$(find "$project/root" -printf '%P %y %m %s %T@ %l\n' | LC_ALL=C sort)" \
		"$(stat -c '%n %Y %s' "$TOP/scripts/image.sh" /var/lib/dpkg/status)")
	cached "$project/project" "$key" project_image "$arch" "$project/root"
	exec 8>&-
	GUEST_IMAGE=("$out/base/cpio" "$project/project/cpio")
}

guest_make() {
	local arch=$1 tests=$2 out=$3 cross=()
	if [ "$arch" = arm64 ]; then
		cross=(ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- "SYSROOT=$BUILD/arm64/sysroot")
	fi
	make -s -j"$(nproc)" -C "$TOP" guest "KERNEL=$KERNEL_NAME" \
		"KDIR=$KERNEL_DIR/headers" "GUEST_DIR=$out" "TESTS=$tests" "${cross[@]}" >&2 8>&-
}

base_image() {
	local arch=$1 dir=$2 root=$2/root applet program
	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,usr/lib,lib,lib64,etc,root,files} \
		"$root"/{dev,proc,sys,tmp,run,var,vm,mnt}
	ln -s ../run "$root/var/run"
	cp "$(sysroot_of "$arch")/bin/busybox" "$root/bin/busybox"
	for applet in $(busybox --list-full); do
		if [ "$applet" != bin/busybox ]; then ln -s /bin/busybox "$root/$applet"; fi
	done
	cp "$TOP/tests/vm/init" "$root/vm/init"
	chmod 755 "$root/vm/init"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh \
		nobody:x:65534:65534:nobody:/nonexistent:/bin/false >"$root/etc/passwd"
	printf '%s\n' root:x:0: obsring:x:978: nogroup:x:65534: >"$root/etc/group"
	echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
	echo 'obsring root:obsring 0660' >"$root/etc/mdev.conf"
	cp -r "$KERNEL_DIR/modules/." "$root"
	for program in "${GUEST_PROGRAMS[@]}"; do
		rm -f "$root$program"
		cp "$(sysroot_of "$arch")$program" "$root$program"
	done
	libraries_add "$arch" "$root" "$root"
	pack "$root" "$dir/cpio"
}

project_image() {
	local arch=$1 from=$2 dir=$3
	mkdir "$dir/root"
	cp -a "$from/." "$dir/root"
	libraries_add "$arch" "$dir/root" "$dir/root"
	pack "$dir/root" "$dir/cpio"
}

# Where the programs and libraries of an architecture are on this machine.
sysroot_of() {
	case $1 in
	arm64) printf '%s' "$BUILD/arm64/sysroot" ;;
	esac
}

# pack ROOT FILE: moves a tree into an initramfs archive, owned by root.
pack() {
	(
		cd "$1"
		find . | LC_ALL=C sort | cpio --quiet -o -H newc -R +0:+0
	) >"$2"
	rm -rf "$1"
}

# libraries_add ARCH FROM ROOT: for the programs and libraries under FROM, adds
# to ROOT the shared libraries and loaders that they name, and those name.
libraries_add() {
	local arch=$1 root=$3 file found seen=' '
	local queue=()
	mapfile -d '' queue < <(find "$2" -type f ! -name '*.ko' -print0)
	while [ ${#queue[@]} -gt 0 ]; do
		file=${queue[0]}
		queue=("${queue[@]:1}")
		for found in $(libraries_of "$file"); do
			case $seen in *" $found "*) continue ;; esac
			seen+="$found "
			library_add "$arch" "$found" "$root"
			if [ -n "$LIBRARY_ADDED" ]; then queue+=("$LIBRARY_ADDED"); fi
		done
	done
}

# What an ELF file needs: names of libraries, path of its loader.
libraries_of() {
	readelf -ld "$1" 2>/dev/null | sed -n \
		-e 's/.*(NEEDED).*\[\(.*\)\]/\1/p' -e 's/.*program interpreter: \(.*\)\]/\1/p'
}

# library_add ARCH NAME ROOT: brings one library; sets LIBRARY_ADDED to it.
library_add() {
	local name=$2 root=$3 sysroot triplet=x86_64-linux-gnu dir path
	LIBRARY_ADDED=
	if [ "$1" = arm64 ]; then triplet=aarch64-linux-gnu; fi
	sysroot=$(sysroot_of "$1")
	for dir in "$root" "$root/usr/lib" "$root/lib"; do
		if [ -e "$dir/$name" ]; then return; fi
	done
	for dir in '' "/lib/$triplet" "/usr/lib/$triplet"; do
		path=$dir/${name#/}
		if [ -f "$sysroot$path" ]; then
			mkdir -p "$root${path%/*}"
			cp -L "$sysroot$path" "$root$path"
			LIBRARY_ADDED=$root$path
			return
		fi
	done
	die "the guest needs $name, which no package here brings"
}
