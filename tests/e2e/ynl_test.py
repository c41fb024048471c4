# SPDX-License-Identifier: MIT
"""ynl_test.py ROOT: drives the module with the kernel's tools/net/ynl through
include/netlink/obsring.yaml. ROOT holds both, by their paths, and obsringctl is
installed. Prints TAP."""
import errno
import json
import os
import platform
import subprocess
import sys

from ynl_module import Events, Module, as_nobody, cli, ctl, join_group, refused
from ynl_tap import equal, run, test
import ynl_policy  # noqa: F401  pylint: disable=unused-import
import ynl_values  # noqa: F401  pylint: disable=unused-import
import ynl_refuse  # noqa: F401  pylint: disable=unused-import
import ynl_service  # noqa: F401  pylint: disable=unused-import

DEVICE = "/dev/obsring"
SOURCES = {"task", "process", "runqueue", "reclaim", "syscall", "block", "netdrop", "tcp", "irq",
           "printk"}
NOT_A_READER = ("values need CAP_PERFMON, CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user "
                "namespace, or device-fd")
NOT_PRIVILEGED = "this needs CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace"
NOT_THE_DEVICE = "this is no descriptor of the device that is open for reading"
MODULE = Module()
# Linux tells why it does not start a dump from 6.3 on.
DUMPS_TELL = tuple(map(int, platform.release().split(".")[:2])) >= (6, 3)


def system_call(name):
    """The kernel's function for it."""
    return {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_"}[os.uname().machine] + name


# --- Info and state


def counted():
    """Info, families and series of one moment: a source may make one meanwhile."""
    while True:
        info = MODULE.do("info-get")
        families = MODULE.dump("family-get")
        series = {message["series-id"] for message in MODULE.dump("series-get")}
        if MODULE.do("info-get") == info:
            return info, families, series


@test
def info_is_what_there_is():
    info, families, series = counted()
    equal(info["families"], len(families), "families")
    equal(info["series"], len(series), "series")
    equal(sum(family["series"] for family in families), len(series), "series of the families")
    equal((info["abi-major"], info["state"]), (1, "running"))
    equal(info["nr-cpus"], os.cpu_count(), "CPUs")
    parameters = "/sys/module/obsring/parameters/"
    for name, parameter in (("series-limit", "max_series"),
                            ("family-series-limit", "max_series_per_family")):
        with open(parameters + parameter, encoding="ascii") as file:
            equal(info[name], int(file.read()), parameter)


@test
def info_is_obsringctls():
    names = {"version": "version", "abi_major": "abi-major", "abi_minor": "abi-minor",
             "state": "state", "instance": "instance", "cpus": "nr-cpus",
             "series_limit": "series-limit", "refused": "refused"}
    told, info = ctl("info"), MODULE.do("info-get")
    equal({name: told[name] for name in names},
          {name: info[attribute] for name, attribute in names.items()}, "info")


@test
def the_state_is_set_and_told():
    events = Events("ynl_")
    try:
        for state in ("draining", "running"):
            equal(MODULE.do("state-set", state=state), None, "the answer")
            equal(events.take(1), [("state-ntf", {"state": state})], "told")
            equal(MODULE.do("info-get")["state"], state, "the state")
            equal(device_opens(), state == "running", f"that it opens while {state}")
    finally:
        MODULE.do("state-set", state="running")
        events.close()


def device_opens():
    try:
        os.close(os.open(DEVICE, os.O_RDONLY))
    except OSError as error:
        equal(error.errno, errno.ESHUTDOWN, "the errno")
        return False
    return True


# --- Sources


def options(source):
    return {o["option-key"]: o["option-value"] for o in source.get("option", [])}


def source_set(name, enabled, **settings):
    """Switches it, and is told so; returns it."""
    events = Events(name)
    request = {"option": [{"option-key": key, "option-value": value}
                          for key, value in settings.items()]} if settings else {}
    equal(MODULE.do("source-set", name=name, enabled=enabled, **request), None, "the answer")
    source = MODULE.do("source-get", name=name)
    equal(events.take(1), [("source-ntf", source)], "told")
    events.close()
    equal(source["enabled"], enabled, "whether it is on")
    return source


@test
def sources_are_listed():
    sources = {source["name"]: source for source in MODULE.dump("source-get")}
    equal(set(sources), SOURCES, "sources")
    for name, source in sources.items():
        equal(MODULE.do("source-get", name=name), source, "by name")
        equal(bool(source["help"]), True, f"that {name} has a help")
        for option in source.get("option", []):
            equal(set(option), {"option-key", "option-value", "help"}, "an option")
    equal(options(sources["syscall"]), {"latency": "read,write", "sample": "1000"}, "options")
    listed = {source["name"]: source for source in ctl("source", "list")}
    equal({name: bool(source["enabled"]) for name, source in sources.items()},
          {name: source["enabled"] for name, source in listed.items()}, "obsringctl's list")


@test
def a_sources_options_are_set():
    source = source_set("syscall", 0, sample="7", latency="getpgid,close")
    equal(options(source), {"sample": "7", "latency": "getpgid,close"}, "options")
    source = source_set("syscall", 0, sample="1")
    equal(options(source), {"sample": "1", "latency": "getpgid,close"}, "options")


def calls_timed():
    answer = MODULE.do("series-get", name="obsring_syscall_latency_seconds",
                       label_value=["getpgid"])
    return sum(answer["bucket"])


@test
def a_source_is_switched_on_and_counts():
    source_set("syscall", 1)
    equal(calls_timed(), 0, "calls before")
    for _ in range(123):
        os.getpgid(0)
    equal(calls_timed(), 123, "calls")
    source_set("syscall", 0, sample="1000", latency="read,write")
    os.getpgid(0)
    equal(calls_timed(), 123, "calls after")


# --- Probes


def probes():
    return {probe["name"]: probe for probe in MODULE.dump("probe-get")}


def probe_new(name, what, target, **more):
    events = Events(name)
    equal(MODULE.do("probe-new", name=name, probe_type=what, probe_target=target, **more),
          None, "the answer")
    # Its metric is told as well.
    told = [event for event in events.take(3) if event[0].startswith("probe-")]
    events.close()
    equal(told, [("probe-new-ntf", {"name": name, "probe-type": what, "probe-target": target})],
          "told")


def probe_del(name):
    events = Events(name)
    equal(MODULE.do("probe-del", name=name), None, "the answer")
    told = [event for event in events.take(3) if event[0].startswith("probe-")]
    events.close()
    equal(told, [("probe-del-ntf", {"name": name})], "told")
    equal(name in probes(), False, "that it is listed")
    refused(lambda: MODULE.do("family-get", name=name), errno.ENOENT,
            "there is no family of that name", "name")


@test
def a_tracepoint_is_counted():
    probe_new("ynl_adjust_total", "tracepoint", "oom:oom_score_adj_update", help="Set.")
    equal(MODULE.do("family-get", name="ynl_adjust_total")["help"], "Set.", "the help")
    for _ in range(17):
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("0")
    equal(probes(), {"ynl_adjust_total": {
        "name": "ynl_adjust_total", "probe-type": "tracepoint",
        "probe-target": "oom:oom_score_adj_update", "kind": "counter", "sample": 1,
        "hits": 17, "missed": 0}}, "the probes")
    equal(MODULE.do("series-get", name="ynl_adjust_total")["value"], 17, "the metric")
    refused(lambda: MODULE.do("probe-new", name="ynl_adjust_total", probe_type="kprobe",
                              probe_target=system_call("getpgid")), errno.EEXIST,
            "a probe has that name")
    refused(lambda: MODULE.do("family-del", name="ynl_adjust_total"), errno.EBUSY,
            "the family belongs to a source, a probe or a kernel module", "name")
    probe_del("ynl_adjust_total")


@test
def a_functions_calls_are_timed():
    probe_new("ynl_getpgid_seconds", "kretprobe", system_call("getpgid"))
    for _ in range(19):
        os.getpgid(0)
    answer = MODULE.do("series-get", name="ynl_getpgid_seconds")
    equal((answer["kind"], sum(answer["bucket"])), ("histogram", 19), "the metric")
    equal(probes()["ynl_getpgid_seconds"]["hits"], 19, "hits")
    probe_del("ynl_getpgid_seconds")


@test
def a_function_is_sampled():
    probe_new("ynl_calls_total", "kprobe", system_call("getpgid"), kind="counter", sample=10)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    for _ in range(25):
        os.getpgid(0)
    os.sched_setaffinity(0, before)
    # For each tenth, ten are added.
    equal(MODULE.do("series-get", name="ynl_calls_total")["value"], 20, "the metric")
    probe = probes()["ynl_calls_total"]
    equal((probe["sample"], probe["hits"]), (10, 25), "the probe")
    refused(lambda: MODULE.do("probe-new", name="ynl_other_total", probe_type="kprobe",
                              probe_target=system_call("getpgid"), sample=(1 << 20) + 1),
            errno.EINVAL, "sample is not 1 to 1048576")
    refused(lambda: MODULE.do("probe-new", name="ynl_other_total", probe_type="kprobe",
                              probe_target="obs_netlink_ntf"),
            errno.EINVAL, "obsring's own functions can't be probed")
    probe_del("ynl_calls_total")


@test
def a_probe_whose_module_went_says_so():
    subprocess.run(["modprobe", "dummy"], check=True)
    probe_new("ynl_dummy_total", "kprobe", "dummy_xmit")
    equal("reason" in probes()["ynl_dummy_total"], False, "that a reason is given")
    subprocess.run(["rmmod", "dummy"], check=True)
    equal(probes()["ynl_dummy_total"]["reason"], "its target went away with its module",
          "the reason")
    probe_del("ynl_dummy_total")


# --- The log


def rings():
    return {(ring["cpu"], ring["origin"]): ring for ring in MODULE.dump("log-get")}


@test
def rings_are_listed_and_resized():
    before = rings()
    cpus = {cpu for cpu, _ in before}
    equal(set(before), {(cpu, origin) for cpu in cpus for origin in ("kernel", "user")},
          "the rings")
    bytes_before = before[(0, "user")]["bytes"]
    events = Events("")
    equal(MODULE.do("log-set", origin="user", bytes=8192), None, "the answer")
    told = events.take(1)
    events.close()
    equal(told, [("log-ntf", {"origin": "user", "bytes": 8192})], "told")
    for (_, origin), ring in rings().items():
        if origin == "user":
            equal((ring["bytes"], ring["high-water"]), (8192, 0), "a ring")
    with open(DEVICE, "w", encoding="ascii") as device:
        device.write("a record")
    after = [ring for ring in rings().values() if ring["origin"] == "user"]
    equal(sum(ring["high-water"] for ring in after), 128, "bytes used")
    equal(sum(ring["records"] for ring in after) -
          sum(ring["records"] for ring in before.values() if ring["origin"] == "user"), 1,
          "records")
    equal(MODULE.do("log-set", origin="user", bytes=bytes_before), None, "the answer")


# --- Sampling rules


def rules():
    return MODULE.dump("sample-get")


@test
def a_rule_is_set_listed_and_removed():
    events = Events("ynl")
    answer = MODULE.do("sample-set", name="ynl", level=5, rule="one-in", rule_value=10)
    equal(set(answer), {"sample-id"}, "the answer")
    rule = {"name": "ynl", "level": 5, "rule": "one-in", "rule-value": 10}
    equal(rules(), [rule], "the rules")
    MODULE.do("sample-del", name="ynl", level=5)
    equal(rules(), [], "the rules after")
    told = events.take(2)
    events.close()
    equal(told, [("sample-set-ntf", rule), ("sample-del-ntf", {"name": "ynl", "level": 5})],
          "told")


@test
def a_command_waits_and_is_taken_back():
    at = 1 << 62
    first = MODULE.do("sample-set", name="ynl", rule="drop", at_ns=at)["sample-id"]
    second = MODULE.do("sample-del", name="ynl", at_ns=at)["sample-id"]
    equal(second > first, True, "that numbers grow")
    equal(rules(), [
        {"name": "ynl", "rule": "drop", "rule-value": 0, "sample-id": first, "at-ns": at},
        {"name": "ynl", "sample-id": second, "at-ns": at}], "what waits")
    third = MODULE.do("sample-set", name="ynl", rule="keep", at_ns=at, sample_id=first)["sample-id"]
    equal([rule["sample-id"] for rule in rules()], [second, third], "what waits in its place")
    for number in (second, third):
        equal(MODULE.do("sample-del", sample_id=number), None, "the answer")
    equal(rules(), [], "what waits then")


# --- Who may ask


def refused_to_nobody(module):
    """(function, sentence): what takes more than being there."""
    for operation, mode, request in (
            ("family-get", "do", {"name": "obsring_tasks"}), ("family-get", "dump", {}),
            ("series-get", "do", {"name": "obsring_tasks"}), ("series-get", "dump", {}),
            ("probe-get", "dump", {}), ("sample-get", "dump", {}), ("log-get", "dump", {}),
            ("source-get", "dump", {})):
        yield (lambda o=operation, m=mode, r=request: module.ask(o, m, **r),
               NOT_A_READER if mode == "do" or DUMPS_TELL else None)
    for operation, request in (
            ("state-set", {"state": "running"}), ("family-del", {"name": "ynl_none"}),
            ("family-new", {"name": "ynl_nobody", "help": "h", "kind": "gauge"}),
            ("series-new", {"name": "ynl_none"}), ("series-del", {"name": "ynl_none"}),
            ("series-update", {"name": "ynl_none", "value": 1}),
            ("source-set", {"name": "irq", "enabled": 0}), ("probe-del", {"name": "ynl_none"}),
            ("log-set", {"origin": "user", "bytes": 8192}),
            ("probe-new", {"name": "ynl_none", "probe_type": "kprobe", "probe_target": "none"}),
            ("sample-set", {"name": "ynl_none", "rule": "drop"}),
            ("sample-del", {"name": "ynl_none"})):
        yield lambda o=operation, r=request: module.do(o, **r), NOT_PRIVILEGED


@test
def nobody_sees_info_and_sources_alone():
    info = MODULE.do("info-get")
    equal(info["source"], [source["name"] for source in MODULE.dump("source-get")], "sources")

    def ask():
        module = Module()
        equal(module.do("info-get")["instance"], info["instance"], "the instance")
        for name in info["source"]:
            equal(module.do("source-get", name=name)["name"], name, "a source")
        for function, sentence in refused_to_nobody(module):
            refused(function, errno.EPERM, sentence)

    as_nobody(ask)


@test
def nobody_joins_no_group():
    def join():
        try:
            join_group()
        except PermissionError:
            return
        raise AssertionError("the group was joined")

    as_nobody(join)


def ask_with(descriptor, module):
    name = "obsring_tasks"
    return (module.do("family-get", name=name, device_fd=descriptor)["name"],
            module.do("series-get", name=name, device_fd=descriptor)["name"],
            module.dump("family-get", device_fd=descriptor)[0]["name"] != "",
            {s["name"] for s in module.dump("series-get", name=name, device_fd=descriptor)},
            module.dump("probe-get", device_fd=descriptor),
            module.dump("sample-get", device_fd=descriptor),
            {ring["origin"] for ring in module.dump("log-get", device_fd=descriptor)},
            module.do("source-get", name="task", device_fd=descriptor)["name"],
            {s["name"] for s in module.dump("source-get", device_fd=descriptor)})


@test
def a_descriptor_of_the_device_makes_a_reader():
    want = ("obsring_tasks", "obsring_tasks", True, {"obsring_tasks"}, [], [],
            {"kernel", "user"}, "task", SOURCES)
    device = os.open(DEVICE, os.O_RDONLY)
    null = os.open("/dev/null", os.O_RDONLY)

    def ask():
        module = Module()
        equal(ask_with(device, module), want, "what is told")
        refused_descriptors(module, [null, 1000, 0xffffffff])

    try:
        as_nobody(ask)
        equal(ask_with(device, MODULE), want, "what is told to root")
        refused_descriptors(MODULE, [null])
    finally:
        os.close(device)
        os.close(null)


def refused_descriptors(module, descriptors):
    for descriptor in descriptors:
        refused(lambda: module.do("series-get", name="obsring_tasks", device_fd=descriptor),
                errno.EBADF, NOT_THE_DEVICE, "device-fd")
        refused(lambda: module.dump("series-get", device_fd=descriptor), errno.EBADF,
                *((NOT_THE_DEVICE, "device-fd") if DUMPS_TELL else (None, None)))


# --- The tool itself


@test
def the_command_line_tool_works():
    status, output = cli("--do", "info-get", "--output-json")
    equal(status, 0, "its status")
    equal(json.loads(output)["instance"], MODULE.do("info-get")["instance"], "the instance")
    status, output = cli("--dump", "series-get", "--json", '{"name": "obsring_build_info"}')
    equal(status, 1, "its status")
    equal("there is no family of that name" in output, True, f"what was refused: {output}")


# --- The description


def may_be_unseen():
    """Only a source that this kernel has not says why."""
    if any("reason" in source for source in MODULE.dump("source-get")):
        return set()
    return {"source-get do reply: reason", "source-get dump reply: reason"}


@test
def all_that_is_described_was_accepted_and_answered():
    equal(set(MODULE.unseen()) - may_be_unseen(), set(), "described, but never seen")


if __name__ == "__main__":
    sys.exit(run())
