#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes RESULTS.md and its plots of what is in results/.

What is compared with what stands in peers.py; what was measured, in the lines of
results/PART.tsv (rows.h has them). A figure that is not there is told as such: none is
made up, and none is anybody's published one.
"""

import os
import re
import sys

import peers
import plot

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "results")
EVEN = 0.05     # nearer than that, neither wins


class Figure:
    def __init__(self, line):
        self.what, self.way, self.at, self.unit, *rest = line.split("\t")
        self.middle, self.low, self.high = (float(n) for n in rest[:3])
        self.rounds = int(rest[3])


class Results:
    """All figures, and the heading of each part."""

    def __init__(self):
        self.figures, self.parts, self.part_of = [], {}, {}
        for part in peers.PARTS:
            path = os.path.join(RESULTS, part + ".tsv")
            if os.path.exists(path):
                self.read(part, path)

    def read(self, part, path):
        heading = self.parts[part] = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = line.rstrip("\n")
                if line.startswith("# "):
                    key, _, value = line[2:].partition(": ")
                    heading[key] = value
                else:
                    figure = Figure(line)
                    self.figures.append(figure)
                    self.part_of[figure] = part

    def find(self, what, way, at):
        """The figure whose way matches, or None."""
        for figure in self.figures:
            if figure.what == what and figure.at == at and re.fullmatch(way, figure.way):
                return figure
        return None

    def line(self, what, way):
        """Points of a plot: the number in "name=N", and the figure; of the last part."""
        points = {float(f.at.partition("=")[2]): f.middle for f in self.figures
                  if f.what == what and re.fullmatch(way, f.way) and f.middle > 0}
        return sorted(points.items())


# ---- Numbers as people read them ---------------------------------------------

def amount(value):
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def spread(figure):
    if figure.rounds < 2:
        return "one value" if figure.unit != "instructions" else "exact"
    return f"{amount(figure.low)}–{amount(figure.high)}"


def ratio(figure, ours):
    """How many times ours a peer costs; of rates, the reverse."""
    if figure.unit == "req/s":
        return ours.middle / figure.middle if figure.middle else 0
    return figure.middle / ours.middle if ours.middle else 0


def verdict(times):
    if times > 1 + EVEN:
        return f"{amount(times)}"
    if times < 1 - EVEN:
        return f"**{amount(times)}: the peer wins**"
    return f"{amount(times)}: even"


# ---- The tables --------------------------------------------------------------

class Report:
    def __init__(self, results):
        self.results = results
        self.lost, self.missing, self.out = [], [], []

    def compare(self, row):
        """A row of the peers' table: ours, then each peer's figure and ratio."""
        ours = self.results.find(*row.ours)
        if ours is None:
            self.missing.append((row.name, "obsring", row.ours))
            return
        self.out.append(f"| {row.name} | obsring: {row.says} | {amount(ours.middle)} "
                        f"| {spread(ours)} | |")
        for peer in row.peers:
            figure = self.results.find(peer.what, peer.way, peer.at)
            if figure is None:
                self.missing.append((row.name, peer.name, (peer.what, peer.way, peer.at)))
                continue
            times = ratio(figure, ours)
            if peer.judged:
                if times < 1 - EVEN:
                    self.lost.append((row.name, row.says, peer.name, times))
                told = verdict(times)
            else:
                told = amount(times) + f" ({peer.why})"
            self.out.append(f"| | {peer.name} | {amount(figure.middle)} | {spread(figure)} "
                            f"| {told} |")

    def section(self, section):
        self.out += ["", f"## {section.title}", ""]
        if section.text:
            self.out += [section.text, ""]
        there = len(self.out)
        self.out += [f"| what | who | {section.unit} | quartiles | times obsring's |",
                     "| --- | --- | --- | --- | --- |"]
        for row in section.rows:
            self.compare(row)
        if len(self.out) == there + 2:
            del self.out[there:]
            self.out.append("Not measured yet.")
        for name in section.plots:
            self.plot(name)

    def plot(self, name):
        spec = peers.PLOTS[name]
        lines = [(says, self.results.line(what, way)) for says, what, way in spec.lines]
        lines = [(says, points) for says, points in lines if len(points) > 1]
        path = os.path.join(RESULTS, name + ".svg")
        if not lines:
            if os.path.exists(path):
                os.remove(path)
            return
        with open(path, "w", encoding="utf-8") as file:
            file.write(plot.chart(spec.title, spec.x, spec.y, lines, spec.log_x, spec.log_y))
        self.out += ["", f"![{spec.title}](results/{name}.svg)"]
        xs = sorted({x for _, points in lines for x, _ in points})
        self.out += ["", f"| {spec.y}, by {spec.x} |" + "".join(f" {x:.0f} |" for x in xs),
                     "| --- |" + " --- |" * len(xs)]
        for says, points in lines:
            at = dict(points)
            self.out.append(f"| {says} |" + "".join(
                f" {amount(at[x]) if x in at else ''} |" for x in xs))

    def machine(self):
        runs = self.results.parts
        machines = sorted({(h.get("CPU", ""), h.get("kernel", ""), h.get("governor", ""))
                           for h in runs.values()})
        out = ["", "## Machine and runs", ""]
        for cpu, kernel, governor in machines:
            out.append(f"* {cpu}; {kernel}; frequency governor {governor}.")
        out += ["", "| part | when | run | seconds | load before | load after | tree | tools |",
                "| --- | --- | --- | --- | --- | --- | --- | --- |"]
        for part in peers.PARTS:
            if part not in runs:
                out.append(f"| {part} | not run | | | | | | |")
                continue
            h = runs[part]
            name = part + (f" ({h['short']})" if h.get("short") else "")
            out.append("| " + " | ".join([name] + [h.get(key, "") for key in (
                "date", "run", "seconds", "load before", "load after", "commit", "tools")]) + " |")
        return out

    def not_run(self):
        out = ["", "## Not measured", ""]
        out += [f"* {what}: {why}" for what, why in peers.NOT_RUN]
        for name, who, (what, way, at) in self.missing:
            out.append(f"* {name}, {who}: not in these runs (`{what}`, {at}).")
        return out

    def summary(self):
        runs = {h.get("run") for h in self.results.parts.values()}
        out = ["", "## In short", ""]
        if len(runs) > 1:
            out += [f"These figures are of {len(runs)} runs: see [below](#machine-and-runs). "
                    "Each comparison is within one part of one run, but for bpftrace's "
                    "instructions, which repeat.", ""]
        if not self.lost:
            return out + ["No peer wins a row."]
        out += ["Where a peer wins (less than 1 is a peer that costs less, or does more):", ""]
        out += [f"* {name}: {who} takes {times:.2f} of what {says} takes."
                for name, says, who, times in self.lost]
        return out

    def write(self):
        for section in peers.SECTIONS:
            self.section(section)
        head = ["<!-- SPDX-License-Identifier: MIT -->", "<!-- Written by report.py: do not edit. -->",
                "# Results", "", peers.INTRODUCTION]
        text = "\n".join(head + self.summary() + self.out + self.not_run() + self.machine())
        with open(os.path.join(HERE, "RESULTS.md"), "w", encoding="utf-8") as file:
            file.write(text + "\n")


def main():
    results = Results()
    if not results.parts:
        sys.exit("report.py: nothing is in tests/bench/results: run tests/bench/bench.sh")
    Report(results).write()


main()
