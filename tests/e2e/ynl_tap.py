# SPDX-License-Identifier: MIT
"""Tests as functions, in the order they are written; prints TAP."""
import traceback

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what="it"):
    if got != want:
        raise AssertionError(f"{what} is {got!r}, not {want!r}")


def run():
    """Runs all; returns the program's exit status."""
    failed = 0
    for number, function in enumerate(TESTS, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed = 1
            print(f"not ok {number} - {name}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    print(f"1..{len(TESTS)}", flush=True)
    return failed
