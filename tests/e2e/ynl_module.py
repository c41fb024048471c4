# SPDX-License-Identifier: MIT
"""The module, spoken to by its description with the kernel's own tool.

What requests hold and answers bring is held against the description: nothing
may be answered that it does not list, and at the end (unseen) nothing may be
listed that was never accepted or answered.
"""
import json
import os
import select
import socket
import subprocess
import sys
import time

ROOT = sys.argv[1]
YNL = f"{ROOT}/tools/net/ynl"
SPEC = f"{ROOT}/include/netlink/obsring.yaml"
SCHEMAS = f"{ROOT}/Documentation/netlink"
sys.path.insert(0, YNL)

from lib import Netlink, NlError, YnlFamily  # noqa: E402

MODES = {"do": [], "dump": [Netlink.NLM_F_DUMP]}
DEADLINE_S = 180
SO_RCVBUFFORCE = 33


def dashed(attributes):
    return {name.replace("_", "-"): value for name, value in attributes.items()}


class Refused(Exception):
    """An errno, and what the extended acknowledgement says."""

    def __init__(self, error):
        extack = error.nl_msg.extack or {}
        self.errno = error.error
        self.sentence = extack.get("msg")
        self.attribute = extack.get("bad-attr")
        super().__init__(f"{os.strerror(self.errno)}: {self.sentence} ({self.attribute})")


class Module:
    """A socket. accepted and answered: {(operation, mode): attributes}."""

    accepted = {}
    answered = {}

    def __init__(self, schema=""):
        self.ynl = YnlFamily(SPEC, schema)

    def lists(self, operation, mode, side):
        described = self.ynl.msgs[operation].yaml.get(mode, {}).get(side, {})
        return set(described.get("attributes", []))

    def ask(self, operation, mode="do", **attributes):
        request = dashed(attributes)
        try:
            answer = self.ynl._op(operation, request, list(MODES[mode]))
        except NlError as error:
            raise Refused(error) from None
        self.accepted.setdefault((operation, mode), set()).update(request)
        for message in answer if mode == "dump" else [answer or {}]:
            self.note(operation, mode, message)
        return answer

    def note(self, operation, mode, message):
        extra = set(message) - self.lists(operation, mode, "reply")
        if extra:
            raise AssertionError(f"{mode} of {operation} answers {extra} as well")
        self.answered.setdefault((operation, mode), set()).update(message)

    def do(self, operation, **attributes):
        return self.ask(operation, "do", **attributes)

    def dump(self, operation, **attributes):
        return self.ask(operation, "dump", **attributes)

    def unseen(self):
        """What the description lists and no message had."""
        missing = []
        for name, operation in self.ynl.ops.items():
            for mode in operation.modes & set(MODES):
                for side, seen in (("request", self.accepted), ("reply", self.answered)):
                    names = self.lists(name, mode, side) - seen.get((name, mode), set())
                    missing += [f"{name} {mode} {side}: {attribute}" for attribute in names]
        return missing


class Events:
    """What the group tells, of names that begin with a prefix."""

    def __init__(self, prefix):
        self.ynl = YnlFamily(SPEC, "")
        # A source may make hundreds of series at once.
        self.ynl.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.ynl.ntf_subscribe("events")
        self.prefix = prefix

    def take(self, number):
        """The next (operation, message) pairs, waited for."""
        taken = []
        deadline = time.monotonic() + DEADLINE_S
        while len(taken) < number:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{number} events expected, only these came: {taken}")
            select.select([self.ynl.sock], [], [], left)
            self.ynl.check_ntf()
            taken += self.drain()
        if len(taken) > number:
            raise AssertionError(f"{number} events expected, these came: {taken}")
        return taken

    def drain(self):
        events = [(e["name"], e["msg"]) for e in self.ynl.async_msg_queue]
        self.ynl.async_msg_queue = []
        return [(name, message) for name, message in events
                if message.get("name", self.prefix).startswith(self.prefix)]

    def close(self):
        self.ynl.sock.close()


def ctl(*arguments):
    """obsringctl's JSON, which comes from the mapping."""
    done = subprocess.run(["obsringctl", "--json", *arguments], check=True,
                          stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def cli(*arguments):
    """tools/net/ynl/cli.py: its exit status and output."""
    done = subprocess.run(
        [f"{ROOT}/python", "-B", f"{YNL}/cli.py", "--spec", SPEC,
         "--schema", f"{SCHEMAS}/genetlink.yaml", *arguments],
        stdout=subprocess.PIPE, check=False, encoding="ascii")
    return done.returncode, done.stdout


def on_cpu(cpu, function, *arguments, **attributes):
    """Requests are served on the CPU of the thread that sends them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        return function(*arguments, **attributes)
    finally:
        os.sched_setaffinity(0, before)


def as_nobody(function):
    """In a process of its own, without privileges; what it raises, fails."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            function()
            status = 0
        except Exception as error:  # pylint: disable=broad-except
            print(f"# nobody: {type(error).__name__}: {error}", flush=True)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if status:
        raise AssertionError("it failed as nobody")


def refused(function, errno, sentence, attribute=None):
    """function() is refused, just so."""
    try:
        answer = function()
    except Refused as refusal:
        got = (refusal.errno, refusal.sentence, refusal.attribute)
        want = (errno, sentence, attribute and f".{attribute}")
        if got != want:
            raise AssertionError(f"refused with {got}, not {want}") from None
        return
    raise AssertionError(f"accepted: {answer}")


def join_group():
    """Joins and leaves; OSError where that is refused."""
    ynl = YnlFamily(SPEC, "")
    try:
        ynl.ntf_subscribe("events")
    finally:
        ynl.sock.close()

