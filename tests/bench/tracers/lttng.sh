# SPDX-License-Identifier: MIT
#
# LTTng for a guest: Debian's programs, and the modules of Debian's package built for the
# kernel, less one probe that does not build on 6.1.192 (hrtimer_start has an argument
# more there). Sourced; WORK is a folder for what it needs, KERNEL and KERNEL_DIR are the
# guest's.

# lttng_get: sets LTTNG to a folder with programs.tar, modules.tar and version.
lttng_get() {
	local programs=$WORK/lttng-programs modules=$WORK/lttng-modules-$KERNEL
	apt_private "$WORK/apt" amd64 "$(debian_sources)"
	if ! packages_known lttng-tools; then lists_update; fi
	cached "$programs" "2 $(closure_uris lttng-tools | hash_input)" lttng_programs
	cached "$modules" "1 lttng $(package_version lttng-modules-dkms) $(<"$KERNEL_DIR/release")" \
		lttng_modules
	apt_host
	LTTNG=$WORK/lttng-$KERNEL
	mkdir -p "$LTTNG"
	ln -sf "$programs/programs.tar" "$modules/modules.tar" "$modules/version" "$LTTNG"
}

# The programs and their libraries.
lttng_programs() {
	local dir=$1 root=$1/root debs deb loader program libraries
	need_disk "$BUILD" 800
	debs=$(fetch_closure lttng-tools)
	for deb in $debs; do dpkg-deb -x "$deb" "$root"; done
	mkdir "$dir/programs"
	loader=$root/lib64/ld-linux-x86-64.so.2
	libraries=$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu
	for program in bin/lttng bin/lttng-sessiond lib/x86_64-linux-gnu/lttng/libexec/lttng-consumerd; do
		cp -L "$root/usr/$program" "$dir/programs"
		"$loader" --library-path "$libraries" --list "$root/usr/$program" |
			awk '$2 == "=>" { print $3 }' | xargs -I{} cp -L {} "$dir/programs"
	done
	cp "$root/usr/share/xml/lttng/session.xsd" "$dir/programs"
	# The guest has these itself, and the loader that goes with them.
	rm -f "$dir"/programs/lib{c,m,dl,rt,pthread}.so.*
	tar -cf "$dir/programs.tar" -C "$dir/programs" .
	rm -rf "$root" "$dir/programs"
}

# The modules, beside those that the guest has, with their index.
lttng_modules() {
	local dir=$1 source release
	release=$(<"$KERNEL_DIR/release")
	unpack_deb lttng-modules-dkms "$dir/deb"
	source=$(echo "$dir"/deb/usr/src/lttng-modules-*)
	sed -i '/lttng-probe-timer\.o/d' "$source/src/probes/Kbuild"
	say "building LTTng's modules: minutes"
	make -s -j"$(nproc)" -C "$KERNEL_DIR/headers" M="$source" CONFIG_LTTNG=m modules \
		>"$dir/log" 2>&1 || die "LTTng's modules do not build: $(tail -n 5 "$dir/log")"
	cp -r "$KERNEL_DIR/modules" "$dir/root"
	mkdir -p "$dir/root/lib/modules/$release/extra"
	find "$source" -name '*.ko' -exec cp {} "$dir/root/lib/modules/$release/extra" \;
	depmod -b "$dir/root" "$release"
	tar -cf "$dir/modules.tar" -C "$dir/root" .
	echo "${source##*-}" >"$dir/version"
	rm -rf "$dir/root" "$dir/deb"
}
