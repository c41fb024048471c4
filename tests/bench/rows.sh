# SPDX-License-Identifier: MIT
#
# row WHAT WAY AT UNIT FIGURE...: what a benchmark found, in as many rounds as there are
# figures: a line for tests/bench/report.py, added to the file that BENCH_ROWS names, if
# it names one. rows.h says what is in it. Sourced.

row() {
	[ -n "${BENCH_ROWS:-}" ] || return 0
	local what=$1 way=$2 at=$3 unit=$4
	shift 4
	printf '%s\n' "$@" | sort -g |
		awk -v OFS='\t' -v what="$what" -v way="$way" -v at="$at" -v unit="$unit" '
			{ figure[NR] = $1 }
			END { print what, way, at, unit, figure[int(NR / 2) + 1],
				figure[int(NR / 4) + 1], figure[NR - int(NR / 4)], NR }' >>"$BENCH_ROWS"
}
