# SPDX-License-Identifier: MIT
"""What is refused: with which errno, sentence and attribute, changing nothing."""
from errno import EBUSY, EEXIST, EINVAL, ENOENT, EOPNOTSUPP, ERANGE

from ynl_module import Module, refused
from ynl_tap import equal, test

MODULE = Module()

COUNTER = {"name": "ynl_no_total", "help": "h", "kind": "counter"}
HISTOGRAM = {"name": "ynl_no", "help": "h", "kind": "histogram"}
EXPONENTIAL = {**HISTOGRAM, "schema": 3, "min_log2": 0, "max_log2": 1}
PROBE = {"name": "ynl_no_total", "probe_type": "tracepoint",
         "probe_target": "oom:oom_score_adj_update"}
SYSCALL = {"name": "syscall", "enabled": 0}
OWN = {"name": "ynl_refuse_total"}
RANGE = "integer out of range"
POLICY = "Attribute failed policy validation"
NO_FAMILY = "there is no family of that name"
NO_NAME = "attribute name is missing"
NO_SIZE = "the size of a ring is a power of two, 4096 to 67108864"
NOT_OWN = "the family belongs to a source, a probe or a kernel module"
NO_VALUES = "there must be a label-value for each label of the family"
NO_SERIES = "the family has no series with these label values"
BAD_NAME = "the name is no printable UTF-8 of 1 to 127 bytes"
BAD_LABEL = "a label name is no printable UTF-8 of 1 to 127 bytes"
BAD_LOG2 = "the bounds must be 2^-40 to 2^40, the lowest below the highest"
RESERVED = "names that begin with obsring_ or process_ are reserved"
FAMILY_EXISTS = ("a family of that name exists, or one that is the same to Prometheus "
                 "after escaping and suffixes")


def option(key, value):
    return {"option-key": key, "option-value": value}


# Operation, mode, request, errno, sentence, attribute.
REFUSALS = [
    ("state-set", "do", {}, EINVAL, "attribute state is missing", None),
    ("state-set", "do", {"state": 2}, ERANGE, RANGE, "state"),

    ("family-get", "do", {}, EINVAL, NO_NAME, None),
    ("family-get", "do", {"name": "ynl_none"}, ENOENT, NO_FAMILY, "name"),
    ("family-get", "dump", {"name": "ynl_none"}, EINVAL, "a dump is of all families", None),
    ("family-get", "dump", {"family_id": 0}, EINVAL, "a dump is of all families", None),
    ("family-get", "do", {"name": "ynl_none", "family_id": 0}, EINVAL,
     "a family is named by name or by family-id", None),
    ("series-get", "do", {"series_id": 0, "name": "ynl_none"}, EINVAL,
     "a series is named by series-id and gen, or by name and label-value", None),
    ("series-get", "do", {"name": "ynl_none", "gen": 77}, EINVAL,
     "a series is named by series-id and gen, or by name and label-value", None),
    ("family-new", "do", {"name": "ynl_x_total", "help": "x", "kind": "counter", "schema": 3},
     EINVAL, "schema, min-log2 and max-log2 are of histograms without bounds", None),
    ("family-get", "do", {"family_id": 1000000}, ENOENT, "there is no family of that id",
     "family-id"),

    ("family-new", "do", {"name": "ynl_no"}, EINVAL, "name, help and kind are needed", None),
    ("family-new", "do", {**COUNTER, "kind": 0}, ERANGE, RANGE, "kind"),
    ("family-new", "do", {**COUNTER, "kind": 6}, ERANGE, RANGE, "kind"),
    ("family-new", "do", {**COUNTER, "exp10": 1}, ERANGE, RANGE, "exp10"),
    ("family-new", "do", {**COUNTER, "exp10": -13}, ERANGE, RANGE, "exp10"),
    ("family-new", "do", {**COUNTER, "name": ""}, EINVAL, BAD_NAME, None),
    ("family-new", "do", {**COUNTER, "name": "ynl\n"}, EINVAL, BAD_NAME, None),
    ("family-new", "do", {**COUNTER, "name": "y" * 128}, EINVAL, POLICY, "name"),
    ("family-new", "do", {**COUNTER, "help": "h" * 1024}, EINVAL, POLICY, "help"),
    ("family-new", "do", {**COUNTER, "unit": "u" * 32}, EINVAL, POLICY, "unit"),
    ("family-new", "do", {**COUNTER, "unit": "\t"}, EINVAL,
     "the unit is no printable UTF-8 of at most 31 bytes", None),
    ("family-new", "do", {**COUNTER, "name": "obsring_x_total"}, EINVAL, RESERVED, "name"),
    ("family-new", "do", {**COUNTER, "name": "process.x_total"}, EINVAL,
     "names that begin with obsring_ or process_ after escaping are reserved", None),
    ("family-new", "do", {**COUNTER, "set": True}, EINVAL, "only gauges are set-type", None),
    ("family-new", "do", {**COUNTER, "bound": [1]}, EINVAL, "only histograms have bounds", None),
    ("family-new", "do", {**COUNTER, "label_name": [""]}, EINVAL, BAD_LABEL, None),
    ("family-new", "do", {**COUNTER, "label_name": ["a\r"]}, EINVAL, BAD_LABEL, None),
    ("family-new", "do", {**COUNTER, "label_name": ["l" * 128]}, EINVAL, POLICY, "label-name"),
    ("family-new", "do", {**COUNTER, "label_name": ["__a"]}, EINVAL,
     "label names that begin with __ are Prometheus' own", None),
    ("family-new", "do", {**COUNTER, "label_name": ["a.b", "a_b"]}, EINVAL,
     "two label names are the same to Prometheus", None),
    ("family-new", "do", {**COUNTER, "label_name": [f"l{n}" for n in range(9)]}, EINVAL,
     "too many of this attribute", "label-name"),
    ("family-new", "do", {**EXPONENTIAL, "label_name": ["le"]}, EINVAL,
     "a histogram's label can't be called le", None),
    ("family-new", "do", HISTOGRAM, EINVAL,
     "a histogram needs bounds, or schema, min-log2 and max-log2", None),
    ("family-new", "do", {**HISTOGRAM, "bound": [1, 3, 2]}, EINVAL, "bounds must ascend", None),
    ("family-new", "do", {**HISTOGRAM, "bound": [1, (1 << 64) - 1]}, EINVAL,
     "the highest bound must be below 2^64 - 1", None),
    ("family-new", "do", {**HISTOGRAM, "bound": list(range(129))}, EINVAL,
     "more than 128 bounds", "bound"),
    ("family-new", "do", {**EXPONENTIAL, "schema": 4}, ERANGE, RANGE, "schema"),
    ("family-new", "do", {**EXPONENTIAL, "schema": -1}, ERANGE, RANGE, "schema"),
    ("family-new", "do", {**EXPONENTIAL, "min_log2": -41}, ERANGE, RANGE, "min-log2"),
    ("family-new", "do", {**EXPONENTIAL, "max_log2": 41}, ERANGE, RANGE, "max-log2"),
    ("family-new", "do", {**EXPONENTIAL, "min_log2": 1}, EINVAL, BAD_LOG2, None),
    ("family-new", "do", {**EXPONENTIAL, "min_log2": -40, "max_log2": 40}, EINVAL,
     "a histogram has at most 510 bounds", None),
    ("family-new", "do", {**COUNTER, **OWN}, EEXIST, FAMILY_EXISTS, None),
    ("family-new", "do", {**COUNTER, "name": "ynl.refuse"}, EEXIST, FAMILY_EXISTS, None),

    ("family-del", "do", {}, EINVAL, NO_NAME, None),
    ("family-del", "do", {"name": "ynl_none"}, ENOENT, NO_FAMILY, "name"),
    ("family-del", "do", {"name": "obsring_tasks"}, EBUSY, NOT_OWN, "name"),

    ("series-get", "do", {}, EINVAL, NO_NAME, None),
    ("series-get", "do", {"name": "ynl_none"}, ENOENT, NO_FAMILY, "name"),
    ("series-get", "do", OWN, EINVAL, NO_VALUES, None),
    ("series-get", "do", {**OWN, "label_value": ["a", "b"]}, EINVAL, NO_VALUES, None),
    ("series-get", "do", {**OWN, "label_value": ["none"]}, ENOENT, NO_SERIES, None),
    ("series-get", "do", {**OWN, "label_value": ["v" * 128]}, EINVAL, POLICY, "label-value"),
    ("series-get", "do", {**OWN, "label_value": ["v"] * 9}, EINVAL,
     "too many of this attribute", "label-value"),
    ("series-get", "do", {"series_id": 1000000}, ENOENT, "there is no such series",
     "series-id"),
    ("series-get", "dump", {"name": "ynl_none"}, ENOENT, NO_FAMILY, None),
    ("series-get", "dump", {"series_id": 0}, EINVAL, "a dump is by name alone", None),
    ("series-get", "dump", {"gen": 1}, EINVAL, "a dump is by name alone", None),
    ("series-get", "dump", {**OWN, "label_value": ["a"]}, EINVAL, "a dump is by name alone",
     None),

    ("series-new", "do", {}, EINVAL, NO_NAME, None),
    ("series-new", "do", {"name": "ynl_none"}, ENOENT, NO_FAMILY, "name"),
    ("series-new", "do", {"name": "obsring_tasks"}, EBUSY, NOT_OWN, "name"),
    ("series-new", "do", OWN, EINVAL, NO_VALUES, None),
    ("series-new", "do", {**OWN, "label_value": ["a"]}, EEXIST, "the series exists", None),
    ("series-new", "do", {**OWN, "label_value": ["_overflow"]}, EEXIST, "the series exists",
     None),

    ("series-del", "do", {}, EINVAL, NO_NAME, None),
    ("series-del", "do", {"name": "ynl_none"}, ENOENT, NO_FAMILY, "name"),
    ("series-del", "do", {"name": "obsring_tasks"}, EBUSY, NOT_OWN, "name"),
    ("series-del", "do", {**OWN, "label_value": ["none"]}, ENOENT, NO_SERIES, None),
    ("series-del", "do", {**OWN, "label_value": ["_overflow"]}, EBUSY,
     "an overflow series goes with its family", None),

    ("series-update", "do", {**OWN, "label_value": ["a"]}, EINVAL,
     "attribute value is missing", None),
    ("series-update", "do", {"name": "ynl_none", "value": 1}, ENOENT, NO_FAMILY, "name"),
    ("series-update", "do", {"name": "obsring_tasks", "value": 1}, EBUSY, NOT_OWN, "name"),
    ("series-update", "do", {**OWN, "label_value": ["none"], "value": 1}, ENOENT, NO_SERIES,
     None),
    ("series-update", "do", {**OWN, "label_value": ["a"], "value": -1}, EINVAL,
     "only gauges take negative numbers", "value"),
    ("series-update", "do", {"name": "ynl_is_info", "value": 1}, EINVAL,
     "an info series has no value to change", None),

    ("source-get", "dump", {"name": "task"}, EINVAL, "a dump is of all sources", None),
    ("source-get", "do", {}, EINVAL, NO_NAME, None),
    ("source-get", "do", {"name": "none"}, ENOENT, "there is no source of that name", "name"),
    ("source-set", "do", {"name": "none", "enabled": 1}, ENOENT,
     "there is no source of that name", "name"),
    ("source-set", "do", {"name": "syscall"}, EINVAL, "attribute enabled is missing", None),
    ("source-set", "do", {"name": "syscall", "enabled": 2}, ERANGE, RANGE, "enabled"),
    ("source-set", "do", {**SYSCALL, "option": [option("none", "1")]}, EINVAL,
     "the source has no such option", "option"),
    ("source-set", "do", {**SYSCALL, "option": [option("sample", "0")]}, EINVAL,
     "sample: not a number from 1 to 1048576", "option"),
    # The first is good, and must not stay.
    ("source-set", "do", {**SYSCALL, "option": [option("sample", "9"), option("latency", "no")]},
     EINVAL, "latency: this kernel has no system call of one of these names", "option"),
    ("source-set", "do", {**SYSCALL, "option": [option("sample", "9"), option("latency", "exit")]},
     EINVAL, "latency: exit, exit_group and rt_sigreturn do not return", "option"),
    ("source-set", "do", {**SYSCALL, "option": [{"option-key": "sample"}]}, EINVAL,
     "an option needs a key and a value; at most 16 options", "option"),
    ("source-set", "do", {**SYSCALL, "option": [option("sample", "9")] * 17}, EINVAL,
     "an option needs a key and a value; at most 16 options", "option"),
    ("source-set", "do", {**SYSCALL, "option": [option("k" * 32, "9")]}, EINVAL, POLICY,
     "option.option-key"),
    ("source-set", "do", {**SYSCALL, "option": [option("sample", "9" * 256)]}, EINVAL, POLICY,
     "option.option-value"),
    ("source-set", "do", {**SYSCALL, "option": [{**option("sample", "9"), "help": "h"}]}, EINVAL,
     "Unsupported attribute", "option.help"),

    ("probe-new", "do", {}, EINVAL, "name, probe-type and probe-target are needed", None),
    ("probe-new", "do", {**PROBE, "probe_type": 0}, ERANGE, RANGE, "probe-type"),
    ("probe-new", "do", {**PROBE, "probe_type": 4}, ERANGE, RANGE, "probe-type"),
    ("probe-new", "do", {**PROBE, "sample": 0}, ERANGE, RANGE, "sample"),
    ("probe-new", "do", {**PROBE, "kind": "gauge"}, EINVAL,
     "a probe's metric is a counter or a histogram", None),
    ("probe-new", "do", {**PROBE, "kind": "histogram"}, EINVAL,
     "only a kretprobe has a duration for a histogram", None),
    ("probe-new", "do", {**PROBE, "probe_target": "oom:"}, EINVAL,
     "the target is empty, or a half of it is", None),
    ("probe-new", "do", {**PROBE, "probe_target": "t" * 256}, EINVAL, POLICY, "probe-target"),
    ("probe-new", "do", {**PROBE, "probe_target": "oom:none"}, ENOENT,
     "this kernel has no tracepoint of that group and name", None),
    ("probe-new", "do", {**PROBE, "probe_target": "none"}, ENOENT,
     "this kernel has no tracepoint of that name; those of modules need GROUP:NAME", None),
    ("probe-new", "do", {**PROBE, "probe_type": "kprobe", "probe_target": "none"}, ENOENT,
     "this kernel has no such function", None),
    ("probe-new", "do", {**PROBE, "name": "obsring_x_total"}, EINVAL,
     "names that begin with obsring_ or process_ are taken", None),
    ("probe-new", "do", {**PROBE, **OWN}, EEXIST,
     "a metric has that name, or one that becomes the same", None),
    ("probe-del", "do", {}, EINVAL, NO_NAME, None),
    ("probe-del", "do", {"name": "ynl_none"}, ENOENT, "there is no probe of that name", None),

    ("sample-set", "do", {}, EINVAL, NO_NAME, None),
    ("sample-set", "do", {"name": "ynl"}, EINVAL, "attribute rule is missing", None),
    ("sample-set", "do", {"name": "ynl", "rule": "one-in"}, EINVAL,
     "attribute rule-value is missing", None),
    ("sample-set", "do", {"name": "ynl", "rule": "one-in", "rule_value": 0}, EINVAL,
     "this rule can't have that rule-value", None),
    ("sample-set", "do", {"name": "ynl", "rule": "trace", "rule_value": 1 << 56}, EINVAL,
     "this rule can't have that rule-value", None),
    ("sample-set", "do", {"name": "ynl", "rule": 0}, ERANGE, RANGE, "rule"),
    ("sample-set", "do", {"name": "ynl", "rule": 8}, ERANGE, RANGE, "rule"),
    ("sample-set", "do", {"name": "ynl", "rule": "drop", "level": 8}, ERANGE, RANGE, "level"),
    ("sample-set", "do", {"name": "ynl", "rule": "drop", "at_ns": 1 << 63}, EINVAL,
     "at-ns is beyond 2^63 - 1", None),
    ("sample-set", "do", {"name": "_overflow", "rule": "drop"}, EINVAL,
     "no source can have that name", None),
    ("sample-set", "do", {"name": "n" * 64, "rule": "drop"}, EINVAL,
     "no source can have that name", None),
    ("sample-del", "do", {}, EINVAL, NO_NAME, None),
    ("sample-del", "do", {"name": "ynl"}, ENOENT, "there is no such rule", None),
    ("sample-del", "do", {"sample_id": 1 << 40}, ENOENT,
     "no command of that sample-id waits", None),

    ("log-set", "do", {}, EINVAL, "origin and bytes are needed", None),
    ("log-set", "do", {"bytes": 8192}, EINVAL, "origin and bytes are needed", None),
    ("log-set", "do", {"origin": "user"}, EINVAL, "origin and bytes are needed", None),
    ("log-set", "do", {"origin": 2, "bytes": 8192}, ERANGE, RANGE, "origin"),
    ("log-set", "do", {"origin": "user", "bytes": 2048}, EINVAL, NO_SIZE, "bytes"),
    ("log-set", "do", {"origin": "user", "bytes": 12288}, EINVAL, NO_SIZE, "bytes"),
    ("log-set", "do", {"origin": "user", "bytes": 1 << 27}, EINVAL, NO_SIZE, "bytes"),
]


def everything():
    """All that a refused request might have changed."""
    names = ("ynl_refuse_total", "ynl_is_info")
    return {
        "families": sorted(f["name"] for f in MODULE.dump("family-get")),
        "series": [MODULE.dump("series-get", name=name) for name in names],
        "source": MODULE.do("source-get", name="syscall"),
        "state": MODULE.do("info-get")["state"],
        "probes": MODULE.dump("probe-get"),
        "rings": [(r["cpu"], r["origin"], r["bytes"]) for r in MODULE.dump("log-get")],
        "rules": MODULE.dump("sample-get"),
    }


@test
def what_is_no_good_is_refused_and_changes_nothing():
    MODULE.do("family-new", **COUNTER | OWN, label_name=["l"])
    MODULE.do("series-new", **OWN, label_value=["a"])
    MODULE.do("family-new", name="ynl_is_info", help="h", kind="info")
    MODULE.do("series-new", name="ynl_is_info")
    before, wrong = everything(), []
    for operation, mode, request, errno, sentence, attribute in REFUSALS:
        try:
            refused(lambda: MODULE.ask(operation, mode, **request), errno, sentence, attribute)
            equal(everything(), before, "what there is")
        except AssertionError as error:
            wrong.append(f"{operation} {mode} {request}: {error}")
    MODULE.do("family-del", **OWN)
    MODULE.do("family-del", name="ynl_is_info")
    equal(wrong, [], "wrong")


@test
def unknown_attributes_are_refused():
    module = Module()
    attributes = module.ynl.attr_sets["main"]
    value = max(attributes.attrs_by_val) + 1
    beyond = attributes.new_attr({"name": "beyond", "type": "u32"}, value)
    beyond.resolve()
    attributes.attrs["beyond"] = attributes.attrs_by_val[value] = beyond
    for operation, request in (("info-get", {}), ("source-get", {"name": "task"}),
                               ("probe-del", {"name": "ynl_none"})):
        refused(lambda: module.do(operation, **request, beyond=1), EINVAL,
                "Unknown attribute type", "beyond")


@test
def attributes_of_other_operations_are_refused():
    for operation in MODULE.ynl.ops.values():
        for mode in operation.modes:
            refused(lambda: MODULE.ask(operation.name, mode, source="x"), EINVAL,
                    "Unknown attribute type", "source")
    refused(lambda: MODULE.do("source-get", name="task", version="1"), EINVAL,
            "Unsupported attribute", "version")


@test
def there_are_no_other_operations():
    for name, mode in (("info-get", "dump"), ("state-set", "dump"), ("family-new", "dump"),
                       ("probe-get", "do"), ("log-get", "do")):
        refused(lambda: MODULE.ask(name, mode), EOPNOTSUPP, None)
