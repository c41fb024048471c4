#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
check_protobuf.py FILE.pb [TEXT.prom]: what protoc makes of a stream of MetricFamily
(metrics.proto) says the same, sample by sample, as the text of the same moment does to
prometheus_client, if it is given; and native histograms say the same as the classic ones beside them.

Samples that differ by nature, because they are of the scrape itself or of what the
machine does meanwhile, are left out.
"""
import math
import os
import re
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

OWN = ("obsring_scrape_", "obsringd_http_", "obsringd_clients", "obsringd_leak_", "process_",
       "obsring_memory_pressure_", "obsring_memory_reclaim_", "obsring_memory_compaction_")
OVERFLOW_INDEX = 1024  # times 2^schema, and 1


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def write_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def as_stream(data):
    """The families as repeated field 1 of one message."""
    at, out = 0, b""
    while at < len(data):
        length, at = read_varint(data, at)
        if at + length > len(data):
            sys.exit("a family is cut off")
        out += b"\x0a" + write_varint(length) + data[at:at + length]
        at += length
    return out


TOKEN = re.compile(r'\s*(?:([A-Za-z_][\w.]*|\d+)\s*(\{|:)|(\}))')
SCALAR = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s]+)')
ESCAPE = re.compile(r'\\([0-7]{1,3}|[abfnrtv\\\'"?])')
NAMED = dict(zip("abfnrtv", "\a\b\f\n\r\t\v"))


def unescape(text):
    def one(match):
        what = match.group(1)
        return chr(int(what, 8)) if what[0] in "01234567" else NAMED.get(what, what)
    return ESCAPE.sub(one, text).encode("latin-1").decode("utf-8")


def parse(text, at=0, nested=False):
    """Text format to a dictionary of lists."""
    message = {}
    while True:
        token = TOKEN.match(text, at)
        if not token:
            if nested or text[at:].strip():
                sys.exit(f"protoc: not understood: {text[at:at + 60]!r}")
            return message, at
        at = token.end()
        if token.group(3):
            return message, at
        name = token.group(1)
        if name.isdigit():
            sys.exit(f"field {name} is not in metrics.proto")
        if token.group(2) == "{":
            value, at = parse(text, at, True)
        else:
            scalar = SCALAR.match(text, at)
            at = scalar.end()
            value = scalar.group(1)
            if value.startswith('"'):
                value = unescape(value[1:-1])
        message.setdefault(name, []).append(value)


def get(message, name, default=None):
    return message.get(name, [default])[0]


def labels_of(message):
    return {get(pair, "name"): get(pair, "value", "") for pair in message.get("label", [])}


def key(name, labels):
    return name, tuple(sorted(labels.items()))


def check_exemplar(bucket, lower, upper):
    exemplar = get(bucket, "exemplar")
    if not exemplar:
        return
    if set(labels_of(exemplar)) != {"trace_id", "span_id"} or not get(exemplar, "timestamp"):
        sys.exit(f"{exemplar}: not the exemplar of a trace")
    value = float(get(exemplar, "value"))
    if not (value <= upper or math.isclose(value, upper)):
        sys.exit(f"{exemplar} above its bucket {upper}")
    if not (value >= lower or math.isclose(value, lower)):
        sys.exit(f"{exemplar} below its bucket {lower}")


def native_buckets(histogram):
    index, counts, count = 0, {}, 0
    deltas = [int(d) for d in histogram.get("positive_delta", [])]
    for span in histogram.get("positive_span", []):
        index += int(get(span, "offset", 0))
        for _ in range(int(get(span, "length", 0))):
            count += deltas.pop(0)
            if count <= 0:
                sys.exit("a bucket of a span that holds nothing")
            counts[index] = count
            index += 1
    if deltas:
        sys.exit("more deltas than buckets in spans")
    return counts


def check_native(histogram, classic):
    """Every classic bound is one of the schema: what is up to it is known twice."""
    schema = int(get(histogram, "schema"))
    zero = int(get(histogram, "zero_count", 0))
    if not histogram.get("positive_span"):
        sys.exit("no span, not even an empty one: no native histogram")
    counts = native_buckets(histogram)
    for upper, cumulated in classic:
        if math.isinf(upper):
            last = math.inf
        else:
            last = math.log2(upper) * 2 ** schema
            if last != int(last):
                sys.exit(f"{upper} is no bound of schema {schema}")
        # Counts are 64 bits wide, as their sums are.
        total = (zero + sum(n for i, n in counts.items() if i <= last)) % 2 ** 64
        if total != cumulated:
            sys.exit(f"up to {upper}: {total} natively, {cumulated} classically")
    beyond = [i for i in counts if i > OVERFLOW_INDEX * 2 ** schema + 1]
    if beyond or zero < 0:
        sys.exit(f"buckets {beyond}")
    if float(get(histogram, "zero_threshold")) != classic[0][0]:
        sys.exit("the zero bucket does not end where the first one does")


def histogram_samples(name, labels, histogram, samples):
    lower = -math.inf
    classic = []
    for bucket in histogram["bucket"]:
        upper = float(get(bucket, "upper_bound"))
        count = int(get(bucket, "cumulative_count", 0))
        check_exemplar(bucket, lower, upper)
        samples[key(name + "_bucket", {**labels, "le": upper})] = count
        classic.append((upper, count))
        lower = upper
    samples[key(name + "_sum", labels)] = float(get(histogram, "sample_sum"))
    samples[key(name + "_count", labels)] = int(get(histogram, "sample_count"))
    if "schema" in histogram:
        check_native(histogram, classic)


def samples_of(stream):
    samples = {}
    for family in stream.get("family", []):
        name, kind = get(family, "name"), get(family, "type")
        for metric in family.get("metric", []):
            labels = labels_of(metric)
            value = get(metric, kind.lower())
            if value is None:
                sys.exit(f"{name}: a {kind} without its value")
            if kind != "GAUGE" and not get(value, "start_timestamp"):
                sys.exit(f"{name}: no start timestamp")
            if kind == "HISTOGRAM":
                histogram_samples(name, labels, value, samples)
            else:
                samples[key(name, labels)] = float(get(value, "value", 0))
    return samples


def text_samples(path):
    samples = {}
    with open(path, encoding="utf-8", newline="\n") as file:
        text = file.read()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if sample.name.endswith("_bucket"):
                labels["le"] = float(labels["le"])
            samples[key(sample.name, labels)] = float(sample.value)
    return samples


def same(a, b):
    return a == b or math.isclose(a, b, rel_tol=1e-15)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(sys.argv[1], "rb") as file:
        stream = as_stream(file.read())
    decoded = subprocess.run(
        ["protoc", f"--proto_path={here}", "--decode=io.prometheus.client.Stream", "metrics.proto"],
        input=stream, stdout=subprocess.PIPE, check=True).stdout.decode()
    ours = samples_of(parse(decoded)[0])
    if len(sys.argv) < 3:
        return
    text = text_samples(sys.argv[2])
    own = {k for k in list(ours) + list(text) if k[0].startswith(OWN)}
    if set(ours) - own != set(text) - own:
        sys.exit(f"in one alone: {set(ours) ^ set(text) - own}")
    for sample in set(ours) - own:
        if not same(float(ours[sample]), text[sample]):
            sys.exit(f"{sample}: {ours[sample]} and {text[sample]}")


if __name__ == "__main__":
    main()
