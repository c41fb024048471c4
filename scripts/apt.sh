# SPDX-License-Identifier: MIT
#
# Debian packages: installed on this machine, or only downloaded and
# unpacked under build/ (those that would start services, build modules or
# touch the machine's kernel). Sourced by lib.sh.

# Sets what apt means from here on: this machine's packages.
apt_host() {
	PRIVATE_APT=no
	APT_LISTS=/var/lib/apt/lists
	APT_OPTIONS=(-q -o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root)
}
apt_host

apt_get() { apt-get "${APT_OPTIONS[@]}" "$@"; }

# need_packages PACKAGE...: all of them are installed.
need_packages() {
	local missing
	mapfile -t missing < <(packages_missing "$@")
	if [ ${#missing[@]} -eq 0 ]; then return; fi

	local install=(apt-get install -y --no-install-recommends "${missing[@]}")
	if packages_known "${missing[@]}"; then
		find_root "${install[*]}"
	else
		find_root "apt-get update && ${install[*]}"
		lists_update
	fi
	need_disk /var/cache/apt 600
	need_disk /usr 1500
	say "installing ${missing[*]}"
	local log
	log=$("${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get "${APT_OPTIONS[@]}" "${install[@]:1}" </dev/null 2>&1) ||
		die "could not install ${missing[*]}:"$'\n'"$log"
}

# Of the named packages, those that are not installed.
packages_missing() {
	local package status
	for package; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || true
		[ "$status" = installed ] || printf '%s\n' "$package"
	done
}

# Does apt know a version of each? Not without lists, or with old ones.
packages_known() {
	local package
	for package; do
		apt-cache "${APT_OPTIONS[@]}" --quiet=0 show --no-all-versions \
			"$package" >/dev/null 2>&1 || return 1
	done
}

# Sets AS_ROOT to what makes a command run as root, or ends with 2 and the
# command that somebody has to run.
find_root() {
	if [ "$(id -u)" = 0 ]; then
		AS_ROOT=(env)
	elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null ||
		{ [ -t 0 ] && sudo -v; }; }; then
		AS_ROOT=(sudo)
	else
		say "missing packages, and neither root nor sudo here; as root, run"
		printf '  %s\n' "$1" >&2
		exit 2
	fi
}

# Runs apt-get update, once in a run. dpkg's lock has a time-out option; the
# lists' lock has none, so wait here while another apt holds it.
LISTS_UPDATED=
lists_update() {
	local log deadline=$((SECONDS + 600))
	if [ "$LISTS_UPDATED" = "$APT_LISTS" ]; then return; fi
	if [ "$PRIVATE_APT" = no ]; then
		find_root "apt-get update"
	else
		AS_ROOT=(env)
	fi
	say "apt-get update"
	until log=$("${AS_ROOT[@]}" apt-get "${APT_OPTIONS[@]}" update 2>&1 </dev/null); do
		case $log in
		*"Could not get lock"*) ;;
		*) die "apt-get update failed: ${log##*$'\n'}" ;;
		esac
		[ $SECONDS -lt $deadline ] || die "apt's lists stay locked: ${log##*$'\n'}"
		sleep 1
	done
	LISTS_UPDATED=$APT_LISTS
}

# fetch_deb PACKAGE...: downloads each package's current version to
# build/debs, unless it is there; prints the files' paths, in order.
fetch_deb() {
	local uris
	if ! packages_known "$@"; then lists_update; fi
	uris=$(apt_get download --print-uris "$@") || die "apt knows no package of: $*"
	if ! debs_fetch "$uris"; then
		# The lists may be older than the archive: it drops versions.
		lists_update
		uris=$(apt_get download --print-uris "$@")
		debs_fetch "$uris" || die "could not download $*"
	fi
	local package uri file
	for package; do
		while read -r uri file _; do
			case $file in "$package"_*) printf '%s\n' "$BUILD/debs/$file" ;; esac
		done <<<"$uris"
	done
}

# Downloads what `apt-get download --print-uris` lists: 'URI' file size hash.
debs_fetch() {
	local uri file size _ wanted=() bytes=0 work
	while read -r uri file size _; do
		[ -n "$file" ] || continue
		[ -s "$BUILD/debs/$file" ] && continue
		# apt-get download takes the package's name, = and version.
		wanted+=("$(deb_request "$file")")
		bytes=$((bytes + size))
	done <<<"$1"
	if [ ${#wanted[@]} -eq 0 ]; then return; fi

	need_disk "$BUILD" $((bytes / 1048576 + 200))
	mkdir -p "$BUILD/debs"
	work=$(mktemp -d "$BUILD/debs/new.XXXXXX")
	say "downloading ${wanted[*]}"
	(cd "$work" && apt_get -qq download "${wanted[@]}") >&2 &&
		mv "$work"/*.deb "$BUILD/debs/" || { rm -rf "$work"; return 1; }
	rmdir "$work"
}

# name_version_arch.deb -> name=version (a colon is written %3a in files).
deb_request() {
	local name=${1%%_*} version=${1#*_}
	version=${version%_*}
	printf '%s=%s' "$name" "${version//%3a/:}"
}

# unpack_deb PACKAGE... DIR: the packages' files, under DIR.
unpack_deb() {
	local dir=${!#} debs deb
	debs=$(fetch_deb "${@:1:$#-1}")
	for deb in $debs; do
		dpkg-deb -x "$deb" "$dir"
	done
}

# --- Packages of another architecture or suite, through a state of our own:
# the machine keeps its lists of architectures and sources.

# apt_private STATE ARCH SOURCES: from here to apt_host, apt means these
# sources' packages for ARCH, and a machine that has none installed.
apt_private() {
	local state=$1
	apt_host
	mkdir -p "$state"/{lists/partial,cache/archives/partial}
	touch "$state/status"
	printf '%s\n' "$3" >"$state/sources.list"
	PRIVATE_APT=yes
	APT_LISTS=$state/lists
	APT_OPTIONS+=(
		-o "APT::Architecture=$2" -o "APT::Architectures=$2"
		-o "Dir::State=$state" -o "Dir::State::status=$state/status"
		-o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache"
		-o "Dir::Etc::sourcelist=$state/sources.list"
		-o "Dir::Etc::sourceparts=/dev/null"
	)
}

apt_arm64() { apt_private "$BUILD/arm64/apt" arm64 "$(debian_sources)"; }

# This machine's sources, without those of others than Debian.
debian_sources() {
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' | awk '$1 == "Debian" {
			print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]", $4, $2, $3 }' |
		sort -u
}

# fetch_closure PACKAGE...: downloads them and all they depend on, for an
# empty system; prints the files' paths.
fetch_closure() {
	local uris file
	if ! packages_known "$@"; then lists_update; fi
	uris=$(closure_uris "$@")
	if ! debs_fetch "$uris"; then
		lists_update
		uris=$(closure_uris "$@")
		debs_fetch "$uris" || die "could not download $*"
	fi
	while read -r _ file _; do
		printf '%s\n' "$BUILD/debs/$file"
	done <<<"$uris"
}

# Those that are in apt's own cache as well: it leaves them out, so look in none.
closure_uris() {
	apt_get -o Dir::Cache::archives="$BUILD/no-archives" install --print-uris -y \
		--no-install-recommends "$@" | grep "^'"
}
