# SPDX-License-Identifier: MIT
"""A program in a pseudo-terminal, and the screen that a terminal would show of it: what
ncurses sends for xterm, and nothing else, which is an error."""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

LIMIT_S = 180   # that a condition may take on a busy machine

TOKEN = re.compile(r"""\x1b\[(?P<private>[?>]?)(?P<numbers>[\d;]*)(?P<command>[A-Za-z@`])
                     | \x1b(?P<plain>[=>78MDEH]) | \x1b[()](?P<charset>[0AB])
                     | (?P<control>[\x07\x08\t\r\n\x0e\x0f]) | (?P<text>[^\x00-\x1f\x7f-\x9f])
                    """, re.VERBOSE)
# The beginning of one of these: the rest is still to come.
BEGINNING = re.compile(r"\x1b(\[[?>]?[\d;]*|[()])?\Z")


class Screen:
    def __init__(self, rows, columns):
        self.resize(rows, columns)
        self.pending = ""
        self.private = set()

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.reverse = [[False] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, rows - 1
        self.reversing = False
        self.last = " "

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, text):
        text = self.pending + text
        at = 0
        while at < len(text):
            token = TOKEN.match(text, at)
            if not token:
                if BEGINNING.match(text, at):
                    break
                raise AssertionError(f"a terminal is sent {text[at:at + 20]!r}")
            self._take(token)
            at = token.end()
        self.pending = text[at:]

    def _take(self, token):
        if token["text"]:
            self._put(token["text"])
        elif token["control"]:
            self._control(token["control"])
        elif token["plain"]:
            if token["plain"] == "M":
                self._up()
            elif token["plain"] in "DEH":
                raise AssertionError(f"ESC {token['plain']}")
        elif token["command"]:
            numbers = [int(n or 0) for n in token["numbers"].split(";")]
            if token["private"]:
                self._private(token["command"], numbers)
            else:
                self._command(token["command"], numbers)

    def _private(self, command, numbers):
        if command == "h":
            self.private |= set(numbers)
        elif command == "l":
            self.private -= set(numbers)
        else:
            raise AssertionError(f"CSI ? {command}")

    def _put(self, text):
        width = 2 if unicodedata.east_asian_width(text) in "WF" else 1
        if self.column + width > self.columns:
            self.column = 0
            self._down()
        for i in range(width):
            self.cells[self.row][self.column + i] = "" if i else text
            self.reverse[self.row][self.column + i] = self.reversing
        self.column += width
        self.last = text

    def _control(self, control):
        if control == "\r":
            self.column = 0
        elif control == "\n":
            self._down()
        elif control == "\b":
            self.column = max(0, self.column - 1)
        elif control == "\t":
            self.column = min(self.columns - 1, (self.column // 8 + 1) * 8)

    def _move(self, row, column):
        self.row = max(0, min(self.rows - 1, row))
        self.column = max(0, min(self.columns - 1, column))

    def _down(self):
        if self.row == self.bottom:
            self._scroll(self.top, 1)
        else:
            self._move(self.row + 1, self.column)

    def _up(self):
        if self.row == self.top:
            self._scroll(self.top, -1)
        else:
            self._move(self.row - 1, self.column)

    def _scroll(self, top, lines):
        for grid, blank in (self.cells, " "), (self.reverse, False):
            for _ in range(abs(lines)):
                del grid[top if lines > 0 else self.bottom]
                grid.insert(self.bottom if lines > 0 else top, [blank] * self.columns)

    def _blank(self, row, first, last):
        for column in range(max(0, first), min(self.columns, last)):
            self.cells[row][column] = " "
            self.reverse[row][column] = False

    def _erase(self, what):
        self._erase_line(what)
        rows = {0: range(self.row + 1, self.rows), 1: range(self.row),
                2: range(self.rows)}[what]
        for row in rows:
            self._blank(row, 0, self.columns)

    def _erase_line(self, what):
        self._blank(self.row, 0 if what else self.column,
                    self.column + 1 if what == 1 else self.columns)

    def _shift(self, cells):
        for grid, blank in (self.cells[self.row], " "), (self.reverse[self.row], False):
            for _ in range(min(abs(cells), self.columns)):
                del grid[-1 if cells > 0 else self.column]
                grid.insert(self.column if cells > 0 else self.columns, blank)

    def _command(self, command, numbers):
        n = max(1, numbers[0])
        row, column = self.row, self.column
        if command in "Hf":
            self._move(n - 1, max(1, numbers[1] if len(numbers) > 1 else 1) - 1)
        elif command in "ABCD":
            self._move(row + {"A": -n, "B": n}.get(command, 0),
                       column + {"C": n, "D": -n}.get(command, 0))
        elif command in "G`":
            self._move(row, n - 1)
        elif command == "d":
            self._move(n - 1, column)
        elif command == "J":
            self._erase(numbers[0])
        elif command == "K":
            self._erase_line(numbers[0])
        elif command == "X":
            self._blank(row, column, column + n)
        elif command == "b":
            for _ in range(n):
                self._put(self.last)
        elif command in "@P":
            self._shift(n if command == "@" else -n)
        elif command in "LM":
            self._scroll(row, -n if command == "L" else n)
        elif command in "ST":
            self._scroll(self.top, n if command == "S" else -n)
        elif command == "r":
            self.top = n - 1
            self.bottom = (numbers[1] if len(numbers) > 1 else self.rows) - 1
            self._move(0, 0)
        elif command == "m":
            for number in numbers:
                self.reversing = number == 7 or (self.reversing and number not in (0, 27))
        elif command not in "hlt":
            raise AssertionError(f"CSI {numbers} {command}")


class Terminal:
    """@command, with @rows and @columns; environment in @environment."""

    def __init__(self, command, rows=24, columns=80, **environment):
        self.screen = Screen(rows, columns)
        self.status = None
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(environment)
            # Not before the size is known.
            signal.alarm(600)
            while not struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[0]:
                time.sleep(0.001)
            os.execv(command[0], command)
        self.settings = termios.tcgetattr(self.fd)
        self._size(rows, columns)
        # Nothing but UTF-8 is sent either.
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def _size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self._size(rows, columns)

    def keys(self, text):
        os.write(self.fd, text.encode())

    def lines(self):
        return self.screen.lines()

    def _read(self, timeout):
        """What comes within that; False at its end."""
        if not select.select([self.fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen.feed(self.decoder.decode(data))
        return bool(data)

    def until(self, what, condition):
        """What @condition gives of the lines, as soon as it is true."""
        end = time.monotonic() + LIMIT_S
        alive = True
        while True:
            found = condition(self.lines())
            if found:
                return found
            if not alive or time.monotonic() > end:
                shown = "\n".join(self.lines())
                raise AssertionError(f"{what} is not to be seen:\n{shown}")
            alive = self._read(0.1)

    def end(self):
        """Its exit status, when it has ended."""
        end = time.monotonic() + LIMIT_S
        while self._read(0.1):
            if time.monotonic() > end:
                raise AssertionError("it does not end")
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
