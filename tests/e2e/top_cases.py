# SPDX-License-Identifier: MIT
"""top_cases.py OBSRINGCTL LIBOBSRING FOLDER: `obsringctl top` as its user sees it, on a
segment that is made in the folder, with hostile text in it. TAP."""
import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import termios

from top_screen import Terminal
from ynl_tap import equal, run, test

CTL, LIBRARY, FOLDER = sys.argv[1:]
SEGMENT = os.path.join(FOLDER, "segment")
# A title for the terminal, C1's ESC [, an order from right to left, a wide character.
HOSTILE = "\x1b]0;evil\x07\x9b31m\u202e\u6f22x"
INTERVAL = "0.1s"
# In struct obsring_header.
STATE_AT = 48
DRAINING = struct.pack("=I", 1)


def ctl(*words, status=0, **more):
    done = subprocess.run([CTL, "--device", SEGMENT, *words], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, **more)
    equal(done.returncode, status, f"status of {words}, which says {done.stderr}")
    return done.stdout if not status else done.stderr


def inc(selector, number=1):
    ctl("inc", "--service", "shop", selector, str(number))


def once(*words):
    return json.loads(ctl("top", "--json", "--interval", INTERVAL, *words))


def table(lines):
    """The lines below the heads, down to the log."""
    end = next((i for i, line in enumerate(lines) if line.startswith("-- log")), len(lines) - 1)
    return [line for line in lines[2:end] if line]


def row_of(lines, text):
    """The one line of the table with this text behind the figures."""
    found = [line for line in table(lines) if text in line[40:]]
    return found[0] if len(found) == 1 else None


def figures(line):
    return line[1:40].split() if line else []


def names(lines):
    return [line[41:] for line in table(lines)]


class Top(Terminal):
    def __init__(self, *words, rows=24, columns=132, **environment):
        super().__init__([CTL, "--device", SEGMENT, "top", "--interval", INTERVAL, *words],
                         rows, columns, **{"TERM": "xterm", "LC_ALL": "C.UTF-8",
                                           **environment})

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def quit(self):
        self.keys("q")
        equal(self.end(), 0, "exit status")


def log(message):
    library = ctypes.CDLL(LIBRARY)
    writer = ctypes.c_void_p()
    equal(library.obs_log_writer_open(SEGMENT.encode(), b"shop", ctypes.byref(writer)), 0)
    equal(library.obs_log_write(writer, 4, None, None, 0, message.encode()), 0)
    library.obs_log_writer_close(writer)


def make():
    subprocess.run([CTL, "segment", "create", SEGMENT], check=True)
    inc('orders_total{kind="books"}', 3)
    inc('orders_total{kind="toys"}', 40)
    inc(f'hostile_total{{text="{HOSTILE}"}}')
    for value, times in (("0.5", 5), ("3", 4), ("30", 1)):
        for _ in range(times):
            ctl("observe", "--service", "shop", "wait_seconds", value, "--buckets", "1,5,50")
    ctl("set", "--service", "shop", "level_ratio", "-0.25", "--exp10", "-3")


@test
def eighty_columns_and_twenty_four_rows_hold_all_of_it():
    with Top("--filter", "orders|wait", columns=80) as top:
        lines = top.until("the table", lambda lines: row_of(lines, "wait_seconds") and
                          lines[23].startswith("q quit") and lines)
        equal(lines[0][:7], "obsring")
        assert re.search(r" [34] of \d+ series  by rate  every 0.1s  /orders\|wait/", lines[0]), lines[0]
        equal(lines[1].split(), ["VALUE", "RATE/s", "P50", "P90", "P99", "NAME"])
        equal(max(map(len, lines)), 80)
        top.keys("\x1bOC" * 4)
        line = top.until("the rest of names", lambda lines: row_of(lines, '"toys"'))
        equal(figures(line)[0], "40")
        assert lines[17].startswith("-- log --"), lines[17]
        assert 1049 in top.screen.private
        top.quit()
        assert 1049 not in top.screen.private


@test
def what_counts_has_a_rate_and_comes_first():
    with Top("--filter", "orders") as top:
        top.until("the table", lambda lines: len(names(lines)) == 3)

        def counts(lines):
            inc('orders_total{kind="books"}', 1000)
            first = lines[2]
            return '"books"' in first and re.fullmatch(r"[1-9][\d.]*[kM]?", figures(first)[1])
        top.until("a rate", counts)
        top.until("an end of it", lambda lines: figures(row_of(lines, '"books"'))[1:2] == ["0"])
        top.quit()


@test
def keys_sort():
    with Top("--filter", "^orders_total.*(books|toys)|^level") as top:
        top.until("3 series", lambda lines: len(names(lines)) == 3)
        top.keys("n")
        rising = top.until("by name", lambda lines: "by name " in lines[0] and
                           names(lines) == sorted(names(lines)) and names(lines))
        top.keys("n")
        top.until("reversed", lambda lines: "by name, reversed" in lines[0] and
                  names(lines) == rising[::-1])
        top.keys("v")
        top.until("by value", lambda lines: "by value " in lines[0] and
                  "level_ratio" in names(lines)[2] and "books" in names(lines)[0])
        top.keys("v")
        top.until("the least first", lambda lines: "level_ratio" in names(lines)[0] and
                  figures(lines[2])[0] == "-0.25")
        top.quit()


@test
def a_filter_is_typed():
    with Top() as top:
        everything = top.until("the table", lambda lines: len(names(lines)) > 5 and lines[0])
        top.keys("/toyz\x7fs\r")
        top.until("1 series", lambda lines: len(names(lines)) == 1 and "/toys/" in lines[0])
        top.keys("/(\r")
        top.until("why not", lambda lines: lines[23].startswith("no filter: "))
        equal(len(names(top.lines())), 1)
        top.keys("/books\x1b")
        top.until("the keys again", lambda lines: lines[23].startswith("q quit"))
        assert "/toys/" in top.lines()[0]
        top.keys("/\r")
        top.until("all again", lambda lines: lines[0] == everything)
        top.quit()


@test
def a_series_opens_to_its_cpus():
    with Top("--filter", "toys|^level") as top:
        top.until("the table", lambda lines: len(names(lines)) == 2)
        top.keys("v")
        top.until("the chosen", lambda lines: lines[2].startswith(">") and "toys" in lines[2])
        equal(top.screen.reverse[2][:40], [True] * 40, "how it is shown")
        top.keys("\r")
        lines = top.until("CPUs", lambda lines: row_of(lines, "shared") and lines)
        shares = [figures(line)[0] for line in lines if re.search(r"  (cpu \d+|shared)$", line)]
        equal(sum(map(int, shares)), 40, f"the sum of {shares}")
        top.keys("\x1bOB\x1bOB\r")
        top.until("none", lambda lines: not row_of(lines, "shared") and len(names(lines)) == 2)
        assert top.lines()[2].startswith(">")
        top.keys("\x1bOB")
        top.until("the next", lambda lines: lines[3].startswith(">"))
        top.keys("\r")
        top.until("why not", lambda lines: "one value" in lines[23])
        top.quit()


@test
def quantiles_of_a_histogram():
    with Top("--filter", "wait_seconds") as top:
        line = top.until("the histogram", lambda lines: row_of(lines, "wait_seconds"))
        equal(figures(line)[0], "10")
        equal(figures(line)[2:], ["-"] * 3)
        top.keys("t")
        # 5 up to 1, 4 up to 5, 1 up to 50.
        top.until("quantiles of all", lambda lines: "quantiles of all" in lines[0] and
                  figures(row_of(lines, "wait_seconds"))[2:] == ["1", "5", "45.5"])
        top.keys("t")
        top.until("none of late", lambda lines: figures(row_of(lines, "wait_seconds"))[2:] == ["-"] * 3)
        top.quit()


@test
def frozen_nothing_moves():
    with Top("--filter", "toys") as top:
        before = top.until("the series", lambda lines: row_of(lines, "toys"))
        top.keys("f")
        top.until("that it is frozen", lambda lines: lines[0].startswith("FROZEN"))
        inc('orders_total{kind="toys"}', 2)
        # Who is not frozen has read it five times meanwhile.
        with Top("--filter", "toys") as other:
            other.until("42", lambda lines: figures(row_of(lines, "toys"))[:1] == ["42"])
        once()
        once()
        top.keys("l")
        top.until("no log", lambda lines: not any(line.startswith("-- log") for line in lines))
        equal(figures(row_of(top.lines(), "toys"))[0], figures(before)[0])
        top.keys("f")
        top.until("42", lambda lines: figures(row_of(lines, "toys"))[:1] == ["42"])
        top.quit()


@test
def the_log_and_labels_send_the_terminal_nothing():
    with Top("--filter", "evil.*x") as top:
        line = top.until("the label", lambda lines: row_of(lines, "evil"))
        assert r"\x1b]0;evil\x07\x9b31m?" + "\u6f22" + 'x"' in line, line
        log("paid " + HOSTILE)
        top.until("the message", lambda lines: any("user.shop" in line and "paid" in line
                                                   for line in lines[17:]))
        top.quit()
    assert r"\x1b]0;evil" in ctl("top", "--once", "--interval", INTERVAL, "--filter", "evil.*x")


@test
def a_locale_without_other_characters_has_question_marks():
    with Top("--filter", "evil.*x", LC_ALL="C") as top:
        top.until("the label", lambda lines: '31m??x"' in (row_of(lines, "evil") or ""))
        top.quit()


@test
def any_size_will_do():
    with Top("--filter", "toys|books") as top:
        top.until("the table", lambda lines: len(names(lines)) == 2)
        for rows, columns in ((10, 44), (3, 20), (2, 7), (1, 1), (60, 200)):
            top.resize(rows, columns)
            title = "obsring"[:columns] if rows > 1 else "q"
            top.until(f"{rows} rows", lambda lines, title=title: lines[0].startswith(title))
            if rows > 3:
                top.until("the table", lambda lines: len([l for l in lines if "ord" in l[40:]]) == 2)
        top.until("the log", lambda lines: any(line.startswith("-- log") for line in lines))
        top.quit()


@test
def the_terminal_is_left_as_it_was():
    for key, status in (("q", 0), ("\x03", 1)):
        with Top() as top:
            top.until("the table", lambda lines: len(names(lines)) > 3)
            assert not termios.tcgetattr(top.fd)[3] & termios.ECHO
            top.keys(key)
            equal(top.end(), status, f"status after {key!r}")
            equal(termios.tcgetattr(top.fd), top.settings, "settings")
            assert 1049 not in top.screen.private


@test
def who_is_frozen_lets_go_when_the_module_drains():
    with Top("--filter", "toys") as top, open(SEGMENT, "r+b") as segment:
        top.keys("f")
        top.until("that it is frozen", lambda lines: lines[0].startswith("FROZEN"))
        try:
            segment.seek(STATE_AT)
            segment.write(DRAINING)
            segment.flush()
            equal(top.end(), 1, "exit status")
            assert "is being unloaded (drain)" in " ".join(top.lines()), top.lines()
        finally:
            segment.seek(STATE_AT)
            segment.write(bytes(4))


@test
def scripts_have_lines_and_objects():
    rows = {tuple(row["labels"].values()): row for row in once("--filter", "orders_total.*(books|toys)")}
    equal(len(rows), 2)
    toys = rows["shop", str(os.getuid()), "toys"]
    equal((toys["kind"], toys["value"], toys["rate"]), ("counter", 42, 0))
    wait, = once("--filter", "^wait_seconds", "--total", "--per-cpu")
    equal(wait["count"], 10)
    equal({q: round(v, 6) for q, v in wait["quantiles"].items()}, {"0.5": 1, "0.9": 5, "0.99": 45.5})
    equal(sum(cpu["count"] for cpu in wait["cpus"]), 10)
    equal(once("--filter", "^wait_seconds")[0]["quantiles"], {"0.5": None, "0.9": None, "0.99": None})
    lines = ctl("top", "--once", "--interval", INTERVAL, "--sort", "value", "--filter",
                "orders_total.*(books|toys)").splitlines()
    equal([line.split()[-1][:12] for line in lines], ["NAME"] + ["orders_total"] * 2)
    assert "books" in lines[1] and "toys" in lines[2], lines


@test
def what_is_wrong_is_told():
    assert "no terminal" in ctl("top", status=1)
    assert "--sort size is none of" in ctl("top", "--once", "--sort", "size", status=2)
    assert "--interval 0s is no time" in ctl("top", "--once", "--interval", "0s", status=2)
    assert "--filter (: " in ctl("top", "--once", "--filter", "(", status=2)
    with Top(TERM="nothing-like-that") as top:
        equal(top.end(), 1, "exit status")
        assert "TERM, is not known" in " ".join(top.lines()), top.lines()


make()
sys.exit(run())
