#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""seeds.py BUILD: inputs to begin with that are text, or nearly, in BUILD/corpus-TARGET.

Those that are records or images are made by seed_*.c.
"""
import os
import struct
import sys

TRACE = b"0af7651916cd43dd8448eb211c80319c"
SPAN = b"b7ad6b7169203331"


def request(path, *headers, method=b"GET"):
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: x", *headers]) + b"\r\n\r\n"


PROTO = (b"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
         b"encoding=delimited")
PROMETHEUS = (b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
              b"application/openmetrics-text;version=0.0.1;q=0.5,"
              b"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
              b"text/plain;version=0.0.4;q=0.3,*/*;q=0.2")

HTTP = [
    b"\r\n\r\n" * 100 + request(b"/-/healthy") + b"\r\n\r\n" * 100 + request(b"/-/ready"),
    request(b"/metrics", b"Accept: " + PROMETHEUS, b"Accept-Encoding: gzip",
            b"X-Prometheus-Scrape-Timeout-Seconds: 9.5"),
    request(b"/metrics?name%5B%5D=demo.total&collect[]=process", b"Accept: " + PROTO),
    request(b"/", method=b"HEAD") + request(b"/metrics", b"Connection: close", method=b"HEAD"),
    request(b"/api/v1/series?search=DEMO&limit=9&offset=1&kind=counter"),
    request(b"/api/v1/series/cpu?id=0&gen=1") + request(b"/api/v1/status"),
    request(b"/api/v1/log?level=warning&source=disk&since=1795364057.5&cursor=7&trace=" + TRACE),
    request(b"/-/reload", b"Content-Length: 3", b"Expect: 100-continue", method=b"POST") + b"abc",
    request(b"/-/quit", b"Transfer-Encoding: chunked", method=b"PUT") + b"3\r\nabc\r\n0\r\n\r\n",
    request(b"/metrics", b"Content-Length: 5") + b"abcde" + request(b"/nothing"),
    request(b"/%2d/healthy?%zz%00", b"Cookie: a=b; c", b" folded", b"X:y"),
    request(b"/metrics", b"Content-Length: 5\xfa"),
    request(b"/metrics", b"Content-Length: " + b"5" * 60),
    b"GET / HTTP/1.0\n\n",
    b"GET http://x/metrics HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def trend(values):
    return b"".join(struct.pack("<BQ", 9, value) for value in values)


# In which region, where, what to write there, and what to do then: fuzz_hosted.c.
CHANGES = [bytes([region, 8 * region, 0, region, act])
           for act in (0, 1, 2, 3, 4, 5, 6, 7, 129, 26, 33) for region in (0, 3, 6, 9)]

SEEDS = {
    "fuzz_http": HTTP,
    "fuzz_accept": [
        PROMETHEUS, PROTO + b";q=0.7," + PROMETHEUS, b"text/*;q=0.5, */*;q=0",
        b'text/plain; version="1.0.0"; escaping=values, , application/*;q=1.000;x="a\\"b"',
    ],
    "fuzz_query": [
        b"demo_busy_seconds_total\nname[]=demo_busy_seconds\ncollect[]=process\ngzip;q=0.5, *;q=0",
        b"demo_seconds\nname[]=demo_seconds_bucket\nx-gzip, identity;q=0.1",
        b"demo.total\ncollect[]=demo\nname[]=\nidentity, gzip;q=1.0;x=\"y\"",
    ],
    "fuzz_selector": [
        b'demo_total{op="read",device="sda"}', b'{"demo.total","a b"="x\\"\\\\\\n"}',
        b'demo { op = "x" , }', b"-12.000000001",
    ],
    "fuzz_hosted": [b"".join(CHANGES[i:i + 16]) for i in range(0, len(CHANGES), 4)],
    "fuzz_options": [
        b"--web.listen-address=[::1]:10478\n--web.listen-address\nunix:/run/x\n"
        b"--no-web.systemd-socket\n--log.level=warn\n--log.format\njson\n--leak.window=1h30m",
        b"web:\n  listen-address: [\":1\", \"[::1]:2\", unix:/x]\n  max-requests: 9\n"
        b"log: {level: debug, format: json}\nleak.watch: no\n",
        b"web.listen-address:\n- :9\n- :10\nweb.listen-address: x\n",
        b"--web.max-requests=9\n--device=/dev/x\n--web.enable-lifecycle\n--no-leak.watch",
    ],
    "fuzz_web": [
        b"tls_server_config:\n  cert: a\n  key: b\n  client_ca: c\n  client_auth_type: "
        b"VerifyClientCertIfGiven\n  client_allowed_sans: [x, y.z]\n  min_version: TLS12\n"
        b"  max_version: TLS13\n  cipher_suites: [TLS_AES_128_GCM_SHA256, "
        b"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP256, X25519]\n"
        b"  prefer_server_cipher_suites: true\n",
        b"http_server_config:\n  http2: false\n  headers: {X-Frame-Options: deny, A: b}\n"
        b"rate_limit: {interval: 1m30s, burst: 20}\nbasic_auth_users:\n  a: "
        b"$2y$10$c7RzW0nXkq4s1mYt8uVbLe0NptKU32UGYXxALUJNaWfdOOiGRRICG\n  b: &x\n  c: *x\n",
    ],
    "fuzz_request": [b"9.5", b"unix:///run/obsringd.sock", b"[::1]:10478", b"Basic YTpi", b"3"],
    "fuzz_api": [b"kind=counter\nsource=net.*\nsince=1"],
    "fuzz_words": [b"0660", b"2026-11-22 16:14:17+01:30", b"1.5h", b"1e-9"],
    "fuzz_command": [
        b"inc\n--kind\nhistogram\n--bounds=0.1,0.5,1\n--exp10\n-3\n--unit=seconds\nx{a=\"b\"}\n64K",
        b"--schema=3\n--min-log2\n-10\n--max-log2=4\n--kind=histogram\n--label=a\n--label=b\nx\n0660",
        b"probe\nadd\n--as\nx_total\n--sample=16\nkprobe\nvfs_read", b"kretprobe\n--as=x\nvfs_read",
        b"--json\n--\n--set\n-1\n16M\n0777",
    ],
    "fuzz_doctor": [
        b"OE\0live\0Y\0" b"12288\0\6\0\0\0\1",
        b"\0" * 5 + b"none [integrity] confidentiality\0tsc\0some avg10=0.00 avg60=12.50 "
        b"avg300=0.00 total=0\n\0HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot ready: x\n",
        b"F\nx\0coming\0N\0x\0\0[none]\0hpet\0\0HTTP/1.0 200 OK\r\n\r\nready\n",
    ],
    "fuzz_proc": [
        b"0.00 0.01 0.05 1/123 7\n", b"1184\t0\t9223372036854775807\n",
        b"AnonPages:  7 kB\nShmem: 8 kB\nSUnreclaim: 9 kB\nSwapTotal: 10 kB\nSwapFree: 1 kB\n",
        b"some avg10=0.00 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 total=5\n",
        b"allocstall_dma 1\nallocstall_normal 2\ncompact_stall 3\ncompact_fail 4\noom_kill 5",
        b"7 (a) R 1) S 1 7 7 0 -1 4194560 163 0 0 0 0 0 0 0 20 0 1 0 99 1000 20 0\n",
        b"7f0000000000-7f0000001000 rw-s 00000000 00:01 1027   /memfd:x y 7 (deleted)\n",
    ],
    "fuzz_propagate": [
        # As it was found once: a tracestate whose ot= is none.
        b"\0\0\x3700-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\1\0\"a=1, "
        b"ot=tch;]rv:00    ;          0000",
    ],
    "fuzz_trend": [
        trend(range(0, 3200, 100)), trend(range(3200, 0, -100)), trend([5] * 32),
        trend([n % 8 for n in range(32)]), trend([0, 2 ** 64 - 1] * 8),
    ],
    "fuzz_escape": [
        b"\0\0" + 'ä€😀 "\\\n'.encode() + b"\0\xff\xc2\x85\x1b[0m\xe2\x80\xae", b"\1\x20a.b:c_d",
        "\0\5漢字漢字".encode(), b"\0\0U__a_2e_b",
    ],
    "fuzz_deflate": [
        b"\0\x40\7" + b"# TYPE demo_total counter\ndemo_total{op=\"read\"}       1\n" * 40,
        b"\x10\0\3" + bytes(range(256)), b"\0\0\2",
    ],
}


def main():
    for target, seeds in SEEDS.items():
        directory = os.path.join(sys.argv[1], f"corpus-{target}")
        os.makedirs(directory, exist_ok=True)
        for nr, seed in enumerate(seeds):
            with open(os.path.join(directory, f"text-{nr}"), "wb") as file:
                file.write(seed)


main()
