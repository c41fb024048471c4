# SPDX-License-Identifier: MIT
#
# What a benchmark found, for tests/bench/report.py: lines added to the file that BENCH_ROWS
# names, if it names one. rows.h says what is in them. Sourced.

# row_tell LINE: to that file.
row_tell() { if [ -n "${BENCH_ROWS:-}" ]; then printf '%s\n' "$1" >>"$BENCH_ROWS"; fi; }

# row_quartiles WHAT WAY AT UNIT MEDIAN LOWER-QUARTILE UPPER-QUARTILE ROUNDS
row_quartiles() {
	local IFS=$'\t'
	[ $# = 8 ] || die "a row of $# fields: $*"
	row_tell "$*"
}

# row WHAT WAY AT UNIT FIGURE...: in as many rounds as there are figures.
row() {
	local what=$1 way=$2 at=$3 unit=$4 quartiles
	shift 4
	[ $# -gt 0 ] || die "$what, $way, $at: no figure"
	read -ra quartiles < <(printf '%s\n' "$@" | sort -g |
		awk '{ f[NR] = $1 } END { print f[int(NR / 2) + 1], f[int(NR / 4) + 1], f[NR - int(NR / 4)] }')
	row_quartiles "$what" "$way" "$at" "$unit" "${quartiles[@]}" $#
}

# middle FIGURE...: the median.
middle() { printf '%s\n' "$@" | sort -g | awk '{ f[NR] = $1 } END { print f[int(NR / 2) + 1] }'; }

# tools TEXT...: what it was measured with; printed, too.
tools() {
	printf '%s\n' "$*"
	row_tell "# tools: $*"
}

# version PACKAGE: of the installed one.
version() { dpkg-query -Wf '${Version}' "$1" 2>/dev/null || echo unknown; }
