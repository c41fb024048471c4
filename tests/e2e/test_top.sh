#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# obsringctl top in a pseudo-terminal, on a hosted segment, as TAP.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

need_packages "${BUILD_PACKAGES[@]}" ncurses-base python3
mkdir -p "$BUILD/guest"
flock "$BUILD/guest/make.lock" make -s -j"$(nproc)" userspace >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/e2e/top_cases.py \
	"$BUILD/userspace/bin/obsringctl" "$BUILD/userspace/lib/libobsring.so.0" "$work"
