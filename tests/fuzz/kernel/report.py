#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
How many of the module's KCOV blocks a run of kcov_fuzz reached: report.py KO OUTPUT...
[--at-least PERCENT] [--unreached FILE]

A block is a call of __sanitizer_cov_trace_pc, and belongs to the file whose function
it is in, whatever else was made part of that. Exits 1 if device, netlink or ring code
has less than PERCENT. FILE gets each block of theirs that was not reached: its function,
its line and, where the file unreachable has one, the reason.
"""

import argparse
import collections
import os
import re
import subprocess
import sys

# What these three are, by file; the rest is shown and not judged.
GROUPS = {
    "device": ("chardev", "logread", "logwrite", "context", "service", "service_map",
               "service_metric", "process", "sleeper", "logfmt", "logline"),
    "netlink": ("netlink", "netlink_request", "netlink_family", "netlink_series",
                "netlink_source", "netlink_log", "netlink_sample", "netlink_service",
                "netlink_fill"),
    "ring": ("logring", "logresize", "log", "logsource", "ring"),
}


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True,
                          **options).stdout


def blocks(module):
    """{section: addresses behind the calls}"""
    found = collections.defaultdict(list)
    section = None
    for line in run("readelf", "-rW", module).splitlines():
        match = re.match(r"Relocation section '\.rela(\S+)'", line)
        if match:
            section = match[1]
        elif re.search(r"\b__sanitizer_cov_trace_pc\b", line) and ".text" in section:
            found[section].append(int(line.split()[0], 16) + 4)
    return found


def places(module, section, addresses):
    """Of each address: (compiled file, function, innermost file:line)."""
    text = "".join(f"{address - 1:#x}\n" for address in addresses)
    lines = run("addr2line", "-a", "-f", "-i", "-e", module, "-j", section, input=text)
    frames, all_places = [], []
    for line in lines.splitlines() + ["0x"]:
        if not line.startswith("0x"):
            frames.append(line)
            continue
        if frames:
            # Function and place by turns, from the innermost on.
            outer = re.sub(r":.*", "", frames[-1])
            all_places.append((outer, frames[-2], short(frames[1])))
            frames = []
    return all_places


def short(place):
    place = re.sub(r" \(discriminator.*", "", place)
    match = re.search(r"(kmod/|include/(linux|net|obsring|asm)/)[^ ]*$", os.path.normpath(place))
    return match[0] if match else place


def reached(outputs):
    seen = set()
    for output in outputs:
        with open(output, encoding="utf-8", errors="replace") as file:
            seen |= {line.split()[1] for line in file if line.startswith("reached ")}
    return seen


def reasons():
    """[(function, file, reason)]"""
    path = os.path.join(os.path.dirname(__file__), "unreachable")
    with open(path, encoding="utf-8") as file:
        return [line.split(None, 2) for line in file.read().splitlines()
                if line and line[0] != "#"]


def reason_of(known, function, place):
    return next((reason for of, file, reason in known
                 if of in ("*", function) and file in ("*", place.split(":")[0])), "")


def group_of(name):
    return next((group for group, files in GROUPS.items() if name.rsplit(".", 1)[0] in files), "others")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("output", nargs="+")
    parser.add_argument("--at-least", type=float, default=80)
    parser.add_argument("--unreached")
    args = parser.parse_args()

    seen = reached(args.output)
    files = collections.defaultdict(lambda: [0, 0])
    groups = collections.defaultdict(lambda: [0, 0])
    missed = []
    known = reasons()
    excused = collections.Counter()
    for section, addresses in blocks(args.module).items():
        for address, place in zip(addresses, places(args.module, section, addresses)):
            # KASAN's destructors of globals, which modules do not run.
            if place[1].startswith("_sub_D_"):
                continue
            hit = f"{section}+{address:#x}" in seen
            name = os.path.basename(place[0])
            for count in files[name], groups[group_of(name)]:
                count[0] += hit
                count[1] += 1
            if not hit and group_of(name) != "others":
                reason = reason_of(known, place[1], place[2])
                excused[group_of(name)] += bool(reason)
                missed.append((group_of(name), name, place[2], place[1], reason))

    for group in (*GROUPS, "others"):
        for name in sorted(files, key=lambda n: -files[n][1]):
            if group_of(name) == group:
                print("  %-20s %5d of %5d blocks, %3d %%"
                      % (name, *files[name], 100 * files[name][0] // files[name][1]))
        print("%-22s %5d of %5d blocks, %.1f %%; of the others, no call reaches %d"
              % (group, *groups[group], 100 * groups[group][0] / max(groups[group][1], 1),
                 excused[group]))
    if args.unreached:
        with open(args.unreached, "w") as file:
            for group, name, place, function, reason in sorted(missed):
                file.write(f"{group} {name} {function} {place} {reason}".rstrip() + "\n")
    low = [group for group in GROUPS
           if 100 * groups[group][0] < args.at_least * groups[group][1]]
    for group in low:
        print(f"report.py: of {group}, less than {args.at_least:g} % were reached",
              file=sys.stderr)
    sys.exit(bool(low))


main()
