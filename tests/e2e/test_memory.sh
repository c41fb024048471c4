#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# No memory, at each allocation of obsringctl and of obsringd's check of its configuration.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

need_packages "${BUILD_PACKAGES[@]}" python3
flock "$BUILD/guest/make.lock" make -s -j"$(nproc)" userspace >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o "$work/fail_malloc.so" tests/e2e/fail_malloc.c
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/e2e/memory_cases.py \
	"$BUILD/userspace/bin/obsringctl" "$BUILD/userspace/bin/obsringd" "$work/fail_malloc.so" "$work"
