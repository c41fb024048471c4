#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A guest's clock goes as the host's does, also while all of its processors
read it: test_clock.py CLOCK VM... asks CLOCK (clock.c) through VM.

Each answer was given between the going of its question and its own coming: so the
guest's time less the host's lies in an interval, wide on a busy host. If the
clocks go alike, all these intervals have a point in common.
"""

import subprocess
import sys
import time

ROUNDS = 5
READS = 100000     # by each of four threads, a round
TOLERANCE = 0.001  # seconds: QEMU's HPET is the host's monotonic clock


def ask(guest, reads):
    """Least and most that the guest's time may be ahead of the host's, in seconds."""
    before = time.monotonic()
    guest.stdin.write(f"{reads}\n")
    guest.stdin.flush()
    answer = int(guest.stdout.readline()) / 1e9
    return answer - time.monotonic(), answer - before


def main():
    program, vm = sys.argv[1], sys.argv[2:]
    guest = subprocess.Popen(
        vm + ["--file", program, "--", "/files/clock"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    answers = [ask(guest, 0)]
    for _ in range(ROUNDS):
        ask(guest, READS)
        answers += [ask(guest, 0) for _ in range(5)]
    guest.stdin.close()
    if guest.wait():
        sys.exit("test_clock: the guest failed")
    ahead = max(least for least, _ in answers) - min(most for _, most in answers)
    print(f"# the guest's clock went wrong by at least {max(ahead, 0) * 1000:.1f} ms")
    sys.exit(ahead > TOLERANCE)


main()
