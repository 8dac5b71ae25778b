"""The process that holds a lease, and whether it is still running."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# Tokens of the leases that this process holds. A lease that it lost without freeing it belongs to nobody.
_held: set[str] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lease.

    Attributes:
        host: Name of the host.
        process: Number of the process.
        since: Local time when it took the lease, for people.
        token: Unique token of this lease.
        kernel: Identifies the running system that the number belongs to.
        namespace: Identifies the process namespace in that system.
        started: Start time of the process, in seconds. It tells processes with the same number apart.
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
        """Reads the `text` of a holder; None where it cannot be read."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    @property
    def text(self) -> str:
        """The holder as JSON."""
        return json.dumps(asdict(self))

    @property
    def name(self) -> str:
        """The holder for people: process, host and time."""
        return f"process {self.process} on host {self.host}, since {self.since}"

    @property
    def lives(self) -> bool | None:
        """Whether the process is running, also where it is stopped; None where that cannot be seen from here."""
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
        """Notes that this process has taken the lease."""
        _held.add(self.token)

    def free(self) -> None:
        """Notes that this process has given the lease back."""
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
