# SPDX-License-Identifier: MIT
"""The description against what the running kernel says of the family: its
operations, groups, and the policy of each request (nlctrl's getpolicy)."""
from ynl_module import SCHEMAS, Module, YnlFamily
from ynl_tap import equal, test

TYPES = {"string": "nul-string", "nest": "nested"}
NLCTRL = YnlFamily(f"{SCHEMAS}/specs/nlctrl.yaml")
SPEC = Module(f"{SCHEMAS}/genetlink.yaml").ynl


def policies():
    """({command: {mode: policy}}, {policy: {attribute number: what it says}})."""
    by_command, by_number = {}, {}
    for message in NLCTRL.dump("getpolicy", {"family-name": SPEC.yaml["name"]}):
        if "op-policy" in message:
            modes = message["op-policy"]
            by_command[modes.pop("op-id")] = modes
        else:
            entry = message["policy"]
            by_number.setdefault(entry.pop("policy-id"), {})[entry.pop("attr-id")] = entry
    return by_command, by_number


def limit(value):
    return SPEC.consts[value]["value"] if value in SPEC.consts else value


def range_of(attribute):
    """What the description says that the kernel lets pass."""
    bits = int(attribute.type[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if attribute.type[0] == "s" else \
        (0, (1 << bits) - 1)
    checks = attribute.get("checks", {})
    if "enum" in attribute:
        values = SPEC.consts[attribute["enum"]].entries_by_val
        low, high = min(values), max(values)
    return limit(checks.get("min", low)), limit(checks.get("max", high))


def described(attribute):
    """An attribute's policy, as getpolicy would tell it."""
    policy = {"type": TYPES.get(attribute.type, attribute.type)}
    if attribute.type == "string":
        policy["max-length"] = limit(attribute["checks"]["max-len"])
    elif attribute.type[0] in "us":
        sign = attribute.type[0]
        policy[f"min-value-{sign}"], policy[f"max-value-{sign}"] = range_of(attribute)
    return policy


def requests(operation):
    """All attributes that its requests may hold: a policy serves do and dump."""
    names = set()
    for mode in ("do", "dump"):
        names.update(operation.get(mode, {}).get("request", {}).get("attributes", []))
    return names


def compare(names, table, nests, what):
    attributes = SPEC.attr_sets["main"]
    equal({attributes.attrs_by_val[number].name for number in table}, set(names), what)
    for number, policy in table.items():
        attribute = attributes.attrs_by_val[number]
        nest = policy.get("policy-idx")
        told = {key: value for key, value in policy.items() if not key.startswith("policy-")}
        equal(told, described(attribute), f"{what}: {attribute.name}")
        equal(nest is not None, attribute.type == "nest", f"{what}: {attribute.name} nested")
        if nest is not None:
            nests.append((attribute["nested-attributes"], nest))


@test
def the_family_is_what_is_described():
    family = NLCTRL.do("getfamily", {"family-name": SPEC.yaml["name"]})
    equal(family["version"], 1, "the version")
    equal(family["hdrsize"], 0, "the header's size")
    groups = [entry["name"] for group in family["mcast-groups"] for entry in group.values()]
    equal(groups, list(SPEC.mcast_groups), "the groups")


@test
def operations_are_the_kernels():
    family = NLCTRL.do("getfamily", {"family-name": SPEC.yaml["name"]})
    told = {}
    for operation in family["ops"]:
        for entry in operation.values():
            told[entry["id"]] = set(entry["flags"])
    modes = {"do": "cmd-cap-do", "dump": "cmd-cap-dump"}
    equal(told, {operation.value: {modes[mode] for mode in operation.modes} |
                 {"cmd-cap-haspol"} | set(operation.get("flags", []))
                 for operation in SPEC.ops.values()}, "what each operation can do")


@test
def every_request_has_the_kernels_policy():
    commands, tables = policies()
    equal(set(commands), {operation.value for operation in SPEC.ops.values()},
          "operations with a policy")
    nests = []
    for operation in SPEC.ops.values():
        modes = commands[operation.value]
        equal(set(modes), operation.modes, f"modes of {operation.name}")
        equal(len(set(modes.values())), 1, f"policies of {operation.name}")
        # A policy that lets nothing pass has no entries.
        table = tables.get(modes.popitem()[1], {})
        compare(requests(operation), table, nests, operation.name)
    equal([name for name, _ in nests], ["option"], "nests in requests")
    for name, number in nests:
        # The help is in answers alone.
        names = set(SPEC.attr_sets[name].attrs) - {"help"}
        compare(names, tables[number], [], name)
