#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The host's side of a guest: starts QEMU, carries the command's streams,
judges how it ended. scripts/vm calls it; tests/vm/init is the other side.

Streams and reports each have a virtio-serial port, in QEMU one end of a
socket pair. The order of PORTS matters: obsring.status comes last.

Nothing is left to clean up: QEMU dies with this process, and the only files
are nameless ones.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import tty

TIMEOUT = 124       # the guest took too long
HARNESS = 125       # no verdict: the guest did not get as far as a status
KERNEL_FAULT = 123  # the kernel log has a fault in it

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
PORTS = ["stdin", "stdout", "stderr", "control", "coverage", "status"]
SCRATCH_BYTES = 64 << 20

# What a kernel writes when something is wrong with it.
FAULTS = re.compile("|".join((
    r"\bBUG:", r"\bBUG [\w-]+ \(", r"kernel BUG at", r"\bWARNING:", r"\bOops\b",
    r"Kernel panic", r"general protection fault", r"Unable to handle kernel",
    r"\bKASAN:", r"\bKCSAN:", r"\bUBSAN:", r"\bODEBUG:", r"\bkmemleak: (?=.*leak)",
    r"unreferenced object", r"suspicious RCU usage", r"possible .* deadlock",
    r"possible circular locking", r"possible recursive locking",
    r"inconsistent lock state", r"held lock freed", r"non-static key",
    r"rcu.*\bstall", r"soft lockup", r"hard LOCKUP", r"blocked for more than",
    r"refcount_t:", r"list_(add|del) corruption",
)))
# Said by a healthy kernel, at every boot but for the last.
HARMLESS = re.compile(
    r"KASAN: KernelAddressSanitizer|kmemleak: Kernel memory leak detector"
    r"|kmemleak: Automatic memory scanning|Spectre V2 : WARNING"
    # Where injected faults leave it no memory to disarm a probe.
    r"|WARNING: .* __disarm_kprobe_ftrace\+")


class RaceReport:
    """Judges a report of KCSAN. The kernel has races of its own, and devices
    write where it reads: a report counts if one of the functions in its title is
    the project's. It ends with a row of =; one without is not known to be
    harmless."""

    TITLE = re.compile(r"BUG: KCSAN: [a-z-]+ in (\S+)(?: / (\S+))?")

    def __init__(self, title):
        self.title = title
        names = "|".join(re.escape(n) for n in self.TITLE.search(title).groups() if n)
        self.ours = re.compile(rf"\b({names})(\+\S+)? \[obsring")
        self.counts, self.ended = False, False

    def line(self, line):
        self.counts |= bool(self.ours.search(line))
        self.ended = line.endswith("=====")


def say(text):
    print("vm:", text, file=sys.stderr, flush=True)


def start(run, *arguments):
    """Runs a function in a thread that leaves signals to the main one: a
    signal taken elsewhere would not wake it from what it waits for."""
    thread = threading.Thread(target=run, args=arguments, daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS | {signal.SIGALRM})
    thread.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


# --- The last piece of the initramfs: what differs from run to run


def cpio_entry(name, mode, data=b""):
    """One file in the kernel's initramfs format ("newc")."""
    name = os.fsencode(name) + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return pad4(head) + pad4(data)


def pad4(data):
    return data + b"\0" * (-len(data) % 4)


def shell_quote(argument):
    return b"'" + argument.replace(b"'", b"'\\''") + b"'"


def run_archive(args):
    options = {
        "VM_MODULE": args.module,
        "VM_SHELL": "yes" if args.shell else "no",
    }
    if args.shell:
        size = os.get_terminal_size(0)
        options.update(VM_ROWS=str(size.lines), VM_COLUMNS=str(size.columns))
    words = [shell_quote(os.fsencode(word)) for word in args.command]
    parts = [
        cpio_entry("vm/command", 0o100755, b"exec " + b" ".join(words) + b"\n"),
        cpio_entry("vm/options", 0o100644, "".join(
            f"{name}='{value}'\n" for name, value in options.items()).encode()),
    ]
    for path in args.file:
        with open(path, "rb") as file:
            mode = 0o100000 | os.fstat(file.fileno()).st_mode & 0o777
            parts.append(cpio_entry(
                "files/" + os.path.basename(path), mode, file.read()))
    parts.append(cpio_entry("TRAILER!!!", 0))
    return b"".join(parts)


def nameless(*contents):
    """A temporary file without a name, and the path QEMU can open it by."""
    file = tempfile.TemporaryFile()
    for content in contents:
        file.write(content)
    file.flush()
    return file


# --- QEMU


def clock(args):
    """What an x86 guest is told of its clocks.

    Not to trust its time-stamp counter, except where instructions are counted:
    QEMU's (cpu_get_ticks(), 10.0) adds to it whatever one thread reads less than
    the last did, which they do, since the host's rdtsc may be carried out before
    the lock is taken. It ran 1.17 times too fast where four processors read
    nothing else, and up to tenfold under some tests: RCU then saw stalls.

    Nor to time its delay loops, where the host's rate is known: on a busy host
    that takes seconds for each processor, and fails.
    """
    if args.icount:
        return "tsc=reliable"
    rate = re.search(r"^bogomips\s*: ([\d.]+)$", open("/proc/cpuinfo").read(), re.M)
    if os.uname().machine != "x86_64" or not rate or not args.hz:
        return "tsc=unstable clocksource=hpet"
    # A bogomips is 500000 loops a second; of a delay by counter, one is one cycle.
    loops = int(float(rate[1]) * 500000 / args.hz)
    return f"tsc=unstable clocksource=hpet lpj={loops}"


class Machine:
    """A QEMU process and this side of its sockets."""

    def __init__(self, args):
        self.ends = []
        self.sockets = {}
        initrd = nameless(*[open(p, "rb").read() for p in args.initrd], run_archive(args))
        scratch = nameless()
        scratch.truncate(SCRATCH_BYTES)
        self.files = [initrd, scratch]
        command = self.cpu(args) + [
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-m", args.mem, "-kernel", args.kernel, "-initrd", self.path(initrd),
            "-drive", "if=none,id=scratch,format=raw,file=" + self.path(scratch),
            "-device", "virtio-blk-pci,drive=scratch",
            "-netdev", "user,id=net,restrict=on" + "".join(
                ",hostfwd=tcp:127.0.0.1:%s-:%s" % tuple(f.split(":")) for f in args.forward),
            "-device", "virtio-net-pci,netdev=net,romfile=",
            "-serial", "chardev:" + self.chardev("log"),
            "-mon", "mode=control,chardev=" + self.chardev("monitor"),
            "-device", "virtio-serial-pci",
        ]
        if args.shell:
            command += ["-device", "virtconsole,chardev=" + self.chardev("tty")]
        for port in PORTS:
            command += ["-device", "virtserialport,name=obsring.%s,chardev=%s"
                        % (port, self.chardev(port))]
        for name, end in self.ends:
            command += ["-chardev", f"socket,id={name},fd={end.fileno()}"]
        # QEMU must not outlive this process, however it ends.
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL"] + command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[end.fileno() for _, end in self.ends]
            + [file.fileno() for file in self.files], start_new_session=True)
        for _, end in self.ends:
            end.close()
        start(self.complaints)

    def complaints(self):
        for line in self.process.stdout:
            say(line.decode(errors="replace").rstrip())

    @staticmethod
    def cpu(args):
        if args.arch == "arm64":
            emulator = ["qemu-system-aarch64"]
            machine = ["-M", "virt", "-cpu", "cortex-a57"]
            console = "console=ttyAMA0"
        else:
            # q35: on the older pc, a debug kernel spends minutes in ACPI's loops.
            emulator = ["qemu-system-x86_64"]
            # Five-level paging: an interrupt while the kernel identifies its processor,
            # which clears its features for a moment, makes KASAN see wild accesses.
            machine = ["-M", "q35", "-cpu", "max,la57=off"]
            console = "console=ttyS0 " + clock(args)
        if args.qemu:
            # Its own data; the firmware is the installed one's.
            emulator = [f"{args.qemu}/usr/bin/{emulator[0]}",
                        "-L", args.qemu + "/usr/share/qemu", "-L", "/usr/share/seabios"]
        if args.icount:
            timing = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
        else:
            timing = ["-accel", "tcg,thread=" + args.threads]
        # One processor until the devices are set up: while their registers move
        # about, QEMU (7.2 as well as 10.0) may carry out another processor's
        # access to the old map in the new one, and die of it. init brings up the
        # others.
        append = (f"{console} maxcpus=1 ignore_loglevel printk.devkmsg=on panic=-1 oops=panic "
                  f"rdinit=/vm/init {args.append}")
        return emulator + machine + timing + ["-smp", args.smp, "-append", append]

    @staticmethod
    def path(file):
        return f"/proc/self/fd/{file.fileno()}"

    def chardev(self, name):
        ours, theirs = socket.socketpair()
        self.sockets[name] = ours
        self.ends.append((name, theirs))
        return name

    def stop(self):
        self.process.kill()
        self.process.wait()


class Stream:
    """Carries one of the command's output streams to a descriptor of ours."""

    def __init__(self, source, fd):
        self.source, self.fd, self.bytes = source, fd, 0
        self.moved = threading.Condition()
        start(self.run)

    def run(self):
        while data := self.source.recv(65536):
            try:
                write_all(self.fd, data)
            except BrokenPipeError:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            with self.moved:
                self.bytes += len(data)
                self.moved.notify_all()

    def wait_for(self, count):
        with self.moved:
            self.moved.wait_for(lambda: self.bytes >= count)


def take_coverage(source, folder):
    """What a build for coverage sends at its end, as a file of its own."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
        while data := source.recv(65536):
            file.write(data)
    if os.path.getsize(file.name):
        os.rename(file.name, file.name.replace(".part", ".tar"))
    else:
        os.unlink(file.name)


class Log:
    """The kernel log: kept, searched for faults, and shown from the moment
    the guest is up."""

    START, END = "obsring-vm: start", "obsring-vm: end"

    def __init__(self, source, raw):
        self.source, self.newline = source, "\r\n" if raw else "\n"
        self.lines, self.faults, self.race = [], [], None
        self.started, self.ended = False, threading.Event()
        self.thread = start(self.run)

    def run(self):
        with self.source.makefile("r", encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                self.line(line.rstrip("\r\n"))
        self.ended.set()

    def line(self, line):
        self.lines.append(line)
        self.judge(line)
        if line.endswith(self.START):
            self.started = True
        elif line.endswith(self.END):
            self.ended.set()
        elif self.started:
            write_all(2, (line + self.newline).encode())

    def judge(self, line):
        if RaceReport.TITLE.search(line):
            self.end_race()
            self.race = RaceReport(line)
        elif FAULTS.search(line) and not HARMLESS.search(line):
            self.faults.append(line)
        elif self.race:
            self.race.line(line)
            if self.race.ended:
                self.end_race()

    def end_race(self):
        if self.race and (self.race.counts or not self.race.ended):
            self.faults.append(self.race.title)
        self.race = None


def feed(fd, sink):
    """Our standard input to the guest's, with its end."""
    try:
        while data := os.read(fd, 65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # The guest is gone, or our input cannot be read.


def serve_control(control, monitor):
    """Answers requests from inside the guest: "nmi" -> "ok"."""
    replies = monitor.makefile("r")
    replies.readline()  # QEMU's greeting

    def execute(command):
        monitor.sendall(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            reply = json.loads(replies.readline())
            if "event" not in reply:
                return "ok" if "return" in reply else "error " + reply["error"]["desc"]

    try:
        execute("qmp_capabilities")
        for request in control.makefile("r"):
            answer = execute("inject-nmi") if request.strip() == "nmi" else "error unknown request"
            control.sendall(answer.encode() + b"\n")
    except (OSError, ValueError):
        pass  # QEMU is gone.


# --- One run


def interactive(machine):
    """Our terminal becomes the guest's console; returns how to give it back."""
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    start(feed, 0, machine.sockets["tty"])
    Stream(machine.sockets["tty"], 1)

    def restore():
        with contextlib.suppress(termios.error):  # It may have hung up.
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
    return restore


def watch(machine, log):
    """Waits for the guest's report; returns COMMAND's status, or None."""
    sockets = machine.sockets
    out, err = Stream(sockets["stdout"], 1), Stream(sockets["stderr"], 2)
    start(serve_control, sockets["control"], sockets["monitor"])
    for report in sockets["status"].makefile("r"):
        words = report.split()
        if words[0] == "fail":
            log.ended.wait()
            say(report[5:].strip())
            return None
        if words[0] == "exit":
            log.ended.wait()
            if len(words) != 4:
                say("the guest's end of the output streams died")
                return None
            out.wait_for(int(words[2]))
            err.wait_for(int(words[3]))
            return int(words[1])
    return None


class TimedOut(Exception):
    pass


def on_alarm(*_):
    raise TimedOut


class Interrupted(Exception):
    pass


def on_signal(number, _):
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # Once is enough.
    raise Interrupted(number)


def verdict(status, log):
    log.end_race()
    if log.faults:
        say("the kernel log has faults:")
        for line in log.faults:
            print(line, file=sys.stderr)
        return KERNEL_FAULT if status != TIMEOUT else TIMEOUT
    if status is not None:
        return status
    if not log.started:
        print("\n".join(log.lines), file=sys.stderr)
    say("the guest ended without a status")
    return HARNESS


def run(args):
    machine = Machine(args)
    log = Log(machine.sockets["log"], args.shell)
    restore = covered = None
    try:
        signal.alarm(args.timeout)
        if args.shell:
            restore = interactive(machine)
        else:
            start(feed, 0, machine.sockets["stdin"])
        if args.coverage:
            covered = start(take_coverage, machine.sockets["coverage"], args.coverage)
        status = watch(machine, log)
        if status is None:
            # All of the log, should it tell why.
            log.thread.join(5)
            # Its end of the sockets goes shortly before it does.
            with contextlib.suppress(subprocess.TimeoutExpired):
                say(f"QEMU ended with status {machine.process.wait(5)}")  # -N: by signal N
    except TimedOut:
        status = TIMEOUT
    finally:
        signal.alarm(0)
        machine.stop()
        if restore:
            restore()
    log.thread.join()
    if covered:
        covered.join()
    if args.log:
        with open(args.log, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in log.lines)
    if status == TIMEOUT:
        say(f"no end after {args.timeout} s")
    return verdict(status, log)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initrd", action="append", default=[])
    parser.add_argument("--smp", default="4")
    parser.add_argument("--mem", default="512")
    parser.add_argument("--hz", type=int, default=0, help="the guest's CONFIG_HZ; 0: unknown")
    parser.add_argument("--append", default="")
    parser.add_argument("--qemu", default="", help="folder; empty: the installed one")
    parser.add_argument("--threads", default="multi")
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--module", default="yes")
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--forward", action="append", default=[])
    parser.add_argument("--timeout", type=int)
    parser.add_argument("--log")
    parser.add_argument("--coverage", help="folder")
    parser.add_argument("command", nargs="*")
    args = parser.parse_args()
    args.shell = not args.command and os.isatty(0) and os.isatty(1)
    if not args.command:
        args.command = ["sh"]
    if args.timeout is None:
        args.timeout = 0 if args.shell else 600  # A person ends it.
    return args


def main():
    args = parse()
    for number in SIGNALS:
        signal.signal(number, on_signal)
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        status = run(args)
    except Interrupted as interrupted:
        status = 128 + interrupted.args[0]
    except OSError as error:
        say(error)
        status = HARNESS
    # Not sys.exit: threads may still sit in a read of our standard input.
    os._exit(status)


main()
