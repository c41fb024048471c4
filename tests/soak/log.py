#!/usr/bin/python3
# SPDX-License-Identifier: MIT
#
# log.py OBSRINGD OBSRINGCTL FLOOD all RECORDS
# log.py OBSRINGD OBSRINGCTL FLOOD rate BYTES SECONDS
#
# The log of a hosted segment, by the billion. Every record that was attempted is
# accounted for: it is stored, sampled out or counted as lost, and each reader has
# read it or was told that it is lost to it.
#
# all: RECORDS as fast as two writers can, half of them under a sampling rule, while
#      one reader does what it can and one is slow.
# rate: BYTES of lines a second for SECONDS, with obsringd scraped and its log looked
#      at meanwhile: nothing may be lost to the reader. What that took is printed.
#
# Prints TAP; times are shown and decide nothing.
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

from hostile import Daemon, Scraper, Tap, describe, until

WRITERS = 2
ALL_RING = 1 << 20	# bytes of each writer's ring
RATE_RING = 64 << 20
SLOW_US = 2000


started = []	# ended with this program, however it ends


class Flood:
    """One of flood.c's programs: ready, until it is told, and then its figures."""

    def __init__(self, program, segment, *args):
        self.process = subprocess.Popen([program, segment, *map(str, args)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(self.process)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("flood is not ready")

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self

    def figures(self):
        self.process.stdin.close()
        words = self.process.stdout.read().split()
        if self.process.wait():
            raise RuntimeError("flood failed")
        return {name: float(value) if "." in value else int(value)
                for name, value in zip(words[::2], words[1::2])}

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Segment:
    def __init__(self, ctl, path, ring):
        self.ctl, self.path = ctl, path
        subprocess.run([ctl, "segment", "create", path, "--log-rings", "8",
                        "--log-bytes", str(ring)], check=True)

    def run(self, *args):
        return subprocess.run([self.ctl, "--device", self.path, *args], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def total(self, name, **labels):
        """The sum of a family's series that have these labels; 0 while it is not there."""
        if name not in self.run("list"):
            return 0
        want = [f'{key}="{value}"' for key, value in labels.items()]
        values = (line.rsplit(None, 1) for line in self.run("get", name).splitlines()
                  if all(each in line for each in want))
        return sum(int(value) for _, value in values)


def account(tap, segment, attempted, readers):
    """Is every record that was attempted in exactly one place? How many were dropped."""
    stored = segment.total("obsring_log_records_total")
    dropped = segment.total("obsring_log_sampled_out_total")
    lost = segment.total("obsring_log_lost_total")
    print(f"# attempted {attempted}: stored {stored}, sampled out {dropped}, lost {lost}, "
          f"overwritten {segment.total('obsring_log_overwritten_total')}")
    tap.report([] if attempted == stored + dropped + lost else ["the sum is another"],
               "each one is stored, sampled out, or counted as lost")
    for name, figures in readers.items():
        print(f"# {name} reader: {figures}")
        wrong = [key for key in ("torn", "disorder") if figures[key]]
        if figures["read"] + figures["lost"] != stored:
            wrong.append("read + lost is not what was stored")
        if not figures["read"]:
            wrong.append("nothing was read")
        tap.report(wrong, f"each one that is stored is read by the {name} reader, or told lost")
    return dropped


def sample_when_half(segment, records):
    """A rule, once half of the records were written; how many had been."""
    while (stored := segment.total("obsring_log_records_total")) < records // 2:
        time.sleep(0.01)
    segment.run("sample", "set", "user.flood", "50%")
    return stored


def soak_all(ctl, flood, directory, records):
    tap = Tap()
    segment = Segment(ctl, f"{directory}/obsring", ALL_RING)
    fast, slow = Flood(flood, segment.path, "read"), Flood(flood, segment.path, "read", SLOW_US)
    writer = Flood(flood, segment.path, "write", WRITERS, records).go()
    before = sample_when_half(segment, records)
    done = writer.figures()
    readers = {"fast": fast.figures(), "slow": slow.figures()}
    print(f"# {done['seconds']:.0f} s, {done['seconds'] / records * 1e9:.0f} ns a record; "
          f"{before} before the rule")
    tap.report([f"{done['refused']} refused"] if done["refused"] else [], "none is refused")
    dropped = account(tap, segment, done["attempted"], readers)
    tap.report([] if dropped else ["none"], "some were sampled out")
    tap.report([] if readers["slow"]["lost"] else ["none"], "the slow reader was overtaken")
    return tap.end()


class Looker(threading.Thread):
    """Has obsringd show the log's newest records, as the page does, until told."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_, self.over, self.problems, self.shown = daemon, threading.Event(), [], 0

    def look(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon_.port, timeout=60)
        connection.request("GET", "/api/v1/log?limit=500")
        answer = connection.getresponse()
        records = json.loads(answer.read())["data"]["records"]
        connection.close()
        self.shown += len(records)
        return None if answer.status == 200 and records else f"{answer.status}, {len(records)} records"

    def run(self):
        while not self.over.wait(1):
            problem = self.look()
            if problem:
                self.problems.append(problem)

    def stop(self):
        self.over.set()
        self.join()


def line_bytes(ctl, flood, directory):
    """How long the lines of this flood are."""
    segment = Segment(ctl, f"{directory}/measure", RATE_RING)
    reader = Flood(flood, segment.path, "read")
    Flood(flood, segment.path, "write", 1, 10000).go().figures()
    figures = reader.figures()
    return figures["bytes"] / figures["read"]


def soak_rate(obsringd, ctl, flood, directory, rate, span):
    tap = Tap()
    # Numbers get longer on the way: at least the rate.
    per_second = rate / line_bytes(ctl, flood, directory)
    segment = Segment(ctl, f"{directory}/obsring", RATE_RING)
    reader = Flood(flood, segment.path, "read")
    writer = Flood(flood, segment.path, "write", WRITERS, int(per_second * span), per_second)
    daemon = Daemon(obsringd, directory, "--web.log")
    started.append(daemon.process)
    scraper, looker = Scraper(daemon, pause=1), Looker(daemon)
    memory = daemon.status("VmRSS")
    writer.go()
    # A record is shown when it is 100 ms old: looked for until the first one is.
    until(lambda: not looker.look())
    scraper.start()
    looker.start()
    done = writer.figures()
    scraper.stop()
    looker.stop()
    reader_cpu, daemon_cpu = reader.cpu(), daemon.cpu()
    figures = reader.figures()
    print(f"# {figures['bytes'] / done['seconds'] / 1e6:.2f} MB/s and {figures['read'] / done['seconds']:.0f} "
          f"records/s for {done['seconds']:.0f} s; {WRITERS} writers' rings of {RATE_RING >> 20} MiB each, the reader at most "
          f"{figures['behind'] * figures['bytes'] // figures['read'] >> 10} KiB of lines behind")
    print(f"# the reader used {reader_cpu / done['seconds']:.1%} of a processor, obsringd "
          f"{daemon_cpu / done['seconds']:.1%}, for {describe(scraper.seconds)} and {looker.shown} records shown")
    print(f"# obsringd's memory {memory >> 10} KiB before, {daemon.status('VmRSS') >> 10} KiB after")
    tap.report([f"{done['refused']} refused"] if done["refused"] else [], "none is refused")
    account(tap, segment, done["attempted"], {"one": figures})
    tap.report([f"{figures['lost']} lost"] if figures["lost"] else [], "the reader lost none")
    wrong = [] if figures["bytes"] >= rate * done["seconds"] * 0.99 else ["the writers did not reach the rate"]
    tap.report(wrong, "that many bytes a second")
    tap.report(scraper.problems + looker.problems, "obsringd's answers are whole")
    tap.report([] if looker.shown and scraper.seconds else ["none"], "there were such answers")
    tap.report([] if daemon.stop() == 0 else ["it did not"], "the daemon ends well")
    return tap.end()


def main():
    obsringd, ctl, flood = map(os.path.abspath, sys.argv[1:4])
    print("TAP version 13")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        try:
            if sys.argv[4] == "all":
                return soak_all(ctl, flood, directory, int(sys.argv[5]))
            return soak_rate(obsringd, ctl, flood, directory,
                             float(sys.argv[5]), float(sys.argv[6]))
        finally:
            for process in started:
                process.kill()


sys.exit(main())
