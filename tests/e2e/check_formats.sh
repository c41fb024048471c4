#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check_formats.sh FILE...: every FILE.prom passes promtool's parser and lint,
# every FILE.om the OpenMetrics parser of python3-prometheus-client, every FILE.pb
# protoc, and says what FILE.prom beside it says; none of these came from here.
# Without arguments: the golden files but those with quoted names (.prom1, -utf8),
# which they do not know.
#
#   PROMTOOL   promtool, by default the one in PATH
#   PYTHON     a python3 that finds prometheus_client (PYTHONPATH helps)
#
# Exit: 0 clean, 1 not, 77 skipped because a checker is missing.
set -euo pipefail

TOP=$(cd "$(dirname "$0")/../.." && pwd)
PROMTOOL=${PROMTOOL:-promtool}
PYTHON=${PYTHON:-/usr/bin/python3}
if [ $# -eq 0 ]; then set -- "$TOP"/tests/golden/*.prom "$TOP"/tests/golden/*.om "$TOP"/tests/golden/*.pb; fi

skip() {
	echo "check_formats.sh: skipped: $*"
	exit 77
}

command -v "$PROMTOOL" >/dev/null || skip "no promtool (package prometheus); PROMTOOL names one"
"$PYTHON" -c 'import prometheus_client.openmetrics.parser' 2>/dev/null ||
	skip "no prometheus_client (package python3-prometheus-client) in $PYTHON"

command -v protoc >/dev/null || skip "no protoc (package protobuf-compiler)"

# promtool ends with 3 for what it could parse but finds ill-named: that is
# what odd*.prom are there for.
check_text() {
	local status=0
	"$PROMTOOL" check metrics <"$1" >&2 || status=$?
	[ $status = 0 ] || { [ $status = 3 ] && [[ $(basename "$1") = odd.* ]]; }
}

# The parser takes every line into a sample, and what follows its number into an
# exemplar, or refuses the whole.
check_openmetrics() {
	"$PYTHON" - "$1" <<-'END'
		import sys
		from prometheus_client.openmetrics.parser import text_string_to_metric_families
		text = open(sys.argv[1], encoding="utf-8", newline="\n").read()
		samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
		lines = [line for line in text.split("\n")[:-1] if not line.startswith("#")]
		if len(samples) != len(lines):
		    sys.exit(f"{len(samples)} samples in {len(lines)} lines")
		parsed = [s for s in samples if s.exemplar]
		for s in parsed:
		    if set(s.exemplar.labels) != {"trace_id", "span_id"} or not s.exemplar.timestamp:
		        sys.exit(f"{s}: not the exemplar of a trace")
		shown = sum(' # {trace_id="' in line for line in lines)
		if len(parsed) != shown:
		    sys.exit(f"{len(parsed)} exemplars in {shown} lines that have one")
	END
}

# The names of odd*.prom are not all ones that the Python parser reads as they are.
check_protobuf() {
	local text=${1%.pb}.prom
	if [ ! -e "$text" ] || [[ $(basename "$1") = odd.* ]]; then text=; fi
	"$PYTHON" "$TOP/tests/e2e/check_protobuf.py" "$1" ${text:+"$text"}
}

status=0
for file; do
	case $file in
	*.prom) check=check_text ;;
	*.om) check=check_openmetrics ;;
	*.pb) check=check_protobuf ;;
	*) echo "check_formats.sh: $file: neither .prom nor .om nor .pb"; exit 1 ;;
	esac
	if $check "$file"; then
		echo "ok $file"
	else
		echo "not ok $file"
		status=1
	fi
done
exit $status
