#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the module still does under the kernel's lockdown, as TAP. In a guest of its
# own, for lockdown is never lowered.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"

exec scripts/vm --no-tests --file tests/e2e/lockdown_guest.sh -- sh /files/lockdown_guest.sh
