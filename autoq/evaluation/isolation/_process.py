"""An object in a process of its own, so that a crash or a hang stays within that process."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from autoq._stopping import held
from autoq.core import ConfigError, DeviceError, named_reason
from autoq.evaluation.isolation._channel import Channel
from autoq.evaluation.isolation._crossing import files_of_modules, packed, unpacked
from autoq.evaluation.isolation._meanwhile import Meanwhile

# The parent's import path comes first, so that the worker can import all that the parent can. The parent's main module
# is not run again. A signal to a whole job ends the parent, which ends this process in order. Processes that this one
# forks obey signals as usual.
_ENTRY = """
import os, signal, sys
usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
for number in usual: signal.signal(number, lambda *_: None)
os.register_at_fork(after_in_child=lambda: [signal.signal(*before) for before in usual.items()])
sys.path[:] = sys.argv[3:]
from autoq.evaluation.isolation._worker import serve
serve(int(sys.argv[1]), int(sys.argv[2]))
"""
# The end of the process is noticed at once, or after so many seconds if its children keep the connection open.
_LOOK_S = 1.0
# A process has so many seconds to end by itself before it is killed.
_PATIENCE_S = 5.0
# A signal that kills all processes of a job reaches the parent within this time. The end of this process is then no
# fault of the model.
_KILLED_TOO_S = 0.2
_ENDED_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT}


class DeviceProcess:
    """A new process that makes one object, and whose methods are called by name.

    The process starts at once, and imports its modules while the parent does other things. It has a session of its own,
    so that Ctrl-C reaches only the parent, and it ends with the parent. Its output goes where that of the parent goes.
    The caller closes it.

    Args:
        meanwhile: Works in this process, and rests while the other one times something. Its errors end the exchange.
    """

    def __init__(self, meanwhile: Meanwhile | None = None) -> None:
        self.meanwhile = Meanwhile() if meanwhile is None else meanwhile
        here, there = socket.socketpair()
        self._channel = Channel(here)
        self._doing = "starting"
        with there, held():
            entry = [_ENTRY, str(there.fileno()), str(os.getpid()), *sys.path]
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter
                [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-u", "-c", *entry],
                stdin=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,
            )

    def make(self, make: Callable[..., Any], arguments: Mapping[str, Any], *, timeout_s: float | None) -> None:
        """Makes the object. It is called once, before anything else. If it fails, the process ends.

        Args:
            make: Makes the object. It takes `arguments`, and two functions: `stage: Callable[[str], None]` is told what
                happens; `quiet: Callable[[bool], None]` is told that something is timed from now on, or no longer.
            arguments: Arguments by name.
            timeout_s: Seconds until the object must be made, with the rest of the start of the process; None is no
                limit.

        Raises:
            ConfigError: An argument cannot be unpickled in the process.
            DeviceError: The process ends or does not answer.
            Exception: An argument cannot be pickled, or `make` failed: any error, with the traceback of the process as
                its cause.
        """
        try:
            self._exchange(files_of_modules(), (make, (), arguments), timeout_s=timeout_s)
        except BaseException:
            self._kill()
            raise
        self._doing = "waiting for a request"

    @property
    def alive(self) -> bool:
        """Whether the process can answer."""
        # Without a request, only the end of the connection arrives.
        return self._process.poll() is None and not self._channel.arrives(0)

    def call(self, name: str, *arguments: Any, timeout_s: float | None, **keywords: Any) -> Any:  # of any object
        """Calls a method, or reads an attribute.

        Args:
            name: Name of the method or attribute.
            arguments: Arguments of the method.
            timeout_s: Seconds until the process is killed; None is no limit.
            keywords: Keyword arguments of the method.

        Raises:
            DeviceError: The process ended or did not answer. It is gone then.
            Exception: Pickling or the method failed, as for `make`.
        """
        return self._exchange((name, arguments, keywords), timeout_s=timeout_s)

    def dismiss(self) -> None:
        """Asks the process to end, and does not wait for that: nothing more is asked of it."""
        if self._doing != "starting":
            self._channel.close()

    def close(self) -> None:
        """Asks the process to end; kills it if it does not, or if it has made nothing yet."""
        if self._doing == "starting":
            self._kill()
            return
        self._channel.close()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE_S)
        finally:
            self._kill()

    def _exchange(self, *values: Any, timeout_s: float | None) -> Any:  # of any object
        """Sends these values, and waits for the answer to the last one."""
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        if self._doing != "starting":
            self._doing = "reading a request"
        for value in values:
            with packed(value) as (message, files), self._watched(timeout_s):
                self._channel.send(message, files, deadline=deadline)
        try:
            with self._watched(timeout_s):
                kind, answer = self._answer(deadline)
        finally:
            self.meanwhile.quiet(False)
        if kind == "value":
            return answer
        error, trace = answer
        if kind == "unreadable":
            msg = (
                f"the device process cannot load an argument: {named_reason(error)}; make it importable "
                "there, or pass isolate=False to evaluate in this process."
            )
            raise ConfigError(msg) from _RemoteError(trace)
        raise error from _RemoteError(trace)

    def _answer(self, deadline: float) -> tuple[str, Any]:
        while True:
            while not self._channel.arrives(min(_LOOK_S, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    raise TimeoutError
                if self._process.poll() is not None and not self._channel.arrives(0):
                    raise EOFError
                self.meanwhile.check()
            kind, value = unpacked(*self._channel.receive(deadline=deadline))
            if kind == "timed":
                began = time.monotonic()
                self.meanwhile.quiet(value)
                # The other process waits for this one.
                deadline += time.monotonic() - began
                with packed(None) as (message, files):
                    self._channel.send(message, files, deadline=deadline)
            elif kind == "stage":
                self._doing = value
            else:
                return kind, value

    @contextmanager
    def _watched(self, timeout_s: float | None) -> Iterator[None]:
        """Ends the process if the exchange with it fails or is interrupted; the error says what it was doing."""
        try:
            yield
        except TimeoutError:
            self._kill()
            msg = f"the device process gave no answer for {round(timeout_s or 0, 1):g} s while {self._doing}."
            raise DeviceError(msg) from None
        except (EOFError, ConnectionError):
            msg = f"the device process {self._end()} while {self._doing}."
            raise DeviceError(msg) from None
        except BaseException:
            self._kill()
            raise

    def _end(self) -> str:
        """Ends the process, and says how it ended."""
        try:
            status = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._kill()
            return "closed its connection"
        finally:
            self._channel.close()
        if -status in _ENDED_FROM_OUTSIDE:
            time.sleep(_KILLED_TOO_S)
        if status >= 0:
            return f"ended with exit status {status}"
        name = {s.value: s.name for s in signal.Signals}.get(-status, f"signal {-status}")
        return f"was killed by {name}{' (out of memory?)' if -status == signal.SIGKILL else ''}"

    def _kill(self) -> None:
        """Kills the process and its children."""
        with held(firmly=True):
            self._channel.close()
            # After the process was waited for, its number may belong to another one.
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


class _RemoteError(Exception):
    """The traceback of an error in another process, as the cause of the error here."""

    def __init__(self, trace: str) -> None:
        super().__init__(trace)
        self._trace = trace

    def __str__(self) -> str:
        return f"in the device process:\n{self._trace}"
