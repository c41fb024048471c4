#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
test_allocations.py OBSRINGD SHIM SEED: as TAP: on a warm connection that is kept, a
scrape allocates nothing while no series comes or goes, whatever the values do.

SHIM is count_allocations.c as a library; SEED is make_segment, whose values are changed
from here as a producer would. Of protobuf only the counters: what a histogram is encoded
in has no fixed length.
"""
import gzip
import http.client
import mmap
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

OM = "application/openmetrics-text;version=1.0.0"
PROTO = ("application/vnd.google.protobuf;"
         "proto=io.prometheus.client.MetricFamily;encoding=delimited")
CASES = [(f"{name}{', gzip' if coding else ''}", accept, coding)
         for name, accept in (("text", "text/plain"), ("OpenMetrics", OM), ("protobuf", PROTO))
         for coding in ("", "gzip")]
WARM, COUNTED = 50, 200
FIRST = 0x1_2345_6789_ab
COUNTERS, HISTOGRAMS = 200, 10


class Segment:
    """A segment, and its slots of counters and histograms, told by what they hold."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)
        self.random = random.Random(1)
        self.counters = self.find(FIRST)
        self.histograms = self.find(2 * FIRST)

    def find(self, first):
        words = struct.unpack(f"<{len(self.map) // 8}Q", self.map[:])
        return [8 * i for i, word in enumerate(words) if first <= word < first + COUNTERS]

    def bump(self, slots):
        for at in slots:
            value = struct.unpack_from("<Q", self.map, at)[0]
            grown = value + self.random.randrange(0, 1 << self.random.randrange(1, 40))
            struct.pack_into("<Q", self.map, at, grown)


def scrape(connection, accept, coding):
    connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": coding or "identity"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"status {answer.status}")
    return gzip.decompress(body) if coding else body


def main():
    obsringd, shim, seed = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        path, counter = f"{work}/obsring", f"{work}/allocations"
        with open(path, "wb") as out:
            subprocess.run([seed, str(COUNTERS), str(HISTOGRAMS), str(FIRST)], stdout=out, check=True)
        with open(counter, "wb") as out:
            out.write(bytes(8))
        segment = Segment(path)
        found = len(segment.counters), len(segment.histograms)
        if found != (COUNTERS, 14 * HISTOGRAMS):
            sys.exit(f"{found}: not what the seed was to hold")
        daemon = subprocess.Popen(
            [obsringd, f"--device={path}", f"--web.listen-address=unix:{work}/socket", "--log.level=warn"],
            env=dict(os.environ, LD_PRELOAD=shim, ALLOCATIONS=counter))
        try:
            run(segment, f"{work}/socket", counter)
        finally:
            daemon.terminate()
            daemon.wait()


class Unix(http.client.HTTPConnection):
    def connect(self):
        import socket
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def run(segment, socket, counter):
    with open(counter, "r+b") as file:
        allocations = mmap.mmap(file.fileno(), 8)
    deadline = time.monotonic() + 60
    while not os.path.exists(socket) and time.monotonic() < deadline:
        time.sleep(0.01)
    for number, (name, accept, coding) in enumerate(CASES, 1):
        connection = Unix(socket)
        slots = segment.counters + ([] if accept == PROTO else segment.histograms)
        last = b""
        for _ in range(WARM):
            segment.bump(slots)
            last = scrape(connection, accept, coding)
        before = struct.unpack_from("<Q", allocations)[0]
        changed = 0
        for _ in range(COUNTED):
            segment.bump(slots)
            body = scrape(connection, accept, coding)
            changed += body != last
            last = body
        after = struct.unpack_from("<Q", allocations)[0]
        good = after == before and changed == COUNTED and before
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {after - before} allocations in "
              f"{COUNTED} scrapes, {changed} of which differ from the one before")
        connection.close()
    print(f"1..{len(CASES)}")


if __name__ == "__main__":
    main()
