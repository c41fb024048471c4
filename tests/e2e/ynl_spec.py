# SPDX-License-Identifier: MIT
"""ynl_spec.py TOP LINUX: the description of the netlink family against the
kernel's schema and against the uapi header, which must say the same."""
import re
import sys

import jsonschema
import yaml

from ynl_tap import equal, run, test

TOP, LINUX = sys.argv[1:3]
with open(f"{TOP}/include/netlink/obsring.yaml", encoding="utf-8") as file:
    SPDX = file.readline()
    SPEC = yaml.safe_load(file)
with open(f"{TOP}/include/uapi/linux/obsring.h", encoding="utf-8") as file:
    HEADER = file.read()


# --- The header


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def enum(name):
    """{constant: value}, those with underscores before them left out."""
    body = re.search(rf"^enum {name} {{(.*?)^}};", HEADER, re.S | re.M).group(1)
    constants, value = {}, -1
    for item in filter(None, map(str.strip, without_comments(body).split(","))):
        name, _, text = map(str.strip, item.partition("="))
        value = int(text, 0) if text else value + 1
        if not name.startswith("__"):
            constants[name] = value
    return constants


def define(name):
    return int(re.search(rf"^#define {name}\s+\(?(-?\d+)\)?", HEADER, re.M).group(1))


def attribute_comments():
    """{constant: what its comment says of its type}."""
    body = re.search(r"^enum obsring_attr {(.*?)^};", HEADER, re.S | re.M).group(1)
    return dict(re.findall(r"^\t(\w+),\s*/\* (.*) \*/$", body, re.M))


# --- The description


def constant(prefix, name):
    return prefix + name.upper().replace("-", "_")


def numbered(elements, prefix, first=1):
    """{constant: value}, as the kernel's tools number them."""
    constants, value = {}, first
    for element in elements:
        value = element.get("value", value)
        constants[constant(prefix, element["name"])] = value
        value += 1
    return constants


def definitions(kind):
    return {d["name"]: d for d in SPEC["definitions"] if d["type"] == kind}


def attribute_set(name):
    return next(s for s in SPEC["attribute-sets"] if s["name"] == name)


def operations():
    return SPEC["operations"]["list"]


def attribute_lists(operation):
    """(where, attributes) for each list that an operation has."""
    for mode in ("do", "dump"):
        for side in ("request", "reply"):
            names = operation.get(mode, {}).get(side, {}).get("attributes")
            if names is not None:
                yield f"{operation['name']} {mode} {side}", names
    if "event" in operation:
        yield operation["name"], operation["event"]["attributes"]


# --- Tests


@test
def it_fits_the_schema():
    with open(f"{LINUX}/Documentation/netlink/genetlink.yaml", encoding="utf-8") as schema:
        jsonschema.validate(SPEC, yaml.safe_load(schema))


@test
def licence_is_the_headers():
    licence = re.search(r"SPDX-License-Identifier: (.*) \*/", HEADER).group(1)
    equal(SPDX, f"# SPDX-License-Identifier: {licence}\n", "the first line")


@test
def names_are_the_headers():
    for name in ("name", "version", "group"):
        text = re.search(rf'^#define OBSRING_GENL_{name.upper()}\s+"?(\w+)"?', HEADER,
                         re.M).group(1)
        value = {"name": SPEC["name"], "version": SPEC.get("version", "1"),
                 "group": SPEC["mcast-groups"]["list"][0]["name"]}[name]
        equal(value, text, name)
    equal(len(SPEC["mcast-groups"]["list"]), 1, "the number of groups")


@test
def commands_are_the_headers():
    commands = enum("obsring_cmd")
    equal(commands.pop("OBSRING_CMD_UNSPEC"), 0)
    equal(numbered(operations(), SPEC["operations"]["name-prefix"].upper().replace("-", "_")),
          commands, "the list of operations")


@test
def attributes_are_the_headers():
    attributes = enum("obsring_attr")
    equal(attributes.pop("OBSRING_A_UNSPEC"), 0)
    main = attribute_set("main")
    equal(numbered(main["attributes"], main["name-prefix"].upper().replace("-", "_")),
          attributes, "the list of attributes")


@test
def attribute_types_are_the_headers():
    comments = attribute_comments()
    for attribute in attribute_set("main")["attributes"]:
        if attribute["type"] == "pad":
            continue
        comment = comments.pop(constant("OBSRING_A_", attribute["name"]))
        told = re.split(r"[:,]", comment)[0]
        equal(attribute["type"], told, f"the type of {attribute['name']}")
        repeated = bool(re.match(r"\w+, repeated", comment))
        equal(attribute.get("multi-attr", False), repeated, f"{attribute['name']} repeated")
        kind = re.search(r"enum obsring_(\w+)", comment)
        equal(attribute.get("enum"), kind and kind.group(1).replace("_", "-"),
              f"the enum of {attribute['name']}")
    equal(comments, {}, "what is left of the header's attributes")


@test
def enums_are_the_headers():
    prefixes = {"kind": "OBSRING_KIND_", "state": "OBSRING_STATE_",
                "probe-type": "OBSRING_PROBE_", "rule": "OBSRING_RULE_",
                "origin": "OBSRING_ORIGIN_"}
    equal(set(definitions("enum")), set(prefixes), "the enums")
    for name, prefix in prefixes.items():
        constants = enum("obsring_" + name.replace("-", "_"))
        # No attribute ever holds it.
        constants.pop(prefix + "UNSPEC", None)
        entries = definitions("enum")[name]["entries"]
        equal({constant(prefix, e["name"]): e["value"] for e in entries}, constants, name)


@test
def constants_are_the_headers():
    constants = definitions("const")
    for name, element in constants.items():
        equal(element["value"], define(constant("OBSRING_", name)), name)
    named = {check for a in attribute_set("main")["attributes"]
             for check in a.get("checks", {}).values() if isinstance(check, str)}
    equal(named, set(constants), "the constants that checks name")


@test
def what_is_named_exists():
    main = {a["name"] for a in attribute_set("main")["attributes"]}
    for operation in operations():
        for where, names in attribute_lists(operation):
            equal(set(names) - main, set(), f"unknown attributes of {where}")
            equal(len(names), len(set(names)), f"different attributes of {where}")
    for name in ("row", "option"):
        subset = {a["name"] for a in attribute_set(name)["attributes"]}
        equal(subset - main, set(), f"unknown attributes of {name}")


@test
def every_attribute_is_used():
    used = {"pad"}
    for operation in operations():
        for _, names in attribute_lists(operation):
            used.update(names)
    for name in ("row", "option"):
        used.update(a["name"] for a in attribute_set(name)["attributes"])
    equal({a["name"] for a in attribute_set("main")["attributes"]} - used, set(),
          "attributes of no operation")


@test
def notifications_are_of_the_group():
    for operation in operations():
        is_ntf = operation["name"].endswith("-ntf")
        equal("notify" in operation or "event" in operation, is_ntf, operation["name"])
        equal(operation.get("mcgrp"), "events" if is_ntf else None, operation["name"])


if __name__ == "__main__":
    sys.exit(run())
