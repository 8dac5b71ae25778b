"""The other side of `_process.DeviceProcess`: makes one object, and calls its methods on request."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from autoq.core import named_reason
from autoq.evaluation.isolation._channel import Channel
from autoq.evaluation.isolation._crossing import packed, unpacked

_PR_SET_PDEATHSIG = 1


def serve(descriptor: int, parent: int) -> None:
    """Answers requests until the connection ends.

    A request is `(what, arguments, keyword arguments)`. In the first one, `what` makes the object, and gets the
    functions `stage` and `quiet` too. In later ones, it is the name of a method or an attribute. An answer is
    `("value", value)` or `("error", (exception, traceback))`; or `("unreadable", ...)` if the request cannot be
    unpickled here. Any number of `("stage", text)` may come before an answer, and of `("timed", bool)`: after each of
    these, this process waits for a message of the parent.

    Args:
        descriptor: Descriptor of the socket to the parent.
        parent: Process id of the parent.
    """
    _end_with(parent)
    try:
        server = _Server(Channel(socket.socket(fileno=descriptor)))
    except (EOFError, ConnectionError):
        return  # the process was started in advance, and was not needed
    while server.answer():
        pass


class _Server:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._made: Any = None
        sys.meta_path.append(_LoadedFiles(unpacked(*channel.receive())))

    def answer(self) -> bool:
        """Answers one request; False if there will be no more."""
        try:
            message, files = self._channel.receive()
        except (EOFError, ConnectionError):
            return False
        failed = "unreadable"
        try:
            what, arguments, keywords = unpacked(message, files)
            # The request can be as large as the data: it is not held while it is worked on.
            del message
            failed = "error"
            self._send("value", self._call(what, arguments, keywords))
        except Exception as error:  # noqa: BLE001  # the parent raises it
            self._send(failed, (_portable(error), traceback.format_exc()))
        return True

    def _call(self, what: str | Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        if callable(what):
            self._made = what(*arguments, **keywords, stage=self._stage, quiet=self._quiet)
            return None
        found = getattr(self._made, what)
        return found(*arguments, **keywords) if callable(found) else found

    def _stage(self, text: str) -> None:
        self._send("stage", text)

    def _quiet(self, is_timed: bool) -> None:
        self._send("timed", is_timed)
        self._channel.receive()

    def _send(self, kind: str, value: Any) -> None:  # anything that can be pickled
        with packed((kind, value)) as (message, files):
            self._channel.send(message, files)


class _LoadedFiles(MetaPathFinder):
    """Finds modules that the parent read from files to which no import path leads. It is asked last."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self._files.get(fullname)
        return None if file is None else importlib.util.spec_from_file_location(fullname, file)


def _portable(error: Exception) -> Exception:
    """The error; or one with the same message, if its class cannot be pickled."""
    try:
        with packed(error) as (message, _):
            pickle.loads(message)  # noqa: S301  # made in the line above
    except Exception:  # noqa: BLE001  # whatever its own methods raise
        return RuntimeError(named_reason(error))
    return error


def _end_with(parent: int) -> None:
    """Has the kernel kill this process when the thread that started it ends, even if this process hangs."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent:
        # The parent ended before it could be watched.
        sys.exit(1)
