"""Messages between two processes of one machine: bytes and open files over a local socket, each with a deadline."""

from __future__ import annotations

import math
import select
import socket
import struct
import time
from collections.abc import Sequence

# Number of bytes of the message, and of files that come with it.
_HEAD = struct.Struct("!QI")
# Most files that Linux allows in one message.
_MOST_FILES = 253

Message = bytes | bytearray | memoryview


class Channel:
    """One end of a connection.

    Args:
        end: A connected local stream socket; the channel owns it from now on.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: Message, files: Sequence[int] = (), *, deadline: float = math.inf) -> None:
        """Sends a message.

        Args:
            message: The message, of any length.
            files: Descriptors that the other side receives copies of.
            deadline: Moment of `time.monotonic()`.

        Raises:
            TimeoutError: The other side does not take it in time.
            OSError: The other side is gone.
        """
        head = _HEAD.pack(len(message), len(files))
        self._wait_until(deadline)
        if files:
            socket.send_fds(self._socket, [head], list(files))
        else:
            self._socket.sendall(head)
        self._wait_until(deadline)
        self._socket.sendall(message)

    def receive(self, *, deadline: float = math.inf) -> tuple[bytearray, list[int]]:
        """Receives a message, and descriptors that the caller closes.

        Raises:
            TimeoutError: It does not arrive in time.
            EOFError: The other side is gone.
            OSError: The other side is gone.
        """
        self._wait_until(deadline)
        start, files, _, _ = socket.recv_fds(self._socket, _HEAD.size, _MOST_FILES)
        if not start:
            raise EOFError
        head = bytearray(_HEAD.size)
        head[: len(start)] = start
        self._fill(memoryview(head)[len(start) :], deadline)
        size, _ = _HEAD.unpack(head)
        message = bytearray(size)
        self._fill(memoryview(message), deadline)
        return message, list(files)

    def arrives(self, within_s: float) -> bool:
        """Waits until there is something to receive, the end of the connection included."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(max(0.0, within_s) * 1000))

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _fill(self, view: memoryview, deadline: float) -> None:
        while view:
            self._wait_until(deadline)
            count = self._socket.recv_into(view)
            if not count:
                raise EOFError
            view = view[count:]

    def _wait_until(self, deadline: float) -> None:
        # A timeout of 0 would not even wait for bytes that have arrived.
        self._socket.settimeout(None if deadline == math.inf else max(deadline - time.monotonic(), 0.001))
