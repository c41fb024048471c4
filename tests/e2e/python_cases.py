# SPDX-License-Identifier: MIT
"""python_cases.py OBSRINGCTL SEGMENT: the Python module, in processes as servers fork
them, counting in a segment that is made anew; what is there is asked of obsringctl. TAP."""
import asyncio
import decimal
import fractions
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings

import obsring
from ynl_tap import equal, run, test

CTL, SEGMENT = sys.argv[1:]
WORKERS = 4


def ctl(*words):
    return json.loads(subprocess.run([CTL, "--device", SEGMENT, "--json", *words],
                                     check=True, capture_output=True).stdout)


def series(name, **labels):
    """The one series with these labels."""
    found = [s for s in ctl("get", name) if labels.items() <= s["labels"].items()
             and "_overflow" not in s["labels"].values()]
    equal(len(found), 1, f"series of {name}")
    return found[0]


def value(name, **labels):
    return series(name, **labels)["value"]


def family(name):
    return ctl("list", name)[0]


def left():
    """Who attaches to a segment notices who is gone."""
    subprocess.run([CTL, "--device", SEGMENT, "inc", "--service", "shop", "seen_total"],
                   check=True)


def fork(function, *arguments):
    """A child that runs it, and is killed if that takes for ever."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(60)
    status = 1
    try:
        function(*arguments)
        status = 0
    finally:
        os._exit(status)


def join(pids):
    for pid in pids:
        equal(os.waitpid(pid, 0)[1], 0, "a child's status")


def raises(error, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except error as caught:
        return str(caught)
    raise AssertionError(f"{error.__name__} is not raised")


early = obsring.Counter("early_total", "Made before its service.", ["a"])
early_child = early.labels("x")
early_child.inc()


@test
def attach_wakes_what_was_made_before():
    obsring.create_segment(SEGMENT)
    raises(FileExistsError, obsring.create_segment, SEGMENT)
    service = obsring.attach("shop", device=SEGMENT, ttl=3600)
    equal(service.uid, os.geteuid())
    early_child.inc(2)
    equal(value("early_total", service="shop", uid=str(os.geteuid()), a="x"), 2)


@test
def a_family_is_as_it_was_described():
    obsring.Counter("a_requests", "Réquests.", ["method", "path"]).labels("GET", "/")
    # That one, and the one of what limits refuse.
    equal(family("a_requests_total"), {
        "name": "a_requests_total", "kind": "counter", "unit": "", "help": "Réquests.",
        "labels": ["service", "uid", "method", "path"], "series": 2})
    obsring.Counter("a_sent_total", "Sent.", unit="bytes").inc(7)
    equal(family("a_sent_bytes_total")["unit"], "bytes")
    equal(value("a_sent_bytes_total"), 7)
    obsring.Gauge("a_room_celsius", "Warm.").set(-1.5)
    equal((family("a_room_celsius")["unit"], value("a_room_celsius")), ("celsius", -1.5))
    obsring.StateSet("a_mode", "Mode.", states=["off", "on"])
    equal((family("a_mode")["kind"], family("a_mode")["states"]), ("stateset", ["off", "on"]))
    obsring.Histogram("a_size", "Sizes.", buckets=[1, 10, float("inf")])
    equal([b["le"] for b in series("a_size")["buckets"]], ["1", "10", "+Inf"])
    obsring.Histogram("a_wait_seconds", "Waits.")
    equal([b["le"] for b in series("a_wait_seconds")["buckets"]],
          [f"{b:g}" for b in obsring.DEFAULT_BUCKETS] + ["+Inf"])
    obsring.Histogram("a_native_seconds", "Waits.", schema=2, min_log2=-2, max_log2=1)
    equal([b["le"] for b in series("a_native_seconds")["buckets"]],
          ["0.25", "0.5", "1", "2", "+Inf"])
    obsring.Histogram("a_load", "Loads.", exp10=-3, buckets=[0.125]).observe(0.125)
    equal(series("a_load")["buckets"][0], {"le": "0.125", "count": 1})


@test
def labels_are_given_in_order_or_by_name():
    c = obsring.Counter("b_total", "B.", ["x", "y"])
    c.labels("1", 2).inc()
    c.labels(y=2, x="1").inc()
    equal(c.labels("1", "2") is c.labels(x=1, y=2), True)
    equal(value("b_total", x="1", y="2"), 2)
    for values, named in (((), {}), (("1",), {}), (("1", "2", "3"), {}), (("1",), {"y": 2}),
                          ((), {"x": 1}), ((), {"x": 1, "z": 2})):
        raises(ValueError, c.labels, *values, **named)
    raises(ValueError, c.inc)
    raises(ValueError, obsring.Counter("b_plain_total", "B.").labels, "x")
    raises(ValueError, c.labels, "a\0b", "c")
    raises(OSError, obsring.Counter("b_reserved_total", "B.", ["uid"]).labels, "1")
    raises(OSError, obsring.Counter, "obsring_b_total", "B.")


@test
def another_definition_is_refused():
    obsring.Counter("c_total", "C.")
    obsring.Counter("c_total", "Another help.")
    raises(FileExistsError, obsring.Counter("c_total", "C.", ["x"]).labels, "1")
    raises(FileExistsError, obsring.Counter, "c_total", "C.", exp10=-3)
    raises(OSError, obsring.Gauge, "c_total", "C.")
    obsring.Gauge("c_level", "C.", mode="add")
    raises(OSError, obsring.Gauge, "c_level", "C.", mode="set")


@test
def numbers_are_exact():
    c = obsring.Counter("d_seconds_total", "D.")
    for amount in (1, 0.25, 1e-9, decimal.Decimal("0.000000002"), fractions.Fraction(1, 8)):
        c.inc(amount)
    equal(subprocess.run([CTL, "--device", SEGMENT, "get", "d_seconds_total", "--raw"],
                         check=True, capture_output=True).stdout.split()[1], b"1375000003")
    g = obsring.Gauge("d_level", "D.")
    for number in (2**63 - 1, -2**63, 2**53 + 1, 0, 3.0, -5):
        g.set(number)
        equal(value("d_level"), int(number))
    for number in (0.5, 2**63, -2**63 - 1, float("inf"), float("nan")):
        raises(ValueError, g.set, number)
    raises(ValueError, c.inc, -1)
    raises(ValueError, c.inc, 2**63 / 1e9)
    raises(ValueError, obsring.Histogram("d_wait_seconds", "D.").observe, -0.1)
    equal(value("d_level"), -5)


@test
def gauges_are_of_one_mode():
    add = obsring.Gauge("e_busy", "E.", mode="add")
    last = obsring.Gauge("e_last", "E.", ["a"])
    raises(ValueError, add.set, 1)
    raises(ValueError, last.labels("x").inc)
    raises(ValueError, last.labels("x").dec)
    raises(ValueError, obsring.Gauge, "e_other", "E.", mode="sum")
    add.inc(5)
    add.dec(2)
    equal(value("e_busy"), 3)
    with add.track_inprogress():
        equal(value("e_busy"), 4)
    equal(value("e_busy"), 3)
    now = obsring.Gauge("e_start_time_seconds", "E.")
    now.set_to_current_time()
    if not 0 <= time.time() - value("e_start_time_seconds") < 60:
        raise AssertionError("it is not the time")


@test
def blocks_and_functions_are_timed():
    h = obsring.Histogram("f_seconds", "F.")
    failures = obsring.Counter("f_failures_total", "F.")

    @h.time()
    def depth(n):
        """Its own text."""
        time.sleep(0.001)
        return depth(n - 1) + 1 if n else 0

    @h.time()
    @failures.count_exceptions(KeyError)
    async def later(fails):
        await asyncio.sleep(0.01)
        if fails:
            raise KeyError("x")

    equal(depth(3), 3)
    equal((depth.__name__, depth.__doc__), ("depth", "Its own text."))
    asyncio.run(later(False))
    raises(KeyError, asyncio.run, later(True))
    with h.time():
        pass
    got = series("f_seconds")
    equal(got["count"], 4 + 2 + 1)
    # 1, 2, 3 and 4 ms, twice 10.
    if got["sum"] < 0.03:
        raise AssertionError(f"{got['sum']} s is too little")
    equal(value("f_failures_total"), 1)
    with failures.count_exceptions():
        pass
    equal(value("f_failures_total"), 1)


@test
def forked_workers_count_in_the_same_series():
    c = obsring.Counter("g_requests_total", "G.", ["worker"])
    both = c.labels("any")
    h = obsring.Histogram("g_wait_seconds", "G.")
    busy = obsring.Gauge("g_busy", "G.", mode="add")
    busy.inc(100)
    done, go = os.pipe(), os.pipe()

    def worker(number):
        mine = c.labels(number)
        busy.inc()
        for _ in range(5000):
            both.inc()
            mine.inc(2)
            h.observe(0.5)
        os.write(done[1], b"x")
        os.read(go[0], 1)

    pids = [fork(worker, n) for n in range(WORKERS)]
    for _ in pids:
        os.read(done[0], 1)
    equal(value("g_busy"), 100 + WORKERS)
    equal(value("g_requests_total", worker="any"), 5000 * WORKERS)
    for number in range(WORKERS):
        equal(value("g_requests_total", worker=str(number)), 10000)
    equal(series("g_wait_seconds")["count"], 5000 * WORKERS)
    equal(series("g_wait_seconds")["sum"], 2500 * WORKERS)
    # One is killed: what it counted stays, its share of the gauge goes.
    os.kill(pids[0], signal.SIGKILL)
    equal(os.waitpid(pids.pop(0), 0)[1], signal.SIGKILL)
    left()
    equal(value("g_busy"), 100 + WORKERS - 1)
    os.write(go[1], b"x" * WORKERS)
    join(pids)
    left()
    equal(value("g_busy"), 100)
    equal(value("g_requests_total", worker="any"), 5000 * WORKERS)


@test
def threads_count_exactly():
    c = obsring.Counter("h_total", "H.", ["n"])
    h = obsring.Histogram("h_size", "H.")

    def work():
        for n in range(5000):
            c.labels(n % 7).inc()
            h.observe(n)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sum(s["value"] for s in ctl("get", "h_total")), 40000)
    equal((series("h_size")["count"], series("h_size")["sum"]), (40000, 8 * 5000 * 4999 // 2))


@test
def fork_while_a_thread_makes_series():
    c = obsring.Counter("i_total", "I.", ["n"])
    stop = threading.Event()
    made = []

    def maker():
        while not stop.is_set():
            c.labels(f"t{len(made)}").inc()
            made.append(None)
            # As a server's would be: not as fast as it can.
            time.sleep(0.0005)

    thread = threading.Thread(target=maker)
    thread.start()
    for n in range(40):
        join([fork(lambda n=n: c.labels(f"c{n}").inc())])
    stop.set()
    thread.join()
    got = [s["value"] for s in ctl("get", "i_total")]
    equal(sum(got), 40 + len(made))


@test
def the_greatest_version_stays():
    states = obsring.StateSet("j_order", "J.", ["order"], states=["new", "paid", "sent"])
    one = states.labels(1)
    equal(one.get(), (0, None))
    equal(one.update(10, "new"), obsring.Result.INSERTED)
    equal(one.update(12, "sent"), obsring.Result.UPDATED)
    equal(one.update(11, "paid"), obsring.Result.STALE)
    equal(one.update(12, "sent"), obsring.Result.STALE)
    equal(one.update(12, "paid"), obsring.Result.CONFLICT)
    equal(one.get(), (12, "sent"))
    raises(ValueError, one.update, 0, "new")
    raises(ValueError, one.update, 2**56, "new")
    raises(ValueError, one.update, 13, "lost")
    two = states.labels(2)

    def worker(number):
        versions = list(range(1, 3001))
        random.Random(number).shuffle(versions)
        for version in versions:
            two.update(version, ("new", "paid", "sent")[version % 3])

    join([fork(worker, n) for n in range(WORKERS)])
    equal(two.get(), (3000, "new"))
    got = series("j_order", order="2")
    equal((got["state"], got["version"]), ("new", 3000))


@test
def who_sets_a_state_last_is_right():
    mode = obsring.Enum("k_mode", "K.", states=["starting", "running"])

    def worker():
        for _ in range(500):
            mode.state("starting")

    join([fork(worker) for _ in range(WORKERS)])
    # Each made a version of its own.
    equal(mode.get(), (500 * WORKERS, "starting"))
    mode.state("running")
    equal(series("k_mode")["state"], "running")


@test
def a_service_of_its_own():
    with obsring.Service("other", device=SEGMENT) as other:
        c = obsring.Counter("m_total", "M.", service=other)
        c.inc(3)
        child = obsring.Counter("early_total", "Early.", ["a"], service=other).labels("x")
        child.inc(9)
        equal(value("early_total", service="other", a="x"), 9)
    # Left: it counts no more, and harms nobody.
    c.inc(5)
    child.inc(5)
    equal(value("m_total", service="other"), 3)
    again = obsring.Service("other", device=SEGMENT)
    obsring.Counter("m_total", "M.", service=again).inc()
    equal(value("m_total", service="other"), 4)


@test
def without_the_module_it_is_said():
    said = raises(FileNotFoundError, obsring.Service, "x", device="/nonexistent/obsring")
    if "not loaded" not in said:
        raise AssertionError(said)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        none = obsring.Service("x", device="/nonexistent/obsring", optional=True)
    equal([w.category for w in caught], [RuntimeWarning])
    equal(type(none.error), FileNotFoundError)
    equal(none.uid, None)
    obsring.Counter("n_total", "N.", ["a"], service=none).labels("x").inc()
    obsring.Gauge("n_busy", "N.", mode="add", service=none).inc()
    obsring.Gauge("n_last", "N.", service=none).set(1)
    obsring.Histogram("n_seconds", "N.", service=none).observe(1)
    states = obsring.Enum("n_mode", "N.", states=["a"], service=none)
    states.state("a")
    equal((states.update(1, "a"), states.get()), (None, (0, None)))
    raises(ValueError, obsring.Gauge("n_other", "N.", service=none).inc)


@test
def a_limit_is_told():
    c = obsring.Counter("l_total", "L.", ["n"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(5000):
            c.labels(n).inc()
    equal({w.category for w in caught}, {RuntimeWarning})
    # Nothing is lost by it.
    got = ctl("get", "l_total")
    equal(sum(s["value"] for s in got), 5000)
    over = [s["value"] for s in got if s["labels"]["n"] == "_overflow"]
    equal(over, [len(caught)])


sys.exit(run())
