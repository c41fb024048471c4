#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Weakens every order of include/obsring in turn, and sees that it is noticed.

usage: mutations.py list                 each order of the headers, as a row
       mutations.py check                does MUTATIONS.md name exactly those?
       mutations.py search BUILD         that, and each search with the headers as they are
       mutations.py run BUILD [TEXT...]  that, and each row's search or stress test with that
                                         one order weakened, which must fail; with TEXT, of
                                         rows that have each of them. JOBS: how many at once

All but list print TAP.

An order is an operation of platform.h that has one. It is known by its header, its
function, its name and which of those in that function it is. Weakened, in a copy of the
header that differs in nothing else, it is the same access without an order; a fence is
nothing.
"""
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HEADERS = os.path.join(TOP, "include/obsring")
TABLE = os.path.join(HERE, "MUTATIONS.md")
STRESS_SECONDS = "3"

# What becomes of each ordered operation.
WEAKER = {
    "obs_load_acquire(": "obs_read_once(",
    "obs_store_release(": "obs_write_once(",
    "obs_try_cmpxchg_acquire(": "obs_try_cmpxchg(",
    "obs_try_cmpxchg_release(": "obs_try_cmpxchg(",
    "obs_xchg_acquire(": "obs_xchg_relaxed(",
    "obs_rmb()": "((void)0)",
    "obs_wmb()": "((void)0)",
    "obs_barrier()": "((void)0)",
}
# All else that platform.h has: a name of it that is in neither is to be put into one.
UNORDERED = {
    "obs_read_once", "obs_write_once", "obs_write_pair", "obs_try_cmpxchg",
    "obs_try_cmpxchg_local", "obs_add_local", "obs_add_return_local",
    "obs_dec_negative_local", "obs_likely", "obs_mul_high", "obs_mul_fold",
    "obs_user_begin", "obs_user_end", "obs_user_load",
}
# Plain accesses that a search must see: words that their owner shares with interrupts.
PLAIN = {
    "sample.h": [
        (r"slot->(rest|carry|ahead|density|length|excess|state) \+= ([^;]+);", r"slot->\1 = slot->\1 + \2;"),
        (r"slot->(rest|carry|ahead|density|length|excess|state) = ([^;]+);", r"obs_write_once(&slot->\1, \2);"),
        (r"(?<!&)slot->(rest|carry|ahead|density|length|excess|state)\b", r"obs_read_once(&slot->\1)"),
    ],
}
ORDERED = re.compile(r"\b(" + "|".join(w[:w.index("(")] for w in WEAKER) + r")\(")
DEFINED = re.compile(r"^(?:#define |static [^;(]*?)\b(obs_\w+)\(", re.M)
BUILTIN = re.compile(r"__ATOMIC_(?!RELAXED)\w+|\bsmp_\w+|\b__atomic_(?:thread|signal)_fence")
FUNCTION = re.compile(r"^(?:static|struct|enum|obs_|__u)[^;=]*?\b(obs_\w+)\(", re.M)
LABEL = re.compile(r"\b[a-z][a-z_]*:[A-Z]\b")


def comments_blanked(text):
    """The same length, so that places in it are places in the text."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)


def orders_of(header):
    """(function, operation, its number in the function, offset, labels), in order."""
    text = open(os.path.join(HEADERS, header)).read()
    code = comments_blanked(text)
    functions = [(m.start(), m.group(1)) for m in FUNCTION.finditer(code)]
    seen, found = {}, []
    for match in ORDERED.finditer(code):
        at, name = match.start(), match.group(1)
        function = ([f for start, f in functions if start <= at] or ["-"])[-1]
        seen[function, name] = seen.get((function, name), 0) + 1
        found.append((function, name, seen[function, name], at, labels_at(text, at)))
    for match in BUILTIN.finditer(code):
        sys.exit(f"mutations: {header}: {match.group()}: only platform.h names orders so")
    return found


def labels_at(text, at):
    """The labels in the comment on the operation's line, or else right above it."""
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    here = re.search(r"/\*.*", text[begin:end])
    if here:
        return LABEL.findall(here.group())
    above = text[:begin].rstrip()
    while not above.endswith("*/"):
        # A call that began a line before.
        if above.endswith((";", "{", "}")) or "\n" not in above:
            return []
        above = above[:above.rfind("\n")].rstrip()
    return LABEL.findall(above[above.rfind("/*"):])


def all_orders():
    platform = comments_blanked(open(os.path.join(HEADERS, "platform.h")).read())
    known = UNORDERED | {w[:w.index("(")] for w in WEAKER}
    for name in sorted(set(DEFINED.findall(platform)) - known):
        sys.exit(f"mutations: platform.h: {name}: has it an order? Put it into WEAKER or "
                 "UNORDERED, and into weak/platform.h")
    rows = []
    for header in sorted(os.listdir(HEADERS)):
        if header != "platform.h" and header.endswith(".h"):
            rows += [(header,) + order for order in orders_of(header)]
    return rows


def key(row):
    header, function, name, number = row[:4]
    return f"{header} {function} {name} {number}"


# ---- The table -------------------------------------------------------------


def table():
    """key -> (found by, what shows), of MUTATIONS.md's rows."""
    rows = {}
    for line in open(TABLE):
        cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
        if len(cells) != 7 or not cells[0].endswith(".h"):
            continue
        name = " ".join(cells[:4])
        if name in rows:
            sys.exit(f"mutations: MUTATIONS.md: {name}: twice")
        rows[name] = (cells[4], cells[5], cells[6])
    return rows


def check():
    """Rows and orders are the same, labels included. True if so."""
    rows, good = table(), True
    for row in all_orders():
        name, labels = key(row), " ".join(row[5])
        if name not in rows:
            print(f"# {name}: an order that MUTATIONS.md does not name")
            good = False
        elif rows[name][0] != labels:
            print(f"# {name}: its labels are {labels}, not {rows[name][0]}")
            good = False
        if not labels and row[2] != "obs_barrier":
            print(f"# {name}: has no label that names its partner")
            good = False
        rows.pop(name, None)
    for name in rows:
        print(f"# {name}: no such order in the headers")
        good = False
    for header in PLAIN:
        text = comments_blanked(open(os.path.join(HEADERS, header)).read())
        for store in re.findall(r"\bslot->\w+ [-+|&^]?= ", plain_seen(header, text)):
            print(f"# {header}: {store.strip()}: a plain store that PLAIN does not name")
            good = False
    return good


# ---- Building and running --------------------------------------------------


def weaken(text, row):
    """@text of the row's header with that one order gone."""
    name, at = row[2], row[4]
    old = next(w for w in WEAKER if w.startswith(name + "("))
    assert text.startswith(old, at)
    changed = text[:at] + WEAKER[old] + text[at + len(old):]
    assert changed[:at] == text[:at] and changed.endswith(text[at + len(old):])
    return changed


def plain_seen(header, text):
    """@text with its plain accesses as those of weak.h."""
    for pattern, seen in PLAIN.get(header, []):
        text = re.sub(pattern, seen, text)
    return text


def copy_headers(where, row, program):
    """The headers, one of them weaker; the machine's platform.h for a search."""
    os.makedirs(os.path.join(where, "obsring"), exist_ok=True)
    for header in sorted(os.listdir(HEADERS)):
        text = open(os.path.join(HEADERS, header)).read()
        if row and header == row[0]:
            text = weaken(text, row)
        if program.startswith("weak/"):
            text = plain_seen(header, text)
            if header == "platform.h":
                text = open(os.path.join(HERE, "weak/platform.h")).read()
        with open(os.path.join(where, "obsring", header), "w") as f:
            f.write(text)


def commands(program, where):
    """How it is built, and how it is run."""
    binary = os.path.join(where, os.path.basename(program))
    flags = ["gcc", "-g", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
             "-fno-strict-aliasing", "-I" + where, "-I" + TOP + "/include/uapi",
             "-I" + TOP + "/include"]
    if program.startswith("weak/"):
        weak = os.path.join(HERE, "weak")
        return (flags + ["-O2", "-Wno-missing-field-initializers", "-I" + weak, "-o", binary, f"{HERE}/{program}.c",
                         weak + "/weak.c"], [binary])
    return (flags + ["-O1", "-fno-omit-frame-pointer", "-pthread", "-fsanitize=thread",
                     "-Wno-tsan", "-Wno-unused",
                     "-Dobs_xchg_relaxed(p,v)=__atomic_exchange_n((p),(v),__ATOMIC_RELAXED)",
                     "-o", binary, f"{TOP}/tests/stress/{os.path.basename(program)}.c",
                     "-lm"],
            ["setarch", "-R", "env",
             f"TSAN_OPTIONS={os.environ.get('TSAN_OPTIONS', '')} exitcode=66 halt_on_error=1",
             binary, STRESS_SECONDS])


def run_one(build, program, row):
    """(verdict, output): "holds", "found", or what went wrong."""
    name = key(row).replace(" ", "-") if row else "unchanged"
    where = os.path.join(os.path.abspath(build), program.replace("/", "-"), name)
    copy_headers(where, row, program)
    compile_command, command = commands(program, where)
    made = subprocess.run(compile_command, capture_output=True, text=True)
    if made.returncode:
        return "does not compile", made.stderr
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired:
        return "does not end", ""
    out = ran.stdout + ran.stderr
    with open(os.path.join(where, "out"), "w") as f:
        f.write(out)
    if ran.returncode == 0:
        return "holds", out
    # 1: a check failed; 66: a race; anything else is the program's own fault.
    found = ran.returncode in (1, 66)
    return ("found" if found else f"status {ran.returncode}"), out


def what(out):
    """The line that says what failed."""
    for line in out.splitlines():
        if "not so:" in line or "at once" in line or "written while" in line or \
                "WARNING: ThreadSanitizer" in line:
            return re.sub(r"\S*/tests/", "tests/", line.strip())
    return (out.splitlines() or ["nothing"])[0]


def searches():
    return ["weak/" + name[:-2] for name in sorted(os.listdir(os.path.join(HERE, "weak")))
            if name.endswith(".c") and name != "weak.c"]


def chosen(texts):
    """(program, row) of the table's rows that have all of @texts."""
    orders = {key(row): row for row in all_orders()}
    return [(by, orders[name]) for name, (_, by, _) in table().items()
            if name in orders and all(text in f"{name} {by}" for text in texts)]


def one(build, job):
    """The lines that say how it went, and whether it went well."""
    program, row = job
    begun = time.time()
    verdict, out = run_one(build, program, row)
    good = verdict == ("found" if row else "holds")
    text = f"{program}: {key(row) if row else 'the headers as they are'}: {verdict}"
    if row and good:
        text += f": {what(out)}"
    text += f" ({time.time() - begun:.0f} s)"
    lines = [] if row and good else out.splitlines()[-30:]
    return good, text, lines


def run(build, jobs, checked):
    print("TAP version 13")
    print(f"1..{len(jobs) + 1}")
    print("ok" if checked else "not ok",
          "1 - MUTATIONS.md names each order of include/obsring", flush=True)
    failed = not checked
    with ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        for number, (good, text, lines) in \
                enumerate(pool.map(lambda job: one(build, job), jobs), 2):
            failed |= not good
            print("ok" if good else "not ok", number, "-", text)
            for line in lines:
                print("#", line)
            sys.stdout.flush()
    return not failed


def main():
    if sys.argv[1:] == ["list"]:
        for row in all_orders():
            print("|", " | ".join([f"`{c}`" for c in row[:3]] + [str(row[3])] +
                                  [" ".join(row[5]), "", ""]), "|")
        return True
    if sys.argv[1:] == ["check"]:
        return run(None, [], check())
    if len(sys.argv) == 3 and sys.argv[1] == "search":
        return run(sys.argv[2], [(program, None) for program in searches()], check())
    if len(sys.argv) >= 3 and sys.argv[1] == "run":
        rows = chosen(sys.argv[3:])
        programs = sorted({program for program, _ in rows})
        return run(sys.argv[2], [(program, None) for program in programs] + rows, check())
    print(__doc__.split("\n\n")[1].split("\nAll")[0], file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    sys.exit(not main())
