#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# services.sh: processes that count in the module's services, for long, in a guest whose
# CPUs go off line and come back meanwhile:
#
#   storm    160 million updates by 8 threads and 8 processes, moved and interrupted; then
#            10000 processes are killed at any point of an update, or while they attach
#   worker   160 million updates and as many observations by 4 processes of 2 threads,
#            while a reader has all of it mapped; then 8000 are killed
#   member, memberlimit  a member that means no good, attaching a million times
#
# Prints the guest's TAP, with what each met. SHARE=N in the environment: a Nth of it all.
# KERNEL: 6.1, or another one of scripts/vm. Exits as the tests do.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SHARE=${SHARE:-1}
HOURS=6

[[ $SHARE =~ ^[1-9][0-9]{0,4}$ ]] || {
	echo "services.sh: SHARE is not 1 to 99999: '$SHARE'" >&2
	exit 2
}
exec "$TOP/scripts/vm" --kernel "${KERNEL:-6.1}" --timeout $((HOURS * 3600)) -- env \
	OBSRING_TIMEOUT=$((HOURS * 3600)) \
	OBSRING_STORM_UPDATES=$((160000000 / SHARE)) \
	OBSRING_STORM_KILLS=$((10000 / SHARE + 1)) \
	OBSRING_WORKER_UPDATES=$((20000000 / SHARE)) \
	OBSRING_MEMBER_ATTACHES=$((1000000 / SHARE)) \
	/usr/libexec/obsring/tests/run.sh storm worker member memberlimit </dev/null
