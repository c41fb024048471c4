#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memory_cases.py OBSRINGCTL OBSRINGD PRELOAD WORK: no memory, at each allocation of a
program in turn, as TAP. The program must succeed as it does otherwise, with all of its output,
or say in a line of its own what failed and end with 1; and what it was to change is changed
wholly or not."""

import os
import subprocess
import sys

CTL, DAEMON, PRELOAD, WORK = sys.argv[1:5]
SEGMENT = os.path.join(WORK, "segment")
MADE = os.path.join(WORK, "made")
CONFIG = os.path.join(WORK, "web.yml")
MOST = 3000

CONFIG_TEXT = """http_server_config:
  headers: {X-Frame-Options: deny}
basic_auth_users:
  a: $2y$05$PMP/OkHkMXRxxfYhYVTVTeyPuLrUWxuFSWAjpLQmmm2DPRsNJD4KG
"""


def ctl(*words):
    return [CTL, "--device", SEGMENT, *words]


# What only reads; what changes, and the series whose value it adds 1 to.
READS = (
    ctl("list"), ctl("list", "--json"), ctl("get", "m_jobs_total"), ctl("get", "m_seconds"),
    ctl("get", "m_jobs_total", "--json"), ctl("get", "m_jobs_total", "--per-cpu"),
    ctl("service", "list"), ctl("service", "show", "m"), ctl("service", "show", "m", "--json"),
    ctl("log", "--json"), ctl("log", "--level", "info"), ctl("sample", "list"),
    ctl("top", "--once"), ctl("info"),
    [DAEMON, "--config.check", "--web.config.file", CONFIG],
)
CHANGES = (
    ctl("inc", "--service", "m", 'm_jobs_total{kind="a"}'),
    ctl("inc", "--service", "m", 'm_jobs_total{kind="new-%d"}'),
    ctl("inc", "--service", "new%d", "m_other_total"),
    ctl("observe", "--service", "m", "m_seconds", "0.5"),
)


def run(command, number=None):
    """Status, output, complaint; and whether an allocation failed."""
    env = dict(os.environ, LD_PRELOAD=PRELOAD, LC_ALL="C")
    if number is not None:
        env.update(FAIL_MALLOC=str(number), FAIL_MALLOC_MADE=MADE)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    made = os.path.exists(MADE)
    if made:
        os.unlink(MADE)
    return done, made


def count():
    """How many updates there were, over all series of the tests."""
    total = 0
    for metric in "m_jobs_total", "m_other_total", "m_seconds":
        done, _ = run(ctl("get", metric))
        for line in done.stdout.splitlines():
            if line.startswith((metric + "{", metric + " ", metric + "_count")):
                total += int(float(line.split()[-1]))
    return total


def judge(done, number, usual):
    """Why it is no good end, or None."""
    where = f"allocation {number}: status {done.returncode}"
    if done.returncode < 0 or done.returncode > 2:
        return f"{where}: {done.stderr}"
    if done.returncode == usual.returncode:
        short = usual.steady and done.stdout != usual.stdout
        return f"{where}, and not all of the output: {done.stdout!r}" if short else None
    if done.returncode != 1 or not done.stderr.startswith(("obsringctl: ", "obsringd: ")):
        return f"{where}, and says: {done.stderr!r}"
    return None


def sweep(command, changes):
    """Until it makes no such allocation. How many failed, and what was wrong."""
    usual, _ = run([word.replace("%d", "usual") for word in command])
    if usual.returncode:
        return 0, f"it does not run: {usual.stderr}"
    # Of what tells the time the output can't be the same.
    usual.steady = not changes and run(command)[0].stdout == usual.stdout
    for number in range(MOST):
        words = [word.replace("%d", str(number)) for word in command]
        before = count() if changes else 0
        done, made = run(words, number)
        if not made:
            return number, None
        wrong = judge(done, number, usual)
        if not wrong and changes and count() - before != (done.returncode == 0):
            wrong = f"allocation {number}: status {done.returncode}, {count() - before} updates"
        if wrong:
            return number, wrong
    return MOST, f"more than {MOST} allocations"


def prepare():
    with open(CONFIG, "w", encoding="ascii") as file:
        file.write(CONFIG_TEXT)
    subprocess.run([CTL, "segment", "create", SEGMENT], check=True)
    for words in (["inc", "--service", "m", 'm_jobs_total{kind="a"}', "--help-text", "Jobs."],
                  ["observe", "--service", "m", "m_seconds", "0.25"],
                  ["sample", "set", "user.m", "1:2"]):
        subprocess.run(ctl(*words), check=True)


def main():
    failed = 0
    prepare()
    cases = [(c, False) for c in READS] + [(c, True) for c in CHANGES]
    for index, (command, changes) in enumerate(cases, 1):
        number, wrong = sweep(command, changes)
        if not wrong and not number:
            wrong = "it allocates nothing"
        name = " ".join(os.path.basename(word) for word in command if word not in
                        ("--device", SEGMENT))
        print(f"{'not ok' if wrong else 'ok'} {index} - {name}: each of {number} allocations fails",
              flush=True)
        if wrong:
            failed += 1
            print("# " + wrong.replace("\n", "\n# "))
    print(f"1..{len(cases)}")
    sys.exit(failed != 0)


main()
