#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""table.py check: is all that README.md's tables name there, and each target in them?
table.py count DIRECTORY: write into the table which lines were reached, by the programs
and the profiles in DIRECTORY.

A row of the first table is | file[: functions] | targets | seeds | lines |; of the
second, | what was wrong | test |, a test being a function, or a fuzzer's, of that name.
"""
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
README = HERE / "README.md"


class Row:
    """A parser: where it is, and what reaches it."""

    def __init__(self, line):
        self.cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        names = re.findall(r"`([^`]+)`", self.cells[0])
        self.path, self.functions = names[0], names[1:]
        self.targets = re.findall(r"fuzz_\w+", self.cells[1])

    def line(self, reached):
        return "| " + " | ".join(self.cells[:3] + [reached]) + " |\n"


def is_row(line):
    return line.startswith("| `") and line.count("|") == 5


def rows():
    return [Row(line) for line in README.read_text().splitlines() if is_row(line)]


def source(path):
    return TOP / ("include" if path.startswith("obsring/") else "userspace") / path


def check():
    """All that is wrong, a line each."""
    wrong = []
    named = set()
    for row in rows():
        named.update(row.targets)
        if not source(row.path).is_file():
            wrong.append(f"{row.path} is not there")
            continue
        text = source(row.path).read_text()
        wrong += [f"{row.path} has no {name}()" for name in row.functions
                  if not re.search(rf"^\w[^;]*\b{name}\(", text, re.M)]
        if not row.targets:
            wrong.append(f"{row.path} has no target")
    targets = {path.stem for path in HERE.glob("fuzz_*.c")}
    wrong += [f"{name}.c is in no row" for name in sorted(targets - named)]
    wrong += [f"{name}.c is not there" for name in sorted(named - targets)]
    found = re.findall(r"\| `unit/(test_\w+\.c): (\w+)` \|$", README.read_text(), re.M)
    wrong += [f"unit/{file} runs no {name}()" for file, name in found
              if not re.search(rf"cmocka_unit_test\w*\({name}[,)]",
                               (TOP / "tests/unit" / file).read_text())]
    if not named or not found:
        wrong.append("README.md has no table")
    return wrong


def lines_of(directory, target):
    """By file: (first line, last line) of each function by name, and lines with counts."""
    profile = directory / f"{target}.profdata"
    subprocess.run(["llvm-profdata", "merge", "-o", profile, directory / f"{target}.profraw"],
                   check=True)
    out = subprocess.run(["llvm-cov", "export", "-format=lcov", f"-instr-profile={profile}",
                          directory / target], check=True, stdout=subprocess.PIPE).stdout
    files = {}
    for line in out.decode().splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            begins, counts = files.setdefault(value, ({}, {}))
        elif key == "FN":
            at, name = value.split(",", 1)
            begins[name.split(":")[-1]] = int(at)
        elif key == "DA":
            at, count = value.split(",")[:2]
            counts[int(at)] = int(count)
    return files


def wanted(row, begins, at):
    """Is the line in one of the row's functions?"""
    if not row.functions:
        return True
    before = [(line, name) for name, line in begins.items() if line <= at]
    return bool(before) and max(before)[1] in row.functions


def reached(row, lines):
    """Of any of the row's targets."""
    path = str(source(row.path))
    counts = {}
    for target in row.targets:
        begins, found = lines[target].get(path, ({}, {}))
        for at, count in found.items():
            if wanted(row, begins, at):
                counts[at] = counts.get(at, 0) + count
    if not counts:
        sys.exit(f"table: nothing of {row.path} is in {row.targets}")
    hit = sum(1 for count in counts.values() if count)
    missing = sorted(at for at, count in counts.items() if not count)
    print(f"{row.path} {hit}/{len(counts)} not: {missing}")
    return f"{100 * hit // len(counts)} % of {len(counts)}"


def count(directory):
    lines = {target: lines_of(directory, target)
             for target in sorted({name for row in rows() for name in row.targets})}
    text = README.read_text().splitlines(keepends=True)
    README.write_text("".join(Row(line).line(reached(Row(line), lines)) if is_row(line) else line
                              for line in text))


if sys.argv[1] == "count":
    count(pathlib.Path(sys.argv[2]))
else:
    WRONG = check()
    for problem in WRONG:
        print(f"tests/fuzz/README.md: {problem}", file=sys.stderr)
    sys.exit(1 if WRONG else 0)
