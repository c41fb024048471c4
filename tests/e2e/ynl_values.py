# SPDX-License-Identifier: MIT
"""Families and series, from making to removing. Each CPU gives each series
numbers of its own; what netlink answers must be those, CPU by CPU, and equal
what obsringctl reads from the mapping."""
import bisect
import os
import time
from fractions import Fraction

from ynl_module import Events, Module, ctl, dashed, on_cpu, refused
from ynl_tap import equal, test

MODULE = Module()
EVENTS = Events("ynl_")
CPUS = sorted(os.sched_getaffinity(0))
WORD = 1 << 64
VALUE = ("value", "sum", "bucket")

FAMILIES = {
    "ynl_bytes_total": {"kind": "counter", "help": "Bytes.", "unit": "bytes",
                        "label_name": ["a", "b"]},
    "ynl_g": {"kind": "gauge", "help": "Goes up and down.", "exp10": -3},
    "ynl_last_seconds": {"kind": "gauge", "help": "The last.", "unit": "seconds",
                         "set": True, "exp10": -9},
    "ynl_x_seconds": {"kind": "histogram", "help": "Explicit bounds.", "exp10": -9,
                      "bound": [1000, 2000000, 10 ** 9], "label_name": ["cpu"]},
    # Its rows are more than one message of a dump holds.
    "ynl_e_seconds": {"kind": "histogram", "help": "Exponential.", "exp10": -9,
                      "schema": 3, "min_log2": -40, "max_log2": 23},
    "ynl_e": {"kind": "histogram", "help": "", "schema": 0, "min_log2": -2, "max_log2": 3},
    "ynl_build_info": {"kind": "info", "help": "Is.", "label_name": ["version"]},
}
SERIES = {name: [[]] for name in FAMILIES} | {
    "ynl_bytes_total": [["x", "1"], ["x", "2"], ["", "a b\n\"c\""]],
    "ynl_x_seconds": [["0"], ["1"]],
    "ynl_build_info": [["1.0"]],
}
EACH = [(name, values) for name, all_values in SERIES.items() for values in all_values]
ids = {}


def overflow(name):
    """The label values of its overflow series, if it has one."""
    family = FAMILIES[name]
    if "label_name" not in family or family["kind"] == "info":
        return []
    return [["_overflow"] * len(family["label_name"])]


# --- What was counted


def numbers(name, index, cpu):
    """What a CPU gives a series."""
    family = FAMILIES[name]
    if family["kind"] == "counter":
        # Above 2^63 in sum, so that no digit and no sign is lost unseen.
        return [(1 << 61) + 1000 * cpu + index, 1]
    if family["kind"] == "gauge":
        return [-7 * (cpu + 1), cpu * cpu]
    if family["kind"] == "histogram":
        return [0, cpu, 1000 + index] + [(cpu + 1) * 10 ** n for n in range(2, 12)]
    return []


def bucket_of(name, number):
    """By exact arithmetic: bound k is 2^(min + k / 2^schema)."""
    family = FAMILIES[name]
    if "bound" in family:
        return bisect.bisect_left(family["bound"], number)
    steps = 1 << family["schema"]
    power = (number * Fraction(10) ** family.get("exp10", 0)) ** steps
    bounds = range(family["min_log2"] * steps, family["max_log2"] * steps + 1)
    return bisect.bisect_left(bounds, power, key=lambda k: Fraction(2) ** k)


def nr_bounds(name):
    family = FAMILIES[name]
    if "bound" in family:
        return len(family["bound"])
    return (family["max_log2"] - family["min_log2"] << family["schema"]) + 1


def signed(number):
    return (number + WORD // 2) % WORD - WORD // 2


def reading(name, observed):
    """A value or row of these numbers."""
    if FAMILIES[name]["kind"] != "histogram":
        return {"value": signed(sum(observed))}
    bucket = [0] * (nr_bounds(name) + 1)
    for number in observed:
        bucket[bucket_of(name, number)] += 1
    return {"sum": sum(observed) % WORD, "bucket": bucket}


def expected(name, values):
    """(value, rows) of a series."""
    family = FAMILIES[name]
    if family["kind"] == "info":
        return {"value": 1}, []
    index = SERIES[name].index(values)
    each = {cpu: numbers(name, index, cpu) for cpu in CPUS}
    if family.get("set"):
        last = {"value": each[CPUS[-1]][-1]}
        return last, [{"cpu": 0, **last}]
    return (reading(name, sum(each.values(), [])),
            [{"cpu": cpu, **reading(name, each[cpu])} for cpu in CPUS])


# --- What is answered


def merged(messages):
    """Series by id; one whose rows were too many came in several messages."""
    series = {}
    for message in messages:
        first = series.setdefault(message["series-id"], message)
        if first is message:
            continue
        for name in set(message) | set(first):
            if name in VALUE:
                equal(name in message, False, f"{name} in a message that goes on")
            elif name == "row":
                first["row"] += message["row"]
            else:
                equal(message.get(name), first[name], f"{name} of a message that goes on")
    return series


def values_of(answer):
    return {key: answer[key] for key in VALUE if key in answer}


def selector(name, values):
    request = {"name": name}
    if values:
        request["label_value"] = values
    return request


def get(name, values, **more):
    return MODULE.do("series-get", **selector(name, values), **more)


def without(message, *names):
    return {key: value for key, value in message.items() if key not in names}


def family_check(answer, name, series):
    """Against what it was made of."""
    told = without(answer, "family-id", "gen", "created-ns")
    equal(told, {"name": name, "unit": "", "exp10": 0, **dashed(FAMILIES[name]),
                 "series": series}, "the family")
    equal(answer["family-id"], ids[name], "its id")
    equal(answer["gen"] % 2, 1, "the last bit of a living entry's gen")
    if abs(time.time_ns() - answer["created-ns"]) > 600 * 10 ** 9:
        raise AssertionError(f"made at {answer['created-ns']}")


# --- Tests


@test
def there_are_cpus_to_tell_apart():
    equal(len(CPUS) > 1, True, "more than one CPU")


@test
def families_are_made():
    for name, family in FAMILIES.items():
        ids[name] = MODULE.do("family-new", name=name, **family)["family-id"]
        answer = MODULE.do("family-get", name=name)
        family_check(answer, name, len(overflow(name)))
        equal(MODULE.do("family-get", family_id=ids[name]), answer, "by id")
        events = EVENTS.take(1 + len(overflow(name)))
        equal(events[0], ("family-new-ntf", {**answer, "series": 0}), "told")
        equal(events[1:], [("series-new-ntf", without(get(name, values), *VALUE))
                           for values in overflow(name)], "told as well")


@test
def families_are_dumped():
    told = {f["name"]: f for f in MODULE.dump("family-get")}
    for name in FAMILIES:
        equal(told[name], MODULE.do("family-get", name=name), "in the dump")
    equal(sorted(f["name"] for f in ctl("list")), sorted(told), "obsringctl's list")


@test
def series_are_made():
    for name, values in EACH:
        ids[name, *values] = MODULE.do("series-new", **selector(name, values))["series-id"]
        answer = get(name, values)
        events = EVENTS.take(1)
        equal(events, [("series-new-ntf", without(answer, *VALUE))], "told")
        equal(answer["series-id"], ids[name, *values], "the id")
        equal(answer["family-id"], ids[name], "the family")
        equal(answer["kind"], FAMILIES[name]["kind"], "the kind")
        equal(answer.get("label-value", []), values, "the labels")
        empty = {"value": 1} if FAMILIES[name]["kind"] == "info" else reading(name, [])
        equal(values_of(answer), empty, f"a new series of {name}")


@test
def each_cpu_gives_its_numbers():
    for cpu in CPUS:
        for name, values in EACH:
            for number in numbers(name, SERIES[name].index(values), cpu):
                on_cpu(cpu, MODULE.do, "series-update", value=number,
                       **selector(name, values))


@test
def values_and_rows_are_what_was_given():
    for name, values in EACH:
        value, rows = expected(name, values)
        answer = get(name, values)
        equal(values_of(answer), value, f"{name} {values}")
        equal("row" in answer, False, "a row that was not asked for")
        answer = get(name, values, per_cpu=True)
        equal(values_of(answer), value, f"{name} {values}")
        equal(answer.get("row", []), rows, f"{name} {values} by CPU")


@test
def a_series_by_its_id_is_the_same():
    for name, values in EACH:
        answer = get(name, values, per_cpu=True)
        series = answer["series-id"]
        equal(MODULE.do("series-get", series_id=series, per_cpu=True), answer, "by id")
        equal(MODULE.do("series-get", series_id=series, gen=answer["gen"], per_cpu=True),
              answer, "by id and gen")
        refused(lambda: MODULE.do("series-get", series_id=series, gen=answer["gen"] + 2),
                2, "there is no such series", "series-id")


@test
def dumps_are_the_same():
    everything = merged(MODULE.dump("series-get", per_cpu=True))
    bare = merged(MODULE.dump("series-get"))
    for name in FAMILIES:
        family = merged(MODULE.dump("series-get", name=name, per_cpu=True))
        equal({s["name"] for s in family.values()}, {name}, "the names")
        equal([s["label-value"] for s in family.values() if "overflow" in s], overflow(name),
              "overflow")
        for series, answer in family.items():
            equal(everything[series], answer, "in the whole dump")
            equal(bare[series], without(answer, "row"), "in the dump without rows")
        every = SERIES[name] + overflow(name)
        equal(len(family), len(every), f"series of {name}")
        equal([get(name, values, per_cpu=True) for values in every],
              sorted(family.values(), key=lambda s: every.index(s.get("label-value", []))),
              "the dump")


# --- The mapping


def shown_bounds(name):
    """(index, text) of the buckets that obsringctl shows."""
    family = FAMILIES[name]
    if "bound" in family:
        yield from ((k, str(bound)) for k, bound in enumerate(family["bound"]))
    else:
        unit = Fraction(10) ** family.get("exp10", 0)
        for power in range(family["min_log2"], family["max_log2"] + 1):
            yield (power - family["min_log2"] << family["schema"],
                   str(Fraction(2) ** power // unit))
    yield nr_bounds(name), "+Inf"


def as_shown(name, answer):
    """A value or row, in obsringctl's form."""
    kind = FAMILIES[name]["kind"]
    if kind == "histogram":
        bucket = answer["bucket"]
        return {"count": sum(bucket), "sum": answer["sum"],
                "buckets": [{"le": le, "count": sum(bucket[:index + 1])}
                            for index, le in shown_bounds(name)]}
    return {"value": answer["value"] if kind == "gauge" else answer["value"] % WORD}


def series_as_shown(name, answer):
    family = FAMILIES[name]
    rows = [] if family.get("set") else answer.get("row", [])
    return {"name": name, "kind": family["kind"],
            "labels": dict(zip(family.get("label_name", []), answer.get("label-value", []))),
            **as_shown(name, answer),
            "cpus": [{"cpu": row["cpu"], **as_shown(name, row)} for row in rows]}


def by_labels(series):
    return sorted(series, key=lambda one: list(one["labels"].items()))


@test
def values_are_the_mappings():
    for name in FAMILIES:
        told = merged(MODULE.dump("series-get", name=name, per_cpu=True)).values()
        equal(by_labels(series_as_shown(name, answer) for answer in told),
              by_labels(ctl("get", name, "--per-cpu", "--raw")), name)


# --- Removing


@test
def series_are_removed():
    for name, values in EACH[:3]:
        before = get(name, values)
        equal(MODULE.do("series-del", **selector(name, values)), None, "the answer")
        equal(EVENTS.take(1), [("series-del-ntf", {
            **without(before, *VALUE), "gen": before["gen"] + 1})], "told")
        refused(lambda: get(name, values), 2, "the family has no series with these label values")
        refused(lambda: MODULE.do("series-get", series_id=before["series-id"],
                                  gen=before["gen"]), 2, "there is no such series", "series-id")
    left = MODULE.dump("series-get", name="ynl_bytes_total")
    equal([series["overflow"] for series in left], [True], "what is left")
    equal([series["labels"] for series in ctl("get", "ynl_bytes_total")],
          [{"a": "_overflow", "b": "_overflow"}], "what is left in the mapping")


@test
def families_are_removed():
    for name in FAMILIES:
        before = MODULE.do("family-get", name=name)
        equal(MODULE.do("family-del", name=name), None, "the answer")
        events = EVENTS.take(before["series"] + 1)
        equal([event for event, _ in events],
              ["series-del-ntf"] * before["series"] + ["family-del-ntf"], "told")
        equal(events[-1][1], {**before, "series": 0, "gen": before["gen"] + 1}, "told")
        refused(lambda: MODULE.do("family-get", name=name), 2,
                "there is no family of that name", "name")
    names = {family["name"] for family in MODULE.dump("family-get")}
    equal(names & set(FAMILIES), set(), "what is left")
    names = {series["name"] for series in MODULE.dump("series-get")}
    equal(names & set(FAMILIES), set(), "what is left")
    equal({f["name"] for f in ctl("list")} & set(FAMILIES), set(), "left in the mapping")
