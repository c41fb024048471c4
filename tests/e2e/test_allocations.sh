#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# test_allocations.sh OBSRINGD: builds what test_allocations.py needs, and runs it.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -fno-strict-aliasing -D_GNU_SOURCE
	-I"$TOP/include/uapi" -I"$TOP/include" -I"$TOP/userspace" -I"$TOP/tests/unit")
${CC:-gcc} "${flags[@]}" -shared -fPIC -o "$WORK/count.so" "$TOP/tests/e2e/count_allocations.c"
${CC:-gcc} "${flags[@]}" -o "$WORK/make_segment" "$TOP/tests/bench/make_segment.c" \
	"$TOP/tests/unit/segment.c"
/usr/bin/python3 "$TOP/tests/e2e/test_allocations.py" "$1" "$WORK/count.so" "$WORK/make_segment"
