#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Processes as producers, from outside the library, in hosted segments, as TAP: the
# commands and examples as the guest runs them against the module, and the Python module.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP"
. scripts/lib.sh

need_packages "${BUILD_PACKAGES[@]}" "${EXAMPLE_PACKAGES[@]}" python3 curl
make -s -j"$(nproc)" userspace >&2
make -s -C userspace/examples BUILD="$BUILD/userspace" >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ctl=$BUILD/userspace/bin/obsringctl
status=0

"$ctl" segment create "$work/commands"
mkdir "$work/examples"
cp userspace/examples/backup.sh "$work/examples/"
ln -s "$BUILD"/userspace/examples/{prefork,orders} "$work/examples/"
OBSRINGCTL="$ctl --device $work/commands" DEVICE=$work/commands EXAMPLES=$work/examples \
	sh tests/selftests/obsring/command.sh || status=1

# Debian's, whatever else is first in the path.
LD_LIBRARY_PATH=$BUILD/userspace/lib PYTHONPATH=userspace/python PYTHONDONTWRITEBYTECODE=1 \
	/usr/bin/python3 tests/e2e/python_cases.py "$ctl" "$work/python" || status=1
exit $status
