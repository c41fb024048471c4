#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A person at a terminal: test_shell.py VM... runs VM without a command on a
pseudo-terminal and types.

The shell knows the terminal's size, Ctrl-C ends what runs in it and not it, its
status comes back, and so does the terminal, as it was.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

ROWS, COLUMNS = 41, 97


class Guest:
    """Both ends of its terminal, and what was printed there and not yet looked at."""

    def __init__(self, command):
        self.person, self.program = pty.openpty()
        fcntl.ioctl(self.program, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(self.program)
        self.seen = ""
        self.process = subprocess.Popen(
            command, stdin=self.program, stdout=self.program, stderr=self.program)

    def type(self, keys):
        os.write(self.person, keys.encode())

    def read(self):
        """What it prints, or nothing for a while."""
        if not select.select([self.person], [], [], 0.2)[0]:
            return False
        data = os.read(self.person, 65536)
        sys.stdout.buffer.write(data)
        self.seen += data.decode(errors="replace")
        return True

    def wait_for(self, pattern):
        while not (found := re.search(pattern, self.seen)):
            if not self.read() and self.process.poll() is not None:
                sys.exit(f"\ntest_shell: no {pattern!r}, status {self.process.returncode}")
        self.seen = self.seen[found.end():]
        return found

    def wait(self):
        while self.read() or self.process.poll() is None:
            pass
        return self.process.returncode

    def gave_back(self):
        return termios.tcgetattr(self.program) == self.before


def main():
    guest = Guest(sys.argv[1:])
    guest.wait_for("# ")
    # What is typed is echoed: the answers are spelt in another way.
    guest.type("stty size | sed 's/^/size /'\r")
    rows, columns = guest.wait_for(r"\nsize (\d+) (\d+)").groups()
    # It says so itself: it has the terminal then, and Ctrl-C is for it.
    guest.type("sh -c \"echo beg''un; exec sleep 1000\"\r")
    guest.wait_for("\nbegun")
    guest.type("\3")
    guest.wait_for("# ")
    guest.type("echo inter''rupted $?\r")
    guest.wait_for("\ninterrupted 130")
    guest.type("exit 42\r")
    status = guest.wait()
    same = guest.gave_back()
    print(f"\nsize {rows} {columns}, status {status}, the terminal as it was: {same}")
    sys.exit(not same or status != 42 or (int(rows), int(columns)) != (ROWS, COLUMNS))


main()
