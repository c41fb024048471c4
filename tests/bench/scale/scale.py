#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scale.py ROUNDS SCALE_COST SCALE_GO: what an update costs against labels and series.

Asks both programs in turn, so that what else the machine does meets both, and prints
Markdown tables; a line a figure for report.py to the file that BENCH_ROWS names.
"""

import os
import subprocess
import sys

LABELS = (0, 1, 2, 4, 6)
SERIES = (100, 1000, 10000, 100000, 1000000)
UPDATES = 20000
# WAY, which program, what it is called, updates a turn.
BY_LABELS = (
    ("add", 0, "`obs_counter_add()`", UPDATES * 10),
    ("inc", 1, "Go client, `Inc()`", UPDATES * 10),
    ("find", 0, "`obs_counter_new()` of a known series and `obs_counter_add()`", UPDATES),
    ("with", 1, "Go client, `WithLabelValues().Inc()`", UPDATES),
)
BY_SERIES = (
    ("series", 0, "`obs_counter_add()`", None),
    ("series", 1, "Go client, `Inc()`", None),
    ("words", 0, "atomic words", None),
)


class Program:
    def __init__(self, path):
        self.child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)

    def ask(self, way, number, updates):
        self.child.stdin.write(f"{way} {number} {updates}\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"scale.py: {self.child.args[0]} does not answer")
        return float(line)

    def end(self):
        self.child.stdin.close()
        self.child.wait()


def tell(rows, what, way, at, figures):
    figures.sort()
    nr = len(figures)
    fields = (figures[nr // 2], figures[nr // 4], figures[nr - 1 - nr // 4])
    if rows:
        print(what, way, at, "ns", *(f"{f:.6g}" for f in fields), nr, sep="\t", file=rows)
    return f"{fields[0]:.1f}"


def labels(programs, rounds, rows):
    found = {}
    for _ in range(rounds):
        for number in LABELS:
            for way, which, _, updates in BY_LABELS:
                found.setdefault((way, number), []).append(
                    programs[which].ask(way, number, updates))
    print("| ns an update, by labels |" + "".join(f" {n} |" for n in LABELS))
    print("| --- |" + " --- |" * len(LABELS))
    for way, _, text, _ in BY_LABELS:
        cells = [tell(rows, "labels", text, f"labels={n}", found[way, n]) for n in LABELS]
        print(f"| {text} |" + "".join(f" {c} |" for c in cells))


def series(programs, rounds, rows):
    cells = {text: [] for _, _, text, _ in BY_SERIES}
    for number in SERIES:
        # Each series several times, and some tenths of a second in all.
        updates = max(2 * number, 200000)
        found = {text: [] for _, _, text, _ in BY_SERIES}
        for way, which, _, _ in BY_SERIES:
            programs[which].ask(way, number, updates)
        for _ in range(rounds):
            for way, which, text, _ in BY_SERIES:
                found[text].append(programs[which].ask(way, number, updates))
        for text, figures in found.items():
            cells[text].append(tell(rows, "series", text, f"series={number}", figures))
    print("| ns an update, one series after the other by chance, of |"
          + "".join(f" {n} |" for n in SERIES))
    print("| --- |" + " --- |" * len(SERIES))
    for text, of_it in cells.items():
        print(f"| {text} |" + "".join(f" {c} |" for c in of_it))


def main():
    rounds = int(sys.argv[1])
    programs = [Program(path) for path in sys.argv[2:4]]
    path = os.environ.get("BENCH_ROWS")
    rows = open(path, "a", encoding="utf-8") if path else None
    labels(programs, rounds, rows)
    print()
    series(programs, rounds, rows)
    for program in programs:
        program.end()
    print(f"\n{rounds} rounds.")


main()
