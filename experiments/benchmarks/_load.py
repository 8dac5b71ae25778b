"""Another program that wants one core, now and then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Works and rests for a while each, so that it disturbs some of what is measured and not all of it alike.
_PROGRAM = """
import random, time
random.seed(0)
while True:
    until = time.monotonic() + random.uniform(0.1, 2)
    while time.monotonic() < until:
        sum(range(10000))
    time.sleep(random.uniform(0.1, 2))
"""


@contextmanager
def competing_load() -> Iterator[None]:
    """Keeps one core busy for half of the time, in turns of 0.1 to 2 seconds."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM])
    try:
        yield
    finally:
        process.kill()
        process.wait()
