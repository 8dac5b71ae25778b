"""Ctrl-C, SIGTERM and SIGHUP end in order what runs: once as soon as that is safe, twice at once.

Whoever may be asked to stop enters `stoppable`. A signal then raises `KeyboardInterrupt`, or `Stopped`, which is one
too, wherever the main thread is: but for blocks that are `held`, which are carried through first; for imports, since
modules that are half imported stay so; and for destructors, in which an exception is lost.

Nothing but the standard library is imported here, and nothing of autoq: a command can be stopped while it is imported.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Where it cannot stop, it is looked at again after so long.
_LATER_S = 0.05
# In what code an exception does harm, or is lost.
_DELICATE, _DESTRUCTOR = ("<frozen importlib._bootstrap>", weakref.__file__), "__del__"
_SHOW_CURSOR = b"\x1b[?25h\r\n"
# What a process ends with by convention, less the number of the signal.
_BY_SIGNAL = 128


class Stopped(KeyboardInterrupt):
    """The process was asked to end, by another signal than that of Ctrl-C."""


class stoppable:  # noqa: N801  # used as a function
    """While this context lasts, signals end it in order; one inside of another changes nothing.

    Signals that are ignored (as under nohup), or that somebody else takes care of, stay so, and so do all of them where
    this is not the main thread. At the end, what was there before is put back.

    Args:
        command: The process is a command of autoq's: a second signal ends it at once. Else, where the context ends and
            was asked to by SIGTERM or SIGHUP, the process ends by that, as it would have without autoq; a second one
            ends it at once, and a second Ctrl-C raises again.
    """

    _outermost: stoppable | None = None

    def __init__(self, *, command: bool = False) -> None:
        self._command = command
        self._before: dict[int, Any] = {}  # whatever `signal.getsignal` gives
        self._received: int | None = None
        self._pending: int | None = None
        self._is_resent = False
        self._held = self._firmly_held = 0
        self._depth = 0

    def __enter__(self) -> Self:
        if stoppable._outermost is None and threading.current_thread() is threading.main_thread():
            stoppable._outermost = self
            self._depth = _depth(sys._getframe(1))
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if before in {signal.SIG_DFL, signal.default_int_handler}:
                    self._before[number] = before
                    signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if stoppable._outermost is not self:
            return
        stoppable._outermost = None
        received = self._received or self._pending
        if received is not None and self._command:
            return  # it is about to end, and a further signal is not to be told by whatever ends with it
        for number, before in self._before.items():
            signal.signal(number, before)
        if received is not None and received != signal.SIGINT:
            _end_by(received)

    @property
    def exit_code(self) -> int:
        """What a command ends with that was stopped: 128 and the number of the signal, as is usual."""
        return _BY_SIGNAL + (self._received or self._pending or signal.SIGINT)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_resent, self._is_resent = self._is_resent, False
        if is_resent and self._pending is None:
            return  # it was obeyed meanwhile
        if self._received is not None or (self._pending is not None and not is_resent):
            self._again(number)
            return
        if self._pending is None:
            _mute_what_is_gone()
        if self._held or self._firmly_held:
            self._pending = number
        elif self._is_delicate(frame):
            self._pending = number
            self._resend_later(number)
        else:
            self._stop(number)

    def _again(self, number: int) -> None:
        """The second signal, or a later one."""
        if self._command:
            _leave(_BY_SIGNAL + number)
        if number != signal.SIGINT:
            _end_by(number)
        if not self._firmly_held:
            self._received, self._pending = self._received or number, None
            raise KeyboardInterrupt

    def _stop(self, number: int) -> None:
        self._received, self._pending = number, None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped

    def _is_delicate(self, frame: FrameType | None) -> bool:
        """Whether a module is imported or an object ends within the context; the context itself may be in an import."""
        for _ in range(_depth(frame) - self._depth):
            if frame is None:
                break
            code = frame.f_code
            if code.co_filename in _DELICATE or code.co_name == _DESTRUCTOR:
                return True
            frame = frame.f_back
        return False

    def _resend_later(self, number: int) -> None:
        main = threading.main_thread().ident

        def resend() -> None:
            if stoppable._outermost is self and main is not None:
                self._is_resent = True
                signal.pthread_kill(main, number)

        timer = threading.Timer(_LATER_S, resend)
        timer.daemon = True
        timer.start()

    @contextmanager
    def _holding(self, *, firmly: bool) -> Iterator[None]:
        self._held += not firmly
        self._firmly_held += firmly
        try:
            yield
        finally:
            self._held -= not firmly
            self._firmly_held -= firmly
            if self._pending is not None and not self._held and not self._firmly_held:
                self._stop(self._pending)


@contextmanager
def held(*, firmly: bool = False) -> Iterator[None]:
    """A block that is carried through before a signal is obeyed.

    Args:
        firmly: A second Ctrl-C waits too: for what ends soon, and leaves something behind if it does not.
    """
    outermost = stoppable._outermost
    if outermost is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with outermost._holding(firmly=firmly):
        yield


def check() -> None:
    """Ends what runs where it was asked to and did not: whatever code it was in may have caught what it was told.

    Raises:
        KeyboardInterrupt: It was asked to.
    """
    outermost = stoppable._outermost
    if outermost is not None and outermost._received is not None:
        outermost._stop(outermost._received)


def exit_code() -> int:
    """What a command ends with that was stopped; as by Ctrl-C, where nobody knows by what."""
    outermost = stoppable._outermost
    return _BY_SIGNAL + signal.SIGINT if outermost is None else outermost.exit_code


def is_command() -> bool:
    """Whether a command of autoq's runs, which says itself how it ended."""
    return stoppable._outermost is not None and stoppable._outermost._command


class HeldStack(ExitStack[bool | None]):
    """An exit stack that is unwound to its end: what was started ends, and the terminal is as it was."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Unwinds it."""
        with held(firmly=True):
            return super().__exit__(kind, error, trace)


def _depth(frame: FrameType | None) -> int:
    count = 0
    while frame is not None:
        count, frame = count + 1, frame.f_back
    return count


def _mute_what_is_gone() -> None:
    """Has what is written to a terminal that is closed, or to a pipe nobody reads, go nowhere instead of failing."""
    for descriptor in (1, 2):
        with suppress(OSError):
            poll = select.poll()
            poll.register(descriptor, 0)
            if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _end_by(number: int) -> None:
    """Ends the process by a signal, as whoever sent it expects."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(signal.Signals(number))


def _leave(code: int) -> None:
    """Ends the process at once: what it writes is whole or not there, and its children end with it."""
    if os.isatty(2):
        with suppress(OSError):
            os.write(2, _SHOW_CURSOR)
    os._exit(code)
