# SPDX-License-Identifier: MIT
#
# The emulator that runs guests. Sourced by lib.sh.
#
# Before 8.1 QEMU translates code without a lock on its page: what another
# processor writes there meanwhile goes unseen, and the old code stays. Linux
# patches its code while it runs (probes, tracepoints, static branches), so that
# a guest with several processors dies of it sooner or later, by an int3 that is
# no longer there (QEMU's "accel/tcg: Always lock pages before translation").
# Debian 12 has 7.2, its backports a sound one.

QEMU_SOUND=1:8.1

# qemu_get ARCH: sets QEMU to the folder with an emulator for ARCH, empty for
# the machine's own, and QEMU_THREADS to multi; to single, which is slow and
# safe, if nothing but an unsound one can be had.
qemu_get() {
	local package=qemu-system-x86
	if [ "$1" = arm64 ]; then package=qemu-system-arm; fi
	QEMU= QEMU_THREADS=multi
	if dpkg --compare-versions "$(installed_version "$package")" ge "$QEMU_SOUND"; then return; fi

	local dir=$BUILD/qemu/$package packages=("$package" qemu-system-common qemu-system-data)
	apt_private "$BUILD/qemu/apt" "$(dpkg --print-architecture)" "$(backports_sources)"
	if ! is_current "$dir" "${packages[*]}"; then
		if qemu_known "$package"; then
			cached "$dir" "${packages[*]} $(package_version "$package")" \
				unpack_deb "${packages[@]}"
			set_current "$dir"
		fi
	fi
	apt_host
	if [ -f "$dir/.key" ]; then
		QEMU=$dir
		return
	fi
	QEMU_THREADS=single
	say "$package has a race in it that needs version $QEMU_SOUND to mend, and" \
		"Debian's backports cannot be had: guests run slowly, one processor at a time"
}

# Is there a sound one to download? Not where there are no backports.
qemu_known() {
	(
		if ! packages_known "$1"; then lists_update; fi
		packages_known "$1"
	) >/dev/null 2>&1
}

# This machine's mirror of Debian, in lines for its backports.
backports_sources() {
	debian_sources | awk '$4 !~ /-/ { $4 = $4 "-backports"; print }'
}

installed_version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo 0; }
