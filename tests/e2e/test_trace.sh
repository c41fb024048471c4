#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Trace context through a service, over loopback, as TAP: the example is asked to call
# us, and what its calls carry is looked at, case by case of what the formats say
# (trace_cases.py).
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

need_packages "${BUILD_PACKAGES[@]}" "${EXAMPLE_PACKAGES[@]}" python3
make -s -j"$(nproc)" userspace >&2
make -s -C userspace/examples BUILD="$BUILD/userspace" >&2
# curl in the service shall not look for a proxy.
exec env no_proxy='*' /usr/bin/python3 tests/e2e/trace_cases.py "$BUILD/userspace"
