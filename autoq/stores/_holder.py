"""Who works on something that one process at a time may change, and whether that process still lives."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# Tokens of what this process holds: one that it left behind without freeing it is nobody's.
_held: set[str] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lease.

    Attributes:
        host: Its name.
        process: Its number.
        since: When it took the lease, in its local time, for people.
        token: Of this lease alone.
        kernel: Which running system its number is of.
        namespace: Which processes that system shows it.
        started: When it started, in seconds; another process of the same number started at another time.
    """

    host: str
    process: int
    since: str
    token: str
    kernel: str
    namespace: str
    started: float

    @classmethod
    def this(cls) -> Holder:
        """This process, from now on."""
        number = os.getpid()
        return cls(
            host=socket.gethostname(),
            process=number,
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            token=secrets.token_hex(8),
            kernel=_kernel(),
            namespace=_namespace(),
            started=psutil.Process(number).create_time(),
        )

    @classmethod
    def read(cls, text: str) -> Holder | None:
        """What `text` of a holder says; None where it says nothing."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @property
    def name(self) -> str:
        """For people."""
        return f"process {self.process} on host {self.host}, since {self.since}"

    @property
    def lives(self) -> bool | None:
        """Whether the process is there; None where that cannot be seen from here. One that is stopped is there."""
        if self.kernel != _kernel() or self.namespace != _namespace():
            return None
        if self.process == os.getpid():
            return self.token in _held
        try:
            process = psutil.Process(self.process)
            return bool(abs(process.create_time() - self.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True

    def hold(self) -> None:
        """To be told when this process has taken the lease."""
        _held.add(self.token)

    def free(self) -> None:
        """To be told when this process gives the lease back."""
        _held.discard(self.token)


def _kernel() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return socket.gethostname()


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115  # not a path, but a name
    except OSError:
        return ""
