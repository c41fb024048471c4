#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# obsringd's page in headless Chromium, as TAP: what it shows of a segment, what hostile
# text does there, narrow screens, the keyboard (page_cases.py).
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

need_packages "${BUILD_PACKAGES[@]}" python3 chromium
make -s -j"$(nproc)" userspace >&2
exec /usr/bin/python3 tests/e2e/page_cases.py "$BUILD/userspace"
