# SPDX-License-Identifier: MIT
"""prometheus_compare.py PORT FILE: every sample in FILE, lines of JSON as
obsringctl get --json prints them, has the same value in the Prometheus at
127.0.0.1:PORT. Waits until the first scrape is there, a minute at most."""

import json
import sys
import time
import urllib.parse
import urllib.request


def query(port, selector):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": selector})
    with urllib.request.urlopen(url, timeout=10) as answer:
        result = json.load(answer)
    if result["status"] != "success":
        sys.exit(f"{selector}: {result}")
    return result["data"]["result"]


def wait_for_scrape(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if any(s["value"][1] == "1" for s in query(port, 'up{job="obsring"}')):
                return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.1)
    sys.exit("Prometheus has not scraped the guest within a minute")


def escape(name):
    """Prometheus' underscores scheme for label names."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)


def samples(shown):
    """(name, labels, value) for each sample that the entry stands for."""
    labels = {escape(k): v for k, v in shown["labels"].items()}
    if shown["kind"] != "histogram":
        yield shown["name"], labels, shown["value"]
        return
    yield shown["name"] + "_count", labels, shown["count"]
    yield shown["name"] + "_sum", labels, shown["sum"]
    for bucket in shown["buckets"]:
        yield shown["name"] + "_bucket", labels | {"le": bucket["le"]}, bucket["count"]


def same_labels(found, wanted):
    found = {k: v for k, v in found.items() if k not in ("__name__", "job", "instance")}
    if "le" not in wanted:
        return found == wanted
    return {**found, "le": float(found["le"])} == {**wanted, "le": float(wanted["le"])}


def compare(port, name, labels, value):
    found = [s for s in query(port, name) if same_labels(s["metric"], labels)]
    if labels and set(labels.values()) == {"_overflow"} and float(value) == 0:
        return 0 if not found else 1  # shown once it counts something
    if len(found) != 1 or float(found[0]["value"][1]) != float(value):
        print(f"{name}{labels}: obsringctl {value}, Prometheus {found}")
        return 1
    return 0


def main():
    port, path = sys.argv[1:]
    wait_for_scrape(port)
    wrong = total = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for shown in json.loads(line):
                for name, labels, value in samples(shown):
                    total += 1
                    wrong += compare(port, name, labels, value)
    print(f"{total} samples, {wrong} differ")
    sys.exit(wrong != 0 or total < 20)


main()
