"""Ctrl-C, SIGTERM and SIGHUP end a run in order: the first signal as soon as it is safe, the second one at once.

A run that can be stopped enters `stoppable`. A signal then raises `KeyboardInterrupt`, or its subclass `Stopped`,
wherever the main thread is. There are three exceptions: blocks that are `held` are completed first; an import is
completed, since a half imported module would stay so; and a destructor is completed, since an exception in it is lost.

Only the standard library is imported here, and nothing of autoq, so that a command can be stopped during its imports.
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
# If a signal cannot be obeyed yet, it is sent again after so many seconds.
_LATER_S = 0.05
# Code in which an exception does harm, or is lost.
_DELICATE, _DESTRUCTOR = ("<frozen importlib._bootstrap>", weakref.__file__), "__del__"
_SHOW_CURSOR = b"\x1b[?25h\r\n"
# By convention, the exit code is this plus the number of the signal.
_BY_SIGNAL = 128


class Stopped(KeyboardInterrupt):
    """The process was asked to end by another signal than Ctrl-C."""


class stoppable:  # noqa: N801  # used as a function
    """A context that signals end in order. A context inside another one changes nothing.

    Signals that are ignored (as under nohup) or that have another handler keep it, and so do all signals outside the
    main thread. At the end, the former handlers are restored.

    Args:
        command: Whether the process is a command of autoq: a second signal then ends it at once. Otherwise, after a
            context that SIGTERM or SIGHUP ended, the process ends by that signal, as it would have without autoq; a
            second one ends it at once, and a second Ctrl-C raises again.
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
            return  # the process ends now: no former handler gets a further signal
        for number, before in self._before.items():
            signal.signal(number, before)
        if received is not None and received != signal.SIGINT:
            _end_by(received)

    @property
    def exit_code(self) -> int:
        """Exit code of a command that was stopped: 128 plus the number of the signal, as usual."""
        return _BY_SIGNAL + (self._received or self._pending or signal.SIGINT)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        is_resent, self._is_resent = self._is_resent, False
        if is_resent and self._pending is None:
            return  # the signal was obeyed meanwhile
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
        """Handles the second signal, or a later one."""
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
        """Whether an import or a destructor runs within the context; the context itself may run in an import."""
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
    """A block that is completed before a signal is obeyed.

    Args:
        firmly: Whether a second Ctrl-C waits too: for a block that ends soon, and would leave something behind.
    """
    outermost = stoppable._outermost
    if outermost is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with outermost._holding(firmly=firmly):
        yield


def check() -> None:
    """Ends a run that was asked to end but goes on, since some code caught the exception.

    Raises:
        KeyboardInterrupt: The run was asked to end.
    """
    outermost = stoppable._outermost
    if outermost is not None and outermost._received is not None:
        outermost._stop(outermost._received)


def exit_code() -> int:
    """Exit code of a command that was stopped; that of Ctrl-C if the signal is not known."""
    outermost = stoppable._outermost
    return _BY_SIGNAL + signal.SIGINT if outermost is None else outermost.exit_code


def is_command() -> bool:
    """Whether a command of autoq runs, which itself says how it ended."""
    return stoppable._outermost is not None and stoppable._outermost._command


class HeldStack(ExitStack[bool | None]):
    """An exit stack that is always unwound completely: all that was started ends, and the terminal is restored."""

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
    """Discards output to a closed terminal or to a pipe without reader, so that writing does not fail."""
    for descriptor in (1, 2):
        with suppress(OSError):
            poll = select.poll()
            poll.register(descriptor, 0)
            if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)


def _end_by(number: int) -> None:
    """Ends the process by a signal, as the sender expects."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(signal.Signals(number))


def _leave(code: int) -> None:
    """Ends the process at once. Its files are whole or not there, and its children end with it."""
    if os.isatty(2):
        with suppress(OSError):
            os.write(2, _SHOW_CURSOR)
    os._exit(code)
