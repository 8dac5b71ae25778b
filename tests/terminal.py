"""A terminal that remembers what stands on it, for tests of what a person sees at the end."""

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

_CODE = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b(.)|([\r\n\b])")


class Screen:
    """Lines that a terminal of some width shows, those that scrolled away too.

    It knows the control codes that are used to draw a line again, and no others: what it does not know is an error, not
    a character that is lost.
    """

    def __init__(self, columns: int = 80) -> None:
        self.columns = columns
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        self.cursor_is_shown = True

    def feed(self, text: str) -> None:
        place = 0
        for found in _CODE.finditer(text):
            self._write(text[place : found.start()])
            place = found.end()
            if found[4] is not None:
                self._move(found[4])
            else:
                self._control(found[1], found[2], found[3])
        self._write(text[place:])

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def _write(self, text: str) -> None:
        for character in text:
            assert character.isprintable(), repr(character)
            if self.column == self.columns:
                self._move("\r")
                self._move("\n")
            line = self.lines[self.row]
            line.extend(" " * (self.column + 1 - len(line)))
            line[self.column] = character
            self.column += 1

    def _move(self, code: str) -> None:
        if code == "\r":
            self.column = 0
        elif code == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append([])
        else:
            self.column = max(self.column - 1, 0)

    def _control(self, numbers: str, letter: str, other: str) -> None:
        if letter == "A":
            self.row = max(self.row - int(numbers or 1), 0)
        elif letter == "K":
            assert numbers == "2", numbers
            self.lines[self.row] = []
        elif (numbers, letter) in {("?25", "l"), ("?25", "h")}:
            self.cursor_is_shown = letter == "h"
        else:
            assert letter == "m", (numbers, letter, other)


def run_in_terminal(
    command: list[str], env: dict[str, str], *, columns: int = 80, rows: int = 24
) -> tuple[Screen, str]:
    """Runs a command in a pseudo-terminal; gives what stands there at its end, and all that was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=given | {"TERM": "xterm"} | env
    ) as run:
        os.close(theirs)
        sent, decoder = "", codecs.getincrementaldecoder("utf-8")("strict")
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            sent += decoder.decode(part)
    os.close(ours)
    screen = Screen(columns)
    screen.feed(sent)
    assert run.returncode == 0, screen.text
    return screen, sent
