# SPDX-License-Identifier: MIT
"""The peers' table: what is compared with what, and where its figures are."""

from collections import namedtuple

# As bench.sh runs them.
PARTS = ("counter", "sample", "ring", "trace", "scale", "push", "scrape", "series", "render",
         "read", "kernel", "log", "tracers")

# A row: what it is, obsring's figure (WHAT, WAY as a regular expression, AT), in words; and
# peers.
Row = namedtuple("Row", "name ours says peers")
Peer = namedtuple("Peer", "name what way at kind why")
Section = namedtuple("Section", "title unit text rows plots ratio", defaults=("times obsring's",))
# The points that each line has to have, at least.
Plot = namedtuple("Plot", "title x y at lines log_x log_y")
# At most so many of a unit; with "of", at least so many times better than that figure.
Goal = namedtuple("Goal", "name ours limit unit of", defaults=(None,))

# What one would use instead; what is no alternative, but a floor, or does less, and so can't
# win; what does more, and so wins if it costs less, and does not lose if it costs more.
PEER, FLOOR, MORE = "peer", "floor", "more"


def peer(name, what, way, at, why=""):
    return Peer(name, what, way, at, PEER, why)


def floor(name, what, way, at, why):
    return Peer(name, what, way, at, FLOOR, why)


def more(name, what, way, at, why):
    return Peer(name, what, way, at, MORE, why)


INTRODUCTION = """\
What obsring costs beside what one would use instead, each peer measured in the same run.
`make bench` measures all and writes this file; `make bench ROWS="counter ring"` some parts,
which replaces theirs. The lines behind it are in [`results/`](results/); what each benchmark
does is in [README.md](README.md).

How it was kept fair:

* Natively, ways take turns in each round, so that what else the machine does meets all of
  them; the figure is the median of the rounds, the spread their quartiles, which plots have as
  bars. Loaded machines widen the spread: compare within a part, and look at its load
  [below](#machine-and-runs).
* In the kernel, instructions of a guest are counted, which hardly depend on what the machine
  does; their spread is told as well. They tell nothing of cache misses, lock prefixes or
  contention: an atomic addition is one instruction. One tool is on at a time, and the figure
  is what it adds to the same system call with nothing on.
* Each peer must have seen, kept or answered all that was done, or the benchmark fails: a tool
  that drops events would be fast.
* Peers are Debian's packages, or programs written as their users would at their best: BPF
  programs are compiled C, loaded by libbpf, with raw tracepoints and without wake-ups; flight
  recorders for LTTng and perf; one collector with descriptions made once for the Go client.
* What is compared does the same, or the row says what it does less or more. The last column is
  how many times obsring's cost that is; less than 1 is in bold: there the peer wins, unless it
  does less."""

LINUX = "linux=6.1"
UNREAD = "nothing tells a reader which record is whole"
ADD = r"`obs_counter_add\(\)`"
FIND = r"`obs_counter_new\(\)` of a known series.*"


def counter(threads):
    at = f"threads={threads}"
    return [
        Row(f"a counter, {threads} thread{'s' if threads > 1 else ''}", ("counter", ADD, at),
            "`obs_counter_add()`", [
                peer("a shared atomic word", "counter", "a word shared by all threads, atomic", at),
                peer("a word under a pthread mutex", "counter", "a word under a pthread mutex", at),
                peer("a word a processor, added to by rseq(2)", "counter",
                     "a word a processor, rseq", at),
                peer("Go client, `Inc()`", "counter", r"Go client, `Inc\(\)`", at)]),
        Row(f"a counter found by 3 labels, {threads} thread{'s' if threads > 1 else ''}",
            ("counter", FIND, at), "`obs_counter_new()` of a known series, and add", [
                peer("Go client, `WithLabelValues().Inc()`", "counter",
                     r"Go client, `WithLabelValues.*", at),
                peer("method of prometheus-client-c", "counter",
                     "method of prometheus-client-c.*", at)]),
    ]


def record(size, threads):
    at, what = f"threads={threads}", f"record_{size}"
    many = f"{size} bytes, {threads} thread{'s' if threads > 1 else ''}"
    return [
        Row(f"record of {many}, time by cycle counter", (what, "ring, cycle counter", at),
            "ring", [peer("one ring under a mutex", what, "mutex, cycle counter", at),
                     floor("a plain ring of each thread", what,
                           "plain ring of a thread, cycle counter", at, UNREAD),
                     floor("the cycle counter alone", what, "cycle counter alone", at,
                           "no record")]),
        Row(f"record of {many}, time by clock_gettime", (what, "ring, clock_gettime", at),
            "ring", [peer("one ring under a mutex", what, "mutex, clock_gettime", at),
                     peer("LTTng-UST, flight recorder", what, "LTTng-UST", at),
                     floor("a plain ring of each thread", what,
                           "plain ring of a thread, clock_gettime", at, UNREAD),
                     floor("clock_gettime alone", what, "clock_gettime alone", at,
                           "no record")]),
    ]


def sample(threads):
    at = f"threads={threads}"
    many = f"{threads} thread{'s' if threads > 1 else ''}"
    peers = [peer("mutex, counter % 100", "sample", "mutex, counter % 100", at),
             peer("shared atomic, counter % 100", "sample", "shared counter % 100", at),
             peer("wyrand, of each thread", "sample", "wyrand of a thread, 1 %", at,
                  "fixed at 1 %"),
             peer("a countdown from 100, of each thread", "sample",
                  "countdown of a thread from 100", at,
                  "fixed at 100, and which one is kept can be foreseen")]
    return [Row(f"one in 100, {many}", ("sample", "1:100", at), "rule 1:100", peers),
            Row(f"1 %, {many}", ("sample", "probability 1 %", at), "rule probability", peers)]


def tracer(way):
    return ("kernel_tracer", way, LINUX)


def watched(name, way):
    return peer(name, "kernel_tracer", way, LINUX)


def empty(name, way):
    return floor(name, "kernel_tracer", way, LINUX, "the kernel's part, in all of them")


def scrape(series, place, gzip=""):
    at, what = f"series={series}", f"scrape_cpu_{place}{gzip}"
    where = "the scraper on another processor" if place == "two" else "one processor"
    return Row(f"scrape, {series} series{', gzip' if gzip else ''}, {where}",
               (what, "obsringd", at), "obsringd",
               [peer("Go client", what, "go", at)] +
               ([] if gzip else [peer("rendered by hand, by libmicrohttpd", what, "prefix", at,
                                      "no series come or go"),
                                 floor("the same bytes, never changed, by libmicrohttpd", what,
                                       "static", at, "sending, in all of them")]))


def rate(connections):
    at = f"connections={connections}"
    return [
        Row(f"1000 series, {connections} connections", ("scrape_rate", "obsringd", at),
            "obsringd", [peer("Go client", "scrape_rate", "go", at)]),
        Row(f"50 series, {connections} connections", ("scrape_rate_50", "obsringd", at),
            "obsringd", [peer("a static body, by libmicrohttpd", "scrape_rate_50", "static", at),
                         peer("rendered by hand, by libmicrohttpd", "scrape_rate_50", "prefix",
                              at),
                         peer("Go client", "scrape_rate_50", "go", at)]),
    ]


def memory(series):
    at = f"series={series}"
    return Row(f"resident memory, {series} series", ("scrape_rss", "obsringd", at), "obsringd",
               [peer("Go client", "scrape_rss", "go", at)])


RENDERED = "series=100000"
PUSHED = "items=1000"

SECTIONS = [
    Section("A counter of a process", "ns", "", counter(1) + counter(2), ["counter_threads"]),
    Section("A counter of a process, against labels and series", "ns",
            "One thread. Series are updated in an order of chance: with many of them it is "
            "cache misses that cost. Words are 8 bytes and stand beside each other, with nothing to say whose they are.",
            [Row(f"a counter found by its labels, {n}", ("labels", FIND, f"labels={n}"),
                 "`obs_counter_new()` of a known series, and add",
                 [peer("Go client, `WithLabelValues().Inc()`", "labels",
                       "Go client, `WithLabelValues.*", f"labels={n}")]) for n in (1, 6)] +
            [Row(f"a counter of {n}", ("series", ADD, f"series={n}"), "`obs_counter_add()`",
                 [peer("Go client, `Inc()`", "series", r"Go client, `Inc\(\)`", f"series={n}"),
                  floor("atomic words", "series", "atomic words", f"series={n}", "no metrics")])
             for n in (100, 10000, 1000000)],
            ["update_labels", "update_series"]),
    Section("A record of a process", "ns", "", sum((record(size, threads) for size in (64, 256)
                                               for threads in (1, 2)), []),
            ["record_threads"]),
    Section("A sampling decision", "ns", "", sample(1) + sample(2), ["sample_threads"]),
    Section("A short job that tells what it did", "µs from its start to its end",
            "A job counts 1000 items and tells that and when it succeeded. The Pushgateway has the "
            "last job's numbers, obsring the sum of all.",
            [Row("a program", ("push_clock", "obsring", PUSHED), "by libobsring, a segment", [
                peer("Pushgateway, by libcurl", "push_clock", "push", PUSHED),
                peer("Pushgateway, by the Go client", "push_clock", "push_go", PUSHED),
                floor("`true`", "push_clock", "none", PUSHED, "tells nothing")]),
             Row("a program, CPU of its own", ("push_cpu", "obsring", PUSHED), "by libobsring, a segment", [
                 peer("Pushgateway, by libcurl", "push_cpu", "push", PUSHED),
                 peer("Pushgateway, by the Go client", "push_cpu", "push_go", PUSHED),
                 floor("the Pushgateway itself, for libcurl's", "push_server", "push", PUSHED,
                       "besides"),
                 floor("`true`", "push_cpu", "none", PUSHED, "tells nothing")]),
             Row("a script", ("push_clock", "obsringctl", PUSHED), "`obsringctl inc`", [
                 peer("Pushgateway, `curl`", "push_clock", "curl", PUSHED)])], []),
    Section("A scrape: CPU", "µs of CPU",
            "All threads of the server, a tenth of the counters counted between two scrapes. "
            "With the scraper on the server's processor, that is what an answer takes; on "
            "another one, waking that and handing it the bytes is added by the kernel. \"By hand\" is "
            "each line copied as far as its value, and the value two digits at a time.",
            [scrape(series, place, gzip) for series in (1000, 100000) for gzip in ("", "_gzip")
             for place in ("one", "two")],
            ["scrape_series"]),
    Section("A scrape: requests", "req/s", "As many as there can be; clients run on the same "
            "processors.", rate(64) + rate(1000), [], "obsring answers, times as many"),
    Section("A scrape: latency", "µs, the 99th percentile",
            "1000 series, at half of the rate that the Go client can, from when a request is due.",
            [Row(f"{n} connections", ("scrape_p99", "obsringd", f"connections={n}"), "obsringd", [
                peer("Go client", "scrape_p99", "go", f"connections={n}")]) for n in (64, 1000)], []),
    Section("A scrape: memory", "MB", "", [memory(1000), memory(100000)], []),
    Section("A body of 100000 series", "ns a series", "", [
        Row("rendered, 10 % changed", ("render", ".*up to date, 10 % changed", RENDERED), "in place", [
            peer("Go client, gathered and encoded", "render", "Go client.*", RENDERED),
            peer("by hand: prefixes, two digits at a time", "render", "by hand.*", RENDERED),
            floor("`memcpy` of the body", "render", "`memcpy`.*", RENDERED, "nothing rendered")]),
        Row("rendered, all changed", ("render", ".*up to date, all changed", RENDERED), "in place", [
            peer("Go client, gathered and encoded", "render", "Go client.*", RENDERED),
            peer("by hand: prefixes, two digits at a time", "render", "by hand.*", RENDERED)]),
        Row("compressed", ("render", "ISA-L, level 1", RENDERED), "ISA-L, as obsringd uses it", [
            peer("zlib, level 1", "render", "zlib, level 1", RENDERED)])], []),
    Section("Reading 1000 counters", "ns", "Natively, of a segment.", [
        Row("1000 counters", ("read", "mmap", "ways=native"), "all values, by the mapping", [
            peer("/proc/stat, unparsed, dozens of numbers", "read", "proc_stat", "ways=native")])], []),
    Section("Reading 1000 counters, by possible CPUs", "instructions",
            "Guests with `possible_cpus=`, one of them on line. By the mapping it is all that the device "
            "has, the module's own series included; /proc/stat has some dozens of numbers.", [
                Row(f"1000 counters, {n} CPU{'s' if n > 1 else ''} possible", ("read_possible", "mmap", f"possible={n}"),
                    "all values of the device, by the mapping", [
                        peer("BPF, per-CPU array, `bpf_map_lookup_batch()`", "read_possible",
                             "bpf_map", f"possible={n}"),
                        peer("a netlink dump (obsring's own)", "read_possible", "netlink",
                             f"possible={n}"),
                        peer("/proc/stat, unparsed, dozens of numbers", "read_possible",
                             "proc_stat", f"possible={n}")]) for n in (1, 8)], ["read_possible"]),
    Section("Counting in the kernel", "instructions", "", [
        Row("an increment in kernel code", ("kernel_update", "obs_counter_inc", LINUX),
            "`obs_counter_inc()`", [
                floor("`this_cpu_inc()`", "kernel_update", "this_cpu_inc", LINUX,
                      "the word's address is fixed"),
                peer("`atomic64_inc()`", "kernel_update", "atomic64_inc", LINUX,
                     "one instruction, with a lock prefix, on a word that all CPUs share"),
                peer("a word under a spinlock", "kernel_update", "spin_lock_inc", LINUX)]),
        Row("each call at a tracepoint", tracer("event.obsring_tracepoint"),
            "`probe add tracepoint`", [
                empty("an empty hook", "event.floor"),
                watched("BPF (libbpf), raw tracepoint, per-CPU array", "event.raw_array"),
                watched("BPF (libbpf), tracepoint, per-CPU array", "event.tp_array"),
                watched("perf, `stat`", "event.perf_count"),
                peer("bpftrace, tracepoint", "kernel_event", "tracepoint.bpftrace", LINUX)]),
        Row("system calls by name", tracer("event.obsring_syscall"), "source `syscall`", [
            empty("empty hooks of entry and exit", "event.floor_both"),
            watched("BPF (libbpf), raw tracepoint of entry, per-CPU array", "event.raw_array_by_id"),
            watched("BPF (libbpf), raw tracepoint of entry, per-CPU hash map",
                    "event.raw_percpu_hash_by_id"),
            watched("BPF (libbpf), raw tracepoint of entry, hash map", "event.raw_hash_by_id"),
            watched("BPF (libbpf), tracepoint of entry, hash map", "event.tp_hash_by_id"),
            watched("ftrace, `hist:keys=id` of entry", "event.ftrace_hist"),
            peer("bpftrace, `@[args->id] = count()`", "kernel_event", "syscall.bpftrace", LINUX)]),
        Row("latency of a system call", tracer("event.obsring_latency"),
            "source `syscall`, latency of each, and calls by name", [
                watched("BPF (libbpf), raw tracepoints, hash map and histogram in an array",
                        "event.raw_latency"),
                peer("bpftrace, `hist()`", "kernel_event", "latency.bpftrace", LINUX)]),
        Row("each call of a function", tracer("event.obsring_kprobe"), "`probe add kprobe`", [
            empty("an empty kprobe", "event.floor_kprobe"),
            watched("BPF (libbpf), kprobe, per-CPU array", "event.kprobe_array"),
            watched("BPF (libbpf), fentry, per-CPU array: no kprobe, patched in",
                    "event.fentry_array"),
            peer("bpftrace, kprobe", "kernel_event", "kprobe.bpftrace", LINUX)]),
        Row("a task goes to sleep: its kernel stack", ("kernel_sleep", "young.obsring", LINUX),
            "source `process`, a sleep that is saved", [
                floor("obsring: one that is not, as 15 of 16 and those past 2048 a second",
                      "kernel_sleep", "old.obsring", LINUX, "sampled"),
                floor("an empty hook", "kernel_sleep", "old.floor", LINUX,
                      "the kernel's part, in all of them"),
                peer("bpftrace, `@[kstack] = count()`", "kernel_sleep", "young.bpftrace",
                     LINUX)]),
        Row("a count in a process", tracer("update.obs_counter_add"),
            "`obs_counter_add()`, a service of the device", [
                watched("BPF (libbpf), uprobe, per-CPU array", "function.uprobe_array")]),
    ], []),
    Section("Records in the kernel", "instructions",
            "obsring formats a record when it is written, as text with its source, so that who "
            "reads needs nothing but it; trace_printk keeps format and arguments, events of ftrace, "
            "perf, LTTng and BPF are binary, and formatted when they are read, by who has their "
            "description. What the formatting alone takes is in the row of `snprintf()`.", [
                Row("64 bytes of kernel code, `%s`", ("kernel_log", "obs_log_64", LINUX),
                    "`obs_log()`", [
                        peer("`trace_printk()`", "kernel_log", "trace_printk_64", LINUX),
                        floor("`snprintf()`", "kernel_log", "snprintf_64", LINUX, "no record")]),
                Row("256 bytes of kernel code, `%s`", ("kernel_log", "obs_log_256", LINUX),
                    "`obs_log()`", [
                        peer("`trace_printk()`", "kernel_log", "trace_printk_256", LINUX)]),
                Row("three numbers of kernel code", ("kernel_log", "obs_log_numbers", LINUX),
                    "`obs_log()`", [
                        peer("`trace_printk()`", "kernel_log", "trace_printk_numbers", LINUX)]),
                Row("each write(2) recorded, 64 bytes", tracer("write.hook_obs_log_64"),
                    "`obs_log()` in a hook", [
                        empty("an empty hook", "write.floor"),
                        watched("ftrace, event", "write.ftrace_event"),
                        watched("perf, `record`", "write.perf_record"),
                        watched("BPF (libbpf), ring buffer", "write.raw_ring"),
                        watched("BPF (libbpf), perf buffer", "write.raw_perf"),
                        more("LTTng, entry and exit", "kernel_tracer", "write.lttng_syscall", LINUX,
                             "two records"),
                        more("ftrace, entry and exit", "kernel_tracer", "write.ftrace_both", LINUX,
                             "two records"),
                        more("perf, entry and exit", "kernel_tracer", "write.perf_record_both",
                             LINUX, "two records"),
                        more("BPF (libbpf), ring buffer, entry and exit", "kernel_tracer",
                             "write.raw_ring_both", LINUX, "two records"),
                        peer("bpftrace, `printf()` of 64 bytes", "kernel_log_write",
                             "bpftrace.printf_64", LINUX)]),
                Row("64 bytes of a program", tracer("write.device_64"), "a line to /dev/obsring, with who wrote it", [
                    watched("ftrace, trace_marker", "write.trace_marker_64"),
                    watched("ftrace, trace_marker_raw", "write.trace_marker_raw_64"),
                    watched("LTTng, /proc/lttng-logger", "write.lttng_logger_64"),
                    watched("`syslog(3)`, without the daemon's part", "write.syslog_64")]),
                Row("256 bytes of a program", tracer("write.device_256"), "a line to /dev/obsring, with who wrote it", [
                    watched("ftrace, trace_marker", "write.trace_marker_256"),
                    watched("ftrace, trace_marker_raw", "write.trace_marker_raw_256"),
                    watched("LTTng, /proc/lttng-logger", "write.lttng_logger_256")]),
            ], []),
    Section("What has no peer here", "ns", "Told for what it is, natively.", [
        Row("a histogram's observation", ("counter", r"`obs_histogram_observe\(\)`", "threads=1"),
            "`obs_histogram_observe()`, ten bounds", []),
        Row("a gauge set", ("counter", r"`obs_gauge_set\(\)`", "threads=1"), "`obs_gauge_set()`", []),
        Row("a counter by a call of the library", ("counter", r"`\(obs_counter_add\)\(\)`.*",
                                                   "threads=1"), "as from other languages", []),
        Row("traceparent", ("trace", "traceparent", "threads=1"), "parsed", []),
        Row("a request of 10 headers, 2 of them of trace context",
            ("trace", "a request of 10 headers.*", "threads=1"), "each of the 10", []),
        Row("traceparent and tracestate of a new span",
            ("trace", "writing traceparent.*", "threads=1"), "written, each", [])], []),
    Section("Records of kprobes in the kernel", "instructions",
            "No obsring: its probes count and time, they record nothing. Against an empty kprobe.", [
                Row("each call of a function recorded", tracer("event.floor_kprobe"),
                    "nothing: an empty kprobe", [
                        floor("ftrace, kprobe event", "kernel_tracer", "event.ftrace_kprobe", LINUX,
                              "records it"),
                        floor("LTTng, `--probe`", "kernel_tracer", "event.lttng_kprobe", LINUX,
                              "records it"),
                        floor("BPF (libbpf), kprobe, ring buffer", "kernel_tracer",
                              "event.kprobe_ring", LINUX, "records it")])], []),
]

THREADS = (1, 2)
SERIES = (100, 1000, 10000, 100000, 1000000)

PLOTS = {
    "counter_threads": Plot("A counter, against threads", "threads", "ns an update", THREADS, [
        ("`obs_counter_add()`", "counter", ADD),
        ("shared atomic", "counter", "a word shared by all threads, atomic"),
        ("mutex", "counter", "a word under a pthread mutex"),
        ("rseq", "counter", "a word a processor, rseq"),
        ("Go client, `Inc()`", "counter", r"Go client, `Inc\(\)`")], False, True),
    "record_threads": Plot("A record of 64 bytes, against threads", "threads", "ns a record", THREADS, [
        ("ring, cycle counter", "record_64", "ring, cycle counter"),
        ("ring, clock_gettime", "record_64", "ring, clock_gettime"),
        ("mutex, clock_gettime", "record_64", "mutex, clock_gettime"),
        ("LTTng-UST", "record_64", "LTTng-UST")], False, True),
    "sample_threads": Plot("A sampling decision, against threads", "threads", "ns a decision", THREADS, [
        ("1:100", "sample", "1:100"),
        ("probability 1 %", "sample", "probability 1 %"),
        ("shared atomic, % 100", "sample", "shared counter % 100"),
        ("mutex, % 100", "sample", "mutex, counter % 100"),
        ("wyrand", "sample", "wyrand of a thread, 1 %"),
        ("countdown", "sample", "countdown of a thread from 100")], False, True),
    "update_labels": Plot("A counter, against labels", "labels", "ns an update", (0, 1, 2, 4, 6), [
        ("`obs_counter_add()`", "labels", ADD),
        ("`obs_counter_new()` of a known series, and add", "labels", FIND),
        ("Go client, `Inc()`", "labels", r"Go client, `Inc\(\)`"),
        ("Go client, `WithLabelValues().Inc()`", "labels", "Go client, `With.*")], False, False),
    "update_series": Plot("A counter of many, against series", "series", "ns an update", SERIES, [
        ("`obs_counter_add()`", "series", ADD),
        ("Go client, `Inc()`", "series", r"Go client, `Inc\(\)`"),
        ("atomic words", "series", "atomic words")], True, True),
    "scrape_series": Plot("CPU of a scrape, against series", "series", "µs of CPU", SERIES, [
        ("obsringd", "scrape_cpu_one", "obsringd"), ("Go client", "scrape_cpu_one", "go"),
        ("by hand, libmicrohttpd", "scrape_cpu_one", "prefix"),
        ("obsringd, gzip", "scrape_cpu_one_gzip", "obsringd"),
        ("Go client, gzip", "scrape_cpu_one_gzip", "go")], True, True),
    "read_possible": Plot("Reading 1000 counters, against possible CPUs", "possible CPUs",
                          "instructions", (1, 2, 4, 8), [
        ("obsring, mapping", "read_possible", "mmap"),
        ("netlink dump", "read_possible", "netlink"),
        ("BPF, lookup_batch", "read_possible", "bpf_map"),
        ("/proc/stat", "read_possible", "proc_stat")], False, True),
}

NOT_RUN = [
    ("Threads beyond 2", "the programs have a processor for each thread, and the machine has {cpus}."),
    ("Kernel rows in nanoseconds, and their contention between CPUs",
     "no module goes into the machine's own kernel, and the emulator counts instructions: it knows no "
     "cache misses and no lock prefixes. BPF's ring buffer with two producers, a uprobe in "
     "nanoseconds and lttng-modules on two CPUs are not here for that."),
    ("A netlink dump in nanoseconds",
     "obsring's family is in the module; in instructions it is beside the mapping, above."),
    ("sd_journal_send()", "neither the machine nor the guest runs a journald; the device's lines are "
                          "compared with syslog(3) in its place."),
    ("prometheus-client-c itself",
     "it is in no Debian package; its method was written anew, see README.md."),
    ("wrk", "scrape_load.c does the same and counts late answers; its rates are of a closed loop, as wrk's."),
    ("Updates of a million series in one segment",
     "a segment has room for 65536; they are in a thousand segments of a thousand each."),
    ("Series beyond 65536 in the module, for scrapes",
     "its default limit; the segment of the scrapes is made in a file, as the module lays it out."),
]


def better(name, ours, limit, unit, what, way, at):
    return Goal(name, ours, limit, unit, (what, way, at))


def event(name, ours, theirs):
    return better(name, ("kernel_event", ours, LINUX), 2, "bpftrace", "kernel_event", theirs, LINUX)


def fewer(unit, way):
    return better("each write(2) recorded, 64 bytes", tracer("write.hook_obs_log_64"), 1, unit,
                  *tracer(way))


def goals_of_threads(threads):
    at = f"threads={threads}"
    many = f"{threads} thread{'s' if threads > 1 else ''}"
    return [
        Goal(f"a counter of a process, {many}", ("counter", ADD, at), 2.5, "ns"),
        Goal(f"record of 64 bytes by cycle counter, {many}",
             ("record_64", "ring, cycle counter", at), 15, "ns"),
        Goal(f"record of 64 bytes by clock_gettime, {many}",
             ("record_64", "ring, clock_gettime", at), 30, "ns"),
        better(f"record of 64 bytes by cycle counter, {many}",
               ("record_64", "ring, cycle counter", at), 4, "LTTng-UST", "record_64", "LTTng-UST", at),
        better(f"record of 64 bytes by clock_gettime, {many}",
               ("record_64", "ring, clock_gettime", at), 3, "LTTng-UST", "record_64", "LTTng-UST", at),
        Goal(f"sampling one in 100, {many}", ("sample", "1:100", at), 1.5, "ns"),
        Goal(f"sampling 90 %, {many}", ("sample", "probability 90 %", at), 1.5, "ns"),
    ]


def goals_of_scrapes(series, times):
    at = f"series={series}"
    return [
        better(f"a scrape of {series} series", ("scrape_cpu_one", "obsringd", at), times,
               "the Go client", "scrape_cpu_one", "go", at),
        better(f"a scrape of {series} series, gzip", ("scrape_cpu_one_gzip", "obsringd", at), 20,
               "the Go client", "scrape_cpu_one_gzip", "go", at),
    ]


def goals_of_requests(connections):
    at = f"connections={connections}"
    return [
        better(f"requests a second, 1000 series, {connections} connections",
               ("scrape_rate", "obsringd", at), 10, "the Go client", "scrape_rate", "go", at),
        better(f"requests a second, 50 series, {connections} connections",
               ("scrape_rate_50", "obsringd", at), 0.9, "a static answer", "scrape_rate_50",
               "static", at),
    ]


CONTENDED = ("counter", ADD, "threads=2")
GOALS = goals_of_threads(1) + goals_of_threads(2) + [
    better("a counter of a process, 2 threads", CONTENDED, 8, "a shared atomic", "counter",
           "a word shared by all threads, atomic", "threads=2"),
    better("a counter of a process, 2 threads", CONTENDED, 300,
           "prometheus-client-c's method, which finds it", "counter",
           "method of prometheus-client-c.*", "threads=2"),
    Goal("an increment in kernel code", ("kernel_update", "obs_counter_inc", LINUX), 2,
         "instructions, one of which loads the handle"),
    better("system calls by name", tracer("event.obsring_syscall"), 2,
           "BPF, tracepoint, hash map", *tracer("event.tp_hash_by_id")),
    event("each call at a tracepoint", "tracepoint.obsring", "tracepoint.bpftrace"),
    event("system calls by name", "syscall.obsring", "syscall.bpftrace"),
    event("latency of each system call", "latency.obsring", "latency.bpftrace"),
    event("each call of a function", "kprobe.obsring", "kprobe.bpftrace"),
    event("latency of each call of a function", "kretprobe.obsring", "kretprobe.bpftrace"),
    fewer("ftrace", "write.ftrace_event"),
    fewer("perf", "write.perf_record"),
    fewer("LTTng, entry and exit", "write.lttng_syscall"),
    Goal("a header with trace context, the longest",
         ("trace", "tracestate, 32 members.*", "threads=1"), 100, "ns"),
    Goal("a scrape of 1000 series", ("scrape_cpu_one", "obsringd", "series=1000"), 20, "µs of CPU"),
] + goals_of_scrapes(1000, 50) + goals_of_scrapes(100000, 100) + goals_of_requests(64) + \
    goals_of_requests(1000) + [
    better("the 99th percentile, 1000 connections", ("scrape_p99", "obsringd", "connections=1000"),
           1, "the Go client's median", "scrape_p50", "go", "connections=1000"),
    Goal("resident memory, 1000 series", ("scrape_rss", "obsringd", "series=1000"), 8, "MB"),
    Goal("resident memory, 100000 series", ("scrape_rss", "obsringd", "series=100000"), 60, "MB"),
    Goal("a body, all changed", ("render", ".*up to date, all changed", RENDERED), 10, "ns a series"),
    Goal("a body, 10 % changed", ("render", ".*up to date, 10 % changed", RENDERED), 4,
         "ns a series"),
    Goal("a body compressed", ("render", "ISA-L, level 1", RENDERED), 100, "ns a series"),
    Goal("1000 counters read", ("read", "mmap", "ways=native"), 400, "ns"),
]
