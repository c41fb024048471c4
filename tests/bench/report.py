#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes RESULTS.md and its plots of what is in results/.

What is compared with what stands in peers.py; what was measured, in the lines of
results/PART.tsv (rows.h has them). A figure that is not there is told as such, and the exit
status is 1 then: none is made up, and none is anybody's published one. An argument names
another folder than this one for results/ and RESULTS.md.
"""

import os
import re
import sys

import peers
import plot

HERE = os.path.dirname(os.path.abspath(__file__))
EVEN = 0.05     # nearer than that, neither wins


class Figure:
    def __init__(self, line):
        self.what, self.way, self.at, self.unit, *rest = line.split("\t")
        self.middle, self.low, self.high = (float(n) for n in rest[:3])
        self.rounds = int(rest[3])


class Results:
    """All figures, and the heading of each part."""

    def __init__(self, folder):
        self.figures, self.parts = {}, {}
        for part in peers.PARTS:
            path = os.path.join(folder, part + ".tsv")
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
                    self.add(Figure(line))

    def add(self, figure):
        key = (figure.what, figure.way, figure.at)
        before = self.figures.setdefault(key, figure)
        if vars(before) != vars(figure):
            sys.exit(f"report.py: two figures of {', '.join(key)}")

    def find(self, what, way, at):
        """The figure whose way matches, or None."""
        found = [figure for figure in self.figures.values() if figure.what == what and
                 figure.at == at and re.fullmatch(way, figure.way)]
        if len(found) > 1:
            sys.exit(f"report.py: {what}, {at}: more than one way is {way}")
        return found[0] if found else None

    def line(self, what, way):
        """Points of a plot: the number in "name=N", the figure and its quartiles."""
        return sorted((float(f.at.partition("=")[2]), f.middle, f.low, f.high)
                      for f in self.figures.values()
                      if f.what == what and re.fullmatch(way, f.way) and f.low > 0)

    def processors(self):
        """How many each machine had on line."""
        return sorted({re.sub(r".*?([0-9]+) online.*", r"\1", heading["CPU"])
                       for heading in self.parts.values() if "CPU" in heading})


# ---- Numbers as people read them ---------------------------------------------

def amount(value):
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or not value else f"{value:.3f}"


def spread(figure):
    if figure.rounds < 2:
        return "one value"
    return f"{amount(figure.low)}–{amount(figure.high)} ({figure.rounds})"


def is_rate(figure):
    return figure.unit == "req/s"


def ratio(figure, ours):
    """How many times ours a peer costs; of rates, the reverse."""
    of, to = (ours, figure) if is_rate(figure) else (figure, ours)
    return of.middle / to.middle if to.middle else 0


def wins(kind, times):
    return kind != peers.FLOOR and times < 1 - EVEN


def verdict(peer, times):
    if wins(peer.kind, times):
        told = f"**{amount(times)}: the peer wins**"
    elif peer.kind == peers.PEER and times <= 1 + EVEN:
        told = f"{amount(times)}: even"
    else:
        told = amount(times)
    return told + (f" ({peer.why})" if peer.why else "")


def to_reach(goal):
    if not goal.of:
        return f"at most {goal.limit:g} {goal.unit}"
    if goal.limit == 1:
        return f"better than {goal.unit}"
    if goal.limit < 1:
        return f"at least {goal.limit:g} of {goal.unit}"
    return f"at least {goal.limit:g} times better than {goal.unit}"


# ---- The tables --------------------------------------------------------------

class Report:
    def __init__(self, results, folder):
        self.results, self.folder = results, folder
        self.lost, self.missing, self.out = [], [], []

    def find(self, row, who, key):
        figure = self.results.find(*key)
        if figure is None:
            self.missing.append(f"{row}, {who}: `{key[0]}`, {key[2]}")
        return figure

    def compare(self, row):
        """A row of the peers' table: ours, then each peer's figure and ratio."""
        ours = self.find(row.name, "obsring", row.ours)
        if ours is None:
            return
        self.out.append(f"| {row.name} | obsring: {row.says} | {amount(ours.middle)} "
                        f"| {spread(ours)} | |")
        for peer in row.peers:
            figure = self.find(row.name, peer.name, (peer.what, peer.way, peer.at))
            if figure is None:
                continue
            times = ratio(figure, ours)
            if wins(peer.kind, times):
                self.lost.append((row, peer, times, is_rate(figure)))
            self.out.append(f"| | {peer.name} | {amount(figure.middle)} | {spread(figure)} "
                            f"| {verdict(peer, times)} |")

    def section(self, section):
        self.out += ["", f"## {section.title}", ""]
        if section.text:
            self.out += [section.text, ""]
        there = len(self.out)
        self.out += [f"| what | who | {section.unit} | quartiles (rounds) | {section.ratio} |",
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
        lines = []
        for says, what, way in spec.lines:
            points = self.results.line(what, way)
            if {x for x, *_ in points} >= set(spec.at):
                lines.append((says, points))
            else:
                self.missing.append(f"the plot \"{spec.title}\", {says}: `{what}` at all of "
                                    + ", ".join(str(x) for x in spec.at))
        path = os.path.join(self.folder, "results", name + ".svg")
        if not lines:
            if os.path.exists(path):
                os.remove(path)
            return
        with open(path, "w", encoding="utf-8") as file:
            file.write(plot.chart(spec.title, spec.x, spec.y, lines, spec.log_x, spec.log_y))
        self.out += ["", f"![{spec.title}](results/{name}.svg)"]
        xs = sorted({x for _, points in lines for x, *_ in points})
        self.out += ["", f"| {spec.y}, by {spec.x} |" + "".join(f" {x:.0f} |" for x in xs),
                     "| --- |" + " --- |" * len(xs)]
        for says, points in lines:
            at = {x: y for x, y, *_ in points}
            self.out.append(f"| {says} |" + "".join(
                f" {amount(at[x]) if x in at else ''} |" for x in xs))

    def machine(self):
        runs = self.results.parts
        machines = sorted({tuple(h.get(key, "unknown") for key in
                                 ("CPU", "memory", "kernel", "system", "governor"))
                           for h in runs.values()})
        out = ["", "## Machine and runs", ""]
        for cpu, memory, kernel, system, governor in machines:
            out.append(f"* {cpu}, {memory} of memory; {kernel}; {system}; "
                       f"frequency governor {governor}.")
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

    def failed(self):
        """Parts whose figures are not those of the last run, and why."""
        told = []
        for part in peers.PARTS:
            heading = self.results.parts.get(part)
            if heading is None:
                told.append(f"part {part} was never run to its end")
            elif "failed" in heading:
                told.append(f"part {part} failed in run {heading['failed']}: its figures are "
                            f"those of run {heading['run']}" if "run" in heading else
                            f"part {part} failed in run {heading['failed']}: it has no figures")
        return told

    def not_run(self):
        cpus = " and ".join(self.results.processors()) or "no known number of"
        out = ["", "## Not measured", ""]
        out += [f"* {what}: {why.format(cpus=cpus)}" for what, why in peers.NOT_RUN]
        out += [f"* **Missing**: {what}." for what in self.missing + self.failed()]
        return out

    def goals(self):
        out = ["", "## What was to reach", "", "| what | to reach | is | |",
               "| --- | --- | --- | --- |"]
        for goal in peers.GOALS:
            ours = self.find("to reach", goal.name, goal.ours)
            other = self.find("to reach", goal.name, goal.of) if goal.of else None
            if ours is None or (goal.of and other is None):
                continue
            got = ratio(other, ours) if other else ours.middle
            reached = got >= goal.limit if other else got <= goal.limit
            out.append(f"| {goal.name} | {to_reach(goal)} | {amount(got)} | "
                       f"{'reached' if reached else '**missed**'} |")
        return out

    def summary(self):
        runs = sorted({h.get("run", "") for h in self.results.parts.values()})
        out = ["", "## In short", ""]
        if len(runs) > 1:
            out.append(f"These figures are of {len(runs)} runs: see [below](#machine-and-runs). "
                       "Each comparison is within one part of one run, but for bpftrace's "
                       "instructions.")
        else:
            out.append(f"All figures are of one run, {runs[0]}: see [below](#machine-and-runs).")
        short = [part for part, heading in self.results.parts.items() if heading.get("short")]
        if short:
            out += ["", "**A short run**, which shows that all runs, not what it costs: "
                    + ", ".join(short) + "."]
        for what in self.missing + self.failed():
            out += ["", f"**Missing**: {what}."]
        if not self.lost:
            return out + ["", "No peer wins a row."]
        out += ["", "Where a peer wins:", ""]
        for row, peer, times, rate in self.lost:
            if rate:
                out.append(f"* {row.name}: {row.says} answers {amount(times)} of what {peer.name} does.")
            else:
                out.append(f"* {row.name}: {peer.name} takes {amount(times)} of what {row.says} takes"
                           + (f", and has {peer.why}." if peer.kind == peers.MORE else "."))
        return out

    def write(self):
        """Whether all was there."""
        for section in peers.SECTIONS:
            self.section(section)
        goals = self.goals()
        head = ["<!-- SPDX-License-Identifier: MIT -->", "<!-- Written by report.py: do not edit. -->",
                "# Results", "", peers.INTRODUCTION]
        text = "\n".join(head + self.summary() + goals + self.out + self.not_run() + self.machine())
        with open(os.path.join(self.folder, "RESULTS.md"), "w", encoding="utf-8") as file:
            file.write(text + "\n")
        return not self.missing and not self.failed()


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    results = Results(os.path.join(folder, "results"))
    if not results.figures:
        sys.exit("report.py: nothing is in results/: run tests/bench/bench.sh")
    report = Report(results, folder)
    if not report.write():
        sys.exit("\n".join(f"report.py: missing: {what}"
                            for what in report.missing + report.failed()))


if __name__ == "__main__":
    main()
