# SPDX-License-Identifier: MIT
"""prometheus_compare.py [--native] PORT FILE: every sample in FILE, lines of JSON as
obsringctl get --json prints them, has the same value in the Prometheus at
127.0.0.1:PORT, and so has every exemplar, with its trace. With --native it takes native
histograms, by protobuf: those with bounds of a schema are such there, with the same
count, sum and, up to each bound, as many observations. Waits until the first scrape is
there, three minutes at most."""

import json
import math
import sys
import time
import urllib.parse
import urllib.request


def ask(port, what, **parameters):
    url = f"http://127.0.0.1:{port}/api/v1/{what}?" + urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(url, timeout=60) as answer:
        result = json.load(answer)
    if result["status"] != "success":
        sys.exit(f"{what} {parameters}: {result}")
    return result["data"]


def query(port, selector):
    return ask(port, "query", query=selector)["result"]


def wait_for_scrape(port):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        try:
            if any(s["value"][1] == "1" for s in query(port, 'up{job="obsring"}')):
                return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.1)
    sys.exit("Prometheus has not scraped the guest within three minutes")


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


def same_exemplar(found, wanted):
    """Prometheus keeps times in milliseconds."""
    return (found["labels"] == {k: wanted[k] for k in ("trace_id", "span_id")}
            and float(found["value"]) == float(wanted["value"])
            and abs(found["timestamp"] - wanted["time"]) < 0.002)


def compare_exemplar(port, name, labels, wanted):
    data = ask(port, "query_exemplars", query=name, start=wanted["time"] - 1, end=wanted["time"] + 1)
    for series in data:
        if same_labels(series["seriesLabels"], labels):
            if any(same_exemplar(e, wanted) for e in series["exemplars"]):
                return 0
    print(f"{name}{labels}: obsringctl {wanted}, Prometheus {data}")
    return 1


def compare_native_exemplar(port, shown):
    """Of a native histogram Prometheus 2.42 keeps one."""
    wanted = list(exemplars(shown))
    times = [exemplar["time"] for _, _, exemplar in wanted]
    data = ask(port, "query_exemplars", query=shown["name"], start=min(times) - 1, end=max(times) + 1)
    for name, labels, exemplar in wanted:
        del labels["le"]
        for series in data:
            if same_labels(series["seriesLabels"], labels):
                if any(same_exemplar(e, exemplar) for e in series["exemplars"]):
                    return 0
    print(f'{shown["name"]}: obsringctl {wanted}, Prometheus {data}')
    return 1


def exemplars(shown):
    """(name, labels, exemplar) for each that the entry shows."""
    labels = {escape(k): v for k, v in shown["labels"].items()}
    for bucket in shown.get("buckets", []):
        if "exemplar" in bucket:
            yield shown["name"] + "_bucket", labels | {"le": bucket["le"]}, bucket["exemplar"]


def is_native(port, shown):
    """Prometheus has its series as one, without buckets."""
    return shown["kind"] == "histogram" and bool(query(port, f'histogram_count({shown["name"]})'))


def number(port, expression, labels):
    found = [s for s in query(port, expression) if same_labels(s["metric"], labels)]
    return float(found[0]["value"][1]) if len(found) == 1 else math.nan


def compare_native(port, shown):
    name = shown["name"]
    labels = {escape(k): v for k, v in shown["labels"].items()}
    count = shown["count"]
    if labels and set(labels.values()) == {"_overflow"} and not count:
        return 0
    pairs = [("count", number(port, f"histogram_count({name})", labels), count),
             ("sum", number(port, f"histogram_sum({name})", labels), float(shown["sum"]))]
    for bucket in shown["buckets"]:
        if bucket["le"] != "+Inf" and count:
            share = number(port, f'histogram_fraction(-Inf, {bucket["le"]}, {name})', labels)
            pairs.append((f'up to {bucket["le"]}', share * count, bucket["count"]))
    wrong = [p for p in pairs if not math.isclose(p[1], p[2], rel_tol=1e-9, abs_tol=1e-6)]
    if wrong:
        print(f"{name}{labels}: native and obsringctl: {wrong}")
    return len(wrong)


def main():
    native = "--native" in sys.argv
    port, path = [a for a in sys.argv[1:] if a != "--native"]
    wait_for_scrape(port)
    wrong = total = traced = natives = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for shown in json.loads(line):
                if native and is_native(port, shown):
                    natives += 1
                    wrong += compare_native(port, shown)
                    if list(exemplars(shown)):
                        traced += 1
                        wrong += compare_native_exemplar(port, shown)
                    continue
                for name, labels, value in samples(shown):
                    total += 1
                    wrong += compare(port, name, labels, value)
                for name, labels, exemplar in exemplars(shown):
                    traced += 1
                    wrong += compare_exemplar(port, name, labels, exemplar)
    print(f"{total} samples, {natives} native histograms, {traced} exemplars, {wrong} differ")
    sys.exit(wrong != 0 or total < (5 if native else 20) or traced < (1 if native else 3) or native != (natives > 0))


main()
