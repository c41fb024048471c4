# SPDX-License-Identifier: MIT
"""trace_cases.py BUILD: starts userspace/examples/trace_service, sends it requests
with all kinds of headers, has it call back, and checks what the calls carry. A hosted
segment is in the place of the device. TAP."""
import ctypes
import http.server
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading

from ynl_tap import equal, run, test

TRACE = "0123456789abcdef0123456789abcdef"
SPAN = "fedcba9876543210"
PARENT = f"00-{TRACE}-{SPAN}"
LONG = "k" * 256


# --- The other side of its calls

class Callback(http.server.BaseHTTPRequestHandler):
    """Keeps what came, by path; a path that begins with /fail is answered so."""
    protocol_version = "HTTP/1.1"
    calls = {}
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            self.calls.setdefault(self.path, []).append((self.headers, json.loads(body)))
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


callback = Server(("127.0.0.1", 0), Callback)
threading.Thread(target=callback.serve_forever, daemon=True).start()
HOME = f"http://127.0.0.1:{callback.server_port}"
paths = (f"/{n}" for n in itertools.count())


# --- The service

BUILD = sys.argv[1]
work = tempfile.TemporaryDirectory()
SEGMENT = f"{work.name}/segment"
equal(ctypes.CDLL(f"{BUILD}/lib/libobsring.so").obs_segment_create(SEGMENT.encode(), None), 0,
      "making a segment")
spans = tempfile.NamedTemporaryFile()
service = subprocess.Popen([f"{BUILD}/examples/trace_service", "--device", SEGMENT,
                            "--spans", spans.name], stdout=subprocess.PIPE, text=True)
SERVICE = service.stdout.readline().strip()
PORT = int(SERVICE.rstrip("/").rsplit(":", 1)[1])


def send(headers, body, method="POST"):
    """A request of these bytes: no library makes such headers. Status and body."""
    if not isinstance(body, str):
        body = json.dumps(body)
    lines = [f"{method} /test HTTP/1.1", "Host: service", "Connection: close",
             f"Content-Length: {len(body)}"]
    lines += [f"{name}:{value}" for name, value in headers]
    with socket.create_connection(("127.0.0.1", PORT), timeout=60) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, text = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), text.decode()


def calls_of(headers, count=1, arguments=()):
    """What `count` calls carried that a request with `headers` led to."""
    path = next(paths)
    status, text = send(headers, [{"url": HOME + path, "arguments": list(arguments)}] * count)
    equal(status, 200, "status")
    equal(json.loads(text), [200] * count, "statuses of calls")
    came = Callback.calls.pop(path)
    equal(len(came), count, "number of calls")
    for _, body in came:
        equal(body, list(arguments), "arguments")
    return [sent for sent, _ in came]


class Passed:
    """A call's context: exactly one traceparent, of version 00, and one tracestate."""

    def __init__(self, headers):
        parents = headers.get_all("traceparent", [])
        equal(len(parents), 1, "number of traceparents")
        match = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", parents[0])
        if not match or "0" * 32 in parents[0] or match[2] == "0" * 16:
            raise AssertionError(f"traceparent is {parents[0]!r}")
        self.trace, self.span, flags = match.groups()
        self.flags = int(flags, 16)
        states = headers.get_all("tracestate", [])
        if len(states) > 1:
            raise AssertionError(f"tracestates are {states!r}")
        self.state = states[0] if states else None
        self.baggage = headers.get_all("baggage", [])


def passed(*headers):
    return Passed(calls_of(headers)[0])


def goes_on(*headers, flags=None, state=None):
    got = passed(*headers)
    equal(got.trace, TRACE, "trace")
    equal(got.state, state, "tracestate")
    if got.span == SPAN:
        raise AssertionError("the call has the span of its request")
    if flags is not None:
        equal(got.flags, flags, "flags")
    return got


def is_new(*headers):
    """Another trace, for which nothing is passed on that was there."""
    got = passed(*headers)
    if got.trace == TRACE:
        raise AssertionError(f"{headers!r} was believed")
    equal(got.state, "ot=th:0", "tracestate")
    equal(got.flags, 3, "flags")
    return got


def with_state(*values):
    return [("traceparent", f"{PARENT}-01")] + [("tracestate", value) for value in values]


# --- traceparent

@test
def nothing_there():
    equal(is_new().trace == is_new().trace, False, "two new traces are one")


@test
def traceparent_goes_on():
    for flags in ("00", "01", "02", "03"):
        goes_on(("traceparent", f"{PARENT}-{flags}"), flags=int(flags, 16))


@test
def unknown_flags_are_not_passed_on():
    goes_on(("traceparent", f"{PARENT}-ff"), flags=3)
    goes_on(("traceparent", f"{PARENT}-f8"), flags=0)


@test
def names_have_no_case():
    for name in ("TraceParent", "TRACEPARENT", "traceParent"):
        goes_on((name, f"{PARENT}-01"), flags=1)


@test
def other_names_are_others():
    for name in ("trace-parent", "trace.parent", "traceparen", "traceparents", "x-traceparent"):
        is_new((name, f"{PARENT}-01"))


@test
def space_around_a_value():
    for before, behind in (" ", ""), ("\t", ""), ("", " "), ("", "\t"), (" \t ", " \t "):
        goes_on(("traceparent", f"{before}{PARENT}-01{behind}"), flags=1)


@test
def one_alone():
    is_new(("traceparent", f"{PARENT}-01"), ("traceparent", f"{PARENT}-01"))
    is_new(("traceparent", f"{PARENT}-01"), ("TraceParent", f"00-{SPAN * 2}-{SPAN}-01"))
    is_new(("traceparent", f"{PARENT}-01,{PARENT}-01"))


@test
def lengths():
    for value in ("", "00", PARENT, f"{PARENT}-", f"{PARENT}-0", f"{PARENT}-001",
                  f"0-{TRACE}-{SPAN}-01", f"000-{TRACE}-{SPAN}-01",
                  f"00-{TRACE[:-1]}-{SPAN}-01", f"00-{TRACE}0-{SPAN}-01",
                  f"00-{TRACE}-{SPAN[:-1]}-01", f"00-{TRACE}-{SPAN}0-01",
                  f"00-{TRACE}{SPAN}-01", f"{PARENT}-01-", f"{PARENT}-01-more", f"{PARENT}-01."):
        is_new(("traceparent", value))


@test
def each_character_must_be_a_digit():
    whole = f"{PARENT}-01"
    for at, was in enumerate(whole):
        for wrong in (".", "g", "A") if was != "-" else (".", "0"):
            is_new(("traceparent", whole[:at] + wrong + whole[at + 1:]))


@test
def no_id_is_zero():
    is_new(("traceparent", f"00-{'0' * 32}-{SPAN}-01"))
    is_new(("traceparent", f"00-{TRACE}-{'0' * 16}-01"))


@test
def versions_to_come():
    for version in ("01", "cc", "fe"):
        later = f"{version}-{TRACE}-{SPAN}-01"
        for more in ("", "-", "-more", "-more-and-more"):
            goes_on(("traceparent", later + more), flags=1)
        for more in ("m", ".more", "0"):
            is_new(("traceparent", later + more))


@test
def version_ff_is_none():
    is_new(("traceparent", f"ff-{TRACE}-{SPAN}-01"))
    is_new(("traceparent", f"ff-{TRACE}-{SPAN}-01-more"))


# --- tracestate

@test
def tracestate_without_a_parent_is_dropped():
    is_new(("tracestate", "a=1"))
    is_new(("traceparent", f"00-{TRACE}"), ("tracestate", "a=1"))


@test
def tracestate_goes_on():
    for value in ("a=1", "a=1,b=2", "0a=1", "a@b=1", "a@b@c=1", "a@=1", "a=b c", "a= 1",
                  "ab_-*/@0=!\"#$%&'()*+-./0:;<>?@AZ[\\]^_`az{|}~"):
        goes_on(*with_state(f" {value}"), state=value)


@test
def tracestate_names_have_no_case():
    for name in ("TraceState", "TRACESTATE"):
        goes_on(("traceparent", f"{PARENT}-01"), (name, "a=1"), state="a=1")
    for name in ("trace-state", "trace.state", "tracestates"):
        goes_on(("traceparent", f"{PARENT}-01"), (name, "a=1"), state=None)


@test
def several_headers_are_one_list():
    goes_on(*with_state("a=1,b=2", "c=3"), state="a=1,b=2,c=3")
    goes_on(*with_state("b=1", "a=2", "c=3"), state="b=1,a=2,c=3")
    goes_on(*with_state("a=1", "", " ", ",", "c=3"), state="a=1,c=3")


@test
def empty_members_and_space_mean_nothing():
    goes_on(*with_state(""), state=None)
    goes_on(*with_state(",,"), state=None)
    goes_on(*with_state("a=1,,b=2,"), state="a=1,b=2")
    goes_on(*with_state("a=1 \t,\t b=2\t"), state="a=1,b=2")


@test
def malformed_lists_are_dropped_and_the_parent_stays():
    for value in ("a", "a=", "=1", "a =1", "A=1", "_a=1", "@a=1", "-a=1", "a.b=1", "a:b=1",
                  "a=b=c", "a=1;b=2", "a=\x7f", "a=\xe9", "a=b\tc", "a=,b=2", "a=1 b=2=3"):
        goes_on(*with_state(value), flags=1, state=None)
        goes_on(*with_state("ok=1", value), flags=1, state=None)


@test
def thirty_two_members():
    members = [f"k{n}={n}" for n in range(33)]
    goes_on(*with_state(",".join(members[:32])), state=",".join(members[:32]))
    goes_on(*with_state(*members[:32]), state=",".join(members[:32]))
    goes_on(*with_state(",".join(members)), state=None)
    goes_on(*with_state(",".join(members[:16]), ",".join(members[16:])), state=None)


@test
def lengths_of_keys_and_values():
    goes_on(*with_state(f"{LONG}=1"), state=f"{LONG}=1")
    goes_on(*with_state(f"{LONG}k=1"), state=None)
    goes_on(*with_state(f"k={LONG}"), state=f"k={LONG}")
    goes_on(*with_state(f"k={LONG}k"), state=None)


@test
def five_hundred_and_twelve_bytes():
    members = [f"k{n:02}={'v' * 60}" for n in range(8)]     # 64 each, and commas
    exact = ",".join(members)[:512]
    goes_on(*with_state(exact), state=exact)
    goes_on(*with_state(",".join(members)), state=",".join(members[:7]))
    # Long members go first.
    goes_on(*with_state(f"a=1,long={'v' * 124},{','.join(members[:7])}"),
            state=f"a=1,{','.join(members[:7])}")


@test
def opentelemetry_is_kept():
    goes_on(*with_state("a=1,ot=th:0;rv:0123456789abcd;x:y"),
            state="a=1,ot=th:0;rv:0123456789abcd;x:y")


@test
def a_threshold_that_can_not_be_is_taken_out():
    # The trace's randomness is abcdef0123456789abcdef's last 56 bits: 23456789abcdef.
    goes_on(*with_state("a=1,ot=th:2"), state="a=1,ot=th:2")
    goes_on(*with_state("a=1,ot=th:3;x:y"), state="ot=x:y,a=1")


# --- Other formats

B3 = f"{TRACE}-{SPAN}-1"


@test
def b3_goes_on_as_traceparent():
    goes_on(("b3", B3), flags=1)
    goes_on(("b3", f"{TRACE}-{SPAN}-0"), flags=0)
    goes_on(("B3", f"{TRACE}-{SPAN}-d-{SPAN}"), flags=1)
    goes_on(("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-Sampled", "1"), flags=1)
    equal(passed(("b3", f"{SPAN}-{SPAN}-1")).trace, "0" * 16 + SPAN, "a short trace id")


@test
def the_best_that_is_valid_is_taken():
    other = "f" * 32
    goes_on(("traceparent", f"{PARENT}-01"), ("b3", f"{other}-{SPAN}-0"), flags=1)
    goes_on(("traceparent", f"{PARENT}-0x"), ("tracestate", "a=1"), ("b3", B3), flags=1)
    goes_on(("b3", B3), ("X-B3-TraceId", other), ("X-B3-SpanId", SPAN), flags=1)
    goes_on(("b3", "x"), ("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), flags=0)
    is_new(("b3", "x"), ("X-B3-TraceId", TRACE))


@test
def baggage_goes_on_as_it_came():
    got = passed(("traceparent", f"{PARENT}-01"), ("baggage", "a=1;p=2, b=%20"), ("Baggage", "c=3"))
    equal(got.baggage, ["a=1;p=2, b=%20", "c=3"], "baggage")
    equal(passed(("baggage", "a=\x01"), ("baggage", "b=2")).baggage, ["b=2"], "baggage")


# --- Calls

@test
def each_call_has_a_span_of_its_own():
    got = [Passed(headers) for headers in calls_of([("traceparent", f"{PARENT}-01")], 5)]
    equal({call.trace for call in got}, {TRACE}, "traces")
    equal(len({call.span for call in got} | {SPAN}), 6, "number of spans")
    got = [Passed(headers) for headers in calls_of([], 5)]
    equal(len({call.trace for call in got}), 1, "number of new traces of one request")


@test
def arguments_are_passed():
    calls_of([], arguments=[{"url": "x", "arguments": [1, None, "é"]}])


@test
def a_service_that_calls_itself():
    path = next(paths)
    inner = [{"url": HOME + path, "arguments": []}]
    for _ in range(5):
        inner = [{"url": SERVICE, "arguments": inner}]
    equal(send([("traceparent", f"{PARENT}-01"), ("tracestate", "a=1")], inner), (200, "[200]"))
    got = Passed(Callback.calls.pop(path)[0][0])
    equal((got.trace, got.state, got.flags), (TRACE, "a=1", 1), "context")


@test
def requests_at_once_do_not_mix():
    wrong = []

    def one(number):
        trace = f"{number + 1:032x}"
        for flags in range(4):
            got = passed(("traceparent", f"00-{trace}-{SPAN}-0{flags}"), ("tracestate", f"n={number}"))
            if (got.trace, got.flags, got.state) != (trace, flags, f"n={number}"):
                wrong.append(got)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(wrong, [], "what was mixed")


@test
def calls_that_fail():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))       # bound, and not listening
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        equal(send([], [{"url": nobody}, {"url": f"{HOME}/fail"}, {"url": "file:///etc/passwd"}]),
              (200, "[0,500,0]"))


@test
def requests_that_are_none():
    for body in ("", "{}", "[1]", "[{}]", '[{"url": 1}]', "[", json.dumps([{"url": "x"}] * 65)):
        equal(send([], body)[0], 400, f"status of {body[:20]!r}")
    equal(send([], "[]"), (200, "[]"))
    equal(send([], "[]", "PUT")[0], 405, "status of a PUT")
    equal(send([], "[" + " " * (1 << 20) + "]")[0], 413, "status of what is too long")


# --- Spans

def records():
    """The spans that were recorded since the last time: dictionaries."""
    spans.seek(0)
    lines = spans.read().decode("latin-1").splitlines()
    os.truncate(spans.name, 0)
    for line in lines:
        head, _, name = line.partition(" . ")
        record = dict(part.lstrip(".").split("=", 1) for part in head.split(" "))
        record["name"] = name
        record["id"] = record["traceparent"].split("-")[2]
        yield record


@test
def spans_tell_the_same():
    list(records())
    calls_of([("traceparent", f"{PARENT}-01")], 2)
    got = list(records())
    server = [record for record in got if record["span.kind"] == "server"]
    clients = [record for record in got if record["span.kind"] == "client"]
    equal((len(server), len(clients)), (1, 2), "numbers of spans")
    equal(server[0]["span.parent_id"], SPAN, "parent of the request")
    equal({record["span.parent_id"] for record in clients}, {server[0]["id"]}, "parents of calls")
    equal({record["traceparent"][3:35] for record in got}, {TRACE}, "traces")
    for record in got:
        equal((record["service"], record["name"]), ("trace-service", "POST"))
        equal(record["http.response.status_code"], "200", "status")
    if int(server[0]["span.duration_ns"]) < sum(int(r["span.duration_ns"]) for r in clients):
        raise AssertionError(f"calls took longer than their request: {got!r}")


@test
def spans_in_the_log():
    """The same service, whose spans go to the segment's log."""
    started = subprocess.Popen([f"{BUILD}/examples/trace_service", "--device", SEGMENT],
                               stdout=subprocess.PIPE, text=True)
    url = started.stdout.readline().strip()
    send([("traceparent", f"{PARENT}-01")], [{"url": url, "arguments": []}])
    started.terminate()
    equal(started.wait(60), 0, "exit status")
    lines = subprocess.run([f"{BUILD}/bin/obsringctl", "--device", SEGMENT, "log", "--json"],
                           stdout=subprocess.PIPE, check=True, text=True).stdout
    span, = [json.loads(line) for line in lines.splitlines()]
    equal((span["trace_id"], span["source"], span["fields"]["span.kind"]),
          (TRACE, "user.trace-service", "server"))
    equal(span["fields"]["span.parent_id"],
          [record["id"] for record in records() if record["span.kind"] == "client"][0], "parent")


@test
def what_is_not_sampled_has_no_spans():
    calls_of([("traceparent", f"{PARENT}-00")], 2)
    equal(list(records()), [])
    calls_of([("b3", "0")])
    equal(list(records()), [])
    calls_of([("b3", "1")])
    equal(len(list(records())), 2)


# --- Counts

def counts():
    """obsring_trace_context_total by result, of this service and user."""
    text = subprocess.run([f"{BUILD}/bin/obsringctl", "--device", SEGMENT, "--json", "get",
                           "obsring_trace_context_total"],
                          stdout=subprocess.PIPE, check=True, text=True).stdout
    found = {}
    for series in json.loads(text):
        labels = series["labels"]
        equal((labels["service"], labels["uid"]), ("trace-service", str(os.geteuid())))
        found[labels["result"]] = int(series["value"])
    return found


def counted(*headers, **expected):
    before = counts()
    passed(*headers)
    after = counts()
    got = {result: n - before[result] for result, n in after.items() if n != before[result]}
    equal(got, expected, f"what {headers!r} counted")


@test
def every_fallback_is_counted():
    counted(new=1)
    counted(("traceparent", f"{PARENT}-01"), w3c=1)
    counted(("traceparent", f"{PARENT}-01"), ("tracestate", "A=1"), w3c=1, bad_tracestate=1)
    counted(("traceparent", f"{PARENT}-0x"), ("tracestate", "a=1"), ("b3", B3),
            b3=1, bad_traceparent=1, tracestate_alone=1)
    counted(("b3", "x"), ("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), b3_multi=1, bad_b3=1)
    counted(("X-B3-TraceId", TRACE), ("grpc-trace-bin", "x"), ("baggage", "\x01"),
            new=1, bad_b3_multi=1, bad_grpc=1, bad_baggage=1)
    counted(*with_state(",".join(f"k{n:02}={'v' * 60}" for n in range(8))),
            w3c=1, cut_tracestate=1)


@test
def it_ends_when_told():
    service.terminate()
    equal(service.wait(60), 0, "exit status")


STATUS = 1
try:
    STATUS = run()
finally:
    service.kill()
sys.exit(STATUS)
