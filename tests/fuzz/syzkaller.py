#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
What can be checked of obsring.txt, syzkaller's descriptions, without syzkaller:

  * each command that is a request, each attribute, ioctl, flag and value of the uapi
    header is named, and nothing is that the header has not;
  * obsring.txt.const has the header's values, as the compiler sees them;
  * structures have the header's size, and their fields its names and offsets;
  * sizes that are written as numbers are those of the structures;
  * each type, union, set of flags and of strings that is used is defined, and each
    that is defined is used.

syzkaller.py [--write]: with it, obsring.txt.const is made anew.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HEADER = os.path.join(TOP, "include/uapi/linux/obsring.h")
TEXT = os.path.join(HERE, "obsring.txt")
CONST = TEXT + ".const"
STRUCTS = ("obsring_context", "obsring_attach", "obsring_metric", "obsring_processes",
           "obsring_sleepers")

# Of the header, what requests and calls are made of.
WANTED = re.compile(r"OBSRING_(A|CMD|IOC|KIND|STATE|ORIGIN|PROBE|RULE|ATTACH|METRIC|CONTEXT)_\w+")
NOT_WANTED = re.compile(r"OBSRING_\w+_(NTF|MAX)$|OBSRING_(A|CMD|PROBE|RULE)_UNSPEC$"
                        r"|OBSRING_STATES?_NAME_MAX$|OBSRING_STATES_MAX$")
# Types of syzkaller's own, and of its other descriptions.
KNOWN = set("""int8 int16 int32 int64 array const flags len bytesize string stringnoz ptr ptr64
    buffer vma fileoff fd uid pid void nlattr nlnest sock_nl_generic msghdr_netlink netlink_msg_t
    genlmsghdr_t send_flags seek_whence mmap_prot mmap_flags in out inout NETLINK_GENERIC_FAMILY_ID
    packed varlen parent CMD POLICY text bounds data addr""".split())

problems = []


def problem(text):
    problems.append(text)


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def header_names():
    """What the header defines: of enums and of #define, in order."""
    text = without_comments(open(HEADER).read())
    names = re.findall(r"^#define\s+(OBSRING_\w+)[ \t]+\S", text, flags=re.M)
    for body in re.findall(r"enum \w+ \{(.*?)\}", text, flags=re.S):
        names += re.findall(r"\b(OBSRING_\w+)\b", body)
    return [name for name in dict.fromkeys(names)
            if WANTED.fullmatch(name) and not NOT_WANTED.search(name)]


def compiled(expressions):
    """The values of expressions of C, by compiling a program that prints them."""
    lines = "".join(f'printf("%lld\\n", (long long)({e}));\n' for e in expressions)
    source = ("#define _GNU_SOURCE\n#include <fcntl.h>\n#include <stddef.h>\n#include <stdio.h>\n"
              "#include <linux/obsring.h>\nint main(void)\n{\n" + lines + "return 0;\n}\n")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "program")
        subprocess.run([os.environ.get("CC", "gcc"), "-x", "c", "-I",
                        os.path.join(TOP, "include/uapi"), "-o", program, "-"],
                       input=source.encode(), check=True)
        out = subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout
    return [int(word) for word in out.split()]


def description():
    """The file without comments and strings, which may hold anything."""
    lines = [line for line in open(TEXT) if not line.startswith("#")]
    return re.sub(r'"(\\.|[^"\\])*"', '""', "".join(lines))


def check_names(text):
    wanted, named = header_names(), set(re.findall(r"\bOBSRING_\w+", text))
    for name in wanted:
        if name not in named:
            problem(f"{name} of the header is not named")
    for name in sorted(named - set(wanted)):
        problem(f"{name} is not of the header, or no request has it")
    return wanted


def constants(text):
    names = sorted(set(re.findall(r"\b(?:OBSRING|O|AT)_[A-Z0-9_]+\b", text)))
    return list(zip(names, compiled(names)))


def const_text(values):
    lines = [f"{name} = {value & 0xffffffffffffffff}\n" for name, value in values]
    return "# SPDX-License-Identifier: MIT\narches = amd64, arm64\n" + "".join(lines)


def field_bytes(kind):
    """Of a field's type; pointers are of 64 bits, names are padded."""
    match = re.fullmatch(r"array\[(.*), (\d+)\]", kind)
    if match:
        return field_bytes(match[1]) * int(match[2])
    match = re.fullmatch(r"string\[\w+, (\d+)\]", kind)
    if match:
        return int(match[1])
    if kind.startswith("ptr64["):
        return 8
    if kind in ("fd_obsring_service", "pid"):
        return 4
    match = re.search(r"\bint(8|16|32|64)\b", kind)
    return int(match[1]) // 8


def check_structs(text):
    checked = 0
    for struct in STRUCTS:
        body = re.search(rf"^{struct} \{{\n(.*?)^\}}", text, flags=re.S | re.M)[1]
        fields = [line.split("\t", 2)[1:] for line in body.splitlines()]
        fields = [(name, kind.strip("\t").split("\t(out)")[0]) for name, kind in fields]
        places = compiled([f"offsetof(struct {struct}, {name})" for name, _ in fields]
                          + [f"sizeof(struct {struct})"])
        at = 0
        for (name, kind), place in zip(fields, places):
            if at != place:
                problem(f"struct {struct}: {name} is at {place}, not {at}")
            at += field_bytes(kind)
            checked += 1
        if at != places[-1]:
            problem(f"struct {struct} has {places[-1]} bytes, not {at}")
        sizes = re.search(rf"^{struct}_sizes = (\d+)", text, flags=re.M)
        if sizes and int(sizes[1]) != places[-1]:
            problem(f"{struct}_sizes begins with {sizes[1]}, not {places[-1]}")
    return checked


def check_definitions(text):
    defined = set(re.findall(r"^(\w+)(?: =| \[$| \{$)", text, flags=re.M))
    defined |= set(re.findall(r"^(?:resource|type) (\w+)\[", text, flags=re.M))
    uses = re.sub(r"^(\w+)(?: =| \[$| \{$)", "", text, flags=re.M)
    uses = re.sub(r"^(resource|type) \w+", "", uses, flags=re.M)
    # What stands in brackets, behind a field's name, in a definition, or is a result.
    words = set(re.findall(r"[\[,\s:](\w+)", re.sub(r"^include .*", "", uses, flags=re.M)))
    for name in sorted(defined - words):
        problem(f"{name} is defined and never used")
    types = set(re.findall(r"(?:^\t\w+\t+|[\[ ])([a-z]\w*)(?=[\[\],\t\n])", uses, flags=re.M))
    named = set(re.findall(r"^\t(\w+)\t", text, flags=re.M)) | set(
        re.findall(r"[(,] ?(\w+) (?=\w+)", text))
    for name in sorted(types - defined - KNOWN - named):
        problem(f"{name} is used and not defined")
    for opening, closing in ("[]", "()", "{}"):
        if text.count(opening) != text.count(closing):
            problem(f"{opening} and {closing} are not as many")
    return len(defined)


def main():
    text = description()
    wanted = check_names(text)
    const = const_text(constants(text))
    if "--write" in sys.argv:
        with open(CONST, "w") as file:
            file.write(const)
    if not os.path.exists(CONST) or open(CONST).read() != const:
        problem("obsring.txt.const is not what the header says; syzkaller.py --write makes it")
    fields = check_structs(text)
    definitions = check_definitions(text)
    for each in problems:
        print(f"{TEXT}: {each}", file=sys.stderr)
    print(f"syzkaller: {len(wanted)} names, {fields} fields, {definitions} definitions")
    sys.exit(bool(problems))


main()
