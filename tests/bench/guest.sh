# SPDX-License-Identifier: MIT
#
# What the benchmarks in a guest share. Sourced by those that set WORK, a folder for
# what they need, and FIGURES, the file with what the guest printed.

# bpftrace_get: sets BPFTRACE to a folder with it, its libraries and a loader.
bpftrace_get() {
	local recipe="2 bpftrace"
	BPFTRACE=$WORK/bpftrace
	apt_private "$WORK/apt" amd64 "$(debian_sources)"
	if ! is_current "$BPFTRACE" "$recipe"; then
		if ! packages_known bpftrace; then lists_update; fi
		cached "$BPFTRACE" "$recipe $(closure_uris bpftrace | hash_input)" bpftrace_unpack
		set_current "$BPFTRACE"
	fi
	apt_host
}

bpftrace_unpack() {
	local dir=$1 root=$1/root debs deb loader
	need_disk "$BUILD" 800
	debs=$(fetch_closure bpftrace)
	for deb in $debs; do
		dpkg-deb -x "$deb" "$root"
		case $deb in
		*/bpftrace_*) dpkg-deb -f "$deb" Version >"$dir/.version" ;;
		esac
	done
	loader=$root/lib64/ld-linux-x86-64.so.2
	cp -L "$loader" "$root/usr/bin/bpftrace" "$dir"
	"$loader" --library-path "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" \
		--list "$root/usr/bin/bpftrace" | awk '$2 == "=>" { print $3 }' |
		xargs -I{} cp -L {} "$dir"
	rm -rf "$root"
}

# figure WORDS...: the rest of the line that begins with them.
figure() {
	local line
	line=$(grep "^$* " "$FIGURES") || die "the guest printed no '$*'"
	printf '%s' "${line#"$* "}"
}

# median KIND KEY: of the three numbers of rounds that are printed.
median() {
	local rounds
	rounds=$(figure "$1" "$2")
	printf '%s' "${rounds%% *}"
}

# above KIND KEY BASE-KIND BASE: median and quartiles of one, above the median of the other.
above() {
	local on off
	on=$(figure "$1" "$2")
	off=$(median "$3" "$4")
	awk -v on="$on" -v off="$off" 'BEGIN {
		split(on, n, " ")
		printf "%.0f %.0f %.0f", n[1] - off, n[2] - off, n[3] - off }'
}

# The one that scripts/vm runs.
emulator() {
	qemu_get amd64
	"${QEMU:+$QEMU/usr/bin/}qemu-system-x86_64" "$@"
}
