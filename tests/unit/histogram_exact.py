#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The exact bounds of Prometheus' native schemas, in integers alone.

Writes, for each exp10 from -12 to 0 and each eighth of an octave from 2^-40 to
2^40 (which contain the bounds of schemas 0 to 2), a line

    exp10 index bound

with bound the largest integer v for which v * 10^exp10 <= 2^(index / 8):

    v^8 * 10^(8 * exp10) <= 2^index
    v^8 <= 2^index * 10^(-8 * exp10)      a rational number

and 2^64 - 2 where that is greater: so far reach the counters.
"""

LIMIT = 2**64 - 2


def eighth_root(n):
    """The largest integer v for which v^8 <= n."""
    low, high = 0, 1 << (n.bit_length() // 8 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**8 <= n:
            low = middle
        else:
            high = middle - 1
    return low


def bound(exp10, index):
    scale = 10 ** (-8 * exp10)
    # v^8 is an integer: the rational number's floor serves as well.
    n = scale << index if index >= 0 else scale >> -index
    v = eighth_root(n)
    assert v**8 * 2 ** max(-index, 0) <= scale * 2 ** max(index, 0)
    assert (v + 1) ** 8 * 2 ** max(-index, 0) > scale * 2 ** max(index, 0)
    return min(v, LIMIT)


for exp10 in range(-12, 1):
    for index in range(-40 * 8, 40 * 8 + 1):
        print(exp10, index, bound(exp10, index))
